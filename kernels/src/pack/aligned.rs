//! Memory aligned to cache lines.

use crate::describe::error::Error;

/// One cache line: the alignment of everything packed.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct CacheLine([f32; 16]);

/// A zeroed, line-aligned run of `f32` whose length is rounded up to whole lines.
#[derive(Clone)]
pub(crate) struct Aligned(Vec<CacheLine>);

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
    pub(crate) fn grow(&mut self, len: usize) -> Result<(), Error> {
        let lines = len.div_ceil(16);
        if lines > self.0.len() {
            self.0
                .try_reserve_exact(lines - self.0.len())
                .map_err(|_| Error::OutOfMemory { bytes: lines.saturating_mul(64) })?;
            self.0.resize(lines, CacheLine([0.0; 16]));
        }
        Ok(())
    }

    pub(crate) fn values(&self) -> &[f32] {
        // SAFETY: `CacheLine` is 16 floats and no padding.
        unsafe { core::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len() * 16) }
    }

    pub(crate) fn values_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above.
        unsafe { core::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.0.len() * 16) }
    }
}
