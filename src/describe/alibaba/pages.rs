//! Whether all pages of an answer are there: Alibaba Cloud prints how many
//! there are of a kind, or a token where more follow.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Value;

use crate::describe::alibaba::answer::Answer;
use crate::describe::error::Fault;
use crate::describe::json::Object;
use crate::describe::note::Doubt;
use crate::describe::note::Notes;
use crate::describe::note::subject;
use crate::describe::shelves::Shelves;

/// What the pages said of how many there are.
#[derive(Debug, Default)]
pub(in crate::describe) struct Totals {
    /// The largest `TotalCount` by answer.
    told: BTreeMap<Answer, i64>,
    /// Groups whose rules go on, by file, and those that end.
    going_on: BTreeMap<String, BTreeSet<String>>,
    ended: BTreeSet<String>,
}

impl Totals {
    /// Notes what one page says.
    pub(in crate::describe) fn count(
        &mut self,
        answer: Answer,
        document: Object<'_>,
        file: &str,
    ) -> Result<(), Fault> {
        if let Some(total) = document.integer("TotalCount")? {
            let held = self.told.entry(answer).or_default();
            *held = total.max(*held);
            return Ok(());
        }
        let of = document.text("SecurityGroupId")?.unwrap_or(answer.key());
        let token = document.field("NextToken").and_then(Value::as_str);
        if token.is_some_and(|token| !token.is_empty()) {
            let files = self.going_on.entry(of.to_owned()).or_default();
            files.insert(subject(file));
        } else {
            self.ended.insert(of.to_owned());
        }
        Ok(())
    }

    /// Notes what is not all there.
    pub(in crate::describe) fn note(&self, shelves: &Shelves, notes: &mut Notes) {
        for (answer, total) in &self.told {
            let held = match answer {
                Answer::Groups => shelves.drafts.listed(),
                Answer::Interfaces => shelves.enis.len(),
                Answer::VSwitches => shelves.subnets.len(),
                Answer::Vpcs => shelves.vpcs.len(),
                Answer::PrefixLists => shelves.lists.len(),
                Answer::FlowLogs => shelves.flow_logs.len(),
                Answer::Permissions | Answer::Entries => continue,
            };
            if i64::try_from(held).is_ok_and(|held| held < *total) {
                notes.about(
                    Doubt::MORE_PAGES,
                    format!("{held} of {total} in {}", subject(answer.key())),
                );
            }
        }
        for (of, files) in &self.going_on {
            if !self.ended.contains(of) {
                for file in files {
                    notes.about(Doubt::MORE_PAGES, file.as_str());
                }
            }
        }
    }
}
