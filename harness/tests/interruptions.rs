//! What ends a command before it is done, as `harness/refusals.md` lists it: what was measured is
//! kept, no file is half-written under its name, and the exit code says what happened.
//!
//! Nothing here depends on time: each event waits for what the program has written.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const TABLES: &str = include_str!("../refusals.md");
/// What lies in the folder under the names that commands write to.
const BEFORE: &str = "{\"schema\":0}\n";

/// The rows of the table whose first column is `what happens`, each as its cells.
fn rows() -> Vec<Vec<&'static str>> {
    let table = TABLES.split("| what happens |").nth(1).expect("the table");
    let lines = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

#[test]
fn what_ends_a_command_early_loses_nothing() {
    let mut wrong = Vec::new();
    let rows = rows();
    assert!(rows.len() >= 12, "{} rows", rows.len());
    for row in &rows {
        let [event, command, exit, said, left] = row[..] else { panic!("{row:?}") };
        println!("{event}: {command}");
        let code = |text: &'static str| text.trim_matches('`');
        if let Err(why) = check(event, code(command), exit, code(said), code(left)) {
            wrong.push(format!("{event}, {command}: {why}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{} ends of a command, each as the table says", rows.len());
}

/// One row: starts the command, lets the event happen, looks at what is left.
fn check(event: &str, command: &str, exit: &str, said: &str, left: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let here = folder.path();
    fs::write(here.join("before.jsonl"), BEFORE).expect("written");
    fs::write(here.join("good.jsonl"), include_str!("fixtures/one.jsonl")).expect("written");
    let name = command.split_whitespace().last().unwrap_or_default();

    let mut limits = String::new();
    if let Some(bytes) = event.strip_prefix("no file above ") {
        let blocks: usize = bytes.split_whitespace().next().unwrap_or_default().parse().unwrap();
        limits = format!("ulimit -f {blocks} && ");
    }
    let program = env!("CARGO_BIN_EXE_pointwise");
    let mut script = format!("{limits}exec \"$POINTWISE_TEST_PROGRAM\" {command}");
    let mut shell = Command::new("sh");
    if event == "full disk" {
        if !may_mount() {
            println!("  skipped: no file system may be mounted here");
            return Ok(());
        }
        script = format!("{SMALL_DISK} && (cd disk && {script}); code=$?; mv disk/* .; exit $code");
        shell = Command::new("unshare");
        shell.args(["--mount", "sh"]);
    }
    shell.args(["-c", &script]).current_dir(here).env("POINTWISE_TEST_PROGRAM", program);
    for variable in ["POINTWISE_KERNEL", "POINTWISE_ISA", "POINTWISE_PLANT_FAULT"] {
        shell.env_remove(variable);
    }
    shell.stdout(Stdio::piped()).stderr(Stdio::piped());
    if event == "standard output full" {
        shell.stdout(fs::File::options().write(true).open("/dev/full").expect("a device"));
    }
    if event == "standard error closed" {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        shell.stderr(writer);
    }
    if event == "records that never come" {
        let made = Command::new("mkfifo").arg(here.join("fifo.jsonl")).status();
        assert!(made.expect("mkfifo is there").success());
    }
    let mut child = shell.spawn().expect("the program starts");
    match event {
        "SIGINT" | "SIGTERM" | "SIGKILL" => {
            let progress = here.join(if name.ends_with(".jsonl") {
                format!("{name}.partial")
            } else {
                name.to_owned()
            });
            wait_for(&mut child, || {
                let text = fs::read_to_string(&progress).unwrap_or_default();
                text.lines().filter(|line| line.contains("nhwc")).count() >= 2
            })?;
            send(&child, event);
        }
        "reader that leaves" => {
            let stdout = child.stdout.take().expect("a pipe");
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line).expect("a line");
        }
        "records that never come" => {
            // Once it has opened the file it reads, and gets nothing.
            let writer = fs::File::options().write(true).open(here.join("fifo.jsonl"));
            send(&child, "SIGTERM");
            child.wait().expect("it ends");
            drop(writer);
        }
        _ => {}
    }
    let mut stderr = String::new();
    if let Some(mut pipe) = child.stderr.take() {
        pipe.read_to_string(&mut stderr).expect("UTF-8");
    }
    if let Some(mut pipe) = child.stdout.take() {
        pipe.read_to_end(&mut Vec::new()).expect("read");
    }
    let status = child.wait().expect("it ends");
    let got = match status.signal() {
        Some(signal) => format!("by signal {signal}"),
        None => status.code().unwrap_or_default().to_string(),
    };
    if got != exit {
        return Err(format!("exit {got}, not {exit}: {stderr}"));
    }
    if stderr.contains("panicked") || !stderr.contains(said) {
        return Err(format!("`{said}` is not in: {stderr}"));
    }
    if event == "SIGKILL" {
        // It may have come while a file was written, under a name that no one looks for.
        for entry in fs::read_dir(here).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "part") {
                fs::remove_file(path).expect("removed");
            }
        }
    }
    left_behind(here, left)
}

/// Whether exactly the files named are there beside those from before, each of them whole.
fn left_behind(here: &Path, left: &str) -> Result<(), String> {
    let mut files: Vec<String> = fs::read_dir(here)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .filter(|name| !["before.jsonl", "good.jsonl", "fifo.jsonl"].contains(&name.as_str()))
        .collect();
    files.sort();
    let mut due: Vec<&str> = left.split_whitespace().filter(|name| *name != "nothing").collect();
    due.sort_unstable();
    if files != due {
        return Err(format!("{files:?} are left, not {due:?}"));
    }
    if fs::read_to_string(here.join("before.jsonl")).expect("still there") != BEFORE {
        return Err("before.jsonl is not what it was".to_owned());
    }
    for file in files.iter().filter(|name| name.contains(".jsonl") && !name.ends_with(".env.json"))
    {
        let output = Command::new(env!("CARGO_BIN_EXE_pointwise"))
            .args(["rank", file])
            .current_dir(here)
            .output()
            .expect("the program starts");
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("{file} can't be used: {why}"));
        }
    }
    for file in files.iter().filter(|name| name.ends_with(".profile")) {
        let text = fs::read_to_string(here.join(file)).expect("readable");
        if pointwise::Profile::parse(&text).map_or(true, |p| p.entries().next().is_none()) {
            return Err(format!("{file} is no profile: {text}"));
        }
    }
    Ok(())
}

/// In a mount namespace of its own, so that it is gone with the process.
const SMALL_DISK: &str = "mkdir disk && mount -t tmpfs -o size=16k none disk";

/// Whether this process may mount a file system, as root outside of most containers may.
fn may_mount() -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tried = Command::new("unshare")
        .args(["--mount", "sh", "-c", SMALL_DISK])
        .current_dir(folder.path())
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success())
}

fn wait_for(child: &mut Child, mut there: impl FnMut() -> bool) -> Result<(), String> {
    while !there() {
        if child.try_wait().expect("a child").is_some() {
            let mut said = String::new();
            child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("UTF-8");
            return Err(format!("it ended early: {said}"));
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    Ok(())
}

fn send(child: &Child, signal: &str) {
    let signal = signal.trim_start_matches("SIG");
    let sent = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
    assert!(sent.expect("kill is there").success());
}
