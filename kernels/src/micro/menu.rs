//! The tiles that are compiled for one ISA and one kind of elements.

use crate::describe::arithmetic::{Arithmetic, F32};
use crate::micro::isa::Isa;
use crate::micro::operands::{Clamp, Form, LINE, ROWS, TileFn, Tiled};

/// Elements that tiles are compiled for.
pub(crate) trait Compiled: Tiled {
    /// The tiles for an ISA; one without tiles where this build has none.
    fn menu(isa: Isa) -> &'static Menu<Self>;
}

/// An arithmetic with kernels: the types of its two families of tiles.
pub(crate) trait Kernels: Arithmetic {
    /// Outputs in lanes, inputs broadcast.
    type OutputsInLanes: Compiled<
            Broadcast = Self::Input,
            Lane = Self::Weight,
            Sum = Self::Sum,
            Output = Self::Output,
            Finish = Self::Finish,
        >;
    /// Pixels in lanes, weights broadcast.
    type PixelsInLanes: Compiled<
            Broadcast = Self::Weight,
            Lane = Self::Input,
            Sum = Self::Sum,
            Output = Self::Output,
            Finish = Self::Finish,
        >;
    /// What a sum goes through on its way out, beside the residual.
    type Finish: Copy;
}

impl Kernels for F32 {
    type OutputsInLanes = F32;
    type PixelsInLanes = F32;
    type Finish = Clamp;
}

/// Tiles by size: `[vectors − 1][rows − 1]`, for each form of the broadcast values. Those whose last
/// vector two rows share begin with two vectors.
pub(crate) struct Menu<T: Tiled> {
    pub(crate) rows: &'static [&'static [TileFn<T>]],
    pub(crate) line: &'static [&'static [TileFn<T>]],
    pub(crate) planes: &'static [&'static [TileFn<T>]],
    pub(crate) shared_rows: &'static [&'static [TileFn<T>]],
    pub(crate) shared_line: &'static [&'static [TileFn<T>]],
}

impl<T: Tiled> Menu<T> {
    /// What stands for the menu of an ISA that this build is not for.
    pub(crate) const NONE: Menu<T> =
        Menu { rows: &[], line: &[], planes: &[], shared_rows: &[], shared_line: &[] };

    /// The tile of `rows` × `vectors` whose broadcast values lie as `form` says; `shared` if two
    /// rows share its last vector.
    pub(crate) fn tile(&self, rows: usize, vectors: usize, form: Form, shared: bool) -> TileFn<T> {
        let sizes = match (form, shared) {
            (ROWS, false) => self.rows,
            (LINE, false) => self.line,
            (ROWS, true) => self.shared_rows,
            (LINE, true) => self.shared_line,
            _ => self.planes,
        };
        sizes[vectors - if shared { 2 } else { 1 }][rows - 1]
    }
}

/// Whether a tile asks the caches for what comes next. A tall tile of one vector's width loads
/// about as often as it multiplies, and has no load to spare. (Measured on a Zen 5: the commit
/// "micro: on AVX-512 the last steps are done half by half" says what it brought.)
pub(crate) const fn asks(rows: usize, vectors: usize) -> bool {
    vectors > 1 || rows < 24
}

/// Whether the last steps of a tile can be done for half of its rows first. It takes vectors of 64
/// bytes and many accumulators for the stores at the end to hold up what follows.
pub(crate) const fn staggers(lanes: usize, rows: usize, vectors: usize) -> bool {
    lanes == 16 && rows * vectors >= 24
}

/// The tiles of one form: for each count of vectors, the counts of rows.
macro_rules! tiles {
    ($token:ty, $lanes:literal, $elements:ty, $form:ident, $shared:literal,
     {$($vectors:literal: $($rows:literal)*;)*}) => {
        &[$(&[$(
            $crate::micro::tile::tile::<
                $token, $elements, $rows, $vectors,
                { $crate::micro::operands::$form }, $shared,
                { $crate::micro::menu::asks($rows, $vectors) },
                { !$shared && $crate::micro::menu::staggers($lanes, $rows, $vectors) },
            >
        ),*]),*]
    };
}

/// The menu of one ISA; with tiles that read planes and tiles that share a vector where `shared`
/// names sizes for these.
macro_rules! menu {
    ($token:ty, $lanes:literal, $elements:ty, $sizes:tt) => {
        $crate::micro::menu::Menu::<$elements> {
            rows: $crate::micro::menu::tiles!($token, $lanes, $elements, ROWS, false, $sizes),
            line: $crate::micro::menu::tiles!($token, $lanes, $elements, LINE, false, $sizes),
            ..$crate::micro::menu::Menu::NONE
        }
    };
    ($token:ty, $lanes:literal, $elements:ty, $sizes:tt, shared: $shared:tt) => {
        $crate::micro::menu::Menu::<$elements> {
            rows: $crate::micro::menu::tiles!($token, $lanes, $elements, ROWS, false, $sizes),
            line: $crate::micro::menu::tiles!($token, $lanes, $elements, LINE, false, $sizes),
            planes: $crate::micro::menu::tiles!($token, $lanes, $elements, PLANES, false, $sizes),
            shared_rows: $crate::micro::menu::tiles!(
                $token, $lanes, $elements, ROWS, true, $shared
            ),
            shared_line: $crate::micro::menu::tiles!(
                $token, $lanes, $elements, LINE, true, $shared
            ),
        }
    };
}

pub(crate) use {menu, tiles};
