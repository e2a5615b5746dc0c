//! `pointwise` without a command, the tour: what this machine is, whether the kernels are right on it,
//! how fast they are beside matrixmultiply and naive loops, and a page with the results. It takes about
//! a minute.

use super::failure::{Failure, Outcome};
use super::fault;
use super::field::{self, Preset};
use super::files;
use super::interrupt::{self, Interrupt};
use super::layer_run::{LayerRun, Results};
use super::layer_tables;
use super::options::Options;
use super::output::{Output, note};
use super::progress::ProgressBar;
use super::report;
use super::selection;
use super::verify::{self, CheckResult};
use pointwise_harness::catalog::{self, Entry, Unique};
use pointwise_harness::contender::Contender;
use pointwise_harness::machine::{Effort, doctor};
use pointwise_harness::measure::Settings;
use pointwise_harness::record::Writer;
use pointwise_harness::text::numbers::count;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The networks that are measured without a filter, and the number of layers of each.
const NETWORKS: &[&str] = &["resnet50", "inception_v3"];
const LAYERS: usize = 12;
/// The times after which verifying and measuring begin no further layer.
const VERIFY: Duration = Duration::from_secs(15);
const BENCH: Duration = Duration::from_secs(40);

pub(super) fn run(options: &Options, output: &mut Output) -> Result<Outcome, Failure> {
    options.refuse_passes()?;
    let mut options = options.clone();
    if selection::is_open(&options) {
        options.network = NETWORKS.iter().map(|name| (*name).to_owned()).collect();
    }
    let rows = selection::layers(&options)?;
    let everyone = field::contenders(&options, Preset::Everything)?;
    let everyone = fault::planted(everyone.present()?);
    let racers = field::contenders(&options, Preset::WholeLayers)?;
    let racers = fault::planted(racers.present()?);
    let interrupt = interrupt::install()?;

    let progress = ProgressBar::default();
    let examination = doctor::examine(options.threads_or_all(), true, &progress)?;
    if !output.json {
        output.line(machine(&examination))?;
    }
    let right = verified(&rows, &everyone, &options, &interrupt, output)?;

    let run = LayerRun {
        options: &options,
        field: &racers,
        settings: Settings::quick(options.cache()).budget(Duration::from_millis(30)),
        effort: Effort::Quick,
        limit: Some(BENCH),
        interrupt: &interrupt,
    };
    let problems = measured(&rows);
    let results = run.measure(&problems, &progress, &mut |_| Ok(()))?;
    drop(progress);
    if output.json {
        for row in &results.rows {
            output.row(&row.record)?;
        }
    } else {
        layer_tables::compare(&results, output)?;
    }
    let (begun, all) = results.cases;
    if begun < all {
        note(format_args!("{begun} of {all} layers were measured in the time there was"));
    }
    if !results.rows.is_empty() {
        let page = publish(&results, &examination.cpu.slug(), &options)?;
        let says = format!("The page with its figures: {}", page.display());
        if output.json { note(says) } else { output.line(says)? }
    }
    if !right || !results.wrong.is_empty() {
        return Ok(Outcome::WrongResult);
    }
    Ok(interrupt.signal().map_or(Outcome::Fine, Outcome::Interrupted))
}

/// The machine in a few lines. `pointwise doctor` tells more.
fn machine(examination: &doctor::Examination) -> String {
    let doctor::Examination { cpu, host, ceilings, trust, .. } = examination;
    let known = cpu.microarchitecture.as_deref().unwrap_or("microarchitecture not known");
    let isas: Vec<&str> = cpu.isas.iter().map(|isa| isa.name()).collect();
    let guest = host.hypervisor.as_ref().map_or(String::new(), |name| format!(", under {name}"));
    let mut text =
        format!("{} ({known}), {} cores, {}{guest}\n", cpu.brand, cpu.physical, isas.join(" "));
    for ceiling in &ceilings.fma {
        text += &format!(
            "  FMA ceiling {:>7.1} GFLOP/s  {} on {}\n",
            ceiling.gflops,
            ceiling.isa,
            count(ceiling.threads, "thread")
        );
    }
    text += &format!("  trust grade {}", trust.grade);
    let reasons: Vec<String> =
        trust.reasons().map(|finding| format!("{}: {}", finding.what, finding.seen)).collect();
    if !reasons.is_empty() {
        text += &format!(" for {}", reasons.join("; "));
    }
    text + "\n"
}

