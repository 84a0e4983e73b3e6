//! What rules count in a group's quota (VPC user guide, "Amazon VPC quotas").
//!
//! IPv4 and IPv6 are counted apart. A prefix counts one in its family, a
//! reference to a group one in each, a customer's prefix list its maximum
//! entries, a list of AWS its weight.

use std::collections::BTreeMap;

use crate::model::Peer;
use crate::model::PrefixList;
use crate::model::PrefixListId;
use crate::net::cidr::Family;
use crate::tighten::plan::Quota;

/// What one rule with this peer counts. A list whose weight is not known
/// counts as one; [`weight_is_known`] tells.
#[must_use]
pub fn of_peer(peer: &Peer, lists: &BTreeMap<PrefixListId, PrefixList>) -> Quota {
    match peer {
        Peer::Cidr(net) => match Family::of_net(*net) {
            Family::V4 => Quota { v4: 1, v6: 0 },
            Family::V6 => Quota { v4: 0, v6: 1 },
        },
        Peer::SecurityGroup(_) => Quota { v4: 1, v6: 1 },
        Peer::PrefixList(id) => lists.get(id).map_or(Quota { v4: 1, v6: 1 }, of_list),
    }
}

/// Whether the quota weight of the peer is known.
#[must_use]
pub fn weight_is_known(peer: &Peer, lists: &BTreeMap<PrefixListId, PrefixList>) -> bool {
    match peer {
        Peer::Cidr(_) | Peer::SecurityGroup(_) => true,
        Peer::PrefixList(id) => lists.get(id).and_then(PrefixList::quota_weight).is_some(),
    }
}

/// A list has one family; where its entries do not tell it, it counts in both.
fn of_list(list: &PrefixList) -> Quota {
    let weight = u64::from(list.quota_weight().unwrap_or(1));
    let has = |family| {
        let entries = list.entries.as_deref().unwrap_or_default();
        entries.is_empty() || entries.iter().any(|net| Family::of_net(*net) == family)
    };
    Quota {
        v4: if has(Family::V4) { weight } else { 0 },
        v6: if has(Family::V6) { weight } else { 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SgId;

    #[test]
    fn a_group_reference_counts_in_both_families() {
        let peer = Peer::SecurityGroup(SgId::from("sg-1"));
        assert_eq!(of_peer(&peer, &BTreeMap::new()), Quota { v4: 1, v6: 1 });
    }

    #[test]
    fn a_list_counts_by_its_maximum_in_its_own_family() {
        let id = PrefixListId::from("pl-1");
        let mut list = PrefixList {
            id: id.clone(),
            name: "offices".to_owned(),
            aws_managed: false,
            max_entries: Some(20),
            entries: Some(vec!["192.0.2.0/24".parse().unwrap()]),
        };
        let peer = Peer::PrefixList(id.clone());
        let lists = BTreeMap::from([(id.clone(), list.clone())]);
        assert_eq!(of_peer(&peer, &lists), Quota { v4: 20, v6: 0 });
        assert!(weight_is_known(&peer, &lists));
        list.max_entries = None;
        list.entries = None;
        let lists = BTreeMap::from([(id, list)]);
        assert_eq!(of_peer(&peer, &lists), Quota { v4: 1, v6: 1 });
        assert!(!weight_is_known(&peer, &lists));
    }
}
