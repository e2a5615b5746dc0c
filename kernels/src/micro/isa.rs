//! Instruction sets, and which of them this CPU has.

use crate::describe::error::Error;
use core::fmt;
use core::str::FromStr;

/// An instruction set that kernels are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Isa {
    /// Portable code, one lane.
    Scalar,
    /// Arm Advanced SIMD, 4 lanes.
    Neon,
    /// x86-64 AVX2 with FMA, 8 lanes.
    Avx2,
    /// x86-64 AVX-512 (F, BW, CD, DQ, VL), 16 lanes.
    Avx512,
}

impl Isa {
    /// Every ISA, the plainest first. A cap admits an ISA and those before it.
    pub const ALL: [Isa; 4] = [Isa::Scalar, Isa::Neon, Isa::Avx2, Isa::Avx512];

    /// The lower-case name, as options and environment variables take it.
    pub const fn name(self) -> &'static str {
        match self {
            Isa::Scalar => "scalar",
            Isa::Neon => "neon",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
        }
    }

    /// `f32` values in one vector register.
    pub const fn lanes(self) -> usize {
        match self {
            Isa::Scalar => 1,
            Isa::Neon => 4,
            Isa::Avx2 => 8,
            Isa::Avx512 => 16,
        }
    }

    /// What the CPU must have, for messages.
    pub const fn needs(self) -> &'static str {
        match self {
            Isa::Scalar => "nothing",
            Isa::Neon => "an AArch64 CPU with NEON",
            Isa::Avx2 => "an x86-64 CPU with AVX2, FMA, BMI2 and LZCNT",
            Isa::Avx512 => "an x86-64 CPU with AVX-512 F, BW, CD, DQ and VL",
        }
    }

    /// Whether this CPU, and its operating system, run it.
    pub fn is_available(self) -> bool {
        match self {
            Isa::Scalar => true,
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => pulp::aarch64::Neon::try_new().is_some(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => pulp::x86::V3::try_new().is_some(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => pulp::x86::V4::try_new().is_some(),
            #[allow(unreachable_patterns)]
            _ => false,
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Isa {
    type Err = Error;

    /// # Errors
    /// [`Error::UnknownIsa`].
    fn from_str(name: &str) -> Result<Self, Error> {
        Isa::ALL
            .into_iter()
            .find(|isa| isa.name() == name)
            .ok_or_else(|| Error::UnknownIsa { name: name.to_owned() })
    }
}
