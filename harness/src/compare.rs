//! One run against another: what became faster or slower, as far as two runs can tell.
//!
//! A record holds the median of its samples and their median absolute deviation. These two say how
//! well the median of *that run* is known. They do not say what another run of the same program would
//! give, with buffers at other addresses, another clock rate and other guests on the machine.
//!
//! Contenders that are the same program in both runs say that: peers of the same version. The spread
//! of their ratios is the noise from run to run, and their median is the drift. Without enough such
//! contenders [`ASSUMED_NOISE`] is used. `gate` needs no assumption, because it measures both builds
//! in one session.
//!
//! This module imports `rank`, `record` and `timing`.

use crate::rank::{Known, Role, Setting};
use crate::record::{PASS, Record};
use crate::timing::stats;
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};
use std::collections::{HashMap, HashSet};

/// The standard deviation of a layer's time between two runs of one program, as a share, where the
/// records do not show it.
pub const ASSUMED_NOISE: f64 = 0.02;

/// The fewest rows of unchanged contenders from which the noise is estimated.
const FEWEST: usize = 5;

/// The probability that any [`Word`] on rows is wrong, and that any on means is.
const ERROR: f64 = 0.05;

/// The word for a change that is sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// The whole interval lies below 1 ÷ (1 + floor).
    Faster,
    /// The whole interval lies above 1 + floor.
    Slower,
}

/// A ratio of times, B ÷ A, with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ratio {
    /// B ÷ A: above one is slower.
    pub ratio: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The word for it; `None` when the change is not sure.
    pub word: Option<Word>,
}

impl Ratio {
    fn new(log: f64, half: f64, floor: f64) -> Ratio {
        let floor = floor.ln_1p();
        let word = match (log - half > floor, log + half < -floor) {
            (true, _) => Some(Word::Slower),
            (_, true) => Some(Word::Faster),
            _ => None,
        };
        Ratio { ratio: log.exp(), low: (log - half).exp(), high: (log + half).exp(), word }
    }
}

/// A layer that both runs have.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparedRow {
    /// The setting.
    #[serde(flatten)]
    pub setting: Setting,
    /// The network; empty for a layer given by hand.
    pub network: String,
    /// The layer's name.
    pub layer: String,
    /// The layer's text, if known.
    pub text: Option<String>,
    /// The contender.
    pub contender: String,
    /// The median in A, ns.
    pub ns_a: f64,
    /// The median in B, ns.
    pub ns_b: f64,
    /// B ÷ A.
    #[serde(flatten)]
    pub change: Ratio,
}

/// A contender over all layers of a setting.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparedMean {
    /// The setting.
    #[serde(flatten)]
    pub setting: Setting,
    /// The contender.
    pub contender: String,
    /// The number of different problems, heads left out.
    pub layers: usize,
    /// The geometric mean of B ÷ A.
    #[serde(flatten)]
    pub change: Ratio,
}

/// The difference between two runs of one program.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RunNoise {
    /// The number of rows of contenders that are the same in both runs.
    pub rows: usize,
    /// The standard deviation of the logarithm of their ratios.
    pub noise: f64,
    /// The median of those logarithms: the drift of the whole machine.
    pub drift: f64,
    /// Whether `noise` is [`ASSUMED_NOISE`], for want of rows.
    pub assumed: bool,
}

/// The comparison of two runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The layers in both, in the order of A.
    pub rows: Vec<ComparedRow>,
    /// The mean of each contender over its layers.
    pub means: Vec<ComparedMean>,
    /// The noise between the runs.
    pub noise: RunNoise,
    /// The number of rows that only A has, and that only B has.
    pub only: [usize; 2],
}

type RowKey = (Setting, String, String, String, String);

fn key(record: &Record) -> RowKey {
    let (network, layer) = (record.network.clone(), record.layer.clone());
    (Setting::of(record), network, layer, record.sizes_text(), record.contender.clone())
}

/// The standard error of the logarithm of a record's median.
///
/// For samples of a normal distribution σ ≈ 1.4826 MAD, and the standard error of the median of n
/// samples is √(π/2) σ ÷ √n.
fn standard_error(record: &Record) -> f64 {
    let sigma = 1.4826 * record.ns_mad / record.ns_median;
    (std::f64::consts::FRAC_PI_2).sqrt() * sigma / (record.samples as f64).sqrt()
}

