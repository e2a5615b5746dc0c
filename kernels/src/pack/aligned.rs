//! Memory aligned to cache lines.

use crate::describe::arithmetic::Element;
use crate::describe::error::Error;

/// The bytes of one cache line. All packed values are aligned to it.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct CacheLine([u8; 64]);

/// Whole cache lines of memory, zeroed, which can be read and written as elements of any type.
#[derive(Clone)]
pub(crate) struct Aligned(Vec<CacheLine>);

impl Aligned {
    pub(crate) const fn empty() -> Self {
        Aligned(Vec::new())
    }

    /// Memory for `len` elements.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub(crate) fn zeroed<T: Element>(len: usize) -> Result<Self, Error> {
        let mut aligned = Aligned::empty();
        aligned.grow(len.saturating_mul(size_of::<T>()))?;
        Ok(aligned)
    }

    /// Grows to at least `bytes` bytes. New bytes are zero.
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

    /// The number of bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self.0.as_slice())
    }

    /// The memory as two slices, one after the other: `first` elements, rounded up to whole cache
    /// lines, and the rest.
    pub(crate) fn parts_mut<T: Element, U: Element>(
        &mut self,
        first: usize,
    ) -> (&mut [T], &mut [U]) {
        let lines = (first * size_of::<T>()).div_ceil(size_of::<CacheLine>());
        let (first, rest) = self.0.split_at_mut(lines);
        (elements_mut(first), elements_mut(rest))
    }

    /// The whole memory as elements.
    pub(crate) fn values<T: Element>(&self) -> &[T] {
        let len = self.bytes() / size_of::<T>();
        // SAFETY: so many elements fit. A cache line is aligned enough for them, and they are plain
        // data.
        unsafe { core::slice::from_raw_parts(self.0.as_ptr().cast(), len) }
    }

    /// The whole memory as elements.
    pub(crate) fn values_mut<T: Element>(&mut self) -> &mut [T] {
        elements_mut(&mut self.0)
    }
}

fn elements_mut<T: Element>(lines: &mut [CacheLine]) -> &mut [T] {
    let len = size_of_val(lines) / size_of::<T>();
    // SAFETY: so many elements fit. A cache line is aligned enough for them, and they are plain data.
    unsafe { core::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), len) }
}
