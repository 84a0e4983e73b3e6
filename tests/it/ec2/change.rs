//! The whole way against moto's EC2: snapshot, analyse, write the script, run
//! it, snapshot and analyse again; then the way back. And a staging copy.
//!
//! Needs what `moto` needs, and bash.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::case::Case;
use crate::ec2::case;
use crate::ec2::documents;
use crate::ec2::moto::Moto;
use crate::ec2::moto::REGION;
use crate::ec2::moto::tool;

/// Text that acts wherever it is not quoted.
const HOSTILE: &str = "x $(touch pwned) `touch pwned` ${HOME} it's";

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(super) fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

pub(super) struct Cloud {
    pub(super) moto: Moto,
    aws: PathBuf,
    pub(super) case: Case,
}

impl Cloud {
    pub(super) fn start() -> Option<Cloud> {
        let (Some(server), Some(aws)) = (tool("moto_server", "--help"), tool("aws", "--version"))
        else {
            assert!(
                std::env::var_os("FLOWCINCH_TOOLS").is_none(),
                "FLOWCINCH_TOOLS is set, and moto_server or aws is not there"
            );
            skipped("moto_server and aws are not installed");
            return None;
        };
        Some(Cloud {
            moto: Moto::start(&server),
            aws,
            case: case(),
        })
    }

    fn group(&self, vpc: &str, name: &str) -> String {
        let parameters = [
            ("VpcId", vpc),
            ("GroupName", name),
            ("GroupDescription", name),
        ];
        self.moto
            .call("CreateSecurityGroup", &parameters, "groupId")
    }

    fn allow(&self, group: &str, ports: (&str, &str), peer: (&str, &str), text: &str) {
        let (list, key) = match peer.0 {
            "CidrIp" => ("IpRanges", "CidrIp"),
            _ => ("Groups", "GroupId"),
        };
        let peer_key = format!("IpPermissions.1.{list}.1.{key}");
        let text_key = format!("IpPermissions.1.{list}.1.Description");
        let parameters = [
            ("GroupId", group),
            ("IpPermissions.1.IpProtocol", "tcp"),
            ("IpPermissions.1.FromPort", ports.0),
            ("IpPermissions.1.ToPort", ports.1),
            (peer_key.as_str(), peer.1),
            (text_key.as_str(), text),
        ];
        self.moto
            .call("AuthorizeSecurityGroupIngress", &parameters, "return");
    }

    /// Every protocol and port from a prefix.
    fn allow_all(&self, group: &str, net: &str) {
        let parameters = [
            ("GroupId", group),
            ("IpPermissions.1.IpProtocol", "-1"),
            ("IpPermissions.1.IpRanges.1.CidrIp", net),
        ];
        self.moto
            .call("AuthorizeSecurityGroupIngress", &parameters, "return");
    }

    fn interface(&self, subnet: &str, group: &str, address: &str) -> String {
        let parameters = [
            ("SubnetId", subnet),
            ("SecurityGroupId.1", group),
            ("PrivateIpAddress", address),
        ];
        self.moto
            .call("CreateNetworkInterface", &parameters, "networkInterfaceId")
    }

    /// The folder of a snapshot taken now.
    pub(super) fn snapshot(&self, out: &str) -> PathBuf {
        let url = self.moto.url();
        let args = [
            "snapshot",
            "--out",
            out,
            "--region",
            REGION,
            "--endpoint-url",
            &url,
        ];
        let run = self.case.run(&[&args[..], &["--quiet"]].concat());
        assert!(matches!(run.status, Some(0 | 3)), "{run:?}");
        self.case.path(run.text().trim_end())
    }

    pub(super) fn analyse(&self, snapshot: &Path, name: &str) -> Value {
        let snapshot = snapshot.to_str().unwrap();
        let run = self.case.run(&[
            "analyze",
            "logs",
            "--snapshot",
            snapshot,
            "--format",
            "json",
            "--quiet",
            "--exit-zero",
        ]);
        assert_eq!(run.status, Some(0), "{}", run.stderr);
        self.case.file(name, &run.stdout);
        serde_json::from_slice(&run.stdout).unwrap()
    }

    fn render(&self, out: &str, more: &[&str]) {
        let args = [
            "render",
            "first.json",
            "--format",
            "aws-cli",
            "--include",
            "report-only",
            "--out",
            out,
        ];
        let run = self.case.run(&[&args[..], more].concat());
        assert_eq!(run.status, Some(0), "{run:?}");
    }

