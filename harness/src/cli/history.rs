//! `pointwise history`: the runs kept of a CPU, and each layer from run to run.

use super::failure::{Failure, Outcome};
use super::files::{self, RecordFile};
use super::options::{self, Options};
use super::output::{Output, note};
use super::table::{Side, Table};
use pointwise_harness::history::{Course, DatedRun, by_time, courses};
use pointwise_harness::machine::Cpu;
use pointwise_harness::record::environment;
use pointwise_harness::text::numbers::time;
use std::path::{Path, PathBuf};

/// Show each layer from run to run; with --add keep runs for that
///
/// Runs are kept in reports/CPU/history/, one file each, named by the time of its beginning and its
/// commit. Without files: the runs kept of this CPU. The filters select among the records. The page
/// shows the same as curves: `pointwise report reports/CPU/history/*.jsonl`.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  pointwise bench --network resnet50 -o run.jsonl && pointwise history --add run.jsonl
  pointwise history                              this CPU's
  pointwise history --contender pointwise --network resnet50 --json
  pointwise history reports/*/history/*.jsonl    must be of one CPU")]
pub(super) struct Args {
    /// Record files, as `bench -o` writes them
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Keep the files in the history of the CPU that they were measured on
    #[arg(long, requires = "files")]
    add: bool,

    /// Folder with a folder for each CPU [default: reports]
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
}

impl Args {
    /// The command, and the shared options that it takes.
    pub(super) fn takes(&self) -> (&'static str, &'static str) {
        match self.add {
            // Files are kept whole, whatever the filters.
            true => ("history --add", "json"),
            false => ("history", options::RECORDS),
        }
    }

    /// The folder with a folder for each CPU.
    fn reports(&self) -> &Path {
        self.reports.as_deref().unwrap_or(Path::new("reports"))
    }
}

pub(super) fn run(args: &Args, options: &Options, output: &mut Output) -> Result<Outcome, Failure> {
    if args.add {
        return add(args, options, output);
    }
    if args.reports.is_some() && !args.files.is_empty() {
        let why = "`history FILE` would ignore `--reports`: leave it out, or leave out FILE";
        return Err(Failure::Usage(why.to_owned()));
    }
    let paths = match args.files.is_empty() {
        true => kept(args.reports())?,
        false => args.files.clone(),
    };
    let runs = files::records(&paths, options)?;
    same_cpu(&runs)?;
    show(&runs, options, output)?;
    Ok(Outcome::Fine)
}

/// The runs kept of this CPU.
fn kept(reports: &Path) -> Result<Vec<PathBuf>, Failure> {
    let folder = folder(reports, &Cpu::detect());
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    paths.sort();
    if paths.is_empty() {
        let why = "it holds no runs; `pointwise history --add FILE` keeps one".to_owned();
        return Err(Failure::Content { path: folder, why });
    }
    Ok(paths)
}

fn folder(reports: &Path, cpu: &Cpu) -> PathBuf {
    reports.join(cpu.slug()).join("history")
}

/// Copies record files, each with its environment, under names that sort by time.
fn add(args: &Args, options: &Options, output: &mut Output) -> Result<Outcome, Failure> {
    // All files are read before one is written, so that a damaged file does not leave half of them
    // added.
    for run in files::records(&args.files, options)? {
        let Some(told) = &run.environment else {
            let beside = environment::path(&run.path);
            let why = format!("{} is missing: its CPU and commit are unknown", beside.display());
            return Err(Failure::Content { path: run.path, why });
        };
        let began: String = told.started.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
        let name = format!("{began}-{}.jsonl", told.build.short_commit());
        let target = folder(args.reports(), &told.cpu).join(name);
        if target.exists() {
            note(format_args!("{} is there already", target.display()));
            continue;
        }
        files::copy(&environment::path(&run.path), &environment::path(&target))?;
        files::copy(&run.path, &target)?;
        match output.json {
            true => output.row(&serde_json::json!({ "kept": target.display().to_string() }))?,
            false => output.line(target.display())?,
        }
    }
    Ok(Outcome::Fine)
}

fn same_cpu(runs: &[RecordFile]) -> Result<(), Failure> {
    let told = |run: &RecordFile| run.environment.as_ref().map(|e| e.cpu.slug());
    let Some((first, cpu)) = runs.iter().find_map(|run| Some((&run.path, told(run)?))) else {
        return Ok(());
    };
    match runs.iter().find_map(|run| Some((run, told(run).filter(|other| *other != cpu)?))) {
        None => Ok(()),
        Some((run, other)) => Err(Failure::Content {
            path: run.path.clone(),
            why: format!("it is of {other}, but `{}` of {cpu}", first.display()),
        }),
    }
}

fn show(runs: &[RecordFile], options: &Options, output: &mut Output) -> Result<(), Failure> {
    let told: Vec<(String, String, String)> = runs
        .iter()
        .map(|run| match &run.environment {
            Some(e) => (e.started.clone(), e.build.short_commit(), e.trust.grade.to_string()),
            None => (String::new(), "unknown".to_owned(), "unknown".to_owned()),
        })
        .collect();
    let moments: Vec<DatedRun<'_>> = runs
        .iter()
        .zip(&told)
        .map(|(run, (started, commit, _))| DatedRun { started, commit, records: &run.records })
        .collect();
    let courses = courses(&moments, &files::known(options)?);
    if output.json {
        return courses.iter().try_for_each(|course| output.row(course));
    }
    let mut table = Table::default().text("run").text("commit").text("grade").figure("rows");
    for at in by_time(&moments) {
        let (started, commit, grade) = told[at].clone();
        table.row([started, commit, grade, runs[at].records.len().to_string()]);
    }
    output.table(&table)?;
    if courses.is_empty() {
        return output.line("\nNo layer is in two of them.");
    }
    output.line("")?;
    output.table(&layers(&courses))
}

fn layers(courses: &[Course]) -> Table {
    let mut table = Table::default()
        .column("name", Side::Left, 3)
        .text("layer")
        .column("setting", Side::Left, 5)
        .text("contender")
        .column("runs", Side::Right, 4)
        .figure("first")
        .figure("last")
        .figure("last ÷ first")
        .figure("last ÷ before")
        .text("bands");
    for course in courses {
        let [first, .., last] = &course.moments[..] else { continue };
        let (change, apart) = course.last_change();
        table.row([
            match course.network.as_str() {
                "" => course.layer.clone(),
                network => format!("{network}/{}", course.layer),
            },
            course.text.clone().unwrap_or_else(|| course.layer.clone()),
            course.setting.to_string(),
            course.contender.clone(),
            course.moments.len().to_string(),
            time(first.ns),
            time(last.ns),
            format!("{:.3}", last.ns / first.ns),
            format!("{change:.3}"),
            if apart { "apart" } else { "overlap" }.to_owned(),
        ]);
    }
    table
}
