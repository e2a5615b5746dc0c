//! Every contender against the reference, on small layers with an odd size, stride, padding,
//! group or epilogue each. What isn't installed is skipped, and said so.

use pointwise::{Layer, Layout};
use pointwise_harness::contender::{Contender, Options, Refusal, all};
use pointwise_harness::data::{Data, Fill};
use pointwise_harness::verify::{CheckFailure, Checker};
use std::sync::Mutex;

/// Peers keep thread counts per process.
static ALONE: Mutex<()> = Mutex::new(());

const LAYERS: &[&str] = &[
    "c3h3w3k2",
    "c1h1w1k1/bias",
    "c17h5w7k13/bias+relu",
    "c64h14w14k24/bias+relu",
    "n3c19h6w5k33/bias+residual+relu",
    "n2c8h9w7k16/s2x1/bias+relu6",
    "c40h9w8k21/s3x2/bias+residual+clamp=-0.5..2.25",
    "n2c12h5w6k10/p1.2.3.4/bias+relu",
    "c12h5w6k10/s2/p1.0.0.1/residual",
    "n2c6h4w4k5/s4x3/p2.3.4.2/bias+residual+relu",
    "c24h7w7k36/g3/bias+relu",
    "n2c30h6w5k12/s2/g6/bias+residual+relu6",
    "c300h1w1k77/bias+relu",
    "n4c50h1w1k9/relu",
    "c513h3w3k5/clamp=-1..1",
];

fn layers() -> impl Iterator<Item = Layer> {
    LAYERS.iter().flat_map(|text| {
        let layer: Layer = text.parse().unwrap();
        Layout::ALL.map(|layout| layer.layout(layout))
    })
}

/// Checks one contender on the layers that it supports, and returns how many that were of how
/// many.
fn check(contender: &dyn Contender, threads: usize) -> (usize, usize) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    // Workers of peers spin while they wait for each other: on a busy machine that takes a time
    // slice each, so that they get fewer layers, of both layouts.
    let step = if threads > 1 && !contender.exact() { 7 } else { 1 };
    let (mut checked, mut offered) = (0, 0);
    for layer in layers().step_by(step) {
        // Some have one layout only.
        offered += usize::from(match contender.name() {
            "xnnpack" => layer.layout == Layout::Nhwc,
            "onnxruntime" | "tract" => layer.layout == Layout::Nchw,
            _ => true,
        });
        match pool.install(|| Checker::new(&layer, 7).check(contender, threads, None)) {
            Ok(()) => checked += 1,
            Err(CheckFailure::Refused(Refusal::Unsupported(why))) => {
                eprintln!("skipped: {} of {layer}: {why}", contender.name());
            }
            Err(failure) => panic!("{failure}"),
        }
    }
    (checked, offered)
}

#[test]
fn every_contender_computes_what_the_reference_does() {
    let _alone = ALONE.lock();
    for contender in all(&Options::default()) {
        if let Err(why) = contender.available() {
            eprintln!("skipped: {}: {why}", contender.name());
            continue;
        }
        assert!(!contender.version().is_empty(), "{} has no version", contender.name());
        for threads in [1, 2] {
            let (checked, offered) = check(contender.as_ref(), threads);
            eprintln!("{} on {threads} threads: {checked} layers", contender.name());
            assert_eq!(checked, offered, "{} on {threads} threads", contender.name());
        }
    }
}

#[test]
fn names_are_unique_and_the_fixed_ones_are_there() {
    let names: Vec<String> = all(&Options::default()).iter().map(|c| c.name().to_owned()).collect();
    for fixed in [
        "pointwise",
        "naive",
        "matrixmultiply",
        "gemm",
        "onednn",
        "onednn-any",
        "openblas",
        "xnnpack",
        "onnxruntime",
        "matrixmultiply-product",
        "gemm-product",
        "openblas-product",
    ] {
        assert_eq!(names.iter().filter(|name| *name == fixed).count(), 1, "{fixed} in {names:?}");
    }
    for kernel in pointwise::kernels() {
        assert_eq!(names.iter().filter(|name| *name == kernel.name()).count(), 1);
    }
}

#[test]
fn a_missing_peer_says_what_brings_it() {
    let nowhere = std::env::temp_dir().join("pointwise-no-peers-here");
    let options = Options { peers: Some(nowhere), ..Options::default() };
    for contender in all(&options) {
        // One that the system has is found all the same.
        if let Err(refusal) = contender.available() {
            let Refusal::Unavailable(why) = &refusal else { panic!("{refusal}") };
            let kernel =
                pointwise::kernels().iter().any(|kernel| kernel.name() == contender.name());
            let built_in = ["gemm", "gemm-product", "tract"].contains(&contender.name());
            let help = if built_in { "--features" } else { "install-peers" };
            assert!(kernel || why.contains(help), "{why}");
            assert_eq!(contender.version().is_empty(), !kernel);
            let data = Data::new(&Layer::new(2, 2, 2, 2), Fill::Random, 1).unwrap();
            assert!(contender.prepare(&data.case(1, None)).is_err());
        }
    }
}

#[test]
fn planning_and_packing_are_timed_where_they_happen() {
    let _alone = ALONE.lock();
    let layer = Layer::new(64, 64, 14, 14).bias(true);
    let data = Data::new(&layer, Fill::Random, 1).unwrap();
    for contender in all(&Options::default()) {
        if contender.available().is_err() {
            continue;
        }
        let prepared = match contender.prepare(&data.case(1, None)) {
            Ok(prepared) => prepared,
            Err(Refusal::Unsupported(_)) => continue,
            Err(refusal) => panic!("{}: {refusal}", contender.name()),
        };
        assert_eq!(prepared.setup_times().is_some(), contender.prepacks(), "{}", contender.name());
        if let Some(times) = prepared.setup_times() {
            assert!(times.plan_ns > 0.0 && times.pack_ns > 0.0, "{times:?}");
        }
    }
}

#[test]
fn outputs_are_nan_until_they_are_computed() {
    let _alone = ALONE.lock();
    for layout in Layout::ALL {
        let layer = Layer::new(20, 17, 5, 3).layout(layout);
        let data = Data::new(&layer, Fill::Random, 1).unwrap();
        for contender in all(&Options::default()) {
            if contender.available().is_err() {
                continue;
            }
            let Ok(mut prepared) = contender.prepare(&data.case(1, None)) else { continue };
            let output = prepared.output();
            assert_eq!(output.len(), 20 * 17 * 15 / 20);
            assert!(output.iter().all(|v| v.is_nan()), "{}", contender.name());
        }
    }
}
