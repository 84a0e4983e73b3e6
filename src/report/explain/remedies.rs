//! What to do next, in one sentence or two. Codes whose example ends with it
//! have none here.

use crate::report::code::Code;

/// What to do next; `None` where the example of the code's page says it.
#[must_use]
pub fn of(code: Code) -> Option<&'static str> {
    let row = REMEDIES.iter().find(|(one, _)| *one == code);
    row.map(|(_, remedy)| *remedy)
}

const REMEDIES: &[(Code, &str)] = &[
    (
        Code::UnusedRule,
        "Ask its owner, then remove it in a quiet week, keep its text to put it back, and watch for REJECTs. A tier below U3 asks for a longer window first.",
    ),
    (
        Code::RedundantRule,
        "Take the proposal of the group: it says which of the rules that cover each other may go.",
    ),
    (
        Code::WideRule,
        "Review the proposal, apply it in its order (`flowcinch render --format terraform`, `cloudformation`, `aws-cli` or `aliyun-cli`), and run `flowcinch verify` on the plan.",
    ),
    (
        Code::NoEffectRule,
        "Remove the rule: it neither opens nor closes anything.",
    ),
    (
        Code::ShadowedRule,
        "Remove the rule, or give it a priority at which it acts.",
    ),
    (
        Code::OpenToWorld,
        "Narrow the rule to the networks that need it, or reach the service through a session service, a VPN or a load balancer.",
    ),
    (
        Code::AllTraffic,
        "Replace the rule by rules for the services that are needed: the proposal of the group lists those that were seen.",
    ),
    (
        Code::SelfReference,
        "Narrow the rule to the ports that members use among each other.",
    ),
    (
        Code::DefaultGroup,
        "Give its interfaces groups of their own, then remove the rules of the default group.",
    ),
    (
        Code::UnusedGroup,
        "Look for it in launch templates, functions and other accounts, then delete it.",
    ),
    (
        Code::UnrestrictedEgress,
        "Take the egress proposal of the group, or send what must go anywhere through a proxy or firewall.",
    ),
    (
        Code::RejectedByGroup,
        "If the traffic is wanted, extend the nearest rule by what it misses; if not, find out who sends it.",
    ),
    (
        Code::RejectedByAcl,
        "If the traffic is wanted, change the entry of the network ACL that is named, and see that the way back has one too.",
    ),
    (
        Code::RejectedReply,
        "Let the network ACL pass the client's ephemeral ports on the way back.",
    ),
    (
        Code::RejectedByBoth,
        "If the traffic is wanted, both the group and the network ACL must let it through.",
    ),
    (
        Code::BlockPublicAccess,
        "If the traffic is wanted, exclude the subnet or VPC from Block Public Access.",
    ),
    (
        Code::UnexplainedReject,
        "Compare the times with the change logs of the groups and ACLs, and add the snapshot of that time.",
    ),
    (
        Code::UnloggedInterface,
        "Turn on a flow log for its VPC, subnet or interface, or add the logs that it writes to.",
    ),
    (
        Code::UnobservableRule,
        "Turn on flow logs for the group's interfaces, wait, and run again; until then leave the rule alone.",
    ),
    (
        Code::ScanNoise,
        "Nothing, if the port is closed on purpose. Look at a source only where it is one of your own addresses.",
    ),
    (
        Code::SkippedData,
        "Nothing mends what is lost. Where it stays above a few hours in a thousand, use a longer window, and narrow what one interface does in a minute.",
    ),
    (
        Code::MalformedLines,
        "Look at the lines that are named. Where many are alike, name the columns (`--fields`), or leave out files that are no flow logs.",
    ),
    (
        Code::UnreadableObject,
        "Fetch the object again, or see to its permissions, and run again: what it says is missing now.",
    ),
    (
        Code::ShortWindow,
        "Run again when more days are there; a digest (`flowcinch ingest`) keeps those that are read.",
    ),
    (
        Code::FieldsOverruled,
        "Nothing, if the headers are right. Else leave out `--fields`, or give those objects in a run of their own.",
    ),
    (
        Code::DroppedDays,
        "Nothing, if the window is meant to roll. Else read the logs of those days into a new digest.",
    ),
    (
        Code::WidenedSpan,
        "Give `--since` and `--until` in whole hours, or read the logs themselves.",
    ),
    (
        Code::UnknownReferencedGroup,
        "Add describe-security-groups and describe-network-interfaces of the account that owns the group, or remove the rule if the group is gone.",
    ),
    (
        Code::InterfaceWithoutGroups,
        "Nothing, for gateways and load balancers that are made so. Else print describe-network-interfaces in full.",
    ),
    (
        Code::UnknownFile,
        "Leave it out, or see that the answer of the call was saved whole, its top-level key included.",
    ),
    (
        Code::ProofFailed,
        "Apply nothing, keep analysis.json, and report the bug.",
    ),
];
