//! The interior pixels of a layer (those whose windows lie on the input), and where they lie in the
//! tensors. Pixels are numbered, image by image and row by row.

use crate::describe::layer::{Layer, Shape};
use crate::describe::view::View;

/// Where the elements of a tensor lie. The unit is elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pitches {
    /// The offset of the first pixel.
    pub(crate) base: usize,
    /// The pitch between channels.
    pub(crate) channel: usize,
    /// The pitch between neighbouring pixels of a row.
    pub(crate) pixel: usize,
    /// The pitch between rows.
    pub(crate) row: usize,
    /// The pitch between images.
    pub(crate) image: usize,
}

impl From<View> for Pitches {
    fn from(view: View) -> Self {
        let View { offset, channel, pixel, row, image } = view;
        Pitches { base: offset, channel, pixel, row, image }
    }
}

/// The position of a pixel among the interior pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) image: usize,
    pub(crate) row: usize,
    pub(crate) column: usize,
}

impl Pitches {
    /// The pitches of a part of the tensor: from row `y` and column `x` on, every `step`-th row and
    /// column. An axis of one element may have any pitch, so the products wrap around.
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

    /// The same pixels, with the pitches of axes of one element replaced so that long runs of pixels
    /// are evenly spaced. With one column, the next pixel lies in the next row. With one row, the next
    /// row lies in the next image.
    fn canonical(mut self, rows: usize, columns: usize) -> Self {
        if rows == 1 {
            self.row = if columns == 1 { self.image } else { self.row };
        }
        if columns == 1 {
            self.pixel = self.row;
        }
        // The pitch of a single pixel may be 0, which would be no step.
        self.pixel = self.pixel.max(1);
        self
    }

    /// The length of the longest runs of evenly spaced pixels.
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

/// The interior pixels of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pixels {
    pub(crate) images: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) input: Pitches,
    /// The pitches of the first outlet's output, which the choice of a kernel looks at.
    pub(crate) output: Pitches,
    /// The length of the longest runs of pixels that are evenly spaced in every output and residual.
    output_run: usize,
}

/// Consecutive pixels that are evenly spaced in the tensors that [`Even`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// The number of the first pixel.
    pub(crate) first: usize,
    /// The number of pixels.
    pub(crate) count: usize,
    /// The offset of the first pixel in the input.
    pub(crate) input: usize,
}

/// The tensors in which the pixels of a span are evenly spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Even {
    /// The outputs and residuals. This is enough if the input is packed.
    Output,
    /// The outputs, the residuals and the input.
    Both,
}

impl Pixels {
    /// The interior pixels of `layer`, whose input lies as `input` says.
    pub(crate) fn new(layer: &Layer, shape: &Shape, input: View) -> Self {
        let (rows, columns) = (shape.rows.len(), shape.columns.len());
        let input = Pitches::from(input)
            .window([shape.rows.origin, shape.columns.origin], layer.stride)
            .canonical(rows, columns);
        Pixels { images: layer.n, rows, columns, input, output: input, output_run: usize::MAX }
    }

    /// The interior pixels of an output or a residual that lies as `whole` says. From now on, runs are
    /// evenly spaced in this tensor too.
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

    /// The number of pixels.
    pub(crate) fn len(&self) -> usize {
        self.images * self.rows * self.columns
    }

    /// The position of pixel `q`.
    pub(crate) fn place(&self, q: usize) -> Place {
        let (line, column) = (q / self.columns, q % self.columns);
        Place { image: line / self.rows, row: line % self.rows, column }
    }

    /// The length of the longest runs of evenly spaced pixels.
    pub(crate) fn run(&self, even: Even) -> usize {
        let output = self.output_run.min(self.len());
        match even {
            Even::Output => output,
            Even::Both => output.min(self.input.run(self.images, self.rows, self.columns)),
        }
    }

    /// The lengths of the spans that [`spans`](Pixels::spans) cuts pixels `from..to` into, in order,
    /// each with the number of spans that have it.
    pub(crate) fn span_lengths(&self, from: usize, to: usize, even: Even) -> [(usize, usize); 3] {
        let run = self.run(even);
        let all = to - from;
        let head = (run - from % run).min(all);
        // A first span that is a whole run is counted with the other whole runs.
        let (head, rest) = if head == run { (0, all) } else { (head, all - head) };
        [
            (head, usize::from(head > 0)),
            (run, rest / run),
            (rest % run, usize::from(rest % run > 0)),
        ]
    }

    /// The spans of pixels `from..to`: they are cut at the ends of runs.
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

/// Cuts `total` into as few parts of at most `most` as possible, whose sizes differ by at most 1.
/// Returns the two sizes, each with the number of parts that have it, the larger size first. A `total`
/// of 0 has no parts.
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
        // With one column a run is all rows. With one column and one row it is all images.
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
