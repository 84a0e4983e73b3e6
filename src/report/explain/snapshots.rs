//! Pages about snapshots and what they lack.

use crate::report::explain::Manual;

pub(super) const NO_NETWORK_ACLS: Manual = Manual {
    says: "The snapshot has no NetworkAcls.",
    matters: "Whether a security group or an ACL stopped a packet cannot be told apart.",
    misleads: "If every ACL is the default one that allows all, nothing is lost.",
    example: "SN101. Next: aws ec2 describe-network-acls > network-acls.json",
};

pub(super) const NO_SUBNETS: Manual = Manual {
    says: "The snapshot has no Subnets.",
    matters: "Which ACL applies where, and whether two interfaces share a subnet, may be unknown.",
    misleads: "Interfaces name their subnets and ACLs their associations, which is enough for most REJECTs.",
    example: "SN102. Next: aws ec2 describe-subnets > subnets.json",
};

pub(super) const UNKNOWN_GROUP: Manual = Manual {
    says: "An interface carries a security group that the snapshot does not have.",
    matters: "Traffic of that interface may have passed through rules that are not known; it is not attributed.",
    misleads: "Shared VPCs: the group may belong to another account, which must be asked for its own.",
    example: "SN103 eni-0a1b2c3d4e5f60718 carries sg-0123456789abcdef0, which is in no file. Next: describe-security-groups in the account that owns it.",
};

pub(super) const UNKNOWN_REFERENCED_GROUP: Manual = Manual {
    says: "A rule admits the members of a security group that the snapshot does not have.",
    matters: "Who the members are is unknown, so a use of the rule may go unseen and its unused claim stays weak.",
    misleads: "A stale reference, to a deleted group or peering, matches nothing and is safe to remove.",
    example: "SN104 sgr-0a1b2c3d4e5f60718 refers to sg-0123456789abcdef0, which is in no file.",
};

pub(super) const LIST_WITHOUT_ENTRIES: Manual = Manual {
    says: "A rule admits a prefix list whose entries are not in the snapshot.",
    matters: "Which addresses it covers is unknown: connections may pass through it that are counted as unexplained.",
    misleads: "Lists that the cloud manages change without notice; entries of today need not be those of last month.",
    example: "SN105 pl-0123456789abcdef0. Next: aws ec2 get-managed-prefix-list-entries --prefix-list-id pl-0123456789abcdef0 > pl-0123456789abcdef0.json",
};

pub(super) const INTERFACE_WITHOUT_GROUPS: Manual = Manual {
    says: "An interface carries no security group.",
    matters: "Nothing on it can be attributed to a rule. NAT gateways and some load balancers are made so.",
    misleads: "For those it is normal and needs no action.",
    example: "SN106 eni-0a1b2c3d4e5f60718 (nat_gateway) has no security group.",
};

pub(super) const UNDATED: Manual = Manual {
    says: "The snapshot has no date, so it stands for the whole window.",
    matters: "Rules that changed within the window are judged as if they had always been as they are now.",
    misleads: "If nothing changed, nothing is lost.",
    example: "SN107. Next: date +%Y-%m-%dT%H:%M:%SZ > captured-at.txt beside the files, or name the folder by the time.",
};

pub(super) const UNKNOWN_FILE: Manual = Manual {
    says: "A JSON file in the snapshot folder is of a kind that is not read, told by its top-level key.",
    matters: "If it was meant to count, it does not.",
    misleads: "Extra files do no harm.",
    example: "SN108 `route-tables.json`: top-level key `RouteTables` is not used.",
};

pub(super) const DISAGREEING: Manual = Manual {
    says: "Two files of one snapshot describe the same thing differently.",
    matters: "They were most likely taken at different times; one of them is out of date.",
    misleads: "Pages of one describe call never overlap; a group shared between accounts may differ in its tags only.",
    example: "SN109 sg-0123456789abcdef0 differs between groups-a.json and groups-b.json. Next: put each capture into its own folder and pass --snapshot for each.",
};

pub(super) const RULES_WITHOUT_IDS: Manual = Manual {
    says: "The snapshot has no SecurityGroupRules, so rules have no sgr ids; they are named GROUP/DIRECTION/PROTOCOL/FROM-TO/PEER.",
    matters: "Commands and templates that change single rules need the real ids.",
    misleads: "Findings and proofs are the same with either kind of id.",
    example: "SN110. Next: aws ec2 describe-security-group-rules > security-group-rules.json",
};

pub(super) const NO_VPCS: Manual = Manual {
    says: "The snapshot has no VPCs, so their address ranges are unknown.",
    matters: "Whether a VPC has IPv6 is unknown, so a proposal may not replace addresses by a group reference, which would open both families.",
    misleads: "Proposals stay correct; they only come out less short.",
    example: "SN111. Next: aws ec2 describe-vpcs > vpcs.json",
};
