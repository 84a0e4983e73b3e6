//! One `Permission` of `DescribeSecurityGroupAttribute` in normal form.
//!
//! Ports are the text `from/to`, −1/−1 where they mean nothing; names of
//! protocols and policies come in any case (ECS API, `Permission`). Rules may
//! ask for the interface's own address and for source ports too (five-tuple
//! rules), and name their ports by a list that is printed elsewhere.

use ipnet::IpNet;
use serde_json::Value;

use crate::describe::error::Fault;
use crate::describe::error::quoted;
use crate::describe::json::Object;
use crate::describe::json::cidr;
use crate::model::Direction;
use crate::model::Effect;
use crate::model::Limits;
use crate::model::Peer;
use crate::model::PrefixListId;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::SgRuleId;
use crate::model::Transport;
use crate::model::sg::IcmpTypeCode;
use crate::net::IpProtocol;
use crate::net::PortRange;

/// Priority of a rule that does not say one (ECS API, `AuthorizeSecurityGroup`).
const FIRST: u16 = 1;

/// Words of one side of a rule.
struct Side {
    cidr: &'static str,
    cidr_v6: &'static str,
    group: &'static str,
    list: &'static str,
}

const SOURCE: Side = Side {
    cidr: "SourceCidrIp",
    cidr_v6: "Ipv6SourceCidrIp",
    group: "SourceGroupId",
    list: "SourcePrefixListId",
};

const DESTINATION: Side = Side {
    cidr: "DestCidrIp",
    cidr_v6: "Ipv6DestCidrIp",
    group: "DestGroupId",
    list: "DestPrefixListId",
};

/// Reads one permission of a group. Where it has no id of its own, its id says
/// what it says.
pub(in crate::describe) fn rule(group: &SgId, object: Object<'_>) -> Result<SgRule, Fault> {
    let id = object.optional_id("SecurityGroupRuleId")?;
    let inner = || -> Result<SgRule, Fault> {
        let direction = direction(object)?;
        let (far, near) = match direction {
            Direction::Ingress => (SOURCE, DESTINATION),
            Direction::Egress => (DESTINATION, SOURCE),
        };
        let (transport, port_list) = transport(object)?;
        let peer = peer(object, &far)?;
        let derived = || SgRule::derived_id(group, direction, transport, &peer);
        Ok(SgRule {
            id: id.map_or_else(derived, SgRuleId::from),
            direction,
            effect: effect(object)?,
            priority: Some(priority(object)?),
            transport,
            limits: Limits {
                local: net(object, &near)?.filter(|net| net.prefix_len() > 0),
                source_ports: source_ports(object)?,
                port_list,
            },
            description: object.words("Description")?,
            peer,
        })
    };
    inner().map_err(|fault| fault.of("security group rule", id.unwrap_or("?")))
}

fn direction(object: Object<'_>) -> Result<Direction, Fault> {
    match object.text("Direction")? {
        Some(text) if text.eq_ignore_ascii_case("ingress") => Ok(Direction::Ingress),
        Some(text) if text.eq_ignore_ascii_case("egress") => Ok(Direction::Egress),
        Some(text) => Err(Fault::new(format!(
            "`Direction` {} is neither ingress nor egress",
            quoted(text)
        ))),
        None => Err(Fault::new("`Direction` is missing")),
    }
}

fn effect(object: Object<'_>) -> Result<Effect, Fault> {
    match object.text("Policy")? {
        Some(text) if text.eq_ignore_ascii_case("accept") => Ok(Effect::Allow),
        Some(text) if text.eq_ignore_ascii_case("drop") => Ok(Effect::Drop),
        Some(text) => Err(Fault::new(format!(
            "`Policy` {} is neither Accept nor Drop",
            quoted(text)
        ))),
        None => Err(Fault::new("`Policy` is missing")),
    }
}

/// Rules that the cloud made itself have priorities above 100.
fn priority(object: Object<'_>) -> Result<u16, Fault> {
    let Some(number) = object.integer("Priority")? else {
        return Ok(FIRST);
    };
    u16::try_from(number)
        .ok()
        .filter(|number| *number >= 1)
        .ok_or_else(|| Fault::new(format!("`Priority` {number} is no priority")))
}

