//! How a case is measured.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What the caches hold when a run begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cache {
    /// What the run before left in them.
    #[default]
    Hot,
    /// Nothing of the layer's data.
    Cold,
    /// Before each layer what the other layers of its network left in them, before the first what
    /// the pass before did.
    Network,
    /// The same, but nothing before the first layer.
    NetworkCold,
}

impl Cache {
    /// Every state, layers by themselves first.
    pub const ALL: [Cache; 4] = [Cache::Hot, Cache::Cold, Cache::Network, Cache::NetworkCold];

    /// The lower-case name, as records and options write it.
    pub const fn name(self) -> &'static str {
        match self {
            Cache::Hot => "hot",
            Cache::Cold => "cold",
            Cache::Network => "network",
            Cache::NetworkCold => "network-cold",
        }
    }

    /// Whether the caches are flushed before each sample.
    pub const fn is_flushed(self) -> bool {
        matches!(self, Cache::Cold | Cache::NetworkCold)
    }

    /// Whether it is the layers of a network in order that are run, not one layer.
    pub const fn is_pass(self) -> bool {
        matches!(self, Cache::Network | Cache::NetworkCold)
    }
}

impl fmt::Display for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Cache {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Cache::ALL.into_iter().find(|cache| cache.name() == name).ok_or_else(|| {
            format!(
                "no cache state is called `{}`: hot, cold, network or network-cold",
                crate::one_line::OneLine(name)
            )
        })
    }
}

/// How long to measure, and in what state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// What the caches hold when a run begins.
    pub cache: Cache,
    /// How long each contender runs before it is timed.
    pub warm_up: Duration,
    /// How long a sample should take; ignored with a cold cache, where it is one run.
    pub sample: Duration,
    /// How long each contender is measured, its untimed runs included.
    pub budget: Duration,
    /// Rounds that are taken even when the budget is spent.
    pub min_rounds: usize,
    /// Rounds after which it ends even when some of the budget is left.
    pub max_rounds: usize,
    /// Seed of the order within rounds.
    pub seed: u64,
}

impl Settings {
    /// For figures that are kept: about 0.3 s per contender and case.
    pub const fn thorough(cache: Cache) -> Self {
        Settings {
            cache,
            warm_up: Duration::from_millis(20),
            sample: Duration::from_millis(3),
            budget: Duration::from_millis(300),
            min_rounds: 7,
            max_rounds: 101,
            seed: 1,
        }
    }

    /// For a first look: about 50 ms per contender and case.
    pub const fn quick(cache: Cache) -> Self {
        Settings {
            warm_up: Duration::from_millis(5),
            sample: Duration::from_millis(1),
            budget: Duration::from_millis(50),
            min_rounds: 3,
            max_rounds: 51,
            ..Settings::thorough(cache)
        }
    }

    /// With another budget per contender and case.
    #[must_use]
    pub const fn budget(mut self, budget: Duration) -> Self {
        self.budget = budget;
        self
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings::thorough(Cache::Hot)
    }
}

/// A pool of threads that could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// Zero threads, or more than rayon allows.
    #[error("{threads} threads cannot measure anything: 1 to {most} can")]
    Count {
        /// How many were asked for.
        threads: usize,
        /// The most there can be.
        most: usize,
    },
    /// The operating system refused.
    #[error("cannot start {threads} threads: {reason}")]
    Refused {
        /// How many were asked for.
        threads: usize,
        /// Its own words.
        reason: String,
    },
}

/// A pool of exactly `threads` threads, which measuring runs in.
///
/// # Errors
/// [`PoolError`] for zero threads, more than rayon's limit, or when they cannot be started.
pub fn pool(threads: usize) -> Result<rayon::ThreadPool, PoolError> {
    build(threads, |_| ())
}

/// The same, each of its threads kept on a CPU of its own where there are as many: what one
/// candidate gains over another must not depend on where the scheduler happened to put them.
///
/// # Errors
/// As [`pool`].
pub fn pinned_pool(threads: usize) -> Result<rayon::ThreadPool, PoolError> {
    let cpus = (threads > 1).then(|| super::spread::cpus_for(threads)).flatten();
    build(threads, move |index| {
        if let Some(cpus) = &cpus {
            super::spread::keep_on(cpus[index]);
        }
    })
}

fn build(
    threads: usize,
    start: impl Fn(usize) + Send + Sync + 'static,
) -> Result<rayon::ThreadPool, PoolError> {
    // Rayon silently takes fewer threads than its limit allows; and a machine cannot measure with
    // thousands, so a slip of the finger is refused rather than carried out.
    let most = rayon::max_num_threads().min(4096);
    if threads == 0 || threads > most {
        return Err(PoolError::Count { threads, most });
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|index| format!("pointwise-{index}"))
        .start_handler(start)
        .build()
        .map_err(|error| PoolError::Refused { threads, reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_have_as_many_threads_as_asked() {
        for threads in [1, 2, 3] {
            assert_eq!(pool(threads).unwrap().install(rayon::current_num_threads), threads);
        }
        assert!(matches!(pool(0), Err(PoolError::Count { threads: 0, .. })));
        assert!(matches!(pool(usize::MAX), Err(PoolError::Count { .. })));
    }

    #[test]
    fn cache_names_read_back() {
        for cache in Cache::ALL {
            assert_eq!(cache.to_string().parse(), Ok(cache));
        }
        assert!("warm".parse::<Cache>().is_err());
    }
}
