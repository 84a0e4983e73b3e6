//! Findings that somebody answers for: a small TOML file, reviewed like code.
//!
//! Each entry names a finding, an owner, a reason and a day on which it ends.
//! None may be missing: an exception without an owner or an end is a hole.

use serde::Deserialize;

use crate::net::Timestamp;
use crate::net::time::DAY;
use crate::report::human;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptedError {
    /// It is not TOML of the wanted form.
    #[error("not a list of accepted findings: {0}")]
    Syntax(String),
    /// An entry lacks what it needs.
    #[error("accepted finding `{id}`: {what}")]
    Entry {
        /// The finding that it names.
        id: String,
        /// What is wrong.
        what: &'static str,
    },
}

/// One accepted finding.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// Id of the finding, `fc-…`.
    pub id: String,
    /// Who answers for it.
    pub owner: String,
    /// Why it may stand.
    pub reason: String,
    /// Last day on which it holds, `2027-03-31`.
    pub expires: Day,
}

impl Acceptance {
    /// Whether it still holds at a time: through the whole of its last day.
    #[must_use]
    pub fn holds_at(&self, time: Timestamp) -> bool {
        time.0 < self.expires.0.0.saturating_add(DAY)
    }

    /// By whom, until when and why; text of others is not yet escaped.
    #[must_use]
    pub fn said(&self) -> String {
        let until = human::day(self.expires.0);
        format!("{} until {until}: {}", self.owner, self.reason)
    }
}

/// A day, as the time at which it begins in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub Timestamp);

impl Day {
    /// Reads `2027-03-31`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Day> {
        let whole = text.len() == 10;
        let time = whole.then(|| Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z")))?;
        time.map(Day)
    }
}

impl<'de> Deserialize<'de> for Day {
    /// A TOML date, or the same in quotes.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Day, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Date(toml::value::Datetime),
            Text(String),
        }
        let text = match Form::deserialize(deserializer)? {
            Form::Date(date) => date.to_string(),
            Form::Text(text) => text,
        };
        Day::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!("`{text}` is not a day, write 2027-03-31"))
        })
    }
}

/// Reads the file: any number of `[[accepted]]` tables.
pub fn parse(text: &str) -> Result<Vec<Acceptance>, AcceptedError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[serde(default)]
        accepted: Vec<Acceptance>,
    }
    let file: File = toml::from_str(text).map_err(|error| syntax(text, &error))?;
    for one in &file.accepted {
        let wrong = |what| {
            Err(AcceptedError::Entry {
                id: one.id.clone(),
                what,
            })
        };
        let alike = file.accepted.iter().filter(|other| other.id == one.id);
        if !one.id.starts_with("fc-") {
            return wrong("an id begins with `fc-`, as reports show it");
        }
        if one.owner.trim().is_empty() {
            return wrong("name an owner");
        }
        if one.reason.trim().is_empty() {
            return wrong("give a reason");
        }
        if alike.count() > 1 {
            return wrong("it stands there twice");
        }
    }
    Ok(file.accepted)
}

/// What is wrong and on which line, on one line itself.
fn syntax(text: &str, error: &toml::de::Error) -> AcceptedError {
    let what = error.message().replace('\n', ", ");
    let before = error.span().and_then(|span| text.get(..span.start));
    AcceptedError::Syntax(match before {
        Some(before) => format!("line {}: {what}", before.matches('\n').count() + 1),
        None => what,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[[accepted]]\nid = 'fc-1'\nowner = 'net@example.com'\nreason = 'failover'\nexpires = 2027-03-31\n";

    #[test]
    fn an_acceptance_holds_through_its_last_day() {
        let one = &parse(GOOD).unwrap()[0];
        let at = |text: &str| one.holds_at(Timestamp::parse_rfc3339(text).unwrap());
        assert!(at("2027-03-31T23:59:59Z"));
        assert!(!at("2027-04-01T00:00:00Z"));
    }

    #[test]
    fn what_lacks_an_owner_a_reason_or_an_end_is_refused() {
        assert_eq!(parse("").unwrap(), vec![]);
        for (from, to, says) in [
            ("owner = 'net@example.com'\n", "", "missing field `owner`"),
            ("'failover'", "' '", "give a reason"),
            ("2027-03-31", "'soon'", "not a day"),
            ("2027-03-31", "2027-03-31T10:00:00Z", "not a day"),
            ("fc-1", "SG101", "begins with"),
            ("reason", "raeson", "unknown field"),
        ] {
            let error = parse(&GOOD.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
            assert!(!error.contains('\n'), "{error:?}");
        }
        let late = parse(&format!("{GOOD}\nowner = \n"))
            .unwrap_err()
            .to_string();
        assert!(late.contains("line 7: "), "{late}");
        assert!(
            parse(&GOOD.repeat(2))
                .unwrap_err()
                .to_string()
                .contains("twice")
        );
    }
}
