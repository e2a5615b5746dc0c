//! The tiles that are compiled for an ISA and an element type.

use crate::describe::arithmetic::{Arithmetic, F32};
use crate::micro::isa::Isa;
use crate::micro::operands::{Clamp, Form, LINE, ROWS, TileFn, Tiled};

/// Element types that tiles are compiled for.
pub(crate) trait Compiled: Tiled {
    /// The tiles for an ISA. The menu is empty if this build is for another architecture.
    fn menu(isa: Isa) -> &'static Menu<Self>;
}

/// An arithmetic with kernels. Each family of kernels has a type that implements [`Tiled`]: the
/// families exchange what is broadcast and what lies in lanes.
pub(crate) trait Kernels: Arithmetic {
    /// The tiles with outputs in lanes, which broadcast inputs.
    type OutputsInLanes: Compiled<
            Broadcast = Self::Input,
            Lane = Self::Weight,
            Sum = Self::Sum,
            Output = Self::Output,
            Finish = Self::Finish,
        >;
    /// The tiles with pixels in lanes, which broadcast weights.
    type PixelsInLanes: Compiled<
            Broadcast = Self::Weight,
            Lane = Self::Input,
            Sum = Self::Sum,
            Output = Self::Output,
            Finish = Self::Finish,
        >;
    /// What is done to a sum, after the residual was added, before it is stored.
    type Finish: Copy;
}

impl Kernels for F32 {
    type OutputsInLanes = F32;
    type PixelsInLanes = F32;
    type Finish = Clamp;
}

/// Tiles by size, for each form of the broadcast values: `[vectors − 1][rows − 1]`, or
/// `[vectors − 2][rows − 1]` for tiles whose last vector two rows share.
pub(crate) struct Menu<T: Tiled> {
    pub(crate) rows: &'static [&'static [TileFn<T>]],
    pub(crate) line: &'static [&'static [TileFn<T>]],
    pub(crate) planes: &'static [&'static [TileFn<T>]],
    pub(crate) shared_rows: &'static [&'static [TileFn<T>]],
    pub(crate) shared_line: &'static [&'static [TileFn<T>]],
}

impl<T: Tiled> Menu<T> {
    /// The menu of an ISA that this build is not for: it is empty.
    pub(crate) const NONE: Menu<T> =
        Menu { rows: &[], line: &[], planes: &[], shared_rows: &[], shared_line: &[] };

    /// The tile of `rows` × `vectors` whose broadcast values lie as `form` says. If `shared`, two rows
    /// share its last vector.
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

/// Whether a tile prefetches. A tile of many rows and one vector loads about as often as it
/// multiplies, so that a prefetch would delay a load. (This was measured on a Zen 5. The commit
/// "micro: on AVX-512 the last steps are done half by half" has the figures.)
pub(crate) const fn asks(rows: usize, vectors: usize) -> bool {
    vectors > 1 || rows < 24
}

/// Whether a tile is compiled with `STAGGERS`: it can do its last steps for the first rows, and then
/// for the others. Only with vectors of 64 bytes and many accumulators do the stores at the end hold
/// up the multiply-adds behind them.
pub(crate) const fn staggers(lanes: usize, rows: usize, vectors: usize) -> bool {
    lanes == 16 && rows * vectors >= 24
}

/// The tiles of one form. The sizes are the numbers of rows for each number of vectors.
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

/// The menu of an ISA. If `shared` is given, the menu also has tiles that read planes, of all sizes,
/// and tiles whose last vector two rows share, of the sizes of `shared`.
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
