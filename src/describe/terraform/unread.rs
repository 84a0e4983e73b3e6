//! What a plan changes of access and this program does not read: told, so that
//! nobody takes silence for a yes.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::describe::error::Fault;
use crate::describe::json::Object;
use crate::describe::terraform::Plan;
use crate::describe::terraform::read::address;

/// Types of resources that change who gets through, whatever they change.
const ACCESS: [(&str, &str); 23] = [
    ("alicloud_ecs_network_interface_attachment", GROUPS),
    ("alicloud_ecs_prefix_list", LIST),
    ("alicloud_network_acl", ACL),
    ("alicloud_network_acl_attachment", ACL),
    ("alicloud_network_acl_entries", ACL),
    ("alicloud_network_interface_attachment", GROUPS),
    ("aws_default_network_acl", ACL),
    ("aws_ec2_managed_prefix_list", LIST),
    ("aws_ec2_managed_prefix_list_entry", LIST),
    ("aws_network_acl", ACL),
    ("aws_network_acl_association", ACL),
    ("aws_network_acl_rule", ACL),
    ("aws_network_interface_sg_attachment", GROUPS),
    (
        "aws_security_group_vpc_association",
        "where a group may be used is not read",
    ),
    (
        "aws_vpc_security_group_rules_exclusive",
        "it revokes every rule that it does not list, which is not read",
    ),
    (
        "aws_vpc_security_group_vpc_association",
        "where a group may be used is not read",
    ),
    ("awscc_ec2_network_acl_entry", ACL),
    ("awscc_ec2_prefix_list", LIST),
    ("awscc_ec2_security_group", RULES),
    ("awscc_ec2_security_group_egress", RULES),
    ("awscc_ec2_security_group_ingress", RULES),
    (
        "awscc_ec2_security_group_vpc_association",
        "where a group may be used is not read",
    ),
    ("aws_vpc_endpoint_security_group_association", GROUPS),
];

const ACL: &str = "network ACLs are not read from plans";
const LIST: &str = "entries of prefix lists are not read from plans";
const GROUPS: &str = "which interface carries which group is not read from plans";
const RULES: &str = "rules of this provider are not read";

/// What the plan as a whole leaves out.
pub(super) fn of_plan(top: Object<'_>, plan: &mut Plan) -> Result<(), Fault> {
    let mut tell = |what: &str| plan.unread.push(("plan".to_owned(), what.to_owned()));
    if top.flag("errored")? == Some(true) {
        tell("Terraform could not finish it, and what it leaves out is not judged");
    }
    if top.flag("complete")? == Some(false) {
        tell("it is not complete: another plan follows, and is not judged");
    }
    if top.has("deferred_changes") && !top.list("deferred_changes")?.is_empty() {
        tell("it defers changes, which are not judged");
    }
    Ok(())
}

/// A change of a resource that says no rules itself.
pub(super) fn of_change(change: Object<'_>, plan: &mut Plan) -> Result<(), Fault> {
    let managed = change.text("mode")?.is_none_or(|mode| mode == "managed");
    let inner = change.object("change")?;
    let (Some(inner), true) = (inner, managed) else {
        return Ok(());
    };
    let acts = |action: &Value| !matches!(action.as_str(), Some("no-op" | "read" | "forget"));
    if !inner.list("actions")?.iter().any(acts) {
        return Ok(());
    }
    let name = change.text("type")?.unwrap_or_default();
    let told = ACCESS.iter().find(|(own, _)| *own == name);
    if let Some((_, what)) = told {
        plan.unread.push((address(change)?, (*what).to_owned()));
    } else if regroups(inner) {
        plan.unread.push((address(change)?, GROUPS.to_owned()));
    }
    Ok(())
}

/// Whether something that stands will carry other groups. What comes new carries
/// groups as they are, and what goes needs none.
fn regroups(change: Object<'_>) -> bool {
    let (before, after) = (change.field("before"), change.field("after"));
    let (Some(before), Some(after)) = (before, after) else {
        return false;
    };
    if before.is_null() || after.is_null() {
        return false;
    }
    let said = |value: &Value| {
        let mut found = BTreeSet::new();
        carried(value, "", &mut found);
        found
    };
    let unknown = change.field("after_unknown").map(said).unwrap_or_default();
    let hidden = unknown.iter().any(|(_, value)| value.contains("true"));
    hidden || said(before) != said(after)
}

/// Every value that names groups, at any depth, with its place: providers have
/// many names and blocks for them.
fn carried(value: &Value, place: &str, found: &mut BTreeSet<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                let place = format!("{place}.{key}");
                if key.contains("security_group") || key == "group_set" {
                    found.insert((place, unordered(field)));
                } else {
                    carried(field, &place, found);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                carried(item, place, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A value as text; the order of a list says nothing.
fn unordered(value: &Value) -> String {
    let Value::Array(items) = value else {
        return value.to_string();
    };
    let mut items: Vec<String> = items.iter().map(Value::to_string).collect();
    items.sort();
    items.join(",")
}
