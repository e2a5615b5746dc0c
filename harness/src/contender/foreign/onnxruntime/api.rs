//! The part of ONNX Runtime's C API that one convolution needs, with owners for its objects.

use crate::contender::contract::Refusal;
use crate::contender::foreign::{INSTALL, find_file, open};
use libloading::Library;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr::{NonNull, null_mut};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Any of the library's objects.
pub(super) type Handle = *mut c_void;
/// What functions return: null, or an error to be released.
pub(super) type Status = *mut c_void;

/// The version of the API that is asked for, of 2022; later libraries have it too.
const API_VERSION: u32 = 13;
pub(super) const LOG_ERRORS: c_int = 3;
pub(super) const OPTIMISE_ALL: c_int = 99;
pub(super) const FLOAT: c_int = 1;

/// `OrtApiBase`.
#[repr(C)]
struct ApiBase {
    api: unsafe extern "C" fn(u32) -> *const Table,
    version: unsafe extern "C" fn() -> *const c_char,
}

/// `OrtApi`: the functions in the order of the header, which is never changed, only added to.
/// Those that aren't needed have no type.
#[repr(C)]
pub(super) struct Table {
    before_message: [usize; 2],
    error_message: unsafe extern "C" fn(Status) -> *const c_char,
    before_session: [usize; 5],
    /// `CreateSessionFromArray`.
    pub(super) create_session:
        unsafe extern "C" fn(Handle, *const c_void, usize, Handle, *mut Handle) -> Status,
    pub(super) run: unsafe extern "C" fn(
        Handle,
        Handle,
        *const *const c_char,
        *const Handle,
        usize,
        *const *const c_char,
        usize,
        *mut Handle,
    ) -> Status,
    pub(super) create_session_options: unsafe extern "C" fn(*mut Handle) -> Status,
    pub(super) set_optimised_model_path: unsafe extern "C" fn(Handle, *const c_char) -> Status,
    before_severity: [usize; 10],
    pub(super) set_log_severity: unsafe extern "C" fn(Handle, c_int) -> Status,
    pub(super) set_optimisation: unsafe extern "C" fn(Handle, c_int) -> Status,
    pub(super) set_intra_op_threads: unsafe extern "C" fn(Handle, c_int) -> Status,
    pub(super) set_inter_op_threads: unsafe extern "C" fn(Handle, c_int) -> Status,
    before_tensor: [usize; 23],
    /// `CreateTensorWithDataAsOrtValue`.
    pub(super) create_tensor: unsafe extern "C" fn(
        Handle,
        *mut c_void,
        usize,
        *const i64,
        usize,
        c_int,
        *mut Handle,
    ) -> Status,
    before_memory: [usize; 19],
    /// `CreateCpuMemoryInfo`.
    create_memory: unsafe extern "C" fn(c_int, c_int, *mut Handle) -> Status,
    before_releases: [usize; 22],
    release_environment: Release,
    release_status: Release,
    release_memory: Release,
    pub(super) release_session: Release,
    pub(super) release_value: Release,
    before_options: [usize; 3],
    pub(super) release_session_options: Release,
    before_pools: [usize; 18],
    /// `CreateEnvWithGlobalThreadPools`.
    create_environment: unsafe extern "C" fn(c_int, *const c_char, Handle, *mut Handle) -> Status,
    /// `DisablePerSessionThreads`.
    pub(super) share_threads: unsafe extern "C" fn(Handle) -> Status,
    create_threading: unsafe extern "C" fn(*mut Handle) -> Status,
    release_threading: Release,
    before_entry: [usize; 7],
    /// `AddSessionConfigEntry`.
    pub(super) configure: unsafe extern "C" fn(Handle, *const c_char, *const c_char) -> Status,
    before_global: [usize; 16],
    set_global_intra_op_threads: unsafe extern "C" fn(Handle, c_int) -> Status,
    set_global_inter_op_threads: unsafe extern "C" fn(Handle, c_int) -> Status,
    set_global_spinning: unsafe extern "C" fn(Handle, c_int) -> Status,
}

pub(super) type Release = unsafe extern "C" fn(Handle);

/// The loaded library.
pub(super) struct Api {
    pub(super) table: &'static Table,
    pub(super) version: String,
    environment: Mutex<Weak<Environment>>,
}

/// An object of the library, released when dropped.
pub(super) struct Owned {
    handle: Handle,
    release: Release,
}

// SAFETY: the library's objects may be used and released on any thread.
unsafe impl Send for Owned {}
// SAFETY: what is shared here, an environment, may be used from several threads at once.
unsafe impl Sync for Owned {}

impl Owned {
    /// For calls that take this object; alive as long as `self`.
    pub(super) fn handle(&self) -> Handle {
        self.handle
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: the handle is one that `release` releases, and this owner is its last user.
        unsafe { (self.release)(self.handle) };
    }
}

/// The process's environment, with a thread pool for all sessions that want so many threads.
pub(super) struct Environment {
    pub(super) object: Owned,
    pub(super) threads: usize,
}

