//! Compares what is expected with what was found.
//!
//! An object is expected in part: keys it does not name are free, keys it
//! names must be there. Lists are expected whole and in order, other values as
//! they are. An object whose keys begin with `$` says something of the value;
//! all that it says must hold:
//!
//! | | |
//! |---|---|
//! | `{"$has": [m, …]}` | the list has an item for each |
//! | `{"$lacks": m}` | no item of the list is so |
//! | `{"$count": n}` | the list has so many items |
//! | `{"$says": "words"}` | the text, or some text of the list, holds the words, in any case |
//! | `{"$one_of": [m, …]}` | one of them |
//! | `{"$not": m}` | not so |
//! | `{"$at_least": n}`, `{"$at_most": n}` | a number, or a decimal in text |
//! | `{"$absent": true}` | the key is not there |

use serde_json::Map;
use serde_json::Value;

/// Mismatches, in words.
pub(super) type Faults = Vec<String>;

/// What is found where there is nothing.
const NOTHING: &Value = &Value::Null;

/// Every mismatch below `path`.
pub(super) fn compare(path: &str, expected: &Value, found: &Value) -> Faults {
    at(path, expected, Some(found))
}

fn at(path: &str, expected: &Value, found: Option<&Value>) -> Faults {
    if let Some(said) = operators(expected) {
        let one = |(name, value): (&String, &Value)| operator(path, name, value, found);
        return said.iter().flat_map(one).collect();
    }
    let Some(found) = found else {
        return vec![format!("{path}: there is no such key")];
    };
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => expected
            .iter()
            .flat_map(|(key, value)| at(&format!("{path}.{key}"), value, found.get(key)))
            .collect(),
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => expected
            .iter()
            .zip(found)
            .enumerate()
            .flat_map(|(index, (expected, found))| {
                at(&format!("{path}[{index}]"), expected, Some(found))
            })
            .collect(),
        _ if expected == found => Faults::new(),
        _ => vec![differs(path, expected, found)],
    }
}

fn differs(path: &str, expected: &Value, found: &Value) -> String {
    format!("{path}: expected {expected}, found {found}")
}

/// What an object says of a value, if it is such an object.
fn operators(expected: &Value) -> Option<&Map<String, Value>> {
    let object = expected.as_object()?;
    let said = object.keys().filter(|key| key.starts_with('$')).count();
    assert!(
        said == 0 || said == object.len(),
        "keys and operators are mixed: {expected}"
    );
    (said > 0).then_some(object)
}

fn operator(path: &str, name: &str, value: &Value, found: Option<&Value>) -> Faults {
    if name == "$absent" {
        return check(found.is_none(), path, name, value, found);
    }
    if found.is_none() {
        return vec![format!("{path}: there is no such key")];
    }
    let is = |expected: &Value, found: &Value| at(path, expected, Some(found)).is_empty();
    let found_items = found
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let wanted = || value.as_array().unwrap().iter();
    let own = found.unwrap_or(NOTHING);
    let holds = match name {
        "$has" => wanted().all(|wanted| found_items.iter().any(|item| is(wanted, item))),
        "$lacks" => own.is_array() && !found_items.iter().any(|item| is(value, item)),
        "$count" => own.is_array() && value.as_u64() == u64::try_from(found_items.len()).ok(),
        "$says" => says(own, &value.as_str().unwrap().to_lowercase()),
        "$one_of" => wanted().any(|wanted| is(wanted, own)),
        "$not" => !is(value, own),
        "$at_least" => number(own).is_some_and(|found| Some(found) >= number(value)),
        "$at_most" => number(own).is_some_and(|found| Some(found) <= number(value)),
        _ => panic!("no such operator: `{name}` at {path}"),
    };
    check(holds, path, name, value, found)
}

fn check(holds: bool, path: &str, name: &str, value: &Value, found: Option<&Value>) -> Faults {
    if holds {
        return Faults::new();
    }
    let found = found.unwrap_or(NOTHING);
    vec![format!(
        "{path}: expected {{\"{name}\": {value}}}, found {found}"
    )]
}

fn says(found: &Value, words: &str) -> bool {
    match found {
        Value::String(text) => text.to_lowercase().contains(words),
        Value::Array(items) => items.iter().any(|item| says(item, words)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

fn number(value: &Value) -> Option<u128> {
    match value {
        Value::Number(number) => number.as_u64().map(u128::from),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(expected: &Value, found: &Value) -> bool {
        compare("here", expected, found).is_empty()
    }

    #[test]
    fn an_object_is_expected_in_part_and_a_list_whole() {
        let found = json!({"a": 1, "b": [{"c": 2, "d": 3}, 4]});
        assert!(holds(&json!({"b": [{"c": 2}, 4]}), &found));
        assert!(!holds(&json!({"b": [{"c": 2}]}), &found));
        assert!(!holds(&json!({"b": [4, {"c": 2}]}), &found));
        assert!(!holds(&json!({"a": 2}), &found));
        assert!(!holds(&json!({"unknown": null}), &found));
    }

    #[test]
    fn each_operator_can_fail() {
        let found = json!({"list": ["One word", 2], "text": "12", "n": 5});
        for (good, bad) in [
            (json!({"$has": [2]}), json!({"$has": [2, 3]})),
            (json!({"$lacks": 3}), json!({"$lacks": 2})),
            (json!({"$count": 2}), json!({"$count": 1})),
            (json!({"$says": "one"}), json!({"$says": "two"})),
            (json!({"$not": []}), json!({"$not": ["One word", 2]})),
            (
                json!({"$one_of": [1, ["One word", 2]]}),
                json!({"$one_of": [1]}),
            ),
        ] {
            assert!(holds(&json!({"list": good}), &found), "{good}");
            assert!(!holds(&json!({"list": bad}), &found), "{bad}");
        }
        assert!(holds(
            &json!({"text": {"$at_least": 12, "$at_most": 12}}),
            &found
        ));
        assert!(!holds(&json!({"n": {"$at_least": 6}}), &found));
        assert!(!holds(&json!({"n": {"$at_most": 4}}), &found));
        assert!(!holds(&json!({"list": {"$at_most": 4}}), &found));
        assert!(holds(&json!({"m": {"$absent": true}}), &found));
        assert!(!holds(&json!({"n": {"$absent": true}}), &found));
        assert!(!holds(&json!({"m": {"$not": 3}}), &found));
    }

    #[test]
    #[should_panic(expected = "no such operator")]
    fn an_unknown_operator_is_no_silent_pass() {
        holds(&json!({"$maybe": 1}), &json!(1));
    }
}
