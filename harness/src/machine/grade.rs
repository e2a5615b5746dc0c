//! How far figures from this machine in its present state can be trusted.

use super::build::Build;
use super::cpu::Host;
use super::noise::Noise;
use super::timer::Timer;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The grade of a machine, from A to F.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Grade {
    /// Very quiet: differences of 1% show.
    A,
    /// Quiet: differences of 2–3% show.
    B,
    /// Differences of 5% show; compare in pairs.
    C,
    /// Differences of 10% may show, in pairs and with many samples.
    D,
    /// Something is wrong that more samples do not mend.
    F,
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Grade::A => "A",
            Grade::B => "B",
            Grade::C => "C",
            Grade::D => "D",
            Grade::F => "F",
        })
    }
}

/// One property of the machine that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The property.
    pub what: String,
    /// The grade that this property alone would give.
    pub grade: Grade,
    /// The value that was found, with its unit.
    pub seen: String,
}

/// The grade of a machine, with its reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trust {
    /// The worst grade among the findings.
    pub grade: Grade,
    /// Every property that was checked.
    pub findings: Vec<Finding>,
}

/// The upper bounds of the grades A, B, C and D.
type Bounds = [f64; 4];

/// Of the clock's overhead and resolution, ns; a sample takes a millisecond.
const CLOCK_NS: Bounds = [100.0, 1_000.0, 10_000.0, 50_000.0];
/// Of the 99th percentile of jitter. The steps are wide, because one sample in a hundred does not
/// move a median.
const JITTER_P99: Bounds = [0.03, 0.10, 0.30, 1.00];
/// Of jitter between the quartiles, which does move medians.
const JITTER_QUARTILES: Bounds = [0.005, 0.02, 0.05, 0.15];
/// Of the share of time that other guests took.
const STEAL: Bounds = [0.001, 0.01, 0.03, 0.10];
/// Of the share of the machine's CPUs that other processes kept busy.
const OTHER_LOAD: Bounds = [0.02, 0.05, 0.15, 0.50];
/// Of the relative drift of the clock rate.
const DRIFT: Bounds = [0.01, 0.03, 0.06, 0.15];

fn within(value: f64, bounds: &Bounds) -> Grade {
    let grades = [Grade::A, Grade::B, Grade::C, Grade::D];
    let found = grades.into_iter().zip(bounds).find(|(_, bound)| value <= **bound);
    found.map_or(Grade::F, |(grade, _)| grade)
}

impl Trust {
    /// The grade of a machine with `cpus` logical CPUs.
    pub fn of(host: &Host, cpus: usize, build: &Build, timer: &Timer, noise: &Noise) -> Trust {
        let mut findings = Vec::new();
        let mut note = |what: &str, grade, seen: String| {
            findings.push(Finding { what: what.to_owned(), grade, seen });
        };
        let percent = |share: f64| format!("{:.2}%", 100.0 * share);

        let coarse = timer.resolution_ns.max(timer.overhead_ns);
        let seen = format!(
            "steps of {:.0} ns, {:.0} ns a reading",
            timer.resolution_ns, timer.overhead_ns
        );
        note("timer", within(coarse, &CLOCK_NS), seen);
        let grade = within(timer.jitter_quartiles, &JITTER_QUARTILES)
            .max(within(timer.jitter_p99, &JITTER_P99));
        let seen = format!(
            "the same work varies by {} between the quartiles, one time in a hundred takes {} longer",
            percent(timer.jitter_quartiles),
            percent(timer.jitter_p99)
        );
        note("jitter", grade, seen);
        match noise.steal {
            Some(steal) => {
                let seen = format!("{} of the time went to other guests", percent(steal));
                note("steal time", within(steal, &STEAL), seen);
            }
            None => note("steal time", Grade::B, "not shown by this system".to_owned()),
        }
        match noise.other_load {
            Some(load) => {
                let seen = format!("other processes kept {load:.2} of {cpus} CPUs busy");
                note("other load", within(load / cpus.max(1) as f64, &OTHER_LOAD), seen);
            }
            None => note("other load", Grade::B, "not shown by this system".to_owned()),
        }
        let seen = format!(
            "{} between the fastest and the slowest of {} samples, now {:.2} GHz",
            percent(noise.drift),
            noise.drift_samples,
            timer.frequency_ghz
        );
        note("clock rate drift", within(noise.drift, &DRIFT), seen);
        if noise.taken_again > 0 {
            let seen = format!(
                "threads had to share a core; samples repeated for that: {}",
                noise.taken_again
            );
            note("cores", Grade::B, seen);
        }
        match host.governor.as_deref() {
            Some("performance") => note("governor", Grade::A, "performance".to_owned()),
            Some(other) => {
                let seen = format!("{other}: the clock rate follows the load");
                note("governor", Grade::B, seen);
            }
            None => {}
        }
        if let Some(hypervisor) = &host.hypervisor {
            let seen =
                format!("{hypervisor}: caches, memory and power may be shared with guests unseen");
            note("virtual machine", Grade::B, seen);
        }
        if !build.is_optimised() {
            let seen = format!(
                "{} at optimisation level {}: its times are not those of a release build",
                build.profile, build.opt_level
            );
            note("build", Grade::F, seen);
        }
        let grade = findings.iter().map(|finding| finding.grade).max().unwrap_or(Grade::F);
        Trust { grade, findings }
    }

