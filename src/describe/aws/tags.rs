//! Tags: a list of `Key` and `Value`, or AWS Config's plain map.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::describe::error::Fault;
use crate::describe::json::Object;

/// The tags under `Tags`, `TagSet` or Config's `tags`, by key.
pub(in crate::describe) fn tags(resource: Object<'_>) -> Result<BTreeMap<String, String>, Fault> {
    let mut tags = BTreeMap::new();
    for key in ["Tags", "TagSet"] {
        if let Some(map) = resource.field(key).and_then(Object::of) {
            let texts = map
                .fields()
                .filter_map(|(key, value)| Some((key, value.as_str()?)));
            tags.extend(texts.map(|(key, value)| (key.to_owned(), value.to_owned())));
            continue;
        }
        for tag in resource.objects(key)? {
            // A tag's key may be any text, also an empty one.
            let text = |key| tag.field(key).and_then(Value::as_str).unwrap_or_default();
            tags.insert(text("Key").to_owned(), text("Value").to_owned());
        }
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_and_maps_of_tags_are_alike() {
        for value in [
            json!({"Tags": [{"Key": "Name", "Value": "web"}]}),
            json!({"TagSet": [{"Key": "Name", "Value": "web"}]}),
            json!({"tags": {"Name": "web"}}),
        ] {
            let tags = tags(Object::of(&value).unwrap()).unwrap();
            assert_eq!(tags.get("Name").map(String::as_str), Some("web"));
        }
    }
}
