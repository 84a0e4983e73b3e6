//! Writes one line of a flow log in any format version, every field of that
//! version and those before it in the order of the documentation.

use std::net::IpAddr;

use crate::model::Direction;
use crate::net::IpProtocol;
use crate::sample::blueprint::ACCOUNT;
use crate::sample::blueprint::REGION;
use crate::sample::half::Half;
use crate::sample::half::Path;
use crate::sample::observe::Observation;
use crate::sample::random::hash_text;
use crate::sample::world::BASE;
use crate::sample::world::Interface;
use crate::sample::world::Kind;

/// Field names and the version that brought them (VPC user guide, "Flow log
/// records"); version 6 is of transit gateways and has none here.
pub(super) const FIELDS: [(&str, u8); 54] = [
    ("version", 2),
    ("account-id", 2),
    ("interface-id", 2),
    ("srcaddr", 2),
    ("dstaddr", 2),
    ("srcport", 2),
    ("dstport", 2),
    ("protocol", 2),
    ("packets", 2),
    ("bytes", 2),
    ("start", 2),
    ("end", 2),
    ("action", 2),
    ("log-status", 2),
    ("vpc-id", 3),
    ("subnet-id", 3),
    ("instance-id", 3),
    ("tcp-flags", 3),
    ("type", 3),
    ("pkt-srcaddr", 3),
    ("pkt-dstaddr", 3),
    ("region", 4),
    ("az-id", 4),
    ("sublocation-type", 4),
    ("sublocation-id", 4),
    ("pkt-src-aws-service", 5),
    ("pkt-dst-aws-service", 5),
    ("flow-direction", 5),
    ("traffic-path", 5),
    ("ecs-cluster-arn", 7),
    ("ecs-cluster-name", 7),
    ("ecs-container-instance-arn", 7),
    ("ecs-container-instance-id", 7),
    ("ecs-container-id", 7),
    ("ecs-second-container-id", 7),
    ("ecs-service-name", 7),
    ("ecs-task-definition-arn", 7),
    ("ecs-task-arn", 7),
    ("ecs-task-id", 7),
    ("reject-reason", 8),
    ("resource-id", 9),
    ("encryption-status", 10),
    ("instance-tag", 11),
    ("instance-tag-2", 11),
    ("interface-tag", 11),
    ("interface-tag-2", 11),
    ("asg-tag", 11),
    ("asg-tag-2", 11),
    ("interface-type", 11),
    ("next-hop-interface-id", 11),
    ("next-hop-subnet-id", 11),
    ("next-hop-az-id", 11),
    ("next-hop-vpc-id", 11),
    ("next-hop-interface-type", 11),
];

/// Fields of the ECS block of version 7.
const ECS_FIELDS: usize = 10;

/// The names of a version's fields, in order.
pub(super) fn field_names(version: u8) -> impl Iterator<Item = &'static str> {
    FIELDS
        .iter()
        .filter(move |(_, since)| *since <= version)
        .map(|(name, _)| *name)
}

/// What a line says beside its half and its interface.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) flags: u8,
}

/// Pieces of a line that are the same for every record of an interface.
#[derive(Debug)]
pub(super) struct Texts {
    /// `version account-id interface-id `.
    head: Vec<u8>,
    /// ` vpc-id subnet-id instance-id `.
    place: Vec<u8>,
    /// ` region az-id - - `, the last two the sublocation.
    region: Vec<u8>,
    /// ` …`, the ECS block.
    ecs: Vec<u8>,
    /// ` …`, the six tags and the interface type.
    tags: Vec<u8>,
}

impl Texts {
    pub(super) fn of(interface: &Interface, version: u8) -> Texts {
        let subnet = &interface.subnet;
        let account = match interface.kind {
            Kind::Nlb => "unknown",
            Kind::Instance | Kind::Nat | Kind::Alb | Kind::Lambda | Kind::Endpoint | Kind::Task => {
                ACCOUNT
            }
        };
        let instance = interface.instance_id.as_deref().unwrap_or("-");
        Texts {
            head: format!("{version} {account} {} ", interface.id).into_bytes(),
            place: format!(" {} {} {instance} ", subnet.vpc_id, subnet.id).into_bytes(),
            region: format!(" {REGION} {} - -", subnet.zone_id).into_bytes(),
            ecs: ecs(interface).into_bytes(),
            tags: tags(interface).into_bytes(),
        }
    }
}

