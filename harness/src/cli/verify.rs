//! `pointwise verify`: every kernel and contender on every layer against the reference.

use super::failure::{Failure, Outcome};
use super::fault;
use super::field::{self, Preset, reason};
use super::interrupt::{self, Interrupt};
use super::options::{Options, cpus};
use super::output::{Output, note};
use super::progress::Progress;
use super::selection::{self, label};
use super::table::{Side, Table};
use pointwise::Activation;
use pointwise_harness::catalog::{self, Unique};
use pointwise_harness::contender::{Contender, Refusal};
use pointwise_harness::measure;
use pointwise_harness::verify::{self, Checker};
use rayon::prelude::*;
use serde_json::json;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Check every kernel and contender on every layer against the reference
///
/// Kernels must have the reference's bits, on plain values and on subnormals, infinities, NaN and
/// signed zeros; contenders that sum in another order must be exact on small whole numbers and
/// within a stated bound on others. Exits 1 when one isn't, naming the layer, the kernel and the
/// first wrong element.
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

/// The largest layer of a quick check: on the portable kernels it takes a quarter of a second.
const QUICK_MACS: u128 = 60_000_000;

/// The seed unless another is asked for.
pub(super) const SEED: u64 = 1;

/// How one contender fared on one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Right,
    /// It computed something else, or failed.
    Wrong(String),
    /// It doesn't do such layers, and says so.
    Refused(String),
}

/// One layer, and the verdicts in the order of the contenders.
pub(super) struct Checked<'a> {
    pub(super) problem: Unique<'a>,
    pub(super) verdicts: Vec<Verdict>,
}

pub(super) fn run(args: &Args, options: &Options, output: &mut Output) -> Result<Outcome, Failure> {
    let field = field::contenders(options, Preset::Everything)?;
    let mut rows = selection::layers(options)?;
    if selection::is_open(options) {
        let forms = Options { network: vec![catalog::FORMS.to_owned()], ..options.clone() };
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
    let wrong = checked.iter().flat_map(|c| &c.verdicts).any(|v| matches!(v, Verdict::Wrong(_)));
    if wrong {
        // A reader who has had enough does not make the results right.
        return match printed {
            Ok(()) | Err(Failure::ClosedPipe) => Ok(Outcome::WrongResult),
            Err(failure) => Err(failure),
        };
    }
    printed?;
    match interrupt.signal() {
        Some(signal) => {
            note(format_args!("interrupted: {} of {layers} layers were checked", checked.len()));
            Ok(Outcome::Interrupted(signal))
        }
        None => Ok(Outcome::Fine),
    }
}

/// Checks the layers in parallel, each contender on `--threads` threads. No layer is begun after
/// a signal, or after `limit`.
pub(super) fn check<'a>(
    problems: Vec<Unique<'a>>,
    field: &[&dyn Contender],
    options: &Options,
    seed: u64,
    interrupt: &Interrupt,
    limit: Option<Duration>,
) -> Result<Vec<Checked<'a>>, Failure> {
    let start = Instant::now();
    let pool = measure::pool(cpus().max(options.threads()))?;
    let progress = Progress::of("verify", problems.len());
    // The longest first, so that no thread is left alone with one at the end.
    let mut queue: Vec<(usize, Unique<'a>)> = problems.into_iter().enumerate().collect();
    queue.sort_by_key(|(_, problem)| Reverse(problem.layer.check().map_or(0, |s| s.macs)));
    let mut checked: Vec<(usize, Checked<'a>)> = pool.install(|| {
        let one = |(index, problem): (usize, Unique<'a>)| {
            if interrupt.asked() || limit.is_some_and(|limit| start.elapsed() > limit) {
                return None;
            }
            progress.at(problem.layer);
            let checker = Checker::new(&problem.layer, seed);
            let verdicts =
                field.iter().map(|contender| verdict(&checker, *contender, options)).collect();
            progress.step();
            Some((index, Checked { problem, verdicts }))
        };
        // One layer at a time is taken by whoever is free: they differ a thousandfold.
        queue.into_par_iter().with_max_len(1).filter_map(one).collect()
    });
    checked.sort_by_key(|(index, _)| *index);
    Ok(checked.into_iter().map(|(_, checked)| checked).collect())
}

fn verdict(checker: &Checker, contender: &dyn Contender, options: &Options) -> Verdict {
    match checker.check(contender, options.threads(), options.isa) {
        Ok(()) => Verdict::Right,
        Err(verify::Failure::Mismatch(mismatch)) => Verdict::Wrong(mismatch.to_string()),
        Err(verify::Failure::Refused(Refusal::Failed(why))) => Verdict::Wrong(why),
        Err(verify::Failure::Refused(refusal)) => Verdict::Refused(reason(&refusal).to_owned()),
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
                Verdict::Right => ("right", None),
                Verdict::Wrong(why) => ("wrong", Some(why)),
                Verdict::Refused(why) => ("refused", Some(why)),
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

/// Each wrong result: the layer, the kernel, the first wrong element, and how to see it again.
pub(super) fn complaints(
    field: &[&dyn Contender],
    checked: &[Checked<'_>],
    output: &mut Output,
) -> Result<(), Failure> {
    for Checked { problem, verdicts } in checked {
        for (contender, verdict) in field.iter().zip(verdicts) {
            let Verdict::Wrong(why) = verdict else { continue };
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

/// A row for each contender: how many layers it got right.
pub(super) fn summary(field: &[&dyn Contender], checked: &[Checked<'_>]) -> Table {
    let mut table = Table::default()
        .text("contender")
        .column("compared", Side::Left, 1)
        .figure("right")
        .figure("wrong")
        .figure("not its kind");
    for (at, contender) in field.iter().enumerate() {
        let count = |wanted: fn(&Verdict) -> bool| {
            checked.iter().filter(|checked| wanted(&checked.verdicts[at])).count().to_string()
        };
        table.row([
            contender.name().to_owned(),
            if contender.exact() { "bit for bit" } else { "within a bound" }.to_owned(),
            count(|verdict| matches!(verdict, Verdict::Right)),
            count(|verdict| matches!(verdict, Verdict::Wrong(_))),
            count(|verdict| matches!(verdict, Verdict::Refused(_))),
        ]);
    }
    table
}

/// The smallest problem of each kind: layout, stride, epilogue, head, and how outputs and pixels
/// divide by the lanes.
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
