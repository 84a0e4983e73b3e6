//! The one document on its way out: written piece by piece, hashed as it goes.

use std::io;
use std::io::Write;
use std::path::Path;

use flowcinch::checksum::Summing;
use flowcinch::pipeline;
use flowcinch::report::document::Analysis;
use flowcinch::report::json;
use flowcinch::tighten::proof::certificate::HashedFile;

use crate::cli::Failure;
use crate::cli::output;
use crate::cli::output::Beside;
use crate::cli::output::OutputError;

/// Name of the document in a folder.
pub(crate) const DOCUMENT: &str = "analysis.json";

/// A document, and the worker threads that write it; `None` takes one a core.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Document<'a> {
    pub(crate) analysis: &'a Analysis,
    pub(crate) threads: Option<usize>,
}

impl Document<'_> {
    /// To standard output.
    pub(crate) fn print(self) -> Result<(), Failure> {
        self.with_threads(|| output::printed(|stdout| json::write(self.analysis, stdout)))??;
        Ok(())
    }

    /// To a folder, where it lies beside its place; or why the folder does not take
    /// it.
    pub(crate) fn beside(
        self,
        folder: &Path,
    ) -> Result<Result<(Beside, HashedFile), OutputError>, Failure> {
        let path = folder.join(DOCUMENT);
        self.with_threads(|| Beside::written(&path, |file| self.hashed(file)))
    }

    /// Nowhere: what it would be.
    pub(crate) fn identified(self) -> Result<HashedFile, Failure> {
        Ok(self.with_threads(|| self.hashed(io::sink()))??)
    }

    fn hashed(self, out: impl Write + Send) -> io::Result<HashedFile> {
        let mut out = Summing::new(out);
        json::write(self.analysis, &mut out)?;
        let (sha256, bytes) = out.finish();
        Ok(HashedFile {
            name: DOCUMENT.to_owned(),
            bytes,
            sha256,
        })
    }

    fn with_threads<T: Send>(self, run: impl FnOnce() -> T + Send) -> Result<T, Failure> {
        Ok(pipeline::with_threads(self.threads, run)?)
    }
}
