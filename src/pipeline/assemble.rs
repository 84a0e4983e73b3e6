//! Findings to the document: every list sorted, every number told, nothing
//! decided.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use ipnet::IpNet;

use crate::attribute::Attribution;
use crate::attribute::ledger::Hours;
use crate::attribute::rejects::RejectFinding;
use crate::attribute::table::RuleIndex;
use crate::attribute::table::RuleTable;
use crate::attribute::talks::Party;
use crate::attribute::talks::Service;
use crate::attribute::talks::Talk;
use crate::attribute::verdicts::RuleVerdict;
use crate::attribute::verdicts::Verdicts;
use crate::attribute::watch;
use crate::evidence::Evidence;
use crate::model::Eni;
use crate::model::EniId;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::SnapshotSeries;
use crate::model::Transport;
use crate::model::snapshot::Guessed;
use crate::model::vpc::TrafficType;
use crate::net::PortRange;
use crate::net::PortSet;
use crate::net::Span;
use crate::net::Timestamp;
use crate::net::time::DAY;
use crate::pipeline::backtests;
use crate::pipeline::ingest::Ingested;
use crate::pipeline::proposals::Proposed;
use crate::report::code::Code;
use crate::report::document::Analysis;
use crate::report::document::Caveat;
use crate::report::document::Coverage;
use crate::report::document::CurveReport;
use crate::report::document::GroupReport;
use crate::report::document::GroupVerification;
use crate::report::document::Ingest;
use crate::report::document::InterfaceHours;
use crate::report::document::ProposalReport;
use crate::report::document::ProposedRule;
use crate::report::document::RejectReport;
use crate::report::document::RuleReport;
use crate::report::document::SCHEMA;
use crate::report::document::TalkParty;
use crate::report::document::TalkReport;
use crate::report::document::TalkService;
use crate::report::document::Verification;
use crate::tighten::plan::CurvePoint;
use crate::tighten::plan::PlannedRule;
use crate::tighten::posture;
use crate::tighten::propose::Proven;

/// How many ids a caveat names.
const NAMED: usize = 12;

/// What the document is made from, beside what was read.
#[derive(Debug)]
pub struct Parts<'a> {
    /// The snapshots.
    pub series: &'a SnapshotSeries,
    /// Today's rules.
    pub table: &'a RuleTable<'a>,
    /// What the evidence came to.
    pub attribution: &'a Attribution,
    /// Statuses and watches.
    pub verdicts: &'a Verdicts,
    /// Proposals and proofs.
    pub proposed: &'a Proposed,
    /// Ports behind which an opening weighs more.
    pub sensitive: &'a PortSet,
    /// Who talks to whom.
    pub talks: &'a [Talk],
}

