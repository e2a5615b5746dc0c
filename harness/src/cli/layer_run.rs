//! A run over layers: case after case, every contender checked and then timed against the others.

use super::failure::Failure;
use super::field::reason;
use super::interrupt::Interrupt;
use super::options::{Options, cpus};
use super::output::note;
use super::progress::ProgressBar;
use pointwise::Layer;
use pointwise_harness::catalog::{Entry, Unique};
use pointwise_harness::contender::{Contender, Prepared, Refusal, SetupTimes};
use pointwise_harness::data::Fill;
use pointwise_harness::machine::{CacheLevel, Ceilings, Effort};
use pointwise_harness::measure::{Session, Settings, measure_under_ceiling};
use pointwise_harness::record::environment::{Environment, Watch};
use pointwise_harness::record::{Record, Subject};
use pointwise_harness::timing::pool::pool;
use pointwise_harness::timing::progress::Progress;
use pointwise_harness::timing::stats::Summary;
use pointwise_harness::verify::{Checker, Expected};
use rayon::ThreadPool;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The seed of the data that is timed.
const SEED: u64 = 1;

/// A run over layers, with its settings.
pub(super) struct LayerRun<'r> {
    pub(super) options: &'r Options,
    pub(super) field: &'r [&'r dyn Contender],
    pub(super) settings: Settings,
    pub(super) effort: Effort,
    /// No case begins after this time.
    pub(super) limit: Option<Duration>,
    pub(super) interrupt: &'r Interrupt,
}

/// One row, with what was measured.
pub(super) struct Measured {
    /// The number of the case in the run.
    pub(super) case: usize,
    pub(super) subject: Subject,
    /// The times of planning and packing, if the contender has them.
    pub(super) setup: Option<SetupTimes>,
    pub(super) record: Record,
}

/// The results of a run.
pub(super) struct Results {
    pub(super) rows: Vec<Measured>,
    /// The wrong results, in words that name layer, kernel and element.
    pub(super) wrong: Vec<String>,
    pub(super) environment: Environment,
    /// The number of cases begun, and of all cases.
    pub(super) cases: (usize, usize),
}

impl Results {
    /// The rows as records.
    pub(super) fn records(&self) -> Vec<Record> {
        self.rows.iter().map(|row| row.record.clone()).collect()
    }
}

/// The results of one case: rows, wrong results, and refusals with their reasons.
struct CaseResults {
    rows: Vec<Measured>,
    wrong: Vec<String>,
    refused: Vec<(String, String)>,
}

