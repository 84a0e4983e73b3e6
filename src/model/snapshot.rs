//! Configuration at a time, and several of them in a row.
//!
//! A flow is judged by the rules of its own time; which snapshot that is,
//! [`SnapshotSeries`] says. A snapshot holds what was told and remembers what
//! was not, so that nothing missing is read as nothing there.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::acl::NetworkAcl;
use crate::model::eni::Eni;
use crate::model::id::AclId;
use crate::model::id::EniId;
use crate::model::id::PrefixListId;
use crate::model::id::SgId;
use crate::model::id::SubnetId;
use crate::model::id::VpcId;
use crate::model::prefix_list::PrefixList;
use crate::model::provider::Provider;
use crate::model::sg::SecurityGroup;
use crate::model::vpc::FlowLog;
use crate::model::vpc::Subnet;
use crate::model::vpc::Vpc;
use crate::model::vpc::VpcAssociation;
use crate::model::vpc::VpcPeering;
use crate::net::Timestamp;

/// A kind of API answer that a snapshot may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// `describe-security-groups`.
    SecurityGroups,
    /// `describe-security-group-rules`.
    SecurityGroupRules,
    /// `describe-network-interfaces`.
    NetworkInterfaces,
    /// `describe-network-acls`.
    NetworkAcls,
    /// `describe-subnets`.
    Subnets,
    /// `describe-vpcs`.
    Vpcs,
    /// `describe-managed-prefix-lists` or `describe-prefix-lists`.
    PrefixLists,
    /// `describe-flow-logs`.
    FlowLogs,
    /// `describe-security-group-vpc-associations`.
    VpcAssociations,
    /// `describe-vpc-peering-connections`.
    VpcPeerings,
}

/// How the time of a snapshot is to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dating {
    /// It was seen to be so then: what it shows may have come any time since
    /// the snapshot before.
    #[default]
    Seen,
    /// AWS Config recorded the change to it: before, the snapshot before held.
    Changed,
}

/// What a snapshot cannot tell of its time, and takes from the first time at
/// which it is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guessed {
    /// Groups whose rules of this time are not known.
    pub groups: BTreeSet<SgId>,
    /// Interfaces whose groups and addresses of this time are not known.
    pub enis: BTreeSet<EniId>,
}

impl Guessed {
    /// Whether the groups of an interface, or rules of one, are not known.
    #[must_use]
    pub fn about(&self, eni: &Eni) -> bool {
        self.enis.contains(&eni.id) || eni.groups.iter().any(|group| self.groups.contains(group))
    }
}

/// Configuration at one time. States that follow each other share what did not
/// change between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Which cloud it describes.
    pub provider: Provider,
    /// When it was taken, or began; `None` stands for the whole window, or for
    /// the time before all others.
    pub captured_at: Option<Timestamp>,
    /// What that time says.
    pub dating: Dating,
    /// What it does not know of its time.
    pub guessed: Arc<Guessed>,
    /// Which kinds of answers were in it, empty ones included.
    pub parts: BTreeSet<Part>,
    /// Security groups by id.
    pub groups: Arc<BTreeMap<SgId, SecurityGroup>>,
    /// Interfaces by id.
    pub enis: Arc<BTreeMap<EniId, Eni>>,
    /// Network ACLs by id.
    pub acls: Arc<BTreeMap<AclId, NetworkAcl>>,
    /// Subnets by id.
    pub subnets: Arc<BTreeMap<SubnetId, Subnet>>,
    /// VPCs by id.
    pub vpcs: Arc<BTreeMap<VpcId, Vpc>>,
    /// Prefix lists by id.
    pub prefix_lists: Arc<BTreeMap<PrefixListId, PrefixList>>,
    /// Groups usable in further VPCs, sorted.
    pub associations: BTreeSet<VpcAssociation>,
    /// Peerings, sorted.
    pub peerings: BTreeSet<VpcPeering>,
    /// Flow logs by id.
    pub flow_logs: Arc<BTreeMap<String, FlowLog>>,
}

/// Snapshots of several times, oldest first.
///
/// The state of a snapshot holds from its time until the next one's; before
/// the first, the first is taken to hold, and the report says so.
#[derive(Clone, Debug)]
pub struct SnapshotSeries {
    /// Invariant: sorted by time, all before `latest`.
    earlier: Vec<Snapshot>,
    latest: Snapshot,
}

impl SnapshotSeries {
    /// A series of at least one snapshot, sorted by time (undated ones first);
    /// `None` for no snapshot at all.
    #[must_use]
    pub fn new(mut snapshots: Vec<Snapshot>) -> Option<SnapshotSeries> {
        snapshots.sort_by_key(|snapshot| snapshot.captured_at);
        let latest = snapshots.pop()?;
        Some(SnapshotSeries {
            earlier: snapshots,
            latest,
        })
    }

    /// The snapshots, oldest first.
    pub fn snapshots(&self) -> impl Iterator<Item = &Snapshot> {
        self.earlier.iter().chain([&self.latest])
    }

    /// The newest snapshot: the rules that can still be changed.
    #[must_use]
    pub fn latest(&self) -> &Snapshot {
        &self.latest
    }

    /// The times at which one snapshot hands over to the next, ascending.
    pub fn handovers(&self) -> impl Iterator<Item = Timestamp> {
        self.snapshots()
            .skip(1)
            .filter_map(|snapshot| snapshot.captured_at)
    }

    /// Index, in [`SnapshotSeries::snapshots`], of the one in force at a time.
    #[must_use]
    pub fn index_at(&self, time: Timestamp) -> usize {
        let begun =
            |snapshot: &&Snapshot| snapshot.captured_at.is_none_or(|captured| captured <= time);
        self.snapshots().take_while(begun).count().saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_is_judged_by_the_snapshot_of_its_time() {
        let taken = |second| Snapshot {
            captured_at: Some(Timestamp(second)),
            ..Snapshot::default()
        };
        let series = SnapshotSeries::new(vec![taken(200), taken(100)]).unwrap();
        assert_eq!(series.index_at(Timestamp(50)), 0);
        assert_eq!(series.index_at(Timestamp(199)), 0);
        assert_eq!(series.index_at(Timestamp(200)), 1);
        assert_eq!(series.handovers().collect::<Vec<_>>(), vec![Timestamp(200)]);
        assert_eq!(series.latest().captured_at, Some(Timestamp(200)));
    }
}
