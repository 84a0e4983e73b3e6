//! What the name of an object says of what is in it, before a byte is read.
//!
//! Flow logs are delivered under names that hold the account, the Region, the
//! flow log and the time (VPC user guide, "Flow log files"):
//!
//! ```text
//! PREFIX/AWSLogs/ACCOUNT/vpcflowlogs/REGION/2026/11/20/[08/]
//! PREFIX/AWSLogs/aws-account-id=ACCOUNT/aws-service=vpcflowlogs/aws-region=REGION/year=2026/month=11/day=20/[hour=08/]
//!     ACCOUNT_vpcflowlogs_REGION_fl-0123_20261120T0805Z_HASH.log.gz
//! ```
//!
//! A file of 08:05 holds the records that end from 08:05:00 to 08:09:59. Only
//! names of this shape are trusted; any other says nothing, and is read.
//! Files on disk keep these names, so one rule serves both.

use std::ops::Range;

use crate::net::Timestamp;
use crate::net::time::DAY;
use crate::net::time::HOUR;

/// Seconds of end times that share a file.
const SLOT: i64 = 300;

/// Longest time from a record's start to its end: the longer of the two
/// intervals over which records are added up (VPC user guide, "Flow log
/// records").
const LONGEST: i64 = 600;

/// The part of a path below which the service writes.
const ROOT: &str = "AWSLogs";

/// The service whose logs are read.
const SERVICE: &str = "vpcflowlogs";

/// The span of time that is asked for, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// First second at which a wanted record begins.
    pub since: Option<Timestamp>,
    /// Last second at which a wanted record begins.
    pub until: Option<Timestamp>,
}

impl Wanted {
    /// Whether an object of this name can hold a record that is wanted.
    #[must_use]
    pub fn may_hold(self, name: &str) -> bool {
        if self == Wanted::default() {
            return true;
        }
        let place = Place::of(name);
        let ends = [place.and_then(Place::ends), file_ends(name)];
        ends.into_iter().flatten().all(|ends| self.overlaps(&ends))
    }

    /// Whether records that end within these seconds can be wanted.
    fn overlaps(self, ends: &Range<i64>) -> bool {
        let begins_late = |until: Timestamp| ends.start.saturating_sub(LONGEST) > until.0;
        let ends_early = |since: Timestamp| ends.end <= since.0;
        !self.until.is_some_and(begins_late) && !self.since.is_some_and(ends_early)
    }
}

/// What the name of one file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileName<'a> {
    /// Account that owns the flow log.
    pub account: &'a str,
    /// Region of the flow log.
    pub region: &'a str,
    /// Id of the flow log.
    pub flow_log: &'a str,
    /// First second at which its records end.
    pub time: Timestamp,
}

impl<'a> FileName<'a> {
    /// Reads the last part of a path; `None` where it is no name of the service's.
    #[must_use]
    pub fn of(path: &'a str) -> Option<FileName<'a>> {
        let name = path.rsplit('/').next()?;
        let mut parts = name.split('_');
        let account = parts.next().filter(|account| is_account(account))?;
        parts.next().filter(|service| *service == SERVICE)?;
        let region = parts.next().filter(|region| !region.is_empty())?;
        let flow_log = parts.next().filter(|id| id.starts_with("fl-"))?;
        let time = stamp(parts.next()?)?;
        parts.next()?;
        Some(FileName {
            account,
            region,
            flow_log,
            time,
        })
    }
}

/// The last second of records in the newest files, and in older ones: what a
/// file of this name can hold at most. `None` where the name says nothing.
#[must_use]
pub fn last_end(name: &str) -> Option<Timestamp> {
    file_ends(name).map(|ends| Timestamp(ends.end.saturating_sub(1)))
}

fn file_ends(name: &str) -> Option<Range<i64>> {
    let time = FileName::of(name)?.time.0;
    Some(time..time.checked_add(SLOT)?)
}

/// Whether the path lies in a folder of another service's logs (`CloudTrail`,
/// load balancers), which share buckets with flow logs.
#[must_use]
pub fn is_of_other_service(path: &str) -> bool {
    // Two slashes, as somebody may type them, name none.
    let other = |service: &str| !service.is_empty() && service != SERVICE;
    Place::of(path).is_some_and(|place| place.service.is_some_and(other))
}

/// Whether what lies directly in this folder is more folders of the service's
/// making, down to the day: `a/AWSLogs/`, or `…/eu-west-1/2026/`.
#[must_use]
pub fn is_laid_out(folder: &str) -> bool {
    if folder.ends_with(&format!("/{ROOT}/")) || folder == format!("{ROOT}/") {
        return true;
    }
    Place::of(folder).is_some_and(|place| place.day.is_none() && !place.strange)
}

/// How far down the service's folders a path goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place<'a> {
    service: Option<&'a str>,
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    hour: Option<i64>,
    /// A folder that the service does not make.
    strange: bool,
}

