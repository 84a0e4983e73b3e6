//! Text of others, made harmless before a terminal shows it.
//!
//! Group names, descriptions, object names and even ids come from files that
//! anyone may have written. A control character could move the cursor, an ANSI
//! escape recolour the page, a bidirectional mark turn a rule around, a
//! newline forge a finding. Each of them is shown as `\u{..}` instead.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

/// The text with every character that acts instead of showing replaced by its
/// `\u{..}` form. Nothing else changes, so inert text stays as it is.
#[must_use]
pub fn inert(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if acts(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// Whether a character does something other than show itself. All that takes
/// no column counts: joiners, bidirectional marks, variation selectors and
/// tags are told apart by no reader.
fn acts(character: char) -> bool {
    let separates = matches!(character, '\u{2028}' | '\u{2029}' | '\u{ad}');
    let marks = matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
    separates || marks || character.width().unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_newlines_and_bidi_marks_are_shown_and_not_done() {
        assert_eq!(inert("\u{1b}[31mred"), "\\u{1b}[31mred");
        assert_eq!(inert("a\nb\r\tc\0"), "a\\u{a}b\\u{d}\\u{9}c\\u{0}");
        assert_eq!(inert("\u{9b}31m"), "\\u{9b}31m");
        assert_eq!(
            inert("x\u{202e}y\u{2066}z\u{feff}"),
            "x\\u{202e}y\\u{2066}z\\u{feff}"
        );
        assert_eq!(inert("a\u{2028}b"), "a\\u{2028}b");
    }

    #[test]
    fn plain_names_stay_as_they_are() {
        for text in ["web-tier (blue)", "caf\u{e9}", "\u{7f51}\u{7edc}", ""] {
            assert!(matches!(inert(text), Cow::Borrowed(same) if same == text));
        }
    }

    proptest! {
        #[test]
        fn what_is_inert_stays_so(text in any::<String>()) {
            let once = inert(&text).into_owned();
            prop_assert!(!once.chars().any(char::is_control));
            prop_assert_eq!(inert(&once), once.as_str());
        }
    }
}
