//! The stable codes of findings: what scripts filter by and what
//! `flowcinch explain` looks up. A code is never reused for another meaning.

use std::fmt;

use crate::attribute::verdict::RejectCause;
use crate::attribute::verdict::RejectVerdict;
use crate::attribute::verdict::RuleStatus;
use crate::report::document::RejectReport;
use crate::tighten::posture::Posture;

/// One row per code: the variant, its code, its slug. The enum, the lists and
/// the look-ups are all made from it.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident $id:literal $slug:literal,)*) => {
        /// What a finding says, by stable code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// All of them, by code.
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// The code, as `SG101`.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Code::$name => $id,)* }
            }

            /// The name, as `unused-rule`.
            #[must_use]
            pub const fn slug(self) -> &'static str {
                match self { $(Code::$name => $slug,)* }
            }
        }
    };
}

codes! {
    /// Nothing passed through it.
    UnusedRule "SG101" "unused-rule",
    /// Others let the same connections through.
    RedundantRule "SG102" "redundant-rule",
    /// A narrower rule would do.
    WideRule "SG103" "wide-rule",
    /// Groups never filter what it names.
    NoEffectRule "SG104" "no-effect-rule",
    /// Nothing watched the group.
    UnobservableRule "SG105" "unobservable-rule",
    /// Stronger rules decide all of it.
    ShadowedRule "SG106" "shadowed-rule",
    /// Everybody may reach a sensitive port.
    OpenToWorld "SG107" "open-to-world",
    /// Every protocol and port.
    AllTraffic "SG108" "all-traffic",
    /// The group refers to itself.
    SelfReference "SG109" "self-reference",
    /// The VPC's default group lets traffic through.
    DefaultGroup "SG110" "default-group-in-use",
    /// A group that nothing carries or names.
    UnusedGroup "SG111" "unused-group",
    /// A rule lets everything out to the world.
    UnrestrictedEgress "SG112" "unrestricted-egress",
    /// No rule of the groups admits it.
    RejectedByGroup "RJ201" "rejected-by-group",
    /// The network ACL denies it.
    RejectedByAcl "RJ202" "rejected-by-acl",
    /// The answer to an admitted connection was stopped.
    RejectedReply "RJ203" "rejected-reply",
    /// Group and ACL both deny it.
    RejectedByBoth "RJ204" "rejected-by-both",
    /// VPC Block Public Access stops it.
    BlockPublicAccess "RJ205" "block-public-access",
    /// The configuration does not explain it.
    UnexplainedReject "RJ206" "unexplained-reject",
    /// Scans and strays.
    ScanNoise "RJ207" "scan-noise",
    /// The service lost records.
    SkippedData "FL301" "skipped-data",
    /// Lines that could not be read.
    MalformedLines "FL302" "malformed-lines",
    /// An object that could not be read.
    UnreadableObject "FL303" "unreadable-object",
    /// Logged, but in no snapshot.
    UnknownInterface "FL304" "unknown-interface",
    /// In the snapshot, but not logged.
    UnloggedInterface "FL305" "unlogged-interface",
    /// Too few days for a strong claim.
    ShortWindow "FL306" "short-window",
    /// Logs hold only REJECT.
    RejectOnlyLog "FL307" "reject-only-log",
    /// Logs hold only ACCEPT.
    AcceptOnlyLog "FL308" "accept-only-log",
    /// A header names other columns than `--fields`.
    FieldsOverruled "FL309" "fields-overruled",
    /// Days were deleted from a digest.
    DroppedDays "FL311" "dropped-days",
    /// The span was widened to the hours that digests know.
    WidenedSpan "FL312" "widened-span",
    /// Rows lie more than a year from all others.
    FarTimes "FL313" "far-times",
    /// Memory did not tell all peers and ports apart.
    CoarseEvidence "FL314" "coarse-evidence",
    /// Snapshot without ACLs.
    NoNetworkAcls "SN101" "no-network-acls",
    /// Snapshot without subnets.
    NoSubnets "SN102" "no-subnets",
    /// An interface names a group that is not there.
    UnknownGroup "SN103" "unknown-group",
    /// A rule names a group that is not there.
    UnknownReferencedGroup "SN104" "unknown-referenced-group",
    /// A rule names a list whose entries are not there.
    PrefixListWithoutEntries "SN105" "prefix-list-without-entries",
    /// An interface without groups.
    InterfaceWithoutGroups "SN106" "interface-without-groups",
    /// A snapshot without a date.
    UndatedSnapshot "SN107" "undated-snapshot",
    /// A file of a kind that is not read.
    UnknownFile "SN108" "unknown-file",
    /// Two files say different things of one id.
    DisagreeingDuplicates "SN109" "disagreeing-duplicates",
    /// Rules without the cloud's own ids.
    RulesWithoutIds "SN110" "rules-without-ids",
    /// Snapshot without VPCs.
    NoVpcs "SN111" "no-vpcs",
    /// Seen by one of the two calls only.
    RuleOnlyInPermissions "SN112" "rule-only-in-permissions",
    /// A rule names a group without its id.
    GroupNamedOnly "SN113" "group-named-only",
    /// Groups known from their rules alone.
    GroupsFromRules "SN114" "groups-from-rules",
    /// Several AWS Config states of what has no history here.
    HistoryUnused "SN115" "history-unused",
    /// AWS Config calls the resource deleted.
    DeletedInConfig "SN116" "deleted-in-config",
    /// Prefix list entries of a list that nobody names.
    EntriesWithoutList "SN117" "entries-without-list",
    /// Interfaces known from instances alone.
    InterfacesFromInstances "SN118" "interfaces-from-instances",
    /// A group printed without its rules.
    GroupWithoutPermissions "SN119" "group-without-permissions",
    /// Folders of several times read as one.
    SeveralDates "SN120" "several-dates",
    /// An answer that lists nothing.
    EmptyPart "SN121" "empty-part",
    /// Snapshot without flow logs.
    NoFlowLogs "SN122" "no-flow-logs",
    /// The last page is missing.
    MorePages "SN123" "more-pages",
    /// An AWS Config item that says nothing.
    ItemWithoutConfiguration "SN124" "item-without-configuration",
    /// A peering that does not name both VPCs.
    PeeringWithoutVpcs "SN125" "peering-without-vpcs",
    /// A group without its rules.
    GroupWithoutAttribute "SN126" "group-without-attribute",
    /// A group whose type is not known.
    GroupWithoutType "SN127" "group-without-type",
    /// A rule whose ports are a list.
    PortList "SN128" "port-list",
    /// Rules of Alibaba Cloud without ids.
    NoRuleIdsAlibaba "SN129" "no-rule-ids-alibaba",
    /// A flow log of some paths alone.
    FilteredFlowLog "SN130" "filtered-flow-log",
    /// ACLs of Alibaba Cloud are not read.
    NoNetworkAclsAlibaba "SN131" "no-network-acls-alibaba",
    /// Snapshot without vSwitches.
    NoSubnetsAlibaba "SN132" "no-vswitches",
    /// Snapshot without VPCs.
    NoVpcsAlibaba "SN133" "no-vpcs-alibaba",
    /// Snapshot of Alibaba Cloud without flow logs.
    NoFlowLogsAlibaba "SN134" "no-flow-logs-alibaba",
    /// Two clouds in one snapshot.
    TwoClouds "SN135" "two-clouds",
    /// Basic and advanced groups on one interface.
    MixedGroups "SN136" "mixed-groups",
    /// A prefix list of Alibaba Cloud without its entries.
    PrefixListWithoutEntriesAlibaba "SN137" "prefix-list-without-entries-alibaba",
    /// What AWS Config tells from the middle of the logs on.
    UnknownBefore "SN140" "unknown-before",
    /// More changes than are kept apart.
    HistoryShortened "SN141" "history-shortened",
    /// Changes recorded once a day.
    DailyHistory "SN142" "daily-history",
    /// Describe answers without a time beside a history.
    UndatedBesideHistory "SN143" "undated-beside-history",
    /// A flow log that does not deliver.
    FailingFlowLog "SN144" "failing-flow-log",
    /// A flow log that was created within the window.
    YoungFlowLog "SN145" "young-flow-log",
    /// A flow log of ACCEPT or REJECT alone.
    PartialFlowLog "SN146" "partial-flow-log",
    /// Addresses whose owner only the logs tell.
    OwnersFromLogs "SN147" "owners-from-logs",
    /// Conversations without an answer were let go.
    LetGo "TG501" "let-go",
    /// The proof of a proposal failed.
    ProofFailed "PF401" "proof-failed",
}

