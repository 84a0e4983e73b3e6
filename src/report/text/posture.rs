//! What rules are by their words alone: a line for each kind, the first of
//! them named.

use crate::model::SgRuleId;
use crate::report::code::Code;
use crate::report::document::Analysis;
use crate::report::human;
use crate::report::page::Page;
use crate::report::page::Text;
use crate::report::text::TextOptions;
use crate::report::text::section::ids;

const SHOWN: usize = 4;

/// Columns of the text behind a code.
const BODY: usize = 9;

/// The kinds that there are, each with its rules.
pub(super) fn by_words(page: &mut Page, analysis: &Analysis, options: TextOptions) {
    let kinds = [
        (Code::OpenToWorld, "sensitive ports open to every address"),
        (Code::AllTraffic, "every protocol and port open"),
        (Code::SelfReference, "open to their own group"),
    ];
    let named = |code: Code| -> Vec<SgRuleId> {
        let rules = analysis
            .security_groups
            .iter()
            .flat_map(|group| &group.rules);
        let own = rules.filter(|rule| rule.codes.iter().any(|own| own == code.id()));
        own.map(|rule| rule.rule_id.clone()).collect()
    };
    let kinds: Vec<_> = kinds.map(|(code, what)| (code, what, named(code))).into();
    if kinds.iter().all(|(_, _, rules)| rules.is_empty()) {
        return;
    }
    page.heading("BY THEIR WORDS", "whatever the logs show");
    for (code, what, rules) in kinds.iter().filter(|(_, _, rules)| !rules.is_empty()) {
        let many = u64::try_from(rules.len()).unwrap_or(u64::MAX);
        let text = Text::new().strong(code.id()).plain("  ");
        let text = text.plain(&format!("{what}: {}, ", human::counted(many, "rule")));
        page.hanging(2, BODY, &text.then(ids(rules, options.limit(SHOWN))));
    }
}
