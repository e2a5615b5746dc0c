//! Figures for other documents, each a file of its own.

use super::figure::drawing::Figure;
use super::{facts, layers, roof, runs::Report};

impl Report {
    /// The figures: `speed_nhwc`, `speed_nchw` and `roofline`, as far as the records have them. Of
    /// several settings they show the first: hot caches before cold, then the fewest threads.
    pub fn figures(&self) -> Vec<Figure> {
        let grids = self.grids();
        let palette = Report::palette(&grids);
        let cpu = self.environments().next().and_then(facts::cpu);
        let mut figures: Vec<Figure> = Vec::new();
        for grid in &grids {
            if let Some(overview) = layers::overview(grid, &palette)
                && figures.iter().all(|figure| figure.name != overview.name)
            {
                let setting = grid.setting.to_string();
                let conditions: Vec<String> = cpu.iter().cloned().chain([setting]).collect();
                figures.push(overview.dots().subtitled(conditions.join("; ")));
            }
        }
        if let Some(mut figure) = roof::figures(self, &grids).into_iter().next() {
            figure.name = "roofline".to_owned();
            figures.push(figure.subtitled(cpu.unwrap_or_default()));
        }
        figures
    }
}
