//! Which interfaces a question means, and under which addresses each end sees
//! the other.
//!
//! Between private addresses nothing is translated. To a public address of an
//! interface, packets go out by a gateway that puts a public source address
//! in place of the private one: the sender's own, or a NAT gateway's where its
//! route leads to one. Routes are not known here, so all of these stay
//! candidates, and an answer holds only where they agree.

use std::net::IpAddr;

use crate::attribute::question::Endpoint;
use crate::attribute::question::Question;
use crate::attribute::scene::PeerFacts;
use crate::attribute::scene::Scene;
use crate::model::Eni;
use crate::model::InterfaceKind;
use crate::model::Snapshot;
use crate::model::VpcId;
use crate::net::PortRange;
use crate::net::cidr::Family;

/// Client ports of Linux (VPC user guide, "Ephemeral ports"). Windows' own,
/// 49152 to 65535, are not asked for: who uses them is not in a snapshot.
pub const CLIENT_PORTS: (u16, u16) = (32_768, 60_999);

/// Client ports of NAT gateways, load balancers and Lambda (same page).
const SERVICE_CLIENT_PORTS: (u16, u16) = (1_024, u16::MAX);

/// One end, found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End<'a> {
    /// Its interface; `None` where the snapshot has none with that address.
    pub eni: Option<&'a Eni>,
    /// The address that packets to it are sent to.
    pub address: IpAddr,
    /// Whether that address is a public one of its interface, translated on
    /// the way in: groups never match references by it.
    pub public: bool,
}

/// The far side as one end sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen<'a> {
    /// Address and owners.
    pub facts: PeerFacts<'a>,
    /// Whether the address was put in place of a private one.
    pub translated: bool,
    /// Ports that its connections may come from.
    pub client_ports: PortRange,
}

/// Both ends, found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends<'a> {
    /// Who opens.
    pub source: End<'a>,
    /// To whom.
    pub destination: End<'a>,
}

impl<'a> Ends<'a> {
    /// Finds both ends; the error says what cannot be told, for the operator.
    pub fn find(question: &Question, scene: &Scene<'a>) -> Result<Ends<'a>, String> {
        let sources = candidates(question.source, scene)?;
        let destinations = candidates(question.destination, scene)?;
        let mut pairs: Vec<(Option<&'a Eni>, Option<&'a Eni>)> = Vec::new();
        for source in &sources {
            pairs.extend(
                destinations
                    .iter()
                    .map(|destination| (*source, *destination)),
            );
        }
        let (source, destination) = choose(&pairs, scene.snapshot)
            .ok_or_else(|| ambiguous(question, &sources, &destinations))?;
        let ends = Ends {
            source: end(question.source, source, question.destination, destination)?,
            destination: end(question.destination, destination, question.source, source)?,
        };
        same_family(ends)
    }

    /// Whether source and destination are one interface and the packet needs
    /// no translation, so that it never leaves.
    #[must_use]
    pub fn is_self(&self) -> bool {
        let source = self.source.eni.map(|eni| eni.id);
        source.is_some()
            && source == self.destination.eni.map(|eni| eni.id)
            && !self.destination.public
    }

    /// How the source sees the destination.
    #[must_use]
    pub fn seen_by_source(&self, from: &Eni, scene: &Scene<'a>) -> Seen<'a> {
        seen(self.destination, from, scene)
    }

    /// How the destination may see the source. Empty where it cannot be told.
    #[must_use]
    pub fn seen_by_destination(&self, from: &Eni, scene: &Scene<'a>) -> Vec<Seen<'a>> {
        match self.source.eni {
            Some(source) if self.destination.public && !self.source.public => {
                translations(source, scene)
            }
            Some(source) if self.source.public && !self.destination.public => {
                let address = private(source, self.destination.address);
                let address = address.unwrap_or(self.source.address);
                let inside = End {
                    address,
                    public: false,
                    ..self.source
                };
                vec![seen(inside, from, scene)]
            }
            Some(_) | None => vec![seen(self.source, from, scene)],
        }
    }
}

/// The interfaces that an end may mean; `[None]` for an address of nobody.
fn candidates<'a>(endpoint: Endpoint, scene: &Scene<'a>) -> Result<Vec<Option<&'a Eni>>, String> {
    let address = match endpoint {
        Endpoint::Interface(id) => {
            let eni = scene.snapshot.enis.get(&id);
            return eni.map(|eni| vec![Some(eni)]).ok_or_else(|| {
                format!("`{id}` is no interface of the snapshot: give its address instead")
            });
        }
        Endpoint::Address(address) => address,
    };
    let mut owners = scene.owners_of(address);
    if owners.is_empty() {
        let all = scene.snapshot.enis.values();
        owners.extend(all.filter(|eni| eni.public_addresses.contains(&address)));
    }
    if owners.is_empty() {
        return Ok(vec![None]);
    }
    Ok(owners.into_iter().map(Some).collect())
}

/// The one pair that can talk: within a VPC before over a peering before any.
fn choose<'a>(
    pairs: &[(Option<&'a Eni>, Option<&'a Eni>)],
    snapshot: &Snapshot,
) -> Option<(Option<&'a Eni>, Option<&'a Eni>)> {
    let nearness: Vec<u8> = pairs
        .iter()
        .map(|(source, destination)| nearness(*source, *destination, snapshot))
        .collect();
    let best = nearness.iter().max()?;
    let mut found = pairs
        .iter()
        .zip(&nearness)
        .filter(|(_, near)| *near == best);
    let (pair, _) = found.next()?;
    found.next().is_none().then_some(*pair)
}

