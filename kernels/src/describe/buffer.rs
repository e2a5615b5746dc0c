//! Checks of the lengths of a caller's slices, and allocation that can fail.

use crate::describe::arithmetic::Element;
use crate::describe::error::Error;

/// A zeroed vector, or the error that says how many bytes could not be allocated.
pub(crate) fn try_zeroed<T: Element>(len: usize) -> Result<Vec<T>, Error> {
    let mut v = Vec::new();
    v.try_reserve_exact(len)
        .map_err(|_| Error::OutOfMemory { bytes: len.saturating_mul(size_of::<T>()) })?;
    v.resize(len, T::ZERO);
    Ok(v)
}

/// Refuses a slice whose length is not `needed`.
pub(crate) fn expect_len(what: &'static str, given: usize, needed: usize) -> Result<(), Error> {
    if given == needed { Ok(()) } else { Err(Error::WrongLength { what, given, needed }) }
}

/// Refuses an optional slice that is given although it is not `wanted`, that is wanted and not given,
/// or whose length is not `needed`.
pub(crate) fn expect_optional<T>(
    what: &'static str,
    given: Option<&[T]>,
    wanted: bool,
    needed: usize,
) -> Result<(), Error> {
    match given {
        Some(given) if wanted => expect_len(what, given.len(), needed),
        Some(_) => Err(Error::Unexpected { what }),
        None if wanted => Err(Error::Missing { what }),
        None => Ok(()),
    }
}
