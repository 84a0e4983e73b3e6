//! What a snapshot leaves out, in words that name the cost.
//!
//! A code is stable; the text behind it may improve. One note stands for all
//! occurrences of its code, so a thousand interfaces make one line, and the
//! first few are named.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::describe::error::quoted;

/// Something that the snapshot does not tell, and what that costs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// Stable code, `SN1xx`.
    pub code: &'static str,
    /// One line: what it is, where, and what it costs.
    pub text: String,
}

/// A kind of note. The associated constants are the one table of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Doubt {
    /// Stable code; first, so that doubts sort by it.
    code: &'static str,
    /// What it is, and the call that would tell.
    what: &'static str,
    /// What it costs.
    cost: &'static str,
}

/// One associated constant a kind.
macro_rules! doubts {
    ($($name:ident = $code:literal, $what:literal, $cost:literal;)*) => {
        impl Doubt {
            $(pub(super) const $name: Doubt = Doubt { code: $code, what: $what, cost: $cost };)*

            #[cfg(test)]
            const EVERY: &[Doubt] = &[$(Doubt::$name),*];
        }
    };
}

doubts! {
    NO_NETWORK_ACLS = "SN101",
        "no `NetworkAcls` (`aws ec2 describe-network-acls`)",
        "a REJECT by a network ACL cannot be told from one by a security group";
    NO_SUBNETS = "SN102",
        "no `Subnets` (`aws ec2 describe-subnets`)",
        "an address without an interface cannot be placed in a subnet, nor a packet be seen to cross one";
    UNKNOWN_GROUP_ON_INTERFACE = "SN103",
        "interfaces carry groups that the snapshot lacks",
        "what passed there may have passed by rules that are not known, so other rules are not proven used";
    UNKNOWN_GROUP_IN_RULE = "SN104",
        "rules reference groups that the snapshot lacks",
        "their members are not known, so the use of these rules cannot be seen; add the account or region that owns the groups";
    LIST_WITHOUT_ENTRIES = "SN105",
        "rules name prefix lists whose entries are not known (`aws ec2 get-managed-prefix-list-entries`)",
        "the use of these rules cannot be seen";
    INTERFACE_WITHOUT_GROUPS = "SN106",
        "interfaces without a security group",
        "their records say nothing of any rule";
    UNDATED = "SN107",
        "the snapshot says no time (`captured-at.txt`)",
        "it stands for the whole window, so traffic before a change of rules is judged by the rules after it";
    SKIPPED_FILE = "SN108",
        "files without an answer that is used here",
        "they were skipped";
    DISAGREEMENT = "SN109",
        "resources described twice, differently",
        "the later file in the order of paths counts";
    NO_RULE_IDS = "SN110",
        "groups whose rules have no `sgr-` id (`aws ec2 describe-security-group-rules`)",
        "their rules are named by what they say, and proposals cannot give the id to revoke";
    NO_VPCS = "SN111",
        "no `Vpcs` (`aws ec2 describe-vpcs`)",
        "whether an address is inside the VPC is told from subnets and interfaces alone";
    RULE_ONLY_IN_PERMISSIONS = "SN112",
        "rules that `SecurityGroups` shows and `SecurityGroupRules` does not",
        "the two calls saw different states; these rules are kept and named by what they say";
    GROUP_NAMED_ONLY = "SN113",
        "rules reference a group without its id",
        "one that the snapshot does not hold under that name matches nothing, and the use of the rule cannot be seen";
    GROUPS_FROM_RULES = "SN114",
        "groups known from `SecurityGroupRules` alone (`aws ec2 describe-security-groups`)",
        "their names and VPCs are not known, and groups without rules are missing";
    HISTORY_UNUSED = "SN115",
        "flow logs and peerings with several AWS Config states",
        "the newest one counts, for the whole window";
    DELETED_IN_CONFIG = "SN116",
        "resources that AWS Config calls deleted, and nothing more",
        "they are left out, so records about them stay unresolved";
    ENTRIES_WITHOUT_LIST = "SN117",
        "prefix list entries without the list's id; name the file after it, such as `pl-0123456789abcdef0.json`",
        "they are not used";
    INTERFACES_FROM_INSTANCES = "SN118",
        "interfaces known from instances alone (`aws ec2 describe-network-interfaces`)",
        "those of load balancers, functions, endpoints and gateways are missing, so are their records and memberships";
    GROUP_WITHOUT_PERMISSIONS = "SN119",
        "groups printed without `IpPermissions` and `IpPermissionsEgress`",
        "they count as groups without rules; save the whole output of the call";
    SEVERAL_DATES = "SN120",
        "folders of several times in one snapshot",
        "they are read as one state, in which deleted resources live on; give each folder as a snapshot of its own";
    EMPTY_PART = "SN121",
        "answers that list nothing",
        "nothing can be said about what they would list; was the call made in the right account and region?";
    NO_FLOW_LOGS = "SN122",
        "no `FlowLogs` (`aws ec2 describe-flow-logs`)",
        "a flow log that keeps only ACCEPT or only REJECT, or fails to deliver, cannot be told from a whole one";
    MORE_PAGES = "SN123",
        "answers whose last page is missing (`NextToken`)",
        "what the missing pages list is not known";
    ITEM_WITHOUT_CONFIGURATION = "SN124",
        "AWS Config items without a configuration",
        "they are left out, so records about them stay unresolved";
    PEERING_WITHOUT_VPCS = "SN125",
        "peerings that do not name both VPCs",
        "they are left out: group references across them cannot be checked";
    GROUP_WITHOUT_ATTRIBUTE = "SN126",
        "groups whose rules were not printed (`aliyun ecs DescribeSecurityGroupAttribute`)",
        "they are left out, as groups that are not known";
    GROUP_WITHOUT_TYPE = "SN127",
        "groups that `aliyun ecs DescribeSecurityGroups` does not list",
        "they are taken for basic groups of the account's own";
    PORT_LIST = "SN128",
        "groups with rules whose ports are a list that is printed elsewhere",
        "such a rule may match any port, so its use cannot be shown, nor that of the weaker rules it may stop";
    NO_RULE_IDS_ALIBABA = "SN129",
        "groups whose rules have no `SecurityGroupRuleId`",
        "their rules are named by what they say";
    FILTERED_FLOW_LOG = "SN130",
        "flow logs that keep the traffic of some paths alone (`TrafficPath`)",
        "what took another path is not in them: nothing can be called unused by them";
    NO_NETWORK_ACLS_ALIBABA = "SN131",
        "network ACLs of Alibaba Cloud are not read",
        "a REJECT by a network ACL cannot be told from one by a security group";
    NO_SUBNETS_ALIBABA = "SN132",
        "no `VSwitches` (`aliyun vpc DescribeVSwitches`)",
        "an address without an interface cannot be placed in a vSwitch";
    NO_VPCS_ALIBABA = "SN133",
        "no `Vpcs` (`aliyun vpc DescribeVpcs`)",
        "whether an address is inside the VPC is told from vSwitches and interfaces alone";
    NO_FLOW_LOGS_ALIBABA = "SN134",
        "no `FlowLogs` (`aliyun vpc DescribeFlowLogs`)",
        "a flow log that keeps only Allow, only Drop or only some paths cannot be told from a whole one";
    TWO_CLOUDS = "SN135",
        "answers of AWS and of Alibaba Cloud in one snapshot",
        "they are read together as one of Alibaba Cloud; keep them in folders of their own";
    MIXED_GROUPS = "SN136",
        "interfaces with basic and advanced groups",
        "Alibaba Cloud allows no such thing; what no rule matches is taken as in doubt";
    LIST_WITHOUT_ENTRIES_ALIBABA = "SN137",
        "rules name prefix lists whose entries are not known (`aliyun ecs DescribePrefixListAttributes`)",
        "the use of these rules cannot be seen";
    HISTORY_SHORTENED = "SN141",
        "AWS Config tells more changes than are kept apart",
        "the oldest ones count as one time, of which what changed is not known; narrow the history to the time of the logs";
    DAILY_HISTORY = "SN142",
        "resources that AWS Config records once a day",
        "their changes may have come any time before they were recorded, and what came and went between is not known";
    UNDATED_BESIDE_HISTORY = "SN143",
        "describe answers without a time (`captured-at.txt`) beside AWS Config items",
        "they count from the newest item on";
}

