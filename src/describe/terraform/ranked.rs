//! Rules with ranks: `alicloud_security_group_rule`, which says what a
//! permission of the API does in other words, and what a group does beside its
//! rules.

use serde_json::Map;
use serde_json::Value;

use crate::describe::alibaba::drafts;
use crate::describe::alibaba::rules::rule;
use crate::describe::error::Fault;
use crate::describe::json::Object;
use crate::describe::terraform::Text;
use crate::describe::terraform::values::Found;
use crate::describe::terraform::values::Place;
use crate::describe::terraform::values::is_unknown;
use crate::model::Direction;
use crate::model::GroupPolicy;
use crate::model::SgId;

/// Arguments, and the API's words for them by direction.
const WORDS: [(&str, [&str; 2]); 8] = [
    ("policy", ["Policy"; 2]),
    ("priority", ["Priority"; 2]),
    ("ip_protocol", ["IpProtocol"; 2]),
    ("port_range", ["PortRange"; 2]),
    ("cidr_ip", ["SourceCidrIp", "DestCidrIp"]),
    ("ipv6_cidr_ip", ["Ipv6SourceCidrIp", "Ipv6DestCidrIp"]),
    ("prefix_list_id", ["SourcePrefixListId", "DestPrefixListId"]),
    (REFERENCE, ["SourceGroupId", "DestGroupId"]),
];

const REFERENCE: &str = "source_security_group_id";

/// Adds the rule, or notes that it is known after the apply alone.
pub(super) fn one(
    place: Place<'_>,
    direction: Direction,
    values: Object<'_>,
    unknown: Option<&Value>,
    found: &mut Found,
) -> Result<(), Fault> {
    let hidden = |key: &str| is_unknown(unknown.and_then(|unknown| unknown.get(key)));
    let to_be = place
        .configuration
        .group(place.address, None, REFERENCE)
        .filter(|_| hidden(REFERENCE));
    let mut words = Map::new();
    words.insert("Direction".to_owned(), direction.to_string().into());
    words.insert("Policy".to_owned(), "accept".into());
    for (key, [ingress, egress]) in WORDS {
        let name = match direction {
            Direction::Ingress => ingress,
            Direction::Egress => egress,
        };
        let value = values.field(key).cloned();
        let address = to_be.as_ref().filter(|_| key == REFERENCE);
        match (value, address) {
            (_, Some(address)) => {
                words.insert(name.to_owned(), address.as_str().into());
            }
            (None, None) if hidden(key) => {
                found.unknown.push(format!("`{key}` known after apply"));
                return Ok(());
            }
            (value, None) => words.extend(value.map(|value| (name.to_owned(), value))),
        }
    }
    let words = Value::Object(words);
    let nobody = SgId::from(place.address);
    let read = Object::of(&words).map(|words| rule(&nobody, words));
    let Some(rule) = read.transpose()? else {
        return Ok(());
    };
    found.rules.push(Text {
        transport: rule.transport,
        peer: rule.peer,
        effect: rule.effect,
        priority: rule.priority,
        description: values.words("description")?,
    });
    Ok(())
}

/// What a group does beside its rules, by the values of its resource: a new
/// basic one lets members reach each other unless it says otherwise.
pub(super) fn policy(values: Object<'_>) -> Result<GroupPolicy, Fault> {
    let advanced = values
        .text("security_group_type")?
        .is_some_and(|kind| kind.eq_ignore_ascii_case("enterprise"));
    Ok(drafts::policy(
        advanced,
        members_talk(values)?.unwrap_or(true),
    ))
}

/// Whether members reach each other, where the resource says so; of two words
/// that contradict each other the one that opens.
pub(super) fn members_talk(values: Object<'_>) -> Result<Option<bool>, Fault> {
    let said = said(values)?;
    Ok(said.into_iter().flatten().max())
}

/// By the argument of today, and by that of older versions of the provider.
fn said(values: Object<'_>) -> Result<[Option<bool>; 2], Fault> {
    let policy = values.text("inner_access_policy")?;
    let policy = policy.map(|policy| !policy.eq_ignore_ascii_case("drop"));
    Ok([policy, values.flag("inner_access")?])
}

/// What a change makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Talk {
    /// As it is.
    Same,
    /// Members will reach each other, or not.
    Will(bool),
    /// Two arguments change, to the contrary of each other.
    Contradiction,
}

/// The argument that changes decides: the provider keeps the other as it was.
pub(super) fn talk(before: Option<Object<'_>>, after: Option<Object<'_>>) -> Result<Talk, Fault> {
    let of = |values: Option<Object<'_>>| values.map(said).transpose();
    let (old, new) = (
        of(before)?.unwrap_or_default(),
        of(after)?.unwrap_or_default(),
    );
    let changed = old.into_iter().zip(new).filter(|(old, new)| old != new);
    let changed: Vec<bool> = changed.filter_map(|(_, new)| new).collect();
    Ok(match changed[..] {
        [] => Talk::Same,
        [one] => Talk::Will(one),
        [one, other] if one == other => Talk::Will(one),
        _ => Talk::Contradiction,
    })
}
