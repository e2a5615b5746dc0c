//! Views of matrices whose bounds are checked when they are made, so that the calls that hand
//! their pointers to a library need no check of their own.

/// A matrix to read: element (i, j) lies at `i·row_stride + j·column_stride`.
#[derive(Clone, Copy)]
pub(in super::super) struct Matrix<'a> {
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
    pub(in super::super) fn new(
        values: &'a [f32],
        [rows, columns]: [usize; 2],
        [row_stride, column_stride]: [usize; 2],
    ) -> Self {
        assert!(rows > 0 && columns > 0, "an empty matrix");
        assert!((rows - 1) * row_stride + (columns - 1) * column_stride < values.len());
        Matrix { values, rows, columns, row_stride, column_stride }
    }

    pub(in super::super) fn rows(&self) -> usize {
        self.rows
    }

    pub(in super::super) fn columns(&self) -> usize {
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

/// A matrix to write, its rows contiguous.
pub(in super::super) struct MatrixMut<'a> {
    values: &'a mut [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
}

impl<'a> MatrixMut<'a> {
    /// `[rows, columns]`, and how far apart rows lie.
    ///
    /// # Panics
    /// When rows overlap, or an element would lie outside of `values`, or there is none.
    pub(in super::super) fn new(
        values: &'a mut [f32],
        [rows, columns]: [usize; 2],
        row_stride: usize,
    ) -> Self {
        assert!(rows > 0 && columns > 0, "an empty matrix");
        assert!(row_stride >= columns, "overlapping rows");
        assert!((rows - 1) * row_stride + columns <= values.len());
        MatrixMut { values, rows, columns, row_stride }
    }

    /// Checks that this is where `a·b` goes.
    ///
    /// # Panics
    /// When the sizes don't agree.
    pub(super) fn expect_product_of(&self, a: &Matrix<'_>, b: &Matrix<'_>) {
        assert_eq!([a.rows, a.columns, b.columns], [self.rows, b.rows, self.columns]);
    }

    pub(super) fn row_stride(&self) -> usize {
        self.row_stride
    }

    /// Valid for reads and writes of every element.
    pub(super) fn as_mut_ptr(&mut self) -> *mut f32 {
        self.values.as_mut_ptr()
    }
}
