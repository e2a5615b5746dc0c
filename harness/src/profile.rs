//! The files of profiles: numbered, in the platform's cache folder, and never replaced.

use std::path::{Path, PathBuf};

/// The first file that tuning writes, in this program's part of the platform's cache folder. `None`
/// where the platform has no such folder.
pub fn cached() -> Option<PathBuf> {
    Some(dirs::cache_dir()?.join("pointwise").join("pointwise.profile"))
}

/// `path`, or the first of `path.2`, `path.3`, … that does not exist.
pub fn free(path: &Path) -> PathBuf {
    numbered(path).find(|path| !path.exists()).unwrap_or_else(|| path.to_owned())
}

/// The last of `path`, `path.2`, `path.3`, … that exists.
pub fn latest(path: &Path) -> Option<PathBuf> {
    numbered(path).take_while(|path| path.exists()).last()
}

fn numbered(path: &Path) -> impl Iterator<Item = PathBuf> + '_ {
    std::iter::once(path.to_owned()).chain((2..u32::MAX).map(|number| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_numbered_and_the_last_is_the_latest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        assert_eq!((free(&path), latest(&path)), (path.clone(), None));
        std::fs::write(&path, "").unwrap();
        let second = folder.path().join("p.2");
        assert_eq!((free(&path), latest(&path)), (second.clone(), Some(path.clone())));
        std::fs::write(&second, "").unwrap();
        assert_eq!((free(&path), latest(&path)), (folder.path().join("p.3"), Some(second)));
    }
}
