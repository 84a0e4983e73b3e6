//! `describe-vpcs`, `describe-subnets`, `describe-vpc-peering-connections`
//! and `describe-security-group-vpc-associations`.

use ipnet::IpNet;

use crate::describe::error::Fault;
use crate::describe::json::Object;
use crate::model::SgId;
use crate::model::SubnetId;
use crate::model::VpcId;
use crate::model::vpc::Subnet;
use crate::model::vpc::Vpc;
use crate::model::vpc::VpcAssociation;
use crate::model::vpc::VpcPeering;

/// Reads one VPC.
pub(in crate::describe) fn vpc(object: Object<'_>) -> Result<Vpc, Fault> {
    let id = object.id("VpcId").map_err(|fault| fault.of("VPC", "?"))?;
    let cidrs = blocks(object).map_err(|fault| fault.of("VPC", id))?;
    Ok(Vpc {
        id: VpcId::from(id),
        cidrs,
    })
}

/// Reads one subnet.
pub(in crate::describe) fn subnet(object: Object<'_>) -> Result<Subnet, Fault> {
    let id = object
        .id("SubnetId")
        .map_err(|fault| fault.of("subnet", "?"))?;
    let inner = || -> Result<Subnet, Fault> {
        Ok(Subnet {
            id: SubnetId::from(id),
            vpc_id: object.optional_id("VpcId")?.map(VpcId::from),
            cidrs: blocks(object)?,
        })
    };
    inner().map_err(|fault| fault.of("subnet", id))
}

/// The address ranges in force. An association that was undone is still
/// listed for a while and does not count.
fn blocks(object: Object<'_>) -> Result<Vec<IpNet>, Fault> {
    let mut blocks: Vec<IpNet> = object.cidr("CidrBlock")?.into_iter().collect();
    for (list, key, state) in [
        ("CidrBlockAssociationSet", "CidrBlock", "CidrBlockState"),
        (
            "Ipv6CidrBlockAssociationSet",
            "Ipv6CidrBlock",
            "Ipv6CidrBlockState",
        ),
    ] {
        for association in object.objects(list)? {
            if in_force(association, state)? {
                blocks.extend(association.cidr(key)?);
            }
        }
    }
    blocks.sort_unstable();
    blocks.dedup();
    Ok(blocks)
}

fn in_force(association: Object<'_>, key: &str) -> Result<bool, Fault> {
    let Some(state) = association.object(key)? else {
        return Ok(true);
    };
    Ok(state
        .text("State")?
        .is_none_or(|state| state.eq_ignore_ascii_case("associated")))
}

/// Reads one peering; `None` where it does not name both VPCs, as peerings
/// that were deleted or never accepted may not.
pub(in crate::describe) fn peering(
    object: Object<'_>,
) -> Result<(String, Option<VpcPeering>), Fault> {
    let id = object
        .id("VpcPeeringConnectionId")
        .map_err(|fault| fault.of("peering", "?"))?;
    let inner = || -> Result<Option<VpcPeering>, Fault> {
        let requester = side(object, "RequesterVpcInfo")?;
        let accepter = side(object, "AccepterVpcInfo")?;
        let active = active(object)?;
        Ok(requester
            .zip(accepter)
            .map(|(requester, accepter)| VpcPeering {
                id: id.to_owned(),
                vpcs: [requester, accepter],
                active,
            }))
    };
    let peering = inner().map_err(|fault| fault.of("peering", id))?;
    Ok((id.to_owned(), peering))
}

fn side(object: Object<'_>, key: &str) -> Result<Option<VpcId>, Fault> {
    let Some(info) = object.object(key)? else {
        return Ok(None);
    };
    Ok(info.optional_id("VpcId")?.map(VpcId::from))
}

fn active(object: Object<'_>) -> Result<bool, Fault> {
    let Some(status) = object.object("Status")? else {
        return Ok(false);
    };
    let code = status.text("Code")?;
    Ok(code.is_some_and(|code| code.eq_ignore_ascii_case("active")))
}

/// Reads one association of a group with a further VPC.
pub(in crate::describe) fn association(object: Object<'_>) -> Result<VpcAssociation, Fault> {
    let state = object.text("State")?;
    Ok(VpcAssociation {
        group_id: SgId::from(object.id("GroupId")?),
        vpc_id: VpcId::from(object.id("VpcId")?),
        associated: state.is_some_and(|state| state.eq_ignore_ascii_case("associated")),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn undone_address_ranges_do_not_count() {
        let value = json!({"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16",
            "CidrBlockAssociationSet": [
                {"CidrBlock": "10.0.0.0/16", "CidrBlockState": {"State": "associated"}},
                {"CidrBlock": "10.9.0.0/16", "CidrBlockState": {"State": "disassociated"}}],
            "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2001:db8::/56"}]});
        let vpc = vpc(Object::of(&value).unwrap()).unwrap();
        let texts: Vec<String> = vpc.cidrs.iter().map(IpNet::to_string).collect();
        assert_eq!(texts, ["10.0.0.0/16", "2001:db8::/56"]);
    }

    #[test]
    fn a_subnet_of_ipv6_only_has_no_cidr_block() {
        let value = json!({"SubnetId": "subnet-1", "Ipv6CidrBlockAssociationSet": [
            {"Ipv6CidrBlock": "2001:db8:0:1::/64", "Ipv6CidrBlockState": {"State": "associated"}}]});
        assert_eq!(subnet(Object::of(&value).unwrap()).unwrap().cidrs.len(), 1);
    }

    #[test]
    fn a_peering_that_lost_a_side_is_none() {
        let value = json!({"VpcPeeringConnectionId": "pcx-1", "Status": {"Code": "deleted"},
            "RequesterVpcInfo": {"VpcId": "vpc-1"}, "AccepterVpcInfo": {}});
        let (id, peering) = peering(Object::of(&value).unwrap()).unwrap();
        assert_eq!((id.as_str(), peering), ("pcx-1", None));
    }
}
