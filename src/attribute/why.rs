//! One flow explained: the stages it must pass, in order, and what each does.
//!
//! Groups and network ACLs are judged, routes are not. A request leaves by
//! the groups of its source, crosses the ACLs of both subnets where it changes
//! subnet, and enters by the groups of its destination. Groups remember it, so
//! its reply meets ACLs alone (VPC user guide, "Network ACLs").

use crate::attribute::ends::End;
use crate::attribute::ends::Ends;
use crate::attribute::question::Endpoint;
use crate::attribute::question::Question;
use crate::attribute::scene::Scene;
use crate::attribute::trip::Trip;
use crate::attribute::unfiltered::unfiltered;
use crate::attribute::verdict::NearestRule;
use crate::model::Direction;
use crate::model::EniId;
use crate::model::Snapshot;
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

impl Answer {
    /// The exit code of `why`: 0 allowed, 1 not, 2 could not tell.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.passage {
            Passage::Allowed => 0,
            Passage::Blocked => 1,
            Passage::Undecided => 2,
        }
    }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::attribute::world::World;
    use crate::model::Eni;
    use crate::model::InterfaceKind;
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
        let world = || two_tiers().with(|snapshot| Arc::make_mut(&mut snapshot.acls).clear());
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

    /// The database's interface belongs to something else.
    fn kind(kind: InterfaceKind, groups: &[&str]) -> World {
        let groups: Vec<SgId> = groups.iter().map(|id| SgId::from(*id)).collect();
        two_tiers().group("sg-db", &OPEN).with_eni("eni-db", |eni| {
            eni.kind = kind;
            eni.groups = groups;
        })
    }

    #[test]
    fn a_balancer_without_groups_leaves_it_to_its_targets() {
        let balancer = || kind(InterfaceKind::NetworkLoadBalancer, &[]);
        let answer = ask(balancer(), "eni-web", "eni-db", "tcp/80");
        assert_eq!(answer.passage, Passage::Undecided);
        let answer = ask(balancer(), "eni-web", "eni-db", "icmp/8/0");
        assert_eq!(answer.passage, Passage::Blocked);
        let grouped = kind(InterfaceKind::NetworkLoadBalancer, &["sg-db"]);
        let answer = ask(grouped, "eni-web", "eni-db", "tcp/80");
        assert_eq!(answer.passage, Passage::Allowed);
    }

    #[test]
    fn an_endpoint_is_judged_by_its_groups_and_answers_no_ping() {
        let endpoint = || kind(InterfaceKind::VpcEndpoint, &["sg-db"]);
        let answer = ask(endpoint(), "eni-web", "eni-db", "tcp/22");
        assert_eq!(answer.passage, Passage::Allowed);
        let limit = "takes only the ports of its service";
        assert!(answer.notes.iter().any(|note| note.contains(limit)));
        let answer = ask(endpoint(), "eni-web", "eni-db", "icmp/8/0");
        assert_eq!(answer.passage, Passage::Blocked);
    }

    #[test]
    fn a_transit_gateway_attachment_takes_nothing() {
        let answer = ask(
            kind(InterfaceKind::TransitGateway, &[]),
            "eni-web",
            "eni-db",
            "tcp/22",
        );
        assert_eq!(answer.passage, Passage::Blocked);
    }

    #[test]
    fn replies_to_a_balancer_go_to_more_client_ports() {
        let entries = [
            "in 100 allow all - 0.0.0.0/0",
            "out 100 allow tcp 32768-60999 0.0.0.0/0",
        ];
        let world = || two_tiers().acl("acl-2", &["subnet-2"], &entries);
        let answer = ask(world(), "eni-web", "eni-db", "tcp/5432");
        assert_eq!(answer.passage, Passage::Allowed);
        let balancer = world().with_eni("eni-web", |eni| eni.kind = InterfaceKind::LoadBalancer);
        let answer = ask(balancer, "eni-web", "eni-db", "tcp/5432");
        assert_eq!(answer.stages[4].passage, Passage::Undecided);
    }

    #[test]
    fn a_stronger_drop_stops_it_and_is_named() {
        let world = two_tiers().with(|snapshot| {
            let group = Arc::make_mut(&mut snapshot.groups)
                .get_mut(&SgId::from("sg-db"))
                .unwrap();
            let mut drop = group.rules[0].clone();
            drop.id = "sg-db/drop".into();
            drop.effect = crate::model::Effect::Drop;
            drop.priority = Some(1);
            group.rules[0].priority = Some(1);
            group.rules.push(drop);
        });
        let answer = ask(world, "eni-web", "eni-db", "tcp/5432");
        assert_eq!(answer.stages[3].passage, Passage::Blocked);
        assert_eq!(answer.stages[3].rules, ["sg-db/drop"]);
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
