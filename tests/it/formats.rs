//! What `render` writes, form by form: text of others is inert in each, schemas
//! and other parsers agree, and names stay the same from run to run.

use std::collections::BTreeSet;
use std::process::Command;

use flowcinch::model::Direction;
use flowcinch::model::Peer;
use flowcinch::model::SgId;
use flowcinch::report::accepted;
use flowcinch::report::aliyun_cli;
use flowcinch::report::aws_cli;
use flowcinch::report::aws_cli::Script;
use flowcinch::report::cloudformation;
use flowcinch::report::csv as table;
use flowcinch::report::document::Analysis;
use flowcinch::report::document::RuleReport;
use flowcinch::report::json;
use flowcinch::report::listing;
use flowcinch::report::markdown;
use flowcinch::report::ocsf;
use flowcinch::report::review::Against;
use flowcinch::report::review::Review;
use flowcinch::report::sarif;
use flowcinch::report::terraform;
use flowcinch::report::terraform::Stage;
use flowcinch::report::terraform::State;
use flowcinch::report::terraform::TerraformOptions;
use flowcinch::tighten::plan::Applicability;
use hcl_edit::structure::Body;
use proptest::prelude::*;
use serde_json::Value;

use crate::builder;
use crate::case::Case;

const NASTY: [&str; 12] = [
    "' \" \\ ; & | > <",
    "</script><img src=x onerror=alert(1)>",
    "${file(\"/etc/passwd\")} %{if true}x%{endif}",
    "%${x} $${y} $$${z} %%{w}",
    "$(touch pwned) `touch pwned`",
    "\u{1b}[31mred\u{1b}]0;title\u{7}",
    "=HYPERLINK(\"http://x\")",
    "@SUM(A1)|+1|-1",
    "\u{202e}right to left\u{2066}",
    "line\nbreak\r\n# heading\n```\nEOF",
    "{{resolve:ssm:secret}} {0} [a](http://b) @everyone #1",
    "\u{0}\u{9b}31m\u{2028}\u{feff}",
];

/// The planted analysis with this text wherever others may write.
fn with(text: &str) -> Analysis {
    let mut analysis = builder::planted();
    for group in &mut analysis.security_groups {
        group.group_name = text.to_owned();
        for rule in &mut group.rules {
            rule.description = text.to_owned();
            rule.reasons.push(text.to_owned());
        }
    }
    for reject in &mut analysis.rejects {
        reject.text = text.to_owned();
        reject.peer = text.to_owned();
    }
    for proposal in &mut analysis.proposals {
        proposal.reasons.push(text.to_owned());
    }
    for caveat in &mut analysis.caveats {
        caveat.text = text.to_owned();
    }
    analysis
}

fn hcl(analysis: &Analysis, stage: Stage) -> String {
    let options = TerraformOptions {
        state: State::default(),
        stage,
        least: Applicability::ReportOnly,
    };
    terraform::render(analysis, &options)
}

fn review(analysis: &Analysis) -> Review {
    Review::new(analysis, &Against::default())
}

fn document(analysis: &Analysis) -> String {
    String::from_utf8(json::to_bytes(analysis).unwrap()).unwrap()
}

/// Every form with its name.
fn forms(analysis: &Analysis) -> Vec<(&'static str, String)> {
    let review = review(analysis);
    let least = Applicability::ReportOnly;
    vec![
        ("terraform", hcl(analysis, Stage::Tighten)),
        ("terraform adopt", hcl(analysis, Stage::Adopt)),
        (
            "cloudformation",
            cloudformation::render(analysis, Stage::Tighten, least),
        ),
        ("aws-cli", aws_cli::render(analysis, Script::Change, least)),
        (
            "clone-first",
            aws_cli::render(analysis, Script::CloneFirst, least),
        ),
        ("aliyun-cli", aliyun_cli::render(analysis, least)),
        ("sarif", sarif::render(analysis, &review)),
        ("ocsf", ocsf::render(analysis, &review)),
        ("csv", table::render(&review)),
        ("markdown", markdown::render(analysis, &review, true)),
        ("json", document(analysis)),
    ]
}

