//! `pointwise report`: records as a page and figures.

use super::failure::{Failure, Outcome};
use super::files::{self, RecordFile};
use super::options::Options;
use super::output::{Output, note};
use pointwise_harness::record::environment;
use pointwise_harness::report::{Report, ReportRun};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Make a page that works without a network, and SVG figures, of record files
///
/// The files must be of one CPU. Of two rows of the same contender on the same layer under the
/// same setting the later counts. The filters select among the records.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  pointwise report run.jsonl                     into reports/CPU/
  pointwise report one.jsonl two.jsonl -o page   into page/
  pointwise report run.jsonl --network resnet50 -o resnet50")]
pub(super) struct Args {
    /// Record files, as `bench -o` writes them
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Folder for the page and the figures [default: reports/ and the CPU's name]
    #[arg(short = 'o', long = "output", value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub(super) fn run(args: &Args, options: &Options, output: &mut Output) -> Result<Outcome, Failure> {
    let runs = files::records(&args.files, options)?;
    for run in runs.iter().filter(|run| run.environment.is_none()) {
        let beside = environment::path(&run.path);
        note(format_args!("{} is missing: the page can't tell its machine", beside.display()));
    }
    let folder = args.folder.clone().unwrap_or_else(|| default_folder(&runs));
    let report = make(runs, options)?;
    let page = folder.join("index.html");
    write(&report, &page)?;
    let figures = figures(&report, &folder)?;
    if output.json {
        let figures: Vec<String> = figures.iter().map(|path| path.display().to_string()).collect();
        output.row(&json!({ "page": page.display().to_string(), "figures": figures }))?;
    } else {
        output.line(page.display())?;
        for figure in figures {
            output.line(figure.display())?;
        }
    }
    Ok(Outcome::Fine)
}

/// `reports/` and the name of the CPU in the first environment.
fn default_folder(runs: &[RecordFile]) -> PathBuf {
    let cpu = runs.iter().find_map(|run| Some(run.environment.as_ref()?.cpu.slug()));
    Path::new("reports").join(cpu.unwrap_or_else(|| "unknown-cpu".to_owned()))
}

/// The report of record files.
pub(super) fn make(runs: Vec<RecordFile>, options: &Options) -> Result<Report, Failure> {
    let known = files::known(options)?;
    let runs = runs
        .into_iter()
        .map(|run| ReportRun {
            name: run.path.display().to_string(),
            environment: run.environment,
            records: run.records,
        })
        .collect();
    Ok(Report::new(runs, known)?)
}

/// Writes the page.
pub(super) fn write(report: &Report, path: &Path) -> Result<(), Failure> {
    files::write(path, report.page()?.as_bytes())
}

fn figures(report: &Report, folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut paths = Vec::new();
    for figure in report.figures() {
        let path = folder.join(format!("{}.svg", figure.name));
        files::write(&path, figure.standalone().as_bytes())?;
        paths.push(path);
    }
    Ok(paths)
}
