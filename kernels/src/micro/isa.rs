//! Vector instruction sets, and which of them this CPU has.

use crate::describe::error::Error;
use crate::micro::features::Features;
use core::fmt;
use core::str::FromStr;

/// An instruction set that kernels are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// Every ISA. Those of one architecture are in ascending order of their vectors' length.
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

    /// The number of `f32` values in one vector register.
    pub const fn lanes(self) -> usize {
        match self {
            Isa::Scalar => 1,
            Isa::Neon => 4,
            Isa::Avx2 => 8,
            Isa::Avx512 => 16,
        }
    }

    /// The features that the CPU must have.
    pub const fn needs(self) -> Features {
        match self {
            Isa::Scalar => Features::NONE,
            Isa::Neon => Features::NEON,
            Isa::Avx2 => Features::AVX2,
            Isa::Avx512 => Features::AVX512,
        }
    }

    /// Whether a cap at `cap` admits this ISA. A cap admits itself, the ISAs of its architecture with
    /// shorter vectors, and portable code.
    pub const fn is_within(self, cap: Isa) -> bool {
        match self {
            Isa::Scalar => true,
            Isa::Neon => matches!(cap, Isa::Neon),
            Isa::Avx2 => matches!(cap, Isa::Avx2 | Isa::Avx512),
            Isa::Avx512 => matches!(cap, Isa::Avx512),
        }
    }

    /// Whether this CPU and its operating system can run it.
    pub fn is_available(self) -> bool {
        Features::host().has(self.needs())
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