fn acts(letter: char) -> bool {
    let line_end = letter == '\n' || letter == '\r';
    (letter.is_control() && !line_end)
        || matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// What must hold of every form of an analysis.
fn check(analysis: &Analysis) {
    for (form, text) in forms(analysis) {
        assert!(!text.contains(acts), "{form}: {text:?}");
        match form {
            "terraform" | "terraform adopt" => check_hcl(&text),
            "cloudformation" => {
                assert!(!text.contains("{{"), "{text}");
                serde_json::from_str::<Value>(&text).unwrap();
            }
            "json" => {
                let read = json::from_slice(text.as_bytes()).unwrap();
                assert_eq!(&read, analysis);
            }
            "sarif" | "ocsf" => drop(serde_json::from_str::<Value>(&text).unwrap()),
            "csv" => check_csv(&text),
            "markdown" => assert!(!text.contains("<img") && !text.contains("](http"), "{text}"),
            _ => {}
        }
    }
}

/// No expression is a template, a call or anything else that acts.
fn check_hcl(text: &str) {
    let body: Body = text
        .parse()
        .unwrap_or_else(|error| panic!("{error}\n{text}"));
    check_body(&body);
    check_names(&body);
}

/// Every resource has a name that Terraform takes, and names others that are there.
fn check_names(body: &Body) {
    let mut there = BTreeSet::new();
    for block in body.get_blocks("resource") {
        let [kind, name] = [0, 1].map(|at| block.labels[at].as_str().to_owned());
        let mut letters = name.chars();
        let first = letters.next().unwrap();
        assert!(first.is_ascii_alphabetic() || first == '_', "{name}");
        assert!(
            letters.all(|c| c.is_ascii_alphanumeric() || c == '_'),
            "{name}"
        );
        assert!(there.insert(format!("{kind}.{name}")), "{name} twice");
    }
    for block in body.blocks() {
        let needs = block.body.get_attribute("depends_on");
        let needs = needs.and_then(|list| list.value.as_array()).into_iter();
        let to = block.body.get_attribute("to").map(|to| &to.value);
        for named in needs.flatten().chain(to) {
            let named = named.to_string().trim().to_owned();
            assert!(there.contains(&named), "{named} of {there:?}");
        }
    }
}

fn check_body(body: &Body) {
    for attribute in body.attributes() {
        let value = &attribute.value;
        let literal = value.is_str() || value.is_number() || value.is_bool();
        let named = value.is_traversal() && attribute.key.as_str() == "to";
        let list = value.is_array() && attribute.key.as_str() == "depends_on";
        let inert = literal || named || list;
        assert!(inert, "{attribute:?}");
    }
    for block in body.blocks() {
        check_body(&block.body);
    }
}

fn check_csv(text: &str) {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(false)
        .from_reader(text.as_bytes());
    for row in reader.records() {
        for field in &row.unwrap() {
            let first = field.trim_start().chars().next();
            assert!(!first.is_some_and(|c| "=+-@".contains(c)), "{field}");
        }
    }
}

#[test]
fn text_of_others_is_inert_in_every_form() {
    for text in NASTY {
        check(&with(text));
        check(&builder::ranked(with(text)));
    }
    check(&with(&NASTY.join(" ")));
    check(&builder::ranked(with(&NASTY.join(" "))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_text_of_others_is_inert(text in any::<String>(), from in 0..NASTY.len(), to in 0..NASTY.len()) {
        let analysis = with(&format!("{}{text}{}", NASTY[from], NASTY[to]));
        check(&analysis);
        check(&builder::ranked(analysis));
    }
}

#[test]
fn a_rule_of_any_protocol_has_a_name_that_terraform_takes() {
    let mut analysis = builder::planted();
    for rule in analysis.proposals.iter_mut().flat_map(|one| &mut one.rules) {
        rule.protocol = "4".to_owned();
        (rule.from_port, rule.to_port) = (None, None);
    }
    let text = hcl(&analysis, Stage::Tighten);
    assert!(text.contains("= \"4\""), "{text}");
    check_hcl(&text);
}

#[test]
fn terraform_reads_back_the_same_rules_and_texts() {
    for text in NASTY {
        let analysis = with(text);
        let body: Body = hcl(&analysis, Stage::Adopt).parse().unwrap();
        let mut read = BTreeSet::new();
        for block in body.get_blocks("resource") {
            let value = |key: &str| {
                let attribute = block.body.get_attribute(key)?;
                let text = attribute.value.as_str().map(str::to_owned);
                Some(text.unwrap_or_else(|| attribute.value.to_string().trim().to_owned()))
            };
            let peer = ["cidr_ipv4", "cidr_ipv6", "referenced_security_group_id"];
            let peer = peer.into_iter().find_map(value);
            let ports = (value("from_port"), value("to_port"));
            read.insert((value("ip_protocol"), ports, peer, value("description")));
        }
        let db = analysis
            .security_groups
            .iter()
            .find(|group| group.group_id.as_str() == builder::DB);
        let wanted: BTreeSet<_> = db
            .unwrap()
            .rules
            .iter()
            .filter(|rule| rule.direction == Direction::Ingress)
            .map(|rule| {
                let port = |port: Option<i32>| port.map(|port| port.to_string());
                let ports = (port(rule.from_port), port(rule.to_port));
                let peer = Some(rule.peer.to_string());
                (
                    Some(rule.protocol.clone()),
                    ports,
                    peer,
                    Some(rule.description.clone()),
                )
            })
            .collect();
        assert_eq!(read, wanted, "{text:?}");
    }
}

/// The rules of both kinds of blocks of a file for Alibaba Cloud, but for names.
fn alicloud(text: &str) -> BTreeSet<Vec<String>> {
    let body: Body = text.parse().unwrap();
    let keys = [
        "security_group_id",
        "type",
        "policy",
        "priority",
        "ip_protocol",
        "port_range",
        "cidr_ip",
        "source_security_group_id",
        "nic_type",
        "description",
    ];
    let blocks = body.get_blocks("resource");
    blocks
        .map(|block| {
            assert_eq!(block.labels[0].as_str(), "alicloud_security_group_rule");
            let value = |key: &&str| {
                let attribute = block.body.get_attribute(key)?;
                let text = attribute.value.as_str().map(str::to_owned);
                Some(text.unwrap_or_else(|| attribute.value.to_string().trim().to_owned()))
            };
            keys.iter().filter_map(value).collect()
        })
        .collect()
}

#[test]
fn terraform_says_ranked_rules_with_their_ranks() {
    let said = |rules: &[&[&str]]| -> BTreeSet<Vec<String>> {
        let own = |rule: &&[&str]| {
            let mut all = vec![builder::DB.to_owned(), "ingress".to_owned()];
            all.extend(rule.iter().map(|&word| word.to_owned()));
            all.push("intranet".to_owned());
            all.push("it".to_owned());
            all
        };
        rules.iter().map(own).collect()
    };
    let wide: &[&str] = &["accept", "1", "tcp", "1/65535", "10.0.0.0/16"];
    let ssh: &[&str] = &["accept", "1", "tcp", "22/22", builder::OLD];
    let analysis = builder::ranked(with("it"));
    assert_eq!(alicloud(&hcl(&analysis, Stage::Adopt)), said(&[wide, ssh]));
    let after = hcl(&analysis, Stage::Tighten);
    let database: &[&str] = &["accept", "1", "tcp", "5432/5432", builder::APP];
    let mut wanted = said(&[ssh, database]);
    let mut last = said(&[&["drop", "100", "all", "-1/-1", "0.0.0.0/0"]]);
    // The Drop is new and has no customer's text.
    let mut drop = last.pop_first().unwrap();
    drop.pop();
    wanted.insert(drop);
    assert_eq!(alicloud(&after), wanted);
    assert!(after.contains("depends_on"), "the Drop comes last: {after}");
    assert!(after.contains("RevokeSecurityGroup --SecurityGroupId"));
    assert!(after.contains("--InnerAccessPolicy Drop"), "{after}");
    // What Terraform holds by its words alone is told to go, and stays.
    let held = |id: &str| {
        format!(
            r#"{{"values": {{"root_module": {{"resources": [{{
            "address": "alicloud_security_group_rule.wide", "mode": "managed",
            "type": "alicloud_security_group_rule", "name": "wide", "values": {{
            "security_group_id": "{}", "type": "ingress", "policy": "accept", "priority": 1,
            "ip_protocol": "tcp", "port_range": "1/65535", "cidr_ip": "10.0.0.0/16",
            "security_group_rule_id": "{id}"}}}}]}}}}}}"#,
            builder::DB
        )
    };
    for id in ["", "sgr-0ccccccccccccccc6"] {
        let options = TerraformOptions {
            state: State::parse(held(id).as_bytes()).unwrap(),
            stage: Stage::Tighten,
            least: Applicability::ReportOnly,
        };
        let text = terraform::render(&analysis, &options);
        assert!(
            text.contains("from = alicloud_security_group_rule.wide"),
            "{text}"
        );
        assert!(
            !text.contains("22/22"),
            "what it does not hold is left alone: {text}"
        );
    }
}

