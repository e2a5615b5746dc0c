//! A progress bar on standard error, when that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use pointwise_harness::measure;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};

/// Progress through pieces of work of known length. It draws when it is told of a step and never
/// by itself: a ticking thread would disturb what is measured.
#[derive(Default)]
pub(crate) struct Progress {
    bar: Mutex<Option<ProgressBar>>,
}

impl Progress {
    /// Progress through one piece of work.
    pub(crate) fn of(what: &str, steps: usize) -> Self {
        let progress = Progress::default();
        measure::Progress::begin(&progress, what, steps as u64);
        progress
    }

    /// Says what is being done now.
    pub(crate) fn at(&self, what: impl Display) {
        self.with(|bar| {
            if !bar.is_hidden() {
                bar.set_message(what.to_string());
            }
        });
    }

    /// One step is done.
    pub(crate) fn step(&self) {
        self.with(|bar| bar.inc(1));
    }

    /// Does something that prints, without tearing the bar.
    pub(crate) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        match &*bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    fn with(&self, draw: impl FnOnce(&ProgressBar)) {
        if let Some(bar) = &*self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            draw(bar);
        }
    }

    fn replace(&self, bar: Option<ProgressBar>) {
        let old =
            std::mem::replace(&mut *self.bar.lock().unwrap_or_else(PoisonError::into_inner), bar);
        if let Some(old) = old {
            old.finish_and_clear();
        }
    }
}

impl measure::Progress for Progress {
    fn begin(&self, what: &str, steps: u64) {
        let style = ProgressStyle::with_template(
            "{prefix} {bar:24} {pos}/{len} {elapsed_precise} (left {eta}) {wide_msg}",
        )
        .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(steps).with_style(style).with_prefix(what.to_owned());
        self.replace(Some(bar));
    }

    fn step(&self) {
        Progress::step(self);
    }

    fn pulse(&self) {
        self.with(|bar| bar.tick());
    }

    fn end(&self) {
        self.replace(None);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.replace(None);
    }
}
