//! Memory as an inference engine would give it: aligned to cache lines, and readable a little
//! past the end, so that no contender is slowed by where its data happens to lie.

use std::ops::{Deref, DerefMut};

/// Bytes of a cache line, and of the widest vector.
const ALIGN: usize = 64;
/// Values past the end that may be read (XNNPACK reads up to 16 bytes there).
const SLACK: usize = ALIGN / size_of::<f32>();

/// `f32` values that start on a cache line.
pub(super) struct Buffer {
    values: Vec<f32>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// `len` times `value`.
    pub(super) fn filled(len: usize, value: f32) -> Self {
        let values = vec![value; len + 2 * SLACK];
        // A `Vec<f32>` starts on a multiple of 4, so that the next line is at most 15 away.
        let start = values.as_ptr().align_offset(ALIGN).min(SLACK);
        Buffer { values, start, len }
    }

    /// NaN throughout, so that an output that is never written is found out.
    pub(super) fn unwritten(len: usize) -> Self {
        Buffer::filled(len, f32::NAN)
    }

    /// A copy of `values`.
    pub(super) fn copy_of(values: &[f32]) -> Self {
        let mut buffer = Buffer::filled(values.len(), 0.0);
        buffer.copy_from_slice(values);
        buffer
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[self.start..][..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.start..][..self.len]
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
}
