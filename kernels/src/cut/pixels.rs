//! Where the pixels of a layer lie: output pixels in one row, each with its input under it.

use crate::describe::layer::{Layer, Shape};
use crate::describe::view::View;

/// Pitches of one tensor, in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pitches {
    /// Offset of the first pixel that counts.
    pub(crate) base: usize,
    /// Between channels.
    pub(crate) channel: usize,
    /// Between neighbouring pixels of a row.
    pub(crate) pixel: usize,
    /// Between rows.
    pub(crate) row: usize,
    /// Between images.
    pub(crate) image: usize,
}

impl From<View> for Pitches {
    fn from(view: View) -> Self {
        let View { offset, channel, pixel, row, image } = view;
        Pitches { base: offset, channel, pixel, row, image }
    }
}

/// A pixel among the interior ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) image: usize,
    pub(crate) row: usize,
    pub(crate) column: usize,
}

impl Pitches {
    /// The tensor seen through a window: from (`y`, `x`) on, every `step`-th row and column.
    /// The pitch of an axis of one element may be anything, so nothing here may overflow loudly.
    pub(crate) fn window(self, [y, x]: [usize; 2], step: [usize; 2]) -> Self {
        Pitches {
            base: self.base + y * self.row + x * self.pixel,
            pixel: self.pixel.wrapping_mul(step[1]),
            row: self.row.wrapping_mul(step[0]),
            ..self
        }
    }

    /// The offset of a pixel.
    #[inline]
    pub(crate) fn at(&self, place: Place) -> usize {
        self.base + place.image * self.image + place.row * self.row + place.column * self.pixel
    }

    /// With one column the next pixel is in the next row, and with one row in the next image:
    /// says so, so that as many pixels as can be are evenly spaced.
    fn canonical(mut self, rows: usize, columns: usize) -> Self {
        if rows == 1 {
            self.row = if columns == 1 { self.image } else { self.row };
        }
        if columns == 1 {
            self.pixel = self.row;
        }
        // The pitch of an only pixel may be 0, which is no step between elements.
        self.pixel = self.pixel.max(1);
        self
    }

    /// Length of the longest runs of evenly spaced pixels.
    fn run(&self, images: usize, rows: usize, columns: usize) -> usize {
        if rows > 1 && self.row != columns.wrapping_mul(self.pixel) {
            return columns;
        }
        if images > 1 && self.image != (rows * columns).wrapping_mul(self.pixel) {
            return columns * rows;
        }
        columns * rows * images
    }
}

/// The interior pixels of a layer, numbered image by image, row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pixels {
    pub(crate) images: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) input: Pitches,
    /// Of the first output: what the choice of a kernel goes by.
    pub(crate) output: Pitches,
    /// Longest runs of pixels that are evenly spaced in every output and residual.
    output_run: usize,
}

/// Consecutive pixels that are evenly spaced in the tensors it was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Number of the first pixel.
    pub(crate) first: usize,
    /// How many.
    pub(crate) count: usize,
    /// Offset of the first in the input.
    pub(crate) input: usize,
}

/// Which tensors the pixels of a span are evenly spaced in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Even {
    /// The outputs and residuals: enough when the input is packed.
    Output,
    /// Those and the input.
    Both,
}

impl Pixels {
    /// The pixels of `layer` whose windows lie on its input, which is seen through `input`.
    pub(crate) fn new(layer: &Layer, shape: &Shape, input: View) -> Self {
        let (rows, columns) = (shape.rows.len(), shape.columns.len());
        let input = Pitches::from(input)
            .window([shape.rows.origin, shape.columns.origin], layer.stride)
            .canonical(rows, columns);
        Pixels { images: layer.n, rows, columns, input, output: input, output_run: usize::MAX }
    }

    /// The interior of a tensor of output pixels, which from now on counts for what is even.
    pub(crate) fn add_output(&mut self, whole: View, shape: &Shape) -> Pitches {
        let at = Pitches::from(whole)
            .window([shape.rows.start, shape.columns.start], [1, 1])
            .canonical(self.rows, self.columns);
        if self.output_run == usize::MAX {
            self.output = at;
        }
        self.output_run = self.output_run.min(at.run(self.images, self.rows, self.columns));
        at
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.images * self.rows * self.columns
    }

    /// Where pixel `q` is.
    pub(crate) fn place(&self, q: usize) -> Place {
        let (line, column) = (q / self.columns, q % self.columns);
        Place { image: line / self.rows, row: line % self.rows, column }
    }

    /// Length of the longest runs of evenly spaced pixels.
    pub(crate) fn run(&self, even: Even) -> usize {
        let output = self.output_run.min(self.len());
        match even {
            Even::Output => output,
            Even::Both => output.min(self.input.run(self.images, self.rows, self.columns)),
        }
    }

