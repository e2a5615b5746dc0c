//! The measuring of two builds against each other.

use super::judge::{Finding, Verdict, judge, looks};
use super::worker::{PROTOCOL, Reply, Request};
use super::{Case, Settings};
use crate::measure::{Progress, stats};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde::Serialize;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

/// The programs compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Builds {
    /// What is known to be good.
    pub base: PathBuf,
    /// What is judged.
    pub new: PathBuf,
}

/// Why builds cannot be compared at all. Bad input: exit code 2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// A program cannot be started.
    #[error("cannot start {}: {reason}", path.display())]
    Start {
        /// Which.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// A program does not answer as the gate's worker does.
    #[error("{} does not measure for this gate: {reason}", path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
        /// What it did.
        reason: String,
    },
    /// Nothing is left to measure.
    #[error("no case can be measured with both builds: {reason}")]
    NoCase {
        /// What the last refusal said.
        reason: String,
    },
}

/// One case as it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The case.
    pub case: Case,
    /// The kernels of base and new.
    pub kernels: [String; 2],
    /// Median over pairs of the time of a run, ns, of base and new.
    pub ns: [f64; 2],
    /// What was found.
    pub finding: Finding,
}

/// What the gate says of all cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// No case is slower, and none is open.
    Passed,
    /// A build computes something else than the reference.
    WrongResult,
    /// A case is slower.
    Regression,
    /// No case is slower, but one is inconclusive or not done by the new build.
    Inconclusive,
}

/// How it went.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Cases measured.
    pub rows: Vec<Row>,
    /// Wrong results, in words.
    pub wrong: Vec<String>,
    /// Cases left out because the base cannot do them, and why.
    pub left_out: Vec<(Case, String)>,
    /// Cases that the base can do and the new build cannot, and why.
    pub lost: Vec<(Case, String)>,
    /// The commits of base and new.
    pub commits: [String; 2],
    /// How long it took, s.
    pub seconds: f64,
}

impl Report {
    /// The verdict on the whole.
    pub fn outcome(&self) -> Outcome {
        let any = |verdict| self.rows.iter().any(|row| row.finding.verdict == verdict);
        if !self.wrong.is_empty() {
            Outcome::WrongResult
        } else if any(Verdict::Slower) {
            Outcome::Regression
        } else if any(Verdict::Inconclusive) || !self.lost.is_empty() {
            Outcome::Inconclusive
        } else {
            Outcome::Passed
        }
    }
}

/// What is known of a case while it is measured.
struct Course<'c> {
    case: &'c Case,
    iterations: u64,
    kernels: [String; 2],
    ns: [Vec<f64>; 2],
    changes: Vec<f64>,
    control: Vec<f64>,
    finding: Option<Finding>,
    settled: bool,
}

/// The processes of a pair: base, new, and base again for the control.
const BASE: usize = 0;
const NEW: usize = 1;
const CONTROL: usize = 2;

