//! One layer as a oneDNN primitive.

use super::api::{self, Api, Argument, Dims};
use super::objects::{
    Description, Owned, Primitive, PrimitiveDescription, Stream, Tensor, dims, kind,
};
use crate::contender::contract::{Case, Prepared, Refusal, SetupTimes};
use crate::contender::foreign::bounds;
use pointwise::{Activation, Layer, Layout, Padding, Shape};
use std::ffi::c_int;
use std::ptr::null_mut;
use std::time::{Duration, Instant};

/// Primitives that compute a layer, with their tensors.
pub(super) struct Convolution<'a> {
    api: &'a Api,
    stream: Stream<'a>,
    steps: Vec<Step<'a>>,
    _inputs: Vec<Tensor<'a>>,
    output: Tensor<'a>,
    layer: Layer,
    shape: Shape,
    threads: usize,
    setup: SetupTimes,
}

/// A primitive, and handles of tensors that lie beside it.
struct Step<'a> {
    primitive: Primitive<'a>,
    implementation: String,
    arguments: Vec<Argument>,
}

// SAFETY: the raw handles in `arguments` belong to tensors owned beside the step; oneDNN's
// objects are not bound to a thread, and what uses them needs `&mut Convolution`.
unsafe impl Send for Step<'_> {}

/// Where residual and activation are computed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Epilogue {
    /// In the convolution, as its post-ops.
    Fused,
    /// In a second primitive, in place.
    Apart,
}

impl<'a> Convolution<'a> {
    /// Binds a layer. Residual and activation are fused or not, whichever is faster here: the
    /// library's plain NCHW convolution is a GEMM whose fused activation runs at a value at a
    /// time, ten times slower than the two apart, and it has nothing but reference loops for a
    /// fused residual.
    pub(super) fn new(api: &'a Api, case: &Case<'_>, any_layout: bool) -> Result<Self, Refusal> {
        // Primitives divide their work among the threads that there are when they are created.
        api.set_threads(case.threads)?;
        let chosen = Self::faster(api, case, any_layout);
        api.end_workers();
        chosen
    }

    fn faster(api: &'a Api, case: &Case<'_>, any_layout: bool) -> Result<Self, Refusal> {
        let mut fused = Self::bind(api, case, any_layout, Epilogue::Fused)?;
        let layer = case.layer;
        if layer.activation == Activation::None && !layer.residual {
            return Ok(fused);
        }
        let mut apart = Self::bind(api, case, any_layout, Epilogue::Apart)?;
        if fused.kernel().starts_with("ref") || apart.best_of_some()? < fused.best_of_some()? {
            return Ok(apart);
        }
        Ok(fused)
    }

    fn bind(
        api: &'a Api,
        case: &Case<'_>,
        any_layout: bool,
        epilogue: Epilogue,
    ) -> Result<Self, Refusal> {
        let layer = *case.layer;
        let shape = layer.check().map_err(|e| Refusal::Failed(e.to_string()))?;
        let stream = api.stream()?;
        let has_epilogue = layer.residual || layer.activation != Activation::None;
        let apart = epilogue == Epilogue::Apart && has_epilogue;

        let start = Instant::now();
        let description = describe(api, &layer, &shape, any_layout, !apart)?;
        let primitive = api.primitive(&description)?;
        let chosen = |query| api.chosen(&description, query);
        let second = match apart {
            true => {
                let description = describe_epilogue(api, &layer, &chosen(api::QUERY_DST)?)?;
                let scratchpad = scratchpad(api, &description)?;
                let implementation = api.implementation(&description);
                Some((api.primitive(&description)?, implementation, scratchpad))
            }
            false => None,
        };
        let mut setup = SetupTimes { plan_ns: start.elapsed().as_nanos() as f64, pack_ns: 0.0 };

        let laid_out = |values: &[f32], plain: Description<'a>, query| {
            Tensor::holding(api, plain, values)?.reordered(api, &stream, chosen(query)?)
        };
        let plain = Tensor::reading(api, input(api, &layer, false)?, case.input_buffer())?;
        let src = match any_layout {
            true => plain.reordered(api, &stream, chosen(api::QUERY_SRC)?)?.0,
            false => plain,
        };
        let (weights, [plan_ns, pack_ns]) =
            laid_out(case.weights, filters(api, &layer, false)?, api::QUERY_WEIGHTS)?;
        setup.plan_ns += plan_ns;
        setup.pack_ns += pack_ns;
        let output = Tensor::unwritten(api, chosen(api::QUERY_DST)?)?;
        let mut first = vec![src.argument(api::ARG_SRC), weights.argument(api::ARG_WEIGHTS)];
        first.push(output.argument(api::ARG_DST));
        let mut then = vec![output.argument(api::ARG_SRC), output.argument(api::ARG_DST)];
        let mut inputs = vec![src, weights];
        if let Some(bias) = case.bias {
            let bias = Tensor::holding(api, api.description(&[layer.k], Some(&[1]))?, bias)?;
            first.push(bias.argument(api::ARG_BIAS));
            inputs.push(bias);
        }
        if let Some(residual) = case.residual {
            let plain = outputs(api, &layer, &shape, false)?;
            let (residual, _) = laid_out(residual, plain, api::QUERY_DST)?;
            match apart {
                true => then.push(residual.argument(api::ARG_SRC_1)),
                false => first.push(residual.argument(api::ARG_POST_OP_0 | api::ARG_SRC_1)),
            }
            inputs.push(residual);
        }
        if let Some(scratchpad) = scratchpad(api, &description)? {
            first.push(scratchpad.argument(api::ARG_SCRATCHPAD));
            inputs.push(scratchpad);
        }
        let implementation = api.implementation(&description);
        let mut steps = vec![Step { primitive, implementation, arguments: first }];
        if let Some((primitive, implementation, scratchpad)) = second {
            if let Some(scratchpad) = scratchpad {
                then.push(scratchpad.argument(api::ARG_SCRATCHPAD));
                inputs.push(scratchpad);
            }
            steps.push(Step { primitive, implementation, arguments: then });
        }
        Ok(Convolution {
            api,
            stream,
            steps,
            _inputs: inputs,
            output,
            layer,
            shape,
            threads: case.threads,
            setup,
        })
    }

    /// The time of the fastest of a few runs.
    fn best_of_some(&mut self) -> Result<Duration, Refusal> {
        let mut best = Duration::MAX;
        for _ in 0..5 {
            let start = Instant::now();
            self.run()?;
            best = best.min(start.elapsed());
        }
        // As if it had never run.
        self.output.clear();
        Ok(best)
    }
}