impl LayerRun<'_> {
    /// Measures the problems one after another. `each` gets every record as soon as it is measured. If
    /// `each` fails, the run ends.
    pub(super) fn measure(
        &self,
        problems: &[Unique<'_>],
        progress: &ProgressBar,
        each: &mut dyn FnMut(&Record) -> Result<(), Failure>,
    ) -> Result<Results, Failure> {
        let threads = self.options.threads();
        if threads > cpus() {
            note(format_args!("{threads} threads on {} CPUs will wait for one another", cpus()));
        }
        let pool = pool(threads)?;
        let caches = CacheLevel::detect();
        let start = Instant::now();
        let mut watch = Watch::start();
        let mut ceilings = Ceilings::measure(&pool, &caches, self.effort, progress);
        let mut session = Session::new(self.settings.clone(), &caches, threads);
        let (mut rows, mut wrong, mut begun) = (Vec::new(), Vec::new(), 0);
        let mut refused: BTreeMap<(String, String), usize> = BTreeMap::new();
        progress.begin("bench", problems.len() as u64);
        for problem in problems {
            let late = self.limit.is_some_and(|limit| start.elapsed() > limit);
            if self.interrupt.asked() || late {
                break;
            }
            progress.at(problem.layer);
            let mut case = self.case(problem, &pool, &mut session, &mut ceilings, progress)?;
            for row in &case.rows {
                each(&row.record)?;
            }
            for why in &case.wrong {
                progress.aside(|| note(format_args!("WRONG, not timed: {why}")));
            }
            case.rows.iter_mut().for_each(|row| row.case = begun);
            begun += 1;
            rows.extend(case.rows);
            wrong.extend(case.wrong);
            for refusal in case.refused {
                *refused.entry(refusal).or_default() += 1;
            }
            watch.sample();
            progress.step();
        }
        progress.end();
        for ((contender, why), layers) in refused {
            let plural = if layers == 1 { "layer" } else { "layers" };
            note(format_args!("{contender} left out {layers} {plural}: {why}"));
        }
        let environment = watch.finish(&session, ceilings);
        Ok(Results { rows, wrong, environment, cases: (begun, problems.len()) })
    }

    /// Measures one problem: every contender is checked, then all are timed in turns.
    fn case(
        &self,
        problem: &Unique<'_>,
        pool: &ThreadPool,
        session: &mut Session,
        ceilings: &mut Ceilings,
        progress: &ProgressBar,
    ) -> Result<CaseResults, Failure> {
        let mut case = CaseResults { rows: Vec::new(), wrong: Vec::new(), refused: Vec::new() };
        let checker = Checker::new(&problem.layer, SEED);
        let expected = checker.expected(Fill::Random).map_err(|refusal| Failure::Machine {
            what: "cannot make the data",
            why: format!("{}: {}", problem.layer, reason(&refusal)),
        })?;
        let (mut ready, mut contenders) = (Vec::new(), Vec::new());
        for contender in self.field {
            match self.prepare(*contender, expected, pool) {
                Ok(prepared) => {
                    ready.push(prepared);
                    contenders.push(*contender);
                }
                Err(NotTimed::Wrong(why)) => case.wrong.push(why),
                Err(NotTimed::Refused(refusal)) => {
                    let why = reason(&refusal).to_owned();
                    case.refused.push((contender.name().to_owned(), why));
                }
            }
        }
        let cap = self.options.isa;
        let (samples, here) =
            measure_under_ceiling(session, &mut ready, ceilings, cap, pool, progress);
        for ((contender, prepared), samples) in contenders.iter().zip(&ready).zip(samples) {
            let summary = match samples {
                Ok(samples) => samples.summary(),
                Err(refusal) => {
                    let why = reason(&refusal).to_owned();
                    case.refused.push((contender.name().to_owned(), why));
                    None
                }
            };
            let Some(summary) = summary else { continue };
            for entry in &problem.uses {
                let subject = self.subject(entry, problem.layer, *contender, prepared.as_ref());
                let record = record(subject.clone(), &summary, &here)?;
                let setup = prepared.setup_times();
                case.rows.push(Measured { case: 0, subject, setup, record });
            }
        }
        Ok(case)
    }

    /// Binds a contender to the data and checks its result.
    fn prepare<'c>(
        &self,
        contender: &'c dyn Contender,
        expected: &Expected,
        pool: &ThreadPool,
    ) -> Result<Box<dyn Prepared + 'c>, NotTimed> {
        let case = expected.data().case(self.options.threads(), self.options.isa);
        // It is prepared within the pool, because a contender may bind itself to the pool's threads.
        let mut prepared = pool.install(|| {
            let mut prepared = contender.prepare(&case)?;
            prepared.run()?;
            prepared.settle();
            Ok::<_, Refusal>(prepared)
        })?;
        let output = prepared.output();
        expected
            .check(contender.name(), &prepared.kernel(), contender.exact(), &output)
            .map_err(|mismatch| NotTimed::Wrong(mismatch.to_string()))?;
        Ok(prepared)
    }

    fn subject(
        &self,
        entry: &Entry,
        layer: Layer,
        contender: &dyn Contender,
        prepared: &dyn Prepared,
    ) -> Subject {
        let by_hand = entry.network.is_empty();
        Subject {
            network: entry.network.clone(),
            name: if by_hand { String::new() } else { entry.name.clone() },
            layer,
            contender: contender.name().to_owned(),
            version: contender.version(),
            kernel: prepared.kernel(),
            threads: self.options.threads(),
            cache: self.options.cache(),
            isa: self.options.isa,
            prepacked: contender.prepacks(),
            verified: true,
        }
    }
}

/// Why a contender is not timed on a case.
enum NotTimed {
    Wrong(String),
    Refused(Refusal),
}

impl From<Refusal> for NotTimed {
    fn from(refusal: Refusal) -> Self {
        NotTimed::Refused(refusal)
    }
}

fn record(subject: Subject, summary: &Summary, ceilings: &Ceilings) -> Result<Record, Failure> {
    Record::new(subject, summary, ceilings)
        .map_err(|error| Failure::Machine { what: "cannot make a record", why: error.to_string() })
}
