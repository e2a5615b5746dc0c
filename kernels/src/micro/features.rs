//! The features of a CPU that kernels need. They form a set and not an order, because a CPU may have
//! any combination of them.

use core::fmt;

/// A set of features that a CPU has, or that a kernel needs, beyond the architecture's baseline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Features(u32);

impl Features {
    /// The empty set.
    pub const NONE: Features = Features(0);
    /// AArch64's NEON.
    pub const NEON: Features = Features(1);
    /// x86-64's AVX2 with FMA, BMI2 and LZCNT.
    pub const AVX2: Features = Features(1 << 1);
    /// x86-64's AVX-512 F, BW, CD, DQ and VL.
    pub const AVX512: Features = Features(1 << 2);

    const NAMES: [(Features, &'static str); 3] = [
        (Features::NEON, "an AArch64 CPU with NEON"),
        (Features::AVX2, "an x86-64 CPU with AVX2, FMA, BMI2 and LZCNT"),
        (Features::AVX512, "an x86-64 CPU with AVX-512 F, BW, CD, DQ and VL"),
    ];

    /// The features of this CPU that its operating system lets programs use.
    pub fn host() -> Features {
        #[allow(unused_mut)]
        let mut host = Features::NONE;
        #[cfg(target_arch = "aarch64")]
        if pulp::aarch64::Neon::try_new().is_some() {
            host = host.with(Features::NEON);
        }
        #[cfg(target_arch = "x86_64")]
        {
            if pulp::x86::V3::try_new().is_some() {
                host = host.with(Features::AVX2);
            }
            if pulp::x86::V4::try_new().is_some() {
                host = host.with(Features::AVX512);
            }
        }
        host
    }

    /// The union of both sets.
    #[must_use]
    pub const fn with(self, other: Features) -> Features {
        Features(self.0 | other.0)
    }

    /// Whether this set has every feature of `needed`.
    pub const fn has(self, needed: Features) -> bool {
        self.0 & needed.0 == needed.0
    }
}

impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = Features::NAMES.iter().filter(|(one, _)| self.has(*one)).map(|one| one.1);
        f.write_str(names.next().unwrap_or("nothing"))?;
        names.try_for_each(|name| write!(f, "; {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_in_and_no_more() {
        let both = Features::AVX2.with(Features::AVX512);
        assert!(both.has(Features::AVX2) && both.has(both) && both.has(Features::NONE));
        assert!(!both.has(Features::NEON) && !Features::AVX2.has(both));
        assert_eq!(Features::NONE.to_string(), "nothing");
    }
}