impl<'a> Place<'a> {
    /// Reads the folders of a path, its last part aside; `None` where none of
    /// them is the service's root with an account below.
    fn of(path: &'a str) -> Option<Place<'a>> {
        let (folders, _) = path.rsplit_once('/')?;
        let mut parts = folders.split('/').skip_while(|part| *part != ROOT).skip(1);
        let account = parts.next()?;
        let hive = account.strip_prefix("aws-account-id=");
        if !is_account(hive.unwrap_or(account)) {
            return None;
        }
        let mut place = Place {
            service: parts
                .next()
                .and_then(|part| value(part, hive, "aws-service=")),
            ..Place::default()
        };
        if let Some(region) = parts.next() {
            place.strange = value(region, hive, "aws-region=").is_none();
        }
        for (depth, part) in parts.enumerate() {
            place.descend(depth, part, hive);
        }
        Some(place)
    }

    fn descend(&mut self, depth: usize, part: &str, hive: Option<&str>) {
        let (slot, label, digits) = match depth {
            0 => (&mut self.year, "year=", 4),
            1 => (&mut self.month, "month=", 2),
            2 => (&mut self.day, "day=", 2),
            3 => (&mut self.hour, "hour=", 2),
            _ => {
                self.strange = true;
                return;
            }
        };
        if !self.strange {
            *slot = value(part, hive, label).and_then(|text| number(text, digits));
            self.strange = slot.is_none();
        }
    }

    /// Seconds in which the records below the folder end.
    fn ends(self) -> Option<Range<i64>> {
        let year = self.year.filter(|_| self.service == Some(SERVICE))?;
        let Some(month) = self.month else {
            return Some(midnight(year, 1, 1)?..midnight(year.checked_add(1)?, 1, 1)?);
        };
        let Some(day) = self.day else {
            let next = if month == 12 {
                midnight(year.checked_add(1)?, 1, 1)?
            } else {
                midnight(year, month.checked_add(1)?, 1)?
            };
            return Some(midnight(year, month, 1)?..next);
        };
        let day = midnight(year, month, day)?;
        match self.hour {
            None => Some(day..day.checked_add(DAY)?),
            Some(hour) if hour < 24 => {
                let start = day.checked_add(hour.checked_mul(HOUR)?)?;
                Some(start..start.checked_add(HOUR)?)
            }
            Some(_) => None,
        }
    }
}

/// A folder's value: in Hive's way behind a label, otherwise the name itself.
fn value<'a>(part: &'a str, hive: Option<&str>, label: &str) -> Option<&'a str> {
    match hive {
        Some(_) => part.strip_prefix(label),
        None => (!part.contains('=')).then_some(part),
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `20261120T0805Z`.
fn stamp(text: &str) -> Option<Timestamp> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (year, rest) = date.split_at_checked(4)?;
    let (month, day) = rest.split_at_checked(2)?;
    let (hour, minute) = time.split_at_checked(2)?;
    let day = midnight(number(year, 4)?, number(month, 2)?, number(day, 2)?)?;
    let (hour, minute) = (number(hour, 2)?, number(minute, 2)?);
    let seconds = hour
        .checked_mul(HOUR)?
        .checked_add(minute.checked_mul(60)?)?;
    (hour < 24 && minute < 60).then_some(Timestamp(day.checked_add(seconds)?))
}

