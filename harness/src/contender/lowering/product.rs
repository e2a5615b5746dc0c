//! The matrix products that a layer is made of, and the pieces that they are cut into.

use super::way::{Cut, Way};
use crate::contender::matrix::{Matrix, MatrixMut};
use pointwise::{Layer, Layout};

/// A product, or a part of one, with the place of its outputs.
pub(super) struct Piece<'a> {
    pub(super) a: Matrix<'a>,
    pub(super) b: Matrix<'a>,
    pub(super) outputs: MatrixMut<'a>,
    /// Where the first output lies in the whole output.
    pub(super) start: usize,
    /// The first output's channel.
    pub(super) channel: usize,
}

/// Weights as `[groups][c / groups][k / groups]`.
pub(super) fn transposed(layer: &Layer, weights: &[f32]) -> Vec<f32> {
    let (cg, kg) = (layer.c / layer.groups, layer.k / layer.groups);
    let mut into = Vec::with_capacity(weights.len());
    for group in weights.chunks_exact(cg * kg) {
        into.extend((0..cg).flat_map(|c| (0..kg).map(move |k| group[k * cg + c])));
    }
    into
}

/// What a layer's products are computed from.
#[derive(Clone, Copy)]
pub(super) struct Factors<'a> {
    pub(super) layer: &'a Layer,
    /// Output pixels of an image.
    pub(super) pixels: usize,
    /// The input at the output's pixels.
    pub(super) x: &'a [f32],
    /// In the order that the way says.
    pub(super) weights: &'a [f32],
}

impl<'a> Factors<'a> {
    /// The pieces of all products; together they cover the output.
    pub(super) fn pieces(&self, way: Way, output: &'a mut [f32]) -> Vec<Piece<'a>> {
        let Layer { n, k, groups, .. } = *self.layer;
        let mut pieces = Vec::new();
        match self.layer.layout {
            Layout::Nhwc => {
                let mut rest = Some(MatrixMut::new(output, [n * self.pixels, k], k));
                for group in 0..groups {
                    let Some(outputs) = rest.take() else { break };
                    let (outputs, others) = match group + 1 < groups {
                        true => {
                            let (own, others) = outputs.split_columns(k / groups);
                            (own, Some(others))
                        }
                        false => (outputs, None),
                    };
                    rest = others;
                    let channel = group * (k / groups);
                    let (a, b) = self.factors_nhwc(group, way.transposed);
                    cut(
                        Piece { a, b, outputs, start: channel, channel },
                        way.cut,
                        false,
                        &mut pieces,
                    );
                }
            }
            Layout::Nchw => {
                let len = k / groups * self.pixels;
                for (product, outputs) in output.chunks_exact_mut(len).enumerate() {
                    let (image, group) = (product / groups, product % groups);
                    let outputs = MatrixMut::new(outputs, [k / groups, self.pixels], self.pixels);
                    let channel = group * (k / groups);
                    let (a, b) = self.factors_nchw(image, group, way.transposed);
                    let start = product * len;
                    cut(Piece { a, b, outputs, start, channel }, way.cut, true, &mut pieces);
                }
            }
        }
        pieces
    }

    /// Pixels × input channels, input channels × output channels.
    fn factors_nhwc(&self, group: usize, transposed: bool) -> (Matrix<'a>, Matrix<'a>) {
        let Layer { n, c, k, groups, .. } = *self.layer;
        let (cg, kg) = (c / groups, k / groups);
        let a = Matrix::new(&self.x[group * cg..], [n * self.pixels, cg], [c, 1]);
        (a, self.filters(group, transposed, [cg, kg]).transposed())
    }

    /// Output channels × input channels, input channels × pixels.
    fn factors_nchw(
        &self,
        image: usize,
        group: usize,
        transposed: bool,
    ) -> (Matrix<'a>, Matrix<'a>) {
        let Layer { c, k, groups, .. } = *self.layer;
        let (cg, kg) = (c / groups, k / groups);
        let x = &self.x[(image * c + group * cg) * self.pixels..];
        let b = Matrix::new(x, [cg, self.pixels], [self.pixels, 1]);
        (self.filters(group, transposed, [cg, kg]), b)
    }

    /// One group's weights, output channels × input channels.
    fn filters(&self, group: usize, transposed: bool, [cg, kg]: [usize; 2]) -> Matrix<'a> {
        let weights = &self.weights[group * kg * cg..][..kg * cg];
        Matrix::new(weights, [kg, cg], if transposed { [1, kg] } else { [cg, 1] })
    }
}

/// Cuts a product; its rows are the output channels or its columns are.
fn cut<'a>(whole: Piece<'a>, cut: Cut, rows_are_channels: bool, pieces: &mut Vec<Piece<'a>>) {
    let (count, rows) = match cut {
        Cut::Whole => (1, true),
        Cut::Pixels(count) => (count, !rows_are_channels),
        Cut::Channels(count) => (count, rows_are_channels),
    };
    let Piece { a, b, outputs, start, channel } = whole;
    let (len, stride) = match rows {
        true => (outputs.rows(), outputs.row_stride()),
        false => (outputs.columns(), 1),
    };
    let share = share(len, count);
    let mut rest = Some(outputs);
    for first in (0..len).step_by(share) {
        let Some(outputs) = rest.take() else { break };
        let range = first..len.min(first + share);
        let outputs = if range.end < len {
            let (own, others) = match rows {
                true => outputs.split_rows(range.len()),
                false => outputs.split_columns(range.len()),
            };
            rest = Some(others);
            own
        } else {
            outputs
        };
        let (a, b) = match rows {
            true => (a.of_rows(&range), b),
            false => (a, b.of_columns(&range)),
        };
        let channel = channel + if rows == rows_are_channels { first } else { 0 };
        pieces.push(Piece { a, b, outputs, start: start + first * stride, channel });
    }
}

/// How many of `len` lines each of `count` pieces gets; whole tiles of a multiplier as far as that
/// leaves no thread without work.
fn share(len: usize, count: usize) -> usize {
    const TILE: usize = 16;
    let share = len.div_ceil(count);
    if share >= 4 * TILE { share.next_multiple_of(TILE) } else { share }
}
