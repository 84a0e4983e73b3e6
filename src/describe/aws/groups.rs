//! `describe-security-groups` (and AWS Config's security groups): rules come
//! grouped, one `IpPermission` a cross product of its peers.

use serde_json::Value;

use crate::describe::aws::tags::tags;
use crate::describe::aws::transport::Bounds;
use crate::describe::aws::transport::protocol;
use crate::describe::aws::transport::transport;
use crate::describe::error::Fault;
use crate::describe::error::quoted;
use crate::describe::json::Object;
use crate::describe::json::cidr;
use crate::model::Direction;
use crate::model::GroupPolicy;
use crate::model::Peer;
use crate::model::PrefixListId;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::Transport;
use crate::model::VpcId;

/// A group as one call shows it, before its rules have their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::describe) struct GroupDraft {
    /// The group without its rules.
    pub(in crate::describe) group: SecurityGroup,
    /// What its permissions say, one a peer, sorted and without repeats.
    pub(in crate::describe) rules: Vec<RuleDraft>,
    /// Whether permissions were printed at all, empty lists included.
    pub(in crate::describe) printed: bool,
}

/// What a rule says, apart from its id. Two views of one rule agree in
/// direction, transport and peer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::describe) struct RuleDraft {
    pub(in crate::describe) direction: Direction,
    pub(in crate::describe) transport: Transport,
    pub(in crate::describe) peer: PeerDraft,
    pub(in crate::describe) description: String,
}

impl RuleDraft {
    /// Whether the two say the same, descriptions aside.
    pub(in crate::describe) fn same_rule(&self, other: &RuleDraft) -> bool {
        (self.direction, self.transport, &self.peer)
            == (other.direction, other.transport, &other.peer)
    }
}

/// A peer that may be known by name only (deleted groups, EC2-Classic).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::describe) enum PeerDraft {
    Known(Peer),
    GroupNamed(String),
}

/// Reads one group.
pub(in crate::describe) fn group(object: Object<'_>) -> Result<GroupDraft, Fault> {
    let id = object
        .id("GroupId")
        .map_err(|fault| fault.of("security group", name(object)))?;
    let inner = || -> Result<GroupDraft, Fault> {
        let mut rules = permissions(object, "IpPermissions", Direction::Ingress)?;
        rules.extend(permissions(
            object,
            "IpPermissionsEgress",
            Direction::Egress,
        )?);
        rules.sort();
        rules.dedup_by(|later, first| later.same_rule(first));
        Ok(GroupDraft {
            group: bare_group(id, object)?,
            rules,
            printed: object.has("IpPermissions") || object.has("IpPermissionsEgress"),
        })
    };
    inner().map_err(|fault| fault.of("security group", id))
}

