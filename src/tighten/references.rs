//! References where today's rules name only addresses.
//!
//! A rule for a group outlives a change of address, so where it opens nothing
//! that is closed today it takes the place of prefixes. It is taken only where
//! today's rules allow the service to every address that a member can ever
//! have ([`Reach`]), and only for peers that carried the group in every
//! snapshot, on a way on which references are known or presumed to work; who
//! these are is found elsewhere ([`References::carried`]). It pays where the
//! members that were not seen are worth the rules that it saves, and always
//! for addresses that change hands.
//!
//! Never the other way: a reference that stands is not turned into addresses,
//! nor into another reference.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use ipnet::IpNet;

use crate::model::Peer;
use crate::model::SgId;
use crate::model::Transport;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::net::cidr::Family;
use crate::net::cidr::net_bounds;
use crate::tighten::boxes::Ground;
use crate::tighten::boxes::Plot;
use crate::tighten::obligations::Obligations;
use crate::tighten::weight::Weights;

/// All addresses that members of a group can ever have.
pub type Reach = Vec<IpNet>;

/// Groups that rules of one group and direction could refer to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// By peer, the groups that a reference would know it by, always and on
    /// every way that was seen.
    pub carried: BTreeMap<IpAddr, BTreeSet<SgId>>,
    /// By group, all addresses that its members can ever have; absent where
    /// that cannot be said.
    pub reach: BTreeMap<SgId, Reach>,
    /// Peers whose address changes hands.
    pub fleeting: BTreeSet<IpAddr>,
}

impl References {
    /// No group at all.
    #[must_use]
    pub const fn none() -> References {
        References {
            carried: BTreeMap::new(),
            reach: BTreeMap::new(),
            fleeting: BTreeSet::new(),
        }
    }

    /// Whether a reference to the group would know the peer.
    pub(crate) fn knows(&self, group: &SgId, peer: IpAddr) -> bool {
        let groups = self.carried.get(&peer);
        groups.is_some_and(|groups| groups.contains(group))
    }
}

/// A group that took the place of addresses, with how many peers it stands for.
pub(crate) type Introduced = BTreeMap<SgId, BTreeSet<IpAddr>>;

/// Address of a family, as numbers sort.
type At = (Family, u128);

/// What decides.
pub(crate) struct Chooser<'a> {
    pub(crate) references: &'a References,
    /// What today's free rules allow to addresses.
    pub(crate) plots: &'a [Plot],
    /// How many addresses a reference stands for today.
    pub(crate) size: &'a dyn Fn(&Peer) -> u128,
    pub(crate) weights: Weights<'a>,
}

impl Chooser<'_> {
    /// Lets references owe what prefixes owed, where they may and it pays.
    pub(crate) fn introduce(&self, owed: &mut Obligations) -> Introduced {
        let mut introduced = Introduced::new();
        if self.references.carried.is_empty() {
            return introduced;
        }
        for (transport, peers) in asked(owed) {
            let Some(protocol) = transport.protocol() else {
                continue;
            };
            let ports = Ports {
                protocol,
                service: transport.service(),
                grounds: [Family::V4, Family::V6]
                    .map(|family| Ground::new(self.plots, family, protocol)),
            };
            for (group, own) in self.chosen(&ports, peers) {
                take(owed, &group, transport, &own);
                let addresses = own.iter().map(|at| address(*at));
                introduced.entry(group).or_default().extend(addresses);
            }
        }
        introduced
    }

    /// Groups for the peers of one service, those that stand for most first.
    fn chosen(&self, ports: &Ports, mut left: BTreeSet<At>) -> Vec<(SgId, BTreeSet<At>)> {
        let mut chosen = Vec::new();
        let mut groups = self.by_group(&left);
        groups.retain(|group, _| self.is_admissible(group, ports));
        loop {
            for own in groups.values_mut() {
                own.retain(|at| left.contains(at));
            }
            let pays = |group, own| self.is_seen(group, own) && self.pays(group, ports, own);
            let paying = groups.iter().filter(|(group, own)| pays(group, own));
            let best = paying.max_by_key(|(group, own)| {
                (own.len(), Reverse(self.unseen(group, own)), Reverse(*group))
            });
            let Some((group, own)) = best.map(|(group, own)| (group.clone(), own.clone())) else {
                return chosen;
            };
            left.retain(|at| !own.contains(at));
            groups.remove(&group);
            chosen.push((group, own));
        }
    }

    fn by_group(&self, peers: &BTreeSet<At>) -> BTreeMap<SgId, BTreeSet<At>> {
        let mut by_group: BTreeMap<SgId, BTreeSet<At>> = BTreeMap::new();
        for at in peers {
            let groups = self.references.carried.get(&address(*at));
            for group in groups.into_iter().flatten() {
                by_group.entry(group.clone()).or_default().insert(*at);
            }
        }
        by_group
    }

    /// Whether today's rules allow the service to all that members can be.
    fn is_admissible(&self, group: &SgId, ports: &Ports) -> bool {
        let reach = self.references.reach.get(group);
        reach.is_some_and(|nets| !nets.is_empty() && nets.iter().all(|net| ports.allow(*net)))
    }

    /// Members of today that nobody saw here.
    fn unseen(&self, group: &SgId, own: &BTreeSet<At>) -> u128 {
        let members = (self.size)(&Peer::SecurityGroup(group.clone()));
        members.saturating_sub(own.len() as u128)
    }

    /// Whether peers of each family were seen that members can have addresses
    /// of: what was seen of one family opens nothing of the other.
    fn is_seen(&self, group: &SgId, own: &BTreeSet<At>) -> bool {
        let reach = self.references.reach.get(group).into_iter().flatten();
        let families: BTreeSet<Family> = reach.map(|net| Family::of_net(*net)).collect();
        let seen: BTreeSet<Family> = own.iter().map(|(family, _)| *family).collect();
        families.is_subset(&seen)
    }

    /// Whether members that were not seen cost no more than the rules saved.
    /// More peers never turn this to no.
    fn pays(&self, group: &SgId, ports: &Ports, own: &BTreeSet<At>) -> bool {
        let Some(saved) = own.len().checked_sub(1) else {
            return false;
        };
        let fleeting = |at: &At| self.references.fleeting.contains(&address(*at));
        let transport = Transport::of(ports.protocol, ports.service);
        let width = self.weights.services(transport);
        // Members are owned: each counts in full.
        let cost = self.unseen(group, own).saturating_mul(width);
        let worth = u128::from(self.weights.limits.rule_worth);
        cost <= worth.saturating_mul(saved as u128) || own.iter().any(fleeting)
    }
}

