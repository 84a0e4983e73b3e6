//! Findings to the document: every list sorted, every number told, nothing
//! decided.

use std::collections::BTreeMap;

use ipnet::IpNet;
use rayon::prelude::*;

use crate::attribute::Attribution;
use crate::attribute::cover::Unwritten;
use crate::attribute::ledger::Hours;
use crate::attribute::rejects::RejectFinding;
use crate::attribute::season::Due;
use crate::attribute::season::Rhythm;
use crate::attribute::season::Season;
use crate::attribute::table::RuleIndex;
use crate::attribute::table::RuleTable;
use crate::attribute::talks::Party;
use crate::attribute::talks::Service;
use crate::attribute::talks::Talk;
use crate::attribute::verdicts::RuleVerdict;
use crate::attribute::verdicts::Verdicts;
use crate::evidence::Evidence;
use crate::evidence::activity::History;
use crate::evidence::cuts::Class;
use crate::evidence::cuts::Level;
use crate::evidence::pool::Grain;
use crate::model::Action;
use crate::model::Effect;
use crate::model::Eni;
use crate::model::EniId;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::Snapshot;
use crate::model::SnapshotSeries;
use crate::model::SubnetId;
use crate::model::Transport;
use crate::net::PortRange;
use crate::net::PortSet;
use crate::net::Timestamp;
use crate::net::cidr::is_host;
use crate::pipeline::backtests;
use crate::pipeline::ingest::Ingested;
use crate::pipeline::proposals::Proposed;
use crate::report::code::Code;
use crate::report::document::Analysis;
use crate::report::document::Caveat;
use crate::report::document::Coarsened;
use crate::report::document::Coverage;
use crate::report::document::CurveReport;
use crate::report::document::GroupReport;
use crate::report::document::GroupVerification;
use crate::report::document::Ingest;
use crate::report::document::InterfaceHours;
use crate::report::document::ProposalReport;
use crate::report::document::ProposedRule;
use crate::report::document::RejectReport;
use crate::report::document::RuleHistory;
use crate::report::document::RuleReport;
use crate::report::document::RuleSeason;
use crate::report::document::SCHEMA;
use crate::report::document::TalkParty;
use crate::report::document::TalkReport;
use crate::report::document::TalkService;
use crate::report::document::UnloggedSubnet;
use crate::report::document::Verification;
use crate::report::document::WithoutRuleBy;
use crate::report::document::WithoutRuleReport;
use crate::report::document::provider_of;
use crate::tighten::plan::CurvePoint;
use crate::tighten::plan::PlannedRule;
use crate::tighten::posture;
use crate::tighten::propose::Proven;

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
    pub fn assemble(&self, ingested: &Ingested, mut caveats: Vec<Caveat>) -> Analysis {
        caveats.extend(self.caveats(ingested));
        caveats.extend(ingested.caveats.iter().cloned());
        caveats.sort();
        caveats.dedup();
        Analysis {
            pseudonymised: false,
            provider: provider_of(self.series.latest()),
            schema: SCHEMA.to_owned(),
            window: ingested.evidence.span,
            coverage: self.coverage(&ingested.evidence),
            security_groups: self.groups(),
            rejects: self.attribution.rejects.par_iter().map(reject).collect(),
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
        let dark = latest.enis.values().filter(|eni| !heard(eni));
        let unlogged: Vec<EniId> = dark.map(|eni| eni.id).collect();
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
            unlogged_subnets: unlogged_subnets(latest, &heard),
            interface_hours_observed: observed,
            interface_hours_lost: lost,
            interface_hours: interface_hours(self.verdicts.hours),
            unresolved: unresolved.collect(),
        }
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
                without_rule: self.without_rule(&group.id),
                rules: rules.remove(group.id.as_str()).unwrap_or_default(),
            }
        };
        self.series.latest().groups.values().map(report).collect()
    }

    fn without_rule(&self, group: &SgId) -> Vec<WithoutRuleReport> {
        let all = self.attribution.without_rule.iter();
        let own = all.filter(|((id, ..), _)| id == group);
        own.map(|((_, direction, by), records)| WithoutRuleReport {
            direction: *direction,
            by: match by {
                Unwritten::Members => WithoutRuleBy::IntraGroup,
                Unwritten::Default => WithoutRuleBy::Default,
            },
            records: *records,
        })
        .collect()
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
            limited: !rule.limits.is_empty(),
            description: rule.description.clone(),
            status: verdict.status,
            tier: verdict.tier,
            confidence: verdict.confidence,
            reasons: verdict.reasons.clone(),
            records: earned.records,
            packets: earned.packets,
            bytes: earned.bytes,
            sole_records: earned.sole_records,
            first_seen: earned.seen.map(|seen| seen.first),
            last_seen: earned.seen.map(|seen| seen.last),
            history: earned.seen.as_ref().map(history),
            season: season(verdict.rhythm),
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
            unexplained: self.attribution.unexplained,
            per_group,
        }
    }
}

