//! Whatever is wrong with a command line or a file is told in one line on standard error, with
//! exit code 2; standard output stays empty and no file is touched.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn pointwise(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pointwise"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("POINTWISE_KERNEL")
        .env_remove("POINTWISE_ISA")
        .output()
        .expect("the program starts")
}

/// A record of this schema, as one line.
fn record(schema: u32) -> String {
    format!(
        r#"{{"schema":{schema},"network":"","layer":"nhwc/n1c8h4w4k8","n":1,"c":8,"k":8,"h":4,"w":4,"stride_h":1,"stride_w":1,"groups":1,"dtype":"f32","layout":"nhwc","contender":"pointwise","version":"0.1.0","kernel":"","threads":1,"cache":"hot","samples":9,"ns_min":100.0,"ns_median":110.0,"ns_mad":2.0,"gflops":18.6,"ceiling_gflops":100.0,"fraction_of_ceiling":0.186,"roofline_gflops":50.0,"fraction_of_roofline":0.37,"prepacked":true,"verified":true}}"#
    )
}

/// Arguments, and what the line must name: what is wrong, where, or what would be right.
const TABLE: &[(&[&str], &[&str])] = &[
    // The command line itself.
    (&["frobnicate"], &["frobnicate"]),
    (&["list"], &["<WHAT>"]),
    (&["list", "nonsense"], &["nonsense", "kernels, networks, layers, contenders"]),
    (&["--lyout", "nhwc"], &["--lyout", "--layout"]),
    (&["bench", "--layout", "nhcw"], &["nhcw", "nchw, nhwc"]),
    (&["bench", "--cache", "warm"], &["warm", "hot or cold"]),
    (&["bench", "--isa", "sse9"], &["sse9", "scalar, avx2, avx512 and neon"]),
    (&["bench", "--threads", "0"], &["--threads", "0 threads", "at least 1"]),
    (&["bench", "--threads", "99999999"], &["--threads", "99999999", "4096"]),
    (&["bench", "--time", "0"], &["--time", "above 0"]),
    (&["bench", "--time", "1", "--quick"], &["--time", "--quick"]),
    (&["bench", "--threads", "-1"], &["-1"]),
    (&["bench", "--threads", "two"], &["two", "whole number"]),
    (&["bench", "--threads"], &["--threads"]),
    // Patterns.
    (&["bench", "--network", "res(net"], &["--network", "unclosed group"]),
    (&["bench", "--layer", "conv["], &["--layer", "unclosed character class"]),
    (&["bench", "--kernel", "*"], &["--kernel", "repetition operator missing expression"]),
    (&["bench", "--contender", "a{2"], &["--contender", "unclosed counted repetition"]),
    // Names that nothing has.
    (&["bench", "--network", "resnet49"], &["network", "resnet49", "resnet50"]),
    (&["bench", "--layer", "no_such_layer"], &["no_such_layer", "pointwise list layers"]),
    (&["verify", "--network", "resnet49"], &["network", "resnet49", "resnet50"]),
    (&["verify", "--kernel", "mmx"], &["kernel", "mmx", "pointwise list kernels"]),
    (&["bench", "--kernel", "f32-neon|zzz", "--contender", "zzz"], &["contender", "zzz"]),
    (&["bench", "--contender", "cudnn"], &["contender", "cudnn", "pointwise list contenders"]),
    // Layers given by their text.
    (&["bench", "--layer", "nhwc/n1c64h56w56"], &["n1c64h56w56", "k once each"]),
    (&["bench", "--layer", "n1c64h56w56k64/s2x"], &["`s2x`", "such as `s2`"]),
    (&["bench", "--layer", "c64h56w56k64/swish"], &["`swish`", "relu6"]),
    (&["bench", "--layer", "c64h0w56k64"], &["h is 0", "at least 1"]),
    (&["bench", "--layer", "c64h56w56k64/s0"], &["stride of rows is 0"]),
    (&["bench", "--layer", "c64h56w56k64/g3"], &["3 groups", "c = 64"]),
    (&["bench", "--layer", "c64h56w56k64/clamp=2..1"], &["clamp(2, 1)"]),
    (&["bench", "--layer", "c9999999999h9999999w99999999k1"], &["isize::MAX"]),
    // Files of layers.
    (&["bench", "--layers", "missing.txt"], &["read", "missing.txt"]),
    (&["bench", "--layers", "folder"], &["read", "folder"]),
    (&["bench", "--layers", "empty"], &["empty"]),
    (&["bench", "--layers", "bad_layers.txt"], &["bad_layers.txt", "3", "c8h4w4"]),
    // Files of records.
    (&["rank"], &["<FILE>"]),
    (&["rank", "missing.jsonl"], &["read", "missing.jsonl"]),
    (&["rank", "folder"], &["read", "folder"]),
    (&["rank", "empty"], &["empty"]),
    (&["rank", "newer.jsonl"], &["newer.jsonl", "2", "schema", "99"]),
    (&["rank", "cut.jsonl"], &["cut.jsonl", "2"]),
    (&["rank", "binary"], &["binary"]),
    (&["rank", "notes.txt"], &["notes.txt", "1"]),
    (&["report"], &["<FILE>"]),
    (&["report", "missing.jsonl"], &["read", "missing.jsonl"]),
    (&["report", "good.jsonl", "newer.jsonl"], &["newer.jsonl", "schema", "99"]),
    (&["export", "good.jsonl"], &["--format"]),
    (&["export", "good.jsonl", "--format", "xml"], &["xml", "bencher, github-action, csv"]),
    (&["export", "cut.jsonl", "--format", "csv"], &["cut.jsonl", "2"]),
    (&["rank", "good.jsonl", "--contender", "onednn"], &["contender", "onednn"]),
    (&["rank", "good.jsonl", "--layout", "nchw"], &["good.jsonl", "no record"]),
    (&["compare", "good.jsonl"], &["<B>"]),
    (&["compare", "good.jsonl", "missing.jsonl"], &["read", "missing.jsonl"]),
    (&["compare", "good.jsonl", "empty"], &["empty", "no record"]),
    (&["compare", "good.jsonl", "cut.jsonl"], &["cut.jsonl:2", "cut short"]),
    (&["compare", "newer.jsonl", "good.jsonl"], &["newer.jsonl:2", "schema 99"]),
    (&["compare", "good.jsonl", "notes.txt"], &["notes.txt:1", "not JSON"]),
    (&["compare", "good.jsonl", "good.jsonl", "--floor", "0"], &["--floor", "above 0"]),
    (&["compare", "good.jsonl", "good.jsonl", "--layout", "nchw"], &["good.jsonl", "no record"]),
    (&["compare", "good.jsonl", "broken.jsonl"], &["broken.jsonl.env.json:3", "not JSON"]),
    (&["compare", "good.jsonl", "older.jsonl"], &["older.jsonl.env.json:1", "schema 0"]),
    (&["history", "good.jsonl", "cut.jsonl"], &["cut.jsonl:2", "cut short"]),
    (&["history"], &["history", "holds no runs"]),
    (&["history", "--add"], &["--add"]),
    (&["history", "--add", "good.jsonl"], &["good.jsonl.env.json is missing"]),
    (&["report", "good.jsonl", "broken.jsonl"], &["broken.jsonl.env.json:3"]),
    // Builds.
    (&["gate"], &["--base"]),
    (&["gate", "--base", "missing"], &["missing"]),
    (&["gate", "--base", "folder"], &["folder", "not a file"]),
    (&["gate", "--base-ref", "HEAD"], &["git"]),
    (&["gate", "--base", "notes.txt", "--budget", "0"], &["--budget", "above 0"]),
    (&["gate", "--base", "notes.txt", "--base-ref", "HEAD"], &["--base"]),
    (&["gate", "--base", "notes.txt", "--cache", "cold"], &["hot caches only"]),
    (&["gate", "--base", "notes.txt", "--layer", "no_such_layer"], &["no_such_layer"]),
    // Files to write.
    (
        &["export", "good.jsonl", "--format", "csv", "-o", "notes.txt/run.csv"],
        &["write", "notes.txt"],
    ),
    (&["bench", "--layer", "c8h4w4k8", "-o", "missing/run.jsonl"], &["write", "missing/run.jsonl"]),
    (&["bench", "--layer", "c8h4w4k8", "-o", "folder"], &["write", "folder"]),
    (&["bench", "--layer", "c8h4w4k8", "-o", "notes.txt"], &["notes.txt", "not a record file"]),
    (&["bench", "--layer", "no_such_layer", "-o", "good.jsonl"], &["no_such_layer"]),
];

