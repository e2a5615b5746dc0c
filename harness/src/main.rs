//! The program `pointwise`: lists, checks, measures and reports 1×1 convolutions on this CPU.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
