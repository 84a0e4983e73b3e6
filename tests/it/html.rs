//! The HTML report: one inert file, small even for a thousand groups, and
//! alive in a real browser.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use flowcinch::report::document::Analysis;
use flowcinch::report::html;
use flowcinch::report::json;
use flowcinch::report::review::Against;
use flowcinch::report::review::Review;
use serde_json::Value;
use serde_json::json;

/// What a name, a description or an id may hold in the worst of cases.
const HOSTILE: &str = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">'\"`${7*7}{{7*7}}\u{202e}\u{1b}[31m&lt;";

fn analysis(value: &Value) -> Analysis {
    json::from_slice(&serde_json::to_vec(value).unwrap()).unwrap()
}

fn page(analysis: &Analysis) -> String {
    html::render(analysis, &Review::new(analysis, &Against::default())).unwrap()
}

fn rule(group: usize, number: usize, text: &str) -> Value {
    let statuses = [
        "used",
        "used",
        "redundant",
        "unused",
        "no_effect",
        "unobservable",
    ];
    let status = statuses[(group + number) % statuses.len()];
    let used = status == "used" || status == "redundant";
    let peer = match number % 3 {
        0 => json!({ "cidr": format!("10.{}.{}.0/24", group % 250, number) }),
        1 => json!({ "group": format!("sg-{:017x}", (group * 7 + number) % 1000) }),
        _ => json!({ "cidr": "0.0.0.0/0" }),
    };
    json!({
        "rule_id": format!("sgr-{:017x}", group * 100 + number),
        "direction": if number < 9 { "ingress" } else { "egress" },
        "effect": "allow", "priority": null, "protocol": "tcp",
        "from_port": 1000 + number * 10, "to_port": 1000 + number * 10 + group % 3,
        "peer": peer, "description": text, "status": status,
        "tier": if status == "unused" { json!("U2") } else { Value::Null },
        "confidence": "high",
        "reasons": [format!("{} conversations that no other rule covers", group * number), text],
        "records": if used { group * 31 + number } else { 0 }, "packets": 10, "bytes": 1000,
        "sole_records": if status == "used" { number } else { 0 },
        "first_seen": if used { json!("2026-09-03T10:00:00Z") } else { Value::Null },
        "last_seen": if used { json!("2026-10-29T10:00:00Z") } else { Value::Null },
        "also_allowed_by": if status == "redundant" { json!(["sgr-0"]) } else { json!([]) },
    })
}

fn proposal(group: usize, text: &str) -> Value {
    json!({
        "group_id": format!("sg-{group:017x}"), "direction": "ingress",
        "decision": "tighten", "applicability": "review", "reasons": [text, "35 days of logs"],
        "rules": [{ "protocol": "tcp", "from_port": 443, "to_port": 443, "peer": { "cidr": "10.0.0.0/28" },
                    "replaces": [format!("sgr-{:017x}", group * 100)], "records": 12 }],
        "keep": [format!("sgr-{:017x}", group * 100 + 1)], "remove": [format!("sgr-{:017x}", group * 100 + 3)],
        "exposure_before": format!("{}", 65_536_u64 * (1 + group as u64)), "exposure_after": format!("{}", 16 + group),
        "quota_before": 9, "quota_after": 4, "optimality_gap": 0.02,
        "curve": [{ "rules": 2, "exposure": "65536" }, { "rules": 3, "exposure": "4096" }, { "rules": 4, "exposure": "16" }],
    })
}

fn talks(groups: usize) -> Vec<Value> {
    let talk = |group: usize, number: usize| {
        let party = match number {
            0 => json!("internet"),
            1 => json!("private"),
            _ => json!({ "group": format!("sg-{:017x}", (group * number * 3 + 1) % groups) }),
        };
        json!({
            "group_id": format!("sg-{group:017x}"), "direction": "ingress", "party": party,
            "conversations": group + number, "records": group * 10 + number, "more_services": number,
            "services": [{ "protocol": "tcp", "from_port": 443, "to_port": 443, "records": 9 }],
        })
    };
    (0..groups)
        .flat_map(|group| (0..5).map(move |number| talk(group, number)))
        .collect()
}

