//! Groups whose outputs do not fill the lanes, and shuffled channels: the bits of the reference on
//! every kernel, wherever the outputs go.

use crate::case::{plain as values, runnable};
use crate::sums::assert_near;
use pointwise::{
    Activation, Blocking, Error, Layer, Layout, Padding, Parameters, Plan, PlanOptions, Pool, View,
    Views, reference, reference_of,
};

/// Groups, outputs of each: few and many, whole vectors and ragged ones.
const GROUPS: [(usize, usize); 9] =
    [(2, 48), (2, 7), (3, 20), (3, 80), (4, 36), (4, 3), (5, 17), (8, 24), (8, 18)];

fn layers() -> impl Iterator<Item = Layer> {
    let padding = Padding::Explicit { top: 1, bottom: 0, left: 0, right: 2 };
    GROUPS.into_iter().flat_map(move |(groups, outputs)| {
        let layer = Layer::new(9 * groups, outputs * groups, 5, 7).groups(groups).bias(true);
        let relu = layer.activation(Activation::Relu);
        [
            relu,
            relu.shuffle(true),
            relu.residual(true),
            relu.residual(true).shuffle(true).stride(2, 1),
            layer.activation(Activation::Silu).shuffle(true).batch(2),
            layer.activation(Activation::Prelu).residual(true).batch(2),
            relu.shuffle(true).padding(padding),
            layer.activation(Activation::Relu6).residual(true).padding(padding),
        ]
    })
}

#[test]
fn ragged_and_shuffled_groups_have_the_bits_of_the_reference() {
    for (seed, layer) in (0..).map(|i| 10 * i).zip(layers()) {
        for layout in Layout::ALL {
            let layer = layer.layout(layout);
            let shape = layer.check().unwrap();
            let (x, w) = (values(shape.input_len, seed), values(shape.weights_len, seed + 1));
            let (bias, slopes) = (values(layer.k, seed + 2), values(layer.k, seed + 3));
            let residual = layer.residual.then(|| values(shape.residual_len, seed + 4));
            let mut parameters = Parameters::new(&w).bias(&bias);
            if layer.activation == Activation::Prelu {
                parameters = parameters.slopes(&slopes);
            }
            let want = reference_of(&layer, &x, &parameters, residual.as_deref()).unwrap();
            if layer.padding == Padding::Valid {
                let residual = residual.as_deref();
                assert_near(&layer, &x, &parameters, residual, &want, "the reference");
            }
            for kernel in runnable() {
                for (units, pack, threads) in [(1, false, 1), (4, true, 1), (64, false, 3)] {
                    let options = PlanOptions::new()
                        .kernel(kernel.name())
                        .blocking(Blocking::new(units, pack))
                        .threads(threads);
                    let plan = Plan::new(&layer, &options).unwrap();
                    let packed = plan.pack_parameters(&parameters).unwrap();
                    let mut got = vec![f32::NAN; shape.output_len];
                    plan.run(&packed, &x, residual.as_deref(), &mut got, Pool::Serial).unwrap();
                    let same = got.iter().zip(&want).all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(same, "{layer} by {} in blocks of {units}, {threads}", kernel.name());
                }
            }
        }
    }
}

#[test]
fn what_lies_between_the_outputs_of_a_view_is_left_alone() {
    for layer in layers().filter(|layer| layer.activation == Activation::Relu) {
        let shape = layer.check().unwrap();
        let (x, w) = (values(shape.input_len, 1), values(shape.weights_len, 2));
        let bias = values(layer.k, 3);
        let residual = layer.residual.then(|| values(shape.residual_len, 4));
        let want = reference(&layer, &x, &w, Some(&bias), residual.as_deref()).unwrap();
        // The outputs are channels 5.. of a tensor with 11 more.
        let total = layer.k + 11;
        let view = View::of_channels(Layout::Nhwc, total, 5, shape.oh, shape.ow);
        let plan =
            Plan::with_views(&layer, &Views::new().output(view), &PlanOptions::new()).unwrap();
        let packed = plan.pack(&w, Some(&bias)).unwrap();
        let mut got = vec![7.5; total * shape.oh * shape.ow];
        plan.run(&packed, &x, residual.as_deref(), &mut got, Pool::Serial).unwrap();
        for (pixel, row) in got.chunks_exact(total).enumerate() {
            assert!(row[..5].iter().chain(&row[5 + layer.k..]).all(|v| *v == 7.5), "{layer}");
            assert_eq!(row[5..5 + layer.k], want[pixel * layer.k..][..layer.k], "{layer}");
        }
    }
}

#[test]
fn groups_that_do_not_divide_are_refused() {
    for (c, k, groups) in [(8, 9, 3), (9, 8, 3), (8, 8, 0), (4, 4, 8)] {
        let refused = Plan::new(&Layer::new(c, k, 2, 2).groups(groups), &PlanOptions::new());
        assert_eq!(refused.err(), Some(Error::GroupsDoNotDivide { groups, c, k }));
    }
}
