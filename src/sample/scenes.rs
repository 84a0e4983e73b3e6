//! Who talks to whom in the made-up cloud, as a table: traffic that passes,
//! and traffic that some group or ACL stops. What really passes, only
//! [`super::judge`] says.

use crate::net::IpProtocol;

/// One end of a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// An interface of a role of the scene's tier.
    Role(&'static str),
    /// An interface of one of several roles of the tier.
    AnyRole(&'static [&'static str]),
    /// An interface of a role that exists once.
    Shared(&'static str),
    /// The first name server.
    NameServer,
    /// A secondary address of a cluster node.
    Pod,
    /// A task of the moment, where tasks come and go.
    Task,
    /// Customers.
    Internet,
    /// Customers with IPv6.
    Internet6,
    /// The office.
    Office,
    /// Addresses of the list `admins`.
    Admin,
    /// Addresses of the list `partners`.
    Partner,
    /// Addresses that an ACL blocks.
    Blocked,
    /// Public services elsewhere.
    Outside,
    /// The object store behind a gateway endpoint.
    ObjectStore,
}

/// How long its connections last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// Seconds.
    Brief,
    /// Seconds to minutes.
    Varied,
    /// Some of them hours.
    Pooled,
    /// Nobody listens.
    Refused,
}

/// A kind of traffic.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene {
    pub(super) weight: u32,
    pub(super) client: End,
    pub(super) server: End,
    pub(super) protocol: IpProtocol,
    pub(super) port: u16,
    pub(super) client_ports: (u16, u16),
    pub(super) life: Life,
}

/// Linux's range of ephemeral ports.
pub(super) const EPHEMERAL: (u16, u16) = (32_768, 60_999);

const fn tcp(weight: u32, client: End, server: End, port: u16, life: Life) -> Scene {
    Scene {
        weight,
        client,
        server,
        protocol: IpProtocol::TCP,
        port,
        client_ports: EPHEMERAL,
        life,
    }
}

const fn udp(weight: u32, client: End, server: End, port: u16) -> Scene {
    Scene {
        protocol: IpProtocol::UDP,
        ..tcp(weight, client, server, port, Life::Brief)
    }
}

const fn portless(weight: u32, client: End, server: End, protocol: IpProtocol) -> Scene {
    Scene {
        protocol,
        client_ports: (0, 0),
        ..tcp(weight, client, server, 0, Life::Varied)
    }
}

use End::AnyRole;
use End::Role;
use End::Shared;

const IP_IN_IP: IpProtocol = IpProtocol(4);
const NAMED: End = AnyRole(&["app", "web", "db", "cache", "batch"]);
const TIMED: End = AnyRole(&["app", "web", "db", "batch", "node"]);
const COMMON: End = AnyRole(&["web", "app", "batch", "node"]);
const PRIVATE: End = AnyRole(&["app", "lambda", "batch", "node"]);

