//! The protocol number of an IP packet (IANA "Assigned Internet Protocol
//! Numbers"). Names are those that rules and reports use.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

/// Protocol number in the IP header: 6 is TCP, 17 UDP, 1 ICMP, 58 `ICMPv6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IpProtocol(pub u8);

impl IpProtocol {
    /// ICMP for IPv4.
    pub const ICMP: IpProtocol = IpProtocol(1);
    /// TCP.
    pub const TCP: IpProtocol = IpProtocol(6);
    /// UDP.
    pub const UDP: IpProtocol = IpProtocol(17);
    /// ICMP for IPv6.
    pub const ICMPV6: IpProtocol = IpProtocol(58);

    /// Whether packets of this protocol carry port numbers that rules match.
    #[must_use]
    pub fn has_ports(self) -> bool {
        self == IpProtocol::TCP || self == IpProtocol::UDP
    }

    /// Whether this is ICMP or `ICMPv6`: rules match type and code, and flow
    /// logs carry neither.
    #[must_use]
    pub fn is_icmp(self) -> bool {
        self == IpProtocol::ICMP || self == IpProtocol::ICMPV6
    }
}

impl fmt::Display for IpProtocol {
    /// `tcp`, `udp`, `icmp`, `icmpv6`, or the number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            IpProtocol::ICMP => f.write_str("icmp"),
            IpProtocol::TCP => f.write_str("tcp"),
            IpProtocol::UDP => f.write_str("udp"),
            IpProtocol::ICMPV6 => f.write_str("icmpv6"),
            IpProtocol(number) => write!(f, "{number}"),
        }
    }
}
