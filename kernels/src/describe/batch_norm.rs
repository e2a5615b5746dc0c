//! Batch normalisation, folded into the convolution before it.

use crate::describe::buffer::{expect_len, try_zeroed};
use crate::describe::error::Error;

/// The batch normalisation after a convolution: `scale·(v − mean) / √(variance + epsilon) + shift`.
/// Each slice has one value per output channel.
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm<'a> {
    /// Often called gamma or weight.
    pub scale: &'a [f32],
    /// Often called beta or bias.
    pub shift: &'a [f32],
    /// Running mean.
    pub mean: &'a [f32],
    /// Running variance.
    pub variance: &'a [f32],
    /// Added to the variance; 1e-5 in most frameworks, 1e-3 in some.
    pub epsilon: f32,
}

/// Folds the batch normalisation that follows a convolution into its weights and bias (Ioffe and
/// Szegedy 2015, at inference). The weights, `[k][c / groups]`, are scaled in place. The bias of the
/// folded layer is returned. `bias` is that of the convolution itself, if it has one. Each value is
/// computed in `f64` and rounded once.
///
/// ```
/// use pointwise::{BatchNorm, fold_batch_norm};
/// let mut weights = [1.0, 2.0];
/// let norm = BatchNorm {
///     scale: &[3.0],
///     shift: &[0.5],
///     mean: &[10.0],
///     variance: &[4.0],
///     epsilon: 0.0,
/// };
/// let bias = fold_batch_norm(&mut weights, None, &norm)?;
/// assert_eq!((weights, bias), ([1.5, 3.0], vec![-14.5]));
/// # Ok::<(), pointwise::Error>(())
/// ```
///
/// # Errors
/// [`Error::WrongLength`] when a slice is not as long as `scale`, or when the weights are not a
/// positive multiple of it. [`Error::ZeroDimension`] when `scale` is empty. [`Error::BadBatchNorm`]
/// when a variance plus epsilon is not above 0 and finite. After an error the weights are unchanged.
pub fn fold_batch_norm(
    weights: &mut [f32],
    bias: Option<&[f32]>,
    norm: &BatchNorm<'_>,
) -> Result<Vec<f32>, Error> {
    let BatchNorm { scale, shift, mean, variance, epsilon } = *norm;
    let k = scale.len();
    for (what, values) in [("shift", shift), ("mean", mean), ("variance", variance)] {
        expect_len(what, values.len(), k)?;
    }
    if let Some(bias) = bias {
        expect_len("bias", bias.len(), k)?;
    }
    if k == 0 {
        return Err(Error::ZeroDimension { name: "k" });
    }
    let depth = weights.len() / k;
    if depth == 0 || !weights.len().is_multiple_of(k) {
        return Err(Error::WrongLength {
            what: "weights",
            given: weights.len(),
            needed: k * depth.max(1),
        });
    }
    for (output, variance) in variance.iter().copied().enumerate() {
        let sum = f64::from(variance) + f64::from(epsilon);
        if !(sum > 0.0 && sum.is_finite()) {
            return Err(Error::BadBatchNorm { output, variance, epsilon });
        }
    }
    let mut folded = try_zeroed(k)?;
    for (k, (row, folded)) in weights.chunks_exact_mut(depth).zip(&mut folded).enumerate() {
        let deviation = (f64::from(variance[k]) + f64::from(epsilon)).sqrt();
        let factor = f64::from(scale[k]) / deviation;
        for weight in row {
            *weight = (f64::from(*weight) * factor) as f32;
        }
        let bias = bias.map_or(0.0, |bias| f64::from(bias[k]));
        *folded = ((bias - f64::from(mean[k])) * factor + f64::from(shift[k])) as f32;
    }
    Ok(folded)
}
