//! Memory aligned to cache lines.

use crate::describe::arithmetic::Element;
use crate::describe::error::Error;

/// One cache line: the alignment of everything packed.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct CacheLine([u8; 64]);

/// A zeroed, line-aligned run of bytes, a whole number of lines, seen as elements of any type.
#[derive(Clone)]
pub(crate) struct Aligned(Vec<CacheLine>);

impl Aligned {
    pub(crate) const fn empty() -> Self {
        Aligned(Vec::new())
    }

    /// Room for `len` elements.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub(crate) fn zeroed<T: Element>(len: usize) -> Result<Self, Error> {
        let mut aligned = Aligned::empty();
        aligned.grow(len.saturating_mul(size_of::<T>()))?;
        Ok(aligned)
    }

    /// Makes room for so many bytes, zeroing what is new.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Error> {
        let lines = bytes.div_ceil(size_of::<CacheLine>());
        if lines > self.0.len() {
            self.0
                .try_reserve_exact(lines - self.0.len())
                .map_err(|_| Error::OutOfMemory { bytes: lines.saturating_mul(64) })?;
            self.0.resize(lines, CacheLine([0; 64]));
        }
        Ok(())
    }

    /// Bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self.0.as_slice())
    }

    /// Two parts, one after the other: `first` elements rounded up to whole lines, and the rest.
    pub(crate) fn parts_mut<T: Element, U: Element>(
        &mut self,
        first: usize,
    ) -> (&mut [T], &mut [U]) {
        let lines = (first * size_of::<T>()).div_ceil(size_of::<CacheLine>());
        let (first, rest) = self.0.split_at_mut(lines);
        (elements_mut(first), elements_mut(rest))
    }

    /// All of it as elements.
    pub(crate) fn values<T: Element>(&self) -> &[T] {
        let len = self.bytes() / size_of::<T>();
        // SAFETY: so many elements fit, aligned since a line is; an element is plain data.
        unsafe { core::slice::from_raw_parts(self.0.as_ptr().cast(), len) }
    }

    /// All of it as elements.
    pub(crate) fn values_mut<T: Element>(&mut self) -> &mut [T] {
        elements_mut(&mut self.0)
    }
}

fn elements_mut<T: Element>(lines: &mut [CacheLine]) -> &mut [T] {
    let len = size_of_val(lines) / size_of::<T>();
    // SAFETY: so many elements fit, aligned since a line is; an element is plain data.
    unsafe { core::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), len) }
}
