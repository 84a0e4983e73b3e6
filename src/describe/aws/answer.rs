//! Which answer a piece of JSON is: told by its top-level key, or, for a
//! resource that stands alone, by its fields. Never by a file's name.

use serde_json::Value;

use crate::describe::json::Object;
use crate::model::snapshot::Part;

/// A kind of answer that holds resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::describe) enum Answer {
    SecurityGroups,
    SecurityGroupRules,
    NetworkInterfaces,
    NetworkAcls,
    Subnets,
    Vpcs,
    PrefixLists,
    Entries,
    FlowLogs,
    VpcAssociations,
    VpcPeerings,
    Reservations,
    Instances,
    ConfigurationItems,
}

/// Top-level key of each answer.
const KEYS: [(&str, Answer); 14] = [
    ("SecurityGroups", Answer::SecurityGroups),
    ("SecurityGroupRules", Answer::SecurityGroupRules),
    ("NetworkInterfaces", Answer::NetworkInterfaces),
    ("NetworkAcls", Answer::NetworkAcls),
    ("Subnets", Answer::Subnets),
    ("Vpcs", Answer::Vpcs),
    ("PrefixLists", Answer::PrefixLists),
    ("Entries", Answer::Entries),
    ("FlowLogs", Answer::FlowLogs),
    ("SecurityGroupVpcAssociations", Answer::VpcAssociations),
    ("VpcPeeringConnections", Answer::VpcPeerings),
    ("Reservations", Answer::Reservations),
    ("Instances", Answer::Instances),
    ("configurationItems", Answer::ConfigurationItems),
];

/// Fields by which a lone resource is told: all of the first, one of the
/// second. Instances stand first: they have interfaces and groups as fields.
type Mark = (&'static [&'static str], &'static [&'static str], Answer);

const MARKS: [Mark; 13] = [
    (
        &["InstanceId"],
        &["NetworkInterfaces", "ImageId"],
        Answer::Instances,
    ),
    (&["ReservationId"], &["Instances"], Answer::Reservations),
    (
        &["ResourceType"],
        &["configuration", "configurationItemStatus"],
        Answer::ConfigurationItems,
    ),
    (
        &["SecurityGroupRuleId"],
        &["IsEgress", "GroupId"],
        Answer::SecurityGroupRules,
    ),
    (
        &["GroupId", "IsEgress"],
        &["IpProtocol"],
        Answer::SecurityGroupRules,
    ),
    (
        &["GroupId"],
        &["IpPermissions", "IpPermissionsEgress"],
        Answer::SecurityGroups,
    ),
    (
        &["NetworkInterfaceId"],
        &[
            "PrivateIpAddresses",
            "PrivateIpAddress",
            "Groups",
            "InterfaceType",
        ],
        Answer::NetworkInterfaces,
    ),
    (&["NetworkAclId"], &["Entries"], Answer::NetworkAcls),
    (
        &["FlowLogId"],
        &["ResourceId", "LogFormat"],
        Answer::FlowLogs,
    ),
    (
        &["PrefixListId"],
        &["PrefixListName", "Entries", "Cidrs"],
        Answer::PrefixLists,
    ),
    (
        &["VpcPeeringConnectionId"],
        &["RequesterVpcInfo", "AccepterVpcInfo"],
        Answer::VpcPeerings,
    ),
    (
        &["SubnetId"],
        &["CidrBlock", "Ipv6CidrBlockAssociationSet"],
        Answer::Subnets,
    ),
    (
        &["VpcId"],
        &["CidrBlock", "CidrBlockAssociationSet"],
        Answer::Vpcs,
    ),
];

impl Answer {
    /// The answers in a document, each with its items.
    pub(in crate::describe) fn within(
        document: Object<'_>,
    ) -> impl Iterator<Item = (Answer, &[Value])> {
        let held = move |(key, answer): (&str, Answer)| {
            let items = items(document, key)?;
            answer.plausible(items).then_some((answer, items))
        };
        KEYS.into_iter().filter_map(held)
    }

    /// The answer that would hold this object, if it is a lone resource.
    pub(in crate::describe) fn holding(object: Object<'_>) -> Option<Answer> {
        let marked = |&(all, one, _): &Mark| {
            all.iter().all(|key| object.field(key).is_some())
                && one.iter().any(|key| object.has(key))
        };
        let lone_entry = object.has("Cidr") && object.fields().count() <= 2;
        let known = MARKS.into_iter().find(marked);
        let known = known.map(|(_, _, answer)| answer);
        known.or(lone_entry.then_some(Answer::Entries))
    }

