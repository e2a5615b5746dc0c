//! A progress bar on standard error, when that is a terminal.

use indicatif::{ProgressBar as Bar, ProgressStyle};
use pointwise_harness::timing::progress::Progress;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};

/// The progress of pieces of work of known length.
///
/// The bar is drawn when a step is reported and never by itself: a thread that draws would disturb
/// the measurements.
#[derive(Default)]
pub(crate) struct ProgressBar {
    bar: Mutex<Option<Bar>>,
}

impl ProgressBar {
    /// The progress of one piece of work.
    pub(crate) fn of(what: &str, steps: usize) -> Self {
        let progress = ProgressBar::default();
        progress.begin(what, steps as u64);
        progress
    }

    /// Shows what is being done now.
    pub(crate) fn at(&self, what: impl Display) {
        self.with(|bar| {
            if !bar.is_hidden() {
                bar.set_message(what.to_string());
            }
        });
    }

    /// Prints something without tearing the bar.
    pub(crate) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        match &*bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    fn with(&self, draw: impl FnOnce(&Bar)) {
        if let Some(bar) = &*self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            draw(bar);
        }
    }

    fn replace(&self, bar: Option<Bar>) {
        let old =
            std::mem::replace(&mut *self.bar.lock().unwrap_or_else(PoisonError::into_inner), bar);
        if let Some(old) = old {
            old.finish_and_clear();
        }
    }
}

impl Progress for ProgressBar {
    fn begin(&self, what: &str, steps: u64) {
        let style = ProgressStyle::with_template(
            "{prefix} {bar:24} {pos}/{len} {elapsed_precise} (left {eta}) {wide_msg}",
        )
        .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = Bar::new(steps).with_style(style).with_prefix(what.to_owned());
        self.replace(Some(bar));
    }

    fn step(&self) {
        self.with(|bar| bar.inc(1));
    }

    fn pulse(&self) {
        self.with(|bar| bar.tick());
    }

    fn end(&self) {
        self.replace(None);
    }
}

impl Drop for ProgressBar {
    fn drop(&mut self) {
        self.replace(None);
    }
}
