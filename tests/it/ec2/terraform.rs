//! The tutorial's way with Terraform itself, against moto's EC2: adopt the
//! rules, write the change, hold the plan against the logs, apply, analyse
//! again.
//!
//! Needs what `moto` needs, `terraform` on PATH, and in
//! `FLOWCINCH_TERRAFORM_PLUGINS` a folder of providers as `terraform providers
//! mirror` makes it; elsewhere it says that it was skipped.

use std::ffi::OsString;
use std::process::Command;

use serde_json::Value;

use crate::ec2::change::Cloud;
use crate::ec2::change::build;
use crate::ec2::change::groups;
use crate::ec2::change::skipped;
use crate::ec2::change::to_tighten;
use crate::ec2::moto::REGION;

struct Terraform<'a> {
    cloud: &'a Cloud,
}

impl Terraform<'_> {
    fn start<'a>(cloud: &'a Cloud, plugins: &OsString) -> Terraform<'a> {
        let url = cloud.moto.url();
        let provider = format!(
            "terraform {{\n  required_providers {{\n    aws = {{ source = \"hashicorp/aws\" }}\n  }}\n}}\n\
             provider \"aws\" {{\n  region = \"{REGION}\"\n  access_key = \"AKIDEXAMPLE\"\n  secret_key = \"secret\"\n  \
             skip_credentials_validation = true\n  skip_metadata_api_check = true\n  \
             endpoints {{\n    ec2 = \"{url}\"\n    sts = \"{url}\"\n  }}\n}}\n"
        );
        cloud.case.file("provider.tf", provider);
        let terraform = Terraform { cloud };
        let mut from = OsString::from("-plugin-dir=");
        from.push(plugins);
        terraform.says(&["init".into(), from]);
        terraform
    }

    fn says(&self, args: &[OsString]) -> String {
        let output = Command::new("terraform")
            .args(args)
            .current_dir(self.cloud.case.path("."))
            .env("CHECKPOINT_DISABLE", "1")
            .env("NO_COLOR", "1")
            .env("TF_IN_AUTOMATION", "1")
            .env("NO_PROXY", "127.0.0.1")
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let wrong = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{args:?}: {said}{wrong}");
        said
    }

    fn does(&self, line: &str) -> String {
        let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        self.says(&args)
    }

    /// Plans `rules.tf`; gives the line that counts.
    fn plan(&self) -> String {
        let said = self.does("plan -no-color -input=false -out=plan.out");
        let line = said.lines().find(|line| line.starts_with("Plan: "));
        line.unwrap_or_else(|| panic!("{said}")).to_owned()
    }

    fn apply(&self) {
        self.does("apply -no-color -input=false plan.out");
        let left = self.does("plan -no-color -input=false");
        let marked = |line: &&str| line.starts_with("      ");
        let changes = left.lines().filter(marked).map(str::trim_start);
        for change in changes.filter(|line| line.starts_with(['~', '+', '-'])) {
            // moto forgets what describes a rule that names a group.
            assert!(change.starts_with("+ description "), "{left}");
        }
        let quiet = left.contains("No changes.") || left.contains("Plan: 0 to add, ");
        assert!(quiet && !left.contains("destroyed"), "{left}");
    }
}

fn render(cloud: &Cloud, more: &[&str]) {
    let args = [
        "render",
        "first.json",
        "--format",
        "terraform",
        "--out",
        "rules.tf",
    ];
    let run = cloud.case.run(&[&args[..], more].concat());
    assert_eq!(run.status, Some(0), "{run:?}");
}

#[test]
fn rules_are_adopted_then_tightened_and_nothing_is_left() {
    let Some(plugins) = std::env::var_os("FLOWCINCH_TERRAFORM_PLUGINS") else {
        skipped("FLOWCINCH_TERRAFORM_PLUGINS names no providers for terraform");
        return;
    };
    let Some(cloud) = Cloud::start() else { return };
    build(&cloud);
    let before = cloud.snapshot("s1");
    let first = cloud.analyse(&before, "first.json");
    let terraform = Terraform::start(&cloud, &plugins);

    render(&cloud, &["--terraform-stage", "adopt"]);
    terraform.does("fmt -check rules.tf");
    let plan = terraform.plan();
    assert!(
        plan.ends_with("to import, 0 to add, 0 to change, 0 to destroy."),
        "{plan}"
    );
    terraform.apply();
    assert_eq!(groups(&cloud.snapshot("s2")), groups(&before));

    render(&cloud, &[]);
    terraform.does("fmt -check rules.tf");
    assert!(!terraform.plan().contains("to import"));
    let shown = terraform.does("show -json plan.out");
    cloud.case.file("plan.json", shown);
    let snapshot = before.to_str().unwrap();
    let verify = ["verify", "plan.json", "logs", "--snapshot", snapshot];
    let run = cloud.case.run(&verify);
    assert_eq!(run.status, Some(0), "{run:?}");
    terraform.apply();

    let second: Value = cloud.analyse(&cloud.snapshot("s3"), "second.json");
    assert_eq!(to_tighten(&second), 0, "{}", second["proposals"]);
    for (count, wanted) in [
        ("broken", &Value::from(0)),
        ("unexplained", &Value::from(0)),
        ("connections", &first["verification"]["connections"]),
    ] {
        assert_eq!(&second["verification"][count], wanted, "{count}");
    }
}
