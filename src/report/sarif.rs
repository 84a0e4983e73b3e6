//! SARIF 2.1.0, for code scanning: one result a finding, its rule's manual page
//! as help, and the controls of each standard as a taxonomy.
//!
//! Findings are about clouds and not about lines of code, so each stands at the
//! head of `analysis.json` and names its group, rule or interface as a logical
//! location. The fingerprint is the finding's id: trackers do not duplicate, and
//! close by themselves what is no longer there. So findings of a baseline that
//! are gone are left out: code scanning would show them as open.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use crate::model::Provider;
use crate::report::code::Code;
use crate::report::controls;
use crate::report::controls::Control;
use crate::report::controls::Standard;
use crate::report::document::Analysis;
use crate::report::escape;
use crate::report::explain;
use crate::report::listing::Listed;
use crate::report::listing::Severity;
use crate::report::review::Entry;
use crate::report::review::Review;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The log file, newline at the end.
#[must_use]
pub fn render(analysis: &Analysis, review: &Review) -> String {
    let codes = codes(review);
    let entries = review.entries.iter();
    let results: Vec<Value> = entries.map(|entry| result(entry, &codes)).collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": driver(&codes, review, analysis.provider)},
            "taxonomies": taxonomies(review),
            "invocations": [{
                "executionSuccessful": true,
                "toolExecutionNotifications": notifications(analysis),
            }],
            "artifacts": [{"location": {"uri": "analysis.json"}}],
            "automationDetails": {"id": "flowcinch/"},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

/// Codes of the findings, ascending.
fn codes(review: &Review) -> Vec<Code> {
    let codes: BTreeSet<Code> = review.entries.iter().map(|one| one.listed.code).collect();
    codes.into_iter().collect()
}

fn driver(codes: &[Code], review: &Review, provider: Provider) -> Value {
    let standards: Vec<Value> = standards(review)
        .keys()
        .map(|standard| json!({"name": standard.short()}))
        .collect();
    json!({
        "name": "flowcinch",
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": codes.iter().map(|code| rule(*code, review, provider)).collect::<Vec<_>>(),
        "supportedTaxonomies": standards,
    })
}

fn rule(code: Code, review: &Review, provider: Provider) -> Value {
    let own = review.entries.iter().filter(|one| one.listed.code == code);
    let worst = own.map(|one| one.listed.severity).max();
    let manual = explain::manual(code);
    let help = format!(
        "{}\n\nWhy it matters: {}\n\nWhen it misleads: {}",
        manual.says, manual.matters, manual.misleads
    );
    // Code scanning reads how bad a rule is from a number, of rules about security.
    let security = ["security".to_owned()];
    let controls = controls::of(code).iter();
    let controls = controls.filter(|control| control.standard.is_for(provider));
    let controls = controls.map(Control::tag);
    let tags: Vec<String> = security.into_iter().chain(controls).collect();
    json!({
        "id": code.id(),
        "name": pascal(code.slug()),
        "shortDescription": {"text": code.slug().replace('-', " ")},
        "fullDescription": {"text": braces(manual.says)},
        "help": {"text": braces(&help)},
        "properties": {
            "tags": tags,
            "security-severity": score(worst.unwrap_or(Severity::Info)),
        },
    })
}

/// `unused-rule` as `UnusedRule`: rule names are identifiers.
fn pascal(slug: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    slug.split('-').map(word).collect()
}

fn result(entry: &Entry, codes: &[Code]) -> Value {
    let mut result = base(&entry.listed, codes);
    if let Some(state) = entry.state {
        set(&mut result, "baselineState", json!(state.name()));
    }
    if let Some(one) = &entry.acceptance {
        let suppression = json!([{
            "kind": "external",
            "status": "accepted",
            "justification": escape::inert(&one.said()),
        }]);
        set(&mut result, "suppressions", suppression);
    }
    result
}

fn base(listed: &Listed, codes: &[Code]) -> Value {
    let taxa: Vec<Value> = listed
        .controls
        .iter()
        .map(|control| {
            json!({"id": control.id, "toolComponent": {"name": control.standard.short()}})
        })
        .collect();
    json!({
        "ruleId": listed.code.id(),
        "ruleIndex": codes.iter().position(|code| *code == listed.code),
        "level": level(listed.severity),
        "message": {"text": message(listed)},
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {"uri": "analysis.json", "index": 0},
                "region": {"startLine": 1},
            },
            "logicalLocations": [logical(listed)],
        }],
        "partialFingerprints": {"flowcinchFinding/v1": listed.id},
        "taxa": taxa,
        "properties": {
            "severity": listed.severity.name(),
            "records": listed.records,
            "firstSeen": listed.first_seen.map(|time| time.to_string()),
            "lastSeen": listed.last_seen.map(|time| time.to_string()),
            "reasons": listed.reasons.iter().map(|text| escape::inert(text)).collect::<Vec<_>>(),
        },
    })
}

/// On the scale of 0 to 10 that code scanning sorts by: high from 7, medium from
/// 4, low below.
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "0.1",
        Severity::Low => "3.0",
        Severity::Medium => "5.5",
        Severity::High => "8.0",
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "note",
        Severity::Low | Severity::Medium => "warning",
        Severity::High => "error",
    }
}

fn logical(listed: &Listed) -> Value {
    let kind = match (&listed.rule_id, &listed.group_id, listed.interface_id) {
        (Some(_), _, _) => "securityGroupRule",
        (None, _, Some(_)) => "networkInterface",
        (None, Some(_), None) => "securityGroup",
        (None, None, None) => "analysis",
    };
    json!({
        "fullyQualifiedName": escape::inert(&listed.subject),
        "name": escape::inert(&listed.group_name),
        "kind": kind,
    })
}

/// The sentence with where it is, as SARIF's plain text has it: brackets would
/// be links, braces placeholders.
fn message(listed: &Listed) -> String {
    let name = &listed.group_name;
    let place = if name.is_empty() {
        String::new()
    } else {
        format!(" ({name})")
    };
    let text = format!("{}{place}: {}", listed.subject, listed.text);
    let inert = escape::inert(&text);
    let mut out = String::with_capacity(inert.len());
    for character in inert.chars() {
        if matches!(character, '[' | ']' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    braces(&out)
}

fn braces(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

/// What weakens the run, beside the findings.
fn notifications(analysis: &Analysis) -> Vec<Value> {
    let notification = |code: &str, text: &str| {
        json!({
            "descriptor": {"id": escape::inert(code)},
            "level": "note",
            "message": {"text": braces(&escape::inert(text))},
        })
    };
    let caveats = analysis.caveats.iter();
    caveats
        .map(|caveat| notification(&caveat.code, &caveat.text))
        .collect()
}

fn standards(review: &Review) -> BTreeMap<Standard, BTreeMap<&'static str, &'static str>> {
    let controls = review.entries.iter().flat_map(|one| &one.listed.controls);
    let mut standards: BTreeMap<Standard, BTreeMap<_, _>> = BTreeMap::new();
    for control in controls {
        standards
            .entry(control.standard)
            .or_default()
            .insert(control.id, control.title);
    }
    standards
}

fn taxonomies(review: &Review) -> Vec<Value> {
    let taxonomy = |(standard, taxa): (Standard, BTreeMap<&str, &str>)| {
        let taxa: Vec<Value> = taxa
            .into_iter()
            .map(|(id, title)| json!({"id": id, "shortDescription": {"text": title}}))
            .collect();
        json!({"name": standard.short(), "fullName": standard.name(), "taxa": taxa})
    };
    standards(review).into_iter().map(taxonomy).collect()
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}
