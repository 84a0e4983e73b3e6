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

/// JSON with every character that acts written as its number, which a reader
/// takes for the same: only strings hold such characters, and those of ASCII
/// are written so already.
#[must_use]
pub fn json(text: String) -> String {
    let hidden = |c: char| c != '\n' && acts(c);
    if shows_itself(&text) || !text.contains(hidden) {
        return text;
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if hidden(character) {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                let escape = format!("\\u{unit:04x}");
                shown.push_str(&escape);
            }
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Whether a text is of nothing but ASCII that shows itself, and newlines.
fn shows_itself(text: &str) -> bool {
    let shows = |byte: &u8| matches!(byte, b'\n' | b' '..=b'~');
    // Chunk by chunk without a way out, which takes many bytes at a time.
    let mut chunks = text.as_bytes().chunks(256);
    chunks.all(|chunk| chunk.iter().fold(true, |all, byte| all & shows(byte)))
}

/// Whether a character does something other than show itself. All that takes
/// no column counts: joiners, bidirectional marks, variation selectors and
/// tags are told apart by no reader.
fn acts(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_control();
    }
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

    #[test]
    fn of_ascii_control_characters_act_and_all_others_show() {
        for character in '\0'..='\u{7f}' {
            assert_eq!(acts(character), character.width().unwrap_or(0) == 0);
            let shown = shows_itself(&character.to_string());
            assert_eq!(shown, character == '\n' || !acts(character));
        }
    }

    proptest! {
        #[test]
        fn json_shows_what_acts_and_means_the_same(text in any::<String>()) {
            let value = serde_json::json!({ text.as_str(): [&text, "\u{9b}\u{202e}\u{e0041}\u{7f}"] });
            let shown = json(format!("{value:#}"));
            prop_assert!(!shown.contains(|c| c != '\n' && acts(c)));
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        }

        #[test]
        fn what_is_inert_stays_so(text in any::<String>()) {
            let once = inert(&text).into_owned();
            prop_assert!(!once.chars().any(char::is_control));
            prop_assert_eq!(inert(&once), once.as_str());
        }
    }
}
