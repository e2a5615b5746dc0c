//! Packed weights, as a caller holds them.

use crate::pack::weights::Packed;

/// Weights, bias and slopes in the order that a plan's kernel reads them. Any plan that packs alike takes
/// them, for another batch or image size say.
pub struct PackedWeights {
    /// Those of the plan, or of the first part of siblings.
    pub(crate) first: Packed,
    /// Those of the other parts.
    pub(crate) rest: Vec<Packed>,
}

impl core::fmt::Debug for PackedWeights {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "PackedWeights({}", self.first.panels)?;
        self.rest.iter().try_for_each(|part| write!(f, "; {}", part.panels))?;
        f.write_str(")")
    }
}

impl PackedWeights {
    /// Bytes of memory they take.
    pub fn bytes(&self) -> usize {
        let bytes = |Packed { weights, starts, slopes, .. }: &Packed| -> usize {
            [weights, starts, slopes].into_iter().map(|values| size_of_val(values.values())).sum()
        };
        bytes(&self.first) + self.rest.iter().map(bytes).sum::<usize>()
    }
}
