//! Security groups and their rules, in normal form: one [`SgRule`] a peer,
//! one-to-one with what `describe-security-group-rules` lists.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use ipnet::IpNet;
use serde::Deserialize;
use serde::Serialize;

use crate::model::id::PrefixListId;
use crate::model::id::SgId;
use crate::model::id::SgRuleId;
use crate::model::id::VpcId;
use crate::model::policy::GroupPolicy;
use crate::model::policy::Limits;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::net::cidr::Family;

/// Which way a connection crosses the interface, seen from the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The peer opened it.
    Ingress,
    /// The interface opened it.
    Egress,
}

impl Direction {
    /// Both, in the order of reports.
    pub const BOTH: [Direction; 2] = [Direction::Ingress, Direction::Egress];

    /// The other one.
    #[must_use]
    pub fn reverse(self) -> Direction {
        match self {
            Direction::Ingress => Direction::Egress,
            Direction::Egress => Direction::Ingress,
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::Ingress => "ingress",
            Direction::Egress => "egress",
        })
    }
}

/// What a rule or an ACL entry does with what it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Lets it through. AWS group rules know nothing else.
    Allow,
    /// Stops it.
    Drop,
}

/// ICMP type and code of a rule. `FromPort` is the type and `ToPort` the code,
/// not a range (API `IpPermission`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IcmpTypeCode {
    /// Every type and code.
    Any,
    /// Every code of one type.
    Type(u8),
    /// One type and code.
    TypeCode(u8, u8),
}

impl IcmpTypeCode {
    /// The points `type << 8 | code` that it covers.
    #[must_use]
    pub fn range(self) -> PortRange {
        let point = |kind: u8, code: u8| u16::from_be_bytes([kind, code]);
        match self {
            IcmpTypeCode::Any => PortRange::ALL,
            IcmpTypeCode::Type(kind) => PortRange::spanning(point(kind, 0), point(kind, u8::MAX)),
            IcmpTypeCode::TypeCode(kind, code) => PortRange::single(point(kind, code)),
        }
    }
}

/// Protocol and service of a rule; −1 and null of the APIs end in `describe`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Every protocol, every port.
    All,
    /// TCP destination ports.
    Tcp(PortRange),
    /// UDP destination ports.
    Udp(PortRange),
    /// ICMP types and codes.
    Icmp(IcmpTypeCode),
    /// `ICMPv6` types and codes.
    Icmpv6(IcmpTypeCode),
    /// Any other protocol, whole: AWS ignores ports given for it.
    Other(IpProtocol),
}

impl Transport {
    /// The one protocol it names; `None` for all.
    #[must_use]
    pub fn protocol(self) -> Option<IpProtocol> {
        match self {
            Transport::All => None,
            Transport::Tcp(_) => Some(IpProtocol::TCP),
            Transport::Udp(_) => Some(IpProtocol::UDP),
            Transport::Icmp(_) => Some(IpProtocol::ICMP),
            Transport::Icmpv6(_) => Some(IpProtocol::ICMPV6),
            Transport::Other(protocol) => Some(protocol),
        }
    }

    /// Whether packets of the protocol can match.
    #[must_use]
    pub fn has_protocol(self, protocol: IpProtocol) -> bool {
        self.protocol().is_none_or(|own| own == protocol)
    }

    /// The service points that match: ports, or `type << 8 | code`.
    #[must_use]
    pub fn service(self) -> PortRange {
        match self {
            Transport::Tcp(ports) | Transport::Udp(ports) => ports,
            Transport::Icmp(scope) | Transport::Icmpv6(scope) => scope.range(),
            Transport::All | Transport::Other(_) => PortRange::ALL,
        }
    }