impl Prepared for Convolution<'_> {
    fn run(&mut self) -> Result<(), Refusal> {
        self.api.set_threads(self.threads)?;
        for step in &self.steps {
            // SAFETY: the arguments are all that the primitive needs, of the descriptions that
            // it has chosen, alive beside it; `&mut self` keeps others from them.
            unsafe { self.api.execute(&step.primitive, &self.stream, &step.arguments)? };
        }
        Ok(())
    }

    fn output(&mut self) -> Vec<f32> {
        let plain = outputs(self.api, &self.layer, &self.shape, false);
        let read = plain.and_then(|plain| self.output.reordered(self.api, &self.stream, plain));
        self.api.end_workers();
        // An output that cannot be read back was not computed.
        read.map_or_else(
            |_| vec![f32::NAN; self.shape.output_len],
            |(plain, _)| plain.values()[..self.shape.output_len].to_vec(),
        )
    }

    fn kernel(&self) -> String {
        let names: Vec<&str> = self.steps.iter().map(|step| &*step.implementation).collect();
        names.join(" + ")
    }

    fn setup_times(&self) -> Option<SetupTimes> {
        Some(self.setup)
    }

    fn settle(&mut self) {
        self.api.end_workers();
    }
}

/// The primitive description of a layer, the layout of its weights left to the library, that of
/// input and output too if `any_layout`; with the bias, and if `fused` the rest of the epilogue.
fn describe<'a>(
    api: &'a Api,
    layer: &Layer,
    shape: &Shape,
    any_layout: bool,
    fused: bool,
) -> Result<PrimitiveDescription<'a>, Refusal> {
    let src = input(api, layer, any_layout)?;
    let dst = outputs(api, layer, shape, any_layout)?;
    let weights = filters(api, layer, true)?;
    let bias = layer.bias.then(|| api.description(&[layer.k], Some(&[1]))).transpose()?;
    let activation = if fused { layer.activation } else { Activation::None };
    let residual = (fused && layer.residual).then_some(&dst);
    let attributes = attributes(api, activation, residual)?;
    let (top, bottom, left, right) = match layer.padding {
        Padding::Valid | Padding::Same => (0, 0, 0, 0),
        Padding::Explicit { top, bottom, left, right } => (top, bottom, left, right),
    };
    let (before, after) = (dims(&[top, left])?, dims(&[bottom, right])?);
    let strides = dims(&layer.stride)?;
    let dilations = Dims::default();
    let f = &api.f;
    // SAFETY: descriptions, attributes and engine are alive (a null bias says that there is
    // none), the arrays hold a value for each of the two spatial axes and more.
    unsafe {
        Owned::create(api, "convolution", f.dnnl_primitive_desc_destroy, |into| {
            (f.dnnl_convolution_forward_primitive_desc_create)(
                into,
                api.engine,
                api::FORWARD_INFERENCE,
                api::CONVOLUTION_DIRECT,
                src.handle(),
                weights.handle(),
                bias.as_ref().map_or(null_mut(), Owned::handle),
                dst.handle(),
                strides.as_ptr(),
                dilations.as_ptr(),
                before.as_ptr(),
                after.as_ptr(),
                attributes.handle(),
            )
        })
    }
}

/// The memory that a primitive works in, if it needs any.
fn scratchpad<'a>(
    api: &'a Api,
    description: &PrimitiveDescription<'_>,
) -> Result<Option<Tensor<'a>>, Refusal> {
    let needed = api.chosen(description, api::QUERY_SCRATCHPAD)?;
    // SAFETY: the description is alive.
    let bytes = unsafe { (api.f.dnnl_memory_desc_get_size)(needed.handle()) };
    (bytes > 0).then(|| Tensor::unwritten(api, needed)).transpose()
}

