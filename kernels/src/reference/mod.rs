//! The definition of every result: the chain of multiply-adds of each output, the curves of the
//! activations, and the floating-point environment in which both hold.
//!
//! This room imports only `describe`. It knows nothing of kernels.

pub(crate) mod activate;
pub(crate) mod curves;
pub(crate) mod float_environment;

use crate::describe::buffer::{expect_len, expect_optional, try_zeroed};
use crate::describe::error::Error;
use crate::describe::layer::{Layer, Layout};
use crate::describe::parameters::Parameters;
use float_environment::DefaultEnvironment;

/// Computes `layer` in the slow, obvious way. This function defines the results: every kernel,
/// layout and thread count gives its bits.
///
/// Each output is one chain of fused multiply-adds. The chain starts at the bias (or +0) and goes
/// over the inputs of the output's group in ascending order. Then the residual is added, and then
/// the activation is applied. An average is a sum from +0 over the pixels in ascending order,
/// divided once.
///
/// `input` lies in the layer's layout, `residual` and the result in its output layout. `weights`
/// are `[k][c / groups]`.
///
/// # Errors
/// Those of [`Layer::check`], and [`Error::WrongLength`], [`Error::Missing`] or
/// [`Error::Unexpected`] when a slice does not fit the layer.
pub fn reference(
    layer: &Layer,
    input: &[f32],
    weights: &[f32],
    bias: Option<&[f32]>,
    residual: Option<&[f32]>,
) -> Result<Vec<f32>, Error> {
    reference_of(layer, input, &Parameters { weights, bias, slopes: None }, residual)
}

/// The same as [`reference()`], with all the parameters that a layer can have.
///
/// # Errors
/// Those of [`reference()`]; [`Error::BadSlope`].
pub fn reference_of(
    layer: &Layer,
    input: &[f32],
    parameters: &Parameters<'_>,
    residual: Option<&[f32]>,
) -> Result<Vec<f32>, Error> {
    let _environment = DefaultEnvironment::enter();
    compute(layer, input, parameters, residual)
}

/// Not inlined, so that its arithmetic stays in the environment that its caller entered.
#[inline(never)]
fn compute(
    layer: &Layer,
    input: &[f32],
    parameters: &Parameters<'_>,
    residual: Option<&[f32]>,
) -> Result<Vec<f32>, Error> {
    let shape = layer.check()?;
    expect_len("input", input.len(), shape.input_len)?;
    parameters.check(layer, shape.weights_len)?;
    expect_optional("residual", residual, layer.residual, shape.residual_len)?;
    let Parameters { weights, bias, slopes } = *parameters;
    let mut output = try_zeroed(shape.output_len)?;

    let Layer { n, c, k, h, w, stride: [sh, sw], groups, .. } = *layer;
    let (cg, kg) = (c / groups, k / groups);
    let x_at = |image, channel, row, column| match layer.layout {
        Layout::Nchw => ((image * c + channel) * h + row) * w + column,
        Layout::Nhwc => ((image * h + row) * w + column) * c + channel,
    };
    let y_at = |image, channel, row, column| match layer.output_layout {
        Layout::Nchw => ((image * k + channel) * shape.oh + row) * shape.ow + column,
        Layout::Nhwc => ((image * shape.oh + row) * shape.ow + column) * k + channel,
    };
    // The weights as `[c][k]`, so that the chains of a pixel's outputs advance together and the
    // compiler may put them in lanes. The order along each chain stays the same.
    let mut by_input = try_zeroed(shape.weights_len)?;
    for channel in 0..k {
        for i in 0..cg {
            by_input[(channel / kg * cg + i) * kg + channel % kg] = weights[channel * cg + i];
        }
    }
    let mut x = try_zeroed(cg)?;
    let mut v = try_zeroed(kg)?;
    let arch = pulp::Arch::new();
    for (image, oy, ox, group) in (0..n).flat_map(|image| {
        (0..shape.oh).flat_map(move |oy| {
            (0..shape.ow).flat_map(move |ox| (0..groups).map(move |group| (image, oy, ox, group)))
        })
    }) {
        match bias {
            Some(bias) => v.copy_from_slice(&bias[group * kg..][..kg]),
            None => v.fill(0.0),
        }
        if (shape.rows.start..shape.rows.end).contains(&oy)
            && (shape.columns.start..shape.columns.end).contains(&ox)
        {
            let iy = shape.rows.origin + (oy - shape.rows.start) * sh;
            let ix = shape.columns.origin + (ox - shape.columns.start) * sw;
            for (i, x) in x.iter_mut().enumerate() {
                *x = input[x_at(image, group * cg + i, iy, ix)];
            }
            let filters = &by_input[group * cg * kg..][..cg * kg];
            arch.dispatch(|| {
                for (x, weights) in x.iter().zip(filters.chunks_exact(kg)) {
                    for (v, weight) in v.iter_mut().zip(weights) {
                        *v = weight.mul_add(*x, *v);
                    }
                }
            });
        }
        for (i, v) in v.iter().enumerate() {
            // The channel that this output is written to, and that its residual is read from.
            let channel = if layer.shuffle { i * groups + group } else { group * kg + i };
            let at = y_at(image, channel, oy, ox);
            let v = residual.map_or(*v, |residual| v + residual[at]);
            let slope = slopes.map_or(1.0, |slopes| slopes[group * kg + i]);
            let v = layer.activation.apply_with_slope(v, slope);
            if layer.average {
                output[image * k + channel] += v;
            } else {
                output[at] = v;
            }
        }
    }
    if layer.average {
        output.iter_mut().for_each(|sum| *sum /= (shape.oh * shape.ow) as f32);
    }
    Ok(output)
}
