//! One interface of `DescribeNetworkInterfaces`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::describe::error::Fault;
use crate::describe::json::Object;
use crate::describe::json::checked_id;
use crate::model::Eni;
use crate::model::EniId;
use crate::model::InterfaceKind;
use crate::model::SgId;
use crate::model::SubnetId;
use crate::model::VpcId;

/// Reads one interface.
pub(in crate::describe) fn interface(object: Object<'_>) -> Result<Eni, Fault> {
    let id = object
        .id("NetworkInterfaceId")
        .map_err(|fault| fault.of("network interface", "?"))?;
    let inner = || -> Result<Eni, Fault> {
        let managed = object.flag("ServiceManaged")?.unwrap_or(false);
        let status = object.text("Status")?;
        Ok(Eni {
            id: EniId::parse(id).ok_or_else(|| Fault::new("the id is too long"))?,
            kind: InterfaceKind::Interface,
            description: object.words("Description")?,
            requester_managed: managed,
            in_use: status.is_none_or(|status| status.eq_ignore_ascii_case("InUse")),
            vpc_id: object.optional_id("VpcId")?.map(VpcId::from),
            subnet_id: object.optional_id("VSwitchId")?.map(SubnetId::from),
            addresses: addresses(object)?,
            prefixes: prefixes(object)?,
            public_addresses: public_addresses(object)?,
            groups: groups(object)?,
            instance_id: instance_id(object)?,
            tags: tags(object)?,
        })
    };
    inner().map_err(|fault| fault.of("network interface", id))
}

/// The objects in `{"outer": {"inner": [...]}}`; none where it is not set.
pub(super) fn wrapped<'a>(
    object: Object<'a>,
    outer: &str,
    inner: &str,
) -> Result<Vec<Object<'a>>, Fault> {
    match object.object(outer)? {
        Some(wrapper) => wrapper.objects(inner),
        None => Ok(Vec::new()),
    }
}

/// Tags by key; some calls write `Key`, others `TagKey`.
pub(super) fn tags(object: Object<'_>) -> Result<BTreeMap<String, String>, Fault> {
    let mut tags = BTreeMap::new();
    for tag in wrapped(object, "Tags", "Tag")? {
        let either = |long: &str, short: &str| match tag.text(long)? {
            Some(text) => Ok(Some(text)),
            None => tag.text(short),
        };
        if let Some(key) = either("TagKey", "Key")? {
            let value = either("TagValue", "Value")?.unwrap_or_default();
            tags.insert(key.to_owned(), value.to_owned());
        }
    }
    Ok(tags)
}

/// The primary address first, then the other IPv4 ones, then IPv6.
fn addresses(object: Object<'_>) -> Result<Vec<IpAddr>, Fault> {
    let mut addresses: Vec<IpAddr> = object.address("PrivateIpAddress")?.into_iter().collect();
    let own = wrapped(object, "PrivateIpSets", "PrivateIpSet")?;
    for primary in [true, false] {
        for entry in &own {
            if entry.flag("Primary")?.unwrap_or(false) == primary {
                addresses.extend(entry.address("PrivateIpAddress")?);
            }
        }
    }
    for entry in wrapped(object, "Ipv6Sets", "Ipv6Set")? {
        addresses.extend(entry.address("Ipv6Address")?);
    }
    let mut seen = Vec::new();
    addresses.retain(|address| {
        let new = !seen.contains(address);
        seen.push(*address);
        new
    });
    Ok(addresses)
}

fn prefixes(object: Object<'_>) -> Result<Vec<ipnet::IpNet>, Fault> {
    let mut prefixes = Vec::new();
    for (outer, inner, key) in [
        ("Ipv4PrefixSets", "Ipv4PrefixSet", "Ipv4Prefix"),
        ("Ipv6PrefixSets", "Ipv6PrefixSet", "Ipv6Prefix"),
    ] {
        for entry in wrapped(object, outer, inner)? {
            prefixes.extend(entry.cidr(key)?);
        }
    }
    prefixes.sort_unstable();
    prefixes.dedup();
    Ok(prefixes)
}

fn public_addresses(object: Object<'_>) -> Result<Vec<IpAddr>, Fault> {
    let mut holders = wrapped(object, "PrivateIpSets", "PrivateIpSet")?;
    holders.push(object);
    let mut public = Vec::new();
    for holder in holders {
        if let Some(association) = holder.object("AssociatedPublicIp")? {
            public.extend(association.address("PublicIpAddress")?);
        }
    }
    public.sort_unstable();
    public.dedup();
    Ok(public)
}

fn groups(object: Object<'_>) -> Result<Vec<SgId>, Fault> {
    let Some(wrapper) = object.object("SecurityGroupIds")? else {
        return Ok(Vec::new());
    };
    let mut ids = Vec::new();
    for value in wrapper.list("SecurityGroupId")? {
        let text = value.as_str().unwrap_or_default();
        ids.push(SgId::from(checked_id("SecurityGroupId", text)?));
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

fn instance_id(object: Object<'_>) -> Result<Option<String>, Fault> {
    let own = object.optional_id("InstanceId")?;
    let attached = match (own, object.object("Attachment")?) {
        (None, Some(attachment)) => attachment.optional_id("InstanceId")?,
        (own, _) => own,
    };
    Ok(attached.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn empty_objects_and_texts_are_absent() {
        let eni = interface(
            Object::of(&json!({
            "NetworkInterfaceId": "eni-bp1aaaa", "Type": "Primary", "Status": "InUse",
            "InstanceId": "", "Attachment": {"InstanceId": "i-1"}, "VpcId": "vpc-1",
            "VSwitchId": "vsw-1", "PrivateIpAddress": "10.0.0.2",
            "PrivateIpSets": {"PrivateIpSet": [
                {"PrivateIpAddress": "10.0.0.3", "Primary": false, "AssociatedPublicIp": {}},
                {"PrivateIpAddress": "10.0.0.2", "Primary": true,
                 "AssociatedPublicIp": {"PublicIpAddress": "203.0.113.9"}}]},
            "Ipv6Sets": {"Ipv6Set": [{"Ipv6Address": "2001:db8::2"}]},
            "Ipv4PrefixSets": {"Ipv4PrefixSet": []},
            "SecurityGroupIds": {"SecurityGroupId": ["sg-2", "sg-1"]},
            "AssociatedPublicIp": {}, "ServiceManaged": false,
            "Tags": {"Tag": [{"TagKey": "env", "TagValue": "prod"}]}}))
            .unwrap(),
        )
        .unwrap();
        let texts: Vec<String> = eni.addresses.iter().map(IpAddr::to_string).collect();
        assert_eq!(texts, ["10.0.0.2", "10.0.0.3", "2001:db8::2"]);
        assert_eq!(eni.groups, [SgId::from("sg-1"), SgId::from("sg-2")]);
        assert_eq!(eni.instance_id.as_deref(), Some("i-1"));
        assert_eq!(eni.public_addresses.len(), 1);
        assert_eq!(eni.tags["env"], "prod");
        assert!(eni.in_use);
    }
}
