//! Times every candidate of many layers, for fitting the cost model and checking it.
//!
//! `candidates FILE SET SECONDS` appends to FILE the layers of SET (`catalog`, or `random:SEED:N`)
//! that it does not have yet, until the time is up. A layer is a line `= TEXT cycle NS`, then a
//! line a candidate: kernel, units of a block, `packed` or `direct`, nanoseconds. Every
//! candidate is timed once; those within a quarter of the best six more times in turn.

use pointwise::{
    Activation, Blocking, Family, Isa, Layer, Layout, PackedWeights, Plan, PlanOptions, Pool,
    kernels,
};
use pointwise_harness::catalog;
use std::io::Write;
use std::rc::Rc;
use std::time::Instant;

struct Timed {
    plan: Plan,
    weights: Rc<PackedWeights>,
    ns: Vec<f64>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, file, set, seconds] = &arguments[..] else {
        eprintln!("usage: candidates FILE SET SECONDS");
        std::process::exit(2);
    };
    let begin = Instant::now();
    let seconds: f64 = seconds.parse().expect("seconds");
    let known = std::fs::read_to_string(file).unwrap_or_default();
    let known: Vec<&str> = known
        .lines()
        .filter_map(|line| line.strip_prefix("= ").map(|l| l.split(' ').next().unwrap()))
        .collect();
    let mut out = std::fs::OpenOptions::new().create(true).append(true).open(file).expect("file");
    let mut left = 0;
    for layer in layers(set) {
        if known.contains(&layer.to_string().as_str()) {
            continue;
        }
        if begin.elapsed().as_secs_f64() > seconds {
            left += 1;
            continue;
        }
        let text = measure(&layer);
        out.write_all(text.as_bytes()).expect("write");
    }
    eprintln!("{left} layers left");
}

fn layers(set: &str) -> Vec<Layer> {
    let epilogue = |layer: Layer| layer.bias(true).activation(Activation::Relu);
    let mut layers: Vec<Layer> = Vec::new();
    let mut add = |layer: Layer| {
        for layout in [Layout::Nhwc, Layout::Nchw] {
            let layer = epilogue(layer).residual(false).layout(layout);
            if !layers.contains(&layer) {
                layers.push(layer);
            }
        }
    };
    if let Some(random) = set.strip_prefix("random:") {
        let (seed, count) = random.split_once(':').expect("random:SEED:N");
        let mut state: u64 = seed.parse::<u64>().unwrap().wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut unit = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let mut many = 0;
        let count: usize = count.parse().unwrap();
        while many < count {
            let mut size = |lo: f64, hi: f64| {
                let v = (lo * (hi / lo).powf(unit())).round() as usize;
                // Half of them round, as sizes of networks are.
                if unit() < 0.5 && v >= 32 { v / 16 * 16 } else { v }
            };
            let (c, k) = (size(8.0, 2048.0), size(8.0, 2048.0));
            let side = (112f64.powf(unit())).round() as usize;
            let layer = Layer::new(c, k, side, side);
            let macs = (c * k * side * side) as f64;
            if macs < 4e8 {
                add(layer);
                many += 1;
            }
        }
    } else {
        let first = ["resnet50", "googlenet", "inception_v3"];
        let rest = ["resnet18", "inception_v4", "mobilenet_v1", "mobilenet_v2"];
        let rest: Vec<_> = catalog::networks()
            .iter()
            .map(|n| n.name)
            .filter(|n| rest.contains(n) || n.contains("shuffle"))
            .collect();
        for name in first.into_iter().chain(rest) {
            let all = catalog::catalog().iter().filter(|entry| entry.network == name);
            for entry in all.step_by(if first.contains(&name) { 1 } else { 4 }) {
                add(entry.layer);
            }
        }
    }
    layers
}