#[test]
fn a_format_holds_what_it_cannot_say() {
    let least = Applicability::ReportOnly;
    let ranked = builder::ranked(builder::planted());
    let aws = aws_cli::render(&ranked, Script::Change, least);
    assert!(aws.contains("total=0") && aws.contains("aliyun-cli and terraform can"));
    let template = cloudformation::render(&ranked, Stage::Tighten, least);
    assert!(!template.contains("AWS::EC2"), "{template}");
    let aliyun = aliyun_cli::render(&builder::planted(), least);
    assert!(aliyun.contains("total=0") && aliyun.contains("aws-cli and terraform are"));
    // What could not be given again is not taken away.
    let holds = |change: fn(&mut RuleReport)| {
        let mut analysis = ranked.clone();
        for group in &mut analysis.security_groups {
            let gone = |rule: &&mut RuleReport| rule.rule_id.as_str() == "sgr-0ccccccccccccccc6";
            group.rules.iter_mut().filter(gone).for_each(change);
        }
        let script = aliyun_cli::render(&analysis, least);
        let terraform = hcl(&analysis, Stage::Tighten);
        script.contains("total=0") && !terraform.contains("resource \"")
    };
    assert!(!holds(|_| {}));
    assert!(holds(|rule| rule.limited = true));
    assert!(holds(|rule| rule.priority = Some(110)));
    assert!(holds(|rule| rule.protocol = "icmpv6".to_owned()));
    assert!(holds(
        |rule| rule.peer = Peer::SecurityGroup(SgId::from("sg-of-others"))
    ));
}

