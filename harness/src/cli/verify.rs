//! `pointwise verify`: every kernel and contender on every layer against the reference.

use super::failure::{Failure, Outcome};
use super::fault;
use super::field::{self, Preset, reason};
use super::interrupt::{self, Interrupt};
use super::options::{Options, cpus};
use super::output::{Output, note};
use super::progress::ProgressBar;
use super::selection::{self, label};
use super::table::{Side, Table};
use pointwise::Activation;
use pointwise_harness::catalog::{self, Unique};
use pointwise_harness::contender::{Contender, Refusal};
use pointwise_harness::data::Fill;
use pointwise_harness::timing::pool::pool;
use pointwise_harness::timing::progress::Progress as _;
use pointwise_harness::verify::{CheckFailure, Checker};
use rayon::prelude::*;
use serde_json::json;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Check every kernel and contender on every layer against the reference
///
/// Kernels must have the reference's bits, on plain values and on subnormals, infinities, NaN and
/// signed zeros. Contenders that sum in another order must be exact on small whole numbers and
/// within a stated bound on others. A wrong result exits with 1 and names the layer, the kernel and
/// the first wrong element.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  pointwise verify
  pointwise verify --quick
  pointwise verify --network resnet50 --layout nchw --threads 2
  pointwise verify --layer nhwc/n1c64h56w56k24/bias+relu --kernel avx512 --seed 7
  POINTWISE_ISA=avx2 pointwise verify")]
pub(super) struct Args {
    /// Seed that the values are drawn with
    #[arg(long, value_name = "N", default_value_t = SEED)]
    seed: u64,

    /// Only the smallest layer of each kind: seconds instead of minutes
    #[arg(long)]
    quick: bool,
}

/// The multiply-adds of the largest layer of a quick check. It takes the portable kernels a quarter of a
/// second.
const QUICK_MACS: u128 = 60_000_000;

/// The seed unless another is asked for.
pub(super) const SEED: u64 = 1;

/// The result of one contender on one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CheckResult {
    Right,
    /// It computed something else, or failed.
    Wrong(String),
    /// It does not support such layers.
    Refused(String),
}

/// One layer with its results, in the order of the contenders.
pub(super) struct Checked<'a> {
    pub(super) problem: Unique<'a>,
    pub(super) verdicts: Vec<CheckResult>,
}

/// The shared options that this command takes.
pub(super) const TAKES: &str =
    "network layer kernel contender layout shuffle layers threads isa peers json";

pub(super) fn run(args: &Args, options: &Options, output: &mut Output) -> Result<Outcome, Failure> {
    let field = field::contenders(options, Preset::Everything)?;
    let mut rows = selection::layers(options)?;
    if selection::is_open(options) {
        let network = vec![catalog::FORMS.to_owned()];
        let forms = Options { network, shuffle: false, ..options.clone() };
        rows.extend(selection::layers(&forms)?);
    }
    let present = fault::planted(field.present()?);
    field.tell_absent(options);
    let field = present;
    let interrupt = interrupt::install()?;
    let problems = catalog::unique(&rows);
    let problems = if args.quick { kinds(problems) } else { problems };
    let layers = problems.len();
    let checked = check(problems, &field, options, args.seed, &interrupt, None)?;
    let printed = print(&field, &checked, output);
    let wrong =
        checked.iter().flat_map(|c| &c.verdicts).any(|v| matches!(v, CheckResult::Wrong(_)));
    let outcome = match interrupt.signal() {
        _ if wrong => Outcome::WrongResult,
        Some(signal) => {
            note(format_args!("interrupted: {} of {layers} layers were checked", checked.len()));
            Outcome::Interrupted(signal)
        }
        None => Outcome::Fine,
    };
    outcome.printed(printed)
}

/// Checks the layers in parallel, each contender on `--threads` threads. No layer begins after a signal,
/// or after `limit`.
pub(super) fn check<'a>(
    problems: Vec<Unique<'a>>,
    field: &[&dyn Contender],
    options: &Options,
    seed: u64,
    interrupt: &Interrupt,
    limit: Option<Duration>,
) -> Result<Vec<Checked<'a>>, Failure> {
    let start = Instant::now();
    let pool = pool(cpus().max(options.threads()))?;
    let progress = ProgressBar::of("verify", problems.len());
    // The largest layers come first, so that none of them is left for one thread at the end.
    let mut queue: Vec<(usize, Unique<'a>)> = problems.into_iter().enumerate().collect();
    queue.sort_by_key(|(_, problem)| Reverse(problem.layer.check().map_or(0, |s| s.macs)));
    let mut checked: Vec<(usize, Checked<'a>)> = pool.install(|| {
        let one = |(index, problem): (usize, Unique<'a>)| {
            if interrupt.asked() || limit.is_some_and(|limit| start.elapsed() > limit) {
                return None;
            }
            progress.at(problem.layer);
            let checker = Checker::new(&problem.layer, seed);
            // A lack of memory for the data is no result of a contender.
            if let Err(refusal) = checker.expected(Fill::Random) {
                let why = format!("{}: {}", problem.layer, reason(&refusal));
                return Some(Err(Failure::Machine { what: "cannot make the data", why }));
            }
            let verdicts =
                field.iter().map(|contender| verdict(&checker, *contender, options)).collect();
            progress.step();
            Some(Ok((index, Checked { problem, verdicts })))
        };
        // A thread that is free takes one layer at a time, because layers differ a thousandfold.
        queue.into_par_iter().with_max_len(1).filter_map(one).collect::<Result<_, Failure>>()
    })?;
    checked.sort_by_key(|(index, _)| *index);
    Ok(checked.into_iter().map(|(_, checked)| checked).collect())
}

