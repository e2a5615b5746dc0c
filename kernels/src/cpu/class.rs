//! The data file that prices a CPU which has none of its own: that of the nearest core by maker,
//! instruction set and caches.

use super::detect::found::{Caches, Found};
use super::detect::parts::arm;
use crate::micro::isa::Isa;

/// The data file of the CPU's class; none where it has no vectors.
pub(super) fn like(found: &Found) -> Option<&'static str> {
    let Caches { l1, l2, .. } = found.caches;
    let (l1, l2) = (l1.unwrap_or(0), l2.unwrap_or(0));
    // Intel's cores have had 48 KB of L1 since Ice Lake, servers' 2 MB of L2 since Golden Cove.
    match (found.isa, found.vendor) {
        (Isa::Avx512, "intel") if l1 < 48 << 10 => Some("skylake-x"),
        (Isa::Avx512, "intel") if l2 < 2 << 20 => Some("icelake"),
        (Isa::Avx512, "intel") => Some("sapphirerapids"),
        // Golden Cove and its like, which Intel sells with AVX2 only.
        (Isa::Avx2, "intel") if l1 >= 48 << 10 => Some("sapphirerapids"),
        // Nothing says whether AVX-512 units are 512 bits wide. Units of 256 bits are assumed.
        (Isa::Avx512, "amd") if found.family > 0x19 => Some("zen5-mobile"),
        (Isa::Avx512, _) => Some("zen4"),
        (Isa::Avx2, "amd") if found.family < 0x19 => Some("zen2"),
        (Isa::Avx2, "amd") => Some("zen3"),
        (Isa::Avx2, _) => Some("haswell"),
        (Isa::Neon, _) => Some(arm(found.family, found.model, l1, l2)),
        (Isa::Scalar, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::Cpu;
    use crate::cpu::host::describe;

    const KB: usize = 1 << 10;

    fn cpu(vendor: &'static str, family: u32, isa: Isa, [l1, l2]: [usize; 2]) -> Cpu {
        let size = |bytes: usize| Some(bytes).filter(|bytes| *bytes > 0);
        let caches = Caches { l1: size(l1), l1_ways: None, l2: size(l2), l3: size(77 << 20) };
        describe(&Found { vendor, family, model: 0xfff, isa, caches })
    }

    #[test]
    fn an_unknown_cpu_is_priced_as_its_class_with_its_own_caches() {
        for (vendor, family, isa, caches, expected) in [
            ("intel", 6, Isa::Avx512, [32 * KB, 1024 * KB], "skylake-x"),
            ("intel", 6, Isa::Avx512, [48 * KB, 1280 * KB], "icelake"),
            ("intel", 19, Isa::Avx512, [48 * KB, 2048 * KB], "sapphirerapids"),
            ("intel", 6, Isa::Avx2, [48 * KB, 1280 * KB], "sapphirerapids"),
            ("intel", 6, Isa::Avx2, [32 * KB, 256 * KB], "haswell"),
            ("amd", 0x1b, Isa::Avx512, [48 * KB, 1024 * KB], "zen5-mobile"),
            ("amd", 0x19, Isa::Avx512, [32 * KB, 1024 * KB], "zen4"),
            ("amd", 0x19, Isa::Avx2, [32 * KB, 512 * KB], "zen3"),
            ("amd", 0x18, Isa::Avx2, [32 * KB, 512 * KB], "zen2"),
            ("", 7, Isa::Avx512, [32 * KB, 512 * KB], "zen4"),
            ("", 7, Isa::Avx2, [32 * KB, 256 * KB], "haswell"),
            ("arm", 0x46, Isa::Neon, [64 * KB, 8192 * KB], "neoverse-n1"),
            ("arm", 0x46, Isa::Neon, [64 * KB, 512 * KB], "cortex-a76"),
            ("arm", 0x46, Isa::Neon, [32 * KB, 128 * KB], "cortex-a55"),
            ("arm", 0x46, Isa::Neon, [192 * KB, 16384 * KB], "apple-m1"),
            ("arm", 0x61, Isa::Neon, [0, 0], "apple-m1"),
            ("arm", 0, Isa::Neon, [0, 0], "cortex-a76"),
        ] {
            let cpu = cpu(vendor, family, isa, caches);
            let like = Cpu::named(expected).unwrap();
            let case = format!("{vendor} {family:x} {isa} {caches:?}");
            assert_eq!(cpu.title, format!("unknown, priced as {}", like.title), "{case}");
            assert_eq!((cpu.name.as_str(), cpu.isa), ("host", isa), "{case}");
            assert_eq!((cpu.window, cpu.fma_narrow), (like.window, like.fma_narrow), "{case}");
            let or = |given: usize, file| if given > 0 { given } else { file };
            assert_eq!(cpu.l1, or(caches[0], like.l1), "{case}");
            assert_eq!((cpu.l2, cpu.l3), (or(caches[1], like.l2), 77 << 20), "{case}");
        }
    }

    #[test]
    fn a_cpu_without_vectors_has_no_class() {
        let cpu = cpu("", 0, Isa::Scalar, [16 * KB, 0]);
        assert_eq!((cpu.title.as_str(), cpu.l1), (Cpu::generic().title.as_str(), 16 * KB));
    }
}
