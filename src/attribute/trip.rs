//! The stages of one flow between two found ends, and what must be said
//! beside them.

use crate::attribute::ends::Ends;
use crate::attribute::ends::Seen;
use crate::attribute::ends::client_ports;
use crate::attribute::question::Question;
use crate::attribute::ruling::Ruling;
use crate::attribute::ruling::Traffic;
use crate::attribute::ruling::by_acl;
use crate::attribute::ruling::by_groups;
use crate::attribute::scene::Scene;
use crate::attribute::why::Layer;
use crate::attribute::why::Stage;
use crate::model::Direction;
use crate::model::Eni;
use crate::model::InterfaceKind;
use crate::model::Snapshot;
use crate::model::sg::IcmpTypeCode;
use crate::net::IpProtocol;
use crate::net::PortRange;

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Source,
    Destination,
}

/// A flow with both ends found.
pub(crate) struct Trip<'s, 'a> {
    ends: Ends<'a>,
    scene: &'s Scene<'a>,
    protocol: IpProtocol,
    service: PortRange,
    /// As the source sees the destination.
    far: Vec<Seen<'a>>,
    /// As the destination may see the source.
    near: Vec<Seen<'a>>,
}

impl<'s, 'a> Trip<'s, 'a> {
    pub(crate) fn new(question: &Question, ends: Ends<'a>, scene: &'s Scene<'a>) -> Trip<'s, 'a> {
        let far = ends.source.eni.map(|eni| ends.seen_by_source(eni, scene));
        let near = ends.destination.eni;
        let near = near.map(|eni| ends.seen_by_destination(eni, scene));
        Trip {
            ends,
            scene,
            protocol: question.protocol,
            service: question.service,
            far: far.into_iter().collect(),
            near: near.unwrap_or_default(),
        }
    }

    /// In the order in which the packets meet them.
    pub(crate) fn stages(&self) -> Vec<Stage> {
        let request = [
            self.groups(Side::Source),
            self.acl(Side::Source, false),
            self.acl(Side::Destination, false),
            self.groups(Side::Destination),
        ];
        let reply = [
            self.acl(Side::Destination, true),
            self.acl(Side::Source, true),
        ];
        request.into_iter().chain(reply).flatten().collect()
    }

