//! The environment beside records: no text makes the reader panic, what it takes it writes and
//! reads again the same, and any JSON at all in its place still leaves a report that can be made.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pointwise_harness::rank::Known;
use pointwise_harness::record::{Record, parse};
use pointwise_harness::report::{Report, Run};
use pointwise_harness::sidecar::Environment;
use std::path::Path;
use std::sync::LazyLock;

static KNOWN: LazyLock<Known> = LazyLock::new(|| Known::new(Vec::new()));
static RECORDS: LazyLock<Vec<Record>> = LazyLock::new(|| {
    let seed = include_bytes!("../seeds/records/one");
    parse(Path::new("seed"), seed).expect("a record")
});

fuzz_target!(|text: &str| {
    match Environment::parse(Path::new("run.env.json"), text) {
        Ok(environment) => {
            let written = serde_json::to_string(&environment).expect("it can be written");
            let again = Environment::parse(Path::new("again"), &written);
            let again = serde_json::to_string(&again.expect("what is written can be read"));
            assert_eq!(again.expect("it can be written"), written);
        }
        Err(error) => {
            let said = error.to_string();
            assert!(!said.is_empty() && !said.chars().any(char::is_control), "{said:?}");
        }
    }
    let Ok(environment) = serde_json::from_str(text) else { return };
    let run = Run { name: "run.jsonl".to_owned(), environment, records: RECORDS.clone() };
    let report = Report::new(vec![run], KNOWN.clone()).expect("one machine");
    report.page().expect("a page");
});
