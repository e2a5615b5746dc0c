//! XNNPACK, NHWC only, through its subgraph interface.
//!
//! The operator interface changes from year to year, and current versions keep it to
//! themselves; the subgraph one has been stable since 2020 and costs nothing measurable per run.
//! A layer is one convolution node with bias and clamp fused; a residual adds a second node,
//! which then has the clamp.

use super::{bounds, expect_processors, find, open, open_first, peers_folder};
use crate::contender::buffer::Buffer;
use crate::contender::contract::{
    Case, Contender, Options, Prepared, Refusal, SetupTimes, expect_no_cap, expect_plain,
};
use libloading::Library;
use pointwise::{Layout, Padding};
use std::ffi::{c_int, c_void};
use std::path::{Path, PathBuf};
use std::ptr::{null, null_mut};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Instant;

/// The contender, its library not loaded yet.
pub(in super::super) fn contender(options: &Options) -> impl Contender + use<> {
    XnnPack {
        given: options.xnnpack.clone(),
        folder: peers_folder(options.peers.as_deref()),
        loaded: OnceLock::new(),
    }
}

struct XnnPack {
    given: Option<PathBuf>,
    folder: PathBuf,
    loaded: OnceLock<Result<Api, Refusal>>,
}

type Handle = *mut c_void;
type Status = c_int;

/// `struct xnn_external_value`.
#[repr(C)]
struct ExternalValue {
    id: u32,
    data: *mut c_void,
}

const FP32: c_int = 1;
const INVALID_ID: u32 = u32::MAX;
const EXTERNAL_INPUT: u32 = 1;
const EXTERNAL_OUTPUT: u32 = 2;

type Convolution = unsafe extern "C" fn(
    subgraph: Handle,
    padding_top: u32,
    padding_right: u32,
    padding_bottom: u32,
    padding_left: u32,
    kernel_height: u32,
    kernel_width: u32,
    stride_height: u32,
    stride_width: u32,
    dilation_height: u32,
    dilation_width: u32,
    groups: u32,
    group_input_channels: usize,
    group_output_channels: usize,
    output_min: f32,
    output_max: f32,
    input: u32,
    filter: u32,
    bias: u32,
    output: u32,
    flags: u32,
) -> Status;

/// Declares the functions that are looked up, by name and as the headers declare them.
macro_rules! functions {
    ($($name:ident: $kind:ty;)*) => {
        struct Functions {
            $($name: $kind,)*
        }

        impl Functions {
            fn find(libraries: [&Library; 2]) -> Result<Self, String> {
                // SAFETY: each type is that of the declaration in XNNPACK's or pthreadpool's
                // public header, the same since 2020.
                unsafe {
                    Ok(Functions {
                        $($name: libraries
                            .iter()
                            .find_map(|library| library.get(stringify!($name)).ok())
                            .map(|symbol| *symbol)
                            .ok_or(concat!("it has no ", stringify!($name)))?,)*
                    })
                }
            }
        }
    };
}

functions! {
    xnn_initialize: unsafe extern "C" fn(*const c_void) -> Status;
    xnn_create_subgraph: unsafe extern "C" fn(u32, u32, *mut Handle) -> Status;
    xnn_delete_subgraph: unsafe extern "C" fn(Handle) -> Status;
    xnn_define_tensor_value: unsafe extern "C" fn(
        Handle, c_int, usize, *const usize, *const c_void, u32, u32, *mut u32
    ) -> Status;
    xnn_define_convolution_2d: Convolution;
    xnn_define_add2: unsafe extern "C" fn(Handle, f32, f32, u32, u32, u32, u32) -> Status;
    xnn_create_runtime_v2: unsafe extern "C" fn(Handle, Handle, u32, *mut Handle) -> Status;
    xnn_delete_runtime: unsafe extern "C" fn(Handle) -> Status;
    xnn_setup_runtime: unsafe extern "C" fn(Handle, usize, *const ExternalValue) -> Status;
    xnn_invoke_runtime: unsafe extern "C" fn(Handle) -> Status;
    pthreadpool_create: unsafe extern "C" fn(usize) -> Handle;
    pthreadpool_get_threads_count: unsafe extern "C" fn(Handle) -> usize;
    pthreadpool_parallelize_1d: unsafe extern "C" fn(
        Handle, unsafe extern "C" fn(*mut c_void, usize), *mut c_void, usize, u32
    );
    pthreadpool_destroy: unsafe extern "C" fn(Handle);
}

