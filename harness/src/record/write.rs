//! Writing record files. An interruption loses no row.

use super::environment::Environment;
use super::error::FileError;
use super::row::Record;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A record file that is being written.
///
/// Rows go to `FILE.partial` as they are measured, and stay there when the run is interrupted.
/// [`Writer::finish`] gives the file its name. Until then an earlier file of that name stays. A
/// `.partial` of an interrupted run, or of a run that goes on beside this one, stays too: this run
/// then writes to `FILE.partial.2`, and so on.
#[derive(Debug)]
pub struct Writer {
    file: File,
    partial: PathBuf,
    path: PathBuf,
    rows: usize,
    /// The number of bytes of whole rows.
    whole: u64,
}

impl Writer {
    /// Begins the file. An error comes here, before anything is measured.
    ///
    /// # Errors
    /// [`FileError::Io`]: no such folder, no permission, or a folder with the file's name.
    pub fn create(path: &Path) -> Result<Writer, FileError> {
        if path.is_dir() {
            let reason = "it is a folder".to_owned();
            return Err(FileError::Io { verb: "write", path: path.to_owned(), reason });
        }
        let mut number = 1;
        loop {
            let partial = partial(path, number);
            match OpenOptions::new().append(true).create_new(true).open(&partial) {
                Ok(file) => {
                    return Ok(Writer { file, partial, path: path.to_owned(), rows: 0, whole: 0 });
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(FileError::io("write", path, &error)),
            }
        }
    }

    /// Adds a row, which is in the file when this returns.
    ///
    /// # Errors
    /// [`FileError::NotFinite`] for a record that could not be read again, and [`FileError::Io`]. The
    /// rows before it stay whole.
    pub fn append(&mut self, record: &Record) -> Result<(), FileError> {
        for (field, value) in record.figures() {
            if !value.is_finite() {
                return Err(FileError::NotFinite {
                    path: self.path.clone(),
                    layer: record.layer.clone(),
                    field,
                    value: value.to_string(),
                });
            }
        }
        let io = |error: std::io::Error| FileError::io("write", &self.partial, &error);
        let mut line = serde_json::to_vec(record).map_err(|error| io(error.into()))?;
        line.push(b'\n');
        if let Err(error) = self.file.write_all(&line) {
            // A full disk may have taken a part of the row, which would make the file unreadable.
            let _ = self.file.set_len(self.whole);
            return Err(io(error));
        }
        self.rows += 1;
        self.whole += line.len() as u64;
        Ok(())
    }

    /// The number of rows so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The file of the rows until the record file gets its name.
    pub fn partial(&self) -> &Path {
        &self.partial
    }

    /// Writes the environment beside the file and gives the file its name. Without any row the partial
    /// file is removed, and an earlier file of that name stays.
    ///
    /// # Errors
    /// [`FileError::Io`]. The rows are then still in the partial file.
    pub fn finish(self, environment: &Environment) -> Result<(), FileError> {
        let io = |error: std::io::Error| FileError::io("write", &self.path, &error);
        if self.rows == 0 {
            return std::fs::remove_file(&self.partial).map_err(io);
        }
        self.file.sync_all().map_err(io)?;
        // The environment comes first: records without an environment would be worse than an
        // environment without its records.
        environment.write(&self.path)?;
        std::fs::rename(&self.partial, &self.path).map_err(io)
    }
}

/// `FILE.partial`, `FILE.partial.2` …
fn partial(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    if number > 1 {
        name.push(format!(".{number}"));
    }
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::super::environment::{self, tests::environment};
    use super::super::{read::read, row::tests::record};
    use super::*;

    #[test]
    fn rows_are_kept_as_they_come_and_named_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.jsonl");
        std::fs::write(&path, "what was there before").unwrap();
        let mut writer = Writer::create(&path).unwrap();
        writer.append(&record()).unwrap();
        // After an interruption at this point both files would be there.
        assert_eq!(read(writer.partial()).unwrap(), [record()]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "what was there before");
        writer.append(&record()).unwrap();
        assert_eq!(writer.rows(), 2);
        writer.finish(&environment()).unwrap();
        assert_eq!(read(&path).unwrap(), [record(), record()]);
        assert_eq!(environment::Environment::read(&path).unwrap(), environment());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left over");
    }

    #[test]
    fn an_earlier_partial_file_is_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.jsonl");
        let mut interrupted = Writer::create(&path).unwrap();
        interrupted.append(&record()).unwrap();
        let left = interrupted.partial().to_owned();
        drop(interrupted);
        let mut writer = Writer::create(&path).unwrap();
        assert_ne!(writer.partial(), left);
        writer.append(&record()).unwrap();
        writer.append(&record()).unwrap();
        writer.finish(&environment()).unwrap();
        assert_eq!(read(&left).unwrap().len(), 1);
        assert_eq!(read(&path).unwrap().len(), 2);
    }

    #[test]
    fn a_run_without_rows_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.jsonl");
        std::fs::write(&path, "before").unwrap();
        Writer::create(&path).unwrap().finish(&environment()).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "before");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_written_is_known_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = folder.path().join("no").join("such").join("run.jsonl");
        let error = Writer::create(&nowhere).unwrap_err().to_string();
        assert!(error.starts_with("cannot write ") && error.contains("run.jsonl: "), "{error}");
        let error = Writer::create(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("it is a folder"), "{error}");
    }

    #[test]
    fn figures_that_could_not_be_read_again_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(&folder.path().join("run.jsonl")).unwrap();
        let bad = Record { gflops: f64::NAN, ..record() };
        let error = writer.append(&bad).unwrap_err();
        assert!(matches!(error, FileError::NotFinite { field: "gflops", .. }), "{error}");
        assert_eq!(writer.rows(), 0);
    }
}