fn name(object: Object<'_>) -> &str {
    object
        .field("GroupName")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn bare_group(id: &str, object: Object<'_>) -> Result<SecurityGroup, Fault> {
    Ok(SecurityGroup {
        id: SgId::from(id),
        name: object.words("GroupName")?,
        description: object.words("Description")?,
        vpc_id: object.optional_id("VpcId")?.map(VpcId::from),
        owner_id: object.text("OwnerId")?.map(str::to_owned),
        tags: tags(object)?,
        policy: GroupPolicy::default(),
        rules: Vec::new(),
    })
}

fn permissions(
    group: Object<'_>,
    key: &str,
    direction: Direction,
) -> Result<Vec<RuleDraft>, Fault> {
    let mut rules = Vec::new();
    for permission in group.objects(key)? {
        let bounds = Bounds::read(permission, "FromPort", "ToPort")?;
        let transport = transport(protocol(permission, "IpProtocol")?, bounds)?;
        let peers = peers(permission)?.into_iter();
        rules.extend(peers.map(|(peer, description)| RuleDraft {
            direction,
            transport,
            peer,
            description,
        }));
    }
    Ok(rules)
}

/// The peers of one permission, each with its description.
fn peers(permission: Object<'_>) -> Result<Vec<(PeerDraft, String)>, Fault> {
    let mut peers = ranges(permission)?;
    for list in permission.objects("PrefixListIds")? {
        let id = PrefixListId::from(list.id("PrefixListId")?);
        peers.push((
            PeerDraft::Known(Peer::PrefixList(id)),
            list.words("Description")?,
        ));
    }
    for pair in permission.objects("UserIdGroupPairs")? {
        peers.push((group_peer(pair)?, pair.words("Description")?));
    }
    Ok(peers)
}

/// Prefixes. AWS Config prints `ipv4Ranges`, and again the same as a list of
/// texts in `ipRanges`; older items have the texts only.
fn ranges(permission: Object<'_>) -> Result<Vec<(PeerDraft, String)>, Fault> {
    let v4 = match permission.list("Ipv4Ranges")? {
        [] => permission.list("IpRanges")?,
        ranges => ranges,
    };
    let v6 = permission.list("Ipv6Ranges")?;
    v4.iter().chain(v6).map(range).collect()
}

fn range(value: &Value) -> Result<(PeerDraft, String), Fault> {
    let known = |net| PeerDraft::Known(Peer::Cidr(net));
    if let Some(text) = value.as_str() {
        return Ok((known(cidr(text)?), String::new()));
    }
    let range = Object::of(value).ok_or_else(|| Fault::new("an address range is no object"))?;
    let net = match range.cidr("CidrIp")? {
        Some(net) => net,
        None => range
            .cidr("CidrIpv6")?
            .ok_or_else(|| Fault::new("an address range without `CidrIp` or `CidrIpv6`"))?,
    };
    Ok((known(net), range.words("Description")?))
}

/// The group that a pair references; by name where the id is missing.
pub(in crate::describe) fn group_peer(pair: Object<'_>) -> Result<PeerDraft, Fault> {
    if let Some(id) = pair.optional_id("GroupId")? {
        return Ok(PeerDraft::Known(Peer::SecurityGroup(SgId::from(id))));
    }
    let owner = || pair.text("UserId");
    let name = match pair.text("GroupName")? {
        Some(name) => name.to_owned(),
        None => format!(
            "unnamed group of account {}",
            quoted(owner()?.unwrap_or("?"))
        ),
    };
    Ok(PeerDraft::GroupNamed(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::net::PortRange;

    fn read(value: &Value) -> Result<GroupDraft, Fault> {
        group(Object::of(value).unwrap())
    }

    #[test]
    fn a_permission_is_the_product_of_its_peers() {
        let draft = read(&json!({"GroupId": "sg-1", "IpPermissions": [{
            "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443,
            "IpRanges": [{"CidrIp": "192.0.2.0/24", "Description": "office"}, {"CidrIp": "198.51.100.0/24"}],
            "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
            "PrefixListIds": [{"PrefixListId": "pl-1"}],
            "UserIdGroupPairs": [{"GroupId": "sg-2", "UserId": "1"}],
        }]}))
        .unwrap();
        assert_eq!(draft.rules.len(), 5);
        let https = Transport::Tcp(PortRange::single(443));
        assert!(draft.rules.iter().all(|rule| rule.transport == https));
        let office = draft
            .rules
            .iter()
            .filter(|rule| rule.description == "office");
        assert_eq!(office.count(), 1);
    }

    #[test]
    fn string_ranges_beside_ipv4_ranges_are_not_counted_twice() {
        let both = read(
            &json!({"groupId": "sg-1", "ipPermissions": [{"ipProtocol": "-1",
            "ipv4Ranges": [{"cidrIp": "10.0.0.0/8"}], "ipRanges": ["10.0.0.0/8"]}]}),
        );
        let texts = read(
            &json!({"groupId": "sg-1", "ipPermissions": [{"ipProtocol": "-1",
            "ipRanges": ["10.0.0.0/8"]}]}),
        );
        assert_eq!(both.clone().unwrap().rules.len(), 1);
        assert_eq!(both, texts);
    }

    #[test]
    fn a_group_without_an_id_is_named_in_the_fault() {
        let fault = read(&json!({"GroupName": "web", "IpPermissions": []})).unwrap_err();
        let text = fault.in_file("a.json").to_string();
        assert_eq!(
            text,
            "`a.json`: security group `web`: `GroupId` is missing or empty"
        );
    }

    #[test]
    fn null_lists_are_empty_lists() {
        let draft = read(&json!({"GroupId": "sg-1", "Tags": null, "IpPermissions": [{
            "IpProtocol": "-1", "FromPort": null, "ToPort": null, "IpRanges": null, "Ipv6Ranges": null,
            "PrefixListIds": null, "UserIdGroupPairs": [{"GroupId": "sg-1", "Description": null}]}]}))
        .unwrap();
        assert_eq!(draft.rules.len(), 1);
    }
}
