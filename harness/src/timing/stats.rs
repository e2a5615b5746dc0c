//! The statistics that records and rankings are made of.
//!
//! They are medians rather than means. A preempted sample is milliseconds too long: one of those
//! moves a mean of microseconds by tens of percent, and does not move the median.

use serde::{Deserialize, Serialize};
use statrs::statistics::{Data, Max, Min, OrderStatistics, Statistics};

/// The samples of one contender on one case, in the order in which they were taken.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    /// The time of one run of the layer in each sample, ns. Sample `i` was taken in round `i`, for
    /// every contender of the case, so that samples can be compared in pairs.
    pub ns: Vec<f64>,
    /// Runs in each sample.
    pub iterations: u64,
}

/// What a record keeps of [`Samples`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The number of samples.
    pub samples: usize,
    /// The fastest, ns.
    pub min: f64,
    /// The median, ns.
    pub median: f64,
    /// The median absolute deviation from the median, ns, not scaled to a normal distribution.
    pub mad: f64,
}

impl Samples {
    /// The summary; `None` without samples.
    pub fn summary(&self) -> Option<Summary> {
        Some(Summary {
            samples: self.ns.len(),
            min: min(&self.ns)?,
            median: median(&self.ns)?,
            mad: mad(&self.ns)?,
        })
    }
}

/// The smallest value; `None` for an empty slice.
pub fn min(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| Data::new(values.to_vec()).min())
}

/// The largest value; `None` for an empty slice.
pub fn max(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| Data::new(values.to_vec()).max())
}

/// The median, the mean of the middle two for an even count; `None` for an empty slice.
pub fn median(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| OrderStatistics::median(&mut Data::new(values.to_vec())))
}

/// The `tau` quantile, 0 ≤ `tau` ≤ 1, as R's type 8 interpolates; `None` for an empty slice.
pub fn quantile(values: &[f64], tau: f64) -> Option<f64> {
    (!values.is_empty()).then(|| Data::new(values.to_vec()).quantile(tau.clamp(0.0, 1.0)))
}

/// The median of the absolute deviations from the median; `None` for an empty slice.
pub fn mad(values: &[f64]) -> Option<f64> {
    let middle = median(values)?;
    let deviations: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    median(&deviations)
}

/// The geometric mean of positive values; `None` for an empty slice or a value that is not
/// positive and finite.
pub fn geometric_mean(values: &[f64]) -> Option<f64> {
    let positive = values.iter().all(|value| value.is_finite() && *value > 0.0);
    (positive && !values.is_empty()).then(|| values.iter().geometric_mean())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_counts() {
        assert_eq!(median(&[5.0, 1.0, 9.0]), Some(5.0));
        assert_eq!(median(&[4.0, 1.0, 9.0, 2.0]), Some(3.0));
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn one_preempted_sample_moves_neither_median_nor_mad() {
        let calm = [10.0, 11.0, 12.0, 13.0, 14.0];
        let preempted = [10.0, 11.0, 12.0, 13.0, 9000.0];
        assert_eq!(median(&calm), median(&preempted));
        assert_eq!(mad(&calm), Some(1.0));
        assert_eq!(mad(&preempted), Some(1.0));
    }

    #[test]
    fn summaries_take_the_fields_from_the_samples() {
        let samples = Samples { ns: vec![8.0, 2.0, 4.0, 16.0], iterations: 3 };
        let summary = samples.summary().unwrap();
        assert_eq!(summary, Summary { samples: 4, min: 2.0, median: 6.0, mad: 3.0 });
        assert_eq!(Samples::default().summary(), None);
    }

    #[test]
    fn geometric_means() {
        let mean = geometric_mean(&[1.0, 10.0, 100.0]).unwrap();
        assert!((mean - 10.0).abs() < 1e-9, "{mean}");
        assert_eq!(geometric_mean(&[]), None);
        assert_eq!(geometric_mean(&[1.0, 0.0]), None);
        assert_eq!(geometric_mean(&[1.0, -2.0]), None);
        assert_eq!(geometric_mean(&[1.0, f64::NAN]), None);
    }

    #[test]
    fn quantiles_reach_the_ends() {
        let values = [3.0, 1.0, 2.0];
        assert_eq!(quantile(&values, 0.0), Some(1.0));
        assert_eq!(quantile(&values, 1.0), Some(3.0));
        assert_eq!(quantile(&values, 0.5), Some(2.0));
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!((min(&values), max(&values)), (Some(1.0), Some(3.0)));
    }
}
