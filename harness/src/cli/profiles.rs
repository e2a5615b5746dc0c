//! Files of profiles, and the pools that candidates are measured in.

use super::failure::Failure;
use super::files;
use pointwise::Profile;
use pointwise_harness::timing::pool::pinned_pool;
use rayon::ThreadPool;
use std::path::Path;

/// Reads a profile. A profile that cannot be used is an error.
pub(super) fn load(path: &Path) -> Result<Profile, Failure> {
    Profile::load(path)
        .map_err(|error| Failure::Content { path: path.to_owned(), why: error.to_string() })
}

/// Writes a whole profile, or leaves the earlier one.
pub(super) fn write(path: &Path, profile: &Profile) -> Result<(), Failure> {
    files::write(path, profile.to_string().as_bytes())
}

/// A pool of `threads` threads; `None` for one thread.
pub(super) fn pool(threads: usize) -> Result<Option<ThreadPool>, Failure> {
    Ok((threads > 1).then(|| pinned_pool(threads)).transpose()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointwise_harness::profile::free;

    #[test]
    fn an_old_profile_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        assert_eq!(free(&path), path);
        write(&path, &Profile::new()).unwrap();
        assert_eq!(free(&path), folder.path().join("p.2"));
        assert_eq!(load(&path).unwrap(), Profile::new());
    }
}
