//! The part of oneDNN's C API (3.x) that a convolution needs, with owners for its objects.

use crate::contender::contract::Refusal;
use crate::contender::foreign::{open_first, peers_folder};
use libloading::Library;
use pointwise::Isa;
use std::ffi::{c_char, c_int, c_uint, c_void};
use std::path::Path;
use std::ptr::null_mut;

/// Any of the library's objects.
pub(super) type Handle = *mut c_void;
/// Sizes, strides or paddings, `DNNL_MAX_NDIMS` of them.
pub(super) type Dims = [i64; 12];

/// `dnnl_exec_arg_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Argument {
    pub(super) index: c_int,
    pub(super) memory: Handle,
}

/// `dnnl_version_t`.
#[repr(C)]
struct Version {
    major: c_int,
    minor: c_int,
    patch: c_int,
    hash: *const c_char,
    cpu_runtime: c_uint,
    gpu_runtime: c_uint,
}

pub(super) const F32: c_int = 3;
pub(super) const TAG_ANY: c_int = 1;
pub(super) const FORWARD_INFERENCE: c_int = 96;
pub(super) const CONVOLUTION_DIRECT: c_int = 1;
pub(super) const ELTWISE_RELU: c_int = 0x20;
pub(super) const ELTWISE_CLIP: c_int = 0x2e;
pub(super) const BINARY_ADD: c_int = 0x1fff0;
pub(super) const QUERY_IMPLEMENTATION: c_int = 8;
pub(super) const QUERY_SRC: c_int = 129;
pub(super) const QUERY_WEIGHTS: c_int = 131;
pub(super) const QUERY_DST: c_int = 133;
pub(super) const QUERY_SCRATCHPAD: c_int = 136;
pub(super) const ARG_SRC: c_int = 1;
pub(super) const ARG_SRC_1: c_int = 2;
pub(super) const ARG_DST: c_int = 17;
pub(super) const ARG_WEIGHTS: c_int = 33;
pub(super) const ARG_BIAS: c_int = 41;
pub(super) const ARG_SCRATCHPAD: c_int = 80;
/// The first post-op's arguments, to which their own index is added.
pub(super) const ARG_POST_OP_0: c_int = 32768;
pub(super) const SCRATCHPAD_USER: c_int = 1;
const ENGINE_CPU: c_int = 1;
const ISA_AVX2: c_int = 0x7;
const ISA_AVX512: c_int = 0x1ef;
const RUNTIME_SEQUENTIAL: c_uint = 1;
const RUNTIME_OPENMP: c_uint = 2;

/// Declares the functions that are looked up, by name and as `dnnl.h` declares them.
macro_rules! functions {
    ($($name:ident($($argument:ty),*) -> $result:ty;)*) => {
        /// The library's functions.
        #[allow(non_snake_case)]
        pub(super) struct Functions {
            $(pub(super) $name: unsafe extern "C" fn($($argument),*) -> $result,)*
        }

        impl Functions {
            fn find(library: &Library) -> Result<Self, libloading::Error> {
                // SAFETY: each type is that of the declaration in oneDNN's public header, which
                // holds for every version 3.x.
                unsafe { Ok(Functions { $($name: *library.get(stringify!($name))?,)* }) }
            }
        }
    };
}

