//! The steps of the change, each with the rule that it is about and the call
//! that gives it.

use crate::model::Direction;
use crate::model::Effect;
use crate::model::SgRuleId;
use crate::report::change;
use crate::report::change::Change;
use crate::report::change::Changes;
use crate::report::change::PeerKind;
use crate::report::change::Ranked;
use crate::report::change::Terms;
use crate::report::shell;

/// The call that sets the intra-group policy, but for group and value (ECS API,
/// `ModifySecurityGroupPolicy`).
const MODIFY: &str = "aliyun ecs ModifySecurityGroupPolicy --SecurityGroupId";

/// One call.
struct Step<'a> {
    change: &'a Change<'a>,
    act: Act,
}

/// What it does with its rule.
enum Act {
    Add(Terms),
    Remove(SgRuleId, Terms),
    /// Members are to reach each other by rules alone.
    Isolate,
}

/// The steps as functions of the script.
pub(super) fn write(changes: &Changes<'_>) -> String {
    let steps = steps(changes);
    let texts: Vec<String> = steps.iter().map(Step::text).collect();
    let mut out = shell::steps(&texts);
    out.push('\n');
    for (number, step) in (1..).zip(&steps) {
        out.push_str(&step.function(number));
    }
    out
}

/// All Accepts that are added, then all Drops, then policies, then all removals.
fn steps<'a>(changes: &'a Changes<'a>) -> Vec<Step<'a>> {
    let [mut accepts, mut drops, mut policies, mut removals] = [const { Vec::new() }; 4];
    for change in &changes.done {
        let step = |act| Step { change, act };
        for added in &change.added {
            let list = match added.terms.effect {
                Effect::Allow => &mut accepts,
                Effect::Drop => &mut drops,
            };
            list.push(step(Act::Add(added.terms.clone())));
        }
        if change.proposal.inner_access_policy.is_some() {
            policies.push(step(Act::Isolate));
        }
        let gone = change.removed.iter();
        let gone = gone.map(|rule| step(Act::Remove(rule.rule_id.clone(), Terms::of(rule))));
        removals.extend(gone);
    }
    [accepts, drops, policies, removals]
        .into_iter()
        .flatten()
        .collect()
}

impl Step<'_> {
    /// `sg-… (app) ingress: add tcp/443 from 10.0.0.0/16, accept at priority 1`.
    fn text(&self) -> String {
        let direction = self.change.direction;
        let act = match &self.act {
            Act::Add(terms) => format!("add {}", terms.short(direction)),
            Act::Remove(id, terms) => format!("remove {id}, {}", terms.short(direction)),
            Act::Isolate => "set the intra-group policy from Accept to Drop".to_owned(),
        };
        format!("{}: {act}", self.change.title())
    }

    /// What the step is about as arguments of what is done with it: kind, group,
    /// direction, id, what the rule says, and the call that gives it.
    fn function(&self, number: usize) -> String {
        let group = shell::quote(self.change.group.group_id.as_str());
        let direction = self.change.direction;
        let (kind, id, terms) = match &self.act {
            Act::Add(terms) => ("add", "", terms),
            Act::Remove(id, terms) if change::is_cloud_rule(id) => ("remove", id.as_str(), terms),
            Act::Remove(_, terms) => ("remove", "", terms),
            Act::Isolate => {
                return format!(
                    "step_{number}() {{\n    \"$@\" isolate {group} {direction} '' '' \\\n        {MODIFY} {group}\n}}\n"
                );
            }
        };
        let words = Ranked::of(terms);
        let (says, call) = words.map_or_else(Default::default, |ranked| {
            (says(&ranked, terms), self.call(&ranked, terms))
        });
        format!(
            "step_{number}() {{\n    \"$@\" {kind} {group} {direction} {} {says} \\\n        {call}\n}}\n",
            shell::quote(id)
        )
    }

    /// The call that gives the rule (ECS API, `AuthorizeSecurityGroup` and
    /// `AuthorizeSecurityGroupEgress`).
    fn call(&self, ranked: &Ranked, terms: &Terms) -> String {
        let (action, side) = match self.change.direction {
            Direction::Ingress => ("AuthorizeSecurityGroup", "Source"),
            Direction::Egress => ("AuthorizeSecurityGroupEgress", "Dest"),
        };
        let peer = match PeerKind::of(&terms.peer) {
            PeerKind::Cidr => format!("{side}CidrIp"),
            PeerKind::Ipv6Cidr => format!("Ipv6{side}CidrIp"),
            PeerKind::Group => format!("{side}GroupId"),
            PeerKind::PrefixList => format!("{side}PrefixListId"),
        };
        let mut call = format!(
            "aliyun ecs {action} --SecurityGroupId {}",
            shell::quote(self.change.group.group_id.as_str())
        );
        let mut say = |key: &str, value: &str| {
            call.push_str(" --Permissions.1.");
            call.push_str(key);
            call.push(' ');
            call.push_str(value);
        };
        say("Policy", ranked.policy);
        say("Priority", &ranked.priority.to_string());
        say("IpProtocol", ranked.protocol);
        say("PortRange", &ranked.ports);
        say(&peer, &shell::quote(&terms.peer.to_string()));
        let description = &terms.description;
        if description.starts_with('-') {
            // Behind a blank it would be taken for another flag.
            call.push_str(" --Permissions.1.Description=");
            call.push_str(&shell::exact(description));
        } else if !description.is_empty() {
            say("Description", &shell::exact(description));
        }
        call
    }
}

/// The rule in the words of `reader.py`.
fn says(ranked: &Ranked, terms: &Terms) -> String {
    let kind = match PeerKind::of(&terms.peer) {
        PeerKind::Cidr | PeerKind::Ipv6Cidr => "cidr",
        PeerKind::Group => "group",
        PeerKind::PrefixList => "list",
    };
    let words = [
        ranked.policy.to_owned(),
        ranked.priority.to_string(),
        ranked.protocol.to_owned(),
        ranked.ports.clone(),
        kind.to_owned(),
        terms.peer.to_string(),
        "plain".to_owned(),
    ];
    // Ids and prefixes hold nothing that needs more than a tab.
    format!("$'{}'", words.join("\\t"))
}
