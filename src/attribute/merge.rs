//! What the rules of an interface decide together.
//!
//! The rules of all its groups make one list by rank: a smaller number comes
//! first, and of one rank what drops comes before what allows (ECS user guide,
//! "Security group rules"); the first that matches decides. Rules without ranks
//! that only allow, as AWS has them, are the case of a single rank: any one is
//! enough. What no rule matches, the groups' defaults decide.
//!
//! Members of one basic group may reach each other without a rule. Two pages
//! differ on where that stands: "Network isolation within a basic security
//! group" and the API's `ModifySecurityGroupPolicy` put the policy Accept
//! before all rules, a Drop of the highest rank included, while "Basic security
//! groups and advanced security groups" has every rule override it. Neither is
//! chosen here. Where both say the same, that is the answer; where a Drop meets
//! fellow members, logs decide (an ACCEPT shows the first reading, a REJECT the
//! second), and without logs it stays undecided. A rule that allows what
//! members may do anyway is possibly used and never unused.

use crate::attribute::cover::Rules;
use crate::attribute::cover::Unwritten;
use crate::attribute::matching::Fit;
use crate::attribute::matching::sources_fit;
use crate::attribute::why::Passage;
use crate::model::Direction;
use crate::model::Effect;
use crate::model::SecurityGroup;
use crate::model::SgRule;
use crate::net::PortRange;
use crate::net::PortSet;

/// A rule that fits a question at least possibly.
#[derive(Clone, Copy, Debug)]
pub struct Contender<'a> {
    /// The group that it stands in.
    pub group: &'a SecurityGroup,
    /// The rule.
    pub rule: &'a SgRule,
    /// How it fits, ranks aside.
    pub fit: Fit,
}

/// What decides beside rules, at one interface in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ground {
    /// How surely both ends are members of a group whose members reach each
    /// other.
    pub members: Fit,
    /// Whether the groups let through what no rule matches.
    pub allows: bool,
    /// Whether they stop it. Both where the groups differ, which no cloud
    /// allows.
    pub drops: bool,
}

/// What rules of one effect have in a decision.
#[derive(Clone, Debug, Default)]
pub struct Camp<'a> {
    /// Rules that decide some of it if it came so far, strongest first.
    pub sure: Rules<'a>,
    /// Rules that may.
    pub possible: Rules<'a>,
    /// Rules that would decide it the same way, were there no stronger ones.
    pub outranked: Rules<'a>,
    /// Whether the default may decide some of it.
    pub by_default: bool,
}

/// What is decided, and by what.
#[derive(Clone, Debug)]
pub struct Decision<'a> {
    /// What lets it through.
    pub allow: Camp<'a>,
    /// What stops it.
    pub drop: Camp<'a>,
    /// As in [`Ground`].
    pub members: Fit,
}

impl Ground {
    /// What the groups of an interface decide without rules.
    #[must_use]
    pub fn of<'g>(
        groups: impl Iterator<Item = &'g SecurityGroup>,
        direction: Direction,
        members: Fit,
    ) -> Ground {
        let mut ground = Ground {
            members,
            allows: false,
            drops: false,
        };
        for group in groups {
            match group.policy.default_effect(direction) {
                Effect::Allow => ground.allows = true,
                Effect::Drop => ground.drops = true,
            }
        }
        // Without any group nothing lets it through.
        ground.drops |= !ground.allows;
        ground
    }
}

impl Camp<'_> {
    /// Whether it may decide anything.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.by_default || self.has_rules()
    }

    fn has_rules(&self) -> bool {
        !self.sure.is_empty() || !self.possible.is_empty()
    }
}

