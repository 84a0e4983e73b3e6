//! What was seen under today's rules, against any other rules: what would
//! break, and what would newly open.
//!
//! Other than a proposal, other rules may say anything: let through what no
//! rule did, stand in another group of the interface, come with other groups
//! on it. So each conversation is put to all groups that its interface will
//! carry, and each rule is held against today's rules of its own group: what
//! another group lets through today, it does for other interfaces.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use ipnet::IpNet;
use rayon::prelude::*;

use crate::attribute::needs::Passed;
use crate::attribute::needs::RuleRef;
use crate::model::Direction;
use crate::model::EniId;
use crate::model::Peer;
use crate::model::PrefixList;
use crate::model::PrefixListId;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::SgRuleId;
use crate::model::Snapshot;
use crate::model::Transport;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::net::cidr::host_net;
use crate::tighten::proof::Broken;
use crate::tighten::proof::Flow;
use crate::tighten::proof::Outcome;
use crate::tighten::proof::Said;
use crate::tighten::proof::book::Book;
use crate::tighten::proof::book::Owners;
use crate::tighten::proof::contain;
use crate::tighten::proof::contain::Packet;

/// Conversations replayed together.
const PART: usize = 4_096;

/// Something that passed and would pass no more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lost {
    /// The interface that let it through.
    pub interface_id: EniId,
    /// Which way it was opened.
    pub direction: Direction,
    /// Its protocol.
    pub protocol: IpProtocol,
    /// The part of its service that would no longer pass.
    pub service: PortRange,
    /// The far side.
    pub peer: std::net::IpAddr,
    /// A rule of today that lets it through.
    pub rule: RuleRef,
    /// Records of its initiator-to-responder half.
    pub records: u64,
    /// Whether it is not sure who opened it.
    pub in_doubt: bool,
}

/// What a replay against other rules found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Conversations replayed.
    pub connections: u64,
    /// Those that today's rules do not explain; they are not replayed.
    pub unexplained: u64,
    /// Those that would break, sorted.
    pub lost: Vec<Lost>,
}

impl Loss {
    /// What becomes of all conversations; `rule` names what let one through that
    /// would break.
    pub(super) fn over(
        passed: &[Passed],
        outcome: impl Fn(&Passed) -> Outcome + Sync,
        rule: impl Fn(&Passed, &Broken) -> Option<RuleRef> + Sync,
    ) -> Loss {
        let parts = passed.par_chunks(PART).map(|part| {
            let mut loss = Loss::default();
            for one in part {
                loss.add(one, outcome(one), &rule);
            }
            loss
        });
        let mut loss = parts.reduce(Loss::default, Loss::join);
        loss.lost.sort_unstable();
        loss
    }

    fn add(
        &mut self,
        passed: &Passed,
        outcome: Outcome,
        rule: &impl Fn(&Passed, &Broken) -> Option<RuleRef>,
    ) {
        let broken = match outcome {
            Outcome::Unexplained => {
                self.unexplained += 1;
                return;
            }
            Outcome::Passes => None,
            Outcome::Breaks(broken) => Some(broken),
        };
        self.connections += 1;
        let lost = broken.and_then(|broken| {
            Some(Lost {
                interface_id: passed.interface_id,
                direction: passed.direction,
                protocol: broken.protocol,
                service: broken.service,
                peer: broken.peer,
                rule: rule(passed, &broken)?,
                records: passed.records,
                in_doubt: passed.in_doubt,
            })
        });
        self.lost.extend(lost);
    }

    /// What two parts of the conversations came to.
    fn join(mut self, other: Loss) -> Loss {
        self.connections += other.connections;
        self.unexplained += other.unexplained;
        self.lost.extend(other.lost);
        self
    }
}

/// A box that is open after and was not before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opened {
    /// The group.
    pub group_id: SgId,
    /// The direction.
    pub direction: Direction,
    /// The rule that opens it.
    pub rule_id: SgRuleId,
    /// The interface that newly carries the group, where that is why.
    pub interface_id: Option<EniId>,
    /// What the rule matches.
    pub transport: Transport,
    /// Whom it admits.
    pub peer: Peer,
    /// A packet that passes after and not before.
    pub packet: Packet,
}

/// Today's rules beside others.
#[derive(Debug)]
pub struct Against<'a> {
    /// Today.
    pub today: &'a Snapshot,
    /// The other rules, all groups of them.
    pub after: &'a BTreeMap<SgId, SecurityGroup>,
    /// Groups that interfaces will carry, where that changes.
    pub carried: &'a BTreeMap<EniId, Vec<SgId>>,
    /// Who carried which group.
    pub book: &'a Book<'a>,
    /// The state of the cloud that the other rules belong to, where it is known.
    pub other: Option<(&'a Snapshot, &'a Owners<'a>)>,
}

