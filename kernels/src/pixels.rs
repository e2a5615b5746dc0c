//! Where the pixels of a layer lie: output pixels in one row, each with its input under it.

use crate::{Layer, Layout, Shape};

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

impl Pitches {
    /// A dense tensor of `channels` × `rows` × `columns` images.
    pub(crate) fn dense(layout: Layout, channels: usize, rows: usize, columns: usize) -> Self {
        let (channel, pixel) = match layout {
            Layout::Nchw => (rows * columns, 1),
            Layout::Nhwc => (1, channels),
        };
        Pitches { base: 0, channel, pixel, row: columns * pixel, image: channels * rows * columns }
    }

    /// The tensor seen through a window: from (`y`, `x`) on, every `step`-th row and column.
    fn window(self, [y, x]: [usize; 2], step: [usize; 2]) -> Self {
        Pitches {
            base: self.base + y * self.row + x * self.pixel,
            pixel: self.pixel * step[1],
            row: self.row * step[0],
            ..self
        }
    }
}

/// The interior pixels of a layer, numbered image by image, row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pixels {
    pub(crate) images: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) input: Pitches,
    pub(crate) output: Pitches,
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
    /// Offset of the first in the output.
    pub(crate) output: usize,
}

/// Which tensors the pixels of a span are evenly spaced in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Even {
    /// The output: enough when the input is packed.
    Output,
    /// Input and output.
    Both,
}

impl Pixels {
    /// The pixels of `layer` whose windows lie on its input.
    pub(crate) fn of(layer: &Layer, shape: &Shape) -> Self {
        Pixels {
            images: layer.n,
            rows: shape.rows.len(),
            columns: shape.columns.len(),
            input: Pitches::dense(layer.layout, layer.c, layer.h, layer.w)
                .window([shape.rows.origin, shape.columns.origin], layer.stride),
            output: Pitches::dense(layer.layout, layer.k, shape.oh, shape.ow)
                .window([shape.rows.start, shape.columns.start], [1, 1]),
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.images * self.rows * self.columns
    }

    /// Offsets of pixel `q` in input and output.
    pub(crate) fn at(&self, q: usize) -> (usize, usize) {
        let (row, x) = (q / self.columns, q % self.columns);
        let (image, y) = (row / self.rows, row % self.rows);
        let at = |p: &Pitches| p.base + image * p.image + y * p.row + x * p.pixel;
        (at(&self.input), at(&self.output))
    }

    /// Length of the longest runs of evenly spaced pixels.
    pub(crate) fn run(&self, even: Even) -> usize {
        let both = |ok: fn(&Self, &Pitches) -> bool| {
            ok(self, &self.output) && (even == Even::Output || ok(self, &self.input))
        };
        if self.rows > 1 && !both(|s, p| p.row == s.columns * p.pixel) {
            return self.columns;
        }
        if self.images > 1 && !both(|s, p| p.image == s.rows * s.columns * p.pixel) {
            return self.columns * self.rows;
        }
        self.len()
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
            let (input, output) = self.at(first);
            let span = Span { first, count, input, output };
            first += count;
            Some(span)
        })
    }
}

/// Cuts `total` into parts of at most `most`, as even as can be: the sizes differ by at most 1.
pub(crate) fn even_parts(total: usize, most: usize) -> impl ExactSizeIterator<Item = usize> {
    let parts = total.div_ceil(most);
    (0..parts).map(move |i| total / parts + usize::from(i < total % parts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Padding;

    fn pixels(layer: Layer) -> Pixels {
        Pixels::of(&layer, &layer.check().unwrap())
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
                                let (input, output) = pixels.at(span.first + i);
                                assert_eq!(output, span.output + i * pixels.output.pixel);
                                if even == Even::Both {
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
    }

    #[test]
    fn even_parts_differ_by_at_most_one() {
        assert_eq!(even_parts(49, 14).collect::<Vec<_>>(), [13, 12, 12, 12]);
        assert_eq!(even_parts(28, 14).collect::<Vec<_>>(), [14, 14]);
        assert_eq!(even_parts(0, 14).count(), 0);
    }
}
