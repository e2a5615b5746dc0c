//! Memory as an inference engine would give it: aligned to cache lines, and readable a little
//! past the end, so that no contender is slowed by where its data happens to lie.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// Bytes of a cache line, and of the widest vector.
const ALIGN: usize = 64;
/// Values past the end that may be read (XNNPACK reads up to 16 bytes there).
const SLACK: usize = ALIGN / size_of::<f32>();

/// `f32` values that start on a cache line. Several contenders' layers may hold one buffer, as the
/// layers of a network that read one tensor do; whoever writes to it gets a copy of its own.
#[derive(Debug)]
pub struct Buffer(Arc<Storage>);

#[derive(Debug)]
struct Storage {
    values: Vec<f32>,
    start: usize,
    len: usize,
}

impl Storage {
    fn filled(len: usize, value: f32) -> Self {
        let values = vec![value; len + 2 * SLACK];
        // A `Vec<f32>` starts on a multiple of 4, so that the next line is at most 15 away.
        let start = values.as_ptr().align_offset(ALIGN).min(SLACK);
        Storage { values, start, len }
    }

    fn copy_of(values: &[f32]) -> Self {
        let mut storage = Storage::filled(values.len(), 0.0);
        storage.slice_mut().copy_from_slice(values);
        storage
    }

    fn slice(&self) -> &[f32] {
        &self.values[self.start..][..self.len]
    }

    fn slice_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.start..][..self.len]
    }
}

impl Clone for Storage {
    /// Aligned like the original, which a copy of the `Vec` would not be.
    fn clone(&self) -> Self {
        Storage::copy_of(self.slice())
    }
}

impl Buffer {
    /// `len` times `value`.
    pub fn filled(len: usize, value: f32) -> Self {
        Buffer(Arc::new(Storage::filled(len, value)))
    }

    /// NaN throughout, so that an output that is never written is found out.
    pub fn unwritten(len: usize) -> Self {
        Buffer::filled(len, f32::NAN)
    }

    /// A copy of `values`.
    pub fn copy_of(values: &[f32]) -> Self {
        Buffer(Arc::new(Storage::copy_of(values)))
    }

    /// The same memory once more.
    pub fn share(&self) -> Self {
        Buffer(Arc::clone(&self.0))
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        self.0.slice()
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        Arc::make_mut(&mut self.0).slice_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_on_a_line_and_holds_what_was_given() {
        for len in [0, 1, 15, 16, 17, 1000] {
            let values: Vec<f32> = (0..len).map(|i| i as f32).collect();
            let buffer = Buffer::copy_of(&values);
            assert_eq!(buffer.as_ptr() as usize % ALIGN, 0);
            assert_eq!(*buffer, *values);
        }
    }

    #[test]
    fn what_is_shared_stays_as_it_is_when_one_holder_writes() {
        let first = Buffer::copy_of(&[1.0, 2.0]);
        let mut second = first.share();
        assert_eq!(first.as_ptr(), second.as_ptr());
        second[0] = 3.0;
        assert_eq!((&*first, &*second), (&[1.0, 2.0][..], &[3.0, 2.0][..]));
        assert_eq!(second.as_ptr() as usize % ALIGN, 0);
    }
}