/// Compares `b` with `a`. A change below `floor`, a share of the time, never gets a word.
pub fn compare(a: &[Record], b: &[Record], floor: f64, known: &Known) -> Comparison {
    // Of two rows of the same case the later counts.
    let later: HashMap<RowKey, &Record> = b.iter().map(|record| (key(record), record)).collect();
    let mut seen = HashSet::new();
    let mut pairs: Vec<(&Record, &Record)> = Vec::new();
    for record in a.iter().rev().filter(|record| seen.insert(key(record))) {
        pairs.extend(later.get(&key(record)).map(|other| (record, *other)));
    }
    pairs.reverse();
    let only = [seen.len() - pairs.len(), later.len() - pairs.len()];
    let noise = run_noise(&pairs);
    let z = quantile_normal(1.0 - ERROR / (2.0 * pairs.len().max(1) as f64));
    let log = |(a, b): &(&Record, &Record)| (b.ns_median / a.ns_median).ln();
    let rows = pairs.iter().map(|pair| {
        let (a, b) = *pair;
        let variance = standard_error(a).powi(2) + standard_error(b).powi(2);
        let half = z * (variance + noise.noise.powi(2)).sqrt() + noise.drift.abs();
        ComparedRow {
            setting: Setting::of(a),
            network: a.network.clone(),
            layer: a.layer.clone(),
            text: known.text(a),
            contender: a.contender.clone(),
            ns_a: a.ns_median,
            ns_b: b.ns_median,
            change: Ratio::new(log(pair), half, floor),
        }
    });
    let rows = rows.collect();

    // A problem that several networks share was measured once, but has a row for each of them.
    let mut groups: Vec<((Setting, String), Vec<f64>)> = Vec::new();
    let mut problems = HashSet::new();
    for pair in pairs.iter().filter(|(a, _)| !known.place(a).head && a.layer != PASS) {
        let group = (Setting::of(pair.0), pair.0.contender.clone());
        let problem = (group.clone(), known.text(pair.0).unwrap_or_else(|| pair.0.sizes_text()));
        if !problems.insert(problem) {
            continue;
        }
        match groups.iter_mut().find(|(other, _)| *other == group) {
            Some((_, logs)) => logs.push(log(pair)),
            None => groups.push((group, vec![log(pair)])),
        }
    }
    let alpha = ERROR / groups.len().max(1) as f64;
    let means = groups.into_iter().map(|((setting, contender), logs)| {
        let (mean, error) = mean_and_error(&logs, noise.noise);
        let half = quantile_t(logs.len(), 1.0 - alpha / 2.0) * error + noise.drift.abs();
        let change = Ratio::new(mean, half, floor);
        ComparedMean { setting, contender, layers: logs.len(), change }
    });
    Comparison { means: means.collect(), rows, noise, only }
}

/// The noise between the runs, from contenders that are the same program in both.
fn run_noise(pairs: &[(&Record, &Record)]) -> RunNoise {
    let same = |(a, b): &&(&Record, &Record)| {
        let others = matches!(Role::of(a), Role::Peer | Role::OwnLayout);
        others && !a.version.is_empty() && a.version == b.version && a.kernel == b.kernel
    };
    let logs: Vec<f64> =
        pairs.iter().filter(same).map(|(a, b)| (b.ns_median / a.ns_median).ln()).collect();
    match (stats::median(&logs), stats::mad(&logs)) {
        (Some(drift), Some(mad)) if logs.len() >= FEWEST => {
            RunNoise { rows: logs.len(), noise: 1.4826 * mad, drift, assumed: false }
        }
        _ => RunNoise { rows: logs.len(), noise: ASSUMED_NOISE, drift: 0.0, assumed: true },
    }
}

/// The mean and its standard error. A few layers may agree by chance, so that the error is never
/// below the one that the noise from run to run gives.
fn mean_and_error(logs: &[f64], noise: f64) -> (f64, f64) {
    let n = logs.len() as f64;
    let mean = logs.iter().sum::<f64>() / n;
    let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    (mean, variance.sqrt().max(noise) / n.sqrt())
}

fn quantile_normal(probability: f64) -> f64 {
    Normal::standard().inverse_cdf(probability)
}