struct Api {
    f: Functions,
    version: String,
    /// The threads of the runtimes that are alive: one pool for all of them, as in a program that
    /// runs a network.
    workers: Mutex<Weak<Workers>>,
}

/// A thread pool.
struct Workers {
    pool: Handle,
    threads: usize,
    destroy: unsafe extern "C" fn(Handle),
}

// SAFETY: a pool may be used from any thread; it locks itself while it works.
unsafe impl Send for Workers {}
// SAFETY: as above.
unsafe impl Sync for Workers {}

impl Workers {
    fn start(f: &Functions, threads: usize) -> Result<Workers, Refusal> {
        // SAFETY: a plain number in, a pool or null out; null counts one thread.
        let (pool, count) = unsafe {
            let pool = (f.pthreadpool_create)(threads);
            (pool, (f.pthreadpool_get_threads_count)(pool))
        };
        let workers = Workers { pool, threads, destroy: f.pthreadpool_destroy };
        if count != threads {
            return Err(Refusal::Failed(format!("{threads} threads asked for, {count} set")));
        }
        Ok(workers)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        if !self.pool.is_null() {
            // SAFETY: ours, and no runtime is left that uses it.
            unsafe { (self.destroy)(self.pool) };
        }
    }
}

impl Api {
    fn load(given: Option<&Path>, folder: &Path) -> Result<Self, Refusal> {
        let names = ["libXNNPACK.so", "libXNNPACK.so.0"];
        let folder = given.and_then(Path::parent).unwrap_or(folder);
        // What lies beside it and is needed by it, in the order of need.
        let mut beside = Vec::new();
        for name in ["libcpuinfo.so", "libcpuinfo.so.0", "libpthreadpool.so", "libpthreadpool.so.0"]
        {
            beside.extend(find(folder, name, 6).and_then(|path| open(&path).ok()));
        }
        let (library, path) = match given {
            Some(path) => open(path)?,
            None => open_first(folder, &names)?,
        };
        let failed = |why: String| Refusal::Unavailable(format!("{}: {why}", path.display()));
        let pool = beside.last().map_or(&library, |(library, _)| library);
        let f = Functions::find([&library, pool]).map_err(failed)?;
        // SAFETY: null asks for the system's allocator.
        let status = unsafe { (f.xnn_initialize)(null()) };
        check("initialisation", status).map_err(|refusal| failed(refusal.to_string()))?;
        let version = version(&path);
        // Never unloaded: worker threads may wait in code of them.
        beside.into_iter().for_each(|(library, _)| std::mem::forget(library));
        std::mem::forget(library);
        Ok(Api { f, version, workers: Mutex::default() })
    }

    /// The pool of so many threads that others use, or a new one; none for one thread.
    fn workers(&self, threads: usize) -> Result<Option<Arc<Workers>>, Refusal> {
        if threads == 1 {
            return Ok(None);
        }
        let mut shared = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(workers) = shared.upgrade().filter(|workers| workers.threads == threads) {
            return Ok(Some(workers));
        }
        let workers = Arc::new(Workers::start(&self.f, threads)?);
        *shared = Arc::downgrade(&workers);
        Ok(Some(workers))
    }
}

/// The library does not tell its version: what a file `xnnpack-version` beside it or above says, as
/// `scripts/install-peers` writes it, else the name of the library's own file.
fn version(path: &Path) -> String {
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let noted = real
        .ancestors()
        .skip(1)
        .take(5)
        .find_map(|folder| std::fs::read_to_string(folder.join("xnnpack-version")).ok());
    let name = || real.file_name().unwrap_or_default().to_string_lossy().into_owned();
    noted.map_or_else(name, |text| text.trim().to_owned())
}

/// A status as a result, named after what was tried.
fn check(what: &str, status: Status) -> Result<(), Refusal> {
    match status {
        0 => Ok(()),
        4 => Err(Refusal::Unsupported(format!("{what}: unsupported parameter"))),
        5 => Err(Refusal::Unavailable(format!("{what}: unsupported hardware"))),
        2 => Err(Refusal::Failed(format!("{what}: invalid parameter"))),
        6 => Err(Refusal::Failed(format!("{what}: out of memory"))),
        _ => Err(Refusal::Failed(format!("{what}: status {status}"))),
    }
}

