//! The script for Alibaba Cloud, run with another `aliyun` that keeps the rules
//! in a file, so that what stands after all that can go wrong is compared with
//! what should stand.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::OnceLock;

use flowcinch::model::Peer;
use flowcinch::report::aliyun_cli;
use flowcinch::report::document::Analysis;
use flowcinch::report::document::RuleReport;
use flowcinch::tighten::plan::Applicability;
use serde_json::Value;
use serde_json::json;

use crate::builder;
use crate::case::Case;

const ALIYUN: &str = include_str!("aliyun.py");

/// A rule as `DescribeSecurityGroupAttribute` prints it, in the letters that it
/// may use.
fn permission(rule: &RuleReport) -> Value {
    let (cidr, group) = match &rule.peer {
        Peer::Cidr(net) => (net.to_string(), String::new()),
        Peer::SecurityGroup(id) => (String::new(), id.to_string()),
        Peer::PrefixList(_) => panic!("none is planted"),
    };
    json!({
        "SecurityGroupRuleId": rule.rule_id,
        "Direction": rule.direction.to_string(),
        "Policy": "Accept",
        "Priority": rule.priority.unwrap().to_string(),
        "IpProtocol": rule.protocol.to_uppercase(),
        "PortRange": format!("{}/{}", rule.from_port.unwrap().max(1), rule.to_port.unwrap()),
        "SourceCidrIp": cidr,
        "SourceGroupId": group,
        "Description": rule.description,
    })
}

fn python() -> &'static str {
    static PYTHON: OnceLock<String> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let mut command = Command::new("python3");
        command.args(["-c", "import sys; print(sys.executable)"]);
        let path = command.output().unwrap().stdout;
        String::from_utf8(path).unwrap().trim().to_owned()
    })
}

struct Stage {
    case: Case,
}

impl Stage {
    fn new() -> Stage {
        Stage::of(&builder::ranked(builder::planted()))
    }

    fn of(analysis: &Analysis) -> Stage {
        let case = Case::new();
        case.file(
            "script.sh",
            aliyun_cli::render(analysis, Applicability::ReportOnly),
        );
        let rules = |rules: &[RuleReport]| rules.iter().map(permission).collect::<Vec<_>>();
        let groups = analysis.security_groups.iter();
        let groups = groups.map(|group| (group.group_id.to_string(), json!(rules(&group.rules))));
        let groups: serde_json::Map<String, Value> = groups.collect();
        case.file("groups.json", Value::Object(groups).to_string());
        let stand_in = case.file("bin/aliyun", ALIYUN);
        fs::set_permissions(stand_in, fs::Permissions::from_mode(0o755)).unwrap();
        // What a version manager puts before it costs more than it does itself.
        symlink(python(), case.path("bin/python3")).unwrap();
        Stage { case }
    }

    fn run(&self, flag: &str, variables: &[(&str, &str)]) -> (bool, String) {
        let mut paths = vec![self.case.path("bin")];
        paths.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
        let output = Command::new("bash")
            .args(["script.sh", flag])
            .current_dir(self.case.path("."))
            .env("PATH", std::env::join_paths(paths).unwrap())
            .env("FLOWCINCH_JOURNAL", "journal")
            .env("FLOWCINCH_PAUSE", "0")
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.success(), said)
    }

    fn does(&self, flag: &str) -> String {
        let (done, said) = self.run(flag, &[]);
        assert!(done, "{flag}: {said}");
        said
    }

    fn calls(&self) -> Vec<String> {
        let path = self.case.path("calls");
        let text = fs::read_to_string(&path).unwrap_or_default();
        drop(fs::remove_file(path));
        text.lines().map(str::to_owned).collect()
    }

    fn groups(&self) -> Value {
        let text = fs::read_to_string(self.case.path("groups.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// The rules of the database's group, but for ids and empty texts.
    fn rules(&self) -> BTreeSet<Vec<(String, String)>> {
        let groups = self.groups();
        let rules = groups[builder::DB].as_array().unwrap().iter();
        let words = |rule: &Value| {
            let all = rule.as_object().unwrap().iter();
            let all = all.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_lowercase()));
            all.filter(|(key, value)| key != "SecurityGroupRuleId" && !value.is_empty())
                .collect()
        };
        let mut all: BTreeSet<Vec<(String, String)>> = rules.map(words).collect();
        let policy = groups["policies"][builder::DB].as_str();
        all.insert(vec![(
            "InnerAccessPolicy".to_owned(),
            policy.unwrap_or("Accept").to_owned(),
        )]);
        all
    }
}

fn changes(calls: &[String]) -> usize {
    let describes = |call: &&String| call.starts_with("Describe");
    calls.len() - calls.iter().filter(describes).count()
}

#[test]
fn what_stands_is_what_was_proposed_and_the_way_back_leads_back() {
    let stage = Stage::new();
    let before = stage.rules();
    stage.does("--dry-run");
    assert_eq!(changes(&stage.calls()), 0);
    stage.does("--apply");
    let calls = stage.calls();
    let all: Vec<&String> = calls
        .iter()
        .filter(|call| !call.starts_with("Describe"))
        .collect();
    assert_eq!(
        all,
        [
            "AuthorizeSecurityGroup",
            "AuthorizeSecurityGroup",
            "ModifySecurityGroupPolicy",
            "RevokeSecurityGroup"
        ]
    );
    let after: Vec<String> = stage
        .rules()
        .iter()
        .map(|rule| format!("{rule:?}"))
        .collect();
    assert_eq!(after.len(), 4, "{after:#?}");
    let has = |words: &[&str]| {
        let says = |rule: &&String| words.iter().all(|word| rule.contains(word));
        after.iter().filter(says).count() == 1
    };
    assert!(has(&[
        "5432/5432",
        builder::APP,
        "accept",
        r#"("Priority", "1")"#
    ]));
    assert!(has(&[
        "drop",
        "0.0.0.0/0",
        "-1/-1",
        r#"("Priority", "100")"#
    ]));
    assert!(has(&["22/22", builder::OLD]));
    assert!(has(&["InnerAccessPolicy", "Drop"]));
    stage.does("--apply");
    assert_eq!(changes(&stage.calls()), 0, "done is done");
    stage.does("--rollback");
    assert_eq!(stage.rules(), before);
    stage.calls();
    stage.does("--rollback");
    assert_eq!(stage.calls(), Vec::<String>::new(), "undone is undone");
}

