//! The commands as a person or a script uses them.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointwise"));
    command.current_dir(folder);
    for variable in ["POINTWISE_KERNEL", "POINTWISE_ISA", "POINTWISE_PLANT_FAULT"] {
        command.env_remove(variable);
    }
    command
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn run(command: &mut Command, arguments: &[&str]) -> Output {
    command.args(arguments).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Standard output, when all went well.
fn fine(folder: &Path, arguments: &[&str]) -> String {
    let output = run(&mut program(folder), arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn json(folder: &Path, arguments: &[&str]) -> Vec<Value> {
    let lines = fine(folder, arguments);
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn strings(rows: &[Value], field: &str) -> Vec<String> {
    rows.iter().map(|row| row[field].as_str().expect("a text").to_owned()).collect()
}

#[test]
fn every_kernel_network_layer_and_contender_is_listed() {
    let here = folder();
    let kernels = json(here.path(), &["list", "kernels", "--json"]);
    let registered: Vec<&str> = pointwise::kernels().iter().map(|kernel| kernel.name()).collect();
    assert_eq!(strings(&kernels, "kernel"), registered);
    for (row, kernel) in kernels.iter().zip(pointwise::kernels()) {
        assert_eq!(row["available"], kernel.is_available(), "{row}");
        assert_eq!(row["why_not"].is_null(), kernel.is_available(), "{row}");
    }
    let networks = strings(&json(here.path(), &["list", "networks", "--json"]), "network");
    assert!(networks.contains(&"resnet50".to_owned()), "{networks:?}");
    let layers = json(here.path(), &["list", "layers", "--json"]);
    assert_eq!(layers.len(), pointwise_harness::catalog::catalog().len());
    let contenders = strings(&json(here.path(), &["list", "contenders", "--json"]), "contender");
    for name in ["pointwise", "naive", "matrixmultiply", "onednn", "openblas"] {
        assert!(contenders.contains(&name.to_owned()), "{contenders:?}");
    }
    let table = fine(here.path(), &["list", "kernels"]);
    assert!(registered.iter().all(|name| table.contains(name)), "{table}");
}

#[test]
fn a_cap_on_the_isa_is_an_option_or_a_variable() {
    let here = folder();
    let scalar_only = |rows: Vec<Value>| {
        for row in rows {
            assert_eq!(row["available"] == true, row["isa"] == "scalar", "{row}");
        }
    };
    scalar_only(json(here.path(), &["list", "kernels", "--json", "--isa", "scalar"]));
    let output =
        run(program(here.path()).env("POINTWISE_ISA", "scalar"), &["list", "kernels", "--json"]);
    let lines = text(&output.stdout);
    scalar_only(lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect());
    let output = run(program(here.path()).env("POINTWISE_ISA", "mmx"), &["list", "kernels"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no ISA is named `mmx`"));
}

#[test]
fn layers_are_chosen_by_name_by_label_and_by_text() {
    let here = folder();
    let chosen = |arguments: &[&str]| {
        let rows = json(here.path(), &[&["list", "layers", "--json"], arguments].concat());
        strings(&rows, "layer")
    };
    let conv = ["nhwc/n1c256h56w56k64/bias+relu"];
    assert_eq!(
        chosen(&["--network", "resnet50", "--layer", "conv2_x.1x1a", "--layout", "nhwc"]),
        conv
    );
    assert_eq!(chosen(&["--layer", "resnet50/conv2_x.1x1a", "--layout", "nhwc"]), conv);
    // A text without its layout is both, with it the one, and `--layout` has the last word.
    assert_eq!(chosen(&["--layer", "c8h4w4k8"]), ["nhwc/n1c8h4w4k8", "nchw/n1c8h4w4k8"]);
    assert_eq!(chosen(&["--layer", "nchw/c8h4w4k8"]), ["nchw/n1c8h4w4k8"]);
    assert_eq!(chosen(&["--layer", "nchw/c8h4w4k8", "--layout", "nhwc"]), ["nhwc/n1c8h4w4k8"]);
    // Several are a union without repeats.
    let several = chosen(&["--layer", "nhwc/c8h4w4k8", "--layer", "nhwc/n1c8h4w4k8/relu"]);
    assert_eq!(several, ["nhwc/n1c8h4w4k8", "nhwc/n1c8h4w4k8/relu"]);
    fs::write(here.path().join("mine.txt"), "3 a c8h4w4k8/relu\nc16h2w2k8\n").expect("written");
    let mine = chosen(&["--layers", "mine.txt", "--layout", "nchw"]);
    assert_eq!(mine, ["nchw/n1c8h4w4k8/relu", "nchw/n1c16h2w2k8"]);
}

/// One that runs everywhere.
fn a_kernel() -> &'static str {
    let portable =
        pointwise::kernels().iter().find(|kernel| kernel.isa() == pointwise::Isa::Scalar);
    portable.expect("a portable kernel").name()
}

const SMALL: &str = "nhwc/n1c20h5w7k19/bias+residual+relu";

#[test]
fn verify_passes_every_kernel_and_names_a_broken_one() {
    let here = folder();
    let verify = ["verify", "--layer", SMALL, "--layer", "nchw/n2c9h6w6k33/s2x2/bias"];
    let table = fine(here.path(), &verify);
    for kernel in pointwise::kernels().iter().filter(|kernel| kernel.is_available()) {
        assert!(table.contains(kernel.name()), "{table}");
    }
    let broken = a_kernel();
    let output = run(program(here.path()).env("POINTWISE_PLANT_FAULT", broken), &verify);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    let wrong: Vec<&str> = told.lines().filter(|line| line.starts_with("WRONG")).collect();
    assert_eq!(wrong.len(), 2, "{told}");
    // The planted fault is in the last output: 5·7·19 − 1.
    for part in [broken, SMALL, "output 664", "n=0 k=18 y=4 x=6", "1 of 665"] {
        assert!(wrong[0].contains(part), "`{part}`: {}", wrong[0]);
    }
    // The line that repeats it does.
    let repeat = told.lines().find_map(|line| line.trim().strip_prefix("repeat: pointwise "));
    let repeat = repeat.expect("a line that repeats it").replace('\'', "");
    let arguments: Vec<&str> = repeat.split(' ').collect();
    let output = run(program(here.path()).env("POINTWISE_PLANT_FAULT", broken), &arguments);
    assert_eq!(output.status.code(), Some(1), "{repeat}");
    fine(here.path(), &arguments);
}

#[test]
fn verify_with_threads_checks_the_same() {
    let here = folder();
    let rows = json(
        here.path(),
        &["verify", "--json", "--threads", "2", "--layer", "n3c17h6w6k40/bias", "--layer", SMALL],
    );
    // A peer that is installed may not take every layout.
    let of_others = |row: &&Value| row["verdict"] == "refused" && row["contender"] == "xnnpack";
    let rows: Vec<&Value> = rows.iter().filter(|row| !of_others(row)).collect();
    assert!(rows.len() > 6 && rows.iter().all(|row| row["verdict"] == "right"), "{rows:?}");
}

#[test]
fn bench_writes_records_that_rank_and_report_take() {
    let here = folder();
    let table = fine(here.path(), &["bench", "--quick", "--layer", SMALL, "-o", "run.jsonl"]);
    assert!(table.contains(SMALL), "a row can be pasted: {table}");
    let lines = fs::read_to_string(here.path().join("run.jsonl")).expect("records");
    let records: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let contenders = strings(&records, "contender");
    for name in ["pointwise", "naive", "matrixmultiply"] {
        assert!(contenders.contains(&name.to_owned()), "{contenders:?}");
    }
    for record in &records {
        assert_eq!((&record["layer"], &record["verified"]), (&SMALL.into(), &true.into()));
        assert_eq!((&record["threads"], &record["cache"]), (&1.into(), &"hot".into()));
        assert_eq!(record["ceiling_gflops"], records[0]["ceiling_gflops"], "one run, one ceiling");
    }
    let mut names: Vec<String> = fs::read_dir(here.path())
        .expect("a folder")
        .map(|file| file.expect("a file").file_name().into_string().expect("a name"))
        .collect();
    names.sort();
    assert_eq!(names, ["run.jsonl", "run.jsonl.env.json"], "nothing else is left");

    let ranking = fine(here.path(), &["rank", "run.jsonl"]);
    assert!(ranking.contains("matrixmultiply"), "{ranking}");
    let paths = fine(here.path(), &["report", "run.jsonl", "-o", "page"]);
    for path in paths.lines() {
        assert!(here.path().join(path).is_file(), "{path}");
    }
    assert!(paths.lines().next().is_some_and(|page| page.ends_with("index.html")), "{paths}");

    let csv = fine(here.path(), &["export", "run.jsonl", "--format", "csv"]);
    assert_eq!(csv.lines().count(), 1 + records.len(), "{csv}");

    // With filters, and again onto the same file.
    let again = ["bench", "--quick", "--layer", SMALL, "--contender", "naive", "-o", "run.jsonl"];
    fine(here.path(), &again);
    assert_eq!(json(here.path(), &["rank", "run.jsonl", "--json"]).len(), 1);
}

#[test]
fn bench_does_not_time_a_wrong_contender() {
    let here = folder();
    let mut planted = program(here.path());
    planted.env("POINTWISE_PLANT_FAULT", "pointwise");
    let output = run(&mut planted, &["bench", "--quick", "--json", "--layer", SMALL]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let told = text(&output.stderr);
    assert!(
        told.contains("WRONG") && told.contains(SMALL) && told.contains("output 664"),
        "{told}"
    );
    let timed = text(&output.stdout);
    assert!(timed.contains("\"contender\":\"naive\""), "the others are timed: {timed}");
    assert!(!timed.contains("\"contender\":\"pointwise\""), "{timed}");
}

#[test]
fn a_closed_pipe_does_not_hide_a_wrong_result() {
    let here = folder();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let status = program(here.path())
        .args(["verify", "--layer", SMALL])
        .env("POINTWISE_PLANT_FAULT", a_kernel())
        .stdout(writer)
        .stderr(Stdio::null())
        .status()
        .expect("the program starts");
    assert_eq!(status.code(), Some(1));
}

#[cfg(unix)]
#[test]
fn an_interrupted_bench_keeps_what_was_measured() {
    let here = folder();
    let before = "{\"schema\":0}\n";
    fs::write(here.path().join("run.jsonl"), before).expect("written");
    let mut child = program(here.path())
        .args(["bench", "--quick", "--contender", "pointwise", "-o", "run.jsonl"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let partial = here.path().join("run.jsonl.partial");
    let rows = || fs::read_to_string(&partial).map_or(0, |text| text.lines().count());
    while rows() < 2 {
        assert!(child.try_wait().expect("a child").is_none(), "it ended early");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let kill = |signal: &str| Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(kill("-INT").expect("kill is there").success());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("are kept in run.jsonl.partial"));
    assert_eq!(fs::read_to_string(here.path().join("run.jsonl")).expect("there"), before);
    assert!(rows() >= 2);
    assert!(fine(here.path(), &["rank", "run.jsonl.partial"]).contains("pointwise"));
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_verify_says_so() {
    let here = folder();
    let child = program(here.path())
        .args(["verify", "--contender", "pointwise"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let id = child.id().to_string();
    // Its handlers are up as soon as Linux lists the signal among those that it catches.
    let status = format!("/proc/{id}/status");
    let catches = || {
        let text = fs::read_to_string(&status).ok()?;
        let mask = text.lines().find_map(|line| line.strip_prefix("SigCgt:"))?.trim().to_owned();
        u64::from_str_radix(&mask, 16).ok().map(|mask| mask & (1 << 14) != 0)
    };
    while catches() == Some(false) {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    // Catching it and remembering it are two steps.
    std::thread::sleep(std::time::Duration::from_millis(50));
    let kill = Command::new("kill").args(["-TERM", &id]).status();
    assert!(kill.expect("kill is there").success());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(143), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("interrupted: "), "{}", text(&output.stderr));
}

#[test]
fn doctor_tells_ceilings_and_a_grade() {
    let here = folder();
    let told = fine(here.path(), &["doctor", "--quick", "--threads", "1"]);
    assert!(told.contains("FMA ceiling") && told.contains("Trust"), "{told}");
    let examination = json(here.path(), &["doctor", "--quick", "--threads", "1", "--json"]);
    assert!(examination[0]["trust"]["grade"].is_string(), "{examination:?}");
}

#[test]
fn the_tour_leaves_a_page_and_falls_back_where_it_cannot() {
    let here = folder();
    let tour = ["--layer", "c16h4w4k32/bias", "--threads", "1"];
    let page = |told: &str| {
        let line = told.lines().find_map(|line| line.split_once(".html").map(|(path, _)| path));
        let path = line.and_then(|line| line.rsplit(' ').next()).expect("a path");
        here.path().join(format!("{path}.html"))
    };
    let told = fine(here.path(), &tour);
    assert!(told.contains("0 wrong"), "{told}");
    assert!(
        page(&told).is_file() && page(&told).starts_with(here.path().join("reports")),
        "{told}"
    );

    // A file of that name is as good as a folder that can't be written, and works for root too.
    fs::remove_dir_all(here.path().join("reports")).expect("removed");
    fs::write(here.path().join("reports"), "").expect("written");
    let output = run(program(here.path()).env("TMPDIR", here.path()), &tour);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    assert!(page(&told).is_file(), "{told}");
    assert!(text(&output.stderr).contains("cannot write"), "{}", text(&output.stderr));
}
