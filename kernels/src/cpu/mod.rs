//! Facts about CPUs: one data file each, and which of them describes this machine.
//!
//! This room imports `describe` and `micro`. It knows nothing of layers.

mod class;
mod detect;
pub(crate) mod host;
mod prices;
mod tile_costs;

pub(crate) use prices::Prices;
use tile_costs::TileCosts;

use crate::describe::error::Error;
use crate::micro::isa::Isa;

/// The numbers of a CPU that kernels and blockings are chosen by.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Cpu {
    /// What it is called: a name of [`Cpu::names`], or `host`.
    pub name: String,
    /// Maker and core.
    pub title: String,
    /// The widest ISA that it runs.
    pub isa: Isa,
    /// Fused multiply-adds of whole AVX-512 vectors per cycle: 2, or 1 where two 256-bit units
    /// share one.
    pub fma_avx512: f64,
    /// The same of 256-bit and of 128-bit vectors.
    pub fma_narrow: f64,
    /// Vector loads per cycle of AVX-512, where it is there.
    pub loads_avx512: f64,
    /// The same of narrower vectors.
    pub loads_narrow: f64,
    /// Latency of a multiply-add, cycles.
    pub fma_latency: f64,
    /// Micro-operations started per cycle.
    pub issue: f64,
    /// Micro-operations that it holds between start and retirement.
    pub window: f64,
    /// L1 data cache of a core, bytes.
    pub l1: usize,
    /// Lines of a set of L1.
    pub l1_ways: usize,
    /// L2 cache of a core, bytes.
    pub l2: usize,
    /// The last cache before memory, as much of it as one core can fill, bytes.
    pub l3: usize,
    /// Pages that the first level of the data TLB holds.
    pub tlb_pages: f64,
    /// Bytes per cycle that a core streams from L2.
    pub l2_bytes: f64,
    /// Bytes per cycle that a core streams from the cache behind L2.
    pub far_bytes: f64,
    /// The same from memory.
    pub memory_bytes: f64,
    /// Latency of memory, cycles.
    pub memory_latency: f64,
    /// Cycles until another thread of a pool starts on its part.
    pub wake: f64,
    /// What a run does differently on different CPUs.
    pub(crate) tuning: Tuning,
    /// What its inner loops cost, where that is known.
    pub(crate) tiles: TileCosts,
    /// What everything else costs.
    pub(crate) prices: Prices,
}

/// What a run does differently on different CPUs: numbers that were found by measuring whole layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tuning {
    /// Steps that a tile asks for weights ahead of those that it reads: twice the time that memory
    /// takes to answer.
    pub(crate) ask_steps: usize,
    /// Outputs from which on a tile of pixels in lanes asks for the next tile's pixels. A tile with
    /// fewer is over before they arrive, and they would push out its own.
    pub(crate) ask_outputs: usize,
    /// Steps at a tile's end that one half of its rows does before the other half, so that the
    /// stores of the first are hidden; 0 where stores cost nothing.
    pub(crate) stagger_steps: usize,
}

/// Name and text of each data file.
macro_rules! files {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../data/cpus/", $name, ".txt")))),*]
    };
}

static FILES: &[(&str, &str)] = files![
    "haswell" "skylake-x" "icelake" "sapphirerapids" "zen2" "zen3" "zen4" "zen5" "zen5-mobile"
    "neoverse-n1" "neoverse-n2" "neoverse-v1" "neoverse-v2" "cortex-a55" "cortex-a76" "apple-m1"
];

