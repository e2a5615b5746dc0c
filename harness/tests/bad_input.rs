//! Whatever is wrong with a command line or a file is told in one line on standard error, with
//! exit code 2; standard output stays empty and no file is touched. `harness/refusals.md` has the
//! table.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn pointwise(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pointwise"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("POINTWISE_KERNEL")
        .env_remove("POINTWISE_ISA")
        .output()
        .expect("the program starts")
}

/// A record of this schema, as one line.
fn record(schema: u32) -> String {
    format!(
        r#"{{"schema":{schema},"network":"","layer":"nhwc/n1c8h4w4k8","n":1,"c":8,"k":8,"h":4,"w":4,"stride_h":1,"stride_w":1,"groups":1,"dtype":"f32","layout":"nhwc","contender":"pointwise","version":"0.1.0","kernel":"","threads":1,"cache":"hot","samples":9,"ns_min":100.0,"ns_median":110.0,"ns_mad":2.0,"gflops":18.6,"ceiling_gflops":100.0,"fraction_of_ceiling":0.186,"roofline_gflops":50.0,"fraction_of_roofline":0.37,"prepacked":true,"verified":true}}"#
    )
}

/// The rows of the table whose first column is `command`: arguments, and the line that they get,
/// in which `…` stands for anything.
fn table() -> Vec<(Vec<&'static str>, &'static str)> {
    let table = include_str!("../refusals.md").split("| command | refused with |").nth(1);
    let lines = table.expect("the table").lines().skip(2).take_while(|line| line.starts_with('|'));
    lines
        .map(|line| {
            let line = line.trim_start_matches("| `").trim_end_matches(" |");
            let (command, due) = line.split_once("` | `` ").expect("two columns");
            (command.split(' ').collect(), due.trim_end_matches(" ``"))
        })
        .collect()
}

/// Whether `text` is `pattern`, whose `…` stand for anything.
fn fits(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn bad_input_is_told_in_one_line_and_loses_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    let good = record(1);
    let files = [
        ("empty", String::new()),
        ("bad_layers.txt", "# three lines\n\nnhwc/n1c8h4w4\n".to_owned()),
        ("good.jsonl", format!("{good}\n")),
        ("newer.jsonl", format!("{good}\n{}\n", record(99))),
        ("cut.jsonl", format!("{good}\n{}", &good[..good.len() / 2])),
        ("notes.txt", "what I found on Monday\n".to_owned()),
        ("broken_env.jsonl", format!("{good}\n")),
        ("broken_env.jsonl.env.json", "{\"schema\":1}\n".to_owned()),
        ("negative.jsonl", good.replace("\"ns_min\":100.0", "\"ns_min\":-1.0") + "\n"),
        ("count.txt", "0 a c8h4w4k8\n".to_owned()),
        ("twice.txt", "1 a c8h4w4k8\n1 a c8h4w4k16\n".to_owned()),
        ("damaged.profile", "pointwise-profile 1\nlibrary 0.1.0\n".to_owned()),
        ("broken.jsonl", format!("{good}\n")),
        ("broken.jsonl.env.json", "{\n\"schema\": 1,\n\"cpu\": ?\n}\n".to_owned()),
        ("older.jsonl", format!("{good}\n")),
        ("older.jsonl.env.json", "{\n\"schema\": 0\n}\n".to_owned()),
    ];
    for (name, text) in &files {
        fs::write(path.join(name), text).expect("a file written");
    }
    fs::write(path.join("binary"), [0xff, 0xfe, 0, 1]).expect("a file written");
    fs::create_dir(path.join("folder")).expect("a folder made");

    let table = table();
    assert!(table.len() >= 40, "{} rows", table.len());
    let mut wrong = Vec::new();
    for (arguments, due) in &table {
        let output = pointwise(path, arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        let said = error.strip_suffix('\n').unwrap_or(&error);
        let said = said.strip_prefix("pointwise: ").unwrap_or("");
        let refused = output.status.code() == Some(2) && output.stdout.is_empty();
        if !refused || said.contains('\n') || !fits(said, due) {
            let code = output.status.code();
            wrong.push(format!("exit {code:?}\n| `{}` | `` {said} `` |", arguments.join(" ")));
        }
    }
    println!("{} inputs refused, each with its line", table.len() - wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    for (name, text) in &files {
        assert_eq!(&fs::read_to_string(path.join(name)).expect("still there"), text, "{name}");
    }
    assert_eq!(fs::read_dir(path).expect("a folder").count(), files.len() + 2, "nothing added");
}
