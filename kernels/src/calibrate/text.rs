//! A calibration as text: a data file of a CPU, whose first lines say what made it and of which
//! machine.

use super::prices::{Prices, TilePrice, form_name};
use super::streams::Streams;
use crate::cpu::Cpu;
use crate::cpu::host::{host_text, identity};
use crate::describe::error::Error;
use core::fmt;
use core::fmt::Write;

/// Version of the first lines.
const VERSION: &str = "1";

const FIRST: &str = "# pointwise-calibration ";
const LIBRARY: &str = "# library ";
const CPU: &str = "# cpu ";

/// The library's version and how it was built: its kernels are other ones in a build for debugging.
const BUILD: &str = if cfg!(debug_assertions) {
    concat!(env!("CARGO_PKG_VERSION"), " for debugging")
} else {
    env!("CARGO_PKG_VERSION")
};

/// Prices of this machine, as [`Cpu::calibrate`] measured them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Calibration {
    /// The CPU with the measured prices.
    pub cpu: Cpu,
    /// The text of a data file, which [`Calibration::parse`] and [`Cpu::parse`] read.
    pub text: String,
    /// How much longer a sample took than the shortest of its kind, on average: 0.02 on a quiet
    /// machine, some tenths on one that does other work meanwhile.
    pub noise: f64,
    /// Samples of each piece of work.
    pub samples: usize,
}

/// What a calibration found.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Found {
    pub(super) prices: Prices,
    pub(super) streams: Streams,
    /// Cycles until a second thread starts.
    pub(super) wake: Option<f64>,
}

/// Why a calibration is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CalibrationError {
    /// The text is no calibration, or not of a version that this library reads.
    NotACalibration {
        /// Its first line.
        first: String,
    },
    /// A line cannot be understood; the file is damaged or cut short.
    Damaged {
        /// Its number, from 1.
        line: usize,
    },
    /// It was made by another version or build of the library, whose kernels may differ.
    OtherLibrary {
        /// That version.
        found: String,
    },
    /// It was made on another CPU.
    OtherCpu {
        /// That CPU.
        found: String,
        /// This one.
        here: String,
    },
}

impl fmt::Display for CalibrationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CalibrationError::NotACalibration { first } => {
                write!(f, "not a calibration of version {VERSION}: it starts with {first:?}")
            }
            CalibrationError::Damaged { line } => {
                write!(f, "calibration is damaged at line {line}: calibrate again")
            }
            CalibrationError::OtherLibrary { found } => write!(
                f,
                "calibration was made by version {}, this is {BUILD}: calibrate again",
                found.escape_debug(),
            ),
            CalibrationError::OtherCpu { found, here } => {
                write!(f, "calibration is of another CPU: {}; this is {here}", found.escape_debug())
            }
        }
    }
}

impl core::error::Error for CalibrationError {}

impl Calibration {
    /// Reads the text of a calibration, and refuses one that is not of this CPU and library.
    ///
    /// # Errors
    /// [`CalibrationError`].
    pub fn parse(text: &str) -> Result<Cpu, CalibrationError> {
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        if first.strip_prefix(FIRST) != Some(VERSION) {
            let first = first.chars().take(60).collect();
            return Err(CalibrationError::NotACalibration { first });
        }
        let mut field = |name: &str, line| {
            let value = lines.next().and_then(|text| text.strip_prefix(name));
            value.map(str::to_owned).ok_or(CalibrationError::Damaged { line })
        };
        let library = field(LIBRARY, 2)?;
        let found = field(CPU, 3)?;
        if library != BUILD {
            return Err(CalibrationError::OtherLibrary { found: library });
        }
        let here = identity();
        if found != here {
            return Err(CalibrationError::OtherCpu { found, here });
        }
        // Cut short, it would price some tiles as measured and others not.
        if !text.ends_with(END) {
            return Err(CalibrationError::Damaged { line: text.lines().count() });
        }
        Cpu::parse("host", text).map_err(|error| match error {
            Error::BadCpuText { line, .. } => CalibrationError::Damaged { line },
            _ => CalibrationError::Damaged { line: 0 },
        })
    }
}

/// The last line.
const END: &str = "# end\n";

/// The text of what was found on this machine. What was not measured is as `base` says, the lines of
/// its data file.
pub(super) fn write(base: &str, found: &Found, noise: f64) -> String {
    let mut text = String::new();
    // Writing to a string never fails.
    let _ = lines(&mut text, base, found, noise);
    text
}

/// The same with the data file of this machine.
pub(super) fn write_host(found: &Found, noise: f64) -> String {
    write(&host_text(), found, noise)
}

