//! Text of files -> JSON documents -> resources -> [`Snapshot`]. No I/O.
//!
//! A file may be one answer, several in one object, pages one after the
//! other, a list of pages, a list of bare resources, or any of these in
//! `{"data": …}`. Whatever holds a known answer is read; a file that holds
//! none is noted.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Deserializer;
use serde_json::Value;

use crate::describe::alibaba;
use crate::describe::alibaba::pages::Totals;
use crate::describe::aws::answer::Answer;
use crate::describe::aws::config::Item;
use crate::describe::aws::config::State;
use crate::describe::aws::config::Timeline;
use crate::describe::aws::prefix_lists;
use crate::describe::error::DescribeError;
use crate::describe::error::Fault;
use crate::describe::gaps;
use crate::describe::history;
use crate::describe::history::Life;
use crate::describe::json::Object;
use crate::describe::note::Doubt;
use crate::describe::note::Note;
use crate::describe::note::Notes;
use crate::describe::note::subject;
use crate::describe::shelves::Shelves;
use crate::describe::unicode::utf8;
use crate::model::PrefixListId;
use crate::model::Provider;
use crate::model::Snapshot;
use crate::model::snapshot::Part;
use crate::net::Timestamp;

/// A snapshot, and what it leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// What was told, in its newest state.
    pub snapshot: Snapshot,
    /// The states before it that AWS Config tells, oldest first.
    pub earlier: Vec<Snapshot>,
    /// What is missing or could not be resolved, sorted by code.
    pub notes: Vec<Note>,
}

/// Gathers describe answers, file by file, into one snapshot.
///
/// Files are added in the order of their paths: of two descriptions of one
/// resource that differ, the one added last counts.
#[derive(Debug, Default)]
pub struct Collector {
    parts: BTreeSet<Part>,
    shelves: Shelves,
    config: Timeline,
    instances: bool,
    pages: BTreeMap<Answer, Pages>,
    /// Whether answers of AWS, and of Alibaba Cloud, were among them.
    aws: bool,
    alibaba: bool,
    totals: Totals,
    notes: Notes,
}

/// Pages of one kind of answer: those that announce a further one, and those
/// that do not.
#[derive(Debug, Default)]
struct Pages {
    announcing: BTreeSet<String>,
    last: usize,
}

impl Collector {
    /// Reads the text of one file (unpacked). `file` names it in errors and
    /// notes; an id of a prefix list in it is the id of entries inside.
    ///
    /// # Errors
    /// Text that is not JSON, and values that no API prints.
    pub fn add(&mut self, file: &str, text: &[u8]) -> Result<(), DescribeError> {
        let name: Arc<str> = Arc::from(file);
        let text = utf8(text);
        let (mut documents, mut known) = (0_usize, false);
        for document in Deserializer::from_slice(&text).into_iter::<Value>() {
            let document = document.map_err(|error| syntax(file, &error))?;
            documents += 1;
            known |= self
                .document(&document, &name)
                .map_err(|fault| fault.in_file(file))?;
        }
        if documents == 0 {
            return Err(empty(file));
        }
        if !known {
            self.notes.about(Doubt::SKIPPED_FILE, subject(file));
        }
        Ok(())
    }

    /// Notes a file that was not read because it is no JSON.
    pub(super) fn skip(&mut self, file: &str) {
        self.notes.about(Doubt::SKIPPED_FILE, subject(file));
    }

    /// Notes the time that a name below the folder is, beside other times.
    pub(super) fn dated_inside(&mut self, name: &str) {
        self.notes.about(Doubt::SEVERAL_DATES, subject(name));
    }

    /// Whether anything known was in the document. Recursion is bounded by
    /// the depth that the JSON parser allows.
    fn document(&mut self, value: &Value, file: &Arc<str>) -> Result<bool, Fault> {
        if let Value::Array(items) = value {
            let mut known = false;
            for item in items {
                known |= self.document(item, file)?;
            }
            return Ok(known);
        }
        let Some(object) = Object::of(value) else {
            return Ok(false);
        };
        if own_output(object) {
            return Ok(false);
        }
        if self.alibaba_answers(object, file)? {
            return Ok(true);
        }
        if let Some(answer) = Answer::holding(object) {
            self.aws = true;
            self.take(answer, std::slice::from_ref(value), object, file)?;
            return Ok(true);
        }
        self.answers(object, file)
    }

