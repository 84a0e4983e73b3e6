//! What the proposals change, group by group, as every format that writes
//! rules needs it: which rules stay, which become narrower in place, which are
//! added and which go.
//!
//! A rule is changed in place, and keeps its id, only by a rule whose peer is of
//! the same kind; else the new one is added and the old one goes. Proposals that
//! are not trusted enough are passed on as held, to be shown and not done.

mod ranked;

pub(in crate::report) use ranked::PeerKind;
pub(in crate::report) use ranked::Ranked;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use ipnet::IpNet;

use crate::model::Direction;
use crate::model::Effect;
use crate::model::Peer;
use crate::model::SgId;
use crate::model::SgRuleId;
use crate::report::document::Analysis;
use crate::report::document::GroupReport;
use crate::report::document::ProposalReport;
use crate::report::document::ProposedRule;
use crate::report::document::RuleReport;
use crate::report::findings;
use crate::report::words;
use crate::tighten::plan::Applicability;

/// What a rule says, apart from its id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Terms {
    /// What it does.
    pub effect: Effect,
    /// Its rank, where rules have ranks.
    pub priority: Option<u16>,
    /// `tcp`, `udp`, `icmp`, `icmpv6`, `all` or a number.
    pub protocol: String,
    /// First port, or ICMP type.
    pub from_port: Option<i32>,
    /// Last port, or ICMP code.
    pub to_port: Option<i32>,
    /// Whom it admits.
    pub peer: Peer,
    /// The customer's text; hostile until escaped.
    pub description: String,
}

impl Terms {
    /// What a rule of today says.
    #[must_use]
    pub fn of(rule: &RuleReport) -> Terms {
        Terms {
            effect: rule.effect,
            priority: rule.priority,
            protocol: rule.protocol.clone(),
            from_port: rule.from_port,
            to_port: rule.to_port,
            peer: rule.peer.clone(),
            description: rule.description.clone(),
        }
    }

    fn proposed(rule: &ProposedRule, description: String) -> Terms {
        Terms {
            effect: rule.effect,
            priority: rule.priority,
            protocol: rule.protocol.clone(),
            from_port: rule.from_port,
            to_port: rule.to_port,
            peer: rule.peer.clone(),
            description,
        }
    }

    /// The protocol as the EC2 API spells it: `-1` for all.
    #[must_use]
    pub fn api_protocol(&self) -> &str {
        match self.protocol.as_str() {
            "all" => "-1",
            name => name,
        }
    }

    /// Ports as the EC2 API wants them; `None` where it wants none.
    #[must_use]
    pub fn ports(&self) -> Option<(i32, i32)> {
        let has_ports = matches!(self.protocol.as_str(), "tcp" | "udp" | "icmp" | "icmpv6");
        let from = self.from_port.filter(|_| has_ports)?;
        Some((from, self.to_port.unwrap_or(-1)))
    }

    /// `tcp/443 from 10.0.0.0/16`, and where rules have ranks
    /// `tcp/443 from 10.0.0.0/16, accept at priority 5`.
    #[must_use]
    pub fn short(&self, direction: Direction) -> String {
        let service = words::service(&self.protocol, self.from_port, self.to_port);
        let rank = words::rank(self.effect, self.priority);
        format!("{service} {} {}{rank}", words::toward(direction), self.peer)
    }

    /// Whether the rule is ranked: `DescribeSecurityGroupAttribute` gives every
    /// rule of Alibaba Cloud a priority, and EC2 none.
    #[must_use]
    pub fn is_ranked(&self) -> bool {
        self.priority.is_some() || self.effect == Effect::Drop
    }

