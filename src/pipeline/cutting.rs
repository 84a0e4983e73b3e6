//! Where the addresses and ports of an interface are told apart however little
//! memory there is: wherever something begins or ends that asks for them there,
//! of any time.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use ipnet::IpNet;

use crate::collections::HashMap;
use crate::evidence::cuts::Cuts;
use crate::model::AclId;
use crate::model::Eni;
use crate::model::EniId;
use crate::model::NetworkAcl;
use crate::model::Peer;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::Snapshot;
use crate::model::SnapshotSeries;
use crate::net::PortRange;
use crate::net::cidr::PRIVATE;
use crate::net::cidr::host_net;
use crate::pipeline::rules::Standing;

/// Link-local addresses, where the cloud offers services of its own (RFC 3927;
/// VPC user guide, "Security groups").
const LINK_LOCAL: [&str; 2] = ["169.254.0.0/16", "fd00:ec2::/32"];

/// What an interface's packets are put to, over all times: groups and ACLs.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
struct Judges {
    /// Whether any snapshot has the interface.
    known: bool,
    groups: BTreeSet<SgId>,
    acls: BTreeSet<AclId>,
}

/// Finds the cuts of interfaces.
pub(super) struct Cutter<'s> {
    snapshots: Vec<&'s Snapshot>,
    /// Rules that what was seen is held against afterwards.
    instead: Option<&'s Standing>,
    /// Addresses that some interface may have had.
    kept: Vec<IpNet>,
    known: Mutex<HashMap<Judges, Arc<Cuts>>>,
}

impl fmt::Debug for Cutter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cutter").finish_non_exhaustive()
    }
}

impl<'s> Cutter<'s> {
    pub(super) fn new(series: &'s SnapshotSeries, instead: Option<&'s Standing>) -> Cutter<'s> {
        let snapshots: Vec<&Snapshot> = series.snapshots().collect();
        let mut kept: Vec<IpNet> = nets_of(&LINK_LOCAL).collect();
        let world = instead.and_then(|instead| instead.world.as_deref());
        for snapshot in snapshots.iter().copied().chain(world) {
            kept.extend(addresses_of(snapshot));
        }
        Cutter {
            snapshots,
            instead,
            kept: IpNet::aggregate(&kept),
            known: Mutex::default(),
        }
    }

    /// The cuts of an interface.
    pub(super) fn cuts(&self, id: EniId) -> Arc<Cuts> {
        let judges = self.judges(id);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let cuts = known
            .entry(judges)
            .or_insert_with_key(|judges| Arc::new(self.between(judges)));
        Arc::clone(cuts)
    }

    fn judges(&self, id: EniId) -> Judges {
        let mut judges = Judges::default();
        for snapshot in &self.snapshots {
            let Some(eni) = snapshot.enis.get(&id) else {
                continue;
            };
            judges.known = true;
            judges.groups.extend(eni.groups.iter().cloned());
            let own = |acl: &&NetworkAcl| {
                let subnet = eni.subnet_id.as_ref();
                subnet.is_some_and(|subnet| acl.subnets.contains(subnet))
            };
            let own = snapshot.acls.values().filter(own);
            judges.acls.extend(own.map(|acl| acl.id.clone()));
        }
        let carried = self.instead.and_then(|instead| instead.carried.get(&id));
        judges.groups.extend(carried.into_iter().flatten().cloned());
        judges
    }

    fn between(&self, judges: &Judges) -> Cuts {
        let Judges {
            known,
            groups,
            acls,
        } = judges;
        let mut cutting = Cutting::default();
        cutting.nets.extend(nets_of(&PRIVATE));
        let then = self.snapshots.iter().map(|snapshot| &*snapshot.groups);
        let all = then.chain(self.instead.map(|instead| &instead.groups));
        let own = all.flat_map(|all| groups.iter().filter_map(|id| all.get(id)));
        for rule in own.flat_map(|group| &group.rules) {
            self.add_rule(rule, &mut cutting);
        }
        for snapshot in &self.snapshots {
            let own = acls.iter().filter_map(|id| snapshot.acls.get(id));
            for entry in own.flat_map(|acl| &acl.entries) {
                cutting.nets.push(entry.cidr);
                cutting.ports.push(entry.transport.service());
            }
        }
        let Cutting { nets, ports } = cutting;
        // What an interface that no snapshot has shows to be its own is heard.
        let own = nets_of(if *known { &[] } else { &PRIVATE });
        let kept = self.kept.iter().copied().chain(own);
        Cuts::new(nets.into_iter(), kept, ports.into_iter())
    }

    fn add_rule(&self, rule: &SgRule, cutting: &mut Cutting) {
        cutting.ports.push(rule.transport.service());
        cutting.ports.extend(rule.limits.source_ports);
        match &rule.peer {
            Peer::Cidr(net) => cutting.nets.push(*net),
            Peer::PrefixList(id) => {
                let world = self.instead.and_then(|instead| instead.world.as_deref());
                let snapshots = self.snapshots.iter().copied().chain(world);
                let lists = snapshots.filter_map(|snapshot| snapshot.prefix_lists.get(id));
                let entries = lists.flat_map(|list| list.entries.iter().flatten());
                cutting.nets.extend(entries);
            }
            Peer::SecurityGroup(_) => {}
        }
    }
}

