//! `compare` and `history` on files that `bench` wrote.

use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pointwise"))
        .current_dir(folder)
        .args(arguments)
        .env_remove("POINTWISE_KERNEL")
        .env_remove("POINTWISE_ISA")
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn rows(folder: &Path, arguments: &[&str]) -> Vec<Value> {
    let output = run(folder, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// A measured run, and copies of it: one twice as slow and a day later, one of another CPU.
fn runs() -> tempfile::TempDir {
    let here = tempfile::tempdir().expect("a folder");
    let bench =
        ["bench", "--quick", "--layer", "c20h5w7k19", "--contender", "naive", "-o", "a.jsonl"];
    let output = run(here.path(), &bench);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let read = |name: &str| fs::read_to_string(here.path().join(name)).expect("there");
    let write =
        |name: &str, text: String| fs::write(here.path().join(name), text).expect("written");
    let environment: Value = serde_json::from_str(&read("a.jsonl.env.json")).expect("JSON");
    let copy = |name: &str, times: f64, change: &dyn Fn(&mut Value)| {
        let slower = |line: &str| {
            let mut row: Value = serde_json::from_str(line).expect("JSON");
            for field in ["ns_min", "ns_median"] {
                row[field] = json!(row[field].as_f64().expect("a number") * times);
            }
            row["gflops"] = json!(row["gflops"].as_f64().expect("a number") / times);
            row["ns_mad"] = json!(0.001 * row["ns_median"].as_f64().expect("a number"));
            format!("{row}\n")
        };
        write(name, read("a.jsonl").lines().map(slower).collect());
        let mut environment = environment.clone();
        change(&mut environment);
        write(&format!("{name}.env.json"), environment.to_string());
    };
    copy("a.jsonl", 1.0, &|_| {});
    copy("b.jsonl", 2.0, &|environment| {
        environment["started"] = json!("2099-01-02T03:04:05Z");
        environment["settings"]["budget"] = json!({ "secs": 9, "nanos": 0 });
    });
    copy("other.jsonl", 1.0, &|environment| environment["cpu"]["family"] = json!(77));
    here
}

#[test]
fn runs_are_compared_marked_and_refused() {
    let runs = runs();
    let here = runs.path();
    let told = rows(here, &["compare", "a.jsonl", "b.jsonl", "--json"]);
    let [nhwc, nchw, mean, other_mean, sum] = &told[..] else { panic!("{told:?}") };
    for row in [nhwc, nchw, &mean["mean"], &other_mean["mean"]] {
        assert_eq!(
            (row["word"].as_str(), row["contender"].as_str()),
            (Some("slower"), Some("naive"))
        );
        assert!((row["ratio"].as_f64().expect("a number") - 2.0).abs() < 1e-9, "{row}");
    }
    assert_eq!(sum["noise"]["assumed"], true, "naive loops change with the code: no control");
    assert!(sum["marks"].to_string().contains("time per contender: 50"), "{sum}");
    // The same, and the other way round.
    let same = text(&run(here, &["compare", "a.jsonl", "a.jsonl"]).stdout);
    assert!(!same.contains("slower") && !same.contains("faster"), "{same}");
    let back = text(&run(here, &["compare", "b.jsonl", "a.jsonl"]).stdout);
    assert!(back.contains("0.500") && back.contains("faster"), "{back}");

    let refused = run(here, &["compare", "a.jsonl", "other.jsonl"]);
    assert_eq!(refused.status.code(), Some(2));
    let why = text(&refused.stderr);
    assert!(
        why.contains("other.jsonl") && why.contains("another CPU") && why.contains("family77"),
        "{why}"
    );
    let marked = run(here, &["compare", "a.jsonl", "other.jsonl", "--other-cpu"]);
    assert_eq!(marked.status.code(), Some(0));
    assert!(text(&marked.stderr).contains("another CPU"), "{}", text(&marked.stderr));
    fs::remove_file(here.join("b.jsonl.env.json")).expect("removed");
    let marked = text(&run(here, &["compare", "a.jsonl", "b.jsonl"]).stderr);
    assert!(marked.contains("b.jsonl has no environment"), "{marked}");
    // Nothing in common is no comparison.
    let none = run(here, &["compare", "a.jsonl", "b.jsonl", "--contender", "onednn"]);
    assert_eq!(none.status.code(), Some(2));
}

#[test]
fn runs_are_kept_by_cpu_and_shown_in_the_order_of_time() {
    let runs = runs();
    let here = runs.path();
    let added = rows(here, &["history", "--add", "b.jsonl", "a.jsonl", "--json"]);
    assert_eq!(added.len(), 2, "{added:?}");
    for row in &added {
        let path = here.join(row["kept"].as_str().expect("a path"));
        let folder = path.parent().and_then(Path::file_name).expect("a folder");
        assert_eq!(folder, "history");
        assert!(path.is_file() && pointwise_harness::record::environment::path(&path).is_file());
    }
    // Once is enough, and nothing is replaced.
    assert!(rows(here, &["history", "--add", "b.jsonl", "--json"]).is_empty());
    let courses = rows(here, &["history", "--json"]);
    assert_eq!(courses.len(), 2, "a layer in two layouts: {courses:?}");
    for course in courses {
        let ns = |at: usize| course["moments"][at]["ns"].as_f64().expect("a number");
        assert!((ns(1) / ns(0) - 2.0).abs() < 1e-9, "the later run is the slower: {course}");
    }
    let table = text(&run(here, &["history"]).stdout);
    assert!(table.contains("2.000") && table.contains("apart"), "{table}");
    let mixed = run(here, &["history", "a.jsonl", "other.jsonl"]);
    assert_eq!(mixed.status.code(), Some(2));
    assert!(text(&mixed.stderr).contains("family77"), "{}", text(&mixed.stderr));
}
