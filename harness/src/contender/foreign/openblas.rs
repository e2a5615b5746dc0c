//! OpenBLAS: `cblas_sgemm`, then bias, residual and activation as a pass of their own.
//!
//! Plain builds and those of the Python wheel `scipy-openblas64` (names prefixed and suffixed)
//! are taken. Its ISA is capped by the environment variable `OPENBLAS_CORETYPE`, which it reads
//! when it is loaded: see [`super::environment`].

use super::{expect_cap, expect_processors, open_first, peers_folder};
use crate::contender::contract::{Case, Contender, Options, Refusal};
use crate::contender::lowering::{self, Sgemm};
use crate::contender::matrix::{Matrix, MatrixMut};
use libloading::Library;
use pointwise::Isa;
use std::ffi::{CStr, c_char, c_int};
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

/// The contenders, their library not loaded yet.
pub(in super::super) fn contenders(options: &Options) -> [Box<dyn Contender>; 2] {
    lowering::contenders(OpenBlas::new(options))
}

struct OpenBlas {
    folder: PathBuf,
    isa: Option<Isa>,
    loaded: OnceLock<Result<Api, Refusal>>,
}

const ROW_MAJOR: c_int = 101;
const NO_TRANSPOSE: c_int = 111;
const TRANSPOSE: c_int = 112;

/// `cblas_sgemm` with integers of one width.
type CblasSgemm<I> = unsafe extern "C" fn(
    order: c_int,
    transpose_a: c_int,
    transpose_b: c_int,
    m: I,
    n: I,
    k: I,
    alpha: f32,
    a: *const f32,
    lda: I,
    b: *const f32,
    ldb: I,
    beta: f32,
    c: *mut f32,
    ldc: I,
);

#[derive(Clone, Copy)]
enum Multiply {
    Narrow(CblasSgemm<i32>),
    Wide(CblasSgemm<i64>),
}

struct Api {
    multiply: Multiply,
    set_threads: unsafe extern "C" fn(c_int),
    threads: unsafe extern "C" fn() -> c_int,
    /// Held while the count is set and read back: it is the process's.
    setting: Mutex<()>,
    config: String,
    core: String,
}

type Text = unsafe extern "C" fn() -> *const c_char;

/// Looks a function up under each of the names that builds give it.
///
/// # Safety
/// `F` is the type of a pointer to that function, and not called once the library is unloaded.
unsafe fn function<F: Copy>(library: &Library, name: &str) -> Result<F, Refusal> {
    [("scipy_", "64_"), ("", "64_"), ("", "")]
        .into_iter()
        // SAFETY: as the caller promises.
        .find_map(|(prefix, suffix)| unsafe {
            library.get::<F>(format!("{prefix}{name}{suffix}")).ok()
        })
        .map(|symbol| *symbol)
        .ok_or_else(|| Refusal::Unavailable(format!("it has no {name}")))
}

impl Api {
    fn load(library: Library) -> Result<Self, Refusal> {
        // SAFETY: both functions take nothing and return a pointer to a NUL-terminated string
        // that lives as long as the library.
        let text = |name| unsafe {
            let get: Text = function(&library, name)?;
            Ok::<_, Refusal>(CStr::from_ptr(get()).to_string_lossy().into_owned())
        };
        let (config, core) = (text("openblas_get_config")?, text("openblas_get_corename")?);
        // SAFETY: the types are those of OpenBLAS's header, the width of its integers is what
        // its configuration says, and it is never unloaded.
        let api = unsafe {
            let multiply = if config.contains("USE64BITINT") {
                Multiply::Wide(function(&library, "cblas_sgemm")?)
            } else {
                Multiply::Narrow(function(&library, "cblas_sgemm")?)
            };
            let set_threads = function(&library, "openblas_set_num_threads")?;
            let threads = function(&library, "openblas_get_num_threads")?;
            Api { multiply, set_threads, threads, setting: Mutex::new(()), config, core }
        };
        // Its worker threads run code in it.
        std::mem::forget(library);
        Ok(api)
    }
}

impl OpenBlas {
    fn new(options: &Options) -> OpenBlas {
        let folder = peers_folder(options.peers.as_deref());
        OpenBlas { folder, isa: options.isa, loaded: OnceLock::new() }
    }

    fn api(&self) -> Result<&Api, Refusal> {
        let load = || {
            let names = ["libscipy_openblas64_.so", "libopenblas.so.0", "libopenblas.so"];
            let (library, path) = open_first(&self.folder, &names)?;
            Api::load(library).map_err(|e| Refusal::Failed(format!("{}: {e}", path.display())))
        };
        self.loaded.get_or_init(load).as_ref().map_err(Clone::clone)
    }

    /// Refuses a cap that the library does not keep.
    fn expect_isa(&self) -> Result<(), Refusal> {
        let core = &self.api()?.core;
        let has_avx512 = ["SkylakeX", "Cooperlake", "SapphireRapids"].contains(&core.as_str());
        match self.isa {
            None | Some(Isa::Avx512 | Isa::Neon) => Ok(()),
            Some(Isa::Avx2) if !has_avx512 => Ok(()),
            Some(cap) => Err(Refusal::Unsupported(format!(
                "it runs its {core} kernels under cap {cap}; \
                 start with OPENBLAS_CORETYPE=Haswell for avx2"
            ))),
        }
    }
}

