//! What the made-up cloud consists of, as tables in a small notation that
//! reads like the console: subnets, network ACLs, prefix lists, groups with
//! their rules, and the interfaces that carry them.
//!
//! `{t}` stands for the number of a tier: tiers are repeated as the cloud
//! grows. A rule is `in|out PROTOCOL [PORTS] PEER [WORD…] [# description]`
//! where PEER is a prefix, `@group` or `%list`, and the words are `no-effect`
//! (the rule is for traffic that groups never filter), `added` and `removed`
//! (in force only after, or before, the middle of the window when rules
//! change midway). An ACL entry is `in|out NUMBER allow|deny PROTOCOL [PORTS]
//! PREFIX`.

use crate::sample::world::Kind;

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

/// A group: name, description, rules.
pub(super) type GroupPlan = (&'static str, &'static str, &'static [&'static str]);

/// Groups that exist once.
pub(super) const SHARED_GROUPS: [GroupPlan; 14] = [
    (
        "dns",
        "name and time servers",
        &[
            "in udp 53 10.0.0.0/16",
            "in tcp 53 10.0.0.0/16 # large answers",
            "in udp 123 10.0.0.0/16",
            "in udp 53 10.1.0.0/16 # lab",
            "out all 0.0.0.0/0",
        ],
    ),
    (
        "bastion",
        "jump hosts",
        &[
            "in tcp 22 203.0.113.0/26 # office",
            "in tcp 22 %admins",
            "in icmp -1 203.0.113.0/26",
            "in tcp 3389 203.0.113.0/26 # windows jump host, long gone",
            "out tcp 22 10.0.0.0/16",
            "out icmp 8 10.0.0.0/16",
            "out tcp 443 0.0.0.0/0 # package mirrors",
        ],
    ),
    (
        "common",
        "what every host needs",
        &[
            "in tcp 9100 @monitor",
            "in icmp 8 @monitor",
            "in tcp 22 @bastion",
            "in tcp 10050 10.0.112.0/20 # old agent",
            "out udp 123 10.0.112.10/32",
            "out udp 123 169.254.169.123/32 no-effect",
        ],
    ),
    (
        "monitor",
        "monitoring",
        &["in tcp 3000 10.0.0.0/16", "out all 0.0.0.0/0"],
    ),
    (
        "nlb",
        "network load balancer",
        &["in tcp 443 0.0.0.0/0", "out tcp 8443 @passthrough"],
    ),
    (
        "passthrough",
        "targets that see the client's address",
        &[
            "in tcp 8443 @nlb",
            "in tcp 8443 10.0.16.0/24 # before the balancer had a group",
            "out all 0.0.0.0/0",
        ],
    ),
    (
        "node",
        "cluster nodes",
        &[
            "in all @node",
            "in udp 53 @node # covered by the rule above",
            "in tcp 30000-32767 10.0.0.0/16 # node ports",
            "in tcp 10250 @monitor",
            "out all 0.0.0.0/0",
        ],
    ),
    (
        "endpoint",
        "interface endpoints",
        &["in tcp 443 10.0.0.0/16", "out all @endpoint"],
    ),
    (
        "partner",
        "partner feed",
        &["in tcp 8443 %partners", "in tcp 9443 %partners"],
    ),
    (
        "standby",
        "cold standby",
        &[
            "in tcp 5432 10.0.0.0/16",
            "in tcp 22 @bastion",
            "out all 0.0.0.0/0",
        ],
    ),
    (
        "task",
        "short-lived tasks",
        &[
            "in tcp 7000 10.0.0.0/16",
            "in tcp 7001 10.0.0.0/16 # debug port",
            "out tcp 443 0.0.0.0/0",
            "out tcp 5432 10.0.64.0/20",
            "out tcp 80 169.254.170.2/32 no-effect",
        ],
    ),
    (
        "legacy",
        "nobody remembers",
        &[
            "in tcp 3389 0.0.0.0/0",
            "in tcp 1433 10.0.0.0/8",
            "out all 0.0.0.0/0",
        ],
    ),
    (
        "lab",
        "experiments beyond the flow log",
        &["in all 10.1.0.0/16", "out all 0.0.0.0/0"],
    ),
    (
        "default",
        "default VPC security group",
        &["in all @default", "out all 0.0.0.0/0"],
    ),
];

/// Groups that each tier has.
pub(super) const TIER_GROUPS: [GroupPlan; 7] = [
    (
        "alb-{t}",
        "application load balancer",
        &[
            "in tcp 443 0.0.0.0/0",
            "in tcp 443 ::/0",
            "in tcp 80 0.0.0.0/0",
            "in tcp 8443 0.0.0.0/0 # never announced",
            "out tcp 8080 @app-{t}",
            "out tcp 8081 @app-{t} # health checks of old",
        ],
    ),
    (
        "web-{t}",
        "public web servers",
        &[
            "in tcp 443 0.0.0.0/0",
            "in tcp 443 ::/0",
            "in tcp 80 0.0.0.0/0",
            "in icmp 8 0.0.0.0/0 removed",
            "in icmp 3/4 0.0.0.0/0 # path MTU",
            "out all 0.0.0.0/0",
            "out all ::/0",
        ],
    ),
    (
        "app-{t}",
        "application servers",
        &[
            "in tcp 8080 @web-{t}",
            "in tcp 8080 @alb-{t}",
            "in tcp 8080 @lambda-{t}",
            "in tcp 8000-8100 10.0.0.0/16 # debugging",
            "in tcp 22 @bastion",
            "in tcp 8443 10.0.0.0/16 # unused listener",
            "in tcp 9500 @batch-{t} added",
            "out tcp 5432 @db-{t}",
            "out tcp 6379 @cache-{t}",
            "out tcp 443 0.0.0.0/0",
            "out tcp 443 %com.amazonaws.eu-west-1.s3",
            "out udp 53 10.0.112.10/32",
            "out udp 53 10.0.0.2/32 no-effect",
            "out tcp 80 169.254.169.254/32 no-effect",
            "out tcp 3306 10.0.0.0/16 # database before",
            "out tcp 9000-9099 10.0.96.0/20",
        ],
    ),
    (
        "db-{t}",
        "databases",
        &[
            "in tcp 5432 @app-{t}",
            "in tcp 5432 10.0.0.0/16 # reports",
            "in tcp 5433 10.0.0.0/16 # replica, never built",
            "in tcp 22 @bastion",
            "out all 0.0.0.0/0",
        ],
    ),
    (
        "cache-{t}",
        "caches",
        &[
            "in tcp 6379 @app-{t}",
            "in all @cache-{t} # replication",
            "out all @cache-{t}",
            "out udp 53 10.0.112.0/24",
        ],
    ),
    (
        "lambda-{t}",
        "functions",
        &[
            "out tcp 8080 @app-{t}",
            "out tcp 5432 @db-{t}",
            "out tcp 443 0.0.0.0/0",
            "out tcp 25 0.0.0.0/0 # mail, now through a service",
        ],
    ),
    (
        "batch-{t}",
        "batch workers",
        &[
            "in tcp 22 10.0.0.0/16",
            "in icmp -1 10.0.0.0/16",
            "in tcp 9000-9099 10.0.0.0/16",
            "out all 0.0.0.0/0",
        ],
    ),
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
