//! A calibration as text: a data file of a CPU, whose first lines say what made it and of which
//! machine.

use super::prices::{PackPrice, Prices, StorePrice, TilePrice, form_name, store_name};
use super::streams::Streams;
use crate::cpu::Cpu;
use crate::cpu::host::identity;
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

/// The text of what was found on this machine, which is otherwise as its data file says.
pub(super) fn write(host: &Cpu, found: &Found, noise: f64) -> String {
    let mut text = String::new();
    // Writing to a string never fails.
    let _ = lines(&mut text, host, found, noise);
    text
}

fn lines(text: &mut String, host: &Cpu, found: &Found, noise: f64) -> fmt::Result {
    let Found { prices, streams, wake } = found;
    writeln!(text, "{FIRST}{VERSION}\n{LIBRARY}{}\n{CPU}{}", BUILD, identity())?;
    writeln!(text, "# Samples were {:.0}% longer than the shortest.", 100.0 * noise)?;
    writeln!(text, "# Not measured: what the data file says of this CPU.")?;
    facts(text, host)?;
    writeln!(text, "# Bytes per cycle, and cycles, while multiplying.")?;
    let Streams { l2, far, memory, latency } = streams;
    for (name, measured, of_file) in [
        ("l2_bytes", l2, host.l2_bytes),
        ("far_bytes", far, host.far_bytes),
        ("memory_bytes", memory, host.memory_bytes),
        ("memory_latency", latency, host.memory_latency),
        ("wake", wake, host.wake),
    ] {
        match measured {
            Some(value) => writeln!(text, "{name} {}", rounded(*value))?,
            None => writeln!(text, "# not measured\n{name} {of_file}")?,
        }
    }
    tiles(text, prices)?;
    text.push_str(END);
    Ok(())
}

/// What no calibration measures.
fn facts(text: &mut String, host: &Cpu) -> fmt::Result {
    let title = host.title.trim_end_matches(", calibrated");
    writeln!(text, "title {title}, calibrated\nisa {}", host.isa)?;
    for (name, value) in [
        ("fma_avx512", host.fma_avx512),
        ("fma_narrow", host.fma_narrow),
        ("loads_avx512", host.loads_avx512),
        ("loads_narrow", host.loads_narrow),
        ("fma_latency", host.fma_latency),
        ("issue", host.issue),
        ("window", host.window),
        ("tlb_pages", host.tlb_pages),
    ] {
        writeln!(text, "{name} {value}")?;
    }
    let tuning = host.tuning;
    for (name, value) in [
        ("l1", host.l1),
        ("l1_ways", host.l1_ways),
        ("l2", host.l2),
        ("l3", host.l3),
        ("ask_steps", tuning.ask_steps),
        ("ask_outputs", tuning.ask_outputs),
        ("stagger_steps", tuning.stagger_steps),
    ] {
        writeln!(text, "{name} {value}")?;
    }
    Ok(())
}

/// What tiles, stores and packing cost.
fn tiles(text: &mut String, prices: &Prices) -> fmt::Result {
    writeln!(text, "# tile ISA FORM ROWSxVECTORS: cycles of a step, cycles of start and store")?;
    for TilePrice { isa, form, half, rows, vectors, step, ends } in &prices.tiles {
        // Those that data files have no lines for are left for people to read.
        let known = !half && matches!(form_name(*form), "rows" | "line");
        let (mark, half) = (if known { "" } else { "# " }, if *half { "half-" } else { "" });
        let (form, step, ends) = (form_name(*form), rounded(*step), rounded(*ends));
        writeln!(text, "{mark}tile {isa} {half}{form} {rows}x{vectors} {step} {ends}")?;
    }
    writeln!(
        text,
        "# store ISA WAY ROWSxVECTORS: cycles of start and store, and of each odd lane"
    )?;
    for StorePrice { isa, store, rows, vectors, ends, each } in &prices.stores {
        let (store, ends, each) = (store_name(*store), rounded(*ends), rounded(*each));
        writeln!(text, "# store {isa} {store} {rows}x{vectors} {ends} {each}")?;
    }
    writeln!(text, "# pack ISA WAY: cycles of a start, and of each vector or element")?;
    for PackPrice { isa, way, start, each } in &prices.packs {
        writeln!(text, "# pack {isa} {} {} {}", way.name(), rounded(*start), rounded(*each))?;
    }
    Ok(())
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
    use crate::micro::operands::{LINE, ROWS};

    fn found() -> Found {
        let tile = |form, half, rows| TilePrice {
            isa: Isa::Avx2,
            form,
            half,
            rows,
            vectors: 2,
            step: 6.1234,
            ends: 34.56,
        };
        let prices = Prices {
            tiles: vec![tile(ROWS, false, 6), tile(LINE, false, 6), tile(ROWS, true, 5)],
            ..Prices::default()
        };
        let streams = Streams { l2: Some(31.456), far: None, memory: Some(6.5), latency: None };
        Found { prices, streams, wake: Some(4567.8) }
    }

    #[test]
    fn measured_prices_replace_those_of_the_file_and_the_rest_stays() {
        let zen2 = Cpu::named("zen2").unwrap();
        let text = write(&zen2, &found(), 0.031);
        let cpu = Calibration::parse(&text).unwrap();
        assert_eq!((cpu.l2_bytes, cpu.memory_bytes, cpu.wake), (31.46, 6.5, 4568.0));
        let expected = Some((f64::from(6.123f32), Some(f64::from(34.56f32))));
        for form in [true, false] {
            assert_eq!(cpu.tiles.get(Isa::Avx2, form, 6, 2), expected);
            assert_eq!(cpu.tiles.get(Isa::Avx2, form, 5, 2), None);
        }
        let same = Cpu {
            name: "host".to_owned(),
            title: "AMD Zen 2, calibrated".to_owned(),
            l2_bytes: cpu.l2_bytes,
            memory_bytes: cpu.memory_bytes,
            wake: cpu.wake,
            tiles: cpu.tiles.clone(),
            ..zen2
        };
        assert_eq!(cpu, same);
        assert!(text.contains("3% longer"), "{text}");
    }

    #[test]
    fn what_is_not_of_this_library_and_cpu_is_refused() {
        let text = write(Cpu::host(), &found(), 0.0);
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
        let number = text.lines().position(|line| line.starts_with("l2_bytes")).unwrap() + 1;
        assert_eq!(other("l2_bytes", "l9_bytes"), Err(CalibrationError::Damaged { line: number }));
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
