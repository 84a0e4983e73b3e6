//! How far a run is, on a terminal's standard error and nowhere else.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use flowcinch::pipeline::Progress;
use flowcinch::report::human;
use indicatif::ProgressBar;
use indicatif::ProgressDrawTarget;
use indicatif::ProgressStyle;

/// A bar over the bytes to read, with the objects done in its message.
#[derive(Debug)]
pub(crate) struct Bar {
    line: ProgressBar,
    records: AtomicU64,
    objects_done: AtomicU64,
    objects: AtomicU64,
}

impl Bar {
    /// A bar that is drawn, or one that is not.
    pub(crate) fn new(shown: bool) -> Bar {
        let target = if shown {
            ProgressDrawTarget::stderr_with_hz(10)
        } else {
            ProgressDrawTarget::hidden()
        };
        Bar {
            line: ProgressBar::with_draw_target(None, target).with_style(style(UNMEASURED)),
            records: AtomicU64::new(0),
            objects_done: AtomicU64::new(0),
            objects: AtomicU64::new(0),
        }
    }

    /// Takes the bar off the terminal.
    pub(crate) fn finish(&self) {
        self.line.finish_and_clear();
    }

    /// Words are put together for whoever sees them.
    fn tell(&self) {
        if !self.line.is_hidden() {
            self.line.set_message(self.message());
        }
    }

    fn message(&self) -> String {
        let done = self.objects_done.load(Ordering::Relaxed);
        let of = self.objects.load(Ordering::Relaxed);
        let records = human::count(self.records.load(Ordering::Relaxed));
        format!("{records} records, {done} of {of} objects")
    }
}

/// With the bytes to read known, and without.
const MEASURED: &str =
    "{prefix} [{wide_bar}] {bytes} of {total_bytes}, {binary_bytes_per_sec}, {eta} left, {msg}";
const UNMEASURED: &str = "{spinner} {prefix} {bytes}, {msg}";

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
        .tick_chars("|/-\\ ")
}

impl Progress for Bar {
    fn begin(&self, objects: u64, bytes: Option<u64>) {
        self.objects.store(objects, Ordering::Relaxed);
        self.line.set_prefix("reading");
        if let Some(bytes) = bytes {
            self.line.set_length(bytes);
            self.line.set_style(style(MEASURED));
        }
    }

    fn advance(&self, compressed_bytes: u64, records: u64) {
        self.records.fetch_add(records, Ordering::Relaxed);
        self.line.inc(compressed_bytes);
    }

    fn object_done(&self) {
        self.objects_done.fetch_add(1, Ordering::Relaxed);
        self.tell();
    }

    fn phase(&self, name: &str) {
        self.line.set_prefix(name.to_owned());
        self.tell();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_templates_are_understood() {
        for template in [MEASURED, UNMEASURED] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn what_is_told_adds_up() {
        let bar = Bar::new(false);
        bar.begin(3, Some(100));
        bar.advance(40, 1_000);
        bar.advance(20, 234);
        bar.object_done();
        assert_eq!(bar.message(), "1,234 records, 1 of 3 objects");
        assert_eq!((bar.line.position(), bar.line.length()), (60, Some(100)));
        bar.phase("judging");
        assert_eq!(bar.line.prefix(), "judging");
    }
}
