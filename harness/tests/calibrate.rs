//! `pointwise calibrate` as a person or a script uses it. A machine too busy to be measured ends it
//! with exit code 4 and no file; every test takes that for an answer.

use pointwise::{Calibration, Cpu};
use std::path::Path;
use std::process::{Command, Output};

fn calibrate(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointwise"));
    command.arg("calibrate").args(arguments).current_dir(folder);
    command.env_remove("POINTWISE_ISA").env("XDG_CACHE_HOME", folder).env("HOME", folder);
    command.output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Whether the machine was quiet enough; otherwise nothing may have been said or written.
fn measured(output: &Output) -> bool {
    match output.status.code() {
        Some(0) => true,
        Some(4) => {
            let told = text(&output.stderr);
            assert!(output.stdout.is_empty() && told.contains("nothing is written"), "{told}");
            false
        }
        code => panic!("exit code {code:?}: {}", text(&output.stderr)),
    }
}

#[test]
fn a_description_of_this_machine_is_written_and_read_again() {
    let here = tempfile::tempdir().unwrap();
    let output = calibrate(here.path(), &["-o", "mine.txt", "--threads", "2"]);
    let path = here.path().join("mine.txt");
    if !measured(&output) {
        assert!(!path.exists());
        return;
    }
    let told = text(&output.stdout);
    assert!(told.contains("calibrated") && told.contains("written to mine.txt"), "{told}");
    let file = std::fs::read_to_string(&path).unwrap();
    let cpu = Calibration::parse(&file).unwrap();
    let host = Cpu::host();
    assert_eq!((cpu.isa, cpu.l1, cpu.l2), (host.isa, host.l1, host.l2));
    assert_eq!(cpu.title, format!("{}, calibrated", host.title));
    // It is a data file like any other.
    assert_eq!(Cpu::parse("host", &file).unwrap(), cpu);
    // One that was there before is replaced.
    std::fs::write(&path, "old").unwrap();
    if measured(&calibrate(here.path(), &["-o", "mine.txt", "--threads", "1", "--json"])) {
        Calibration::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn without_a_file_it_is_kept_in_the_cache_folder() {
    let here = tempfile::tempdir().unwrap();
    let output = calibrate(here.path(), &["--json", "--threads", "1"]);
    let path = here.path().join("pointwise").join("pointwise.calibration");
    if !measured(&output) {
        assert!(!path.exists());
        return;
    }
    let row: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(row["calibration"], path.to_str().unwrap());
    let cpu = Calibration::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
    for (field, value) in [
        ("l2_bytes", cpu.l2_bytes),
        ("far_bytes", cpu.far_bytes),
        ("memory_bytes", cpu.memory_bytes),
        ("memory_latency", cpu.memory_latency),
        ("wake", cpu.wake),
    ] {
        assert_eq!(row[field].as_f64(), Some(value), "{field}: {row}");
    }
    // One thread wakes no other: what the data file says stays.
    assert_eq!(cpu.wake, Cpu::host().wake);
    assert!(row["samples"].as_u64().unwrap() > 0 && row["noise"].as_f64().unwrap() >= 0.0);
    for isa in pointwise::Isa::ALL {
        let shown = row["peaks"][isa.name()]["fma_per_cycle"].as_f64();
        let vectors = isa != pointwise::Isa::Scalar && isa.is_available();
        assert_eq!(shown.is_some_and(|rate| rate > 0.0), vectors, "{isa}: {row}");
    }
}

#[test]
fn what_cannot_be_written_is_told_in_a_line() {
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("file"), "").unwrap();
    let output = calibrate(here.path(), &["-o", "file/mine.txt", "--threads", "1"]);
    if output.status.code() == Some(4) {
        return;
    }
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.starts_with("pointwise: cannot write ") && told.lines().count() == 1, "{told}");
    assert!(output.stdout.is_empty());
}
