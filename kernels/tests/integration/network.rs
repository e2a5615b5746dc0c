//! Views, siblings, groups with shuffle, heads and changes of layout: against sums in `f64`, and
//! against the layers one by one, bit for bit, on every kernel.

use crate::case::{plain as values, runnable};
use crate::sums::{assert_near, dense};
use pointwise::{
    Activation, BatchNorm, Blocking, Branch, Error, Layer, Layout, Padding, Parameters, Plan,
    PlanOptions, Pool, Sharing, Siblings, View, Views, fold_batch_norm, reference, reference_of,
};

#[test]
fn groups_shuffle_layouts_and_averages_in_f64() {
    let mut seed = 0;
    for kernel in runnable() {
        for (layout, to) in
            Layout::ALL.into_iter().flat_map(|a| Layout::ALL.into_iter().map(move |b| (a, b)))
        {
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
                    let shape = layer.check().unwrap();
                    let (x, w) =
                        (values(shape.input_len, seed), values(shape.weights_len, seed + 1));
                    let bias = values(layer.k, seed + 2);
                    let residual = layer.residual.then(|| values(shape.residual_len, seed + 3));
                    let options = PlanOptions::new()
                        .kernel(kernel.name())
                        .blocking(Blocking::new(2, seed % 2 == 0))
                        .threads(3);
                    let plan = Plan::new(&layer, &options).unwrap();
                    let packed = plan.pack(&w, Some(&bias)).unwrap();
                    let mut got = vec![f32::NAN; shape.output_len];
                    plan.run(&packed, &x, residual.as_deref(), &mut got, Pool::Serial).unwrap();
                    let parameters = Parameters::new(&w).bias(&bias);
                    let residual = residual.as_deref();
                    assert_near(&layer, &x, &parameters, residual, &got, kernel.name());
                    let same = reference_of(&layer, &x, &parameters, residual).unwrap();
                    assert!(
                        got.iter().zip(&same).all(|(a, b)| a.to_bits() == b.to_bits()),
                        "{layer} on {} has other bits than the reference",
                        kernel.name()
                    );
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
    for (seed, activation) in (0..).map(|i| 10 * i).zip(curves) {
        for (layout, to) in
            Layout::ALL.into_iter().flat_map(|a| Layout::ALL.into_iter().map(move |b| (a, b)))
        {
            for (groups, k) in [(1, 21), (1, 32), (3, 51)] {
                let layer = Layer::new(15, k, 3, 7)
                    .layout(layout)
                    .output_layout(to)
                    .groups(groups)
                    .shuffle(groups > 1)
                    .bias(true)
                    .residual(true)
                    .activation(activation);
                let shape = layer.check().unwrap();
                let (x, w) = (values(shape.input_len, seed), values(shape.weights_len, seed + 1));
                let (bias, slopes) = (values(k, seed + 2), values(k, seed + 3));
                let residual = values(shape.residual_len, seed + 4);
                let mut parameters = Parameters::new(&w).bias(&bias);
                if activation == Activation::Prelu {
                    parameters = parameters.slopes(&slopes);
                }
                let want = reference_of(&layer, &x, &parameters, Some(&residual)).unwrap();
                assert_near(&layer, &x, &parameters, Some(&residual), &want, "the reference");
                for kernel in runnable() {
                    let options =
                        PlanOptions::new().kernel(kernel.name()).blocking(Blocking::new(1, false));
                    let plan = Plan::new(&layer, &options).unwrap();
                    let packed = plan.pack_parameters(&parameters).unwrap();
                    let mut got = vec![f32::NAN; shape.output_len];
                    plan.run(&packed, &x, Some(&residual), &mut got, Pool::Serial).unwrap();
                    let same = got.iter().zip(&want).all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(same, "{layer} on {}", kernel.name());
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
            let layer = layer.layout(layout);
            let shape = layer.check().unwrap();
            let (x, w) = (values(shape.input_len, 1), values(shape.weights_len, 2));
            let bias = values(layer.k, 3);
            let parameters = Parameters::new(&w).bias(&bias);
            let want = reference_of(&layer, &x, &parameters, None).unwrap();
            assert_eq!(want.len(), layer.n * layer.k);
            assert_near(&layer, &x, &parameters, None, &want, "the reference");
            for kernel in runnable() {
                for threads in [1, 3] {
                    let options = PlanOptions::new().kernel(kernel.name()).threads(threads);
                    let plan = Plan::new(&layer, &options).unwrap();
                    let packed = plan.pack_parameters(&parameters).unwrap();
                    let mut got = vec![f32::NAN; want.len()];
                    plan.run(&packed, &x, None, &mut got, Pool::Serial).unwrap();
                    assert_eq!(got, want, "{layer} on {}", kernel.name());
                }
            }
        }
    }
}

/// Copies between a dense tensor and a view of a buffer.
fn each_place(view: &View, layout: Layout, sizes: [usize; 4], mut f: impl FnMut(usize, usize)) {
    let [n, c, h, w] = sizes;
    for (n, i, y, x) in (0..n).flat_map(|n| {
        (0..c).flat_map(move |i| (0..h).flat_map(move |y| (0..w).map(move |x| (n, i, y, x))))
    }) {
        let place = view.offset + n * view.image + i * view.channel + y * view.row + x * view.pixel;
        f(place, dense(layout, [c, h, w], [n, i, y, x]));
    }
}

#[test]
fn views_of_any_pitch_give_the_bits_of_whole_tensors() {
    let view = |view: View| view;
    let [n, c, k, h, w] = [2, 9, 21, 6, 5];
    // Channel parts of both layouts, padded rows, every second channel, reversed nesting.
    let pitches = |channels: usize| {
        [
            View::of_channels(Layout::Nhwc, channels + 4, 3, h, w),
            View::of_channels(Layout::Nchw, channels + 4, 1, h, w),
            View::dense(Layout::Nhwc, 2 * channels, h, w).every_channel(2, 1),
            view(View { offset: 7, channel: 100, pixel: 2, row: 13, image: 100 * channels + 3 }),
            view(View { offset: 0, channel: 1, pixel: 40, row: 300, image: 1 << 12 }),
        ]
    };
    for kernel in runnable() {
        for pack in [false, true] {
            for (a, input) in pitches(c).into_iter().enumerate() {
                for (b, output) in pitches(k).into_iter().enumerate() {
                    let residual = pitches(k)[(a + b) % 5];
                    let layer = Layer::new(c, k, h, w)
                        .batch(n)
                        .residual(true)
                        .groups(if a == b { 3 } else { 1 })
                        .activation([Activation::Relu, Activation::Silu][b % 2]);
                    let shape = layer.check().unwrap();
                    let x = values(shape.input_len, 1);
                    let weights = values(shape.weights_len, 2);
                    let r = values(shape.residual_len, 3);
                    let want = reference(&layer, &x, &weights, None, Some(&r)).unwrap();
                    let parameters = Parameters::new(&weights);
                    assert_near(&layer, &x, &parameters, Some(&r), &want, "the reference");
                    let mut x_buffer = vec![f32::NAN; input.check("input", [n, c, h, w]).unwrap()];
                    each_place(&input, Layout::Nhwc, [n, c, h, w], |at, i| x_buffer[at] = x[i]);
                    let mut r_buffer =
                        vec![f32::NAN; residual.check("residual", [n, k, h, w]).unwrap()];
                    each_place(&residual, Layout::Nhwc, [n, k, h, w], |at, i| r_buffer[at] = r[i]);
                    let len = output.check("output", [n, k, h, w]).unwrap() + 5;
                    let mut y_buffer = vec![-99.0; len];
                    let views = Views::new().input(input).output(output).residual(residual);
                    let options = PlanOptions::new()
                        .kernel(kernel.name())
                        .blocking(Blocking::new(2, pack))
                        .threads(2);
                    let plan = Plan::with_views(&layer, &views, &options).unwrap();
                    let packed = plan.pack(&weights, None).unwrap();
                    plan.run(&packed, &x_buffer, Some(&r_buffer), &mut y_buffer, Pool::Serial)
                        .unwrap();
                    let mut expected = vec![-99.0; len];
                    each_place(&output, Layout::Nhwc, [n, k, h, w], |at, i| expected[at] = want[i]);
                    assert!(
                        y_buffer.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()),
                        "{}: {input:?} to {output:?}, residual {residual:?}",
                        kernel.name()
                    );
                }
            }
        }
    }
}

#[test]
fn siblings_give_the_bits_of_their_layers() {
    for kernel in runnable() {
        for layout in Layout::ALL {
            for pack in [false, true] {
                let base = |k| Layer::new(13, k, 5, 7).batch(2).layout(layout).bias(true);
                let layers = [
                    base(40).activation(Activation::Relu),
                    base(17).activation(Activation::Gelu),
                    base(5).residual(true),
                    base(33).average(true).activation(Activation::Tanh),
                ];
                let x = values(layers[0].check().unwrap().input_len, 5);
                let weights: Vec<_> =
                    layers.iter().map(|l| values(l.k * l.c, 6 + l.k as u64)).collect();
                let biases: Vec<_> = layers.iter().map(|l| values(l.k, 60 + l.k as u64)).collect();
                let residual = values(layers[2].check().unwrap().output_len, 9);
                let residuals = [None, None, Some(&residual[..]), None];
                // The first and third share a buffer of 50 channels.
                let part = |first| View::of_channels(layout, 50, first, 5, 7);
                let branches = [
                    Branch::new(layers[0]).to(0, part(10)),
                    Branch::new(layers[1]),
                    Branch::new(layers[2]).to(0, part(2)),
                    Branch::new(layers[3]).to(2, View::dense(layout, 33, 1, 1)),
                ];
                let options = PlanOptions::new()
                    .kernel(kernel.name())
                    .blocking(Blocking::new(3, pack))
                    .threads(2);
                let siblings = Siblings::new(&branches, None, &options).unwrap();
                let parameters: Vec<_> = weights
                    .iter()
                    .zip(&biases)
                    .map(|(weights, bias)| Parameters::new(weights).bias(bias))
                    .collect();
                let packed = siblings.pack(&parameters).unwrap();
                let mut shared = vec![-99.0; 2 * 50 * 35];
                let mut second = vec![0.0; layers[1].check().unwrap().output_len];
                let mut averages = vec![0.0; 66];
                let mut outputs = [&mut shared[..], &mut second[..], &mut averages[..]];
                siblings.run(&packed, &x, &residuals, &mut outputs, Pool::Serial).unwrap();
                let want: Vec<_> = (0..4)
                    .map(|i| {
                        reference(&layers[i], &x, &weights[i], Some(&biases[i]), residuals[i])
                            .unwrap()
                    })
                    .collect();
                for i in 0..4 {
                    let (parameters, residual) = (&parameters[i], residuals[i]);
                    assert_near(&layers[i], &x, parameters, residual, &want[i], "the reference");
                }
                let mut expected = vec![-99.0; shared.len()];
                for (first, i) in [(10, 0), (2, 2)] {
                    let sizes = [2, layers[i].k, 5, 7];
                    each_place(&part(first), layout, sizes, |at, from| {
                        expected[at] = want[i][from]
                    });
                }
                assert_eq!(shared, expected, "{} {layout}", kernel.name());
                assert_eq!(second, want[1], "{} {layout}", kernel.name());
                assert_eq!(averages, want[3], "{} {layout}", kernel.name());
            }
        }
    }
}

#[test]
fn siblings_give_the_same_bits_however_they_share_the_input() {
    // More than half a megabyte of input: several pieces.
    let base = |k| Layer::new(160, k, 33, 29).bias(true).activation(Activation::Relu);
    let padding = Padding::Explicit { top: 1, bottom: 0, left: 2, right: 1 };
    let shapes: [fn(Layer) -> Layer; 3] =
        [|l| l, |l| l.batch(2).stride(2, 1), |l| l.groups(4).shuffle(true)];
    for (change, layout) in
        shapes.into_iter().flat_map(|f| Layout::ALL.into_iter().map(move |layout| (f, layout)))
    {
        for padding in [Padding::Valid, padding] {
            let layers = [24, 20, 68].map(|k| change(base(k).layout(layout).padding(padding)));
            let shapes = layers.map(|layer| layer.check().unwrap());
            let x = values(shapes[0].input_len, 1);
            let weights = shapes.map(|shape| values(shape.weights_len, 2));
            let biases = layers.map(|layer| values(layer.k, 3));
            let parameters: [Parameters<'_>; 3] =
                core::array::from_fn(|i| Parameters::new(&weights[i]).bias(&biases[i]));
            let want: Vec<_> = (0..3)
                .map(|i| reference_of(&layers[i], &x, &parameters[i], None).unwrap())
                .collect();
            for sharing in Sharing::ALL {
                for threads in [1, 3] {
                    let options = PlanOptions::new().threads(threads).sharing(sharing);
                    let branches = layers.map(Branch::new);
                    let siblings = Siblings::new(&branches, None, &options).unwrap();
                    let kernels = siblings.kernels().count();
                    assert!(sharing != Sharing::Kernel || kernels == 1);
                    assert!(sharing == Sharing::Kernel || sharing == Sharing::Best || kernels == 3);
                    assert_eq!(sharing == Sharing::Pieces, siblings.explain().contains("pieces"));
                    let packed = siblings.pack(&parameters).unwrap();
                    let mut got: Vec<Vec<f32>> =
                        shapes.iter().map(|shape| vec![f32::NAN; shape.output_len]).collect();
                    let mut outputs: Vec<&mut [f32]> =
                        got.iter_mut().map(Vec::as_mut_slice).collect();
                    siblings.run(&packed, &x, &[], &mut outputs, Pool::Serial).unwrap();
                    assert_eq!(got, want, "{} as {sharing} on {threads}", layers[0]);
                }
            }
        }
    }
}

#[test]
fn what_cannot_be_is_refused() {
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

    let siblings = |branches: &[Branch]| Siblings::new(branches, None, &options).map(|_| ());
    assert_eq!(siblings(&[]), Err(Error::BadBranchCount { given: 0, most: 16 }));
    let (a, b) = (Branch::new(layer), Branch::new(Layer::new(4, 2, 3, 3)));
    for (what, other) in [
        ("batch", b.layer.batch(2)),
        ("input channels", Layer::new(5, 2, 3, 3)),
        ("input size", Layer::new(4, 2, 3, 4)),
        ("input layout", b.layer.layout(Layout::Nchw)),
        ("stride", b.layer.stride(1, 2)),
        ("padding", b.layer.padding(pad)),
        ("groups", b.layer.groups(2)),
    ] {
        let refused = siblings(&[a, Branch::new(other)]);
        assert_eq!(refused, Err(Error::BranchesDisagree { branch: 1, what }));
    }
    let part = |first| View::of_channels(Layout::Nhwc, 10, first, 3, 3);
    assert_eq!(siblings(&[a.to(0, part(0)), b.to(0, part(8))]), Ok(()));
    assert_eq!(siblings(&[a.to(0, part(2)), b.to(0, part(0))]), Ok(()));
    let overlap = Err(Error::BranchesOverlap { first: 0, second: 1, buffer: 0 });
    assert_eq!(siblings(&[a.to(0, part(0)), b.to(0, part(7))]), overlap);
    // Found by marking: other pitches.
    let rows = View { offset: 0, channel: 1000, pixel: 1, row: 3, image: 0 };
    assert_eq!(siblings(&[a.to(0, part(0)), b.to(0, rows)]), overlap);
    assert_eq!(siblings(&[a.to(0, part(0)), b.to(0, View { offset: 200, ..rows })]), Ok(()));
    assert!(matches!(siblings(&[a.to(2, part(0)), b]), Err(Error::WrongCount { .. })));

    let two = Siblings::new(&[a, b], None, &options).unwrap();
    let weights = [Parameters::new(&[0.0; 32]), Parameters::new(&[0.0; 8])];
    assert!(matches!(two.pack(&weights[..1]), Err(Error::WrongCount { .. })));
    let packed = two.pack(&weights).unwrap();
    let run = |outputs: &mut [&mut [f32]]| two.run(&packed, &[0.0; 36], &[], outputs, Pool::Serial);
    assert_eq!(
        run(&mut [&mut [0.0; 72]]),
        Err(Error::WrongCount { what: "output buffers", given: 1, needed: 2 })
    );
    assert_eq!(
        run(&mut [&mut [0.0; 72], &mut [0.0; 17]]),
        Err(Error::WrongLength { what: "output", given: 17, needed: 18 })
    );
}

#[test]
fn folded_batch_norm_is_the_batch_norm_after_the_layer() {
    let (c, k) = (7, 5);
    let (mut weights, bias, x) = (values(c * k, 1), values(k, 2), values(c, 3));
    let (scale, shift, mean) = (values(k, 4), values(k, 5), values(k, 6));
    let variance: Vec<f32> = values(k, 7).iter().map(|v| v.abs()).collect();
    let norm =
        BatchNorm { scale: &scale, shift: &shift, mean: &mean, variance: &variance, epsilon: 1e-3 };
    let layer = Layer::new(c, k, 1, 1).bias(true);
    let plain = reference(&layer, &x, &weights, Some(&bias), None).unwrap();
    let folded = fold_batch_norm(&mut weights, Some(&bias), &norm).unwrap();
    let got = reference(&layer, &x, &weights, Some(&folded), None).unwrap();
    for i in 0..k {
        let v = f64::from(plain[i] - mean[i]) / (f64::from(variance[i]) + 1e-3).sqrt();
        let want = v * f64::from(scale[i]) + f64::from(shift[i]);
        assert!((f64::from(got[i]) - want).abs() < 1e-5, "{i}: {} is not {want}", got[i]);
    }

    let before = weights.clone();
    let zero = BatchNorm { variance: &[1.0, 0.0, 1.0, 1.0, 1.0], epsilon: 0.0, ..norm };
    assert_eq!(
        fold_batch_norm(&mut weights, None, &zero),
        Err(Error::BadBatchNorm { output: 1, variance: 0.0, epsilon: 0.0 })
    );
    let short = BatchNorm { mean: &mean[1..], ..norm };
    assert_eq!(
        fold_batch_norm(&mut weights, None, &short),
        Err(Error::WrongLength { what: "mean", given: 4, needed: 5 })
    );
    assert!(fold_batch_norm(&mut weights[1..], None, &norm).is_err());
    assert_eq!(weights, before);
}
