//! Timing contenders against one another on one case.
//!
//! What is fast changes within minutes on a shared machine: the clock rate drifts, neighbours come
//! and go. So contenders are not measured one after the other but in rounds, each sampled once per
//! round in an order shuffled anew: a drift hits all of them alike, and sample `i` of one can be
//! compared with sample `i` of another. A sample is as many runs as fill a few milliseconds, far
//! above the timer's noise; with a cold cache it is one run after the caches were flushed.
//!
//! A contender runs on the rayon pool that [`Session::measure`] is called in:
//!
//! ```
//! use pointwise_harness::measure::{Cache, Session, Settings, Silent, pool};
//! let threads = 1;
//! let mut session = Session::new(Settings::quick(Cache::Hot), &[], threads);
//! let results = pool(threads)?.install(|| {
//!     // Contenders are prepared and verified here, within the pool, and then:
//!     session.measure(&mut [], &Silent)
//! });
//! assert!(results.is_empty());
//! # Ok::<(), pointwise_harness::measure::PoolError>(())
//! ```

pub mod clock;
mod flush;
pub mod paired;
mod progress;
pub mod roofline;
mod session;
mod settings;
mod spread;
pub mod stats;

pub use clock::{Clock, Monotonic};
pub use flush::{Evict, Flush};
pub use progress::{Progress, Silent};
pub use session::{Cores, Session};
pub use settings::{Cache, PoolError, Settings, pinned_pool, pool};
pub(crate) use spread::Apart;
pub use stats::{Samples, Summary};
