//! A reader that stops reading (`| head`) is no error, and never a panic.

use std::process::{Command, Stdio};

fn with_closed_stdout(arguments: &[&str]) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_pointwise"))
        .args(arguments)
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
        .wait_with_output()
        .expect("the program ends");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_closed_pipe_ends_a_listing_quietly() {
    for arguments in [
        &["list", "kernels"][..],
        &["list", "layers"],
        &["list", "layers", "--json"],
        &["list", "networks"],
        &["list", "contenders"],
        &["--help"],
        &["--version"],
    ] {
        assert_eq!(with_closed_stdout(arguments), (Some(0), String::new()), "{arguments:?}");
    }
}

#[test]
fn a_full_disk_is_told() {
    // Linux has a device for this; elsewhere there is nothing to test with.
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else { return };
    let output = Command::new(env!("CARGO_BIN_EXE_pointwise"))
        .args(["list", "kernels"])
        .stdout(full)
        .output()
        .expect("the program starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("cannot write standard output"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}
