//! Values and set algebra of networks: addresses, ports, protocols, time.
//!
//! Floor 0: nothing here knows of a cloud, a log or a rule. Text forms that
//! belong to a cloud's API (`-1`, `null`, `-`) end before they get here.

pub mod cidr;
pub mod port;
pub mod protocol;
pub mod time;

pub use cidr::AddressSet;
pub use port::PortRange;
pub use port::PortSet;
pub use protocol::IpProtocol;
pub use time::Span;
pub use time::Timestamp;
