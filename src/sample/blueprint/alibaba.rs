//! The made-up cloud on Alibaba Cloud: the same places and scenes, and groups
//! with ranks. Rules that drop decide some traffic and none; basic groups let
//! out what no rule matches, advanced ones nothing; of a few, members may talk.
//! No traffic meets both a rule and members that may talk, since the
//! documentation does not say which of the two comes first.

use crate::sample::blueprint::APP;
use crate::sample::blueprint::PUBLIC;
use crate::sample::blueprint::RolePlan;
use crate::sample::blueprint::groups::GroupPlan;
use crate::sample::blueprint::role;
use crate::sample::world::Kind;
use crate::sample::world::Policy;

/// Account that owns everything.
pub(in crate::sample) const ACCOUNT: &str = "1234567890123456";
/// Region of everything.
pub(in crate::sample) const REGION: &str = "cn-hangzhou";

/// A group and how its rules are weighed.
pub(in crate::sample) type RankedPlan = (Policy, GroupPlan);

const ISOLATED: Policy = Policy::Basic { inner: false };
const TALKING: Policy = Policy::Basic { inner: true };

/// Roles that exist once.
pub(in crate::sample) const SHARED_ROLES: [RolePlan; 5] = [
    role("dns", Kind::Instance, &["shared"], &["dns"], 2),
    role("bastion", Kind::Instance, &["public-a"], &["bastion"], 1),
    role("monitor", Kind::Instance, &["shared"], &["monitor"], 1),
    role("standby", Kind::Instance, &["data"], &["standby"], 1),
    role("lab", Kind::Instance, &["lab"], &["lab"], 2),
];

/// Roles of a tier.
pub(in crate::sample) const TIER_ROLES: [RolePlan; 7] = [
    role("alb", Kind::Instance, PUBLIC, &["alb-{t}"], 2),
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
    role("batch", Kind::Instance, &["batch"], &["batch-{t}"], 2),
    role("node", Kind::Instance, APP, &["node", "common"], 3),
];

/// Groups that exist once.
pub(in crate::sample) const SHARED_GROUPS: [RankedPlan; 9] = [
    (
        ISOLATED,
        (
            "dns",
            "name and time servers",
            &[
                "in udp 53 10.0.0.0/16 prio 10",
                "in tcp 53 10.0.0.0/16 prio 10 # large answers",
                "in udp 123 10.0.0.0/16 prio 10",
                "in udp 53 10.1.0.0/16 prio 10 # lab",
                "in drop all 0.0.0.0/0 prio 100 # nothing else",
            ],
        ),
    ),
    (
        ISOLATED,
        (
            "bastion",
            "jump hosts",
            &[
                "in tcp 22 203.0.113.0/26 # office",
                "in tcp 22 %admins prio 2",
                "in icmp -1 203.0.113.0/26",
                "in tcp 3389 203.0.113.0/26 # windows jump host, long gone",
                "in drop tcp 22 0.0.0.0/0 prio 50 # everybody else",
                "in tcp 22 198.18.0.0/15 prio 60 shadowed # contractors, closed by the rule above",
                "out drop tcp 25 0.0.0.0/0",
            ],
        ),
    ),
    (
        ISOLATED,
        (
            "common",
            "what every host needs",
            &[
                "in tcp 9100 @monitor",
                "in icmp -1 @monitor",
                "in tcp 22 @bastion",
                "in tcp 10050 10.0.112.0/20 # old agent",
                "in drop tcp 23 0.0.0.0/0 # telnet never",
            ],
        ),
    ),
    (
        ISOLATED,
        ("monitor", "monitoring", &["in tcp 3000 10.0.0.0/16"]),
    ),
    (
        TALKING,
        (
            "node",
            "cluster nodes",
            &[
                "in tcp 30000-32767 10.0.0.0/20 prio 5 # node ports",
                "in tcp 30000-32767 10.0.16.0/20 prio 5 # node ports",
                "in tcp 10250 @monitor",
            ],
        ),
    ),
    (
        ISOLATED,
        (
            "partner",
            "partner feed",
            &["in tcp 8443 %partners", "in tcp 9443 %partners"],
        ),
    ),
    (
        ISOLATED,
        (
            "standby",
            "cold standby",
            &["in tcp 5432 10.0.0.0/16", "in tcp 22 @bastion"],
        ),
    ),
    (
        ISOLATED,
        (
            "legacy",
            "nobody remembers",
            &["in tcp 3389 0.0.0.0/0", "in tcp 1433 10.0.0.0/8"],
        ),
    ),
    (
        TALKING,
        (
            "lab",
            "experiments beyond the flow log",
            &["in all 10.1.0.0/16"],
        ),
    ),
];