impl<'a> Decision<'a> {
    /// Decides a question about these services and opener's ports. Contenders
    /// come in any order; those of equal rank stay in theirs.
    #[must_use]
    pub fn of(
        mut contenders: Vec<Contender<'a>>,
        ground: Ground,
        services: &[PortRange],
        sources: &[PortRange],
    ) -> Decision<'a> {
        let mut decision = Decision {
            allow: Camp::default(),
            drop: Camp::default(),
            members: ground.members,
        };
        contenders.sort_by_key(Contender::rank);
        let mut left: PortSet = services.iter().copied().collect();
        for rank in contenders.chunk_by(|one, other| one.rank() == other.rank()) {
            let mut taken = PortSet::empty();
            for one in rank {
                one.stand(&mut decision, &left);
                if one.takes(sources) {
                    taken.insert(one.rule.transport.service());
                }
            }
            left = left.difference(&taken);
        }
        decision.allow.by_default = ground.allows && !left.is_empty();
        decision.drop.by_default = ground.drops && !left.is_empty();
        decision
    }

    /// What rules of an effect have in it.
    #[must_use]
    pub fn camp(&self, effect: Effect) -> &Camp<'a> {
        match effect {
            Effect::Allow => &self.allow,
            Effect::Drop => &self.drop,
        }
    }

    fn camp_mut(&mut self, effect: Effect) -> &mut Camp<'a> {
        match effect {
            Effect::Allow => &mut self.allow,
            Effect::Drop => &mut self.drop,
        }
    }

    /// What becomes of it, all that it may stand for.
    #[must_use]
    pub fn passage(&self) -> Passage {
        let by_list = self.by_list();
        // Members pass unless a rule stops them, by either reading.
        let as_members = if self.drop.has_rules() {
            Passage::Undecided
        } else {
            Passage::Allowed
        };
        match self.members {
            Fit::None => by_list,
            Fit::Whole => as_members,
            Fit::Possible | Fit::Part if by_list == as_members => by_list,
            Fit::Possible | Fit::Part => Passage::Undecided,
        }
    }

    /// What rules and defaults do, membership aside.
    #[must_use]
    pub fn by_list(&self) -> Passage {
        match (self.allow.is_heard(), self.drop.is_heard()) {
            (true, false) => Passage::Allowed,
            (true, true) => Passage::Undecided,
            (false, _) => Passage::Blocked,
        }
    }

    /// Whether anything may let it through.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        self.allow.is_heard() || self.members > Fit::None
    }

    /// What may let it through without a rule: membership before the default,
    /// which fellow members never come to.
    #[must_use]
    pub fn passing_unwritten(&self) -> Option<Unwritten> {
        let by_default = self.allow.by_default.then_some(Unwritten::Default);
        let members = (self.members > Fit::None).then_some(Unwritten::Members);
        members.or(by_default)
    }

    /// What may stop it without a rule.
    #[must_use]
    pub fn stopping_unwritten(&self) -> Option<Unwritten> {
        self.drop.by_default.then_some(Unwritten::Default)
    }

    /// Whether a rule that drops meets fellow members, which is where the two
    /// readings of the policy differ.
    #[must_use]
    pub fn members_meet_a_drop(&self) -> bool {
        self.members > Fit::None && self.drop.has_rules()
    }
}

impl<'a> Contender<'a> {
    /// Its place in the list: number, then what drops before what allows.
    fn rank(&self) -> (u16, bool) {
        let rule = self.rule;
        (
            rule.priority.unwrap_or_default(),
            rule.effect == Effect::Allow,
        )
    }

    /// Takes its place in a decision of which these services are left.
    fn stand(&self, decision: &mut Decision<'a>, left: &PortSet) {
        let own = self.rule.transport.service();
        let is_left = left.ranges().iter().any(|range| range.overlaps(own));
        let camp = decision.camp_mut(self.rule.effect);
        let place = match (self.fit, is_left) {
            (Fit::None, _) | (Fit::Possible, false) => return,
            (Fit::Possible, true) => &mut camp.possible,
            (Fit::Part | Fit::Whole, true) => &mut camp.sure,
            (Fit::Part | Fit::Whole, false) => &mut camp.outranked,
        };
        place.push((self.group, self.rule));
    }

    /// Whether it leaves nothing of its services to weaker rules.
    fn takes(&self, sources: &[PortRange]) -> bool {
        self.fit >= Fit::Part && sources_fit(&self.rule.limits, sources) == Fit::Whole
    }
}
