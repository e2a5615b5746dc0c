//! `pointwise calibrate`: measures what this CPU's tiles, stores, packing and memory cost.

use super::failure::{Failure, Outcome};
use super::files;
use super::options::Options;
use super::output::{self, Output};
use super::progress::ProgressBar;
use super::table::Table;
use pointwise::{Calibration, Cpu, Isa, Kernel, Pool, kernels};
use pointwise_harness::calibration;
use pointwise_harness::timing::pool;
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;

/// Measure this CPU's own prices in about two seconds and write its description
///
/// The description is a text in the form of the library's data files: cycles of every size of tile
/// and of each way to store and pack, bytes per cycle from each level of memory, and cycles until
/// a second thread starts. It takes the place of the one before, in the platform's cache folder or
/// in FILE. On a machine too busy to tell, nothing is written and the exit code is 4.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  pointwise calibrate
  pointwise calibrate -o mine.txt
  pointwise calibrate --threads 1 --json      without the time that a second thread takes to start")]
pub(super) struct Args {
    /// Where to write it [default: pointwise/pointwise.calibration in the platform's cache folder]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// How much longer than the shortest samples may take on average: beyond twice as long, there may
/// have been no undisturbed one.
const MOST_NOISE: f64 = 1.0;

/// Noise from which on a note says that a quieter machine would do better.
const NOISY: f64 = 0.2;

/// Samples of each piece of work without which the shortest says little.
const FEWEST_SAMPLES: usize = 10;

/// The shared options that it takes.
pub(super) const TAKES: &str = "threads json";

pub(super) fn run(args: &Args, options: &Options, output: &mut Output) -> Result<Outcome, Failure> {
    let path =
        args.output.clone().or_else(calibration::cached).ok_or_else(|| Failure::Machine {
            what: "no cache folder",
            why: "the platform names none: say where with -o FILE".to_owned(),
        })?;
    let pool = pool::pinned_pool(options.threads_or_all())?;
    let progress = ProgressBar::of("calibrate", 1);
    progress.at("tiles, stores, packing, memory and threads: about 2 s");
    let begin = Instant::now();
    let measured = Cpu::calibrate(Pool::In(&pool))?;
    let seconds = begin.elapsed().as_secs_f64();
    drop(progress);
    if let Some(why) = unfit(&measured) {
        output::note(format_args!("{why}: nothing is written; calibrate again when less runs"));
        return Ok(Outcome::Inconclusive);
    }
    files::write(&path, measured.text.as_bytes())?;
    if measured.noise > NOISY {
        output::note(format_args!(
            "something else ran meanwhile: samples took {:.0}% longer than the shortest",
            100.0 * measured.noise
        ));
    }
    let peaks = peaks(&measured.text);
    if output.json {
        let Cpu { l2_bytes, far_bytes, memory_bytes, memory_latency, wake, .. } = measured.cpu;
        let peaks: serde_json::Map<_, _> = peaks
            .iter()
            .map(|(kernel, rate)| {
                (
                    kernel.isa().to_string(),
                    json!({
                        "kernel": kernel.name(), "fma_per_cycle": rate,
                    }),
                )
            })
            .collect();
        output.row(&json!({
            "calibration": path, "cpu": measured.cpu.title, "seconds": seconds,
            "samples": measured.samples, "noise": measured.noise, "peaks": peaks,
            "l2_bytes": l2_bytes, "far_bytes": far_bytes, "memory_bytes": memory_bytes,
            "memory_latency": memory_latency, "wake": wake,
        }))?;
    } else {
        output.line(format_args!(
            "{}: {} samples of each piece of work in {seconds:.1} s, {:.0}% longer than the \
             shortest on average",
            measured.cpu.title,
            measured.samples,
            100.0 * measured.noise
        ))?;
        output.table(&table(&measured, &peaks))?;
        output.line(format_args!("written to {}", path.display()))?;
    }
    Ok(Outcome::Fine)
}

/// Why a calibration says too little to be used, if it does.
fn unfit(measured: &Calibration) -> Option<String> {
    let Calibration { noise, samples, .. } = *measured;
    if samples < FEWEST_SAMPLES {
        return Some(format!("there was time for {samples} samples of each piece of work only"));
    }
    (noise > MOST_NOISE)
        .then(|| format!("samples took {:.0}% longer than the shortest", 100.0 * noise))
}

/// The whole tile of each ISA that does most multiply-adds of whole vectors in a cycle, and how
/// many, of the text of a calibration.
fn peaks(text: &str) -> Vec<(&'static Kernel, f64)> {
    let step = |kernel: &Kernel| {
        let (isa, rows, vectors) = (kernel.isa(), kernel.rows(), kernel.vectors());
        let start = format!("tile {isa} rows {rows}x{vectors} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&start))?;
        line.split(' ').next()?.parse::<f64>().ok()
    };
    let mut peaks: Vec<(&'static Kernel, f64)> = Vec::new();
    for isa in Isa::ALL {
        let of = kernels().iter().filter(|kernel| kernel.isa() == isa);
        let rates = of.filter_map(|kernel| {
            Some((kernel, (kernel.rows() * kernel.vectors()) as f64 / step(kernel)?))
        });
        // The first of two equals: a tile goes by its kernel with outputs in lanes.
        peaks.extend(rates.rev().max_by(|a, b| a.1.total_cmp(&b.1)));
    }
    peaks
}

fn table(measured: &Calibration, peaks: &[(&'static Kernel, f64)]) -> Table {
    let Cpu { l2_bytes, far_bytes, memory_bytes, memory_latency, wake, .. } = measured.cpu;
    let mut table = Table::default().text("what").figure("price").text("unit");
    let mut row = |what: &str, price: String, unit: &str| {
        table.row([what.to_owned(), price, unit.to_owned()]);
    };
    for (kernel, rate) in peaks {
        let tile = format!("{} tile of {} × {}", kernel.isa(), kernel.rows(), kernel.columns());
        row(&tile, format!("{rate:.2}"), "multiply-adds of vectors per cycle");
    }
    for (what, price) in [
        ("from L2", l2_bytes),
        ("from the cache behind it", far_bytes),
        ("from memory", memory_bytes),
    ] {
        row(what, format!("{price:.1}"), "bytes per cycle while multiplying");
    }
    row("a load from memory", format!("{memory_latency:.0}"), "cycles");
    row("a second thread's start", format!("{wake:.0}"), "cycles");
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_whole_tile_of_each_isa_is_shown() {
        let text = "# tile avx2 rows 6x2 1 1\ntile avx2 rows 6x2 6.4 9\ntile avx2 rows 12x1 6.1 9\n\
                    tile avx2 rows 5x2 1 9\ntile avx2 line 6x2 1 1\ntile avx512 rows 14x2 28.5 3\n\
                    tile avx512 rows 14x2x 1 3\n";
        let peaks = peaks(text);
        let shown: Vec<_> = peaks.iter().map(|(kernel, rate)| (kernel.isa(), *rate)).collect();
        assert_eq!(shown, [(Isa::Avx2, 12.0 / 6.1), (Isa::Avx512, 28.0 / 28.5)]);
        assert_eq!((peaks[0].0.rows(), peaks[0].0.vectors()), (12, 1));
    }
}
