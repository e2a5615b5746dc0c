//! What there is to choose among for one layer.

use crate::choose::price::Priced;
use crate::choose::problem::Problem;
use crate::choose::shares::Shares;
use crate::choose::work::Work;
use crate::cpu::Cpu;
use crate::cut::blocking::Blocking;
use crate::cut::outlet::Outlet;
use crate::cut::panels::Panels;
use crate::cut::pixels::Pixels;
use crate::cut::split::{Split, splits};
use crate::cut::{Cut, can_read_in_place};
use crate::describe::layer::Layer;
use crate::micro::registry::{Family, Kernel};
use core::fmt;

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

/// What there is to choose among for a layer, the best first.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Candidates {
    /// Every candidate, by estimated cycles.
    pub ranked: Vec<Candidate>,
    /// What was left out, and why.
    pub left_out: Vec<(&'static Kernel, String)>,
    /// What the order rests on.
    pub basis: Basis,
}

/// What a choice rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Basis {
    /// The candidates were measured on this CPU, for this layer.
    Measured,
    /// The model, corrected by the nearest layers of a profile of this CPU.
    Informed,
    /// The model alone, of this machine.
    Modelled,
    /// The model of a CPU other than this machine's.
    Predicted,
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Basis::Measured => "measured",
            Basis::Informed => "modelled, informed by measured neighbours",
            Basis::Modelled => "modelled",
            Basis::Predicted => "predicted",
        })
    }
}

/// A layer, or siblings that read one input, with what a caller has decided about them.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    /// The layer; of siblings, one with the outputs of all of them.
    pub(crate) layer: &'a Layer,
    pub(crate) pixels: &'a Pixels,
    pub(crate) outlets: &'a [Outlet],
    pub(crate) cpu: &'a Cpu,
    /// Kernels to choose among.
    pub(crate) kernels: &'a [&'static Kernel],
    /// The only blocking, if the caller named one.
    pub(crate) blocking: Option<Blocking>,
    /// The only split, if the caller named one.
    pub(crate) split: Option<Split>,
    pub(crate) threads: usize,
}

/// Units of a block that are tried.
pub(super) const UNITS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];

impl Question<'_> {
    /// Every candidate, kernel by kernel.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let Question { layer, pixels, outlets, cpu, .. } = *self;
        let problem = &Problem::new(layer, pixels);
        let average = outlets.iter().any(|outlet| outlet.layer.average);
        let mut all = Vec::new();
        for kernel in self.kernels {
            let panels = &Panels::new(outlets.iter().map(|outlet| &outlet.layer), kernel);
            let in_place = can_read_in_place(pixels, kernel);
            for pack in [false, true] {
                // What cannot be read in place is packed whatever was asked for.
                let asked = |blocking: Blocking| pack == (blocking.pack || !in_place);
                if !self.blocking.map_or(pack || in_place, asked) {
                    continue;
                }
                let blocking = Blocking::new(1, pack);
                let cut = Cut { kernel, blocking, pixels, outlets, panels };
                for split in splits(self.threads, pixels.len(), panels.count()) {
                    // Each average is one sum, in the order of the pixels.
                    let split = if average {
                        Split { pixels: 1, panels: self.threads.min(panels.count()) }
                    } else {
                        split
                    };
                    if self.split.is_some_and(|wanted| split != wanted) {
                        continue;
                    }
                    let work = Work::new(problem, &cut, split);
                    let priced = Priced::new(&work, cpu, &Shares::ALL);
                    for units in self.units(kernel) {
                        let blocking = Blocking::new(units, pack);
                        all.push(Candidate {
                            kernel,
                            blocking,
                            split,
                            cycles: priced.cycles(units),
                        });
                    }
                }
            }
        }
        all
    }

    /// The units of a block to try of a kernel.
    fn units(&self, kernel: &Kernel) -> impl Iterator<Item = usize> {
        let width = match kernel.family() {
            Family::Outputs => kernel.rows(),
            Family::Pixels => kernel.columns(),
        };
        let pixels = self.pixels.len();
        let asked = self.blocking.map(|blocking| blocking.units);
        // More units than there are make no other block.
        let tried =
            UNITS.into_iter().filter(move |units| *units == 1 || units / 2 * width < pixels);
        asked.into_iter().chain(tried.filter(move |_| asked.is_none()))
    }
}
