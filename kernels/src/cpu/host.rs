//! The CPU of this machine: the data file that matches it, else the one of its class, with the cache
//! sizes that it reports.

use super::class::like;
use super::detect::found::{Caches, Found};
use super::detect::{brand, found};
use super::{Cpu, FILES};
use crate::micro::isa::Isa;
use std::sync::OnceLock;

impl Cpu {
    /// This machine's, asked once.
    pub fn host() -> &'static Cpu {
        static HOST: OnceLock<Cpu> = OnceLock::new();
        HOST.get_or_init(|| describe(&this()))
    }
}

/// What tells this machine's CPU from others, as profiles and calibrations of it are marked:
/// maker's name or number, model, stepping or variant, ISA and caches.
pub(crate) fn identity() -> String {
    let cpu = Cpu::host();
    format!("{} {} l1 {} l2 {}", brand(), cpu.isa, cpu.l1, cpu.l2)
}

/// Bytes of the last cache before memory, where the CPU tells them: all of that cache, which may
/// be more than the share that [`Cpu::l3`] counts for one core.
pub(crate) fn last_cache() -> Option<usize> {
    let Caches { l1, l2, l3, .. } = found().caches;
    [l1, l2, l3].into_iter().flatten().max()
}

/// The data file that this machine's CPU is priced by, its own or its class's, without comments; then
/// what is this machine's own.
pub(crate) fn host_text() -> String {
    text(&this())
}

/// The CPU of this machine, with its ISA.
fn this() -> Found {
    // The last that is there has the longest vectors.
    let isa = Isa::ALL.into_iter().rfind(|isa| isa.is_available()).unwrap_or(Isa::Scalar);
    Found { isa, ..found() }
}

/// The prices of a CPU: those of its own data file, else of its class, else a middling core's.
pub(super) fn describe(found: &Found) -> Cpu {
    let name = known(found).unwrap_or("host");
    // A file that is not read is a test's failure; nobody's program ends for it.
    Cpu::parse(name, &text(found)).unwrap_or_else(|_| Cpu::generic())
}

fn text(found: &Found) -> String {
    let known = known(found);
    let file = known.or_else(|| like(found)).and_then(|name| FILES.iter().find(|f| f.0 == name));
    let mut text = String::new();
    let title = match (known, file) {
        (Some(_), _) => None,
        (None, Some((_, file))) => {
            let title = file.lines().find_map(|line| line.strip_prefix("title "));
            Some(format!("unknown, priced as {}", title.unwrap_or_default()))
        }
        (None, None) => Some(Cpu::generic().title),
    };
    let lines = file.map_or("", |file| file.1).lines();
    for line in lines.filter(|line| !line.starts_with('#') && !line.starts_with("match ")) {
        text += &format!("{line}\n");
    }
    // Later lines replace earlier ones.
    text += &title.map_or(String::new(), |title| format!("title {title}\n"));
    text += &format!("isa {}\n", found.isa);
    let Caches { l1, l1_ways, l2, l3 } = found.caches;
    // A data file holds the share of L3 that one core can fill; nothing tells that of others.
    let l3 = l3.filter(|_| known.is_none());
    for (name, value) in [("l1", l1), ("l1_ways", l1_ways), ("l2", l2), ("l3", l3)] {
        if let Some(value) = value.filter(|value| *value > 0) {
            text += &format!("{name} {value}\n");
        }
    }
    text
}

/// The name of the data file with a `match` line that names this CPU.
fn known(found: &Found) -> Option<&'static str> {
    let named = |text: &str| {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix("match "));
        lines.any(|line| matches(line, found.vendor, found.family, found.model))
    };
    FILES.iter().find(|file| named(file.1)).map(|file| file.0)
}