/// Whatever call fails or is heard without an answer: going on ends where it
/// would have ended, going back where it began.
#[test]
fn any_call_may_fail_or_lose_its_answer() {
    let whole = Stage::new();
    let before = whole.rules();
    whole.does("--apply");
    let (after, all) = (whole.rules(), whole.calls());
    for (at, call) in (1..).zip(&all) {
        let asks = call.starts_with("Describe");
        for how in ["FAIL_AT", "LOSE_AT"] {
            if asks && how == "LOSE_AT" {
                continue;
            }
            let stage = Stage::new();
            let (done, said) = stage.run("--apply", &[(how, &at.to_string())]);
            assert!(!done, "{how} {at}: {said}");
            assert_eq!(
                stage.calls(),
                all[..at],
                "nothing is asked behind a failure"
            );
            if (at + usize::from(how == "FAIL_AT")) % 2 == 0 {
                stage.does("--apply");
                assert_eq!(stage.rules(), after, "{how} {at}");
            }
            if stage.case.path("journal").exists() {
                stage.does("--rollback");
            }
            assert_eq!(stage.rules(), before, "{how} {at}");
        }
    }
}

#[test]
fn what_was_there_before_is_not_taken_away() {
    let stage = Stage::new();
    let mut groups = stage.groups();
    let own = groups[builder::DB].as_array_mut().unwrap();
    own.push(json!({
        "SecurityGroupRuleId": "sgr-by-hand", "Direction": "ingress", "Policy": "accept",
        "Priority": 1, "IpProtocol": "tcp", "PortRange": "5432/5432",
        "SourceGroupId": builder::APP,
    }));
    let text = groups
        .to_string()
        .replace("\"Priority\":1,", "\"Priority\":\"1\",");
    stage.case.file("groups.json", text);
    let before = stage.rules();
    stage.does("--apply");
    stage.does("--rollback");
    assert_eq!(stage.rules(), before);
}

#[test]
fn nothing_begins_where_a_rule_is_not_what_it_was() {
    for (key, value) in [
        ("PortRange", "1/1024"),
        ("Priority", "2"),
        ("SourceCidrIp", "10.0.0.0/8"),
        ("SecurityGroupRuleId", "sgr-other"),
        ("SourcePortRange", "1024/2048"),
        ("DestCidrIp", "10.0.0.9"),
        ("Policy", "Drop"),
    ] {
        let stage = Stage::new();
        let mut groups = stage.groups();
        groups[builder::DB][0][key] = json!(value);
        stage.case.file("groups.json", groups.to_string());
        for flag in ["--dry-run", "--apply"] {
            let (done, said) = stage.run(flag, &[]);
            assert!(
                !done && said.contains("is not what it was"),
                "{key}: {said}"
            );
        }
        assert_eq!(changes(&stage.calls()), 0, "{key}");
        assert!(!stage.case.path("journal").exists());
    }
}

/// The API takes the call for the rule that differs in its rank alone, and says
/// nothing.
#[test]
fn a_rule_that_was_not_made_is_noticed() {
    let stage = Stage::new();
    let mut groups = stage.groups();
    let own = groups[builder::DB].as_array_mut().unwrap();
    own.push(json!({
        "SecurityGroupRuleId": "sgr-late", "Direction": "ingress", "Policy": "drop",
        "Priority": "90", "IpProtocol": "all", "PortRange": "-1/-1", "SourceCidrIp": "0.0.0.0/0",
    }));
    stage.case.file("groups.json", groups.to_string());
    let before = stage.rules();
    let (done, said) = stage.run("--apply", &[]);
    assert!(!done && said.contains("no such rule is there"), "{said}");
    stage.does("--rollback");
    assert_eq!(stage.rules(), before);
}

#[test]
fn nothing_is_done_that_cannot_be_noted() {
    let stage = Stage::new();
    let (done, said) = stage.run("--apply", &[("FLOWCINCH_JOURNAL", "/dev/full")]);
    assert!(!done, "{said}");
    assert_eq!(changes(&stage.calls()), 0, "{said}");
    let (done, said) = stage.run("--rollback", &[]);
    assert!(!done && said.contains("no journal"), "{said}");
}

/// Descriptions go back as they were, whatever they say.
#[test]
fn descriptions_survive_the_way_there_and_back() {
    for text in [
        "数据库 it's $(touch pwned) \u{202e}\u{1b}[1m --x",
        "--region x",
    ] {
        let mut analysis = builder::ranked(builder::planted());
        for group in &mut analysis.security_groups {
            for rule in &mut group.rules {
                text.clone_into(&mut rule.description);
            }
        }
        let stage = Stage::of(&analysis);
        let before = stage.rules();
        stage.does("--apply");
        stage.does("--rollback");
        assert_eq!(stage.rules(), before);
        assert!(!stage.case.path("pwned").exists());
    }
}
