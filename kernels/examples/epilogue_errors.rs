//! Prints the greatest error of every activation as a table in Markdown, as the kernels of each
//! ISA of this machine compute it, whose bits it compares.
//!
//! ```text
//! cargo run --release -p pointwise --example epilogue_errors                (a sample, seconds)
//! cargo run --release -p pointwise --example epilogue_errors -- --step 17   (every 17th f32)
//! cargo run --release -p pointwise --example epilogue_errors -- --all       (every f32, half an hour)
//! ```
//!
//! `--only ACTIVATION` takes one of them, `--fastest` only the widest ISA.

#[path = "../tests/exact/mod.rs"]
mod exact;

use exact::Kernels;
use pointwise::Activation;

fn main() {
    let (mut step, mut only, mut fastest) = (exact::SAMPLE, None, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = || "a value follows it".to_owned();
        let read = match argument.as_str() {
            "--all" => {
                step = 1;
                Ok(())
            }
            "--fastest" => {
                fastest = true;
                Ok(())
            }
            "--only" => arguments.next().ok_or_else(value).map(|name| only = Some(name)),
            "--step" => match arguments.next().map(|step| step.parse()) {
                Some(Ok(given)) if given > 0 => {
                    step = given;
                    Ok(())
                }
                _ => Err("N is a whole number, at least 1".to_owned()),
            },
            _ => Err("there are --all, --step N, --only ACTIVATION and --fastest".to_owned()),
        };
        if let Err(why) = read {
            eprintln!("epilogue_errors {argument}: {why}");
            std::process::exit(2);
        }
    }
    let isas = if fastest { 1 } else { usize::MAX };
    let named = |activation: &Activation| only.as_deref().is_none_or(|n| n == activation.name());
    let names: Vec<&str> = Kernels::new(exact::STATED[0].0, isas).names().collect();
    println!(
        "Every f32 in steps of {step}, of either sign, but the NaNs; by {}:\n",
        names.join(", ")
    );
    println!(
        "| activation | greatest error, ulp | at | farthest from correctly rounded, ulp | correctly rounded | other bits on another ISA | stated bound, ulp |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|");
    let mut wrong = false;
    for (activation, bound) in exact::STATED.into_iter().filter(|(of, _)| named(of)) {
        let found = Kernels::new(activation, isas).sweep(step);
        println!(
            "| {activation:?} | {:.4} | {:e} | {} | {:.2} % of {} | {} | {bound} |",
            found.greatest,
            found.at,
            found.farthest,
            100.0 * found.rounded_correctly as f64 / found.values as f64,
            found.values,
            found.differ,
        );
        wrong |= found.greatest.is_nan() || found.greatest > bound || found.differ > 0;
    }
    if wrong {
        eprintln!("an error exceeds its bound, or the ISAs differ");
        std::process::exit(1);
    }
}
