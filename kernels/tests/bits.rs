//! Every kernel of the registry gives the reference's bits, on every tail.

use pointwise::{
    Activation, Blocking, Kernel, Layer, Layout, Padding, Parameters, Plan, PlanOptions, Pool,
    kernels, reference_of,
};

/// A small deterministic generator, so that a failing case can be repeated from its layer alone.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// Mostly plain values, and some of those that arithmetic treats apart.
    fn value(&mut self, special: bool) -> f32 {
        const SPECIAL: [f32; 12] = [
            0.0,
            -0.0,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NAN,
            f32::MIN_POSITIVE,
            -1.0e-40,
            1.0e-45,
            f32::MAX,
            f32::MIN,
            1.0,
            -1.0,
        ];
        let plain = (self.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
        match self.below(16) {
            0 if special => SPECIAL[self.below(SPECIAL.len())],
            1 if special => plain * 1.0e-38,
            _ => plain,
        }
    }

    fn values(&mut self, len: usize, special: bool) -> Vec<f32> {
        (0..len).map(|_| self.value(special)).collect()
    }
}

fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

/// Runs one layer with one set of options against the reference.
fn check(layer: &Layer, options: &PlanOptions, special: bool) {
    let shape = layer.check().unwrap();
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15 ^ (shape.macs as u64) << 1 | 1);
    let input = numbers.values(shape.input_len, special);
    let weights = numbers.values(shape.weights_len, special);
    let bias = layer.bias.then(|| numbers.values(layer.k, special));
    let slopes = (layer.activation == Activation::Prelu).then(|| numbers.values(layer.k, false));
    let residual = layer.residual.then(|| numbers.values(shape.residual_len, special));
    let mut parameters = Parameters::new(&weights);
    (parameters.bias, parameters.slopes) = (bias.as_deref(), slopes.as_deref());
    let want = reference_of(layer, &input, &parameters, residual.as_deref()).unwrap();
    let plan = Plan::new(layer, options).unwrap();
    let packed = plan.pack_parameters(&parameters).unwrap();
    let mut got = vec![f32::from_bits(0x7FC0_DEAD); shape.output_len];
    plan.run(&packed, &input, residual.as_deref(), &mut got, Pool::Serial).unwrap();
    for (index, (got, want)) in got.iter().zip(&want).enumerate() {
        assert!(
            same(*got, *want),
            "layer {layer}, {options:?}: element {index} is {got:e}, not {want:e}"
        );
    }
}

/// The kernels this machine runs under the cap that the environment sets. Those it should have
/// and lacks are a failure where `POINTWISE_REQUIRE_ISA` says so, else said to be skipped.
fn runnable() -> Vec<&'static Kernel> {
    let cap = std::env::var("POINTWISE_ISA").ok().map(|isa| isa.parse().unwrap());
    let required = std::env::var("POINTWISE_REQUIRE_ISA").unwrap_or_default();
    for isa in required.split(',').filter(|isa| !isa.is_empty()) {
        assert!(
            isa.parse::<pointwise::Isa>().unwrap().is_available(),
            "POINTWISE_REQUIRE_ISA names {isa}, which this machine lacks"
        );
    }
    let (run, skip): (Vec<_>, Vec<_>) = kernels()
        .iter()
        .partition(|kernel| kernel.is_available() && cap.is_none_or(|cap| kernel.isa() <= cap));
    for kernel in skip {
        eprintln!("skipped: {} (needs {})", kernel.name(), kernel.isa().needs());
    }
    run
}

#[test]
fn every_kernel_on_every_tail() {
    for kernel in runnable() {
        for layout in Layout::ALL {
            for pack in [false, true] {
                let options =
                    PlanOptions::new().kernel(kernel.name()).blocking(Blocking::new(3, pack));
                let (rows, columns) = (kernel.rows(), kernel.columns());
                let (pixels, outputs) = match kernel.family() {
                    pointwise::Family::Outputs => (rows, columns),
                    pointwise::Family::Pixels => (columns, rows),
                };
                for w in 1..=pixels + 1 {
                    let layer = Layer::new(5, outputs + 1, 1, w).layout(layout).bias(true);
                    check(&layer, &options, false);
                }
                for k in 1..=outputs + 1 {
                    let layer = Layer::new(3, k, 2, pixels / 2 + 1)
                        .layout(layout)
                        .bias(true)
                        .residual(true)
                        .activation(Activation::Relu6);
                    check(&layer, &options, false);
                }
            }
        }
    }
}