functions! {
    dnnl_version() -> *const c_void;
    dnnl_set_max_cpu_isa(c_int) -> c_int;
    dnnl_get_effective_cpu_isa() -> c_int;
    dnnl_set_primitive_cache_capacity(c_int) -> c_int;
    dnnl_engine_create(*mut Handle, c_int, usize) -> c_int;
    dnnl_stream_create(*mut Handle, Handle, c_uint) -> c_int;
    dnnl_stream_wait(Handle) -> c_int;
    dnnl_stream_destroy(Handle) -> c_int;
    dnnl_memory_desc_create_with_tag(*mut Handle, c_int, *const i64, c_int, c_int) -> c_int;
    dnnl_memory_desc_create_with_strides(*mut Handle, c_int, *const i64, c_int, *const i64) -> c_int;
    dnnl_memory_desc_clone(*mut Handle, *const c_void) -> c_int;
    dnnl_memory_desc_destroy(Handle) -> c_int;
    dnnl_memory_desc_get_size(Handle) -> usize;
    dnnl_memory_create(*mut Handle, Handle, Handle, *mut c_void) -> c_int;
    dnnl_memory_destroy(Handle) -> c_int;
    dnnl_primitive_attr_create(*mut Handle) -> c_int;
    dnnl_primitive_attr_set_post_ops(Handle, Handle) -> c_int;
    dnnl_primitive_attr_set_scratchpad_mode(Handle, c_int) -> c_int;
    dnnl_primitive_attr_destroy(Handle) -> c_int;
    dnnl_post_ops_create(*mut Handle) -> c_int;
    dnnl_post_ops_append_eltwise(Handle, c_int, f32, f32) -> c_int;
    dnnl_post_ops_append_binary(Handle, c_int, Handle) -> c_int;
    dnnl_post_ops_destroy(Handle) -> c_int;
    dnnl_convolution_forward_primitive_desc_create(
        *mut Handle, Handle, c_int, c_int, Handle, Handle, Handle, Handle,
        *const i64, *const i64, *const i64, *const i64, Handle
    ) -> c_int;
    dnnl_eltwise_forward_primitive_desc_create(
        *mut Handle, Handle, c_int, c_int, Handle, Handle, f32, f32, Handle
    ) -> c_int;
    dnnl_binary_primitive_desc_create(
        *mut Handle, Handle, c_int, Handle, Handle, Handle, Handle
    ) -> c_int;
    dnnl_reorder_primitive_desc_create(*mut Handle, Handle, Handle, Handle, Handle, Handle) -> c_int;
    dnnl_primitive_desc_query(Handle, c_int, c_int, *mut c_void) -> c_int;
    dnnl_primitive_desc_query_md(Handle, c_int, c_int) -> *const c_void;
    dnnl_primitive_desc_destroy(Handle) -> c_int;
    dnnl_primitive_create(*mut Handle, Handle) -> c_int;
    dnnl_primitive_execute(Handle, Handle, c_int, *const Argument) -> c_int;
    dnnl_primitive_destroy(Handle) -> c_int;
}

/// The threads that OpenMP gives to the calling thread's next parallel region.
struct OpenMp {
    set: unsafe extern "C" fn(c_int),
    get: unsafe extern "C" fn() -> c_int,
    /// From OpenMP 5.0 on.
    pause: Option<unsafe extern "C" fn(c_int) -> c_int>,
}

/// The loaded library with its engine.
pub(super) struct Api {
    pub(super) f: Functions,
    pub(super) engine: Handle,
    pub(super) version: String,
    threads: Option<OpenMp>,
    isa: Option<Isa>,
}

// SAFETY: oneDNN's functions may be called from any thread, and an engine may be used from
// several at once; nothing else here is a pointer to data.
unsafe impl Send for Api {}
// SAFETY: as above.
unsafe impl Sync for Api {}

