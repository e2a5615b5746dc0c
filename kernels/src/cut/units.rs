//! Units: the pixels, cut into the pieces that tiles compute.

use crate::cut::Cut;
use crate::cut::pixels::{Even, Place, Span, even_groups};
use crate::micro::registry::Family;
use core::ops::Range;

/// The shape of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct UnitShape {
    /// The number of pixels that its tiles compute.
    pub(crate) pixels: usize,
    /// The number of its first pixels that the unit before it also computes.
    pub(crate) again: usize,
    /// If the pixels lie in lanes, the lanes of the unit's vectors, including unused ones. Else the
    /// number of pixels.
    pub(crate) width: usize,
    /// Whether its pixels are packed.
    pub(crate) packed: bool,
}

/// A unit, and where it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unit {
    /// Its pixels. The offset in the input is right only for a unit that is not packed.
    pub(crate) span: Span,
    /// The position of its first pixel.
    pub(crate) place: Place,
    pub(crate) shape: UnitShape,
    /// Whether its pixels are not evenly spaced in the outputs.
    pub(crate) uneven: bool,
}

impl Unit {
    /// A unit without pixels, for unused places of a block.
    pub(crate) const NONE: Unit = Unit {
        span: Span { first: 0, count: 0, input: 0 },
        place: Place { image: 0, row: 0, column: 0 },
        shape: UnitShape { pixels: 0, again: 0, width: 0, packed: false },
        uneven: false,
    };
}

/// The shapes of a span's units in order, each with the number of consecutive units that have it.
#[derive(Clone, Copy)]
struct Groups {
    groups: [(UnitShape, usize); 3],
    len: usize,
}

impl Groups {
    const NONE: Groups = Groups { groups: [(Unit::NONE.shape, 0); 3], len: 0 };

    fn push(&mut self, shape: UnitShape, count: usize) {
        if count > 0 {
            self.groups[self.len] = (shape, count);
            self.len += 1;
        }
    }

    fn as_slice(&self) -> &[(UnitShape, usize)] {
        &self.groups[..self.len]
    }
}

impl Cut<'_> {
    /// The units of `count` pixels that are evenly spaced, or that are cut across the ends of runs.
    fn units_of_span(&self, count: usize) -> Groups {
        let mut groups = Groups::NONE;
        if self.kernel.family() == Family::Outputs {
            let packed = self.blocking.pack;
            for (pixels, count) in even_groups(count, self.kernel.rows()) {
                groups.push(UnitShape { pixels, again: 0, width: pixels, packed }, count);
            }
            return groups;
        }
        let (lanes, most) = (self.kernel.isa().lanes(), self.kernel.vectors());
        let in_place = self.lanes_in_place();
        let (vectors, left) = match in_place {
            true if self.averages() => (count / lanes, count % lanes),
            true => vectors_in_place(count, lanes, most),
            false => (count.div_ceil(lanes), 0),
        };
        // The lanes of the last unit for which no pixel is left.
        let short = (vectors * lanes).saturating_sub(count);
        let sizes = even_groups(vectors, most);
        for (i, (vectors, count)) in sizes.into_iter().enumerate() {
            let width = vectors * lanes;
            let whole = UnitShape { pixels: width, again: 0, width, packed: !in_place };
            let last = usize::from(short > 0 && i == 1 && count > 0);
            groups.push(whole, count - last);
            if in_place {
                // The last unit begins before the end of the one before it, so that it is full.
                groups.push(UnitShape { again: short, ..whole }, last);
            } else {
                groups.push(UnitShape { pixels: width - short.min(width), ..whole }, last);
            }
        }
        let one = UnitShape { pixels: lanes, again: 0, width: lanes, packed: false };
        if left > 0 && count >= lanes && !self.averages() {
            groups.push(UnitShape { again: lanes - left, ..one }, 1);
        } else if left > 0 {
            // These pixels are packed. In place, a whole vector could reach behind the end of the
            // buffer.
            groups.push(UnitShape { pixels: left, packed: true, ..one }, 1);
        }
        groups
    }

    /// Calls `each` with every unit of a range of pixels, in order. Units end where the range does.
    pub(crate) fn for_each_unit(&self, pixels: Range<usize>, mut each: impl FnMut(Unit)) {
        let across = self.cuts_across_runs();
        let run = self.pixels.run(Even::Output);
        let whole = Span { first: pixels.start, count: pixels.len(), input: 0 };
        let spans = (!across).then(|| self.pixels.spans(pixels.start, pixels.end, self.even()));
        let mut known = (0, Groups::NONE);
        for span in spans.into_iter().flatten().chain(across.then_some(whole)) {
            if known.0 != span.count {
                known = (span.count, self.units_of_span(span.count));
            }
            let mut done = 0;
            for &(shape, count) in known.1.as_slice() {
                for _ in 0..count {
                    let at = done - shape.again;
                    let first = span.first + at;
                    let input = self.pixels.input.pixel.wrapping_mul(at);
                    let span =
                        Span { first, count: shape.pixels, input: span.input.wrapping_add(input) };
                    let uneven = across && first % run + shape.pixels > run;
                    each(Unit { span, place: self.pixels.place(first), shape, uneven });
                    done = at + shape.pixels;
                }
            }
        }
    }

    /// Calls `each` for the units of a range of pixels, with a shape, whether such units are uneven, and
    /// the number of such units. The units are those of [`for_each_unit`](Cut::for_each_unit).
    pub(crate) fn for_each_unit_shape(
        &self,
        pixels: Range<usize>,
        mut each: impl FnMut(UnitShape, bool, usize),
    ) {
        if !self.cuts_across_runs() {
            let spans = self.pixels.span_lengths(pixels.start, pixels.end, self.even());
            for (length, spans) in spans.into_iter().filter(|(_, spans)| *spans > 0) {
                for &(shape, count) in self.units_of_span(length).as_slice() {
                    each(shape, false, count * spans);
                }
            }
            return;
        }
        let run = self.pixels.run(Even::Output);
        let mut first = pixels.start;
        for &(shape, count) in self.units_of_span(pixels.len()).as_slice() {
            let uneven = straddling(first, shape.pixels, count, run);
            for (uneven, count) in [(false, count - uneven), (true, uneven)] {
                if count > 0 {
                    each(shape, uneven, count);
                }
            }
            first += shape.pixels * count;
        }
    }
}

