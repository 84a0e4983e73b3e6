//! What the made-up cloud consists of, as tables in a small notation that
//! reads like the console: subnets, network ACLs, prefix lists, groups with
//! their rules, and the interfaces that carry them.
//!
//! `{t}` stands for the number of a tier: tiers are repeated as the cloud
//! grows. A rule is `in|out PROTOCOL [PORTS] PEER [WORD…] [# description]`
//! where PEER is a prefix, `@group` or `%list`, and the words are `no-effect`
//! (the rule is for traffic that groups never filter), `added` and `removed`
//! (in force only after, or before, the middle of the window when rules
//! change midway). Where rules have ranks, `drop` before the protocol stands for
//! a rule that drops, `prio N` for its rank, 1 unless given, and `shadowed` for
//! one of which stronger rules decide everything. An ACL entry is `in|out NUMBER allow|deny PROTOCOL [PORTS]
//! PREFIX`.

pub(super) mod alibaba;
pub(super) mod groups;

use crate::model::Provider;
use crate::sample::world::Kind;
use crate::sample::world::Policy;

/// Account that owns everything.
pub(super) const ACCOUNT: &str = "123456789012";
/// Region of everything.
pub(super) const REGION: &str = "eu-west-1";

/// A subnet: name, IPv4 prefix, third part of its IPv6 prefix, ACL, whether
/// its route to the Internet is direct, and whether it lies in the watched VPC.
#[derive(Clone, Copy, Debug)]
pub(super) struct SubnetPlan {
    pub(super) name: &'static str,
    pub(super) cidr: &'static str,
    pub(super) cidr6: &'static str,
    pub(super) acl: &'static str,
    pub(super) public: bool,
    pub(super) watched: bool,
}

const fn subnet(
    name: &'static str,
    cidr: &'static str,
    cidr6: &'static str,
    acl: &'static str,
) -> SubnetPlan {
    SubnetPlan {
        name,
        cidr,
        cidr6,
        acl,
        public: false,
        watched: true,
    }
}

/// The subnets.
pub(super) const SUBNETS: [SubnetPlan; 9] = [
    SubnetPlan {
        public: true,
        ..subnet("public-a", "10.0.0.0/20", "2001:db8:0:1::/64", "public")
    },
    SubnetPlan {
        public: true,
        ..subnet("public-b", "10.0.16.0/20", "2001:db8:0:2::/64", "public")
    },
    subnet("app-a", "10.0.32.0/20", "2001:db8:0:3::/64", "open"),
    subnet("app-b", "10.0.48.0/20", "2001:db8:0:4::/64", "open"),
    subnet("data", "10.0.64.0/20", "2001:db8:0:5::/64", "data"),
    subnet("lambda", "10.0.80.0/20", "2001:db8:0:6::/64", "lambda"),
    subnet("batch", "10.0.96.0/20", "2001:db8:0:7::/64", "batch"),
    subnet("shared", "10.0.112.0/20", "2001:db8:0:8::/64", "open"),
    SubnetPlan {
        watched: false,
        ..subnet("lab", "10.1.0.0/20", "2001:db8:1:1::/64", "lab")
    },
];

/// The network ACLs; `deny all` closes each.
pub(super) const ACLS: [(&str, &[&str]); 6] = [
    (
        "open",
        &[
            "in 100 allow all 0.0.0.0/0",
            "in 101 allow all ::/0",
            "out 100 allow all 0.0.0.0/0",
            "out 101 allow all ::/0",
        ],
    ),
    (
        "public",
        &[
            "in 80 deny tcp 23 0.0.0.0/0",
            "in 90 deny all 198.51.100.128/25",
            "in 100 allow all 0.0.0.0/0",
            "in 101 allow all ::/0",
            "out 100 allow all 0.0.0.0/0",
            "out 101 allow all ::/0",
        ],
    ),
    (
        "data",
        &[
            "in 100 allow tcp 5432 10.0.0.0/16",
            "in 110 allow tcp 6379 10.0.0.0/16",
            "in 120 allow tcp 22 10.0.0.0/19",
            "in 130 allow tcp 1024-65535 10.0.64.0/20",
            "in 140 allow tcp 32768-65535 0.0.0.0/0",
            "in 150 allow udp 32768-65535 10.0.0.0/16",
            "in 160 allow udp 123 10.0.112.0/20",
            "out 100 allow tcp 1024-65535 10.0.0.0/16",
            "out 110 allow tcp 443 0.0.0.0/0",
            "out 120 allow udp 53 10.0.0.0/16",
            "out 130 allow udp 123 10.0.0.0/16",
        ],
    ),
    (
        // Some replies never reach the clients here: the ephemeral range is
        // not open all the way.
        "lambda",
        &[
            "in 60 deny tcp 40000-40999 10.0.64.0/20",
            "in 100 allow all 0.0.0.0/0",
            "out 100 allow all 0.0.0.0/0",
        ],
    ),
    (
        // Pings get in, and their replies do not get out.
        "batch",
        &[
            "in 70 deny tcp 9000-9099 10.0.0.0/16",
            "in 100 allow all 0.0.0.0/0",
            "out 50 deny icmp 0.0.0.0/0",
            "out 100 allow all 0.0.0.0/0",
        ],
    ),
    (
        "lab",
        &["in 100 allow all 0.0.0.0/0", "out 100 allow all 0.0.0.0/0"],
    ),
];

/// Prefix lists: name, whether AWS keeps it, prefixes.
pub(super) const LISTS: [(&str, bool, &[&str]); 3] = [
    ("admins", false, &["203.0.113.64/28", "198.51.100.0/29"]),
    ("partners", false, &["198.51.100.16/28", "198.51.100.64/27"]),
    ("com.amazonaws.eu-west-1.s3", true, &["192.0.2.0/26"]),
];

