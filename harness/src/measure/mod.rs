//! Timing contenders against one another on one case.
//!
//! The speed of a shared machine changes within minutes: the clock rate drifts, other guests come
//! and go. Contenders are therefore not measured one after the other but in rounds. Each is sampled
//! once in a round, in an order that is shuffled for every round. A drift then affects all of them
//! alike, and sample `i` of one contender can be compared with sample `i` of another. A sample is as
//! many runs as fill a few milliseconds, which is far above the timer's noise. With cold caches a
//! sample is one run after the caches were flushed.
//!
//! A contender runs on the rayon pool that [`Session::measure`] is called in:
//!
//! ```
//! use pointwise_harness::measure::{Cache, Session, Settings};
//! use pointwise_harness::timing::{pool, progress::Silent};
//! let threads = 1;
//! let mut session = Session::new(Settings::quick(Cache::Hot), &[], threads);
//! let results = pool::pool(threads)?.install(|| {
//!     // Contenders are prepared and verified here, within the pool, and then measured:
//!     session.measure(&mut [], &Silent)
//! });
//! assert!(results.is_empty());
//! # Ok::<(), pool::PoolError>(())
//! ```
//!
//! This room may import `timing`, `machine`, `text`, and of `contender` the interface of what is timed.

mod ceiling_probe;
mod flush;
pub mod roofline;
mod session;
mod settings;

pub use ceiling_probe::measure_under_ceiling;
pub use session::Session;
pub use settings::{Cache, Settings};
