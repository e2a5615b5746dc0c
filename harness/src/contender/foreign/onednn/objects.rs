//! Owners of oneDNN's objects, and the calls that make and use them.

use super::api::{self, Api, Argument, Dims, Handle};
use crate::contender::buffer::Buffer;
use crate::contender::contract::Refusal;
use std::ffi::{CStr, c_char, c_int};
use std::marker::PhantomData;
use std::ptr::null_mut;
use std::time::Instant;

type Destroy = unsafe extern "C" fn(Handle) -> c_int;

/// An object of the library, destroyed when dropped.
pub(super) struct Owned<'a, Kind> {
    handle: Handle,
    destroy: Destroy,
    of: PhantomData<(&'a Api, Kind)>,
}

// SAFETY: objects of oneDNN are not bound to the thread that made them.
unsafe impl<Kind> Send for Owned<'_, Kind> {}

/// Kinds of objects, so that one cannot be taken for another.
pub(super) mod kind {
    pub(crate) enum Stream {}
    pub(crate) enum Description {}
    pub(crate) enum Memory {}
    pub(crate) enum PostOps {}
    pub(crate) enum Attributes {}
    pub(crate) enum PrimitiveDescription {}
    pub(crate) enum Primitive {}
}

/// A tensor's sizes, type and layout.
pub(super) type Description<'a> = Owned<'a, kind::Description>;
/// A primitive's problem and the implementation chosen for it.
pub(super) type PrimitiveDescription<'a> = Owned<'a, kind::PrimitiveDescription>;
/// Code for one problem.
pub(super) type Primitive<'a> = Owned<'a, kind::Primitive>;
/// What primitives run in.
pub(super) type Stream<'a> = Owned<'a, kind::Stream>;

impl<'a, Kind> Owned<'a, Kind> {
    /// Creates an object: `create` writes its handle and returns the status.
    ///
    /// # Safety
    /// On success `create` has written the handle of a `Kind`, which `destroy` destroys.
    pub(super) unsafe fn create(
        api: &'a Api,
        what: &str,
        destroy: Destroy,
        create: impl FnOnce(*mut Handle) -> c_int,
    ) -> Result<Self, Refusal> {
        let mut handle = null_mut();
        api.check(what, create(&mut handle))?;
        Ok(Owned { handle, destroy, of: PhantomData })
    }

    /// For calls that take this kind of object; live as long as `self`.
    pub(super) fn handle(&self) -> Handle {
        self.handle
    }
}

impl<Kind> Drop for Owned<'_, Kind> {
    fn drop(&mut self) {
        // SAFETY: the handle is one that `destroy` destroys, and this owner is its last user.
        unsafe { (self.destroy)(self.handle) };
    }
}

/// Sizes as oneDNN takes them.
pub(super) fn dims(sizes: &[usize]) -> Result<Dims, Refusal> {
    let mut dims = Dims::default();
    for (to, from) in dims.iter_mut().zip(sizes) {
        *to = i64::try_from(*from)
            .map_err(|_| Refusal::Unsupported(format!("{from} exceeds its integers")))?;
    }
    Ok(dims)
}

impl Api {
    /// An `f32` tensor with strides, or in any layout that a primitive prefers.
    pub(super) fn description(
        &self,
        sizes: &[usize],
        strides: Option<&[usize]>,
    ) -> Result<Description<'_>, Refusal> {
        let f = &self.f;
        let rank = sizes.len() as c_int;
        let sizes = dims(sizes)?;
        let strides = strides.map(dims).transpose()?;
        // SAFETY: both arrays have the greatest length that the library reads, and it keeps a
        // copy of them.
        unsafe {
            Owned::create(self, "tensor", f.dnnl_memory_desc_destroy, |into| match strides {
                Some(strides) => (f.dnnl_memory_desc_create_with_strides)(
                    into,
                    rank,
                    sizes.as_ptr(),
                    api::F32,
                    strides.as_ptr(),
                ),
                None => (f.dnnl_memory_desc_create_with_tag)(
                    into,
                    rank,
                    sizes.as_ptr(),
                    api::F32,
                    api::TAG_ANY,
                ),
            })
        }
    }

    /// The layout that a primitive has chosen for one of its tensors.
    pub(super) fn chosen(
        &self,
        primitive: &PrimitiveDescription<'_>,
        query: c_int,
    ) -> Result<Description<'_>, Refusal> {
        let f = &self.f;
        // SAFETY: the query returns null or a description that belongs to the primitive's,
        // which is alive; the clone is our own.
        unsafe {
            let found = (f.dnnl_primitive_desc_query_md)(primitive.handle, query, 0);
            if found.is_null() {
                return Err(Refusal::Failed(format!("no tensor for query {query}")));
            }
            Owned::create(self, "tensor", f.dnnl_memory_desc_destroy, |into| {
                (f.dnnl_memory_desc_clone)(into, found)
            })
        }
    }

    /// What primitives run in.
    pub(super) fn stream(&self) -> Result<Stream<'_>, Refusal> {
        let f = &self.f;
        // SAFETY: the engine lives as long as the library; 1 asks for execution in order.
        unsafe {
            Owned::create(self, "stream", f.dnnl_stream_destroy, |into| {
                (f.dnnl_stream_create)(into, self.engine, 1)
            })
        }
    }

    /// Generates a primitive's code.
    pub(super) fn primitive(
        &self,
        description: &PrimitiveDescription<'_>,
    ) -> Result<Primitive<'_>, Refusal> {
        let f = &self.f;
        // SAFETY: the description is alive; the primitive keeps what it needs of it.
        unsafe {
            Owned::create(self, "primitive", f.dnnl_primitive_destroy, |into| {
                (f.dnnl_primitive_create)(into, description.handle)
            })
        }
    }

    /// The name of the implementation that a primitive was given.
    pub(super) fn implementation(&self, primitive: &PrimitiveDescription<'_>) -> String {
        let mut name: *const c_char = std::ptr::null();
        let get = self.f.dnnl_primitive_desc_query;
        // SAFETY: this query writes a pointer to a NUL-terminated string that lives as long as
        // the description.
        unsafe {
            let into = (&raw mut name).cast();
            if get(primitive.handle, api::QUERY_IMPLEMENTATION, 0, into) != 0 || name.is_null() {
                return String::new();
            }
            CStr::from_ptr(name).to_string_lossy().into_owned()
        }
    }

    /// Runs a primitive to its end.
    ///
    /// # Safety
    /// The arguments are those that the primitive needs, each a live memory object of the
    /// description it was created with, and nothing else uses their buffers meanwhile.
    pub(super) unsafe fn execute(
        &self,
        primitive: &Primitive<'_>,
        stream: &Stream<'_>,
        arguments: &[Argument],
    ) -> Result<(), Refusal> {
        let count = arguments.len() as c_int;
        // SAFETY: as the caller promises; the stream is alive.
        unsafe {
            let execute = self.f.dnnl_primitive_execute;
            let status = execute(primitive.handle, stream.handle, count, arguments.as_ptr());
            self.check("execution", status)?;
            self.check("execution", (self.f.dnnl_stream_wait)(stream.handle))
        }
    }
}

