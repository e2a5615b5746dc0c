//! The examination of this machine.

use super::{
    Build, CacheKind, CacheLevel, Ceilings, Cpu, Effort, Host, Monitor, Noise, Timer, Trust,
};
use crate::measure::{Monotonic, PoolError, Progress, pool};
use crate::table;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What `pointwise doctor` tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Examination {
    /// The CPU.
    pub cpu: Cpu,
    /// What it is in.
    pub host: Host,
    /// The program.
    pub build: Build,
    /// What was measured at best, on one thread and on as many as asked for.
    pub ceilings: Ceilings,
    /// The clock.
    pub timer: Timer,
    /// What disturbed the examination.
    pub noise: Noise,
    /// What to think of figures measured now.
    pub trust: Trust,
}

/// Pieces of work between two samples of the clock rate: 25 ms.
const EVERY: usize = 100;

/// Examines the machine, its ceilings on one thread and on `threads` threads: about 2 s when
/// `quick`, 10 s otherwise.
///
/// # Errors
/// [`PoolError`] when there cannot be that many threads.
pub fn examine(
    threads: usize,
    quick: bool,
    progress: &dyn Progress,
) -> Result<Examination, PoolError> {
    let (effort, pieces) = if quick { (Effort::Quick, 1_600) } else { (Effort::Thorough, 8_000) };
    let all = pool(threads)?;
    let one = if threads == 1 { None } else { Some(pool(1)?) };
    let cpu = Cpu::detect();
    let mut monitor = Monitor::start();

    let watches = pieces / EVERY;
    progress.begin("timer", watches as u64);
    let mut piece = 0;
    let timer = Timer::measure(&Monotonic::new(), pieces, &mut || {
        piece += 1;
        if piece % EVERY == 0 {
            monitor.sample();
            progress.step();
        }
    });
    progress.end();

    let mut ceilings = Ceilings::default();
    for pool in one.iter().chain([&all]) {
        ceilings = ceilings.and(Ceilings::measure(pool, &cpu.caches, effort, progress));
        monitor.sample();
    }
    let noise = monitor.finish(0);
    let (host, build) = (Host::detect(), Build::this());
    let trust = Trust::of(&host, cpu.logical, &build, &timer, &noise);
    Ok(Examination { cpu, host, build, ceilings, timer, noise, trust })
}

impl Examination {
    /// The same as one line of JSON.
    ///
    /// # Errors
    /// Never, as long as every figure is finite.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

impl fmt::Display for Examination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Examination { cpu, host, build, timer, noise, trust, .. } = self;
        let known = cpu.microarchitecture.as_deref().unwrap_or("microarchitecture not known");
        writeln!(
            f,
            "CPU        {} ({known}; {} family {} model {} stepping {})",
            cpu.brand, cpu.vendor, cpu.family, cpu.model, cpu.stepping
        )?;
        writeln!(f, "cores      {} ({} logical CPUs)", cpu.physical, cpu.logical)?;
        let isas: Vec<&str> = cpu.isas.iter().map(|isa| isa.name()).collect();
        writeln!(f, "ISAs       {}; features {}", isas.join(", "), cpu.features.join(" "))?;
        let caches: Vec<String> = cpu.caches.iter().map(describe).collect();
        writeln!(f, "caches     {}", or_unknown(&caches.join(", ")))?;
        let memory = host.memory.map_or("memory not known".to_owned(), |bytes| {
            format!("{:.1} GiB of memory", bytes as f64 / f64::from(1 << 30))
        });
        let kernel = host.kernel.as_deref().unwrap_or_default();
        let guest =
            host.hypervisor.as_ref().map_or(String::new(), |name| format!(", under {name}"));
        writeln!(f, "host       {} {kernel}, {memory}{guest}", host.os)?;
        let governor = host.governor.as_deref().unwrap_or("not shown");
        let boost = match host.boost {
            Some(true) => "on",
            Some(false) => "off",
            None => "not shown",
        };
        writeln!(f, "frequency  governor {governor}, boost {boost}")?;
        writeln!(
            f,
            "build      {} {}, {}, {} (opt-level {}), commit {}",
            build.version,
            build.target,
            build.compiler,
            build.profile,
            build.opt_level,
            build.short_commit()
        )?;
        writeln!(f, "\nFMA ceiling, GFLOP/s\n{}", self.fma_table())?;
        writeln!(f, "\nBandwidth, GB/s\n{}", self.bandwidth_table())?;
        writeln!(
            f,
            "\ntimer      {:.0} ns a reading, steps of {:.0} ns",
            timer.overhead_ns, timer.resolution_ns
        )?;
        writeln!(
            f,
            "jitter     {:.2}% between the quartiles, 99% within {:.1}%, slowest +{:.0}%",
            100.0 * timer.jitter_quartiles,
            100.0 * timer.jitter_p99,
            100.0 * timer.jitter_max
        )?;
        let load = noise
            .load_average
            .map_or("not shown".to_owned(), |load| load.map(|load| format!("{load:.2}")).join(" "));
        writeln!(f, "load       {load}, over {:.1} s of examination", noise.seconds)?;
        writeln!(f, "\nTrust      {}", trust.grade)?;
        for finding in &trust.findings {
            writeln!(f, "  {}  {}: {}", finding.grade, finding.what, finding.seen)?;
        }
        Ok(())
    }
}

