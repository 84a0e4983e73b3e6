//! The words for what attribution and tightening decided, one place for all
//! formats, so that a tier is called the same in a terminal and in a page.

use crate::attribute::verdict::Confidence;
use crate::attribute::verdict::Miss;
use crate::attribute::verdict::RejectCause;
use crate::attribute::verdict::Tier;
use crate::model::Direction;
use crate::model::Effect;
use crate::tighten::plan::Applicability;

/// How strong an unused claim is, in words (weakest to strongest).
#[must_use]
pub fn tier(tier: Tier) -> &'static str {
    match tier {
        Tier::U0 => "cannot tell",
        Tier::U1 => "not observed",
        Tier::U2 => "probably unused",
        Tier::U3 => "removal candidate",
        Tier::U4 => "removal candidate, yearly jobs included",
    }
}

/// How sure a statement is.
#[must_use]
pub fn confidence(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Low => "low confidence",
        Confidence::Medium => "medium confidence",
        Confidence::High => "high confidence",
    }
}

/// What is said of a group whose members are to reach each other by rules alone.
pub const ISOLATED: &str = "intra-group policy Accept -> Drop, after the rules";

/// What a rule does and where it stands among others, behind its words: `, drop
/// at priority 100`. Nothing where rules only allow and have no ranks.
#[must_use]
pub fn rank(effect: Effect, priority: Option<u16>) -> String {
    let word = match effect {
        Effect::Allow => "accept",
        Effect::Drop => "drop",
    };
    match (effect, priority) {
        (Effect::Allow, None) => String::new(),
        (Effect::Drop, None) => format!(", {word}"),
        (_, Some(priority)) => format!(", {word} at priority {priority}"),
    }
}

/// What stopped a packet.
#[must_use]
pub fn cause(cause: RejectCause) -> &'static str {
    match cause {
        RejectCause::SecurityGroup => "stopped by the security group",
        RejectCause::NetworkAcl => "stopped by the network ACL",
        RejectCause::Both => "stopped by both security group and network ACL",
        RejectCause::BlockPublicAccess => "stopped by VPC Block Public Access",
        RejectCause::Unexplained => "not explained by today's configuration",
    }
}

/// On what a nearest rule misses.
#[must_use]
pub fn miss(miss: Miss) -> &'static str {
    match miss {
        Miss::Protocol => "protocol",
        Miss::Port => "port",
        Miss::Peer => "peer",
    }
}

/// How far a proposal may be trusted.
#[must_use]
pub fn applicability(applicability: Applicability) -> &'static str {
    match applicability {
        Applicability::ReportOnly => "to read, not to apply",
        Applicability::Review => "review before applying",
        Applicability::Apply => "may be applied",
    }
}

/// Why records were credited to no rule, by the key in `coverage.unresolved`;
/// a key that this version does not know stands for itself.
#[must_use]
pub fn unresolved(key: &str) -> &str {
    match key {
        "unknown_interface" => "at interfaces that no snapshot knows",
        "interface_without_groups" => "at interfaces without groups",
        "unknown_direction" => "with neither or both addresses the interface's own",
        "efa" => "of EFA traffic",
        "incomplete_record" => "without address, port or protocol",
        "outlived_its_rule" => "of connections that outlived the rule that let them in",
        "unexplained_accept" => "let through though no rule of the snapshot allows it",
        "ambiguous_initiator" => "with doubt who opened the connection",
        "no_interface_id" => "without an interface id",
        "no_time" => "without a time",
        other => other,
    }
}

/// The preposition that a peer takes: `from` of ingress, `to` of egress.
#[must_use]
pub fn toward(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    }
}

/// Protocol and ports of a rule: `tcp/443`, `udp/8000-8100`, `tcp/all`,
/// `icmp`, `icmp/8`, `icmp/3/4`, `protocol 50`, `all`.
#[must_use]
pub fn service(protocol: &str, from: Option<i32>, to: Option<i32>) -> String {
    let is_icmp = protocol == "icmp" || protocol == "icmpv6";
    if protocol.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("protocol {protocol}");
    }
    match (from, to) {
        (None | Some(-1), _) => protocol.to_owned(),
        (Some(kind), None | Some(-1)) => format!("{protocol}/{kind}"),
        (Some(kind), Some(code)) if is_icmp => format!("{protocol}/{kind}/{code}"),
        (Some(0), Some(65_535)) => format!("{protocol}/all"),
        (Some(from), Some(to)) if from == to => format!("{protocol}/{from}"),
        (Some(from), Some(to)) => format!("{protocol}/{from}-{to}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn icmp_type_and_code_are_no_range() {
        assert_eq!(service("icmp", Some(3), Some(4)), "icmp/3/4");
        assert_eq!(service("icmp", Some(8), Some(-1)), "icmp/8");
        assert_eq!(service("icmpv6", Some(-1), Some(-1)), "icmpv6");
    }

    #[test]
    fn ports_are_as_short_as_they_can_be() {
        assert_eq!(service("tcp", Some(443), Some(443)), "tcp/443");
        assert_eq!(service("udp", Some(1), Some(9)), "udp/1-9");
        assert_eq!(service("tcp", Some(0), Some(65_535)), "tcp/all");
        assert_eq!(service("tcp", Some(0), Some(0)), "tcp/0");
        assert_eq!(service("all", None, None), "all");
        assert_eq!(service("50", None, None), "protocol 50");
    }
}
