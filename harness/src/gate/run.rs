//! Measuring two builds against each other.

use super::case::{GateCase, GateSettings};
use super::judge::{Judgement, Verdict, judge, looks};
use super::protocol::{PROTOCOL, Reply, Request};
use crate::timing::progress::Progress;
use crate::timing::stats;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde::Serialize;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

/// The two programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Builds {
    /// The base, which is known to be good.
    pub base: PathBuf,
    /// The new build, which is judged.
    pub new: PathBuf,
}

/// Why two builds cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// A program cannot be started.
    #[error("cannot start {}: {reason}", path.display())]
    Start {
        /// The program.
        path: PathBuf,
        /// The system's own words.
        reason: String,
    },
    /// A program does not answer as the gate's worker does.
    #[error("{} does not measure for this gate: {reason}", path.display())]
    Foreign {
        /// The program.
        path: PathBuf,
        /// What it did instead.
        reason: String,
    },
    /// No case can be measured.
    #[error("no case can be measured with both builds: {reason}")]
    NoCase {
        /// The reason of the last refusal.
        reason: String,
    },
}

/// The result of one case.
#[derive(Clone, Debug, PartialEq)]
pub struct GateRow {
    /// The case.
    pub case: GateCase,
    /// The kernels of base and new.
    pub kernels: [String; 2],
    /// The time of a run of base and new, ns: the median over pairs.
    pub ns: [f64; 2],
    /// The judgement.
    pub judgement: Judgement,
}

/// The verdict on all cases together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GateOutcome {
    /// Every case is settled, and none is slower.
    Passed,
    /// A build computes something else than the reference.
    WrongResult,
    /// A case is slower.
    Regression,
    /// No case is slower, but one is inconclusive, or the new build cannot do it.
    Inconclusive,
}

/// The result of a gate.
#[derive(Clone, Debug, PartialEq)]
pub struct GateReport {
    /// The cases that were measured.
    pub rows: Vec<GateRow>,
    /// The wrong results, in words.
    pub wrong: Vec<String>,
    /// The cases that the base cannot do, with the reason.
    pub left_out: Vec<(GateCase, String)>,
    /// The cases that the base can do and the new build cannot, with the reason.
    pub lost: Vec<(GateCase, String)>,
    /// The commits of base and new.
    pub commits: [String; 2],
    /// The time that the gate took, s.
    pub seconds: f64,
}

impl GateReport {
    /// The verdict on all cases.
    pub fn outcome(&self) -> GateOutcome {
        let any = |verdict| self.rows.iter().any(|row| row.judgement.verdict == verdict);
        if !self.wrong.is_empty() {
            GateOutcome::WrongResult
        } else if any(Verdict::Slower) {
            GateOutcome::Regression
        } else if any(Verdict::Inconclusive) || !self.lost.is_empty() {
            GateOutcome::Inconclusive
        } else {
            GateOutcome::Passed
        }
    }
}

/// The state of a case while it is measured.
struct CaseState<'c> {
    case: &'c GateCase,
    iterations: u64,
    kernels: [String; 2],
    ns: [Vec<f64>; 2],
    changes: Vec<f64>,
    control: Vec<f64>,
    judgement: Option<Judgement>,
    settled: bool,
}

/// The indices of the processes of a pair: base, new, and base again for the control.
const BASE: usize = 0;
const NEW: usize = 1;
const CONTROL: usize = 2;