impl<'a> Against<'a> {
    /// Replays all conversations.
    #[must_use]
    pub fn loss(&self, passed: &[Passed]) -> Loss {
        let today = self.rules_of_today();
        let outcome = |one: &Passed| self.outcome(one, &today);
        Loss::over(passed, outcome, |one, broken| {
            let of_rule = |by: &&RuleRef| by.rule_id == broken.rule_id;
            one.covered_by.iter().find(of_rule).cloned()
        })
    }

    fn rules_of_today(&self) -> BTreeMap<(&'a SgId, &'a SgRuleId), &'a SgRule> {
        let groups = self.today.groups.values();
        let rules = groups.flat_map(|group| group.rules.iter().map(move |rule| (group, rule)));
        rules
            .map(|(group, rule)| ((&group.id, &rule.id), rule))
            .collect()
    }

    fn outcome(
        &self,
        passed: &Passed,
        today: &BTreeMap<(&'a SgId, &'a SgRuleId), &'a SgRule>,
    ) -> Outcome {
        let covering = passed.covered_by.iter();
        let rules = covering.filter_map(|by| today.get(&(&by.group_id, &by.rule_id)).copied());
        let rules: Vec<&SgRule> = rules.collect();
        let eni = self.today.enis.get(&passed.interface_id);
        let flow = Flow {
            protocol: passed.protocol,
            service: passed.service,
            peer: passed.peer,
            among: passed.among,
            today: &rules,
            book: Some((self.book, eni.and_then(|eni| eni.vpc_id.as_ref()))),
            lists: Some(&self.today.prefix_lists),
            other: self.other,
        };
        let groups = self.groups_of(passed);
        let standing = groups
            .into_iter()
            .filter_map(|id| self.after.get(id))
            .flat_map(|group| group.rules_of(passed.direction))
            .map(|rule| (rule.transport, &rule.peer));
        flow.outcome(standing)
    }

    /// Groups that the interface will carry; of one that is no more, those
    /// that let the conversation in.
    fn groups_of<'b>(&'b self, passed: &'b Passed) -> BTreeSet<&'b SgId> {
        let own = self
            .today
            .enis
            .get(&passed.interface_id)
            .map(|eni| &eni.groups);
        match self.carried.get(&passed.interface_id).or(own) {
            Some(groups) => groups.iter().collect(),
            None => passed.covered_by.iter().map(|by| &by.group_id).collect(),
        }
    }

    /// What would newly open, sorted.
    #[must_use]
    pub fn opened(&self) -> Vec<Opened> {
        let groups: Vec<&SecurityGroup> = self.after.values().collect();
        let of_groups = groups.par_iter().flat_map_iter(|group| {
            let today = self.today.groups.get(&group.id);
            let ways = Direction::BOTH.into_iter();
            ways.flat_map(move |direction| {
                let old = self.open(today.into_iter(), direction);
                self.beyond(group, direction, &old, None)
            })
        });
        let mut opened: Vec<Opened> = of_groups.collect();
        for (id, groups) in self.carried {
            opened.extend(self.opened_at(*id, groups));
        }
        opened.extend(self.opened_by_members());
        opened.sort_unstable();
        opened
    }

    /// What opens because a group that rules name is carried by an interface of
    /// today that did not.
    fn opened_by_members(&self) -> Vec<Opened> {
        let mut new: BTreeMap<&SgId, BTreeSet<IpNet>> = BTreeMap::new();
        for (id, groups) in self.carried {
            let Some(eni) = self.today.enis.get(id) else {
                continue;
            };
            let addresses = eni.addresses.iter().map(|address| host_net(*address));
            let addresses: BTreeSet<IpNet> = addresses.chain(eni.prefixes.clone()).collect();
            for group in groups.iter().filter(|group| !eni.groups.contains(group)) {
                new.entry(group).or_default().extend(addresses.iter());
            }
        }
        let of_group = |group: &'_ SecurityGroup| {
            let today = self.today.groups.get(&group.id);
            let ways = Direction::BOTH.into_iter().flat_map(|direction| {
                let old = self.open(today.into_iter(), direction);
                let rules = group.rules_of(direction).filter_map(|rule| {
                    let Peer::SecurityGroup(named) = &rule.peer else {
                        return None;
                    };
                    let packet = self.let_in_of(rule, new.get(named)?, &old)?;
                    Some(opened(group, rule, packet))
                });
                rules.collect::<Vec<_>>()
            });
            ways.collect::<Vec<_>>()
        };
        self.after.values().flat_map(of_group).collect()
    }

    /// A packet from one of the addresses that the rule lets in, and today's do
    /// not.
    fn let_in_of(
        &self,
        rule: &SgRule,
        addresses: &BTreeSet<IpNet>,
        old: &[(Transport, Peer)],
    ) -> Option<Packet> {
        addresses.iter().find_map(|net| {
            // What today's references let in of this very address.
            let own = Peer::Cidr(*net);
            let mut said: Vec<Said<'_>> = old.iter().map(|(t, peer)| (*t, peer)).collect();
            for (transport, peer) in old {
                let known = match peer {
                    Peer::SecurityGroup(id) => {
                        let enis = self.today.enis.values();
                        let mut members = enis.filter(|eni| eni.groups.contains(id));
                        members.any(|eni| eni.addresses.contains(&net.addr()))
                    }
                    Peer::Cidr(_) | Peer::PrefixList(_) => false,
                };
                if known {
                    said.push((*transport, &own));
                }
            }
            contain::beyond(rule.transport, &own, &said)
        })
    }

    /// What opens at an interface because it carries other groups.
    fn opened_at(&self, id: EniId, groups: &[SgId]) -> Vec<Opened> {
        let Some(eni) = self.today.enis.get(&id) else {
            return Vec::new();
        };
        let own = || eni.groups.iter().filter_map(|id| self.today.groups.get(id));
        let added = groups.iter().filter(|group| !eni.groups.contains(group));
        let added = added.filter_map(|id| self.after.get(id));
        let opened = added.flat_map(|group| {
            let ways = Direction::BOTH.into_iter();
            ways.flat_map(|direction| {
                let old = self.open(own(), direction);
                self.beyond(group, direction, &old, Some(id))
            })
            .collect::<Vec<_>>()
        });
        opened.collect()
    }

    /// What groups have open today; lists also as the entries they have.
    fn open(
        &self,
        groups: impl Iterator<Item = &'a SecurityGroup>,
        direction: Direction,
    ) -> Vec<(Transport, Peer)> {
        let mut open = Vec::new();
        for rule in groups.flat_map(|group| group.rules_of(direction)) {
            open.push((rule.transport, rule.peer.clone()));
            if let Peer::PrefixList(id) = &rule.peer {
                let entries = entries(&self.today.prefix_lists, id).iter();
                open.extend(entries.map(|net| (rule.transport, Peer::Cidr(*net))));
            }
        }
        open
    }

    fn beyond(
        &self,
        group: &SecurityGroup,
        direction: Direction,
        old: &[(Transport, Peer)],
        interface_id: Option<EniId>,
    ) -> Vec<Opened> {
        let old: Vec<Said<'_>> = old
            .iter()
            .map(|(transport, peer)| (*transport, peer))
            .collect();
        let known: BTreeSet<&Said<'_>> = old.iter().collect();
        let rules = group.rules_of(direction);
        // What says the same opens nothing, but for lists that have grown.
        let same = |rule: &SgRule| {
            let list = matches!(rule.peer, Peer::PrefixList(_)) && self.other.is_some();
            !list && known.contains(&(rule.transport, &rule.peer))
        };
        let new = rules.filter(|rule| !same(rule));
        let opened = new.filter_map(|rule| {
            let packet = self.packet(rule, &old)?;
            Some(Opened {
                interface_id,
                ..opened(group, rule, packet)
            })
        });
        opened.collect()
    }

    fn packet(&self, rule: &SgRule, old: &[Said<'_>]) -> Option<Packet> {
        if let Peer::PrefixList(id) = &rule.peer {
            return self.packet_of_list(rule, id, old);
        }
        let packet = contain::beyond(rule.transport, &rule.peer, old)?;
        match &rule.peer {
            Peer::Cidr(_) | Peer::PrefixList(_) => Some(packet),
            Peer::SecurityGroup(id) => match self.book.reach(id) {
                Some(reach) => contain::beyond_reach(rule.transport, &rule.peer, old, &reach),
                None => Some(packet),
            },
        }
    }

    /// By the list as it is now, or in the other state of the cloud; what is
    /// added to it later, the rule lets in, so it is opened where today's rules
    /// have no room.
    fn packet_of_list(&self, rule: &SgRule, id: &PrefixListId, old: &[Said<'_>]) -> Option<Packet> {
        let by_name = contain::beyond(rule.transport, &rule.peer, old);
        let asked = |net: &IpNet| contain::beyond(rule.transport, &Peer::Cidr(*net), old);
        let (own, other) = (
            entries(&self.today.prefix_lists, id),
            self.other
                .map(|(other, _)| entries(&other.prefix_lists, id)),
        );
        match other.filter(|entries| !entries.is_empty()) {
            // Whether it grew can be told only from what it was.
            Some(entries) if by_name.is_some() || !own.is_empty() => entries.iter().find_map(asked),
            Some(_) => None,
            None if own.is_empty() => by_name,
            None => by_name.and_then(|_| own.iter().find_map(asked)),
        }
    }
}

fn opened(group: &SecurityGroup, rule: &SgRule, packet: Packet) -> Opened {
    Opened {
        group_id: group.id.clone(),
        direction: rule.direction,
        rule_id: rule.id.clone(),
        interface_id: None,
        transport: rule.transport,
        peer: rule.peer.clone(),
        packet,
    }
}

/// The known entries of a list.
fn entries<'l>(lists: &'l BTreeMap<PrefixListId, PrefixList>, id: &PrefixListId) -> &'l [IpNet] {
    lists
        .get(id)
        .and_then(|list| list.entries.as_deref())
        .unwrap_or_default()
}
