//! What ends a command before it is done, as `harness/refusals.md` lists it: what was measured is
//! kept, no file is half-written under its name, and the exit code says what happened.
//!
//! Nothing here depends on time: each event waits for what the program has written.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Its number, on every Linux.
const SIGTERM: u32 = 15;

const TABLES: &str = include_str!("../refusals.md");
/// What lies in the folder under the names that commands write to.
const BEFORE: &str = "{\"schema\":0}\n";
/// What lies in the folder for commands to use, and `old`, in which there is a page already.
const THERE: [&str; 9] = [
    "before.jsonl",
    "good.jsonl",
    "kept.jsonl",
    "kept.jsonl.env.json",
    "fifo.jsonl",
    "old",
    "steady",
    "slow",
    "wild",
];
/// Where a build that is measured by the gate tells that it was asked, for want of another file.
const ASKED: &str = "asked";

/// A build that answers the gate as a worker does, with times in ns that the shell works out.
fn build(folder: &Path, name: &str, ns: &str) {
    let ready = r#"{"ready":{"protocol":1,"kernel":"k","commit":"abc","run_ns":1000.0}}"#;
    let script = format!(
        "#!/bin/sh\nn=0\nwhile read -r line; do case $line in\n*prepare*) echo '{ready}';;\n\
         *) n=$((n + 1)); echo nhwc >> {ASKED}; echo \"{{\\\"sampled\\\":{{\\\"ns\\\":{ns}.0}}}}\";;\n\
         esac; done\n"
    );
    let path = folder.join(name);
    fs::write(&path, script).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("made executable");
}

/// Makes what lies in the folder before a command.
fn furnish(here: &Path) {
    let write = |name: &str, text: &str| fs::write(here.join(name), text).expect("written");
    write("before.jsonl", BEFORE);
    write("good.jsonl", include_str!("fixtures/one.jsonl"));
    write("kept.jsonl", include_str!("fixtures/report/run.jsonl"));
    write("kept.jsonl.env.json", include_str!("fixtures/report/run.env.json"));
    fs::create_dir(here.join("old")).expect("made");
    write("old/index.html", BEFORE);
    build(here, "steady", "1000");
    build(here, "slow", "1200");
    // Never settled: its times have nothing to do with one another.
    build(here, "wild", "$((1000 + (n + $$) * 7919 % 1009))");
}

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
    assert!(rows.len() >= 40, "{} rows", rows.len());
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
    furnish(here);
    let mut words = command.split_whitespace();
    // A command may begin with variables.
    let variables: Vec<(&str, &str)> =
        words.clone().map_while(|word| word.split_once('=')).collect();
    let arguments = words.clone().skip(variables.len()).collect::<Vec<_>>().join(" ");
    let name = words.find(|word| *word == "-o").and(words.next());

    let mut limits = String::new();
    if let Some(bytes) = event.strip_prefix("no file above ") {
        let blocks: usize = bytes.split_whitespace().next().unwrap_or_default().parse().unwrap();
        limits = format!("ulimit -f {blocks} && ");
    }
    let program = env!("CARGO_BIN_EXE_pointwise");
    // What a background job of a script starts ignores SIGINT, and what it starts does too.
    let heard = if event.ends_with("no records come") { "env --default-signal " } else { "" };
    let mut script = format!("{limits}exec {heard}\"$POINTWISE_TEST_PROGRAM\" {arguments}");
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
    shell.envs(variables);
    shell.stdout(Stdio::piped()).stderr(Stdio::piped());
    if event == "standard output full" {
        shell.stdout(fs::File::options().write(true).open("/dev/full").expect("a device"));
    }
    if event.ends_with("closed") {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        match event {
            "standard error closed" => shell.stderr(writer),
            _ => shell.stdout(writer),
        };
    }
    if event.ends_with("no records come") {
        let made = Command::new("mkfifo").arg(here.join("fifo.jsonl")).status();
        assert!(made.expect("mkfifo is there").success());
    }
    let mut child = shell.spawn().expect("the program starts");
    match event {
        "SIGINT" | "SIGTERM" | "SIGKILL" => {
            let progress = match name {
                Some(name) if name.ends_with(".jsonl") => Some(format!("{name}.partial")),
                Some(name) => Some(name.to_owned()),
                None => command.contains("--base").then(|| ASKED.to_owned()),
            };
            let status = format!("/proc/{}/status", child.id());
            wait_for(&mut child, || match &progress {
                Some(progress) => {
                    let text = fs::read_to_string(here.join(progress)).unwrap_or_default();
                    text.lines().filter(|line| line.contains("nhwc")).count() >= 2
                }
                // It writes nothing while it works; but it waits for signals when it does.
                None => {
                    let status = fs::read_to_string(&status).unwrap_or_default();
                    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
                    let mask = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
                    mask.is_some_and(|mask| mask >> (SIGTERM - 1) & 1 == 1)
                }
            })?;
            send(&child, event);
        }
        "reader that leaves" => {
            let stdout = child.stdout.take().expect("a pipe");
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line).expect("a line");
        }
        _ if event.ends_with("no records come") => {
            // Once it has opened the file it reads, and gets nothing.
            let writer = fs::File::options().write(true).open(here.join("fifo.jsonl"));
            send(&child, event.split_whitespace().next().unwrap_or_default());
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
        .filter(|name| !THERE.contains(&name.as_str()) && name != ASKED)
        .collect();
    files.sort();
    let mut due: Vec<&str> = left.split_whitespace().filter(|name| *name != "nothing").collect();
    due.sort_unstable();
    if files != due {
        return Err(format!("{files:?} are left, not {due:?}"));
    }
    for file in ["before.jsonl", "old/index.html"] {
        if fs::read_to_string(here.join(file)).expect("still there") != BEFORE {
            return Err(format!("{file} is not what it was"));
        }
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

/// A page and its figures are each there whole or not at all, whenever the program is killed.
#[test]
fn a_report_killed_at_any_moment_leaves_whole_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let here = folder.path();
    furnish(here);
    let report = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pointwise"));
        command.args(["report", "kept.jsonl", "-o", "page"]).current_dir(here);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts")
    };
    let (mut killed, mut seen) = (0, 0);
    for moment in 0..40 {
        let mut child = report();
        std::thread::sleep(std::time::Duration::from_millis(moment));
        let _ = child.kill();
        let status = child.wait().expect("it ends");
        killed += usize::from(status.signal() == Some(9));
        for entry in fs::read_dir(here.join("page")).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if name.starts_with('.') && name.ends_with(".part") {
                continue;
            }
            let text = fs::read_to_string(&path).expect("readable");
            let whole = ["</html>", "</svg>"].iter().any(|end| text.trim_end().ends_with(end));
            assert!(whole, "{name}, killed after {moment} ms");
            seen += 1;
        }
    }
    assert!(report().wait().expect("it ends").success(), "what was left is in nobody's way");
    println!("{killed} reports killed, {seen} files looked at");
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
