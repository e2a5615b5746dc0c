//! A layer bound to a kernel and blocking (a stand-in until the kernels land).
#![allow(missing_docs)]
use crate::{Error, Isa, Layer, Shape};

pub struct Kernel {
    name: &'static str,
    isa: Isa,
}
impl Kernel {
    pub fn name(&self) -> &'static str {
        self.name
    }
    pub fn isa(&self) -> Isa {
        self.isa
    }
    /// Rows of the register tile: the broadcast dimension.
    pub fn mr(&self) -> usize {
        1
    }
    /// Columns of the register tile: the lanes dimension, a multiple of the ISA's lanes.
    pub fn nr(&self) -> usize {
        1
    }
    pub fn is_available(&self) -> bool {
        self.isa.is_available()
    }
    /// `outputs` or `pixels`: what lies in the lanes.
    pub fn family(&self) -> &'static str {
        "outputs"
    }
}
static KERNELS: [Kernel; 1] = [Kernel { name: "f32-scalar-ol-1x1", isa: Isa::Scalar }];
/// Every kernel compiled in, this CPU able to run it or not.
pub fn kernels() -> &'static [Kernel] {
    &KERNELS
}

#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PlanOptions {
    pub isa: Option<Isa>,
    pub kernel: Option<String>,
    pub threads: usize,
}
impl PlanOptions {
    pub fn new() -> Self {
        PlanOptions { isa: None, kernel: None, threads: 1 }
    }
    pub fn isa(mut self, cap: Isa) -> Self {
        self.isa = Some(cap);
        self
    }
    pub fn kernel(mut self, name: &str) -> Self {
        self.kernel = Some(name.to_owned());
        self
    }
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }
}

#[derive(Clone, Copy)]
pub enum Pool<'p> {
    Serial,
    Current,
    In(&'p rayon::ThreadPool),
}

pub struct Plan {
    layer: Layer,
    shape: Shape,
}
pub struct PackedWeights {
    weights: Vec<f32>,
    bias: Option<Vec<f32>>,
}
impl Plan {
    pub fn new(layer: &Layer, _options: &PlanOptions) -> Result<Plan, Error> {
        Ok(Plan { layer: *layer, shape: layer.check()? })
    }
    pub fn layer(&self) -> &Layer {
        &self.layer
    }
    pub fn shape(&self) -> &Shape {
        &self.shape
    }
    pub fn kernel(&self) -> &'static Kernel {
        &KERNELS[0]
    }
    pub fn threads(&self) -> usize {
        1
    }
    /// What was chosen and why, in a few lines.
    pub fn explain(&self) -> String {
        String::new()
    }
    pub fn pack(&self, weights: &[f32], bias: Option<&[f32]>) -> Result<PackedWeights, Error> {
        Ok(PackedWeights { weights: weights.to_vec(), bias: bias.map(<[f32]>::to_vec) })
    }
    pub fn run(
        &self,
        weights: &PackedWeights,
        input: &[f32],
        residual: Option<&[f32]>,
        output: &mut [f32],
        _pool: Pool<'_>,
    ) -> Result<(), Error> {
        let y = crate::reference(
            &self.layer,
            input,
            &weights.weights,
            weights.bias.as_deref(),
            residual,
        )?;
        output.copy_from_slice(&y);
        Ok(())
    }
}
pub fn convolve(
    layer: &Layer,
    input: &[f32],
    weights: &[f32],
    bias: Option<&[f32]>,
    residual: Option<&[f32]>,
) -> Result<Vec<f32>, Error> {
    crate::reference(layer, input, weights, bias, residual)
}