    /// Runs a script; gives its status and all that it said.
    fn script(&self, args: &[&str]) -> (bool, String) {
        let mut paths = vec![self.aws.parent().unwrap().to_owned()];
        let path = std::env::var_os("PATH").unwrap();
        paths.extend(std::env::split_paths(&path));
        let output = Command::new("bash")
            .args(args)
            .current_dir(self.case.path("."))
            .env("PATH", std::env::join_paths(paths).unwrap())
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_ENDPOINT_URL", self.moto.url())
            .env("AWS_MAX_ATTEMPTS", "1")
            .env("NO_PROXY", "127.0.0.1")
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }

    fn does(&self, args: &[&str]) -> String {
        let (done, said) = self.script(args);
        assert!(done, "{args:?}: {said}");
        said
    }
}

/// Interfaces of web, app, database and cache.
pub(super) struct Scene {
    app: String,
}

pub(super) fn build(cloud: &Cloud) -> Scene {
    let vpc = cloud
        .moto
        .call("CreateVpc", &[("CidrBlock", "10.9.0.0/16")], "vpcId");
    let subnet = [("VpcId", vpc.as_str()), ("CidrBlock", "10.9.1.0/24")];
    let subnet = cloud.moto.call("CreateSubnet", &subnet, "subnetId");
    let [web, app, db, cache] = ["web", "app", "db", "cache"].map(|name| cloud.group(&vpc, name));
    cloud.allow_all(&cache, "10.9.0.0/16");
    cloud.allow(&app, ("0", "65535"), ("CidrIp", "10.9.0.0/16"), HOSTILE);
    cloud.allow(&db, ("5432", "5432"), ("GroupId", &app), "pg");
    cloud.allow(&db, ("5432", "5432"), ("CidrIp", "10.9.1.20/32"), "old");
    cloud.allow(&db, ("8000", "9000"), ("CidrIp", "10.9.0.0/16"), "api");
    cloud.allow(&db, ("3306", "3306"), ("CidrIp", "10.9.7.0/24"), "nobody");
    let web = cloud.interface(&subnet, &web, "10.9.1.10");
    let app = cloud.interface(&subnet, &app, "10.9.1.20");
    let db = cloud.interface(&subnet, &db, "10.9.1.30");
    let cache = cloud.interface(&subnet, &cache, "10.9.1.40");
    let talks = [
        ((&*web, "10.9.1.10"), (&*cache, "10.9.1.40"), 6379),
        (
            (web.as_str(), "10.9.1.10"),
            (app.as_str(), "10.9.1.20"),
            8080,
        ),
        ((&app, "10.9.1.20"), (&db, "10.9.1.30"), 5432),
        ((&web, "10.9.1.10"), (&db, "10.9.1.30"), 8443),
    ];
    cloud.case.file("logs/all.log", logs(&talks));
    Scene { app }
}

type End<'a> = (&'a str, &'a str);

/// A hundred days of the same talks every hour, with handshakes: who is seen
/// less often was not watched enough for anything to be proposed.
fn logs(talks: &[(End<'_>, End<'_>, u16)]) -> String {
    let mut log = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status tcp-flags flow-direction\n".to_owned();
    for turn in 0..2400u32 {
        let start = 1_782_864_000 + turn * 3600;
        let end = start + 60;
        for ((client_id, client), (server_id, server), port) in talks {
            let from = 40_000 + turn;
            for (id, way) in [(client_id, "egress"), (server_id, "ingress")] {
                writeln!(log, "5 123456789012 {id} {client} {server} {from} {port} 6 5 500 {start} {end} ACCEPT OK 3 {way}").unwrap();
            }
            for (id, way) in [(server_id, "egress"), (client_id, "ingress")] {
                writeln!(log, "5 123456789012 {id} {server} {client} {port} {from} 6 5 500 {start} {end} ACCEPT OK 19 {way}").unwrap();
            }
        }
    }
    log
}

/// The groups of a snapshot without the order in which they were listed.
pub(super) fn groups(folder: &Path) -> Value {
    let mut groups: Vec<Value> = documents(folder)
        .into_values()
        .filter_map(|document| document.get("SecurityGroups").cloned())
        .flat_map(|groups| groups.as_array().unwrap().clone())
        .collect();
    assert!(groups.len() >= 3, "{groups:?}");
    groups.iter_mut().for_each(sort);
    groups.sort_by_key(Value::to_string);
    Value::Array(groups)
}

fn sort(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(sort);
            items.sort_by_key(Value::to_string);
        }
        Value::Object(map) => map.values_mut().for_each(sort),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