#[test]
fn findings_name_the_cloud_and_only_its_controls() {
    let mut analysis = builder::planted();
    analysis.security_groups[0].rules[0].codes = vec!["PO401".to_owned()];
    let aws = ocsf::render(&analysis, &review(&analysis));
    assert!(aws.contains("\"AWS\"") && aws.contains("AWS::EC2::SecurityGroup"));
    let analysis = builder::ranked(analysis);
    let all = [
        ocsf::render(&analysis, &review(&analysis)),
        sarif::render(&analysis, &review(&analysis)),
        table::render(&review(&analysis)),
        markdown::render(&analysis, &review(&analysis), true),
    ];
    assert!(all[0].contains("\"Alibaba Cloud\"") && all[0].contains("ACS::ECS::SecurityGroup"));
    for text in &all {
        for word in ["AWS", "SecurityHub", "EC2."] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }
    assert!(all[1].contains("PCI-DSS-4.0.1"), "{}", all[1]);
}

#[test]
fn the_script_is_bash_and_does_nothing_by_itself() {
    let case = Case::new();
    let analysis = with(&NASTY.join(" "));
    for (name, script) in [
        ("change.sh", Some(Script::Change)),
        ("copies.sh", Some(Script::CloneFirst)),
        ("ranked.sh", None),
    ] {
        let text = match script {
            Some(script) => aws_cli::render(&analysis, script, Applicability::ReportOnly),
            None => aliyun_cli::render(
                &builder::ranked(analysis.clone()),
                Applicability::ReportOnly,
            ),
        };
        let path = case.file(name, &text);
        let run = |args: &[&str]| {
            let mut command = Command::new("bash");
            command
                .args(args)
                .arg(&path)
                .current_dir(case.path("."))
                .env("PATH", "/usr/bin:/bin");
            command.output().unwrap()
        };
        let output = run(&[]);
        assert!(output.status.success(), "{output:?}");
        assert!(run(&["-n"]).status.success());
    }
    assert!(!case.path("pwned").exists());
    assert_eq!(
        std::fs::read_dir(case.path(".")).unwrap().count(),
        3,
        "no journal"
    );
}