/// The number of units that contain the end of a run and pixels behind it. There are `count` consecutive
/// units of `size` pixels, the first of which begins at pixel `first`, and runs are `run` pixels long.
fn straddling(first: usize, size: usize, count: usize, run: usize) -> usize {
    let end = first + size * count;
    if end / run - first / run < count {
        // There are fewer ends of runs than units, so look at each end.
        let mut last = usize::MAX;
        let mut found = 0;
        for boundary in (first / run + 1..).map(|i| i * run).take_while(|at| *at < end) {
            let unit = (boundary - first) / size;
            if !(boundary - first).is_multiple_of(size) && unit != last {
                (last, found) = (unit, found + 1);
            }
        }
        return found;
    }
    (0..count).filter(|i| (first + i * size) % run + size > run).count()
}

/// The number of vectors of `count` pixels that are read in place, and the number of pixels that are
/// left over because they fill no vector. Tiles have at most `most` vectors.
///
/// If the pixels make several tiles, no pixels are left over: the last tile begins before the end of
/// the one before it, so that it is full. Some pixels are then computed by both.
fn vectors_in_place(count: usize, lanes: usize, most: usize) -> (usize, usize) {
    let vectors = count.div_ceil(lanes);
    if vectors > most { (vectors, 0) } else { (count / lanes, count % lanes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_over_pixels_join_the_last_of_several_tiles() {
        // 49 pixels: 3 vectors of 16 and a pixel.
        assert_eq!(vectors_in_place(49, 16, 2), (4, 0));
        assert_eq!(vectors_in_place(49, 16, 4), (3, 1));
        assert_eq!(vectors_in_place(48, 16, 2), (3, 0));
        assert_eq!(vectors_in_place(15, 16, 2), (0, 15));
    }

    #[test]
    fn straddling_units_are_counted_as_they_are_seen() {
        for first in 0..12 {
            for (size, count, run) in [(3, 7, 5), (16, 4, 49), (5, 6, 5), (20, 3, 6), (1, 9, 4)] {
                let seen = (0..count).filter(|i| (first + i * size) % run + size > run).count();
                assert_eq!(straddling(first, size, count, run), seen, "{first} {size} {run}");
            }
        }
    }
}
