//! The results of a run over layers on the terminal.

use super::failure::Failure;
use super::layer_run::{Measured, Results};
use super::output::Output;
use super::rank_tables;
use super::table::{Side, Table};
use pointwise::Layout;
use pointwise_harness::rank::{self, Entrants, Known, OURS};
use pointwise_harness::text::numbers::{count, time};
use pointwise_harness::timing::stats::geometric_mean;
use std::collections::BTreeSet;

/// Prints a row for each contender of each problem. The problem's text is whole, so that it can be
/// pasted into `--layer`.
pub(super) fn print(results: &Results, setup: bool, output: &mut Output) -> Result<(), Failure> {
    let mut table = Table::default()
        .column("name", Side::Left, 5)
        .text("layer")
        .text("contender")
        .column("kernel", Side::Left, 4)
        .column("time", Side::Right, 2)
        .column("±%", Side::Right, 6)
        .figure("GFLOP/s")
        .figure("%ceiling")
        .column("%roofline", Side::Right, 3)
        .column("pointwise ×", Side::Right, 1);
    if setup {
        table = table.figure("plan").figure("pack");
    }
    for case in results.rows.chunk_by(|a, b| a.case == b.case) {
        let ours = row_of(case, OURS).map(|row| row.record.ns_median);
        let mut seen = BTreeSet::new();
        // A problem that several networks share has a record for each of them, of which one is shown.
        for row in case.iter().filter(|row| seen.insert(row.subject.contender.as_str())) {
            let record = &row.record;
            let other = record.contender != OURS;
            let ratio = ours.filter(|_| other).map(|ours| record.ns_median / ours);
            let mut cells = vec![
                name_and_uses(case, row),
                row.subject.layer.to_string(),
                record.contender.clone(),
                if record.kernel == record.contender {
                    String::new()
                } else {
                    record.kernel.clone()
                },
                time(record.ns_median),
                format!("{:.1}", 100.0 * record.ns_mad / record.ns_median),
                format!("{:.1}", record.gflops),
                format!("{:.1}", 100.0 * record.fraction_of_ceiling),
                format!("{:.1}", 100.0 * record.fraction_of_roofline),
                ratio.map_or(String::new(), |ratio| format!("{ratio:.2}")),
            ];
            if setup {
                let times = row.setup.map(|s| [time(s.plan_ns), time(s.pack_ns)]);
                cells.extend(times.unwrap_or_default());
            }
            table.row(cells);
        }
    }
    output.table(&table)
}

/// The row of one contender.
fn row_of<'m>(case: &'m [Measured], contender: &str) -> Option<&'m Measured> {
    case.iter().find(|row| row.subject.contender == contender)
}

/// The name of a row's layer; empty for a layer given by hand.
fn name(row: &Measured) -> String {
    match row.subject.network.as_str() {
        "" => String::new(),
        network => format!("{network}/{}", row.subject.name),
    }
}

/// The name in the first network, and the number of further networks that have the problem.
fn name_and_uses(case: &[Measured], row: &Measured) -> String {
    let uses = case.iter().filter(|r| r.subject.contender == row.subject.contender).count();
    match (row.subject.network.is_empty(), uses) {
        (true, _) => String::new(),
        (false, 1) => name(row),
        (false, uses) => format!("{} +{}", name(row), uses - 1),
    }
}

/// Prints the ranking over all problems, if there are several.
pub(super) fn rank(results: &Results, known: &Known, output: &mut Output) -> Result<(), Failure> {
    if results.cases.0 < 2 {
        return Ok(());
    }
    for ranking in rank::rank(&results.records(), known, Entrants::Contenders) {
        output.line("")?;
        rank_tables::print(&ranking, output)?;
    }
    Ok(())
}

/// Prints a row for each problem: our speed, its share of the ceiling, and our speed ÷ the speed of each
/// other contender; then the geometric means.
pub(super) fn compare(results: &Results, output: &mut Output) -> Result<(), Failure> {
    let mut others: Vec<&str> = Vec::new();
    for row in &results.rows {
        let name = row.subject.contender.as_str();
        if name != OURS && !others.contains(&name) {
            others.push(name);
        }
    }
    // Naive loops come last, because nobody would use them.
    others.sort_by_key(|name| *name == "naive");
    for layout in [Layout::Nhwc, Layout::Nchw] {
        let rows: Vec<&Measured> =
            results.rows.iter().filter(|row| row.subject.layer.layout == layout).collect();
        let cases: Vec<&[&Measured]> = rows.chunk_by(|a, b| a.case == b.case).collect();
        let mut table = Table::default()
            .column("name", Side::Left, 3)
            .text("layer")
            .column("kernel", Side::Left, 2)
            .column("time", Side::Right, 4)
            .figure("GFLOP/s")
            .figure("%ceiling");
        for other in &others {
            let spare = u8::from(*other == "naive");
            table = table.column(format!("× {other}"), Side::Right, spare);
        }
        let (mut speeds, mut shares) = (Vec::new(), Vec::new());
        let mut ratios: Vec<Vec<f64>> = vec![Vec::new(); others.len()];
        for case in cases {
            let find = |name: &str| case.iter().find(|row| row.subject.contender == name);
            let Some(ours) = find(OURS) else { continue };
            let record = &ours.record;
            speeds.push(record.gflops);
            shares.push(record.fraction_of_ceiling);
            let mut cells = vec![
                name(ours),
                ours.subject.layer.to_string(),
                record.kernel.clone(),
                time(record.ns_median),
                format!("{:.1}", record.gflops),
                format!("{:.1}", 100.0 * record.fraction_of_ceiling),
            ];
            for (other, ratios) in others.iter().zip(&mut ratios) {
                let ratio = find(other).map(|row| row.record.ns_median / record.ns_median);
                ratios.extend(ratio);
                cells.push(ratio.map_or(String::new(), |ratio| format!("{ratio:.2}")));
            }
            table.row(cells);
        }
        if table.is_empty() {
            continue;
        }
        let mean = |values: &[f64]| geometric_mean(values).unwrap_or(0.0);
        let mut cells = vec![
            String::new(),
            format!("geometric mean, {layout}"),
            String::new(),
            String::new(),
            format!("{:.1}", mean(&speeds)),
            format!("{:.1}", 100.0 * mean(&shares)),
        ];
        cells.extend(ratios.iter().map(|ratios| format!("{:.2}", mean(ratios))));
        table.row(cells);
        output.table(&table)?;
        output.line("")?;
    }
    if let Some(row) = results.rows.first() {
        output.line(format_args!(
            "%ceiling is the share of the FMA rate that this run has measured, {:.1} GFLOP/s on \
             {}; × says how many times as fast as the other it is.",
            row.record.ceiling_gflops,
            count(row.record.threads, "thread"),
        ))?;
    }
    Ok(())
}
