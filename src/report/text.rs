//! The report that a person reads in a terminal: first the answer, then the
//! evidence, then what could not be known, then the proof.
//!
//! Long lists are cut, and say so; every finding carries its code, which
//! `flowcinch explain` knows. All text goes through `report::page`,
//! so names of others cannot act on the terminal and lines fit its width.

mod answer;
mod coverage;
mod findings;
mod lookup;
mod proposals;
mod rejects;
mod rules;
mod section;

use crate::report::document::Analysis;
use crate::report::findings::Findings;
use crate::report::human;
use crate::report::page::Page;
use crate::report::page::Text;
use crate::report::review::Against;
use crate::report::review::Review;
use crate::report::text::lookup::Lookup;

/// Columns of a page where nothing says how wide the reader's is.
pub const DEFAULT_WIDTH: usize = 100;

/// How the report is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextOptions {
    /// Columns, at least 60.
    pub width: usize,
    /// Whether long lists are shown whole.
    pub full: bool,
    /// Whether ANSI styles are used.
    pub styled: bool,
}

impl Default for TextOptions {
    fn default() -> TextOptions {
        TextOptions {
            width: DEFAULT_WIDTH,
            full: false,
            styled: false,
        }
    }
}

impl TextOptions {
    /// As many of a list as are shown: all, or the given number.
    fn limit(self, short: usize) -> usize {
        if self.full { usize::MAX } else { short }
    }
}

/// The report as text, newline at the end.
#[must_use]
pub fn render(analysis: &Analysis, options: TextOptions) -> String {
    let review = Review::new(analysis, &Against::default());
    reviewed(analysis, &review, options)
}

/// The same with what is new, what is gone, and what was accepted.
#[must_use]
pub fn reviewed(analysis: &Analysis, review: &Review, options: TextOptions) -> String {
    let findings = Findings::of(analysis);
    let lookup = Lookup::new(analysis);
    let mut page = Page::new(options.width, options.styled);
    answer::headline(&mut page, analysis);
    let counted = findings::counted(review, options);
    answer::answer(&mut page, analysis, &findings, &counted);
    findings::all(&mut page, review, options);
    rules::unused(&mut page, analysis, &lookup, options);
    proposals::changes(&mut page, analysis, &lookup, options);
    rejects::rejects(&mut page, analysis, &lookup, options);
    rules::redundant(&mut page, analysis, &lookup, options);
    rules::shadowed(&mut page, analysis, &lookup, options);
    rules::no_effect(&mut page, analysis, &lookup, options);
    findings::by_words(&mut page, review, options);
    rules::recurring(&mut page, analysis, &lookup, options);
    rules::in_doubt(&mut page, analysis, &lookup, options);
    coverage::coverage(&mut page, analysis, options);
    coverage::proof(&mut page, analysis, &findings);
    let help = "what a code means: `flowcinch explain CODE`";
    let cut = if options.full {
        ""
    } else {
        "; lists are cut, `--full` shows all"
    };
    page.line(0, &Text::new().dim(help).dim(cut));
    page.finish()
}

/// Says how many of a list were left out, where any were.
fn left_out(page: &mut Page, indent: usize, total: usize, shown: usize, noun: &str) {
    let Some(more) = total.checked_sub(shown).filter(|more| *more > 0) else {
        return;
    };
    let more = human::count(u64::try_from(more).unwrap_or(u64::MAX));
    let text = format!("... and {more} more {noun} (--full)");
    page.line(indent, &Text::new().dim(&text));
}