impl Sgemm for OpenBlas {
    fn names(&self) -> [&'static str; 2] {
        ["openblas", "openblas-product"]
    }

    fn version(&self) -> String {
        let Ok(api) = self.api() else { return String::new() };
        // "OpenBLAS 0.3.27 USE64BITINT DYNAMIC_ARCH …"
        api.config.split_whitespace().nth(1).unwrap_or_default().to_owned()
    }

    fn available(&self) -> Result<(), Refusal> {
        self.api().map(|_| ())
    }

    fn expect(&self, case: &Case<'_>) -> Result<(), Refusal> {
        expect_cap(self.isa, case.isa)?;
        self.expect_isa()?;
        expect_processors(case.threads)
    }

    fn multiply(&self, a: Matrix<'_>, b: Matrix<'_>, mut c: MatrixMut<'_>) -> Result<(), Refusal> {
        c.expect_product_of(&a, &b);
        // What separates the rows of the product; a single row is separated from nothing.
        let ldc = if c.rows() == 1 { c.columns() } else { c.row_stride() };
        if c.column_stride() != 1 || ldc < c.columns() {
            // The library would exchange the factors back.
            return Err(Refusal::Unsupported("outputs by columns".to_owned()));
        }
        let Operand { transpose: ta, leading: lda } = Operand::of(&a)?;
        let Operand { transpose: tb, leading: ldb } = Operand::of(&b)?;
        let (pa, pb, pc) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
        let sizes = [a.rows(), b.columns(), a.columns(), lda, ldb, ldc];
        let too_large = |_| Refusal::Unsupported(format!("{sizes:?} exceed its integers"));
        // SAFETY: the views' constructors checked that every element lies in its slice; sizes
        // agree as checked above; `c` is borrowed mutably and overlaps neither `a` nor `b`. The
        // leading dimensions are at least the lengths of the lines they separate, and every
        // number is what it was before it was converted.
        unsafe {
            match self.api()?.multiply {
                Multiply::Narrow(sgemm) => {
                    let [m, n, k, lda, ldb, ldc] = narrow::<i32>(sizes).map_err(too_large)?;
                    sgemm(ROW_MAJOR, ta, tb, m, n, k, 1.0, pa, lda, pb, ldb, 0.0, pc, ldc);
                }
                Multiply::Wide(sgemm) => {
                    let [m, n, k, lda, ldb, ldc] = narrow::<i64>(sizes).map_err(too_large)?;
                    sgemm(ROW_MAJOR, ta, tb, m, n, k, 1.0, pa, lda, pb, ldb, 0.0, pc, ldc);
                }
            }
        }
        Ok(())
    }

    fn has_threads(&self) -> bool {
        true
    }

    fn set_threads(&self, threads: usize) -> Result<(), Refusal> {
        let api = self.api()?;
        let _alone = api.setting.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = c_int::try_from(threads).unwrap_or(c_int::MAX);
        // SAFETY: both take and return a plain integer and may be called at any time.
        let got = unsafe {
            (api.set_threads)(wanted);
            (api.threads)()
        };
        if got != wanted {
            return Err(Refusal::Failed(format!("{threads} threads asked for, {got} set")));
        }
        Ok(())
    }

    fn kernel(&self) -> String {
        self.api().map(|api| api.core.clone()).unwrap_or_default()
    }
}

/// How CBLAS is told of a matrix.
struct Operand {
    transpose: c_int,
    leading: usize,
}

impl Operand {
    fn of(matrix: &Matrix<'_>) -> Result<Self, Refusal> {
        let [rows, columns] = [matrix.rows(), matrix.columns()];
        // What separates lines of so many values; a single line is separated from nothing.
        let leading = |lines, len, within, between: usize| {
            let side_by_side = len == 1 || within == 1;
            let leading = if lines == 1 { len } else { between };
            (side_by_side && leading >= len).then_some(leading)
        };
        let (rs, cs) = (matrix.row_stride(), matrix.column_stride());
        if let Some(leading) = leading(rows, columns, cs, rs) {
            Ok(Operand { transpose: NO_TRANSPOSE, leading })
        } else if let Some(leading) = leading(columns, rows, rs, cs) {
            Ok(Operand { transpose: TRANSPOSE, leading })
        } else {
            Err(Refusal::Unsupported(format!("strides {rs} and {cs}")))
        }
    }
}

fn narrow<I: TryFrom<usize> + Default + Copy>(sizes: [usize; 6]) -> Result<[I; 6], I::Error> {
    let mut converted = [I::default(); 6];
    for (to, from) in converted.iter_mut().zip(sizes) {
        *to = from.try_into()?;
    }
    Ok(converted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_use_it_is_right() {
        let library = OpenBlas::new(&Options::default());
        match library.available() {
            Ok(()) => lowering::expect_every_way_is_right(&library),
            Err(why) => eprintln!("skipped: {why}"),
        }
    }
}
