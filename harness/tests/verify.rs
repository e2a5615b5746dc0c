//! The verifier finds contenders out that are wrong in one way each.

use pointwise::{Activation, Layer, Layout};
use pointwise_harness::contender::{Case, Contender, Prepared, Refusal};
use pointwise_harness::verify::{CheckFailure, Checker, Mismatch};

/// Computes the reference, then spoils it.
struct Broken {
    exact: bool,
    /// Gets the run (from 0) and the right output.
    spoil: fn(&Case<'_>, usize, Vec<f32>) -> Vec<f32>,
}

impl Contender for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    fn version(&self) -> String {
        "1".to_owned()
    }

    fn available(&self) -> Result<(), Refusal> {
        Ok(())
    }

    fn exact(&self) -> bool {
        self.exact
    }

    fn prepacks(&self) -> bool {
        false
    }

    fn prepare<'a>(&'a self, case: &Case<'_>) -> Result<Box<dyn Prepared + 'a>, Refusal> {
        let right =
            pointwise::reference(case.layer, case.input, case.weights, case.bias, case.residual)
                .map_err(|e| Refusal::Failed(e.to_string()))?;
        let results = (0..2).map(|run| (self.spoil)(case, run, right.clone())).collect();
        Ok(Box::new(Results { results, runs: 0 }))
    }
}

struct Results {
    results: Vec<Vec<f32>>,
    runs: usize,
}

impl Prepared for Results {
    fn run(&mut self) -> Result<(), Refusal> {
        self.runs += 1;
        Ok(())
    }

    fn output(&mut self) -> Vec<f32> {
        self.results[self.runs - 1].clone()
    }

    fn kernel(&self) -> String {
        "f32-broken-1x1".to_owned()
    }
}

fn layer() -> Layer {
    Layer::new(48, 6, 4, 5).batch(2).bias(true)
}

fn check(broken: &Broken, layer: &Layer) -> Result<(), CheckFailure> {
    Checker::new(layer, 3).check(broken, 1, None)
}

fn mismatch(broken: &Broken, layer: &Layer) -> Mismatch {
    match check(broken, layer) {
        Err(CheckFailure::Mismatch(mismatch)) => *mismatch,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_right_output_passes_both_ways() {
    for exact in [true, false] {
        check(&Broken { exact, spoil: |_, _, y| y }, &layer()).unwrap();
    }
}

#[test]
fn the_first_wrong_element_is_named_in_both_layouts() {
    fn spoil(case: &Case<'_>, _: usize, mut y: Vec<f32>) -> Vec<f32> {
        // n = 1, k = 4, y = 2, x = 3, then one after it.
        let at = match case.layer.layout {
            Layout::Nchw => ((6 + 4) * 4 + 2) * 5 + 3,
            Layout::Nhwc => ((4 + 2) * 5 + 3) * 6 + 4,
        };
        y[at] = 1.5;
        y[at + 7] = f32::NAN;
        y
    }
    for layout in Layout::ALL {
        for exact in [true, false] {
            let layer = layer().layout(layout);
            let mismatch = mismatch(&Broken { exact, spoil }, &layer);
            assert_eq!((mismatch.at, mismatch.wrong), ([1, 4, 2, 3], 2));
            assert_eq!((mismatch.got, mismatch.layer), (1.5, layer));
            let text = mismatch.to_string();
            for part in [
                &*layer.to_string(),
                "broken",
                "f32-broken-1x1",
                layout.name(),
                "n=1 k=4 y=2 x=3",
                "0x3fc00000",
                "2 of 240",
            ] {
                assert!(text.contains(part), "`{part}` is not in: {text}");
            }
        }
    }
}

#[test]
fn exact_means_every_bit() {
    fn last_bit(_: &Case<'_>, _: usize, mut y: Vec<f32>) -> Vec<f32> {
        let last = y.last_mut().unwrap();
        *last = f32::from_bits(last.to_bits() ^ 1);
        y
    }
    let found = mismatch(&Broken { exact: true, spoil: last_bit }, &layer());
    assert_eq!((found.index, found.allowed), (239, None));
    // Who sums in another order is allowed that much on random values.
    let found = mismatch(&Broken { exact: false, spoil: last_bit }, &layer());
    assert_eq!(found.fill.to_string(), "integer");
}

#[test]
fn flushed_subnormals_and_lost_signs_of_zero_are_found() {
    let flush = Broken {
        exact: true,
        spoil: |_, _, y| y.into_iter().map(|v| if v.is_subnormal() { 0.0 } else { v }).collect(),
    };
    // One product, so that outputs are subnormal, and no bias that would swallow them.
    let thin = Layer::new(1, 64, 9, 9);
    assert_eq!(mismatch(&flush, &thin).fill.to_string(), "special");
    let unsign = Broken { exact: true, spoil: |_, _, y| y.into_iter().map(|v| v + 0.0).collect() };
    let clamped = thin.activation(Activation::Clamp { lo: -0.0, hi: 1.0 });
    assert_eq!(mismatch(&unsign, &clamped).want.to_bits(), (-0.0f32).to_bits());
}

#[test]
fn nan_must_be_where_the_reference_has_it() {
    let cleaned = Broken {
        exact: true,
        spoil: |_, _, y| y.into_iter().map(|v| if v.is_nan() { 0.0 } else { v }).collect(),
    };
    assert!(mismatch(&cleaned, &layer()).want.is_nan());
    // Any NaN is as good as another.
    let other = Broken {
        exact: true,
        spoil: |_, _, y| y.into_iter().map(|v| if v.is_nan() { -f32::NAN } else { v }).collect(),
    };
    check(&other, &layer()).unwrap();
}

#[test]
fn a_forgotten_channel_exceeds_the_tolerance_however_many_there_are() {
    fn forget(case: &Case<'_>, _: usize, mut y: Vec<f32>) -> Vec<f32> {
        y[0] -= case.input[0] * case.weights[0];
        y
    }
    for c in [1, 64, 2048] {
        let layer = Layer::new(c, 1, 1, 1);
        let found = mismatch(&Broken { exact: false, spoil: forget }, &layer);
        assert_eq!(found.fill.to_string(), "random", "{found}");
    }
}

#[test]
fn a_run_that_adds_to_the_last_one_is_found() {
    let accumulates = Broken {
        exact: false,
        spoil: |_, run, y| y.into_iter().map(|v| v * (run + 1) as f32).collect(),
    };
    mismatch(&accumulates, &layer());
}

#[test]
fn another_length_is_a_mismatch() {
    let short = Broken { exact: true, spoil: |_, _, y| y[1..].to_vec() };
    let found = mismatch(&short, &layer());
    assert_eq!((found.len, found.expected_len), (239, 240));
    assert!(found.to_string().contains("239 outputs instead of 240"), "{found}");
}
