//! The steps of the change, each with what it expects, what it does, and what
//! undoes it.

use crate::model::Direction;
use crate::model::Peer;
use crate::model::SgId;
use crate::model::SgRuleId;
use crate::report::aws_cli::wire;
use crate::report::change;
use crate::report::change::Change;
use crate::report::change::Changes;
use crate::report::change::Terms;
use crate::report::document::Analysis;
use crate::report::shell;

/// One call.
#[derive(Debug)]
struct Step {
    group: SgId,
    name: String,
    direction: Direction,
    act: Act,
}

/// What it does.
#[derive(Debug)]
enum Act {
    Add(Terms),
    Modify { id: SgRuleId, was: Terms, is: Terms },
    Remove { id: SgRuleId, was: Terms },
}

/// The steps as functions of the script.
pub(super) fn write(_analysis: &Analysis, changes: &Changes<'_>) -> String {
    let steps = steps(changes);
    let texts: Vec<String> = steps.iter().map(Step::text).collect();
    let mut out = shell::steps(&texts);
    for (number, step) in (1..).zip(&steps) {
        out.push('\n');
        out.push_str(&step.functions(number));
    }
    out
}

/// All additions, then all changes in place, then all removals.
fn steps(changes: &Changes<'_>) -> Vec<Step> {
    let (mut add, mut modify, mut remove) = (Vec::new(), Vec::new(), Vec::new());
    for change in &changes.done {
        let step = |act| Step {
            group: change.group.group_id.clone(),
            name: change.group.group_name.clone(),
            direction: change.direction,
            act,
        };
        add.extend(
            change
                .added
                .iter()
                .map(|one| step(Act::Add(one.terms.clone()))),
        );
        for one in &change.narrowed {
            let (id, was, is) = (
                one.rule.rule_id.clone(),
                Terms::of(one.rule),
                one.terms.clone(),
            );
            if change::is_cloud_rule(&id) {
                modify.push(step(Act::Modify { id, was, is }));
            } else {
                // A rule without an id can only be replaced.
                add.push(step(Act::Add(is)));
                remove.push(step(Act::Remove { id, was }));
            }
        }
        remove.extend(removals(change).map(step));
    }
    add.into_iter().chain(modify).chain(remove).collect()
}

fn removals<'a>(change: &'a Change<'_>) -> impl Iterator<Item = Act> + 'a {
    change.removed.iter().map(|rule| Act::Remove {
        id: rule.rule_id.clone(),
        was: Terms::of(rule),
    })
}

impl Step {
    /// `sg-… (app) ingress: add tcp/443 from 10.0.0.0/16`.
    fn text(&self) -> String {
        let Step {
            group,
            name,
            direction,
            act,
        } = self;
        let act = match act {
            Act::Add(terms) => format!("add {}", terms.short(*direction)),
            Act::Modify { id, was, is } => {
                format!(
                    "narrow {id} from {} to {}",
                    was.short(*direction),
                    is.short(*direction)
                )
            }
            Act::Remove { id, was } => format!("remove {id}, {}", was.short(*direction)),
        };
        format!("{group} ({name}) {direction}: {act}")
    }

    fn functions(&self, number: usize) -> String {
        let check = self.check();
        let (act, undo) = match &self.act {
            Act::Add(terms) => (self.authorize(terms), self.take_back(terms)),
            Act::Modify { id, was, is } => (self.modify(id, is), self.modify(id, was)),
            Act::Remove { id, was } => (self.revoke_by_id(id, was), self.authorize(was)),
        };
        format!(
            "check_{number}() {{ {check}; }}\ndo_{number}() {{ {act} \"$@\"; }}\nundo_{number}() {{ {undo}; }}\n"
        )
    }

    /// The rule as it must be before the step, in the words of `--output text`.
    fn check(&self) -> String {
        let (id, was) = match &self.act {
            Act::Add(_) => return ":".to_owned(),
            Act::Modify { id, was, .. } | Act::Remove { id, was } => (id, was),
        };
        if !change::is_cloud_rule(id) {
            return ":".to_owned();
        }
        let egress = match self.direction {
            Direction::Ingress => "False",
            Direction::Egress => "True",
        };
        let none = || "None".to_owned();
        let mut peer = [none(), none(), none(), none()];
        let (place, text) = match &was.peer {
            Peer::Cidr(net) if net.addr().is_ipv4() => (0, net.to_string()),
            Peer::Cidr(net) => (1, net.to_string()),
            Peer::PrefixList(list) => (2, list.to_string()),
            Peer::SecurityGroup(group) => (3, group.to_string()),
        };
        if let Some(slot) = peer.get_mut(place) {
            *slot = text;
        }
        let mut words = vec![
            self.group.to_string(),
            egress.to_owned(),
            was.api_protocol().to_owned(),
        ];
        words.extend(peer);
        let ports = match was.ports() {
            Some((from, to)) => {
                words.extend([from.to_string(), to.to_string()]);
                "ports"
            }
            None => "no-ports",
        };
        // Ids and prefixes hold nothing that needs more than a tab.
        format!(
            "expect_rule {} $'{}' {ports}",
            shell::quote(id.as_str()),
            words.join("\\t")
        )
    }

    fn authorize(&self, terms: &Terms) -> String {
        self.call("authorize", &wire::compact(&wire::permission(terms, true)))
    }

    fn take_back(&self, terms: &Terms) -> String {
        let permission = wire::compact(&wire::permission(terms, true));
        format!(
            "take_back {} {} {}",
            shell::quote(self.group.as_str()),
            self.direction,
            shell::quote(&permission)
        )
    }

    fn revoke(&self, terms: &Terms) -> String {
        self.call("revoke", &wire::compact(&wire::permission(terms, false)))
    }

    fn call(&self, verb: &str, permission: &str) -> String {
        format!(
            "aws ec2 {verb}-security-group-{} --group-id {} --ip-permissions {}",
            self.direction,
            shell::quote(self.group.as_str()),
            shell::quote(permission)
        )
    }

    fn revoke_by_id(&self, id: &SgRuleId, was: &Terms) -> String {
        if !change::is_cloud_rule(id) {
            return self.revoke(was);
        }
        format!(
            "aws ec2 revoke-security-group-{} --group-id {} --security-group-rule-ids {}",
            self.direction,
            shell::quote(self.group.as_str()),
            shell::quote(id.as_str())
        )
    }

    fn modify(&self, id: &SgRuleId, terms: &Terms) -> String {
        let rules = wire::compact(&wire::modification(id.as_str(), terms));
        format!(
            "aws ec2 modify-security-group-rules --group-id {} --security-group-rules {}",
            shell::quote(self.group.as_str()),
            shell::quote(&rules)
        )
    }
}