impl Examination {
    /// The thread counts that were measured.
    fn threads(&self) -> Vec<usize> {
        let mut threads: Vec<usize> = self.ceilings.fma.iter().map(|c| c.threads).collect();
        threads.dedup();
        threads
    }

    fn fma_table(&self) -> String {
        let threads = self.threads();
        let heads = threads.iter().map(|count| plural(*count));
        let rows = self.cpu.isas.iter().map(|isa| {
            let figures = threads.iter().map(|count| match self.ceilings.of(*isa, *count) {
                Some(gflops) => format!("{gflops:.1}"),
                None => "-".to_owned(),
            });
            std::iter::once(isa.to_string()).chain(figures).collect::<Vec<_>>()
        });
        let header: Vec<String> = std::iter::once("ISA".to_owned()).chain(heads).collect();
        table::plain(header, 1, rows).trim_fmt()
    }

    fn bandwidth_table(&self) -> String {
        let rows = self.ceilings.bandwidth.iter().map(|row| {
            [
                row.level.clone(),
                row.threads.to_string(),
                size(row.bytes),
                format!("{:.1}", row.read_gbps),
                format!("{:.1}", row.copy_gbps),
            ]
        });
        table::plain(["level", "threads", "over", "read", "copy"], 1, rows).trim_fmt()
    }
}

fn plural(threads: usize) -> String {
    if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") }
}

fn or_unknown(text: &str) -> &str {
    if text.is_empty() { "not known" } else { text }
}

/// `L1d 48 KiB` or `L3 32 MiB of 8 CPUs`.
fn describe(cache: &CacheLevel) -> String {
    let kind = match cache.kind {
        CacheKind::Data => "d",
        CacheKind::Instruction => "i",
        CacheKind::Unified => "",
    };
    let shared =
        if cache.shared_by > 1 { format!(" of {} CPUs", cache.shared_by) } else { String::new() };
    format!("L{}{kind} {}{shared}", cache.level, size(cache.bytes))
}

/// Bytes in the largest unit that leaves a number above one.
fn size(bytes: u64) -> String {
    match bytes {
        0..0x400 => format!("{bytes} B"),
        0x400..0x10_0000 => format!("{} KiB", bytes >> 10),
        0x10_0000..0x4000_0000 => format!("{} MiB", bytes >> 20),
        _ => format!("{} GiB", bytes >> 30),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Bandwidth, FmaCeiling};
    use pointwise::Isa;

    /// An examination whose figures are given, not measured.
    fn examination() -> Examination {
        let cpu = Cpu { isas: vec![Isa::Scalar, Isa::Avx2], ..Cpu::detect() };
        let fma = |isa, threads, gflops| FmaCeiling { isa, threads, gflops };
        let level = |level: &str, threads, read_gbps| Bandwidth {
            level: level.to_owned(),
            threads,
            capacity: None,
            bytes: 128 << 20,
            read_gbps,
            copy_gbps: 1.5,
        };
        let timer = Timer {
            resolution_ns: 10.0,
            overhead_ns: 25.0,
            jitter_quartiles: 0.25,
            jitter_p99: 0.5,
            jitter_max: 9.0,
            frequency_ghz: 3.5,
        };
        let noise = Noise {
            seconds: 2.0,
            steal: None,
            other_load: None,
            load_average: None,
            drift: 0.5,
            drift_samples: 3,
            taken_again: 0,
        };
        let (host, build) = (Host::detect(), Build::this());
        let trust = Trust::of(&host, 2, &build, &timer, &noise);
        let ceilings = Ceilings {
            fma: vec![
                fma(Isa::Scalar, 1, 2.5),
                fma(Isa::Avx2, 1, 115.0),
                fma(Isa::Scalar, 2, 5.0),
                fma(Isa::Avx2, 2, 230.0),
            ],
            bandwidth: vec![level("L1", 1, 400.0), level("memory", 2, 31.25)],
        };
        Examination { cpu, host, build, ceilings, timer, noise, trust }
    }

    #[test]
    fn the_text_shows_every_ceiling_and_the_grade_with_its_reasons() {
        let text = examination().to_string();
        let row = |start: &str| {
            let line = text.lines().find(|line| line.trim_start().starts_with(start));
            line.map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        };
        assert_eq!(row("avx2").unwrap(), ["avx2", "115.0", "230.0"]);
        assert_eq!(row("memory").unwrap(), ["memory", "2", "128", "MiB", "31.2", "1.5"]);
        assert!(row("avx512").is_none());
        assert_eq!(row("Trust").unwrap(), ["Trust", "F"]);
        assert!(text.contains("  F  jitter: the same work varies by 25.00% between"), "{text}");
        assert!(text.contains("  F  clock rate drift: 50.00%"), "{text}");
    }

    #[test]
    fn json_holds_the_same() {
        let examination = examination();
        let json = examination.json().unwrap();
        assert!(!json.contains('\n'));
        assert_eq!(serde_json::from_str::<Examination>(&json).unwrap(), examination);
    }

    #[test]
    fn no_threads_is_an_error() {
        assert!(examine(0, true, &crate::measure::Silent).is_err());
    }

    #[test]
    fn sizes_keep_their_unit_readable() {
        let sizes = [512, 48 << 10, 1 << 20, 32 << 20, 3 << 30].map(size);
        assert_eq!(sizes, ["512 B", "48 KiB", "1 MiB", "32 MiB", "3 GiB"]);
    }
}