#[test]
fn an_id_that_no_cloud_gives_is_never_written_as_a_change() {
    for id in ["sg-1; touch pwned", "--profile", "sg-\"", "${x}", ""] {
        let mut analysis = builder::planted();
        for group in &mut analysis.security_groups {
            group.group_id = SgId::from(id);
        }
        for proposal in &mut analysis.proposals {
            proposal.group_id = SgId::from(id);
        }
        analysis
            .security_groups
            .retain(|group| group.group_name == "db");
        let text = aws_cli::render(&analysis, Script::Change, Applicability::ReportOnly);
        assert!(text.contains("total=0"), "{text}");
        assert!(!hcl(&analysis, Stage::Tighten).contains("resource \""));
    }
}

/// A pattern as it was published has a `]` that opens nowhere. Browsers take
/// it for itself; stricter readers refuse it unless it says so.
const LOOSE: &str = "^[a-zA-Z]{2}|^[a-zA-Z]{2}-[a-zA-Z]{2}]?$";
const STRICT: &str = r"^[a-zA-Z]{2}|^[a-zA-Z]{2}-[a-zA-Z]{2}\]?$";

/// Says of each pattern what it says, in the words that both kinds of readers
/// understand alike. Returns how many were said anew.
fn speak_strictly(schema: &mut Value) -> usize {
    match schema {
        Value::String(text) if text == LOOSE => {
            STRICT.clone_into(text);
            1
        }
        Value::Array(items) => items.iter_mut().map(speak_strictly).sum(),
        Value::Object(map) => map.values_mut().map(speak_strictly).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// A schema as it was published; `loose` is how many of its patterns are.
fn schema(name: &str, loose: usize) -> jsonschema::Validator {
    let path = format!("{}/tests/schemas/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(speak_strictly(&mut schema), loose, "{name}");
    jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap()
}

#[test]
fn sarif_is_valid_by_its_schema() {
    let schema = schema("sarif-2.1.0.json", 2);
    for text in NASTY {
        let analysis = with(text);
        let log: Value =
            serde_json::from_str(&sarif::render(&analysis, &review(&analysis))).unwrap();
        let errors: Vec<String> = schema
            .iter_errors(&log)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(errors, Vec::<String>::new());
        assert!(log["runs"][0]["results"].as_array().unwrap().len() > 5);
    }
    // What the schema refuses: by a list of values, by a pattern, by a format.
    let run = |key: &str, value: Value| {
        let mut run = serde_json::json!({"tool": {"driver": {"name": "x"}}});
        run[key] = value;
        schema.is_valid(&serde_json::json!({"version": "2.1.0", "runs": [run]}))
    };
    let result = |level: &str| serde_json::json!([{"message": {"text": "x"}, "level": level}]);
    assert!(run("results", result("error")) && !run("results", result("awful")));
    assert!(run("language", "en".into()) && !run("language", "7".into()));
    let base = |uri: &str| serde_json::json!({"SRC": {"uri": uri}});
    assert!(run("originalUriBaseIds", base("a/")) && !run("originalUriBaseIds", base("a b")));
}

#[test]
fn ocsf_is_valid_by_the_published_model() {
    let schema = schema("ocsf-1.5.0-compliance-finding.json", 0);
    let analysis = with(NASTY[1]);
    let events: Value = serde_json::from_str(&ocsf::render(&analysis, &review(&analysis))).unwrap();
    let events = events.as_array().unwrap();
    assert!(events.len() > 5);
    for event in events {
        let errors: Vec<String> = schema
            .iter_errors(event)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(errors, Vec::<String>::new(), "{event}");
        assert_eq!(event["class_uid"], 2003);
    }
    let mut wrong = events[0].clone();
    wrong.as_object_mut().unwrap().remove("finding_info");
    assert!(!schema.is_valid(&wrong), "the schema refuses something");
}

#[test]
fn ids_are_the_same_whatever_was_counted() {
    let ids = |analysis: &Analysis| -> Vec<(String, String)> {
        let listed = listing::findings(analysis).into_iter();
        let mut ids: Vec<_> = listed.map(|one| (one.subject, one.id)).collect();
        ids.sort();
        ids
    };
    let first = builder::planted();
    let mut later = builder::planted();
    for rule in later
        .security_groups
        .iter_mut()
        .flat_map(|group| &mut group.rules)
    {
        rule.records += 17;
        rule.first_seen = None;
        rule.description = "renamed".to_owned();
    }
    for reject in &mut later.rejects {
        reject.records += 3;
    }
    assert_eq!(ids(&first), ids(&later));
    let different: BTreeSet<_> = ids(&first).into_iter().map(|(_, id)| id).collect();
    assert_eq!(different.len(), ids(&first).len());
}

#[test]
fn a_stack_adopts_the_rules_of_today_alone_before_it_tightens() {
    let analysis = builder::planted();
    let template = |stage| {
        let text = cloudformation::render(&analysis, stage, Applicability::ReportOnly);
        let template: Value = serde_json::from_str(&text).unwrap();
        template["Resources"].as_object().unwrap().clone()
    };
    let (adopted, tight) = (template(Stage::Adopt), template(Stage::Tighten));
    let imported = |resource: &Value| resource["Metadata"]["Flowcinch"]["Import"].is_string();
    assert!(!adopted.is_empty() && adopted.values().all(imported));
    assert!(tight.values().any(|resource| !imported(resource)));
    // What the update no longer names goes with it, and nothing else does.
    let mut gone = 0;
    for (name, resource) in &adopted {
        let goes = resource["DeletionPolicy"] == "Delete";
        assert_eq!(goes, !tight.contains_key(name), "{name}");
        gone += usize::from(goes);
    }
    assert!(gone > 0);
}

#[test]
fn a_baseline_parts_new_from_unchanged_and_fixed() {
    let now = builder::planted();
    let mut before = builder::planted();
    let gone = before.security_groups[0].rules.remove(0);
    let against = Against {
        baseline: Some(&before),
        ..Against::default()
    };
    let forward = Review::new(&now, &against);
    let new: Vec<_> = forward
        .failing()
        .filter_map(|entry| entry.listed.rule_id.clone())
        .collect();
    assert!(new.iter().all(|id| *id == gone.rule_id), "{new:?}");
    let back = Review::new(
        &before,
        &Against {
            baseline: Some(&now),
            ..Against::default()
        },
    );
    assert_eq!(back.failing().count(), 0);
    // Code scanning closes what is no longer there, and would show the rest.
    let log: Value = serde_json::from_str(&sarif::render(&before, &back)).unwrap();
    let run = &log["runs"][0];
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), back.entries.len());
    assert!(
        results
            .iter()
            .all(|one| one["baselineState"] == "unchanged")
    );
    for rule in run["tool"]["driver"]["rules"].as_array().unwrap() {
        let score = rule["properties"]["security-severity"].as_str().unwrap();
        assert!(score.parse::<f64>().unwrap() > 0.0);
        let tags = rule["properties"]["tags"].as_array().unwrap();
        assert!(tags.contains(&"security".into()));
    }
    let same = Review::new(
        &now,
        &Against {
            baseline: Some(&now),
            ..Against::default()
        },
    );
    assert_eq!((same.failing().count(), same.fixed.len()), (0, 0));
}

#[test]
fn an_acceptance_counts_until_its_day_is_over() {
    let analysis = builder::planted();
    let first = review(&analysis)
        .failing()
        .next()
        .unwrap()
        .listed
        .id
        .clone();
    let file =
        format!("[[accepted]]\nid = '{first}'\nowner = 'o'\nreason = 'r'\nexpires = 2027-03-31\n");
    let accepted = accepted::parse(&file).unwrap();
    let at = |day: &str| {
        let against = Against {
            accepted: &accepted,
            today: accepted::Day::parse(day).map(|day| day.0),
            ..Against::default()
        };
        let review = Review::new(&analysis, &against);
        (
            review.failing().any(|entry| entry.listed.id == first),
            review.expired.len(),
        )
    };
    assert_eq!(at("2027-03-31"), (false, 0));
    assert_eq!(at("2027-04-01"), (true, 1));
}

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

/// Terraform itself, where it is installed.
#[test]
fn terraform_fmt_finds_nothing_to_change() {
    let case = Case::new();
    let there = Command::new("terraform")
        .arg("version")
        .env("CHECKPOINT_DISABLE", "1")
        .output();
    if !there.is_ok_and(|output| output.status.success()) {
        skipped("terraform is not installed");
        return;
    }
    for (number, text) in NASTY.into_iter().enumerate() {
        for stage in [Stage::Adopt, Stage::Tighten] {
            let name = format!("{number}-{stage:?}.tf");
            case.file(&name, hcl(&with(text), stage));
        }
    }
    let output = Command::new("terraform")
        .args(["fmt", "-check", "-diff"])
        .current_dir(case.path("."))
        .env("CHECKPOINT_DISABLE", "1")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}
