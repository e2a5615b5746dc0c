//! The pixels that outputs see, where stride or padding leaves some out or adds some.

use pointwise::{Layer, Layout, Shape};
use rayon::prelude::*;

/// Copies into `gathered` what the outputs of all images see, in their order. Padding is left as
/// it is. Runs in the current rayon pool where `threads` are several.
pub(super) fn gather(
    layer: &Layer,
    shape: &Shape,
    threads: usize,
    input: &[f32],
    gathered: &mut [f32],
) {
    // One unit is a plane in NCHW, a row of pixels in NHWC.
    let (units, len) = match layer.layout {
        Layout::Nchw => (layer.n * layer.c, shape.oh * shape.ow),
        Layout::Nhwc => (layer.n * shape.oh, shape.ow * layer.c),
    };
    let share = units.div_ceil(threads);
    let copy = |(i, values): (usize, &mut [f32])| {
        for (unit, into) in (i * share..).zip(values.chunks_exact_mut(len)) {
            gather_unit(layer, shape, input, unit, into);
        }
    };
    match threads {
        1 => copy((0, gathered)),
        _ => gathered.par_chunks_mut(share * len).enumerate().for_each(copy),
    }
}

/// Copies what one row of output pixels (NHWC) or one plane of them (NCHW) sees.
fn gather_unit(layer: &Layer, shape: &Shape, input: &[f32], unit: usize, into: &mut [f32]) {
    let Layer { c, h, w, stride: [sh, sw], .. } = *layer;
    let (rows, columns) = (shape.rows, shape.columns);
    match layer.layout {
        Layout::Nhwc => {
            let (image, oy) = (unit / shape.oh, unit % shape.oh);
            if !(rows.start..rows.end).contains(&oy) {
                return;
            }
            let iy = rows.origin + (oy - rows.start) * sh;
            let from = &input[((image * h + iy) * w + columns.origin) * c..];
            let into = &mut into[columns.start * c..columns.end * c];
            for (into, from) in into.chunks_exact_mut(c).zip(from.chunks(c).step_by(sw)) {
                into.copy_from_slice(from);
            }
        }
        Layout::Nchw => {
            let plane = &input[unit * h * w..][..h * w];
            for oy in rows.start..rows.end {
                let iy = rows.origin + (oy - rows.start) * sh;
                let from = &plane[iy * w..][columns.origin..w];
                let into = &mut into[oy * shape.ow..][columns.start..columns.end];
                match sw {
                    2 => every_second(into, from),
                    _ => into.iter_mut().zip(from.iter().step_by(sw)).for_each(|(y, x)| *y = *x),
                }
            }
        }
    }
}

/// Pairs have a length that the compiler knows, so that it puts them into vectors.
fn every_second(into: &mut [f32], from: &[f32]) {
    let (pairs, single) = from.as_chunks::<2>();
    for (y, x) in into.iter_mut().zip(pairs.iter().map(|pair| &pair[0]).chain(single)) {
        *y = *x;
    }
}
