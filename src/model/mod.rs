//! The nouns: what a flow record, a security group, an interface and a
//! network ACL are, apart from how any API prints them.
//!
//! Floor 1. One model serves every cloud: a rule has an [`sg::Effect`] and a
//! priority, and AWS is the case in which both are trivial. Nothing above this
//! module asks which cloud it is, `report` and `cloud` aside.

pub mod acl;
pub mod eni;
pub mod flow;
pub mod id;
pub mod policy;
pub mod prefix_list;
pub mod provider;
pub mod sg;
pub mod snapshot;
pub mod vpc;

pub use acl::AclEntry;
pub use acl::NetworkAcl;
pub use eni::Eni;
pub use eni::InterfaceKind;
pub use flow::Action;
pub use flow::FlowDirection;
pub use flow::FlowRecord;
pub use flow::Row;
pub use flow::TcpFlags;
pub use id::AclId;
pub use id::EniId;
pub use id::PrefixListId;
pub use id::SgId;
pub use id::SgRuleId;
pub use id::SubnetId;
pub use id::VpcId;
pub use policy::GroupPolicy;
pub use policy::LAST_PRIORITY;
pub use policy::Limits;
pub use prefix_list::PrefixList;
pub use provider::Provider;
pub use sg::Direction;
pub use sg::Effect;
pub use sg::Peer;
pub use sg::SecurityGroup;
pub use sg::SgRule;
pub use sg::Transport;
pub use snapshot::Snapshot;
pub use snapshot::SnapshotSeries;