/// Notes as they come up, told in the order of codes.
#[derive(Debug, Default)]
pub(super) struct Notes(BTreeMap<Doubt, BTreeSet<String>>);

/// How many subjects a note names.
const NAMED: usize = 12;

impl Notes {
    /// Notes something of the snapshot as a whole.
    pub(super) fn add(&mut self, doubt: Doubt) {
        self.0.entry(doubt).or_default();
    }

    /// Notes something of a subject: an id, a file, or words that hold one.
    pub(super) fn about(&mut self, doubt: Doubt, subject: impl Into<String>) {
        self.0.entry(doubt).or_default().insert(subject.into());
    }

    /// Adds the notes of another collection.
    pub(super) fn absorb(&mut self, other: Notes) {
        for (doubt, subjects) in other.0 {
            self.0.entry(doubt).or_default().extend(subjects);
        }
    }

    /// The notes, sorted by code.
    pub(super) fn told(&self) -> Vec<Note> {
        let tell = |(doubt, subjects): (&Doubt, &BTreeSet<String>)| {
            let Doubt { code, what, cost } = *doubt;
            let text = match listed(subjects) {
                None => format!("{what}: {cost}"),
                Some(list) => format!("{what} ({list}): {cost}"),
            };
            Note { code, text }
        };
        self.0.iter().map(tell).collect()
    }
}

/// `3: a, b, c`, or the first twelve and how many more.
fn listed(subjects: &BTreeSet<String>) -> Option<String> {
    let named: Vec<&str> = subjects.iter().take(NAMED).map(String::as_str).collect();
    let more = subjects.len().saturating_sub(NAMED);
    let rest = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    (!named.is_empty()).then(|| format!("{}: {}{rest}", subjects.len(), named.join(", ")))
}

/// An id or a file name as a subject.
pub(super) fn subject(text: impl AsRef<str>) -> String {
    quoted(text.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_given_once_and_in_order() {
        let codes: Vec<&str> = Doubt::EVERY.iter().map(|doubt| doubt.code).collect();
        assert!(codes.is_sorted_by(|one, next| one < next), "{codes:?}");
    }

    #[test]
    fn many_subjects_make_one_note_that_counts_them() {
        let mut notes = Notes::default();
        notes.add(Doubt::NO_VPCS);
        for number in 0..20 {
            notes.about(Doubt::SKIPPED_FILE, subject(format!("{number:02}.json")));
        }
        let told = notes.told();
        assert_eq!(told.len(), 2);
        assert_eq!(told[0].code, "SN108");
        assert!(told[0].text.contains("(20: `00.json`, "));
        assert!(told[0].text.contains("`11.json` and 8 more): "));
        assert_eq!(told[1].code, "SN111");
    }
}
