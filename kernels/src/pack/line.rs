//! Packing pixels into lines: `[c][width]`, so that the pixels of a unit lie side by side for each
//! channel. Kernels of both families read packed pixels in this form.
//!
//! In this file, a line is the packed pixels of one channel.

use crate::describe::arithmetic::{Arithmetic, F32};
use crate::micro::isa::Isa;
use crate::micro::vector::{ResidualClamp, Vector, load, store};
use pulp::NullaryFnOnce;

/// Evenly spaced pixels, to be packed into lines.
#[derive(Clone, Copy)]
pub(crate) struct PixelLine<'a, T> {
    /// The input, from the first pixel's first channel on.
    pub(crate) from: &'a [T],
    /// The pitch between channels of the input.
    pub(crate) channel: usize,
    /// The pitch between pixels of the input.
    pub(crate) pixel: usize,
    /// The number of channels.
    pub(crate) depth: usize,
    /// The number of pixels.
    pub(crate) count: usize,
    /// The pitch between lines of the destination.
    pub(crate) width: usize,
}

/// An arithmetic whose pixels can be packed into lines.
pub(crate) trait PacksLines: Arithmetic {
    /// Copies the pixels of a [`PixelLine`] to the first `count` places of each line of the slice.
    ///
    /// # Safety
    /// The CPU has the ISA.
    unsafe fn pack_line(isa: Isa, pixels: &PixelLine<'_, Self::Input>, to: &mut [Self::Input]);
}

impl PacksLines for F32 {
    unsafe fn pack_line(isa: Isa, pixels: &PixelLine<'_, f32>, to: &mut [f32]) {
        // SAFETY: by contract.
        unsafe {
            match isa {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => line::<pulp::x86::V4>(pixels, to),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => line::<pulp::x86::V3>(pixels, to),
                #[cfg(target_arch = "aarch64")]
                Isa::Neon => line::<pulp::aarch64::Neon>(pixels, to),
                _ => line::<pulp::Scalar>(pixels, to),
            }
        }
    }
}

/// # Safety
/// The CPU has the ISA of `S`.
unsafe fn line<S: Vector>(p: &PixelLine<'_, f32>, to: &mut [f32]) {
    struct Call<'a, S>(S, &'a PixelLine<'a, f32>, &'a mut [f32]);
    impl<S: Vector> NullaryFnOnce for Call<'_, S> {
        type Output = ();
        #[inline(always)]
        fn call(self) {
            copy(self.0, self.1, self.2);
        }
    }
    // SAFETY: the caller vouches that the ISA is available.
    let simd = unsafe { S::assume_available() };
    simd.call(Call(simd, p, to));
}

#[inline(always)]
fn copy<S: Vector>(simd: S, p: &PixelLine<'_, f32>, to: &mut [f32]) {
    let PixelLine { from, channel, pixel, depth, count, width } = *p;
    assert!(depth > 0 && count > 0 && count <= width);
    assert!((depth - 1) * channel + (count - 1) * pixel < from.len());
    assert!((depth - 1) * width + count <= to.len());
    if pixel == 1 {
        for (c, to) in (0..depth).zip(to.chunks_mut(width)) {
            copy_adjacent::<S>(&from[c * channel..][..count], &mut to[..count]);
        }
    } else if channel == 1 && depth >= 8 && count >= 4 {
        across(simd, p, to);
    } else if channel == 1 {
        for i in 0..count {
            for (value, to) in
                from[i * pixel..][..depth].iter().zip(to[i..].iter_mut().step_by(width))
            {
                *to = *value;
            }
        }
    } else if pixel == 2 {
        // A stride of 2 is the one that networks have. The compiler would use gather instructions.
        for (c, to) in (0..depth).zip(to.chunks_mut(width)) {
            ask(simd, p, c + AHEAD);
            copy_every_second(simd, &from[c * channel..][..2 * count - 1], &mut to[..count]);
        }
    } else {
        for (c, to) in (0..depth).zip(to.chunks_mut(width)) {
            ask(simd, p, c + AHEAD);
            for (value, to) in from[c * channel..].iter().step_by(pixel).zip(&mut to[..count]) {
                *to = *value;
            }
        }
    }
}

/// The number of channels between the one that is copied and the one that is prefetched. A channel has
/// only a few hundred bytes to copy, too few for hardware prefetchers to start.
const AHEAD: usize = 32;

/// Prefetches the pixels of a channel.
#[inline(always)]
fn ask<S: Vector>(simd: S, p: &PixelLine<'_, f32>, channel: usize) {
    let first = p.from.as_ptr().wrapping_add(channel.wrapping_mul(p.channel));
    for at in (0..p.count * p.pixel).step_by(64 / size_of::<f32>()) {
        simd.prefetch(first.wrapping_add(at).cast());
    }
}

