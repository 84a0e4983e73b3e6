//! Makes up connections, one at a time, out of the scenes and the scans.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::rc::Rc;

use crate::net::IpProtocol;
use crate::sample::build::SHARED;
use crate::sample::build::World;
use crate::sample::judge::Attempt;
use crate::sample::judge::Party;
use crate::sample::observe::Ending;
use crate::sample::observe::is_gateway_service;
use crate::sample::random::Random;
use crate::sample::scenes::End;
use crate::sample::scenes::Life;
use crate::sample::scenes::SCENES;
use crate::sample::scenes::Scene;
use crate::sample::world::Interface;
use crate::sample::world::Kind;

/// A connection as it would go if nothing stopped it.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub(super) attempt: Attempt,
    pub(super) ending: Ending,
    /// Packets come only in every so-manieth window.
    pub(super) every: u32,
    /// Whether a packet comes late, how many seconds after the end, and with
    /// which flags.
    pub(super) late: Option<(u32, u8)>,
}

/// Ports that scanners like.
const SCANNED: [u16; 16] = [
    22, 23, 25, 80, 110, 443, 445, 1433, 1723, 3306, 3389, 5060, 5432, 5900, 6379, 8080,
];

/// Longest life of a pooled connection in seconds.
const LONGEST: u32 = 6 * 3_600;

/// Makes up connections.
#[derive(Debug)]
pub(super) struct Traffic {
    played: usize,
    weights: u32,
    /// Longest life of this sample's pooled connections in seconds.
    longest: u32,
}

impl Traffic {
    /// For a sample of so many records: in a small one, no connection takes a
    /// large part of them.
    pub(super) fn new(records: u64) -> Traffic {
        let windows = u32::try_from(records / 400).unwrap_or(u32::MAX);
        Traffic {
            played: 0,
            weights: SCENES.iter().map(|scene| scene.weight).sum(),
            longest: windows.saturating_mul(60).clamp(600, LONGEST),
        }
    }

    /// The next connection, to start at a second; `None` where the chosen
    /// scene has no actors.
    pub(super) fn next(
        &mut self,
        world: &World,
        tasks: &[Rc<Interface>],
        random: &mut Random,
        start: u32,
    ) -> Option<Planned> {
        let scene = self.scene(random)?;
        let tier = random.within(1, world.tiers);
        let stage = Stage { world, tasks, tier };
        let client = stage.party(scene.client, random)?;
        let mut server = stage.party(scene.server, random)?;
        if client.address.is_ipv6() {
            server.address = IpAddr::V6(server.interface.as_ref()?.v6?);
        }
        let itself = |other: &Rc<Interface>| {
            client
                .interface
                .as_ref()
                .is_some_and(|own| Rc::ptr_eq(own, other))
        };
        if server.interface.as_ref().is_some_and(itself) {
            return None;
        }
        let last = stage.last_second(&client, &server);
        let end = start.saturating_add(self.life(scene, random)).min(last);
        let attempt = Attempt {
            nat: stage.gateway(&client, &server),
            client_port: random.port(scene.client_ports.0, scene.client_ports.1),
            client,
            server,
            protocol: scene.protocol,
            service_port: scene.port,
            start,
            end,
        };
        let ending = ending(scene, end == last, random);
        Some(Planned {
            every: if end - start > 1_200 {
                random.within(1, 3)
            } else {
                1
            },
            late: late(&attempt, ending, random),
            attempt,
            ending,
        })
    }

    fn scene(&mut self, random: &mut Random) -> Option<&'static Scene> {
        if let Some(scene) = SCENES.get(self.played) {
            self.played += 1;
            return Some(scene);
        }
        let mut left = random.below(self.weights);
        SCENES.iter().find(|scene| {
            let found = left < scene.weight;
            left = left.saturating_sub(scene.weight);
            found
        })
    }

    fn life(&self, scene: &Scene, random: &mut Random) -> u32 {
        match scene.life {
            Life::Brief => random.below(4),
            Life::Refused => 0,
            Life::Pooled if random.one_in(12) => random.within(300, self.longest),
            Life::Varied | Life::Pooled => match random.below(10) {
                0..=6 => random.below(20),
                7 | 8 => random.below(80),
                _ => random.below(400),
            },
        }
    }
}

/// A scan of one port of one public interface.
pub(super) fn scan(world: &World, random: &mut Random, start: u32) -> Option<Planned> {
    let target = random.pick(world.pool("public", SHARED))?;
    let protocol = match random.below(12) {
        0 => IpProtocol::UDP,
        _ => IpProtocol::TCP,
    };
    let service_port = match random.below(10) {
        0..=5 => random.pick(&SCANNED).copied().unwrap_or(22),
        _ => random.port(1, u16::MAX),
    };
    Some(Planned {
        attempt: Attempt {
            client: outsider(v4([198, 19, 128, 0], random.below(0x7fff))),
            server: insider(target),
            protocol,
            client_port: random.port(1_024, u16::MAX),
            service_port,
            nat: None,
            start,
            end: start,
        },
        ending: Ending::Probed,
        every: 1,
        late: None,
    })
}