/// Checks a few layers of every kind and prints the result.
fn verified(
    rows: &[Entry],
    field: &[&dyn Contender],
    options: &Options,
    interrupt: &Interrupt,
    output: &mut Output,
) -> Result<bool, Failure> {
    let problems = verify::kinds(catalog::unique(rows));
    let checked = verify::check(problems, field, options, verify::SEED, interrupt, Some(VERIFY))?;
    let verdicts = || checked.iter().flat_map(|checked| &checked.verdicts);
    let wrong = verdicts().filter(|verdict| matches!(verdict, CheckResult::Wrong(_))).count();
    if !output.json {
        verify::complaints(field, &checked, output)?;
        let right = verdicts().filter(|verdict| **verdict == CheckResult::Right).count();
        let exact = field.iter().filter(|contender| contender.exact()).count();
        output.line(format_args!(
            "Verified: {right} results of {} contenders on {} layers are right, {wrong} wrong; \
             {exact} of the contenders bit for bit. (`pointwise verify` checks every layer.)\n",
            field.len(),
            checked.len(),
        ))?;
    }
    Ok(wrong == 0)
}

/// The problems that are measured: a few that span each network. The layouts of a layer follow each
/// other, so that a run that ends early has both.
fn measured(rows: &[Entry]) -> Vec<Unique<'_>> {
    let mut chosen: Vec<&Entry> = Vec::new();
    let mut networks: Vec<&str> = rows.iter().map(|entry| entry.network.as_str()).collect();
    networks.dedup();
    let mut seen = BTreeSet::new();
    networks.retain(|network| seen.insert(*network));
    for network in networks {
        let of = |entry: &&Entry| entry.network == network && (!entry.head || network.is_empty());
        let mut names: Vec<&str> =
            rows.iter().filter(of).map(|entry| entry.name.as_str()).collect();
        let mut seen = BTreeSet::new();
        // The name of a layer given by hand contains its layout. Such layers are all measured.
        names.retain(|name| seen.insert(*name));
        let most = if network.is_empty() { names.len() } else { LAYERS.min(names.len()) };
        // Evenly spaced, in steps that do not meet the same place of every block.
        for name in (0..most).map(|index| names[index * names.len() / most]) {
            chosen.extend(rows.iter().filter(|e| e.network == network && e.name == name));
        }
    }
    catalog::unique(chosen)
}

/// Writes records and page below `reports/`, or to a temporary folder if that fails.
fn publish(results: &Results, slug: &str, options: &Options) -> Result<PathBuf, Failure> {
    let folder = Path::new("reports").join(slug);
    match publish_in(&folder, results, options) {
        Ok(page) => Ok(page),
        Err(failure) => {
            note(format_args!("{failure}; the page goes to a temporary folder instead"));
            let temporary = tempfile::Builder::new()
                .prefix("pointwise-")
                .tempdir()
                .map_err(Failure::writing(&std::env::temp_dir()))?;
            publish_in(&temporary.keep(), results, options)
        }
    }
}

fn publish_in(folder: &Path, results: &Results, options: &Options) -> Result<PathBuf, Failure> {
    std::fs::create_dir_all(folder).map_err(Failure::writing(folder))?;
    let path = folder.join("tour.jsonl");
    let mut writer = Writer::create(&path)?;
    for row in &results.rows {
        writer.append(&row.record)?;
    }
    writer.finish(&results.environment)?;
    let run = files::RecordFile {
        path,
        environment: Some(results.environment.clone()),
        records: results.records(),
    };
    let page = folder.join("tour.html");
    report::write(&report::make(vec![run], options)?, &page)?;
    Ok(page)
}