/// Whether `VENDOR FAMILY MODEL[-MODEL]…` names this CPU.
fn matches(line: &str, vendor: &str, family: u32, model: u32) -> bool {
    let number = |text: &str| u32::from_str_radix(text.trim_start_matches("0x"), 16).ok();
    let mut words = line.split_whitespace();
    words.next() == Some(vendor)
        && words.next().and_then(number) == Some(family)
        && words.any(|range| {
            let (from, to) = range.split_once('-').unwrap_or((range, range));
            matches!((number(from), number(to)), (Some(a), Some(b)) if (a..=b).contains(&model))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(vendor: &'static str, [family, model]: [u32; 2], isa: Isa) -> Found {
        Found { vendor, family, model, isa, caches: Caches::default() }
    }

    #[test]
    fn a_match_line_names_vendor_family_and_models() {
        let line = "amd 0x1a 0x00-0x1f 0x44";
        assert!(matches(line, "amd", 0x1a, 2) && matches(line, "amd", 0x1a, 0x44));
        assert!(!matches(line, "amd", 0x1a, 0x20) && !matches(line, "amd", 0x19, 2));
        assert!(!matches(line, "intel", 0x1a, 2));
    }

    /// Vendor, family and model that CPUs of each data file report.
    const REPORTED: [(&str, &str, u32, &[u32]); 16] = [
        ("haswell", "intel", 0x6, &[0x3c, 0x3f, 0x45, 0x46]),
        ("skylake-x", "intel", 0x6, &[0x55]),
        ("icelake", "intel", 0x6, &[0x6a, 0x6c]),
        ("sapphirerapids", "intel", 0x6, &[0x8f, 0xcf]),
        ("zen2", "amd", 0x17, &[0x31, 0x60, 0x71]),
        ("zen3", "amd", 0x19, &[0x01, 0x21, 0x50]),
        ("zen4", "amd", 0x19, &[0x11, 0x61, 0x74, 0xa0]),
        ("zen5", "amd", 0x1a, &[0x02, 0x11, 0x44]),
        ("zen5-mobile", "amd", 0x1a, &[0x20, 0x24, 0x60]),
        ("neoverse-n1", "arm", 0x41, &[0xd0c]),
        ("neoverse-n2", "arm", 0x41, &[0xd49]),
        ("neoverse-v1", "arm", 0x41, &[0xd40]),
        ("neoverse-v2", "arm", 0x41, &[0xd4f]),
        ("cortex-a55", "arm", 0x41, &[0xd05]),
        ("cortex-a76", "arm", 0x41, &[0xd0b]),
        ("apple-m1", "arm", 0x61, &[0x023, 0x025, 0x029]),
    ];

    #[test]
    fn each_data_file_is_matched_by_its_cpus_and_by_no_others() {
        assert!(Cpu::names().eq(REPORTED.map(|row| row.0)));
        for (name, vendor, family, models) in REPORTED {
            let file = Cpu::named(name).unwrap();
            for model in models {
                let cpu = describe(&found(vendor, [family, *model], file.isa));
                assert_eq!(cpu, file, "{vendor} {family:x} {model:x}");
            }
        }
        // Another model of the same makers and families.
        for (vendor, numbers) in [("intel", [0x6, 0x01]), ("amd", [0x19, 0xff]), ("arm", [0x41, 1])]
        {
            assert_eq!(known(&found(vendor, numbers, Isa::Scalar)), None, "{vendor}");
        }
    }

    #[test]
    fn cache_sizes_that_are_told_replace_those_of_the_file() {
        let caches =
            Caches { l1: Some(40 << 10), l1_ways: Some(10), l2: Some(3 << 20), l3: Some(9 << 20) };
        let zen4 = Found { caches, ..found("amd", [0x19, 0x11], Isa::Avx2) };
        let file = Cpu::named("zen4").unwrap();
        let cpu = describe(&zen4);
        assert_eq!((cpu.l1, cpu.l1_ways, cpu.l2), (40 << 10, 10, 3 << 20));
        // The file says how much of L3 a core can fill; and the operating system runs no AVX-512.
        assert_eq!((cpu.l3, cpu.isa, cpu.title), (file.l3, Isa::Avx2, file.title));
    }

    #[test]
    fn this_machine_is_described_and_named() {
        let cpu = Cpu::host();
        assert!(cpu.runs(cpu.isa) && cpu.isa.is_available());
        assert!(!brand().is_empty() && !identity().contains('\n'));
    }
}