impl Api {
    /// Loads the library and caps its ISA.
    pub(super) fn load(peers: Option<&Path>, isa: Option<Isa>) -> Result<Self, Refusal> {
        let (library, path) = open_first(&peers_folder(peers), &["libdnnl.so.3"])?;
        let f = Functions::find(&library)
            .map_err(|e| Refusal::Unavailable(format!("{}: {e}", path.display())))?;
        // SAFETY: `dnnl_version` returns a pointer to a constant of that type.
        let version = unsafe { &*(f.dnnl_version)().cast::<Version>() };
        // Looked up through the library's own handle, so that it is the runtime it runs on.
        // SAFETY: every OpenMP runtime declares them so.
        let openmp = unsafe {
            let pause = library.get("omp_pause_resource_all").ok().map(|symbol| *symbol);
            match (library.get("omp_set_num_threads"), library.get("omp_get_max_threads")) {
                (Ok(set), Ok(get)) => Some(OpenMp { set: *set, get: *get, pause }),
                _ => None,
            }
        };
        let threads = match version.cpu_runtime {
            RUNTIME_OPENMP if openmp.is_some() => openmp,
            RUNTIME_SEQUENTIAL => None,
            other => {
                return Err(Refusal::Unavailable(format!(
                    "{}: built for CPU runtime {other}; only OpenMP's threads can be set",
                    path.display()
                )));
            }
        };
        let version = format!("{}.{}.{}", version.major, version.minor, version.patch);
        let mut api = Api { f, engine: null_mut(), version, threads, isa };
        api.cap()?;
        // SAFETY: plain values in, a handle out.
        unsafe {
            // A second creation of the same primitive would else be a look-up, and the time of
            // it no measure of what creating one costs.
            api.check("cache", (api.f.dnnl_set_primitive_cache_capacity)(0))?;
            let mut engine = null_mut();
            api.check("engine", (api.f.dnnl_engine_create)(&mut engine, ENGINE_CPU, 0))?;
            api.engine = engine;
        }
        // Never unloaded: OpenMP's worker threads wait in code of it and of its dependencies.
        std::mem::forget(library);
        Ok(api)
    }

    /// Sets the ISA cap, which the library takes only before its first use, and reads it back.
    fn cap(&self) -> Result<(), Refusal> {
        let wanted = match self.isa {
            None | Some(Isa::Neon) => return Ok(()),
            Some(Isa::Avx512) => ISA_AVX512,
            Some(Isa::Avx2) => ISA_AVX2,
            Some(isa) => {
                return Err(Refusal::Unsupported(format!("it cannot be capped at {isa}")));
            }
        };
        // SAFETY: both take and return a plain integer.
        let effective = unsafe {
            (self.f.dnnl_set_max_cpu_isa)(wanted);
            (self.f.dnnl_get_effective_cpu_isa)()
        };
        if effective & !wanted != 0 {
            return Err(Refusal::Unsupported(format!(
                "it was used before it could be capped, and runs ISA {effective:#x}"
            )));
        }
        Ok(())
    }

    /// Sets the calling thread's OpenMP threads and reads them back.
    pub(super) fn set_threads(&self, threads: usize) -> Result<(), Refusal> {
        let Some(openmp) = &self.threads else {
            let refusal = Refusal::Unsupported("this build of it has one thread".to_owned());
            return if threads == 1 { Ok(()) } else { Err(refusal) };
        };
        let wanted = c_int::try_from(threads).unwrap_or(c_int::MAX);
        // SAFETY: both take and return a plain integer.
        let got = unsafe {
            (openmp.set)(wanted);
            (openmp.get)()
        };
        if got == wanted {
            return Ok(());
        }
        Err(Refusal::Failed(format!("{threads} OpenMP threads asked for, {got} set")))
    }

    /// Ends the workers that the calling thread has: they would spin on for a while, and count
    /// as busy when another thread's are started, which then hardly spin at all.
    pub(super) fn end_workers(&self) {
        const SOFT: c_int = 1;
        if let Some(OpenMp { pause: Some(pause), .. }) = &self.threads {
            // SAFETY: it takes a plain integer, and is not called from a parallel region.
            unsafe { pause(SOFT) };
        }
    }

    /// The cap it was loaded with.
    pub(super) fn isa(&self) -> Option<Isa> {
        self.isa
    }

    /// A status as a result, named after what was tried.
    pub(super) fn check(&self, what: &str, status: c_int) -> Result<(), Refusal> {
        let why = match status {
            0 => return Ok(()),
            1 => "out of memory",
            2 => "invalid arguments",
            3 => return Err(Refusal::Unsupported(format!("{what}: it has no implementation"))),
            _ => "error",
        };
        Err(Refusal::Failed(format!("{what}: {why} (status {status})")))
    }
}
