//! Pages about rules and proposals.

use crate::report::explain::Manual;

pub(super) const UNUSED: Manual = Manual {
    says: "No connection passed through this rule in the time the logs cover, although interfaces of its group were watched. The tier says how strong the claim is: U0 cannot tell, U1 not observed, U2 probably unused, U3 removal candidate, U4 removal candidate with yearly jobs included.",
    matters: "A rule that nobody needs is access that only an intruder would use. Security groups have no hit counter, so such rules pile up.",
    misleads: "Rare traffic: failover, disaster recovery, quarterly and yearly jobs. Zero hits in T days only means, with 95 % confidence, fewer than 3/T uses a day. Lost records (SKIPDATA), interfaces that were not logged, and traffic that flow logs never show lower the tier. Dormant users (Lambda, launch templates, groups scaled to zero) may still need the rule.",
    example: "SG101 sgr-0a1b2c3d4e5f60718 ingress tcp/8080 from 10.0.0.0/8: removal candidate (U3): no use in 92 days, 99.8 % of hours watched. Next: remove it in a quiet week, watch for REJECTs, keep the rule's text to put it back.",
};

pub(super) const REDUNDANT: Manual = Manual {
    says: "Connections passed that this rule covers, and each of them is covered by another rule of the same interface too. The other rules are named.",
    matters: "Removing it would have cut nothing that was seen, and makes the group easier to read. Rules of all groups on an interface add up, so the other rule may stand in another group.",
    misleads: "Two rules that cover each other are both redundant, yet only one of them may go. Proposals account for that, a glance at this list does not. An interface that carries this group alone in future would lose the cover of other groups.",
    example: "SG102 sgr-0a1b2c3d4e5f60718 ingress tcp/443 from 198.51.100.0/24: 1,204 records, all also let through by sgr-0fedcba9876543210 (tcp/443 from 0.0.0.0/0).",
};

pub(super) const WIDE: Manual = Manual {
    says: "Narrower rules would have let through everything that was seen. The proposal shows the rules of today (-), the rules that would do (+), and how much less is open, counted as addresses times ports times protocols.",
    matters: "What is open and not needed is what a stolen host can reach. Each proposal is checked by separate code: it opens nothing that is closed today, and every conversation that was seen still passes.",
    misleads: "What was not seen is not kept: new clients, failover paths, rare jobs. A proposal is as good as the window it was learnt from. Narrowing a rule open to every address makes its connections tracked: existing untracked flows may drop when the change is applied.",
    example: "SG103 sg-0123456789abcdef0 (db) ingress: - tcp/all from 10.0.0.0/16 + tcp/5432 from sg-0fedcba9876543210 (app): exposure 4.3 billion -> 2.",
};

pub(super) const NO_EFFECT: Manual = Manual {
    says: "The whole extent of the rule is traffic that security groups never filter, such as the VPC's own DNS resolver, DHCP, or instance metadata. It neither opens nor closes anything.",
    matters: "It reads as if it mattered. Deleting it changes nothing; keeping it hides the rules that do.",
    misleads: "A rule for a DNS or NTP server of your own does have an effect, even on the same port; only the cloud's own addresses are meant.",
    example: "SG104 sgr-0a1b2c3d4e5f60718 egress udp/53 to 10.0.0.2/32: the VPC resolver cannot be filtered by security groups.",
};

pub(super) const UNOBSERVABLE: Manual = Manual {
    says: "Nothing is claimed of these rules: no interface that carries the group gave a usable record, or no interface carries it at all.",
    matters: "Silence of an unwatched group is no evidence. Reading it as unused is how needed rules get deleted.",
    misleads: "A group on no interface may still be named by launch templates, functions, or as the source in rules of other groups; it is not safe to delete for being listed here.",
    example: "SG105 sg-0123456789abcdef0 batch: 6 rules, none of its 3 interfaces logged. Next: turn on flow logs for those subnets.",
};

pub(super) const SHADOWED: Manual = Manual {
    says: "On every interface, rules that rank before this one decide everything that it matches. Only clouds whose rules have priorities and a Drop action know this.",
    matters: "The rule looks as if it allowed or denied something and does neither, until somebody changes the rule before it.",
    misleads: "It holds for today's interfaces. An interface that carries this group without the stronger one would see the rule act.",
    example: "SG106 G/ingress/tcp/22-22/10.0.0.0/8 (priority 5) is shadowed by a Drop of tcp/22 from 0.0.0.0/0 with priority 1.",
};

pub(super) const OPEN_TO_WORLD: Manual = Manual {
    says: "The rule admits every address of IPv4 or IPv6 to a port of administration or of a data store (`--sensitive-ports` names others). It is said of the rule's words, whatever the logs show.",
    matters: "Such ports are found and tried by scanners within minutes. A stolen password or one unpatched service behind them is enough.",
    misleads: "Interfaces without a public address are not reached from outside, whatever the rule says. A service may be meant for everybody.",
    example: "SG107 sgr-0a1b2c3d4e5f60718 ingress tcp/22 from 0.0.0.0/0. Next: narrow it to the networks of those who administer, or to a session service.",
};

pub(super) const ALL_TRAFFIC: Manual = Manual {
    says: "The rule admits every protocol and port. It is said of the rule's words, whatever the logs show.",
    matters: "Whoever the rule names may use everything that listens there, today and after the next installation.",
    misleads: "Every group begins with such a rule for egress. Clusters and EFA need one for the group itself.",
    example: "SG108 sgr-0a1b2c3d4e5f60718 egress all to 0.0.0.0/0. Next: see WHAT TO CHANGE for the services that were seen.",
};

pub(super) const SELF_REFERENCE: Manual = Manual {
    says: "The rule names its own group: all interfaces that carry the group may reach each other this way.",
    matters: "One stolen host of the group reaches all others. Adding an interface to the group opens it to all of them.",
    misleads: "Clusters, databases with replicas and EFA are made this way on purpose.",
    example: "SG109 sgr-0a1b2c3d4e5f60718 ingress tcp/all from sg-0123456789abcdef0 (itself). Next: narrow it to the ports that members use among each other.",
};

pub(super) const PROOF_FAILED: Manual = Manual {
    says: "The independent check of a proposal failed: it would break a conversation that was seen, or open something that is closed today.",
    matters: "A proposal must do neither. Do not apply any proposal of this analysis.",
    misleads: "It never should be seen at all: it is a bug of this program, not of your configuration.",
    example: "PF401: 1 broken, 0 widened. Next: keep analysis.json and report the bug.",
};

pub(super) const LET_GO: Manual = Manual {
    says: "With `--obligations answered`, conversations that nobody answered were left out of what proposals keep.",
    matters: "They passed today and would no longer pass.",
    misleads: "Most are scans; one-way protocols such as syslog get no answer either and are let go with them.",
    example: "TG501 2,996 conversations without an answer were let go. Next: run without the flag to keep them.",
};
