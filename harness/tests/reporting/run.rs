//! The made-up run, and records made from it.

use pointwise_harness::catalog::Entry;
use pointwise_harness::rank::Known;
use pointwise_harness::record::Record;
use pointwise_harness::record::environment::Environment;
use pointwise_harness::report::{Report, ReportRun};
use serde_json::Value;
use std::path::Path;

/// See the fixture's README for what is in it.
pub(crate) fn records() -> Vec<Record> {
    include_str!("../fixtures/report/run.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The environment of the run, changed in its JSON.
pub(crate) fn environment(change: impl FnOnce(&mut Value)) -> Option<Environment> {
    let text = include_str!("../fixtures/report/run.env.json");
    let mut json: Value = serde_json::from_str(text).unwrap();
    change(&mut json);
    Some(Environment::parse(Path::new("run.env.json"), &json.to_string()).unwrap())
}

pub(crate) fn run(records: Vec<Record>) -> ReportRun {
    ReportRun { name: "run.jsonl".to_owned(), environment: environment(|_| ()), records }
}

pub(crate) fn report() -> Report {
    Report::new(vec![run(records())], known()).unwrap()
}

/// Two of the layers, one of them three times in its network, and a head.
pub(crate) fn known() -> Known {
    let entry = |name: &'static str, count, head, text: &str| Entry {
        network: "resnet50".into(),
        name: name.into(),
        count,
        head,
        layer: text.parse().unwrap(),
    };
    Known::new(vec![
        entry("conv2_x.1x1a", 3, false, "c256h56w56k64/bias+relu"),
        entry("fc", 1, true, "c2048h1w1k1000/bias"),
    ])
}

/// A record of a small layer that took so long.
pub(crate) fn record(network: &str, layer: &str, contender: &str, ns: f64) -> Record {
    let flop = 2.0 * 8.0 * 8.0 * 16.0;
    let gflops = flop / ns;
    Record {
        schema: 1,
        network: network.to_owned(),
        layer: layer.to_owned(),
        n: 1,
        c: 8,
        k: 8,
        h: 4,
        w: 4,
        stride_h: 1,
        stride_w: 1,
        groups: 1,
        dtype: "f32".to_owned(),
        layout: "nhwc".to_owned(),
        contender: contender.to_owned(),
        version: "1".to_owned(),
        kernel: String::new(),
        threads: 1,
        cache: "hot".to_owned(),
        samples: 9,
        ns_min: 0.99 * ns,
        ns_median: ns,
        ns_mad: 0.01 * ns,
        gflops,
        ceiling_gflops: 100.0,
        fraction_of_ceiling: gflops / 100.0,
        roofline_gflops: 100.0,
        fraction_of_roofline: gflops / 100.0,
        prepacked: true,
        verified: true,
    }
}
