//! Layers that share an input: the bits of the layers one by one.

use crate::case::{Case, runnable};
use crate::sums::assert_near;
use pointwise::{
    Activation, Branch, Error, Layer, Layout, Padding, Parameters, PlanOptions, Pool, Sharing,
    Siblings, View,
};

#[test]
fn siblings_give_the_bits_of_their_layers() {
    for layout in Layout::ALL {
        let base = |k| Layer::new(13, k, 5, 7).batch(2).layout(layout).bias(true);
        let layers = [
            base(40).activation(Activation::Relu),
            base(17).activation(Activation::Gelu),
            base(5).residual(true),
            base(33).average(true).activation(Activation::Tanh),
        ];
        let dense = Case::new(layers[0]).dense(&layers);
        assert_near(&dense);
        // The first and third share a buffer of 50 channels.
        let part = |first| View::of_channels(layout, 50, first, 5, 7);
        let branches = vec![
            Branch::new(layers[0]).to(0, part(10)),
            Branch::new(layers[1]),
            Branch::new(layers[2]).to(0, part(2)),
            Branch::new(layers[3]).to(2, View::dense(layout, 33, 1, 1)),
        ];
        let network = dense.placed(branches, None);
        let lengths: Vec<usize> = network.want.iter().map(Vec::len).collect();
        assert_eq!(lengths, [2 * 50 * 35, 2 * 17 * 35, 66]);
        for kernel in runnable() {
            for pack in [false, true] {
                network.assert(&Case::forced(layers[0], kernel, 3, pack).threads(2));
            }
        }
    }
}

#[test]
fn siblings_give_the_same_bits_however_they_share_the_input() {
    // More than half a megabyte of input.
    let base = |k| Layer::new(160, k, 33, 29).bias(true).activation(Activation::Relu);
    let padding = Padding::Explicit { top: 1, bottom: 0, left: 2, right: 1 };
    let shapes: [fn(Layer) -> Layer; 3] =
        [|l| l, |l| l.batch(2).stride(2, 1), |l| l.groups(4).shuffle(true)];
    for (change, layout) in
        shapes.into_iter().flat_map(|f| Layout::ALL.into_iter().map(move |layout| (f, layout)))
    {
        for padding in [Padding::Valid, padding] {
            let layers = [24, 20, 68].map(|k| change(base(k).layout(layout).padding(padding)));
            let network = Case::new(layers[0]).dense(&layers).whole();
            for sharing in Sharing::ALL {
                for threads in [1, 3] {
                    let options = PlanOptions::new().threads(threads).sharing(sharing);
                    let siblings = Siblings::new(&layers.map(Branch::new), None, &options).unwrap();
                    let kernels = siblings.kernels().count();
                    assert!(sharing != Sharing::Kernel || kernels == 1);
                    assert!(sharing == Sharing::Kernel || sharing == Sharing::Best || kernels == 3);
                    let checked = network.check_by(|slices| {
                        let packed = siblings.pack(&slices.parameters)?;
                        let outputs = &mut slices.outputs;
                        siblings.run(&packed, slices.input, &[], outputs, Pool::Serial)
                    });
                    if let Err(why) = checked {
                        panic!("{} as {sharing} on {threads}: {why}", layers[0]);
                    }
                }
            }
        }
    }
}

#[test]
fn branches_that_cannot_be_are_refused() {
    let options = PlanOptions::new();
    let layer = Layer::new(4, 8, 3, 3);
    let pad = Padding::Explicit { top: 1, bottom: 0, left: 0, right: 0 };
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
