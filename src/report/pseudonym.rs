//! Addresses under other names, for those who may read an analysis but not
//! learn the network.
//!
//! Keyed and prefix-preserving: two addresses that share so many leading bits
//! still do, so a host stays within its prefix and every comparison of the
//! analysis stays true; with the same key the same address always has the same
//! name, without it nobody can tell which. Every text of the document is
//! searched, ids that hold a prefix and names of hosts (`ip-10-0-0-1`) as well.
//! Names, ids and accounts are no addresses and stay. Where a text may or may not
//! hold an address, it is taken for one: what was none is then hard to read, and
//! what was one is not told.

mod places;

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use serde_json::Value;
use sha2::Digest;
use sha2::Sha256;

use crate::report::document::Analysis;
use crate::report::pseudonym::places::Found;
use crate::report::pseudonym::places::Place;

/// Fewest bytes of a key.
const SHORTEST: usize = 16;

/// A key, which must be kept as secret as the addresses.
#[derive(Clone)]
pub struct Key(Vec<u8>);

impl std::fmt::Debug for Key {
    /// Says nothing of it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Why a document cannot be given other addresses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PseudonymError {
    /// The key is too short to keep anything secret.
    #[error("a key needs at least {SHORTEST} bytes, take `head -c 32 /dev/urandom > FILE`")]
    Short,
    /// The document has no JSON form.
    #[error("the analysis cannot be given other addresses")]
    Document(#[from] serde_json::Error),
}

impl Key {
    /// A key of these bytes.
    pub fn new(bytes: Vec<u8>) -> Result<Key, PseudonymError> {
        if bytes.len() < SHORTEST {
            return Err(PseudonymError::Short);
        }
        Ok(Key(bytes))
    }

    /// The analysis with other addresses in all its texts.
    pub fn analysis(&self, analysis: &Analysis) -> Result<Analysis, PseudonymError> {
        let mut value = serde_json::to_value(analysis)?;
        self.value(&mut value);
        let hidden = serde_json::from_value(value)?;
        Ok(Analysis {
            pseudonymised: true,
            ..hidden
        })
    }

    /// The same of any JSON, in names as well.
    pub fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(map) => {
                let items = std::mem::take(map).into_iter();
                map.extend(items.map(|(key, mut item)| {
                    self.value(&mut item);
                    (self.text(&key), item)
                }));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The text with every address in it replaced.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        let mut before = None;
        while let Some(first) = rest.chars().next() {
            let place = places::at_start(rest, before);
            let length = place.map_or(first.len_utf8(), Place::bytes);
            let (head, tail) = rest.split_at_checked(length).unwrap_or((rest, ""));
            match place {
                Some(Place::Address(found)) => out.push_str(&self.shown(&found)),
                Some(Place::Date(_)) | None => out.push_str(head),
            }
            before = head.chars().next_back();
            rest = tail;
        }
        out
    }

    /// Written as it was found.
    fn shown(&self, found: &Found) -> String {
        let most = if found.address.is_ipv4() { 32 } else { 128 };
        let mapped = self.address(found.address, found.length.unwrap_or(most));
        let mut text = mapped.to_string();
        if found.separator != '.' {
            text = text.replace('.', &found.separator.to_string());
        }
        match found.length {
            Some(length) => format!("{text}/{length}"),
            None => text,
        }
    }

    /// The first bits replaced, the others zero.
    fn address(&self, address: IpAddr, length: u32) -> IpAddr {
        match address {
            IpAddr::V4(address) => {
                let bits = u128::from(address.to_bits()) << 96;
                let mapped = self.bits(4, bits, length) >> 96;
                let mapped = u32::try_from(mapped).unwrap_or_default();
                IpAddr::V4(Ipv4Addr::from_bits(mapped))
            }
            IpAddr::V6(address) => {
                let mapped = self.bits(6, address.to_bits(), length);
                IpAddr::V6(Ipv6Addr::from_bits(mapped))
            }
        }
    }

    /// Each bit is turned or not by what stands before it.
    fn bits(&self, family: u8, bits: u128, length: u32) -> u128 {
        let mut mapped = 0;
        for at in 0..length.min(128) {
            let place = 1_u128 << (127 - at);
            let prefix = bits & !(place | (place - 1));
            if (bits & place != 0) != self.turns(family, at, prefix) {
                mapped |= place;
            }
        }
        mapped
    }

