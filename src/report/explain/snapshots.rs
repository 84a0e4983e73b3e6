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

pub(super) const RULE_ONLY_IN_PERMISSIONS: Manual = Manual {
    says: "`SecurityGroups` shows a rule that `SecurityGroupRules` does not.",
    matters: "The two calls saw different states. The rule is kept, named by what it says, so nothing is lost.",
    misleads: "A page of describe-security-group-rules may simply be missing.",
    example: "SN112 sg-0123456789abcdef0/ingress/tcp/443-443/0.0.0.0/0. Next: run both calls again, one after the other.",
};

pub(super) const GROUP_NAMED_ONLY: Manual = Manual {
    says: "A rule refers to a group by name, without an id: the group was deleted, or belongs to another account.",
    matters: "A name that the snapshot does not hold once in the same VPC matches nothing, so the use of the rule cannot be seen.",
    misleads: "A stale reference lets nothing through and still counts in the quota.",
    example: "SN113 sgr-0123456789abcdef0 refers to `name:old-app`. Next: delete the rule if the group is gone.",
};

pub(super) const GROUPS_FROM_RULES: Manual = Manual {
    says: "The snapshot has SecurityGroupRules and no SecurityGroups, so groups are known from their rules alone.",
    matters: "Names and VPCs are not known, and groups without rules are missing.",
    misleads: "Findings about the rules themselves are the same.",
    example: "SN114. Next: aws ec2 describe-security-groups > security-groups.json",
};

pub(super) const HISTORY_UNUSED: Manual = Manual {
    says: "AWS Config holds several states of a flow log or a peering, and the newest one counts for the whole window.",
    matters: "What was logged, or which VPCs were peered, is taken to have been so all along. Groups, interfaces, network ACLs, subnets, VPCs and prefix lists are judged by the state of each time.",
    misleads: "Where nothing changed within the window, nothing is lost.",
    example: "SN115 fl-0123456789abcdef0. Next: give snapshots of several times, each in a folder named by its time.",
};

pub(super) const DELETED_IN_CONFIG: Manual = Manual {
    says: "All that AWS Config tells of a resource is that it was deleted, so it is left out.",
    matters: "Records about it stay unresolved and weaken what is said of the groups of its subnet.",
    misleads: "A resource that was made again under another id is there under that id.",
    example: "SN116 eni-0123456789abcdef0. Next: add the history files, or a snapshot, from the time it lived.",
};

pub(super) const ENTRIES_WITHOUT_LIST: Manual = Manual {
    says: "A file holds prefix list entries, and neither it nor its name says of which list.",
    matters: "The entries are not used, so rules with that list cannot be shown to be used.",
    misleads: "The call prints no id: only the file's name can carry it.",
    example: "SN117 entries.json. Next: rename it to pl-0123456789abcdef0.json",
};

pub(super) const INTERFACES_FROM_INSTANCES: Manual = Manual {
    says: "The snapshot has no NetworkInterfaces, so interfaces are those that instances list.",
    matters: "Interfaces of load balancers, functions, endpoints and gateways are missing; so are their records and memberships.",
    misleads: "Where only instances carry groups, nothing is missing.",
    example: "SN118. Next: aws ec2 describe-network-interfaces > network-interfaces.json",
};

pub(super) const GROUP_WITHOUT_PERMISSIONS: Manual = Manual {
    says: "A group is printed without IpPermissions and IpPermissionsEgress and counts as a group without rules.",
    matters: "What it really allows is not known: accepted traffic may stay unexplained.",
    misleads: "A `--query` that picks columns does this; a group may also have no rules.",
    example: "SN119 sg-0123456789abcdef0. Next: save the whole output of the call.",
};

pub(super) const SEVERAL_DATES: Manual = Manual {
    says: "One snapshot path holds folders of several times, and they are read as one state.",
    matters: "Resources deleted in between live on, and rules of different times are mixed.",
    misleads: "Copies of the same capture do no harm.",
    example: "SN120. Next: pass --snapshot once for each folder.",
};

pub(super) const EMPTY_PART: Manual = Manual {
    says: "A describe call printed an empty list.",
    matters: "Nothing can be said about what it would list.",
    misleads: "There may be none in that account and Region.",
    example: "SN121 NetworkAcls. Next: run the call in the right account and Region.",
};

pub(super) const NO_FLOW_LOGS: Manual = Manual {
    says: "The snapshot has no FlowLogs.",
    matters: "A flow log that keeps only ACCEPT or only REJECT, or fails to deliver, cannot be told from a whole one.",
    misleads: "Where the logs carry both ACCEPT and REJECT of every interface, little is lost.",
    example: "SN122. Next: aws ec2 describe-flow-logs > flow-logs.json",
};

pub(super) const MORE_PAGES: Manual = Manual {
    says: "An answer announces a further page (NextToken) that is not in the snapshot.",
    matters: "What the missing pages list is not known: groups, rules or interfaces may be missing.",
    misleads: "A token is sometimes printed though the next page is empty.",
    example: "SN123 network-interfaces.json. Next: run the call without --no-paginate and --max-items.",
};

