//! Rules as the JSON of the EC2 API, in a form that no terminal acts on.

use serde_json::Value;
use serde_json::json;

use crate::model::Peer;
use crate::report::change::Terms;

/// JSON on one line, in ASCII: control characters, marks that turn text
/// around and all letters beyond are written as numbers.
pub(super) fn compact(value: &Value) -> String {
    let mut ascii = String::new();
    for character in value.to_string().chars() {
        if character.is_ascii() && character != '\u{7f}' {
            ascii.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                let escape = format!("\\u{unit:04x}");
                ascii.push_str(&escape);
            }
        }
    }
    ascii
}

/// The rule as one `IpPermission`, in a list as the calls want it.
pub(super) fn permission(terms: &Terms, described: bool) -> Value {
    let mut peer = json!({});
    let (list, key, value) = match &terms.peer {
        Peer::Cidr(net) if net.addr().is_ipv4() => ("IpRanges", "CidrIp", net.to_string()),
        Peer::Cidr(net) => ("Ipv6Ranges", "CidrIpv6", net.to_string()),
        Peer::SecurityGroup(id) => ("UserIdGroupPairs", "GroupId", id.to_string()),
        Peer::PrefixList(id) => ("PrefixListIds", "PrefixListId", id.to_string()),
    };
    set(&mut peer, key, json!(value));
    if described && !terms.description.is_empty() {
        set(&mut peer, "Description", json!(terms.description));
    }
    let mut permission = transport(terms);
    set(&mut permission, list, json!([peer]));
    json!([permission])
}

/// The rule as `modify-security-group-rules` wants it. A description that is
/// not given would be deleted.
pub(super) fn modification(id: &str, terms: &Terms) -> Value {
    let mut rule = transport(terms);
    let (key, value) = match &terms.peer {
        Peer::Cidr(net) if net.addr().is_ipv4() => ("CidrIpv4", net.to_string()),
        Peer::Cidr(net) => ("CidrIpv6", net.to_string()),
        Peer::SecurityGroup(id) => ("ReferencedGroupId", id.to_string()),
        Peer::PrefixList(id) => ("PrefixListId", id.to_string()),
    };
    set(&mut rule, key, json!(value));
    if !terms.description.is_empty() {
        set(&mut rule, "Description", json!(terms.description));
    }
    json!([{"SecurityGroupRuleId": id, "SecurityGroupRule": rule}])
}

/// Protocol and ports; where ports mean nothing, -1 as `describe` says them.
fn transport(terms: &Terms) -> Value {
    let (from, to) = terms.ports().unwrap_or((-1, -1));
    json!({"IpProtocol": terms.api_protocol(), "FromPort": from, "ToPort": to})
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Effect;

    #[test]
    fn a_rule_without_ports_says_so_in_numbers() {
        let terms = |protocol: &str| Terms {
            protocol: protocol.to_owned(),
            from_port: None,
            to_port: None,
            effect: Effect::Allow,
            priority: None,
            peer: Peer::Cidr("10.0.0.0/8".parse().unwrap()),
            description: String::new(),
        };
        let modified = &modification("sgr-1", &terms("all"))[0]["SecurityGroupRule"];
        assert_eq!(modified["IpProtocol"], "-1");
        assert_eq!(
            (&modified["FromPort"], &modified["ToPort"]),
            (&json!(-1), &json!(-1))
        );
        assert_eq!(permission(&terms("50"), true)[0]["FromPort"], -1);
    }

    proptest! {
        #[test]
        fn json_stays_what_it_was_and_shows_ascii_alone(text in any::<String>()) {
            let value = json!([{"Description": text}]);
            let ascii = compact(&value);
            prop_assert!(ascii.bytes().all(|byte| (b' '..0x7f).contains(&byte)));
            prop_assert_eq!(serde_json::from_str::<Value>(&ascii).unwrap(), value);
        }
    }
}