fn ecs(interface: &Interface) -> String {
    if interface.kind != Kind::Task {
        return " -".repeat(ECS_FIELDS);
    }
    let arn = format!("arn:aws:ecs:{REGION}:{ACCOUNT}");
    let (a, b) = (hash_text(11, &interface.id), hash_text(12, &interface.id));
    format!(
        " {arn}:cluster/main main - - {a:016x}{b:08x} - worker {arn}:task-definition/worker:7 \
         {arn}:task/main/{a:016x}{b:016x} {a:016x}{b:016x}"
    )
}

fn tags(interface: &Interface) -> String {
    let role = interface.name.split('-').next().unwrap_or("-");
    let instance = match interface.instance_id {
        // A space is percent-encoded in tag fields.
        Some(_) => format!("team%20{role}"),
        None => "-".to_owned(),
    };
    format!(
        " {instance} - {} - - - {}",
        interface.name,
        interface_type(interface)
    )
}

fn interface_type(interface: &Interface) -> &'static str {
    match interface.kind {
        Kind::Instance | Kind::Task | Kind::Lambda => "-",
        Kind::Alb => "amazon-elb",
        Kind::Nat => "nat_gateway",
        Kind::Nlb => "network_load_balancer",
        Kind::Endpoint => "vpc_endpoint",
    }
}

/// Writes the header line.
pub(super) fn header(out: &mut Vec<u8>, version: u8) {
    for (place, name) in field_names(version).enumerate() {
        if place > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(name.as_bytes());
    }
    out.push(b'\n');
}

/// Writes one record about traffic.
pub(super) fn flow(
    out: &mut Vec<u8>,
    version: u8,
    texts: &Texts,
    seen: &Observation,
    half: &Half,
    measured: Measured,
) {
    out.extend_from_slice(&texts.head);
    address(out, half.src);
    out.push(b' ');
    address(out, half.dst);
    for number in [
        u64::from(half.src_port),
        u64::from(half.dst_port),
        u64::from(seen.protocol.0),
        measured.packets,
        measured.bytes,
    ] {
        out.push(b' ');
        decimal(out, number);
    }
    times(out, measured.start, measured.end);
    out.extend_from_slice(match half.reject {
        None => b" ACCEPT OK",
        Some(_) => b" REJECT OK",
    });
    if version >= 3 {
        out.extend_from_slice(&texts.place);
        decimal(out, u64::from(measured.flags));
        out.extend_from_slice(match half.src {
            IpAddr::V4(_) => b" IPv4 ",
            IpAddr::V6(_) => b" IPv6 ",
        });
        address(out, half.pkt_src);
        out.push(b' ');
        address(out, half.pkt_dst);
    }
    if version >= 4 {
        out.extend_from_slice(&texts.region);
    }
    if version >= 5 {
        directions(out, half);
    }
    if version >= 7 {
        out.extend_from_slice(&texts.ecs);
    }
    if version >= 8 {
        later_fields(out, version, texts, Some((seen, half)));
    }
    out.push(b'\n');
}

/// Writes a NODATA or SKIPDATA line.
pub(super) fn gap(
    out: &mut Vec<u8>,
    version: u8,
    texts: &Texts,
    (start, end): (u32, u32),
    status: &str,
) {
    out.extend_from_slice(&texts.head);
    out.extend_from_slice(b"- - - - - - -");
    times(out, start, end);
    out.extend_from_slice(b" - ");
    out.extend_from_slice(status.as_bytes());
    if version >= 3 {
        out.extend_from_slice(&texts.place);
        out.extend_from_slice(b"- - - -");
    }
    if version >= 4 {
        out.extend_from_slice(&texts.region);
    }
    if version >= 5 {
        out.extend_from_slice(b" - - - -");
    }
    if version >= 7 {
        out.extend_from_slice(" -".repeat(ECS_FIELDS).as_bytes());
    }
    if version >= 8 {
        later_fields(out, version, texts, None);
    }
    out.push(b'\n');
}

fn directions(out: &mut Vec<u8>, half: &Half) {
    out.push(b' ');
    out.extend_from_slice(service(half.pkt_src).as_bytes());
    out.push(b' ');
    out.extend_from_slice(service(half.pkt_dst).as_bytes());
    out.extend_from_slice(match (half.direction, half.path) {
        (Direction::Ingress, _) => b" ingress -",
        (Direction::Egress, Path::Vpc) => b" egress 1",
        (Direction::Egress, Path::Peering) => b" egress 4",
        (Direction::Egress, Path::GatewayEndpoint) => b" egress 7",
        (Direction::Egress, Path::InternetGateway) => b" egress 8",
    });
}