    /// Whether a rule of today can be changed into this one: where the API calls
    /// both peers by the same name. Ranked rules are never changed in place, so
    /// that what is new stands before what was is gone.
    fn can_take_over(&self, old: &Terms) -> bool {
        if self.is_ranked() || old.is_ranked() {
            return false;
        }
        match (&self.peer, &old.peer) {
            (Peer::Cidr(IpNet::V4(_)), Peer::Cidr(IpNet::V4(_)))
            | (Peer::Cidr(IpNet::V6(_)), Peer::Cidr(IpNet::V6(_)))
            | (Peer::SecurityGroup(_), Peer::SecurityGroup(_))
            | (Peer::PrefixList(_), Peer::PrefixList(_)) => true,
            (Peer::Cidr(_) | Peer::SecurityGroup(_) | Peer::PrefixList(_), _) => false,
        }
    }
}

/// A rule of today that stays in place with other terms.
#[derive(Clone, Debug)]
pub struct Narrowed<'a> {
    /// As it is.
    pub rule: &'a RuleReport,
    /// As it should be.
    pub terms: Terms,
    /// Records that it then carries.
    pub records: u64,
}

/// A rule that is new.
#[derive(Clone, Debug)]
pub struct Added {
    /// What it says.
    pub terms: Terms,
    /// Rules of today that it stands in for.
    pub replaces: Vec<SgRuleId>,
    /// Records that it carries.
    pub records: u64,
}

/// What changes in one direction of one group.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    /// The group.
    pub group: &'a GroupReport,
    /// The direction.
    pub direction: Direction,
    /// What was proposed, with reasons and exposure.
    pub proposal: &'a ProposalReport,
    /// Rules that stay as they are, sorted by id.
    pub stays: Vec<&'a RuleReport>,
    /// Rules that change in place, sorted by id.
    pub narrowed: Vec<Narrowed<'a>>,
    /// New rules, sorted.
    pub added: Vec<Added>,
    /// Rules that go, sorted by id: removed, or replaced by new ones.
    pub removed: Vec<&'a RuleReport>,
}

impl Change<'_> {
    /// What stands after the change, today's rules first.
    #[must_use]
    pub fn after(&self) -> Vec<Terms> {
        let stays = self.stays.iter().map(|rule| Terms::of(rule));
        let narrowed = self.narrowed.iter().map(|one| one.terms.clone());
        let added = self.added.iter().map(|one| one.terms.clone());
        stays.chain(narrowed).chain(added).collect()
    }

    /// Whether it is of ranked rules.
    #[must_use]
    pub fn is_ranked(&self) -> bool {
        is_ranked(self.group, self.proposal)
    }

    /// `sg-… (app) ingress`, the name not yet escaped.
    #[must_use]
    pub fn title(&self) -> String {
        title(self.proposal, self.group)
    }
}

/// A proposal that is shown and not done, and why.
#[derive(Clone, Debug)]
pub struct Held<'a> {
    /// The group.
    pub group: &'a GroupReport,
    /// The proposal.
    pub proposal: &'a ProposalReport,
    /// Why it is held.
    pub why: &'static str,
}

impl Held<'_> {
    /// `sg-… (app) ingress`, the name not yet escaped.
    #[must_use]
    pub fn title(&self) -> String {
        title(self.proposal, self.group)
    }
}

fn title(proposal: &ProposalReport, group: &GroupReport) -> String {
    let id = &proposal.group_id;
    format!("{id} ({}) {}", group.group_name, proposal.direction)
}

/// Which groups a format can speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speaks {
    /// Those whose rules only allow and have no ranks.
    plain: bool,
    /// Those whose rules are ranked, and drop too.
    ranked: bool,
    /// Whether it changes anything, and so must know the way back.
    acts: bool,
}

impl Speaks {
    /// A format of AWS.
    pub const PLAIN: Speaks = Speaks {
        plain: true,
        ranked: false,
        acts: true,
    };
    /// A format of Alibaba Cloud.
    pub const RANKED: Speaks = Speaks {
        plain: false,
        ranked: true,
        acts: true,
    };
    /// A format of both.
    pub const BOTH: Speaks = Speaks {
        plain: true,
        ranked: true,
        acts: true,
    };
    /// A format for eyes alone.
    pub const SHOWN: Speaks = Speaks {
        acts: false,
        ..Speaks::BOTH
    };

