//! Passes through whole networks, and layers that read one input.

use super::figure::palette::Palette;
use super::layers::shape;
use crate::contender::SIBLINGS;
use crate::pass::is_group;
use crate::rank::{GridColumn, OURS, Role};
use crate::record::{PASS, Record};
use serde::Serialize;

/// The pass of one contender.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct PassRow {
    network: String,
    setting: String,
    contender: String,
    colour: String,
    median: f64,
    spread: f64,
    gflops: f64,
    share: f64,
    ratio: Option<f64>,
}

/// Layers that read one input: the time of one after another, and of all together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct SiblingsRow {
    name: String,
    shape: String,
    setting: String,
    apart: f64,
    together: f64,
    ratio: f64,
}

/// Network, layer, layout and caches of a row. With batch and threads they say what it is of.
type PassKey<'r> = [&'r str; 4];

fn case(record: &Record) -> (PassKey<'_>, [usize; 2]) {
    ([&record.network, &record.layer, &record.layout, &record.cache], [record.n, record.threads])
}

/// The wanted records. Of two of the same contender the later counts.
fn latest(records: &[Record], wanted: impl Fn(&Record) -> bool) -> Vec<&Record> {
    let mut rows: Vec<&Record> = Vec::new();
    for record in records.iter().filter(|record| wanted(record)) {
        let same =
            |row: &&mut &Record| row.contender == record.contender && case(row) == case(record);
        match rows.iter_mut().find(same) {
            Some(row) => *row = record,
            None => rows.push(record),
        }
    }
    rows
}

fn passes(records: &[Record]) -> Vec<&Record> {
    latest(records, |record| record.is_of_a_pass() && record.layer == PASS)
}

fn setting(record: &Record) -> String {
    let batch = if record.n == 1 { String::new() } else { format!(", n{}", record.n) };
    let caches =
        if record.cache == "network" { String::new() } else { format!(", {}", record.cache) };
    format!("{}, {} thr.{caches}{batch}", record.layout.to_uppercase(), record.threads)
}

fn palette(rows: &[&Record]) -> (Palette, Vec<GridColumn>) {
    let mut columns: Vec<GridColumn> = Vec::new();
    for record in rows {
        if columns.iter().all(|column| column.contender != record.contender) {
            columns.push(GridColumn {
                contender: record.contender.clone(),
                role: Role::of(record),
                version: record.version.clone(),
            });
        }
    }
    (Palette::of(&columns), columns)
}

/// All passes: network by network and setting by setting, the fastest first.
pub(super) fn rows(records: &[Record]) -> Vec<PassRow> {
    let passes = passes(records);
    let (palette, columns) = palette(&passes);
    let mut cases: Vec<(PassKey<'_>, [usize; 2])> = Vec::new();
    for record in &passes {
        if !cases.contains(&case(record)) {
            cases.push(case(record));
        }
    }
    let mut rows = Vec::new();
    for key in cases {
        let mut of: Vec<&Record> = passes.iter().copied().filter(|r| case(r) == key).collect();
        of.sort_by(|a, b| a.ns_median.total_cmp(&b.ns_median));
        let ours = of.iter().find(|record| record.contender == OURS).map(|record| record.ns_median);
        rows.extend(of.iter().map(|record| {
            PassRow {
                network: record.network.clone(),
                setting: setting(record),
                contender: record.contender.clone(),
                colour: columns
                    .iter()
                    .find(|column| column.contender == record.contender)
                    .map(|column| palette.key(column).colour())
                    .unwrap_or_default(),
                median: record.ns_median,
                spread: record.ns_mad / record.ns_median,
                gflops: record.gflops,
                share: record.fraction_of_ceiling,
                ratio: ours.map(|ours| record.ns_median / ours),
            }
        }));
    }
    rows
}

/// The groups that were measured both ways.
pub(super) fn together(records: &[Record]) -> Vec<SiblingsRow> {
    let rows = latest(records, |record| is_group(&record.network, &record.layer));
    let of = |contender: &'static str| rows.iter().filter(move |row| row.contender == contender);
    of(OURS)
        .filter_map(|apart| {
            let together = of(SIBLINGS).find(|row| case(row) == case(apart))?;
            Some(SiblingsRow {
                name: format!("{}/{}", apart.network, apart.layer),
                shape: shape(apart),
                setting: format!("{}, {}", setting(apart), apart.cache),
                apart: apart.ns_median,
                together: together.ns_median,
                ratio: apart.ns_median / together.ns_median,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;

    fn pass(contender: &str, network: &str, threads: usize, ns: f64) -> Record {
        Record {
            network: network.to_owned(),
            layer: PASS.to_owned(),
            contender: contender.to_owned(),
            cache: "network".to_owned(),
            threads,
            ns_median: ns,
            fraction_of_ceiling: 100.0 / ns,
            ..example()
        }
    }

    #[test]
    fn passes_are_compared_case_by_case_and_the_later_row_counts() {
        let records = [
            example(),
            pass(OURS, "resnet50", 1, 900.0),
            pass("onednn", "resnet50", 1, 250.0),
            pass(OURS, "googlenet", 2, 100.0),
            pass(OURS, "resnet50", 1, 200.0),
        ];
        let rows = rows(&records);
        let shown: Vec<(&str, &str, Option<f64>)> = rows
            .iter()
            .map(|row| (row.network.as_str(), row.contender.as_str(), row.ratio))
            .collect();
        assert_eq!(
            shown,
            [
                ("resnet50", OURS, Some(1.0)),
                ("resnet50", "onednn", Some(1.25)),
                ("googlenet", OURS, Some(1.0))
            ]
        );
    }

    #[test]
    fn groups_are_compared_where_both_ways_were_measured() {
        let group = |contender: &str, layer: &str, ns| Record {
            network: "googlenet".to_owned(),
            layer: layer.to_owned(),
            contender: contender.to_owned(),
            ns_median: ns,
            ..example()
        };
        let records = [
            group(OURS, "inception_3a", 110.0),
            group(SIBLINGS, "inception_3a", 100.0),
            group(OURS, "inception_3b", 110.0),
            group(OURS, "inception_3a.1x1", 110.0),
            group(SIBLINGS, "inception_3a.1x1", 110.0),
        ];
        let rows = together(&records);
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].name.as_str(), rows[0].ratio), ("googlenet/inception_3a", 1.1));
    }
}
