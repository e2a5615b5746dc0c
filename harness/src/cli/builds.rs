//! The two programs of a gate: given by their paths, or built from commits of this repository.

use super::failure::Failure;
use super::files;
use super::output::note;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The program at `path`, or the one built from `reference`; `None` when neither is given.
pub(super) fn program(
    path: Option<&Path>,
    reference: Option<&str>,
) -> Result<Option<PathBuf>, Failure> {
    match (path, reference) {
        (Some(path), _) => match path.canonicalize() {
            Ok(path) if path.is_file() => Ok(Some(path)),
            Ok(path) => Err(Failure::Content { path, why: "it is not a file".to_owned() }),
            Err(error) => Err(Failure::Content { path: path.to_owned(), why: error.to_string() }),
        },
        (None, Some(reference)) => build(reference).map(Some),
        (None, None) => Ok(None),
    }
}

/// Builds the commit `reference` in a work tree of its own under `target/gate`, unless it was built
/// before.
fn build(reference: &str) -> Result<PathBuf, Failure> {
    let root = PathBuf::from(git(Path::new("."), &["rev-parse", "--show-toplevel"])?);
    let commit = format!("{reference}^{{commit}}");
    let hash = git(&root, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])
        .map_err(|_| {
            Failure::Usage(format!("`{reference}` names no commit of {}", root.display()))
        })?;
    let gate = root.join("target").join("gate");
    let program = gate.join("programs").join(&hash).join("pointwise");
    if program.is_file() {
        return Ok(program);
    }
    let tree = gate.join("trees").join(&hash);
    if !tree.join("Cargo.toml").is_file() {
        // A work tree whose folder was removed with target/ is still on git's list.
        git(&root, &["worktree", "prune"])?;
        let path = tree.display().to_string();
        git(&root, &["worktree", "add", "--quiet", "--force", "--detach", &path, &hash])?;
    }
    note(format_args!("building {reference} ({})", hash.get(..12).unwrap_or(&hash)));
    let built = gate.join("build");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(&tree)
        .args(["build", "--release", "--quiet", "--bin", "pointwise", "--target-dir"])
        .arg(&built)
        // Standard output is for the results of the gate.
        .stdout(Stdio::null())
        .status();
    let failed = |why: String| Failure::Machine { what: "cannot build", why };
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => return Err(failed(format!("{reference}: cargo ended ({status})"))),
        Err(error) => return Err(failed(format!("{reference}: cannot start cargo: {error}"))),
    }
    let fresh =
        built.join("release").join("pointwise").with_extension(std::env::consts::EXE_EXTENSION);
    files::copy(&fresh, &program)?;
    Ok(program)
}

/// The output of git, or the reason of its failure.
fn git(folder: &Path, arguments: &[&str]) -> Result<String, Failure> {
    let failed = |why: String| Failure::Machine { what: "cannot find the commit", why };
    let output = Command::new("git")
        .current_dir(folder)
        .args(arguments)
        .output()
        .map_err(|error| failed(format!("cannot start git: {error}")))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        return Err(failed(told.lines().next().unwrap_or("git failed").to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
