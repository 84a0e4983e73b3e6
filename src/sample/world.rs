//! The nouns of the made-up cloud. They are this module's own, so that the
//! truth it tells owes nothing to the code that is measured against it.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::rc::Rc;

use ipnet::IpNet;

use crate::model::Direction;

/// First second of every sample: 2026-03-01T00:00:00Z. All other times of the
/// simulation are seconds after it.
pub(super) const BASE: i64 = 1_772_323_200;

/// What an interface belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An instance.
    Instance,
    /// A NAT gateway: no groups, translates.
    Nat,
    /// An application load balancer.
    Alb,
    /// A network load balancer that keeps the client's address.
    Nlb,
    /// Functions.
    Lambda,
    /// An interface endpoint.
    Endpoint,
    /// A task that lives for minutes.
    Task,
}

/// What a rule or an ACL entry matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Every protocol.
    All,
    /// TCP ports, both ends included.
    Tcp(u16, u16),
    /// UDP ports, both ends included.
    Udp(u16, u16),
    /// ICMP of one type and code, where given.
    Icmp(Option<u8>, Option<u8>),
}

/// Whom a rule names.
#[derive(Clone, Debug)]
pub(super) enum Peer {
    /// A prefix.
    Net(IpNet),
    /// A group, by key.
    Group(u64),
    /// A prefix list.
    List(Rc<List>),
}

/// A prefix list.
#[derive(Debug)]
pub(super) struct List {
    pub(super) id: String,
    pub(super) name: &'static str,
    pub(super) aws: bool,
    pub(super) entries: Vec<IpNet>,
}

/// How the rules of a group are weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    /// AWS: whatever some rule admits passes.
    Union,
    /// A basic group of Alibaba Cloud: by rank among all rules of the
    /// interface; what no rule matches may leave, and arrives from members
    /// where they may talk.
    Basic {
        /// Whether members may talk (`InnerAccessPolicy`).
        inner: bool,
    },
    /// An advanced group of Alibaba Cloud: by rank; what no rule matches stays.
    Advanced,
}

/// A rule, in force from `from` until before `until`.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) number: usize,
    pub(super) id: String,
    pub(super) group_id: String,
    pub(super) direction: Direction,
    pub(super) scope: Scope,
    pub(super) peer: Peer,
    pub(super) description: String,
    /// Whether it drops what it matches.
    pub(super) drop: bool,
    /// Smaller decides first; 0 where the cloud has no ranks.
    pub(super) priority: u16,
    pub(super) no_effect: bool,
    /// Whether stronger rules decide all that it matches.
    pub(super) shadowed: bool,
    pub(super) from: u32,
    pub(super) until: u32,
}

impl Rule {
    pub(super) fn in_force(&self, second: u32) -> bool {
        self.from <= second && second < self.until
    }
}

/// A security group.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) key: u64,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: &'static str,
    pub(super) watched: bool,
    pub(super) policy: Policy,
    pub(super) rules: Vec<Rule>,
}

/// An entry of a network ACL.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) direction: Direction,
    pub(super) number: u32,
    pub(super) allow: bool,
    pub(super) scope: Scope,
    pub(super) net: IpNet,
}

/// A network ACL; entries in order of their numbers.
#[derive(Debug)]
pub(super) struct Acl {
    pub(super) id: String,
    pub(super) name: &'static str,
    pub(super) watched: bool,
    pub(super) entries: Vec<Entry>,
}

/// A subnet.
#[derive(Debug)]
pub(super) struct Subnet {
    pub(super) id: String,
    pub(super) name: &'static str,
    pub(super) zone: &'static str,
    pub(super) zone_id: &'static str,
    pub(super) vpc_id: String,
    pub(super) cidr: IpNet,
    pub(super) cidr6: Option<IpNet>,
    pub(super) public: bool,
    pub(super) watched: bool,
    pub(super) acl: Rc<Acl>,
}

/// A network interface.
#[derive(Debug)]
pub(super) struct Interface {
    /// Place in the order of creation, from 0.
    pub(super) number: usize,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) subnet: Rc<Subnet>,
    pub(super) primary: Ipv4Addr,
    pub(super) pods: Vec<Ipv4Addr>,
    pub(super) v6: Option<Ipv6Addr>,
    pub(super) public: Option<Ipv4Addr>,
    pub(super) groups: Vec<Rc<Group>>,
    pub(super) instance_id: Option<String>,
    /// Seconds by which its aggregation windows lag behind full minutes.
    pub(super) phase: u32,
    /// First second of its life.
    pub(super) from: u32,
    /// Second at which it is gone.
    pub(super) until: u32,
    /// Whether some written snapshot names it.
    pub(super) listed: bool,
}

impl Interface {
    /// Whether the flow log watches it.
    pub(super) fn logged(&self) -> bool {
        self.subnet.watched
    }

    /// Whether it exists at a second.
    pub(super) fn alive(&self, second: u32) -> bool {
        self.from <= second && second < self.until
    }

    /// Its primary address as any address.
    pub(super) fn address(&self) -> IpAddr {
        IpAddr::V4(self.primary)
    }

    /// Number of the aggregation window in which a second falls; window `k`
    /// never reaches beyond minute `k`.
    pub(super) fn window_of(&self, second: u32) -> u32 {
        (second + 60 - self.phase) / 60
    }

    /// First and last second of a window.
    pub(super) fn window(&self, window: u32) -> (u32, u32) {
        let start = (window * 60 + self.phase).saturating_sub(60);
        let last = window * 60 + self.phase;
        (start, last.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use crate::net::Timestamp;

    use super::*;

    #[test]
    fn the_base_is_the_first_of_march() {
        assert_eq!(Timestamp(BASE).to_string(), "2026-03-01T00:00:00Z");
    }
}
