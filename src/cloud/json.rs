//! JSON with its members in the order in which they were told, printed as the
//! AWS CLI prints it.

use std::fmt;
use std::fmt::Write;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Json {
    Text(String),
    Number(i64),
    Bool(bool),
    List(Vec<Json>),
    Object(Vec<(&'static str, Json)>),
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print(f, 0)
    }
}

impl Json {
    /// The texts of a member of each item, in lists at the top.
    pub(super) fn texts(&self, member: &str) -> Vec<String> {
        match self {
            Json::List(items) => items.iter().filter_map(|item| item.text(member)).collect(),
            Json::Object(members) => {
                let values = members.iter().map(|(_, value)| value);
                values.flat_map(|value| value.texts(member)).collect()
            }
            Json::Text(_) | Json::Number(_) | Json::Bool(_) => Vec::new(),
        }
    }

    fn text(&self, member: &str) -> Option<String> {
        let Json::Object(members) = self else {
            return None;
        };
        let found = members.iter().find(|(name, _)| *name == member);
        match found {
            Some((_, Json::Text(text))) => Some(text.clone()),
            Some(_) | None => None,
        }
    }

    fn print(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        match self {
            Json::Text(text) => quote(f, text),
            Json::Number(number) => write!(f, "{number}"),
            Json::Bool(truth) => write!(f, "{truth}"),
            Json::List(items) if items.is_empty() => f.write_str("[]"),
            Json::Object(members) if members.is_empty() => f.write_str("{}"),
            Json::List(items) => {
                f.write_char('[')?;
                for (number, item) in items.iter().enumerate() {
                    begin(f, number, depth)?;
                    item.print(f, depth.saturating_add(1))?;
                }
                end(f, ']', depth)
            }
            Json::Object(members) => {
                f.write_char('{')?;
                for (number, (name, value)) in members.iter().enumerate() {
                    begin(f, number, depth)?;
                    quote(f, name)?;
                    f.write_str(": ")?;
                    value.print(f, depth.saturating_add(1))?;
                }
                end(f, '}', depth)
            }
        }
    }
}

fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let quoted = serde_json::to_string(text).map_err(|_| fmt::Error)?;
    f.write_str(&quoted)
}

fn begin(f: &mut fmt::Formatter<'_>, number: usize, depth: usize) -> fmt::Result {
    f.write_str(if number == 0 { "\n" } else { ",\n" })?;
    indent(f, depth.saturating_add(1))
}

fn end(f: &mut fmt::Formatter<'_>, bracket: char, depth: usize) -> fmt::Result {
    f.write_char('\n')?;
    indent(f, depth)?;
    f.write_char(bracket)
}

fn indent(f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
    for _ in 0..depth {
        f.write_str("    ")?;
    }
    Ok(())
}
