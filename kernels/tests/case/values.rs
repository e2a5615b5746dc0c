//! What tensors are filled with, from a seed.

use core::str::FromStr;

/// A kind of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    /// Between −1 and 1.
    Plain,
    /// Plain ones, among which infinities, NaN, zeros of both signs, the largest, the smallest
    /// and subnormals.
    Special,
    /// So small that products and sums are subnormal.
    Tiny,
    /// Any exponent, so that sums cancel, overflow and vanish.
    Wide,
    /// −1, −0, +0 and 1: the signs of zeros.
    Signs,
}

impl Values {
    pub(crate) const ALL: [Values; 5] =
        [Values::Plain, Values::Special, Values::Tiny, Values::Wide, Values::Signs];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Values::Plain => "plain",
            Values::Special => "special",
            Values::Tiny => "tiny",
            Values::Wide => "wide",
            Values::Signs => "signs",
        }
    }

    /// A generator of values for chains of `depth` products.
    pub(crate) fn generator(self, seed: u64, depth: usize) -> Generator {
        Generator { values: self, depth, numbers: Numbers::new(seed) }
    }
}

impl FromStr for Values {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Values::ALL.into_iter().find(|values| values.name() == name);
        found.ok_or_else(|| format!("no values `{name}`"))
    }
}

/// Plain values from a seed.
pub(crate) fn plain(len: usize, seed: u64) -> Vec<f32> {
    Values::Plain.generator(seed, 1).take(len)
}

/// A small deterministic generator (xorshift64), so that a seed says everything.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Numbers(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((self.next() >> 16) % n as u64) as usize
    }
}

pub(crate) struct Generator {
    values: Values,
    depth: usize,
    numbers: Numbers,
}

impl Generator {
    pub(crate) fn take(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.value()).collect()
    }

    fn value(&mut self) -> f32 {
        const SPECIAL: [f32; 12] = [
            0.0,
            -0.0,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NAN,
            f32::MIN_POSITIVE,
            -1.0e-40,
            1.0e-45,
            f32::MAX,
            f32::MIN,
            1.0,
            -1.0,
        ];
        let plain = (self.numbers.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
        match self.values {
            Values::Plain => plain,
            // Few enough that most chains do not end as NaN.
            Values::Special => match self.numbers.below(self.depth.max(8) * 4) {
                0 => SPECIAL[self.numbers.below(SPECIAL.len())],
                1..4 => plain * 1.0e-38,
                _ => plain,
            },
            Values::Tiny => plain * 1.0e-20,
            Values::Wide => {
                // Finite: the exponent of infinities and NaN is left out.
                let bits = self.numbers.next() as u32;
                f32::from_bits((bits & 0x807F_FFFF) | (((bits >> 23) & 0xFF) % 0xFF) << 23)
            }
            Values::Signs => [-1.0, -0.0, 0.0, 1.0][self.numbers.below(4)],
        }
    }
}

/// Compares bit for bit, a NaN with any NaN: the first difference, if there is one.
pub(crate) fn same_bits(got: &[f32], want: &[f32]) -> Result<(), String> {
    assert_eq!(got.len(), want.len());
    let same = |a: f32, b: f32| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
    match got.iter().zip(want).position(|(got, want)| !same(*got, *want)) {
        None => Ok(()),
        Some(at) => Err(format!(
            "output {at} of {} is {:e} ({:#010x}), not {:e} ({:#010x})",
            got.len(),
            got[at],
            got[at].to_bits(),
            want[at],
            want[at].to_bits()
        )),
    }
}