impl Cpu {
    /// Every CPU that there is a data file of.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FILES.iter().map(|file| file.0)
    }

    /// A CPU by its name.
    ///
    /// # Errors
    /// [`Error::UnknownCpu`].
    pub fn named(name: &str) -> Result<Cpu, Error> {
        let unknown = || Error::UnknownCpu { name: name.to_owned(), known: Cpu::names().collect() };
        let (name, text) = FILES.iter().find(|file| file.0 == name).ok_or_else(unknown)?;
        Cpu::parse(name, text)
    }

    /// Reads a data file: a line for each field, `#` starting a comment; `tile` lines as
    /// `tile ISA rows|line ROWSxVECTORS CYCLES-A-STEP CYCLES-OF-START-AND-STORE`.
    ///
    /// # Errors
    /// [`Error::BadCpuText`].
    pub fn parse(name: &str, text: &str) -> Result<Cpu, Error> {
        let mut cpu = Cpu { name: name.to_owned(), ..Cpu::generic() };
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            cpu.set(line)
                .ok_or_else(|| Error::BadCpuText { line: at + 1, text: line.to_owned() })?;
        }
        Ok(cpu)
    }

    fn set(&mut self, line: &str) -> Option<()> {
        let (field, value) = line.split_once(' ')?;
        let number = || value.parse::<f64>().ok().filter(|v| *v > 0.0 && v.is_finite());
        let whole = || value.parse::<usize>().ok().filter(|v| *v > 0);
        match field {
            "title" => self.title = value.to_owned(),
            "match" => {}
            "isa" => self.isa = value.parse().ok()?,
            "fma_avx512" => self.fma_avx512 = number()?,
            "fma_narrow" => self.fma_narrow = number()?,
            "loads_avx512" => self.loads_avx512 = number()?,
            "loads_narrow" => self.loads_narrow = number()?,
            "fma_latency" => self.fma_latency = number()?,
            "issue" => self.issue = number()?,
            "window" => self.window = number()?,
            "l1" => self.l1 = whole()?,
            "l1_ways" => self.l1_ways = whole()?,
            "l2" => self.l2 = whole()?,
            "l3" => self.l3 = whole()?,
            "tlb_pages" => self.tlb_pages = number()?,
            "l2_bytes" => self.l2_bytes = number()?,
            "far_bytes" => self.far_bytes = number()?,
            "memory_bytes" => self.memory_bytes = number()?,
            "memory_latency" => self.memory_latency = number()?,
            "wake" => self.wake = number()?,
            "ask_steps" => self.tuning.ask_steps = value.parse().ok()?,
            "ask_outputs" => self.tuning.ask_outputs = value.parse().ok()?,
            "stagger_steps" => self.tuning.stagger_steps = value.parse().ok()?,
            "tile" => self.tiles.add(value)?,
            price => *self.prices.by_name(price)? = number()?,
        }
        Some(())
    }

    /// With what its data file says above the lines that were fitted or measured (published facts,
    /// and what is assumed after its class), and the prices of another CPU.
    #[cfg(test)]
    pub(crate) fn facts(&self, other: &Cpu) -> Cpu {
        let text = FILES.iter().find(|file| file.0 == self.name).expect("a data file").1;
        let facts = text.split("\n# Fitted").next().expect("a first part");
        let facts = Cpu::parse(&self.name, facts).expect("a data file");
        Cpu { wake: other.wake, prices: other.prices.clone(), ..facts }
    }

    /// With what one step over the inputs takes in the inner loop of a tile of `rows` broadcast
    /// values (from rows of adjacent inputs if `in_rows`, else from a line) × `vectors` of `isa`:
    /// cycles, every operand in L1. Better than counting ports, which is what is done else.
    ///
    /// # Errors
    /// [`Error::BadCpuText`] for a tile that there cannot be, or a time that is none.
    pub fn with_step(
        mut self,
        isa: Isa,
        in_rows: bool,
        [rows, vectors]: [usize; 2],
        cycles: f64,
    ) -> Result<Cpu, Error> {
        let cost = (cycles as f32, None);
        self.tiles.set(isa, in_rows, [rows, vectors], cost).ok_or_else(|| {
            let form = if in_rows { "rows" } else { "line" };
            let text = format!("tile {isa} {form} {rows}x{vectors} {cycles}");
            Error::BadCpuText { line: 0, text }
        })?;
        Ok(self)
    }

    /// Whether steps of its inner loops are known: measured on such a CPU, if its data file has
    /// them.
    pub fn has_measured_steps(&self) -> bool {
        self.tiles != TileCosts::default()
    }

    /// A middling core of either architecture: what is assumed where nothing better is known.
    pub(crate) fn generic() -> Cpu {
        Cpu {
            name: "generic".to_owned(),
            title: "a CPU without a data file".to_owned(),
            isa: Isa::Scalar,
            fma_avx512: 2.0,
            fma_narrow: 2.0,
            loads_avx512: 2.0,
            loads_narrow: 2.0,
            fma_latency: 4.0,
            issue: 6.0,
            window: 256.0,
            l1: 32 << 10,
            l1_ways: 8,
            l2: if cfg!(target_arch = "x86_64") { 1 << 20 } else { 512 << 10 },
            l3: 16 << 20,
            tlb_pages: 64.0,
            l2_bytes: if cfg!(target_arch = "x86_64") { 32.0 } else { 16.0 },
            far_bytes: 8.0,
            memory_bytes: 5.0,
            memory_latency: 300.0,
            wake: 30_000.0,
            tuning: Tuning { ask_steps: 64, ask_outputs: 6, stagger_steps: 24 },
            tiles: TileCosts::default(),
            prices: Prices::ASSUMED,
        }
    }

    /// Whether it runs kernels of `isa`.
    pub fn runs(&self, isa: Isa) -> bool {
        isa.is_within(self.isa)
    }

    /// Cycles of a step of a tile whose operands are in L1: as known of it, but never fewer than
    /// its multiply-adds take; else of what is busiest.
    pub(crate) fn step(&self, isa: Isa, in_rows: bool, rows: usize, vectors: usize) -> f64 {
        let (m, v) = (rows as f64, vectors as f64);
        let least = m * v / self.fma(isa);
        if let Some((step, _)) = self.tiles.get(isa, in_rows, rows, vectors) {
            return step.max(least);
        }
        let broadcasts = if vectors == 1 { 0.0 } else { m };
        least
            .max((m + v) / self.loads(isa))
            .max((m * v + broadcasts + v + 3.0) / self.issue)
            .max(self.fma_latency)
    }

    /// Multiply-adds of whole vectors of `isa` per cycle.
    pub(crate) fn fma(&self, isa: Isa) -> f64 {
        match isa {
            Isa::Avx512 => self.fma_avx512,
            // One lane a call of a software or library routine, in the worst case.
            Isa::Scalar => 0.2,
            _ => self.fma_narrow,
        }
    }

    /// Vector loads of `isa` per cycle.
    pub(crate) fn loads(&self, isa: Isa) -> f64 {
        if isa == Isa::Avx512 { self.loads_avx512 } else { self.loads_narrow }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_data_file_is_read() {
        for name in Cpu::names() {
            let cpu = Cpu::named(name).unwrap();
            assert_ne!(cpu.isa, Isa::Scalar, "{name}");
            assert!(cpu.runs(cpu.isa) && cpu.runs(Isa::Scalar));
        }
        assert!(!Cpu::named("zen2").unwrap().runs(Isa::Avx512));
        assert!(!Cpu::named("zen5").unwrap().runs(Isa::Neon));
        assert!(matches!(Cpu::named("z80"), Err(Error::UnknownCpu { name, .. }) if name == "z80"));
    }

    #[test]
    fn steps_of_a_tile_replace_the_count_of_ports() {
        let zen2 = || Cpu::named("zen2").unwrap();
        let cpu = zen2().with_step(Isa::Avx2, true, [6, 2], 7.5).unwrap();
        assert_eq!(cpu.tiles.get(Isa::Avx2, true, 6, 2), Some((7.5, None)));
        for (tile, cycles) in [([6, 9], 1.0), ([0, 1], 1.0), ([6, 2], 0.0), ([6, 2], f64::NAN)] {
            assert!(zen2().with_step(Isa::Avx2, true, tile, cycles).is_err(), "{tile:?} {cycles}");
        }
    }

    #[test]
    fn a_wrong_line_is_refused_by_its_number() {
        for line in ["l1 0", "fma_narrow NaN", "colour red", "isa mmx", "tile avx2 rows 1x9 1 1"] {
            let text = format!("# a CPU\nissue 4\n{line}\n");
            let error = Error::BadCpuText { line: 3, text: line.to_owned() };
            assert_eq!(Cpu::parse("x", &text), Err(error));
        }
    }
}
