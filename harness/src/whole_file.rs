//! Files that are written whole or not at all.
//!
//! The content goes to a temporary file in the same folder, which then gets the file's name. Until
//! then an earlier file of that name stays as it was. An interruption may leave a temporary file,
//! whose name begins with a dot and ends in `.part`.

use std::io::{self, Write};
use std::path::Path;
use tempfile::NamedTempFile;

/// Writes `bytes` to the file at `path`.
///
/// # Errors
/// The system's, and an earlier file at `path` is then unchanged.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = temporary(path)?;
    file.write_all(bytes)?;
    name(file, path)
}

/// Copies the file at `from`, with its permissions, to `to`.
///
/// # Errors
/// The system's, and an earlier file at `to` is then unchanged.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let file = temporary(to)?;
    std::fs::copy(from, file.path())?;
    name(file, to)
}

/// A temporary file in the folder of `path`.
fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".part");
    // By default only its owner may read a temporary file. These are the permissions of a new file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder.unwrap_or(Path::new(".")))
}

fn name(file: NamedTempFile, path: &Path) -> io::Result<()> {
    // Content that the disk has no room for is an error here and not after the file got its name.
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_over() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a"), folder.path().join("b"));
        write(&path, b"before").unwrap();
        write(&path, b"after").unwrap();
        copy(&path, &other).unwrap();
        assert_eq!(std::fs::read(&other).unwrap(), b"after");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("folder");
        std::fs::create_dir(&path).unwrap();
        assert!(write(&path, b"text").is_err());
        assert!(path.is_dir());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write(&folder.path().join("no/such/file"), b"").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_a_file_and_a_copied_program_can_be_run() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (plain, written) = (folder.path().join("plain"), folder.path().join("written"));
        std::fs::write(&plain, b"").unwrap();
        write(&written, b"").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&written), mode(&plain));
        std::fs::set_permissions(&plain, std::fs::Permissions::from_mode(0o755)).unwrap();
        copy(&plain, &written).unwrap();
        assert_eq!(mode(&written) & 0o777, 0o755);
    }
}
