//! The crate `gemm`, which multiplies matrices under faer; built with feature `peer-gemm`.
//!
//! It splits a product over the rayon pool itself. Its ISA cannot be capped.

use crate::contender::contract::{Case, Contender, Refusal, expect_no_cap, locked_version};
use crate::contender::lowering::{self, Sgemm};
use crate::contender::matrix::{Matrix, MatrixMut};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The contenders.
pub(in super::super) fn contenders() -> [Box<dyn Contender>; 2] {
    lowering::contenders(GemmCrate { threads: AtomicUsize::new(1) })
}

struct GemmCrate {
    /// Of the next product; set before every run.
    threads: AtomicUsize,
}

impl Sgemm for GemmCrate {
    fn names(&self) -> [&'static str; 2] {
        ["gemm", "gemm-product"]
    }

    fn version(&self) -> String {
        locked_version("gemm")
    }

    fn available(&self) -> Result<(), Refusal> {
        Ok(())
    }

    fn expect(&self, case: &Case<'_>) -> Result<(), Refusal> {
        expect_no_cap(case.isa)
    }

    fn multiply(&self, a: Matrix<'_>, b: Matrix<'_>, mut c: MatrixMut<'_>) -> Result<(), Refusal> {
        c.expect_product_of(&a, &b);
        let threads = self.threads.load(Ordering::Relaxed);
        let parallelism =
            if threads == 1 { gemm::Parallelism::None } else { gemm::Parallelism::Rayon(threads) };
        // SAFETY: the views' constructors checked that every element lies in its slice, the
        // sizes agree as checked above, `c` is borrowed mutably and so overlaps neither `a` nor
        // `b`, and no two of its elements lie in one place. Strides of slices of `f32` fit `isize`.
        unsafe {
            gemm::gemm(
                a.rows(),
                b.columns(),
                a.columns(),
                c.as_mut_ptr(),
                c.column_stride() as isize,
                c.row_stride() as isize,
                false,
                a.as_ptr(),
                a.column_stride() as isize,
                a.row_stride() as isize,
                b.as_ptr(),
                b.column_stride() as isize,
                b.row_stride() as isize,
                0.0,
                1.0,
                false,
                false,
                false,
                parallelism,
            );
        }
        Ok(())
    }

    fn has_threads(&self) -> bool {
        true
    }

    fn set_threads(&self, threads: usize) -> Result<(), Refusal> {
        self.threads.store(threads, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_use_it_is_right() {
        lowering::expect_every_way_is_right(&GemmCrate { threads: AtomicUsize::new(1) });
    }
}
