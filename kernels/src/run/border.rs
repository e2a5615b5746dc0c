//! The border: outputs whose windows lie in the padding.

use crate::cut::panels::Panel;
use crate::cut::pixels::Place;
use crate::describe::layer::Shape;
use crate::run::executed::Executed;
use crate::run::{Destination, Run};

impl<A: Executed> Run<'_, A> {
    /// Writes the outputs whose windows lie in the padding, in rows `first`, `first + step` and so on.
    /// Such an output is the activation of bias plus residual.
    ///
    /// Not inlined, so that its arithmetic stays in the environment that its caller entered.
    ///
    /// # Safety
    /// As [`Run::task`], for the border pixels of those rows.
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

    /// Writes the outputs of one panel of one group at one pixel.
    ///
    /// # Safety
    /// As [`Run::border`].
    unsafe fn border_pixel(&self, place: Place, panel: &Panel, group: usize) {
        let Destination { outlet, output, residual } = &self.destinations[panel.shape.outlet];
        for i in 0..panel.shape.outputs {
            let packed = group * self.cut.panels.padded() + panel.at + i;
            let k = panel.first + i;
            let residual = residual.zip(outlet.residual.as_ref()).map(|(residual, grid)| {
                let channel = group * grid.group + k * grid.whole.channel;
                residual[channel + grid.whole.at(place)]
            });
            let slope = self.packed.slopes.values::<f32>().get(packed).copied().unwrap_or(1.0);
            let grid = &outlet.output;
            let at = group * grid.group + k * grid.whole.channel + grid.whole.at(place);
            debug_assert!(at < output.len);
            // SAFETY: an element of the output, of a row that is this task's alone.
            unsafe {
                let start = self.packed.starts.values()[packed];
                *output.start.add(at) = A::border(start, residual, &outlet.layer.activation, slope);
            }
        }
    }
}
