//! What holds for a group beside its rules: what becomes of traffic that no
//! rule matches, whether members reach each other without one, whether rules
//! have ranks.
//!
//! The default is AWS: rules without ranks that only allow, everything else
//! stopped, members strangers to each other.

use ipnet::IpNet;

use crate::model::sg::Direction;
use crate::model::sg::Effect;
use crate::net::PortRange;

/// The largest priority that a customer may give a rule (ECS API,
/// `AuthorizeSecurityGroup`); the cloud itself gives larger ones.
pub const LAST_PRIORITY: u16 = 100;

/// What a group does beside its rules.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a property of its own, in any combination"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupPolicy {
    /// Whether rules are ranked: those of all groups of an interface are merged
    /// by priority, drops before allows, and the first that matches decides.
    pub ranked: bool,
    /// What becomes of connections out of the interface that no rule matches.
    pub egress_default: Effect,
    /// Whether members reach each other over private addresses whatever the
    /// rules say.
    pub members_talk: bool,
    /// Whether a service of the cloud owns it: it is told, never proposed on.
    pub managed: bool,
    /// Whether rules may name other groups as peers.
    pub references: bool,
}

impl Default for GroupPolicy {
    fn default() -> GroupPolicy {
        GroupPolicy {
            ranked: false,
            egress_default: Effect::Drop,
            members_talk: false,
            managed: false,
            references: true,
        }
    }
}

impl GroupPolicy {
    /// What becomes of a connection that no rule and no membership settles.
    #[must_use]
    pub fn default_effect(&self, direction: Direction) -> Effect {
        match direction {
            Direction::Ingress => Effect::Drop,
            Direction::Egress => self.egress_default,
        }
    }
}

/// What a rule asks beside transport and peer; on AWS nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Limits {
    /// The interface's own addresses that it is for.
    pub local: Option<IpNet>,
    /// The ports that connections are opened from.
    pub source_ports: Option<PortRange>,
    /// The list that its ports are, where they are not printed with it.
    pub port_list: Option<String>,
}

impl Limits {
    /// Whether it asks nothing more.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Limits {
            local,
            source_ports,
            port_list,
        } = self;
        local.is_none() && source_ports.is_none() && port_list.is_none()
    }
}
