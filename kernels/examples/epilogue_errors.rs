//! Prints the greatest error of every activation as a table in Markdown, as the kernels of each
//! ISA of this machine compute it, whose bits it compares.
//!
//! ```text
//! cargo run --release -p pointwise --example epilogue_errors                (a sample, seconds)
//! cargo run --release -p pointwise --example epilogue_errors -- --step 17   (every 17th f32)
//! cargo run --release -p pointwise --example epilogue_errors -- --all       (every f32, an hour)
//! ```

#[path = "../tests/exact/mod.rs"]
mod exact;

use exact::Kernels;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let step = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Some(exact::SAMPLE),
        ["--all"] => Some(1),
        ["--step", step] => step.parse().ok().filter(|step| *step > 0),
        _ => None,
    };
    let Some(step) = step else {
        eprintln!("epilogue_errors takes nothing, `--all`, or `--step N` with N at least 1");
        std::process::exit(2);
    };
    let names: Vec<&str> = Kernels::new(exact::STATED[0].0).names().collect();
    println!(
        "Every f32 in steps of {step}, of either sign, but the NaNs; by {}:\n",
        names.join(", ")
    );
    println!(
        "| activation | greatest error, ulp | at | farthest from correctly rounded, ulp | correctly rounded | other bits on another ISA | stated bound, ulp |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|");
    let mut wrong = false;
    for (activation, bound) in exact::STATED {
        let found = Kernels::new(activation).sweep(step);
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
