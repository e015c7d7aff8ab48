//! The progress of an ingest, for people at a terminal.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Tally;
use crate::{
    clock::Stopwatch,
    text::{grouped, rate},
};

/// How often the bar is drawn, a second.
const DRAWS_PER_SECOND: u8 = 10;

const WITH_END: &str = "{bar:12} {percent:>3} %  {bytes:>10}  {eta:>4} left  {wide_msg}";
const WITHOUT_END: &str = "{spinner} {bytes:>10}  {elapsed:>4}  {wide_msg}";

/// A bar, or nothing.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    bar: ProgressBar,
    /// Bytes taken from the files so far, written by the reading thread.
    read: Arc<AtomicU64>,
    stopwatch: Stopwatch,
}

impl Progress {
    /// A bar on standard error that ends at `total_bytes`, if that is known.
    pub(super) fn shown(total_bytes: Option<u64>) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND);
        let bar = ProgressBar::with_draw_target(total_bytes, target);
        let template = if total_bytes.is_some() {
            WITH_END
        } else {
            WITHOUT_END
        };
        let style = ProgressStyle::with_template(template);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(500));
        Self::with(bar)
    }

    /// No bar.
    pub(super) fn hidden() -> Self {
        Self::with(ProgressBar::hidden())
    }

    fn with(bar: ProgressBar) -> Self {
        Self {
            bar,
            read: Arc::default(),
            stopwatch: Stopwatch::start(),
        }
    }

    /// What the reading thread adds to.
    pub(super) fn counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read)
    }

    /// Shows where the ingest is.
    pub(super) fn update(&self, tally: &Tally) {
        // Ordering: a figure for people, on which nothing depends.
        self.bar.set_position(self.read.load(Ordering::Relaxed));
        if !self.bar.is_hidden() {
            let lines = tally.lines();
            let per_second = rate(lines, self.stopwatch.elapsed_ms());
            self.bar.set_message(format!(
                "{} lines  {} a second  {} rejected",
                grouped(lines),
                grouped(per_second),
                grouped(tally.rejected)
            ));
        }
    }

    /// Writes to standard error without tearing the bar.
    pub(super) fn suspended(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }

    /// Takes the bar away.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
