//! The groups of the made-up cloud: used rules, unused ones, ones that another
//! covers, and ones for traffic that groups never filter.

/// A group: name, description, rules.
pub(in crate::sample) type GroupPlan = (&'static str, &'static str, &'static [&'static str]);

/// Groups that exist once.
pub(in crate::sample) const SHARED_GROUPS: [GroupPlan; 14] = [
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
pub(in crate::sample) const TIER_GROUPS: [GroupPlan; 7] = [
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
