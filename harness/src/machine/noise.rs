//! What disturbed the machine while it was measured.

use super::timer::{links_for, time_chain};
use crate::timing::clock::{Clock, Monotonic};
use crate::timing::stats;
use serde::{Deserialize, Serialize};

/// What disturbed a run. A quantity that the system does not show is `None`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// The time that was watched, s.
    pub seconds: f64,
    /// The share of CPU time that a hypervisor gave to other guests.
    pub steal: Option<f64>,
    /// The average number of CPUs that other processes kept busy.
    pub other_load: Option<f64>,
    /// The system's load averages over 1, 5 and 15 minutes, at the end.
    pub load_average: Option<[f64; 3]>,
    /// Slowest ÷ fastest − 1, over samples of the core's clock rate during the run.
    pub drift: f64,
    /// The number of those samples.
    pub drift_samples: usize,
    /// Samples of contenders that were repeated because threads had to share a core.
    #[serde(default)]
    pub taken_again: u64,
}

/// Watches a run. It is started before the run, takes samples between cases, and is finished after
/// the run.
pub struct Monitor {
    clock: Box<dyn Clock>,
    links: u64,
    speeds: Vec<f64>,
    started: u64,
    before: Option<Snapshot>,
}

/// CPU time since the start of the system and of this process, s.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Snapshot {
    busy: f64,
    idle: f64,
    steal: f64,
    own: f64,
}

/// The time of one try to sample the clock rate, ns, and the number of tries. The fastest counts.
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

    /// Samples the clock rate, which takes half a millisecond. Call it between cases, or every second.
    pub fn sample(&mut self) {
        // A preempted try is slow too, but its clock rate did not change.
        let times: Vec<f64> = (0..TRIES).map(|_| time_chain(&*self.clock, self.links)).collect();
        self.speeds.extend(stats::min(&times));
    }

    /// Ends the watch. `taken_again` is the number of samples that were repeated.
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

/// Slowest ÷ fastest − 1, without the slowest twentieth of the samples, which something disturbed.
fn drift(times: &[f64]) -> f64 {
    match (stats::min(times), stats::quantile(times, 0.95)) {
        (Some(fastest), Some(slowest)) if fastest > 0.0 => slowest / fastest - 1.0,
        _ => 0.0,
    }
}

impl Snapshot {
    /// The share of all CPU time that other guests took.
    fn steal_since(&self, before: &Snapshot) -> Option<f64> {
        let steal = self.steal - before.steal;
        let all = steal + (self.busy - before.busy) + (self.idle - before.idle);
        (all > 0.0).then(|| (steal / all).max(0.0))
    }

    /// The average number of CPUs that other processes kept busy.
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
        // 10 s on 2 CPUs: 15 s busy, 3 s idle, 2 s stolen. 10 s of the busy time were our own.
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