    /// The transport of one protocol and range of ports; ports are ignored
    /// for protocols without them.
    #[must_use]
    pub fn of(protocol: IpProtocol, ports: PortRange) -> Transport {
        match protocol {
            IpProtocol::TCP => Transport::Tcp(ports),
            IpProtocol::UDP => Transport::Udp(ports),
            IpProtocol::ICMP => Transport::Icmp(IcmpTypeCode::Any),
            IpProtocol::ICMPV6 => Transport::Icmpv6(IcmpTypeCode::Any),
            other => Transport::Other(other),
        }
    }

    /// `tcp`, `udp`, `icmp`, `icmpv6`, a number, or `all`.
    #[must_use]
    pub fn protocol_name(self) -> String {
        self.protocol()
            .map_or_else(|| "all".to_owned(), |protocol| protocol.to_string())
    }

    /// What [`Transport::protocol_name`] and [`Transport::from_to`] said;
    /// `None` for what they never say.
    #[must_use]
    pub fn said(protocol: &str, from: Option<i32>, to: Option<i32>) -> Option<Transport> {
        let byte = |number: i32| u8::try_from(number).ok();
        let ports = || PortRange::new(u16::try_from(from?).ok()?, u16::try_from(to?).ok()?);
        let scope = || match (from?, to?) {
            (-1, -1) => Some(IcmpTypeCode::Any),
            (kind, -1) => byte(kind).map(IcmpTypeCode::Type),
            (kind, code) => Some(IcmpTypeCode::TypeCode(byte(kind)?, byte(code)?)),
        };
        match protocol {
            "all" => Some(Transport::All),
            "tcp" => ports().map(Transport::Tcp),
            "udp" => ports().map(Transport::Udp),
            "icmp" => scope().map(Transport::Icmp),
            "icmpv6" => scope().map(Transport::Icmpv6),
            number => number
                .parse()
                .ok()
                .map(|number| Transport::Other(IpProtocol(number))),
        }
    }

    /// `FromPort` and `ToPort` as the cloud prints them: ports, or ICMP type
    /// and code with −1 for any; `None` where ports mean nothing.
    #[must_use]
    pub fn from_to(self) -> Option<(i32, i32)> {
        match self {
            Transport::All | Transport::Other(_) => None,
            Transport::Tcp(ports) | Transport::Udp(ports) => {
                Some((i32::from(ports.from()), i32::from(ports.to())))
            }
            Transport::Icmp(scope) | Transport::Icmpv6(scope) => Some(match scope {
                IcmpTypeCode::Any => (-1, -1),
                IcmpTypeCode::Type(kind) => (i32::from(kind), -1),
                IcmpTypeCode::TypeCode(kind, code) => (i32::from(kind), i32::from(code)),
            }),
        }
    }
}

impl fmt::Display for Transport {
    /// `tcp/443`, `udp/8000-8100`, `icmp`, `icmp/8`, `icmp/3/4`, `50`, `all`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.protocol_name();
        match self {
            Transport::All | Transport::Other(_) => f.write_str(&name),
            Transport::Tcp(ports) | Transport::Udp(ports) if *ports == PortRange::ALL => {
                write!(f, "{name}/all ports")
            }
            Transport::Tcp(ports) | Transport::Udp(ports) => write!(f, "{name}/{ports}"),
            Transport::Icmp(scope) | Transport::Icmpv6(scope) => match scope {
                IcmpTypeCode::Any => f.write_str(&name),
                IcmpTypeCode::Type(kind) => write!(f, "{name}/{kind}"),
                IcmpTypeCode::TypeCode(kind, code) => write!(f, "{name}/{kind}/{code}"),
            },
        }
    }
}

/// Whom a rule admits: source of ingress, destination of egress.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Peer {
    /// Addresses of a prefix, host bits cleared.
    #[serde(rename = "cidr")]
    Cidr(IpNet),
    /// Private addresses of interfaces that carry the group.
    #[serde(rename = "group")]
    SecurityGroup(SgId),
    /// Addresses of a prefix list, in its latest version.
    #[serde(rename = "prefix_list")]
    PrefixList(PrefixListId),
}

