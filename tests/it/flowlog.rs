//! The line parser against the `csv` crate: another splitter, and the standard
//! library's own parsers, written without a look at speed.

use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use flowcinch::flowlog::Layout;
use flowcinch::flowlog::LineErrorKind;
use flowcinch::flowlog::Slot;
use flowcinch::flowlog::line::parse_line;
use flowcinch::model::Action;
use flowcinch::model::EniId;
use flowcinch::model::FlowDirection;
use flowcinch::model::FlowRecord;
use flowcinch::model::Row;
use flowcinch::model::TcpFlags;
use flowcinch::model::flow::Interval;
use flowcinch::net::IpProtocol;
use flowcinch::net::Timestamp;
use proptest::prelude::Just;
use proptest::prelude::Strategy;
use proptest::prelude::any;
use proptest::prelude::prop_oneof;
use proptest::prop_assert_eq;
use proptest::proptest;
use proptest::sample::select;
use proptest::sample::subsequence;

const COLUMNS: [&str; 20] = [
    "version",
    "account-id",
    "interface-id",
    "srcaddr",
    "dstaddr",
    "srcport",
    "dstport",
    "protocol",
    "packets",
    "bytes",
    "start",
    "end",
    "action",
    "log-status",
    "tcp-flags",
    "type",
    "pkt-srcaddr",
    "pkt-dstaddr",
    "flow-direction",
    "reject-reason",
];

/// A value that mostly suits the column.
fn value(column: &'static str) -> impl Strategy<Value = String> {
    let fitting = match column {
        "interface-id" => "eni-[0-9a-f]{8,28}".boxed(),
        "srcaddr" | "dstaddr" | "pkt-srcaddr" | "pkt-dstaddr" => address().boxed(),
        "srcport" | "dstport" => (0..70_000_u32).prop_map(|n| n.to_string()).boxed(),
        "protocol" | "tcp-flags" => (0..260_u32).prop_map(|n| n.to_string()).boxed(),
        "packets" | "bytes" => any::<u64>().prop_map(|n| n.to_string()).boxed(),
        "start" | "end" => (1_700_000_000..1_800_000_000_i64)
            .prop_map(|n| n.to_string())
            .boxed(),
        "action" => select(&["ACCEPT", "REJECT", "accept"][..])
            .prop_map(String::from)
            .boxed(),
        "log-status" => select(&["OK", "OK", "OK", "NODATA", "SKIPDATA"][..])
            .prop_map(String::from)
            .boxed(),
        "flow-direction" => select(&["ingress", "egress"][..])
            .prop_map(String::from)
            .boxed(),
        "type" => select(&["IPv4", "IPv6", "EFA"][..])
            .prop_map(String::from)
            .boxed(),
        "reject-reason" => select(&["BPA", "Accepted"][..])
            .prop_map(String::from)
            .boxed(),
        _ => "[!#-~]{1,20}".boxed(),
    };
    prop_oneof![30 => fitting, 2 => Just("-".to_owned()), 1 => "[!#-~]{1,24}"]
}

fn address() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => any::<u32>().prop_map(|bits| Ipv4Addr::from(bits).to_string()),
        1 => any::<u128>().prop_map(|bits| Ipv6Addr::from(bits).to_string()),
    ]
}

/// Some columns in some order, with a value each.
fn line() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    subsequence(COLUMNS.to_vec(), 1..=COLUMNS.len())
        .prop_shuffle()
        .prop_flat_map(|columns| {
            let with_value = |column| value(column).prop_map(move |value| (column, value));
            columns.into_iter().map(with_value).collect::<Vec<_>>()
        })
}

/// The same line read by other means.
struct Naive {
    columns: Vec<&'static str>,
    values: csv::StringRecord,
}

type Bad = ();

impl Naive {
    fn new(columns: Vec<&'static str>, text: &str) -> Naive {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(b' ')
            .has_headers(false)
            .quoting(false)
            .from_reader(text.as_bytes());
        let first = reader.records().next().and_then(Result::ok);
        let values = first.unwrap_or_default();
        Naive { columns, values }
    }

    fn text(&self, column: &str) -> Option<&str> {
        let at = self.columns.iter().position(|name| *name == column)?;
        self.values.get(at).filter(|value| *value != "-")
    }