/// Interfaces of one role.
#[derive(Clone, Copy, Debug)]
pub(super) struct RolePlan {
    pub(super) role: &'static str,
    pub(super) kind: Kind,
    /// Subnets, taken in turn.
    pub(super) subnets: &'static [&'static str],
    pub(super) groups: &'static [&'static str],
    /// How many in a cloud of the smallest size; those of a tier are repeated
    /// and stretched as the cloud grows.
    pub(super) count: u32,
    /// Secondary addresses.
    pub(super) pods: u32,
}

const fn role(
    role: &'static str,
    kind: Kind,
    subnets: &'static [&'static str],
    groups: &'static [&'static str],
    count: u32,
) -> RolePlan {
    RolePlan {
        role,
        kind,
        subnets,
        groups,
        count,
        pods: 0,
    }
}

/// What a cloud is built from.
#[derive(Clone, Debug)]
pub(super) struct Blueprint {
    /// What the numbers of ids begin with.
    pub(super) ids: &'static str,
    /// What ids of subnets begin with.
    pub(super) subnet: &'static str,
    /// Zones, and their ids where they have some of their own.
    pub(super) zones: [(&'static str, &'static str); 2],
    /// Priority of rules that name none; 0 where there are no ranks.
    pub(super) priority: u16,
    /// Whether subnets have ACLs that close anything.
    pub(super) acls: bool,
    pub(super) shared_roles: &'static [RolePlan],
    pub(super) tier_roles: &'static [RolePlan],
    pub(super) shared_groups: Vec<(Policy, &'static groups::GroupPlan)>,
    pub(super) tier_groups: Vec<(Policy, &'static groups::GroupPlan)>,
}

impl Blueprint {
    /// That of a cloud.
    pub(super) fn of(provider: Provider) -> Blueprint {
        match provider {
            Provider::Aws => Blueprint {
                ids: "0",
                subnet: "subnet",
                zones: [("eu-west-1a", "euw1-az1"), ("eu-west-1b", "euw1-az2")],
                priority: 0,
                acls: true,
                shared_roles: &SHARED_ROLES,
                tier_roles: &TIER_ROLES,
                shared_groups: united(&groups::SHARED_GROUPS),
                tier_groups: united(&groups::TIER_GROUPS),
            },
            Provider::Alibaba => Blueprint {
                ids: "bp1",
                subnet: "vsw",
                zones: [
                    ("cn-hangzhou-h", "cn-hangzhou-h"),
                    ("cn-hangzhou-i", "cn-hangzhou-i"),
                ],
                priority: 1,
                acls: false,
                shared_roles: &alibaba::SHARED_ROLES,
                tier_roles: &alibaba::TIER_ROLES,
                shared_groups: ranked(&alibaba::SHARED_GROUPS),
                tier_groups: ranked(&alibaba::TIER_GROUPS),
            },
        }
    }
}

impl Blueprint {
    /// An id of a kind.
    pub(super) fn id(&self, kind: &str, key: u64) -> String {
        format!("{kind}-{}{key:016x}", self.ids)
    }
}

fn united(plans: &'static [groups::GroupPlan]) -> Vec<(Policy, &'static groups::GroupPlan)> {
    plans.iter().map(|plan| (Policy::Union, plan)).collect()
}

fn ranked(plans: &'static [alibaba::RankedPlan]) -> Vec<(Policy, &'static groups::GroupPlan)> {
    plans.iter().map(|(policy, plan)| (*policy, plan)).collect()
}

const PUBLIC: &[&str] = &["public-a", "public-b"];
const APP: &[&str] = &["app-a", "app-b"];

/// Roles that exist once. The name server comes first: rules name its
/// address, the first of its subnet.
pub(super) const SHARED_ROLES: [RolePlan; 9] = [
    role("dns", Kind::Instance, &["shared"], &["dns"], 2),
    role("nat", Kind::Nat, &["public-a"], &[], 1),
    role("nlb", Kind::Nlb, &["public-b"], &["nlb"], 1),
    role(
        "passthrough",
        Kind::Instance,
        APP,
        &["passthrough", "common"],
        2,
    ),
    role("bastion", Kind::Instance, &["public-a"], &["bastion"], 1),
    role("monitor", Kind::Instance, &["shared"], &["monitor"], 1),
    role("endpoint", Kind::Endpoint, APP, &["endpoint"], 1),
    role("standby", Kind::Instance, &["data"], &["standby"], 1),
    role("lab", Kind::Instance, &["lab"], &["lab"], 2),
];

/// Roles of a tier.
pub(super) const TIER_ROLES: [RolePlan; 8] = [
    role("alb", Kind::Alb, PUBLIC, &["alb-{t}"], 2),
    role(
        "web",
        Kind::Instance,
        PUBLIC,
        &["web-{t}", "common", "partner"],
        4,
    ),
    role("app", Kind::Instance, APP, &["app-{t}", "common"], 6),
    role("db", Kind::Instance, &["data"], &["db-{t}"], 2),
    role("cache", Kind::Instance, &["data"], &["cache-{t}"], 2),
    role("lambda", Kind::Lambda, &["lambda"], &["lambda-{t}"], 2),
    role(
        "batch",
        Kind::Instance,
        &["batch"],
        &["batch-{t}", "common"],
        2,
    ),
    RolePlan {
        pods: 4,
        ..role("node", Kind::Instance, APP, &["node", "common"], 3)
    },
];
