//! What the interfaces on a connection's way see of it: for each interface the
//! halves (requests, replies), with the addresses that its records show, and
//! the flags of each aggregation window.
//!
//! Shown addresses follow the VPC user guide, "Flow log limitations": the near
//! side of an IPv4 record is always the interface's primary address; `pkt-`
//! fields carry the packet's own. A NAT gateway sees four halves.

use std::net::IpAddr;
use std::rc::Rc;

use crate::model::Direction;
use crate::model::TcpFlags;
use crate::net::IpProtocol;
use crate::sample::half::Flags;
use crate::sample::half::Half;
use crate::sample::half::Path;
use crate::sample::judge::Attempt;
use crate::sample::judge::Cause;
use crate::sample::judge::Fate;
use crate::sample::judge::Opinion;
use crate::sample::judge::Verdict;
use crate::sample::world::Interface;

/// How a connection goes on and ends, once nothing is in its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Closed by FIN from both sides.
    Closed,
    /// Cut by the client.
    Reset,
    /// Nobody listens: answered by RST.
    Refused,
    /// Half-open scan: SYN, SYN-ACK, RST.
    Probed,
    /// The request arrives, and the host behind the interface stays silent.
    Silent,
    /// Still open at the end of the window.
    Open,
}

/// One interface's view of one connection.
#[derive(Clone, Debug)]
pub(super) struct Observation {
    pub(super) connection: u64,
    pub(super) interface: Rc<Interface>,
    /// The interface it shares the connection with, where there is one.
    pub(super) far: Option<Rc<Interface>>,
    pub(super) protocol: IpProtocol,
    pub(super) service_port: u16,
    /// The far side's own address.
    pub(super) peer: IpAddr,
    pub(super) halves: Vec<Half>,
    /// What this interface's groups say to the request.
    pub(super) opinion: Opinion,
    pub(super) start: u32,
    pub(super) end: u32,
    /// Packets come only in every so-manieth window.
    pub(super) every: u32,
}

impl Observation {
    /// First and last aggregation window.
    pub(super) fn windows(&self) -> (u32, u32) {
        (
            self.interface.window_of(self.start),
            self.interface.window_of(self.end),
        )
    }

    /// The window with packets after this one.
    pub(super) fn window_after(&self, window: u32) -> Option<u32> {
        let (_, last) = self.windows();
        (window < last).then(|| window.saturating_add(self.every.max(1)).min(last))
    }

    /// First and last second with packets in a window.
    pub(super) fn seconds(&self, window: u32) -> (u32, u32) {
        let (first, last) = self.interface.window(window);
        (self.start.max(first), self.end.min(last))
    }

    /// Flags of a half in a window: OR-ed where several fall together
    /// (VPC user guide, "tcp-flags").
    pub(super) fn flags(&self, half: &Half, window: u32) -> u8 {
        let (first, last) = self.windows();
        match (window == first, window == last) {
            (true, true) => half.flags.first | half.flags.last,
            (true, false) => half.flags.first,
            (false, true) => half.flags.last,
            (false, false) => half.flags.middle,
        }
    }
}

/// What every logged interface sees of a connection.
pub(super) fn observe(
    connection: u64,
    attempt: &Attempt,
    verdict: &Verdict,
    ending: Ending,
    every: u32,
) -> Vec<Observation> {
    let view = View {
        connection,
        attempt,
        fate: verdict.fate,
        ending,
        every,
    };
    let mut seen = Vec::with_capacity(2);
    if let Some(interface) = attempt.client.interface.as_ref().filter(|i| i.logged()) {
        seen.push(view.at_client(interface, verdict.client.clone()));
    }
    if matches!(verdict.fate, Fate::RequestOut(_)) {
        return seen;
    }
    if let Some(gateway) = &attempt.nat {
        seen.push(view.at_gateway(gateway));
    }
    if let Some(interface) = attempt.server.interface.as_ref().filter(|i| i.logged()) {
        seen.push(view.at_server(interface, verdict.server.clone()));
    }
    seen
}