    /// The findings that have the grade of the machine, unless that is A.
    pub fn reasons(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|f| f.grade == self.grade && f.grade != Grade::A)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet() -> (Host, Build, Timer, Noise) {
        let host = Host {
            os: "linux".to_owned(),
            kernel: None,
            governor: Some("performance".to_owned()),
            boost: Some(false),
            hypervisor: None,
            memory: None,
        };
        let build = Build { debug_assertions: false, opt_level: "3".to_owned(), ..Build::this() };
        let timer = Timer {
            resolution_ns: 1.0,
            overhead_ns: 20.0,
            jitter_quartiles: 0.001,
            jitter_p99: 0.01,
            jitter_max: 0.5,
            frequency_ghz: 3.0,
        };
        let noise = Noise {
            seconds: 1.0,
            steal: Some(0.0),
            other_load: Some(0.0),
            load_average: None,
            drift: 0.002,
            drift_samples: 9,
            taken_again: 0,
        };
        (host, build, timer, noise)
    }

    fn grade(
        change: impl FnOnce(&mut Host, &mut Build, &mut Timer, &mut Noise),
    ) -> (Grade, String) {
        let (mut host, mut build, mut timer, mut noise) = quiet();
        change(&mut host, &mut build, &mut timer, &mut noise);
        let trust = Trust::of(&host, 2, &build, &timer, &noise);
        let reasons: Vec<&str> = trust.reasons().map(|finding| finding.what.as_str()).collect();
        (trust.grade, reasons.join(", "))
    }

    #[test]
    fn a_quiet_machine_gets_the_best_grade_without_reasons() {
        assert_eq!(grade(|_, _, _, _| ()), (Grade::A, String::new()));
    }

    #[test]
    fn each_trouble_lowers_the_grade_and_is_the_reason() {
        let with = |grade, what: &str| (grade, what.to_owned());
        assert_eq!(grade(|_, _, t, _| t.overhead_ns = 2_000.0), with(Grade::C, "timer"));
        assert_eq!(grade(|_, _, t, _| t.resolution_ns = 1e7), with(Grade::F, "timer"));
        assert_eq!(grade(|_, _, t, _| t.jitter_quartiles = 0.08), with(Grade::D, "jitter"));
        assert_eq!(grade(|_, _, t, _| t.jitter_p99 = 0.2), with(Grade::C, "jitter"));
        assert_eq!(grade(|_, _, _, n| n.steal = Some(0.05)), with(Grade::D, "steal time"));
        assert_eq!(grade(|_, _, _, n| n.steal = None), with(Grade::B, "steal time"));
        // One of two CPUs busy with something else.
        assert_eq!(grade(|_, _, _, n| n.other_load = Some(1.0)), with(Grade::D, "other load"));
        assert_eq!(grade(|_, _, _, n| n.drift = 0.05), with(Grade::C, "clock rate drift"));
        assert_eq!(grade(|_, _, _, n| n.taken_again = 1), with(Grade::B, "cores"));
        assert_eq!(
            grade(|h, _, _, _| h.governor = Some("powersave".to_owned())),
            with(Grade::B, "governor")
        );
        assert_eq!(
            grade(|h, _, _, _| h.hypervisor = Some("KVM".to_owned())),
            with(Grade::B, "virtual machine")
        );
        assert_eq!(grade(|_, b, _, _| b.opt_level = "0".to_owned()), with(Grade::F, "build"));
    }

    #[test]
    fn the_worst_finding_decides() {
        let both = grade(|_, _, _, n| {
            n.steal = Some(0.005);
            n.drift = 0.1;
        });
        assert_eq!(both, (Grade::D, "clock rate drift".to_owned()));
    }
}
