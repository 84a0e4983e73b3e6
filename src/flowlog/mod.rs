//! Log bytes to [`Row`](crate::model::Row)s: a flow log's text, read line by
//! line with the columns that its header names.
//!
//! Floor 2. No files, no sockets, no allocation per line: blocks of bytes are
//! pushed in, rows and counted errors come out, and where the blocks were cut
//! never shows. Where bytes come from is left to `source`, what rows mean to
//! `evidence`.
//!
//! Logs come in several forms, told by their first bytes, never by a name:
//! [`object`] tells them and hands the bytes on. Plain text goes to [`reader`]
//! as it is; the JSON documents that log events are wrapped in to [`envelope`],
//! which takes the lines out of them; events that are records themselves to
//! [`ocsf`], objects whose members are fields to [`flat`]; Parquet to
//! [`parquet`].
//!
//! The way of a line: [`reader`] cuts it out, [`header`] says whether it names
//! columns, `scan` finds its tokens, [`mod@line`] gives each token its meaning
//! through the [`Layout`], and [`fields`] is the one table of what columns exist.

pub mod brief;
mod documents;
pub mod envelope;
pub mod error;
pub mod fields;
pub mod flat;
pub mod header;
pub mod layouts;
pub mod line;
pub mod object;
pub mod ocsf;
pub mod parquet;
mod plan;
pub mod reader;
mod scan;
mod shape;
mod value;

pub use error::FormError;
pub use error::LineError;
pub use error::LineErrorKind;
pub use fields::Field;
pub use fields::Slot;
pub use header::Layout;
pub use header::LayoutError;
pub use header::LayoutOrigin;
pub use layouts::Layouts;
pub use object::ObjectReader;
pub use reader::LogReader;
pub use reader::Sink;