/// Nanoseconds of a cycle: a chain of dependent additions.
fn cycle() -> f64 {
    (0..5)
        .map(|_| {
            let begin = Instant::now();
            let mut x = std::hint::black_box(3u64);
            for i in 0..20_000u64 {
                x = x.wrapping_mul(x) ^ i;
            }
            std::hint::black_box(x);
            begin.elapsed().as_nanos() as f64 / 20_000.0
        })
        .fold(f64::INFINITY, f64::min)
}

fn measure(layer: &Layer) -> String {
    let shape = layer.check().expect("layer");
    let input = vec![0.5f32; shape.input_len];
    let values = vec![0.25f32; shape.weights_len];
    let bias = vec![0.1f32; layer.k];
    let mut output = vec![0.0f32; shape.output_len];
    let pixels = layer.n * shape.rows.len() * shape.columns.len();
    let mut all: Vec<Timed> = Vec::new();
    for kernel in kernels().iter().filter(|k| k.is_available() && k.isa() != Isa::Scalar) {
        let width = match kernel.family() {
            Family::Outputs => kernel.rows(),
            Family::Pixels => kernel.columns(),
        };
        for pack in [false, true] {
            let mut before = 0;
            for units in [1, 2, 4, 8, 16, 32, 64] {
                if before * width >= pixels {
                    continue;
                }
                before = units;
                let blocking = Blocking::new(units, pack);
                let options = PlanOptions::new().kernel(kernel.name()).blocking(blocking);
                let plan = Plan::new(layer, &options).expect("plan");
                if plan.blocking() != blocking {
                    continue;
                }
                let weights = Rc::new(plan.pack(&values, Some(&bias)).expect("pack"));
                // One copy of what several read: where in memory it lies is then no difference.
                let same = all.iter().find(|t| {
                    t.plan.kernel().isa() == kernel.isa()
                        && format!("{:?}", t.weights) == format!("{weights:?}")
                });
                let weights = same.map_or(weights, |t| t.weights.clone());
                all.push(Timed { plan, weights, ns: Vec::new() });
            }
        }
    }
    let mut sample = |timed: &mut Timed, ns: f64| {
        let mut run = || {
            timed.plan.run(&timed.weights, &input, None, &mut output, Pool::Serial).expect("run");
        };
        // Others' weights and scratch have been through the caches since.
        for _ in 0..3 {
            run();
        }
        let once = Instant::now();
        run();
        let once = once.elapsed().as_nanos() as f64;
        let times = (ns / once).ceil().clamp(1.0, 1e4);
        if times == 1.0 && ns < 3e5 {
            timed.ns.push(once);
            return;
        }
        let begin = Instant::now();
        for _ in 0..times as usize {
            run();
        }
        timed.ns.push(begin.elapsed().as_nanos() as f64 / times);
    };
    for _ in 0..2 {
        for timed in &mut all {
            sample(timed, 6e4);
        }
    }
    for timed in &mut all {
        timed.ns = vec![timed.ns[0].min(timed.ns[1])];
    }
    for isa in [Isa::Avx2, Isa::Avx512] {
        let best = all
            .iter()
            .filter(|t| t.plan.kernel().isa() <= isa)
            .map(|t| t.ns[0])
            .fold(f64::INFINITY, f64::min);
        for round in 0..5 {
            for timed in &mut all {
                if timed.plan.kernel().isa() <= isa
                    && timed.ns[0] < best * 1.3
                    && timed.ns.len() <= round + 1
                {
                    sample(timed, 2e5);
                }
            }
        }
    }
    let mut text = format!("= {layer} cycle {:.5}\n", cycle() / 4.0);
    for timed in &mut all {
        timed.ns.sort_by(f64::total_cmp);
        let pack = if timed.plan.blocking().pack { "packed" } else { "direct" };
        text += &format!(
            "{} {} {pack} {:.0}\n",
            timed.plan.kernel().name(),
            timed.plan.blocking().units,
            timed.ns[(timed.ns.len() - 1) / 2],
        );
    }
    text
}
