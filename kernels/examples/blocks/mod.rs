//! What the example blocks need besides 1×1 convolutions: numbers, a 3×3 and a pool as plain
//! loops, and a comparison.

pub(crate) mod sizes;

/// Reproducible values in −1..1, times `scale`.
pub(crate) fn values(len: usize, seed: u64, scale: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            scale * ((state >> 40) as f32 / (1u64 << 23) as f32 - 1.0)
        })
        .collect()
}

/// A plain loop, not tuned: a `size` × `size` convolution, padded to keep the image's size, then
/// ReLU. NHWC; weights `[k][size][size][c]`. Outputs go to the channels from `first` on of a
/// tensor with `total` channels.
pub(crate) fn plain_convolution(
    input: &[f32],
    [h, w, c]: [usize; 3],
    weights: &[f32],
    size: usize,
    output: &mut [f32],
    [total, first]: [usize; 2],
) {
    let half = size / 2;
    let k = weights.len() / (size * size * c);
    for (y, x) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
        for k in 0..k {
            let mut sum = 0.0f32;
            for (dy, dx) in (0..size).flat_map(|dy| (0..size).map(move |dx| (dy, dx))) {
                let (iy, ix) = (y + dy, x + dx);
                if iy < half || ix < half || iy >= h + half || ix >= w + half {
                    continue;
                }
                let pixel = &input[((iy - half) * w + ix - half) * c..][..c];
                let filter = &weights[((k * size + dy) * size + dx) * c..][..c];
                sum += pixel.iter().zip(filter).map(|(x, w)| x * w).sum::<f32>();
            }
            output[(y * w + x) * total + first + k] = sum.max(0.0);
        }
    }
}

/// A plain loop, not tuned: the greatest of each 3×3 neighbourhood. NHWC.
#[allow(dead_code)] // one of the examples has no pool
pub(crate) fn plain_max_pool(input: &[f32], [h, w, c]: [usize; 3]) -> Vec<f32> {
    let mut output = vec![f32::NEG_INFINITY; h * w * c];
    for (y, x) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
        for iy in y.saturating_sub(1)..(y + 2).min(h) {
            for ix in x.saturating_sub(1)..(x + 2).min(w) {
                for i in 0..c {
                    let to = &mut output[(y * w + x) * c + i];
                    *to = to.max(input[(iy * w + ix) * c + i]);
                }
            }
        }
    }
    output
}

/// Greatest difference, over the greatest value.
pub(crate) fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let apart = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    apart / b.iter().copied().map(f32::abs).fold(0.0, f32::max)
}