pub(super) fn to_tighten(analysis: &Value) -> usize {
    let proposals = analysis["proposals"].as_array().unwrap();
    proposals
        .iter()
        .filter(|one| one["decision"] == "tighten")
        .count()
}

#[test]
fn the_script_tightens_all_and_its_rollback_restores_the_first_snapshot() {
    let Some(cloud) = Cloud::start() else { return };
    let _scene = build(&cloud);
    let before = cloud.snapshot("s1");
    let first = cloud.analyse(&before, "first.json");
    assert!(to_tighten(&first) >= 4, "{}", first["proposals"]);
    cloud.render("change.sh", &[]);
    // A rule for all protocols is narrowed in place, and comes back.
    let script = fs::read_to_string(cloud.case.path("change.sh")).unwrap();
    assert!(script.contains("\"IpProtocol\":\"-1\""), "{script}");

    // Neither looking nor asking changes anything.
    assert!(cloud.does(&["change.sh"]).contains("usage"));
    assert!(
        cloud
            .does(&["change.sh", "--dry-run"])
            .contains("would do 1 of")
    );
    assert_eq!(groups(&cloud.snapshot("s2")), groups(&before));

    assert!(cloud.does(&["change.sh", "--apply"]).contains("all done"));
    let after = cloud.snapshot("s3");
    assert_ne!(groups(&after), groups(&before));
    let second = cloud.analyse(&after, "second.json");
    assert_eq!(to_tighten(&second), 0, "{}", second["proposals"]);
    assert_eq!(second["verification"]["broken"], 0);
    assert_eq!(second["verification"]["unexplained"], 0);
    assert_eq!(
        second["verification"]["connections"],
        first["verification"]["connections"]
    );
    assert_eq!(second["coverage"]["unresolved"], serde_json::json!({}));

    // Done is done: nothing is done twice.
    assert!(!cloud.does(&["change.sh", "--apply"]).contains("did 1"));
    cloud.does(&["change.sh", "--rollback"]);
    assert_eq!(groups(&cloud.snapshot("s4")), groups(&before));
    assert!(!cloud.case.path("pwned").exists());
}

#[test]
fn a_rule_that_changed_since_stops_the_script_before_it_begins() {
    let Some(cloud) = Cloud::start() else { return };
    let _scene = build(&cloud);
    let before = cloud.snapshot("s1");
    let first = cloud.analyse(&before, "first.json");
    cloud.render("change.sh", &[]);
    // Somebody else takes a rule away that the script wants to remove.
    let rules = first["security_groups"].as_array().unwrap().iter();
    let rules = rules.flat_map(|group| {
        group["rules"]
            .as_array()
            .unwrap()
            .iter()
            .map(move |rule| (group, rule))
    });
    let (group, rule) = rules
        .into_iter()
        .find(|(_, rule)| rule["description"] == "nobody")
        .unwrap();
    let parameters = [
        ("GroupId", group["group_id"].as_str().unwrap()),
        ("SecurityGroupRuleId.1", rule["rule_id"].as_str().unwrap()),
    ];
    cloud
        .moto
        .call("RevokeSecurityGroupIngress", &parameters, "return");
    let changed = groups(&cloud.snapshot("s2"));
    let (done, said) = cloud.script(&["change.sh", "--apply"]);
    assert!(!done, "{said}");
    assert!(said.contains("stopped: rule "), "{said}");
    assert_eq!(groups(&cloud.snapshot("s3")), changed);
}

#[test]
fn a_staging_copy_can_be_tried_and_leaves_no_trace() {
    let Some(cloud) = Cloud::start() else { return };
    let scene = build(&cloud);
    let before = cloud.snapshot("s1");
    cloud.analyse(&before, "first.json");
    cloud.render("copies.sh", &["--clone-first"]);
    cloud.does(&["copies.sh", "--create"]);
    cloud.does(&["copies.sh", "--attach", &scene.app]);
    // What runs on a copy is judged by the proposed rules, and all still passes.
    let tried = cloud.snapshot("s2");
    let tried = cloud.analyse(&tried, "tried.json");
    assert_eq!(
        tried["verification"]["unexplained"], 0,
        "{}",
        tried["coverage"]
    );
    let (done, said) = cloud.script(&["copies.sh", "--delete"]);
    assert!(!done && said.contains("--detach it first"), "{said}");
    cloud.does(&["copies.sh", "--detach", &scene.app]);
    cloud.does(&["copies.sh", "--delete"]);
    assert_eq!(groups(&cloud.snapshot("s3")), groups(&before));
    assert!(fs::read_dir(cloud.case.path(".")).unwrap().count() > 3);
}
