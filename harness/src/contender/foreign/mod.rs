//! Peer libraries, loaded at run time and never linked: the only code of the harness that is
//! unsafe.
//!
//! # Where they are looked for
//! In [`peers_folder`], which `scripts/install-peers` fills; then by name, as the system's
//! loader finds them. A loaded library stays loaded: its threads may outlive any use of it.
//!
//! # Threads
//! A peer with one thread runs on the calling thread. With more, its own workers join the
//! caller; the count is set before every run (OpenMP keeps it per calling thread) and read back.
//! A worker that has nothing to do first spins, then sleeps. [`prepare_environment`] makes it
//! spin for about a millisecond (OpenBLAS: 25 microseconds), longer than the gap between two
//! runs of a sample, so that the peer does not pay for wake-ups within its own sample. Then
//! [`settle`](super::Prepared::settle) ends the workers, or the spinning, so that they don't
//! take the core that the next contender's second thread needs.

#[cfg(feature = "peer-gemm")]
pub(super) mod gemm;
pub(super) mod matrixmultiply;
pub(super) mod onednn;
pub(super) mod onnxruntime;
pub(super) mod openblas;
pub(super) mod xnnpack;

use crate::contender::contract::Refusal;
use libloading::Library;
use pointwise::{Activation, Isa};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// What brings the peers that a registry has.
const INSTALL: &str = "run scripts/install-peers";

/// The folder that peers are looked for in: the one given, else the environment variable
/// `POINTWISE_PEERS`, else `peers` in the current folder or in the workspace this was built from.
pub fn peers_folder(given: Option<&Path>) -> PathBuf {
    if let Some(folder) = given {
        return folder.to_owned();
    }
    if let Some(folder) = std::env::var_os("POINTWISE_PEERS") {
        return folder.into();
    }
    let here = PathBuf::from("peers");
    if here.is_dir() {
        return here;
    }
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("peers")
}

/// The environment variables that peers read when they are loaded, for an ISA cap, and what they
/// are to be; `None` where they are to be absent, for the peer does best on its own.
pub fn environment(isa: Option<Isa>) -> Vec<(&'static str, Option<&'static str>)> {
    let core = (isa == Some(Isa::Avx2)).then_some("Haswell");
    vec![
        // Turns of libgomp's waiting loop, about 10 ns each.
        ("GOMP_SPINCOUNT", Some("100000")),
        // Without it libgomp sleeps at once when it has been called from several threads.
        ("OMP_WAIT_POLICY", Some("active")),
        // Milliseconds, for a oneDNN built with Intel's OpenMP.
        ("KMP_BLOCKTIME", Some("1")),
        // 2¹⁶ cycles of the time-stamp counter: longer takes the core from the pass over the
        // output that follows each product, shorter makes every product wait for a wake-up.
        ("OPENBLAS_THREAD_TIMEOUT", Some("16")),
        ("OPENBLAS_CORETYPE", core),
        ("OPENBLAS_L2_SIZE", None),
        ("ONEDNN_MAX_CPU_ISA", None),
        ("DNNL_MAX_CPU_ISA", None),
        ("ONEDNN_CPU_ISA_HINTS", None),
        ("DNNL_CPU_ISA_HINTS", None),
    ]
}

/// Sets what [`environment`] wants, for peers that are loaded later: a run shall depend on its
/// options, and no peer be held back by what happens to be set on the machine. To be called
/// first in `main`. Says whether it could: only while this process has a single thread can its
/// environment be changed without a race, and only Linux tells.
pub fn prepare_environment(isa: Option<Isa>) -> bool {
    let single = std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1);
    for (name, value) in environment(isa) {
        if std::env::var_os(name).as_deref() == value.map(OsStr::new) {
            continue;
        }
        if !single {
            return false;
        }
        // SAFETY: the kernel lists one task for this process, the calling thread, so that no
        // other thread exists that could use the environment meanwhile or start one that does.
        unsafe {
            match value {
                Some(value) => std::env::set_var(name, value),
                None => std::env::remove_var(name),
            }
        }
    }
    true
}

/// Opens the first library with one of these names in `folder` or below it, or, by the plain
/// name, wherever the system's loader looks.
fn open_first(folder: &Path, names: &[&str]) -> Result<(Library, PathBuf), Refusal> {
    for name in names {
        if let Some(path) = find(folder, name, 6) {
            return open(&path);
        }
    }
    names.iter().find_map(|name| open(Path::new(name)).ok()).ok_or_else(|| {
        Refusal::Unavailable(format!(
            "{} is neither in {} nor installed; {INSTALL}",
            names[0],
            folder.display()
        ))
    })
}

/// Opens one library. Libraries that lie beside it and are needed by it must be open already,
/// unless it names their folder itself.
fn open(path: &Path) -> Result<(Library, PathBuf), Refusal> {
    // SAFETY: loading runs the library's initialisers. It is one of the named peers, from the
    // folder or the system that the user put it in, and none of them has initialisers that ask
    // more of the caller than to be loaded once at a time, which the loader's lock ensures.
    match unsafe { Library::new(path) } {
        Ok(library) => Ok((library, path.to_owned())),
        Err(e) => Err(Refusal::Unavailable(format!("{}: {e}", path.display()))),
    }
}

/// A file of that name in a folder or below it, the first in order of names.
fn find(folder: &Path, name: &str, depth: usize) -> Option<PathBuf> {
    find_file(folder, depth, |found| found == name)
}

/// A file whose name is `wanted`, in a folder or below it, the first in order of names.
fn find_file(folder: &Path, depth: usize, wanted: impl Fn(&str) -> bool + Copy) -> Option<PathBuf> {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    entries.sort();
    let named = |path: &Path| path.file_name().and_then(OsStr::to_str).is_some_and(wanted);
    let here = entries.iter().find(|path| path.is_file() && named(path));
    here.cloned().or_else(|| {
        let below = entries.iter().filter(|path| depth > 0 && path.is_dir());
        below.into_iter().find_map(|path| find_file(path, depth - 1, wanted))
    })
}

/// Refuses threads that a peer's workers could not spread over: they inherit the processors
/// that the calling thread may run on.
fn expect_processors(threads: usize) -> Result<(), Refusal> {
    let allowed = std::thread::available_parallelism().map_or(1, |n| n.get());
    if threads > allowed {
        return Err(Refusal::Failed(format!(
            "{threads} threads, but the calling thread is confined to {allowed} processors"
        )));
    }
    Ok(())
}

/// Refuses a case whose cap is not the one that the library was loaded with.
fn expect_cap(loaded: Option<Isa>, case: Option<Isa>) -> Result<(), Refusal> {
    if loaded == case {
        return Ok(());
    }
    let name = |isa: Option<Isa>| isa.map_or("none", Isa::name);
    Err(Refusal::Unsupported(format!(
        "loaded with ISA cap {}, asked for {}; a peer's cap holds for the process",
        name(loaded),
        name(case)
    )))
}

/// What an activation clamps to.
fn bounds(activation: Activation) -> Result<(f32, f32), Refusal> {
    match activation {
        Activation::None => Ok((f32::NEG_INFINITY, f32::INFINITY)),
        Activation::Relu => Ok((0.0, f32::INFINITY)),
        Activation::Relu6 => Ok((0.0, 6.0)),
        Activation::Clamp { lo, hi } => Ok((lo, hi)),
        other => Err(Refusal::Unsupported(format!("activation {other:?}"))),
    }
}