    fn read<T>(&self, column: &str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Bad> {
        self.text(column)
            .map(|text| read(text).ok_or(()))
            .transpose()
    }

    fn number<T: TryFrom<u64>>(&self, column: &str) -> Result<Option<T>, Bad> {
        self.read(column, |text| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            let value = text.parse::<u64>().ok().filter(|_| digits)?;
            T::try_from(value).ok()
        })
    }

    fn time(&self, column: &str) -> Result<Option<Timestamp>, Bad> {
        match self.number::<i64>(column)? {
            Some(seconds) if seconds > 253_402_300_799 => Err(()),
            seconds => Ok(seconds.map(Timestamp)),
        }
    }

    fn row(&self) -> Result<Row, Bad> {
        let interface_id = self.read("interface-id", EniId::parse)?;
        let (start, end) = (self.time("start")?, self.time("end")?);
        let interval = Interval {
            interface_id,
            start,
            end,
        };
        let status = self.read("log-status", |text| {
            ["OK", "NODATA", "SKIPDATA"]
                .into_iter()
                .find(|word| *word == text || word.to_lowercase() == text)
        })?;
        if !self.columns.contains(&"action") {
            return Ok(match status {
                Some("NODATA") => Row::NoData(interval),
                Some("SKIPDATA") => Row::SkipData(interval),
                _ => Row::Other,
            });
        }
        let action = self.read("action", |text| match text {
            "ACCEPT" | "accept" => Some(Action::Accept),
            "REJECT" | "reject" => Some(Action::Reject),
            _ => None,
        })?;
        let record = FlowRecord {
            action: action.unwrap_or(Action::Accept),
            interface_id,
            srcaddr: self.read("srcaddr", |text| text.parse().ok())?,
            dstaddr: self.read("dstaddr", |text| text.parse().ok())?,
            pkt_srcaddr: self.read("pkt-srcaddr", |text| text.parse().ok())?,
            pkt_dstaddr: self.read("pkt-dstaddr", |text| text.parse().ok())?,
            srcport: self.number("srcport")?,
            dstport: self.number("dstport")?,
            protocol: self.number("protocol")?.map(IpProtocol),
            packets: self.number("packets")?.unwrap_or(0),
            bytes: self.number("bytes")?.unwrap_or(0),
            start,
            end,
            tcp_flags: self.number("tcp-flags")?.map(TcpFlags),
            flow_direction: self.read("flow-direction", |text| match text {
                "ingress" => Some(FlowDirection::Ingress),
                "egress" => Some(FlowDirection::Egress),
                _ => None,
            })?,
            block_public_access: self.text("reject-reason") == Some("BPA"),
            efa: self
                .text("type")
                .is_some_and(|text| text.to_lowercase() == "efa"),
        };
        let addresses = [
            record.srcaddr,
            record.dstaddr,
            record.pkt_srcaddr,
            record.pkt_dstaddr,
        ];
        Ok(match status {
            Some("NODATA") => Row::NoData(interval),
            Some("SKIPDATA") => Row::SkipData(interval),
            None if action.is_none() && addresses == [None; 4] => Row::SkipData(interval),
            _ if action.is_none() => Row::Other,
            _ => Row::Flow(record),
        })
    }
}

proptest! {
    #[test]
    fn lines_read_as_the_csv_crate_reads_them(line in line()) {
        let (columns, values): (Vec<_>, Vec<_>) = line.into_iter().unzip();
        let text = values.join(" ");
        let known = columns.join(" ");
        let layout = Layout::parse(&known).unwrap();
        let ours = parse_line(text.as_bytes(), &layout);
        prop_assert_eq!(ours.map_err(|_| ()), Naive::new(columns, &text).row(), "{}: {}", known, text);
    }

    #[test]
    fn a_bad_value_is_blamed_on_its_column(port in 65_536..u64::MAX) {
        let layout = Layout::parse("srcport dstport action").unwrap();
        let line = format!("443 {port} ACCEPT");
        let blame = Err(LineErrorKind::Value(Slot::Dstport));
        prop_assert_eq!(parse_line(line.as_bytes(), &layout), blame);
    }
}
