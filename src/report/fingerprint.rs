//! Short names that are the same in every run: a hash of what a thing is, not
//! of what was counted about it.

use sha2::Digest;
use sha2::Sha256;

use crate::checksum;

/// Sixteen hexadecimal digits of the parts, each told from its neighbours.
#[must_use]
pub fn short(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // The length keeps `ab` + `c` apart from `a` + `bc`.
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut digits = checksum::hex(&hash.finalize());
    digits.truncate(16);
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
}
