//! The tiles of a panel: operands, destination, and what is done to a tile that is stored.

use crate::drive::{Destination, Run, Task, Unit, row_pitch};
use crate::epilogue::{self, Pass};
use crate::micro::{End, LINE, Offsets, PLANES, ROWS, Staged, Tile, unstage};
use crate::panels::Panel;
use crate::pixels::{Even, Pitches, Place};
use crate::{Activation, Family, Shape};
use core::mem::MaybeUninit;

/// The most elements that a tile of any kernel has.
const MOST_TILE: usize = 512;
/// The most lanes.
const MOST_LANES: usize = 64;

/// One panel of one group, and where it goes.
struct Goal<'a> {
    destination: &'a Destination<'a>,
    panel: &'a Panel,
    /// Position of its first output among the packed ones.
    packed: usize,
    /// Offset of its first output's channel in output and residual.
    output: usize,
    residual: usize,
}

/// Outputs from which on a tile of pixels in lanes takes long enough for the next one's to arrive
/// meanwhile; with fewer they would only push out its own.
const WORTH_ASKING: usize = 6;

impl Run<'_> {
    /// Runs one panel of one group over units; `first` if no other panel went over them before.
    ///
    /// # Safety
    /// As [`Run::task`].
    pub(crate) unsafe fn tiles(
        &self,
        group: usize,
        panel: &Panel,
        first: bool,
        units: &[Unit],
        scratch: &[f32],
        staged: Option<(*mut f32, usize)>,
    ) {
        let packing = &self.packed.packing;
        let depth = packing.depth();
        let destination = &self.destinations[panel.branch];
        let branch = destination.branch;
        let packed = group * self.padded + panel.at;
        let weights = &self.packed.weights.values()[packed * depth..];
        let start = &self.packed.starts.values()[packed..];
        let output = &branch.output;
        let goal = Goal {
            destination,
            panel,
            packed,
            output: group * output.group + panel.first * output.at.channel,
            residual: branch
                .residual
                .map_or(0, |grid| group * grid.group + panel.first * grid.at.channel),
        };
        let input = group * depth * self.pixels.input.channel;
        let adjacent = self.in_rows();
        let lanes = self.kernel.isa().lanes();
        let average = branch.layer.average;
        let needs_pass = branch.needs_pass();
        let later = staged.is_some() && destination.residual.is_some();
        let in_tile = destination.residual.filter(|_| !later && branch.residual_in_tile());
        let (lo, hi) = match branch.layer.activation.bounds() {
            Some(bounds) if !needs_pass && !later => bounds,
            _ => (f32::NEG_INFINITY, f32::INFINITY),
        };
        // An average's tile goes to a buffer, its channels adjacent.
        let (channel, pixel) = match staged {
            Some((_, row)) => (1, row),
            None if average => (1, panel.width),
            None => (output.at.channel, output.at.pixel),
        };
        // Left as they are until used: most tiles use neither.
        let mut buffer = MaybeUninit::<[f32; MOST_TILE]>::uninit();
        let mut table = MaybeUninit::<[usize; MOST_LANES]>::uninit();
        for (index, unit) in units.iter().enumerate() {
            let (fresh_weights, fresh_pixels) = (index == 0, first && unit.packed.is_none());
            // Where the input is, its pitch between pixels, and between channels.
            let (x, x_pixel, x_channel) = match unit.packed {
                Some(at) if adjacent => (scratch[at..].as_ptr(), row_pitch(depth), 1),
                Some(at) => (scratch[at..].as_ptr(), 1, unit.width),
                None => {
                    let Pitches { pixel, channel, .. } = self.pixels.input;
                    (self.input[input + unit.span.input..].as_ptr(), pixel, channel)
                }
            };
            let form = match self.kernel.family() {
                Family::Outputs if x_channel == 1 => ROWS,
                Family::Outputs if x_pixel != 1 => PLANES,
                _ => LINE,
            };
            let at = if average { 0 } else { goal.output + output.at.at(unit.place) };
            debug_assert!(average || at < destination.output.len);
            // SAFETY: `at` is an element of the output, and of a residual that lies alike.
            let (y, residual) = unsafe {
                let y = match staged {
                    Some((stage, row)) => stage.add(unit.row * row + packed),
                    None if average => buffer.as_mut_ptr().cast(),
                    None => destination.output.start.add(at),
                };
                (
                    y,
                    in_tile.map_or(core::ptr::null(), |residual| {
                        // A view may start elsewhere than the output's.
                        let base = branch.residual.map_or(0, |grid| grid.at.at(unit.place));
                        residual.as_ptr().add(goal.residual + base)
                    }),
                )
            };
            let evenly = |step| if step == 1 { Offsets::Adjacent } else { Offsets::Every(step) };
            let (tile, rows, vectors, wanted) = match self.kernel.family() {
                Family::Outputs => {
                    let tile = Tile {
                        depth,
                        a: x,
                        a_row: x_pixel,
                        a_step: x_channel,
                        b: weights.as_ptr(),
                        b_step: panel.width,
                        start: start.as_ptr(),
                        start_by_row: false,
                        y,
                        residual,
                        y_row: pixel,
                        y_lanes: evenly(channel),
                        // What is staged has room for whole vectors.
                        lanes: if staged.is_some() { panel.width } else { panel.count },
                        fresh_weights,
                        fresh_pixels,
                        lo,
                        hi,
                    };
                    (tile, unit.span.count, panel.width / lanes, panel.count)
                }
                Family::Pixels => {
                    let y_lanes = if unit.uneven && !average {
                        let first = output.at.at(unit.place);
                        let table = table.write([0; MOST_LANES]);
                        // A view may have its images, say, closer together than its rows.
                        self.places(unit, |i, place| {
                            table[i] = output.at.at(place).wrapping_sub(first);
                        });
                        Offsets::Table(table.as_ptr())
                    } else {
                        evenly(pixel)
                    };
                    let tile = Tile {
                        depth,
                        a: weights.as_ptr(),
                        a_row: 1,
                        a_step: panel.width,
                        b: x,
                        b_step: x_channel,
                        start: start.as_ptr(),
                        start_by_row: true,
                        y,
                        residual,
                        y_row: channel,
                        y_lanes,
                        lanes: unit.span.count,
                        fresh_weights,
                        fresh_pixels: fresh_pixels && panel.width >= WORTH_ASKING,
                        lo,
                        hi,
                    };
                    (tile, panel.width, unit.width / lanes, unit.span.count)
                }
            };
            let half = (vectors * lanes - wanted) * 2 >= lanes;
            let half = half.then(|| self.kernel.half_tile(rows, vectors, form)).flatten();
            let compute = half.unwrap_or_else(|| self.kernel.tile(rows, vectors, form));
            // SAFETY: the spans and panels lie inside the tensors (or the buffer) by
            // construction, so every element that the tile addresses does; packed operands are
            // whole panels. The pass and the sums are of the same elements.
            unsafe {
                compute(&tile);
                if needs_pass {
                    self.finish(&goal, unit, y, [channel, pixel]);
                }
                if average {
                    self.add_to_averages(&goal, unit, y);
                }
            }
        }
    }

    /// Copies the staged outputs of a block to their places.
    ///
    /// # Safety
    /// As [`Run::task`]; `from` holds a row of `from_row` outputs for each pixel of the units.
    pub(crate) unsafe fn unstage(
        &self,
        task: &Task,
        units: &[Unit],
        from: *const f32,
        from_row: usize,
    ) {
        let panels = &self.panels[task.panels.clone()];
        let Destination { branch, output, residual } = &self.destinations[0];
        let (groups, grid) = (self.layer.groups, &branch.output);
        let (lo, hi) =
            branch.layer.activation.bounds().unwrap_or((f32::NEG_INFINITY, f32::INFINITY));
        let (first, at) = (panels[0].first, panels[0].at);
        let count = panels.iter().map(|panel| panel.count).sum();
        for unit in units {
            let to = first * grid.at.channel + grid.at.at(unit.place);
            debug_assert!(to < output.len);
            let end = match (residual, &branch.residual) {
                (Some(residual), Some(grid)) => {
                    let first = first * grid.at.channel + grid.at.at(unit.place);
                    End { residual: residual[first..].as_ptr(), lo, hi }
                }
                _ => End::NONE,
            };
            // SAFETY: the outputs of the task's panels in the rows of the unit, which the tiles
            // have stored, and their places in the output.
            unsafe {
                let staged = Staged {
                    from: from.add(unit.row * from_row + at),
                    from_row,
                    from_group: self.padded,
                    to: output.start.add(to),
                    to_row: grid.at.pixel,
                    to_group: grid.group,
                    rows: unit.span.count,
                    groups,
                    count,
                    shuffle: branch.layer.shuffle,
                    end,
                };
                unstage(self.kernel.isa(), &staged);
            }
        }
    }

    /// Gives each pixel of a unit with its number.
    fn places(&self, unit: &Unit, mut f: impl FnMut(usize, Place)) {
        let mut place = unit.place;
        for i in 0..unit.span.count {
            f(i, place);
            place.column += 1;
            if place.column == self.pixels.columns {
                (place.column, place.row) = (0, place.row + 1);
                if place.row == self.pixels.rows {
                    (place.row, place.image) = (0, place.image + 1);
                }
            }
        }
    }

    /// The pass over a tile that has been stored at `y`: one for each evenly spaced piece.
    ///
    /// # Safety
    /// As [`Run::task`]; the tile's elements are at `y` with pitches of channels and pixels, or
    /// where the branch's output lies.
    unsafe fn finish(&self, goal: &Goal<'_>, unit: &Unit, y: *mut f32, pitches: [usize; 2]) {
        let Destination { branch, residual, .. } = goal.destination;
        let own = branch.residual.filter(|_| !branch.residual_in_tile());
        let slopes = &self.packed.slopes.values();
        let slopes = match branch.layer.activation {
            Activation::Prelu => slopes[goal.packed..].as_ptr(),
            _ => core::ptr::null(),
        };
        let run = self.pixels.run(Even::Output);
        let [y_channel, y_pixel] = pitches;
        let (end, mut first) = (unit.span.first + unit.span.count, unit.span.first);
        while first < end {
            let pixels =
                if unit.uneven { (run - first % run).min(end - first) } else { end - first };
            let place =
                if first == unit.span.first { unit.place } else { self.pixels.place(first) };
            let offset = if branch.layer.average {
                (first - unit.span.first) * y_pixel
            } else {
                branch.output.at.at(place).wrapping_sub(branch.output.at.at(unit.place))
            };
            let residual = match (own, residual) {
                (Some(grid), Some(residual)) => {
                    residual[goal.residual + grid.at.at(place)..].as_ptr()
                }
                _ => core::ptr::null(),
            };
            // SAFETY: elements of the tile, and those of the residual for them; the slopes are
            // packed like the outputs.
            unsafe {
                let pass = Pass {
                    y: y.wrapping_add(offset),
                    y_channel,
                    y_pixel,
                    residual,
                    residual_channel: own.map_or(0, |grid| grid.at.channel),
                    residual_pixel: own.map_or(0, |grid| grid.at.pixel),
                    channels: goal.panel.count,
                    pixels,
                    activation: branch.layer.activation,
                    slopes,
                };
                epilogue::finish(self.kernel.isa(), &pass);
            }
            first += pixels;
        }
    }

    /// Adds a tile's pixels, in ascending order, to the sums that the output holds.
    ///
    /// # Safety
    /// As [`Run::task`]; `tile` holds the unit's pixels, the panel's width apart.
    unsafe fn add_to_averages(&self, goal: &Goal<'_>, unit: &Unit, tile: *const f32) {
        let at = &goal.destination.branch.output.at;
        self.places(unit, |i, place| {
            let sums = goal.output + at.base + place.image * at.image;
            for j in 0..goal.panel.count {
                // SAFETY: an element of the tile; an output of this panel and image, which are
                // this task's alone.
                unsafe {
                    let value = *tile.add(i * goal.panel.width + j);
                    *goal.destination.output.start.add(sums + j * at.channel) += value;
                }
            }
        });
    }

    /// Starts the averages of a task's panels at +0.
    ///
    /// # Safety
    /// As [`Run::task`].
    pub(crate) unsafe fn clear_averages(&self, task: &Task) {
        // SAFETY: by contract.
        unsafe { self.each_average(task, |sum| *sum = 0.0) };
    }

    /// Divides the sums of a task's panels by the number of pixels.
    ///
    /// # Safety
    /// As [`Run::task`].
    pub(crate) unsafe fn divide_averages(&self, task: &Task) {
        let pixels = (self.shape.oh * self.shape.ow) as f32;
        // SAFETY: by contract.
        unsafe { self.each_average(task, |sum| *sum /= pixels) };
    }

    /// # Safety
    /// As [`Run::task`].
    unsafe fn each_average(&self, task: &Task, f: impl Fn(&mut f32)) {
        for panel in &self.panels[task.panels.clone()] {
            let Destination { branch, output, .. } = &self.destinations[panel.branch];
            if !branch.layer.average {
                continue;
            }
            let at = &branch.output.at;
            for group in 0..self.layer.groups {
                for image in 0..self.layer.n {
                    let first = at.base + image * at.image + group * branch.output.group;
                    for k in panel.first..panel.first + panel.count {
                        // SAFETY: outputs of this panel, which are this task's alone.
                        unsafe { f(&mut *output.start.add(first + k * at.channel)) };
                    }
                }
            }
        }
    }

    /// Writes the outputs whose windows lie in the padding, of rows `first`, `first + step`, …:
    /// activation of bias plus residual.
    ///
    /// Not inlined, so that its arithmetic stays in the environment that its caller entered.
    ///
    /// # Safety
    /// As [`Run::task`], of the border pixels of those rows.
    #[inline(never)]
    pub(crate) unsafe fn border(&self, first: usize, step: usize) {
        let Shape { oh, ow, rows, columns, .. } = *self.shape;
        for line in (first..self.layer.n * oh).step_by(step) {
            let (image, row) = (line / oh, line % oh);
            let inside = (rows.start..rows.end).contains(&row);
            for column in 0..ow {
                if inside && (columns.start..columns.end).contains(&column) {
                    continue;
                }
                let place = Place { image, row, column };
                for panel in self.panels {
                    for group in 0..self.layer.groups {
                        // SAFETY: by contract.
                        unsafe { self.border_pixel(place, panel, group) };
                    }
                }
            }
        }
    }

    /// # Safety
    /// As [`Run::border`].
    unsafe fn border_pixel(&self, place: Place, panel: &Panel, group: usize) {
        let Destination { branch, output, residual } = &self.destinations[panel.branch];
        for i in 0..panel.count {
            let packed = group * self.padded + panel.at + i;
            let k = panel.first + i;
            let mut v = self.packed.starts.values()[packed];
            if let (Some(residual), Some(grid)) = (residual, &branch.residual) {
                let channel = group * grid.group + k * grid.whole.channel;
                v += residual[channel + grid.whole.at(place)];
            }
            let slope = self.packed.slopes.values().get(packed).copied().unwrap_or(1.0);
            let grid = &branch.output;
            let at = group * grid.group + k * grid.whole.channel + grid.whole.at(place);
            debug_assert!(at < output.len);
            // SAFETY: an element of the output, of a row that is this task's alone.
            unsafe {
                *output.start.add(at) = branch.layer.activation.apply_with_slope(v, slope);
            }
        }
    }
}