impl Peer {
    /// The family all of whose addresses it is.
    #[must_use]
    pub fn whole_family(&self) -> Option<Family> {
        match self {
            Peer::Cidr(net) if net.prefix_len() == 0 => Some(Family::of_net(*net)),
            Peer::Cidr(_) | Peer::SecurityGroup(_) | Peer::PrefixList(_) => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Cidr(net) => write!(f, "{net}"),
            Peer::SecurityGroup(group) => write!(f, "{group}"),
            Peer::PrefixList(list) => write!(f, "{list}"),
        }
    }
}

/// One rule of a security group: one transport, one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SgRule {
    /// Its id.
    pub id: SgRuleId,
    /// Which way it looks.
    pub direction: Direction,
    /// What it does.
    pub effect: Effect,
    /// Rank among rules, smaller first; `None` where the cloud has no ranks.
    pub priority: Option<u16>,
    /// What it matches.
    pub transport: Transport,
    /// Whom it matches.
    pub peer: Peer,
    /// What else it asks.
    pub limits: Limits,
    /// Free text by the customer; hostile until escaped.
    pub description: String,
}

impl SgRule {
    /// The order in which a group keeps its rules.
    #[must_use]
    pub fn by_direction_and_id(a: &SgRule, b: &SgRule) -> Ordering {
        (a.direction, &a.id).cmp(&(b.direction, &b.id))
    }

    /// The id of a rule that the cloud does not name:
    /// `GROUP/DIRECTION/PROTOCOL/FROM-TO/PEER`.
    #[must_use]
    pub fn derived_id(
        group: &SgId,
        direction: Direction,
        transport: Transport,
        peer: &Peer,
    ) -> SgRuleId {
        let ports = transport
            .from_to()
            .map_or_else(|| "all".to_owned(), |(from, to)| format!("{from}-{to}"));
        let text = format!(
            "{group}/{direction}/{}/{ports}/{peer}",
            transport.protocol_name()
        );
        SgRuleId::from(text.as_str())
    }
}

/// A security group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityGroup {
    /// Its id.
    pub id: SgId,
    /// Its name; hostile until escaped.
    pub name: String,
    /// Its description; hostile until escaped.
    pub description: String,
    /// The VPC it was created in.
    pub vpc_id: Option<VpcId>,
    /// Account that owns it.
    pub owner_id: Option<String>,
    /// Tags by key.
    pub tags: BTreeMap<String, String>,
    /// What holds beside its rules.
    pub policy: GroupPolicy,
    /// Rules of both directions, sorted by direction and id.
    pub rules: Vec<SgRule>,
}

impl SecurityGroup {
    /// The rules of one direction.
    pub fn rules_of(&self, direction: Direction) -> impl Iterator<Item = &SgRule> {
        self.rules
            .iter()
            .filter(move |rule| rule.direction == direction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn icmp_from_and_to_are_type_and_code_and_no_range() {
        let scope = IcmpTypeCode::TypeCode(3, 4);
        assert_eq!(scope.range(), PortRange::single(0x0304));
        assert_eq!(
            IcmpTypeCode::Type(8).range(),
            PortRange::spanning(0x0800, 0x08ff)
        );
        assert_eq!(
            Transport::Icmp(IcmpTypeCode::Type(8)).from_to(),
            Some((8, -1))
        );
    }

    #[test]
    fn a_rule_without_an_id_is_named_by_what_it_says() {
        let peer = Peer::Cidr("10.0.0.0/8".parse().unwrap());
        let transport = Transport::Tcp(PortRange::single(22));
        let id = SgRule::derived_id(&SgId::from("sg-1"), Direction::Ingress, transport, &peer);
        assert_eq!(id.as_str(), "sg-1/ingress/tcp/22-22/10.0.0.0/8");
        let id = SgRule::derived_id(
            &SgId::from("sg-1"),
            Direction::Egress,
            Transport::All,
            &peer,
        );
        assert_eq!(id.as_str(), "sg-1/egress/all/all/10.0.0.0/8");
    }
}