/// Measures until every case is settled, the budget is spent, or `progress` says to stop.
///
/// # Errors
/// [`GateError`]: a build that cannot be started or is not a build of this program, or no case that
/// both builds can measure.
pub fn run(
    builds: &Builds,
    cases: &[GateCase],
    settings: &GateSettings,
    progress: &dyn Progress,
) -> Result<GateReport, GateError> {
    let start = Instant::now();
    let mut rng = StdRng::seed_from_u64(settings.seed);
    let mut report = GateReport {
        rows: Vec::new(),
        wrong: Vec::new(),
        left_out: Vec::new(),
        lost: Vec::new(),
        commits: Default::default(),
        seconds: 0.0,
    };
    let mut states: Vec<CaseState<'_>> = cases.iter().map(CaseState::new).collect();
    progress.begin("gate", cases.len() as u64);
    let mut first_done = false;
    loop {
        let mut open: Vec<usize> = (0..states.len()).filter(|i| !states[*i].settled).collect();
        open.shuffle(&mut rng);
        let late = first_done && start.elapsed() >= settings.budget;
        if open.is_empty() || progress.stopped() || late {
            break;
        }
        for index in open {
            let state = &mut states[index];
            let pair = pair(builds, state, settings, &mut rng, &mut report.commits)?;
            match pair {
                Ok([base, new, again]) => state.add(base, new, again, cases.len(), settings),
                Err(NotMeasured::Wrong(why)) => {
                    report.wrong.push(why);
                    state.give_up();
                }
                Err(NotMeasured::Refused(why)) => {
                    report.left_out.push((state.case.clone(), why));
                    state.give_up();
                }
                Err(NotMeasured::Lost(why)) => {
                    report.lost.push((state.case.clone(), why));
                    state.give_up();
                }
            }
            if state.settled {
                progress.step();
            }
            progress.pulse();
            // The budget does not end the first round: every case gets a pair.
            let late = first_done && start.elapsed() >= settings.budget;
            if progress.stopped() || late {
                break;
            }
        }
        first_done = true;
    }
    progress.end();
    report.rows = states.into_iter().filter_map(|c| c.into_row(cases.len(), settings)).collect();
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

impl<'c> CaseState<'c> {
    fn new(case: &'c GateCase) -> Self {
        CaseState {
            case,
            iterations: 0,
            kernels: Default::default(),
            ns: Default::default(),
            changes: Vec::new(),
            control: Vec::new(),
            judgement: None,
            settled: false,
        }
    }

    /// Adds a pair, and judges the case when its number of pairs is that of a look.
    fn add(&mut self, base: f64, new: f64, again: f64, cases: usize, settings: &GateSettings) {
        self.ns[BASE].push(base);
        self.ns[NEW].push(new);
        self.changes.push((new / base).ln());
        self.control.push((again / base).ln());
        let pairs = self.changes.len();
        if looks().any(|look| look == pairs) {
            self.judgement = judge(&self.changes, &self.control, cases, &settings.limits);
            let open = |judgement: &Judgement| judgement.verdict == Verdict::Inconclusive;
            self.settled =
                !self.judgement.as_ref().is_some_and(open) || looks().last() == Some(pairs);
        }
    }

    fn give_up(&mut self) {
        self.settled = true;
        self.changes.clear();
        self.judgement = None;
    }

    /// The result. A case that is not settled is judged for the last time.
    fn into_row(self, cases: usize, settings: &GateSettings) -> Option<GateRow> {
        let judgement = match self.settled {
            true => self.judgement,
            false => judge(&self.changes, &self.control, cases, &settings.limits),
        }?;
        let ns = [stats::median(&self.ns[BASE])?, stats::median(&self.ns[NEW])?];
        Some(GateRow { case: self.case.clone(), kernels: self.kernels, ns, judgement })
    }
}

/// Why a case cannot be measured.
enum NotMeasured {
    Wrong(String),
    Refused(String),
    Lost(String),
}

/// Measures one pair with its control: the fastest sample of base, new and base again, ns.
fn pair(
    builds: &Builds,
    state: &mut CaseState<'_>,
    settings: &GateSettings,
    rng: &mut StdRng,
    commits: &mut [String; 2],
) -> Result<Result<[f64; 3], NotMeasured>, GateError> {
    let mut order = [BASE, NEW, CONTROL];
    let mut workers: [Option<Worker>; 3] = Default::default();
    order.shuffle(rng);
    for role in order {
        let path = if role == NEW { &builds.new } else { &builds.base };
        let worker = workers[role].insert(Worker::start(path, settings)?);
        worker.ask(&Request::Prepare {
            layer: state.case.layer.to_string(),
            contender: state.case.contender.clone(),
            // Each build is checked once. The bits are the same in every process.
            check: state.changes.is_empty() && role != CONTROL,
            shift: 64 * rng.random_range(0..1024),
        })?;
    }
    let mut workers: Vec<Worker> = workers.into_iter().flatten().collect();
    for (role, worker) in workers.iter_mut().enumerate() {
        match worker.answer()? {
            Reply::Ready { protocol: PROTOCOL, kernel, commit, run_ns } => {
                if role != CONTROL {
                    state.kernels[role] = kernel;
                    commits[role] = commit;
                }
                if state.iterations == 0 {
                    let target = settings.sample.as_nanos() as f64;
                    state.iterations = (target / run_ns).round().clamp(1.0, 1e9) as u64;
                }
            }
            Reply::Ready { protocol, .. } => {
                let reason = format!("its protocol is {protocol}, this gate's is {PROTOCOL}");
                return Err(worker.foreign(reason));
            }
            Reply::Wrong { why } => {
                let build = if role == NEW { "new" } else { "base" };
                return Ok(Err(NotMeasured::Wrong(format!("{build}: {why}"))));
            }
            Reply::Refused { why } if role == NEW => return Ok(Err(NotMeasured::Lost(why))),
            Reply::Refused { why } => return Ok(Err(NotMeasured::Refused(why))),
            Reply::Sampled { .. } => return Err(worker.foreign("an answer not asked for".into())),
        }
    }
    let mut fastest = [f64::INFINITY; 3];
    for _ in 0..settings.rounds.max(1) {
        order.shuffle(rng);
        for role in order {
            let worker = &mut workers[role];
            worker.ask(&Request::Sample { iterations: state.iterations })?;
            match worker.answer()? {
                Reply::Sampled { ns } if ns.is_finite() && ns > 0.0 => {
                    fastest[role] = fastest[role].min(ns);
                }
                Reply::Refused { why } if role == NEW => return Ok(Err(NotMeasured::Lost(why))),
                Reply::Refused { why } => return Ok(Err(NotMeasured::Refused(why))),
                other => return Err(worker.foreign(format!("it answered {other:?}"))),
            }
        }
    }
    Ok(Ok(fastest))
}

/// A worker process.
struct Worker {
    path: PathBuf,
    child: Child,
    requests: ChildStdin,
    replies: BufReader<ChildStdout>,
}

impl Worker {
    fn start(path: &Path, settings: &GateSettings) -> Result<Worker, GateError> {
        let failed = |reason: String| GateError::Start { path: path.to_owned(), reason };
        let mut command = Command::new(path);
        command.arg("gate-worker").args(["--threads", &settings.threads.to_string()]);
        if let Some(isa) = settings.isa {
            command.args(["--isa", isa.name()]);
        }
        if let Some(peers) = &settings.peers {
            command.arg("--peers").arg(peers);
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
        // Writing fails for a worker that has ended. Reading its answer then gives the reason.
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

    /// The error for a worker that ended before it answered.
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
