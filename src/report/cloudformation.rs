//! A `CloudFormation` template of the rules as they should be: one ingress or
//! egress resource a rule, of every direction that changes.
//!
//! There are two stages, as with Terraform: the rules of today, to be imported
//! (their `Metadata` names the id), since an import may create nothing; and the
//! rules as they should be, an update of that stack. JSON has no comments, so reasons stand in `Metadata`
//! too. No text is passed through `Fn::Sub`; dynamic references, which would act
//! in any string, are broken.

use std::collections::BTreeMap;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::model::Direction;
use crate::model::Peer;
use crate::report::change;
use crate::report::change::Change;
use crate::report::change::Changes;
use crate::report::change::Speaks;
use crate::report::change::Terms;
use crate::report::document::Analysis;
use crate::report::document::RuleReport;
use crate::report::escape;
use crate::report::fingerprint;
use crate::report::terraform::Stage;
use crate::tighten::plan::Applicability;

/// The template, newline at the end.
#[must_use]
pub fn render(analysis: &Analysis, stage: Stage, least: Applicability) -> String {
    let changes = change::changes(analysis, least, Speaks::PLAIN);
    let mut resources = Map::new();
    for change in &changes.done {
        match stage {
            Stage::Adopt => adopt(&mut resources, change),
            Stage::Tighten => add(&mut resources, change),
        }
    }
    let says = match stage {
        Stage::Adopt => {
            "Security group rules by flowcinch, as they are: import them (IMPORT change set), then update the stack with the template of the other stage."
        }
        Stage::Tighten => {
            "Security group rules by flowcinch, as they should be: an update of the stack that holds those of today (--terraform-stage adopt)."
        }
    };
    let template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": says,
        "Metadata": {"Flowcinch": metadata(&changes)},
        "Resources": resources,
    });
    format!("{template:#}\n")
}

/// Why, and what the template cannot do: delete rules that no stack holds.
fn metadata(changes: &Changes<'_>) -> Value {
    let group = |change: &Change<'_>| {
        let removed = change.removed.iter().map(|rule| {
            json!({
                "RuleId": text(rule.rule_id.as_str()),
                "Was": text(&Terms::of(rule).short(change.direction)),
            })
        });
        json!({
            "Group": text(&change.title()),
            "Why": change.proposal.reasons.iter().map(|reason| text(reason)).collect::<Vec<_>>(),
            "ExposureBefore": text(&change.proposal.exposure_before),
            "ExposureAfter": text(&change.proposal.exposure_after),
            "Remove": removed.collect::<Vec<_>>(),
        })
    };
    let held = changes
        .held
        .iter()
        .map(|held| json!({"Group": text(&held.title()), "NotWritten": held.why}));
    json!({
        "Groups": changes.done.iter().map(group).collect::<Vec<_>>(),
        "Held": held.collect::<Vec<_>>(),
    })
}

/// The rules of today, to be imported. A rule that is to go goes with the update
/// that no longer names it.
fn adopt(resources: &mut Map<String, Value>, change: &Change<'_>) {
    let narrowed = change.narrowed.iter().map(|one| one.rule);
    for rule in change.stays.iter().copied().chain(narrowed) {
        let about = json!({"State": "today"});
        existing(resources, change, rule, &Terms::of(rule), about);
    }
    for rule in change.removed.iter().copied() {
        let about = json!({"State": "to go"});
        let name = existing(resources, change, rule, &Terms::of(rule), about);
        if let Some(map) = resources.get_mut(&name).and_then(Value::as_object_mut) {
            map.insert("DeletionPolicy".to_owned(), json!("Delete"));
        }
    }
}

fn add(resources: &mut Map<String, Value>, change: &Change<'_>) {
    for rule in &change.stays {
        let about = json!({"State": "stays"});
        existing(resources, change, rule, &Terms::of(rule), about);
    }
    for one in &change.narrowed {
        let was = Terms::of(one.rule).short(change.direction);
        let about = json!({"State": "narrowed", "Was": text(&was), "Records": one.records});
        existing(resources, change, one.rule, &one.terms, about);
    }
    for added in &change.added {
        let replaces: Vec<String> = added.replaces.iter().map(|id| text(id.as_str())).collect();
        let about = json!({"State": "new", "Replaces": replaces, "Records": added.records});
        let hash = name_hash(change, &added.terms);
        resources.insert(format!("New{hash}"), resource(change, &added.terms, &about));
    }
}

