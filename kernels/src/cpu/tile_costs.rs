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
    use crate::micro::finish::Offsets;
    use crate::micro::registry::kernels;
    use crate::micro::tile::{LINE, ROWS, Tile};
    use std::hint::black_box;
    use std::time::Instant;

    /// Nanoseconds of a cycle: a chain of multiplications, 3 cycles each, and exclusive ors.
    fn cycle() -> f64 {
        let begin = Instant::now();
        let mut x = black_box(3u64);
        for i in 0..5_000u64 {
            x = x.wrapping_mul(x) ^ i;
        }
        black_box(x);
        begin.elapsed().as_nanos() as f64 / 20_000.0
    }

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

    /// Prints the `tile` lines of this CPU's data file.
    #[test]
    #[ignore = "measures"]
    fn measure() {
        let a = vec![0.5f32; 40 * 512];
        let b = vec![0.25f32; 4096];
        let mut y = vec![0.0f32; 64 * 64];
        let mut done = Vec::new();
        for kernel in kernels().iter().filter(|k| k.is_available() && k.isa() != Isa::Scalar) {
            let lanes = kernel.isa().lanes();
            for vectors in 1..=kernel.vectors() {
                for rows in 1..=kernel.rows() {
                    for form in [true, false] {
                        if done.contains(&(kernel.isa(), vectors, rows, form)) {
                            continue;
                        }
                        done.push((kernel.isa(), vectors, rows, form));
                        let function =
                            kernel.tile(rows, vectors, if form { ROWS } else { LINE }, false);
                        let mut least = [f64::INFINITY; 2];
                        for _ in 0..15 {
                            let cycle = cycle().min(cycle());
                            for (least, depth) in least.iter_mut().zip([64, 192]) {
                                let tile = Tile {
                                    depth,
                                    a: a.as_ptr(),
                                    a_row: 208,
                                    a_step: usize::from(form),
                                    b: b.as_ptr(),
                                    b_step: 0,
                                    start: b.as_ptr(),
                                    start_by_row: !form,
                                    y: y.as_mut_ptr(),
                                    residual: core::ptr::null(),
                                    y_row: vectors * lanes,
                                    y_lanes: Offsets::Adjacent,
                                    lanes: vectors * lanes,
                                    fresh_weights: false,
                                    fresh_pixels: false,
                                    lo: 0.0,
                                    hi: f32::INFINITY,
                                };
                                let begin = Instant::now();
                                for _ in 0..100 {
                                    // SAFETY: the buffers are larger than any tile of them.
                                    unsafe { function(black_box(&tile)) };
                                }
                                *least =
                                    least.min(begin.elapsed().as_nanos() as f64 / 100.0 / cycle);
                            }
                        }
                        let step = (least[1] - least[0]) / 128.0;
                        println!(
                            "tile {} {} {rows}x{vectors} {step:.2} {:.0}",
                            kernel.isa(),
                            if form { "rows" } else { "line" },
                            (least[0] - 64.0 * step).max(1.0),
                        );
                    }
                }
            }
        }
    }
}
