//! Measuring this machine's own prices with the library's own tiles and packing.
//!
//! ```text
//! in turns, until the time is up:      every size of tile, by form, at two depths
//!                                      the same with shared vectors, with a residual, and stored
//!                                      in other places, under a mask, in part, across
//!                                      pixels packed by copy, transpose and gather
//! then, a few times each:              a tile that streams from L2, L3 and memory
//!                                      a load from memory; two threads of a pool
//! ```
//!
//! The shortest of the times counts, in cycles of the core's own clock. Nothing here is called
//! unless [`Cpu::calibrate`] is.

mod clock;
mod fit;
mod operands;
mod packing;
mod prices;
mod rounds;
mod streams;
pub(crate) mod text;
mod wake;

use crate::cpu::Cpu;
use crate::describe::error::Error;
use crate::reference::float_environment::DefaultEnvironment;
use crate::run::pool::Pool;
use clock::Clock;
use prices::Prices;
use rounds::{Effort, Times};
use std::time::Duration;
use text::{Calibration, Found};

/// How much a calibration does.
#[derive(Clone, Copy, Debug)]
struct Extent {
    /// Of tiles and packing.
    effort: Effort,
    /// Repeats of a stream, and of waking a thread.
    streams: usize,
    wakes: usize,
}

/// Under two seconds altogether.
const WHOLE: Extent = Extent {
    effort: Effort { rounds: 5, time: Duration::from_millis(1300) },
    streams: 6,
    wakes: 40,
};

impl Cpu {
    /// Measures what tiles, stores, packing and memory cost on this machine: within two seconds,
    /// of which most go to the tiles, and with as much memory as twice its last cache for the
    /// while. What a second thread waits for is measured in the pool, if that has two.
    ///
    /// The result describes the core that the calling thread ran on. Nothing uses the result by
    /// itself.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn calibrate(pool: Pool<'_>) -> Result<Calibration, Error> {
        calibrate(pool, WHOLE)
    }
}

fn calibrate(pool: Pool<'_>, extent: Extent) -> Result<Calibration, Error> {
    let _environment = DefaultEnvironment::enter();
    let host = Cpu::host();
    let mut clock = Clock::start();
    let times = Times::of(&prices::work(), extent.effort, &mut clock)?;
    let found = Found {
        prices: Prices::from(&times),
        streams: streams::measure(host, extent.streams, &mut clock)?,
        wake: wake::measure(pool, extent.wakes, &mut clock)?,
    };
    let (noise, samples) = (times.noise(), times.rounds());
    let text = text::write_host(&found, noise);
    Ok(Calibration { cpu: Cpu::parse("host", &text)?, text, noise, samples })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_calibration_is_whole_and_is_read_again() {
        let extent =
            Extent { effort: Effort { rounds: 1, time: Duration::ZERO }, streams: 1, wakes: 1 };
        let calibration = calibrate(Pool::Serial, extent).unwrap();
        assert_eq!(calibration.samples, 1);
        assert!(calibration.noise >= 0.0);
        assert_eq!(Calibration::parse(&calibration.text).unwrap(), calibration.cpu);
        assert_eq!(
            calibration.cpu.has_measured_steps(),
            calibration.cpu.isa != crate::micro::isa::Isa::Scalar
        );
        // What is no price stays.
        let host = Cpu::host();
        assert_eq!(calibration.cpu.isa, host.isa);
        assert_eq!((calibration.cpu.l1, calibration.cpu.l2), (host.l1, host.l2));
    }
}
