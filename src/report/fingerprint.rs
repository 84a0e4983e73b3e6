//! Short names that are the same in every run: a hash of what a thing is, not
//! of what was counted about it.

use sha2::Digest;
use sha2::Sha256;

/// Sixteen hexadecimal digits of the parts, each told from its neighbours.
#[must_use]
pub fn short(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // The length keeps `ab` + `c` apart from `a` + `bc`.
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut digits = hex(&hash.finalize());
    digits.truncate(16);
    digits
}

/// SHA-256 of the bytes in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes in hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let halves = [byte >> 4, byte & 15].map(|half| char::from_digit(u32::from(half), 16));
        digits.extend(halves.into_iter().flatten());
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart() {
        assert_ne!(short(&["ab", "c"]), short(&["a", "bc"]));
        assert_eq!(short(&["ab", "c"]), short(&["ab", "c"]));
        assert_eq!(short(&[]).len(), 16);
    }

    #[test]
    fn the_hash_is_sha_256() {
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), known);
    }
}
