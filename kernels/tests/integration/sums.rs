//! Layers in `f64`, their formula written down once more: what the library's own reference, which
//! all kernels have the bits of, is held against.

use crate::exact::exact_of;
use pointwise::{Activation, Layer, Layout, Parameters};

/// Offset of (image, channel, row, column) of a dense tensor.
pub(crate) fn dense(layout: Layout, [c, h, w]: [usize; 3], [n, i, y, x]: [usize; 4]) -> usize {
    match layout {
        Layout::Nchw => ((n * c + i) * h + y) * w + x,
        Layout::Nhwc => ((n * h + y) * w + x) * c + i,
    }
}

/// The outputs of a layer without padding, in its output layout.
pub(crate) fn in_f64(
    layer: &Layer,
    x: &[f32],
    parameters: &Parameters<'_>,
    residual: Option<&[f32]>,
) -> Vec<f64> {
    let shape = layer.check().unwrap();
    let (cg, kg) = (layer.c / layer.groups, layer.k / layer.groups);
    let sizes = [layer.k, shape.oh, shape.ow];
    let mut output = vec![0.0; shape.output_len];
    for (n, channel) in (0..layer.n).flat_map(|n| (0..layer.k).map(move |k| (n, k))) {
        // Which filter's output this channel is.
        let k = match layer.shuffle {
            true => channel % layer.groups * kg + channel / layer.groups,
            false => channel,
        };
        let mut total = 0.0;
        for (oy, ox) in (0..shape.oh).flat_map(|y| (0..shape.ow).map(move |x| (y, x))) {
            let mut sum = parameters.bias.map_or(0.0, |bias| f64::from(bias[k]));
            for i in 0..cg {
                let at = [n, k / kg * cg + i, oy * layer.stride[0], ox * layer.stride[1]];
                let value = x[dense(layer.layout, [layer.c, layer.h, layer.w], at)];
                sum += f64::from(value) * f64::from(parameters.weights[k * cg + i]);
            }
            let at = dense(layer.output_layout, sizes, [n, channel, oy, ox]);
            sum += residual.map_or(0.0, |residual| f64::from(residual[at]));
            let slope = parameters.slopes.map_or(1.0, |slopes| slopes[k]);
            let v = exact_of(layer.activation, sum, slope);
            total += v;
            if !layer.average {
                output[at] = v;
            }
        }
        if layer.average {
            output[n * layer.k + channel] = total / (shape.oh * shape.ow) as f64;
        }
    }
    output
}

/// Fails where an output is farther from the sums in `f64` than roundings of values of this size
/// explain.
pub(crate) fn assert_near(
    layer: &Layer,
    x: &[f32],
    parameters: &Parameters<'_>,
    residual: Option<&[f32]>,
    got: &[f32],
    who: &str,
) {
    let want = in_f64(layer, x, parameters, residual);
    assert_eq!(got.len(), want.len(), "{layer} by {who}");
    // Inputs and weights lie in −1..1, and no activation here is steeper than 1.2.
    let terms = (layer.c / layer.groups + 3) as f64;
    let allowed = 4.0 * terms * f64::from(f32::EPSILON);
    // A slope is at most 1.2 in magnitude only where the layer's own are.
    assert!(!matches!(layer.activation, Activation::LeakyRelu { slope } if slope.abs() > 1.2));
    for (at, (got, want)) in got.iter().zip(&want).enumerate() {
        assert!(
            (f64::from(*got) - want).abs() <= allowed,
            "{layer} by {who}: output {at} is {got}, not {want}"
        );
    }
}
