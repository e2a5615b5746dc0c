//! What else happened on the machine while it was measured.

use super::timer::{links_for, time_chain};
use crate::measure::{Clock, Monotonic, stats};
use serde::{Deserialize, Serialize};

/// What disturbed a run. A quantity that the system does not show is `None`, not zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// How long was watched, s.
    pub seconds: f64,
    /// Share of the CPUs' time that a hypervisor gave to others.
    pub steal: Option<f64>,
    /// CPUs kept busy, on average, by other processes.
    pub other_load: Option<f64>,
    /// The system's load averages over 1, 5 and 15 minutes, at the end.
    pub load_average: Option<[f64; 3]>,
    /// Slowest ÷ fastest − 1 of the core's clock rate, as sampled through the run.
    pub drift: f64,
    /// How often the clock rate was sampled.
    pub drift_samples: usize,
    /// Samples that were taken again, for threads had been made to share a core.
    #[serde(default)]
    pub taken_again: u64,
}

/// Watches a run: started before it, sampled between cases, finished after it.
pub struct Monitor {
    clock: Box<dyn Clock>,
    links: u64,
    speeds: Vec<f64>,
    started: u64,
    before: Option<Snapshot>,
}

/// CPU time since the system, and this process, started, s.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Snapshot {
    busy: f64,
    idle: f64,
    steal: f64,
    own: f64,
}

/// What a sample of the clock rate takes, ns, and how many are taken to find the undisturbed one.
const SAMPLE_NS: f64 = 100e3;
const TRIES: usize = 5;

impl Monitor {
    /// Begins to watch.
    pub fn start() -> Monitor {
        let clock = Box::new(Monotonic::new());
        let links = links_for(&*clock, SAMPLE_NS);
        let started = clock.now();
        let mut monitor =
            Monitor { clock, links, speeds: Vec::new(), started, before: Snapshot::take() };
        monitor.sample();
        monitor
    }

    /// Samples the clock rate; takes half a millisecond. Call it between cases, or every second.
    pub fn sample(&mut self) {
        // The best of a few: a preemption is not a change of the clock rate.
        let times: Vec<f64> = (0..TRIES).map(|_| time_chain(&*self.clock, self.links)).collect();
        self.speeds.extend(stats::min(&times));
    }

    /// Ends the watch, and says what there was; so many samples were taken again.
    pub fn finish(mut self, taken_again: u64) -> Noise {
        self.sample();
        let seconds = (self.clock.now() - self.started) as f64 / 1e9;
        let between = self.before.zip(Snapshot::take());
        Noise {
            seconds,
            steal: between.and_then(|(before, after)| after.steal_since(&before)),
            other_load: between.and_then(|(before, after)| after.other_since(&before, seconds)),
            load_average: load_average(),
            drift: drift(&self.speeds),
            drift_samples: self.speeds.len(),
            taken_again,
        }
    }
}

/// Slowest ÷ fastest − 1, the one sample in twenty that was slowest left out as disturbed.
fn drift(times: &[f64]) -> f64 {
    match (stats::min(times), stats::quantile(times, 0.95)) {
        (Some(fastest), Some(slowest)) if fastest > 0.0 => slowest / fastest - 1.0,
        _ => 0.0,
    }
}

impl Snapshot {
    /// Share of all CPU time that was stolen.
    fn steal_since(&self, before: &Snapshot) -> Option<f64> {
        let steal = self.steal - before.steal;
        let all = steal + (self.busy - before.busy) + (self.idle - before.idle);
        (all > 0.0).then(|| (steal / all).max(0.0))
    }

    /// CPUs busy with others' work, on average.
    fn other_since(&self, before: &Snapshot, seconds: f64) -> Option<f64> {
        let others = (self.busy - before.busy) - (self.own - before.own);
        (seconds > 0.0).then(|| (others / seconds).max(0.0))
    }

    #[cfg(target_os = "linux")]
    fn take() -> Option<Snapshot> {
        use procfs::CurrentSI;
        let cpu = procfs::KernelStats::current().ok()?.total;
        let own = procfs::process::Process::myself().ok()?.stat().ok()?;
        let tick = 1.0 / procfs::ticks_per_second() as f64;
        let busy =
            cpu.user + cpu.nice + cpu.system + cpu.irq.unwrap_or(0) + cpu.softirq.unwrap_or(0);
        Some(Snapshot {
            busy: busy as f64 * tick,
            idle: (cpu.idle + cpu.iowait.unwrap_or(0)) as f64 * tick,
            steal: cpu.steal.unwrap_or(0) as f64 * tick,
            own: (own.utime + own.stime) as f64 * tick,
        })
    }

    #[cfg(not(target_os = "linux"))]
    fn take() -> Option<Snapshot> {
        None
    }
}

#[cfg(target_os = "linux")]
fn load_average() -> Option<[f64; 3]> {
    use procfs::Current;
    let load = procfs::LoadAverage::current().ok()?;
    Some([load.one, load.five, load.fifteen].map(|load| (f64::from(load) * 100.0).round() / 100.0))
}

#[cfg(not(target_os = "linux"))]
fn load_average() -> Option<[f64; 3]> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_and_others_come_from_differences() {
        let before = Snapshot { busy: 100.0, idle: 50.0, steal: 5.0, own: 10.0 };
        let after = Snapshot { busy: 115.0, idle: 53.0, steal: 7.0, own: 20.0 };
        // 10 s on 2 CPUs: 15 busy, 3 idle, 2 stolen; 10 of the busy ones were our own.
        assert_eq!(after.steal_since(&before), Some(0.1));
        assert_eq!(after.other_since(&before, 10.0), Some(0.5));
        assert_eq!(before.steal_since(&before), None);
        assert_eq!(before.other_since(&before, 0.0), None);
    }

    #[test]
    fn drift_is_the_spread_without_the_rare_disturbance() {
        assert_eq!(drift(&[100.0]), 0.0);
        assert_eq!(drift(&[]), 0.0);
        let mut times: Vec<f64> = vec![100.0; 50];
        times.extend([110.0; 50]);
        assert!((drift(&times) - 0.1).abs() < 1e-9);
        let mut disturbed = vec![100.0; 99];
        disturbed.push(500.0);
        assert!(drift(&disturbed) < 1e-9);
    }

    #[test]
    fn a_watched_run_is_described() {
        let mut monitor = Monitor::start();
        monitor.sample();
        let noise = monitor.finish(5);
        assert_eq!((noise.drift_samples, noise.taken_again), (3, 5));
        assert!(noise.seconds >= 0.0 && noise.drift >= 0.0);
        #[cfg(target_os = "linux")]
        assert!(noise.load_average.is_some());
    }
}
