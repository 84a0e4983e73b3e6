//! Certificates: one that was made holds, by itself and against its inputs;
//! one of which any field was altered is refused, with the reason.

use std::fs;
use std::path::Path;

use flowcinch::checksum::sha256;
use flowcinch::model::Peer;
use flowcinch::model::SgId;
use flowcinch::model::SgRule;
use flowcinch::model::Transport;
use flowcinch::tighten::proof::certificate;
use flowcinch::tighten::proof::certificate::Certificate;
use flowcinch::tighten::proof::certificate::Certified;
use ipnet::IpNet;
use serde_json::Value;
use serde_json::json;

use crate::case::Case;
use crate::cloud::Cloud;

/// A made-up cloud with its analysis in `report`.
fn made() -> Cloud {
    made_of(&[])
}

/// One in which it is assumed who opened some connections: without directions
/// and flags, many records must agree on it.
fn made_of_default_logs() -> Cloud {
    made_of(&["--format-version", "2"])
}

fn made_of(flags: &[&str]) -> Cloud {
    let cloud = Cloud::make(&[&["--records", "4000", "--seed", "3"], flags].concat());
    let run = cloud.run_with(&["made/logs", "--out", "report", "-q"], b"");
    assert!(matches!(run.status, Some(1 | 3)), "{}", run.stderr);
    cloud
}

fn text_of(cloud: &Cloud) -> Vec<u8> {
    fs::read(cloud.case.path("report/certificate.json")).unwrap()
}

/// Paths of all leaves, as JSON pointers.
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                leaves(field, &format!("{path}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                leaves(item, &format!("{path}/{at}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            found.push(path.to_owned());
        }
    }
}

/// The same value with one thing about it changed, in several ways.
fn altered(value: &Value) -> Vec<Value> {
    match value {
        Value::String(text) => {
            let mut others = vec![
                Value::from(format!("{text}0")),
                Value::from(text.to_uppercase()),
            ];
            let mut cut = text.clone();
            cut.pop();
            others.push(Value::from(cut));
            others.push(Value::Null);
            others.retain(|other| other != value);
            others
        }
        Value::Number(number) => {
            let number = number.as_i64().unwrap();
            vec![
                Value::from(number + 1),
                Value::from(number - 1),
                Value::Null,
            ]
        }
        Value::Null => vec![Value::from(0), Value::from("")],
        Value::Bool(flag) => vec![Value::from(!flag)],
        Value::Array(_) | Value::Object(_) => Vec::new(),
    }
}

/// A certificate of a few proposals, so that all leaves can be tried.
fn small(certificate: &Certificate) -> Value {
    let mut proposals = certificate.proposals.clone();
    proposals.sort_by_key(|one| one.obligations.len());
    proposals.retain(|one| !one.obligations.is_empty() && !one.containment.is_empty());
    proposals.truncate(3);
    proposals.sort_by(|a, b| (&a.group_id, a.direction).cmp(&(&b.group_id, b.direction)));
    assert!(!proposals.is_empty());
    let sealed = Certificate::sealed(
        certificate.inputs.clone(),
        proposals,
        Vec::new(),
        certificate.assumptions.clone(),
    );
    serde_json::to_value(sealed).unwrap()
}

fn refusal(document: &Value) -> Option<String> {
    let checked = certificate::check(document.to_string().as_bytes());
    checked.err().map(|refusal| refusal.to_string())
}

