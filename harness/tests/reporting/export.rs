use crate::run::{record, records};
use pointwise_harness::export::{Format, benchmark_name, export};
use serde_json::Value;
use std::collections::HashSet;

fn json(format: Format) -> Value {
    serde_json::from_str(&export(&records(), format).unwrap()).unwrap()
}

#[test]
fn every_record_has_a_name_of_its_own() {
    let records = records();
    let names: HashSet<String> = records.iter().map(benchmark_name).collect();
    assert_eq!(names.len(), records.len());
    let name = benchmark_name(&record("resnet50", "fc", "pointwise", 1.0));
    assert_eq!(name, "resnet50/fc f32 nhwc 1t hot pointwise");
}

#[test]
fn names_tell_batches_apart_but_not_versions() {
    let one = record("net", "a", "pointwise", 1.0);
    let mut other = one.clone();
    other.version = "2".to_owned();
    assert_eq!(benchmark_name(&one), benchmark_name(&other));
    other.n = 8;
    assert_ne!(benchmark_name(&one), benchmark_name(&other));
}

#[test]
fn bencher_gets_measures_with_bounds() {
    let value = json(Format::Bencher);
    assert_eq!(value.as_object().unwrap().len(), records().len());
    for record in records() {
        let measures = &value[benchmark_name(&record)];
        let latency = &measures["latency"];
        let number = |field: &str| latency[field].as_f64().unwrap();
        assert_eq!(number("value"), record.ns_median);
        assert!(number("lower_value") < number("value"));
        assert!(number("value") < number("upper_value"));
        assert_eq!(measures["gflops"]["value"].as_f64(), Some(record.gflops));
        assert!(measures["gflops"].get("lower_value").is_none());
        // Every measure holds numbers only, and `value` always: all that the format's schema asks.
        for measure in measures.as_object().unwrap().values() {
            assert!(measure["value"].is_number());
            assert!(measure.as_object().unwrap().values().all(Value::is_number));
        }
    }
}

#[test]
fn the_action_gets_a_list_with_its_required_fields() {
    let value = json(Format::GithubAction);
    let entries = value.as_array().unwrap();
    assert_eq!(entries.len(), records().len());
    for (entry, record) in entries.iter().zip(records()) {
        assert_eq!(entry["name"].as_str().unwrap(), benchmark_name(&record));
        assert_eq!(entry["value"].as_f64(), Some(record.ns_median));
        assert_eq!(entry["unit"], "ns");
        assert!(entry["range"].as_str().unwrap().starts_with("± "));
        assert!(entry["extra"].is_string());
    }
}

#[test]
fn csv_reads_back_as_the_same_records() {
    let mut awkward = record("net, \"quoted\"", "line\nbreak", "pointwise", 12.5);
    awkward.version = "1,5".to_owned();
    let mut all = records();
    all.push(awkward);
    let text = export(&all, Format::Csv).unwrap();
    assert!(text.starts_with("schema,network,layer,n,c,k,h,w,stride_h,"));
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let back: Vec<pointwise_harness::record::Record> =
        reader.deserialize().collect::<Result<_, _>>().unwrap();
    assert_eq!(back, all);
}

#[test]
fn formats_go_by_their_names() {
    for format in Format::ALL {
        assert_eq!(format.name().parse(), Ok(format));
    }
    assert!("xml".parse::<Format>().unwrap_err().contains("bencher, github-action, csv"));
}

#[test]
fn no_records_still_make_valid_files() {
    assert_eq!(export(&[], Format::Bencher).unwrap().trim(), "{}");
    assert_eq!(export(&[], Format::GithubAction).unwrap().trim(), "[]");
}
