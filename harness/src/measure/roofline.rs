//! The roofline of a layer on the measured machine, after Williams, Waterman and Patterson (2009),
//! with the bandwidth of the level of memory that must deliver the data.

use super::settings::Cache;
use crate::machine::Ceilings;
use pointwise::{Isa, Layer, Layout, Shape};

/// The least bytes that one run of a layer moves, each tensor once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// The input pixels that outputs are computed from.
    pub input: u64,
    /// Weights and bias.
    pub weights: u64,
    /// Written once.
    pub output: u64,
    /// Read once, if there is one.
    pub residual: u64,
}

/// Bytes of a cache line.
const LINE: u64 = 64;

impl Traffic {
    /// The traffic of `layer`, with `element` bytes for each element.
    pub fn of(layer: &Layer, shape: &Shape, element: u64) -> Traffic {
        let (n, c, k) = (layer.n as u64, layer.c as u64, layer.k as u64);
        let rows = shape.rows.len() as u64;
        let columns = shape.columns.len() as u64;
        let input = match layer.layout {
            // Skipped pixels are whole runs of C elements, which need not be read.
            Layout::Nhwc => n * rows * columns * c * element,
            // Skipped pixels share cache lines with used ones, and are loaded with them.
            Layout::Nchw => n * c * rows * (columns * LINE).min(layer.w as u64 * element),
        };
        let output = shape.output_len as u64 * element;
        Traffic {
            input,
            weights: shape.weights_len as u64 * element + if layer.bias { k * element } else { 0 },
            output,
            residual: if layer.residual { output } else { 0 },
        }
    }

    /// The sum.
    pub fn total(&self) -> u64 {
        self.input + self.weights + self.output + self.residual
    }
}

/// The floating-point operations of one run: two for each multiply-add, as records count them.
pub fn operations(shape: &Shape) -> f64 {
    2.0 * shape.macs as f64
}

/// The least time that the measured bandwidth allows for moving `bytes` once, ns.
///
/// With cold caches all bytes come from memory. With hot caches each level serves from run to run
/// the bytes that it holds. The bytes that the nearer levels cannot hold must come at the bandwidth
/// of the next level. The slowest level gives the bound. A level that was not measured gives none.
pub fn transfer_ns(bytes: u64, cache: Cache, ceilings: &Ceilings, threads: usize) -> f64 {
    let levels = || ceilings.bandwidth.iter().filter(move |level| level.threads == threads);
    if cache.is_flushed() {
        // 1 GB/s is 1 byte per ns.
        return levels().next_back().map_or(0.0, |memory| bytes as f64 / memory.read_gbps);
    }
    let (mut held, mut bound) = (0u64, 0.0f64);
    for level in levels() {
        bound = bound.max(bytes.saturating_sub(held) as f64 / level.read_gbps);
        // This sum is exact for exclusive caches. For inclusive caches it is too large, and the
        // bound is then too low, but still a bound.
        held = held.saturating_add(level.capacity.unwrap_or(0));
    }
    bound
}

