//! oneDNN 3.x: its convolution primitive, with bias, residual and activation fused.
//!
//! `onednn` computes in the layer's own layout, `onednn-any` in whatever layout the library
//! prefers for input and output, converted outside the time. Both let it choose the layout of
//! the weights, which are reordered ahead. A residual is a binary addition after the products
//! (reading a tensor of its own, as every contender does), not a sum into the output.

mod api;
mod convolution;
mod objects;

use super::{expect_cap, expect_processors};
use crate::contender::contract::{Case, Contender, Options, Prepared, Refusal, expect_plain};
use api::Api;
use convolution::Convolution;
use pointwise::Isa;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// Both contenders, their library not loaded yet.
pub(in super::super) fn contenders(options: &Options) -> [Box<dyn Contender>; 2] {
    let library =
        Arc::new(Lazy { peers: options.peers.clone(), isa: options.isa, loaded: OnceLock::new() });
    [
        Box::new(OneDnn { name: "onednn", any_layout: false, library: library.clone() }),
        Box::new(OneDnn { name: "onednn-any", any_layout: true, library }),
    ]
}

/// The library, loaded when it is first needed.
struct Lazy {
    peers: Option<PathBuf>,
    isa: Option<Isa>,
    loaded: OnceLock<Result<Api, Refusal>>,
}

impl Lazy {
    fn get(&self) -> Result<&Api, Refusal> {
        let load = || Api::load(self.peers.as_deref(), self.isa);
        self.loaded.get_or_init(load).as_ref().map_err(Clone::clone)
    }
}

struct OneDnn {
    name: &'static str,
    any_layout: bool,
    library: Arc<Lazy>,
}

impl Contender for OneDnn {
    fn name(&self) -> &str {
        self.name
    }

    fn version(&self) -> String {
        self.library.get().map(|api| api.version.clone()).unwrap_or_default()
    }

    fn available(&self) -> Result<(), Refusal> {
        self.library.get().map(|_| ())
    }

    fn exact(&self) -> bool {
        false
    }

    fn prepacks(&self) -> bool {
        true
    }

    fn prepare<'a>(&'a self, case: &Case<'_>) -> Result<Box<dyn Prepared + 'a>, Refusal> {
        let api = self.library.get()?;
        expect_plain(case.layer)?;
        expect_cap(api.isa(), case.isa)?;
        expect_processors(case.threads)?;
        Ok(Box::new(Convolution::new(api, case, self.any_layout)?))
    }
}