pub(super) const ITEM_WITHOUT_CONFIGURATION: Manual = Manual {
    says: "An AWS Config item has no configuration and is left out.",
    matters: "Records about its resource stay unresolved.",
    misleads: "Items of deleted resources have none.",
    example: "SN124 eni-0123456789abcdef0. Next: add the describe output of the resource.",
};

pub(super) const PEERING_WITHOUT_VPCS: Manual = Manual {
    says: "A peering connection does not name both of its VPCs and is left out.",
    matters: "Whether references cross it cannot be checked.",
    misleads: "Deleted and failed peerings look like this.",
    example: "SN125 pcx-0123456789abcdef0. Next: run the call in both accounts.",
};

pub(super) const GROUP_WITHOUT_ATTRIBUTE: Manual = Manual {
    says: "The snapshot lists a group whose rules were not printed, and the group is left out.",
    matters: "Nothing is said about the group; its members count as carriers of a group that is not known.",
    misleads: "A group made between two calls looks like this.",
    example: "SN126 sg-bp1aaaa. Next: aliyun ecs DescribeSecurityGroupAttribute --SecurityGroupId sg-bp1aaaa > sg-bp1aaaa.json",
};

pub(super) const GROUP_WITHOUT_TYPE: Manual = Manual {
    says: "`DescribeSecurityGroups` does not list a group whose rules are there; it is taken for a basic group of the account's own.",
    matters: "A basic group lets its members talk and all traffic out; an advanced one does neither.",
    misleads: "Groups of other pages of the listing look like this.",
    example: "SN127 sg-bp1aaaa. Next: print all pages of `aliyun ecs DescribeSecurityGroups`.",
};

pub(super) const PORT_LIST: Manual = Manual {
    says: "A rule names its ports by a list that is printed elsewhere.",
    matters: "The rule may match any port, so neither its use nor that of weaker rules that it may stop can be shown.",
    misleads: "Lists of one port are doubted like long ones.",
    example: "SN128 sg-bp1aaaa. Next: read the list in the console before the rule is judged.",
};

pub(super) const NO_RULE_IDS_ALIBABA: Manual = Manual {
    says: "Rules of a group carry no `SecurityGroupRuleId`.",
    matters: "They are named by what they say, so a rule that is changed gets another name.",
    misleads: "Answers of old versions of the API have none.",
    example: "SN129 sg-bp1aaaa. Next: print the group with a current version of the CLI.",
};

pub(super) const FILTERED_FLOW_LOG: Manual = Manual {
    says: "A flow log keeps the traffic of some paths alone (`TrafficPath`).",
    matters: "What took another path is not in it, so nothing can be called unused by it.",
    misleads: "A filter may name all paths that the VPC has.",
    example: "SN130 fl-bp1aaaa. Next: create a flow log with TrafficPath `all`.",
};

pub(super) const NO_NETWORK_ACLS_ALIBABA: Manual = Manual {
    says: "Network ACLs of Alibaba Cloud are not read.",
    matters: "A REJECT by a network ACL cannot be told from one by a security group.",
    misleads: "VPCs without network ACLs lose nothing by it.",
    example: "SN131. Next: look at the vSwitch's network ACL where a REJECT is not explained.",
};

pub(super) const NO_SUBNETS_ALIBABA: Manual = Manual {
    says: "The snapshot has no `VSwitches`.",
    matters: "An address without an interface cannot be placed in a vSwitch.",
    misleads: "An answer of another Region is there and empty.",
    example: "SN132. Next: aliyun vpc DescribeVSwitches > vswitches.json",
};

pub(super) const NO_VPCS_ALIBABA: Manual = Manual {
    says: "The snapshot has no `Vpcs`.",
    matters: "Whether an address is inside the VPC is told from vSwitches and interfaces alone.",
    misleads: "Most addresses of a VPC are in its vSwitches.",
    example: "SN133. Next: aliyun vpc DescribeVpcs > vpcs.json",
};

pub(super) const NO_FLOW_LOGS_ALIBABA: Manual = Manual {
    says: "The snapshot has no `FlowLogs`.",
    matters: "A flow log that keeps only Allow, only Drop or only some paths cannot be told from a whole one.",
    misleads: "Most flow logs keep all traffic.",
    example: "SN134. Next: aliyun vpc DescribeFlowLogs > flow-logs.json",
};

pub(super) const TWO_CLOUDS: Manual = Manual {
    says: "Answers of AWS and of Alibaba Cloud lie in one snapshot; they are read together as one of Alibaba Cloud.",
    matters: "Rules are then judged by ranks and defaults that AWS does not have.",
    misleads: "One file that was put into the wrong folder is enough.",
    example: "SN135. Next: keep them in folders of their own.",
};

