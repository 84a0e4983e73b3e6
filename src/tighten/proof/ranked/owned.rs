//! Whom a rule names, by who has which address in one state of the cloud.

use std::net::IpAddr;

use crate::model::Eni;
use crate::model::Peer;
use crate::model::SgId;
use crate::model::Snapshot;
use crate::net::cidr::is_private;
use crate::tighten::proof::book;

/// Who has an address, and what lists hold.
pub(super) struct Owners<'a> {
    snapshot: &'a Snapshot,
    owners: book::Owners<'a>,
}

impl<'a> Owners<'a> {
    pub(super) fn of(snapshot: &'a Snapshot) -> Owners<'a> {
        Owners {
            snapshot,
            owners: book::Owners::of_snapshot(snapshot),
        }
    }

    /// Whether somebody is known to have the address.
    pub(super) fn owned(&self, address: IpAddr) -> bool {
        self.owners.all(address).next().is_some()
    }

    /// Whether somebody has the address, and all who do are so.
    pub(super) fn all(&self, address: IpAddr, is: impl Fn(&Eni) -> bool) -> bool {
        self.owned(address) && self.owners.all(address).all(is)
    }

    /// Whether the address is a member's, as far as is known: whose one without
    /// an owner was, is not known any more, if it may have been anybody's.
    pub(super) fn may_carry(&self, address: IpAddr, group: &SgId) -> bool {
        if self.owned(address) {
            let mut owners = self.owners.all(address);
            return owners.any(|eni| eni.groups.contains(group));
        }
        let mut vpcs = self.snapshot.vpcs.values();
        let mut within = || vpcs.any(|vpc| vpc.cidrs.iter().any(|net| net.contains(&address)));
        address.is_ipv6() || is_private(address) || within()
    }

    /// Whether the address may be whom the rule names, as far as is known.
    pub(super) fn may_be(&self, peer: &Peer, address: IpAddr) -> bool {
        match peer {
            Peer::SecurityGroup(group) => self.may_carry(address, group),
            Peer::Cidr(_) | Peer::PrefixList(_) => self.holds(peer, address).unwrap_or(true),
        }
    }

    /// Whether it is known to be.
    pub(super) fn is(&self, peer: &Peer, address: IpAddr) -> bool {
        match peer {
            Peer::SecurityGroup(group) => self.all(address, |eni| eni.groups.contains(group)),
            Peer::Cidr(_) | Peer::PrefixList(_) => self.holds(peer, address).unwrap_or(false),
        }
    }

    /// Whether prefixes hold it; `None` where they are not known.
    pub(super) fn holds(&self, peer: &Peer, address: IpAddr) -> Option<bool> {
        match peer {
            Peer::Cidr(net) => Some(net.contains(&address)),
            Peer::PrefixList(id) => {
                let list = self.snapshot.prefix_lists.get(id);
                let entries = list?.entries.as_ref()?;
                Some(entries.iter().any(|net| net.contains(&address)))
            }
            Peer::SecurityGroup(_) => None,
        }
    }
}
