//! What the cost model knows of a CPU.

use crate::Isa;
use crate::choose::TileCosts;
use std::sync::OnceLock;

/// The numbers of a CPU that kernels and blockings are chosen by.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cpu {
    /// Fused multiply-adds of whole AVX-512 vectors per cycle: 2, or 1 where two 256-bit units
    /// share one.
    pub(crate) fma_avx512: f64,
    /// The same of 256-bit and of 128-bit vectors.
    pub(crate) fma_narrow: f64,
    /// Vector loads per cycle of AVX-512, where it is there.
    pub(crate) loads_avx512: f64,
    /// The same of narrower vectors.
    pub(crate) loads_narrow: f64,
    /// Latency of a multiply-add, cycles.
    pub(crate) fma_latency: f64,
    /// L1 data cache of a core, bytes.
    pub(crate) l1: usize,
    /// L2 cache of a core, bytes.
    pub(crate) l2: usize,
    /// Lines of a set of L1.
    pub(crate) l1_ways: usize,
    /// Pages that the first level of the data TLB holds.
    pub(crate) tlb_pages: f64,
    /// Micro-operations started per cycle.
    pub(crate) issue: f64,
    /// Bytes per cycle that a core streams from L2.
    pub(crate) l2_bytes: f64,
    /// Bytes per cycle that a core streams from the cache or memory behind L2.
    pub(crate) far_bytes: f64,
    /// Cycles until another thread of a pool starts on its part.
    pub(crate) wake: f64,
    /// What its inner loops cost, where that is known.
    pub(crate) tiles: TileCosts,
}

impl Cpu {
    /// This machine's, asked once.
    pub(crate) fn host() -> &'static Cpu {
        static HOST: OnceLock<Cpu> = OnceLock::new();
        HOST.get_or_init(detect)
    }

    /// A middling core of either architecture: what is assumed where nothing better is known.
    pub(crate) fn generic() -> Cpu {
        Cpu {
            fma_avx512: 2.0,
            fma_narrow: 2.0,
            loads_avx512: 2.0,
            loads_narrow: 2.0,
            fma_latency: 4.0,
            l1: 32 << 10,
            l2: 1 << 20,
            l1_ways: 8,
            tlb_pages: 64.0,
            issue: 6.0,
            l2_bytes: 32.0,
            far_bytes: 8.0,
            wake: 8000.0,
            tiles: TileCosts::default(),
        }
    }

    /// Multiply-adds of whole vectors of `isa` per cycle.
    pub(crate) fn fma(&self, isa: Isa) -> f64 {
        match isa {
            Isa::Avx512 => self.fma_avx512,
            // One lane a call of a software or library routine, in the worst case.
            Isa::Scalar => 0.2,
            _ => self.fma_narrow,
        }
    }

    /// Vector loads of `isa` per cycle.
    pub(crate) fn loads(&self, isa: Isa) -> f64 {
        if isa == Isa::Avx512 { self.loads_avx512 } else { self.loads_narrow }
    }
}

#[cfg(target_arch = "x86_64")]
fn detect() -> Cpu {
    use raw_cpuid::{CacheType, CpuId};
    let cpuid = CpuId::new();
    let mut cpu = Cpu::generic();
    let family = cpuid.get_feature_info().map_or((0, 0), |f| (f.family_id(), f.model_id()));
    let vendor = cpuid.get_vendor_info();
    let amd = vendor.as_ref().is_some_and(|v| v.as_str() == "AuthenticAMD");
    if amd {
        match family {
            // Zen 4: 512-bit vectors run as two halves, and load as two.
            (0x19, _) => {
                cpu.fma_avx512 = 1.0;
                cpu.loads_avx512 = 1.0;
            }
            // Zen 5 of notebooks: likewise; desktop and server cores have the full width.
            (0x1A, 0x20..=0x3F | 0x60..=0x7F) => {
                cpu.fma_avx512 = 1.0;
                cpu.loads_avx512 = 1.0;
            }
            _ => {}
        }
        if family.0 == 0x1A {
            (cpu.l2_bytes, cpu.far_bytes, cpu.issue, cpu.tlb_pages) = (40.8, 22.1, 8.0, 96.0);
            for line in include_str!("../data/cpus/zen5.txt").lines() {
                if let Some(tile) = line.strip_prefix("tile ") {
                    cpu.tiles.add(tile);
                }
            }
        }
    }
    // AMD's own leaf first: on its CPUs the other one is absent or, under some hypervisors, not
    // filled in.
    if let Some(l1) = cpuid.get_l1_cache_and_tlb_info() {
        cpu.l1 = usize::from(l1.dcache_size()).max(8) << 10;
    }
    if let Some(l2) = cpuid.get_l2_l3_cache_and_tlb_info()
        && amd
    {
        cpu.l2 = usize::from(l2.l2cache_size()).max(64) << 10;
    }
    if let Some(caches) = cpuid.get_cache_parameters() {
        for cache in caches {
            let size = cache.associativity()
                * cache.physical_line_partitions()
                * cache.coherency_line_size()
                * cache.sets();
            match (cache.level(), cache.cache_type()) {
                (1, CacheType::Data) if size > 0 => {
                    cpu.l1 = size;
                    cpu.l1_ways = cache.associativity();
                }
                (2, _) if size > 0 => cpu.l2 = size,
                _ => {}
            }
        }
    }
    cpu
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Cpu {
    Cpu { l2: 512 << 10, l2_bytes: 16.0, ..Cpu::generic() }
}