/// The roofline, GFLOP/s: the lower of the FMA ceiling for ISAs up to `cap` and the rate that the
/// bandwidth allows. `None` when no ceiling was measured for `threads` threads.
pub fn roofline_gflops(
    layer: &Layer,
    shape: &Shape,
    element: u64,
    cache: Cache,
    ceilings: &Ceilings,
    threads: usize,
    cap: Option<Isa>,
) -> Option<f64> {
    let ceiling = ceilings.gflops(threads, cap)?;
    let operations = operations(shape);
    let bytes = Traffic::of(layer, shape, element).total();
    let least_ns = (operations / ceiling).max(transfer_ns(bytes, cache, ceilings, threads));
    Some(operations / least_ns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Bandwidth, FmaCeiling};
    use pointwise::Padding;

    fn traffic(layer: &Layer) -> Traffic {
        Traffic::of(layer, &layer.check().unwrap(), 4)
    }

    #[test]
    fn traffic_counts_every_tensor_once() {
        let layer = Layer::new(3, 2, 5, 7).batch(2).bias(true).residual(true);
        let t = traffic(&layer);
        assert_eq!(t.input, 4 * 2 * 3 * 35);
        assert_eq!(t.weights, 4 * (3 * 2 + 2));
        assert_eq!(t.output, 4 * 2 * 2 * 35);
        assert_eq!(t.residual, t.output);
        assert_eq!(t.total(), t.input + t.weights + 2 * t.output);
        assert_eq!(traffic(&layer.residual(false)).residual, 0);
    }

    #[test]
    fn strides_leave_out_pixels_that_share_no_line_with_used_ones() {
        let layer = Layer::new(64, 8, 56, 56).stride(2, 2);
        assert_eq!(traffic(&layer).input, 4 * 64 * 28 * 28);
        // In NCHW half of the rows are skipped. Of a used row every line is needed.
        assert_eq!(traffic(&layer.layout(Layout::Nchw)).input, 4 * 64 * 28 * 56);
        let far = Layer::new(1, 1, 1, 1024).stride(1, 512).layout(Layout::Nchw);
        assert_eq!(traffic(&far).input, 2 * 64);
    }

    #[test]
    fn padding_is_not_read() {
        let padding = Padding::Explicit { top: 1, bottom: 1, left: 1, right: 1 };
        let layer = Layer::new(4, 4, 6, 6).padding(padding);
        assert_eq!(traffic(&layer).input, 4 * 4 * 36);
        assert_eq!(traffic(&layer).output, 4 * 4 * 64);
    }

    fn ceilings() -> Ceilings {
        let level = |name: &str, capacity, read_gbps| Bandwidth {
            level: name.to_owned(),
            threads: 1,
            capacity,
            bytes: 0,
            read_gbps,
            copy_gbps: read_gbps,
        };
        Ceilings {
            fma: vec![
                FmaCeiling { isa: Isa::Scalar, threads: 1, gflops: 10.0 },
                FmaCeiling { isa: Isa::Avx2, threads: 1, gflops: 100.0 },
                FmaCeiling { isa: Isa::Avx512, threads: 1, gflops: 200.0 },
            ],
            bandwidth: vec![
                level("L1", Some(1_000), 400.0),
                level("L2", Some(9_000), 100.0),
                level("memory", None, 10.0),
            ],
        }
    }

    #[test]
    fn the_slowest_level_that_must_take_part_bounds_the_transfer() {
        let ns = |bytes, cache| transfer_ns(bytes, cache, &ceilings(), 1);
        assert_eq!(ns(800, Cache::Hot), 2.0);
        // L1 serves 1000 of 5000 bytes. The other 4000 come from L2 at 100 bytes per ns.
        assert_eq!(ns(5_000, Cache::Hot), 40.0);
        // The caches hold 10,000 of 20,000 bytes. The others come from memory at 10 bytes per ns.
        assert_eq!(ns(20_000, Cache::Hot), 1_000.0);
        assert_eq!(ns(800, Cache::Cold), 80.0);
        assert_eq!(transfer_ns(800, Cache::Cold, &ceilings(), 2), 0.0);
    }

    #[test]
    fn the_roofline_is_the_lower_of_both() {
        let layer = Layer::new(64, 64, 8, 8);
        let shape = layer.check().unwrap();
        let roof = |cache, cap| roofline_gflops(&layer, &shape, 4, cache, &ceilings(), 1, cap);
        // 524,288 operations on 49,152 bytes, of which 39,152 come from memory at 10 GB/s.
        let hot = roof(Cache::Hot, None).unwrap();
        assert!((hot - 524_288.0 / 3_915.2).abs() < 1e-6, "{hot}");
        assert_eq!(roof(Cache::Hot, Some(Isa::Avx2)), Some(100.0));
        let cold = roof(Cache::Cold, None).unwrap();
        assert!((cold - 524_288.0 / 4_915.2).abs() < 1e-6, "{cold}");
        assert_eq!(roofline_gflops(&layer, &shape, 4, Cache::Hot, &ceilings(), 2, None), None);
    }
}
