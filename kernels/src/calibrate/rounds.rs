//! Timing many small pieces of work in turns.
//!
//! Each piece is timed once a round, so that a disturbance hits a few samples of many pieces
//! instead of all samples of one. The shortest sample counts: disturbances only add.

use super::clock::Clock;
use super::operands::{Job, Operands};
use super::packing::{Buffers, Pack};
use crate::describe::error::Error;
use std::time::{Duration, Instant};

/// Cycles that a sample takes, about: enough that reading the time does not show.
const SAMPLE: f64 = 12_000.0;

/// Most calls of a sample.
const MOST_CALLS: usize = 512;

/// A piece of work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Work {
    Tile(Job),
    Pack(Pack),
}

/// What was seen of a piece of work.
#[derive(Clone, Copy, Debug)]
struct Seen {
    work: Work,
    /// Calls of a sample.
    calls: usize,
    /// Cycles of a call in the shortest sample, and in all of them together.
    least: f64,
    sum: f64,
}

/// Times of pieces of work.
#[derive(Clone, Debug)]
pub(super) struct Times {
    seen: Vec<Seen>,
    /// Samples of each piece.
    rounds: usize,
}

/// How long to go on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// Rounds to do whatever time they take.
    pub(super) rounds: usize,
    /// Time after which no further round is begun.
    pub(super) time: Duration,
}

impl Times {
    /// Times all of the work.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub(super) fn of(work: &[Work], effort: Effort, clock: &mut Clock) -> Result<Times, Error> {
        let jobs = work.iter().filter_map(|work| match work {
            Work::Tile(job) => Some(*job),
            Work::Pack(_) => None,
        });
        let packs = work.iter().filter_map(|work| match work {
            Work::Pack(pack) => Some(*pack),
            Work::Tile(_) => None,
        });
        let (mut operands, mut buffers) = (Operands::of(jobs)?, Buffers::of(packs)?);
        let mut run = |work: &Work, calls| match work {
            Work::Tile(job) => operands.run(job, calls),
            Work::Pack(pack) => buffers.run(pack, calls),
        };
        let begin = Instant::now();
        let mut times = Times::begin(work, |work, calls| clock.cycles(|| run(work, calls)));
        while times.rounds < effort.rounds || begin.elapsed() < effort.time {
            times.round(|work, calls| {
                // Code and operands are near before the time runs.
                run(work, 1);
                clock.cycles(|| run(work, calls))
            });
        }
        Ok(times)
    }

    /// Finds out how many calls make a sample, by cycles that `time` gives for work and calls.
    fn begin(work: &[Work], mut time: impl FnMut(&Work, usize) -> f64) -> Times {
        let seen = |work: &Work| {
            time(work, 1);
            let once = time(work, 4) / 4.0;
            let calls = (SAMPLE / once.max(1.0)).ceil() as usize;
            Seen { work: *work, calls: calls.clamp(1, MOST_CALLS), least: f64::INFINITY, sum: 0.0 }
        };
        Times { seen: work.iter().map(seen).collect(), rounds: 0 }
    }

    /// Takes one sample of each piece.
    fn round(&mut self, mut time: impl FnMut(&Work, usize) -> f64) {
        for seen in &mut self.seen {
            let cycles = time(&seen.work, seen.calls) / seen.calls as f64;
            seen.least = seen.least.min(cycles);
            seen.sum += cycles;
        }
        self.rounds += 1;
    }

    /// Cycles of a call; nothing for work that was not timed.
    pub(super) fn get(&self, work: &Work) -> Option<f64> {
        self.seen.iter().find(|seen| seen.work == *work).map(|seen| seen.least)
    }

    /// How much longer than its shortest a sample took on average, of the middle piece of work:
    /// a few hundredths on a quiet machine.
    pub(super) fn noise(&self) -> f64 {
        let mut noise: Vec<f64> = self
            .seen
            .iter()
            .map(|seen| seen.sum / self.rounds.max(1) as f64 / seen.least - 1.0)
            .collect();
        noise.sort_by(f64::total_cmp);
        noise.get(noise.len() / 2).copied().unwrap_or(0.0)
    }

    /// Samples of each piece.
    pub(super) fn rounds(&self) -> usize {
        self.rounds
    }
}