/// The primitive description of residual and activation, in place.
fn describe_epilogue<'a>(
    api: &'a Api,
    layer: &Layer,
    dst: &Description<'_>,
) -> Result<PrimitiveDescription<'a>, Refusal> {
    let f = &api.f;
    let activation = if layer.residual { layer.activation } else { Activation::None };
    let attributes = attributes(api, activation, None)?;
    let eltwise = eltwise(layer.activation)?.filter(|_| !layer.residual);
    // SAFETY: descriptions, attributes and engine are alive.
    unsafe {
        Owned::create(api, "epilogue", f.dnnl_primitive_desc_destroy, |into| {
            let (dst, attributes) = (dst.handle(), attributes.handle());
            match eltwise {
                Some((kind, alpha, beta)) => (f.dnnl_eltwise_forward_primitive_desc_create)(
                    into,
                    api.engine,
                    api::FORWARD_INFERENCE,
                    kind,
                    dst,
                    dst,
                    alpha,
                    beta,
                    attributes,
                ),
                None => (f.dnnl_binary_primitive_desc_create)(
                    into,
                    api.engine,
                    api::BINARY_ADD,
                    dst,
                    dst,
                    dst,
                    attributes,
                ),
            }
        })
    }
}

/// What is computed after a primitive's own result: a residual of that description is added,
/// then the activation applied.
fn attributes<'a>(
    api: &'a Api,
    activation: Activation,
    residual: Option<&Description<'_>>,
) -> Result<Owned<'a, kind::Attributes>, Refusal> {
    let f = &api.f;
    // SAFETY: each call gets live objects of the kind it takes; attributes keep a copy of the
    // post-ops.
    unsafe {
        let ops: Owned<'_, kind::PostOps> =
            Owned::create(api, "post-ops", f.dnnl_post_ops_destroy, |ops| {
                (f.dnnl_post_ops_create)(ops)
            })?;
        if let Some(residual) = residual {
            let append = f.dnnl_post_ops_append_binary;
            api.check("residual", append(ops.handle(), api::BINARY_ADD, residual.handle()))?;
        }
        if let Some((kind, alpha, beta)) = eltwise(activation)? {
            let append = f.dnnl_post_ops_append_eltwise;
            api.check("activation", append(ops.handle(), kind, alpha, beta))?;
        }
        let attributes: Owned<'_, kind::Attributes> =
            Owned::create(api, "attributes", f.dnnl_primitive_attr_destroy, |attributes| {
                (f.dnnl_primitive_attr_create)(attributes)
            })?;
        let set = f.dnnl_primitive_attr_set_post_ops;
        api.check("attributes", set(attributes.handle(), ops.handle()))?;
        // The library's own scratchpad belongs to the thread that made the primitive, and is
        // none, or too small, on another thread of the pool.
        let set = f.dnnl_primitive_attr_set_scratchpad_mode;
        api.check("scratchpad", set(attributes.handle(), api::SCRATCHPAD_USER))?;
        Ok(attributes)
    }
}

/// An activation's algorithm and its two parameters.
fn eltwise(activation: Activation) -> Result<Option<(c_int, f32, f32)>, Refusal> {
    Ok(match activation {
        Activation::None => None,
        Activation::Relu => Some((api::ELTWISE_RELU, 0.0, 0.0)),
        other => bounds(other).map(|(lo, hi)| Some((api::ELTWISE_CLIP, lo, hi)))?,
    })
}

/// The input: as the case gives it, or in any layout.
fn input<'a>(api: &'a Api, layer: &Layer, any: bool) -> Result<Description<'a>, Refusal> {
    image(api, layer.layout, [layer.n, layer.c, layer.h, layer.w], any)
}

/// The output and the residual: as the case has them, or in any layout.
fn outputs<'a>(
    api: &'a Api,
    layer: &Layer,
    shape: &Shape,
    any: bool,
) -> Result<Description<'a>, Refusal> {
    image(api, layer.layout, [layer.n, layer.k, shape.oh, shape.ow], any)
}

fn image(
    api: &Api,
    layout: Layout,
    sizes: [usize; 4],
    any: bool,
) -> Result<Description<'_>, Refusal> {
    let [_, c, h, w] = sizes;
    let strides = match layout {
        Layout::Nchw => [c * h * w, h * w, w, 1],
        Layout::Nhwc => [h * w * c, 1, w * c, c],
    };
    api.description(&sizes, (!any).then_some(&strides))
}

/// The weights: `[k][c / groups]`, or in any layout.
fn filters<'a>(api: &'a Api, layer: &Layer, any: bool) -> Result<Description<'a>, Refusal> {
    let (cg, kg) = (layer.c / layer.groups, layer.k / layer.groups);
    let sizes = [layer.groups, kg, cg, 1, 1];
    let strides = [kg * cg, cg, 1, 1, 1];
    // Ungrouped weights have an axis less.
    let from = usize::from(layer.groups == 1);
    api.description(&sizes[from..], (!any).then_some(&strides[from..]))
}
