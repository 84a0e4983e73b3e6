//! What a run found wanting, beside what its snapshots lack: each with a code
//! and what it costs.

use std::collections::BTreeSet;

use crate::attribute::watch;
use crate::evidence::Evidence;
use crate::model::EniId;
use crate::model::SgId;
use crate::model::snapshot::Guessed;
use crate::model::vpc::TrafficType;
use crate::net::Span;
use crate::net::Timestamp;
use crate::net::time::DAY;
use crate::net::time::HOUR;
use crate::pipeline::assemble::Parts;
use crate::pipeline::ingest::Ingested;
use crate::report::code::Code;
use crate::report::document::Caveat;
use crate::report::human;

/// How many ids a caveat names.
const NAMED: usize = 12;

/// What years without any row make of the logs.
fn far_times(evidence: &Evidence) -> Option<Caveat> {
    let (before, after) = far(evidence)?;
    Some(Caveat {
        code: Code::FarTimes.id().to_owned(),
        text: format!(
            "no row lies between {before} and {after}: the logs seem to span years that nobody watched, which leaves no claim; `--since` or `--until` leaves out what does not belong"
        ),
    })
}

/// Longest time without any row that is usual, in hours: a year.
const USUAL: i64 = 366 * 24;

/// Ends of the longest stretch without any row, where that is unusual.
fn far(evidence: &Evidence) -> Option<(Timestamp, Timestamp)> {
    let mut heard: BTreeSet<i64> = BTreeSet::new();
    for seen in evidence.interfaces.values() {
        for hours in [&seen.observed, &seen.lost] {
            heard.extend(hours.keys().map(|key| key.saturating_mul(64)));
        }
    }
    let span = evidence.span?;
    heard.extend([span.start.hour(), span.end.hour()]);
    let heard: Vec<i64> = heard.into_iter().collect();
    let pairs = heard.windows(2).filter_map(|pair| match pair {
        [one, other] => Some((*one, *other)),
        _ => None,
    });
    let (before, after) = pairs.max_by_key(|(one, other)| other.saturating_sub(*one))?;
    let time = |hour: i64| Timestamp(hour.saturating_mul(HOUR));
    (after.saturating_sub(before) > USUAL).then(|| (time(before), time(after)))
}

/// What memory did not tell apart.
fn coarse(evidence: &Evidence) -> Option<Caveat> {
    let interfaces = evidence.coarse.as_ref()?.by_id().len();
    Some(Caveat {
        code: Code::CoarseEvidence.id().to_owned(),
        text: format!(
            "peers or ports of {} were too many for memory and are told by prefix or range: see `ingest.coarsened`; more `--memory` tells them apart",
            human::counted(u64::try_from(interfaces).unwrap_or(u64::MAX), "interface")
        ),
    })
}

impl Parts<'_> {
    /// What the run itself found wanting, beside what the snapshot lacks.
    pub(super) fn caveats(&self, ingested: &Ingested) -> Vec<Caveat> {
        let rows = &ingested.evidence.rows;
        let span = ingested.evidence.span;
        let mut caveats = self.flow_logs(span);
        caveats.extend(self.of_time(span));
        caveats.extend(far_times(&ingested.evidence));
        caveats.extend(coarse(&ingested.evidence));
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

    /// What is known of past states and owners less than surely.
    fn of_time(&self, span: Option<Span>) -> Vec<Caveat> {
        let mut caveats = Vec::new();
        let mut say = |holds: bool, code: Code, text: String| {
            if holds {
                caveats.push(Caveat {
                    code: code.id().to_owned(),
                    text,
                });
            }
        };
        let guessed = self.guessed(span);
        say(
            !guessed.is_empty(),
            Code::UnknownBefore,
            format!(
                "AWS Config tells of {} only from a time within the logs on: what they were before is not known, so what passed then proves no rule used",
                several(&guessed)
            ),
        );
        let heard = &self.attribution.heard_owners;
        let heard: BTreeSet<String> = heard
            .iter()
            .map(|(address, id)| format!("{address} of {id}"))
            .collect();
        let heard: BTreeSet<&str> = heard.iter().map(String::as_str).collect();
        say(
            !heard.is_empty(),
            Code::OwnersFromLogs,
            format!(
                "whose some addresses were only the logs tell ({}): rules that refer to groups are judged by that",
                several(&heard)
            ),
        );
        caveats
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
                let Guessed { groups, enis } = &*snapshot.guessed;
                guessed.extend(groups.iter().map(SgId::as_str));
                guessed.extend(enis.iter().map(EniId::as_str));
            }
        }
        guessed
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
