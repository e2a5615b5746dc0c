//! What CPUID says of an x86 CPU.

use super::found::{Caches, Found};
use crate::micro::isa::Isa;
use raw_cpuid::{CacheType, CpuId};

/// Vendor, family, model and caches; the ISA is left to the caller.
pub(in crate::cpu) fn found() -> Found {
    let cpuid = CpuId::new();
    let vendor = cpuid.get_vendor_info();
    let vendor = match vendor.as_ref().map(|vendor| vendor.as_str()) {
        // Hygon's cores are made after AMD's, and numbered among its families.
        Some("AuthenticAMD" | "HygonGenuine") => "amd",
        Some("GenuineIntel") => "intel",
        _ => "",
    };
    let info = cpuid.get_feature_info();
    let (family, model) = info.map_or((0, 0), |info| (info.family_id(), info.model_id()));
    Found {
        vendor,
        family: family.into(),
        model: model.into(),
        isa: Isa::Scalar,
        caches: caches(vendor),
    }
}

/// Maker's name of this CPU, family, model and stepping.
pub(in crate::cpu) fn brand() -> String {
    let cpuid = CpuId::new();
    let name = cpuid.get_processor_brand_string();
    let name = name.as_ref().map_or("unnamed", |name| name.as_str().trim());
    let (family, model, stepping) = cpuid
        .get_feature_info()
        .map_or((0, 0, 0), |f| (f.family_id(), f.model_id(), f.stepping_id()));
    format!("{name} {family:x}.{model:02x}.{stepping}")
}

fn caches(vendor: &str) -> Caches {
    let cpuid = CpuId::new();
    let mut caches = Caches::default();
    // AMD's own leaf first: on its CPUs the other one is absent or, under some hypervisors, not
    // filled in.
    if vendor == "amd" {
        if let Some(l1) = cpuid.get_l1_cache_and_tlb_info() {
            caches.l1 = Some(usize::from(l1.dcache_size()).max(8) << 10);
        }
        if let Some(l2) = cpuid.get_l2_l3_cache_and_tlb_info() {
            caches.l2 = Some(usize::from(l2.l2cache_size()).max(64) << 10);
        }
    }
    for cache in cpuid.get_cache_parameters().into_iter().flatten() {
        let ways = cache.associativity();
        let lines = ways * cache.physical_line_partitions() * cache.sets();
        let size = Some(lines * cache.coherency_line_size()).filter(|size| *size > 0);
        match (cache.level(), cache.cache_type()) {
            (1, CacheType::Data) if size.is_some() => {
                (caches.l1, caches.l1_ways) = (size, Some(ways));
            }
            (2, _) => caches.l2 = size.or(caches.l2),
            (3, _) => caches.l3 = size,
            _ => {}
        }
    }
    caches
}
