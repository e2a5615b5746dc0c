//! Layers against sums in `f64`, for which the formula of a layer is written down once more. The
//! library's own reference, which all kernels have the bits of, is held against these sums.

use crate::case::{Case, Dense, runnable};
use crate::exact::exact_of;
use pointwise::{Activation, Layer, Layout, Parameters, PlanOptions};

/// Offset of (image, channel, row, column) of a dense tensor.
fn dense(layout: Layout, [c, h, w]: [usize; 3], [n, i, y, x]: [usize; 4]) -> usize {
    match layout {
        Layout::Nchw => ((n * c + i) * h + y) * w + x,
        Layout::Nhwc => ((n * h + y) * w + x) * c + i,
    }
}

/// The outputs of a layer without padding, in its output layout.
fn in_f64(
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

/// Fails where an output of the reference is farther from the sums in `f64` than roundings of
/// values of this size explain.
pub(crate) fn assert_near(dense: &Dense) {
    for ((layer, of), got) in dense.layers.iter().zip(&dense.tensors).zip(&dense.outputs) {
        let want = in_f64(layer, &dense.input, &of.parameters(), of.residual.as_deref());
        assert_eq!(got.len(), want.len(), "{layer}");
        // Inputs and weights lie in −1..1, and no activation here is steeper than 1.2.
        let terms = (layer.c / layer.groups + 3) as f64;
        let allowed = 4.0 * terms * f64::from(f32::EPSILON);
        // A slope is at most 1.2 in magnitude only where the layer's own are.
        assert!(!matches!(layer.activation, Activation::LeakyRelu { slope } if slope.abs() > 1.2));
        for (at, (got, want)) in got.iter().zip(&want).enumerate() {
            assert!(
                (f64::from(*got) - want).abs() <= allowed,
                "{layer}: output {at} of the reference is {got}, not {want}"
            );
        }
    }
}

/// The layouts of input and output in every combination.
fn layouts() -> impl Iterator<Item = (Layout, Layout)> {
    Layout::ALL.into_iter().flat_map(|a| Layout::ALL.into_iter().map(move |b| (a, b)))
}

#[test]
fn groups_shuffle_layouts_and_averages_in_f64() {
    let mut seed = 0;
    for kernel in runnable() {
        for (layout, to) in layouts() {
            for (groups, shuffle) in
                [(1, false), (2, true), (3, false), (3, true), (4, true), (8, true)]
            {
                for average in [false, true] {
                    let layer = Layer::new(24, 48, 7, 5)
                        .batch(2)
                        .layout(layout)
                        .output_layout(to)
                        .stride(2, 1)
                        .groups(groups)
                        .shuffle(shuffle)
                        .average(average)
                        .bias(true)
                        .residual(groups == 3)
                        .activation(Activation::Relu);
                    seed += 1;
                    let case = Case::forced(layer, kernel, 2, seed % 2 == 0).threads(3);
                    let case = Case { seed, ..case };
                    let dense = case.dense(&[layer]);
                    assert_near(&dense);
                    dense.whole().assert(&case);
                }
            }
        }
    }
}

#[test]
fn every_epilogue_in_f64_and_the_same_bits_on_every_kernel() {
    let curves = Activation::PLAIN.into_iter().chain([
        Activation::Clamp { lo: -0.25, hi: 0.5 },
        Activation::LeakyRelu { slope: 0.1 },
        Activation::Prelu,
    ]);
    for (seed, activation) in (1..).zip(curves) {
        for (layout, to) in layouts() {
            for (groups, k) in [(1, 21), (1, 32), (3, 51)] {
                let layer = Layer::new(15, k, 3, 7)
                    .layout(layout)
                    .output_layout(to)
                    .groups(groups)
                    .shuffle(groups > 1)
                    .bias(true)
                    .residual(true)
                    .activation(activation);
                let dense = Case { seed, ..Case::new(layer) }.dense(&[layer]);
                assert_near(&dense);
                let network = dense.whole();
                for kernel in runnable() {
                    network.assert(&Case { seed, ..Case::forced(layer, kernel, 1, false) });
                }
            }
        }
    }
}

#[test]
fn heads_in_f64() {
    // A classifier: one pixel, streamed weights; a batch of them; Network in Network's average.
    for layer in [
        Layer::new(300, 70, 1, 1).bias(true),
        Layer::new(65, 33, 1, 1).bias(true).batch(5).activation(Activation::Sigmoid),
        Layer::new(48, 10, 6, 6).bias(true).activation(Activation::Relu).average(true),
        Layer::new(48, 10, 6, 6).bias(true).batch(3).activation(Activation::Relu).average(true),
    ] {
        for layout in Layout::ALL {
            let case = Case::new(layer.layout(layout));
            let dense = case.dense(&[case.layer]);
            assert_eq!(dense.outputs[0].len(), layer.n * layer.k);
            assert_near(&dense);
            let network = dense.whole();
            for kernel in runnable() {
                for threads in [1, 3] {
                    let options = PlanOptions::new().kernel(kernel.name()).threads(threads);
                    network.assert(&Case { options, ..case.clone() });
                }
            }
        }
    }
}
