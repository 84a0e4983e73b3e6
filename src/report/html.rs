//! The report as one HTML file: nothing is fetched, so it opens from a mail
//! attachment, from a disk, in ten years.
//!
//! The answer, the worst findings, the largest openings and the coverage are
//! plain HTML (`view`), readable without a script. What is long (all findings,
//! groups with their rules, REJECTs, who talks to whom) rides along as compressed JSON (`payload`) and is drawn
//! by the script of the page when it is looked at: a thousand groups stay a
//! small file that opens at once.
//!
//! Text of others is made inert before it enters the file, is escaped by the
//! template, and is set as text and never as markup by the script; a content
//! security policy lets this very script run and nothing else.

mod payload;
mod view;

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::AutoEscape;
use minijinja::Environment;
use minijinja::value::Serde;
use sha2::Digest;
use sha2::Sha256;

use crate::report::document::Analysis;
use crate::report::html::view::View;
use crate::report::review::Review;

const PAGE: &str = include_str!("html/page.html");
const STYLE: &str = include_str!("html/style.css");
/// In the order in which one uses the other.
const SCRIPTS: [&str; 9] = [
    include_str!("html/dom.js"),
    include_str!("html/words.js"),
    include_str!("html/proposal.js"),
    include_str!("html/rules.js"),
    include_str!("html/groups.js"),
    include_str!("html/findings.js"),
    include_str!("html/rejects.js"),
    include_str!("html/map.js"),
    include_str!("html/main.js"),
];

/// Why no page could be made: a fault of the program, not of the analysis.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HtmlError {
    /// The template does not fit what it is given.
    #[error("the page cannot be made, please report it")]
    Template(#[from] minijinja::Error),
    /// The data cannot be packed.
    #[error("the data of the page cannot be packed")]
    Payload(#[from] io::Error),
}

/// The page, UTF-8.
///
/// # Errors
/// See [`HtmlError`].
pub fn render(analysis: &Analysis, review: &Review) -> Result<String, HtmlError> {
    let script = script();
    let view = View::of(analysis, review);
    let data = payload::pack(analysis, review)?;
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_template("page", PAGE)?;
    let page = environment.get_template("page")?;
    let context = minijinja::context! {
        script_hash => STANDARD.encode(Sha256::digest(hashed(&script))),
        script,
        style => STYLE,
        data,
        ..minijinja::Value::from(Serde(&view))
    };
    Ok(page.render(context)?)
}

/// All scripts as one, in a scope of its own.
fn script() -> String {
    let body = SCRIPTS.concat();
    format!("\"use strict\";\n(() => {{\n{body}}})();\n")
}

/// What stands between the tags of the script, as the template writes it: the
/// policy's hash is over these bytes.
fn hashed(script: &str) -> String {
    format!("\n{script}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_close_no_element_that_holds_them() {
        let script = script().to_lowercase();
        assert!(!script.contains("</script") && !script.contains("<!--"));
        assert!(!STYLE.to_lowercase().contains("</style"));
    }

    #[test]
    fn the_script_sets_text_and_never_markup() {
        for markup in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
        ] {
            assert!(!script().contains(markup), "{markup}");
        }
    }
}
