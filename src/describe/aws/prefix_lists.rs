//! Prefix lists, told in two halves: `describe-managed-prefix-lists` names
//! them, `get-managed-prefix-list-entries` prints entries without the name.
//! The older `describe-prefix-lists` has both (`Cidrs`) for AWS's own lists.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde_json::Value;

use crate::describe::error::Fault;
use crate::describe::json::Object;
use crate::describe::json::cidr;
use crate::model::PrefixList;
use crate::model::PrefixListId;

/// What is known of a list so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::describe) struct ListDraft {
    name: Option<String>,
    aws_managed: bool,
    max_entries: Option<u32>,
    entries: Option<BTreeSet<IpNet>>,
}

impl ListDraft {
    /// A list of which only entries are known.
    pub(in crate::describe) fn of_entries(entries: BTreeSet<IpNet>) -> ListDraft {
        ListDraft {
            entries: Some(entries),
            ..ListDraft::default()
        }
    }

    /// Adds what another answer tells. Entries of the same file are further
    /// pages and add up; those of another file replace. Returns whether the
    /// two disagree.
    pub(in crate::describe) fn tell(&mut self, other: ListDraft, same_file: bool) -> bool {
        fn replace<T: PartialEq>(held: &mut Option<T>, told: Option<T>) -> bool {
            let differ = held
                .as_ref()
                .zip(told.as_ref())
                .is_some_and(|(a, b)| a != b);
            *held = told.or(held.take());
            differ
        }
        let ListDraft {
            name,
            aws_managed,
            max_entries,
            entries,
        } = other;
        self.aws_managed |= aws_managed;
        let mut differ = replace(&mut self.name, name);
        differ |= replace(&mut self.max_entries, max_entries);
        match (&mut self.entries, entries) {
            (Some(held), Some(told)) if same_file => held.extend(told),
            (held, told) => differ |= replace(held, told),
        }
        differ
    }

    /// The list.
    pub(in crate::describe) fn finish(self, id: PrefixListId) -> PrefixList {
        let name = self.name.unwrap_or_default();
        PrefixList {
            aws_managed: self.aws_managed || name.starts_with("com.amazonaws."),
            name,
            max_entries: self.max_entries,
            entries: self.entries.map(|entries| entries.into_iter().collect()),
            id,
        }
    }
}

/// Reads one list of `PrefixLists`.
pub(in crate::describe) fn list(object: Object<'_>) -> Result<(PrefixListId, ListDraft), Fault> {
    let id = object
        .id("PrefixListId")
        .map_err(|fault| fault.of("prefix list", "?"))?;
    let inner = || -> Result<ListDraft, Fault> {
        let own = ["Cidrs", "Entries"]
            .into_iter()
            .find(|key| object.field(key).is_some());
        let maximum = object.integer("MaxEntries")?;
        Ok(ListDraft {
            name: object.text("PrefixListName")?.map(str::to_owned),
            aws_managed: object
                .text("OwnerId")?
                .is_some_and(|owner| owner.eq_ignore_ascii_case("AWS")),
            max_entries: maximum.and_then(|count| u32::try_from(count).ok()),
            entries: own.map(|key| entries(object.list(key)?)).transpose()?,
        })
    };
    let draft = inner().map_err(|fault| fault.of("prefix list", id))?;
    Ok((PrefixListId::from(id), draft))
}

/// Reads entries: objects with `Cidr`, or plain texts.
pub(in crate::describe) fn entries(items: &[Value]) -> Result<BTreeSet<IpNet>, Fault> {
    let items = items.iter().filter(|item| !item.is_null());
    items.map(entry).collect()
}

fn entry(item: &Value) -> Result<IpNet, Fault> {
    if let Some(text) = item.as_str() {
        return cidr(text);
    }
    let found = Object::of(item)
        .map(|entry| entry.cidr("Cidr"))
        .transpose()?;
    found
        .flatten()
        .ok_or_else(|| Fault::new("a prefix list entry without `Cidr`"))
}

/// The id of the list in a file's name, `…pl-0123….json`.
pub(in crate::describe) fn id_in_name(file: &str) -> Option<PrefixListId> {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let starts = name.match_indices("pl-").filter(|&(at, _)| {
        let before = name.get(..at).and_then(|head| head.chars().next_back());
        before.is_none_or(|letter| !letter.is_ascii_alphanumeric())
    });
    let id = |(at, start): (usize, &str)| {
        let rest = name.get(at + start.len()..)?;
        let length = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        (length >= 4).then_some(name.get(at..at + start.len() + length)?)
    };
    starts.filter_map(id).last().map(PrefixListId::from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_id_of_a_list_is_found_in_a_file_name() {
        let id = |name| id_in_name(name).map(|id| id.to_string());
        assert_eq!(
            id("a/entries-pl-0123456789abcdef0.json"),
            Some("pl-0123456789abcdef0".to_owned())
        );
        assert_eq!(id("pl-63a5400a.json.gz"), Some("pl-63a5400a".to_owned()));
        assert_eq!(id("pl-63a5400a/entries.json"), None);
        assert_eq!(id("simpl-0123456.json"), None);
        assert_eq!(id("pl-list.json"), None);
    }

    #[test]
    fn the_older_call_prints_name_and_entries_at_once() {
        let value = json!({"PrefixListId": "pl-1", "PrefixListName": "com.amazonaws.eu-west-1.s3",
            "Cidrs": ["192.0.2.0/24", "198.51.100.7/24"]});
        let (id, draft) = list(Object::of(&value).unwrap()).unwrap();
        let list = draft.finish(id);
        assert!(list.aws_managed);
        let texts: Vec<String> = list.entries.unwrap().iter().map(IpNet::to_string).collect();
        assert_eq!(texts, ["192.0.2.0/24", "198.51.100.0/24"]);
    }

    #[test]
    fn pages_of_one_file_add_up_and_another_file_replaces() {
        let page = |text: &str| ListDraft::of_entries(entries(&[json!({ "Cidr": text })]).unwrap());
        let mut draft = page("10.0.0.0/16");
        assert!(!draft.tell(page("10.1.0.0/16"), true));
        assert!(draft.tell(page("10.1.0.0/16"), false));
        let list = draft.finish(PrefixListId::from("pl-1"));
        assert_eq!(list.entries.unwrap().len(), 1);
    }
}