impl Code {
    /// The code with this id or slug, in any case.
    #[must_use]
    pub fn find(text: &str) -> Option<Code> {
        let wanted = text.trim();
        Code::ALL.iter().copied().find(|code| {
            wanted.eq_ignore_ascii_case(code.id()) || wanted.eq_ignore_ascii_case(code.slug())
        })
    }

    /// The finding that a rule's status is; `None` for a used rule.
    #[must_use]
    pub fn of_status(status: RuleStatus) -> Option<Code> {
        match status {
            RuleStatus::Used => None,
            RuleStatus::Redundant => Some(Code::RedundantRule),
            RuleStatus::Unused => Some(Code::UnusedRule),
            RuleStatus::Shadowed => Some(Code::ShadowedRule),
            RuleStatus::Unobservable => Some(Code::UnobservableRule),
            RuleStatus::NoEffect => Some(Code::NoEffectRule),
        }
    }

    /// The finding that a rule is by its words alone.
    #[must_use]
    pub fn of_posture(posture: Posture) -> Code {
        match posture {
            Posture::OpenToWorld => Code::OpenToWorld,
            Posture::AllTraffic => Code::AllTraffic,
            Posture::SelfReference => Code::SelfReference,
        }
    }

    /// The finding that a REJECT is: noise first, then replies, then by cause.
    #[must_use]
    pub fn of_reject(reject: &RejectReport) -> Code {
        if reject.verdict == RejectVerdict::Noise {
            return Code::ScanNoise;
        }
        if reject.reply {
            return Code::RejectedReply;
        }
        match reject.cause {
            RejectCause::SecurityGroup => Code::RejectedByGroup,
            RejectCause::NetworkAcl => Code::RejectedByAcl,
            RejectCause::Both => Code::RejectedByBoth,
            RejectCause::BlockPublicAccess => Code::BlockPublicAccess,
            RejectCause::Unexplained => Code::UnexplainedReject,
        }
    }
}

impl fmt::Display for Code {
    /// The id, as `SG101`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_and_slugs_are_each_used_once() {
        let ids: BTreeSet<_> = Code::ALL.iter().map(|code| code.id()).collect();
        let slugs: BTreeSet<_> = Code::ALL.iter().map(|code| code.slug()).collect();
        assert_eq!(ids.len(), Code::ALL.len());
        assert_eq!(slugs.len(), Code::ALL.len());
    }

    #[test]
    fn a_code_is_found_by_id_and_slug_in_any_case() {
        assert_eq!(Code::find("sg101"), Some(Code::UnusedRule));
        assert_eq!(Code::find("Wide-Rule"), Some(Code::WideRule));
        assert_eq!(Code::find(" FL302 "), Some(Code::MalformedLines));
        assert_eq!(Code::find("SG10"), None);
    }
}
