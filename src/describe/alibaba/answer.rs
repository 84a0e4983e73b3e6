//! Which answer a piece of JSON is: told by its top-level key and the one
//! within it. AWS prints a list where Alibaba Cloud prints an object, so the
//! two are never mistaken for each other.

use serde_json::Value;

use crate::describe::json::Object;
use crate::model::snapshot::Part;

/// A kind of answer that holds resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::describe) enum Answer {
    /// `DescribeSecurityGroups`.
    Groups,
    /// `DescribeSecurityGroupAttribute`: the rules of one group.
    Permissions,
    /// `DescribeNetworkInterfaces`.
    Interfaces,
    /// `DescribeVSwitches`.
    VSwitches,
    /// `DescribeVpcs`.
    Vpcs,
    /// `DescribePrefixLists`.
    PrefixLists,
    /// `DescribePrefixListAttributes`: the entries of one list.
    Entries,
    /// `DescribeFlowLogs`.
    FlowLogs,
}

/// The two keys of each answer.
const KEYS: [(&str, &str, Answer); 8] = [
    ("SecurityGroups", "SecurityGroup", Answer::Groups),
    ("Permissions", "Permission", Answer::Permissions),
    (
        "NetworkInterfaceSets",
        "NetworkInterfaceSet",
        Answer::Interfaces,
    ),
    ("VSwitches", "VSwitch", Answer::VSwitches),
    ("Vpcs", "Vpc", Answer::Vpcs),
    ("PrefixLists", "PrefixList", Answer::PrefixLists),
    ("Entries", "Entry", Answer::Entries),
    ("FlowLogs", "FlowLog", Answer::FlowLogs),
];

impl Answer {
    /// The answers in a document, each with its items.
    pub(in crate::describe) fn within(
        document: Object<'_>,
    ) -> impl Iterator<Item = (Answer, &[Value])> {
        let held = move |(outer, inner, answer): (&str, &str, Answer)| {
            let items = wrapped(document, outer, inner)?;
            Some((answer, items))
        };
        KEYS.into_iter().filter_map(held)
    }
}

impl Answer {
    /// The part of a snapshot that the answer is, where it is one by itself.
    pub(in crate::describe) fn part(self) -> Option<Part> {
        match self {
            Answer::Groups => Some(Part::SecurityGroups),
            Answer::Permissions => Some(Part::SecurityGroupRules),
            Answer::Interfaces => Some(Part::NetworkInterfaces),
            Answer::VSwitches => Some(Part::Subnets),
            Answer::Vpcs => Some(Part::Vpcs),
            Answer::PrefixLists => Some(Part::PrefixLists),
            Answer::FlowLogs => Some(Part::FlowLogs),
            Answer::Entries => None,
        }
    }

    /// The key that a user sees.
    pub(in crate::describe) fn key(self) -> &'static str {
        let known = KEYS.iter().find(|(_, _, answer)| *answer == self);
        known.map_or("", |(outer, _, _)| outer)
    }
}

/// The list within its wrapper; `None` where either is missing.
fn wrapped<'a>(document: Object<'a>, outer: &str, inner: &str) -> Option<&'a [Value]> {
    let wrapper = document.object(outer).ok().flatten()?;
    if !wrapper.has(inner) {
        return None;
    }
    let items = wrapper.list(inner).ok()?;
    items.iter().all(Value::is_object).then_some(items)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_is_of_the_other_cloud() {
        let value = json!({"SecurityGroups": {"SecurityGroup": []},
            "Permissions": {"Permission": [{"Policy": "Accept"}]},
            "NetworkInterfaceSets": [], "Vpcs": [{"VpcId": "vpc-1"}]});
        let found: Vec<Answer> = Answer::within(Object::of(&value).unwrap())
            .map(|(answer, _)| answer)
            .collect();
        assert_eq!(found, [Answer::Groups, Answer::Permissions]);
    }
}
