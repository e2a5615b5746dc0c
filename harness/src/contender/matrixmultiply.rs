//! The GEMM that most Rust code uses, as the crate `matrixmultiply`.
//!
//! Its own threads are left out (they would be a second pool beside rayon's); a layer is split
//! over the rayon pool instead, each thread multiplying rows of its own.

use super::foreign::matrix::{Matrix, MatrixMut};
use super::foreign::matrixmultiply::sgemm;
use super::lowering::{Lowered, Sgemm};
use super::{Case, Contender, Prepared, Refusal};

pub(super) fn contender() -> impl Contender {
    MatrixMultiply
}

struct MatrixMultiply;

impl Sgemm for MatrixMultiply {
    fn multiply(&self, a: Matrix<'_>, b: Matrix<'_>, c: MatrixMut<'_>) -> Result<(), Refusal> {
        sgemm(a, b, c);
        Ok(())
    }

    fn set_threads(&self, _threads: usize) -> Result<bool, Refusal> {
        Ok(false)
    }
}

impl Contender for MatrixMultiply {
    fn name(&self) -> &str {
        "matrixmultiply"
    }

    fn version(&self) -> String {
        super::locked_version("matrixmultiply")
    }

    fn available(&self) -> Result<(), Refusal> {
        Ok(())
    }

    fn exact(&self) -> bool {
        false
    }

    fn prepacks(&self) -> bool {
        false
    }

    fn prepare<'a>(&'a self, case: &Case<'_>) -> Result<Box<dyn Prepared + 'a>, Refusal> {
        super::expect_no_cap(case.isa)?;
        Ok(Box::new(Lowered::new(self, case)?))
    }
}
