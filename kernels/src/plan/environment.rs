//! Environment variables, in the places that a caller left open.

use crate::choose::profile::{Profile, ProfileError};
use crate::describe::error::Error;
use crate::plan::options::PlanOptions;
use std::path::Path;
use std::sync::{Arc, OnceLock};

impl PlanOptions {
    /// With the environment variables in the places that the caller left open.
    pub(crate) fn with_environment(&self) -> Result<PlanOptions, Error> {
        // What is not Unicode is no name either, and is refused as one.
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
    /// The profile that the variable `POINTWISE_PROFILE` names, read once; none if it is unset.
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
