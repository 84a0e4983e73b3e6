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
            line: ProgressBar::with_draw_target(None, target).with_style(style(false)),
            records: AtomicU64::new(0),
            objects_done: AtomicU64::new(0),
            objects: AtomicU64::new(0),
        }
    }

    /// Takes the bar off the terminal.
    pub(crate) fn finish(&self) {
        self.line.finish_and_clear();
    }

    fn tell(&self) {
        let done = self.objects_done.load(Ordering::Relaxed);
        let of = self.objects.load(Ordering::Relaxed);
        let records = human::count(self.records.load(Ordering::Relaxed));
        self.line
            .set_message(format!("{records} records, {done} of {of} objects"));
    }
}

fn style(measured: bool) -> ProgressStyle {
    let template = if measured {
        "{prefix} [{wide_bar}] {bytes} of {total_bytes}, {binary_bytes_per_sec}, {eta} left, {msg}"
    } else {
        "{spinner} {prefix} {bytes}, {msg}"
    };
    let style = ProgressStyle::with_template(template);
    style
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
            self.line.set_style(style(true));
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
