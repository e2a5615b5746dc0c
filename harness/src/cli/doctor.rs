//! `pointwise doctor`: what this machine is, what it can do at best, and how far to trust its figures.

use super::failure::{Failure, Outcome};
use super::options::Options;
use super::output::Output;
use super::progress::ProgressBar;
use super::table::Table;
use pointwise_harness::machine::doctor::{self, Examination};
use pointwise_harness::machine::{CacheKind, CacheLevel};
use pointwise_harness::text::numbers::count;

/// Examine this machine: CPU, caches, ISAs, FMA ceilings, bandwidths, timer, noise, trust
///
/// Ceilings are measured on one thread and on `--threads` threads. The trust grade says how small
/// a difference between two figures from this machine, in its present state, can mean something.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  pointwise doctor
  pointwise doctor --threads 2
  pointwise doctor --json")]
pub(super) struct Args {
    /// Take about 2 s instead of 10
    #[arg(long)]
    quick: bool,
}

/// The shared options that this command takes.
pub(super) const TAKES: &str = "threads json";

pub(super) fn run(args: &Args, options: &Options, output: &mut Output) -> Result<Outcome, Failure> {
    let progress = ProgressBar::default();
    let examination = doctor::examine(options.threads_or_all(), args.quick, &progress)?;
    if output.json {
        output.row(&examination)?;
        return Ok(Outcome::Fine);
    }
    output.line(machine(&examination))?;
    output.line("FMA ceiling, GFLOP/s")?;
    output.table(&ceilings(&examination))?;
    output.line("\nBandwidth, GB/s")?;
    output.table(&bandwidths(&examination))?;
    output.line(trust(&examination).trim_end())?;
    Ok(Outcome::Fine)
}

/// The lines on CPU, host and build.
fn machine(examination: &Examination) -> String {
    let Examination { cpu, host, build, .. } = examination;
    let known = cpu.microarchitecture.as_deref().unwrap_or("microarchitecture not known");
    let isas: Vec<&str> = cpu.isas.iter().map(|isa| isa.name()).collect();
    let caches: Vec<String> = cpu.caches.iter().map(describe).collect();
    let memory = host.memory.map_or("memory not known".to_owned(), |bytes| {
        format!("{:.1} GiB of memory", bytes as f64 / f64::from(1 << 30))
    });
    let kernel = host.kernel.as_deref().unwrap_or_default();
    let guest = host.hypervisor.as_ref().map_or(String::new(), |name| format!(", under {name}"));
    let governor = host.governor.as_deref().unwrap_or("not shown");
    let boost = match host.boost {
        Some(true) => "on",
        Some(false) => "off",
        None => "not shown",
    };
    let lines = [
        format!(
            "CPU        {} ({known}; {} family {} model {} stepping {})",
            cpu.brand, cpu.vendor, cpu.family, cpu.model, cpu.stepping
        ),
        format!("cores      {} ({} logical CPUs)", cpu.physical, cpu.logical),
        format!("ISAs       {}; features {}", isas.join(", "), cpu.features.join(" ")),
        format!("caches     {}", or_unknown(&caches.join(", "))),
        format!("host       {} {kernel}, {memory}{guest}", host.os),
        format!("frequency  governor {governor}, boost {boost}"),
        format!(
            "build      {} {}, {}, {} (opt-level {}), commit {}",
            build.version,
            build.target,
            build.compiler,
            build.profile,
            build.opt_level,
            build.short_commit()
        ),
    ];
    lines.join("\n") + "\n"
}

/// A row for each ISA, a column for each number of threads.
fn ceilings(examination: &Examination) -> Table {
    let Examination { cpu, ceilings, .. } = examination;
    let mut threads: Vec<usize> = ceilings.fma.iter().map(|ceiling| ceiling.threads).collect();
    threads.dedup();
    let heading = |threads: &usize| count(*threads, "thread");
    let table = Table::default().text("ISA");
    let mut table = threads.iter().map(heading).fold(table, |table, title| table.figure(title));
    for isa in &cpu.isas {
        let figures = threads.iter().map(|count| match ceilings.of(*isa, *count) {
            Some(gflops) => format!("{gflops:.1}"),
            None => "-".to_owned(),
        });
        table.row(std::iter::once(isa.to_string()).chain(figures));
    }
    table
}

/// A row for each level of memory and number of threads.
fn bandwidths(examination: &Examination) -> Table {
    let table = Table::default().text("level").figure("threads").figure("over");
    let mut table = table.figure("read").figure("copy");
    for row in &examination.ceilings.bandwidth {
        table.row([
            row.level.clone(),
            row.threads.to_string(),
            size(row.bytes),
            format!("{:.1}", row.read_gbps),
            format!("{:.1}", row.copy_gbps),
        ]);
    }
    table
}

/// The lines on timer, noise and trust.
fn trust(examination: &Examination) -> String {
    let Examination { timer, noise, trust, .. } = examination;
    let load = noise
        .load_average
        .map_or("not shown".to_owned(), |load| load.map(|load| format!("{load:.2}")).join(" "));
    let mut text = format!(
        "\ntimer      {:.0} ns a reading, steps of {:.0} ns\n\
         jitter     {:.2}% between the quartiles, 99% within {:.1}%, slowest +{:.0}%\n\
         load       {load}, over {:.1} s of examination\n\n\
         Trust      {}\n",
        timer.overhead_ns,
        timer.resolution_ns,
        100.0 * timer.jitter_quartiles,
        100.0 * timer.jitter_p99,
        100.0 * timer.jitter_max,
        noise.seconds,
        trust.grade
    );
    for finding in &trust.findings {
        text += &format!("  {}  {}: {}\n", finding.grade, finding.what, finding.seen);
    }
    text
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

/// A number of bytes in the largest unit of which it has at least one.
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
    use pointwise::Isa;
    use pointwise_harness::machine::{
        Bandwidth, Build, Ceilings, Cpu, FmaCeiling, Host, Noise, Timer, Trust,
    };

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
        let of = examination();
        let tables = [ceilings(&of), bandwidths(&of)].map(|table| table.fitted(None).0);
        let text = [machine(&of), tables.join("\n"), trust(&of)].join("\n");
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
    fn sizes_keep_their_unit_readable() {
        let sizes = [512, 48 << 10, 1 << 20, 32 << 20, 3 << 30].map(size);
        assert_eq!(sizes, ["512 B", "48 KiB", "1 MiB", "32 MiB", "3 GiB"]);
    }
}