pub(super) const MIXED_GROUPS: Manual = Manual {
    says: "An interface has basic and advanced groups, which Alibaba Cloud does not allow.",
    matters: "What no rule of it matches is taken as in doubt.",
    misleads: "Answers printed at two times may show a change halfway.",
    example: "SN136 eni-bp1aaaa. Next: print groups and interfaces again.",
};

pub(super) const LIST_WITHOUT_ENTRIES_ALIBABA: Manual = Manual {
    says: "A rule names a prefix list of Alibaba Cloud whose entries are not in the snapshot.",
    matters: "Which addresses it covers is unknown: connections may pass through it that are counted as unexplained.",
    misleads: "Entries of today need not be those of last month.",
    example: "SN137 pl-bp1aaaa. Next: aliyun ecs DescribePrefixListAttributes --PrefixListId pl-bp1aaaa > pl-bp1aaaa.json",
};

pub(super) const UNKNOWN_BEFORE: Manual = Manual {
    says: "The first AWS Config item of a group or an interface lies within the logs, and does not say that it began then.",
    matters: "What it was before is not known. It is taken as it first was, and such traffic proves no rule used: it leaves the rules that may have let it through in doubt. Times of rules and memberships count from the item on.",
    misleads: "If nothing about it changed before the item, nothing is lost but strength.",
    example: "SN140 sg-0123456789abcdef0 is known from 2026-03-02T00:00:00Z on. Next: add the history files of the days before, or a Config snapshot from before the logs.",
};

pub(super) const HISTORY_SHORTENED: Manual = Manual {
    says: "AWS Config tells of more changes than are kept apart, so the oldest ones are taken as one time.",
    matters: "Groups and interfaces that changed in that time are taken as they were at its end, and what they were is in doubt: such traffic proves no rule used.",
    misleads: "Where that time lies before the logs, nothing is lost.",
    example: "SN141. Next: leave out history files from before the logs, or give the logs of a shorter time.",
};

pub(super) const DAILY_HISTORY: Manual = Manual {
    says: "AWS Config records the resource once a day (recordingFrequency DAILY).",
    matters: "A change may have come any time in the day before it was recorded, so rules of both sides may have been in force; what came and went within a day is not known.",
    misleads: "Where nothing changed within the window, nothing is lost.",
    example: "SN142 eni-0123456789abcdef0. Next: record interfaces and groups continuously.",
};

pub(super) const UNDATED_BESIDE_HISTORY: Manual = Manual {
    says: "Describe answers without a time lie beside AWS Config items. They are taken to be of the time of the newest item.",
    matters: "Where they differ from the items, the change is taken to have come then at the latest.",
    misleads: "Where they agree with the newest items, nothing is lost.",
    example: "SN143. Next: date +%Y-%m-%dT%H:%M:%SZ > captured-at.txt beside the files.",
};

pub(super) const FAILING_FLOW_LOG: Manual = Manual {
    says: "The newest snapshot says of a flow log that it does not deliver: DeliverLogsStatus is FAILED, an error is given, or its FlowLogStatus is not ACTIVE.",
    matters: "An hour without a row is then not quiet but dark, and rows may be missing from others. Rules of groups that no other flow log watches are at most called not observed (U1).",
    misleads: "The status is of the moment of the snapshot: it may have failed since minutes, or have been mended since.",
    example: "SN144 fl-0123456789abcdef0: Access error. Next: mend the permissions of the bucket, then aws ec2 describe-flow-logs > flow-logs.json",
};

pub(super) const YOUNG_FLOW_LOG: Manual = Manual {
    says: "A flow log was created after the logs begin.",
    matters: "What it alone watches was not watched before, so claims of non-use count from then on, and hours before are dark.",
    misleads: "Where the logs hold rows of the same interface from before, another flow log was there then, and its hours count.",
    example: "SN145 fl-0123456789abcdef0 was created at 2026-01-20T00:00:00Z. Next: wait, or add the logs of the flow log that it took the place of.",
};

pub(super) const PARTIAL_FLOW_LOG: Manual = Manual {
    says: "A flow log keeps ACCEPT alone, or REJECT alone (TrafficType).",
    matters: "Of REJECT alone nothing can be said of use: an interface that no other flow log watches counts as not logged. Of ACCEPT alone no REJECT can be explained.",
    misleads: "Where another flow log keeps the rest, nothing is lost.",
    example: "SN146 fl-0123456789abcdef0 keeps REJECT alone. Next: create a flow log with TrafficType ALL.",
};

pub(super) const OWNERS_FROM_LOGS: Manual = Manual {
    says: "No snapshot says whose an address was at the time of some records, and records of an interface show that it was the interface's: it is on the interface's own side of all of them.",
    matters: "Rules that refer to groups are judged by it: what came from the address counts as the interface's, with the groups that snapshots know of it. Where no snapshot knows the interface, any reference may have matched, so such rules are not called unused.",
    misleads: "A host that forwards the traffic of a single other one looks as if it owned that one's address.",
    example: "SN147 10.0.2.77 was of eni-0123456789abcdef0. Next: add a snapshot, or the AWS Config history, of that time.",
};
