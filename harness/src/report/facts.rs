//! The environment of a run as lines of a page.

use super::figure::roofline::Roof;
use crate::machine::{CacheKind, CacheLevel};
use crate::record::environment::Environment;
use crate::text::numbers::{digits, time};
use serde::Serialize;

/// A line of a table of facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Fact {
    /// The name of the fact.
    name: String,
    /// The value.
    value: String,
}

/// Lines that are collected. A fact without a value has no line.
#[derive(Default)]
struct FactList(Vec<Fact>);

impl FactList {
    fn add(&mut self, name: &str, value: impl Into<Option<String>>) {
        let value = value.into().filter(|value| !value.is_empty());
        self.0.extend(value.map(|value| Fact { name: name.to_owned(), value }));
    }
}

/// The name of the CPU, with its microarchitecture unless the name has it; `None` without a name.
pub(super) fn cpu(environment: &Environment) -> Option<String> {
    let cpu = &environment.cpu;
    let named = Some(cpu.brand.clone()).filter(|brand| !brand.is_empty());
    named.map(|brand| match &cpu.microarchitecture {
        Some(core) if !brand.contains(core.as_str()) => format!("{brand} ({core})"),
        _ => brand,
    })
}

/// The FMA ceilings on a number of threads, GFLOP/s.
pub(super) fn ceilings(environment: &Environment, threads: usize) -> Vec<Roof> {
    let here = environment.ceilings.fma.iter().filter(|ceiling| ceiling.threads == threads);
    here.map(|c| Roof { label: c.isa.name().to_owned(), value: c.gflops }).collect()
}

/// The read bandwidths on a number of threads, 10⁹ bytes per second, the nearest level first.
pub(super) fn bandwidths(environment: &Environment, threads: usize) -> Vec<Roof> {
    let here = environment.ceilings.bandwidth.iter().filter(|level| level.threads == threads);
    here.map(|level| Roof { label: level.level.clone(), value: level.read_gbps }).collect()
}

/// The lines on the machine.
pub(super) fn machine(environment: &Environment) -> Vec<Fact> {
    let Environment { cpu: processor, host, timer, .. } = environment;
    let mut facts = FactList::default();
    facts.add("CPU", cpu(environment));
    facts.add("Architecture", processor.architecture.clone());
    let isas: Vec<&str> = processor.isas.iter().map(|isa| isa.name()).collect();
    facts.add("Instruction sets of kernels", isas.join(", "));
    facts.add("Further instruction sets", processor.features.join(", "));
    let (logical, physical) = (processor.logical, processor.physical);
    facts.add("CPUs", format!("{logical} logical on {physical} physical cores"));
    facts.add("Core clock, as measured", format!("{:.2} GHz", timer.frequency_ghz));
    for cache in &processor.caches {
        let kind = match cache.kind {
            CacheKind::Data => " data",
            CacheKind::Instruction => " instruction",
            CacheKind::Unified => "",
        };
        facts.add(&format!("L{}{kind} cache", cache.level), described(cache));
    }
    facts.add("Memory", host.memory.map(bytes));
    let kernel = host.kernel.as_deref().unwrap_or_default();
    facts.add("Operating system", format!("{} {kernel}", host.os).trim_end().to_owned());
    facts.add("Hypervisor", host.hypervisor.clone());
    facts.add("Frequency governor", host.governor.clone());
    let boost = host.boost.map(|on| if on { "yes" } else { "no" }.to_owned());
    facts.add("Frequency boost", boost);
    facts.0
}

/// The size of a cache, with its associativity and sharing.
fn described(cache: &CacheLevel) -> String {
    let mut text = bytes(cache.bytes);
    if cache.ways > 0 {
        text += &format!(", {}-way", cache.ways);
    }
    if cache.shared_by > 1 {
        text += &format!(", shared by {} CPUs", cache.shared_by);
    }
    text
}

/// The lines on the program.
pub(super) fn build(environment: &Environment) -> Vec<Fact> {
    let build = &environment.build;
    let mut facts = FactList::default();
    facts.add("Version", build.version.clone());
    facts.add("Commit", build.short_commit());
    facts.add("Compiler", build.compiler.clone());
    facts.add("Target", build.target.clone());
    facts.add("Profile", format!("{}, level {}", build.profile, build.opt_level));
    facts.add("Flags", build.rustflags.clone());
    facts.0
}

/// Every ceiling on a number of threads: its name, the number of threads, its value.
pub(super) fn limits(environment: &Environment, threads: usize) -> Vec<[String; 3]> {
    let fma = ceilings(environment, threads).into_iter().map(|roof| {
        let speed = format!("{} GFLOP/s", digits(roof.value));
        [format!("FMA, {}", roof.label), threads.to_string(), speed]
    });
    let levels = environment.ceilings.bandwidth.iter().filter(|level| level.threads == threads);
    let bandwidth = levels.map(|level| {
        let (read, copy) = (digits(level.read_gbps), digits(level.copy_gbps));
        let speed = format!("read {read}, copy {copy} GB/s");
        [format!("{} bandwidth", level.level), threads.to_string(), speed]
    });
    fma.chain(bandwidth).collect()
}

/// The lines on the settings.
pub(super) fn settings(environment: &Environment) -> Vec<Fact> {
    let settings = &environment.settings;
    let duration = |of: std::time::Duration| time(1e9 * of.as_secs_f64());
    let mut facts = FactList::default();
    facts.add("Warm-up of each contender", duration(settings.warm_up));
    facts.add("Length of a sample, about", duration(settings.sample));
    facts.add("Time for each contender on a layer", duration(settings.budget));
    let rounds = format!("{} and {}", settings.min_rounds, settings.max_rounds);
    facts.add("Rounds, at least and at most", rounds);
    facts.add("Seed of the order within rounds", settings.seed.to_string());
    facts.0
}

/// A number of bytes with a unit that keeps it small.
fn bytes(size: u64) -> String {
    for (power, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
        let value = size as f64 / f64::from(1u32 << power);
        if value >= 1.0 {
            return format!("{} {unit}", (value * 10.0).round() / 10.0);
        }
    }
    format!("{size} B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        let sizes = [48 << 10, 3 << 19, 12].map(bytes);
        assert_eq!(sizes, ["48 KiB", "1.5 MiB", "12 B"]);
    }

    #[test]
    fn a_fact_without_a_value_has_no_line() {
        let mut facts = FactList::default();
        facts.add("Flags", String::new());
        facts.add("Memory", None);
        facts.add("Version", "1".to_owned());
        assert_eq!(facts.0.len(), 1);
    }
}
