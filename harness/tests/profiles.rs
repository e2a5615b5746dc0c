//! Every kind of bad profile, as a program meets it: reported with its reason on standard error,
//! and the choice is that without a profile.

use std::path::Path;
use std::process::{Command, Output};

const LAYER: &str = "nchw/n1c24h9w9k40";

fn pick(profile: Option<&Path>, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointwise"));
    command.args(["pick", LAYER, "--json"]).args(arguments);
    command.env_remove("POINTWISE_PROFILE").env_remove("POINTWISE_ISA");
    if let Some(path) = profile {
        command.env("POINTWISE_PROFILE", path);
    }
    command.output().unwrap()
}

/// A profile of this machine, of one layer, in which the last candidate is the fastest.
fn good() -> String {
    let layer: pointwise::Layer = LAYER.parse().unwrap();
    let options = pointwise::PlanOptions::new();
    let ranked = pointwise::Plan::candidates(&layer, &options).unwrap().ranked;
    let mut profile = pointwise::Profile::new();
    for (ns, candidate) in ranked.iter().rev().enumerate() {
        profile.add(pointwise::Measured::new(&layer, 1, candidate, 1000.0 + ns as f64));
    }
    profile.to_string()
}

#[test]
fn a_good_profile_decides_from_the_environment_and_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p");
    std::fs::write(&path, good()).unwrap();
    let default = pick(None, &[]);
    assert!(String::from_utf8_lossy(&default.stdout).contains("\"basis\":\"modelled\""));
    let named = pick(None, &["--profile", path.to_str().unwrap()]);
    for output in [pick(Some(&path), &[]), named] {
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("\"basis\":\"measured\"") && text.contains("\"ns\":1000"), "{text}");
        assert_ne!(text.as_bytes(), default.stdout);
    }
}

#[test]
fn a_bad_profile_is_reported_and_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p");
    let text = good();
    let line = text.lines().nth(4).unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    let with = |at: usize, word: &str| {
        let mut words = words.clone();
        words[at] = word;
        text.replacen(line, &words.join(" "), 1)
    };
    let default = pick(None, &[]);
    for (bad, reason) in [
        // Not a profile, or damaged.
        (String::new(), "not a profile"),
        ("\u{0}\u{1}binary".to_owned(), "not a profile"),
        (text.replacen("pointwise-profile 1", "pointwise-profile 99", 1), "not a profile"),
        (with(0, "nchw/n1c24h9w9k"), "damaged at line 5"),
        (with(1, "0"), "damaged at line 5"),
        (with(6, "NaN"), "damaged at line 5"),
        (with(6, "-3"), "damaged at line 5"),
        (with(6, "10 11"), "damaged at line 5"),
        // Truncated: within the header, within a line.
        (text.lines().take(2).collect::<Vec<_>>().join("\n"), "damaged at line 3"),
        (text[..text.find(line).unwrap() + line.len() / 2].to_owned(), "damaged at line 5"),
        // Another CPU, another version, other settings.
        (text.replacen("cpu ", "cpu Another ", 1), "another CPU: Another"),
        (text.replacen("library ", "library 99.", 1), "made by version 99."),
        (text.replacen("settings f32", "settings f16", 1), "settings \"f16"),
        // An unknown kernel, an impossible blocking or split.
        (with(2, "f32-avx9-ol-1x1"), "damaged at line 5"),
        (with(3, "0"), "damaged at line 5"),
        (with(3, "65"), "damaged at line 5"),
        (with(4, "folded"), "damaged at line 5"),
        (with(5, "0x1"), "damaged at line 5"),
    ] {
        std::fs::write(&path, &bad).unwrap();
        let named = pick(None, &["--profile", path.to_str().unwrap()]);
        for output in [pick(Some(&path), &[]), named] {
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{bad:?}: {told}");
            assert!(told.contains(reason), "{reason}: {told}");
            assert_eq!(told.lines().count(), 1, "{told}");
            assert_eq!(output.stdout, default.stdout, "{reason}");
        }
    }
    let missing = pick(Some(&folder.path().join("none")), &[]);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("cannot be read"));
    assert_eq!(missing.stdout, default.stdout);
}

#[test]
fn what_is_predicted_says_so() {
    let output = pick(None, &["--cpu", "zen2"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("\"basis\":\"predicted\"") && text.contains("\"cpu\":\"zen2\""),
        "{text}"
    );
    let mut predict = Command::new(env!("CARGO_BIN_EXE_pointwise"));
    let output = predict.args(["predict", "--cpu", "zen2", "--kernel", "6x16"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("avx2 6x16 rows") && text.contains("predicted, not measured"), "{text}");
    assert!(!text.contains("4x24") && !text.contains("haswell"), "{text}");
    let unknown = pick(None, &["--cpu", "z80"]);
    assert_eq!(unknown.status.code(), Some(2));
}
