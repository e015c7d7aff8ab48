//! The progress of long work other than an ingest.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use stemedb::maintenance::Progress;

use crate::{
    clock::Stopwatch,
    text::{grouped, rate},
};

const WITH_END: &str = "{bar:12} {percent:>3} %  {eta:>4} left  {prefix}  {wide_msg}";
const WITHOUT_END: &str = "{spinner} {elapsed:>4}  {prefix}  {wide_msg}";

/// A bar on standard error, or nothing.
#[derive(Debug)]
pub(super) struct Working {
    bar: ProgressBar,
    unit: &'static str,
    stopwatch: Stopwatch,
}

impl Working {
    /// A bar that counts `unit`, if it `is_shown`.
    pub(super) fn new(is_shown: bool, unit: &'static str) -> Self {
        let bar = if is_shown {
            let bar = ProgressBar::no_length();
            bar.set_style(style(WITHOUT_END));
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        } else {
            ProgressBar::hidden()
        };
        let stopwatch = Stopwatch::start();
        Self {
            bar,
            unit,
            stopwatch,
        }
    }

    /// Shows that `done` of `total` is done.
    pub(super) fn update(&self, done: u64, total: Option<u64>) {
        if self.bar.is_hidden() {
            return;
        }
        if let Some(total) = total.filter(|_| self.bar.length() != total) {
            self.bar.set_length(total);
            self.bar.set_style(style(WITH_END));
        }
        self.bar.set_position(done);
        let per_second = rate(done, self.stopwatch.elapsed_ms());
        let (done, per_second) = (grouped(done), grouped(per_second));
        self.bar
            .set_message(format!("{done} {}  {per_second} a second", self.unit));
    }

    /// Shows how far the library is with a long job.
    pub(super) fn show(&self, progress: &Progress) {
        let total = Some(progress.total).filter(|total| *total > 0);
        self.bar.set_prefix(progress.stage);
        self.update(progress.done, total);
    }

    /// Takes the bar away.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
