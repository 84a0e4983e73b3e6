//! The same lines in the other forms that flow logs are delivered in. Made from
//! the text, column by column, and sharing nothing with what reads them.

mod events;
mod ocsf;
mod oss;
mod parquet;

use std::io;

use crate::model::Provider;

/// How logs are delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Text in S3, with a header.
    #[default]
    Text,
    /// Parquet in S3.
    Parquet,
    /// Exported from CloudWatch Logs: the event's time before each line, no
    /// header.
    CloudWatch,
    /// A subscription of CloudWatch Logs, delivered by Firehose: documents of
    /// many events, one behind the other.
    Subscription,
    /// Firehose: each line in a document of its own.
    Firehose,
    /// OCSF events, one a line.
    Ocsf,
    /// OCSF in Parquet, as Security Lake keeps it.
    SecurityLake,
    /// JSON lines in OSS, as Alibaba Cloud's log service ships them.
    OssJson,
    /// CSV in OSS, likewise.
    OssCsv,
    /// Parquet in OSS, likewise.
    OssParquet,
}

impl Form {
    /// The cloud that delivers so.
    pub(super) fn provider(self) -> Provider {
        match self {
            Form::Text
            | Form::Parquet
            | Form::CloudWatch
            | Form::Subscription
            | Form::Firehose
            | Form::Ocsf
            | Form::SecurityLake => Provider::Aws,
            Form::OssJson | Form::OssCsv | Form::OssParquet => Provider::Alibaba,
        }
    }

    /// How names of objects end.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Form::Text | Form::CloudWatch => "log",
            Form::Subscription | Form::Firehose | Form::Ocsf | Form::OssJson => "json",
            Form::OssCsv => "csv",
            Form::Parquet | Form::SecurityLake | Form::OssParquet => "parquet",
        }
    }

    /// Whether objects are compressed within.
    pub(super) fn is_parquet(self) -> bool {
        matches!(self, Form::Parquet | Form::SecurityLake | Form::OssParquet)
    }

    /// `LogDestinationType` of the flow log on AWS.
    pub(super) fn destination(self) -> &'static str {
        match self {
            Form::Text
            | Form::Parquet
            | Form::Ocsf
            | Form::SecurityLake
            | Form::OssJson
            | Form::OssCsv
            | Form::OssParquet => "s3",
            Form::CloudWatch | Form::Subscription => "cloud-watch-logs",
            Form::Firehose => "kinesis-data-firehose",
        }
    }

    /// The bytes of an object, given as text.
    pub(super) fn encode(self, text: &str) -> io::Result<Vec<u8>> {
        let table = Table::of(text);
        match self {
            Form::Text => Ok(text.as_bytes().to_vec()),
            Form::Parquet => parquet::flow_log(&table),
            Form::CloudWatch => Ok(events::export(&table)),
            Form::Subscription => Ok(events::subscription(&table)),
            Form::Firehose => Ok(events::firehose(&table)),
            Form::Ocsf => Ok(ocsf::lines(&table)),
            Form::SecurityLake => ocsf::parquet(&table),
            Form::OssJson => Ok(oss::json(&table)),
            Form::OssCsv => Ok(oss::csv(&table)),
            Form::OssParquet => oss::parquet(&table),
        }
    }
}

/// A text taken apart.
#[derive(Debug)]
struct Table<'t> {
    names: Vec<&'t str>,
    lines: Vec<&'t str>,
}

impl<'t> Table<'t> {
    fn of(text: &'t str) -> Table<'t> {
        let mut lines = text.lines();
        Table {
            names: lines.next().unwrap_or_default().split(' ').collect(),
            lines: lines.collect(),
        }
    }

    fn column(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| *known == name)
    }

    /// The tokens of a column, `-` where the format lacks it.
    fn tokens<'a>(&'a self, name: &str) -> impl Iterator<Item = &'t str> + use<'a, 't> {
        let column = self.column(name);
        self.lines.iter().map(move |line| {
            let token = column.and_then(|column| line.split(' ').nth(column));
            token.unwrap_or("-")
        })
    }
}
