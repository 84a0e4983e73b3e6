//! The document as JSON, and back: what `analysis.json` holds.
//!
//! What is printed and what the file holds are made by one writer, [`write()`], so
//! they are the same bytes; [`to_bytes`] makes the same at once. Reading refuses a
//! document of another schema and ignores keys that it does not know.

use std::io;
use std::io::Write;

use serde::Deserialize;
use serde::Serialize;

use crate::report::document::Analysis;
use crate::report::document::SCHEMA;
use crate::report::escape;
use crate::report::pieces::Pieces;

/// Why a document cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// It is not JSON, or a key has the wrong kind of value.
    #[error("this is not an analysis document, pass the analysis.json that `analyze` wrote")]
    Syntax(#[source] serde_json::Error),
    /// It says that it is something else.
    #[error("schema is `{found}`, this program reads `{SCHEMA}`")]
    Schema {
        /// What it says.
        found: String,
    },
}

/// A document as it stands in its file (`analysis.json`, `verify.json`),
/// newline at the end. Fails only where a number has no JSON form, which none
/// holds.
pub fn to_bytes(document: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut text = escape::json(serde_json::to_string_pretty(document)?);
    text.push('\n');
    Ok(text.into_bytes())
}

/// Writes an analysis as [`to_bytes`] does, piece by piece, with all threads of the
/// pool that it is called in.
///
/// # Errors
/// That of the writer.
pub fn write(analysis: &Analysis, out: &mut (dyn Write + Send)) -> io::Result<()> {
    Pieces::of(analysis).write(out)
}

/// Reads a document, its schema first.
pub fn from_slice(bytes: &[u8]) -> Result<Analysis, DocumentError> {
    #[derive(Deserialize)]
    #[serde(expecting = "an object with a schema")]
    struct Head {
        schema: String,
    }
    let head: Head = serde_json::from_slice(bytes).map_err(DocumentError::Syntax)?;
    if head.schema != SCHEMA {
        return Err(DocumentError::Schema { found: head.schema });
    }
    serde_json::from_slice(bytes).map_err(DocumentError::Syntax)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_schema_is_refused_by_name() {
        let error = from_slice(br#"{"schema": "flowcinch.analysis.v9"}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "schema is `flowcinch.analysis.v9`, this program reads `flowcinch.analysis.v1`"
        );
    }

    #[test]
    fn what_is_no_json_is_refused() {
        let refused = |bytes: &[u8]| matches!(from_slice(bytes), Err(DocumentError::Syntax(_)));
        assert!(refused(b""));
        assert!(refused(b"version account-id"));
        assert!(refused(br#"{"schema": "flowcinch.analysis.v1"}"#));
    }
}