/// Subnets of at least two interfaces none of which was heard of.
fn unlogged_subnets(snapshot: &Snapshot, heard: &dyn Fn(&Eni) -> bool) -> Vec<UnloggedSubnet> {
    let mut subnets: BTreeMap<&SubnetId, Option<UnloggedSubnet>> = BTreeMap::new();
    for eni in snapshot.enis.values() {
        let Some(id) = &eni.subnet_id else { continue };
        let subnet = subnets.entry(id).or_insert_with(|| {
            Some(UnloggedSubnet {
                subnet_id: id.to_string(),
                vpc_id: eni.vpc_id.as_ref().map(ToString::to_string),
                interfaces: Vec::new(),
            })
        });
        match subnet {
            Some(dark) if !heard(eni) => dark.interfaces.push(eni.id),
            Some(_) | None => *subnet = None,
        }
    }
    let dark = subnets.into_values().flatten();
    dark.filter(|dark| dark.interfaces.len() > 1).collect()
}

fn history(seen: &History) -> RuleHistory {
    let starts: Vec<i64> = seen.starts().map(|start| start.0).collect();
    let (step, first) = (seen.step(), starts.first().copied().unwrap_or(seen.first.0));
    let mut active = String::new();
    for start in starts {
        let place = start.saturating_sub(first).checked_div(step).unwrap_or(0);
        while count(active.len()) < place.unsigned_abs() {
            active.push('0');
        }
        active.push('1');
    }
    RuleHistory {
        start: Timestamp(first),
        step_seconds: step,
        active,
    }
}

fn season(rhythm: Rhythm) -> Option<RuleSeason> {
    let Rhythm::Season(season) = rhythm else {
        return None;
    };
    let Season {
        period_days,
        bursts,
        next,
        due,
    } = season;
    Some(RuleSeason {
        period_days,
        times: count(bursts),
        next_expected: next,
        missed: due == Due::Missed,
    })
}

fn interface_hours(hours: Hours) -> InterfaceHours {
    let Hours {
        accepted,
        rejected,
        no_data,
        lost,
        quiet,
        dark,
    } = hours;
    InterfaceHours {
        accepted,
        rejected,
        no_data,
        lost,
        quiet,
        dark,
    }
}

/// What was read, counted.
#[must_use]
pub fn ingest(ingested: &Ingested) -> Ingest {
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
        malformed_samples: ingested.samples.iter().cloned().collect(),
        unreadable: ingested.unreadable.iter().cloned().collect(),
        outside_window: ingested.outside,
        coarsened: coarsened(&ingested.evidence),
    }
}

/// What memory did not tell apart, by interface and class.
fn coarsened(evidence: &Evidence) -> Vec<Coarsened> {
    let Some(coarse) = &evidence.coarse else {
        return Vec::new();
    };
    let of_one = |(id, grain): (EniId, &Grain)| {
        let coarse = grain.levels.iter().zip(Class::ALL);
        let coarse = coarse.filter(|(level, _)| **level != Level::EXACT);
        let told = coarse.map(|(level, class)| {
            let [port_bits, ipv4_prefix, ipv6_prefix] = level.widths();
            Coarsened {
                interface_id: id,
                accepted: class.action() == Action::Accept,
                inside: class.is_inside(),
                ipv4_prefix,
                ipv6_prefix,
                port_bits,
            }
        });
        told.collect::<Vec<_>>()
    };
    coarse.by_id().into_iter().flat_map(of_one).collect()
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
        fix: finding.fix.clone(),
        dropped_by: finding.dropped_by.clone(),
    }
}

/// An address as it is, several as their prefix.
fn peer_text(peer: IpNet) -> String {
    if is_host(peer) {
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
        inner_access_policy: proposal.isolates.then_some(Effect::Drop),
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
        priority: rule.priority,
        effect: rule.effect,
        replaces: rule.replaces.clone(),
        records: rule.records,
        history: rule.seen.as_ref().map(history),
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