/// An analysis of so many groups of 12 rules, `text` wherever others write.
fn cloud(groups: usize, text: &str) -> Analysis {
    let teams = [
        "payments",
        "search",
        "mobile",
        "data-platform",
        "identity",
        "billing",
        "edge",
        "ml",
    ];
    let tiers = ["web", "app", "db", "cache", "queue"];
    let group = |number: usize| {
        let name = format!(
            "{}-{}-{number}",
            teams[number % teams.len()],
            tiers[number % tiers.len()]
        );
        json!({
            "group_id": format!("sg-{number:017x}"),
            "group_name": if number == 0 && !text.is_empty() { text.to_owned() } else { name },
            "vpc_id": "vpc-0a", "interfaces": number % 9, "interfaces_logged": number % 5,
            "rules": (0..12).map(|rule_number| rule(number, rule_number, text)).collect::<Vec<_>>(),
        })
    };
    let reject = |number: usize| {
        json!({
            "interface_id": format!("eni-{number:017x}"), "group_ids": [format!("sg-{:017x}", number % groups)],
            "direction": "ingress", "protocol": "tcp", "port": 5432, "peer": format!("10.9.{}.7", number % 250),
            "peer_groups": [format!("sg-{:017x}", (number + 1) % groups)], "reply": false, "cause": "security_group",
            "records": 5, "packets": 9, "bytes": 500,
            "first_seen": "2026-09-03T10:00:00Z", "last_seen": "2026-09-04T10:00:00Z",
            "nearest": [{ "rule_id": "sgr-1", "misses": ["peer"] }],
            "verdict": if number.is_multiple_of(4) { "misconfiguration" } else { "noise" }, "text": text,
        })
    };
    analysis(&json!({
        "schema": "flowcinch.analysis.v1",
        "window": { "start": "2026-09-01T00:00:00Z", "end": "2026-11-01T00:00:00Z" },
        "ingest": {
            "objects": 10, "compressed_bytes": 1000, "text_bytes": 9000, "records": 100, "accepted": 90, "rejected": 10,
            "other": 0, "no_data": 0, "skip_data": 0, "malformed": 1,
            "malformed_samples": [{ "object": text, "line": 2, "byte": 80, "reason": text }],
            "unreadable": [{ "object": text, "reason": text }],
        },
        "coverage": {
            "interfaces_in_snapshot": 50, "interfaces_logged": 49, "unknown_interfaces": [], "unlogged_interfaces": [],
            "interface_hours_observed": 1000, "interface_hours_lost": 1, "unresolved": { (text): 3 },
        },
        "caveats": [{ "code": "SN107", "text": text }],
        "security_groups": (0..groups).map(group).collect::<Vec<_>>(),
        "rejects": (0..groups * 3).map(reject).collect::<Vec<_>>(),
        "proposals": (0..groups).step_by(2).map(|number| proposal(number, text)).collect::<Vec<_>>(),
        "verification": { "connections": 100, "broken": 0, "witnesses": 100, "widened": 0, "unexplained": 0, "per_group": [] },
        "talks": talks(groups),
    }))
}

#[test]
fn a_thousand_groups_are_a_small_file() {
    let page = page(&cloud(1_000, "made for the shop"));
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
}

#[test]
fn equal_analyses_make_equal_pages() {
    let once = page(&cloud(20, "a"));
    assert_eq!(once, page(&cloud(20, "a")));
}

#[test]
fn text_of_others_is_shown_and_not_obeyed() {
    let page = page(&cloud(3, HOSTILE));
    for live in ["<img", "'owned'</script>", "\u{202e}", "\u{1b}", "{{7*7}}<"] {
        assert!(!page.contains(live), "{live:?} came through");
    }
    let scripts = page.matches("<script").count();
    assert_eq!(scripts, 2, "one for the data, one of ours");
}

#[test]
fn nothing_is_asked_of_a_network() {
    let page = page(&cloud(3, "plain"));
    for reference in [
        "src=",
        "url(",
        "@import",
        "<link",
        "http-equiv=\"refresh\"",
        "fetch(",
    ] {
        assert!(!page.contains(reference), "{reference}");
    }
    assert!(page.contains("default-src 'none'"));
}

/// Where `.ci/run` puts the tools of the browser tests.
fn tools() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tools = root.join("target/browser/node_modules");
    tools.join("playwright-core").is_dir().then_some(tools)
}

/// Opens reports in a real Chromium: the script says what it holds them to.
#[test]
#[expect(clippy::print_stderr, reason = "a test that did not run says so")]
fn a_browser_finds_nothing_to_complain_about() {
    let Some(tools) = tools() else {
        eprintln!(
            "SKIPPED: a_browser_finds_nothing_to_complain_about: no target/browser, see .ci/run"
        );
        return;
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("html");
    std::fs::create_dir_all(&folder).unwrap();
    let pages = [
        ("small", cloud(6, "made for the shop")),
        ("hostile", cloud(6, HOSTILE)),
        ("thousand", cloud(1_000, "made for the shop")),
    ];
    for (name, analysis) in &pages {
        std::fs::write(folder.join(format!("{name}.html")), page(analysis)).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/report.mjs");
    let run = Command::new("node")
        .arg(script)
        .arg(&folder)
        .env("TOOLS", tools)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    let complained = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}\n{complained}");
    assert!(said.contains("all held"), "{said}\n{complained}");
}
