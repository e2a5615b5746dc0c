//! Record files: no bytes make the reader panic, what it takes it writes and reads again the
//! same, and whatever it takes can be ranked, exported and made a page of.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pointwise_harness::export::{Format, export};
use pointwise_harness::rank::{Entrants, Known, rank};
use pointwise_harness::record::parse;
use pointwise_harness::report::{Report, ReportRun};
use std::path::Path;
use std::sync::LazyLock;

static KNOWN: LazyLock<Known> = LazyLock::new(Known::catalog);

fuzz_target!(|bytes: &[u8]| {
    let records = match parse(Path::new("run.jsonl"), bytes) {
        Ok(records) => records,
        Err(error) => {
            let said = error.to_string();
            assert!(!said.is_empty() && !said.chars().any(char::is_control), "{said:?}");
            return;
        }
    };
    let mut again = Vec::new();
    for record in &records {
        serde_json::to_writer(&mut again, record).expect("figures are finite");
        again.push(b'\n');
    }
    assert_eq!(parse(Path::new("again"), &again).expect("what is written can be read"), records);
    for entrants in [Entrants::Contenders, Entrants::Kernels] {
        for ranking in rank(&records, &KNOWN, entrants) {
            serde_json::to_string(&ranking).expect("figures are finite");
        }
    }
    for format in Format::ALL {
        if let Err(error) = export(&records, format) {
            assert!(!error.to_string().is_empty());
        }
    }
    let name = "run.jsonl".to_owned();
    let run = ReportRun { name, environment: None, records };
    let report = Report::new(vec![run], KNOWN.clone()).expect("records of one machine");
    report.page().expect("a page");
    for figure in report.figures() {
        figure.standalone();
    }
});
