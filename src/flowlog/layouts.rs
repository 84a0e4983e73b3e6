//! Columns of objects that do not name them: as the user says, else as the
//! flow log is described that the object's name belongs to, else as all flow
//! logs that deliver without headers are, else the default.

use std::collections::BTreeMap;

use crate::flowlog::header::Layout;

/// How ids of flow logs begin.
const PREFIX: &str = "fl-";

/// Columns of objects without a header, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layouts {
    /// Of objects whose name tells nothing.
    other: Layout,
    by_flow_log: BTreeMap<String, Layout>,
}

impl From<Layout> for Layouts {
    /// The same columns for all objects.
    fn from(layout: Layout) -> Layouts {
        Layouts {
            other: layout,
            by_flow_log: BTreeMap::new(),
        }
    }
}

impl Layouts {
    /// The columns of described flow logs: of each its id, its `LogFormat`, and
    /// whether what it delivers begins with a header. Formats that cannot be
    /// read are as good as unknown.
    pub fn described<'a>(logs: impl Iterator<Item = (&'a str, &'a str, bool)>) -> Layouts {
        let mut layouts = Layouts::default();
        let mut headerless: Vec<Layout> = Vec::new();
        for (id, format, headed) in logs {
            let Ok(layout) = Layout::described(format) else {
                continue;
            };
            if !headed && !headerless.contains(&layout) {
                headerless.push(layout.clone());
            }
            layouts.by_flow_log.insert(id.to_owned(), layout);
        }
        if let [only] = headerless.as_slice() {
            layouts.other = only.clone();
        }
        layouts
    }

    /// The columns of the object of that name.
    #[must_use]
    pub fn of(&self, object: &str) -> &Layout {
        if self.by_flow_log.is_empty() {
            return &self.other;
        }
        let id = object.match_indices(PREFIX).find_map(|(at, _)| {
            let rest = object.get(at..)?;
            let within = |c: char| c.is_ascii_alphanumeric() || c == '-';
            let len = rest.find(|c: char| !within(c)).unwrap_or(rest.len());
            self.by_flow_log.get(rest.get(..len)?)
        });
        id.unwrap_or(&self.other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "${action} ${srcaddr}";
    const TWO: &str = "${srcaddr} ${action} ${dstaddr}";

    fn columns(layouts: &Layouts, object: &str) -> usize {
        layouts.of(object).columns()
    }

    #[test]
    fn an_object_has_the_columns_of_the_flow_log_in_its_name() {
        let logs = [("fl-0a", ONE, true), ("fl-0b", TWO, false)];
        let layouts = Layouts::described(logs.into_iter());
        assert_eq!(
            columns(&layouts, "x/1_vpcflowlogs_eu-west-1_fl-0a_2026.log"),
            2
        );
        assert_eq!(columns(&layouts, "fl-0b/fl-zz.gz"), 3);
        // All that comes without a header comes from one flow log.
        assert_eq!(columns(&layouts, "exportedlogs/000000.gz"), 3);
    }

    #[test]
    fn formats_that_differ_leave_the_default() {
        let logs = [
            ("fl-0a", ONE, false),
            ("fl-0b", TWO, false),
            ("fl-0c", "?", false),
        ];
        let layouts = Layouts::described(logs.into_iter());
        assert_eq!(columns(&layouts, "-"), 14);
        assert_eq!(columns(&layouts, "fl-0c"), 14);
        assert_eq!(columns(&layouts, "fl-0b"), 3);
    }
}
