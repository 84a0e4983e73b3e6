//! Closed stretches of the 16-bit service space, as the checker reckons them.

use crate::model::Transport;
use crate::net::IpProtocol;
use crate::net::PortRange;

/// A stretch, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Service {
    pub(super) low: u16,
    pub(super) high: u16,
}

impl From<PortRange> for Service {
    fn from(range: PortRange) -> Service {
        Service {
            low: range.from(),
            high: range.to(),
        }
    }
}

impl Service {
    /// What a rule has of one protocol; `None` where it is for others.
    pub(super) fn of(transport: Transport, protocol: IpProtocol) -> Option<Service> {
        let whole = Service::from(PortRange::ALL);
        let (own, service) = match transport {
            Transport::All => return Some(whole),
            Transport::Tcp(ports) => (IpProtocol::TCP, ports.into()),
            Transport::Udp(ports) => (IpProtocol::UDP, ports.into()),
            Transport::Icmp(scope) => (IpProtocol::ICMP, scope.range().into()),
            Transport::Icmpv6(scope) => (IpProtocol::ICMPV6, scope.range().into()),
            Transport::Other(own) => (own, whole),
        };
        (own == protocol).then_some(service)
    }

    pub(super) fn range(self) -> PortRange {
        PortRange::spanning(self.low, self.high)
    }

    pub(super) fn common(self, other: Service) -> Option<Service> {
        let (low, high) = (self.low.max(other.low), self.high.min(other.high));
        (low <= high).then_some(Service { low, high })
    }

    /// What is left below and above the other.
    pub(super) fn without(self, gone: Service) -> [Option<Service>; 2] {
        if self.common(gone).is_none() {
            return [Some(self), None];
        }
        let below = (self.low < gone.low).then(|| Service {
            low: self.low,
            high: gone.low - 1,
        });
        let above = (gone.high < self.high).then(|| Service {
            low: gone.high + 1,
            high: self.high,
        });
        [below, above]
    }
}
