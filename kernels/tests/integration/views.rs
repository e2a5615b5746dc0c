//! Tensors seen through views: the bits of whole tensors, and nothing else written.

use crate::case::{Case, POISON, runnable};
use crate::sums::assert_near;
use pointwise::{Activation, Branch, Error, Layer, Layout, Plan, PlanOptions, Pool, View, Views};

#[test]
fn views_of_any_pitch_give_the_bits_of_whole_tensors() {
    let [n, c, k, h, w] = [2, 9, 21, 6, 5];
    // Channel parts of both layouts, padded rows, every second channel, reversed nesting.
    let pitches = |channels: usize| {
        [
            View::of_channels(Layout::Nhwc, channels + 4, 3, h, w),
            View::of_channels(Layout::Nchw, channels + 4, 1, h, w),
            View::dense(Layout::Nhwc, 2 * channels, h, w).every_channel(2, 1),
            View { offset: 7, channel: 100, pixel: 2, row: 13, image: 100 * channels + 3 },
            View { offset: 0, channel: 1, pixel: 40, row: 300, image: 1 << 12 },
        ]
    };
    for (a, input) in pitches(c).into_iter().enumerate() {
        for (b, output) in pitches(k).into_iter().enumerate() {
            let layer = Layer::new(c, k, h, w)
                .batch(n)
                .residual(true)
                .groups(if a == b { 3 } else { 1 })
                .activation([Activation::Relu, Activation::Silu][b % 2]);
            let dense = Case::new(layer).dense(&[layer]);
            assert_near(&dense);
            let branch = Branch::new(layer).to(0, output).residual(pitches(k)[(a + b) % 5]);
            let mut network = dense.placed(vec![branch], Some(input));
            // What follows the last output is left alone too.
            network.want[0].extend([POISON; 5]);
            for kernel in runnable() {
                for pack in [false, true] {
                    network.assert(&Case::forced(layer, kernel, 2, pack).threads(2));
                }
            }
        }
    }
}

#[test]
fn a_view_that_cannot_be_is_refused() {
    let options = PlanOptions::new();
    let layer = Layer::new(4, 8, 3, 3);
    let output = View::dense(Layout::Nhwc, 8, 3, 3);
    let plan = |views: Views| Plan::with_views(&layer, &views, &options).map(|_| ());
    // Pixels that are nearer to each other than their channels are many.
    assert_eq!(
        plan(Views::new().output(View { pixel: 7, ..output })),
        Err(Error::OverlappingView { what: "output", axis: "pixels", pitch: 7, needed: 8 })
    );
    assert_eq!(
        plan(Views::new().input(View { channel: 0, ..View::dense(Layout::Nhwc, 4, 3, 3) })),
        Err(Error::OverlappingView { what: "input", axis: "channels", pitch: 0, needed: 1 })
    );
    assert!(matches!(
        plan(Views::new().output(View { row: usize::MAX / 2, ..output })),
        Err(Error::TooLarge { what: "output", .. })
    ));
    let bound = Plan::with_views(&layer, &Views::new().output(output), &options).unwrap();
    let packed = bound.pack(&[0.0; 32], None).unwrap();
    assert_eq!(
        bound.run(&packed, &[0.0; 36], None, &mut [0.0; 71], Pool::Serial),
        Err(Error::ViewLeavesBuffer { what: "output", given: 71, needed: 72 })
    );
    let pad = pointwise::Padding::Explicit { top: 1, bottom: 0, left: 0, right: 0 };
    assert_eq!(layer.padding(pad).average(true).check(), Err(Error::AverageOverPadding));
}
