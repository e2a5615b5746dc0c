//! `pointwise compare`: one run against another.

use super::failure::{Failure, Outcome};
use super::files::{self, RecordFile};
use super::options::Options;
use super::output::{Output, note};
use super::table::{Side, Table};
use super::values;
use pointwise_harness::compare::{ASSUMED_NOISE, Comparison, Ratio, Word, compare};
use pointwise_harness::record::environment::Environment;
use pointwise_harness::text::numbers::time;
use serde_json::json;
use std::path::PathBuf;

/// Compare run B with run A: per layer and overall, each ratio with its interval
///
/// A row says `faster` or `slower` only where the interval excludes every change smaller than --floor.
/// All intervals together hold with 95%. They contain the noise within each run, and the noise from
/// run to run, which contenders show that are the same program in both. To judge a change of the code
/// use `pointwise gate`, which measures both builds in one session.
///
/// Runs of different CPUs are refused. The filters select among the records.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  pointwise compare old.jsonl new.jsonl
  pointwise compare old.jsonl new.jsonl --contender pointwise --network resnet50
  pointwise compare old.jsonl new.jsonl --floor 5 --json
  pointwise compare zen4.jsonl zen5.jsonl --other-cpu      two machines, marked as such")]
pub(super) struct Args {
    /// Record file of the earlier run, as `bench -o` writes it
    #[arg(value_name = "A")]
    a: PathBuf,

    /// Record file of the later run
    #[arg(value_name = "B")]
    b: PathBuf,

    /// Call no change that is smaller
    #[arg(long, value_name = "PERCENT", default_value = "2", value_parser = values::percent)]
    floor: f64,

    /// Compare runs of different CPUs too
    #[arg(long)]
    other_cpu: bool,
}

pub(super) fn run(args: &Args, options: &Options, output: &mut Output) -> Result<Outcome, Failure> {
    let one = |path: &PathBuf| files::records(std::slice::from_ref(path), options);
    let (mut a, mut b) = (one(&args.a)?, one(&args.b)?);
    let (Some(a), Some(b)) = (a.pop(), b.pop()) else { return Ok(Outcome::Fine) };
    let marks = marks(&a, &b, args.other_cpu)?;
    let comparison = compare(&a.records, &b.records, args.floor, &files::known(options)?);
    if comparison.rows.is_empty() {
        let why = format!("no layer, contender and setting of it are in `{}`", args.a.display());
        return Err(Failure::Content { path: args.b.clone(), why });
    }
    if output.json {
        for row in &comparison.rows {
            output.row(row)?;
        }
        for mean in &comparison.means {
            output.row(&json!({ "mean": mean }))?;
        }
        output.row(&json!({
            "noise": comparison.noise, "only_a": comparison.only[0], "only_b": comparison.only[1],
            "floor": args.floor, "marks": marks,
        }))?;
        return Ok(Outcome::Fine);
    }
    for mark in &marks {
        note(mark);
    }
    print(&comparison, output)?;
    Ok(Outcome::Fine)
}

/// The differences between the conditions of two runs. Runs of different CPUs are refused, unless
/// `other_cpu` allows them.
fn marks(a: &RecordFile, b: &RecordFile, other_cpu: bool) -> Result<Vec<String>, Failure> {
    let mut marks = Vec::new();
    let (Some(one), Some(two)) = (&a.environment, &b.environment) else {
        for run in [a, b].iter().filter(|run| run.environment.is_none()) {
            let path = run.path.display();
            marks
                .push(format!("{path} has no environment: whether its CPU is the same is unknown"));
        }
        return Ok(marks);
    };
    if one.cpu.slug() != two.cpu.slug() {
        let mark = format!("another CPU: {} and {}", one.cpu.slug(), two.cpu.slug());
        if !other_cpu {
            let why = format!("{mark} (--other-cpu compares them all the same)");
            return Err(Failure::Content { path: b.path.clone(), why });
        }
        marks.push(mark);
    }
    let mut differs = |what: &str, of: &dyn Fn(&Environment) -> String| {
        let (one, two) = (of(one), of(two));
        if one != two {
            marks.push(format!("other {what}: {one} and {two}"));
        }
    };
    differs("time per contender", &|e| time(1e9 * e.settings.budget.as_secs_f64()));
    differs("sample length", &|e| time(1e9 * e.settings.sample.as_secs_f64()));
    differs("compiler", &|e| e.build.compiler.clone());
    differs("flags", &|e| format!("`{}`", e.build.rustflags));
    differs("profile", &|e| format!("{} {}", e.build.profile, e.build.opt_level));
    differs("number of CPUs", &|e| e.cpu.logical.to_string());
    differs("governor", &|e| e.host.governor.clone().unwrap_or_else(|| "unknown".to_owned()));
    differs("trust grade", &|e| e.trust.grade.to_string());
    Ok(marks)
}

fn print(comparison: &Comparison, output: &mut Output) -> Result<(), Failure> {
    let mut table = Table::default()
        .column("name", Side::Left, 3)
        .text("layer")
        .text("contender")
        .column("setting", Side::Left, 4)
        .column("A", Side::Right, 2)
        .column("B", Side::Right, 1)
        .figure("B ÷ A")
        .figure("interval")
        .text("");
    for row in &comparison.rows {
        let name = match row.network.as_str() {
            "" => row.layer.clone(),
            network => format!("{network}/{}", row.layer),
        };
        let [ratio, interval, word] = cells(&row.change);
        table.row([
            name,
            row.text.clone().unwrap_or_else(|| row.layer.clone()),
            row.contender.clone(),
            row.setting.to_string(),
            time(row.ns_a),
            time(row.ns_b),
            ratio,
            interval,
            word,
        ]);
    }
    output.table(&table)?;
    let mut means = Table::default()
        .text("overall")
        .text("setting")
        .figure("layers")
        .figure("B ÷ A")
        .figure("interval")
        .text("");
    for mean in &comparison.means {
        let [ratio, interval, word] = cells(&mean.change);
        let (contender, setting) = (mean.contender.clone(), mean.setting.to_string());
        means.row([contender, setting, mean.layers.to_string(), ratio, interval, word]);
    }
    output.line("")?;
    output.table(&means)?;
    let noise = &comparison.noise;
    let (percent, drift) = (100.0 * noise.noise, 100.0 * noise.drift.exp_m1());
    output.line(match noise.assumed {
        false => format!(
            "\nFrom run to run: ±{percent:.1}% a layer and {drift:+.1}% drift, as {} rows of \
             unchanged contenders show.",
            noise.rows
        ),
        true => format!(
            "\nFrom run to run: ±{:.0}% a layer assumed, drift unknown: too few rows are of a \
             contender that is the same in both.",
            100.0 * ASSUMED_NOISE
        ),
    })?;
    for (name, count) in ["A", "B"].iter().zip(comparison.only).filter(|(_, count)| *count > 0) {
        output.line(format_args!("{count} rows are only in {name}."))?;
    }
    Ok(())
}

fn cells(change: &Ratio) -> [String; 3] {
    let word = match change.word {
        Some(Word::Faster) => "faster",
        Some(Word::Slower) => "slower",
        None => "",
    };
    let interval = format!("{:.3} … {:.3}", change.low, change.high);
    [format!("{:.3}", change.ratio), interval, word.to_owned()]
}
