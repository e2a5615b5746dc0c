//! Choosing a kernel, a blocking and a split without measuring.

mod decide;
#[cfg(test)]
mod fit;
mod measure;
mod model;
mod parts;
mod problem;
mod split;
mod terms;
mod tiles;

pub(crate) use decide::decide;
pub use decide::{Basis, Candidates};
pub(crate) use problem::Problem;
pub use split::Split;
pub(crate) use split::tasks;

use crate::Family;
use crate::Kernel;
use crate::branch::Branch;
use crate::cpu::Cpu;
use crate::drive::Blocking;
use crate::panels::Packing;
use model::Model;
use terms::Terms;
pub(crate) use tiles::TileCosts;

/// Something a plan could do, and what it is estimated to cost.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Candidate {
    /// The kernel.
    pub kernel: &'static Kernel,
    /// The blocking.
    pub blocking: Blocking,
    /// The parts for threads.
    pub split: Split,
    /// Estimated cycles of the slowest thread; nanoseconds where a profile has measured it.
    pub cycles: f64,
}

/// Units of a block that are tried.
const UNITS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];

/// Calls `each` with what there is to choose among for one layer, kernel by kernel.
pub(crate) fn for_each_candidate(
    branches: &[Branch],
    problem: &Problem,
    cpu: &Cpu,
    kernels: &[&'static Kernel],
    blocking: Option<Blocking>,
    threads: usize,
    mut each: impl FnMut(Candidate),
) {
    let pixels = problem.pixels.len();
    let average = branches.iter().any(|branch| branch.layer.average);
    for kernel in kernels {
        let in_place = problem.in_place(kernel);
        let panels = Packing::new(branches.iter().map(|branch| &branch.layer), kernel).count();
        let width = match kernel.family() {
            Family::Outputs => kernel.rows(),
            Family::Pixels => kernel.columns(),
        };
        let mut consider = |blocking: Blocking| {
            let model = Model { problem, cpu, terms: &Terms::FITTED, kernel, blocking };
            for split in split::splits(threads, pixels, panels) {
                // Each average is one sum, in the order of the pixels.
                let split =
                    if average { Split { pixels: 1, panels: threads.min(panels) } } else { split };
                each(Candidate { kernel, blocking, split, cycles: model.cycles(split) });
            }
        };
        if let Some(Blocking { units, pack }) = blocking {
            // What cannot be read in place is packed whatever was asked for.
            consider(Blocking::new(units, pack || !in_place));
            continue;
        }
        for pack in [false, true] {
            if !pack && !in_place {
                continue;
            }
            let mut before = 0;
            for units in UNITS {
                // More units than there are make no other block.
                if before * width < pixels {
                    consider(Blocking::new(units, pack));
                }
                before = units;
            }
        }
    }
}

/// Every candidate of a layer on this CPU, as the model sees them.
pub(crate) fn estimates(layer: &crate::Layer, threads: usize) -> Vec<Candidate> {
    let Ok((problem, branch)) = decide::dense(layer) else { return Vec::new() };
    let kernels: Vec<&Kernel> = crate::kernels().iter().filter(|k| k.is_available()).collect();
    let mut all = Vec::new();
    for_each_candidate(&[branch], &problem, Cpu::host(), &kernels, None, threads, |c| all.push(c));
    all
}
