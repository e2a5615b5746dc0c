//! GoogLeNet's Inception module 3a (Szegedy et al. 2014): the three 1×1 branches that read the
//! module's input run as one plan, and all four branches write straight into their parts of the
//! concatenated output.
//!
//! ```text
//! cargo run --release -p pointwise --example inception
//! ```

mod blocks;

use blocks::sizes::inception_3a::{
    FIVE, IMAGE, INPUT, ONE, OUTPUT, POOLED, REDUCE3, REDUCE5, THREE,
};
use blocks::{difference, plain_convolution, plain_max_pool, values};
use pointwise::{
    Activation, Branch, Error, Layer, Layout, Parameters, Plan, PlanOptions, Pool, Siblings, View,
    Views, convolve,
};

fn main() -> Result<(), Error> {
    let [h, w] = IMAGE;
    let pixels = h * w;
    let options = PlanOptions::new();
    let layer = |k| Layer::new(INPUT, k, h, w).bias(true).activation(Activation::Relu);
    let part = |first| View::of_channels(Layout::Nhwc, OUTPUT, first, h, w);
    let ks = [ONE, REDUCE3, REDUCE5, POOLED];
    let weights = ks.map(|k| values(k * INPUT, k as u64, 0.1));
    let biases = ks.map(|k| values(k, 1 + k as u64, 0.1));
    let weights3 = values(THREE * 9 * REDUCE3, 3, 0.05);
    let weights5 = values(FIVE * 25 * REDUCE5, 5, 0.05);
    let input = values(pixels * INPUT, 7, 1.0);

    // Planned and packed once.
    let siblings = Siblings::new(
        &[
            Branch::new(layer(ONE)).to(0, part(0)),
            Branch::new(layer(REDUCE3)),
            Branch::new(layer(REDUCE5)),
        ],
        None,
        &options,
    )?;
    let parameters: [Parameters<'_>; 3] =
        core::array::from_fn(|i| Parameters::new(&weights[i]).bias(&biases[i]));
    let packed = siblings.pack(&parameters)?;
    let views = Views::new().output(part(ONE + THREE + FIVE));
    let pooled = Plan::with_views(&layer(POOLED), &views, &options)?;
    let pooled_packed = pooled.pack(&weights[3], Some(&biases[3]))?;

    // One run of the module.
    let mut output = vec![0.0; pixels * OUTPUT];
    let (mut reduced3, mut reduced5) = (vec![0.0; pixels * REDUCE3], vec![0.0; pixels * REDUCE5]);
    let outputs = &mut [&mut output[..], &mut reduced3[..], &mut reduced5[..]];
    siblings.run(&packed, &input, &[], outputs, Pool::Serial)?;
    // Plain loops: put your 3×3 and 5×5 convolutions and your pool here.
    plain_convolution(&reduced3, [h, w, REDUCE3], &weights3, 3, &mut output, [OUTPUT, ONE]);
    plain_convolution(&reduced5, [h, w, REDUCE5], &weights5, 5, &mut output, [OUTPUT, ONE + THREE]);
    let pool = plain_max_pool(&input, [h, w, INPUT]);
    pooled.run(&pooled_packed, &pool, None, &mut output, Pool::Serial)?;

    // The same module layer by layer, concatenated afterwards.
    let alone = |i: usize, input: &[f32]| {
        convolve(&layer(ks[i]), input, &weights[i], Some(&biases[i]), None)
    };
    let (mut three, mut five) = (vec![0.0; pixels * THREE], vec![0.0; pixels * FIVE]);
    plain_convolution(&alone(1, &input)?, [h, w, REDUCE3], &weights3, 3, &mut three, [THREE, 0]);
    plain_convolution(&alone(2, &input)?, [h, w, REDUCE5], &weights5, 5, &mut five, [FIVE, 0]);
    let (one, four) = (alone(0, &input)?, alone(3, &pool)?);
    let branches = [(&one, ONE), (&three, THREE), (&five, FIVE), (&four, POOLED)];
    let want: Vec<f32> = (0..pixels)
        .flat_map(|p| branches.iter().flat_map(move |(y, k)| y[p * k..][..*k].iter().copied()))
        .collect();
    assert_eq!(output, want, "the module differs by {}", difference(&output, &want));
    println!("the fused module has the bits of its layers one by one");
    println!("{}", siblings.explain());
    Ok(())
}
