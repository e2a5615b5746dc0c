//! One layer as a oneDNN primitive.

use super::api::{self, Api, Argument, Dims};
use super::objects::{
    Description, Owned, Primitive, PrimitiveDescription, Stream, Tensor, dims, kind,
};
use crate::contender::{Case, Prepared, Refusal, SetupTimes};
use pointwise::{Activation, Layer, Layout, Padding, Shape};
use std::ptr::null_mut;
use std::time::Instant;

/// A primitive with its tensors.
pub(super) struct Convolution<'a> {
    api: &'a Api,
    primitive: Primitive<'a>,
    stream: Stream<'a>,
    /// Handles of the tensors below.
    arguments: Vec<Argument>,
    _inputs: Vec<Tensor<'a>>,
    output: Tensor<'a>,
    layer: Layer,
    shape: Shape,
    threads: usize,
    implementation: String,
    setup: SetupTimes,
}

// SAFETY: the raw handles in `arguments` belong to the tensors beside them; oneDNN's objects are
// not bound to a thread, and what uses them needs `&mut self`.
unsafe impl Send for Convolution<'_> {}

impl<'a> Convolution<'a> {
    pub(super) fn new(api: &'a Api, case: &Case<'_>, any_layout: bool) -> Result<Self, Refusal> {
        // The primitive divides its work among the threads that there are when it is created.
        api.set_threads(case.threads)?;
        let layer = *case.layer;
        let shape = layer.check().map_err(|e| Refusal::Failed(e.to_string()))?;
        let stream = api.stream()?;

        let start = Instant::now();
        let description = describe(api, &layer, &shape, any_layout)?;
        let primitive = api.primitive(&description)?;
        let mut setup = SetupTimes { plan_ns: start.elapsed().as_nanos() as f64, pack_ns: 0.0 };

        let chosen = |query| api.chosen(&description, query);
        let laid_out = |values: &[f32], plain: Description<'a>, query| {
            Tensor::holding(api, plain, values)?.reordered(api, &stream, chosen(query)?)
        };
        let (src, _) = laid_out(case.input, input(api, &layer, false)?, api::QUERY_SRC)?;
        let (weights, [plan_ns, pack_ns]) =
            laid_out(case.weights, filters(api, &layer, false)?, api::QUERY_WEIGHTS)?;
        setup.plan_ns += plan_ns;
        setup.pack_ns += pack_ns;
        let output = Tensor::unwritten(api, chosen(api::QUERY_DST)?)?;
        let mut arguments = vec![
            src.argument(api::ARG_SRC),
            weights.argument(api::ARG_WEIGHTS),
            output.argument(api::ARG_DST),
        ];
        let mut inputs = vec![src, weights];
        if let Some(bias) = case.bias {
            let bias = Tensor::holding(api, api.description(&[layer.k], Some(&[1]))?, bias)?;
            arguments.push(bias.argument(api::ARG_BIAS));
            inputs.push(bias);
        }
        if let Some(residual) = case.residual {
            let plain = outputs(api, &layer, &shape, false)?;
            let (residual, _) = laid_out(residual, plain, api::QUERY_DST)?;
            arguments.push(residual.argument(api::ARG_POST_OP_0 | api::ARG_SRC_1));
            inputs.push(residual);
        }
        let implementation = api.implementation(&description);
        Ok(Convolution {
            api,
            primitive,
            stream,
            arguments,
            _inputs: inputs,
            output,
            layer,
            shape,
            threads: case.threads,
            implementation,
            setup,
        })
    }
}

impl Prepared for Convolution<'_> {
    fn run(&mut self) -> Result<(), Refusal> {
        self.api.set_threads(self.threads)?;
        // SAFETY: the arguments are all that the primitive needs, of the descriptions that it
        // has chosen, alive beside it; `&mut self` keeps others from them.
        unsafe { self.api.execute(&self.primitive, &self.stream, &self.arguments) }
    }

    fn output(&mut self) -> Vec<f32> {
        let plain = outputs(self.api, &self.layer, &self.shape, false);
        let read = plain.and_then(|plain| self.output.reordered(self.api, &self.stream, plain));
        // An output that cannot be read back was not computed.
        read.map_or_else(
            |_| vec![f32::NAN; self.shape.output_len],
            |(plain, _)| plain.values()[..self.shape.output_len].to_vec(),
        )
    }

    fn kernel(&self) -> String {
        self.implementation.clone()
    }

    fn setup_times(&self) -> Option<SetupTimes> {
        Some(self.setup)
    }
}

/// The primitive description of a layer, the layout of its weights left to the library, that of
/// input and output too if `any_layout`.
fn describe<'a>(
    api: &'a Api,
    layer: &Layer,
    shape: &Shape,
    any_layout: bool,
) -> Result<PrimitiveDescription<'a>, Refusal> {
    let src = input(api, layer, any_layout)?;
    let dst = outputs(api, layer, shape, any_layout)?;
    let weights = filters(api, layer, true)?;
    let bias = layer.bias.then(|| api.description(&[layer.k], Some(&[1]))).transpose()?;
    let attributes = attributes(api, layer, &dst)?;
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

/// The epilogue after the bias: residual, then activation.
fn attributes<'a>(
    api: &'a Api,
    layer: &Layer,
    dst: &Description<'_>,
) -> Result<Owned<'a, kind::Attributes>, Refusal> {
    let f = &api.f;
    let eltwise = match layer.activation {
        Activation::None => None,
        Activation::Relu => Some((api::ELTWISE_RELU, 0.0, 0.0)),
        Activation::Relu6 => Some((api::ELTWISE_CLIP, 0.0, 6.0)),
        Activation::Clamp { lo, hi } => Some((api::ELTWISE_CLIP, lo, hi)),
        other => return Err(Refusal::Unsupported(format!("activation {other:?}"))),
    };
    // SAFETY: each call gets live objects of the kind it takes; attributes keep a copy of the
    // post-ops.
    unsafe {
        let ops: Owned<'_, kind::PostOps> =
            Owned::create(api, "post-ops", f.dnnl_post_ops_destroy, |ops| {
                (f.dnnl_post_ops_create)(ops)
            })?;
        if layer.residual {
            let append = f.dnnl_post_ops_append_binary;
            api.check("residual", append(ops.handle(), api::BINARY_ADD, dst.handle()))?;
        }
        if let Some((kind, alpha, beta)) = eltwise {
            let append = f.dnnl_post_ops_append_eltwise;
            api.check("activation", append(ops.handle(), kind, alpha, beta))?;
        }
        let attributes: Owned<'_, kind::Attributes> =
            Owned::create(api, "attributes", f.dnnl_primitive_attr_destroy, |attributes| {
                (f.dnnl_primitive_attr_create)(attributes)
            })?;
        let set = f.dnnl_primitive_attr_set_post_ops;
        api.check("attributes", set(attributes.handle(), ops.handle()))?;
        Ok(attributes)
    }
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
