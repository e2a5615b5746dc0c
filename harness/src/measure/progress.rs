//! How long work tells that it goes on; the command line shows it, a test ignores it.

/// Told what is being done. Every method does nothing unless it is overridden.
pub trait Progress: Sync {
    /// A piece of work of `steps` steps begins.
    fn begin(&self, what: &str, steps: u64) {
        let _ = (what, steps);
    }

    /// One step of it is done.
    fn step(&self) {}

    /// The work goes on within a step; called between samples, never within a timed one.
    fn pulse(&self) {}

    /// The piece of work is done.
    fn end(&self) {}

    /// Whether somebody has asked for an end; asked between samples.
    fn stopped(&self) -> bool {
        false
    }
}

/// Says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {}