    fn eni(&self, side: Side) -> Option<&'a Eni> {
        match side {
            Side::Source => self.ends.source.eni,
            Side::Destination => self.ends.destination.eni,
        }
    }

    fn groups(&self, side: Side) -> Option<Stage> {
        let eni = self.eni(side)?;
        let direction = request_direction(side);
        let by_kind = (side == Side::Destination).then(|| taken(eni, self.protocol));
        let ruling = by_kind.flatten().or_else(|| {
            let judge = |seen: &Seen<'a>| {
                let traffic = Traffic::new(self.protocol, self.service, seen);
                by_groups(eni, direction, &traffic, self.scene)
            };
            (!eni.groups.is_empty()).then(|| self.rule(side, judge))
        })?;
        Some(ruling.at(eni, direction, Layer::SecurityGroup, false))
    }

    /// What the ACL of one side's subnet does; `None` where the packet stays
    /// within the subnet, or no reply is due.
    fn acl(&self, side: Side, reply: bool) -> Option<Stage> {
        let eni = self.eni(side)?;
        if self.within_subnet(side) {
            return None;
        }
        let outward = request_direction(side);
        let direction = if reply { outward.reverse() } else { outward };
        if reply {
            reply_service(self.protocol, self.service, client_ports(None))?;
        }
        let ruling = self.rule(side, |seen| {
            let client = match side {
                Side::Source => client_ports(Some(eni)),
                Side::Destination => seen.client_ports,
            };
            let answer = reply_service(self.protocol, self.service, client);
            let service = answer.filter(|_| reply).unwrap_or(self.service);
            let traffic = Traffic::new(self.protocol, service, seen);
            by_acl(eni, direction, &traffic, self.scene)
        });
        Some(ruling.at(eni, direction, Layer::NetworkAcl, reply))
    }

    /// The ruling over every way that the far side may be seen.
    fn rule(&self, side: Side, judge: impl Fn(&Seen<'a>) -> Ruling) -> Ruling {
        let views = match side {
            Side::Source => &self.far,
            Side::Destination => &self.near,
        };
        let rulings = views.iter().map(judge);
        rulings.reduce(Ruling::or).unwrap_or_else(|| {
            let text = "the public address that the source leaves with is not in the snapshot";
            Ruling::undecided(text.to_owned())
        })
    }

    fn within_subnet(&self, side: Side) -> bool {
        let (eni, views) = match side {
            Side::Source => (self.ends.source.eni, &self.far),
            Side::Destination => (self.ends.destination.eni, &self.near),
        };
        let seen = views.iter().find(|seen| !seen.translated);
        !self.ends.destination.public
            && eni.is_some_and(|eni| {
                seen.is_some_and(|seen| self.scene.same_subnet(eni, &seen.facts))
            })
    }

    /// What the stages rest on and what they leave out.
    pub(crate) fn notes(&self, stages: &[Stage]) -> Vec<String> {
        let mut notes = vec![
            "groups and network ACLs are judged, not routes, gateways, firewalls or hosts"
                .to_owned(),
        ];
        notes.extend(self.outsiders());
        notes.extend(self.translation());
        notes.extend(self.without_groups());
        notes.extend(self.eni(Side::Destination).and_then(beyond_groups));
        notes.extend(self.unattached());
        notes.extend(self.other_interfaces());
        notes.extend(self.assumed_ports(stages));
        notes
    }

    fn outsiders(&self) -> Option<String> {
        let ends = [self.ends.source, self.ends.destination];
        let outside = ends.into_iter().find(|end| end.eni.is_none())?;
        Some(format!(
            "{} is no interface of the snapshot: only the other end is judged",
            outside.address
        ))
    }

    fn translation(&self) -> Option<String> {
        let destination = self.ends.destination;
        let to = destination.eni.filter(|_| destination.public)?;
        let seen: Vec<String> = self
            .near
            .iter()
            .map(|seen| seen.facts.address.to_string())
            .collect();
        let seen = if seen.is_empty() {
            "an unknown address".to_owned()
        } else {
            seen.join(" or ")
        };
        Some(format!(
            "{} is a public address of {}: packets leave the VPC and come back, are seen there as from {seen}, and match no rule that names a group; both subnets need a route to an internet or NAT gateway, and a reply that leaves by a NAT gateway is lost",
            destination.address, to.id
        ))
    }

    fn without_groups(&self) -> Vec<String> {
        let ends = [self.ends.source, self.ends.destination];
        let bare = ends
            .iter()
            .filter_map(|end| end.eni)
            .filter(|eni| eni.groups.is_empty());
        bare.map(|eni| {
            format!(
                "{} ({}) carries no group: groups do not filter it",
                eni.id,
                kind_name(eni.kind)
            )
        })
        .collect()
    }

    fn unattached(&self) -> Vec<String> {
        let ends = [self.ends.source, self.ends.destination];
        let idle = ends
            .iter()
            .filter_map(|end| end.eni)
            .filter(|eni| !eni.in_use);
        idle.map(|eni| format!("{} is attached to nothing", eni.id))
            .collect()
    }

    /// Hosts with several interfaces choose by their own routes which one
    /// sends: the stages of that one apply then.
    fn other_interfaces(&self) -> Vec<String> {
        let ends = [self.ends.source, self.ends.destination];
        ends.iter()
            .filter_map(|end| end.eni)
            .filter_map(|eni| {
                let others = siblings(eni, self.scene.snapshot);
                (!others.is_empty()).then(|| {
                    format!(
                        "the host of {} has {} too: what it sends by that one must pass that one's groups and ACL",
                        eni.id,
                        others.join(" and ")
                    )
                })
            })
            .collect()
    }

    fn assumed_ports(&self, stages: &[Stage]) -> Option<String> {
        let assumed = self.protocol.has_ports() && stages.iter().any(|stage| stage.reply);
        let source = self.ends.source.eni;
        assumed.then(|| {
            format!(
                "replies are taken to go to client ports {}{}",
                client_ports(source),
                if client_ports(source) == client_ports(None) {
                    ", those of Linux; other systems use others"
                } else {
                    ""
                }
            )
        })
    }
}

/// The direction in which a request crosses the interface of a side.
fn request_direction(side: Side) -> Direction {
    match side {
        Side::Source => Direction::Egress,
        Side::Destination => Direction::Ingress,
    }
}

