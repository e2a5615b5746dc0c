//! Every kernel of the registry gives the reference's bits: on every tail, and on random layers.
//!
//! `POINTWISE_LAYERS=10000` tries that many random layers (`scripts/test-long`), another
//! `POINTWISE_SEED` others. A failing layer is shrunk and printed with the command that repeats
//! it.

use crate::case::{Case, Place, Values, runnable, tile};
use core::cell::Cell;
use pointwise::{Activation, Blocking, Isa, Kernel, Layer, Layout, Padding, PlanOptions};
use proptest::prelude::*;
use proptest::test_runner::{
    Config, FileFailurePersistence, RngAlgorithm, RngSeed, TestCaseError, TestError, TestRng,
    TestRunner,
};

#[test]
fn every_kernel_on_every_tail() {
    for kernel in runnable() {
        let (pixels, outputs) = tile(kernel);
        for (layout, pack) in Layout::ALL.into_iter().flat_map(|l| [(l, false), (l, true)]) {
            for w in 1..=pixels + 1 {
                let layer = Layer::new(5, outputs + 1, 1, w).layout(layout).bias(true);
                Case::forced(layer, kernel, 3, pack).assert();
            }
            for k in 1..=outputs + 1 {
                let layer = Layer::new(3, k, 2, pixels / 2 + 1)
                    .layout(layout)
                    .bias(true)
                    .residual(true)
                    .activation(Activation::Relu6);
                Case::forced(layer, kernel, 3, pack).assert();
            }
        }
    }
}

/// Each way in which rows of staged groups are copied, with and without whole vectors, by tasks
/// that begin at a later panel too.
#[test]
fn every_kernel_on_groups_of_every_number() {
    for kernel in runnable() {
        let (_, outputs) = tile(kernel);
        for (groups, shuffle) in (2..=9).flat_map(|groups| [(groups, false), (groups, true)]) {
            for of_each in [1, 3, 7, 16, 18, 21, 2 * outputs + 5] {
                let layer = Layer::new(2 * groups, of_each * groups, 3, 7)
                    .layout(Layout::Nhwc)
                    .groups(groups)
                    .shuffle(shuffle)
                    .bias(true);
                // Of two and of four parts all are of outputs, where these are enough panels.
                for (parts, threads) in [(0, 1), (1, 2), (1, 4)] {
                    let layer = layer.residual(of_each == 7);
                    let mut case = Case { parts, ..Case::forced(layer, kernel, 3, threads == 2) };
                    case.options.threads = threads;
                    case.assert();
                }
            }
        }
    }
}

/// Special values under every activation with bounds: a NaN passes a clamp, on whole tiles and on
/// partial ones.
#[test]
fn every_kernel_clamps_special_values() {
    for kernel in runnable() {
        let (pixels, outputs) = tile(kernel);
        let clamp = Activation::Clamp { lo: -0.5, hi: 0.5 };
        for activation in [Activation::Relu, Activation::Relu6, clamp] {
            for layout in Layout::ALL {
                for more in [0, 3] {
                    let layer = Layer::new(2, 4 * outputs + more, 1, 4 * pixels + more)
                        .layout(layout)
                        .activation(activation);
                    let values = Values::Special;
                    let case = Case { values, ..Case::forced(layer, kernel, 3, false) };
                    let nan = |case: &Case| case.network().want[0].iter().any(|v| v.is_nan());
                    let mut seeds = (1..200).map(|seed| Case { seed, ..case.clone() });
                    seeds.find(nan).expect("a seed with a NaN").assert();
                }
            }
        }
    }
}

#[test]
fn random_layers_scalar() {
    random_layers(Choice::Isa(Isa::Scalar));
}

#[test]
fn random_layers_neon() {
    random_layers(Choice::Isa(Isa::Neon));
}

#[test]
fn random_layers_avx2() {
    random_layers(Choice::Isa(Isa::Avx2));
}

#[test]
fn random_layers_avx512() {
    random_layers(Choice::Isa(Isa::Avx512));
}

#[test]
fn random_layers_as_planned() {
    random_layers(Choice::Planner);
}

/// The case in `POINTWISE_CASE`, where a failure of another test says to repeat it.
#[test]
fn the_case_given() {
    let given = std::env::var("POINTWISE_CASE").unwrap_or_else(|_| {
        "nhwc/n1c3h5w7k9/bias threads=2 pool=in values=special seed=7".to_owned()
    });
    given.parse::<Case>().unwrap().assert();
}

#[test]
fn a_case_survives_its_text() {
    let layer = Layer::new(6, 4, 5, 7).stride(2, 1).groups(2).residual(true);
    let case = Case {
        options: PlanOptions::new()
            .kernel("f32-scalar-ol-4x4")
            .blocking(Blocking::new(3, true))
            .threads(4),
        place: Place::Current,
        values: Values::Wide,
        seed: 99,
        views: true,
        siblings: 3,
        parts: 2,
        ..Case::new(layer)
    };
    assert_eq!(case.to_string().parse::<Case>(), Ok(case));
}

/// Which kernels a share of the random layers is for.
#[derive(Clone, Copy, PartialEq)]
enum Choice {
    Isa(Isa),
    Planner,
}

