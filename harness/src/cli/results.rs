//! The results of a run on the terminal.

use super::failure::Failure;
use super::output::Output;
use super::run::{Measured, Results};
use super::table::{Side, Table};
use pointwise::Layout;
use pointwise_harness::measure::stats::geometric_mean;
use pointwise_harness::rank::{self, Field, Known};
use std::collections::BTreeSet;

/// The contender that the others are compared with: the plan's choice.
const OURS: &str = "pointwise";

/// A row for each contender of each problem, the problem's text in full so that it can be pasted
/// into `--layer`.
pub(super) fn print(results: &Results, setup: bool, output: &mut Output) -> Result<(), Failure> {
    let mut table = Table::default()
        .column("name", Side::Left, 4)
        .text("layer")
        .text("contender")
        .column("kernel", Side::Left, 3)
        .figure("time")
        .column("±%", Side::Right, 5)
        .figure("GFLOP/s")
        .figure("%ceiling")
        .column("%roofline", Side::Right, 2)
        .column("pointwise ×", Side::Right, 1);
    if setup {
        table = table.figure("plan").figure("pack");
    }
    for case in results.rows.chunk_by(|a, b| a.case == b.case) {
        let ours = of(case, OURS).map(|row| row.record.ns_median);
        let mut seen = BTreeSet::new();
        // A problem that several networks share has a row for each of them; one is enough here.
        for row in case.iter().filter(|row| seen.insert(row.subject.contender.as_str())) {
            let record = &row.record;
            let other = record.contender != OURS;
            let ratio = ours.filter(|_| other).map(|ours| record.ns_median / ours);
            let mut cells = vec![
                name(case, row),
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
fn of<'m>(case: &'m [Measured], contender: &str) -> Option<&'m Measured> {
    case.iter().find(|row| row.subject.contender == contender)
}

/// The name in the first network, and how many more have the problem.
fn name(case: &[Measured], row: &Measured) -> String {
    let uses = case.iter().filter(|r| r.subject.contender == row.subject.contender).count();
    let more = if uses > 1 { format!(" +{}", uses - 1) } else { String::new() };
    match row.subject.network.as_str() {
        "" => String::new(),
        network => format!("{network}/{}{more}", row.subject.name),
    }
}

/// A time in the unit that leaves one to four digits before the point.
pub(super) fn time(ns: f64) -> String {
    match ns {
        ..1e4 => format!("{ns:.0} ns"),
        1e4..1e7 => format!("{:.1} µs", ns / 1e3),
        1e7..1e9 => format!("{:.1} ms", ns / 1e6),
        1e9..6e10 => format!("{:.1} s", ns / 1e9),
        _ => format!("{:.0} min", ns / 6e10),
    }
}

/// Who is fastest over all problems, where there are several.
pub(super) fn rank(results: &Results, known: &Known, output: &mut Output) -> Result<(), Failure> {
    if results.cases.0 < 2 {
        return Ok(());
    }
    for ranking in rank::rank(&results.records(), known, Field::Contenders) {
        output.line(format_args!("\n{}", rank::table(&ranking).trim_end()))?;
    }
    Ok(())
}

/// A row for each problem: our speed, its share of the ceiling, and how many times as fast it is
/// as each of the others; then the geometric means.
pub(super) fn compare(results: &Results, output: &mut Output) -> Result<(), Failure> {
    let mut others: Vec<&str> = Vec::new();
    for row in &results.rows {
        let name = row.subject.contender.as_str();
        if name != OURS && !others.contains(&name) {
            others.push(name);
        }
    }
    // What nobody would use comes last.
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
            table = table.figure(format!("× {other}"));
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
                label(ours),
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
        let threads = row.record.threads;
        output.line(format_args!(
            "%ceiling is the share of the FMA rate that this run has measured, {:.1} GFLOP/s on \
             {threads} {}; × says how many times as fast as the other it is.",
            row.record.ceiling_gflops,
            if threads == 1 { "thread" } else { "threads" },
        ))?;
    }
    Ok(())
}

fn label(row: &Measured) -> String {
    match row.subject.network.as_str() {
        "" => String::new(),
        network => format!("{network}/{}", row.subject.name),
    }
}
