//! What the groups of one interface, or the ACL of its subnet, do with one
//! packet, with the reason in words.
//!
//! `matching` and `acl` decide; here their answers are weighed and told. What
//! the snapshot leaves open stays undecided.

use crate::attribute::acl::AclDecision;
use crate::attribute::acl::decide;
use crate::attribute::cover::Unwritten;
use crate::attribute::ends::Seen;
use crate::attribute::ends::peered;
use crate::attribute::matching::Ask;
use crate::attribute::matching::Fit;
use crate::attribute::matching::covering;
use crate::attribute::matching::groups_of;
use crate::attribute::matching::members_fit;
use crate::attribute::matching::talking;
use crate::attribute::merge::Camp;
use crate::attribute::merge::Contender;
use crate::attribute::merge::Decision;
use crate::attribute::merge::Ground;
use crate::attribute::nearest::nearest_in_words;
use crate::attribute::nearest::service_text;
use crate::attribute::nearest::side;
use crate::attribute::scene::Scene;
use crate::attribute::why::Layer;
use crate::attribute::why::Near;
use crate::attribute::why::Passage;
use crate::attribute::why::Stage;
use crate::model::AclEntry;
use crate::model::Direction;
use crate::model::Eni;
use crate::model::NetworkAcl;
use crate::model::Peer;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRule;
use crate::net::IpProtocol;
use crate::net::PortRange;

/// A packet as one interface sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traffic<'t, 'a> {
    protocol: IpProtocol,
    service: PortRange,
    seen: &'t Seen<'a>,
}

/// What becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ruling {
    passage: Passage,
    rules: Vec<String>,
    nearest: Vec<Near>,
    text: String,
}

impl<'t, 'a> Traffic<'t, 'a> {
    pub(crate) fn new(
        protocol: IpProtocol,
        service: PortRange,
        seen: &'t Seen<'a>,
    ) -> Traffic<'t, 'a> {
        Traffic {
            protocol,
            service,
            seen,
        }
    }
}

impl Ruling {
    pub(crate) fn closed(text: String) -> Ruling {
        Ruling::bare(Passage::Blocked, text)
    }

    pub(crate) fn undecided(text: String) -> Ruling {
        Ruling::bare(Passage::Undecided, text)
    }

    fn bare(passage: Passage, text: String) -> Ruling {
        Ruling {
            passage,
            rules: Vec::new(),
            nearest: Vec::new(),
            text,
        }
    }

    /// Either of two that may apply: they hold only where they agree.
    pub(crate) fn or(mut self, mut other: Ruling) -> Ruling {
        if self.passage == other.passage {
            self.rules.retain(|rule| other.rules.contains(rule));
            return self;
        }
        self.rules.append(&mut other.rules);
        self.rules.sort();
        self.rules.dedup();
        Ruling {
            passage: Passage::Undecided,
            nearest: Vec::new(),
            text: format!("either {}, or {}", self.text, other.text),
            ..self
        }
    }

    /// The ruling as a stage.
    pub(crate) fn at(self, eni: &Eni, direction: Direction, layer: Layer, reply: bool) -> Stage {
        Stage {
            interface_id: eni.id,
            direction,
            layer,
            reply,
            passage: self.passage,
            rules: self.rules,
            nearest: self.nearest,
            text: self.text,
        }
    }
}

/// What the groups of an interface do, all their rules taken together
/// ([`merge`](crate::attribute::merge)).
pub(crate) fn by_groups(
    eni: &Eni,
    direction: Direction,
    traffic: &Traffic<'_, '_>,
    scene: &Scene<'_>,
) -> Ruling {
    let ask = Ask {
        local: eni,
        direction,
        protocol: traffic.protocol,
        services: &[traffic.service],
        sources: &[],
        peer: &traffic.seen.facts,
    };
    let (groups, lacks) = groups_of(eni, scene);
    let mut contenders: Vec<Contender<'_>> = covering(eni, &ask, scene)
        .into_iter()
        .map(|(group, rule, fit)| Contender {
            group,
            rule,
            fit: fit.min(reachable(rule, eni, traffic.seen, scene)),
        })
        .filter(|one| one.fit > Fit::None)
        .collect();
    contenders.sort_by_key(|one| &one.rule.id);
    contenders.dedup_by_key(|one| &one.rule.id);
    let members = if traffic.seen.translated {
        Fit::None
    } else {
        members_fit(&talking(groups.iter().copied()), ask.peer, direction)
    };
    let ground = Ground::of(groups.iter().copied(), direction, members);
    let decision = Decision::of(contenders.clone(), ground, ask.services, ask.sources);
    // A group that is not known may have a stronger rule, where rules have ranks.
    let overruled = lacks && groups.iter().any(|group| group.policy.ranked);
    match decision.passage() {
        Passage::Allowed | Passage::Blocked if overruled => Ruling::undecided(
            "the snapshot lacks a group that the interface carries, and its rules may come first"
                .to_owned(),
        ),
        Passage::Allowed => allowed(&decision, &contenders, &groups),
        Passage::Undecided if decision.members_meet_a_drop() => conflict(&decision),
        Passage::Undecided => doubtful(&decision, &contenders, traffic),
        Passage::Blocked if lacks => Ruling::undecided(
            "the snapshot lacks a group that the interface carries, and no rule of the others passes it"
                .to_owned(),
        ),
        Passage::Blocked => blocked(eni, &decision, &ask, scene),
    }
}

