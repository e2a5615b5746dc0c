//! Groups whose outputs do not fill the lanes, and shuffled channels: the bits of the reference on
//! every kernel, wherever the outputs go.

use crate::case::{Case, POISON, runnable};
use crate::sums::assert_near;
use pointwise::{Activation, Branch, Error, Layer, Layout, Padding, Plan, PlanOptions, View};

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
    for (seed, layer) in (1..).zip(layers()) {
        for layout in Layout::ALL {
            let layer = layer.layout(layout);
            let dense = Case { seed, ..Case::new(layer) }.dense(&[layer]);
            if layer.padding == Padding::Valid {
                assert_near(&dense);
            }
            let network = dense.whole();
            for kernel in runnable() {
                for (units, pack, threads) in [(1, false, 1), (4, true, 1), (64, false, 3)] {
                    let case = Case::forced(layer, kernel, units, pack).threads(threads);
                    network.assert(&Case { seed, ..case });
                }
            }
        }
    }
}

#[test]
fn what_lies_between_the_outputs_of_a_view_is_left_alone() {
    for layer in layers().filter(|layer| layer.activation == Activation::Relu) {
        let shape = layer.check().unwrap();
        // The outputs are channels 5.. of a tensor with 11 more.
        let total = layer.k + 11;
        let view = View::of_channels(Layout::Nhwc, total, 5, shape.oh, shape.ow);
        let case = Case::new(layer);
        let dense = case.dense(&[layer]);
        let mut network = dense.placed(vec![Branch::new(layer).to(0, view)], None);
        network.want[0].resize(total * shape.oh * shape.ow, POISON);
        network.assert(&case);
    }
}

#[test]
fn groups_that_do_not_divide_are_refused() {
    for (c, k, groups) in [(8, 9, 3), (9, 8, 3), (8, 8, 0), (4, 4, 8)] {
        let refused = Plan::new(&Layer::new(c, k, 2, 2).groups(groups), &PlanOptions::new());
        assert_eq!(refused.err(), Some(Error::GroupsDoNotDivide { groups, c, k }));
    }
}