    /// The answer whose items AWS Config records under this type.
    pub(in crate::describe) fn of_config_type(name: &str) -> Option<Answer> {
        const TYPES: [(&str, Answer); 8] = [
            ("AWS::EC2::SecurityGroup", Answer::SecurityGroups),
            ("AWS::EC2::NetworkInterface", Answer::NetworkInterfaces),
            ("AWS::EC2::NetworkAcl", Answer::NetworkAcls),
            ("AWS::EC2::Subnet", Answer::Subnets),
            ("AWS::EC2::VPC", Answer::Vpcs),
            ("AWS::EC2::PrefixList", Answer::PrefixLists),
            ("AWS::EC2::FlowLog", Answer::FlowLogs),
            ("AWS::EC2::VPCPeeringConnection", Answer::VpcPeerings),
        ];
        let known = TYPES.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        known.map(|&(_, answer)| answer)
    }

    /// The part of a snapshot that the answer is, where it is one by itself.
    pub(in crate::describe) fn part(self) -> Option<Part> {
        match self {
            Answer::SecurityGroups => Some(Part::SecurityGroups),
            Answer::SecurityGroupRules => Some(Part::SecurityGroupRules),
            Answer::NetworkInterfaces => Some(Part::NetworkInterfaces),
            Answer::NetworkAcls => Some(Part::NetworkAcls),
            Answer::Subnets => Some(Part::Subnets),
            Answer::Vpcs => Some(Part::Vpcs),
            Answer::PrefixLists => Some(Part::PrefixLists),
            Answer::FlowLogs => Some(Part::FlowLogs),
            Answer::VpcAssociations => Some(Part::VpcAssociations),
            Answer::VpcPeerings => Some(Part::VpcPeerings),
            Answer::Entries
            | Answer::Reservations
            | Answer::Instances
            | Answer::ConfigurationItems => None,
        }
    }

    /// Other services use some of the keys too: a list of other things is
    /// theirs.
    fn plausible(self, items: &[Value]) -> bool {
        let all_have = |keys: &[&str]| {
            let mut objects = items.iter().filter_map(Object::of);
            objects.all(|item| keys.iter().any(|key| item.has(key)))
        };
        match self {
            Answer::Entries => all_have(&["Cidr"]),
            Answer::Instances => !items.is_empty() && all_have(&["InstanceId"]),
            Answer::Reservations => all_have(&["Instances"]),
            Answer::SecurityGroups
            | Answer::SecurityGroupRules
            | Answer::NetworkInterfaces
            | Answer::NetworkAcls
            | Answer::Subnets
            | Answer::Vpcs
            | Answer::PrefixLists
            | Answer::FlowLogs
            | Answer::VpcAssociations
            | Answer::VpcPeerings
            | Answer::ConfigurationItems => true,
        }
    }
}

/// The list under a key, `null` read as empty; `None` where the key is absent
/// or holds anything but objects, as with the id lists of other services.
fn items<'a>(document: Object<'a>, key: &str) -> Option<&'a [Value]> {
    if !document.has(key) {
        return None;
    }
    let items = document.list(key).ok()?;
    items
        .iter()
        .all(|item| item.is_object() || item.is_null())
        .then_some(items)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lone(value: &Value) -> Option<Answer> {
        Answer::holding(Object::of(value).unwrap())
    }

    #[test]
    fn lone_resources_are_told_by_their_fields() {
        assert_eq!(
            lone(&json!({"GroupId": "sg-1", "IpPermissions": []})),
            Some(Answer::SecurityGroups)
        );
        assert_eq!(
            lone(
                &json!({"NetworkInterfaceId": "eni-1", "SubnetId": "subnet-1", "VpcId": "vpc-1", "Groups": []})
            ),
            Some(Answer::NetworkInterfaces)
        );
        assert_eq!(
            lone(&json!({"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24"})),
            Some(Answer::Subnets)
        );
        assert_eq!(lone(&json!({"Cidr": "10.0.0.0/24"})), Some(Answer::Entries));
        assert_eq!(lone(&json!({"GroupId": "sg-1", "GroupName": "web"})), None);
    }

    #[test]
    fn groups_of_an_instance_are_no_answer_about_groups() {
        let instance = json!({"InstanceId": "i-1", "SecurityGroups": [{"GroupId": "sg-1"}], "NetworkInterfaces": []});
        assert_eq!(lone(&instance), Some(Answer::Instances));
    }

    #[test]
    fn id_lists_of_other_services_are_no_answer() {
        let value =
            json!({"SecurityGroups": ["sg-1"], "Subnets": null, "Entries": [{"Source": "x"}]});
        let answers: Vec<_> = Answer::within(Object::of(&value).unwrap()).collect();
        assert_eq!(answers, vec![(Answer::Subnets, [].as_slice())]);
    }
}