impl Parts<'_> {
    /// The document.
    #[must_use]
    pub fn assemble(&self, ingested: Ingested, mut caveats: Vec<Caveat>) -> Analysis {
        caveats.extend(self.caveats(&ingested));
        caveats.extend(ingested.caveats.iter().cloned());
        caveats.extend(self.flow_logs(ingested.evidence.span));
        caveats.sort();
        caveats.dedup();
        Analysis {
            pseudonymised: false,
            schema: SCHEMA.to_owned(),
            window: ingested.evidence.span,
            coverage: self.coverage(&ingested.evidence),
            security_groups: self.groups(),
            rejects: self.attribution.rejects.iter().map(reject).collect(),
            proposals: self.proposals(),
            verification: self.verification(),
            talks: self.talks.iter().map(talk).collect(),
            caveats,
            ingest: ingest(ingested),
        }
    }

    fn coverage(&self, evidence: &Evidence) -> Coverage {
        let latest = self.series.latest();
        let heard = |eni: &Eni| {
            evidence
                .interfaces
                .get(&eni.id)
                .is_some_and(|seen| !seen.observed.is_empty())
        };
        let unlogged: Vec<EniId> = latest
            .enis
            .values()
            .filter(|eni| !heard(eni))
            .map(|eni| eni.id)
            .collect();
        let all = count(latest.enis.len());
        let (mut observed, mut lost) = (0, 0);
        for seen in evidence.interfaces.values() {
            observed += seen.observed.count_without(&seen.lost);
            lost += seen.lost.count();
        }
        let unresolved = self
            .attribution
            .unresolved
            .iter()
            .map(|(why, records)| (why.key().to_owned(), *records));
        Coverage {
            interfaces_in_snapshot: all,
            interfaces_logged: all - count(unlogged.len()),
            unknown_interfaces: self.attribution.unknown_interfaces.clone(),
            unlogged_interfaces: unlogged,
            interface_hours_observed: observed,
            interface_hours_lost: lost,
            interface_hours: interface_hours(self.verdicts.hours),
            unresolved: unresolved.collect(),
        }
    }

    /// What the flow logs of the newest snapshot do not keep or deliver.
    fn flow_logs(&self, span: Option<Span>) -> Vec<Caveat> {
        let logs = self.series.latest().flow_logs.values();
        let mut caveats = Vec::new();
        for log in logs {
            let mut say = |code: &str, text: String| {
                caveats.push(Caveat {
                    code: code.to_owned(),
                    text,
                });
            };
            let place = format!("`{}` of `{}`", log.id, log.resource_id);
            if let Some(error) = &log.delivery_error {
                say(
                    Code::FailingFlowLog.id(),
                    format!(
                        "flow log {place} does not deliver ({error}): hours without a row are not watched, and nothing is called more than not observed"
                    ),
                );
            }
            let keeps = match log.traffic_type {
                TrafficType::All => None,
                TrafficType::Accept => Some("ACCEPT alone: what was rejected there is not known"),
                TrafficType::Reject => Some("REJECT alone: what was used there is not known"),
            };
            if let Some(keeps) = keeps {
                say(
                    Code::PartialFlowLog.id(),
                    format!("flow log {place} keeps {keeps}"),
                );
            }
            let young = |created: &Timestamp| span.is_some_and(|span| *created > span.start);
            if let Some(created) = log.created.filter(young) {
                say(
                    Code::YoungFlowLog.id(),
                    format!(
                        "flow log {place} was created at {created}, after the logs begin: before, nobody watched what no other flow log did"
                    ),
                );
            }
        }
        caveats
    }

    /// Groups and interfaces of which some of the window is not known.
    fn guessed(&self, span: Option<Span>) -> BTreeSet<&str> {
        let mut guessed = BTreeSet::new();
        let Some(span) = span else {
            return guessed;
        };
        let ends = self.series.snapshots().skip(1);
        let ends = ends.map(|next| next.captured_at).chain([None]);
        for (snapshot, end) in self.series.snapshots().zip(ends) {
            let begun = snapshot.captured_at.is_none_or(|since| since <= span.end);
            if begun && end.is_none_or(|end| end > span.start) {
                let Guessed { groups, enis } = &snapshot.guessed;
                guessed.extend(groups.iter().map(SgId::as_str));
                guessed.extend(enis.iter().map(EniId::as_str));
            }
        }
        guessed
    }

    fn groups(&self) -> Vec<GroupReport> {
        let mut rules: BTreeMap<&str, Vec<RuleReport>> = BTreeMap::new();
        for verdict in &self.verdicts.rules {
            if let Some((group, rule)) = self.table.get(verdict.rule) {
                rules
                    .entry(group.id.as_str())
                    .or_default()
                    .push(self.rule(group, rule, verdict));
            }
        }
        let report = |group: &SecurityGroup| {
            let watch = self.verdicts.watches.get(&group.id);
            GroupReport {
                group_id: group.id.clone(),
                group_name: group.name.clone(),
                vpc_id: group.vpc_id.as_ref().map(ToString::to_string),
                account_id: group.owner_id.clone(),
                interfaces: watch.map_or(0, |watch| count(watch.interfaces.len())),
                interfaces_logged: watch.map_or(0, |watch| watch.logged),
                rules: rules.remove(group.id.as_str()).unwrap_or_default(),
            }
        };
        self.series.latest().groups.values().map(report).collect()
    }

    fn rule(&self, group: &SecurityGroup, rule: &SgRule, verdict: &RuleVerdict) -> RuleReport {
        let postures = posture::of_rule(&group.id, rule, self.sensitive).into_iter();
        let (protocol, from_port, to_port) = transport(rule.transport);
        let earned = &verdict.earned;
        let named = |index: &RuleIndex| self.table.get(*index).map(|(_, other)| other.id.clone());
        let mut also_allowed_by: Vec<_> = earned.also_allowed_by.iter().filter_map(named).collect();
        also_allowed_by.sort();
        RuleReport {
            rule_id: rule.id.clone(),
            direction: rule.direction,
            effect: rule.effect,
            priority: rule.priority,
            protocol,
            from_port,
            to_port,
            peer: rule.peer.clone(),
            description: rule.description.clone(),
            status: verdict.status,
            tier: verdict.tier,
            confidence: verdict.confidence,
            reasons: verdict.reasons.clone(),
            records: earned.records,
            packets: earned.packets,
            bytes: earned.bytes,
            sole_records: earned.sole_records,
            first_seen: earned.first_seen,
            last_seen: earned.last_seen,
            also_allowed_by,
            codes: postures
                .map(|posture| Code::of_posture(posture).id().to_owned())
                .collect(),
        }
    }

    fn proposals(&self) -> Vec<ProposalReport> {
        let rollouts = self.proposed.rollouts.iter().cloned();
        let proven = self.proposed.proven.iter();
        let both = proven.zip(rollouts);
        both.map(|(proven, rollout)| ProposalReport {
            rollout,
            ..proposal(proven)
        })
        .collect()
    }

    fn verification(&self) -> Verification {
        let replay = &self.proposed.replay;
        let failed = |one: &&Proven| one.failed.is_some();
        let widened: u64 = self
            .proposed
            .proven
            .iter()
            .map(|one| count(one.proof.widened.len()))
            .sum();
        let broken: u64 = self
            .proposed
            .proven
            .iter()
            .filter(failed)
            .map(|one| count(one.proof.broken.len()))
            .sum();
        let mut per_group: Vec<GroupVerification> = self
            .proposed
            .proven
            .iter()
            .map(group_verification)
            .collect();
        per_group.sort();
        Verification {
            connections: replay.connections,
            broken: count(replay.broken.len()) + broken,
            witnesses: replay.witnesses,
            widened,
            unexplained: count(self.attribution.unexplained.len()),
            per_group,
        }
    }

    /// What the run itself found wanting, beside what the snapshot lacks.
    fn caveats(&self, ingested: &Ingested) -> Vec<Caveat> {
        let rows = &ingested.evidence.rows;
        let mut caveats = Vec::new();
        let mut say = |holds: bool, code: &str, text: String| {
            if holds {
                caveats.push(Caveat {
                    code: code.to_owned(),
                    text,
                });
            }
        };
        let lost: u64 = ingested
            .evidence
            .interfaces
            .values()
            .map(|seen| seen.lost.count())
            .sum();
        say(
            lost > 0,
            "FL301",
            format!(
                "records were lost (SKIPDATA) in {}: what happened there is not known",
                watch::counted(
                    usize::try_from(lost).unwrap_or(usize::MAX),
                    "interface-hour"
                )
            ),
        );
        let seconds = ingested.evidence.span.map_or(0, Span::seconds);
        say(
            seconds < 7 * DAY,
            "FL306",
            format!(
                "the logs span {}: too short for any claim of non-use",
                watch::length(seconds)
            ),
        );
        let (accepted, rejected) = (rows.accepted, rows.rejected);
        say(
            accepted == 0 && rejected > 0,
            "FL307",
            "the logs carry REJECT only: nothing can be said of use".to_owned(),
        );
        say(
            rejected == 0 && accepted > 0,
            "FL308",
            "the logs carry ACCEPT only: either nothing was rejected or it was not logged"
                .to_owned(),
        );
        say(
            ingested.overruled > 0,
            "FL309",
            format!(
                "{} their columns otherwise than `--fields`: the header was followed",
                match ingested.overruled {
                    1 => "1 object names in its header".to_owned(),
                    many => format!("{many} objects name in their header"),
                }
            ),
        );
        let guessed = self.guessed(ingested.evidence.span);
        say(
            !guessed.is_empty(),
            "SN140",
            format!(
                "AWS Config tells of {} only from a time within the logs on: what they were before is not known, so what passed then proves no rule used",
                several(&guessed)
            ),
        );
        let unknown = self.attribution.unknown_interfaces.len();
        say(
            unknown > 0,
            "FL304",
            format!(
                "{unknown} interfaces in the logs are in no snapshot: their traffic may have used any group of their subnet"
            ),
        );
        say(
            self.proposed.let_go > 0,
            "TG501",
            format!(
                "{} conversations without an answer were let go (`--obligations answered`): they would no longer pass",
                self.proposed.let_go
            ),
        );
        let failed = self
            .proposed
            .proven
            .iter()
            .filter(|one| one.failed.is_some())
            .count();
        say(
            failed > 0,
            "PF401",
            format!(
                "{failed} proposals failed their proof and are not shown: a bug of this program, please report it"
            ),
        );
        caveats
    }
}

