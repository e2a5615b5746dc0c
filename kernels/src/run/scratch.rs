//! Each thread's scratch memory.

use crate::describe::error::Error;
use crate::pack::aligned::Aligned;
use core::cell::Cell;

std::thread_local! {
    static SCRATCH: Cell<Aligned> = const { Cell::new(Aligned::empty()) };
}

/// Lends `f` this thread's scratch, at least so many bytes of whatever was there before. It is
/// allocated at the first call that needs so much and kept for the next.
///
/// # Errors
/// [`Error::OutOfMemory`]; `f` was then not called.
pub(crate) fn with_scratch<R>(bytes: usize, f: impl FnOnce(&mut Aligned) -> R) -> Result<R, Error> {
    // Taken out while in use: a nested call gets a fresh one, never the same.
    // A thread that is ending, and has dropped its own, is lent one for the call.
    let kept = SCRATCH.try_with(|kept| kept.replace(Aligned::empty()));
    let mut scratch = kept.unwrap_or(Aligned::empty());
    let grown = scratch.grow(bytes);
    let result = grown.map(|()| f(&mut scratch));
    let _ = SCRATCH.try_with(|kept| kept.set(scratch));
    result
}