fn verdict(checker: &Checker, contender: &dyn Contender, options: &Options) -> CheckResult {
    match checker.check(contender, options.threads(), options.isa) {
        Ok(()) => CheckResult::Right,
        Err(CheckFailure::Mismatch(mismatch)) => CheckResult::Wrong(mismatch.to_string()),
        Err(CheckFailure::Refused(Refusal::Failed(why))) => CheckResult::Wrong(why),
        Err(CheckFailure::Refused(refusal)) => CheckResult::Refused(reason(&refusal).to_owned()),
    }
}

fn print(
    field: &[&dyn Contender],
    checked: &[Checked<'_>],
    output: &mut Output,
) -> Result<(), Failure> {
    if !output.json {
        complaints(field, checked, output)?;
        return output.table(&summary(field, checked));
    }
    for Checked { problem, verdicts } in checked {
        for (contender, verdict) in field.iter().zip(verdicts) {
            let (verdict, why) = match verdict {
                CheckResult::Right => ("right", None),
                CheckResult::Wrong(why) => ("wrong", Some(why)),
                CheckResult::Refused(why) => ("refused", Some(why)),
            };
            output.row(&json!({
                "layer": problem.layer.to_string(),
                "names": problem.uses.iter().map(|entry| label(entry)).collect::<Vec<_>>(),
                "contender": contender.name(),
                "verdict": verdict,
                "why": why,
            }))?;
        }
    }
    Ok(())
}

/// Prints each wrong result: the layer, the kernel, the first wrong element, and a command that repeats
/// it.
pub(super) fn complaints(
    field: &[&dyn Contender],
    checked: &[Checked<'_>],
    output: &mut Output,
) -> Result<(), Failure> {
    for Checked { problem, verdicts } in checked {
        for (contender, verdict) in field.iter().zip(verdicts) {
            let CheckResult::Wrong(why) = verdict else { continue };
            let names: Vec<String> = problem.uses.iter().map(|entry| label(entry)).collect();
            output.line(format_args!("WRONG: {why}"))?;
            output.line(format_args!("       in {}", names.join(", ")))?;
            output.line(format_args!(
                "       repeat: pointwise verify --layer {} --contender '^{}$'",
                problem.layer,
                contender.name()
            ))?;
        }
    }
    Ok(())
}

/// A row for each contender, with the numbers of its right and wrong layers.
pub(super) fn summary(field: &[&dyn Contender], checked: &[Checked<'_>]) -> Table {
    let mut table = Table::default()
        .text("contender")
        .column("compared", Side::Left, 1)
        .figure("right")
        .figure("wrong")
        .figure("not its kind");
    for (at, contender) in field.iter().enumerate() {
        let count = |wanted: fn(&CheckResult) -> bool| {
            checked.iter().filter(|checked| wanted(&checked.verdicts[at])).count().to_string()
        };
        table.row([
            contender.name().to_owned(),
            if contender.exact() { "bit for bit" } else { "within a bound" }.to_owned(),
            count(|verdict| matches!(verdict, CheckResult::Right)),
            count(|verdict| matches!(verdict, CheckResult::Wrong(_))),
            count(|verdict| matches!(verdict, CheckResult::Refused(_))),
        ]);
    }
    table
}

/// The smallest problem of each kind. A kind is a layout, a stride, an epilogue, head or not, and the
/// powers of two in outputs and pixels.
pub(super) fn kinds(mut problems: Vec<Unique<'_>>) -> Vec<Unique<'_>> {
    let macs = |problem: &Unique<'_>| problem.layer.check().map_or(u128::MAX, |shape| shape.macs);
    problems.sort_by_key(macs);
    let smallest = problems.first().map_or(0, macs);
    let mut seen = BTreeSet::new();
    problems.retain(|problem| {
        let layer = problem.layer;
        let kind = format!(
            "{} {:?} {} {} {} {:?}",
            layer.layout,
            layer.stride,
            layer.residual,
            layer.activation == Activation::None,
            layer.h * layer.w == 1,
            (layer.k.trailing_zeros().min(6), (layer.h * layer.w).trailing_zeros().min(4)),
        );
        macs(problem) <= QUICK_MACS.max(smallest) && seen.insert(kind)
    });
    problems
}