fn interface_hours(hours: Hours) -> InterfaceHours {
    let Hours {
        accepted,
        idle,
        lost,
        quiet,
        dark,
    } = hours;
    InterfaceHours {
        accepted,
        idle,
        lost,
        quiet,
        dark,
    }
}

/// The first few ids, and how many more.
fn several(ids: &BTreeSet<&str>) -> String {
    let named: Vec<&str> = ids.iter().take(NAMED).copied().collect();
    match ids.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// What was read, counted.
#[must_use]
pub fn ingest(ingested: Ingested) -> Ingest {
    let rows = ingested.evidence.rows;
    Ingest {
        objects: ingested.objects,
        compressed_bytes: ingested.compressed_bytes,
        text_bytes: ingested.text_bytes,
        records: rows.accepted + rows.rejected + rows.other,
        accepted: rows.accepted,
        rejected: rows.rejected,
        other: rows.other,
        no_data: rows.no_data,
        skip_data: rows.skip_data,
        malformed: ingested.malformed,
        malformed_samples: ingested.samples.into_iter().collect(),
        unreadable: ingested.unreadable.into_iter().collect(),
        outside_window: ingested.outside,
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn transport(transport: Transport) -> (String, Option<i32>, Option<i32>) {
    let (from, to) = transport.from_to().unzip();
    (transport.protocol_name(), from, to)
}

fn reject(finding: &RejectFinding) -> RejectReport {
    RejectReport {
        interface_id: finding.interface_id,
        group_ids: finding.group_ids.clone(),
        direction: finding.direction,
        protocol: finding.protocol.to_string(),
        port: finding.port,
        peer: peer_text(finding.peer),
        peers: finding.peers,
        peer_groups: finding.peer_groups.clone(),
        reply: finding.reply,
        cause: finding.cause,
        records: finding.seen.records,
        packets: finding.seen.packets,
        bytes: finding.seen.bytes,
        first_seen: finding.seen.first,
        last_seen: finding.seen.last,
        nearest: finding.nearest.clone(),
        verdict: finding.verdict,
        text: finding.text.clone(),
    }
}

/// An address as it is, several as their prefix.
fn peer_text(peer: IpNet) -> String {
    if peer.prefix_len() == peer.max_prefix_len() {
        peer.addr().to_string()
    } else {
        peer.to_string()
    }
}

fn proposal(proven: &Proven) -> ProposalReport {
    let proposal = &proven.proposal;
    ProposalReport {
        group_id: proposal.group_id.clone(),
        direction: proposal.direction,
        decision: proposal.decision,
        applicability: proposal.applicability,
        reasons: proposal.reasons.clone(),
        rules: proposal.rules.iter().map(planned).collect(),
        keep: proposal.keep.clone(),
        remove: proposal.remove.clone(),
        exposure_before: proposal.exposure_before.to_string(),
        exposure_after: proposal.exposure_after.to_string(),
        quota_before: proposal.quota_before.most(),
        quota_after: proposal.quota_after.most(),
        optimality_gap: proposal.optimality_gap,
        curve: proposal.curve.iter().map(curve_point).collect(),
        rollout: None,
        backtest: proven.backtest.as_ref().map(backtests::report),
    }
}

fn curve_point(point: &CurvePoint) -> CurveReport {
    CurveReport {
        rules: point.rules,
        exposure: point.exposure.to_string(),
    }
}

fn planned(rule: &PlannedRule) -> ProposedRule {
    let (protocol, from_port, to_port) = transport(rule.transport);
    ProposedRule {
        protocol,
        from_port,
        to_port,
        peer: rule.peer.clone(),
        replaces: rule.replaces.clone(),
        records: rule.records,
    }
}

fn talk(talk: &Talk) -> TalkReport {
    TalkReport {
        group_id: talk.group_id.clone(),
        direction: talk.direction,
        party: match &talk.party {
            Party::Group(group) => TalkParty::Group(group.clone()),
            Party::NoGroup => TalkParty::NoGroup,
            Party::Private => TalkParty::Private,
            Party::Internet => TalkParty::Internet,
        },
        conversations: talk.conversations,
        records: talk.records,
        services: talk.services.iter().map(talk_service).collect(),
        more_services: talk.more_services,
    }
}

fn talk_service(service: &Service) -> TalkService {
    let ports = service.protocol.has_ports().then_some(service.ports);
    TalkService {
        protocol: service.protocol.to_string(),
        from_port: ports.map(PortRange::from),
        to_port: ports.map(PortRange::to),
        records: service.records,
    }
}

fn group_verification(proven: &Proven) -> GroupVerification {
    GroupVerification {
        group_id: proven.proposal.group_id.clone(),
        direction: proven.proposal.direction,
        connections: proven.proof.connections,
        broken: count(proven.proof.broken.len()),
        witnesses: proven.proof.witnesses,
        widened: count(proven.proof.widened.len()),
    }
}
