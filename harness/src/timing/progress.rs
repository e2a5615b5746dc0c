//! How long work reports that it goes on. The command line shows it; a test ignores it.

/// Receives reports of progress. Every method does nothing unless it is overridden.
pub trait Progress: Sync {
    /// A piece of work of `steps` steps begins.
    fn begin(&self, what: &str, steps: u64) {
        let _ = (what, steps);
    }

    /// One step is done.
    fn step(&self) {}

    /// The work goes on within a step. This is called between samples, never within a timed one.
    fn pulse(&self) {}

    /// The piece of work is done.
    fn end(&self) {}

    /// Whether the work should end early. This is asked between samples.
    fn stopped(&self) -> bool {
        false
    }
}

/// Ignores every report.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {}
