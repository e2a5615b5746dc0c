//! The environment beside records: no text makes the reader panic. What the reader takes, it writes and
//! reads again the same, and a report can be made of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pointwise_harness::rank::Known;
use pointwise_harness::record::environment::Environment;
use pointwise_harness::record::{Record, parse};
use pointwise_harness::report::{Report, ReportRun};
use std::path::Path;
use std::sync::LazyLock;

static KNOWN: LazyLock<Known> = LazyLock::new(|| Known::new(Vec::new()));
static RECORDS: LazyLock<Vec<Record>> = LazyLock::new(|| {
    let seed = include_bytes!("../seeds/records/one");
    parse(Path::new("seed"), seed).expect("a record")
});

fuzz_target!(|text: &str| {
    let environment = match Environment::parse(Path::new("run.env.json"), text) {
        Ok(environment) => environment,
        Err(error) => {
            let said = error.to_string();
            assert!(!said.is_empty() && !said.chars().any(char::is_control), "{said:?}");
            return;
        }
    };
    let written = serde_json::to_string(&environment).expect("it can be written");
    let again = Environment::parse(Path::new("again"), &written);
    let again = serde_json::to_string(&again.expect("what is written can be read"));
    assert_eq!(again.expect("it can be written"), written);
    let environment = Some(environment);
    let run = ReportRun { name: "run.jsonl".to_owned(), environment, records: RECORDS.clone() };
    let report = Report::new(vec![run], KNOWN.clone()).expect("one machine");
    report.page().expect("a page");
});
