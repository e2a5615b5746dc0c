//! Packing the pixels of a unit.

use crate::cut::Cut;
use crate::cut::pixels::Even;
use crate::cut::units::Unit;
use crate::describe::arithmetic::Element;
use crate::pack::line::{PacksLines, PixelLine};

/// The pitch of packed rows of `depth` inputs. It is an odd number of cache lines of `f32`, so that the
/// rows of a tile lie in different sets of L1.
pub(crate) fn row_pitch(depth: usize) -> usize {
    (depth.div_ceil(16) | 1) * 16
}

/// The number of elements that a unit's packed pixels take.
pub(crate) fn packed_len(cut: &Cut<'_>, unit: &Unit) -> usize {
    let depth = cut.depth();
    if cut.reads_rows() { unit.shape.pixels * row_pitch(depth) } else { unit.shape.width * depth }
}

/// Packs the pixels of a unit, for the group whose inputs begin at element `first` of the input. Where
/// tiles read rows ([`Cut::reads_rows`]), the inputs of a pixel are packed side by side, and the pixels
/// lie [`row_pitch`] apart. Else the pixels are packed into lines `[c][width]`, with zeros in unused
/// lanes.
///
/// # Safety
/// The CPU has the ISA of the kernel.
pub(crate) unsafe fn pack_unit<A: PacksLines>(
    cut: &Cut<'_>,
    unit: &Unit,
    input: &[A::Input],
    first: usize,
    to: &mut [A::Input],
) {
    if cut.reads_rows() {
        pack_rows::<A>(cut, unit, input, first, to);
    } else {
        // SAFETY: by contract.
        unsafe { pack_lines::<A>(cut, unit, input, first, to) };
    }
}

fn pack_rows<A: PacksLines>(
    cut: &Cut<'_>,
    unit: &Unit,
    input: &[A::Input],
    first: usize,
    to: &mut [A::Input],
) {
    let depth = cut.depth();
    for (i, row) in to.chunks_exact_mut(row_pitch(depth)).enumerate() {
        let at = first + cut.pixels.input.at(cut.pixels.place(unit.span.first + i));
        row[..depth].copy_from_slice(&input[at..][..depth]);
    }
}

/// # Safety
/// As [`pack_unit`].
unsafe fn pack_lines<A: PacksLines>(
    cut: &Cut<'_>,
    unit: &Unit,
    input: &[A::Input],
    first: usize,
    to: &mut [A::Input],
) {
    let (pixels, width) = (cut.pixels, unit.shape.width);
    let (from, end) = (unit.span.first, unit.span.first + unit.shape.pixels);
    let mut done = 0;
    for span in pixels.spans(from, end, Even::Both) {
        let line = PixelLine {
            from: &input[first + span.input..],
            channel: pixels.input.channel,
            pixel: pixels.input.pixel,
            depth: cut.depth(),
            count: span.count,
            width,
        };
        // SAFETY: by contract.
        unsafe { A::pack_line(cut.kernel.isa(), &line, &mut to[done..]) };
        done += span.count;
    }
    if done < width {
        for line in to.chunks_exact_mut(width) {
            line[done..].fill(A::Input::ZERO);
        }
    }
}