/// The most that a rule can fit for reasons of the path. References match
/// private addresses alone, and across VPCs only where a peering, a transit
/// gateway or an association carries them (VPC user guide, "Security group
/// referencing"); of these only peerings are surely known.
fn reachable(rule: &SgRule, eni: &Eni, seen: &Seen<'_>, scene: &Scene<'_>) -> Fit {
    let Peer::SecurityGroup(group) = &rule.peer else {
        return Fit::Whole;
    };
    if seen.translated {
        return if scene.on_balancer(group) {
            Fit::Possible
        } else {
            Fit::None
        };
    }
    let owner = seen.facts.owner().and_then(|owner| owner.vpc_id.as_ref());
    match (&eni.vpc_id, owner) {
        (Some(own), Some(other)) if own != other && !peered(own, other, scene.snapshot) => {
            Fit::Possible
        }
        (None | Some(_), None | Some(_)) => Fit::Whole,
    }
}

fn allowed(
    decision: &Decision<'_>,
    contenders: &[Contender<'_>],
    groups: &[&SecurityGroup],
) -> Ruling {
    let fit = |rule: &SgRule| {
        let mut own = contenders.iter().filter(|one| one.rule.id == rule.id);
        own.next().map(|one| one.fit)
    };
    let passing = || {
        let camp = &decision.allow;
        camp.sure
            .iter()
            .chain(&camp.possible)
            .map(|(_, rule)| *rule)
    };
    let strongest = passing().map(fit).max();
    let passing = passing().filter(|rule| Some(fit(rule)) == strongest);
    let rules: Vec<String> = sorted(passing.map(|rule| rule.id.to_string()));
    let unwritten = decision.passing_unwritten();
    let text = match unwritten {
        _ if decision.allow.sure.is_empty() && unwritten.is_some() => by_none(decision, groups),
        Some(Unwritten::Members) => format!(
            "by {}, and by the intra-group policy of {}",
            rules.join(", "),
            those_that_talk(groups)
        ),
        Some(Unwritten::Default) | None => format!("by {}", rules.join(", ")),
    };
    Ruling {
        rules,
        text,
        ..Ruling::bare(Passage::Allowed, String::new())
    }
}

/// What lets through what no rule is sure to match.
fn by_none(decision: &Decision<'_>, groups: &[&SecurityGroup]) -> String {
    if decision.members == Fit::Whole {
        return format!("by the intra-group policy of {}", those_that_talk(groups));
    }
    let groups: Vec<&str> = groups.iter().map(|group| group.id.as_str()).collect();
    format!(
        "by default: {} stop nothing here that no rule drops",
        groups.join(", ")
    )
}

fn those_that_talk(groups: &[&SecurityGroup]) -> String {
    let talking = talking(groups.iter().copied());
    let talking: Vec<&str> = talking.into_iter().map(SgId::as_str).collect();
    talking.join(", ")
}

/// A Drop among fellow members: what comes first, two pages tell differently.
fn conflict(decision: &Decision<'_>) -> Ruling {
    let rules = sorted(names(&decision.drop));
    let text = format!(
        "{} drops it, and the intra-group policy lets members through: which comes first is told differently by two pages of the documentation",
        rules.join(", ")
    );
    Ruling {
        rules,
        ..Ruling::bare(Passage::Undecided, text)
    }
}

fn names<'c>(camp: &'c Camp<'_>) -> impl Iterator<Item = String> + 'c {
    let rules = camp.sure.iter().chain(&camp.possible);
    rules.map(|(_, rule)| rule.id.to_string())
}

fn doubtful(
    decision: &Decision<'_>,
    contenders: &[Contender<'_>],
    traffic: &Traffic<'_, '_>,
) -> Ruling {
    let rules = sorted(names(&decision.allow).chain(names(&decision.drop)));
    let partly = contenders
        .iter()
        .any(|one| one.fit == Fit::Part && rules.contains(&one.rule.id.to_string()));
    let what = service_text(traffic.protocol, &[traffic.service]);
    let dropping = sorted(names(&decision.drop));
    let text = match (dropping.as_slice(), partly) {
        ([], true) => format!("{} passes only some of {what}", rules.join(", ")),
        ([], false) => format!(
            "{} may pass it: who {} is, or what the list holds, is not known",
            rules.join(", "),
            traffic.seen.facts.address
        ),
        (_, true) => format!("{} drops some of {what}", dropping.join(", ")),
        (_, false) => format!(
            "{} may drop it: who {} is, what the list holds, or a port that the rule asks for is not known",
            dropping.join(", "),
            traffic.seen.facts.address
        ),
    };
    Ruling {
        rules,
        ..Ruling::bare(Passage::Undecided, text)
    }
}

fn blocked(eni: &Eni, decision: &Decision<'_>, ask: &Ask<'_>, scene: &Scene<'_>) -> Ruling {
    let rules = sorted(names(&decision.drop));
    let groups: Vec<&str> = eni.groups.iter().map(SgId::as_str).collect();
    let what = service_text(ask.protocol, ask.services);
    let outranked = sorted(
        decision
            .allow
            .outranked
            .iter()
            .map(|(_, rule)| rule.id.to_string()),
    );
    let text = if rules.is_empty() {
        format!(
            "no rule of {} passes {what} {} {}",
            groups.join(", "),
            side(ask.direction),
            ask.peer.address
        )
    } else if outranked.is_empty() {
        format!("dropped by {}", rules.join(", "))
    } else {
        format!(
            "dropped by {} before {} is asked",
            rules.join(", "),
            outranked.join(", ")
        )
    };
    let nearest = nearest_in_words(eni, ask, scene);
    Ruling {
        rules,
        nearest: nearest
            .into_iter()
            .map(|(rule, text)| Near { rule, text })
            .collect(),
        ..Ruling::bare(Passage::Blocked, text)
    }
}

fn sorted(ids: impl Iterator<Item = String>) -> Vec<String> {
    let mut ids: Vec<String> = ids.collect();
    ids.sort();
    ids
}

/// What the ACL of the interface's subnet does.
pub(crate) fn by_acl(
    eni: &Eni,
    direction: Direction,
    traffic: &Traffic<'_, '_>,
    scene: &Scene<'_>,
) -> Ruling {
    let Some(subnet) = &eni.subnet_id else {
        let text = "the snapshot does not say in which subnet the interface is";
        return Ruling::undecided(text.to_owned());
    };
    let Some(acl) = scene.acl(subnet) else {
        return Ruling::undecided(format!(
            "the snapshot does not tell the network ACL of {subnet}"
        ));
    };
    let decision = decide(
        acl,
        direction,
        traffic.protocol,
        &[traffic.service],
        traffic.seen.facts.address,
    );
    let what = service_text(traffic.protocol, &[traffic.service]);
    let (passage, entry) = match decision {
        AclDecision::Allow(entry) => (Passage::Allowed, entry_id(acl, direction, Some(entry))),
        AclDecision::Deny(entry) => (Passage::Blocked, entry_id(acl, direction, entry)),
        AclDecision::Open => {
            return Ruling::undecided(format!("{} passes some of {what} and stops some", acl.id));
        }
    };
    let text = match passage {
        Passage::Allowed => format!("by {entry}"),
        Passage::Undecided | Passage::Blocked => format!("{entry} denies {what}"),
    };
    Ruling {
        rules: vec![entry],
        ..Ruling::bare(passage, text)
    }
}

/// `ACL/DIRECTION/NUMBER`; `*` for the closing denial.
fn entry_id(acl: &NetworkAcl, direction: Direction, entry: Option<&AclEntry>) -> String {
    let number = entry.map_or_else(|| "*".to_owned(), |entry| entry.number.to_string());
    format!("{}/{direction}/{number}", acl.id)
}
