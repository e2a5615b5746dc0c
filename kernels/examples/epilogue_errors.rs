//! Prints the greatest error of every activation as a table in Markdown.
//!
//! ```text
//! cargo run --release -p pointwise --example epilogue_errors                (a sample, seconds)
//! cargo run --release -p pointwise --example epilogue_errors -- --step 17   (every 17th f32)
//! cargo run --release -p pointwise --example epilogue_errors -- --all       (every f32, an hour)
//! ```

#[path = "../tests/exact/mod.rs"]
mod exact;

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
    println!("Every {step}. `f32` of either sign but NaN:\n");
    println!(
        "| activation | greatest error, ulp | at | farthest from correctly rounded, ulp | correctly rounded | stated bound, ulp |"
    );
    println!("|---|---|---|---|---|---|");
    for (activation, bound) in exact::STATED {
        let found = exact::errors(activation, step);
        println!(
            "| {activation:?} | {:.3} | {:e} | {} | {:.2} % | {bound} |",
            found.greatest,
            found.at,
            found.farthest,
            100.0 * found.rounded_correctly as f64 / found.values as f64
        );
    }
}
