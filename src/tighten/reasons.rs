//! The why of a proposal, in sentences for the people who run the network.

use std::collections::BTreeSet;

use crate::model::Direction;
use crate::model::Peer;
use crate::model::SgRule;
use crate::model::SgRuleId;
use crate::model::Transport;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::tighten::case::Case;
use crate::tighten::case::Standing;
use crate::tighten::fit::Fitted;
use crate::tighten::pairing::Paired;
use crate::tighten::plan::PlannedRule;
use crate::tighten::quota;

/// Said of a proposal that its proof refused.
pub(crate) const FAILED_PROOF: &str = "a proposal was made but did not pass its own proof, so \
     everything is kept; this is a bug of the program, please report it";
/// How many rules that take another's place are spelled out.
const SPELLED_OUT: usize = 3;

/// Why so many rules and not others, where there is a choice.
pub(crate) fn point(rules: u64, quota: u32, squeezed: bool) -> String {
    if squeezed {
        format!(
            "{rules} rules are taken because the quota is {quota}: more would open less, fewer \
             would open more (`--rule-quota` moves it)"
        )
    } else {
        format!(
            "{rules} rules are taken of a quota of {quota}: fewer would open more than a rule is \
             worth, more would close nothing that is worth one (`--rule-worth`)"
        )
    }
}

/// What there is to tell.
pub(crate) struct Told<'a> {
    pub(crate) case: &'a Case<'a>,
    /// Rules of the direction, by id.
    pub(crate) rules: &'a [&'a SgRule],
    pub(crate) paired: &'a Paired,
    /// `None` where nothing narrower fits the quota.
    pub(crate) fitted: Option<&'a Fitted>,
}