    /// Why it cannot speak of the group, if it cannot.
    fn refuses(self, group: &GroupReport, proposal: &ProposalReport) -> Option<&'static str> {
        match is_ranked(group, proposal) {
            true if !self.ranked => Some(
                "the group's rules have priorities, which this format cannot say; aliyun-cli and terraform can",
            ),
            false if !self.plain => Some(
                "the group's rules have no priorities, so this format is not for them; aws-cli and terraform are",
            ),
            true | false => None,
        }
    }
}

/// Whether the group's rules are ranked, or will be.
fn is_ranked(group: &GroupReport, proposal: &ProposalReport) -> bool {
    let today = group.rules.iter().map(|rule| (rule.effect, rule.priority));
    let proposed = proposal
        .rules
        .iter()
        .map(|rule| (rule.effect, rule.priority));
    let mut ranks = today.chain(proposed);
    proposal.inner_access_policy.is_some()
        || ranks.any(|(effect, priority)| effect == Effect::Drop || priority.is_some())
}

/// What is to be done, and what is not.
#[derive(Clone, Debug, Default)]
pub struct Changes<'a> {
    /// To be done, by group and direction.
    pub done: Vec<Change<'a>>,
    /// Shown only.
    pub held: Vec<Held<'a>>,
}

/// The rules of a group today.
#[must_use]
pub fn today(group: &GroupReport, direction: Direction) -> Vec<Terms> {
    let rules = group
        .rules
        .iter()
        .filter(|rule| rule.direction == direction);
    rules.map(Terms::of).collect()
}

/// The rules of a group after the changes; today's where nothing changes.
#[must_use]
pub fn after(group: &GroupReport, direction: Direction, changes: &[Change<'_>]) -> Vec<Terms> {
    let is_it = |change: &&Change<'_>| {
        change.group.group_id == group.group_id && change.direction == direction
    };
    let changed = changes.iter().find(is_it);
    changed.map_or_else(|| today(group, direction), Change::after)
}

/// Sorts the proposals of an analysis: those trusted at least so far are to be
/// done. Nothing is done of an analysis whose proof failed.
#[must_use]
pub fn changes(analysis: &Analysis, least: Applicability, speaks: Speaks) -> Changes<'_> {
    let groups: BTreeMap<&SgId, &GroupReport> = analysis
        .security_groups
        .iter()
        .map(|group| (&group.group_id, group))
        .collect();
    let mut changes = Changes::default();
    for proposal in &analysis.proposals {
        let Some(group) = groups.get(&proposal.group_id).copied() else {
            continue;
        };
        if !findings::tightens(proposal) {
            continue;
        }
        let held = |why| Held {
            group,
            proposal,
            why,
        };
        let why = reason_to_hold(analysis, group, proposal, least);
        if let Some(why) = why.or_else(|| speaks.refuses(group, proposal)) {
            changes.held.push(held(why));
            continue;
        }
        let change = change(group, proposal);
        match ranked::reason_to_hold(&change, &groups).filter(|_| speaks.acts) {
            Some(why) => changes.held.push(held(why)),
            None => changes.done.push(change),
        }
    }
    changes
}

fn reason_to_hold(
    analysis: &Analysis,
    group: &GroupReport,
    proposal: &ProposalReport,
    least: Applicability,
) -> Option<&'static str> {
    let verification = &analysis.verification;
    if verification.broken > 0 || verification.widened > 0 {
        return Some("the proof of this analysis failed");
    }
    if !knows_all(group, proposal) {
        return Some("it names rules that the analysis does not list");
    }
    if !ids_are_plain(group, proposal) {
        return Some("an id in it is not one that the cloud gives");
    }
    (proposal.applicability < least).then(|| words::applicability(proposal.applicability))
}

