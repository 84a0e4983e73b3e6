//! Protocol and ports of a rule or an ACL entry in normal form.
//!
//! The same rule has several spellings: `tcp` or `6`, no ports or −1/−1 for
//! all (API `IpPermission`, `SecurityGroupRule`, `NetworkAclEntry`). They end
//! here, so that two spellings compare equal.

use serde_json::Value;

use crate::describe::error::Fault;
use crate::describe::error::quoted;
use crate::describe::json::Object;
use crate::model::Transport;
use crate::model::sg::IcmpTypeCode;
use crate::net::IpProtocol;
use crate::net::PortRange;

/// The two numbers beside a protocol: ports, or ICMP type and code. −1 is
/// `None`, as is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::describe) struct Bounds {
    from: Option<i64>,
    to: Option<i64>,
}

impl Bounds {
    /// Reads both numbers.
    pub(in crate::describe) fn read(
        object: Object<'_>,
        from: &str,
        to: &str,
    ) -> Result<Bounds, Fault> {
        let number = |key| Ok(object.integer(key)?.filter(|&number| number != -1));
        Ok(Bounds {
            from: number(from)?,
            to: number(to)?,
        })
    }

    /// The ports between them; both absent are all ports.
    fn ports(self) -> Result<PortRange, Fault> {
        let (from, to) = match (self.from, self.to) {
            (None, None) => return Ok(PortRange::ALL),
            (Some(from), Some(to)) => (port(from)?, port(to)?),
            (Some(_), None) | (None, Some(_)) => {
                return Err(Fault::new("one end of the port range is missing"));
            }
        };
        PortRange::new(from, to)
            .ok_or_else(|| Fault::new(format!("port range {from}-{to} runs backwards")))
    }

    /// ICMP type and code: `FromPort` is the type, `ToPort` the code.
    fn icmp(self) -> Result<IcmpTypeCode, Fault> {
        let byte = |number: i64| {
            u8::try_from(number)
                .map_err(|_| Fault::new(format!("ICMP type or code {number} is not in -1..=255")))
        };
        match (self.from, self.to) {
            (None, None) => Ok(IcmpTypeCode::Any),
            (Some(kind), None) => byte(kind).map(IcmpTypeCode::Type),
            (Some(kind), Some(code)) => Ok(IcmpTypeCode::TypeCode(byte(kind)?, byte(code)?)),
            (None, Some(_)) => Err(Fault::new("an ICMP code without a type")),
        }
    }
}

/// Protocol (`None` is all) from its name or number, as text or number.
pub(in crate::describe) fn protocol(
    object: Object<'_>,
    key: &str,
) -> Result<Option<IpProtocol>, Fault> {
    let number_text;
    let text = match object.field(key) {
        Some(Value::String(text)) => text.trim(),
        Some(Value::Number(number)) => {
            number_text = number.to_string();
            &number_text
        }
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => "",
    };
    if ["-1", "all"]
        .iter()
        .any(|all| text.eq_ignore_ascii_case(all))
    {
        return Ok(None);
    }
    let refused = || Fault::new(format!("`{key}` {} is no protocol", quoted(text)));
    named(text).map(Some).ok_or_else(refused)
}

/// One protocol by its name in the API or its IANA number.
fn named(text: &str) -> Option<IpProtocol> {
    match text.to_ascii_lowercase().as_str() {
        "tcp" => Some(IpProtocol::TCP),
        "udp" => Some(IpProtocol::UDP),
        "icmp" => Some(IpProtocol::ICMP),
        "icmpv6" | "icmp6" => Some(IpProtocol::ICMPV6),
        number => number.parse().ok().map(IpProtocol),
    }
}

/// Normal form (VPC user guide, "Security group rules"): ports count for TCP
/// and UDP, type and code for ICMP; any other protocol is whole.
pub(in crate::describe) fn transport(
    protocol: Option<IpProtocol>,
    bounds: Bounds,
) -> Result<Transport, Fault> {
    Ok(match protocol {
        None => Transport::All,
        Some(IpProtocol::TCP) => Transport::Tcp(bounds.ports()?),
        Some(IpProtocol::UDP) => Transport::Udp(bounds.ports()?),
        Some(IpProtocol::ICMP) => Transport::Icmp(bounds.icmp()?),
        Some(IpProtocol::ICMPV6) => Transport::Icmpv6(bounds.icmp()?),
        Some(other) => Transport::Other(other),
    })
}

fn port(number: i64) -> Result<u16, Fault> {
    u16::try_from(number).map_err(|_| Fault::new(format!("port {number} is not in 0..=65535")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> Result<Transport, Fault> {
        let object = Object::of(value).unwrap();
        let bounds = Bounds::read(object, "FromPort", "ToPort")?;
        transport(protocol(object, "IpProtocol")?, bounds)
    }

    fn of(name: &str, from: i64, to: i64) -> Result<Transport, Fault> {
        read(&json!({"IpProtocol": name, "FromPort": from, "ToPort": to}))
    }

    #[test]
    fn names_and_numbers_of_a_protocol_are_alike() {
        for (name, number) in [("TCP", "6"), ("Udp", "17"), ("icmp", "1"), ("icmpv6", "58")] {
            assert_eq!(of(name, 8, 9), of(number, 8, 9));
        }
        assert_eq!(of("all", 1, 2), Ok(Transport::All));
        assert_eq!(
            read(&json!({"IpProtocol": 6, "FromPort": "443", "ToPort": 443})),
            Ok(Transport::Tcp(PortRange::single(443)))
        );
    }

    #[test]
    fn absent_null_and_minus_one_ports_are_all_ports() {
        let all = Ok(Transport::Tcp(PortRange::ALL));
        assert_eq!(of("tcp", -1, -1), all);
        assert_eq!(of("tcp", 0, 65535), all);
        assert_eq!(read(&json!({"IpProtocol": "tcp"})), all);
        assert_eq!(
            read(&json!({"IpProtocol": "tcp", "FromPort": null, "ToPort": null})),
            all
        );
    }

    #[test]
    fn icmp_eight_to_minus_one_is_a_type_and_no_backward_range() {
        assert_eq!(
            of("icmp", 8, -1),
            Ok(Transport::Icmp(IcmpTypeCode::Type(8)))
        );
        assert_eq!(
            of("icmp", 3, 4),
            Ok(Transport::Icmp(IcmpTypeCode::TypeCode(3, 4)))
        );
        assert_eq!(
            read(&json!({"IpProtocol": "icmpv6"})),
            Ok(Transport::Icmpv6(IcmpTypeCode::Any))
        );
    }

    #[test]
    fn ports_of_other_protocols_are_ignored() {
        assert_eq!(of("50", 5, 6), Ok(Transport::Other(IpProtocol(50))));
        assert_eq!(of("50", 99_999, 6), Ok(Transport::Other(IpProtocol(50))));
    }

    #[test]
    fn impossible_values_are_refused() {
        for (name, from, to) in [
            ("tcp", 0, 70_000),
            ("tcp", -2, 5),
            ("udp", 9, 8),
            ("tcp", 80, -1),
            ("icmp", 256, -1),
            ("icmp", -1, 3),
            ("256", -1, -1),
            ("http", 80, 80),
            ("", 80, 80),
        ] {
            assert!(of(name, from, to).is_err(), "{name} {from} {to}");
        }
    }
}
