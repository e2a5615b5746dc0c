//! Which CPU this is: the data file that matches it, with the cache sizes that it reports.

use super::{Cpu, FILES};
use crate::micro::isa::Isa;

/// The CPU of this machine.
pub(super) fn detect() -> Cpu {
    let mut cpu = known().unwrap_or_else(Cpu::generic);
    // The last that is there has the longest vectors.
    cpu.isa = Isa::ALL.into_iter().rfind(|isa| isa.is_available()).unwrap_or(Isa::Scalar);
    caches(&mut cpu);
    cpu
}

/// Maker's name of this CPU, family, model and stepping.
#[cfg(target_arch = "x86_64")]
pub(crate) fn brand() -> String {
    let cpuid = raw_cpuid::CpuId::new();
    let name = cpuid.get_processor_brand_string();
    let name = name.as_ref().map_or("unnamed", |name| name.as_str().trim());
    let (family, model, stepping) = cpuid
        .get_feature_info()
        .map_or((0, 0, 0), |f| (f.family_id(), f.model_id(), f.stepping_id()));
    format!("{name} {family:x}.{model:02x}.{stepping}")
}

/// The architecture: what there is where a CPU does not tell its name.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn brand() -> String {
    std::env::consts::ARCH.to_owned()
}

/// The data file whose `match` line names this CPU's vendor, family and model.
#[cfg(target_arch = "x86_64")]
fn known() -> Option<Cpu> {
    let cpuid = raw_cpuid::CpuId::new();
    let vendor = match cpuid.get_vendor_info()?.as_str() {
        "AuthenticAMD" => "amd",
        "GenuineIntel" => "intel",
        _ => return None,
    };
    let info = cpuid.get_feature_info()?;
    let (family, model) = (u32::from(info.family_id()), u32::from(info.model_id()));
    FILES
        .iter()
        .find(|(_, text)| {
            text.lines()
                .filter_map(|line| line.strip_prefix("match "))
                .any(|line| matches(line, vendor, family, model))
        })
        .and_then(|(name, text)| Cpu::parse(name, text).ok())
}

#[cfg(not(target_arch = "x86_64"))]
fn known() -> Option<Cpu> {
    let _ = FILES;
    None
}

/// Whether `VENDOR FAMILY MODEL[-MODEL]…` names this CPU.
#[cfg(any(test, target_arch = "x86_64"))]
fn matches(line: &str, vendor: &str, family: u32, model: u32) -> bool {
    let number = |text: &str| u32::from_str_radix(text.trim_start_matches("0x"), 16).ok();
    let mut words = line.split_whitespace();
    words.next() == Some(vendor)
        && words.next().and_then(number) == Some(family)
        && words.any(|range| {
            let (from, to) = range.split_once('-').unwrap_or((range, range));
            matches!((number(from), number(to)), (Some(a), Some(b)) if (a..=b).contains(&model))
        })
}

#[cfg(target_arch = "x86_64")]
fn caches(cpu: &mut Cpu) {
    use raw_cpuid::{CacheType, CpuId};
    let cpuid = CpuId::new();
    // AMD's own leaf first: on its CPUs the other one is absent or, under some hypervisors, not
    // filled in.
    if cpuid.get_vendor_info().is_some_and(|v| v.as_str() == "AuthenticAMD") {
        if let Some(l1) = cpuid.get_l1_cache_and_tlb_info() {
            cpu.l1 = usize::from(l1.dcache_size()).max(8) << 10;
        }
        if let Some(l2) = cpuid.get_l2_l3_cache_and_tlb_info() {
            cpu.l2 = usize::from(l2.l2cache_size()).max(64) << 10;
        }
    }
    for cache in cpuid.get_cache_parameters().into_iter().flatten() {
        let ways = cache.associativity();
        let lines = ways * cache.physical_line_partitions() * cache.sets();
        let size = lines * cache.coherency_line_size();
        match (cache.level(), cache.cache_type()) {
            (1, CacheType::Data) if size > 0 => (cpu.l1, cpu.l1_ways) = (size, ways),
            (2, _) if size > 0 => cpu.l2 = size,
            _ => {}
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn caches(_: &mut Cpu) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_match_line_names_vendor_family_and_models() {
        let line = "amd 0x1a 0x00-0x1f 0x44";
        assert!(matches(line, "amd", 0x1a, 2) && matches(line, "amd", 0x1a, 0x44));
        assert!(!matches(line, "amd", 0x1a, 0x20) && !matches(line, "amd", 0x19, 2));
        assert!(!matches(line, "intel", 0x1a, 2));
    }
}
