//! The cases of the differential test, chosen by the fuzzer: layers through views with gaps, with
//! siblings, in pools, all kinds of values. The bits of the reference, and nothing written
//! between them.
#![no_main]

// The tests' own cases, so that a failure prints the command that repeats it.
#[path = "../../kernels/tests/case/mod.rs"]
mod case;

use arbitrary::Arbitrary;
use case::{Case, Place, Values};
use libfuzzer_sys::fuzz_target;
use pointwise_fuzz::Described;

#[derive(Arbitrary, Debug)]
struct Input {
    described: Described,
    place: u8,
    values: u8,
    seed: u32,
    views: bool,
    siblings: u8,
}

fuzz_target!(|given: Input| {
    let layer = given.described.layer();
    let Ok(shape) = layer.check() else { return };
    let siblings = usize::from(given.siblings % 5);
    // Siblings have up to 40 outputs each, and a batch of averages a pass over its pixels.
    let beside = (siblings * 40 * layer.c) as u128 * (shape.residual_len / layer.k) as u128;
    if shape.macs + beside > 150_000 || shape.residual_len > 50_000 {
        return;
    }
    let mut options = given.described.options();
    options.threads = 1 + usize::from(given.described.threads % 8);
    if options.blocking.is_some_and(|blocking| !(1..=64).contains(&blocking.units)) {
        options.blocking = None;
    }
    if let Some(name) = &options.kernel
        && !pointwise::kernels().iter().any(|k| k.name() == name && k.is_available())
    {
        options.kernel = None;
    }
    let case = Case {
        layer,
        options,
        place: Place::ALL[usize::from(given.place) % 3].0,
        values: Values::ALL[usize::from(given.values) % Values::ALL.len()],
        seed: u64::from(given.seed) + 1,
        views: given.views,
        siblings,
        parts: usize::from(given.place / 3),
    };
    case.assert();
});
