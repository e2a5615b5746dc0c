//! Tests that run in a process of their own: this binary, started again for a single test.

use std::process::Command;

/// The variable that tells a process that it was started for a single test.
const ALONE: &str = "POINTWISE_TEST_ALONE";

/// What such a process prints once the body of its test has run.
const DONE: &str = "the body of the test has run";

/// Runs the body of a test in a new process, in which no other test runs.
///
/// `test` is the test that calls this function, named by its modules and its function. The test
/// fails if the new process fails, ends by a signal, or runs no test of this name.
pub(crate) fn alone(test: &str, body: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some() {
        body();
        println!("{DONE}");
        return;
    }
    let output = process_for(test).env(ALONE, "1").output().unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{test} alone: {}\n{out}\n{err}", output.status);
    assert!(out.contains(DONE), "no test is named {test}:\n{out}\n{err}");
    // What a test prints, such as the kernels it skipped, is shown as if it had run here.
    print!("{out}");
    eprint!("{err}");
}

/// A command that starts this binary for one test. Where tests run under an emulator,
/// `POINTWISE_TEST_RUNNER` is the command that starts it.
pub(crate) fn process_for(test: &str) -> Command {
    let this = std::env::current_exe().unwrap();
    let runner = std::env::var("POINTWISE_TEST_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace();
    let mut command = match words.next() {
        Some(emulator) => {
            let mut command = Command::new(emulator);
            command.args(words).arg(this);
            command
        }
        None => Command::new(this),
    };
    command.args(["--exact", "--nocapture", test]);
    command
}