/// One service, and where today's rules allow it.
struct Ports {
    protocol: IpProtocol,
    service: PortRange,
    grounds: [Ground; 2],
}

impl Ports {
    fn allow(&self, net: IpNet) -> bool {
        let [v4, v6] = &self.grounds;
        let ground = match Family::of_net(net) {
            Family::V4 => v4,
            Family::V6 => v6,
        };
        let (first, last) = net_bounds(net);
        ground.slice(self.service).covers(first, last)
    }
}

/// What prefixes owe, by transport, over both families.
fn asked(owed: &Obligations) -> BTreeMap<Transport, BTreeSet<At>> {
    let mut asked: BTreeMap<Transport, BTreeSet<At>> = BTreeMap::new();
    for (&(family, protocol), wanted) in &owed.cidrs {
        for (&port, peers) in &wanted.points {
            let transport = Transport::of(protocol, PortRange::single(port));
            let own = asked.entry(transport).or_default();
            own.extend(peers.iter().map(|peer| (family, *peer)));
        }
        for (&peer, ports) in &wanted.spans {
            for range in ports.ranges() {
                let transport = Transport::of(protocol, *range);
                asked.entry(transport).or_default().insert((family, peer));
            }
        }
        for (&transport, peers) in &wanted.scopes {
            let own = asked.entry(transport).or_default();
            own.extend(peers.iter().map(|peer| (family, *peer)));
        }
    }
    asked
}

/// Moves what the peers need of one transport from prefixes to a reference.
fn take(owed: &mut Obligations, group: &SgId, transport: Transport, own: &BTreeSet<At>) {
    let Some(protocol) = transport.protocol() else {
        return;
    };
    let service = transport.service();
    for family in [Family::V4, Family::V6] {
        let Some(wanted) = owed.cidrs.get_mut(&(family, protocol)) else {
            continue;
        };
        let stays = |peer: &u128| !own.contains(&(family, *peer));
        if let Some(peers) = wanted
            .points
            .get_mut(&service.from())
            .filter(|_| service.count() == 1)
        {
            peers.retain(stays);
        }
        if let Some(peers) = wanted.scopes.get_mut(&transport) {
            peers.retain(stays);
        }
        for (_, peer) in own.iter().filter(|(of, _)| *of == family) {
            if let Some(ports) = wanted.spans.get_mut(peer) {
                *ports = ports.difference(&[service].into_iter().collect());
            }
        }
        wanted.points.retain(|_, peers| !peers.is_empty());
        wanted.scopes.retain(|_, peers| !peers.is_empty());
        wanted.spans.retain(|_, ports| !ports.is_empty());
    }
    let peer = Peer::SecurityGroup(group.clone());
    let label = owed.labels.entry((peer, protocol)).or_default();
    if protocol.has_ports() {
        label.ranges.push(service);
    } else {
        label.scopes.insert(transport);
    }
}

fn address((family, bits): At) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(bits).unwrap_or(u32::MAX))),
        Family::V6 => IpAddr::V6(Ipv6Addr::from_bits(bits)),
    }
}
