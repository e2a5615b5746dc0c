//! The gate's verdicts on programs whose times are given: what stands for a build is a script that
//! answers as the gate's worker does, so that nothing here depends on a clock.
#![cfg(unix)]

use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

const LAYER: &str = "nhwc/n1c8h4w4k8";

/// A program that is ready at once and answers each request for a sample with `sample`.
fn build(folder: &Path, name: &str, ready: &str, sample: &str) {
    let script = format!(
        "#!/bin/sh\nwhile read -r line; do case $line in\n*prepare*) echo '{ready}';;\n\
         *) {sample};; esac; done\n"
    );
    let path = folder.join(name);
    fs::write(&path, script).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("made executable");
}

const READY: &str = r#"{"ready":{"protocol":1,"kernel":"k","commit":"abc","run_ns":1000.0}}"#;

/// A build that takes so many ns, always.
fn steady(folder: &Path, name: &str, ns: u32) {
    build(folder, name, READY, &format!(r#"echo '{{"sampled":{{"ns":{ns}.0}}}}'"#));
}

fn gate(folder: &Path, base: &str, new: &str, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pointwise"))
        .current_dir(folder)
        .args(["gate", "--base", base, "--new", new, "--layer", LAYER])
        .args(if more.contains(&"--budget") { &[][..] } else { &["--budget", "600"] })
        .args(more)
        .env_remove("POINTWISE_KERNEL")
        .env_remove("POINTWISE_ISA")
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn steady_builds_are_judged_by_their_times() {
    let here = tempfile::tempdir().expect("a folder");
    let builds = [("base", 1000), ("same", 1000), ("slow", 1080), ("slip", 1015), ("fast", 900)];
    for (name, ns) in builds {
        steady(here.path(), name, ns);
    }
    for (new, code, verdict) in [
        ("same", 0, "unchanged"),
        ("slow", 3, "slower"),
        ("slip", 0, "unchanged"),
        ("fast", 0, "faster"),
    ] {
        let output = gate(here.path(), "base", new, &["--json"]);
        assert_eq!(output.status.code(), Some(code), "{new}: {}", text(&output.stderr));
        let rows: Vec<Value> =
            text(&output.stdout).lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
        assert_eq!(rows.len(), 2, "a row for the case and the sum");
        assert_eq!(rows[0]["verdict"], verdict, "{}", rows[0]);
        let repeat = rows[0]["repeat"].as_str().expect("a command");
        assert!(repeat.contains(LAYER) && repeat.contains(new), "{repeat}");
    }
    // A smaller floor makes a slip one, a larger one forgives the slow.
    assert_eq!(gate(here.path(), "base", "slip", &["--floor", "1"]).status.code(), Some(3));
    let forgiving = gate(here.path(), "base", "slow", &["--floor", "10%", "--resolve", "12"]);
    assert_eq!(forgiving.status.code(), Some(0));
    let told = text(&gate(here.path(), "base", "slow", &[]).stdout);
    for part in ["+8.0%", "slower", "REGRESSION: 1 slower", "pointwise gate --base base --new slow"]
    {
        assert!(told.contains(part), "`{part}` in {told}");
    }
}

#[test]
fn the_processes_that_measure_get_the_settings_of_the_gate() {
    let here = tempfile::tempdir().expect("a folder");
    let told = here.path().join("told");
    let tell = format!("#!/bin/sh\necho \"$*\" >> '{}'\nexit 1\n", told.display());
    fs::write(here.path().join("base"), tell).expect("written");
    fs::set_permissions(here.path().join("base"), fs::Permissions::from_mode(0o755)).expect("set");
    let settings = ["--threads", "2", "--isa", "scalar", "--peers", "my peers"];
    assert_eq!(gate(here.path(), "base", "base", &settings).status.code(), Some(2));
    let told = fs::read_to_string(told).expect("it was started");
    let first = told.lines().next().expect("a line");
    assert_eq!(first, "gate-worker --threads 2 --isa scalar --peers my peers");
}

#[test]
fn what_the_budget_leaves_open_is_inconclusive() {
    let here = tempfile::tempdir().expect("a folder");
    steady(here.path(), "base", 1000);
    steady(here.path(), "slow", 1500);
    // Each case gets one pair, however late it is.
    let output =
        gate(here.path(), "base", "slow", &["--layer", "nchw/n1c8h4w4k8", "--budget", "1e-9"]);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stdout));
    let told = text(&output.stdout);
    assert_eq!(told.matches("too few pairs: 1").count(), 2, "{told}");
    assert!(told.contains("inconclusive: 0 slower"), "{told}");
}

#[test]
fn wrong_results_and_lost_layers_are_no_pass() {
    let here = tempfile::tempdir().expect("a folder");
    steady(here.path(), "base", 1000);
    build(here.path(), "wrong", r#"{"wrong":{"why":"output 7 is 1, should be 2"}}"#, "exit 1");
    let output = gate(here.path(), "base", "wrong", &[]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("new: output 7 is 1"), "{}", text(&output.stdout));

    build(here.path(), "unable", r#"{"refused":{"why":"no such kernel"}}"#, "exit 1");
    let output = gate(here.path(), "base", "unable", &[]);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("no such kernel"), "{}", text(&output.stdout));
    // What the base cannot do is no fault of the new build, but then nothing is left to judge.
    let output = gate(here.path(), "unable", "base", &[]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn programs_that_are_none_of_ours_are_refused_in_a_line() {
    let here = tempfile::tempdir().expect("a folder");
    steady(here.path(), "base", 1000);
    fs::write(here.path().join("notes.txt"), "what I found on Monday\n").expect("written");
    build(here.path(), "chatty", "hello", "echo hello");
    build(here.path(), "older", READY, r#"echo '{"sampled":{"ns":0.0}}'"#);
    let newer = READY.replace("\"protocol\":1", "\"protocol\":9");
    build(here.path(), "newer", &newer, "exit 1");
    fs::write(here.path().join("ends"), "#!/bin/sh\necho unrecognized subcommand >&2\nexit 2\n")
        .expect("written");
    fs::set_permissions(here.path().join("ends"), fs::Permissions::from_mode(0o755)).expect("set");
    for (new, parts) in [
        ("missing", &["missing"][..]),
        ("notes.txt", &["cannot start", "notes.txt"]),
        ("chatty", &["chatty", "does not measure for this gate", "`hello`"]),
        ("older", &["older", "it answered"]),
        ("newer", &["newer", "protocol is 9"]),
        ("ends", &["ends", "unrecognized subcommand"]),
    ] {
        let output = gate(here.path(), "base", new, &["--json"]);
        let told: String =
            text(&output.stderr).lines().filter(|line| line.starts_with("pointwise: ")).collect();
        assert_eq!(output.status.code(), Some(2), "{new}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty(), "{new}");
        assert!(parts.iter().all(|part| told.contains(part)), "{new}: {told}");
    }
}

#[test]
fn this_program_measures_for_the_gate_and_its_faults_are_found() {
    let here = tempfile::tempdir().expect("a folder");
    let program = env!("CARGO_BIN_EXE_pointwise");
    let script = |name: &str, variable: &str| {
        let path = here.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{variable} exec '{program}' \"$@\"\n"))
            .expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
    };
    script("base", "");
    script("wrong", "POINTWISE_PLANT_FAULT=pointwise");
    let output = gate(here.path(), "base", "wrong", &["--isa", "scalar"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("outputs are wrong"), "{}", text(&output.stdout));
    // Ten times slower is slower on any machine that ends its pairs.
    let portable = pointwise::kernels().iter().find(|k| k.isa() == pointwise::Isa::Scalar);
    let kernel = portable.expect("a portable kernel").name();
    script("slow", &format!("POINTWISE_PLANT_SLOWDOWN={kernel}:900"));
    let only = ["--isa", "scalar", "--kernel", &format!("^{kernel}$")];
    let output = gate(here.path(), "base", "slow", &only);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stdout));
}

#[test]
fn commits_are_built_once_each_in_their_own_work_tree() {
    let here = tempfile::tempdir().expect("a folder");
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"];
        let done =
            Command::new("git").current_dir(here.path()).args(identity).args(arguments).output();
        assert!(done.expect("git is there").status.success(), "{arguments:?}");
    };
    let commit = |ns: &str| {
        fs::write(here.path().join("ns"), ns).expect("written");
        fs::write(here.path().join("Cargo.toml"), "").expect("written");
        git(&["add", "ns", "Cargo.toml"]);
        git(&["commit", "--quiet", "--no-gpg-sign", "-m", ns]);
    };
    git(&["init", "--quiet"]);
    commit("1000");
    git(&["tag", "base"]);
    commit("1080");
    // What stands for cargo makes a program that is as fast as its tree says.
    build(here.path(), "template", READY, r#"echo '{"sampled":{"ns":NS.0}}'"#);
    let template = here.path().join("template").display().to_string();
    let cargo = here.path().join("cargo");
    let script = format!(
        "#!/bin/sh\nns=$(cat ns)\nwhile [ \"$1\" != --target-dir ]; do shift; done\n\
         mkdir -p \"$2/release\"\nsed s/NS/$ns/ '{template}' > \"$2/release/pointwise\"\n\
         chmod +x \"$2/release/pointwise\"\n"
    );
    fs::write(&cargo, script).expect("written");
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).expect("set");
    let gate = |cargo: &Path, new: &str| {
        Command::new(env!("CARGO_BIN_EXE_pointwise"))
            .current_dir(here.path())
            .args(["gate", "--base-ref", "base", "--new-ref", new, "--layer", LAYER])
            .env("CARGO", cargo)
            .output()
            .expect("the program starts")
    };
    let output = gate(&cargo, "HEAD");
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("building base"), "{}", text(&output.stderr));
    // Both are kept: no cargo is needed for them again, but one for what is new.
    let none = here.path().join("no-cargo");
    assert_eq!(gate(&none, "HEAD").status.code(), Some(3));
    commit("900");
    let output = gate(&none, "HEAD");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("cannot start cargo"), "{}", text(&output.stderr));
    assert_eq!(gate(&cargo, "HEAD").status.code(), Some(0));
    let output = gate(&cargo, "no-such-branch");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("`no-such-branch` names no commit"));
}
