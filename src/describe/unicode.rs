//! Text encodings: byte order marks, and the UTF-16 that some shells write
//! when the output of a command is redirected into a file.

use std::borrow::Cow;

const UTF8_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];
const UTF16_LITTLE: [u8; 2] = [0xff, 0xfe];
const UTF16_BIG: [u8; 2] = [0xfe, 0xff];

/// The text in UTF-8 without a byte order mark. Halves of surrogate pairs
/// become U+FFFD; text without a mark is returned as it is.
pub(super) fn utf8(text: &[u8]) -> Cow<'_, [u8]> {
    if let Some(rest) = text.strip_prefix(&UTF8_MARK) {
        return Cow::Borrowed(rest);
    }
    if let Some(rest) = text.strip_prefix(&UTF16_LITTLE) {
        return Cow::Owned(from_utf16(rest, u16::from_le_bytes));
    }
    if let Some(rest) = text.strip_prefix(&UTF16_BIG) {
        return Cow::Owned(from_utf16(rest, u16::from_be_bytes));
    }
    Cow::Borrowed(text)
}

/// Whether text that starts like this can only be meant as JSON: an object or
/// a list, after a mark and spaces.
pub(super) fn opens_json(start: &[u8]) -> bool {
    let text = utf8(start);
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'['))
}

fn from_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Vec<u8> {
    let (pairs, _) = bytes.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|&pair| unit(pair)).collect();
    String::from_utf16_lossy(&units).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_no_text() {
        assert_eq!(utf8(b"\xef\xbb\xbf{}").as_ref(), b"{}");
        assert_eq!(utf8(b"\xff\xfe{\0}\0").as_ref(), b"{}");
        assert_eq!(utf8(b"\xfe\xff\0{\0}").as_ref(), b"{}");
        assert!(opens_json(b"\xff\xfe \0{\0"));
        assert!(!opens_json(b"version account-id"));
        assert!(!opens_json(b""));
    }
}