    fn answers(&mut self, object: Object<'_>, file: &Arc<str>) -> Result<bool, Fault> {
        let mut known = false;
        for (answer, items) in Answer::within(object) {
            self.count_page(answer, object, file);
            self.take(answer, items, object, file)?;
            self.aws = true;
            known = true;
        }
        if !known && let Some(data) = object.field("data") {
            return self.document(data, file);
        }
        for (key, value) in object.fields().filter(|(key, _)| key.starts_with("pl-")) {
            known |= self.keyed_entries(key, value, file)?;
        }
        Ok(known)
    }

    /// Answers of Alibaba Cloud, whose lists stand within an object.
    fn alibaba_answers(&mut self, object: Object<'_>, file: &Arc<str>) -> Result<bool, Fault> {
        let mut known = false;
        for (answer, items) in alibaba::answer::Answer::within(object) {
            self.parts.extend(answer.part());
            self.totals.count(answer, object, file)?;
            let notes = &mut self.notes;
            self.shelves
                .put_alibaba(answer, items, object, file, notes)?;
            known = true;
        }
        self.alibaba |= known;
        Ok(known)
    }

    /// `{"pl-…": {"Entries": …}}`, also with pages or entries as a list.
    fn keyed_entries(&mut self, key: &str, value: &Value, file: &Arc<str>) -> Result<bool, Fault> {
        let id = PrefixListId::from(key);
        match value {
            Value::Object(_) => {
                let Some(object) = Object::of(value).filter(|object| object.has("Entries")) else {
                    return Ok(false);
                };
                let entries = object.list("Entries")?;
                self.shelves
                    .put_entries(id, entries, file, &mut self.notes)?;
                Ok(true)
            }
            Value::Array(items)
                if items
                    .iter()
                    .all(|item| Object::of(item).is_some_and(|item| item.has("Entries"))) =>
            {
                for page in items {
                    self.keyed_entries(key, page, file)?;
                }
                Ok(!items.is_empty())
            }
            Value::Array(items) => {
                self.shelves.put_entries(id, items, file, &mut self.notes)?;
                Ok(true)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(false),
        }
    }

    fn take(
        &mut self,
        answer: Answer,
        items: &[Value],
        document: Object<'_>,
        file: &Arc<str>,
    ) -> Result<(), Fault> {
        self.parts.extend(answer.part());
        match answer {
            Answer::Entries => return self.take_entries(items, document, file),
            Answer::Instances | Answer::Reservations => self.instances = true,
            Answer::SecurityGroups
            | Answer::SecurityGroupRules
            | Answer::NetworkInterfaces
            | Answer::NetworkAcls
            | Answer::Subnets
            | Answer::Vpcs
            | Answer::PrefixLists
            | Answer::FlowLogs
            | Answer::VpcAssociations
            | Answer::VpcPeerings
            | Answer::ConfigurationItems => {}
        }
        for item in items.iter().filter_map(Object::of) {
            if answer == Answer::ConfigurationItems {
                let kind = self.config.add(item, file)?;
                self.parts.extend(kind.and_then(Answer::part));
            } else {
                self.shelves.put(answer, item, file, &mut self.notes)?;
            }
        }
        Ok(())
    }

    /// Entries do not say of which list they are: a key beside them may, or
    /// the file's name does.
    fn take_entries(
        &mut self,
        items: &[Value],
        document: Object<'_>,
        file: &Arc<str>,
    ) -> Result<(), Fault> {
        let beside = document
            .optional_id("PrefixListId")?
            .map(PrefixListId::from);
        let id = beside.or_else(|| prefix_lists::id_in_name(file));
        let Some(id) = id else {
            self.notes.about(Doubt::ENTRIES_WITHOUT_LIST, subject(file));
            return Ok(());
        };
        self.shelves.put_entries(id, items, file, &mut self.notes)
    }

    fn count_page(&mut self, answer: Answer, document: Object<'_>, file: &str) {
        let pages = self.pages.entry(answer).or_default();
        let token = document.field("NextToken").and_then(Value::as_str);
        if token.is_some_and(|token| !token.is_empty()) {
            pages.announcing.insert(subject(file));
        } else {
            pages.last += 1;
        }
    }

    /// The snapshot of everything added, the states before it that AWS Config
    /// tells, and what they leave out.
    ///
    /// # Errors
    /// Values that no API prints, in AWS Config items.
    pub fn finish(mut self, captured_at: Option<Timestamp>) -> Result<Loaded, DescribeError> {
        let described = !self.shelves.is_empty();
        let lives = self.settle_config()?;
        self.settle_instances();
        self.settle_pages();
        self.settle_clouds();
        let Collector {
            parts,
            shelves,
            config: _,
            instances: _,
            pages: _,
            aws: _,
            alibaba,
            totals: _,
            mut notes,
        } = self;
        let newest = Snapshot {
            provider: if alibaba {
                Provider::Alibaba
            } else {
                Provider::Aws
            },
            captured_at,
            parts,
            ..shelves.into_snapshot(&mut notes)
        };
        let (earlier, snapshot) = history::unfold(lives, newest, described, &mut notes);
        gaps::note(&snapshot, &mut notes);
        let notes = notes.told();
        Ok(Loaded {
            snapshot,
            earlier,
            notes,
        })
    }

    /// Reads the AWS Config items: the newest of each resource counts for the
    /// snapshot where no describe answer shows the resource.
    fn settle_config(&mut self) -> Result<Vec<Life>, DescribeError> {
        let (mut recorded, mut lives) = (Shelves::default(), Vec::new());
        let named = self.shelves.groups_of_rules();
        for (answer, id, items) in std::mem::take(&mut self.config).resources() {
            self.settle_newest(answer, &id, &items, &mut recorded)?;
            if history::is_followed(answer) {
                let described = self.shelves.has(answer, &id, &named);
                let life = Life::of(answer, id, described, items, &mut self.notes);
                lives.push(life.map_err(|(fault, file)| fault.in_file(&file))?);
            }
        }
        self.shelves.fill_from(recorded);
        Ok(lives)
    }

    fn settle_newest(
        &mut self,
        answer: Answer,
        id: &str,
        items: &[Item],
        recorded: &mut Shelves,
    ) -> Result<(), DescribeError> {
        let several = items.len() > 1;
        if several && !history::is_followed(answer) {
            self.notes.about(Doubt::HISTORY_UNUSED, subject(id));
        }
        let Some(item) = items.last() else {
            return Ok(());
        };
        match &item.state {
            State::Described(configuration) => {
                if let Some(object) = Object::of(configuration) {
                    recorded
                        .put(answer, object, &item.file, &mut self.notes)
                        .map_err(|fault| fault.in_file(&item.file))?;
                }
            }
            State::Undescribed => self
                .notes
                .about(Doubt::ITEM_WITHOUT_CONFIGURATION, subject(id)),
            State::Deleted if several => {}
            State::Deleted => self.notes.about(Doubt::DELETED_IN_CONFIG, subject(id)),
        }
        Ok(())
    }

    /// Takes interfaces from instances where nothing lists interfaces.
    fn settle_instances(&mut self) {
        if !self.instances || self.parts.contains(&Part::NetworkInterfaces) {
            return;
        }
        self.parts.insert(Part::NetworkInterfaces);
        self.notes.add(Doubt::INTERFACES_FROM_INSTANCES);
        self.notes
            .absorb(std::mem::take(&mut self.shelves.instance_notes));
        self.shelves.enis = std::mem::take(&mut self.shelves.instance_enis);
    }

    fn settle_clouds(&mut self) {
        if self.aws && self.alibaba {
            self.notes.add(Doubt::TWO_CLOUDS);
        }
        self.totals.note(&self.shelves, &mut self.notes);
    }

    /// Pages may lie in files of their own, so only an answer without any
    /// last page is known to lack one.
    fn settle_pages(&mut self) {
        let cut = self.pages.values().filter(|pages| pages.last == 0);
        for file in cut.flat_map(|pages| &pages.announcing) {
            self.notes.about(Doubt::MORE_PAGES, file.as_str());
        }
    }
}

/// Whether this is an analysis or another document of flowcinch's own, saved
/// beside the answers: its `security_groups` are findings, not answers.
fn own_output(object: Object<'_>) -> bool {
    let schema = object.field("schema").and_then(Value::as_str);
    schema.is_some_and(|schema| schema.starts_with("flowcinch."))
}

fn syntax(file: &str, error: &serde_json::Error) -> DescribeError {
    let text = error.to_string();
    // The position stands in fields of its own.
    let reason = text.split(" at line ").next().unwrap_or_default();
    DescribeError::Syntax {
        path: PathBuf::from(file),
        line: error.line(),
        column: error.column(),
        reason: reason.to_owned(),
    }
}

fn empty(file: &str) -> DescribeError {
    DescribeError::Syntax {
        path: PathBuf::from(file),
        line: 1,
        column: 1,
        reason: "the file is empty".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(files: &[(&str, &str)]) -> Loaded {
        let mut collector = Collector::default();
        for (name, text) in files {
            collector.add(name, text.as_bytes()).unwrap();
        }
        collector.finish(None).unwrap()
    }

    fn codes(loaded: &Loaded) -> Vec<&str> {
        loaded.notes.iter().map(|note| note.code).collect()
    }

    const WEB: &str = r#"{"GroupId": "sg-1", "GroupName": "web", "IpPermissions": []}"#;
    const DB: &str = r#"{"GroupId": "sg-2", "GroupName": "db", "IpPermissions": []}"#;

    #[test]
    fn wrappers_pages_and_bare_lists_read_alike() {
        let plain = load(&[("a.json", &format!(r#"{{"SecurityGroups": [{WEB}, {DB}]}}"#))]);
        assert_eq!(plain.snapshot.groups.len(), 2);
        for text in [
            format!(r#"{{"status_code": 200, "data": {{"SecurityGroups": [{WEB}, {DB}]}}}}"#),
            format!("{{\"SecurityGroups\": [{WEB}]}}\n{{\"SecurityGroups\": [{DB}]}}\n"),
            format!(r#"[{{"SecurityGroups": [{WEB}]}}, {{"SecurityGroups": [{DB}]}}]"#),
            format!("[{WEB}, {DB}]"),
            format!("{WEB} {DB}"),
            format!("\u{feff}{{\"security_groups\": [{DB}, {WEB}], \"provider\": \"aws\"}}"),
        ] {
            assert_eq!(load(&[("a.json", &text)]), plain, "{text}");
        }
    }

    #[test]
    fn an_analysis_beside_the_answers_is_no_answer() {
        let analysis =
            r#"{"schema": "flowcinch.analysis.v1", "security_groups": [{"group_id": "sg-1"}]}"#;
        let loaded = load(&[("analysis.json", analysis)]);
        assert!(loaded.snapshot.groups.is_empty());
        assert!(codes(&loaded).contains(&"SN108"));
    }

    #[test]
    fn text_in_utf_16_reads_alike() {
        let text = format!(r#"{{"SecurityGroups": [{WEB}]}}"#);
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        let bytes: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();
        let mut collector = Collector::default();
        collector.add("a.json", &bytes).unwrap();
        assert_eq!(collector.finish(None).unwrap(), load(&[("a.json", &text)]));
    }

    #[test]
    fn a_group_described_twice_differently_is_the_later_one_and_noted() {
        let first = format!("[{WEB}]");
        let same = load(&[("a.json", &first), ("b.json", &first)]);
        assert!(!codes(&same).contains(&"SN109"));
        let renamed = first.replace("web", "www");
        let differing = load(&[("a.json", &first), ("b.json", &renamed)]);
        assert!(codes(&differing).contains(&"SN109"));
        assert_eq!(
            differing.snapshot.groups.values().next().unwrap().name,
            "www"
        );
    }

    #[test]
    fn a_page_that_announces_another_is_noted_unless_a_last_one_follows() {
        let first = format!(r#"{{"SecurityGroups": [{WEB}], "NextToken": "x"}}"#);
        let last = format!(r#"{{"SecurityGroups": [{DB}], "NextToken": null}}"#);
        assert!(codes(&load(&[("a.json", &first)])).contains(&"SN123"));
        assert!(!codes(&load(&[("a.json", &first), ("b.json", &last)])).contains(&"SN123"));
    }

    #[test]
    fn broken_json_is_told_with_its_line_and_column() {
        let mut collector = Collector::default();
        let error = collector.add("a.json", b"{\"Vpcs\": [\n  }").unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("`a.json`:2:3: not JSON (expected value); "),
            "{text}"
        );
    }

    #[test]
    fn interfaces_of_instances_count_only_where_nothing_lists_interfaces() {
        let instances = r#"{"Reservations": [{"Instances": [{"InstanceId": "i-1", "NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "Groups": []}]}]}]}"#;
        let alone = load(&[("a.json", instances)]);
        assert!(codes(&alone).contains(&"SN118"));
        assert_eq!(alone.snapshot.enis.len(), 1);
        let listed = load(&[
            ("a.json", instances),
            ("b.json", r#"{"NetworkInterfaces": null}"#),
        ]);
        assert_eq!(listed.snapshot.enis.len(), 0);
    }
}
