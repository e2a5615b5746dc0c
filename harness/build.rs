//! Tells the program what it was built from: commit, compiler, profile.

use std::path::Path;
use std::process::Command;

fn main() {
    let manifest = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let root = Path::new(&manifest).parent().unwrap_or(Path::new("."));
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let compiler = output(Command::new(rustc).arg("--version"));
    set("COMPILER", compiler.as_deref().unwrap_or("unknown"));
    for (name, variable) in [("TARGET", "TARGET"), ("PROFILE", "PROFILE"), ("OPT", "OPT_LEVEL")] {
        set(name, &std::env::var(variable).unwrap_or_default());
    }
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    set("RUSTFLAGS", &flags.replace('\u{1f}', " "));

    // A source archive, or a copy within a repository that is not ours, has no commit.
    let git = |arguments: &[&str]| output(Command::new("git").current_dir(root).args(arguments));
    let ours = git(&["rev-parse", "--show-toplevel"])
        .is_some_and(|top| Path::new(&top).canonicalize().ok() == root.canonicalize().ok());
    let commit = if ours { git(&["rev-parse", "HEAD"]) } else { None };
    // Only what is compiled counts: an edited page does not make a measured program dirty.
    let dirty =
        git(&["status", "--porcelain", "--", "kernels", "harness", "Cargo.toml", "Cargo.lock"]);
    let dirty = commit.is_some() && dirty.is_none_or(|changes| !changes.is_empty());
    set("COMMIT", commit.as_deref().unwrap_or("unknown"));
    set("DIRTY", if dirty { "true" } else { "false" });

    for path in ["kernels", "harness", "Cargo.toml", "Cargo.lock"] {
        watch(&root.join(path));
    }
    for path in ["HEAD", "logs/HEAD", "packed-refs"] {
        if let Some(path) = git(&["rev-parse", "--git-path", path]).filter(|_| ours) {
            watch(&root.join(path));
        }
    }
}

/// Sets a variable for `env!`.
fn set(name: &str, value: &str) {
    println!("cargo::rustc-env=POINTWISE_BUILD_{name}={value}");
}

/// Runs this script again when `path` changes; a path that does not exist would make it run always.
fn watch(path: &Path) {
    if path.exists() {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}

/// What a command prints, if it succeeds.
fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
