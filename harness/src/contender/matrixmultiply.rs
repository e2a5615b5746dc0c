//! The GEMM that most Rust code uses, as the crate `matrixmultiply`.
//!
//! Its own threads are left out: their number is read once from the environment when the first
//! product is computed, so that one process could not time it on one thread and on several. A layer
//! is divided among the threads of the rayon pool instead.

use super::foreign::matrixmultiply::sgemm;
use super::lowering::{self, Sgemm};
use crate::contender::contract::{Case, Contender, Refusal};
use crate::contender::matrix::{Matrix, MatrixMut};

pub(super) fn contenders() -> [Box<dyn Contender>; 2] {
    lowering::contenders(MatrixMultiply)
}

struct MatrixMultiply;

impl Sgemm for MatrixMultiply {
    fn names(&self) -> [&'static str; 2] {
        ["matrixmultiply", "matrixmultiply-product"]
    }

    fn version(&self) -> String {
        crate::contender::contract::locked_version("matrixmultiply")
    }

    fn available(&self) -> Result<(), Refusal> {
        Ok(())
    }

    fn expect(&self, case: &Case<'_>) -> Result<(), Refusal> {
        crate::contender::contract::expect_no_cap(case.isa)
    }

    fn multiply(&self, a: Matrix<'_>, b: Matrix<'_>, c: MatrixMut<'_>) -> Result<(), Refusal> {
        sgemm(a, b, c);
        Ok(())
    }

    fn has_threads(&self) -> bool {
        false
    }

    fn set_threads(&self, _threads: usize) -> Result<(), Refusal> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_way_to_use_it_is_right() {
        super::lowering::expect_every_way_is_right(&super::MatrixMultiply);
    }
}
