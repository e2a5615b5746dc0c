//! Unstaging: copying the staged outputs of a block to the output.

use crate::cut::split::Task;
use crate::run::block::Placed;
use crate::run::executed::Executed;
use crate::run::rows::Staged;
use crate::run::{Destination, Run, Stage};

impl<A: Executed> Run<'_, A> {
    /// Copies the staged outputs of a block to the output.
    ///
    /// # Safety
    /// As [`Run::task`]. `stage` has a row for each pixel of the units.
    pub(super) unsafe fn unstage(&self, task: &Task, units: &[Placed], stage: Stage<A::Output>) {
        let panels = &self.panels[task.panels.clone()];
        let Destination { outlet, output, residual } = &self.destinations[0];
        let (groups, grid) = (self.layer.groups, &outlet.output);
        let finish = A::finish(&outlet.layer.activation);
        let (first, at) = (panels[0].first, panels[0].at);
        let count = panels.iter().map(|panel| panel.shape.outputs).sum();
        for Placed { unit, row, .. } in units {
            let to = first * grid.at.channel + grid.at.at(unit.place);
            debug_assert!(to < output.len);
            // Without a residual, the tiles have already applied the activation.
            let (residual, finish) = match (residual, &outlet.residual) {
                (Some(residual), Some(grid)) => {
                    let first = first * grid.at.channel + grid.at.at(unit.place);
                    (residual[first..].as_ptr(), finish.unwrap_or(A::UNFINISHED))
                }
                _ => (core::ptr::null(), A::UNFINISHED),
            };
            // SAFETY: the outputs of the task's panels in the rows of the unit, which the tiles have
            // stored, and their destinations in the output.
            unsafe {
                let staged = Staged {
                    from: stage.start.add(row * stage.row + at),
                    from_row: stage.row,
                    from_group: self.cut.panels.padded(),
                    to: output.start.add(to),
                    to_row: grid.at.pixel,
                    to_group: grid.group,
                    rows: unit.span.count,
                    groups,
                    count,
                    shuffle: outlet.layer.shuffle,
                    residual,
                    finish,
                };
                A::unstage(self.cut.kernel.isa(), &staged);
            }
        }
    }
}
