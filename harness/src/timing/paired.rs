//! What pairs of measurements say about a difference: the Hodges–Lehmann estimate and the interval
//! that belongs to Wilcoxon's signed-rank test.
//!
//! The test assumes that pairs are symmetric about the difference. Two equal programs that are
//! started in a random order give such pairs, because exchanging their names changes nothing. The
//! test is then exact for any distribution of the noise, bursts included, and one preempted pair
//! cannot move its estimate as it would move a mean.
//!
//! Source: Hollander, Wolfe and Chicken, *Nonparametric Statistical Methods*, chapter 3.

use super::stats;
use statrs::distribution::{ContinuousCDF, Normal};

/// A difference with the interval around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The median of the means of every two differences, each also with itself.
    pub centre: f64,
    /// The lower end; −∞ when there are too few pairs for the confidence.
    pub low: f64,
    /// The upper end; ∞ when there are too few pairs for the confidence.
    pub high: f64,
    /// The number of pairs.
    pub pairs: usize,
}

impl Estimate {
    /// Whether the interval lies on one side of zero.
    pub fn excludes_zero(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }

    /// Half of the interval's length.
    pub fn half_width(&self) -> f64 {
        (self.high - self.low) / 2.0
    }
}

/// For up to so many pairs the distribution of the statistic is computed exactly. For more, the
/// normal distribution approximates it.
const EXACT: usize = 100;

/// The estimate of `differences`. Each end of its interval is wrong with a probability of at most
/// `alpha`. `None` without differences, or when one of them is not finite.
pub fn estimate(differences: &[f64], alpha: f64) -> Option<Estimate> {
    if !differences.iter().all(|difference| difference.is_finite()) {
        return None;
    }
    let mut means: Vec<f64> = Vec::with_capacity(differences.len() * (differences.len() + 1) / 2);
    for (index, one) in differences.iter().enumerate() {
        means.extend(differences[index..].iter().map(|other| (one + other) / 2.0));
    }
    means.sort_unstable_by(f64::total_cmp);
    let centre = stats::median(&means)?;
    let pairs = differences.len();
    let (low, high) = match lower_end(pairs, alpha) {
        Some(rank) => (means[rank], means[means.len() - 1 - rank]),
        None => (f64::NEG_INFINITY, f64::INFINITY),
    };
    Some(Estimate { centre, low, high, pairs })
}

/// The index of the interval's lower end among the ordered means: the largest t with
/// P(T⁺ ≤ t) ≤ `alpha`, where T⁺ is the sum of the ranks of the positive differences among `pairs`.
/// `None` when there is no such t.
fn lower_end(pairs: usize, alpha: f64) -> Option<usize> {
    if pairs > EXACT {
        let n = pairs as f64;
        let (mean, variance) = (n * (n + 1.0) / 4.0, n * (n + 1.0) * (2.0 * n + 1.0) / 24.0);
        let z = Normal::standard().inverse_cdf(alpha);
        let below = mean + z * variance.sqrt();
        return (below >= 1.0).then(|| below as usize - 1);
    }
    // The probability of each sum, when each rank is part of it with probability one half.
    let most = pairs * (pairs + 1) / 2;
    let mut probability = vec![0.0; most + 1];
    probability[0] = 1.0;
    for rank in 1..=pairs {
        for sum in (0..=most).rev() {
            let with = if sum >= rank { probability[sum - rank] } else { 0.0 };
            probability[sum] = (probability[sum] + with) / 2.0;
        }
    }
    let mut total = 0.0;
    let outside = probability.iter().take_while(|p| {
        total += **p;
        total <= alpha
    });
    outside.count().checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    #[test]
    fn intervals_are_those_of_published_tables() {
        // Hollander and Wolfe, table A.4: for n = 9, P(T⁺ ≥ 37) = 0.049 hence P(T⁺ ≤ 8) = 0.049,
        // and for n = 5, P(T⁺ ≤ 0) = 1/32.
        assert_eq!(lower_end(9, 0.05), Some(8));
        assert_eq!(lower_end(9, 0.048), Some(7));
        assert_eq!(lower_end(5, 1.0 / 32.0), Some(0));
        assert_eq!(lower_end(5, 1.0 / 33.0), None);
        // For n = 20 the lower critical value at one-sided 0.01 is 43.
        assert_eq!(lower_end(20, 0.01), Some(43));
    }

    #[test]
    #[expect(clippy::approx_constant, reason = "3.14 is a score of the test")]
    fn the_estimate_of_published_data_is_the_published_one() {
        // Hamilton depression scale, Salsburg 1970, as in Hollander and Wolfe's example 3.1 and 3.3:
        // θ = −0.46, and the interval of 96.1% is (−0.786, −0.010).
        let x = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30];
        let y = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29];
        let differences: Vec<f64> = x.iter().zip(y).map(|(x, y)| y - x).collect();
        let estimate = estimate(&differences, 0.0196).unwrap();
        assert!((estimate.centre + 0.46).abs() < 1e-9, "{estimate:?}");
        assert!((estimate.low + 0.786).abs() < 1e-9, "{estimate:?}");
        assert!((estimate.high + 0.010).abs() < 1e-9, "{estimate:?}");
        assert!(estimate.excludes_zero());
    }

    #[test]
    fn too_few_pairs_exclude_nothing() {
        let few = estimate(&[1.0; 4], 0.01).unwrap();
        assert_eq!((few.low, few.high, few.centre), (f64::NEG_INFINITY, f64::INFINITY, 1.0));
        assert!(!few.excludes_zero());
        assert_eq!(estimate(&[], 0.01), None);
        assert_eq!(estimate(&[1.0, f64::NAN], 0.01), None);
    }

    #[test]
    fn counting_and_the_normal_distribution_meet() {
        let exact = lower_end(EXACT, 1e-3).unwrap() as f64;
        let n = EXACT as f64 + 1.0;
        let normal = lower_end(EXACT + 1, 1e-3).unwrap() as f64;
        assert!((normal - exact) / (n * n / 4.0) < 0.02, "{exact} {normal}");
    }

    #[test]
    fn outliers_and_bursts_do_not_make_a_difference_of_none() {
        // One pair in five is disturbed by up to half its time, on either side.
        let mut rng = StdRng::seed_from_u64(7);
        let mut wrong = 0;
        for _ in 0..400 {
            let pairs: Vec<f64> = (0..30)
                .map(|_| {
                    let noise = rng.random_range(-0.01..0.01);
                    let burst = if rng.random_bool(0.2) { rng.random_range(0.0..0.5) } else { 0.0 };
                    noise + if rng.random_bool(0.5) { burst } else { -burst }
                })
                .collect();
            wrong += usize::from(estimate(&pairs, 0.005).unwrap().excludes_zero());
        }
        // 1% of 400 are expected; 12 would be beyond a thousandth's chance.
        assert!(wrong < 12, "{wrong}");
    }
}
