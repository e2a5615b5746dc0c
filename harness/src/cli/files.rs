//! Record files that a command reads, and files that it writes.

use super::failure::Failure;
use super::options::{LayerChoice, Options};
use pointwise::Layer;
use pointwise_harness::catalog::{self, Pattern};
use pointwise_harness::rank::Known;
use pointwise_harness::record::{Record, read};
use pointwise_harness::sidecar::{self, Environment};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A record file, and what lies beside it.
pub(super) struct Run {
    pub(super) path: PathBuf,
    pub(super) environment: Option<Environment>,
    /// Those of its records that the filters let through.
    pub(super) records: Vec<Record>,
}

/// Reads the files. One without its environment is read all the same; a damaged one is refused.
pub(super) fn runs(paths: &[PathBuf], options: &Options) -> Result<Vec<Run>, Failure> {
    let mut runs = Vec::new();
    for path in paths {
        let mut records = read(path)?;
        filter(&mut records, options)?;
        let environment = match sidecar::path(path).exists() {
            true => Some(Environment::read(path)?),
            false => None,
        };
        runs.push(Run { path: path.clone(), environment, records });
    }
    if runs.iter().all(|run| run.records.is_empty()) {
        let why = "the filters leave no record of it".to_owned();
        return Err(Failure::Content { path: paths[0].clone(), why });
    }
    Ok(runs)
}

/// The layers that have a name: those of the catalog, and of `--layers`.
pub(super) fn known(options: &Options) -> Result<Known, Failure> {
    let mut entries = catalog::catalog().to_vec();
    if let Some(path) = &options.layers {
        entries.extend(catalog::load(path)?);
    }
    Ok(Known::new(entries))
}

/// Leaves the records that the filters let through. A pattern must match something in the file.
fn filter(records: &mut Vec<Record>, options: &Options) -> Result<(), Failure> {
    keep(records, "network", &options.network, |record| &record.network)?;
    let contenders: Vec<String> =
        options.contender.iter().chain(&options.kernel).cloned().collect();
    keep(records, "contender", &contenders, |record| &record.contender)?;
    let named = |choice: &LayerChoice| match choice {
        LayerChoice::Named(text) => Some(text.clone()),
        LayerChoice::Given { .. } => None,
    };
    let names: Vec<String> = options.layer.iter().filter_map(named).collect();
    let given: Vec<Layer> = options
        .layer
        .iter()
        .filter_map(|choice| match choice {
            LayerChoice::Given { text, .. } => text.parse().ok(),
            LayerChoice::Named(_) => None,
        })
        .collect();
    if given.is_empty() {
        keep(records, "layer", &names, |record| &record.layer)?;
    } else {
        // Records hold sizes, not epilogues.
        records.retain(|record| {
            given.iter().any(|layer| same_sizes(record, layer)) || names.contains(&record.layer)
        });
    }
    records.retain(|record| {
        options.layout.is_none_or(|layout| pointwise::Layout::from(layout).name() == record.layout)
            && options.threads.is_none_or(|threads| threads == record.threads)
            && options.cache.is_none_or(|cache| cache.name() == record.cache)
    });
    Ok(())
}

fn keep(
    records: &mut Vec<Record>,
    what: &'static str,
    patterns: &[String],
    field: impl Fn(&Record) -> &String,
) -> Result<(), Failure> {
    if patterns.is_empty() {
        return Ok(());
    }
    let filtered = |error| Failure::Filter { error, see: None };
    let pattern = Pattern::new(what, &patterns.join("|")).map_err(filtered)?;
    let mut names: Vec<&str> = records.iter().map(|record| field(record).as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let picked: Vec<String> =
        pattern.pick(&names).map_err(filtered)?.into_iter().map(str::to_owned).collect();
    records.retain(|record| picked.contains(field(record)));
    Ok(())
}

fn same_sizes(record: &Record, layer: &Layer) -> bool {
    let sizes = [record.n, record.c, record.k, record.h, record.w, record.groups];
    sizes == [layer.n, layer.c, layer.k, layer.h, layer.w, layer.groups]
        && [record.stride_h, record.stride_w] == layer.stride
}

/// Writes a file whole or not at all: what is there under its name stays until it is replaced.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(Failure::writing(folder))?;
    let write = || {
        let mut file = tempfile::Builder::new().prefix(".").suffix(".part").tempfile_in(folder)?;
        file.write_all(bytes)?;
        publish(file.as_file())?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(Failure::writing(path))
}

/// Lets others read it, as they could a file written plainly: temporary files are private.
fn publish(file: &std::fs::File) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    let _ = file;
    Ok(())
}
