//! A contender that this program was built without, so that it is listed with what brings it.

use crate::contender::contract::{Case, Contender, Prepared, Refusal};

/// Its name, and how to get it.
pub(super) struct Absent {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
}

impl Contender for Absent {
    fn name(&self) -> &str {
        self.name
    }

    fn version(&self) -> String {
        String::new()
    }

    fn available(&self) -> Result<(), Refusal> {
        Err(Refusal::Unavailable(self.help.to_owned()))
    }

    fn exact(&self) -> bool {
        false
    }

    fn prepacks(&self) -> bool {
        false
    }

    fn prepare<'a>(&'a self, _case: &Case<'_>) -> Result<Box<dyn Prepared + 'a>, Refusal> {
        Err(Refusal::Unavailable(self.help.to_owned()))
    }
}