impl Api {
    pub(super) fn load(folder: &Path) -> Result<Self, Refusal> {
        // The wheel's file is named after its version.
        let here = find_file(folder, 6, |name| name.starts_with("libonnxruntime.so"));
        let (library, path) = match here {
            Some(path) => open(&path)?,
            None => ["libonnxruntime.so", "libonnxruntime.so.1"]
                .into_iter()
                .find_map(|name| open(Path::new(name)).ok())
                .ok_or_else(|| {
                    Refusal::Unavailable(format!(
                        "libonnxruntime.so is neither in {} nor installed; {INSTALL}",
                        folder.display()
                    ))
                })?,
        };
        let api = Api::of(&library)
            .map_err(|why| Refusal::Unavailable(format!("{}: {why}", path.display())));
        // Never unloaded: its threads may wait in code of it.
        std::mem::forget(library);
        api
    }

    fn of(library: &Library) -> Result<Self, String> {
        // SAFETY: the one function that the library exports for this; it takes nothing and returns
        // a pointer to a table that lives as long as the library, which is never unloaded. A table
        // of version 13 has all the functions of `Table`.
        unsafe {
            let base: unsafe extern "C" fn() -> *const ApiBase =
                *library.get("OrtGetApiBase").map_err(|e| e.to_string())?;
            let base = base().as_ref().ok_or("it has no functions")?;
            let table = (base.api)(API_VERSION).as_ref();
            let table = table.ok_or_else(|| format!("it has no API of version {API_VERSION}"))?;
            let version = CStr::from_ptr((base.version)()).to_string_lossy().into_owned();
            Ok(Api { table, version, environment: Mutex::default() })
        }
    }

    /// A status as a result, named after what was tried.
    pub(super) fn check(&self, what: &str, status: Status) -> Result<(), Refusal> {
        let Some(status) = NonNull::new(status) else { return Ok(()) };
        // SAFETY: an error, whose message is a NUL-terminated string that lives until the error is
        // released, which is done once.
        let why = unsafe {
            let why = (self.table.error_message)(status.as_ptr());
            let why = CStr::from_ptr(why).to_string_lossy().into_owned();
            (self.table.release_status)(status.as_ptr());
            why
        };
        Err(Refusal::Failed(format!("{what}: {}", why.replace('\n', " "))))
    }

    /// Creates an object.
    ///
    /// # Safety
    /// On success `create` has written a handle that `release` releases.
    pub(super) unsafe fn create(
        &self,
        what: &str,
        release: Release,
        create: impl FnOnce(*mut Handle) -> Status,
    ) -> Result<Owned, Refusal> {
        let mut handle = null_mut();
        self.check(what, create(&mut handle))?;
        Ok(Owned { handle, release })
    }

    /// The environment that is alive, or a new one with a pool of so many threads.
    pub(super) fn environment(&self, threads: usize) -> Result<Arc<Environment>, Refusal> {
        let t = self.table;
        let mut shared = self.environment.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(environment) = shared.upgrade() {
            return Ok(environment);
        }
        let count = c_int::try_from(threads).unwrap_or(c_int::MAX);
        // SAFETY: each call gets live objects of the kind that it takes and a handle to write to.
        let object = unsafe {
            let threading =
                self.create("threads", t.release_threading, |into| (t.create_threading)(into))?;
            let options = threading.handle();
            self.check("threads", (t.set_global_intra_op_threads)(options, count))?;
            self.check("threads", (t.set_global_inter_op_threads)(options, 1))?;
            self.check("spinning", (t.set_global_spinning)(options, 1))?;
            self.create("environment", t.release_environment, |into| {
                (t.create_environment)(LOG_ERRORS, c"pointwise".as_ptr(), options, into)
            })?
        };
        let environment = Arc::new(Environment { object, threads });
        *shared = Arc::downgrade(&environment);
        Ok(environment)
    }

    /// Where tensors lie: in plain memory.
    pub(super) fn memory(&self) -> Result<Owned, Refusal> {
        const DEVICE: c_int = 0;
        let t = self.table;
        // SAFETY: plain values in, a handle out.
        unsafe {
            self.create("memory", t.release_memory, |into| (t.create_memory)(DEVICE, 0, into))
        }
    }
}

/// A name or a path as C takes it.
pub(super) fn text(text: &str) -> Result<CString, Refusal> {
    CString::new(text).map_err(|e| Refusal::Failed(format!("{text}: {e}")))
}

#[cfg(test)]
mod tests {
    use super::Table;
    use std::mem::{offset_of, size_of};

    #[test]
    fn functions_are_where_the_header_has_them() {
        let at = |offset: usize| offset / size_of::<usize>();
        assert_eq!(at(offset_of!(Table, create_session)), 8);
        assert_eq!(at(offset_of!(Table, set_intra_op_threads)), 24);
        assert_eq!(at(offset_of!(Table, create_tensor)), 49);
        assert_eq!(at(offset_of!(Table, create_memory)), 69);
        assert_eq!(at(offset_of!(Table, release_environment)), 92);
        assert_eq!(at(offset_of!(Table, release_session_options)), 100);
        assert_eq!(at(offset_of!(Table, create_environment)), 119);
        assert_eq!(at(offset_of!(Table, configure)), 130);
        assert_eq!(at(offset_of!(Table, set_global_spinning)), 149);
    }
}
