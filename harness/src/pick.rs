//! The reasons for a candidate: lanes filled, tiles, bytes, and what binds its inner loop.

use pointwise::{Candidate, Cpu, Error, Family, Isa, Kernel, Layer};
use serde::Serialize;

/// A candidate in the terms in which kernels are compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reasons {
    /// The share of computed lanes that hold an output of the layer.
    pub lanes_filled: f64,
    /// The number of tiles.
    pub tiles: usize,
    /// Bytes of weights, input and output.
    pub bytes: usize,
    /// Bytes of the weight panel, which stays in the cache while a block of pixels streams by.
    pub panel_bytes: usize,
    /// What a step of the full tile waits for: the multiply-add pipes, the load ports, or the latency
    /// of the multiply-add.
    pub binds: &'static str,
}

/// The reasons of one candidate on a CPU.
///
/// # Errors
/// Those of [`Layer::check`].
pub fn reasons(layer: &Layer, candidate: &Candidate, cpu: &Cpu) -> Result<Reasons, Error> {
    let shape = layer.check()?;
    let kernel = candidate.kernel;
    let (depth, outputs) = (layer.c / layer.groups, layer.k / layer.groups);
    let pixels = layer.n * shape.rows.len() * shape.columns.len();
    let panel = match kernel.family() {
        Family::Outputs => kernel.columns().min(outputs),
        Family::Pixels => kernel.rows().min(outputs),
    };
    let (lanes_filled, tiles) = filled(kernel, outputs, pixels);
    let (fma, loads) = match kernel.isa() {
        Isa::Avx512 => (cpu.fma_avx512, cpu.loads_avx512),
        _ => (cpu.fma_narrow, cpu.loads_narrow),
    };
    let (m, v) = (kernel.rows() as f64, kernel.vectors() as f64);
    let bounds = [
        (m * v / fma, "multiply-add pipes"),
        ((m + v) / loads, "load ports"),
        (cpu.fma_latency, "latency of the multiply-add"),
    ];
    let binds = bounds.into_iter().fold((0.0, ""), |a, b| if b.0 > a.0 { b } else { a }).1;
    Ok(Reasons {
        lanes_filled,
        tiles: tiles * layer.groups,
        bytes: (shape.weights_len + shape.input_len + shape.output_len) * size_of::<f32>(),
        panel_bytes: panel * depth * size_of::<f32>(),
        binds,
    })
}

/// The share of computed lanes that hold an output, and the number of tiles, of one group of a layer
/// with so many outputs and pixels.
pub fn filled(kernel: &Kernel, outputs: usize, pixels: usize) -> (f64, usize) {
    let (wanted, broadcast) = match kernel.family() {
        Family::Outputs => (outputs, pixels),
        Family::Pixels => (pixels, outputs),
    };
    let lanes = kernel.isa().lanes();
    let vectors = wanted.div_ceil(lanes).max(1);
    let tiles = vectors.div_ceil(kernel.vectors()) * broadcast.div_ceil(kernel.rows());
    (wanted as f64 / kernel.lanes_for(wanted).max(1) as f64, tiles)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointwise::{Plan, PlanOptions};

    #[test]
    fn reasons_count_lanes_and_tiles() {
        let cpu = Cpu::named("haswell").unwrap();
        let layer = Layer::new(32, 14, 6, 1);
        let options = PlanOptions::new().kernel("f32-avx2-ol-6x16");
        let candidate = Plan::candidates_on(&layer, &options, &cpu).unwrap().ranked[0];
        let reasons = reasons(&layer, &candidate, &cpu).unwrap();
        assert_eq!((reasons.lanes_filled, reasons.tiles), (0.875, 1));
        assert_eq!(reasons.bytes, 4 * (32 * 14 + 32 * 6 + 14 * 6));
        assert_eq!(reasons.binds, "multiply-add pipes");
    }
}
