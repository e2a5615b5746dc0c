//! Splits: how a layer is cut into tasks for threads.

use crate::cut::Cut;
use crate::micro::registry::{Family, Kernel};
use core::ops::Range;

/// The numbers of parts that pixels and panels are cut into. Each pair of parts is a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Split {
    /// The number of parts of the pixels.
    pub pixels: usize,
    /// The number of parts of the outputs, which are cut between panels.
    pub panels: usize,
}

impl Split {
    /// Everything in one part.
    pub const WHOLE: Split = Split { pixels: 1, panels: 1 };

    /// The number of pixels that every part but the last has a multiple of: those of a vector or of a
    /// full tile.
    pub(crate) fn step(self, kernel: &Kernel, pixels: usize) -> usize {
        let unit = match kernel.family() {
            Family::Outputs => kernel.rows(),
            Family::Pixels => kernel.columns(),
        };
        // Many tiles are cut between full tiles. With few tiles, parts of equal size matter more.
        if pixels >= 8 * self.pixels * unit {
            unit
        } else {
            match kernel.family() {
                Family::Outputs => 1,
                Family::Pixels => kernel.isa().lanes(),
            }
        }
    }
}

/// One thread's work: some pixels × some panels, of every group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) pixels: Range<usize>,
    pub(crate) panels: Range<usize>,
}

/// The ways to split the work among `threads` threads. If there is less to split, there are fewer
/// parts.
pub(crate) fn splits(threads: usize, pixels: usize, panels: usize) -> impl Iterator<Item = Split> {
    let mut last = Some(Split::WHOLE);
    let parts = (1..=threads).filter(move |p| threads.is_multiple_of(*p)).filter_map(move |p| {
        let split = Split { pixels: p.min(pixels), panels: (threads / p).min(panels) };
        (last.replace(split) != Some(split)).then_some(split)
    });
    // One part may be the fastest, because waking another thread takes time.
    core::iter::once(Split::WHOLE).chain(parts)
}

impl Cut<'_> {
    /// The pixels of part `i` of a split. Parts begin where a tile or a vector begins.
    fn pixels_of(&self, split: Split, i: usize) -> Range<usize> {
        let pixels = self.pixels.len();
        let step = split.step(self.kernel, pixels);
        let steps = pixels.div_ceil(step);
        let cut = |i| part(steps, i, split.pixels).saturating_mul(step).min(pixels);
        cut(i)..cut(i + 1)
    }

    /// The panels of part `j` of a split.
    fn panels_of(&self, split: Split, j: usize) -> Range<usize> {
        let panels = self.panels.count();
        part(panels, j, split.panels)..part(panels, j + 1, split.panels)
    }

    /// The tasks of a split. Each pixel of each panel is in exactly one task.
    pub(crate) fn tasks(&self, split: Split) -> Vec<Task> {
        let mut tasks = Vec::with_capacity(split.pixels * split.panels);
        for i in 0..split.pixels {
            for j in 0..split.panels {
                let task =
                    Task { pixels: self.pixels_of(split, i), panels: self.panels_of(split, j) };
                if !task.pixels.is_empty() && !task.panels.is_empty() {
                    tasks.push(task);
                }
            }
        }
        tasks
    }

    /// The largest task of a split: the most pixels and the most outputs that any task has.
    pub(crate) fn heaviest(&self, split: Split) -> Task {
        let outputs = |panels: Range<usize>| {
            let mut outputs = 0;
            self.panels.for_each_shape(panels, |shape, count| outputs += shape.width * count);
            outputs
        };
        let pixels = (0..split.pixels).map(|i| self.pixels_of(split, i)).max_by_key(Range::len);
        let panels = (0..split.panels)
            .map(|j| self.panels_of(split, j))
            .max_by_key(|panels| outputs(panels.clone()));
        Task { pixels: pixels.unwrap_or_default(), panels: panels.unwrap_or_default() }
    }
}

/// The place where part `i` begins when `all` is cut into `of` parts. The product is computed in 128
/// bits, since it may overflow `usize` for a valid layer.
fn part(all: usize, i: usize, of: usize) -> usize {
    (all as u128 * i as u128 / of as u128) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_are_distinct_and_no_finer_than_the_work() {
        let all: Vec<Split> = splits(4, 100, 2).collect();
        let split = |pixels, panels| Split { pixels, panels };
        assert_eq!(all, [Split::WHOLE, split(1, 2), split(2, 2), split(4, 1)]);
        assert_eq!(splits(4, 1, 1).collect::<Vec<_>>(), [Split::WHOLE]);
    }
}