fn nearness(source: Option<&Eni>, destination: Option<&Eni>, snapshot: &Snapshot) -> u8 {
    let vpcs = |end: Option<&Eni>| end.and_then(|eni| eni.vpc_id.clone());
    match (vpcs(source), vpcs(destination)) {
        (Some(a), Some(b)) if a == b => 2,
        (Some(a), Some(b)) if peered(&a, &b, snapshot) => 1,
        (None | Some(_), None | Some(_)) => 0,
    }
}

/// Whether an active peering joins two VPCs.
#[must_use]
pub fn peered(a: &VpcId, b: &VpcId, snapshot: &Snapshot) -> bool {
    snapshot
        .peerings
        .iter()
        .any(|peering| peering.active && peering.vpcs.contains(a) && peering.vpcs.contains(b))
}

fn ambiguous(
    question: &Question,
    sources: &[Option<&Eni>],
    destinations: &[Option<&Eni>],
) -> String {
    let (endpoint, owners) = if destinations.len() > 1 {
        (question.destination, destinations)
    } else {
        (question.source, sources)
    };
    let owners: Vec<String> = owners
        .iter()
        .flatten()
        .map(|eni| eni.id.to_string())
        .collect();
    format!(
        "`{endpoint}` is an address of {}: give the interface id instead",
        owners.join(" and ")
    )
}

/// The end with the address that the packet carries for it.
fn end<'a>(
    named: Endpoint,
    eni: Option<&'a Eni>,
    other: Endpoint,
    other_eni: Option<&'a Eni>,
) -> Result<End<'a>, String> {
    let address = match (named, eni) {
        (Endpoint::Address(address), _) => Some(address),
        (Endpoint::Interface(_), Some(eni)) => {
            let like = match (other, other_eni) {
                (Endpoint::Address(address), _) => Some(address),
                (Endpoint::Interface(_), other) => other.and_then(common_family(eni)),
            };
            like.map_or_else(|| eni.addresses.first().copied(), |like| private(eni, like))
        }
        (Endpoint::Interface(_), None) => None,
    };
    let address = address.ok_or_else(|| {
        let id = eni.map_or_else(String::new, |eni| eni.id.to_string());
        format!("`{id}` has no address of the family of the other end")
    })?;
    let public = eni.is_some_and(|eni| !eni.owns(address));
    Ok(End {
        eni,
        address,
        public,
    })
}

/// An address of the other interface of a family that this one has too.
fn common_family(eni: &Eni) -> impl Fn(&Eni) -> Option<IpAddr> {
    let own: Vec<Family> = eni
        .addresses
        .iter()
        .map(|address| Family::of(*address))
        .collect();
    move |other| {
        let mut addresses = other.addresses.iter().copied();
        addresses.find(|address| own.contains(&Family::of(*address)))
    }
}

/// An interface's first private address of the same family as another.
fn private(eni: &Eni, like: IpAddr) -> Option<IpAddr> {
    let mut addresses = eni.addresses.iter().copied();
    addresses.find(|address| Family::of(*address) == Family::of(like))
}

fn same_family(ends: Ends<'_>) -> Result<Ends<'_>, String> {
    let Ends {
        source,
        destination,
    } = ends;
    if Family::of(source.address) == Family::of(destination.address) {
        return Ok(ends);
    }
    Err(format!(
        "`{}` and `{}` are of different families: no packet has both",
        source.address, destination.address
    ))
}

fn seen<'a>(end: End<'a>, from: &Eni, scene: &Scene<'a>) -> Seen<'a> {
    let mut facts = scene.peer(end.address, from);
    if let Some(eni) = end.eni {
        facts.lost_owner = false;
        facts.owners = if end.public { Vec::new() } else { vec![eni] };
    }
    Seen {
        facts,
        translated: end.public,
        client_ports: client_ports(end.eni),
    }
}

/// The public addresses that an interface's packets may leave with.
fn translations<'a>(source: &'a Eni, scene: &Scene<'a>) -> Vec<Seen<'a>> {
    let mut found: Vec<Seen<'a>> = source
        .public_addresses
        .iter()
        .map(|address| translated(*address, source))
        .collect();
    let gateways: Vec<&'a Eni> = scene
        .snapshot
        .enis
        .values()
        .filter(|eni| eni.kind == InterfaceKind::NatGateway && eni.id != source.id)
        .collect();
    let near = gateways
        .iter()
        .any(|gateway| gateway.vpc_id == source.vpc_id);
    let usable = gateways
        .into_iter()
        .filter(|gateway| !near || gateway.vpc_id == source.vpc_id);
    for gateway in usable {
        let addresses = gateway.public_addresses.iter();
        found.extend(addresses.map(|address| translated(*address, gateway)));
    }
    found
}

fn translated<'a>(address: IpAddr, by: &Eni) -> Seen<'a> {
    Seen {
        facts: PeerFacts {
            address,
            owners: Vec::new(),
            lost_owner: false,
        },
        translated: true,
        client_ports: client_ports(Some(by)),
    }
}

/// The ports that connections of an interface come from.
#[must_use]
pub fn client_ports(eni: Option<&Eni>) -> PortRange {
    let (from, to) = match eni.map(|eni| eni.kind) {
        Some(
            InterfaceKind::NatGateway
            | InterfaceKind::NetworkLoadBalancer
            | InterfaceKind::LoadBalancer
            | InterfaceKind::Lambda,
        ) => SERVICE_CLIENT_PORTS,
        None
        | Some(
            InterfaceKind::Interface
            | InterfaceKind::GatewayLoadBalancer
            | InterfaceKind::TransitGateway
            | InterfaceKind::VpcEndpoint
            | InterfaceKind::Efa
            | InterfaceKind::Other,
        ) => CLIENT_PORTS,
    };
    PortRange::spanning(from, to)
}
