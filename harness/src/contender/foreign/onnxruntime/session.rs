//! One layer as a session of ONNX Runtime.

use super::api::{self, Api, Environment, Handle, Owned, text};
use crate::contender::buffer::Buffer;
use crate::contender::contract::{Case, Prepared, Refusal, SetupTimes};
use crate::contender::onnx;
use std::ffi::{CStr, c_int};
use std::path::Path;
use std::ptr::null_mut;
use std::sync::Arc;
use std::time::Instant;

/// A session with its tensors.
pub(super) struct Session<'a> {
    api: &'a Api,
    // Before what it uses: fields are dropped in their order.
    session: Owned,
    inputs: Vec<Tensor>,
    output: Tensor,
    operators: String,
    setup: SetupTimes,
    _environment: Arc<Environment>,
}

/// A tensor and the buffer that it lies in.
struct Tensor {
    name: &'static CStr,
    value: Owned,
    // Only touched through `value` from here on, until it is read back.
    buffer: Buffer,
}

impl<'a> Session<'a> {
    pub(super) fn new(api: &'a Api, case: &Case<'_>) -> Result<Self, Refusal> {
        let layer = case.layer;
        let shape = layer.check().map_err(|e| Refusal::Failed(e.to_string()))?;
        let start = Instant::now();
        let model = onnx::model(case)?;
        let environment = api.environment(case.threads)?;
        let options = options(api, &environment, case.threads)?;
        let plan_ns = start.elapsed().as_nanos() as f64;
        // Here the graph is optimised, the layout chosen and the weights are packed.
        let start = Instant::now();
        let session = session(api, &environment, &options, &model)?;
        let pack_ns = start.elapsed().as_nanos() as f64;
        let operators = optimised(api, &environment, &options, &model)?;

        let memory = api.memory()?;
        let sizes = [layer.n, layer.c, layer.h, layer.w];
        let input = Tensor::new(api, &memory, c"x", sizes, case.input_buffer())?;
        let mut inputs = vec![input];
        let sizes = [layer.n, layer.k, shape.oh, shape.ow];
        if let Some(residual) = case.residual {
            let residual = Buffer::copy_of(residual);
            inputs.push(Tensor::new(api, &memory, c"r", sizes, residual)?);
        }
        let output = Buffer::unwritten(shape.output_len);
        let output = Tensor::new(api, &memory, c"y", sizes, output)?;
        let setup = SetupTimes { plan_ns, pack_ns };
        let _environment = environment;
        Ok(Session { api, session, inputs, output, operators, setup, _environment })
    }
}

/// The options of a session: so many threads that spin between runs, everything optimised.
fn options(api: &Api, environment: &Environment, threads: usize) -> Result<Owned, Refusal> {
    let t = api.table;
    let count = c_int::try_from(threads).unwrap_or(c_int::MAX);
    // SAFETY: each call gets live objects of the kind that it takes; texts end with NUL and are
    // copied.
    unsafe {
        let options = api.create("options", t.release_session_options, |into| {
            (t.create_session_options)(into)
        })?;
        let handle = options.handle();
        api.check("optimisation", (t.set_optimisation)(handle, api::OPTIMISE_ALL))?;
        api.check("log", (t.set_log_severity)(handle, api::LOG_ERRORS))?;
        if environment.threads == threads {
            api.check("threads", (t.share_threads)(handle))?;
        } else {
            let spin = c"session.intra_op.allow_spinning".as_ptr();
            api.check("threads", (t.set_intra_op_threads)(handle, count))?;
            api.check("threads", (t.set_inter_op_threads)(handle, 1))?;
            api.check("spinning", (t.configure)(handle, spin, c"1".as_ptr()))?;
        }
        Ok(options)
    }
}

fn session(
    api: &Api,
    environment: &Environment,
    options: &Owned,
    model: &[u8],
) -> Result<Owned, Refusal> {
    let t = api.table;
    // SAFETY: environment and options are alive; the model is copied.
    unsafe {
        api.create("session", t.release_session, |into| {
            let (environment, options) = (environment.object.handle(), options.handle());
            (t.create_session)(environment, model.as_ptr().cast(), model.len(), options, into)
        })
    }
}

/// The operators that the optimiser leaves: a second session writes its model into a file.
fn optimised(
    api: &Api,
    environment: &Environment,
    options: &Owned,
    model: &[u8],
) -> Result<String, Refusal> {
    let failed = |e: std::io::Error| Refusal::Failed(format!("optimised model: {e}"));
    let folder = tempfile::tempdir().map_err(failed)?;
    let path = folder.path().join("optimised.onnx");
    write_optimised(api, environment, options, model, &path)?;
    let operators = onnx::operators(&std::fs::read(path).map_err(failed)?);
    Ok(operators.join(" + "))
}

fn write_optimised(
    api: &Api,
    environment: &Environment,
    options: &Owned,
    model: &[u8],
    into: &Path,
) -> Result<(), Refusal> {
    let path = text(&into.to_string_lossy())?;
    // SAFETY: the options are alive, the path ends with NUL and is copied.
    let set = unsafe { (api.table.set_optimised_model_path)(options.handle(), path.as_ptr()) };
    api.check("optimised model", set)?;
    session(api, environment, options, model).map(|_| ())
}

impl Tensor {
    /// A tensor that lies in `buffer`, which others may hold too if it is only read.
    fn new(
        api: &Api,
        memory: &Owned,
        name: &'static CStr,
        sizes: [usize; 4],
        buffer: Buffer,
    ) -> Result<Self, Refusal> {
        let t = api.table;
        let bytes = size_of_val(&*buffer);
        if sizes.iter().product::<usize>() * size_of::<f32>() != bytes {
            return Err(Refusal::Failed(format!("a tensor of {sizes:?} in {bytes} bytes")));
        }
        let sizes = sizes.map(|size| size as i64);
        // SAFETY: the buffer has the size of the tensor, as checked, and moves with the tensor
        // without its heap storage moving; the sizes are copied.
        let value = unsafe {
            api.create("tensor", t.release_value, |into| {
                let data = buffer.as_ptr().cast_mut().cast();
                let (sizes, count) = (sizes.as_ptr(), sizes.len());
                (t.create_tensor)(memory.handle(), data, bytes, sizes, count, api::FLOAT, into)
            })?
        };
        Ok(Tensor { name, value, buffer })
    }
}

impl Prepared for Session<'_> {
    fn run(&mut self) -> Result<(), Refusal> {
        let mut names = [std::ptr::null(); 2];
        let mut values: [Handle; 2] = [null_mut(); 2];
        for (i, input) in self.inputs.iter().enumerate().take(2) {
            (names[i], values[i]) = (input.name.as_ptr(), input.value.handle());
        }
        let mut output = self.output.value.handle();
        // SAFETY: names and tensors are those of the model, each as many as said, alive, and of
        // the sizes that the model says; `&mut self` keeps others from the output's buffer, and
        // the inputs are only read. The output is given, so that none is made.
        let status = unsafe {
            (self.api.table.run)(
                self.session.handle(),
                null_mut(),
                names.as_ptr(),
                values.as_ptr(),
                self.inputs.len().min(2),
                &self.output.name.as_ptr(),
                1,
                &mut output,
            )
        };
        self.api.check("run", status)
    }

    fn output(&mut self) -> Vec<f32> {
        self.output.buffer.to_vec()
    }

    fn kernel(&self) -> String {
        self.operators.clone()
    }

    fn setup_times(&self) -> Option<SetupTimes> {
        Some(self.setup)
    }
}