/// Groups that each tier has.
pub(in crate::sample) const TIER_GROUPS: [RankedPlan; 6] = [
    (
        ISOLATED,
        (
            "alb-{t}",
            "edge proxies",
            &[
                "in tcp 443 0.0.0.0/0",
                "in tcp 80 0.0.0.0/0 prio 5",
                "in tcp 8443 0.0.0.0/0 # never announced",
                "in tcp 443 203.0.113.0/24 prio 20 shadowed # the same again",
                "out tcp 8080 @app-{t}",
                "out tcp 8081 @app-{t} # health checks of old",
            ],
        ),
    ),
    (
        ISOLATED,
        (
            "web-{t}",
            "public web servers",
            &[
                "in tcp 443 0.0.0.0/0 prio 10",
                "in tcp 80 0.0.0.0/0 prio 10",
                "in drop all 198.51.100.128/25 # blocked",
                "in icmp -1 0.0.0.0/0 prio 20 removed",
                "in tcp 8088 0.0.0.0/0 prio 30 # test page",
            ],
        ),
    ),
    (
        ISOLATED,
        (
            "app-{t}",
            "application servers",
            &[
                "in tcp 8080 @web-{t}",
                "in tcp 8080 @alb-{t}",
                "in tcp 8000-8100 10.0.0.0/16 prio 50 # debugging",
                "in drop tcp 22 10.0.96.0/20 # batch must not",
                "in tcp 8443 10.0.0.0/16 # unused listener",
                "in tcp 9500 10.0.96.0/20 added",
                "out tcp 5432 10.0.64.0/20",
                "out tcp 6379 @cache-{t}",
                "out udp 53 10.0.112.10/32",
                "out drop tcp 3306 0.0.0.0/0 prio 5 # database before",
                "out drop tcp 5433 0.0.0.0/0 prio 5 # replica, never built",
            ],
        ),
    ),
    (
        Policy::Advanced,
        (
            "db-{t}",
            "databases",
            &[
                "in tcp 5432 10.0.32.0/19 # applications",
                "in tcp 5432 10.0.0.0/16 prio 90 # reports",
                "in tcp 5433 10.0.0.0/16 # replica, never built",
                "in tcp 22 10.0.0.0/20",
                "out udp 53 10.0.112.0/24",
                "out udp 123 10.0.112.0/24",
            ],
        ),
    ),
    (
        TALKING,
        (
            "cache-{t}",
            "caches",
            &[
                "in tcp 6379 @app-{t}",
                "in drop tcp 6379 10.0.0.0/20 # web must not",
                "out drop all 192.0.2.128/25 # no Internet",
                "out udp 53 10.0.112.0/24",
            ],
        ),
    ),
    (
        Policy::Advanced,
        (
            "batch-{t}",
            "batch workers",
            &[
                "in tcp 22 10.0.0.0/20",
                "in icmp -1 10.0.0.0/16",
                "in tcp 9000-9099 10.0.0.0/16",
                "in tcp 9200 10.0.0.0/16 # search, moved away",
                "out all 0.0.0.0/0",
            ],
        ),
    ),
];