#[test]
fn every_kernel_on_random_layers_with_special_values() {
    let mut numbers = Numbers(2024);
    for kernel in runnable() {
        for _ in 0..60 {
            let groups = [1, 1, 1, 2, 3][numbers.below(5)];
            let mut layer = Layer::new(
                groups * (1 + numbers.below(40)),
                groups * (1 + numbers.below(70)),
                1 + numbers.below(12),
                1 + numbers.below(12),
            )
            .batch(1 + numbers.below(3))
            .layout(Layout::ALL[numbers.below(2)])
            .stride(1 + numbers.below(3), 1 + numbers.below(3))
            .groups(groups)
            .bias(numbers.below(2) == 0)
            .residual(numbers.below(2) == 0)
            .activation(
                [
                    Activation::None,
                    Activation::Relu,
                    Activation::Relu6,
                    Activation::Clamp { lo: -0.25, hi: 0.5 },
                ][numbers.below(4)],
            );
            if numbers.below(3) == 0 {
                let side = |numbers: &mut Numbers| numbers.below(3);
                let padded = layer.padding(Padding::Explicit {
                    top: side(&mut numbers),
                    bottom: side(&mut numbers),
                    left: side(&mut numbers),
                    right: side(&mut numbers),
                });
                if padded.check().is_ok() {
                    layer = padded;
                }
            }
            let options = PlanOptions::new()
                .kernel(kernel.name())
                .blocking(Blocking::new(1 + numbers.below(5), numbers.below(2) == 0))
                .threads(1 + numbers.below(8));
            check(&layer, &options, true);
        }
    }
}

#[test]
fn the_choice_of_the_plan_on_random_layers() {
    let mut numbers = Numbers(77);
    for _ in 0..200 {
        let layer = Layer::new(
            1 + numbers.below(300),
            1 + numbers.below(300),
            1 + numbers.below(17),
            1 + numbers.below(17),
        )
        .layout(Layout::ALL[numbers.below(2)])
        .stride(1 + numbers.below(2), 1 + numbers.below(2))
        .bias(true)
        .activation(Activation::Relu);
        check(&layer, &PlanOptions::new().threads(1 + numbers.below(4)), true);
    }
}

/// Everything that a network may ask of a layer, in any combination.
#[test]
fn every_kernel_on_random_layers_with_everything() {
    let mut numbers = Numbers(4);
    for kernel in runnable() {
        for _ in 0..100 {
            let groups = [1, 1, 2, 3, 4][numbers.below(5)];
            let activation = match numbers.below(12) {
                index @ 0..9 => Activation::PLAIN[index],
                9 => Activation::LeakyRelu { slope: 0.1 },
                10 => Activation::Prelu,
                _ => Activation::Clamp { lo: -0.25, hi: 0.5 },
            };
            let mut layer = Layer::new(
                groups * (1 + numbers.below(20)),
                groups * (1 + numbers.below(60)),
                1 + numbers.below(9),
                1 + numbers.below(9),
            )
            .batch(1 + numbers.below(3))
            .layout(Layout::ALL[numbers.below(2)])
            .output_layout(Layout::ALL[numbers.below(2)])
            .stride(1 + numbers.below(2), 1 + numbers.below(2))
            .groups(groups)
            .shuffle(numbers.below(2) == 0)
            .average(numbers.below(3) == 0)
            .bias(numbers.below(2) == 0)
            .residual(numbers.below(2) == 0)
            .activation(activation);
            if numbers.below(4) == 0 {
                let padded =
                    layer.padding(Padding::Explicit { top: 1, bottom: 2, left: 0, right: 1 });
                if padded.check().is_ok() {
                    layer = padded;
                }
            }
            let options = PlanOptions::new()
                .kernel(kernel.name())
                .blocking(Blocking::new(1 + numbers.below(5), numbers.below(2) == 0))
                .threads(1 + numbers.below(8));
            check(&layer, &options, true);
        }
    }
}
