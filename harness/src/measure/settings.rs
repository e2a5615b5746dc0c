//! For how long, and in what state of the caches, contenders are measured.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What the caches hold when a run begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cache {
    /// What the run before left in the caches.
    #[default]
    Hot,
    /// No data of the layer.
    Cold,
    /// In a pass through a network: what the layers before left in the caches, and before the first
    /// layer what the pass before left.
    Network,
    /// In a pass through a network: the same, but before the first layer no data of the network.
    NetworkCold,
}

impl Cache {
    /// Every state, those of single layers first.
    pub const ALL: [Cache; 4] = [Cache::Hot, Cache::Cold, Cache::Network, Cache::NetworkCold];

    /// The lower-case name that records and options use.
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

    /// Whether the state is one of passes through a network rather than of single layers.
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
                crate::text::one_line::OneLine(name)
            )
        })
    }
}

/// How long to measure, and in what state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// What the caches hold when a run begins.
    pub cache: Cache,
    /// The time that each contender runs before it is timed.
    pub warm_up: Duration,
    /// The time that a sample should take. With cold caches a sample is one run instead.
    pub sample: Duration,
    /// The time that each contender is measured, its untimed runs included.
    pub budget: Duration,
    /// The rounds that are measured even when the budget is spent.
    pub min_rounds: usize,
    /// The rounds after which measuring ends even when some of the budget is left.
    pub max_rounds: usize,
    /// The seed of the order within rounds.
    pub seed: u64,
}

impl Settings {
    /// For figures that are kept: about 0.3 s for each contender and case.
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

    /// For a first look: about 50 ms for each contender and case.
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

    /// The same with another budget for each contender and case.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_names_read_back() {
        for cache in Cache::ALL {
            assert_eq!(cache.to_string().parse(), Ok(cache));
        }
        assert!("warm".parse::<Cache>().is_err());
    }
}
