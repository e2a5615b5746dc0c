//! Views of matrices whose bounds are checked when they are made, so that the calls that hand
//! their pointers to a library need no check of their own.

use std::marker::PhantomData;
use std::ops::Range;

/// A matrix to read: element (i, j) lies at `i·row_stride + j·column_stride`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// `[rows, columns]` and the strides of each.
    ///
    /// # Panics
    /// When an element would lie outside of `values`, or there is none.
    pub(super) fn new(
        values: &'a [f32],
        [rows, columns]: [usize; 2],
        [row_stride, column_stride]: [usize; 2],
    ) -> Self {
        assert!(rows > 0 && columns > 0, "an empty matrix");
        assert!((rows - 1) * row_stride + (columns - 1) * column_stride < values.len());
        Matrix { values, rows, columns, row_stride, column_stride }
    }

    /// Some of the rows.
    ///
    /// # Panics
    /// When the matrix does not have them, or the range is empty.
    pub(super) fn of_rows(&self, rows: &Range<usize>) -> Self {
        assert!(rows.end <= self.rows, "rows past the end");
        let values = &self.values[rows.start * self.row_stride..];
        Matrix::new(values, [rows.len(), self.columns], [self.row_stride, self.column_stride])
    }

    /// Some of the columns.
    ///
    /// # Panics
    /// When the matrix does not have them, or the range is empty.
    pub(super) fn of_columns(&self, columns: &Range<usize>) -> Self {
        self.transposed().of_rows(columns).transposed()
    }

    /// The same values, rows and columns exchanged.
    pub(super) fn transposed(&self) -> Self {
        Matrix {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..*self
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    pub(super) fn row_stride(&self) -> usize {
        self.row_stride
    }

    pub(super) fn column_stride(&self) -> usize {
        self.column_stride
    }

    /// Valid for reads of every element.
    pub(super) fn as_ptr(&self) -> *const f32 {
        self.values.as_ptr()
    }
}

/// A matrix to write: element (i, j) lies at `i·row_stride + j·column_stride`, and nowhere else.
pub(super) struct MatrixMut<'a> {
    /// Valid for reads and writes of every element for `'a`, and nobody else uses the elements.
    first: *mut f32,
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
    values: PhantomData<&'a mut [f32]>,
}

// SAFETY: a matrix is the only user of its elements for its lifetime, as a mutable slice is of
// its own, and `f32` may be sent between threads.
unsafe impl Send for MatrixMut<'_> {}

impl<'a> MatrixMut<'a> {
    /// `[rows, columns]`, each row contiguous, and how far apart rows lie.
    ///
    /// # Panics
    /// When rows overlap, or an element would lie outside of `values`, or there is none.
    pub(super) fn new(
        values: &'a mut [f32],
        [rows, columns]: [usize; 2],
        row_stride: usize,
    ) -> Self {
        assert!(rows > 0 && columns > 0, "an empty matrix");
        assert!(row_stride >= columns, "overlapping rows");
        assert!((rows - 1) * row_stride + columns <= values.len());
        let first = values.as_mut_ptr();
        MatrixMut { first, rows, columns, row_stride, column_stride: 1, values: PhantomData }
    }

    /// Two matrices that share no element: the first rows, and the others.
    ///
    /// # Panics
    /// When either would be empty.
    pub(super) fn split_rows(self, first: usize) -> (Self, Self) {
        assert!(first > 0 && first < self.rows, "an empty matrix");
        // SAFETY: row `first` exists as checked, so that its first element lies in the same slice.
        let below = unsafe { self.first.add(first * self.row_stride) };
        let rows = self.rows - first;
        (MatrixMut { rows: first, ..self }, MatrixMut { first: below, rows, ..self })
    }

    /// Two matrices that share no element: the first columns, and the others.
    ///
    /// # Panics
    /// When either would be empty.
    pub(super) fn split_columns(self, first: usize) -> (Self, Self) {
        let (left, right) = self.transposed().split_rows(first);
        (left.transposed(), right.transposed())
    }

    /// The same elements, rows and columns exchanged.
    pub(super) fn transposed(self) -> Self {
        MatrixMut {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// The same elements for a shorter time.
    pub(super) fn reborrow(&mut self) -> MatrixMut<'_> {
        MatrixMut { ..*self }
    }

    /// One row.
    ///
    /// # Panics
    /// When there is no such row, or its elements don't lie side by side.
    pub(super) fn row(&mut self, row: usize) -> &mut [f32] {
        assert!(row < self.rows && self.column_stride == 1, "no such row, or not contiguous");
        // SAFETY: the row exists and is contiguous as checked; its elements are this matrix's
        // own, which is mutably borrowed as long as the slice is.
        unsafe {
            std::slice::from_raw_parts_mut(self.first.add(row * self.row_stride), self.columns)
        }
    }

    /// All elements as one slice, where the rows lie one after another without a gap.
    pub(super) fn as_slice(&mut self) -> Option<&mut [f32]> {
        if self.column_stride != 1 || (self.rows > 1 && self.row_stride != self.columns) {
            return None;
        }
        // SAFETY: the elements lie side by side as checked; they are this matrix's own, which is
        // mutably borrowed as long as the slice is.
        Some(unsafe { std::slice::from_raw_parts_mut(self.first, self.rows * self.columns) })
    }

    /// Checks that this is where `a·b` goes.
    ///
    /// # Panics
    /// When the sizes don't agree.
    pub(super) fn expect_product_of(&self, a: &Matrix<'_>, b: &Matrix<'_>) {
        assert_eq!([a.rows, a.columns, b.columns], [self.rows, b.rows, self.columns]);
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    pub(super) fn row_stride(&self) -> usize {
        self.row_stride
    }

    pub(super) fn column_stride(&self) -> usize {
        self.column_stride
    }

    /// Valid for reads and writes of every element.
    pub(super) fn as_mut_ptr(&mut self) -> *mut f32 {
        self.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes `value` to every element, through its rows.
    fn fill(mut matrix: MatrixMut<'_>, value: f32) {
        for row in 0..matrix.rows() {
            matrix.row(row).fill(value);
        }
    }

    #[test]
    fn parts_share_no_element_and_leave_none_out() {
        let mut values = [0.0; 3 * 5];
        let matrix = MatrixMut::new(&mut values, [3, 4], 5);
        let (top, bottom) = matrix.split_rows(1);
        let (left, mut right) = bottom.split_columns(3);
        assert_eq!((right.rows(), right.columns()), (2, 1));
        assert!(right.as_slice().is_none());
        fill(top, 1.0);
        fill(left, 2.0);
        fill(right, 3.0);
        let lines = [[1.0, 1.0, 1.0, 1.0, 0.0], [2.0, 2.0, 2.0, 3.0, 0.0]];
        assert_eq!(values, [lines[0], lines[1], [2.0, 2.0, 2.0, 3.0, 0.0]].concat()[..]);
    }

    #[test]
    fn parts_to_read_are_where_the_whole_has_them() {
        let values: Vec<f32> = (0..12).map(|i| i as f32).collect();
        // Columns of 4 values.
        let matrix = Matrix::new(&values, [4, 3], [1, 4]);
        let part = matrix.of_rows(&(1..3)).of_columns(&(2..3));
        assert_eq!((part.rows(), part.columns(), part.values[0]), (2, 1, 9.0));
        let part = part.transposed();
        assert_eq!((part.rows(), part.columns(), part.values[part.column_stride]), (1, 2, 10.0));
    }
}
