//! The results of a run on the terminal.

use super::failure::Failure;
use super::output::Output;
use super::run::{Measured, Results};
use super::table::{Side, Table};
use std::collections::BTreeSet;

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
        let ours = of(case, "pointwise").map(|row| row.record.ns_median);
        let mut seen = BTreeSet::new();
        // A problem that several networks share has a row for each of them; one is enough here.
        for row in case.iter().filter(|row| seen.insert(row.subject.contender.as_str())) {
            let record = &row.record;
            let other = record.contender != "pointwise";
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
        1e7..1e10 => format!("{:.1} ms", ns / 1e6),
        _ => format!("{:.1} s", ns / 1e9),
    }
}
