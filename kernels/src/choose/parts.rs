//! Sizes that a count is cut into.

/// Sizes that `total` is cut into by [`even_parts`](crate::pixels::even_parts): at most two.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    pub(super) small: usize,
    smalls: usize,
    larges: usize,
}

impl Parts {
    pub(super) fn new(total: usize, most: usize) -> Self {
        let parts = total.div_ceil(most).max(1);
        Parts { small: total / parts, smalls: parts - total % parts, larges: total % parts }
    }

    pub(super) fn count(&self) -> usize {
        self.smalls + self.larges
    }

    /// The sizes of that one of `of` parts of the list, the larger sizes first, which adds up to
    /// most; and whether the list's end is in it.
    pub(super) fn heaviest(self, of: usize) -> (Parts, bool) {
        // Wide, since a layer may have more outputs than any memory.
        let at = |i: usize| (self.count() as u128 * i as u128 / of as u128) as usize;
        (0..of)
            .map(|i| {
                let larges = at(i + 1).min(self.larges) - at(i).min(self.larges);
                let smalls = at(i + 1) - at(i) - larges;
                (Parts { small: self.small, smalls, larges }, i + 1 == of)
            })
            .max_by_key(|(p, _)| p.larges * (p.small + 1) + p.smalls * p.small)
            .unwrap_or((self, true))
    }

    /// Size and how often.
    pub(super) fn each(self) -> impl Iterator<Item = (usize, f64)> {
        self.each_but(false).map(|(size, count, _)| (size, count))
    }

    /// Size, how often, and whether it is the last one, where that is told from the others.
    pub(super) fn each_but(self, last: bool) -> impl Iterator<Item = (usize, f64, bool)> {
        let Parts { small, smalls, larges } = self;
        let last = usize::from(last && smalls > 0);
        [(small, smalls - last, false), (small, last, true), (small + 1, larges, false)]
            .into_iter()
            .filter(|(size, count, _)| *size > 0 && *count > 0)
            .map(|(size, count, last)| (size, count as f64, last))
    }
}
