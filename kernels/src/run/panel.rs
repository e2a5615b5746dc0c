//! The tiles of one panel: their operands and destinations, and what is done to stored tiles.

use crate::cut::Cut;
use crate::cut::panels::Panel;
use crate::cut::pixels::{Even, Pitches, Place};
use crate::cut::tile_kind::TileKind;
use crate::cut::units::Unit;
use crate::describe::activation::Activation;
use crate::micro::menu::Compiled;
use crate::micro::operands::{Offsets, Store, Tile};
use crate::micro::registry::Family;
use crate::pack::pixels::row_pitch;
use crate::run::ahead::{Nearness, of_broadcast_pixels, of_broadcast_weights};
use crate::run::epilogue::Pass;
use crate::run::executed::Executed;
use crate::run::{Destination, Placed, Run, Stage};
use core::mem::MaybeUninit;

/// The most elements of a tile of any kernel.
const MOST_TILE: usize = 512;
/// The most lanes of a tile of any kernel.
const MOST_LANES: usize = 64;

/// What all tiles of a panel have in common.
struct Constant<A: Executed> {
    depth: usize,
    weights: *const A::Weight,
    start: *const A::Sum,
    /// The number of outputs, with and without the padding that fills the last vector.
    width: usize,
    outputs: usize,
    /// The pitches between channels and between pixels of the tiles' destination.
    channel: usize,
    pixel: usize,
    finish: A::Finish,
}

/// The pixels that a tile reads.
#[derive(Clone, Copy)]
struct Source<T> {
    start: *const T,
    /// The pitches between pixels and between channels.
    pixel: usize,
    channel: usize,
}

/// The destination of a tile, and its residual.
#[derive(Clone, Copy)]
struct Target<T> {
    y: *mut T,
    residual: *const T,
}

/// The places of lanes that lie `step` apart.
fn evenly(step: usize) -> Offsets {
    if step == 1 { Offsets::Adjacent } else { Offsets::Every(step) }
}

/// One panel of one group, and its destination.
pub(super) struct Goal<'a, A: Executed> {
    pub(super) destination: &'a Destination<'a, A>,
    pub(super) panel: &'a Panel,
    /// The place of its first output among the packed outputs.
    packed: usize,
    /// The offsets of its first output's channel in the output and in the residual.
    pub(super) output: usize,
    residual: usize,
}