#[test]
fn a_certificate_holds_and_any_altered_field_is_refused() {
    let cloud = made();
    let text = text_of(&cloud);
    let (certificate, holds) = certificate::check(&text).unwrap();
    assert!(
        holds.proposals > 3 && holds.obligations > 20 && holds.contained > 3,
        "{holds:?}"
    );
    let document = small(&certificate);
    assert_eq!(refusal(&document), None);
    let mut paths = Vec::new();
    leaves(&document, "", &mut paths);
    assert!(paths.len() > 100);
    for path in &paths {
        for other in altered(document.pointer(path).unwrap()) {
            let mut spoilt = document.clone();
            *spoilt.pointer_mut(path).unwrap() = other.clone();
            let reason = refusal(&spoilt);
            assert!(
                reason.is_some_and(|why| !why.is_empty()),
                "{path} as {other} is accepted"
            );
        }
    }
    // Lists cut, fields added and taken away.
    let tops: Vec<String> = paths
        .iter()
        .filter_map(|path| Some(path.rsplit_once('/')?.0.to_owned()))
        .collect();
    for path in tops {
        let mut spoilt = document.clone();
        match spoilt.pointer_mut(&path).unwrap() {
            Value::Array(items) => drop(items.pop()),
            Value::Object(fields) => {
                let key = fields.keys().next().unwrap().clone();
                fields.remove(&key);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        assert!(refusal(&spoilt).is_some(), "{path} cut is accepted");
        let mut spoilt = document.clone();
        if let Value::Object(fields) = spoilt.pointer_mut(&path).unwrap() {
            fields.insert("extra".to_owned(), Value::Null);
            assert!(refusal(&spoilt).is_some(), "{path} with more is accepted");
        }
    }
}

/// Who alters a proposal and seals it anew is told by what does not fit.
#[test]
fn a_lie_that_is_sealed_anew_is_still_refused() {
    let cloud = made();
    let (certificate, _) = certificate::check(&text_of(&cloud)).unwrap();
    let with = |change: &dyn Fn(&mut Certified) -> bool| {
        let mut changed = false;
        let mut proposals = certificate.proposals.clone();
        for proposal in &mut proposals {
            if !changed && change(proposal) {
                proposal.rehash();
                changed = true;
            }
        }
        assert!(changed, "no proposal to change");
        let sealed = Certificate::sealed(
            certificate.inputs.clone(),
            proposals,
            Vec::new(),
            certificate.assumptions.clone(),
        );
        refusal(&serde_json::to_value(sealed).unwrap()).expect("a lie is refused")
    };
    // A rule that lets in more than today's.
    let why = with(&|one| {
        let lets = |rule: &&mut certificate::Rule| {
            rule.protocol == "tcp" && !one.today.iter().any(|old| old.rule_id == rule.rule_id)
        };
        let Some(rule) = one.after.iter_mut().find(lets) else {
            return false;
        };
        rule.to_port = Some(65_535);
        rule.peer = serde_json::from_value(serde_json::json!({"cidr": "0.0.0.0/0"})).unwrap();
        true
    });
    assert!(why.contains("does not say what its id stands for"), "{why}");
    // A rule less after the change.
    let why = with(&|one| {
        let witness = one
            .obligations
            .first()
            .and_then(|owed| owed.witnesses.first())
            .cloned();
        let count = one.after.len();
        one.after
            .retain(|rule| Some(&rule.rule_id) != witness.as_ref());
        one.containment
            .retain(|rule| Some(&rule.rule_id) != witness.as_ref());
        one.after.len() < count
    });
    assert!(
        why.contains("nothing lets") || why.contains("witnesses"),
        "{why}"
    );
    // A need that today's rules do not cover.
    let why = with(&|one| {
        let Some(owed) = one.obligations.first_mut() else {
            return false;
        };
        owed.covered_by = vec![flowcinch::model::SgRuleId::from("sgr-none")];
        true
    });
    assert!(why.contains("not one of today's"), "{why}");
}

#[test]
fn the_program_checks_a_certificate_against_what_it_was_made_from() {
    let cloud = made();
    let verify = |args: &[&str]| {
        cloud
            .case
            .run(&[&["verify", "report/certificate.json"], args].concat())
    };
    let run = verify(&[]);
    assert_eq!(run.status, Some(0), "{} {}", run.text(), run.stderr);
    assert!(run.text().starts_with("holds: ") && run.text().contains("the analysis beside it"));
    let mut snapshots = Vec::new();
    for snapshot in &cloud.snapshots {
        snapshots.extend(["--snapshot", snapshot.as_str()]);
    }
    let run = verify(&[&snapshots[..], &["made/logs"]].concat());
    assert_eq!(run.status, Some(0), "{} {}", run.text(), run.stderr);
    assert!(
        run.text()
            .contains("held against the analysis beside it, the snapshot, the logs"),
        "{}",
        run.text()
    );
    // A digest stands for its logs; neither says anything without a snapshot.
    let ingest = cloud
        .case
        .run(&["ingest", "made/logs", "--digest", "digest", "-q"]);
    assert_eq!(ingest.status, Some(0), "{}", ingest.stderr);
    let run = verify(&[&snapshots[..], &["--digest", "digest"]].concat());
    assert_eq!(run.status, Some(0), "{} {}", run.text(), run.stderr);
    assert!(
        run.text().contains("the snapshot, the logs"),
        "{}",
        run.text()
    );
    let run = verify(&[&snapshots[..], &["--digest", "digest", "--until", "1d"]].concat());
    assert_eq!(run.status, Some(1), "{}", run.text());
    assert!(run.text().contains("other logs"), "{}", run.text());
    for seen in [&["made/logs"][..], &["--digest", "digest"]] {
        let run = verify(seen);
        assert_eq!(run.status, Some(2), "{}", run.text());
        assert!(run.stderr.contains("snapshot"), "{}", run.stderr);
    }
    // Fewer logs, other flags, another snapshot, another analysis.
    let run = verify(&[&snapshots[..], &["made/logs", "--until", "1d"]].concat());
    assert_eq!(run.status, Some(1), "{}", run.text());
    assert!(run.text().contains("other logs"), "{}", run.text());
    let run = verify(&[&snapshots[..], &["made/logs", "--obligations", "answered"]].concat());
    assert!(
        run.text().starts_with("refused: ") && run.text().contains("--obligations all"),
        "{}",
        run.text()
    );
    cloud.case.file(
        &format!("{}/more.json", cloud.snapshots[0]),
        r#"{"FlowLogs": []}"#,
    );
    let run = verify(&snapshots);
    assert_eq!(run.status, Some(1));
    assert!(run.text().contains("another snapshot"), "{}", run.text());
    let path = cloud.case.path("report/analysis.json");
    let mut analysis = fs::read(&path).unwrap();
    analysis.push(b'\n');
    fs::write(&path, analysis).unwrap();
    let run = verify(&[]);
    assert_eq!(run.status, Some(1));
    assert!(run.text().contains("not the analysis"), "{}", run.text());
    let run = verify(&["--exit-zero", "--out", "verified"]);
    assert_eq!(run.status, Some(0), "{}", run.text());
    let written = |name: &str| fs::read_to_string(cloud.case.path("verified").join(name)).unwrap();
    assert!(written("verify.txt").starts_with("refused: "));
    let json = verify(&["--format", "json"]);
    assert_eq!(written("verify.json"), json.text());
    let report: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(
        (&report["kind"], &report["holds"]),
        (&Value::from("certificate"), &Value::from(false))
    );
    // Cut in the middle: no certificate any more.
    let text = text_of(&cloud);
    cloud
        .case
        .file("report/certificate.json", &text[..text.len() / 2]);
    assert_eq!(verify(&[]).status, Some(2));
}

/// A certificate that fits together and is sealed, but lies about groups:
/// a new rule for `group`, whose members could only have an address that
/// today's rule lets in anyway.
fn with_false_reach(certificate: &Certificate, group: &SgId) -> Certificate {
    let mut proposals = certificate.proposals.clone();
    let plain = |one: &&mut Certified| {
        let [rule] = one.today.as_slice() else {
            return false;
        };
        matches!(rule.peer, Peer::Cidr(IpNet::V4(_)))
            && rule.protocol == "tcp"
            && one.reach.is_empty()
    };
    let one = proposals.iter_mut().find(plain).expect("a plain proposal");
    let old = one.today[0].clone();
    let Peer::Cidr(net) = old.peer else {
        panic!("a prefix")
    };
    let transport = Transport::said(&old.protocol, old.from_port, old.to_port).unwrap();
    let peer = Peer::SecurityGroup(group.clone());
    let rule_id = SgRule::derived_id(&one.group_id, one.direction, transport, &peer);
    one.after.push(certificate::Rule {
        rule_id: rule_id.clone(),
        peer,
        ..old.clone()
    });
    one.containment.push(certificate::Contained {
        rule_id,
        within: vec![old.rule_id],
    });
    one.reach.push(certificate::Reach {
        group_id: group.clone(),
        ranges: vec![IpNet::new(net.addr(), 32).unwrap()],
    });
    one.members.push(certificate::Members {
        group_id: group.clone(),
        addresses: Vec::new(),
    });
    one.rehash();
    sealed(certificate, |_| {}, proposals)
}

/// The certificate with other inputs and proposals, sealed anew.
fn sealed(
    certificate: &Certificate,
    change: impl FnOnce(&mut certificate::Inputs),
    proposals: Vec<Certified>,
) -> Certificate {
    let mut inputs = certificate.inputs.clone();
    change(&mut inputs);
    Certificate::sealed(
        inputs,
        proposals,
        Vec::new(),
        certificate.assumptions.clone(),
    )
}

/// Who writes a certificate can seal it. What it says of groups, logs and the
/// analysis is therefore asked for again of the inputs.
#[test]
fn a_forgery_that_fits_together_is_refused_by_its_inputs() {
    let cloud = made_of_default_logs();
    let (certificate, _) = certificate::check(&text_of(&cloud)).unwrap();
    let all = || certificate.proposals.clone();
    let mut args: Vec<&str> = vec!["verify", "report/certificate.json", "made/logs"];
    for snapshot in &cloud.snapshots {
        args.extend(["--snapshot", snapshot.as_str()]);
    }
    let refused = |forged: &Certificate, why: &str| {
        let bytes = forged.to_bytes().unwrap();
        certificate::check(&bytes).expect("it fits together");
        cloud.case.file("report/certificate.json", bytes);
        let run = cloud.case.run(&args);
        assert_eq!(run.status, Some(1), "{why}: {} {}", run.text(), run.stderr);
        assert!(run.text().contains(why), "{why}: {}", run.text());
    };
    let analysis = fs::read(cloud.case.path("report/analysis.json")).unwrap();
    let with_analysis = |text: &[u8], proposals: Vec<Certified>| {
        cloud.case.file("report/analysis.json", text);
        let change = |inputs: &mut certificate::Inputs| {
            inputs.analysis.bytes = text.len() as u64;
            inputs.analysis.sha256 = sha256(text);
        };
        sealed(&certificate, change, proposals)
    };

    // The analysis shows something else than is certified.
    let mut other: Value = serde_json::from_slice(&analysis).unwrap();
    let proposals = other["proposals"].as_array_mut().unwrap();
    let tightened = |one: &&mut Value| one["decision"] == "tighten" && one["rules"][0].is_object();
    let one = proposals.iter_mut().find(tightened).unwrap();
    one["rules"][0]["peer"] = serde_json::json!({"cidr": "0.0.0.0/0"});
    let forged = with_analysis(other.to_string().as_bytes(), all());
    refused(&forged, "does not propose what is certified");
    let forged = with_analysis(&analysis, all().split_off(1));
    refused(&forged, "that is not certified");

    // Nobody has the analysis: the snapshot and the logs still tell.
    fs::remove_file(cloud.case.path("report/analysis.json")).unwrap();
    refused(
        &with_false_reach(&certificate, &SgId::from("sg-ffffffffffffffff0")),
        "not what the snapshot says",
    );
    let real = certificate.proposals.last().unwrap().group_id.clone();
    refused(
        &with_false_reach(&certificate, &real),
        "not what the snapshot says",
    );
    let lie = |change: &dyn Fn(&mut certificate::Inputs)| sealed(&certificate, change, all());
    refused(&lie(&|inputs| inputs.records += 1), "the certificate says");
    refused(&lie(&|inputs| inputs.passed -= 1), "the certificate says");
    refused(&lie(&|inputs| inputs.window = None), "another window");
    let mut silent = certificate.clone();
    silent.assumptions.retain(|one| one.kind != "initiator");
    assert!(silent.assumptions.len() < certificate.assumptions.len());
    let silent = sealed(&silent, |_| {}, all());
    refused(&silent, "takes for granted");
}

#[test]
fn what_stands_twice_in_a_certificate_is_refused() {
    let cloud = made();
    let (certificate, _) = certificate::check(&text_of(&cloud)).unwrap();
    let why = |forged: &Certificate| {
        let bytes = forged.to_bytes().unwrap();
        certificate::check(&bytes)
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    let mut twins = certificate.proposals.clone();
    twins.insert(1, twins[0].clone());
    let twice = why(&sealed(&certificate, |_| {}, twins));
    assert!(twice.contains("stands twice"), "{twice}");
    let forged = with_false_reach(&certificate, &SgId::from("sg-ffffffffffffffff0"));
    let mut proposals = forged.proposals.clone();
    let one = proposals
        .iter_mut()
        .find(|one| !one.reach.is_empty())
        .unwrap();
    let again = one.reach[0].clone();
    one.reach.push(again);
    one.rehash();
    let twice = why(&sealed(&forged, |_| {}, proposals));
    assert!(twice.contains("not said once"), "{twice}");
}

#[test]
fn what_rules_with_ranks_are_changed_to_is_left_out_and_said() {
    let case = Case::new();
    let golden =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/98-members-that-use-one-service");
    let (logs, snapshot) = (golden.join("logs"), golden.join("snapshot"));
    let (logs, snapshot) = (logs.to_str().unwrap(), snapshot.to_str().unwrap());
    case.run(&["analyze", logs, "--snapshot", snapshot, "--out", "out"]);
    for given in [&[][..], &[logs, "--snapshot", snapshot]] {
        let run = case.run(
            &[
                &["verify", "out/certificate.json", "--format", "json"],
                given,
            ]
            .concat(),
        );
        assert_eq!(run.status, Some(3), "{}", run.stderr);
        let told: Value = serde_json::from_slice(&run.stdout).unwrap();
        assert_eq!(told["holds"], true);
        assert_eq!(told["proposals"], 0);
        let left_out = told["uncertified"].as_array().unwrap();
        assert!(left_out.contains(&json!("sg-g ingress")), "{left_out:?}");
    }
    let analysis = case.path("out/analysis.json");
    let text = fs::read_to_string(&analysis).unwrap();
    fs::write(&analysis, text.replace("tighten", "keep")).unwrap();
    assert_eq!(
        case.run(&["verify", "out/certificate.json"]).status,
        Some(1)
    );
}
