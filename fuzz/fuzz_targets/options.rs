//! The command line: no arguments make the parser panic, and what it refuses it refuses in one
//! line. Nothing is run.
#![no_main]

use libfuzzer_sys::fuzz_target;

// The program's own modules, of which only the parser is used here.
#[allow(dead_code)]
#[path = "../../harness/src/cli/mod.rs"]
mod cli;

// Arguments are the lines of the text: what a shell could hand over, `\n` apart.
fuzz_target!(|text: &str| {
    let arguments = ["pointwise"].into_iter().chain(text.lines());
    match cli::parse(arguments) {
        Ok(_) | Err(cli::Refused::Help(_)) => {}
        Err(cli::Refused::Usage(said)) => {
            assert!(!said.is_empty() && !said.chars().any(char::is_control), "{said:?}");
        }
    }
});
