//! Records in the formats of others: Bencher, github-action-benchmark, and spreadsheets.
//!
//! This module imports `record`.

use crate::record::Record;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A format that records can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// [Bencher Metric Format](https://bencher.dev/docs/reference/bencher-metric-format).
    Bencher,
    /// The `customSmallerIsBetter` input of
    /// [github-action-benchmark](https://github.com/benchmark-action/github-action-benchmark).
    GithubAction,
    /// Comma-separated values: a heading, then a line with the fields of each record.
    Csv,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 3] = [Format::Bencher, Format::GithubAction, Format::Csv];

    /// The name that [`FromStr`] takes.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Bencher => "bencher",
            Format::GithubAction => "github-action",
            Format::Csv => "csv",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Format, String> {
        Format::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| {
            let names = Format::ALL.map(Format::name).join(", ");
            format!("no format is called `{name}`: {names}")
        })
    }
}

/// Why records cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot write the records: {0}")]
pub struct ExportError(String);

impl From<serde_json::Error> for ExportError {
    fn from(error: serde_json::Error) -> Self {
        ExportError(error.to_string())
    }
}

impl From<csv::Error> for ExportError {
    fn from(error: csv::Error) -> Self {
        ExportError(error.to_string())
    }
}

/// The name under which a service keeps the history of a record. It has everything that must be equal
/// for two records to be of the same thing, and nothing that a new version changes.
pub fn benchmark_name(record: &Record) -> String {
    let network =
        if record.network.is_empty() { String::new() } else { format!("{}/", record.network) };
    let batch = if record.n == 1 { String::new() } else { format!(" n{}", record.n) };
    format!(
        "{network}{}{batch} {} {} {}t {} {}",
        record.layer, record.dtype, record.layout, record.threads, record.cache, record.contender
    )
}

/// One metric of Bencher: a value with its bounds.
#[derive(Serialize)]
struct Metric {
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lower_value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upper_value: Option<f64>,
}

/// One result of github-action-benchmark.
#[derive(Serialize)]
struct ActionEntry {
    name: String,
    unit: &'static str,
    value: f64,
    range: String,
    extra: String,
}

fn bencher(records: &[Record]) -> Result<String, ExportError> {
    let mut benchmarks: BTreeMap<String, BTreeMap<&str, Metric>> = BTreeMap::new();
    for record in records {
        let exact = |value| Metric { value, lower_value: None, upper_value: None };
        // `latency` is a built-in measure of Bencher, in ns. Bencher adds the others when it first
        // sees them.
        let metrics = BTreeMap::from([
            (
                "latency",
                Metric {
                    value: record.ns_median,
                    lower_value: Some((record.ns_median - record.ns_mad).max(0.0)),
                    upper_value: Some(record.ns_median + record.ns_mad),
                },
            ),
            ("gflops", exact(record.gflops)),
            ("fraction-of-ceiling", exact(record.fraction_of_ceiling)),
        ]);
        benchmarks.insert(benchmark_name(record), metrics);
    }
    Ok(serde_json::to_string_pretty(&benchmarks)? + "\n")
}

fn github_action(records: &[Record]) -> Result<String, ExportError> {
    let entry = |record: &Record| ActionEntry {
        name: benchmark_name(record),
        unit: "ns",
        value: record.ns_median,
        range: format!("± {:.1}", record.ns_mad),
        extra: format!(
            "{:.2} GFLOP/s\n{:.1}% of the FMA ceiling\n{} samples\nversion {}\nkernel {}",
            record.gflops,
            100.0 * record.fraction_of_ceiling,
            record.samples,
            record.version,
            record.kernel
        ),
    };
    let entries: Vec<ActionEntry> = records.iter().map(entry).collect();
    Ok(serde_json::to_string_pretty(&entries)? + "\n")
}

fn csv(records: &[Record]) -> Result<String, ExportError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in records {
        writer.serialize(record)?;
    }
    let bytes = writer.into_inner().map_err(|error| ExportError(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| ExportError(error.to_string()))
}

/// Writes records in a format. Of two records of the same thing Bencher's format keeps the later.
///
/// # Errors
/// [`ExportError`] when the library of the format refuses a record.
pub fn export(records: &[Record], format: Format) -> Result<String, ExportError> {
    match format {
        Format::Bencher => bencher(records),
        Format::GithubAction => github_action(records),
        Format::Csv => csv(records),
    }
}
