//! Runs on one CPU over time: the speed of each layer from commit to commit, with its noise.
//!
//! This module imports `rank` and `record`.

use crate::rank::{Known, Role, Setting};
use crate::record::{PASS, Record};
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// A run with its time.
#[derive(Clone, Copy, Debug)]
pub struct DatedRun<'r> {
    /// The time of its beginning, RFC 3339.
    pub started: &'r str,
    /// The commit that was measured.
    pub commit: &'r str,
    /// Its records.
    pub records: &'r [Record],
}

/// A layer in one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Moment {
    /// The number of the run in the order of time, from 0.
    pub run: usize,
    /// Its commit.
    pub commit: String,
    /// GFLOP/s at the median time.
    pub gflops: f64,
    /// GFLOP/s at a standard deviation of the samples above and below the median time.
    pub band: (f64, f64),
    /// The median time, ns.
    pub ns: f64,
}

/// The course of a contender on a layer, from run to run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Course {
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
    /// The layer in each run, at least two, in the order of time.
    pub moments: Vec<Moment>,
}

impl Course {
    /// The last time ÷ the one before it, and whether their bands do not overlap.
    pub fn last_change(&self) -> (f64, bool) {
        let [.., before, last] = &self.moments[..] else { return (1.0, false) };
        let apart = before.band.0 > last.band.1 || last.band.0 > before.band.1;
        (last.ns / before.ns, apart)
    }
}

/// The indices of the runs in the order of time. Runs without a time come first.
pub fn by_time(runs: &[DatedRun<'_>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..runs.len()).collect();
    order.sort_by_key(|at| runs[*at].started);
    order
}

/// The courses of all contenders on the problems that at least two of `runs` have, in the order of the
/// last run. Our kernels by themselves are left out.
pub fn courses(runs: &[DatedRun<'_>], known: &Known) -> Vec<Course> {
    let order = by_time(runs);
    let mut courses: Vec<Course> = Vec::new();
    let mut of_key: HashMap<_, usize> = HashMap::new();
    // From the last run backwards, because the last run gives the order.
    for (time, at) in order.iter().enumerate().rev() {
        let DatedRun { commit, records, .. } = &runs[*at];
        let mut seen = HashSet::new();
        // Of two rows of the same case the later counts.
        for record in records.iter().rev() {
            if record.layer == PASS || Role::of(record) == Role::Kernel {
                continue;
            }
            let problem = known.text(record).unwrap_or_else(|| record.sizes_text());
            let key = (Setting::of(record), problem, record.contender.clone());
            if !seen.insert(key.clone()) {
                continue;
            }
            let index = *of_key.entry(key).or_insert_with(|| {
                courses.push(Course {
                    setting: Setting::of(record),
                    network: record.network.clone(),
                    layer: record.layer.clone(),
                    text: known.text(record),
                    contender: record.contender.clone(),
                    moments: Vec::new(),
                });
                courses.len() - 1
            });
            courses[index].moments.push(moment(record, time, commit));
        }
    }
    courses.retain(|course| course.moments.len() > 1);
    courses.iter_mut().for_each(|course| course.moments.reverse());
    // The rows of each run were taken from its end.
    courses.reverse();
    courses
}

fn moment(record: &Record, run: usize, commit: &str) -> Moment {
    // 1.4826 × the median absolute deviation of normal samples is their standard deviation.
    let deviation = 1.4826 * record.ns_mad;
    let work = record.gflops * record.ns_median;
    let fastest = (record.ns_median - deviation).max(record.ns_min);
    Moment {
        run,
        commit: commit.to_owned(),
        gflops: record.gflops,
        band: (work / (record.ns_median + deviation), work / fastest),
        ns: record.ns_median,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;

    fn row(layer: usize, ns: f64) -> Record {
        let gflops = 1e6 / ns;
        let (c, network, layer) = (layer, String::new(), format!("layer{layer}"));
        Record {
            network,
            layer,
            c,
            ns_median: ns,
            ns_min: 0.9 * ns,
            ns_mad: 0.01 * ns,
            gflops,
            ..example()
        }
    }

    #[test]
    fn runs_are_put_in_the_order_of_time() {
        let (new, old) = (vec![row(1, 80.0), row(2, 50.0)], vec![row(1, 100.0), row(3, 1.0)]);
        let runs = [
            DatedRun { started: "2026-05-02T00:00:00Z", commit: "b", records: &new },
            DatedRun { started: "2026-05-01T00:00:00Z", commit: "a", records: &old },
        ];
        assert_eq!(by_time(&runs), [1, 0]);
        let courses = courses(&runs, &Known::default());
        // A layer that one run alone has makes no course.
        assert_eq!(courses.len(), 1);
        let commits: Vec<&str> = courses[0].moments.iter().map(|m| m.commit.as_str()).collect();
        assert_eq!(commits, ["a", "b"]);
        assert_eq!(courses[0].last_change(), (0.8, true));
    }

    #[test]
    fn bands_are_a_standard_deviation_and_end_at_the_fastest_sample() {
        let wide = Record { ns_mad: 20.0, ..row(1, 100.0) };
        let moment = moment(&wide, 0, "a");
        assert_eq!(moment.band.1, 1e6 / 90.0);
        assert!((moment.band.0 - 1e6 / 129.652).abs() < 1e-6, "{moment:?}");
    }

    #[test]
    fn layers_keep_their_order_and_the_later_of_two_rows_counts() {
        let runs: Vec<Vec<Record>> = (0..3)
            .map(|run| vec![row(2, 10.0), row(1, 99.0), row(1, 100.0 + f64::from(run))])
            .collect();
        let runs: Vec<DatedRun<'_>> =
            runs.iter().map(|records| DatedRun { started: "", commit: "", records }).collect();
        let courses = courses(&runs, &Known::default());
        let found: Vec<(&str, f64)> =
            courses.iter().map(|c| (c.layer.as_str(), c.moments[2].ns)).collect();
        assert_eq!(found, [("layer2", 10.0), ("layer1", 102.0)]);
        assert!(!courses[0].last_change().1);
    }
}