impl<A: Executed> Run<'_, A> {
    /// Runs the tiles of one panel of one group with some units. `first` says that no panel of this
    /// group has read the units before.
    ///
    /// # Safety
    /// As [`Run::task`].
    pub(super) unsafe fn tiles(
        &self,
        group: usize,
        panel: &Panel,
        first: bool,
        units: &[Placed],
        scratch: &[A::Input],
        staged: Option<Stage<A::Output>>,
    ) {
        let cut = &self.cut;
        let depth = cut.depth();
        let shape = &panel.shape;
        let destination = &self.destinations[shape.outlet];
        let outlet = destination.outlet;
        let packed = group * cut.panels.padded() + panel.at;
        let weights = &self.packed.weights.values::<A::Weight>()[packed * depth..];
        let start = &self.packed.starts.values::<A::Sum>()[packed..];
        let output = &outlet.output;
        let goal = Goal {
            destination,
            panel,
            packed,
            output: group * output.group + panel.first * output.at.channel,
            residual: outlet
                .residual
                .map_or(0, |grid| group * grid.group + panel.first * grid.at.channel),
        };
        let input = group * depth * cut.pixels.input.channel;
        let adjacent = cut.reads_rows();
        let average = outlet.layer.average;
        let needs_pass = outlet.needs_pass();
        let later = staged.is_some() && destination.residual.is_some();
        let in_tile = destination.residual.filter(|_| !later && outlet.residual_in_tile());
        let finish = A::finish(&outlet.layer.activation).filter(|_| !needs_pass && !later);
        let finish = finish.unwrap_or(A::UNFINISHED);
        // The tile of an average is stored in a buffer, with channels side by side.
        let (channel, pixel) = match staged {
            Some(Stage { row, .. }) => (1, row),
            None if average => (1, shape.width),
            None => (output.at.channel, output.at.pixel),
        };
        let constant = Constant::<A> {
            depth,
            weights: weights.as_ptr(),
            start: start.as_ptr(),
            width: shape.width,
            outputs: shape.outputs,
            channel,
            pixel,
            finish,
        };
        // Most tiles use neither of these, so they stay uninitialized until they are used.
        let mut buffer = MaybeUninit::<[A::Output; MOST_TILE]>::uninit();
        let mut table = MaybeUninit::<[usize; MOST_LANES]>::uninit();
        let mut known = None;
        for (index, Placed { unit, at, row }) in units.iter().enumerate() {
            // Consecutive units mostly have the same shape.
            let kind = match known {
                Some((of, kind)) if of == (unit.shape, unit.uneven) => kind,
                _ => cut.tile_kind(shape, &unit.shape, unit.uneven),
            };
            known = Some(((unit.shape, unit.uneven), kind));
            let near =
                Nearness { fresh_weights: index == 0, fresh_pixels: first && !unit.shape.packed };
            let x = match unit.shape.packed {
                true if adjacent => {
                    Source { start: scratch[*at..].as_ptr(), pixel: row_pitch(depth), channel: 1 }
                }
                true => {
                    let start = scratch[*at..].as_ptr();
                    Source { start, pixel: 1, channel: unit.shape.width }
                }
                false => {
                    let Pitches { pixel, channel, .. } = cut.pixels.input;
                    let start = self.input[input + unit.span.input..].as_ptr();
                    Source { start, pixel, channel }
                }
            };
            let at = if average { 0 } else { goal.output + output.at.at(unit.place) };
            debug_assert!(average || at < destination.output.len);
            // SAFETY: `at` is an element of the output. A residual that a tile adds has the same pitches.
            let (y, residual) = unsafe {
                let y = match staged {
                    Some(stage) => stage.start.add(row * stage.row + packed),
                    None if average => buffer.as_mut_ptr().cast(),
                    None => destination.output.start.add(at),
                };
                (
                    y,
                    in_tile.map_or(core::ptr::null(), |residual| {
                        // The residual's view may begin at another place than the output's.
                        let base = outlet.residual.map_or(0, |grid| grid.at.at(unit.place));
                        residual.as_ptr().add(goal.residual + base)
                    }),
                )
            };
            let target = Target { y, residual };
            if cut.kernel.family() == Family::Outputs {
                let tile = self.outputs_in_lanes(&constant, &kind, near, x, target);
                // SAFETY: by construction the spans and panels lie inside the tensors (or the
                // buffer), and so does every element that the tile addresses. Packed operands are
                // whole panels.
                unsafe { compute(cut, &kind, &tile) };
            } else {
                let lanes = if kind.store == Store::Scattered {
                    let first = output.at.at(unit.place);
                    let table = table.write([0; MOST_LANES]);
                    // The difference wraps around if the view's pitches are not in the usual order,
                    // such as images that lie closer together than rows.
                    self.places(unit, |i, place| {
                        table[i] = output.at.at(place).wrapping_sub(first);
                    });
                    Offsets::Table(table.as_ptr())
                } else {
                    evenly(pixel)
                };
                let tile = self.pixels_in_lanes(&constant, &kind, near, x, target, lanes);
                // SAFETY: as above. A table has an offset for each pixel of the unit.
                unsafe { compute(cut, &kind, &tile) };
            }
            // SAFETY: the elements of the pass and of the sums are those that the tile has stored.
            unsafe {
                if needs_pass {
                    self.pass(&goal, unit, y, [channel, pixel]);
                }
                if average {
                    self.add_to_averages(&goal, unit, y);
                }
            }
        }
    }

    /// A tile whose pixels are broadcast.
    #[inline(always)]
    fn outputs_in_lanes(
        &self,
        c: &Constant<A>,
        kind: &TileKind,
        near: Nearness,
        x: Source<A::Input>,
        Target { y, residual }: Target<A::Output>,
    ) -> Tile<A::OutputsInLanes> {
        let sizes = [kind.rows, x.pixel, c.width];
        Tile {
            depth: c.depth,
            a: x.start,
            a_row: x.pixel,
            a_step: x.channel,
            b: c.weights,
            b_step: c.width,
            start: c.start,
            start_by_row: false,
            y,
            residual,
            y_row: c.pixel,
            y_lanes: evenly(c.channel),
            lanes: kind.lanes,
            store: kind.store,
            finish: c.finish,
            ahead: of_broadcast_pixels(near, &self.tuning, kind.form, sizes),
            staggered: self.tuning.stagger_steps,
        }
    }

    /// A tile whose weights are broadcast. Its pixels are stored at the places of `y_lanes`.
    #[inline(always)]
    fn pixels_in_lanes(
        &self,
        c: &Constant<A>,
        kind: &TileKind,
        near: Nearness,
        x: Source<A::Input>,
        Target { y, residual }: Target<A::Output>,
        y_lanes: Offsets,
    ) -> Tile<A::PixelsInLanes> {
        let worth_asking = c.outputs >= self.tuning.ask_outputs;
        let near = Nearness { fresh_pixels: near.fresh_pixels && worth_asking, ..near };
        let width = kind.vectors * self.cut.kernel.isa().lanes();
        let element = size_of::<A::Input>();
        Tile {
            depth: c.depth,
            a: c.weights,
            a_row: 1,
            a_step: c.width,
            b: x.start,
            b_step: x.channel,
            start: c.start,
            start_by_row: true,
            y,
            residual,
            y_row: c.channel,
            y_lanes,
            lanes: kind.lanes,
            store: kind.store,
            finish: c.finish,
            ahead: of_broadcast_weights(near, &self.tuning, c.width, width, element),
            staggered: self.tuning.stagger_steps,
        }
    }

    /// Calls `f` with the number and the position of each pixel of a unit.
    pub(super) fn places(&self, unit: &Unit, mut f: impl FnMut(usize, Place)) {
        let pixels = self.cut.pixels;
        let mut place = unit.place;
        for i in 0..unit.span.count {
            f(i, place);
            place.column += 1;
            if place.column == pixels.columns {
                (place.column, place.row) = (0, place.row + 1);
                if place.row == pixels.rows {
                    (place.row, place.image) = (0, place.image + 1);
                }
            }
        }
    }

    /// Does the pass over a tile that has been stored at `y`. Each run of evenly spaced pixels has a pass
    /// of its own.
    ///
    /// # Safety
    /// As [`Run::task`]. `y` is the tile's first element. Its `pitches` are those of channels and of
    /// pixels. Pixels in further runs lie where the outlet's output has them.
    unsafe fn pass(&self, goal: &Goal<'_, A>, unit: &Unit, y: *mut A::Output, pitches: [usize; 2]) {
        let Destination { outlet, residual, .. } = goal.destination;
        let own = outlet.residual.filter(|_| !outlet.residual_in_tile());
        let slopes = self.packed.slopes.values::<f32>();
        let slopes = match outlet.layer.activation {
            Activation::Prelu => slopes[goal.packed..].as_ptr(),
            _ => core::ptr::null(),
        };
        let run = self.cut.pixels.run(Even::Output);
        let [y_channel, y_pixel] = pitches;
        let (end, mut first) = (unit.span.first + unit.span.count, unit.span.first);
        while first < end {
            let pixels =
                if unit.uneven { (run - first % run).min(end - first) } else { end - first };
            let place =
                if first == unit.span.first { unit.place } else { self.cut.pixels.place(first) };
            let offset = if outlet.layer.average {
                (first - unit.span.first) * y_pixel
            } else {
                outlet.output.at.at(place).wrapping_sub(outlet.output.at.at(unit.place))
            };
            let residual = match (own, residual) {
                (Some(grid), Some(residual)) => {
                    residual[goal.residual + grid.at.at(place)..].as_ptr()
                }
                _ => core::ptr::null(),
            };
            // SAFETY: elements of the tile and their residuals. The slopes are packed like the outputs.
            unsafe {
                let pass = Pass {
                    y: y.wrapping_add(offset),
                    y_channel,
                    y_pixel,
                    residual,
                    residual_channel: own.map_or(0, |grid| grid.at.channel),
                    residual_pixel: own.map_or(0, |grid| grid.at.pixel),
                    channels: goal.panel.shape.outputs,
                    pixels,
                    activation: outlet.layer.activation,
                    slopes,
                };
                A::pass(self.cut.kernel.isa(), &pass);
            }
            first += pixels;
        }
    }
}

/// Computes a tile of one kind.
///
/// # Safety
/// As [`TileFn`](crate::micro::operands::TileFn) says.
#[inline]
unsafe fn compute<T: Compiled>(cut: &Cut<'_>, kind: &TileKind, tile: &Tile<T>) {
    #[cfg(test)]
    super::trace::note(kind);
    let &TileKind { rows, vectors, form, shared, .. } = kind;
    let function = T::menu(cut.kernel.isa()).tile(rows, vectors, form, shared);
    // SAFETY: by contract.
    unsafe { function(tile) };
}
