//! What was read, what could not be known, and the proof.

use std::collections::BTreeSet;

use crate::model::EniId;
use crate::report::code::Code;
use crate::report::document::Analysis;
use crate::report::document::Coverage;
use crate::report::document::Ingest;
use crate::report::document::InterfaceHours;
use crate::report::findings;
use crate::report::findings::Findings;
use crate::report::human;
use crate::report::page::Page;
use crate::report::page::Text;
use crate::report::text::TextOptions;
use crate::report::text::left_out;
use crate::report::words;

const SAMPLES_SHOWN: usize = 3;
const INTERFACES_SHOWN: usize = 4;
const CAVEATS_SHOWN: usize = 12;
/// Columns of the text behind a code.
const BODY: usize = 9;

/// The ground under every claim above.
pub(super) fn coverage(page: &mut Page, analysis: &Analysis, options: TextOptions) {
    page.heading("COVERAGE", "");
    page.hanging(2, 4, &read(&analysis.ingest));
    let said: BTreeSet<&str> = analysis
        .caveats
        .iter()
        .map(|caveat| caveat.code.as_str())
        .collect();
    for note in notes(analysis, options) {
        if !said.contains(note.code.id()) {
            item(page, note.code.id(), &note.text);
        }
        for detail in &note.details {
            page.hanging(BODY, BODY + 2, detail);
        }
    }
    hours(page, analysis.coverage.interface_hours);
    unresolved(page, &analysis.coverage);
    let limit = options.limit(CAVEATS_SHOWN);
    for caveat in analysis.caveats.iter().take(limit) {
        item(page, &caveat.code, &Text::new().plain(&caveat.text));
    }
    left_out(page, 2, analysis.caveats.len(), limit, "caveats");
}

fn item(page: &mut Page, code: &str, text: &Text) {
    let head = Text::new().strong(code).pad_to(BODY - 2);
    page.hanging(2, BODY, &head.then(text.clone()));
}

fn read(ingest: &Ingest) -> Text {
    let size = format!(
        "read {}, {} stored, {} of text: {} accepted, {} rejected",
        human::counted(ingest.objects, "object"),
        human::bytes(ingest.compressed_bytes),
        human::bytes(ingest.text_bytes),
        human::count(ingest.accepted),
        human::count(ingest.rejected),
    );
    let rest = [(ingest.other, "other"), (ingest.no_data, "NODATA")];
    let mut text = Text::new().plain(&size);
    for (number, word) in rest.iter().filter(|(number, _)| *number > 0) {
        text = text.plain(&format!(", {} {word}", human::count(*number)));
    }
    text
}

/// One thing that could not be known, with its examples.
struct Note {
    code: Code,
    text: Text,
    details: Vec<Text>,
}

fn notes(analysis: &Analysis, options: TextOptions) -> Vec<Note> {
    let (ingest, coverage) = (&analysis.ingest, &analysis.coverage);
    let notes = [
        skipped(ingest, coverage),
        malformed(ingest, options),
        unreadable(ingest, options),
        interfaces(
            Code::UnknownInterface,
            &coverage.unknown_interfaces,
            "logged, but in no snapshot",
            options,
        ),
        unlogged(coverage, options),
    ];
    notes.into_iter().flatten().collect()
}

fn skipped(ingest: &Ingest, coverage: &Coverage) -> Option<Note> {
    let (lost, hours) = findings::lost_hours(coverage);
    (ingest.skip_data > 0 || lost > 0).then(|| Note {
        code: Code::SkippedData,
        text: Text::new().plain(&format!(
            "{}: the service lost records in {} of {} ({})",
            human::counted(ingest.skip_data, "SKIPDATA row"),
            human::count(lost),
            human::counted(hours, "interface-hour"),
            human::share(lost, hours),
        )),
        details: Vec::new(),
    })
}

fn malformed(ingest: &Ingest, options: TextOptions) -> Option<Note> {
    (ingest.malformed > 0).then(|| Note {
        code: Code::MalformedLines,
        text: Text::new().plain(&format!(
            "{} could not be read ({} of all)",
            human::counted(ingest.malformed, "line"),
            human::share(ingest.malformed, findings::lines(ingest)),
        )),
        details: ingest
            .malformed_samples
            .iter()
            .take(options.limit(SAMPLES_SHOWN))
            .map(|sample| {
                let place = format!(":{}: {}", human::count(sample.line), sample.reason);
                Text::new().plain(&sample.object).plain(&place)
            })
            .collect(),
    })
}

