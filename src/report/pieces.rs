//! The document in pieces, each as it stands in the file: they are made side by
//! side and written in their order, so that of a document of gigabytes no more
//! than a few are in memory.
//!
//! What they come to is what [`json::to_bytes`](crate::report::json::to_bytes)
//! makes of the document as one, which is their plain twin.

use std::io;
use std::io::Write;

use rayon::prelude::*;
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;
use serde_json::ser::PrettyFormatter;

use crate::report::document::Analysis;
use crate::report::document::is_aws;
use crate::report::escape;

/// Elements of a list made together: a group with its hundred rules, or its
/// proposals, are 100 kB and more; of all else an element is below 1 kB.
const LARGE: usize = 1;
const SMALL: usize = 64;
/// Pieces of each thread that are made while as many are written.
const A_THREAD: usize = 4;
/// How deep the value of a key lies, and an element of a list.
const OF_KEY: usize = 1;
const OF_LIST: usize = 2;

/// Makes one piece.
type Piece<'a> = Box<dyn Fn() -> io::Result<String> + Send + Sync + 'a>;

/// The pieces of an object, in their order.
#[derive(Default)]
pub(super) struct Pieces<'a> {
    all: Vec<Piece<'a>>,
}

impl<'a> Pieces<'a> {
    /// Those of an analysis.
    pub(super) fn of(analysis: &'a Analysis) -> Pieces<'a> {
        let Analysis {
            schema,
            pseudonymised,
            provider,
            window,
            ingest,
            coverage,
            caveats,
            security_groups,
            rejects,
            proposals,
            verification,
            talks,
        } = analysis;
        let mut pieces = Pieces::default();
        pieces.key("schema", schema);
        if *pseudonymised {
            pieces.key("pseudonymised", pseudonymised);
        }
        if !is_aws(provider) {
            pieces.key("provider", provider);
        }
        pieces.key("window", window);
        pieces.key("ingest", ingest);
        pieces.key("coverage", coverage);
        pieces.list("caveats", caveats, SMALL);
        pieces.list("security_groups", security_groups, LARGE);
        pieces.list("rejects", rejects, SMALL);
        pieces.list("proposals", proposals, LARGE);
        pieces.key("verification", verification);
        pieces.list("talks", talks, SMALL);
        pieces.all.push(Box::new(|| Ok("\n}\n".to_owned())));
        pieces
    }

    /// A key with its value.
    fn key(&mut self, key: &'static str, value: &'a (impl Serialize + Sync)) {
        let before = self.before(key);
        let piece = move || text(before.clone(), &[value], OF_KEY, "");
        self.all.push(Box::new(piece));
    }

    /// A key with a list, so many elements a piece.
    fn list(&mut self, key: &'static str, elements: &'a [impl Serialize + Sync], together: usize) {
        if elements.is_empty() {
            return self.key(key, &[(); 0]);
        }
        for (number, chunk) in elements.chunks(together).enumerate() {
            let before = match number {
                0 => self.before(key) + "[\n    ",
                _ => ",\n    ".to_owned(),
            };
            let piece = move || text(before.clone(), chunk, OF_LIST, ",\n    ");
            self.all.push(Box::new(piece));
        }
        self.all.push(Box::new(|| Ok("\n  ]".to_owned())));
    }

    /// What stands before the value of a key.
    fn before(&self, key: &'static str) -> String {
        let first = if self.all.is_empty() { "{" } else { "," };
        format!("{first}\n  \"{key}\": ")
    }

    /// Makes all of them, and writes them while the next are made.
    pub(super) fn write(&self, out: &mut (dyn Write + Send)) -> io::Result<()> {
        let at_once = rayon::current_num_threads().saturating_mul(A_THREAD);
        let mut made: Vec<io::Result<String>> = Vec::new();
        for next in self.all.chunks(at_once).chain([&[][..]]) {
            let before = std::mem::take(&mut made);
            let (written, next) = rayon::join(
                || {
                    let mut before = before.into_iter();
                    before.try_for_each(|piece| out.write_all(piece?.as_bytes()))
                },
                || next.par_iter().map(|piece| piece()).collect(),
            );
            written?;
            made = next;
        }
        Ok(())
    }
}

/// Values so deep, one after the other, behind what stands before the first.
fn text(
    before: String,
    values: &[impl Serialize],
    depth: usize,
    between: &str,
) -> io::Result<String> {
    let mut text = before.into_bytes();
    for (number, value) in values.iter().enumerate() {
        if number > 0 {
            text.extend_from_slice(between.as_bytes());
        }
        let mut formatter = PrettyFormatter::new();
        for _ in 0..depth {
            formatter.begin_array(&mut io::sink())?;
        }
        value.serialize(&mut Serializer::with_formatter(&mut text, formatter))?;
    }
    String::from_utf8(text)
        .map(escape::json)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Provider;
    use crate::report::document::Caveat;
    use crate::report::document::Coverage;
    use crate::report::document::Ingest;
    use crate::report::document::SCHEMA;
    use crate::report::document::Verification;
    use crate::report::json;

    fn analysis(caveats: usize, text: &str) -> Analysis {
        let caveat = |number| Caveat {
            code: format!("code-{number}"),
            text: text.to_owned(),
        };
        Analysis {
            schema: SCHEMA.to_owned(),
            pseudonymised: false,
            provider: Provider::Aws,
            window: None,
            ingest: Ingest::default(),
            coverage: Coverage::default(),
            caveats: (0..caveats).map(caveat).collect(),
            security_groups: Vec::new(),
            rejects: Vec::new(),
            proposals: Vec::new(),
            verification: Verification::default(),
            talks: Vec::new(),
        }
    }

    fn in_pool<T: Send>(threads: usize, run: impl FnOnce() -> T + Send) -> T {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(run)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn pieces_come_to_the_document_as_one(
            caveats in 0_usize..2_000,
            text in any::<String>(),
            pseudonymised in any::<bool>(),
            alibaba in any::<bool>(),
        ) {
            let mut analysis = analysis(caveats, &text);
            analysis.pseudonymised = pseudonymised;
            if alibaba {
                analysis.provider = Provider::Alibaba;
            }
            let whole = json::to_bytes(&analysis).unwrap();
            for threads in [1, 3] {
                let mut written = Vec::new();
                in_pool(threads, || Pieces::of(&analysis).write(&mut written)).unwrap();
                prop_assert_eq!(
                    String::from_utf8_lossy(&written),
                    String::from_utf8_lossy(&whole)
                );
            }
        }
    }

    /// Takes so many bytes and no more.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match bytes.len().min(self.0) {
                0 => Err(io::ErrorKind::StorageFull.into()),
                taken => {
                    self.0 -= taken;
                    Ok(taken)
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_writer_that_is_full_ends_it() {
        let analysis = analysis(2_000, "some text");
        let whole = json::to_bytes(&analysis).unwrap().len();
        let write = |room| in_pool(2, || Pieces::of(&analysis).write(&mut Full(room)));
        assert!(write(whole).is_ok());
        for room in [0, 1, 5_000, whole - 1] {
            assert_eq!(write(room).unwrap_err().kind(), io::ErrorKind::StorageFull);
        }
    }
}
