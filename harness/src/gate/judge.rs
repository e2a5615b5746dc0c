//! What the pairs of a case say.

use crate::measure::paired::{Estimate, estimate};
use serde::Serialize;

/// When a change counts. Shares of the base's time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Limits {
    /// A smaller change is none, however sure it is.
    pub floor: f64,
    /// A slowdown of this much must be excluded before a case counts as unchanged.
    pub resolve: f64,
    /// A change counts when it is so many times the noise of the control.
    pub noise_factor: f64,
    /// The probability that any case of two equal builds is called slower.
    pub error: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { floor: 0.02, resolve: 0.05, noise_factor: 1.5, error: 0.01 }
    }
}

/// What is said of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Slower: a regression.
    Slower,
    /// Faster.
    Faster,
    /// Not slower by as much as must be excluded.
    Unchanged,
    /// The control fails, or the noise hides what must be excluded.
    Inconclusive,
}

impl Verdict {
    /// The lower-case word.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Slower => "slower",
            Verdict::Faster => "faster",
            Verdict::Unchanged => "unchanged",
            Verdict::Inconclusive => "inconclusive",
        }
    }
}

/// A case after some pairs. Changes are of the time, as logarithms.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What is said.
    pub verdict: Verdict,
    /// New against base.
    pub change: Estimate,
    /// Base against base.
    pub control: Estimate,
    /// What `change` had to exceed.
    pub threshold: f64,
}

impl Finding {
    /// Why it is inconclusive, if it is.
    pub fn why(&self) -> Option<String> {
        let percent = |log: f64| 100.0 * log.exp_m1();
        if self.verdict != Verdict::Inconclusive {
            None
        } else if self.control.excludes_zero() {
            let found = percent(self.control.centre);
            Some(format!("the base differs from itself by {found:+.1}%"))
        } else if self.change.high.is_infinite() {
            Some(format!("too few pairs: {}", self.change.pairs))
        } else {
            Some(format!("a slowdown of {:.1}% is not excluded", percent(self.change.high)))
        }
    }
}

/// Numbers of pairs at which a case is looked at; after the last it is measured no more. Each is
/// half as many again as the one before: looking oftener would cost confidence at every look.
pub fn looks() -> impl Iterator<Item = usize> {
    std::iter::successors(Some(16), |pairs| Some(pairs * 3 / 2)).take(LOOKS)
}

const LOOKS: usize = 9;

/// Looks at a case of `cases`. `changes` are log(new ÷ base) and `control` log(base ÷ base), one
/// each for every pair. Inconclusive means: not yet settled.
pub fn judge(changes: &[f64], control: &[f64], cases: usize, limits: &Limits) -> Option<Finding> {
    // One look more, when the time is over, can come at any count. Bonferroni's bound: the chances
    // of all looks at all cases add up to no more than the error allowed.
    let alpha = limits.error / ((LOOKS + 1) * cases.max(1)) as f64;
    let change = estimate(changes, alpha)?;
    let control = estimate(control, alpha)?;
    let threshold = limits.floor.ln_1p().max(limits.noise_factor * control.half_width());
    let verdict = if control.excludes_zero() {
        Verdict::Inconclusive
    } else if change.low > 0.0 && change.centre > threshold {
        Verdict::Slower
    } else if change.high < 0.0 && change.centre < -threshold {
        Verdict::Faster
    } else if change.high < limits.resolve.ln_1p() {
        Verdict::Unchanged
    } else {
        Verdict::Inconclusive
    };
    Some(Finding { verdict, change, control, threshold })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    /// Pairs about `shift` with noise of up to `noise` each way, now and then of `burst`.
    fn pairs(rng: &mut StdRng, count: usize, shift: f64, noise: f64, burst: f64) -> Vec<f64> {
        (0..count)
            .map(|_| {
                let width = if rng.random_bool(0.15) { noise + burst } else { noise };
                shift + rng.random_range(-width..width)
            })
            .collect()
    }

    /// The verdict of a whole sequence of looks on one of eight cases.
    fn settle(rng: &mut StdRng, shift: f64, noise: f64, burst: f64) -> Verdict {
        let most = looks().last().unwrap();
        let changes = pairs(rng, most, shift, noise, burst);
        let control = pairs(rng, most, 0.0, noise, burst);
        let limits = Limits::default();
        let mut verdicts =
            looks().map(|n| judge(&changes[..n], &control[..n], 8, &limits).unwrap().verdict);
        verdicts.find(|v| *v != Verdict::Inconclusive).unwrap_or(Verdict::Inconclusive)
    }

    fn count(shift: f64, noise: f64, burst: f64, wanted: Verdict) -> usize {
        let mut rng = StdRng::seed_from_u64(3);
        (0..60).filter(|_| settle(&mut rng, shift, noise, burst) == wanted).count()
    }

    #[test]
    fn equal_builds_are_called_unchanged_quiet_or_not() {
        assert_eq!(count(0.0, 0.01, 0.0, Verdict::Unchanged), 60);
        assert_eq!(count(0.0, 0.05, 0.3, Verdict::Slower), 0);
        assert_eq!(count(0.0, 0.05, 0.3, Verdict::Faster), 0);
    }

    #[test]
    fn slowdowns_are_found_and_gains_too() {
        assert_eq!(count(0.05, 0.015, 0.0, Verdict::Slower), 60);
        assert_eq!(count(0.10, 0.05, 0.3, Verdict::Slower), 60);
        assert_eq!(count(-0.05, 0.015, 0.0, Verdict::Faster), 60);
    }

    #[test]
    fn below_the_floor_sure_changes_are_none() {
        let mut rng = StdRng::seed_from_u64(5);
        let (changes, control) =
            (pairs(&mut rng, 100, 0.015, 0.002, 0.0), pairs(&mut rng, 100, 0.0, 0.002, 0.0));
        let finding = judge(&changes, &control, 1, &Limits::default()).unwrap();
        assert!(finding.change.low > 0.0, "{finding:?}");
        assert_eq!(finding.verdict, Verdict::Unchanged);
        let strict = Limits { floor: 0.01, ..Limits::default() };
        assert_eq!(judge(&changes, &control, 1, &strict).unwrap().verdict, Verdict::Slower);
    }

    #[test]
    fn a_control_that_differs_or_is_noisy_settles_nothing() {
        let mut rng = StdRng::seed_from_u64(9);
        let changes = pairs(&mut rng, 60, 0.06, 0.002, 0.0);
        let judged = |control: &[f64]| judge(&changes, control, 1, &Limits::default()).unwrap();
        let biased = judged(&pairs(&mut rng, 60, 0.01, 0.002, 0.0));
        assert_eq!(biased.verdict, Verdict::Inconclusive);
        assert!(biased.why().unwrap().contains("differs from itself by +1.0%"), "{biased:?}");
        let noisy = judged(&pairs(&mut rng, 60, 0.0, 0.4, 0.0));
        assert_eq!(noisy.verdict, Verdict::Inconclusive);
        assert!(noisy.threshold > 0.06, "{noisy:?}");
        assert_eq!(judged(&pairs(&mut rng, 60, 0.0, 0.002, 0.0)).verdict, Verdict::Slower);
        let few = judge(&changes[..5], &changes[..5], 1, &Limits::default()).unwrap();
        assert_eq!(few.why().unwrap(), "too few pairs: 5");
    }
}
