//! Each thread's scratch memory.

use crate::describe::error::Error;
use crate::pack::aligned::Aligned;
use core::cell::Cell;

std::thread_local! {
    static SCRATCH: Cell<Aligned> = const { Cell::new(Aligned::empty()) };
}

/// Calls `f` with this thread's scratch, which has at least `bytes` bytes of unspecified content. It is
/// allocated at the first call that needs so many bytes, and kept for later calls.
///
/// # Errors
/// [`Error::OutOfMemory`]. `f` is then not called.
pub(crate) fn with_scratch<R>(bytes: usize, f: impl FnOnce(&mut Aligned) -> R) -> Result<R, Error> {
    // The scratch is taken out while it is in use, so that a nested call gets another one. A thread that
    // is ending, and has dropped its scratch already, gets one for this call only.
    let kept = SCRATCH.try_with(|kept| kept.replace(Aligned::empty()));
    let mut scratch = kept.unwrap_or(Aligned::empty());
    let grown = scratch.grow(bytes);
    let result = grown.map(|()| f(&mut scratch));
    let _ = SCRATCH.try_with(|kept| kept.set(scratch));
    result
}
