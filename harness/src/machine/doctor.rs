//! The examination of this machine.

use super::build::Build;
use super::ceilings::{Ceilings, Effort};
use super::cpu::{Cpu, Host};
use super::grade::Trust;
use super::noise::{Monitor, Noise};
use super::timer::Timer;
use crate::timing::clock::Monotonic;
use crate::timing::pool::{PoolError, pool};
use crate::timing::progress::Progress;
use serde::{Deserialize, Serialize};

/// The findings of `pointwise doctor`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Examination {
    /// The CPU.
    pub cpu: Cpu,
    /// The computer around it.
    pub host: Host,
    /// The build of the program.
    pub build: Build,
    /// The ceilings on one thread and on the number of threads asked for.
    pub ceilings: Ceilings,
    /// The clock, and how steady one thread is.
    pub timer: Timer,
    /// What disturbed the examination.
    pub noise: Noise,
    /// How far figures that are measured now can be trusted.
    pub trust: Trust,
}

/// The number of pieces of work between two samples of the clock rate; together they take 25 ms.
const EVERY: usize = 100;

/// Examines the machine, with ceilings on one thread and on `threads` threads. It takes about 2 s
/// when `quick`, otherwise 10 s.
///
/// # Errors
/// [`PoolError`] when there is no pool of `threads` threads.
pub fn examine(
    threads: usize,
    quick: bool,
    progress: &dyn Progress,
) -> Result<Examination, PoolError> {
    let (effort, pieces) = if quick { (Effort::Quick, 1_600) } else { (Effort::Thorough, 8_000) };
    let all = pool(threads)?;
    let one = if threads == 1 { None } else { Some(pool(1)?) };
    let cpu = Cpu::detect();
    let mut monitor = Monitor::start();

    let watches = pieces / EVERY;
    progress.begin("timer", watches as u64);
    let mut piece = 0;
    let timer = Timer::measure(&Monotonic::new(), pieces, &mut || {
        piece += 1;
        if piece % EVERY == 0 {
            monitor.sample();
            progress.step();
        }
    });
    progress.end();

    let mut ceilings = Ceilings::default();
    for pool in one.iter().chain([&all]) {
        ceilings = ceilings.and(Ceilings::measure(pool, &cpu.caches, effort, progress));
        monitor.sample();
    }
    let noise = monitor.finish(0);
    let (host, build) = (Host::detect(), Build::this());
    let trust = Trust::of(&host, cpu.logical, &build, &timer, &noise);
    Ok(Examination { cpu, host, build, ceilings, timer, noise, trust })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timing::progress::Silent;

    #[test]
    fn no_threads_is_an_error() {
        assert!(examine(0, true, &Silent).is_err());
    }
}