/// What it matches, and the list that its ports are in, if any.
fn transport(object: Object<'_>) -> Result<(Transport, Option<String>), Fault> {
    let ports = object.text("PortRange")?.map(ports).transpose()?.flatten();
    let list = object.optional_id("PortRangeListId")?.map(str::to_owned);
    let all = ports.unwrap_or(PortRange::ALL);
    let transport = match protocol(object)? {
        None => Transport::All,
        Some(IpProtocol::TCP) => Transport::Tcp(all),
        Some(IpProtocol::UDP) => Transport::Udp(all),
        Some(IpProtocol::ICMP) => Transport::Icmp(IcmpTypeCode::Any),
        Some(IpProtocol::ICMPV6) => Transport::Icmpv6(IcmpTypeCode::Any),
        Some(other) => Transport::Other(other),
    };
    Ok((transport, list))
}

/// `from/to`; `None` for −1/−1.
fn ports(text: &str) -> Result<Option<PortRange>, Fault> {
    let refused = || Fault::new(format!("port range {} is not `from/to`", quoted(text)));
    let (from, to) = text
        .trim()
        .split_once('/')
        .unwrap_or((text.trim(), text.trim()));
    if from.trim() == "-1" && to.trim() == "-1" {
        return Ok(None);
    }
    let port = |text: &str| text.trim().parse::<u16>().map_err(|_| refused());
    let range = PortRange::new(port(from)?, port(to)?);
    range.map(Some).ok_or_else(refused)
}

/// `None` is every protocol.
fn protocol(object: Object<'_>) -> Result<Option<IpProtocol>, Fault> {
    const GRE: IpProtocol = IpProtocol(47);
    let number;
    let text = match object.field("IpProtocol") {
        Some(Value::String(text)) => text.trim(),
        Some(Value::Number(value)) => {
            number = value.to_string();
            &number
        }
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => "",
    };
    let known = match text.to_ascii_lowercase().as_str() {
        "all" | "-1" => return Ok(None),
        "tcp" => Some(IpProtocol::TCP),
        "udp" => Some(IpProtocol::UDP),
        "icmp" => Some(IpProtocol::ICMP),
        "icmpv6" => Some(IpProtocol::ICMPV6),
        "gre" => Some(GRE),
        number => number.parse().ok().map(IpProtocol),
    };
    let refused = || Fault::new(format!("`IpProtocol` {} is no protocol", quoted(text)));
    known.map(Some).ok_or_else(refused)
}

/// The far side. Where a prefix and a group are both given, the prefix counts;
/// a list counts where neither is (ECS API, `AuthorizeSecurityGroup`).
fn peer(object: Object<'_>, side: &Side) -> Result<Peer, Fault> {
    if let Some(net) = net(object, side)? {
        return Ok(Peer::Cidr(net));
    }
    if let Some(group) = object.optional_id(side.group)? {
        return Ok(Peer::SecurityGroup(SgId::from(group)));
    }
    if let Some(list) = object.optional_id(side.list)? {
        return Ok(Peer::PrefixList(PrefixListId::from(list)));
    }
    Err(Fault::new(format!(
        "none of `{}`, `{}`, `{}`, `{}` is given",
        side.cidr, side.cidr_v6, side.list, side.group
    )))
}

fn net(object: Object<'_>, side: &Side) -> Result<Option<IpNet>, Fault> {
    let v4 = object.text(side.cidr)?.map(cidr).transpose()?;
    match v4 {
        Some(net) => Ok(Some(net)),
        None => object.text(side.cidr_v6)?.map(cidr).transpose(),
    }
}

