//! Environment variables, which fill in options that a caller did not set.

use crate::choose::profile::{Profile, ProfileError};
use crate::describe::error::Error;
use crate::plan::options::PlanOptions;
use std::path::Path;
use std::sync::{Arc, OnceLock};

impl PlanOptions {
    /// These options, with environment variables in place of options that the caller did not set.
    ///
    /// # Errors
    /// [`Error::UnknownIsa`].
    pub(crate) fn with_environment(&self) -> Result<PlanOptions, Error> {
        // A value that is not Unicode is made readable, and then refused as an unknown name.
        let variable = |name| {
            let value = std::env::var_os(name).filter(|value| !value.is_empty());
            value.map(|value| value.to_string_lossy().into_owned())
        };
        let mut options = self.clone();
        if options.isa.is_none() {
            options.isa = variable("POINTWISE_ISA").map(|name| name.parse()).transpose()?;
        }
        if options.kernel.is_none() {
            options.kernel = variable("POINTWISE_KERNEL");
        }
        Ok(options)
    }
}

impl Profile {
    /// The profile that the variable `POINTWISE_PROFILE` names, or `None` if it is unset. The file is
    /// read once.
    pub fn from_environment() -> Option<Result<Arc<Profile>, ProfileError>> {
        static LOADED: OnceLock<Option<Result<Arc<Profile>, ProfileError>>> = OnceLock::new();
        LOADED
            .get_or_init(|| {
                let path = std::env::var_os("POINTWISE_PROFILE").filter(|path| !path.is_empty())?;
                Some(Profile::load(Path::new(&path)).map(Arc::new))
            })
            .clone()
    }
}