fn unreadable(ingest: &Ingest, options: TextOptions) -> Option<Note> {
    let number = u64::try_from(ingest.unreadable.len()).unwrap_or(u64::MAX);
    let limit = options.limit(SAMPLES_SHOWN);
    let mut details: Vec<Text> = ingest
        .unreadable
        .iter()
        .take(limit)
        .map(|object| {
            Text::new()
                .plain(&object.object)
                .plain(": ")
                .plain(&object.reason)
        })
        .collect();
    if let Some(more) = ingest
        .unreadable
        .len()
        .checked_sub(limit)
        .filter(|more| *more > 0)
    {
        details.push(Text::new().dim(&format!("... and {more} more")));
    }
    (number > 0).then(|| Note {
        code: Code::UnreadableObject,
        text: Text::new().bad(&format!(
            "{} not read to the end",
            human::counted(number, "object")
        )),
        details,
    })
}

fn interfaces(code: Code, ids: &[EniId], what: &str, options: TextOptions) -> Option<Note> {
    let number = u64::try_from(ids.len()).unwrap_or(u64::MAX);
    let mut text = Text::new().plain(&format!("{} {what}: ", human::counted(number, "interface")));
    let limit = options.limit(INTERFACES_SHOWN);
    for (at, id) in ids.iter().take(limit).enumerate() {
        let comma = if at > 0 { ", " } else { "" };
        text = text.plain(comma).id(id.as_str());
    }
    if let Some(more) = ids.len().checked_sub(limit).filter(|more| *more > 0) {
        text = text.dim(&format!(" and {more} more"));
    }
    (number > 0).then_some(Note {
        code,
        text,
        details: Vec::new(),
    })
}

fn unlogged(coverage: &Coverage, options: TextOptions) -> Option<Note> {
    let mut note = interfaces(
        Code::UnloggedInterface,
        &coverage.unlogged_interfaces,
        "in the snapshot, but never logged",
        options,
    )?;
    let subnets = &coverage.unlogged_subnets;
    let limit = options.limit(INTERFACES_SHOWN);
    let mut dark = Text::new().plain("whole subnets: ");
    for (at, subnet) in subnets.iter().take(limit).enumerate() {
        let comma = if at > 0 { ", " } else { "" };
        dark = dark.plain(comma).id(&subnet.subnet_id);
        dark = dark.plain(&format!(" ({})", subnet.interfaces.len()));
    }
    if let Some(more) = subnets.len().checked_sub(limit).filter(|more| *more > 0) {
        dark = dark.dim(&format!(" and {more} more"));
    }
    note.details.extend((!subnets.is_empty()).then_some(dark));
    Some(note)
}

/// The ledger of hours, without the kinds that there are none of.
fn hours(page: &mut Page, hours: InterfaceHours) {
    let InterfaceHours {
        accepted,
        rejected,
        no_data,
        lost,
        quiet,
        dark,
    } = hours;
    let kinds = [
        (accepted, "with accepted traffic"),
        (rejected, "with REJECTs alone"),
        (no_data, "told empty (NODATA)"),
        (lost, "with losses (SKIPDATA)"),
        (quiet, "quiet"),
        (dark, "dark"),
    ];
    let told = kinds.iter().filter(|(number, _)| *number > 0);
    let parts: Vec<String> = told
        .map(|(number, word)| format!("{} {word}", human::count(*number)))
        .collect();
    if !parts.is_empty() {
        let text = format!("interface-hours: {}", parts.join(", "));
        page.hanging(2, 4, &Text::new().plain(&text));
    }
}

fn unresolved(page: &mut Page, coverage: &Coverage) {
    if coverage.unresolved.is_empty() {
        return;
    }
    let parts: Vec<String> = coverage
        .unresolved
        .iter()
        .map(|(reason, records)| {
            format!("{} {}", human::count(*records), words::unresolved(reason))
        })
        .collect();
    let text = format!("records credited to no rule: {}", parts.join(", "));
    page.hanging(2, 4, &Text::new().plain(&text));
}

/// The last line: whether the proposals may be believed.
pub(super) fn proof(page: &mut Page, analysis: &Analysis, findings: &Findings) {
    let verification = &analysis.verification;
    page.blank();
    if findings.proof_failures > 0 {
        let text = Text::new()
            .bad("PROOF FAILED")
            .plain(" ")
            .strong(Code::ProofFailed.id());
        let counts = format!(
            ": {} broken, {} widened; do not apply these proposals, and report this as a bug",
            human::count(verification.broken),
            human::count(verification.widened),
        );
        return page.hanging(0, 2, &text.plain(&counts));
    }
    if verification.connections == 0 {
        return page.line(0, &Text::new().dim("proof: no conversation to replay"));
    }
    let replayed = human::counted(verification.connections, "conversation");
    let text = Text::new()
        .strong("proof: ")
        .plain(&format!("{replayed} replayed, "));
    let text = text.good("0 broken, 0 widened");
    let unexplained = match verification.unexplained {
        0 => String::new(),
        number => format!(" ({} not explained by today's rules)", human::count(number)),
    };
    page.hanging(0, 2, &text.plain(&unexplained));
}