fn existing(
    resources: &mut Map<String, Value>,
    change: &Change<'_>,
    rule: &RuleReport,
    terms: &Terms,
    mut about: Value,
) -> String {
    let id = rule.rule_id.as_str();
    let name = if change::is_cloud_rule(&rule.rule_id) {
        if let Some(map) = about.as_object_mut() {
            map.insert("Import".to_owned(), json!(id));
        }
        format!("Rule{}", id.replace("sgr-", "").replace('-', ""))
    } else {
        format!("Rule{}", fingerprint::short(&[id]))
    };
    let mut resource = resource(change, terms, &about);
    if let Some(map) = resource.as_object_mut() {
        // An import asks for it; a rule must not go because a stack does.
        map.insert("DeletionPolicy".to_owned(), json!("Retain"));
        map.insert("UpdateReplacePolicy".to_owned(), json!("Delete"));
    }
    resources.insert(name.clone(), resource);
    name
}

fn name_hash(change: &Change<'_>, terms: &Terms) -> String {
    let group = change.group.group_id.as_str();
    let short = terms.short(change.direction);
    fingerprint::short(&[group, &change.direction.to_string(), &short])
}

fn resource(change: &Change<'_>, terms: &Terms, about: &Value) -> Value {
    let (kind, side) = match change.direction {
        Direction::Ingress => ("AWS::EC2::SecurityGroupIngress", "Source"),
        Direction::Egress => ("AWS::EC2::SecurityGroupEgress", "Destination"),
    };
    let mut properties = BTreeMap::from([
        ("GroupId".to_owned(), json!(change.group.group_id.as_str())),
        ("IpProtocol".to_owned(), json!(terms.api_protocol())),
    ]);
    if let Some((from, to)) = terms.ports() {
        properties.insert("FromPort".to_owned(), json!(from));
        properties.insert("ToPort".to_owned(), json!(to));
    }
    if !terms.description.is_empty() {
        properties.insert(
            "Description".to_owned(),
            json!(description(&terms.description)),
        );
    }
    let (key, value) = match &terms.peer {
        Peer::Cidr(net) if net.addr().is_ipv4() => ("CidrIp".to_owned(), net.to_string()),
        Peer::Cidr(net) => ("CidrIpv6".to_owned(), net.to_string()),
        Peer::SecurityGroup(id) => (format!("{side}SecurityGroupId"), id.to_string()),
        Peer::PrefixList(id) => (format!("{side}PrefixListId"), id.to_string()),
    };
    properties.insert(key, json!(value));
    json!({
        "Type": kind,
        "Metadata": {"Flowcinch": about},
        "Properties": properties,
    })
}

/// A description as the API takes it: letters, digits and some signs, at most
/// 255; what it would not take is shown as `?`.
fn description(text: &str) -> String {
    let taken = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c);
    let plain: String = text
        .chars()
        .map(|c| if taken(c) { c } else { '?' })
        .take(255)
        .collect();
    unreferenced(&plain)
}

/// Inert text without dynamic references.
fn text(text: &str) -> String {
    unreferenced(&escape::inert(text))
}

/// `{{resolve:...}}` is replaced by a secret wherever it stands in a string.
fn unreferenced(text: &str) -> String {
    let mut text = text.to_owned();
    while text.contains("{{") {
        text = text.replace("{{", "{ {");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dynamic_references_are_broken() {
        for nasty in ["{{resolve:ssm:x}}", "{{{resolve:ssm:x}}", "{{{{resolve"] {
            assert!(!description(nasty).contains("{{"), "{nasty}");
        }
        assert_eq!(description("a\u{202e}`b`"), "a??b?");
        assert_eq!(description(&"x".repeat(300)).len(), 255);
    }
}
