//! Where the calibration of this machine is kept: beside the profiles, in the platform's cache
//! folder. A later one takes the place of the one before.
//!
//! Plans do not choose from it by themselves. A command that is asked to [`load`]s it.

use pointwise::{Calibration, CalibrationError, Cpu};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The file that `pointwise calibrate` writes to; none where the platform names no cache folder.
pub fn cached() -> Option<PathBuf> {
    Some(dirs::cache_dir()?.join("pointwise").join("pointwise.calibration"))
}

/// This machine's prices as last measured; none if they were not, or are another machine's or
/// another version's.
pub fn load() -> Option<Cpu> {
    read(&cached()?).ok()
}

/// The prices in a file.
///
/// # Errors
/// [`ReadError`].
pub fn read(path: &Path) -> Result<Cpu, ReadError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ReadError::File { path: path.to_owned(), source })?;
    Calibration::parse(&text)
        .map_err(|problem| ReadError::Content { path: path.to_owned(), problem })
}

/// Why a calibration cannot be used.
#[derive(Debug)]
pub enum ReadError {
    /// The file cannot be read.
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What is in it is no calibration of this machine by this version.
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: CalibrationError,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::File { path, source } => {
                write!(f, "cannot read {}: {source}", path.display())
            }
            ReadError::Content { path, problem } => write!(f, "`{}`: {problem}", path.display()),
        }
    }
}

impl std::error::Error for ReadError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lies_beside_the_profiles() {
        let folder = |path: Option<PathBuf>| path.map(|path| path.parent().map(Path::to_owned));
        assert_eq!(folder(cached()), folder(crate::profile::cached()));
        assert_ne!(cached(), crate::profile::cached());
    }

    #[test]
    fn what_cannot_be_used_is_told_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        let told = |path: &Path| read(path).unwrap_err().to_string();
        assert!(told(&path).starts_with("cannot read ") && told(&path).contains("/c: "));
        std::fs::write(&path, "title x\n").unwrap();
        assert!(told(&path).contains("/c`: not a calibration of version 1"), "{}", told(&path));
    }
}