/// A memory object and the buffer it lies in.
pub(super) struct Tensor<'a> {
    memory: Owned<'a, kind::Memory>,
    description: Description<'a>,
    // Only touched through `memory` from here on, until it is read back.
    buffer: Buffer,
}

impl<'a> Tensor<'a> {
    /// Takes a buffer as the memory of a tensor.
    fn new(
        api: &'a Api,
        description: Description<'a>,
        mut buffer: Buffer,
    ) -> Result<Self, Refusal> {
        // What others hold too is copied here, for the tensor may be written to.
        let _ = buffer.as_mut_ptr();
        Tensor::reading(api, description, buffer)
    }

    /// Takes a buffer, which others may hold too, as the memory of a tensor that is only read.
    pub(super) fn reading(
        api: &'a Api,
        description: Description<'a>,
        buffer: Buffer,
    ) -> Result<Self, Refusal> {
        let f = &api.f;
        // SAFETY: the description is alive; the buffer has the size that it asks for, as
        // checked, and moves with the memory object without its heap storage moving.
        let memory = unsafe {
            let bytes = (f.dnnl_memory_desc_get_size)(description.handle);
            if bytes > size_of_val(&*buffer) {
                return Err(Refusal::Failed(format!("a tensor of {bytes} bytes in less")));
            }
            Owned::create(api, "memory", f.dnnl_memory_destroy, |into| {
                let data = buffer.as_ptr().cast_mut().cast();
                (f.dnnl_memory_create)(into, description.handle, api.engine, data)
            })?
        };
        Ok(Tensor { memory, description, buffer })
    }

    /// A tensor of NaN.
    pub(super) fn unwritten(api: &'a Api, description: Description<'a>) -> Result<Self, Refusal> {
        // SAFETY: the description is alive.
        let bytes = unsafe { (api.f.dnnl_memory_desc_get_size)(description.handle) };
        Tensor::new(api, description, Buffer::unwritten(bytes.div_ceil(size_of::<f32>())))
    }

    /// A tensor that holds `values`, which lie as its description says.
    pub(super) fn holding(
        api: &'a Api,
        description: Description<'a>,
        values: &[f32],
    ) -> Result<Self, Refusal> {
        Tensor::new(api, description, Buffer::copy_of(values))
    }

    /// This tensor in another layout, the time that takes to prepare, and that it takes, in ns.
    pub(super) fn reordered(
        &self,
        api: &'a Api,
        stream: &Stream<'_>,
        description: Description<'a>,
    ) -> Result<(Tensor<'a>, [f64; 2]), Refusal> {
        let f = &api.f;
        let into = Tensor::unwritten(api, description)?;
        let start = Instant::now();
        // SAFETY: both descriptions and the engine are alive.
        let reorder: PrimitiveDescription<'_> = unsafe {
            Owned::create(api, "reorder", f.dnnl_primitive_desc_destroy, |reorder| {
                (f.dnnl_reorder_primitive_desc_create)(
                    reorder,
                    self.description.handle,
                    api.engine,
                    into.description.handle,
                    api.engine,
                    null_mut(),
                )
            })?
        };
        let primitive = api.primitive(&reorder)?;
        let planned = start.elapsed();
        let arguments = [self.argument(api::ARG_SRC), into.argument(api::ARG_DST)];
        let start = Instant::now();
        // SAFETY: the two arguments of a reorder, of the descriptions it was created with; both
        // tensors are borrowed or owned here.
        unsafe { api.execute(&primitive, stream, &arguments)? };
        let times = [planned.as_nanos() as f64, start.elapsed().as_nanos() as f64];
        Ok((into, times))
    }

    /// This tensor as an argument of a primitive; live as long as `self`.
    pub(super) fn argument(&self, index: c_int) -> Argument {
        Argument { index, memory: self.memory.handle }
    }

    /// Makes the values NaN again.
    pub(super) fn clear(&mut self) {
        self.buffer.fill(f32::NAN);
    }

    /// The values, in the tensor's own layout.
    pub(super) fn values(&self) -> &[f32] {
        &self.buffer
    }
}
