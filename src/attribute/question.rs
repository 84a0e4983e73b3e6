//! A question about one flow, as a person puts it: who, to whom, what.
//!
//! Parsing ends here; which interface an address means is for `ends`.

use std::fmt;
use std::net::IpAddr;

use thiserror::Error;

use crate::model::EniId;
use crate::model::sg::IcmpTypeCode;
use crate::net::IpProtocol;
use crate::net::PortRange;

/// One end of a flow as named by a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// An address, private or public.
    Address(IpAddr),
    /// An interface by its id.
    Interface(EniId),
}

/// One flow to be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Who opens it.
    pub source: Endpoint,
    /// To whom.
    pub destination: Endpoint,
    /// Protocol.
    pub protocol: IpProtocol,
    /// Destination port, or ICMP points `type << 8 | code`; all where none
    /// was given and for protocols without ports.
    pub service: PortRange,
}

/// What is wrong with a question.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum QuestionError {
    /// Neither an address nor an interface id.
    #[error("`{0}` is neither an address nor an interface id (eni-…)")]
    Endpoint(String),
    /// Not a protocol that a packet can have.
    #[error(
        "`{0}` names no protocol: PROTO/PORT is tcp/PORT, udp/PORT, icmp, icmp/TYPE/CODE, icmpv6 or a number"
    )]
    Protocol(String),
    /// Not a port, or not an ICMP type and code.
    #[error("`{0}` is no port: give 0 to 65535, or for icmp TYPE or TYPE/CODE, each 0 to 255")]
    Service(String),
}

impl Endpoint {
    /// Reads an address or an interface id.
    pub fn parse(text: &str) -> Result<Endpoint, QuestionError> {
        let refused = || QuestionError::Endpoint(text.to_owned());
        if text.starts_with("eni-") {
            return EniId::parse(text)
                .map(Endpoint::Interface)
                .ok_or_else(refused);
        }
        text.parse().map(Endpoint::Address).map_err(|_| refused())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Address(address) => address.fmt(f),
            Endpoint::Interface(id) => id.fmt(f),
        }
    }
}

impl Question {
    /// Reads the three arguments of `why`: SRC, DST and PROTO/PORT.
    pub fn parse(
        source: &str,
        destination: &str,
        service: &str,
    ) -> Result<Question, QuestionError> {
        let source = Endpoint::parse(source)?;
        let destination = Endpoint::parse(destination)?;
        let (protocol, service) = parse_service(service)?;
        Ok(Question {
            source,
            destination,
            protocol,
            service,
        })
    }
}

/// Reads `tcp/443`, `udp/53`, `icmp`, `icmp/8`, `icmp/8/0`, `icmpv6/128/0`,
/// `50`; a protocol alone means every port or type.
pub fn parse_service(text: &str) -> Result<(IpProtocol, PortRange), QuestionError> {
    let (name, rest) = match text.split_once('/') {
        Some((name, rest)) => (name, Some(rest)),
        None => (text, None),
    };
    let protocol = parse_protocol(name).ok_or_else(|| QuestionError::Protocol(text.to_owned()))?;
    let Some(rest) = rest else {
        return Ok((protocol, PortRange::ALL));
    };
    let service = if protocol.is_icmp() {
        parse_icmp(rest)
    } else if protocol.has_ports() {
        rest.parse().ok().map(PortRange::single)
    } else {
        None
    };
    let service = service.ok_or_else(|| QuestionError::Service(text.to_owned()))?;
    Ok((protocol, service))
}

fn parse_protocol(name: &str) -> Option<IpProtocol> {
    match name.to_ascii_lowercase().as_str() {
        "tcp" => Some(IpProtocol::TCP),
        "udp" => Some(IpProtocol::UDP),
        "icmp" => Some(IpProtocol::ICMP),
        "icmpv6" => Some(IpProtocol::ICMPV6),
        number => number.parse().ok().map(IpProtocol),
    }
}

fn parse_icmp(text: &str) -> Option<PortRange> {
    let scope = match text.split_once('/') {
        None => IcmpTypeCode::Type(text.parse().ok()?),
        Some((kind, code)) => IcmpTypeCode::TypeCode(kind.parse().ok()?, code.parse().ok()?),
    };
    Some(scope.range())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_and_services_are_read_in_every_form() {
        let tcp = |port| Ok((IpProtocol::TCP, PortRange::single(port)));
        assert_eq!(parse_service("tcp/443"), tcp(443));
        assert_eq!(parse_service("TCP/0"), tcp(0));
        assert_eq!(parse_service("udp"), Ok((IpProtocol::UDP, PortRange::ALL)));
        assert_eq!(
            parse_service("icmp/8"),
            Ok((IpProtocol::ICMP, PortRange::spanning(0x0800, 0x08ff)))
        );
        assert_eq!(
            parse_service("icmpv6/128/0"),
            Ok((IpProtocol::ICMPV6, PortRange::single(0x8000)))
        );
        assert_eq!(parse_service("50"), Ok((IpProtocol(50), PortRange::ALL)));
    }

    #[test]
    fn what_is_no_service_is_refused() {
        for text in [
            "",
            "all",
            "tcp/",
            "tcp/65536",
            "tcp/22/3",
            "icmp/256",
            "50/7",
        ] {
            assert!(parse_service(text).is_err(), "`{text}` was read");
        }
    }

    #[test]
    fn ends_are_addresses_or_interfaces() {
        assert_eq!(
            Endpoint::parse("2001:db8::1"),
            Ok(Endpoint::Address("2001:db8::1".parse().unwrap()))
        );
        assert_eq!(
            Endpoint::parse("eni-0a1b"),
            Ok(Endpoint::Interface(EniId::parse("eni-0a1b").unwrap()))
        );
        assert!(Endpoint::parse("10.0.0.0/8").is_err());
        assert!(Endpoint::parse("i-0a1b").is_err());
    }
}