fn number(text: &str, digits: usize) -> Option<i64> {
    let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

fn midnight(year: i64, month: i64, day: i64) -> Option<i64> {
    let text = format!("{year:04}-{month:02}-{day:02}T00:00:00Z");
    Timestamp::parse_rfc3339(&text).map(|time| time.0)
}

#[cfg(test)]
mod tests {
    use proptest::prop_assert_eq;
    use proptest::proptest;

    use super::*;

    const FILE: &str = "111122223333_vpcflowlogs_eu-west-1_fl-0a1b_20261120T0805Z_9f.log.gz";
    const PLAIN: &str = "org/AWSLogs/111122223333/vpcflowlogs/eu-west-1/";
    const HIVE: &str =
        "AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=eu-west-1/";

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    fn wanted(since: &str, until: &str) -> Wanted {
        let time = |text: &str| (!text.is_empty()).then(|| at(text));
        Wanted {
            since: time(since),
            until: time(until),
        }
    }

    #[test]
    fn a_file_name_is_read_wherever_it_lies() {
        let expected = FileName {
            account: "111122223333",
            region: "eu-west-1",
            flow_log: "fl-0a1b",
            time: at("2026-11-20T08:05:00Z"),
        };
        for folder in ["", PLAIN, "/tmp/x y/"] {
            assert_eq!(FileName::of(&format!("{folder}{FILE}")), Some(expected));
        }
        assert_eq!(last_end(FILE), Some(at("2026-11-20T08:09:59Z")));
    }

    #[test]
    fn other_names_say_nothing() {
        for name in [
            "a.log",
            "111122223333_CloudTrail_eu-west-1_20261120T0805Z_9f.json.gz",
            "11112222333_vpcflowlogs_eu-west-1_fl-0a1b_20261120T0805Z_9f.log.gz",
            "111122223333_vpcflowlogs_eu-west-1_fl-0a1b_20261320T0805Z_9f.log.gz",
            "111122223333_vpcflowlogs_eu-west-1_fl-0a1b_20261120T2405Z_9f.log.gz",
            "111122223333_vpcflowlogs_eu-west-1_fl-0a1b_20261120T08:5Z_9f.log.gz",
            "111122223333_vpcflowlogs_eu-west-1_fl-0a1b_20261120T0805Z",
            "111122223333_vpcflowlogs_eu-west-1_fl-0a1b_é0261120T0805Z_9f.log.gz",
        ] {
            assert_eq!(FileName::of(name), None, "{name}");
            assert!(wanted("2030-01-01T00:00:00Z", "").may_hold(name), "{name}");
        }
    }

    #[test]
    fn a_file_is_wanted_while_one_of_its_records_can_be() {
        // Ends 08:05:00 to 08:09:59, so begins 07:55:00 at the earliest.
        for (since, until, held) in [
            ("", "", true),
            ("2026-11-20T08:09:59Z", "", true),
            ("2026-11-20T08:10:00Z", "", false),
            ("", "2026-11-20T07:55:00Z", true),
            ("", "2026-11-20T07:54:59Z", false),
        ] {
            assert_eq!(wanted(since, until).may_hold(FILE), held, "{since} {until}");
        }
    }

    #[test]
    fn folders_of_days_and_hours_are_left_out_by_their_dates() {
        let day = wanted("2026-11-20T00:00:00Z", "2026-11-20T23:59:59Z");
        for (below, held) in [
            ("2026/", true),
            ("2025/", false),
            ("2026/11/", true),
            ("2026/10/", false),
            ("2026/12/", false),
            ("2026/11/19/", false),
            ("2026/11/20/", true),
            // Records that end just after midnight may begin before it.
            ("2026/11/21/", true),
            ("2026/11/22/", false),
            ("2026/11/20/23/", true),
            ("2026/11/21/00/", true),
            ("2026/11/21/01/", false),
        ] {
            assert_eq!(day.may_hold(&format!("{PLAIN}{below}")), held, "{below}");
            let parts: Vec<String> = below
                .trim_end_matches('/')
                .split('/')
                .map(str::to_owned)
                .collect();
            let labels = ["year=", "month=", "day=", "hour="];
            let mut hive = String::new();
            for (label, part) in labels.iter().zip(&parts) {
                hive.extend([label, part.as_str(), "/"]);
            }
            assert_eq!(day.may_hold(&format!("{HIVE}{hive}")), held, "{hive}");
        }
    }

    #[test]
    fn a_year_that_ends_reaches_into_the_next() {
        let eve = wanted("2026-12-31T23:50:00Z", "2026-12-31T23:59:59Z");
        assert!(eve.may_hold(&format!("{PLAIN}2027/")));
        assert!(eve.may_hold(&format!("{PLAIN}2027/01/01/")));
        assert!(!eve.may_hold(&format!("{PLAIN}2027/01/02/")));
        assert!(!eve.may_hold(&format!("{PLAIN}2026/11/")));
    }

    #[test]
    fn folders_that_the_service_does_not_make_are_not_trusted() {
        let far = wanted("2030-01-01T00:00:00Z", "");
        for path in [
            "logs/2026/11/20/x.log",
            "AWSLogs/me/vpcflowlogs/eu-west-1/2026/11/20/x.log",
            "AWSLogs/111122223333/vpcflowlogs/eu-west-1/twenty/11/20/x.log",
        ] {
            assert!(far.may_hold(path), "{path}");
        }
    }

    #[test]
    fn folders_of_other_services_are_known() {
        assert!(is_of_other_service(
            "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/a.json.gz"
        ));
        assert!(!is_of_other_service(&format!("{PLAIN}2026/{FILE}")));
        assert!(!is_of_other_service(&format!("{HIVE}year=2026/{FILE}")));
        assert!(!is_of_other_service("CloudTrail/a.json.gz"));
        assert!(!is_of_other_service(
            "AWSLogs/111122223333//vpcflowlogs/eu-west-1/2026/a.log.gz"
        ));
    }

    #[test]
    fn folders_above_days_are_descended_into() {
        for folder in [
            "AWSLogs/",
            "a/AWSLogs/",
            "AWSLogs/111122223333/",
            PLAIN,
            HIVE,
        ] {
            assert!(is_laid_out(folder), "{folder}");
        }
        assert!(is_laid_out(&format!("{PLAIN}2026/11/")));
        for folder in [
            "",
            "a/",
            "AWSLogs/me/",
            "AWSLogs/111122223333/vpcflowlogs/eu-west-1/x/",
        ] {
            assert!(!is_laid_out(folder), "{folder}");
        }
        assert!(!is_laid_out(&format!("{PLAIN}2026/11/20/")));
    }

    proptest! {
        /// The law behind leaving out: whatever record a file holds by the
        /// service's word, the file is wanted if the record is.
        #[test]
        fn no_wanted_record_is_left_out(
            minute in 0_i64..200_000,
            end in 0_i64..300,
            length in 0_i64..=600,
            since in -3_000_i64..3_000,
            span in 0_i64..6_000,
        ) {
            let time = 1_790_000_100 + minute * 300;
            let stamp = Timestamp(time).to_string().replace(['-', ':'], "");
            let part = |range: Range<usize>| stamp.get(range).unwrap();
            let (day, clock) = (part(0..8), part(8..13));
            let folders = format!("{}/{}/{}", part(0..4), part(4..6), part(6..8));
            let name = format!(
                "{PLAIN}{folders}/111122223333_vpcflowlogs_eu-west-1_fl-0a_{day}{clock}Z_9f.log.gz"
            );
            prop_assert_eq!(last_end(&name), Some(Timestamp(time + 299)));
            let begin = time + end - length;
            let wanted = Wanted {
                since: Some(Timestamp(time + since)),
                until: Some(Timestamp(time + since + span)),
            };
            let asked = begin >= time + since && begin <= time + since + span;
            assert!(!asked || wanted.may_hold(&name));
        }
    }
}
