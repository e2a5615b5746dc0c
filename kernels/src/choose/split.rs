//! Cutting a layer among threads.

use crate::drive::Task;
use crate::{Family, Kernel};

/// How many parts pixels and panels are cut into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Split {
    /// Parts of the pixels.
    pub pixels: usize,
    /// Parts of the outputs, cut between panels.
    pub panels: usize,
}

impl Split {
    /// Everything in one part.
    pub const WHOLE: Split = Split { pixels: 1, panels: 1 };

    /// Pixels that a cut is rounded to: what starts a vector or a full tile.
    pub(crate) fn step(self, kernel: &Kernel, pixels: usize) -> usize {
        let unit = match kernel.family() {
            Family::Outputs => kernel.rows(),
            Family::Pixels => kernel.columns(),
        };
        // Whole tiles where they are many; where they are few, evenness is worth more.
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

/// The ways to cut the work into `threads` parts, or into fewer where there is less.
pub(crate) fn splits(threads: usize, pixels: usize, panels: usize) -> impl Iterator<Item = Split> {
    let mut last = Some(Split::WHOLE);
    let parts = (1..=threads).filter(move |p| threads.is_multiple_of(*p)).filter_map(move |p| {
        let split = Split { pixels: p.min(pixels), panels: (threads / p).min(panels) };
        (last.replace(split) != Some(split)).then_some(split)
    });
    // Less work than waking another thread takes is done by one.
    core::iter::once(Split::WHOLE).chain(parts)
}

/// Cuts pixels and panels into the tasks of a split, pixels at multiples of `step`.
pub(crate) fn tasks(split: Split, pixels: usize, panels: usize, step: usize) -> Vec<Task> {
    let mut tasks = Vec::with_capacity(split.pixels * split.panels);
    let steps = pixels.div_ceil(step);
    // Wide, since the product may not fit though the layer is valid.
    let part = |all: usize, i: usize, of: usize| (all as u128 * i as u128 / of as u128) as usize;
    let cut = |i: usize| part(steps, i, split.pixels).saturating_mul(step).min(pixels);
    for i in 0..split.pixels {
        for j in 0..split.panels {
            let pixels = cut(i)..cut(i + 1);
            let panels = part(panels, j, split.panels)..part(panels, j + 1, split.panels);
            if !pixels.is_empty() && !panels.is_empty() {
                tasks.push(Task { pixels, panels });
            }
        }
    }
    tasks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_cover_each_pixel_of_each_panel_once() {
        for (split, pixels, panels, step) in [
            (Split { pixels: 3, panels: 2 }, 49, 5, 16),
            (Split { pixels: 1, panels: 4 }, 7, 3, 1),
            (Split { pixels: 8, panels: 1 }, 100, 1, 14),
        ] {
            let mut seen = vec![0; pixels * panels];
            for task in tasks(split, pixels, panels, step) {
                assert!(task.pixels.start.is_multiple_of(step));
                for p in task.pixels.clone() {
                    for k in task.panels.clone() {
                        seen[p * panels + k] += 1;
                    }
                }
            }
            assert!(seen.iter().all(|n| *n == 1), "{split:?}");
        }
    }

    #[test]
    fn splits_are_distinct_and_no_finer_than_the_work() {
        let all: Vec<Split> = splits(4, 100, 2).collect();
        let split = |pixels, panels| Split { pixels, panels };
        assert_eq!(all, [Split::WHOLE, split(1, 2), split(2, 2), split(4, 1)]);
        assert_eq!(splits(4, 1, 1).collect::<Vec<_>>(), [Split::WHOLE]);
    }
}
