//! `pointwise list`: kernels, networks, layers and contenders, and why some cannot run here.

use super::failure::{Failure, Outcome};
use super::field::{self, Preset};
use super::options::{LayoutChoice, Options};
use super::output::Output;
use super::selection;
use super::table::{Side, Table};
use clap::ValueEnum;
use pointwise_harness::catalog::{self, Entry};
use serde_json::json;

/// List what there is; for what can't run here, why
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  pointwise list kernels
  pointwise list layers --network googlenet --layout nchw
  pointwise list contenders --json")]
pub(super) struct Args {
    /// What to list
    what: What,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// Our register tiles: ISA, family, size, and whether this CPU runs them
    Kernels,
    /// The networks of the catalog
    Networks,
    /// The layers of those networks, each with the text that `--layer` takes
    Layers,
    /// Everything that can be timed: our plan, our kernels, naive loops, GEMMs, peers
    Contenders,
}

impl Args {
    /// The command, and the shared options that it takes.
    pub(super) fn takes(&self) -> (&'static str, &'static str) {
        match self.what {
            What::Kernels => ("list kernels", "kernel isa json"),
            What::Networks => ("list networks", "network layer layers json"),
            What::Layers => ("list layers", "network layer layout shuffle layers json"),
            What::Contenders => ("list contenders", "kernel contender isa peers json"),
        }
    }
}

pub(super) fn run(args: &Args, options: &Options, output: &mut Output) -> Result<Outcome, Failure> {
    match args.what {
        What::Kernels => kernels(options, output)?,
        What::Networks => networks(options, output)?,
        What::Layers => layers(options, output)?,
        What::Contenders => contenders(options, output)?,
    }
    Ok(Outcome::Fine)
}

fn kernels(options: &Options, output: &mut Output) -> Result<(), Failure> {
    let mut table = Table::default()
        .text("kernel")
        .text("isa")
        .column("lanes hold", Side::Left, 2)
        .figure("tile")
        .text("here");
    for kernel in field::kernels(options)? {
        let why_not = field::why_not(kernel, options);
        if output.json {
            output.row(&json!({
                "kernel": kernel.name(),
                "isa": kernel.isa().name(),
                "family": kernel.family().name(),
                "rows": kernel.rows(),
                "columns": kernel.columns(),
                "available": why_not.is_none(),
                "why_not": why_not,
            }))?;
            continue;
        }
        table.row([
            kernel.name().to_owned(),
            kernel.isa().name().to_owned(),
            kernel.family().name().to_owned(),
            format!("{}×{}", kernel.rows(), kernel.columns()),
            why_not.map_or_else(|| "yes".to_owned(), |why| format!("no: {why}")),
        ]);
    }
    output.table(&table)
}

fn networks(options: &Options, output: &mut Output) -> Result<(), Failure> {
    let mut table = Table::default()
        .text("network")
        .figure("layers")
        .figure("distinct")
        .figure("GMAC")
        .column("what it is", Side::Left, 1);
    let entries = selection::entries(options)?;
    for group in entries.chunk_by(|a, b| a.network == b.network) {
        let layers: usize = group.iter().map(|entry| entry.count).sum();
        let mut macs = 0;
        for entry in group {
            macs += entry.layer.check()?.macs * entry.count as u128;
        }
        let network = group[0].network.as_str();
        let title = catalog::networks().iter().find(|known| known.name == network);
        let title = title.map_or("", catalog::Network::title);
        if output.json {
            output.row(&json!({
                "network": network, "layers": layers, "distinct": group.len(), "macs": macs as u64,
                "title": title,
            }))?;
            continue;
        }
        table.row([
            network.to_owned(),
            layers.to_string(),
            group.len().to_string(),
            format!("{:.3}", macs as f64 / 1e9),
            title.to_owned(),
        ]);
    }
    output.table(&table)
}

fn layers(options: &Options, output: &mut Output) -> Result<(), Failure> {
    let mut table = Table::default()
        .text("network")
        .text("name")
        .column("times", Side::Right, 1)
        .column("MMAC", Side::Right, 2)
        .text("layer");
    // A layer of the catalog is the same in both layouts, so that one is listed without `--layout`.
    let mut options = options.clone();
    if options.layer.is_empty() {
        options.layout.get_or_insert(LayoutChoice::Nhwc);
    }
    for Entry { network, name, count, head, layer } in selection::layers(&options)? {
        let shape = layer.check()?;
        if output.json {
            output.row(&json!({
                "network": network, "name": name, "count": count, "head": head,
                "layer": layer.to_string(), "macs": shape.macs as u64,
                "oh": shape.oh, "ow": shape.ow,
            }))?;
            continue;
        }
        table.row([
            network,
            name,
            count.to_string(),
            format!("{:.1}", shape.macs as f64 / 1e6),
            layer.to_string(),
        ]);
    }
    output.table(&table)
}

fn contenders(options: &Options, output: &mut Output) -> Result<(), Failure> {
    let mut table = Table::default()
        .text("contender")
        .column("version", Side::Left, 1)
        .column("bits", Side::Left, 3)
        .column("weights", Side::Left, 2)
        .text("here");
    let field = field::contenders(options, Preset::Everything)?;
    for (contender, why_not) in field.everyone() {
        if output.json {
            output.row(&json!({
                "contender": contender.name(),
                "version": contender.version(),
                "exact": contender.exact(),
                "prepacks": contender.prepacks(),
                "available": why_not.is_none(),
                "why_not": why_not,
            }))?;
            continue;
        }
        table.row([
            contender.name().to_owned(),
            contender.version(),
            if contender.exact() { "the reference's" } else { "within a bound" }.to_owned(),
            if contender.prepacks() { "packed ahead" } else { "as they are" }.to_owned(),
            why_not.map_or_else(|| "yes".to_owned(), |why| format!("no: {why}")),
        ]);
    }
    output.table(&table)
}
