//! The tiles of one panel: their operands and destinations, and what is done to stored tiles.

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
use crate::run::block::Placed;
use crate::run::epilogue::Pass;
use crate::run::executed::Executed;
use crate::run::{Destination, Run, Stage};
use core::mem::MaybeUninit;

/// The most elements of a tile of any kernel.
const MOST_TILE: usize = 512;
/// The most lanes of a tile of any kernel.
const MOST_LANES: usize = 64;

/// What the tiles of a panel have in common.
struct Walk<'a, A: Executed> {
    goal: Goal<'a, A>,
    depth: usize,
    /// The offset of the group's first channel in the input.
    input: usize,
    weights: *const A::Weight,
    start: *const A::Sum,
    /// A residual that the tiles add.
    in_tile: Option<&'a [A::Output]>,
    /// The strides between channels and between pixels where the tiles store.
    channel: usize,
    pixel: usize,
    finish: A::Finish,
    /// Whether no panel of this group has read the units before.
    first: bool,
    scratch: &'a [A::Input],
    staged: Option<Stage<A::Output>>,
}

/// The pixels that a tile reads.
#[derive(Clone, Copy)]
struct Source<T> {
    start: *const T,
    /// The pitches between pixels and between channels.
    pixel: usize,
    channel: usize,
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
        let walk = Walk {
            goal,
            depth,
            input: group * depth * cut.pixels.input.channel,
            weights: weights.as_ptr(),
            start: start.as_ptr(),
            in_tile,
            channel,
            pixel,
            finish,
            first,
            scratch,
            staged,
        };
        // SAFETY: by contract.
        unsafe {
            match cut.kernel.family() {
                Family::Outputs => self.walk(&walk, units, Self::outputs_in_lanes, |tile, x| {
                    tile.a = x;
                }),
                Family::Pixels => self.walk(&walk, units, Self::pixels_in_lanes, |tile, x| {
                    tile.b = x;
                }),
            }
        }
    }

    /// Runs the tiles of a panel, which `make` makes and `read` lets read other pixels.
    ///
    /// # Safety
    /// As [`Run::task`].
    #[inline(always)]
    unsafe fn walk<T: Compiled<Output = A::Output>>(
        &self,
        walk: &Walk<'_, A>,
        units: &[Placed],
        make: impl Fn(&Self, &Walk<'_, A>, &TileKind, Nearness, Source<A::Input>) -> Tile<T>,
        read: impl Fn(&mut Tile<T>, *const A::Input),
    ) {
        let cut = &self.cut;
        let menu = T::menu(cut.kernel.isa());
        let Goal { destination, panel, .. } = walk.goal;
        let (outlet, shape) = (destination.outlet, &panel.shape);
        let (output, average) = (&outlet.output, outlet.layer.average);
        let needs_pass = outlet.needs_pass();
        // Most tiles use neither of these, so they stay uninitialized until they are used.
        let mut buffer = MaybeUninit::<[A::Output; MOST_TILE]>::uninit();
        let mut table = MaybeUninit::<[usize; MOST_LANES]>::uninit();
        let made = |Placed { unit, at, .. }: &Placed, fresh_weights| {
            let kind = cut.tile_kind(shape, &unit.shape, unit.uneven);
            let near = Nearness { fresh_weights, fresh_pixels: walk.first && !unit.shape.packed };
            let TileKind { rows, vectors, form, shared, .. } = kind;
            let function = menu.tile(rows, vectors, form, shared);
            (make(self, walk, &kind, near, self.source(walk, unit, *at)), function, kind)
        };
        let Some(begin) = units.first() else { return };
        let (mut tile, mut function, mut kind) = made(begin, true);
        for (index, placed) in units.iter().enumerate() {
            let Placed { unit, at, row, again } = placed;
            if *again && index > 1 {
                // What differs is written alone: a copy of a tile that was just written would wait
                // for each of its stores.
                read(&mut tile, self.source(walk, unit, *at).start);
            } else if index > 0 {
                (tile, function, kind) = made(placed, false);
            }
            let at = if average { 0 } else { walk.goal.output + output.at.at(unit.place) };
            debug_assert!(average || at < destination.output.len);
            // SAFETY: `at` is an element of the output. A residual that a tile adds has the same pitches.
            unsafe {
                tile.y = match walk.staged {
                    Some(stage) => stage.start.add(row * stage.row + walk.goal.packed),
                    None if average => buffer.as_mut_ptr().cast(),
                    None => destination.output.start.add(at),
                };
                if let Some(residual) = walk.in_tile {
                    // The residual's view may begin at another place than the output's.
                    let base = outlet.residual.map_or(0, |grid| grid.at.at(unit.place));
                    tile.residual = residual.as_ptr().add(walk.goal.residual + base);
                }
            }
            if kind.store == Store::Scattered {
                let first = output.at.at(unit.place);
                let table = table.write([0; MOST_LANES]);
                // The difference wraps around if the view's pitches are not in the usual order,
                // such as images that lie closer together than rows.
                self.places(unit, |i, place| {
                    table[i] = output.at.at(place).wrapping_sub(first);
                });
                tile.y_lanes = Offsets::Table(table.as_ptr());
            }
            #[cfg(test)]
            super::trace::note(&kind);
            // SAFETY: by construction the spans and panels lie inside the tensors (or the buffer),
            // and so does every element that the tile addresses. Packed operands are whole panels. A
            // table has an offset for each pixel of the unit. The elements of the pass and of the sums
            // are those that the tile has stored.
            unsafe {
                function(&tile);
                if needs_pass {
                    self.pass(&walk.goal, unit, tile.y, [walk.channel, walk.pixel]);
                }
                if average {
                    self.add_to_averages(&walk.goal, unit, tile.y);
                }
            }
        }
    }

    /// Where the tiles of a unit read its pixels, which lie from `at` on in scratch if they are packed.
    #[inline(always)]
    fn source(&self, walk: &Walk<'_, A>, unit: &Unit, at: usize) -> Source<A::Input> {
        if unit.shape.packed {
            let start = walk.scratch[at..].as_ptr();
            return match self.cut.reads_rows() {
                true => Source { start, pixel: row_pitch(walk.depth), channel: 1 },
                false => Source { start, pixel: 1, channel: unit.shape.width },
            };
        }
        let Pitches { pixel, channel, .. } = self.cut.pixels.input;
        Source { start: self.input[walk.input + unit.span.input..].as_ptr(), pixel, channel }
    }

    /// A tile whose pixels are broadcast, but for where it is stored.
    #[inline(always)]
    fn outputs_in_lanes(
        &self,
        c: &Walk<'_, A>,
        kind: &TileKind,
        near: Nearness,
        x: Source<A::Input>,
    ) -> Tile<A::OutputsInLanes> {
        let width = c.goal.panel.shape.width;
        let sizes = [kind.rows, x.pixel, width];
        Tile {
            depth: c.depth,
            a: x.start,
            a_row: x.pixel,
            a_step: x.channel,
            b: c.weights,
            b_step: width,
            start: c.start,
            start_by_row: false,
            y: core::ptr::null_mut(),
            residual: core::ptr::null(),
            y_row: c.pixel,
            y_lanes: evenly(c.channel),
            lanes: kind.lanes,
            store: kind.store,
            finish: c.finish,
            ahead: of_broadcast_pixels(near, &self.tuning, kind.form, sizes),
            staggered: self.tuning.stagger_steps,
        }
    }

    /// A tile whose weights are broadcast, but for where it is stored.
    #[inline(always)]
    fn pixels_in_lanes(
        &self,
        c: &Walk<'_, A>,
        kind: &TileKind,
        near: Nearness,
        x: Source<A::Input>,
    ) -> Tile<A::PixelsInLanes> {
        let panel = c.goal.panel.shape;
        let worth_asking = panel.outputs >= self.tuning.ask_outputs;
        let near = Nearness { fresh_pixels: near.fresh_pixels && worth_asking, ..near };
        let width = kind.vectors * self.cut.kernel.isa().lanes();
        let element = size_of::<A::Input>();
        Tile {
            depth: c.depth,
            a: c.weights,
            a_row: 1,
            a_step: panel.width,
            b: x.start,
            b_step: x.channel,
            start: c.start,
            start_by_row: true,
            y: core::ptr::null_mut(),
            residual: core::ptr::null(),
            y_row: c.channel,
            y_lanes: evenly(c.pixel),
            lanes: kind.lanes,
            store: kind.store,
            finish: c.finish,
            ahead: of_broadcast_weights(near, &self.tuning, panel.width, width, element),
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