/// Tries this choice's share of `POINTWISE_LAYERS` random layers.
fn random_layers(choice: Choice) {
    let number = |name, default| match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}=`{text}` is not a number")),
        Err(_) => default,
    };
    let (layers, seed): (u64, u64) =
        (number("POINTWISE_LAYERS", 2000), number("POINTWISE_SEED", 1));
    let all = runnable();
    // Each kernel and the planner get the same number.
    let each = layers.div_ceil(all.len() as u64 + 1) as u32;
    let chosen: Vec<Option<&'static Kernel>> = match choice {
        Choice::Planner => vec![None],
        Choice::Isa(isa) => all.into_iter().filter(|k| k.isa() == isa).map(Some).collect(),
    };
    for kernel in chosen {
        let name = kernel.map_or("planner", Kernel::name);
        let config = Config {
            cases: each,
            // What failed is printed as a command; no file is left beside the sources.
            failure_persistence: None::<Box<FileFailurePersistence>>.map(|f| f as _),
            rng_seed: RngSeed::Fixed(seed),
            max_shrink_iters: 4000,
            ..Config::default()
        };
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        for (byte, letter) in bytes[8..].iter_mut().zip(name.bytes()) {
            *byte = letter;
        }
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let (tried, compared) = (Cell::new(0u32), Cell::new(0usize));
        let result = TestRunner::new_with_rng(config, rng).run(&cases(kernel), |case| {
            let outputs = case.check().map_err(TestCaseError::fail)?;
            tried.set(tried.get() + 1);
            compared.set(compared.get() + outputs);
            Ok(())
        });
        match result {
            Ok(()) => println!(
                "{name}: {} random layers, {} outputs, seed {seed}: the reference's bits",
                tried.get(),
                compared.get()
            ),
            Err(TestError::Fail(why, case)) => panic!("{why}\nrepeat it: {}", case.command()),
            Err(TestError::Abort(why)) => panic!("{name}: no cases: {why}"),
        }
    }
}

/// Random cases for `kernel`, or for the one the planner chooses.
fn cases(kernel: Option<&'static Kernel>) -> impl Strategy<Value = Case> {
    let blocking = (prop_oneof![4 => 1..=6usize, 1 => 1..=Blocking::MOST_UNITS], any::<bool>());
    let how = (proptest::option::weighted(0.8, blocking), 1..=8usize, 0..3usize);
    let fill = (0..Values::ALL.len(), 1..1_000_000u64);
    let siblings = prop_oneof![3 => Just(0usize), 1 => 1..=3usize];
    // The model leaves most layers of this size to one thread.
    let parts = prop_oneof![1 => Just(0usize), 1 => 1..=4usize];
    let around = (proptest::bool::weighted(0.4), siblings, parts);
    (layers(), how, fill, around).prop_map(move |(layer, how, (values, seed), around)| {
        let ((blocking, threads, place), (views, siblings, parts)) = (how, around);
        let mut options = PlanOptions::new().threads(threads);
        options.kernel = kernel.map(|kernel| kernel.name().to_owned());
        options.blocking = blocking.map(|(units, pack)| Blocking::new(units, pack));
        let (place, _) = Place::ALL[place];
        Case { layer, options, place, values: Values::ALL[values], seed, views, siblings, parts }
    })
}

/// Random layers, their sizes cut to what a reference in a test can take.
fn layers() -> impl Strategy<Value = Layer> {
    const MOST_PRODUCTS: usize = 400_000;
    let size = || prop_oneof![3 => 1..=17usize, 3 => 1..=72usize, 2 => 1..=300usize];
    let stride = || prop_oneof![3 => Just(1usize), 1 => 1..=4usize];
    let side = || 0..=5usize;
    let padding = prop_oneof![
        4 => Just(Padding::Valid),
        1 => Just(Padding::Same),
        2 => (side(), side(), side(), side()).prop_map(|(top, bottom, left, right)| {
            Padding::Explicit { top, bottom, left, right }
        }),
    ];
    let activation = prop_oneof![
        3 => (0..Activation::PLAIN.len()).prop_map(|index| Activation::PLAIN[index]),
        1 => (-2.0..2.0f32, 0.0..2.0f32)
            .prop_map(|(lo, more)| Activation::Clamp { lo, hi: lo + more }),
        1 => Just(Activation::Clamp { lo: -0.0, hi: f32::INFINITY }),
        1 => (-1.0..2.0f32).prop_map(|slope| Activation::LeakyRelu { slope }),
        1 => Just(Activation::Prelu),
    ];
    let sizes = (size(), size(), size(), size(), 1..=4usize);
    let seldom = || proptest::bool::weighted(0.2);
    let layouts = (any::<bool>(), seldom(), seldom(), seldom());
    let geometry = (layouts, stride(), stride(), padding);
    let groups = prop_oneof![3 => Just(1usize), 1 => 2..=9usize];
    let rest = (groups, any::<bool>(), any::<bool>(), activation);
    (sizes, geometry, rest).prop_map(
        |(
            (c, k, h, w, n),
            ((nchw, other, shuffle, average), rows, columns, padding),
            (groups, bias, residual, activation),
        )| {
            let (c, k) = (c.div_ceil(groups), k.div_ceil(groups));
            let products = c * k * groups;
            let w = w.min(MOST_PRODUCTS.div_ceil(products * n));
            let h = h.min(MOST_PRODUCTS.div_ceil(products * n * w));
            let layer = Layer::new(c * groups, k * groups, h, w)
                .batch(n)
                .layout(Layout::ALL[usize::from(!nchw)])
                .output_layout(Layout::ALL[usize::from(nchw == other)])
                .shuffle(shuffle)
                .average(average)
                .stride(rows, columns)
                .groups(groups)
                .bias(bias)
                .residual(residual)
                .activation(activation);
            let padded = layer.padding(padding);
            // Some strides step over the whole input of a padded layer.
            if padded.check().is_ok() { padded } else { layer }
        },
    )
}