/// Whether every rule that the proposal names is listed in the group.
fn knows_all(group: &GroupReport, proposal: &ProposalReport) -> bool {
    let known: BTreeSet<&SgRuleId> = group.rules.iter().map(|rule| &rule.rule_id).collect();
    let replaced = proposal.rules.iter().flat_map(|rule| &rule.replaces);
    replaced
        .chain(&proposal.keep)
        .chain(&proposal.remove)
        .all(|id| known.contains(id))
}

/// Whether every id that a change would write is letters, digits and dashes.
/// A file that says otherwise was not printed by the cloud.
fn ids_are_plain(group: &GroupReport, proposal: &ProposalReport) -> bool {
    let today = group.rules.iter().map(|rule| &rule.peer);
    let proposed = proposal.rules.iter().map(|rule| &rule.peer);
    let peers = today.chain(proposed).all(|peer| match peer {
        Peer::Cidr(_) => true,
        Peer::SecurityGroup(id) => is_plain_id(id.as_str()),
        Peer::PrefixList(id) => is_plain_id(id.as_str()),
    });
    let vpc = group.vpc_id.as_deref().is_none_or(is_plain_id);
    peers && vpc && is_plain_id(group.group_id.as_str())
}

/// Whether the text is an id as the cloud gives them.
#[must_use]
pub fn is_plain_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !text.is_empty() && !text.starts_with('-') && text.bytes().all(plain)
}

/// Whether the cloud itself gave the rule's id, so that calls can name it.
#[must_use]
pub fn is_cloud_rule(id: &SgRuleId) -> bool {
    id.as_str().starts_with("sgr-") && is_plain_id(id.as_str())
}

fn change<'a>(group: &'a GroupReport, proposal: &'a ProposalReport) -> Change<'a> {
    let of_direction = |rule: &&RuleReport| rule.direction == proposal.direction;
    let mut today: BTreeMap<&SgRuleId, &RuleReport> = group
        .rules
        .iter()
        .filter(of_direction)
        .map(|rule| (&rule.rule_id, rule))
        .collect();
    let mut change = Change {
        group,
        direction: proposal.direction,
        proposal,
        stays: Vec::new(),
        narrowed: Vec::new(),
        added: Vec::new(),
        removed: Vec::new(),
    };
    let all = today.clone();
    for rule in &proposal.rules {
        place(rule, &all, &mut today, &mut change);
    }
    let goes: BTreeSet<&SgRuleId> = proposal
        .rules
        .iter()
        .flat_map(|rule| &rule.replaces)
        .chain(&proposal.remove)
        .collect();
    for (id, rule) in today {
        let list = if goes.contains(id) {
            &mut change.removed
        } else {
            &mut change.stays
        };
        list.push(rule);
    }
    change
        .narrowed
        .sort_by(|a, b| a.rule.rule_id.cmp(&b.rule.rule_id));
    change.added.sort_by(|a, b| a.terms.cmp(&b.terms));
    change
}

/// One proposed rule takes over the first rule that it can, or is added.
fn place<'a>(
    rule: &ProposedRule,
    all: &BTreeMap<&'a SgRuleId, &'a RuleReport>,
    free: &mut BTreeMap<&'a SgRuleId, &'a RuleReport>,
    change: &mut Change<'a>,
) {
    let known = rule.replaces.iter().find_map(|id| all.get(id).copied());
    let description = known.map_or_else(String::new, |rule| rule.description.clone());
    let terms = Terms::proposed(rule, description);
    let taken = rule
        .replaces
        .iter()
        .find(|id| {
            free.get(id)
                .is_some_and(|old| terms.can_take_over(&Terms::of(old)))
        })
        .and_then(|id| free.remove(id));
    match taken {
        Some(old) => change.narrowed.push(Narrowed {
            terms: Terms {
                description: old.description.clone(),
                ..terms
            },
            rule: old,
            records: rule.records,
        }),
        None => change.added.push(Added {
            terms,
            replaces: rule.replaces.clone(),
            records: rule.records,
        }),
    }
}
