//! AWS Config items: a resource at a moment, with the describe answer inside.
//!
//! A snapshot has one item a resource, a history several. All are kept in
//! order of time; what they make together, `history` knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::describe::aws::answer::Answer;
use crate::describe::error::Fault;
use crate::describe::json::Object;
use crate::net::Timestamp;

/// One state of one resource.
#[derive(Clone, Debug)]
pub(in crate::describe) struct Item {
    /// Capture time and `configurationStateId`: newer is greater.
    rank: (Option<Timestamp>, i64),
    /// Whether the resource began with it.
    pub(in crate::describe) discovered: bool,
    /// Whether such changes are recorded once a day, and not as they come.
    pub(in crate::describe) daily: bool,
    /// What it was.
    pub(in crate::describe) state: State,
    /// The file that holds the item.
    pub(in crate::describe) file: Arc<str>,
}

impl Item {
    /// From when on the state held.
    pub(in crate::describe) fn since(&self) -> Option<Timestamp> {
        self.rank.0
    }
}

/// What an item says of its resource.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::describe) enum State {
    /// It exists, and this describes it.
    Described(Value),
    /// It exists, and the item does not describe it.
    Undescribed,
    /// It exists no more.
    Deleted,
}

/// Items of all resources, by kind and id.
#[derive(Debug, Default)]
pub(in crate::describe) struct Timeline(BTreeMap<(Answer, String), Vec<Item>>);

impl Timeline {
    /// Adds an item; kinds of resources that are not used here are passed
    /// over. Returns the answer that the item belongs to.
    pub(in crate::describe) fn add(
        &mut self,
        object: Object<'_>,
        file: &Arc<str>,
    ) -> Result<Option<Answer>, Fault> {
        let kind = object.text("resourceType")?.unwrap_or_default();
        let Some(answer) = Answer::of_config_type(kind) else {
            return Ok(None);
        };
        let id = object
            .id("resourceId")
            .map_err(|fault| fault.of("AWS Config item of", kind))?;
        let item = item(object, file).map_err(|fault| fault.of("AWS Config item of", id))?;
        self.0
            .entry((answer, id.to_owned()))
            .or_default()
            .push(item);
        Ok(Some(answer))
    }

    /// The items of every resource in order of time, without those that say the
    /// same as the one before them: the same item in two files, or a change
    /// that did not touch the resource itself.
    pub(in crate::describe) fn resources(
        self,
    ) -> impl Iterator<Item = (Answer, String, Vec<Item>)> {
        self.0.into_iter().map(|((answer, id), mut items)| {
            // Stable: of items with one rank the later file's is the newest.
            items.sort_by_key(|item| item.rank);
            items.dedup_by(|later, first| later.state == first.state);
            (answer, id, items)
        })
    }
}

fn item(object: Object<'_>, file: &Arc<str>) -> Result<Item, Fault> {
    let time = object.text("configurationItemCaptureTime")?;
    let status = object.text("configurationItemStatus")?.unwrap_or_default();
    let state = if status.to_ascii_lowercase().contains("deleted") {
        State::Deleted
    } else {
        configuration(object)?.map_or(State::Undescribed, State::Described)
    };
    let frequency = object.text("recordingFrequency")?.unwrap_or_default();
    Ok(Item {
        discovered: status.eq_ignore_ascii_case("ResourceDiscovered"),
        daily: frequency.eq_ignore_ascii_case("DAILY"),
        rank: (
            time.and_then(Timestamp::parse_rfc3339),
            object.integer("configurationStateId")?.unwrap_or(0),
        ),
        state,
        file: Arc::clone(file),
    })
}

/// The answer inside: an object in files, JSON in a text from the API.
fn configuration(object: Object<'_>) -> Result<Option<Value>, Fault> {
    let value = match object.field("configuration") {
        Some(Value::String(text)) if text.trim().is_empty() => None,
        Some(Value::String(text)) => serde_json::from_str(text)
            .map_err(|error| Fault::new(format!("`configuration` is not JSON ({error})")))?,
        other => other.cloned(),
    };
    Ok(value.filter(Value::is_object))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The newest state of each resource, and how many it had.
    fn newest(items: &[Value]) -> Vec<(State, usize)> {
        let mut timeline = Timeline::default();
        for item in items {
            timeline
                .add(Object::of(item).unwrap(), &Arc::from("a.json"))
                .unwrap();
        }
        let last = |(_, _, items): (Answer, String, Vec<Item>)| {
            (items.last().unwrap().state.clone(), items.len())
        };
        timeline.resources().map(last).collect()
    }

    fn state(time: &str, status: &str, name: &str) -> Value {
        json!({"resourceType": "AWS::EC2::SecurityGroup", "resourceId": "sg-1",
            "configurationItemCaptureTime": time, "configurationItemStatus": status,
            "configuration": {"groupId": "sg-1", "groupName": name}})
    }

    #[test]
    fn the_newest_state_counts_whatever_the_order() {
        let old = state("2026-03-01T10:00:00.000Z", "OK", "old");
        let new = state("2026-03-02T10:00:00.000Z", "OK", "new");
        let described = State::Described(new["configuration"].clone());
        assert_eq!(
            newest(&[new.clone(), old.clone()]),
            [(described.clone(), 2)]
        );
        assert_eq!(newest(&[old, new.clone(), new]), [(described, 2)]);
    }

    #[test]
    fn a_resource_whose_newest_item_is_a_deletion_is_gone() {
        let old = state("2026-03-01T10:00:00.000Z", "OK", "old");
        let gone = state("2026-03-02T10:00:00.000Z", "ResourceDeletedNotRecorded", "");
        assert_eq!(newest(&[gone, old]), [(State::Deleted, 2)]);
    }

    #[test]
    fn a_configuration_in_a_text_is_parsed_again() {
        let item = json!({"resourceType": "AWS::EC2::SecurityGroup", "resourceId": "sg-1",
            "configurationStateId": "1772359200000", "configuration": "{\"groupId\":\"sg-1\"}"});
        assert_eq!(
            newest(&[item]),
            [(State::Described(json!({"groupId": "sg-1"})), 1)]
        );
        let mut timeline = Timeline::default();
        let broken = json!({"resourceType": "AWS::EC2::SecurityGroup", "resourceId": "sg-1", "configuration": "{"});
        assert!(
            timeline
                .add(Object::of(&broken).unwrap(), &Arc::from("a.json"))
                .is_err()
        );
    }
}
