//! The data that the page draws its lists from: the analysis itself, inert,
//! as gzip in base64.

use std::io;
use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::attribute::verdict::RejectVerdict;
use crate::report::document::Analysis;
use crate::report::document::RejectReport;
use crate::report::escape;
use crate::report::findings;

/// REJECTs that the page holds: those to look at come first, so what is left
/// out is noise, or more than anyone reads.
pub(super) const MOST_REJECTS: usize = 2_000;

/// The analysis as the page carries it.
pub(super) fn pack(analysis: &Analysis) -> io::Result<String> {
    let mut rejects: Vec<&RejectReport> = analysis.rejects.iter().collect();
    rejects.sort_by_key(|reject| order(reject));
    rejects.truncate(MOST_REJECTS);
    let mut data = serde_json::to_value(Shown {
        window: &analysis.window,
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
    security_groups: &'a [crate::report::document::GroupReport],
    rejects: &'a [&'a RejectReport],
    proposals: &'a [crate::report::document::ProposalReport],
    talks: &'a [crate::report::document::TalkReport],
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