impl XnnPack {
    fn api(&self) -> Result<&Api, Refusal> {
        let load = || Api::load(self.given.as_deref(), &self.folder);
        self.loaded.get_or_init(load).as_ref().map_err(Clone::clone)
    }
}

impl Contender for XnnPack {
    fn name(&self) -> &str {
        "xnnpack"
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
        if case.layer.layout != Layout::Nhwc {
            return Err(Refusal::Unsupported("it has NHWC only".to_owned()));
        }
        expect_no_cap(case.isa)?;
        expect_processors(case.threads)?;
        Ok(Box::new(Graph::new(api, case)?))
    }
}

/// A runtime of one layer, with what it points to.
struct Graph<'a> {
    f: &'a Functions,
    runtime: Handle,
    /// None for one thread.
    workers: Option<Arc<Workers>>,
    /// Input, weights, bias and residual; the runtime keeps pointers to them.
    _tensors: Vec<Buffer>,
    output: Buffer,
    setup: SetupTimes,
}

// SAFETY: a runtime and a thread pool are not bound to the thread that made them; using them
// needs `&mut self`, and the pointers they keep are to buffers owned beside them.
unsafe impl Send for Graph<'_> {}

impl<'a> Graph<'a> {
    fn new(api: &'a Api, case: &Case<'_>) -> Result<Self, Refusal> {
        let layer = case.layer;
        let shape = layer.check().map_err(|e| Refusal::Failed(e.to_string()))?;
        let f = &api.f;
        let mut graph = Graph {
            f,
            runtime: null_mut(),
            workers: api.workers(case.threads)?,
            _tensors: Vec::new(),
            output: Buffer::unwritten(shape.output_len),
            setup: SetupTimes { plan_ns: 0.0, pack_ns: 0.0 },
        };
        let mut keep = |buffer: Buffer| {
            graph._tensors.push(buffer);
            graph._tensors.last().map_or(null(), |tensor| tensor.as_ptr()).cast::<c_void>()
        };
        let (input, weights) = (keep(case.input_buffer()), keep(Buffer::copy_of(case.weights)));
        let bias = case.bias.map(|bias| keep(Buffer::copy_of(bias)));
        let residual = case.residual.map(|residual| keep(Buffer::copy_of(residual)));
        let output = graph.output.as_mut_ptr().cast();

        let (lo, hi) = bounds(layer.activation)?;
        let (first_lo, first_hi) =
            if layer.residual { (f32::NEG_INFINITY, f32::INFINITY) } else { (lo, hi) };
        let [top, right, bottom, left] = match layer.padding {
            Padding::Valid | Padding::Same => [0; 4],
            Padding::Explicit { top, bottom, left, right } => [top, right, bottom, left],
        };
        let small = |size: usize| {
            u32::try_from(size)
                .map_err(|_| Refusal::Unsupported(format!("{size} exceeds its integers")))
        };
        let (cg, kg) = (layer.c / layer.groups, layer.k / layer.groups);
        let in_size = [layer.n, layer.h, layer.w, layer.c];
        let out_size = [layer.n, shape.oh, shape.ow, layer.k];

        let start = Instant::now();
        let subgraph = Subgraph::new(f)?;
        let x = subgraph.tensor(&in_size, None, Some((0, EXTERNAL_INPUT)))?;
        let y = subgraph.tensor(&out_size, None, Some((1, EXTERNAL_OUTPUT)))?;
        let filter = subgraph.tensor(&[layer.k, 1, 1, cg], Some(weights), None)?;
        let bias = match bias {
            Some(bias) => subgraph.tensor(&[layer.k], Some(bias), None)?,
            None => INVALID_ID,
        };
        let product = if residual.is_some() { subgraph.tensor(&out_size, None, None)? } else { y };
        // SAFETY: the ids are those of tensors of this subgraph.
        let status = unsafe {
            (f.xnn_define_convolution_2d)(
                subgraph.handle,
                small(top)?,
                small(right)?,
                small(bottom)?,
                small(left)?,
                1,
                1,
                small(layer.stride[0])?,
                small(layer.stride[1])?,
                1,
                1,
                small(layer.groups)?,
                cg,
                kg,
                first_lo,
                first_hi,
                x,
                filter,
                bias,
                product,
                0,
            )
        };
        check("convolution", status)?;
        if residual.is_some() {
            let r = subgraph.tensor(&out_size, None, Some((2, EXTERNAL_INPUT)))?;
            // SAFETY: as above.
            let status = unsafe { (f.xnn_define_add2)(subgraph.handle, lo, hi, product, r, y, 0) };
            check("residual", status)?;
        }
        graph.setup.plan_ns = start.elapsed().as_nanos() as f64;

        // Here the weights are packed.
        let start = Instant::now();
        let create = f.xnn_create_runtime_v2;
        let pool = graph.workers.as_ref().map_or(null_mut(), |workers| workers.pool);
        // SAFETY: the subgraph is complete, the pool alive or null, the weights and the bias
        // outlive the runtime.
        check("runtime", unsafe { create(subgraph.handle, pool, 0, &mut graph.runtime) })?;
        graph.setup.pack_ns = start.elapsed().as_nanos() as f64;
        let mut values = vec![
            ExternalValue { id: 0, data: input.cast_mut() },
            ExternalValue { id: 1, data: output },
        ];
        values.extend(residual.map(|data| ExternalValue { id: 2, data: data.cast_mut() }));
        // SAFETY: each pointer is to a buffer of its tensor's size with slack after it, which
        // outlives the runtime; inputs are only read.
        check("setup", unsafe {
            (f.xnn_setup_runtime)(graph.runtime, values.len(), values.as_ptr())
        })?;
        Ok(graph)
    }
}