/// The scenes. Each is played once before chance takes over, so that a small
/// sample has all of them.
pub(super) const SCENES: [Scene; 57] = [
    tcp(12, End::Internet, Role("alb"), 443, Life::Varied),
    tcp(3, End::Internet, Role("alb"), 80, Life::Brief),
    tcp(12, Role("alb"), Role("app"), 8080, Life::Varied),
    tcp(8, End::Internet, Role("web"), 443, Life::Varied),
    tcp(2, End::Internet, Role("web"), 80, Life::Brief),
    portless(1, End::Internet, Role("web"), IpProtocol::ICMP),
    tcp(2, End::Internet6, Role("alb"), 443, Life::Varied),
    tcp(1, End::Internet6, Role("web"), 443, Life::Brief),
    tcp(9, Role("web"), Role("app"), 8080, Life::Varied),
    tcp(2, Role("lambda"), Role("app"), 8080, Life::Brief),
    tcp(9, Role("app"), Role("db"), 5432, Life::Pooled),
    tcp(2, Role("batch"), Role("db"), 5432, Life::Varied),
    tcp(2, Role("lambda"), Role("db"), 5432, Life::Brief),
    tcp(8, Role("app"), Role("cache"), 6379, Life::Pooled),
    tcp(1, Role("cache"), Role("cache"), 16_379, Life::Pooled),
    udp(7, NAMED, End::NameServer, 53),
    // Groups of some clients name only the first server.
    udp(1, NAMED, Shared("dns"), 53),
    Scene {
        client_ports: (123, 123),
        ..udp(3, TIMED, End::NameServer, 123)
    },
    tcp(5, Shared("monitor"), COMMON, 9100, Life::Brief),
    tcp(1, Shared("monitor"), Role("node"), 10_250, Life::Brief),
    portless(2, Shared("monitor"), COMMON, IpProtocol::ICMP),
    // Pings into the batch subnet get no reply out of it.
    portless(1, Shared("bastion"), Role("batch"), IpProtocol::ICMP),
    tcp(
        1,
        Shared("bastion"),
        AnyRole(&["web", "app", "db", "batch"]),
        22,
        Life::Varied,
    ),
    tcp(1, End::Office, Shared("bastion"), 22, Life::Pooled),
    tcp(1, End::Admin, Shared("bastion"), 22, Life::Varied),
    portless(1, End::Office, Shared("bastion"), IpProtocol::ICMP),
    tcp(5, PRIVATE, End::Outside, 443, Life::Varied),
    tcp(2, Role("web"), End::Outside, 443, Life::Varied),
    tcp(1, Shared("bastion"), End::Outside, 443, Life::Brief),
    tcp(3, Role("app"), End::ObjectStore, 443, Life::Varied),
    tcp(5, End::Internet, Shared("nlb"), 443, Life::Varied),
    tcp(4, End::Pod, End::Pod, 8080, Life::Varied),
    udp(2, End::Pod, End::Pod, 53),
    tcp(1, End::Pod, Role("db"), 5432, Life::Varied),
    portless(1, Role("node"), Role("node"), IP_IN_IP),
    tcp(1, Role("web"), Role("node"), 30_080, Life::Brief),
    tcp(1, End::Partner, Role("web"), 8443, Life::Varied),
    tcp(
        2,
        AnyRole(&["batch", "web"]),
        Shared("endpoint"),
        443,
        Life::Brief,
    ),
    udp(1, Shared("lab"), End::NameServer, 53),
    tcp(2, Role("batch"), Role("app"), 8001, Life::Varied),
    tcp(1, Role("batch"), Role("app"), 8050, Life::Refused),
    tcp(2, Role("web"), End::Task, 7000, Life::Varied),
    tcp(2, End::Task, Role("db"), 5432, Life::Varied),
    tcp(1, End::Task, End::Outside, 443, Life::Brief),
    // From here on, something stands in the way.
    tcp(1, Role("app"), Role("db"), 3306, Life::Brief),
    tcp(1, Role("web"), Role("cache"), 6379, Life::Brief),
    tcp(1, Role("lambda"), Role("cache"), 6379, Life::Brief),
    tcp(1, Role("batch"), Role("app"), 22, Life::Brief),
    tcp(1, Role("batch"), Role("app"), 9500, Life::Brief),
    tcp(1, Role("app"), Role("batch"), 9001, Life::Brief),
    tcp(1, End::Blocked, Role("web"), 443, Life::Brief),
    tcp(1, End::Internet, Role("web"), 23, Life::Brief),
    tcp(1, End::Office, Shared("bastion"), 5900, Life::Brief),
    udp(1, Role("cache"), End::Outside, 123),
    tcp(1, Role("cache"), End::Outside, 443, Life::Brief),
    Scene {
        client_ports: (40_000, 40_999),
        ..tcp(1, Role("lambda"), Role("db"), 5432, Life::Brief)
    },
    tcp(1, Role("lambda"), End::Outside, 8443, Life::Brief),
];