fn lines(text: &mut String, base: &str, found: &Found, noise: f64) -> fmt::Result {
    let Found { prices: Prices { tiles, named }, streams, wake } = found;
    writeln!(text, "{FIRST}{VERSION}\n{LIBRARY}{BUILD}\n{CPU}{}", identity())?;
    writeln!(text, "# Not measured, but what its data file says of this CPU:")?;
    for line in base.lines().filter(|line| tiles.is_empty() || !line.starts_with("tile ")) {
        match line.strip_prefix("title ") {
            Some(title) => writeln!(text, "title {title}, calibrated")?,
            None => writeln!(text, "{line}")?,
        }
    }
    writeln!(text, "# Measured; a sample took {:.0}% longer than the shortest.", 100.0 * noise)?;
    let Streams { l2, far, memory, latency } = *streams;
    let streams = [
        ("l2_bytes", l2),
        ("far_bytes", far),
        ("memory_bytes", memory),
        ("memory_latency", latency),
        ("wake", *wake),
    ];
    let streams = streams.into_iter().filter_map(|(name, value)| Some((name, value?)));
    for (name, value) in named.iter().copied().chain(streams) {
        line(text, &format!("{name} {}", rounded(value)))?;
    }
    writeln!(text, "# tile ISA FORM ROWSxVECTORS: cycles of a step, cycles of start and store")?;
    for TilePrice { isa, form, rows, vectors, step, ends } in tiles {
        let (form, step, ends) = (form_name(*form), rounded(*step), rounded(*ends));
        line(text, &format!("tile {isa} {form} {rows}x{vectors} {step} {ends}"))?;
    }
    text.push_str(END);
    Ok(())
}

/// A line; one that data files do not have is left for people to read.
fn line(text: &mut String, line: &str) -> fmt::Result {
    let mark = if Cpu::parse("host", line).is_ok() { "" } else { "# " };
    writeln!(text, "{mark}{line}")
}

/// A price with four digits, or as many as it has before the point.
fn rounded(value: f64) -> f64 {
    let digits = (3 - value.abs().max(1e-9).log10().floor() as i32).clamp(0, 6);
    let unit = 10f64.powi(digits);
    (value * unit).round() / unit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::micro::isa::Isa;
    use crate::micro::operands::{LINE, PLANES, ROWS};

    fn found() -> Found {
        let tile = |form, rows| TilePrice {
            isa: Isa::Avx2,
            form,
            rows,
            vectors: 2,
            step: 6.12345,
            ends: 34.5678,
        };
        let tiles = vec![tile(ROWS, 6), tile(LINE, 6), tile(PLANES, 5)];
        let prices = Prices { tiles, named: vec![("issue", 5.5), ("no_such_price", 1.0)] };
        let streams = Streams { l2: Some(31.4567), far: None, memory: Some(6.5), latency: None };
        Found { prices, streams, wake: Some(4567.8) }
    }

    #[test]
    fn measured_prices_replace_those_of_the_file_and_the_rest_stays() {
        let base = "title A CPU\nisa avx2\nissue 4\nwindow 99\nl2_bytes 9\nfar_bytes 11.5\n\
                    tile avx2 rows 1x1 3 1\n";
        let text = write(base, &found(), 0.031);
        let cpu = Calibration::parse(&text).unwrap();
        assert_eq!((cpu.l2_bytes, cpu.memory_bytes, cpu.wake), (31.46, 6.5, 4568.0));
        assert_eq!((cpu.issue, cpu.window, cpu.far_bytes), (5.5, 99.0, 11.5));
        assert_eq!((cpu.title.as_str(), cpu.isa), ("A CPU, calibrated", Isa::Avx2));
        let measured = f64::from(6.123f32);
        for form in [true, false] {
            let step = |rows, vectors| cpu.tiles.get(Isa::Avx2, form, rows, vectors).map(|it| it.0);
            assert_eq!(step(6, 2), Some(measured));
            // Those of the file were of another build, and none is left among the measured ones.
            assert_eq!((step(5, 2), step(1, 1)), (None, None));
        }
        assert!(text.contains("3% longer") && text.contains("# no_such_price 1\n"), "{text}");
        // Without tiles of its own it keeps the file's.
        let none = Found::default();
        let cpu = Calibration::parse(&write(base, &none, 0.0)).unwrap();
        assert!(cpu.tiles.get(Isa::Avx2, true, 1, 1).is_some());
        assert_eq!(cpu.l2_bytes, 9.0);
    }

    #[test]
    fn what_is_not_of_this_library_and_cpu_is_refused() {
        let text = write_host(&found(), 0.0);
        let other = |from: &str, to: &str| Calibration::parse(&text.replacen(from, to, 1));
        let version = format!("{LIBRARY}{BUILD}");
        assert_eq!(
            other(&version, "# library 0.0.1"),
            Err(CalibrationError::OtherLibrary { found: "0.0.1".to_owned() })
        );
        let here = identity();
        let expected = CalibrationError::OtherCpu { found: "Z80".to_owned(), here: here.clone() };
        assert_eq!(other(&format!("{CPU}{here}"), "# cpu Z80"), Err(expected));
        assert_eq!(
            other("# pointwise-calibration 1", "# pointwise-calibration 2"),
            Err(CalibrationError::NotACalibration { first: "# pointwise-calibration 2".into() })
        );
        assert_eq!(other("# library", "# lib"), Err(CalibrationError::Damaged { line: 2 }));
        let number = text.lines().position(|line| line.starts_with("memory_bytes 6.5")).unwrap();
        let damaged = CalibrationError::Damaged { line: number + 1 };
        assert_eq!(other("memory_bytes 6.5", "memory_bytes NaN"), Err(damaged));
        // Cut anywhere, it is never taken for a whole one.
        for (at, _) in text.match_indices('\n') {
            assert!(Calibration::parse(&text[..at]).is_err(), "{at}");
        }
        assert!(Calibration::parse("").is_err());
    }

    #[test]
    fn prices_keep_four_digits() {
        let values = [0.0123456, 1.23456, 12.3456, 123.456, 12345.6].map(rounded);
        assert_eq!(values, [0.01235, 1.235, 12.35, 123.5, 12346.0]);
    }
}