impl Prepared for Graph<'_> {
    fn run(&mut self) -> Result<(), Refusal> {
        // SAFETY: the runtime is set up, and `&mut self` keeps others from its buffers.
        check("run", unsafe { (self.f.xnn_invoke_runtime)(self.runtime) })
    }

    fn output(&mut self) -> Vec<f32> {
        self.output.to_vec()
    }

    fn kernel(&self) -> String {
        String::new()
    }

    fn setup_times(&self) -> Option<SetupTimes> {
        Some(self.setup)
    }

    /// Workers spin for a million turns after a run unless it told them to yield: this one does.
    fn settle(&mut self) {
        unsafe extern "C" fn nothing(_: *mut c_void, _: usize) {}
        const YIELD_WORKERS: u32 = 2;
        if let Some(workers) = &self.workers {
            let run = self.f.pthreadpool_parallelize_1d;
            // SAFETY: the pool is alive, and the task touches nothing.
            unsafe { run(workers.pool, nothing, null_mut(), workers.threads, YIELD_WORKERS) };
        }
    }
}

impl Drop for Graph<'_> {
    fn drop(&mut self) {
        if !self.runtime.is_null() {
            // SAFETY: ours; the pool that it uses goes after it, with the fields.
            unsafe { (self.f.xnn_delete_runtime)(self.runtime) };
        }
    }
}

/// A description that a runtime is made of.
struct Subgraph<'a> {
    f: &'a Functions,
    handle: Handle,
}

impl<'a> Subgraph<'a> {
    /// An empty one with room for three external tensors.
    fn new(f: &'a Functions) -> Result<Self, Refusal> {
        let mut handle = null_mut();
        // SAFETY: plain values in, a handle out.
        check("subgraph", unsafe { (f.xnn_create_subgraph)(3, 0, &mut handle) })?;
        Ok(Subgraph { f, handle })
    }

    /// Adds a tensor: static if it has data, external if it has an id, else between nodes.
    fn tensor(
        &self,
        sizes: &[usize],
        data: Option<*const c_void>,
        external: Option<(u32, u32)>,
    ) -> Result<u32, Refusal> {
        let (id, flags) = external.unwrap_or((INVALID_ID, 0));
        let mut given = 0;
        let define = self.f.xnn_define_tensor_value;
        let data = data.unwrap_or(null());
        // SAFETY: the sizes are copied; the data has that size and outlives the runtime.
        check("tensor", unsafe {
            define(self.handle, FP32, sizes.len(), sizes.as_ptr(), data, id, flags, &mut given)
        })?;
        Ok(given)
    }
}

impl Drop for Subgraph<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle is ours; a runtime keeps what it needs of its subgraph.
        unsafe { (self.f.xnn_delete_subgraph)(self.handle) };
    }
}
