//! The script for Alibaba Cloud, run with another `aliyun` that keeps the rules
//! in a file, so that what stands after all that can go wrong is compared with
//! what should stand.

use std::collections::BTreeSet;
use std::fs;
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
use crate::stage::Stage;

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

struct Cloud {
    stage: Stage,
}

impl Cloud {
    fn new() -> Cloud {
        Cloud::of(&builder::ranked(builder::planted()))
    }

    fn of(analysis: &Analysis) -> Cloud {
        let script = aliyun_cli::render(analysis, Applicability::ReportOnly);
        let stage = Stage::new(&script, ("aliyun", ALIYUN), &[("FLOWCINCH_PAUSE", "0")]);
        let rules = |rules: &[RuleReport]| rules.iter().map(permission).collect::<Vec<_>>();
        let groups = analysis.security_groups.iter();
        let groups = groups.map(|group| (group.group_id.to_string(), json!(rules(&group.rules))));
        let groups: serde_json::Map<String, Value> = groups.collect();
        stage
            .case
            .file("groups.json", Value::Object(groups).to_string());
        // What a version manager puts before it costs more than it does itself.
        symlink(python(), stage.case.path("bin/python3")).unwrap();
        Cloud { stage }
    }

    fn run(&self, flag: &str, variables: &[(&str, &str)]) -> (bool, String) {
        self.stage.run(&[flag], variables)
    }

    fn does(&self, flag: &str) -> String {
        self.stage.does(&[flag])
    }

    fn calls(&self) -> Vec<String> {
        self.stage.calls()
    }

    fn groups(&self) -> Value {
        let text = fs::read_to_string(self.stage.case.path("groups.json")).unwrap();
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
    let cloud = Cloud::new();
    let before = cloud.rules();
    cloud.does("--dry-run");
    assert_eq!(changes(&cloud.calls()), 0);
    cloud.does("--apply");
    let calls = cloud.calls();
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
    let after: Vec<String> = cloud
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
    cloud.does("--apply");
    assert_eq!(changes(&cloud.calls()), 0, "done is done");
    cloud.does("--rollback");
    assert_eq!(cloud.rules(), before);
    cloud.calls();
    cloud.does("--rollback");
    assert_eq!(cloud.calls(), Vec::<String>::new(), "undone is undone");
}

/// Whatever call fails or is heard without an answer: going on ends where it
/// would have ended, going back where it began.
#[test]
fn any_call_may_fail_or_lose_its_answer() {
    let whole = Cloud::new();
    let before = whole.rules();
    whole.does("--apply");
    let (after, all) = (whole.rules(), whole.calls());
    for (at, call) in (1..).zip(&all) {
        let asks = call.starts_with("Describe");
        for how in ["FAIL_AT", "LOSE_AT"] {
            if asks && how == "LOSE_AT" {
                continue;
            }
            let cloud = Cloud::new();
            let (done, said) = cloud.run("--apply", &[(how, &at.to_string())]);
            assert!(!done, "{how} {at}: {said}");
            assert_eq!(
                cloud.calls(),
                all[..at],
                "nothing is asked behind a failure"
            );
            if (at + usize::from(how == "FAIL_AT")) % 2 == 0 {
                cloud.does("--apply");
                assert_eq!(cloud.rules(), after, "{how} {at}");
            }
            if cloud.stage.case.path("journal").exists() {
                cloud.does("--rollback");
            }
            assert_eq!(cloud.rules(), before, "{how} {at}");
        }
    }
}

#[test]
fn what_was_there_before_is_not_taken_away() {
    let cloud = Cloud::new();
    let mut groups = cloud.groups();
    let own = groups[builder::DB].as_array_mut().unwrap();
    own.push(json!({
        "SecurityGroupRuleId": "sgr-by-hand", "Direction": "ingress", "Policy": "accept",
        "Priority": 1, "IpProtocol": "tcp", "PortRange": "5432/5432",
        "SourceGroupId": builder::APP,
    }));
    let text = groups
        .to_string()
        .replace("\"Priority\":1,", "\"Priority\":\"1\",");
    cloud.stage.case.file("groups.json", text);
    let before = cloud.rules();
    cloud.does("--apply");
    cloud.does("--rollback");
    assert_eq!(cloud.rules(), before);
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
        let cloud = Cloud::new();
        let mut groups = cloud.groups();
        groups[builder::DB][0][key] = json!(value);
        cloud.stage.case.file("groups.json", groups.to_string());
        for flag in ["--dry-run", "--apply"] {
            let (done, said) = cloud.run(flag, &[]);
            assert!(
                !done && said.contains("is not what it was"),
                "{key}: {said}"
            );
        }
        assert_eq!(changes(&cloud.calls()), 0, "{key}");
        assert!(!cloud.stage.case.path("journal").exists());
    }
}

/// The API takes the call for the rule that differs in its rank alone, and says
/// nothing.
#[test]
fn a_rule_that_was_not_made_is_noticed() {
    let cloud = Cloud::new();
    let mut groups = cloud.groups();
    let own = groups[builder::DB].as_array_mut().unwrap();
    own.push(json!({
        "SecurityGroupRuleId": "sgr-late", "Direction": "ingress", "Policy": "drop",
        "Priority": "90", "IpProtocol": "all", "PortRange": "-1/-1", "SourceCidrIp": "0.0.0.0/0",
    }));
    cloud.stage.case.file("groups.json", groups.to_string());
    let before = cloud.rules();
    let (done, said) = cloud.run("--apply", &[]);
    assert!(!done && said.contains("no such rule is there"), "{said}");
    cloud.does("--rollback");
    assert_eq!(cloud.rules(), before);
}

#[test]
fn nothing_is_done_that_cannot_be_noted() {
    let cloud = Cloud::new();
    let (done, said) = cloud.run("--apply", &[("FLOWCINCH_JOURNAL", "/dev/full")]);
    assert!(!done, "{said}");
    assert_eq!(changes(&cloud.calls()), 0, "{said}");
    let (done, said) = cloud.run("--rollback", &[]);
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
        let cloud = Cloud::of(&analysis);
        let before = cloud.rules();
        cloud.does("--apply");
        cloud.does("--rollback");
        assert_eq!(cloud.rules(), before);
        assert!(!cloud.stage.case.path("pwned").exists());
    }
}