/// The code of the service that a public address belongs to
/// (VPC user guide, "pkt-src-aws-service"); the prefixes are made up.
fn service(address: IpAddr) -> &'static str {
    let IpAddr::V4(v4) = address else {
        return "-";
    };
    match v4.octets() {
        [192, 0, 2, 0..=63] => "S3",
        [192, 0, 2, 64..=127] => "DYNAMODB",
        [192, 0, 2, 128..=255] => "AMAZON",
        _ => "-",
    }
}

/// Versions 8 to 11.
fn later_fields(
    out: &mut Vec<u8>,
    version: u8,
    texts: &Texts,
    seen: Option<(&Observation, &Half)>,
) {
    out.extend_from_slice(b" -");
    if version >= 9 {
        out.extend_from_slice(b" -");
    }
    if version >= 10 {
        out.extend_from_slice(match seen {
            Some((seen, _)) if seen.protocol == IpProtocol::TCP && seen.service_port == 443 => {
                b" 2"
            }
            Some(_) => b" 0",
            None => b" -",
        });
    }
    if version >= 11 {
        match seen {
            Some((seen, half)) => next_hop(out, texts, seen, half),
            None => out.extend_from_slice(" -".repeat(12).as_bytes()),
        }
    }
}

fn next_hop(out: &mut Vec<u8>, texts: &Texts, seen: &Observation, half: &Half) {
    out.extend_from_slice(&texts.tags);
    // At a gateway only the halves on the client's side have a next interface.
    let near = seen.interface.kind != Kind::Nat
        || [half.src, half.dst, half.pkt_src, half.pkt_dst]
            .iter()
            .any(|address| {
                seen.far
                    .as_ref()
                    .is_some_and(|far| far.address() == *address)
            });
    match seen.far.as_ref().filter(|far| near && far.logged()) {
        None => out.extend_from_slice(b" - - - - -"),
        Some(far) => {
            let subnet = &far.subnet;
            for text in [
                far.id.as_str(),
                &subnet.id,
                subnet.zone_id,
                &subnet.vpc_id,
                interface_type(far),
            ] {
                out.push(b' ');
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
}

fn times(out: &mut Vec<u8>, start: u32, end: u32) {
    let base = BASE.unsigned_abs();
    out.push(b' ');
    decimal(out, base + u64::from(start));
    out.push(b' ');
    decimal(out, base + u64::from(end));
}

fn address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            octet(out, a);
            for byte in [b, c, d] {
                out.push(b'.');
                octet(out, byte);
            }
        }
        IpAddr::V6(v6) => out.extend_from_slice(v6.to_string().as_bytes()),
    }
}

fn octet(out: &mut Vec<u8>, byte: u8) {
    if byte >= 100 {
        out.push(b'0' + byte / 100);
    }
    if byte >= 10 {
        out.push(b'0' + byte / 10 % 10);
    }
    out.push(b'0' + byte % 10);
}

fn decimal(out: &mut Vec<u8>, number: u64) {
    let mut digits = [b'0'; 20];
    let mut rest = number;
    let mut used = 0;
    for place in digits.iter_mut().rev() {
        *place = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - used..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_everybody_writes_them() {
        for number in [0, 7, 10, 99, 100, 1_772_323_200, u64::MAX] {
            let mut out = Vec::new();
            decimal(&mut out, number);
            assert_eq!(out, number.to_string().into_bytes());
        }
        for byte in 0..=255 {
            let mut out = Vec::new();
            octet(&mut out, byte);
            assert_eq!(out, byte.to_string().into_bytes());
        }
    }

    #[test]
    fn a_service_is_told_by_its_prefix() {
        let name = |text: &str| service(text.parse().unwrap());
        assert_eq!(name("192.0.2.63"), "S3");
        assert_eq!(name("192.0.2.64"), "DYNAMODB");
        assert_eq!(name("192.0.2.255"), "AMAZON");
        assert_eq!(name("192.0.3.0"), "-");
        assert_eq!(name("2001:db8::1"), "-");
    }

    #[test]
    fn known_counts_of_fields() {
        let counts = [
            (2, 14),
            (3, 21),
            (4, 25),
            (5, 29),
            (7, 39),
            (8, 40),
            (9, 41),
        ];
        for (version, count) in counts.into_iter().chain([(10, 42), (11, 54)]) {
            assert_eq!(field_names(version).count(), count, "version {version}");
        }
    }
}
