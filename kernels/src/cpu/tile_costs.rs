//! What the inner loops cost on a CPU: cycles per step of the reduction and around it, tile by
//! tile.
//!
//! Measured with operands in L1 where the CPU could be had, else static estimates; either is
//! better than counting ports where a compiler ran short of registers or of addressing modes.

use crate::micro::isa::Isa;

/// Whether broadcast values come from rows (`true`) or a line, as the tiles' `FORM`.
type Form = bool;

/// Cycles per step, and of start and store together where they are known.
type Cost = (f32, Option<f32>);

/// Costs by ISA, form, vectors and rows.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct TileCosts(Vec<Option<Cost>>);

const MOST_ROWS: usize = 32;
const MOST_VECTORS: usize = 4;

fn index(isa: Isa, form: Form, rows: usize, vectors: usize) -> usize {
    ((isa as usize * 2 + usize::from(form)) * MOST_VECTORS + vectors - 1) * MOST_ROWS + rows - 1
}

impl TileCosts {
    /// Of one tile, if it is known.
    pub(crate) fn get(
        &self,
        isa: Isa,
        form: Form,
        rows: usize,
        vectors: usize,
    ) -> Option<(f64, Option<f64>)> {
        let (step, ends) = self.0.get(index(isa, form, rows, vectors)).copied().flatten()?;
        Some((f64::from(step), ends.map(f64::from)))
    }

    /// Puts in what one tile costs; nothing for sizes that no tile has and times that none takes.
    pub(crate) fn set(
        &mut self,
        isa: Isa,
        form: Form,
        [rows, vectors]: [usize; 2],
        (step, ends): Cost,
    ) -> Option<()> {
        let sizes = (1..=MOST_ROWS).contains(&rows) && (1..=MOST_VECTORS).contains(&vectors);
        let sane = step > 0.0 && step < 1e6 && ends.is_none_or(|ends| ends.abs() < 1e6);
        if !(sizes && sane) {
            return None;
        }
        if self.0.is_empty() {
            self.0 = vec![None; Isa::ALL.len() * 2 * MOST_VECTORS * MOST_ROWS];
        }
        self.0[index(isa, form, rows, vectors)] = Some((step, ends));
        Some(())
    }

    /// Reads `ISA rows|line ROWSxVECTORS STEP ENDS`.
    pub(crate) fn add(&mut self, text: &str) -> Option<()> {
        let mut words = text.split_whitespace();
        let isa: Isa = words.next()?.parse().ok()?;
        let form = match words.next()? {
            "rows" => true,
            "line" => false,
            _ => return None,
        };
        let (rows, vectors) = words.next()?.split_once('x')?;
        let (rows, vectors): (usize, usize) = (rows.parse().ok()?, vectors.parse().ok()?);
        let (step, ends): (f32, f32) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        if words.next().is_some() {
            return None;
        }
        self.set(isa, form, [rows, vectors], (step, Some(ends)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_read_and_looked_up() {
        let mut costs = TileCosts::default();
        assert_eq!(costs.get(Isa::Avx2, true, 6, 2), None);
        costs.add("avx2 rows 6x2 6.1 30").unwrap();
        assert_eq!(costs.get(Isa::Avx2, true, 6, 2).unwrap().1, Some(30.0));
        assert_eq!(costs.get(Isa::Avx2, false, 6, 2), None);
        for bad in [
            "avx2 rows 6x2 6.1",
            "avx2 rows 6x9 1 1",
            "avx3 rows 1x1 1 1",
            "avx2 row 1x1 1 1",
            "avx2 rows 1x1 NaN 1",
        ] {
            assert_eq!(costs.add(bad), None, "{bad}");
        }
    }
}