impl Told<'_> {
    /// All sentences, in the order of importance.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let mut told = Vec::new();
        told.extend(self.quota());
        told.extend(self.nothing_to_gain());
        told.extend(self.narrowed());
        told.extend(self.removed());
        told.extend(self.public());
        told.extend(self.moving());
        told.extend(self.held());
        told.extend(self.introduced());
        told.extend(self.references());
        told.extend(self.doubts());
        told.extend(self.whole_icmp());
        told.extend(self.tracking());
        told
    }

    fn quota(&self) -> Vec<String> {
        let quota = self.case.limits.rule_quota;
        let mut told = Vec::new();
        match self.fitted {
            None if self.paired.remove.is_empty() => {
                told.push(format!("no tightening within the quota of {quota} rules"));
            }
            None => told.push(format!(
                "no narrowing within the quota of {quota} rules: what is needed stays whole"
            )),
            Some(fitted) if fitted.squeezed => told.push(format!(
                "the quota of {quota} rules makes some rules wider than what was needed"
            )),
            Some(_) => {}
        }
        let lists: BTreeSet<&Peer> = self.rules.iter().map(|rule| &rule.peer).collect();
        for peer in lists {
            if !quota::weight_is_known(peer, self.case.prefix_lists) {
                told.push(format!(
                    "what `{peer}` counts in the quota is not known; it is counted as 1"
                ));
            }
        }
        told
    }

    fn nothing_to_gain(&self) -> Option<String> {
        let unchanged = self.paired.rules.is_empty() && self.paired.remove.is_empty();
        (unchanged && self.fitted.is_some())
            .then(|| "no narrower rules are worth the change".to_owned())
    }

    fn narrowed(&self) -> Vec<String> {
        self.rules
            .iter()
            .filter_map(|rule| self.narrowing_of(rule))
            .collect()
    }

    fn narrowing_of(&self, rule: &SgRule) -> Option<String> {
        let own = |planned: &&PlannedRule| planned.replaces.contains(&rule.id);
        let heirs: Vec<String> = self
            .paired
            .rules
            .iter()
            .filter(own)
            .map(|planned| format!("{} {} {}", planned.transport, self.side(), planned.peer))
            .collect();
        let named: Vec<&str> = heirs.iter().take(SPELLED_OUT).map(String::as_str).collect();
        let more = match heirs.len().checked_sub(named.len()) {
            None | Some(0) => String::new(),
            Some(more) => format!(" and {more} more"),
        };
        (!heirs.is_empty()).then(|| {
            let named = named.join(", ");
            format!(
                "{} needs to allow no more than {named}{more}",
                self.name(rule)
            )
        })
    }

    fn removed(&self) -> Vec<String> {
        let used: BTreeSet<&SgRuleId> = self
            .case
            .needs
            .iter()
            .flat_map(|need| &need.covered_by)
            .collect();
        let gone = self
            .rules
            .iter()
            .filter(|rule| self.paired.remove.contains(&rule.id));
        gone.map(|rule| {
            let why = if used.contains(&rule.id) {
                "everything that it let through is allowed by other rules too"
            } else if self.case.answered_only {
                "nothing that was answered needs it"
            } else {
                "nothing that was seen needs it"
            };
            format!("{} can go: {why}", self.name(rule))
        })
        .collect()
    }

    fn public(&self) -> Vec<String> {
        let services = self.fitted.into_iter().flat_map(|fitted| &fitted.public);
        services
            .map(|(plot, peers)| {
                format!(
                    "public service: {} public addresses were seen at {} under {}, which is kept \
                     for it, as tomorrow's will be others",
                    grouped(*peers),
                    plot.transport,
                    plot.net
                )
            })
            .collect()
    }

    fn moving(&self) -> Vec<String> {
        let kept = self.fitted.into_iter().flat_map(|fitted| &fitted.moving);
        kept.map(|plot| {
            format!(
                "{} under {} is kept for addresses that change hands: of load balancers, or of \
                 interfaces that are gone",
                plot.transport, plot.net
            )
        })
        .collect()
    }

    fn held(&self) -> Vec<String> {
        self.rules
            .iter()
            .filter_map(|rule| match self.case.standing.get(&rule.id) {
                Some(Standing::Free) => None,
                Some(Standing::Hold(why)) => Some(format!("{} is kept: it {why}", self.name(rule))),
                None => Some(format!("{} is kept: it was not judged", self.name(rule))),
            })
            .collect()
    }

    fn introduced(&self) -> Vec<String> {
        let introduced = self
            .fitted
            .into_iter()
            .flat_map(|fitted| &fitted.introduced);
        introduced
            .map(|(group, peers)| {
                let reach = self.case.references.reach.get(group);
                let nets = reach.into_iter().flatten().map(ToString::to_string);
                format!(
                    "`{group}` takes the place of {} that carried it in every snapshot; assumed: \
                     the VPC ranges it can have ({}) stay, and no middlebox parts the subnets",
                    counted(peers.len(), "address", "addresses"),
                    nets.collect::<Vec<_>>().join(", ")
                )
            })
            .collect()
    }

    fn references(&self) -> Option<String> {
        let named: BTreeSet<&Peer> = self.rules.iter().map(|rule| &rule.peer).collect();
        let stays = |peer: &Peer| match peer {
            Peer::Cidr(_) => false,
            Peer::SecurityGroup(_) | Peer::PrefixList(_) => named.contains(peer),
        };
        let planned = self.paired.rules.iter().any(|rule| stays(&rule.peer));
        planned.then(|| {
            "references to groups and prefix lists stay references: the addresses behind them \
             change hands"
                .to_owned()
        })
    }

    fn doubts(&self) -> Option<String> {
        let doubtful = self.case.needs.iter().filter(|need| need.in_doubt).count();
        (doubtful > 0).then(|| {
            format!(
                "{} of {} needs are kept although it stays in doubt who opened them",
                grouped(doubtful),
                grouped(self.case.needs.len())
            )
        })
    }

    fn whole_icmp(&self) -> Option<String> {
        let planned = self.paired.rules.iter();
        let mut protocols = planned.filter_map(|rule| rule.transport.protocol());
        protocols.any(IpProtocol::is_icmp).then(|| {
            "rules for ICMP keep their types: flow logs do not tell the type of a message"
                .to_owned()
        })
    }

    fn tracking(&self) -> Option<String> {
        self.cuts_live_traffic().then(|| {
            "rules that are open to every address both ways leave connections untracked; narrowing \
             them makes new connections tracked and may cut open ones when it is applied"
                .to_owned()
        })
    }

    /// Whether a change touches rules under which connections are untracked
    /// (EC2 user guide, "Security group connection tracking": TCP or UDP open
    /// to all addresses, with all addresses and ports open the other way).
    pub(crate) fn cuts_live_traffic(&self) -> bool {
        let reverse = self.case.direction.reverse();
        let touched = |rule: &&&SgRule| {
            let heirs = self.paired.rules.iter().map(|planned| &planned.replaces);
            self.paired.remove.contains(&rule.id) || heirs.flatten().any(|id| *id == rule.id)
        };
        let other = |family| {
            let mut rules = self.case.group.rules_of(reverse);
            rules.any(|rule| rule.peer.whole_family() == Some(family) && has_all_ports(rule))
        };
        let mut open = self
            .rules
            .iter()
            .filter(touched)
            .filter(|rule| has_tracking(rule));
        open.any(|rule| rule.peer.whole_family().is_some_and(other))
    }

    fn name(&self, rule: &SgRule) -> String {
        format!(
            "`{}` ({} {} {})",
            rule.id,
            rule.transport,
            self.side(),
            rule.peer
        )
    }

    fn side(&self) -> &'static str {
        match self.case.direction {
            Direction::Ingress => "from",
            Direction::Egress => "to",
        }
    }
}

fn has_tracking(rule: &SgRule) -> bool {
    match rule.transport {
        Transport::All | Transport::Tcp(_) | Transport::Udp(_) => true,
        Transport::Icmp(_) | Transport::Icmpv6(_) | Transport::Other(_) => false,
    }
}

fn has_all_ports(rule: &SgRule) -> bool {
    has_tracking(rule) && rule.transport.service() == PortRange::ALL
}

/// `1 address`, `2,000 addresses`.
pub(crate) fn counted(number: usize, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        grouped(number),
        if number == 1 { one } else { many }
    )
}

/// A number with its thousands set apart, `3,000`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let shown = [0, 999, 1_000, 1_234_567].map(grouped);
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }
}