/// Copies values that lie side by side. There is no call of `memcpy`, because for so few values the call
/// would cost more than the copy. The last piece overlaps the one before it.
#[inline(always)]
fn copy_adjacent<S: Vector>(from: &[f32], to: &mut [f32]) {
    let lanes = S::F32_LANES;
    let count = from.len();
    assert_eq!(count, to.len());
    if lanes > 1 && count >= lanes {
        for block in 0..count.div_ceil(lanes) {
            let at = (block * lanes).min(count - lanes);
            // SAFETY: at + lanes ≤ count, the length of both.
            unsafe { store::<S>(to.as_mut_ptr().add(at), load::<S>(from.as_ptr().add(at))) };
        }
    } else if count >= 8 {
        copy_pieces::<8>(from, to);
    } else if count >= 4 {
        copy_pieces::<4>(from, to);
    } else {
        for (from, to) in from.iter().zip(to) {
            *to = *from;
        }
    }
}

/// `to[i] = from[2·i]`. `from` ends with the last value that is copied.
#[inline(always)]
fn copy_every_second<S: Vector>(simd: S, from: &[f32], to: &mut [f32]) {
    let count = to.len();
    assert_eq!(from.len() + 1, 2 * count);
    if count >= 8 {
        for block in 0..count.div_ceil(8) {
            let at = (block * 8).min(count - 8);
            // SAFETY: 2·at + 15 ≤ 2·count − 1, the length of `from`; at + 8 ≤ count.
            unsafe { simd.every_second8(from.as_ptr().add(2 * at), to.as_mut_ptr().add(at)) };
        }
    } else if count >= 4 {
        for at in [0, count - 4] {
            // SAFETY: 2·at + 7 ≤ 2·count − 1; at + 4 ≤ count.
            unsafe { simd.every_second4(from.as_ptr().add(2 * at), to.as_mut_ptr().add(at)) };
        }
    } else {
        for (from, to) in from.iter().step_by(2).zip(to) {
            *to = *from;
        }
    }
}

#[inline(always)]
fn copy_pieces<const N: usize>(from: &[f32], to: &mut [f32]) {
    let count = from.len();
    for block in 0..count.div_ceil(N) {
        let at = (block * N).min(count - N);
        let mut piece = [0.0; N];
        piece.copy_from_slice(&from[at..at + N]);
        to[at..at + N].copy_from_slice(&piece);
    }
}

/// Packs pixels whose channels lie side by side, by transposing blocks. There are at least 8 channels
/// and 4 pixels.
#[inline(always)]
fn across<S: Vector>(simd: S, p: &PixelLine<'_, f32>, to: &mut [f32]) {
    let PixelLine { from, pixel, depth, count, width, .. } = *p;
    if S::F32_LANES == 16 && depth >= 16 && count >= 16 {
        // The last block of each direction overlaps the one before it. What is copied twice is the
        // same.
        for c in (0..depth.div_ceil(16)).map(|block| (block * 16).min(depth - 16)) {
            for i in (0..count.div_ceil(16)).map(|block| (block * 16).min(count - 16)) {
                let from = from[i * pixel + c..].as_ptr();
                let to = to[c * width + i..].as_mut_ptr();
                // SAFETY: channels c..c + 16 of pixels i..i + 16, within what `copy` asserted.
                unsafe { simd.transpose16(from, pixel, to, width) };
            }
        }
        return;
    }
    let whole = count / 8 * 8;
    for c in (0..depth.div_ceil(8)).map(|block| (block * 8).min(depth - 8)) {
        for i in (0..whole).step_by(8) {
            let (from, to) = (from[i * pixel + c..].as_ptr(), to[c * width + i..].as_mut_ptr());
            // SAFETY: channels c..c + 8 of pixels i..i + 8, within what `copy` asserted.
            unsafe { simd.transpose8(from, pixel, to, width, ResidualClamp::NONE) };
        }
        if whole < count {
            for i in (0..(count - whole).div_ceil(4)).map(|b| (whole + b * 4).min(count - 4)) {
                for c in [c, c + 4] {
                    let from = from[i * pixel + c..].as_ptr();
                    let to = to[c * width + i..].as_mut_ptr();
                    // SAFETY: channels c..c + 4 of pixels i..i + 4, likewise.
                    unsafe { simd.transpose4(from, pixel, to, width, ResidualClamp::NONE) };
                }
            }
        }
    }
}
