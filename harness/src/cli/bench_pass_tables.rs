//! The results of passes on the terminal.

use super::failure::Failure;
use super::output::Output;
use super::table::{Side, Table};
use pointwise::Layout;
use pointwise_harness::contender::SIBLINGS;
use pointwise_harness::pass::Step;
use pointwise_harness::rank::OURS;
use pointwise_harness::record::{PASS, Record};
use pointwise_harness::text::numbers::time;
use pointwise_harness::timing::stats::geometric_mean;

/// One network in one layout, measured.
pub(super) struct MeasuredNetwork {
    pub(super) name: String,
    pub(super) layout: Layout,
    pub(super) steps: Vec<Step>,
    /// The bytes of all tensors of a pass.
    pub(super) bytes: usize,
    pub(super) rows: Vec<Record>,
}

/// Prints the whole passes, the groups of layers that read one input, and the share of each layer.
pub(super) fn print(networks: &[MeasuredNetwork], output: &mut Output) -> Result<(), Failure> {
    let mut table = Table::default()
        .text("network")
        .text("layout")
        .text("contender")
        .figure("pass")
        .column("±%", Side::Right, 4)
        .column("min", Side::Right, 5)
        .column("samples", Side::Right, 6)
        .figure("GFLOP/s")
        .figure("%ceiling")
        .column("%roofline", Side::Right, 3)
        .figure("pointwise ×");
    for network in networks {
        let ours = network.find(OURS, PASS);
        for record in network.rows.iter().filter(|r| r.layer == PASS) {
            let ratio = ours.filter(|_| record.contender != OURS);
            table.row([
                network.name.clone(),
                network.layout.to_string(),
                record.contender.clone(),
                time(record.ns_median),
                format!("{:.1}", 100.0 * record.ns_mad / record.ns_median),
                time(record.ns_min),
                record.samples.to_string(),
                format!("{:.1}", record.gflops),
                format!("{:.1}", 100.0 * record.fraction_of_ceiling),
                format!("{:.1}", 100.0 * record.fraction_of_roofline),
                ratio.map_or(String::new(), |ours| {
                    format!("{:.3}", record.ns_median / ours.ns_median)
                }),
            ]);
        }
    }
    let passes = !table.is_empty();
    output.table(&table)?;
    groups(networks, passes, output)?;
    for network in networks {
        layers(network, output)?;
    }
    Ok(())
}

impl MeasuredNetwork {
    fn find(&self, contender: &str, layer: &str) -> Option<&Record> {
        self.rows.iter().find(|record| record.contender == contender && record.layer == layer)
    }

    /// The record of the fastest contender that is not ours.
    fn best_other(&self, layer: &str) -> Option<&Record> {
        let others = self.rows.iter().filter(|record| {
            record.layer == layer && ![OURS, SIBLINGS].contains(&record.contender.as_str())
        });
        others.min_by(|a, b| a.ns_median.total_cmp(&b.ns_median))
    }
}

/// Prints the groups: the time of one layer after another, and of all together.
fn groups(networks: &[MeasuredNetwork], passes: bool, output: &mut Output) -> Result<(), Failure> {
    let mut table = Table::default()
        .text("layers that read one input")
        .text("layout")
        .text("outputs")
        .column("input", Side::Left, 2)
        .column("times", Side::Right, 3)
        .figure("apart")
        .figure("together")
        .column("%ceiling", Side::Right, 1)
        .figure("together ×")
        .column("best other", Side::Left, 4)
        .column("pointwise ×", Side::Right, 4);
    let mut ratios = Vec::new();
    for network in networks {
        let mut seen: Vec<&str> = Vec::new();
        for step in network.steps.iter().filter(|step| step.layers.len() > 1) {
            if seen.contains(&step.name.as_str()) {
                continue;
            }
            seen.push(&step.name);
            let (Some(apart), Some(together)) =
                (network.find(OURS, &step.name), network.find(SIBLINGS, &step.name))
            else {
                continue;
            };
            let ratio = apart.ns_median / together.ns_median;
            let best = network.best_other(&step.name);
            ratios.push(ratio);
            let outputs: Vec<String> =
                step.layers.iter().map(|entry| entry.layer.k.to_string()).collect();
            let first = &step.layers[0].layer;
            let times = network.steps.iter().filter(|other| other.name == step.name).count();
            table.row([
                format!("{}/{}", network.name, step.name),
                network.layout.to_string(),
                outputs.join("+"),
                format!("{} at {}×{}", first.c, first.h, first.w),
                times.to_string(),
                time(apart.ns_median),
                time(together.ns_median),
                format!("{:.1}", 100.0 * together.fraction_of_ceiling),
                format!("{ratio:.3}"),
                best.map_or(String::new(), |best| best.contender.clone()),
                best.map_or(String::new(), |best| {
                    format!("{:.3}", best.ns_median / apart.ns_median)
                }),
            ]);
        }
    }
    if table.is_empty() {
        return Ok(());
    }
    if passes {
        output.line("")?;
    }
    output.table(&table)?;
    let lost = ratios.iter().filter(|ratio| **ratio < 1.0).count();
    output.line(format_args!(
        "Together × is how many times as fast: geometric mean {:.3} over {} groups, slower on {lost}.",
        geometric_mean(&ratios).unwrap_or(1.0),
        ratios.len(),
    ))
}

/// Prints the share of each layer in our pass, and the best other contender on it.
fn layers(network: &MeasuredNetwork, output: &mut Output) -> Result<(), Failure> {
    let Some(whole) = network.find(OURS, PASS) else { return Ok(()) };
    let mut table = Table::default()
        .text(format!("{} {}", network.name, network.layout))
        .column("layer", Side::Left, 2)
        .column("kernel", Side::Left, 4)
        .figure("times")
        .figure("each")
        .figure("%pass")
        .figure("%ceiling")
        .column("best other", Side::Left, 1)
        .figure("pointwise ×");
    let mut seen: Vec<&str> = Vec::new();
    for entry in network.steps.iter().flat_map(|step| &step.layers) {
        if seen.contains(&entry.name.as_str()) {
            continue;
        }
        seen.push(&entry.name);
        let Some(ours) = network.find(OURS, &entry.name) else { continue };
        let best = network.best_other(&entry.name);
        table.row([
            entry.name.clone(),
            entry.layer.to_string(),
            ours.kernel.clone(),
            entry.count.to_string(),
            time(ours.ns_median),
            format!("{:.1}", 100.0 * entry.count as f64 * ours.ns_median / whole.ns_median),
            format!("{:.1}", 100.0 * ours.fraction_of_ceiling),
            best.map_or(String::new(), |best| best.contender.clone()),
            best.map_or(String::new(), |best| format!("{:.3}", best.ns_median / ours.ns_median)),
        ]);
    }
    output.line("")?;
    output.table(&table)?;
    output.line(format_args!(
        "A pass goes through {:.1} MB: every layer has weights, input and output of its own.",
        network.bytes as f64 / 1e6
    ))
}
