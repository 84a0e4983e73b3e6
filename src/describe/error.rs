//! Why a snapshot cannot be read: always which file, and what to do.
//!
//! Inside `describe` a wrong value is a [`Fault`], which does not know its
//! file; the name is added once, where it is known.

use std::fmt;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// Why no snapshot came of a path. Every message is one line for the
/// operator, with the file (and line and column, both from 1) first.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DescribeError {
    /// The path or a file below it could not be read or unpacked.
    #[error("`{}`: cannot be read: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system or the decompressor said.
        source: io::Error,
    },
    /// The text of a file is not JSON.
    #[error("`{}`:{line}:{column}: not JSON ({reason}); repeat the describe call that wrote it", .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1 (0 at the very start of a line).
        column: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A file's text is larger than [`DescribeError::LARGEST`].
    #[error("`{}`: more than {} bytes of text; split it into the pages of the call", .path.display(), DescribeError::LARGEST)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A value that no API prints.
    #[error("`{}`: {reason}", .path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// Which resource, which value, and what was expected.
        reason: String,
    },
    /// A folder without any JSON.
    #[error("`{}`: holds no JSON; save describe output into it, such as `aws ec2 describe-security-groups > security-groups.json`", .path.display())]
    NoJson {
        /// The folder.
        path: PathBuf,
    },
    /// `captured-at.txt` says no time.
    #[error("`{}`: `{text}` is not an RFC 3339 time such as `2026-11-20T08:00:00Z`", .path.display())]
    Time {
        /// The file.
        path: PathBuf,
        /// Its first line.
        text: String,
    },
    /// A describe answer without which there is nothing to analyze.
    #[error("the snapshot has no `{part}`; run `{call}` and save its output beside the rest")]
    Missing {
        /// Top-level key of the answer.
        part: &'static str,
        /// The command that prints it.
        call: &'static str,
    },
}

impl DescribeError {
    /// Largest text of one file in bytes, unpacked. It bounds what a
    /// malicious gzip file can unfold to.
    pub const LARGEST: u64 = 1 << 30;

    /// The same error with its file placed below `root`.
    pub(super) fn below(mut self, root: &Path) -> DescribeError {
        match &mut self {
            DescribeError::Unreadable { path, .. }
            | DescribeError::Syntax { path, .. }
            | DescribeError::TooLarge { path }
            | DescribeError::Value { path, .. }
            | DescribeError::NoJson { path }
            | DescribeError::Time { path, .. } => *path = root.join(&*path),
            DescribeError::Missing { .. } => {}
        }
        self
    }
}

/// What is wrong with a value; its file is added by whoever knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault(String);

impl Fault {
    /// A fault with its text.
    pub(super) fn new(text: impl Into<String>) -> Fault {
        Fault(text.into())
    }

    /// The same fault, said of a resource: `security group `sg-1`: …`.
    pub(super) fn of(self, what: &str, id: impl fmt::Display) -> Fault {
        Fault(format!("{what} {}: {}", quoted(&id.to_string()), self.0))
    }

    /// The error that names the file.
    pub(super) fn in_file(self, file: &str) -> DescribeError {
        DescribeError::Value {
            path: PathBuf::from(file),
            reason: self.0,
        }
    }
}

/// Text of a user between backticks: one line, cut where it is very long.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    let cut = if text.chars().nth(LONGEST).is_some() {
        "…"
    } else {
        ""
    };
    let kept: String = text.chars().take(LONGEST).collect();
    format!("`{}{cut}`", kept.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_user_stays_on_one_line() {
        assert_eq!(quoted("a\nb"), "`a\\nb`");
        assert_eq!(quoted(&"x".repeat(200)).chars().count(), 83);
    }

    #[test]
    fn a_fault_says_of_whom_then_in_which_file() {
        let error = Fault::new("port 70000 is not in 0..=65535")
            .of("security group", "sg-1")
            .in_file("a.json")
            .below(Path::new("snap"));
        assert_eq!(
            error.to_string(),
            "`snap/a.json`: security group `sg-1`: port 70000 is not in 0..=65535"
        );
    }
}
