//! Packed weights.

use crate::describe::arithmetic::{Arithmetic, F32};
use crate::pack::weights::Packed;
use core::marker::PhantomData;

/// Weights, bias and slopes, in the order in which a plan's kernel reads them. They serve any plan that
/// packs in the same way, such as one for another batch or image size.
pub struct PackedWeights<A: Arithmetic = F32> {
    /// Those of the plan, or those of the first branches of siblings that share a kernel.
    pub(crate) first: Packed,
    /// Those of the other branches.
    pub(crate) rest: Vec<Packed>,
    arithmetic: PhantomData<A>,
}

impl<A: Arithmetic> core::fmt::Debug for PackedWeights<A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "PackedWeights({}", self.first.panels)?;
        self.rest.iter().try_for_each(|part| write!(f, "; {}", part.panels))?;
        f.write_str(")")
    }
}

impl<A: Arithmetic> PackedWeights<A> {
    pub(crate) fn new(first: Packed, rest: Vec<Packed>) -> Self {
        PackedWeights { first, rest, arithmetic: PhantomData }
    }

    /// The bytes of memory that they take.
    pub fn bytes(&self) -> usize {
        core::iter::once(&self.first)
            .chain(&self.rest)
            .map(|part| part.weights.bytes() + part.starts.bytes() + part.slopes.bytes())
            .sum()
    }
}