/// What a destination does by its kind, whatever its groups: some take no
/// connection, or none of the protocol (VPC user guide, "NAT gateways";
/// `PrivateLink` guide, "Considerations"; ELB guide, "Listeners"). `None` where
/// its groups decide.
fn taken(eni: &Eni, protocol: IpProtocol) -> Option<Ruling> {
    let kind = kind_name(eni.kind);
    match eni.kind {
        InterfaceKind::NatGateway | InterfaceKind::TransitGateway => Some(Ruling::closed(format!(
            "{kind} takes no connection addressed to it"
        ))),
        InterfaceKind::NetworkLoadBalancer | InterfaceKind::VpcEndpoint if protocol.is_icmp() => {
            Some(Ruling::closed(format!(
                "{kind} takes TCP and UDP alone and answers no ping"
            )))
        }
        InterfaceKind::NetworkLoadBalancer if eni.groups.is_empty() => {
            Some(Ruling::undecided(format!(
                "{kind} without groups filters nothing: its listeners and the groups of its targets decide"
            )))
        }
        InterfaceKind::NetworkLoadBalancer
        | InterfaceKind::VpcEndpoint
        | InterfaceKind::Interface
        | InterfaceKind::LoadBalancer
        | InterfaceKind::GatewayLoadBalancer
        | InterfaceKind::Lambda
        | InterfaceKind::Efa
        | InterfaceKind::Other => None,
    }
}

/// What a destination that its groups open may still refuse.
fn beyond_groups(eni: &Eni) -> Option<String> {
    let limit = match eni.kind {
        InterfaceKind::NetworkLoadBalancer | InterfaceKind::LoadBalancer => {
            "takes only the ports of its listeners, and its targets have groups of their own"
        }
        InterfaceKind::VpcEndpoint => "takes only the ports of its service",
        InterfaceKind::Lambda => "takes no connection from outside its function",
        InterfaceKind::NatGateway
        | InterfaceKind::TransitGateway
        | InterfaceKind::GatewayLoadBalancer
        | InterfaceKind::Interface
        | InterfaceKind::Efa
        | InterfaceKind::Other => return None,
    };
    Some(format!(
        "{} is {} and {limit}, whatever its groups pass",
        eni.id,
        kind_name(eni.kind)
    ))
}

/// What an answer looks like to an ACL: its port is the client's, and an ICMP
/// request is answered by another type (RFC 792, RFC 4443). `None` for ICMP
/// messages that nobody answers.
fn reply_service(
    protocol: IpProtocol,
    service: PortRange,
    client_ports: PortRange,
) -> Option<PortRange> {
    if protocol.has_ports() {
        return Some(client_ports);
    }
    let [kind, _] = service.from().to_be_bytes();
    if !protocol.is_icmp() || service.count() > IcmpTypeCode::Type(kind).range().count() {
        return Some(PortRange::ALL);
    }
    let answer = match (protocol, kind) {
        (IpProtocol::ICMP, 8) => 0,
        (IpProtocol::ICMP, 13) => 14,
        (IpProtocol::ICMP, 15) => 16,
        (IpProtocol::ICMP, 17) => 18,
        (IpProtocol::ICMPV6, 128) => 129,
        (_, _) => return None,
    };
    Some(IcmpTypeCode::TypeCode(answer, 0).range())
}

/// Other interfaces of the same instance.
fn siblings(eni: &Eni, snapshot: &Snapshot) -> Vec<String> {
    let others = snapshot.enis.values().filter(|other| {
        other.id != eni.id && eni.instance_id.is_some() && other.instance_id == eni.instance_id
    });
    others.map(|other| other.id.to_string()).collect()
}

fn kind_name(kind: InterfaceKind) -> &'static str {
    match kind {
        InterfaceKind::NatGateway => "a NAT gateway",
        InterfaceKind::NetworkLoadBalancer => "a Network Load Balancer",
        InterfaceKind::LoadBalancer => "a load balancer",
        InterfaceKind::GatewayLoadBalancer => "a Gateway Load Balancer or its endpoint",
        InterfaceKind::TransitGateway => "a transit gateway attachment",
        InterfaceKind::VpcEndpoint => "a VPC endpoint",
        InterfaceKind::Lambda => "a Lambda interface",
        InterfaceKind::Interface | InterfaceKind::Efa | InterfaceKind::Other => "an interface",
    }
}