fn source_ports(object: Object<'_>) -> Result<Option<PortRange>, Fault> {
    let range = object.text("SourcePortRange")?.map(ports).transpose()?;
    Ok(range.flatten().filter(|range| {
        // 1/65535 is how every port is written.
        !range.covers(PortRange::spanning(1, u16::MAX))
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> Result<SgRule, Fault> {
        rule(&SgId::from("sg-1"), Object::of(value).unwrap())
    }

    #[test]
    fn empty_texts_are_absent_and_case_does_not_count() {
        let rule = read(
            &json!({"SecurityGroupRuleId": "sgr-1", "Direction": "ingress",
            "Policy": "drop", "Priority": "5", "IpProtocol": "tcp", "PortRange": "80/90",
            "SourceCidrIp": "10.1.2.3", "Ipv6SourceCidrIp": "", "SourceGroupId": "",
            "DestCidrIp": "", "SourcePortRange": "", "PortRangeListId": ""}),
        )
        .unwrap();
        assert_eq!(rule.effect, Effect::Drop);
        assert_eq!(rule.priority, Some(5));
        assert_eq!(rule.transport, Transport::Tcp(PortRange::spanning(80, 90)));
        assert_eq!(rule.peer.to_string(), "10.1.2.3/32");
        assert!(rule.limits.is_empty());
    }

    #[test]
    fn numbers_come_as_texts_and_as_numbers() {
        let rule = |priority: Value, account: Value| {
            read(
                &json!({"Direction": "egress", "Policy": "Accept", "Priority": priority,
                "IpProtocol": "ALL", "PortRange": "-1/-1", "DestGroupId": "sg-2",
                "DestGroupOwnerAccount": account}),
            )
            .unwrap()
        };
        let text = rule(json!("110"), json!("1234567890123456"));
        let number = rule(json!(110), json!(1_234_567_890_123_456_u64));
        assert_eq!(text, number);
        assert_eq!(text.transport, Transport::All);
        assert_eq!(text.id.as_str(), "sg-1/egress/all/all/sg-2");
    }

    #[test]
    fn a_prefix_beside_a_group_counts() {
        let rule = read(
            &json!({"Direction": "ingress", "Policy": "Accept", "IpProtocol": "GRE",
            "PortRange": "-1/-1", "SourceGroupId": "sg-2", "SourceCidrIp": "10.0.0.0/8"}),
        )
        .unwrap();
        assert_eq!(rule.peer.to_string(), "10.0.0.0/8");
        assert_eq!(rule.transport, Transport::Other(IpProtocol(47)));
        assert_eq!(rule.priority, Some(1));
    }

    #[test]
    fn five_tuple_rules_keep_what_else_they_ask() {
        let rule = read(
            &json!({"Direction": "ingress", "Policy": "Accept", "IpProtocol": "TCP",
            "PortRange": "22/22", "SourceCidrIp": "10.0.0.0/8", "DestCidrIp": "10.9.0.4/32",
            "SourcePortRange": "1000/2000"}),
        )
        .unwrap();
        assert_eq!(rule.limits.local, Some("10.9.0.4/32".parse().unwrap()));
        assert_eq!(
            rule.limits.source_ports,
            Some(PortRange::spanning(1000, 2000))
        );
        let every = read(
            &json!({"Direction": "ingress", "Policy": "Accept", "IpProtocol": "TCP",
            "PortRange": "22/22", "SourceCidrIp": "10.0.0.0/8", "DestCidrIp": "0.0.0.0/0",
            "SourcePortRange": "1/65535"}),
        )
        .unwrap();
        assert!(every.limits.is_empty());
    }

    #[test]
    fn what_no_api_prints_is_refused() {
        for odd in [
            json!({"Direction": "ingress", "Policy": "Accept", "IpProtocol": "TCP", "PortRange": "90/80", "SourceCidrIp": "10.0.0.0/8"}),
            json!({"Direction": "both", "Policy": "Accept", "IpProtocol": "TCP", "SourceCidrIp": "10.0.0.0/8"}),
            json!({"Direction": "ingress", "Policy": "Maybe", "IpProtocol": "TCP", "SourceCidrIp": "10.0.0.0/8"}),
            json!({"Direction": "ingress", "Policy": "Accept", "IpProtocol": "TCP", "PortRange": "1/2"}),
            json!({"Direction": "ingress", "Policy": "Accept", "IpProtocol": "TCP", "Priority": 0, "SourceCidrIp": "10.0.0.0/8"}),
        ] {
            assert!(read(&odd).is_err(), "{odd}");
        }
    }
}
