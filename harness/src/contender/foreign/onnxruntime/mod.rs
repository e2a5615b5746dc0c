//! ONNX Runtime: a model of one `Conv`, with plain NCHW tensors going in and out.
//!
//! The library's optimiser fuses bias, residual and activation into the convolution, chooses a
//! layout of its own and adds the conversions to and from it where it finds that worth its while.
//! All that is part of the time; the record's kernel names the operators that are run in the end.
//! Weights are packed when the session is made.
//!
//! # Threads
//! Those of the process's one pool, as in a program that runs several models; a session made while
//! models with another number of threads are alive has its own. Workers spin between runs, which
//! is the library's default and is set all the same.

mod api;
mod session;

use super::expect_processors;
use crate::contender::contract::{
    Case, Contender, Options, Prepared, Refusal, expect_no_cap, expect_plain,
};
use api::Api;
use session::Session;
use std::path::PathBuf;
use std::sync::OnceLock;

/// The contender, its library not loaded yet.
pub(in super::super) fn contender(options: &Options) -> impl Contender + use<> {
    OnnxRuntime { folder: super::peers_folder(options.peers.as_deref()), loaded: OnceLock::new() }
}

struct OnnxRuntime {
    folder: PathBuf,
    loaded: OnceLock<Result<Api, Refusal>>,
}

impl OnnxRuntime {
    fn api(&self) -> Result<&Api, Refusal> {
        self.loaded.get_or_init(|| Api::load(&self.folder)).as_ref().map_err(Clone::clone)
    }
}

impl Contender for OnnxRuntime {
    fn name(&self) -> &str {
        "onnxruntime"
    }

    fn version(&self) -> String {
        self.api().map(|api| api.version.clone()).unwrap_or_default()
    }

    fn available(&self) -> Result<(), Refusal> {
        self.api().map(|_| ())
    }

    fn exact(&self) -> bool {
        false
    }

    fn prepacks(&self) -> bool {
        true
    }

    fn prepare<'a>(&'a self, case: &Case<'_>) -> Result<Box<dyn Prepared + 'a>, Refusal> {
        let api = self.api()?;
        expect_plain(case.layer)?;
        expect_no_cap(case.isa)?;
        expect_processors(case.threads)?;
        Ok(Box::new(Session::new(api, case)?))
    }
}
