//! Identifiers as the cloud prints them, one type a kind so that they cannot
//! be mixed up. They order by their text, so every list sorted by id is the
//! same on every machine.

use std::cmp::Ordering;
use std::fmt;
use std::hash::Hash;
use std::hash::Hasher;
use std::str;
use std::sync::Arc;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as the cloud prints it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> $name {
                $name(Arc::from(text))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                String::deserialize(deserializer).map(|text| $name::from(text.as_str()))
            }
        }
    };
}

text_id! {
    /// Security group id, `sg-…`.
    SgId
}
text_id! {
    /// Security group rule id: `sgr-…` where the snapshot names it, else
    /// `GROUP/DIRECTION/PROTOCOL/FROM-TO/PEER`.
    SgRuleId
}
text_id! {
    /// Subnet (or vSwitch) id.
    SubnetId
}
text_id! {
    /// VPC id.
    VpcId
}
text_id! {
    /// Network ACL id.
    AclId
}
text_id! {
    /// Prefix list id, `pl-…`.
    PrefixListId
}

/// Network interface id, held in place: it is the join key of every record,
/// so it is `Copy` and costs no allocation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EniId {
    /// Invariant: printable ASCII, then zeros, and how many there are of the
    /// first in the last byte; so the order of the bytes is that of the texts.
    parts: [[u8; 8]; 4],
}

impl EniId {
    /// Longest id in bytes; AWS's are 21, Alibaba Cloud's 24.
    pub const CAPACITY: usize = 31;

    /// The id, or `None` where it is empty, too long or not printable ASCII.
    #[must_use]
    pub fn from_bytes(text: &[u8]) -> Option<EniId> {
        let len = u8::try_from(text.len()).ok()?;
        if text.len() > EniId::CAPACITY {
            return None;
        }
        let mut parts = [[0; 8]; 4];
        let bytes = parts.as_flattened_mut();
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        // Over the whole array, whose length is known, this is a few vector steps.
        let graphic = bytes.iter().filter(|byte| byte.is_ascii_graphic()).count();
        let [_, _, _, [.., last]] = &mut parts;
        *last = len;
        (len > 0 && graphic == text.len()).then_some(EniId { parts })
    }

    /// The id, or `None` as in [`EniId::from_bytes`].
    #[must_use]
    pub fn parse(text: &str) -> Option<EniId> {
        EniId::from_bytes(text.as_bytes())
    }

    /// The id as the cloud prints it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let [_, _, _, [.., len]] = self.parts;
        let used = self.parts.as_flattened().get(..usize::from(len));
        str::from_utf8(used.unwrap_or_default()).unwrap_or_default()
    }

    /// Numbers that order as the bytes do.
    #[inline]
    fn numbers(self) -> [u64; 4] {
        self.parts.map(u64::from_be_bytes)
    }
}

impl Ord for EniId {
    #[inline]
    fn cmp(&self, other: &EniId) -> Ordering {
        self.numbers().cmp(&other.numbers())
    }
}

impl PartialOrd for EniId {
    #[inline]
    fn partial_cmp(&self, other: &EniId) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for EniId {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        for number in self.numbers() {
            state.write_u64(number);
        }
    }
}

impl fmt::Debug for EniId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EniId({})", self.as_str())
    }
}

impl fmt::Display for EniId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for EniId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for EniId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<EniId, D::Error> {
        let text = String::deserialize(deserializer)?;
        EniId::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not an interface id")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn interface_ids_order_as_their_texts() {
        let id = |text| EniId::parse(text).unwrap();
        assert!(id("eni-0") < id("eni-00"));
        assert!(id("eni-0f") < id("eni-1"));
        assert_eq!(
            id("eni-0a1b2c3d4e5f60718").as_str(),
            "eni-0a1b2c3d4e5f60718"
        );
    }

    proptest! {
        #[test]
        fn interface_ids_order_and_differ_as_texts_do(one in "[!-~]{1,31}", other in "[!-~]{1,31}", cut in 1_usize..31) {
            let id = |text: &str| EniId::parse(text).unwrap();
            let start = one.get(..cut).unwrap_or(&one);
            for other in [other.as_str(), start] {
                prop_assert_eq!(id(&one).cmp(&id(other)), one.as_str().cmp(other));
                prop_assert_eq!(id(&one) == id(other), one == other);
            }
            let known = id(&one);
            prop_assert_eq!(known.as_str(), one);
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        assert_eq!(EniId::parse(""), None);
        assert_eq!(EniId::parse("eni-\u{e9}"), None);
        assert_eq!(EniId::parse("eni-\0"), None);
        assert_eq!(EniId::parse(&"e".repeat(32)), None);
    }
}
