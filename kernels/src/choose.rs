//! Choosing a kernel, a blocking and a split without measuring: an estimate of cycles.
//!
//! A tile's steps cost what the busiest resource costs: multiply-add pipes, load ports, the
//! latency of the chain, or the bytes its operands bring from L2. To that come a start and an
//! end per tile, packing, and stores across the lanes. Padded lanes are counted as work, which
//! is what makes the odd output counts choose narrower or transposed tiles.

use crate::branch::Branch;
use crate::cpu::Cpu;
use crate::drive::{Blocking, Task};
use crate::panels::Packing;
use crate::pixels::{Even, Pixels, even_parts};
use crate::{Family, Kernel, Layer};

/// Something a plan could do, and what it is estimated to cost.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) kernel: &'static Kernel,
    pub(crate) blocking: Blocking,
    pub(crate) split: Split,
    /// Cycles of the slowest thread.
    pub(crate) cycles: f64,
}

/// How many parts pixels and panels are cut into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Split {
    pub(crate) pixels: usize,
    pub(crate) panels: usize,
}

/// What there is to choose among for one layer, kernel by kernel.
pub(crate) fn candidates<'a>(
    layer: &'a Layer,
    branches: &'a [Branch],
    pixels: &'a Pixels,
    cpu: &'a Cpu,
    kernels: impl Iterator<Item = &'static Kernel> + 'a,
    blocking: Option<Blocking>,
    threads: usize,
) -> impl Iterator<Item = Candidate> + 'a {
    kernels.flat_map(move |kernel| {
        let packing = Packing::new(branches.iter().map(|branch| &branch.layer), kernel);
        let panels = packing.panels();
        let blockings: Vec<Blocking> = match blocking {
            // What cannot be read in place is packed whatever was asked for.
            Some(Blocking { units, pack }) => {
                vec![Blocking { units, pack: pack || !in_place(pixels, kernel) }]
            }
            None => [false, true]
                .into_iter()
                .filter(|pack| *pack || in_place(pixels, kernel))
                .map(|pack| Blocking::new(units(layer, kernel, pixels, pack, cpu), pack))
                .collect(),
        };
        let mut splits = splits(threads, pixels.len(), panels.len());
        if branches.iter().any(|branch| branch.layer.average) {
            // Each average is one sum, in the order of the pixels.
            splits = vec![Split { pixels: 1, panels: threads.min(panels.len()) }];
        }
        blockings.into_iter().flat_map(move |blocking| {
            let packing = packing.clone();
            let panels = panels.clone();
            let splits = splits.clone();
            splits.into_iter().map(move |split| {
                let count = panels.len();
                let cycles = cycles(layer, pixels, cpu, kernel, &packing, count, blocking, split);
                Candidate { kernel, blocking, split, cycles }
            })
        })
    })
}

/// Whether the kernel can read this input where it lies, in pieces worth a tile.
fn in_place(pixels: &Pixels, kernel: &Kernel) -> bool {
    match kernel.family() {
        Family::Outputs => pixels.input.channel == 1 || pixels.input.pixel == 1,
        Family::Pixels => pixels.input.pixel == 1 && pixels.run(Even::Both) >= kernel.isa().lanes(),
    }
}

/// Pixel units to a block: as many as leave half of L2 to the rest, at least one.
fn units(layer: &Layer, kernel: &Kernel, pixels: &Pixels, pack: bool, cpu: &Cpu) -> usize {
    let depth = layer.c / layer.groups;
    let width = match kernel.family() {
        Family::Outputs => kernel.rows(),
        Family::Pixels => kernel.columns(),
    };
    let weights = depth * (layer.k / layer.groups) * size_of::<f32>();
    // Weights that stay in L2 may be read again for every unit: the fewer pixels are packed at
    // a time the nearer they stay. Weights that do not are read once a block, which should be
    // large.
    let room = if weights <= cpu.l2 / 2 && pack { cpu.l1 } else { cpu.l2 / 2 };
    let unit = width * depth * size_of::<f32>();
    (room / unit).clamp(1, Blocking::MOST_UNITS).min(pixels.len().div_ceil(width))
}

/// The ways to cut the work into `threads` parts.
fn splits(threads: usize, pixels: usize, panels: usize) -> Vec<Split> {
    (1..=threads)
        .filter(|p| threads.is_multiple_of(*p))
        .map(|p| Split { pixels: p.min(pixels), panels: (threads / p).min(panels) })
        .collect()
}

