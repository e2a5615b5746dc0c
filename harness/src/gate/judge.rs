//! Judging a case by its pairs.

use crate::timing::paired::{Estimate, estimate};
use serde::Serialize;

/// The limits above which a change counts. Changes are shares of the base's time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Limits {
    /// A smaller change does not count, however sure it is.
    pub floor: f64,
    /// A case counts as unchanged only when a slowdown of this size is excluded.
    pub resolve: f64,
    /// A change counts only when it is larger than this times the noise of the control.
    pub noise_factor: f64,
    /// The probability that any case of two equal builds is called slower.
    pub error: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { floor: 0.02, resolve: 0.05, noise_factor: 1.5, error: 0.01 }
    }
}

/// The verdict on a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The new build is slower: a regression.
    Slower,
    /// The new build is faster.
    Faster,
    /// A slowdown of the size that must be excluded is excluded.
    Unchanged,
    /// The control fails, or the noise hides a slowdown of that size.
    Inconclusive,
}

impl Verdict {
    /// The lower-case word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Slower => "slower",
            Verdict::Faster => "faster",
            Verdict::Unchanged => "unchanged",
            Verdict::Inconclusive => "inconclusive",
        }
    }
}

/// A case after some pairs. Changes are logarithms of ratios of times.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// New against base.
    pub change: Estimate,
    /// Base against base.
    pub control: Estimate,
    /// The size that `change` had to exceed.
    pub threshold: f64,
}

impl Judgement {
    /// The reason of an inconclusive verdict.
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

/// The numbers of pairs at which a case is judged. After the last it is not measured any more.
///
/// Each number is one and a half times the number before. More looks would cost confidence at each of
/// them.
pub fn looks() -> impl Iterator<Item = usize> {
    std::iter::successors(Some(16), |pairs| Some(pairs * 3 / 2)).take(LOOKS)
}

const LOOKS: usize = 9;

/// Judges one of `cases` cases. `changes` has log(new ÷ base) for every pair, and `control`
/// log(base ÷ base). Before the last look an inconclusive verdict means that the case is not settled.
/// `None` without pairs.
pub fn judge(changes: &[f64], control: &[f64], cases: usize, limits: &Limits) -> Option<Judgement> {
    // Bonferroni's bound: the error probabilities of all looks at all cases add up to the allowed
    // one. One more look can come at any number of pairs, when the budget is spent.
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
    Some(Judgement { verdict, change, control, threshold })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    /// Pairs about `shift` with noise of up to `noise` either way, and of `noise + burst` at times.
    fn pairs(rng: &mut StdRng, count: usize, shift: f64, noise: f64, burst: f64) -> Vec<f64> {
        (0..count)
            .map(|_| {
                let width = if rng.random_bool(0.15) { noise + burst } else { noise };
                shift + rng.random_range(-width..width)
            })
            .collect()
    }

    /// The verdict on one of eight cases after all looks.
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
        let judgement = judge(&changes, &control, 1, &Limits::default()).unwrap();
        assert!(judgement.change.low > 0.0, "{judgement:?}");
        assert_eq!(judgement.verdict, Verdict::Unchanged);
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
