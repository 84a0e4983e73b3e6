//! Law: whatever text others wrote into names and descriptions, nothing that is
//! rendered holds a character that acts, and Terraform's text is HCL whose
//! descriptions are that text.

#![no_main]

use flowcinch::report::aws_cli;
use flowcinch::report::aws_cli::Script;
use flowcinch::report::cloudformation;
use flowcinch::report::csv;
use flowcinch::report::html;
use flowcinch::report::json;
use flowcinch::report::markdown;
use flowcinch::report::ocsf;
use flowcinch::report::review::Against;
use flowcinch::report::review::Review;
use flowcinch::report::sarif;
use flowcinch::report::terraform;
use flowcinch::report::terraform::Stage;
use flowcinch::report::terraform::State;
use flowcinch::report::terraform::TerraformOptions;
use flowcinch::report::text;
use flowcinch::report::text::TextOptions;
use flowcinch::tighten::plan::Applicability;
use hcl_edit::structure::Body;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|text: &str| {
    let document = json!({
        "schema": "flowcinch.analysis.v1", "window": null,
        "ingest": {"objects": 0, "compressed_bytes": 0, "text_bytes": 0, "records": 0,
            "accepted": 0, "rejected": 0, "other": 0, "no_data": 0, "skip_data": 0,
            "malformed": 0, "malformed_samples": [], "unreadable": []},
        "coverage": {"interfaces_in_snapshot": 0, "interfaces_logged": 0,
            "unknown_interfaces": [], "unlogged_interfaces": [],
            "interface_hours_observed": 0, "interface_hours_lost": 0, "unresolved": {}},
        "security_groups": [{"group_id": "sg-1", "group_name": text, "vpc_id": "vpc-1",
            "interfaces": 0, "interfaces_logged": 0, "rules": [
            {"rule_id": "sgr-1", "direction": "ingress", "effect": "allow", "priority": null,
             "protocol": "tcp", "from_port": 22, "to_port": 22, "peer": {"cidr": "0.0.0.0/0"},
             "description": text, "status": "unused", "tier": "U3", "confidence": "high",
             "reasons": [text], "records": 0, "packets": 0, "bytes": 0, "sole_records": 0,
             "first_seen": null, "last_seen": null, "also_allowed_by": []}]}],
        "rejects": [],
        "proposals": [{"group_id": "sg-1", "direction": "ingress", "decision": "tighten",
            "applicability": "apply", "reasons": [text], "keep": [], "remove": [],
            "rules": [{"protocol": "tcp", "from_port": 22, "to_port": 22,
                "peer": {"cidr": "10.0.0.0/8"}, "replaces": ["sgr-1"], "records": 1}],
            "exposure_before": "2", "exposure_after": "1", "quota_before": 1, "quota_after": 1,
            "optimality_gap": null}],
        "verification": {"connections": 0, "broken": 0, "witnesses": 0, "widened": 0,
            "unexplained": 0, "per_group": []},
    });
    let analysis = json::from_slice(document.to_string().as_bytes()).unwrap();
    let review = Review::new(&analysis, &Against::default());
    let least = Applicability::Apply;
    let options = TerraformOptions { state: State::default(), stage: Stage::Tighten, least };
    let hcl = terraform::render(&analysis, &options);
    let body: Body = hcl.parse().unwrap();
    let rule = body.get_blocks("resource").next().unwrap();
    let description = rule.body.get_attribute("description");
    let description = description.map_or("", |one| one.value.as_str().unwrap());
    assert_eq!(description, text);
    let forms = [
        hcl,
        aws_cli::render(&analysis, Script::Change, least),
        aws_cli::render(&analysis, Script::CloneFirst, least),
        cloudformation::render(&analysis, Stage::Tighten, least),
        html::render(&analysis, &review).unwrap(),
        text::render(&analysis, TextOptions { full: true, ..TextOptions::default() }),
        sarif::render(&analysis, &review),
        ocsf::render(&analysis, &review),
        csv::render(&review),
        markdown::render(&analysis, &review, true),
    ];
    for form in forms {
        assert!(!form.contains(|c: char| c.is_control() && c != '\n' && c != '\r'));
        assert!(!form.contains(['\u{202e}', '\u{2066}', '\u{2028}']));
    }
});