/// Estimated cycles of the largest part.
#[allow(clippy::too_many_arguments)]
fn cycles(
    layer: &Layer,
    pixels: &Pixels,
    cpu: &Cpu,
    kernel: &Kernel,
    packing: &Packing,
    panel_count: usize,
    blocking: Blocking,
    split: Split,
) -> f64 {
    let isa = kernel.isa();
    let lanes = isa.lanes();
    let depth = packing.depth() as f64;
    let part = pixels.len().div_ceil(split.pixels);
    let panels = panel_count.div_ceil(split.panels);
    let even = if blocking.pack { Even::Output } else { Even::Both };
    let run = pixels.run(even).min(part);
    let runs = (part as f64 / run as f64).ceil();
    let outputs = layer.k / layer.groups;

    // Tiles by height and width, as the driver will cut them.
    let (mut tiles, mut unit_count) = (0.0, 0.0);
    let mut tile = |count: f64, rows: usize, vectors: usize, whole: bool| {
        let (m, v) = (rows as f64, vectors as f64);
        let fmas = m * v;
        let loads = m + v;
        let bytes = match kernel.family() {
            Family::Outputs => v * lanes as f64,
            Family::Pixels => m,
        } * 4.0;
        let step = (fmas / cpu.fma(isa))
            .max(loads / cpu.loads(isa))
            .max(cpu.fma_latency)
            .max(bytes / cpu.l2_bytes);
        let ends = 20.0 + 1.5 * fmas + if whole { 0.0 } else { 30.0 + 3.0 * fmas };
        tiles += count * (depth * step + ends);
    };
    match kernel.family() {
        Family::Outputs => {
            let total = outputs.div_ceil(lanes);
            let share = panels as f64 / panel_count as f64;
            let transposed = pixels.output.channel != 1;
            let ragged = !outputs.is_multiple_of(lanes);
            let widths: Vec<usize> = even_parts(total, kernel.vectors()).collect();
            let heights: Vec<usize> = even_parts(run, kernel.rows()).collect();
            unit_count += runs * heights.len() as f64;
            for (index, vectors) in widths.iter().enumerate() {
                let last = index + 1 == widths.len();
                let whole = !(transposed || ragged && last);
                for (height, count) in grouped(&heights) {
                    tile(share * runs * count, height, *vectors, whole);
                }
            }
            if transposed {
                tiles += (part * outputs) as f64 * share * 1.2;
            }
        }
        Family::Pixels => {
            let widths: Vec<usize> = even_parts(run.div_ceil(lanes), kernel.vectors()).collect();
            let heights: Vec<usize> = even_parts(outputs, kernel.rows()).collect();
            let share = panels as f64 / panel_count as f64;
            let transposed = pixels.output.pixel != 1;
            unit_count += runs * widths.len() as f64;
            for (vectors, count) in grouped(&widths) {
                for (height, rows) in grouped(&heights) {
                    tile(share * runs * count * rows, height, vectors, !transposed);
                }
            }
            if transposed {
                tiles += (part * outputs) as f64 * share * 1.2;
            }
        }
    }

    let input = part as f64 * depth;
    let packing_cost = match (blocking.pack, kernel.family()) {
        (false, Family::Outputs) => 0.0,
        // In place, each step of the reduction is another page.
        (false, Family::Pixels) => depth * unit_count * panels as f64 * 0.3,
        (true, _) if pixels.input.channel == 1 => match kernel.family() {
            Family::Outputs => input / lanes as f64 * 2.0,
            Family::Pixels => input * 0.8,
        },
        (true, _) if pixels.input.pixel == 1 => input / 16.0 * 3.0 + depth * unit_count * 8.0,
        (true, _) => input * 1.0,
    };

    // Weights are read once a block, from wherever they fit.
    let blocks = (unit_count / blocking.units as f64).ceil();
    let weights = depth * outputs as f64 * 4.0 * panels as f64 / panel_count as f64;
    let far = if weights > cpu.l2 as f64 * 0.7 { blocks * weights / cpu.far_bytes } else { 0.0 };
    (tiles.max(far) + packing_cost) * layer.groups as f64
}

/// Equal neighbours with their count.
fn grouped(sizes: &[usize]) -> Vec<(usize, f64)> {
    sizes.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as f64)).collect()
}

/// Cuts pixels and panels into the tasks of a split, on tile boundaries where lanes ask for it.
pub(crate) fn tasks(split: Split, pixels: usize, panels: usize, step: usize) -> Vec<Task> {
    let mut tasks = Vec::with_capacity(split.pixels * split.panels);
    let steps = pixels.div_ceil(step);
    let cut = |i: usize| (steps * i / split.pixels * step).min(pixels);
    for i in 0..split.pixels {
        for j in 0..split.panels {
            let pixels = cut(i)..cut(i + 1);
            let panels = panels * j / split.panels..panels * (j + 1) / split.panels;
            if !pixels.is_empty() && !panels.is_empty() {
                tasks.push(Task { pixels, panels });
            }
        }
    }
    tasks
}
