//! Aligned memory: packed weights, and each thread's scratch.

use crate::Error;
use core::cell::Cell;

/// One cache line: the alignment of everything packed.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// A zeroed, line-aligned run of `f32` whose length is rounded up to whole lines.
#[derive(Clone)]
pub(crate) struct Aligned(Vec<Line>);

impl Aligned {
    pub(crate) const fn empty() -> Self {
        Aligned(Vec::new())
    }

    /// # Errors
    /// [`Error::OutOfMemory`].
    pub(crate) fn zeroed(len: usize) -> Result<Self, Error> {
        let mut aligned = Aligned::empty();
        aligned.grow(len)?;
        Ok(aligned)
    }

    /// Makes room for `len` values, zeroing what is new.
    fn grow(&mut self, len: usize) -> Result<(), Error> {
        let lines = len.div_ceil(16);
        if lines > self.0.len() {
            self.0
                .try_reserve_exact(lines - self.0.len())
                .map_err(|_| Error::OutOfMemory { bytes: lines.saturating_mul(64) })?;
            self.0.resize(lines, Line([0.0; 16]));
        }
        Ok(())
    }

    pub(crate) fn values(&self) -> &[f32] {
        // SAFETY: `Line` is 16 floats and no padding.
        unsafe { core::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len() * 16) }
    }

    pub(crate) fn values_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above.
        unsafe { core::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.0.len() * 16) }
    }
}

std::thread_local! {
    static SCRATCH: Cell<Aligned> = const { Cell::new(Aligned::empty()) };
}

/// Lends `f` this thread's scratch, at least `len` values of whatever was there before. It is
/// allocated at the first call that needs so much and kept for the next.
///
/// # Errors
/// [`Error::OutOfMemory`]; `f` was then not called.
pub(crate) fn with_scratch<R>(len: usize, f: impl FnOnce(&mut [f32]) -> R) -> Result<R, Error> {
    // Taken out while in use: a nested call gets a fresh one, never the same.
    // A thread that is ending, and has dropped its own, is lent one for the call.
    let kept = SCRATCH.try_with(|kept| kept.replace(Aligned::empty()));
    let mut scratch = kept.unwrap_or(Aligned::empty());
    let grown = scratch.grow(len);
    let result = grown.map(|()| f(scratch.values_mut()));
    let _ = SCRATCH.try_with(|kept| kept.set(scratch));
    result
}