/// Measures until every case is settled, the budget is spent or `progress` says to stop.
///
/// # Errors
/// [`GateError`]: a build that cannot be started or is no build of this program, or no case that
/// both can measure.
pub fn run(
    builds: &Builds,
    cases: &[Case],
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Report, GateError> {
    let start = Instant::now();
    let mut rng = StdRng::seed_from_u64(settings.seed);
    let mut report = Report {
        rows: Vec::new(),
        wrong: Vec::new(),
        left_out: Vec::new(),
        lost: Vec::new(),
        commits: Default::default(),
        seconds: 0.0,
    };
    let mut courses: Vec<Course<'_>> = cases.iter().map(Course::new).collect();
    progress.begin("gate", cases.len() as u64);
    let mut first_done = false;
    loop {
        let mut open: Vec<usize> = (0..courses.len()).filter(|i| !courses[*i].settled).collect();
        open.shuffle(&mut rng);
        let late = first_done && start.elapsed() >= settings.budget;
        if open.is_empty() || progress.stopped() || late {
            break;
        }
        for index in open {
            let course = &mut courses[index];
            let pair = pair(builds, course, settings, &mut rng, &mut report.commits)?;
            match pair {
                Ok([base, new, again]) => course.add(base, new, again, cases.len(), settings),
                Err(Unfit::Wrong(why)) => {
                    report.wrong.push(why);
                    course.give_up();
                }
                Err(Unfit::Refused(why)) => {
                    report.left_out.push((course.case.clone(), why));
                    course.give_up();
                }
                Err(Unfit::Lost(why)) => {
                    report.lost.push((course.case.clone(), why));
                    course.give_up();
                }
            }
            if course.settled {
                progress.step();
            }
            progress.pulse();
            // Each case gets its first pair, or there would be cases that nothing is said of.
            let late = first_done && start.elapsed() >= settings.budget;
            if progress.stopped() || late {
                break;
            }
        }
        first_done = true;
    }
    progress.end();
    report.rows = courses.into_iter().filter_map(|c| c.finish(cases.len(), settings)).collect();
    report.seconds = start.elapsed().as_secs_f64();
    let judged = !(report.rows.is_empty() && report.wrong.is_empty() && report.lost.is_empty());
    if !judged && !progress.stopped() {
        let reason = match report.left_out.pop() {
            Some((case, why)) => format!("{}: {why}", case.layer),
            None => "the time was over before the first pair".to_owned(),
        };
        return Err(GateError::NoCase { reason });
    }
    Ok(report)
}

impl<'c> Course<'c> {
    fn new(case: &'c Case) -> Self {
        Course {
            case,
            iterations: 0,
            kernels: Default::default(),
            ns: Default::default(),
            changes: Vec::new(),
            control: Vec::new(),
            finding: None,
            settled: false,
        }
    }

    /// Adds a pair, and looks at them all when their number says so.
    fn add(&mut self, base: f64, new: f64, again: f64, cases: usize, settings: &Settings) {
        self.ns[BASE].push(base);
        self.ns[NEW].push(new);
        self.changes.push((new / base).ln());
        self.control.push((again / base).ln());
        let pairs = self.changes.len();
        if looks().any(|look| look == pairs) {
            self.finding = judge(&self.changes, &self.control, cases, &settings.limits);
            let open = |finding: &Finding| finding.verdict == Verdict::Inconclusive;
            self.settled =
                !self.finding.as_ref().is_some_and(open) || looks().last() == Some(pairs);
        }
    }

    fn give_up(&mut self) {
        self.settled = true;
        self.changes.clear();
        self.finding = None;
    }

    /// The row; a case that was still open is looked at for the last time.
    fn finish(self, cases: usize, settings: &Settings) -> Option<Row> {
        let finding = match self.settled {
            true => self.finding,
            false => judge(&self.changes, &self.control, cases, &settings.limits),
        }?;
        let ns = [stats::median(&self.ns[BASE])?, stats::median(&self.ns[NEW])?];
        Some(Row { case: self.case.clone(), kernels: self.kernels, ns, finding })
    }
}

/// Why a case cannot be measured.
enum Unfit {
    Wrong(String),
    Refused(String),
    Lost(String),
}

/// One pair with its control: the fastest sample of base, new and base again, ns.
fn pair(
    builds: &Builds,
    course: &mut Course<'_>,
    settings: &Settings,
    rng: &mut StdRng,
    commits: &mut [String; 2],
) -> Result<Result<[f64; 3], Unfit>, GateError> {
    let mut order = [BASE, NEW, CONTROL];
    let mut workers: [Option<Worker>; 3] = Default::default();
    order.shuffle(rng);
    for role in order {
        let path = if role == NEW { &builds.new } else { &builds.base };
        let worker = workers[role].insert(Worker::start(path, settings)?);
        worker.ask(&Request::Prepare {
            layer: course.case.layer.to_string(),
            contender: course.case.contender.clone(),
            // Once for each build; the bits do not change from process to process.
            check: course.changes.is_empty() && role != CONTROL,
            shift: 64 * rng.random_range(0..1024),
        })?;
    }
    let mut workers: Vec<Worker> = workers.into_iter().flatten().collect();
    for (role, worker) in workers.iter_mut().enumerate() {
        match worker.answer()? {
            Reply::Ready { protocol: PROTOCOL, kernel, commit, run_ns } => {
                if role != CONTROL {
                    course.kernels[role] = kernel;
                    commits[role] = commit;
                }
                if course.iterations == 0 {
                    let target = settings.sample.as_nanos() as f64;
                    course.iterations = (target / run_ns).round().clamp(1.0, 1e9) as u64;
                }
            }
            Reply::Ready { protocol, .. } => {
                let reason = format!("its protocol is {protocol}, this gate's is {PROTOCOL}");
                return Err(worker.foreign(reason));
            }
            Reply::Wrong { why } => {
                let build = if role == NEW { "new" } else { "base" };
                return Ok(Err(Unfit::Wrong(format!("{build}: {why}"))));
            }
            Reply::Refused { why } if role == NEW => return Ok(Err(Unfit::Lost(why))),
            Reply::Refused { why } => return Ok(Err(Unfit::Refused(why))),
            Reply::Sampled { .. } => return Err(worker.foreign("an answer not asked for".into())),
        }
    }
    let mut fastest = [f64::INFINITY; 3];
    for _ in 0..settings.rounds.max(1) {
        order.shuffle(rng);
        for role in order {
            let worker = &mut workers[role];
            worker.ask(&Request::Sample { iterations: course.iterations })?;
            match worker.answer()? {
                Reply::Sampled { ns } if ns.is_finite() && ns > 0.0 => {
                    fastest[role] = fastest[role].min(ns);
                }
                Reply::Refused { why } if role == NEW => return Ok(Err(Unfit::Lost(why))),
                Reply::Refused { why } => return Ok(Err(Unfit::Refused(why))),
                other => return Err(worker.foreign(format!("it answered {other:?}"))),
            }
        }
    }
    Ok(Ok(fastest))
}

/// A process that measures.
struct Worker {
    path: PathBuf,
    child: Child,
    requests: ChildStdin,
    replies: BufReader<ChildStdout>,
}

impl Worker {
    fn start(path: &Path, settings: &Settings) -> Result<Worker, GateError> {
        let failed = |reason: String| GateError::Start { path: path.to_owned(), reason };
        let mut command = Command::new(path);
        command.arg("gate-worker").args(["--threads", &settings.threads.to_string()]);
        if let Some(isa) = settings.isa {
            command.args(["--isa", isa.name()]);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(requests), Some(replies)) => Ok(Worker {
                path: path.to_owned(),
                child,
                requests,
                replies: BufReader::new(replies),
            }),
            _ => Err(failed("it has no pipes".to_owned())),
        }
    }

    fn ask(&mut self, request: &Request) -> Result<(), GateError> {
        let mut line = serde_json::to_vec(request).map_err(|e| self.foreign(e.to_string()))?;
        line.push(b'\n');
        // One that has ended is told by its answer, which has its reasons.
        let _ = self.requests.write_all(&line);
        Ok(())
    }

    fn answer(&mut self) -> Result<Reply, GateError> {
        let mut line = String::new();
        match self.replies.read_line(&mut line) {
            Ok(0) => Err(self.ended()),
            Ok(_) => serde_json::from_str(&line).map_err(|error| {
                let begin: String = line.trim().chars().take(60).collect();
                self.foreign(format!("it answered `{begin}` ({error})"))
            }),
            Err(error) => Err(self.foreign(error.to_string())),
        }
    }

    fn foreign(&self, reason: String) -> GateError {
        GateError::Foreign { path: self.path.clone(), reason }
    }

    /// The error of a process that ended before it answered.
    fn ended(&mut self) -> GateError {
        let status = self.child.wait().map_or_else(|e| e.to_string(), |status| status.to_string());
        let mut told = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            let _ = stderr.take(4096).read_to_string(&mut told);
        }
        let told = told.lines().next_back().unwrap_or("it said nothing").to_owned();
        self.foreign(format!("it ended ({status}): {told}"))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