    /// Lengths of the spans that pixels `from..to` are cut into, and how many have each: those of
    /// [`spans`](Pixels::spans) in their order.
    pub(crate) fn span_lengths(&self, from: usize, to: usize, even: Even) -> [(usize, usize); 3] {
        let run = self.run(even);
        let all = to - from;
        let head = (run - from % run).min(all);
        // A first span of a whole run is one of many.
        let (head, rest) = if head == run { (0, all) } else { (head, all - head) };
        [
            (head, usize::from(head > 0)),
            (run, rest / run),
            (rest % run, usize::from(rest % run > 0)),
        ]
    }

    /// Cuts pixels `from..to` at the ends of runs.
    pub(crate) fn spans(
        &self,
        from: usize,
        to: usize,
        even: Even,
    ) -> impl Iterator<Item = Span> + '_ {
        let run = self.run(even);
        let mut first = from;
        core::iter::from_fn(move || {
            let count = (run - first % run).min(to.checked_sub(first)?);
            if count == 0 {
                return None;
            }
            let span = Span { first, count, input: self.input.at(self.place(first)) };
            first += count;
            Some(span)
        })
    }
}

/// Cuts `total` into parts of at most `most`, as even as can be, and gives the two sizes with how
/// many parts have them, the larger first. The sizes differ by 1. There are no parts of 0.
pub(crate) fn even_groups(total: usize, most: usize) -> [(usize, usize); 2] {
    let parts = total.div_ceil(most);
    if parts == 0 {
        return [(1, 0), (0, 0)];
    }
    let larges = total % parts;
    [(total / parts + 1, larges), (total / parts, parts - larges)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::describe::layer::{Layout, Padding};

    fn pixels(layer: Layer) -> Pixels {
        let shape = layer.check().unwrap();
        let input = View::dense(layer.layout, layer.c, layer.h, layer.w);
        let mut pixels = Pixels::new(&layer, &shape, input);
        pixels.add_output(View::dense(layer.layout, layer.k, shape.oh, shape.ow), &shape);
        pixels
    }

    #[test]
    fn spans_cover_every_pixel_once_and_stay_even() {
        let pad = Padding::Explicit { top: 1, bottom: 0, left: 2, right: 1 };
        for layout in Layout::ALL {
            for stride in [[1, 1], [2, 1], [1, 3]] {
                for padding in [Padding::Valid, pad] {
                    let layer = Layer::new(3, 5, 6, 7)
                        .batch(2)
                        .layout(layout)
                        .stride(stride[0], stride[1])
                        .padding(padding);
                    let pixels = pixels(layer);
                    for even in [Even::Both, Even::Output] {
                        let mut next = 1;
                        for span in pixels.spans(1, pixels.len() - 1, even) {
                            assert_eq!(span.first, next);
                            for i in 0..span.count {
                                let place = pixels.place(span.first + i);
                                let first = pixels.output.at(pixels.place(span.first));
                                let output = pixels.output.at(place);
                                assert_eq!(output, first + i * pixels.output.pixel);
                                if even == Even::Both {
                                    let input = pixels.input.at(place);
                                    assert_eq!(input, span.input + i * pixels.input.pixel);
                                }
                            }
                            next += span.count;
                        }
                        assert_eq!(next, pixels.len() - 1);
                    }
                }
            }
        }
    }

    #[test]
    fn dense_pixels_run_as_far_as_the_layout_lets_them() {
        let layer = Layer::new(3, 5, 6, 7).batch(2);
        assert_eq!(pixels(layer).run(Even::Both), 84);
        assert_eq!(pixels(layer.layout(Layout::Nchw)).run(Even::Both), 42);
        assert_eq!(pixels(layer.stride(2, 2)).run(Even::Both), 4);
        assert_eq!(pixels(layer.stride(2, 2)).run(Even::Output), 24);
        // Without neighbours in a row the rows are the run, without rows the images.
        let column = Layer::new(3, 5, 6, 1).batch(2).layout(Layout::Nchw);
        assert_eq!(pixels(column).run(Even::Both), 6);
        let one = Layer::new(3, 5, 1, 1).batch(7).layout(Layout::Nchw);
        assert_eq!(pixels(one).run(Even::Both), 7);
    }

    #[test]
    fn the_lengths_of_spans_are_those_of_the_spans() {
        let layer = Layer::new(3, 5, 6, 7).batch(2).stride(2, 1).layout(Layout::Nchw);
        let pixels = pixels(layer);
        for even in [Even::Both, Even::Output] {
            for from in 0..pixels.len() {
                for to in from..=pixels.len() {
                    let seen: Vec<usize> = pixels.spans(from, to, even).map(|s| s.count).collect();
                    let told = pixels.span_lengths(from, to, even);
                    let told = told.into_iter().flat_map(|(len, n)| core::iter::repeat_n(len, n));
                    assert_eq!(told.collect::<Vec<_>>(), seen, "{from} {to} {even:?}");
                }
            }
        }
    }

    #[test]
    fn even_groups_differ_by_one() {
        assert_eq!(even_groups(49, 14), [(13, 1), (12, 3)]);
        assert_eq!(even_groups(28, 14), [(15, 0), (14, 2)]);
        assert_eq!(even_groups(0, 14), [(1, 0), (0, 0)]);
        assert_eq!(even_groups(5, 14), [(6, 0), (5, 1)]);
    }
}
