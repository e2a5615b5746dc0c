//! Prints the greatest error of every activation as a table in Markdown.
//!
//! ```text
//! cargo run --release -p pointwise --example epilogue_errors            (a sample, a second)
//! cargo run --release -p pointwise --example epilogue_errors -- --all   (every f32, minutes)
//! ```

#[path = "../tests/exact/mod.rs"]
mod exact;

fn main() {
    let all = std::env::args().any(|argument| argument == "--all");
    let step = if all { 1 } else { exact::SAMPLE };
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