/// A quantile of Student's distribution for `count` values, and of the normal distribution for a
/// single value, whose error is not estimated from its spread.
fn quantile_t(count: usize, probability: f64) -> f64 {
    match StudentsT::new(0.0, 1.0, count.saturating_sub(1) as f64) {
        Ok(student) => student.inverse_cdf(probability),
        Err(_) => quantile_normal(probability),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;

    /// A row of `contender` on layer number `layer`, with a time of `ns`.
    fn row(contender: &str, layer: usize, ns: f64) -> Record {
        Record {
            network: String::new(),
            layer: format!("layer{layer}"),
            c: 8 * (layer + 1),
            contender: contender.to_owned(),
            version: "1".to_owned(),
            kernel: String::new(),
            samples: 50,
            ns_min: 0.98 * ns,
            ns_median: ns,
            ns_mad: 0.004 * ns,
            ..example()
        }
    }

    /// A run in which the time of `pointwise` is multiplied by `ours`, and that of a peer varies about
    /// `peer`.
    fn run(ours: f64, peer: f64) -> Vec<Record> {
        let wobble = |layer: usize| 1.0 + 0.004 * ((layer * 7 % 5) as f64 - 2.0);
        (0..20)
            .flat_map(|layer| {
                let ns = 1000.0 * (layer + 1) as f64;
                let varied = if peer == 1.0 { 1.0 } else { wobble(layer) };
                [row("pointwise", layer, ours * ns), row("onednn", layer, peer * varied * ns)]
            })
            .collect()
    }

    fn words(comparison: &Comparison, contender: &str) -> (usize, Option<Word>) {
        let rows = comparison.rows.iter().filter(|row| row.contender == contender);
        let with_word = rows.filter(|row| row.change.word.is_some()).count();
        let mean = comparison.means.iter().find(|mean| mean.contender == contender).unwrap();
        (with_word, mean.change.word)
    }

    #[test]
    fn what_changed_gets_a_word_and_what_did_not_gets_none() {
        let comparison = compare(&run(1.0, 1.0), &run(1.15, 1.0001), 0.02, &Known::default());
        assert!(!comparison.noise.assumed);
        assert_eq!(words(&comparison, "pointwise"), (20, Some(Word::Slower)));
        assert_eq!(words(&comparison, "onednn"), (0, None));
        let mean = comparison.means[0].change;
        assert!((mean.ratio - 1.15).abs() < 1e-9 && mean.low > 1.1 && mean.high < 1.2, "{mean:?}");
        let faster = compare(&run(1.0, 1.0), &run(0.85, 1.0001), 0.02, &Known::default());
        assert_eq!(words(&faster, "pointwise"), (20, Some(Word::Faster)));
    }

    #[test]
    fn a_drift_of_the_whole_machine_is_no_change_of_ours() {
        // Everything is 8% slower in B, the unchanged peer too.
        let comparison = compare(&run(1.0, 1.0), &run(1.08, 1.0801), 0.02, &Known::default());
        assert!((comparison.noise.drift - 0.077).abs() < 0.002, "{:?}", comparison.noise);
        assert_eq!(words(&comparison, "pointwise"), (0, None));
        // Without the peer nothing shows the drift.
        let ours = |run: Vec<Record>| -> Vec<Record> {
            run.into_iter().filter(|r| r.contender == "pointwise").collect()
        };
        let alone = compare(&ours(run(1.0, 1.0)), &ours(run(1.01, 1.0)), 0.02, &Known::default());
        assert!(alone.noise.assumed);
        assert_eq!(words(&alone, "pointwise"), (0, None));
    }

    #[test]
    fn below_the_floor_no_change_is_worth_a_word() {
        let (a, b) = (run(1.0, 1.0), run(1.015, 1.0001));
        assert_eq!(words(&compare(&a, &b, 0.02, &Known::default()), "pointwise").1, None);
        let strict = compare(&a, &b, 0.001, &Known::default());
        assert_eq!(words(&strict, "pointwise").1, Some(Word::Slower));
    }

    #[test]
    fn rows_of_one_run_only_are_counted_and_not_compared() {
        let (a, mut b) = (run(1.0, 1.0), run(1.0, 1.0));
        b.truncate(30);
        b.push(Record { threads: 2, ..row("pointwise", 0, 1.0) });
        let comparison = compare(&a, &b, 0.02, &Known::default());
        assert_eq!((comparison.rows.len(), comparison.only), (30, [10, 1]));
        // Of two rows of the same case the later counts.
        b.push(row("pointwise", 0, 5000.0));
        assert_eq!(compare(&a, &b, 0.02, &Known::default()).rows[0].ns_b, 5000.0);
        let nothing = compare(&a, &[], 0.02, &Known::default());
        assert!(nothing.rows.is_empty() && nothing.means.is_empty());
    }
}
