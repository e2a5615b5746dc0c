//! Arm cores by their numbers: which of those with a data file they are made after.

/// The class of an Arm core.
///
/// By its number where the core is known to be made after one that has a data file, or to be a
/// small one; else by its caches. Numbers: Linux, `arch/arm64/include/asm/cputype.h`.
pub(in crate::cpu) fn arm(implementer: u32, part: u32, l1: usize, l2: usize) -> &'static str {
    match (implementer, part) {
        // Cortex-A53, A35, A55, A65, A510, A520, A320: in order, or as narrow.
        (0x41, 0xd03 | 0xd04 | 0xd05 | 0xd06 | 0xd43 | 0xd46 | 0xd80 | 0xd88 | 0xd8f) => {
            "cortex-a55"
        }
        // Cortex-A57, A72, A73, A75, A76, A76AE, A77, A78, A78AE, A78C.
        (0x41, 0xd07..=0xd0b | 0xd0d | 0xd0e | 0xd41 | 0xd42 | 0xd4b) => "cortex-a76",
        (0x41, 0xd0c) => "neoverse-n1",
        // Cortex-X1, X1C, Neoverse V1.
        (0x41, 0xd40 | 0xd44 | 0xd4c) => "neoverse-v1",
        // Cortex-A710, A715, A720, A725, Neoverse N2, N3.
        (0x41, 0xd47 | 0xd49 | 0xd4d | 0xd81 | 0xd87 | 0xd89 | 0xd8e) => "neoverse-n2",
        // Cortex-X2, X3, X4, X925, Neoverse V2, V3.
        (0x41, 0xd48 | 0xd4e | 0xd4f | 0xd82..=0xd85) => "neoverse-v2",
        // Qualcomm's Kryo silver, after Cortex-A53 and A55, and gold, after A73 to A76.
        (0x51, 0x801 | 0x803 | 0x805) => "cortex-a55",
        (0x51, 0x800 | 0x802 | 0x804) => "cortex-a76",
        // Apple's efficiency cores of M1 and M2, then all others.
        (0x61, 0x022 | 0x024 | 0x028 | 0x032 | 0x034 | 0x038) => "cortex-a76",
        (0x61, _) => "apple-m1",
        _ if l1 >= 128 << 10 => "apple-m1",
        _ if l2 >= 1 << 20 && l1 >= 64 << 10 => "neoverse-n1",
        _ if l1 > 0 && l1 <= 32 << 10 && l2 <= 256 << 10 => "cortex-a55",
        _ => "cortex-a76",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KB: usize = 1 << 10;

    #[test]
    fn arm_cores_are_priced_as_those_that_they_are_made_after() {
        for (implementer, part, expected) in [
            (0x41, 0xd03, "cortex-a55"),
            (0x41, 0xd46, "cortex-a55"),
            (0x41, 0xd08, "cortex-a76"),
            (0x41, 0xd41, "cortex-a76"),
            (0x41, 0xd44, "neoverse-v1"),
            (0x41, 0xd81, "neoverse-n2"),
            (0x41, 0xd84, "neoverse-v2"),
            (0x51, 0x805, "cortex-a55"),
            (0x51, 0x804, "cortex-a76"),
            (0x61, 0x022, "cortex-a76"),
            (0x61, 0x033, "apple-m1"),
        ] {
            // Whatever the caches are.
            for caches in [[32 * KB, 64 * KB], [128 * KB, 4096 * KB]] {
                assert_eq!(arm(implementer, part, caches[0], caches[1]), expected, "{part:x}");
            }
        }
    }
}
