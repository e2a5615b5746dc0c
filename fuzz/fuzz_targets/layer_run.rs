//! Describe → plan → pack → run, of small layers: refused, or the bits of the reference. Slices of
//! wrong lengths are refused.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use pointwise::{
    Activation, Blocking, Layer, Layout, Padding, Plan, PlanOptions, Pool, kernels, reference,
};

#[derive(Arbitrary, Debug)]
struct Input {
    sizes: [u8; 5],
    strides: [u8; 2],
    padding: Option<[u8; 4]>,
    groups: u8,
    nchw: bool,
    bias: bool,
    residual: bool,
    clamp: Option<(f32, f32)>,
    kernel: u8,
    blocking: Option<(u8, bool)>,
    threads: u8,
    /// By how much each slice is longer than it should be, seldom other than 0.
    longer: [u8; 4],
    /// Bits that the tensors are filled with, over and over.
    values: Vec<u32>,
}

fuzz_target!(|given: Input| {
    let [n, c, k, h, w] = given.sizes.map(usize::from);
    let padding = given.padding.map_or(Padding::Same, |sides| {
        let [top, bottom, left, right] = sides.map(|side| usize::from(side % 16));
        Padding::Explicit { top, bottom, left, right }
    });
    let groups = usize::from(given.groups % 8);
    let layer = Layer::new((c % 48) * groups, (k % 80) * groups, h % 24, w % 24)
        .batch(n % 4)
        .layout(if given.nchw { Layout::Nchw } else { Layout::Nhwc })
        .stride(usize::from(given.strides[0] % 6), usize::from(given.strides[1] % 6))
        .padding(padding)
        .groups(groups)
        .bias(given.bias)
        .residual(given.residual)
        .activation(given.clamp.map_or(Activation::None, |(lo, hi)| Activation::Clamp { lo, hi }));
    let mut options = PlanOptions::new().threads(usize::from(given.threads % 10));
    if let Some(kernel) = kernels().get(usize::from(given.kernel)) {
        options = options.kernel(kernel.name());
    }
    if let Some((units, pack)) = given.blocking {
        options = options.blocking(Blocking::new(usize::from(units), pack));
    }
    let Ok(shape) = layer.check() else {
        assert!(Plan::new(&layer, &options).is_err());
        return;
    };
    if shape.macs > 200_000 || shape.output_len > 200_000 {
        return;
    }
    let Ok(plan) = Plan::new(&layer, &options) else { return };
    let mut bits = given.values.iter().copied().cycle();
    let mut tensor = |len: usize, longer: u8| -> Vec<f32> {
        let len = len + usize::from(longer.saturating_sub(250));
        (0..len).map(|_| f32::from_bits(bits.next().unwrap_or(0x3F80_0000))).collect()
    };
    let input = tensor(shape.input_len, given.longer[0]);
    let weights = tensor(shape.weights_len, given.longer[1]);
    let bias = layer.bias.then(|| tensor(layer.k, given.longer[2]));
    let residual = layer.residual.then(|| tensor(shape.output_len, given.longer[3]));
    let want = reference(&layer, &input, &weights, bias.as_deref(), residual.as_deref());
    let poison = f32::from_bits(0x5EAD_BEEF);
    let mut got = vec![poison; shape.output_len];
    let ran = plan.pack(&weights, bias.as_deref()).and_then(|packed| {
        plan.run(&packed, &input, residual.as_deref(), &mut got, Pool::Serial)
    });
    match (ran, want) {
        (Ok(()), Ok(want)) => {
            for (at, (got, want)) in got.iter().zip(&want).enumerate() {
                let same = got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan());
                assert!(same, "{layer} {options:?}: output {at} is {got:e}, not {want:e}");
            }
        }
        (Err(ran), Err(want)) => {
            assert_eq!(ran, want);
            assert!(got.iter().all(|v| v.to_bits() == poison.to_bits()));
        }
        (ran, want) => panic!("{layer}: run {ran:?}, reference {:?}", want.map(drop)),
    }
});
