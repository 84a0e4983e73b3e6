//! Tolerant access to JSON objects: the same field may be spelled
//! `GroupId`, `groupId` or `group_id`, be absent, or be `null`.
//!
//! Tolerance ends at the type: a known field that holds something else is a
//! [`Fault`], because reading it as empty would lose rules unsaid.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Map;
use serde_json::Value;

use crate::describe::error::Fault;
use crate::describe::error::quoted;
use crate::net::cidr::host_net;

/// Longest id in bytes. Real ones have at most 40.
const LONGEST_ID: usize = 128;

/// A JSON object whose fields are found whatever their spelling.
#[derive(Clone, Copy, Debug)]
pub(super) struct Object<'a>(&'a Map<String, Value>);

impl<'a> Object<'a> {
    /// The object that a value is, if it is one.
    pub(super) fn of(value: &'a Value) -> Option<Object<'a>> {
        value.as_object().map(Object)
    }

    /// The fields, sorted by key.
    pub(super) fn fields(self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Whether the key is there, with `null` too.
    pub(super) fn has(self, key: &str) -> bool {
        self.find(key).is_some()
    }

    /// The value of a key; `None` for absent and for `null`.
    pub(super) fn field(self, key: &str) -> Option<&'a Value> {
        self.find(key).filter(|value| !value.is_null())
    }

    fn find(self, key: &str) -> Option<&'a Value> {
        self.0.get(key).or_else(|| {
            let alike = self.0.iter().find(|(own, _)| same_key(own, key));
            alike.map(|(_, value)| value)
        })
    }

    /// A text; `None` where it is absent, `null` or empty.
    pub(super) fn text(self, key: &str) -> Result<Option<&'a str>, Fault> {
        match self.field(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(other) => Err(wrong_type(key, other, "text")),
        }
    }

    /// A text that is for people only; empty where absent.
    pub(super) fn words(self, key: &str) -> Result<String, Fault> {
        Ok(self.text(key)?.unwrap_or_default().to_owned())
    }

    /// An id, checked by [`checked_id`]; `None` where absent.
    pub(super) fn optional_id(self, key: &str) -> Result<Option<&'a str>, Fault> {
        self.text(key)?
            .map(|text| checked_id(key, text))
            .transpose()
    }

    /// An id that must be there.
    pub(super) fn id(self, key: &str) -> Result<&'a str, Fault> {
        self.optional_id(key)?
            .ok_or_else(|| Fault::new(format!("`{key}` is missing or empty")))
    }

    /// A whole number, also as text.
    pub(super) fn integer(self, key: &str) -> Result<Option<i64>, Fault> {
        let Some(value) = self.field(key) else {
            return Ok(None);
        };
        let number = match value {
            Value::String(text) if text.is_empty() => return Ok(None),
            Value::String(text) => text.trim().parse().ok(),
            Value::Number(number) => number.as_i64(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        number
            .map(Some)
            .ok_or_else(|| wrong_type(key, value, "a whole number"))
    }

    /// A truth value, also as text.
    pub(super) fn flag(self, key: &str) -> Result<Option<bool>, Fault> {
        match self.field(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(other) => Err(wrong_type(key, other, "true or false")),
        }
    }

    /// A list; empty where it is absent or `null`.
    pub(super) fn list(self, key: &str) -> Result<&'a [Value], Fault> {
        match self.field(key) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(other) => Err(wrong_type(key, other, "a list")),
        }
    }

    /// A list of objects; empty where it is absent or `null`.
    pub(super) fn objects(self, key: &str) -> Result<Vec<Object<'a>>, Fault> {
        let items = self.list(key)?.iter();
        items
            .filter(|item| !item.is_null())
            .map(|item| Object::of(item).ok_or_else(|| wrong_type(key, item, "objects")))
            .collect()
    }

    /// An object.
    pub(super) fn object(self, key: &str) -> Result<Option<Object<'a>>, Fault> {
        self.field(key)
            .map(|value| Object::of(value).ok_or_else(|| wrong_type(key, value, "an object")))
            .transpose()
    }

    /// An address; `None` where absent.
    pub(super) fn address(self, key: &str) -> Result<Option<IpAddr>, Fault> {
        self.text(key)?.map(address).transpose()
    }

    /// A prefix with host bits cleared; `None` where absent.
    pub(super) fn cidr(self, key: &str) -> Result<Option<IpNet>, Fault> {
        self.text(key)?.map(cidr).transpose()
    }
}

