//! The data that the page draws its lists from: the analysis itself, inert,
//! as gzip in base64.

use std::collections::BTreeMap;
use std::io;
use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::attribute::verdict::RejectVerdict;
use crate::model::SgId;
use crate::report::accepted::Acceptance;
use crate::report::controls::Control;
use crate::report::document::Analysis;
use crate::report::document::RejectReport;
use crate::report::escape;
use crate::report::explain::remedies;
use crate::report::findings;
use crate::report::review::Entry;
use crate::report::review::Review;
use crate::report::review::State;

/// REJECTs that the page holds: those to look at come first, so what is left
/// out is noise, or more than anyone reads.
pub(super) const MOST_REJECTS: usize = 2_000;

/// The analysis as the page carries it.
pub(super) fn pack(analysis: &Analysis, review: &Review) -> io::Result<String> {
    let mut rejects: Vec<&RejectReport> = analysis.rejects.iter().collect();
    rejects.sort_by_key(|reject| order(reject));
    rejects.truncate(MOST_REJECTS);
    let mut data = serde_json::to_value(Shown {
        window: &analysis.window,
        findings: &review.entries.iter().map(Finding::of).collect::<Vec<_>>(),
        codes: &codes(review),
        controls: &controls(review),
        security_groups: &analysis.security_groups,
        rejects: &rejects,
        proposals: &analysis.proposals,
        talks: &analysis.talks,
    })?;
    make_inert(&mut data);
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&serde_json::to_vec(&data)?)?;
    Ok(STANDARD.encode(packed.finish()?))
}

/// What of the document the script draws; the rest stands in the page.
#[derive(serde::Serialize)]
struct Shown<'a> {
    window: &'a Option<crate::net::Span>,
    findings: &'a [Finding<'a>],
    codes: &'a BTreeMap<&'static str, Words>,
    /// Titles by tag.
    controls: &'a BTreeMap<String, &'static str>,
    security_groups: &'a [crate::report::document::GroupReport],
    rejects: &'a [&'a RejectReport],
    proposals: &'a [crate::report::document::ProposalReport],
    talks: &'a [crate::report::document::TalkReport],
}

/// A finding as its list shows it, the worst first.
#[derive(serde::Serialize)]
struct Finding<'a> {
    id: &'a str,
    code: &'static str,
    severity: &'static str,
    state: Option<&'static str>,
    /// By whom, until when and why.
    accepted: Option<String>,
    subject: &'a str,
    group_id: Option<&'a SgId>,
    group_name: &'a str,
    text: &'a str,
    reasons: &'a [String],
    controls: Vec<String>,
}

impl<'a> Finding<'a> {
    fn of(entry: &'a Entry) -> Finding<'a> {
        let listed = &entry.listed;
        Finding {
            id: &listed.id,
            code: listed.code.id(),
            severity: listed.severity.name(),
            state: entry.state.map(State::name),
            accepted: entry.acceptance.as_ref().map(Acceptance::said),
            subject: &listed.subject,
            group_id: listed.group_id.as_ref(),
            group_name: &listed.group_name,
            text: &listed.text,
            reasons: &listed.reasons,
            controls: listed.controls.iter().map(Control::tag).collect(),
        }
    }
}

/// What is said of a code.
#[derive(serde::Serialize)]
struct Words {
    name: &'static str,
    remedy: Option<&'static str>,
}

fn codes(review: &Review) -> BTreeMap<&'static str, Words> {
    let of = |entry: &Entry| {
        let code = entry.listed.code;
        let words = Words {
            name: code.slug(),
            remedy: remedies::of(code),
        };
        (code.id(), words)
    };
    review.entries.iter().map(of).collect()
}

fn controls(review: &Review) -> BTreeMap<String, &'static str> {
    let all = review.entries.iter().flat_map(|one| &one.listed.controls);
    all.map(|control| (control.tag(), control.title)).collect()
}

/// First what a person should look at, the most records first.
fn order(reject: &RejectReport) -> (bool, bool, std::cmp::Reverse<u64>) {
    let noise = reject.verdict == RejectVerdict::Noise;
    let look = findings::needs_a_look(reject);
    (!look, noise, std::cmp::Reverse(reject.records))
}

/// Makes every text in it show itself and do nothing: keys are ours, and some
/// are ids.
fn make_inert(value: &mut Value) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => {
            let inert = escape::inert(text);
            if let std::borrow::Cow::Owned(inert) = inert {
                *text = inert;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(make_inert),
        Value::Object(members) => members.values_mut().for_each(make_inert),
    }
}
