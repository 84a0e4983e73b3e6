//! What the groups of one interface, or the ACL of its subnet, do with one
//! packet, with the reason in words.
//!
//! `matching` and `acl` decide; here their answers are weighed and told. What
//! the snapshot leaves open stays undecided.

use crate::attribute::acl::AclDecision;
use crate::attribute::acl::decide;
use crate::attribute::ends::Seen;
use crate::attribute::ends::peered;
use crate::attribute::matching::Ask;
use crate::attribute::matching::Fit;
use crate::attribute::matching::covering;
use crate::attribute::matching::groups_of;
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
use crate::model::Effect;
use crate::model::Eni;
use crate::model::NetworkAcl;
use crate::model::Peer;
use crate::model::SgId;
use crate::model::SgRule;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::net::PortSet;

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

/// What the groups of an interface do. Rules of all its groups are taken
/// together: by rank, and of one rank those that drop first; clouds without
/// ranks know only rules that allow, of which any one is enough.
pub(crate) fn by_groups(
    eni: &Eni,
    direction: Direction,
    traffic: &Traffic<'_, '_>,
    scene: &Scene<'_>,
) -> Ruling {
    let ask = Ask {
        direction,
        protocol: traffic.protocol,
        services: &[traffic.service],
        peer: &traffic.seen.facts,
    };
    let mut fits: Vec<(&SgRule, Fit)> = covering(eni, &ask, scene)
        .into_iter()
        .map(|(_, rule, fit)| (rule, fit.min(reachable(rule, eni, traffic.seen, scene))))
        .filter(|(_, fit)| *fit > Fit::None)
        .collect();
    fits.sort_by_key(|(rule, _)| (rule.priority, rule.effect == Effect::Allow, &rule.id));
    fits.dedup_by_key(|(rule, _)| &rule.id);
    let lacks = groups_of(eni, scene).1;
    match passage(&fits, traffic.service) {
        Passage::Allowed => allowed(&fits),
        Passage::Undecided => doubtful(&fits, traffic),
        Passage::Blocked if lacks => Ruling::undecided(
            "the snapshot lacks a group that the interface carries, and no rule of the others passes it"
                .to_owned(),
        ),
        Passage::Blocked => blocked(eni, &fits, &ask, scene),
    }
}

fn passage(fits: &[(&SgRule, Fit)], service: PortRange) -> Passage {
    let mut together = PortSet::empty();
    let mut unsure: Option<Effect> = None;
    for (rule, fit) in fits {
        if unsure.is_some_and(|earlier| earlier != rule.effect) {
            return Passage::Undecided;
        }
        if *fit >= Fit::Part {
            together.insert(rule.transport.service());
        }
        if together.covers(service) {
            return match rule.effect {
                Effect::Allow => Passage::Allowed,
                Effect::Drop => Passage::Blocked,
            };
        }
        unsure = Some(rule.effect);
    }
    match unsure {
        Some(Effect::Allow) => Passage::Undecided,
        Some(Effect::Drop) | None => Passage::Blocked,
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

fn allowed(fits: &[(&SgRule, Fit)]) -> Ruling {
    let strongest = fits.iter().map(|(_, fit)| *fit).max();
    let passing = fits
        .iter()
        .filter(|(rule, fit)| rule.effect == Effect::Allow && Some(*fit) == strongest);
    let rules: Vec<String> = sorted(passing.map(|(rule, _)| rule.id.to_string()));
    Ruling {
        text: format!("by {}", rules.join(", ")),
        rules,
        ..Ruling::bare(Passage::Allowed, String::new())
    }
}

fn doubtful(fits: &[(&SgRule, Fit)], traffic: &Traffic<'_, '_>) -> Ruling {
    let rules = sorted(fits.iter().map(|(rule, _)| rule.id.to_string()));
    let partly = fits.iter().any(|(_, fit)| *fit == Fit::Part);
    let text = if partly {
        format!(
            "{} passes only some of {}",
            rules.join(", "),
            service_text(traffic.protocol, &[traffic.service])
        )
    } else {
        format!(
            "{} may pass it: who {} is, or what the list holds, is not known",
            rules.join(", "),
            traffic.seen.facts.address
        )
    };
    Ruling {
        rules,
        ..Ruling::bare(Passage::Undecided, text)
    }
}

fn blocked(eni: &Eni, fits: &[(&SgRule, Fit)], ask: &Ask<'_>, scene: &Scene<'_>) -> Ruling {
    let drops = fits.iter().filter(|(rule, _)| rule.effect == Effect::Drop);
    let rules = sorted(drops.map(|(rule, _)| rule.id.to_string()));
    let groups: Vec<&str> = eni.groups.iter().map(SgId::as_str).collect();
    let what = service_text(ask.protocol, ask.services);
    let text = if rules.is_empty() {
        format!(
            "no rule of {} passes {what} {} {}",
            groups.join(", "),
            side(ask.direction),
            ask.peer.address
        )
    } else {
        format!("dropped by {}", rules.join(", "))
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