/// Reads a prefix and clears its host bits, as the API itself does on
/// storing; a lone address is the prefix of that address.
pub(super) fn cidr(text: &str) -> Result<IpNet, Fault> {
    let net = text.trim().parse::<IpNet>().map(|net| net.trunc());
    net.or_else(|_| text.trim().parse::<IpAddr>().map(host_net))
        .map_err(|_| Fault::new(format!("{} is not a CIDR block", quoted(text))))
}

/// Reads an address.
fn address(text: &str) -> Result<IpAddr, Fault> {
    text.trim()
        .parse()
        .map_err(|_| Fault::new(format!("{} is not an IP address", quoted(text))))
}

/// The text, where it can be an id: 1 to 128 printable ASCII characters
/// without spaces.
pub(super) fn checked_id<'a>(key: &str, text: &'a str) -> Result<&'a str, Fault> {
    let sound = text.len() <= LONGEST_ID && text.bytes().all(|byte| byte.is_ascii_graphic());
    let refused = || Fault::new(format!("`{key}` {} is no id", quoted(text)));
    (sound && !text.is_empty())
        .then_some(text)
        .ok_or_else(refused)
}

/// Whether two keys are one word: case, `_` and `-` do not count.
pub(super) fn same_key(a: &str, b: &str) -> bool {
    fn letters(key: &str) -> impl Iterator<Item = u8> {
        let bytes = key.bytes().filter(|byte| !matches!(byte, b'_' | b'-'));
        bytes.map(|byte| byte.to_ascii_lowercase())
    }
    letters(a).eq(letters(b))
}

fn wrong_type(key: &str, value: &Value, wanted: &str) -> Fault {
    let found = match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => quoted(&flag.to_string()),
        Value::Number(number) => quoted(&number.to_string()),
        Value::String(text) => quoted(text),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    Fault::new(format!("`{key}` holds {found} where {wanted} belongs"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn three_spellings_are_one_key() {
        for value in [
            json!({"GroupId": "sg-1"}),
            json!({"groupId": "sg-1"}),
            json!({"group_id": "sg-1"}),
        ] {
            assert_eq!(Object::of(&value).unwrap().id("GroupId"), Ok("sg-1"));
        }
        assert!(!same_key("GroupIds", "GroupId"));
    }

    #[test]
    fn null_is_absent_and_the_wrong_type_is_a_fault() {
        let value = json!({"IpPermissions": null, "Tags": {}, "FromPort": 4.5});
        let object = Object::of(&value).unwrap();
        assert_eq!(object.objects("IpPermissions").unwrap().len(), 0);
        assert!(object.has("IpPermissions"));
        assert!(object.objects("Tags").is_err());
        assert!(object.integer("FromPort").is_err());
    }

    #[test]
    fn host_bits_are_cleared() {
        assert_eq!(cidr("10.1.2.3/8").unwrap().to_string(), "10.0.0.0/8");
        assert_eq!(cidr("10.1.2.3").unwrap().to_string(), "10.1.2.3/32");
        assert_eq!(cidr("2001:db8::1/64").unwrap().to_string(), "2001:db8::/64");
        assert!(cidr("10.0.0.0/33").is_err());
        assert!(cidr("10.0.0/24").is_err());
    }

    #[test]
    fn ids_are_short_and_printable() {
        assert!(checked_id("GroupId", "").is_err());
        assert!(checked_id("GroupId", &"s".repeat(129)).is_err());
        assert!(checked_id("GroupId", "sg 1").is_err());
        assert_eq!(checked_id("GroupId", "sg-1"), Ok("sg-1"));
    }
}
