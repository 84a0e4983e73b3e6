//! One flow explained: the stages it must pass, in order, and what each does.
//!
//! Groups and network ACLs are judged, routes are not. A request leaves by
//! the groups of its source, crosses the ACLs of both subnets where it changes
//! subnet, and enters by the groups of its destination. Groups remember it, so
//! its reply meets ACLs alone (VPC user guide, "Network ACLs").

use crate::attribute::ends::End;
use crate::attribute::ends::Ends;
use crate::attribute::ends::Seen;
use crate::attribute::ends::client_ports;
use crate::attribute::question::Endpoint;
use crate::attribute::question::Question;
use crate::attribute::ruling::Ruling;
use crate::attribute::ruling::Traffic;
use crate::attribute::ruling::by_acl;
use crate::attribute::ruling::by_groups;
use crate::attribute::scene::Scene;
use crate::attribute::unfiltered::unfiltered;
use crate::attribute::verdict::NearestRule;
use crate::model::Direction;
use crate::model::Eni;
use crate::model::EniId;
use crate::model::InterfaceKind;
use crate::model::Snapshot;
use crate::model::sg::IcmpTypeCode;
use crate::net::IpProtocol;
use crate::net::PortRange;

/// What a stage, or all of them together, do with a flow. Orders from good to
/// bad news: what blocks outweighs what is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Passage {
    /// Lets it through.
    Allowed,
    /// Cannot be told.
    Undecided,
    /// Stops it.
    Blocked,
}

/// What judges at a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// The groups of the interface.
    SecurityGroup,
    /// The ACL of the interface's subnet.
    NetworkAcl,
}

/// A rule that nearly passes the flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near {
    /// The rule and its misses.
    pub rule: NearestRule,
    /// The misses in words.
    pub text: String,
}

/// One thing that the flow must pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Where.
    pub interface_id: EniId,
    /// Seen from the interface, or from its subnet.
    pub direction: Direction,
    /// What judges.
    pub layer: Layer,
    /// Whether it is the reply that must pass.
    pub reply: bool,
    /// What becomes of it.
    pub passage: Passage,
    /// Rules that pass it, sorted; for an ACL the entry that decides, as
    /// `ACL/DIRECTION/NUMBER`. Where it cannot be told: those that may.
    pub rules: Vec<String>,
    /// Where it is blocked: the rules that come nearest.
    pub nearest: Vec<Near>,
    /// The reason in words.
    pub text: String,
}

/// One end as the answer names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its address; the id that was typed where it has none.
    pub name: String,
    /// Its interface.
    pub interface_id: Option<EniId>,
}

/// A flow explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who opens it.
    pub source: Place,
    /// To whom.
    pub destination: Place,
    /// Protocol.
    pub protocol: IpProtocol,
    /// As in [`Question::service`].
    pub service: PortRange,
    /// All stages together.
    pub passage: Passage,
    /// In the order in which the packets meet them.
    pub stages: Vec<Stage>,
    /// What the answer rests on and what it leaves out.
    pub notes: Vec<String>,
}

impl Place {
    fn of(end: End<'_>) -> Place {
        Place {
            name: end.address.to_string(),
            interface_id: end.eni.map(|eni| eni.id),
        }
    }

    fn unfound(endpoint: Endpoint) -> Place {
        Place {
            name: endpoint.to_string(),
            interface_id: None,
        }
    }
}

/// Explains one flow by the configuration of one snapshot.
#[must_use]
pub fn explain(question: &Question, snapshot: &Snapshot) -> Answer {
    let scene = Scene::new(snapshot);
    match Ends::find(question, &scene) {
        Ok(ends) => explain_between(question, ends, &scene),
        Err(reason) => untold(question, reason),
    }
}

fn untold(question: &Question, reason: String) -> Answer {
    Answer {
        source: Place::unfound(question.source),
        destination: Place::unfound(question.destination),
        protocol: question.protocol,
        service: question.service,
        passage: Passage::Undecided,
        stages: Vec::new(),
        notes: vec![reason],
    }
}