/// What a Network Load Balancer makes of a client's connection: one to a
/// target, in the client's name.
pub(super) fn forwarded(world: &World, planned: &Planned, random: &mut Random) -> Option<Planned> {
    let balancer = planned.attempt.server.interface.as_ref()?;
    if balancer.kind != Kind::Nlb {
        return None;
    }
    let target = random.pick(world.pool("passthrough", SHARED))?;
    let mut onward = planned.clone();
    onward.attempt.client.interface = Some(Rc::clone(balancer));
    onward.attempt.server = insider(target);
    onward.attempt.service_port = 8443;
    onward.late = None;
    Some(onward)
}

fn ending(scene: &Scene, cut: bool, random: &mut Random) -> Ending {
    if cut {
        return Ending::Open;
    }
    match scene.life {
        Life::Refused => Ending::Refused,
        Life::Brief | Life::Varied | Life::Pooled => match random.below(60) {
            0 if scene.protocol == IpProtocol::TCP => Ending::Refused,
            4 => Ending::Silent,
            1..=3 => Ending::Reset,
            _ => Ending::Closed,
        },
    }
}

fn late(attempt: &Attempt, ending: Ending, random: &mut Random) -> Option<(u32, u8)> {
    let closed = attempt.protocol == IpProtocol::TCP && ending == Ending::Closed;
    let flags = random.pick(&[4u8, 4, 1, 0]).copied()?;
    let after = random.within(40, 110);
    (closed && random.one_in(40)).then_some((after, flags))
}

struct Stage<'a> {
    world: &'a World,
    tasks: &'a [Rc<Interface>],
    tier: u32,
}

impl Stage<'_> {
    fn party(&self, end: End, random: &mut Random) -> Option<Party> {
        let world = self.world;
        match end {
            End::Role(role) => Some(insider(random.pick(world.pool(role, self.tier))?)),
            End::AnyRole(roles) => {
                let role = random.pick(roles)?;
                Some(insider(random.pick(world.pool(role, self.tier))?))
            }
            End::Shared(role) => Some(insider(random.pick(world.pool(role, SHARED))?)),
            End::NameServer => Some(insider(world.pool("dns", SHARED).first()?)),
            End::Pod => pod(random.pick(world.pool("node", self.tier))?, random),
            End::Task => Some(insider(random.pick(self.tasks)?)),
            End::Internet => Some(outsider(v4([198, 18, 0, 0], random.below(0xffff)))),
            End::Internet6 => world.ipv6.then(|| outsider(v6(random))),
            End::Office => Some(outsider(v4([203, 0, 113, 0], random.within(1, 62)))),
            End::Admin => Some(outsider(v4([203, 0, 113, 64], random.below(16)))),
            End::Partner => Some(outsider(v4([198, 51, 100, 16], random.below(16)))),
            End::Blocked => Some(outsider(v4([198, 51, 100, 128], random.below(128)))),
            End::ObjectStore => Some(outsider(v4([192, 0, 2, 0], random.below(64)))),
            End::Outside => Some(outsider(match random.below(2) {
                0 => v4([192, 0, 2, 128], random.below(128)),
                _ => v4([203, 0, 113, 128], random.below(128)),
            })),
        }
    }

    /// Private interfaces reach the Internet through the gateway.
    fn gateway(&self, client: &Party, server: &Party) -> Option<Rc<Interface>> {
        let interface = client.interface.as_ref()?;
        let direct = interface.subnet.public || server.interface.is_some();
        if direct || is_gateway_service(server.address) {
            return None;
        }
        self.world.pool("nat", SHARED).first().map(Rc::clone)
    }

    /// Nothing outlives the window, or a task at either end.
    fn last_second(&self, client: &Party, server: &Party) -> u32 {
        let until = |party: &Party| party.interface.as_ref().map_or(u32::MAX, |own| own.until);
        let until = until(client).min(until(server)).min(self.world.seconds);
        until.saturating_sub(1)
    }
}

fn insider(interface: &Rc<Interface>) -> Party {
    Party {
        interface: Some(Rc::clone(interface)),
        address: interface.address(),
    }
}

fn pod(node: &Rc<Interface>, random: &mut Random) -> Option<Party> {
    Some(Party {
        interface: Some(Rc::clone(node)),
        address: IpAddr::V4(*random.pick(&node.pods)?),
    })
}

fn outsider(address: IpAddr) -> Party {
    Party {
        interface: None,
        address,
    }
}

fn v4(first: [u8; 4], offset: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(
        Ipv4Addr::from(first).to_bits().saturating_add(offset),
    ))
}

fn v6(random: &mut Random) -> IpAddr {
    let customers = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1).to_bits();
    IpAddr::V6(Ipv6Addr::from_bits(
        customers + u128::from(random.below(4_000)),
    ))
}