/// A packet that arrives at the server's interface after the connection was
/// closed there: rejected, and no fault of any rule (VPC user guide, "action").
pub(super) fn late(
    connection: u64,
    attempt: &Attempt,
    after: u32,
    flags: u8,
) -> Option<Observation> {
    let interface = attempt.server.interface.as_ref().filter(|i| i.logged())?;
    let view = View {
        connection,
        attempt,
        fate: Fate::Passed,
        ending: Ending::Closed,
        every: 1,
    };
    let mut seen = view.at_server(interface, Opinion::default());
    seen.halves.retain(|half| half.request);
    for half in &mut seen.halves {
        half.reject = Some(Cause::Late);
        half.flags = Flags {
            first: flags,
            middle: flags,
            last: flags,
        };
    }
    seen.start = attempt.end + after;
    seen.end = seen.start;
    Some(seen)
}

struct View<'a> {
    connection: u64,
    attempt: &'a Attempt,
    fate: Fate,
    ending: Ending,
    every: u32,
}

impl View<'_> {
    fn at_client(&self, interface: &Rc<Interface>, opinion: Opinion) -> Observation {
        let own = self.attempt.client.address;
        let far = self.attempt.server.address;
        let near = shown(interface, own);
        let out = Half {
            src: near,
            pkt_src: own,
            path: match self.attempt.nat {
                // The gateway, another resource of the VPC, is the next hop.
                Some(_) => Path::Vpc,
                None => self.path(Direction::Egress, true),
            },
            reject: match self.fate {
                Fate::RequestOut(cause) => Some(cause),
                Fate::Passed | Fate::RequestIn(_) | Fate::ReplyOut | Fate::ReplyIn => None,
            },
            ..self.half(Direction::Egress, true, (own, far))
        };
        let back = Half {
            dst: near,
            pkt_dst: own,
            reject: (self.fate == Fate::ReplyIn).then_some(Cause::NetworkAcl),
            ..self.half(Direction::Ingress, false, (far, own))
        };
        let mut halves = vec![out];
        if self.is_answered() && matches!(self.fate, Fate::Passed | Fate::ReplyIn) {
            halves.push(back);
        }
        let server = self.attempt.server.interface.as_ref();
        let next = self.attempt.nat.as_ref().or(server);
        self.observation(interface, next, far, halves, opinion)
    }

    fn at_server(&self, interface: &Rc<Interface>, opinion: Opinion) -> Observation {
        let own = self.attempt.server.address;
        let far = self.attempt.client.address;
        let near = shown(interface, own);
        let request = Half {
            dst: near,
            pkt_dst: own,
            reject: match self.fate {
                Fate::RequestIn(cause) => Some(cause),
                Fate::Passed | Fate::RequestOut(_) | Fate::ReplyOut | Fate::ReplyIn => None,
            },
            ..self.half(Direction::Ingress, true, (far, own))
        };
        let reply = Half {
            src: near,
            pkt_src: own,
            reject: (self.fate == Fate::ReplyOut).then_some(Cause::NetworkAcl),
            ..self.half(Direction::Egress, false, (own, far))
        };
        let mut halves = vec![request];
        if self.is_answered() && !matches!(self.fate, Fate::RequestIn(_)) {
            halves.push(reply);
        }
        let client = self.attempt.client.interface.as_ref();
        self.observation(interface, client, far, halves, opinion)
    }

    /// The four halves at a NAT gateway (VPC user guide, "Traffic through a
    /// NAT gateway").
    fn at_gateway(&self, gateway: &Rc<Interface>) -> Observation {
        let client = self.attempt.client.address;
        let server = self.attempt.server.address;
        let own = gateway.address();
        let from_client = Half {
            dst: own,
            ..self.half(Direction::Ingress, true, (client, server))
        };
        let mut to_server = self.half(Direction::Egress, true, (own, server));
        to_server.src_port = translated(self.attempt.client_port);
        let mut from_server = self.half(Direction::Ingress, false, (server, own));
        from_server.dst_port = translated(self.attempt.client_port);
        let to_client = Half {
            src: own,
            path: Path::Vpc,
            ..self.half(Direction::Egress, false, (server, client))
        };
        let mut halves = vec![from_client, to_server];
        if self.is_answered() && matches!(self.fate, Fate::Passed | Fate::ReplyIn) {
            halves.extend([from_server, to_client]);
        }
        let client_interface = self.attempt.client.interface.as_ref();
        self.observation(
            gateway,
            client_interface,
            server,
            halves,
            Opinion::default(),
        )
    }

    fn half(&self, direction: Direction, request: bool, (src, dst): (IpAddr, IpAddr)) -> Half {
        let (client_port, port) = (self.attempt.client_port, self.attempt.service_port);
        let (src_port, dst_port) = if request {
            (client_port, port)
        } else {
            (port, client_port)
        };
        Half {
            src,
            dst,
            pkt_src: src,
            pkt_dst: dst,
            src_port,
            dst_port,
            direction,
            request,
            reject: None,
            flags: self.flags(request),
            path: self.path(direction, request),
        }
    }

    fn is_answered(&self) -> bool {
        self.ending != Ending::Silent
    }

    fn flags(&self, request: bool) -> Flags {
        if self.attempt.protocol != IpProtocol::TCP {
            return Flags::default();
        }
        let syn = if request {
            TcpFlags::SYN
        } else {
            TcpFlags::SYN | TcpFlags::ACK
        };
        if self.fate != Fate::Passed || self.ending == Ending::Silent {
            // Tried again and again: every packet opens.
            return Flags {
                first: syn,
                middle: syn,
                last: syn,
            };
        }
        let (first, last) = match (self.ending, request) {
            (Ending::Closed, _) => (syn, TcpFlags::FIN),
            (Ending::Open | Ending::Silent, _)
            | (Ending::Reset | Ending::Probed, false)
            | (Ending::Refused, true) => (syn, 0),
            (Ending::Reset | Ending::Probed, true) => (syn, TcpFlags::RST),
            (Ending::Refused, false) => (TcpFlags::RST, 0),
        };
        Flags {
            first,
            middle: 0,
            last,
        }
    }

    fn path(&self, direction: Direction, request: bool) -> Path {
        let far = match (direction, request) {
            (Direction::Egress, true) | (Direction::Ingress, false) => &self.attempt.server,
            (Direction::Egress, false) | (Direction::Ingress, true) => &self.attempt.client,
        };
        match &far.interface {
            Some(interface) if interface.logged() => Path::Vpc,
            Some(_) => Path::Peering,
            None if is_gateway_service(far.address) => Path::GatewayEndpoint,
            None => Path::InternetGateway,
        }
    }

    fn observation(
        &self,
        interface: &Rc<Interface>,
        far: Option<&Rc<Interface>>,
        peer: IpAddr,
        halves: Vec<Half>,
        opinion: Opinion,
    ) -> Observation {
        Observation {
            connection: self.connection,
            interface: Rc::clone(interface),
            far: far.map(Rc::clone),
            protocol: self.attempt.protocol,
            service_port: self.attempt.service_port,
            peer,
            halves,
            opinion,
            start: self.attempt.start,
            end: self.attempt.end,
            every: self.every,
        }
    }
}

/// The address that records show for the near side.
fn shown(interface: &Interface, own: IpAddr) -> IpAddr {
    match own {
        IpAddr::V4(_) => interface.address(),
        IpAddr::V6(_) => own,
    }
}

/// S3 and `DynamoDB` are reached through gateway endpoints, which have no
/// interface.
pub(super) fn is_gateway_service(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            (a, b, c) == (192, 0, 2) && d < 128
        }
        IpAddr::V6(_) => false,
    }
}

/// The source port that a NAT gateway puts in place of the client's
/// (1024 to 65535).
fn translated(port: u16) -> u16 {
    1_024 + port.wrapping_mul(40_503) % 64_512
}
