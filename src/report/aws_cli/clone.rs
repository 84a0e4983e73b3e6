//! Staging copies: the groups as they should be, beside the groups as they are.
//!
//! A copy holds the rules of both directions after the change. Whatever names a
//! group as its peer, in production groups and in copies, is given a twin that
//! names the copy, so that an interface that carries the copy is still known.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::Direction;
use crate::model::Peer;
use crate::model::SgId;
use crate::report::aws_cli::wire;
use crate::report::change;
use crate::report::change::Changes;
use crate::report::change::Terms;
use crate::report::document::Analysis;
use crate::report::document::GroupReport;
use crate::report::fingerprint;
use crate::report::shell;

/// What a twin's description says in place of the customer's.
const TWIN: &str = "flowcinch: for a staging copy";
/// Where the copy's id goes.
const COPY: &str = "@COPY@";

/// The copies and twins as functions of the script.
pub(super) fn write(analysis: &Analysis, changes: &Changes<'_>) -> String {
    let copied = copied(changes);
    let ids: Vec<String> = copied.keys().map(|id| shell::quote(id.as_str())).collect();
    let mut out = format!("groups=({})\n\ncopies() {{\n", ids.join(" "));
    for (id, group) in &copied {
        out.push_str(&copy(id, group, changes));
    }
    out.push_str("    :\n}\n\n# $1 is add_twin or drop_twin.\ntwins() {\n");
    for (number, twin) in (1..).zip(twins(analysis, changes, &copied)) {
        let line = format!("    \"$1\" {number} {twin}\n");
        out.push_str(&line);
    }
    out.push_str("    :\n}\n");
    out
}

/// Groups that change and whose VPC is known.
fn copied<'a>(changes: &Changes<'a>) -> BTreeMap<&'a SgId, &'a GroupReport> {
    let groups = changes.done.iter().map(|change| change.group);
    groups
        .filter(|group| group.vpc_id.is_some())
        .map(|group| (&group.group_id, group))
        .collect()
}

fn copy(id: &SgId, group: &GroupReport, changes: &Changes<'_>) -> String {
    let name = format!("flowcinch-{}", fingerprint::short(&[id.as_str()]));
    let list = |direction| {
        let permissions: Vec<Value> = change::after(group, direction, &changes.done)
            .iter()
            .filter_map(|terms| wire::permission(terms, true).as_array()?.first().cloned())
            .collect();
        shell::quote(&wire::compact(&Value::Array(permissions)))
    };
    format!(
        "    make_copy {} {} {} \\\n        {} \\\n        {}\n",
        shell::quote(id.as_str()),
        shell::quote(&name),
        shell::quote(group.vpc_id.as_deref().unwrap_or_default()),
        list(Direction::Ingress),
        list(Direction::Egress)
    )
}

/// Arguments of each twin behind its number.
fn twins(
    analysis: &Analysis,
    changes: &Changes<'_>,
    copied: &BTreeMap<&SgId, &GroupReport>,
) -> Vec<String> {
    let mut twins = Vec::new();
    let named = |group: &&GroupReport| change::is_plain_id(group.group_id.as_str());
    for group in analysis.security_groups.iter().filter(named) {
        for direction in Direction::BOTH {
            for terms in change::today(group, direction) {
                twins.extend(twin("production", group, direction, &terms, copied));
            }
            if copied.contains_key(&group.group_id) {
                for terms in change::after(group, direction, &changes.done) {
                    twins.extend(twin("copy", group, direction, &terms, copied));
                }
            }
        }
    }
    twins.sort();
    twins.dedup();
    twins
}

fn twin(
    place: &str,
    group: &GroupReport,
    direction: Direction,
    terms: &Terms,
    copied: &BTreeMap<&SgId, &GroupReport>,
) -> Option<String> {
    let peer = match &terms.peer {
        Peer::SecurityGroup(id) if copied.contains_key(id) => id,
        Peer::SecurityGroup(_) | Peer::Cidr(_) | Peer::PrefixList(_) => return None,
    };
    let terms = Terms {
        peer: Peer::SecurityGroup(SgId::from(COPY)),
        description: TWIN.to_owned(),
        ..terms.clone()
    };
    let permission = wire::compact(&wire::permission(&terms, true));
    let (owner, peer) = (
        shell::quote(group.group_id.as_str()),
        shell::quote(peer.as_str()),
    );
    Some(format!(
        "{place} {owner} {direction} {peer} {}",
        shell::quote(&permission)
    ))
}