fn explain_between(question: &Question, ends: Ends<'_>, scene: &Scene<'_>) -> Answer {
    let mut answer = Answer {
        source: Place::of(ends.source),
        destination: Place::of(ends.destination),
        protocol: question.protocol,
        service: question.service,
        passage: Passage::Undecided,
        stages: Vec::new(),
        notes: Vec::new(),
    };
    if let Some(note) = never_judged(question, ends, scene) {
        answer.passage = Passage::Allowed;
        answer.notes.push(note);
        return answer;
    }
    if let Some(note) = not_askable(question, ends) {
        answer.notes.push(note);
        return answer;
    }
    let trip = Trip::new(question, ends, scene);
    answer.stages = trip.stages();
    let worst = answer.stages.iter().map(|stage| stage.passage).max();
    answer.passage = worst.unwrap_or(Passage::Undecided);
    answer.notes = trip.notes(&answer.stages);
    if answer.stages.is_empty() {
        answer
            .notes
            .push("no group and no ACL of the snapshot judges this flow".to_owned());
    }
    answer
}

/// Why no group and no ACL ever sees the flow.
fn never_judged(question: &Question, ends: Ends<'_>, scene: &Scene<'_>) -> Option<String> {
    if ends.is_self() {
        return Some(
            "source and destination are one interface: the packet never leaves it".to_owned(),
        );
    }
    let source = ends.source.eni?;
    let service = unfiltered(
        source,
        question.protocol,
        question.service,
        ends.destination.address,
        scene.snapshot,
    )?;
    Some(format!(
        "{} is {service}: neither groups nor network ACLs filter it",
        ends.destination.address
    ))
}

fn not_askable(question: &Question, ends: Ends<'_>) -> Option<String> {
    if ends.source.eni.is_none() && ends.destination.eni.is_none() {
        return Some(format!(
            "neither `{}` nor `{}` is an address of an interface in the snapshot",
            ends.source.address, ends.destination.address
        ));
    }
    let v6 = ends.source.address.is_ipv6();
    let (wrong, right) = if v6 {
        (IpProtocol::ICMP, IpProtocol::ICMPV6)
    } else {
        (IpProtocol::ICMPV6, IpProtocol::ICMP)
    };
    let family = if v6 { "IPv6" } else { "IPv4" };
    (question.protocol == wrong)
        .then(|| format!("{family} carries no {wrong}: ask for {right} instead"))
}

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Source,
    Destination,
}

