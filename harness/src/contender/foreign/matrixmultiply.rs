//! The one call of the crate `matrixmultiply`, which takes pointers.

use crate::contender::matrix::{Matrix, MatrixMut};

/// `c = a·b` on one thread.
pub(in super::super) fn sgemm(a: Matrix<'_>, b: Matrix<'_>, mut c: MatrixMut<'_>) {
    c.expect_product_of(&a, &b);
    // SAFETY: the views' constructors checked that every element lies in its slice, the sizes
    // agree as checked above, `c` is borrowed mutably and so overlaps neither `a` nor `b`, and
    // no two of its elements lie in one place. Strides of slices of `f32` fit `isize`.
    unsafe {
        matrixmultiply::sgemm(
            a.rows(),
            a.columns(),
            b.columns(),
            1.0,
            a.as_ptr(),
            a.row_stride() as isize,
            a.column_stride() as isize,
            b.as_ptr(),
            b.row_stride() as isize,
            b.column_stride() as isize,
            0.0,
            c.as_mut_ptr(),
            c.row_stride() as isize,
            c.column_stride() as isize,
        );
    }
}
