//! `describe-network-acls`: protocols are numbers as text, entries come in no
//! promised order.

use ipnet::IpNet;

use crate::describe::aws::transport::Bounds;
use crate::describe::aws::transport::protocol;
use crate::describe::aws::transport::transport;
use crate::describe::error::Fault;
use crate::describe::error::quoted;
use crate::describe::json::Object;
use crate::model::AclEntry;
use crate::model::AclId;
use crate::model::Direction;
use crate::model::Effect;
use crate::model::NetworkAcl;
use crate::model::SubnetId;
use crate::model::Transport;
use crate::model::VpcId;
use crate::net::IpProtocol;

/// Reads one network ACL.
pub(in crate::describe) fn acl(object: Object<'_>) -> Result<NetworkAcl, Fault> {
    let id = object
        .id("NetworkAclId")
        .map_err(|fault| fault.of("network ACL", "?"))?;
    let inner = || -> Result<NetworkAcl, Fault> {
        let entries = object.objects("Entries")?.into_iter();
        let mut entries = entries.map(entry).collect::<Result<Vec<_>, _>>()?;
        entries.sort();
        entries.dedup();
        Ok(NetworkAcl {
            id: AclId::from(id),
            vpc_id: object.optional_id("VpcId")?.map(VpcId::from),
            subnets: subnets(object)?,
            entries,
        })
    };
    inner().map_err(|fault| fault.of("network ACL", id))
}

fn subnets(object: Object<'_>) -> Result<Vec<SubnetId>, Fault> {
    let mut subnets = Vec::new();
    for association in object.objects("Associations")? {
        subnets.extend(association.optional_id("SubnetId")?.map(SubnetId::from));
    }
    subnets.sort_unstable();
    subnets.dedup();
    Ok(subnets)
}

fn entry(object: Object<'_>) -> Result<AclEntry, Fault> {
    let number = object
        .integer("RuleNumber")?
        .and_then(|number| u32::try_from(number).ok());
    let number = number.ok_or_else(|| Fault::new("an entry without a sound `RuleNumber`"))?;
    let inner = || -> Result<AclEntry, Fault> {
        Ok(AclEntry {
            direction: direction(object)?,
            number,
            effect: effect(object)?,
            transport: entry_transport(object)?,
            cidr: entry_cidr(object)?,
        })
    };
    inner().map_err(|fault| fault.of("entry", number))
}

fn direction(object: Object<'_>) -> Result<Direction, Fault> {
    match object.flag("Egress")? {
        Some(true) => Ok(Direction::Egress),
        Some(false) => Ok(Direction::Ingress),
        None => Err(Fault::new("`Egress` is missing")),
    }
}

fn effect(object: Object<'_>) -> Result<Effect, Fault> {
    match object.text("RuleAction")?.unwrap_or_default() {
        action if action.eq_ignore_ascii_case("allow") => Ok(Effect::Allow),
        action if action.eq_ignore_ascii_case("deny") => Ok(Effect::Drop),
        other => Err(Fault::new(format!(
            "`RuleAction` {} is neither `allow` nor `deny`",
            quoted(other)
        ))),
    }
}

/// Ports of TCP and UDP come in `PortRange`, ICMP's in `IcmpTypeCode`.
fn entry_transport(object: Object<'_>) -> Result<Transport, Fault> {
    let protocol = protocol(object, "Protocol")?;
    let (holder, from, to) = if protocol.is_some_and(IpProtocol::is_icmp) {
        ("IcmpTypeCode", "Type", "Code")
    } else {
        ("PortRange", "From", "To")
    };
    let bounds = match object.object(holder)? {
        Some(holder) => Bounds::read(holder, from, to)?,
        None => Bounds::default(),
    };
    transport(protocol, bounds)
}

fn entry_cidr(object: Object<'_>) -> Result<IpNet, Fault> {
    match object.cidr("CidrBlock")? {
        Some(net) => Ok(net),
        None => object
            .cidr("Ipv6CidrBlock")?
            .ok_or_else(|| Fault::new("neither `CidrBlock` nor `Ipv6CidrBlock` is given")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use serde_json::json;

    use super::*;
    use crate::model::sg::IcmpTypeCode;
    use crate::net::PortRange;

    fn read(entries: &Value) -> Result<NetworkAcl, Fault> {
        let value = json!({"NetworkAclId": "acl-1", "Entries": entries,
            "Associations": [{"NetworkAclId": "acl-1", "SubnetId": "subnet-1"}]});
        acl(Object::of(&value).unwrap())
    }

    #[test]
    fn entries_out_of_order_are_sorted_by_direction_and_number() {
        let acl = read(&json!([
            {"RuleNumber": 32767, "Egress": false, "Protocol": "-1", "RuleAction": "deny", "CidrBlock": "0.0.0.0/0"},
            {"RuleNumber": 100, "Egress": true, "Protocol": "-1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"},
            {"RuleNumber": 100, "Egress": false, "Protocol": "6", "RuleAction": "allow", "CidrBlock": "10.0.0.0/8", "PortRange": {"From": 443, "To": 443}},
        ]))
        .unwrap();
        let numbers: Vec<_> = acl
            .entries
            .iter()
            .map(|entry| (entry.direction, entry.number))
            .collect();
        assert_eq!(
            numbers,
            [
                (Direction::Ingress, 100),
                (Direction::Ingress, 32767),
                (Direction::Egress, 100)
            ]
        );
        assert_eq!(
            acl.entries[0].transport,
            Transport::Tcp(PortRange::single(443))
        );
        assert_eq!(acl.subnets, [SubnetId::from("subnet-1")]);
    }

    #[test]
    fn type_and_code_of_icmp_are_read_and_null_is_any() {
        let acl = read(&json!([
            {"RuleNumber": 1, "Egress": false, "Protocol": "1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0", "IcmpTypeCode": {"Type": 8, "Code": -1}},
            {"RuleNumber": 2, "Egress": false, "Protocol": "58", "RuleAction": "allow", "Ipv6CidrBlock": "::/0", "CidrBlock": null, "IcmpTypeCode": null, "PortRange": null},
        ]))
        .unwrap();
        assert_eq!(
            acl.entries[0].transport,
            Transport::Icmp(IcmpTypeCode::Type(8))
        );
        assert_eq!(
            acl.entries[1].transport,
            Transport::Icmpv6(IcmpTypeCode::Any)
        );
    }

    #[test]
    fn an_entry_that_neither_allows_nor_denies_is_refused() {
        let fault = read(
            &json!([{"RuleNumber": 7, "Egress": false, "Protocol": "-1", "RuleAction": "log", "CidrBlock": "0.0.0.0/0"}]),
        );
        let text = fault.unwrap_err().in_file("a.json").to_string();
        assert_eq!(
            text,
            "`a.json`: network ACL `acl-1`: entry `7`: `RuleAction` `log` is neither `allow` nor `deny`"
        );
    }
}