#[derive(Default)]
struct Cutting {
    nets: Vec<IpNet>,
    ports: Vec<PortRange>,
}

/// Addresses that an interface may have had. Where a VPC's ranges are not known,
/// whoever has a private address may be one of its interfaces.
fn addresses_of(snapshot: &Snapshot) -> Vec<IpNet> {
    let mut kept = Vec::new();
    kept.extend(snapshot.subnets.values().flat_map(|subnet| &subnet.cidrs));
    kept.extend(snapshot.vpcs.values().flat_map(|vpc| &vpc.cidrs));
    for eni in snapshot.enis.values() {
        kept.extend(eni.addresses.iter().map(|address| host_net(*address)));
        kept.extend(&eni.prefixes);
    }
    let unknown = |eni: &Eni| {
        let vpc = eni.vpc_id.as_ref();
        vpc.and_then(|vpc| snapshot.vpcs.get(vpc))
            .is_none_or(|vpc| vpc.cidrs.is_empty())
    };
    if snapshot.enis.values().any(unknown) {
        kept.extend(nets_of(&PRIVATE));
    }
    kept
}

fn nets_of(texts: &[&str]) -> impl Iterator<Item = IpNet> {
    texts.iter().filter_map(|text| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::iter::successors;
    use std::net::IpAddr;

    use super::*;
    use crate::attribute::world::World;
    use crate::evidence::cuts::Level;
    use crate::net::cidr::is_host;

    fn one_interface() -> SnapshotSeries {
        let world = World::new().eni("eni-1", "subnet-1", "10.0.1.6", &["sg-1"]);
        SnapshotSeries::new(vec![world.snapshot()]).unwrap()
    }

    /// Those of the addresses that an interface's cells tell from all others,
    /// however coarse they are.
    fn whole<'t>(cutter: &Cutter<'_>, id: &str, addresses: &[&'t str]) -> Vec<&'t str> {
        let cuts = cutter.cuts(EniId::parse(id).unwrap());
        let last = successors(Some(Level::EXACT), |level| level.next()).last();
        let is_whole = |text: &&&str| {
            let address: IpAddr = text.parse().unwrap();
            is_host(cuts.peers(address, last.unwrap()))
        };
        addresses.iter().filter(is_whole).copied().collect()
    }

    #[test]
    fn addresses_of_the_state_that_a_change_is_held_against_stay_whole() {
        let world = World::new()
            .eni("eni-2", "subnet-1", "198.51.100.9", &[])
            .with(|snapshot| {
                let vpc = Arc::make_mut(&mut snapshot.vpcs).values_mut().next();
                vpc.unwrap().cidrs.push("192.0.2.0/24".parse().unwrap());
            });
        let standing = Standing {
            groups: BTreeMap::new(),
            carried: BTreeMap::new(),
            notes: Vec::new(),
            undecided: Vec::new(),
            world: Some(Box::new(world.snapshot())),
        };
        let (series, asked) = (
            one_interface(),
            ["10.0.1.6", "198.51.100.9", "198.51.100.10", "192.0.2.77"],
        );
        let today = Cutter::new(&series, None);
        assert_eq!(whole(&today, "eni-1", &asked), ["10.0.1.6"]);
        let then = Cutter::new(&series, Some(&standing));
        let kept = ["10.0.1.6", "198.51.100.9", "192.0.2.77"];
        assert_eq!(whole(&then, "eni-1", &asked), kept);
    }

    #[test]
    fn private_addresses_stay_whole_at_an_interface_that_no_snapshot_has() {
        let series = one_interface();
        let cutter = Cutter::new(&series, None);
        let private = ["192.168.4.5", "172.31.0.9", "100.64.1.1", "fd12::1"];
        let asked = [&private[..], &["203.0.113.9", "2001:db8::1"]].concat();
        assert!(whole(&cutter, "eni-1", &asked).is_empty());
        assert_eq!(whole(&cutter, "eni-9", &asked), private);
    }
}
