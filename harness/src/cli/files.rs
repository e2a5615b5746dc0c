//! Record files that a command reads, and files that it writes.

use super::failure::Failure;
use super::options::{LayerChoice, Options};
use pointwise::{Layer, Layout};
use pointwise_harness::catalog::{self, Pattern};
use pointwise_harness::rank::Known;
use pointwise_harness::record::environment::{self, Environment};
use pointwise_harness::record::{Record, read};
use pointwise_harness::whole_file;
use std::path::{Path, PathBuf};

/// A record file, and the environment beside it.
pub(super) struct RecordFile {
    pub(super) path: PathBuf,
    pub(super) environment: Option<Environment>,
    /// The records that the filters let through.
    pub(super) records: Vec<Record>,
}

/// Reads record files. A file without an environment is read too; one with a damaged environment is
/// refused.
pub(super) fn records(paths: &[PathBuf], options: &Options) -> Result<Vec<RecordFile>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        let mut records = read(path)?;
        filter(&mut records, options)?;
        let environment = match environment::path(path).exists() {
            true => Some(Environment::read(path)?),
            false => None,
        };
        files.push(RecordFile { path: path.clone(), environment, records });
    }
    if files.iter().all(|file| file.records.is_empty()) {
        let why = "the filters leave no record of it".to_owned();
        return Err(Failure::Content { path: paths[0].clone(), why });
    }
    Ok(files)
}

/// The layers that have a name: those of the catalog, and of `--layers`.
pub(super) fn known(options: &Options) -> Result<Known, Failure> {
    let mut entries = catalog::catalog().to_vec();
    if let Some(path) = &options.layers {
        entries.extend(catalog::load(path)?);
    }
    Ok(Known::new(entries))
}

/// Removes the records that the filters do not let through. A pattern must match something in the
/// file.
fn filter(records: &mut Vec<Record>, options: &Options) -> Result<(), Failure> {
    keep(records, "network", &options.network, |record| &record.network)?;
    let contenders: Vec<String> =
        options.contender.iter().chain(&options.kernel).cloned().collect();
    keep(records, "contender", &contenders, |record| &record.contender)?;
    let (mut names, mut given) = (Vec::new(), Vec::new());
    for choice in &options.layer {
        match choice {
            LayerChoice::Named(pattern) => names.push(pattern.clone()),
            LayerChoice::Given { text, layout } => {
                // `--layout` overrules the layout of a text.
                let layout = layout.filter(|_| options.layout.is_none());
                given.extend(text.parse().ok().map(|layer: Layer| (layer, layout)));
            }
        }
    }
    if given.is_empty() {
        keep(records, "layer", &names, |record| &record.layer)?;
    } else {
        let is_given =
            |record: &Record| given.iter().any(|(layer, layout)| is_of(record, layer, *layout));
        records.retain(|record| is_given(record) || names.contains(&record.layer));
    }
    records.retain(|record| {
        options.layout.is_none_or(|layout| Layout::from(layout).name() == record.layout)
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

/// Whether a record has the sizes of a layer, and the layout if one was named. A record has no
/// epilogue that could be compared.
fn is_of(record: &Record, layer: &Layer, layout: Option<Layout>) -> bool {
    let sizes = [record.n, record.c, record.k, record.h, record.w, record.groups];
    sizes == [layer.n, layer.c, layer.k, layer.h, layer.w, layer.groups]
        && [record.stride_h, record.stride_w] == layer.stride
        && layout.is_none_or(|layout| layout.name() == record.layout)
}

/// Writes a file whole or not at all, and makes its folder if there is none.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    make_folder_of(path)?;
    whole_file::write(path, bytes).map_err(Failure::writing(path))
}

/// Copies a file whole or not at all, and makes the folder of the copy if there is none.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    make_folder_of(to)?;
    whole_file::copy(from, to).map_err(Failure::writing(to))
}

fn make_folder_of(path: &Path) -> Result<(), Failure> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => std::fs::create_dir_all(folder).map_err(Failure::writing(folder)),
        None => Ok(()),
    }
}