/// A flow with both ends found.
struct Trip<'s, 'a> {
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
    fn new(question: &Question, ends: Ends<'a>, scene: &'s Scene<'a>) -> Trip<'s, 'a> {
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

    fn stages(&self) -> Vec<Stage> {
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
        let ruling = if side == Side::Destination && eni.kind == InterfaceKind::NatGateway {
            Ruling::closed("a NAT gateway takes no connection addressed to it")
        } else if eni.groups.is_empty() {
            return None;
        } else {
            self.rule(side, |seen| {
                let traffic = Traffic::new(self.protocol, self.service, seen);
                by_groups(eni, direction, &traffic, self.scene)
            })
        };
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
            Ruling::undecided(
                "the public address that the source leaves with is not in the snapshot",
            )
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

    fn notes(&self, stages: &[Stage]) -> Vec<String> {
        let mut notes = vec![
            "groups and network ACLs are judged, not routes, gateways, firewalls or hosts"
                .to_owned(),
        ];
        notes.extend(self.outsiders());
        notes.extend(self.translation());
        notes.extend(self.without_groups());
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
            "{} is a public address of {}: packets leave the VPC and come back, are seen there as from {seen}, and match no rule that names a group",
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
        InterfaceKind::Lambda => "Lambda",
        InterfaceKind::Interface | InterfaceKind::Efa | InterfaceKind::Other => "an interface",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::world::World;
    use crate::model::SgId;
    use crate::model::VpcId;
    use crate::model::vpc::VpcPeering;

    const OPEN: [&str; 2] = ["in all - 0.0.0.0/0", "out all - 0.0.0.0/0"];

    /// `eni-web` in subnet 1 and `eni-db` in subnet 2, open but for ingress
    /// of the database; open ACLs.
    fn two_tiers() -> World {
        World::new()
            .eni("eni-web", "subnet-1", "10.0.1.10", &["sg-web"])
            .eni("eni-db", "subnet-2", "10.0.2.30", &["sg-db"])
            .group("sg-web", &OPEN)
            .group(
                "sg-db",
                &[
                    "in tcp 5432 sg-web",
                    "in icmp 8 10.0.0.0/8",
                    "out all - 0.0.0.0/0",
                ],
            )
            .open_acl("acl-1", &["subnet-1"])
            .open_acl("acl-2", &["subnet-2"])
    }

    fn ask(world: World, source: &str, destination: &str, service: &str) -> Answer {
        let question = Question::parse(source, destination, service).unwrap();
        explain(&question, &world.snapshot())
    }

    /// Each stage as `interface direction layer`, `reply` before replies and
    /// the passage behind.
    fn stages(answer: &Answer) -> Vec<String> {
        let text = |stage: &Stage| {
            let layer = match stage.layer {
                Layer::SecurityGroup => "sg",
                Layer::NetworkAcl => "acl",
            };
            let reply = if stage.reply { "reply " } else { "" };
            let (id, direction) = (stage.interface_id, stage.direction);
            format!("{reply}{id} {direction} {layer} {:?}", stage.passage)
        };
        answer.stages.iter().map(text).collect()
    }

    #[test]
    fn a_request_meets_four_stages_and_its_reply_two() {
        let answer = ask(two_tiers(), "10.0.1.10", "eni-db", "tcp/5432");
        assert_eq!(answer.passage, Passage::Allowed);
        let expected = [
            "eni-web egress sg Allowed",
            "eni-web egress acl Allowed",
            "eni-db ingress acl Allowed",
            "eni-db ingress sg Allowed",
            "reply eni-db egress acl Allowed",
            "reply eni-web ingress acl Allowed",
        ];
        assert_eq!(stages(&answer), expected);
        assert_eq!(
            answer.stages[3].rules,
            ["sg-db/ingress/tcp/5432-5432/sg-web"]
        );
        assert_eq!(answer.stages[4].rules, ["acl-2/egress/100"]);
    }

    #[test]
    fn within_a_subnet_no_acl_is_asked() {
        let world = two_tiers().with_eni("eni-db", |eni| {
            eni.subnet_id = Some("subnet-1".into());
        });
        let answer = ask(world, "eni-web", "eni-db", "tcp/5432");
        let expected = ["eni-web egress sg Allowed", "eni-db ingress sg Allowed"];
        assert_eq!(stages(&answer), expected);
    }

    #[test]
    fn a_block_names_what_is_nearest() {
        let answer = ask(two_tiers(), "10.0.1.10", "10.0.2.30", "tcp/22");
        assert_eq!(answer.passage, Passage::Blocked);
        let near = &answer.stages[3].nearest[0];
        assert_eq!(near.rule.misses, [crate::attribute::verdict::Miss::Port]);
        assert!(near.text.ends_with("this is tcp/22"), "{}", near.text);
    }

    #[test]
    fn a_source_needs_an_egress_rule() {
        let world = two_tiers().group("sg-web", &["in all - 0.0.0.0/0"]);
        let answer = ask(world, "10.0.1.10", "10.0.2.30", "tcp/5432");
        assert_eq!(answer.stages[0].passage, Passage::Blocked);
        assert_eq!(answer.passage, Passage::Blocked);
    }

    #[test]
    fn an_acl_entry_stops_a_request() {
        let deny = [
            "in 90 deny tcp 5432 10.0.1.0/24",
            "in 100 allow all - 0.0.0.0/0",
        ];
        let world = two_tiers().acl("acl-2", &["subnet-2"], &deny);
        let answer = ask(world, "10.0.1.10", "10.0.2.30", "tcp/5432");
        assert_eq!(answer.stages[2].passage, Passage::Blocked);
        assert_eq!(answer.stages[2].rules, ["acl-2/ingress/90"]);
        // The reply leaves by a list that has no entry at all.
        assert_eq!(answer.stages[4].rules, ["acl-2/egress/*"]);
    }

    #[test]
    fn replies_to_part_of_the_client_ports_stay_undecided() {
        let windows = [
            "in 100 allow all - 0.0.0.0/0",
            "out 100 allow tcp 49152-65535 0.0.0.0/0",
        ];
        let world = two_tiers().acl("acl-2", &["subnet-2"], &windows);
        let answer = ask(world, "10.0.1.10", "10.0.2.30", "tcp/5432");
        assert_eq!(answer.stages[4].passage, Passage::Undecided);
        assert_eq!(answer.passage, Passage::Undecided);
        assert!(answer.notes.iter().any(|note| note.contains("32768-60999")));
    }

    #[test]
    fn an_unknown_acl_leaves_it_undecided_unless_something_blocks() {
        let world = || two_tiers().with(|snapshot| snapshot.acls.clear());
        let answer = ask(world(), "10.0.1.10", "10.0.2.30", "tcp/5432");
        assert_eq!(answer.passage, Passage::Undecided);
        let answer = ask(world(), "10.0.1.10", "10.0.2.30", "tcp/22");
        assert_eq!(answer.passage, Passage::Blocked);
    }

    #[test]
    fn an_echo_is_answered_by_another_type() {
        let no_answer = [
            "in 100 allow all - 0.0.0.0/0",
            "out 90 deny icmp 0 0.0.0.0/0",
            "out 100 allow all - 0.0.0.0/0",
        ];
        let world = two_tiers().acl("acl-2", &["subnet-2"], &no_answer);
        let answer = ask(world, "10.0.1.10", "10.0.2.30", "icmp/8/0");
        assert_eq!(answer.stages[4].passage, Passage::Blocked);
        // Nobody answers an error message.
        let world = two_tiers().group("sg-db", &OPEN);
        let answer = ask(world, "10.0.1.10", "10.0.2.30", "icmp/3/4");
        assert_eq!(answer.stages.len(), 4);
    }

    #[test]
    fn icmp_of_any_type_needs_more_than_one_type() {
        let answer = ask(two_tiers(), "10.0.1.10", "10.0.2.30", "icmp");
        assert_eq!(answer.stages[3].passage, Passage::Undecided);
    }

    #[test]
    fn rules_that_pass_parts_may_pass_the_whole_together() {
        let halves = ["in tcp 0-30000 0.0.0.0/0", "in tcp 20000-65535 sg-web"];
        let world = two_tiers().group("sg-db", &halves);
        let answer = ask(world, "10.0.1.10", "10.0.2.30", "tcp");
        assert_eq!(answer.stages[3].passage, Passage::Allowed);
        assert_eq!(answer.stages[3].rules.len(), 2);
    }

    #[test]
    fn an_end_outside_the_snapshot_adds_no_stage() {
        let world = two_tiers().group("sg-db", &OPEN);
        let answer = ask(world, "203.0.113.9", "10.0.2.30", "tcp/443");
        assert_eq!(answer.stages.len(), 3);
        assert_eq!(answer.passage, Passage::Allowed);
        let answer = ask(two_tiers(), "203.0.113.9", "203.0.113.10", "tcp/443");
        assert_eq!(
            (answer.passage, answer.stages.len()),
            (Passage::Undecided, 0)
        );
    }

    #[test]
    fn an_interface_that_is_unknown_cannot_be_told() {
        let answer = ask(two_tiers(), "eni-nobody", "10.0.2.30", "tcp/443");
        assert_eq!(answer.passage, Passage::Undecided);
        assert!(answer.notes[0].contains("`eni-nobody` is no interface"));
    }

    #[test]
    fn an_interface_reaches_itself() {
        let world = two_tiers().group("sg-db", &[]);
        let answer = ask(world, "eni-db", "10.0.2.30", "tcp/22");
        assert_eq!((answer.passage, answer.stages.len()), (Passage::Allowed, 0));
    }

    #[test]
    fn metadata_is_never_filtered() {
        let world = two_tiers().group("sg-web", &[]);
        let answer = ask(world, "eni-web", "169.254.169.254", "tcp/80");
        assert_eq!(answer.passage, Passage::Allowed);
        assert!(answer.notes[0].contains("instance metadata"));
    }

    #[test]
    fn an_unknown_group_may_pass_it() {
        let world = two_tiers().with_eni("eni-db", |eni| eni.groups.push(SgId::from("sg-lost")));
        let answer = ask(world, "10.0.1.10", "10.0.2.30", "tcp/22");
        assert_eq!(answer.stages[3].passage, Passage::Undecided);
    }

    #[test]
    fn clients_behind_a_balancer_leave_its_group_undecided() {
        let world = two_tiers()
            .eni("eni-nlb", "subnet-1", "10.0.1.90", &["sg-nlb"])
            .with_eni("eni-nlb", |eni| {
                eni.kind = InterfaceKind::NetworkLoadBalancer;
            })
            .group("sg-nlb", &OPEN)
            .group("sg-db", &["in tcp 5432 sg-nlb"]);
        let answer = ask(world, "203.0.113.9", "10.0.2.30", "tcp/5432");
        assert_eq!(answer.passage, Passage::Undecided);
    }

    #[test]
    fn a_nat_gateway_sends_unfiltered_and_takes_nothing() {
        let world = || {
            two_tiers()
                .eni("eni-nat", "subnet-1", "10.0.1.9", &[])
                .with_eni("eni-nat", |eni| eni.kind = InterfaceKind::NatGateway)
        };
        let answer = ask(world(), "eni-web", "eni-nat", "tcp/22");
        assert_eq!(answer.passage, Passage::Blocked);
        let answer = ask(world(), "eni-nat", "203.0.113.9", "tcp/443");
        assert_eq!(stages(&answer)[0], "eni-nat egress acl Allowed");
        assert!(
            answer
                .notes
                .iter()
                .any(|note| note.contains("carries no group"))
        );
    }

    /// The database has a public address and admits `rule`.
    fn public_database(rule: &str) -> World {
        two_tiers()
            .with_eni("eni-db", |eni| {
                eni.public_addresses = vec!["198.51.100.30".parse().unwrap()];
            })
            .group("sg-db", &[rule, "out all - 0.0.0.0/0"])
    }

    #[test]
    fn to_a_public_address_references_never_match() {
        let web = |world: World| {
            world.with_eni("eni-web", |eni| {
                eni.public_addresses = vec!["198.51.100.10".parse().unwrap()];
            })
        };
        let world = web(public_database("in tcp 5432 sg-web"));
        let answer = ask(world, "10.0.1.10", "198.51.100.30", "tcp/5432");
        assert_eq!(stages(&answer)[3], "eni-db ingress sg Blocked");
        let world = web(public_database("in tcp 5432 198.51.100.10/32"));
        let answer = ask(world, "10.0.1.10", "198.51.100.30", "tcp/5432");
        assert_eq!(answer.passage, Passage::Allowed);
    }

    #[test]
    fn to_a_public_address_within_a_subnet_the_acl_is_asked() {
        let world = public_database("in tcp 5432 0.0.0.0/0").with_eni("eni-db", |eni| {
            eni.subnet_id = Some("subnet-1".into());
        });
        let answer = ask(world, "10.0.1.10", "198.51.100.30", "tcp/5432");
        assert_eq!(answer.stages.len(), 6);
    }

    #[test]
    fn a_nat_gateway_or_the_own_address_must_agree() {
        let world = |rule: &str| {
            public_database(rule)
                .with_eni("eni-web", |eni| {
                    eni.public_addresses = vec!["198.51.100.10".parse().unwrap()];
                })
                .eni("eni-nat", "subnet-1", "10.0.1.9", &[])
                .with_eni("eni-nat", |eni| {
                    eni.kind = InterfaceKind::NatGateway;
                    eni.public_addresses = vec!["198.51.100.9".parse().unwrap()];
                })
        };
        let passage = |rule: &str| ask(world(rule), "eni-web", "198.51.100.30", "tcp/22").passage;
        assert_eq!(passage("in tcp 22 198.51.100.0/24"), Passage::Allowed);
        assert_eq!(passage("in tcp 22 198.51.100.9/32"), Passage::Undecided);
        assert_eq!(passage("in tcp 22 203.0.113.0/24"), Passage::Blocked);
    }

    #[test]
    fn a_source_without_any_public_address_cannot_be_told() {
        let world = public_database("in tcp 22 0.0.0.0/0");
        let answer = ask(world, "eni-web", "198.51.100.30", "tcp/22");
        assert_eq!(answer.passage, Passage::Undecided);
    }

    /// A second VPC with a twin of the database at the same address.
    fn twins() -> World {
        let far = |eni: &mut Eni| eni.vpc_id = Some(VpcId::from("vpc-2"));
        two_tiers()
            .eni("eni-twin", "subnet-9", "10.0.2.30", &["sg-db"])
            .with_eni("eni-twin", far)
            .eni("eni-far", "subnet-9", "10.0.9.9", &["sg-web"])
            .with_eni("eni-far", far)
    }

    #[test]
    fn of_two_owners_that_of_the_same_vpc_is_meant() {
        let answer = ask(twins(), "eni-web", "10.0.2.30", "tcp/5432");
        assert_eq!(answer.destination.interface_id, EniId::parse("eni-db"));
        let answer = ask(twins(), "eni-far", "10.0.2.30", "tcp/5432");
        assert_eq!(answer.destination.interface_id, EniId::parse("eni-twin"));
        let answer = ask(twins(), "203.0.113.9", "10.0.2.30", "tcp/5432");
        assert_eq!(answer.passage, Passage::Undecided);
        assert!(
            answer.notes[0].contains("eni-db and eni-twin"),
            "{:?}",
            answer.notes
        );
    }

    #[test]
    fn across_vpcs_a_reference_needs_a_peering() {
        let world = || {
            twins()
                .open_acl("acl-9", &["subnet-9"])
                .group("sg-db", &["in tcp 5432 sg-web"])
        };
        let answer = ask(world(), "eni-far", "eni-db", "tcp/5432");
        assert_eq!(answer.passage, Passage::Undecided);
        let peered = world().with(|snapshot| {
            snapshot.peerings.insert(VpcPeering {
                id: "pcx-1".to_owned(),
                vpcs: ["vpc-1".into(), "vpc-2".into()],
                active: true,
            });
        });
        let answer = ask(peered, "eni-far", "eni-db", "tcp/5432");
        assert_eq!(answer.passage, Passage::Allowed);
    }

    #[test]
    fn hosts_with_several_interfaces_are_noted() {
        let host = |eni: &mut Eni| eni.instance_id = Some("i-1".to_owned());
        let world = two_tiers()
            .eni("eni-second", "subnet-2", "10.0.2.31", &["sg-db"])
            .with_eni("eni-second", host)
            .with_eni("eni-db", host);
        let answer = ask(world, "eni-web", "eni-db", "tcp/5432");
        assert!(
            answer
                .notes
                .iter()
                .any(|note| note.contains("has eni-second too"))
        );
    }

    #[test]
    fn icmp_of_the_other_family_is_no_packet() {
        let answer = ask(two_tiers(), "eni-web", "eni-db", "icmpv6");
        assert_eq!(answer.passage, Passage::Undecided);
        assert!(answer.notes[0].contains("ask for icmp instead"));
    }
}
