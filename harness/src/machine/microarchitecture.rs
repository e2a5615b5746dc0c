//! Names of microarchitectures, by the numbers with which CPUs identify themselves.
//!
//! Sources: AMD's processor programming references and revision guides (family 17h to 1Ah), Intel's
//! Software Developer's Manual volume 4 table 2-1, Arm's technical reference manuals (MIDR part
//! numbers). The list has the CPUs that people are likely to run. Only headings depend on it.

/// The microarchitecture of an x86 CPU.
pub(super) fn x86(vendor: &str, family: u32, model: u32) -> Option<&'static str> {
    match (vendor, family, model) {
        ("AuthenticAMD", 0x17, 0x00..=0x2f) => Some("Zen"),
        ("AuthenticAMD", 0x17, 0x30..) => Some("Zen 2"),
        ("AuthenticAMD", 0x19, 0x00..=0x0f | 0x20..=0x5f) => Some("Zen 3"),
        ("AuthenticAMD", 0x19, _) => Some("Zen 4"),
        ("AuthenticAMD", 0x1a, _) => Some("Zen 5"),
        ("GenuineIntel", 6, 0x3c | 0x3f | 0x45 | 0x46) => Some("Haswell"),
        ("GenuineIntel", 6, 0x3d | 0x47 | 0x4f | 0x56) => Some("Broadwell"),
        // Cascade Lake and Cooper Lake differ from Skylake-X by stepping only.
        ("GenuineIntel", 6, 0x55) => Some("Skylake-X or Cascade Lake"),
        ("GenuineIntel", 6, 0x4e | 0x5e | 0x8e | 0x9e | 0xa5 | 0xa6) => Some("Skylake"),
        ("GenuineIntel", 6, 0x6a | 0x6c) => Some("Ice Lake (server)"),
        ("GenuineIntel", 6, 0x7d | 0x7e) => Some("Ice Lake"),
        ("GenuineIntel", 6, 0x8c | 0x8d) => Some("Tiger Lake"),
        ("GenuineIntel", 6, 0x8f) => Some("Sapphire Rapids"),
        ("GenuineIntel", 6, 0xcf) => Some("Emerald Rapids"),
        ("GenuineIntel", 6, 0xad | 0xae) => Some("Granite Rapids"),
        ("GenuineIntel", 6, 0x97 | 0x9a) => Some("Alder Lake"),
        ("GenuineIntel", 6, 0xb7 | 0xba | 0xbf) => Some("Raptor Lake"),
        _ => None,
    }
}

/// The microarchitecture of an Arm CPU, from the implementer and part fields of its MIDR.
#[cfg_attr(not(any(target_arch = "aarch64", test)), allow(dead_code))]
pub(super) fn arm(implementer: u32, part: u32) -> Option<&'static str> {
    match (implementer, part) {
        (0x41, 0xd03) => Some("Cortex-A53"),
        (0x41, 0xd08) => Some("Cortex-A72"),
        (0x41, 0xd0a) => Some("Cortex-A75"),
        (0x41, 0xd0b) => Some("Cortex-A76"),
        (0x41, 0xd0c) => Some("Neoverse N1"),
        (0x41, 0xd40) => Some("Neoverse V1"),
        (0x41, 0xd49) => Some("Neoverse N2"),
        (0x41, 0xd4f) => Some("Neoverse V2"),
        (0x41, 0xd8e) => Some("Neoverse N3"),
        (0x41, 0xd84) => Some("Neoverse V3"),
        (0xc0, 0xac3) => Some("Ampere-1"),
        (0x61, _) => Some("Apple"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_cpus_have_their_names() {
        assert_eq!(x86("AuthenticAMD", 0x19, 0x11), Some("Zen 4"));
        assert_eq!(x86("AuthenticAMD", 0x19, 0x21), Some("Zen 3"));
        assert_eq!(x86("AuthenticAMD", 0x1a, 0x02), Some("Zen 5"));
        assert_eq!(x86("GenuineIntel", 6, 0x8f), Some("Sapphire Rapids"));
        assert_eq!(x86("GenuineIntel", 6, 0xfe), None);
        assert_eq!(arm(0x41, 0xd0c), Some("Neoverse N1"));
        assert_eq!(arm(0x41, 0), None);
    }
}