#[test]
fn bad_input_is_told_in_one_line_and_loses_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    let good = record(1);
    let files = [
        ("empty", String::new()),
        ("bad_layers.txt", "# three lines\n\nnhwc/n1c8h4w4\n".to_owned()),
        ("good.jsonl", format!("{good}\n")),
        ("newer.jsonl", format!("{good}\n{}\n", record(99))),
        ("cut.jsonl", format!("{good}\n{}", &good[..good.len() / 2])),
        ("notes.txt", "what I found on Monday\n".to_owned()),
        ("broken.jsonl", format!("{good}\n")),
        ("broken.jsonl.env.json", "{\n\"schema\": 1,\n\"cpu\": ?\n}\n".to_owned()),
        ("older.jsonl", format!("{good}\n")),
        ("older.jsonl.env.json", "{\n\"schema\": 0\n}\n".to_owned()),
    ];
    for (name, text) in &files {
        fs::write(path.join(name), text).expect("a file written");
    }
    fs::write(path.join("binary"), [0xff, 0xfe, 0, 1]).expect("a file written");
    fs::create_dir(path.join("folder")).expect("a folder made");

    let mut wrong = Vec::new();
    for (arguments, named) in TABLE {
        let output = pointwise(path, arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        let lines = error.lines().count();
        if output.status.code() != Some(2) || lines != 1 || !output.stdout.is_empty() {
            wrong.push(format!(
                "{arguments:?}: exit {:?}, {lines} lines:\n{error}",
                output.status.code()
            ));
        }
        for part in *named {
            if !error.contains(part) {
                wrong.push(format!("{arguments:?}: `{part}` is not named in: {error}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    for (name, text) in &files {
        assert_eq!(&fs::read_to_string(path.join(name)).expect("still there"), text, "{name}");
    }
    assert_eq!(fs::read_dir(path).expect("a folder").count(), files.len() + 2, "nothing added");
}