    fn turns(&self, family: u8, at: u32, prefix: u128) -> bool {
        // The key stands on both sides, so that no hash can be carried on.
        let mut hash = Sha256::new();
        hash.update(&self.0);
        hash.update([family]);
        hash.update(at.to_be_bytes());
        hash.update(prefix.to_be_bytes());
        hash.update(&self.0);
        hash.finalize().first().is_some_and(|byte| byte & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> Key {
        Key::new(b"0123456789abcdef".to_vec()).unwrap()
    }

    #[test]
    fn addresses_are_found_in_any_text() {
        let key = key();
        let other = key.text("10.1.2.3");
        assert_ne!(other, "10.1.2.3");
        assert_eq!(key.text("from 10.1.2.3."), format!("from {other}."));
        assert_eq!(key.text("(10.1.2.3:443)"), format!("({other}:443)"));
        let net = key.text("10.1.0.0/16");
        assert!(net.ends_with(".0.0/16") && net != "10.1.0.0/16");
        assert_eq!(
            key.text("sg-1/ingress/tcp/22-22/10.1.0.0/16"),
            format!("sg-1/ingress/tcp/22-22/{net}")
        );
        assert_ne!(key.text("2001:db8::1"), "2001:db8::1");
        for same in [
            "0.0.0.0/0",
            "::/0",
            "2026-11-01T02:11:04Z",
            "sg-0abc",
            "face",
            "a::bz",
            "AWS::EC2::Instance",
            "logs/2026-11-01-02-03-04.gz",
            "arn:aws:ec2:eu-west-1::rule",
            "",
        ] {
            assert_eq!(key.text(same), same);
        }
    }

    #[test]
    fn addresses_are_found_however_they_are_written() {
        let key = key();
        let other = key.text("10.1.2.3");
        let dashed = other.replace('.', "-");
        for (text, expected) in [
            ("src:10.1.2.3", format!("src:{other}")),
            ("cidr:10.1.2.3", format!("cidr:{other}")),
            ("10.1.2.3..10.1.2.3", format!("{other}..{other}")),
            ("db10.1.2.3_old", format!("db{other}_old")),
            ("010.001.002.003", other.clone()),
            ("2026-11-01-10-1-2-3", format!("2026-11-01-{dashed}")),
            ("2026-11-10.1.2.3", format!("2026-11-{other}")),
            ("10.1.2.3/443", format!("{other}/443")),
            ("ip-10-1-2-3.internal", format!("ip-{dashed}.internal")),
            (
                "tcp_8443_10_1_2_3",
                format!("tcp_8443_{}", other.replace('.', "_")),
            ),
        ] {
            assert_eq!(key.text(text), expected, "{text}");
        }
        let six = key.text("2001:db8::1");
        for (text, expected) in [
            ("[2001:db8::1]:443", format!("[{six}]:443")),
            ("src:2001:db8::1.", format!("src:{six}.")),
            ("2001:db8::1_web", format!("{six}_web")),
        ] {
            assert_eq!(key.text(text), expected, "{text}");
        }
        let mut value = serde_json::json!({"10.1.2.3": ["10.1.2.3"]});
        key.value(&mut value);
        assert_eq!(value, serde_json::json!({other.as_str(): [other]}));
    }

    #[test]
    fn a_short_key_is_refused() {
        assert!(Key::new(b"short".to_vec()).is_err());
        assert_eq!(format!("{:?}", key()), "Key(..)");
    }

    proptest! {
        #[test]
        fn no_text_around_an_address_hides_it(
            before in "([ -~]{0,8}|[a-f0-9:._-]{0,8}|(19|20)[0-9]{2}(-[0-9]{1,2}){0,6})([ -/:-~]|)",
            last in 0..=255_u8,
            after in "(|[ -/:-~])([ -~]{0,8}|[a-f:.]{0,4})",
        ) {
            let digit = |letter: Option<char>| letter.is_some_and(|c| c.is_ascii_digit());
            prop_assume!(!digit(before.chars().next_back()) && !digit(after.chars().next()));
            let shown = key().text(&format!("{before}203.0.113.{last}{after}"));
            prop_assert!(!shown.contains("203.0.113."), "{}", shown);
        }

        #[test]
        fn shared_prefixes_stay_shared_and_no_more(a in any::<u32>(), b in any::<u32>()) {
            let key = key();
            let map = |bits: u32| match key.address(IpAddr::V4(Ipv4Addr::from_bits(bits)), 32) {
                IpAddr::V4(address) => address.to_bits(),
                IpAddr::V6(_) => panic!("another family"),
            };
            prop_assert_eq!((a ^ b).leading_zeros(), (map(a) ^ map(b)).leading_zeros());
        }
    }
}
