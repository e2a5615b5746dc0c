//! The CPU and the host.

use super::cache::CacheLevel;
use super::{isa_text, microarchitecture};
use pointwise::Isa;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

/// The CPU, as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cpu {
    /// `AuthenticAMD`, `GenuineIntel`, or an Arm implementer's number.
    pub vendor: String,
    /// Its brand name.
    pub brand: String,
    /// Its microarchitecture, if known.
    pub microarchitecture: Option<String>,
    /// Family, model and stepping (x86); zero, part and revision (Arm).
    pub family: u32,
    /// See `family`.
    pub model: u32,
    /// See `family`.
    pub stepping: u32,
    /// `x86_64`, `aarch64` …
    pub architecture: String,
    /// The ISAs that kernels can use here.
    #[serde(with = "isa_text::list")]
    pub isas: Vec<Isa>,
    /// Further instruction sets that kernels or peers use.
    pub features: Vec<String>,
    /// Its caches, nearest first.
    pub caches: Vec<CacheLevel>,
    /// Logical CPUs that this process may use.
    pub logical: usize,
    /// The number of cores of those CPUs; `logical` when the system shows none.
    pub physical: usize,
}

/// The computer around the CPU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// `linux`, `macos` …
    pub os: String,
    /// The release of the operating system's kernel, if known.
    pub kernel: Option<String>,
    /// The frequency governor, if the system shows it.
    pub governor: Option<String>,
    /// Whether frequency boost is on, if the system shows it.
    pub boost: Option<bool>,
    /// In a virtual machine the hypervisor's name, or `unnamed`.
    pub hypervisor: Option<String>,
    /// Bytes of memory, if known.
    pub memory: Option<u64>,
}

/// The numbers and names by which a CPU identifies itself.
#[derive(Debug, Default)]
struct Identity {
    vendor: String,
    brand: String,
    family: u32,
    model: u32,
    stepping: u32,
    microarchitecture: Option<&'static str>,
    hypervisor: Option<String>,
}

impl Cpu {
    /// This CPU.
    pub fn detect() -> Cpu {
        let identity = Identity::detect();
        let logical = std::thread::available_parallelism().map_or(1, usize::from);
        Cpu {
            vendor: identity.vendor,
            brand: identity.brand,
            microarchitecture: identity.microarchitecture.map(str::to_owned),
            family: identity.family,
            model: identity.model,
            stepping: identity.stepping,
            architecture: std::env::consts::ARCH.to_owned(),
            isas: Isa::ALL.into_iter().filter(|isa| isa.is_available()).collect(),
            features: features(),
            caches: CacheLevel::detect(),
            logical,
            physical: cores(Path::new("/sys/devices/system/cpu")).unwrap_or(logical).min(logical),
        }
    }

    /// A folder name such as `amd-epyc-family26-model2`, of lower-case letters, digits and hyphens.
    /// Every machine with this CPU has the same.
    pub fn slug(&self) -> String {
        // The clock rate and trade marks would only make the name longer.
        let brand = self.brand.split('@').next().unwrap_or_default().to_lowercase();
        let brand = brand.replace("(r)", " ").replace("(tm)", " ");
        let words = brand
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !matches!(*word, "" | "cpu" | "processor" | "with" | "graphics"))
            .take(6);
        let mut words: Vec<String> = words.map(str::to_owned).collect();
        if words.is_empty() {
            words.push(self.architecture.replace('_', "-"));
        }
        words.push(format!("family{}", self.family));
        words.push(format!("model{}", self.model));
        words.join("-")
    }
}

impl Host {
    /// This host.
    pub fn detect() -> Host {
        let sys = Path::new("/sys/devices/system/cpu");
        Host {
            os: std::env::consts::OS.to_owned(),
            kernel: line(Path::new("/proc/sys/kernel/osrelease")),
            governor: line(&sys.join("cpu0/cpufreq/scaling_governor")),
            boost: boost(sys),
            hypervisor: Identity::detect().hypervisor,
            memory: memory(),
        }
    }
}

/// Whether boost is on, as either of two drivers reports it.
fn boost(sys: &Path) -> Option<bool> {
    match line(&sys.join("cpufreq/boost")) {
        Some(on) => Some(on == "1"),
        None => line(&sys.join("intel_pstate/no_turbo")).map(|off| off == "0"),
    }
}

/// The number of cores in Linux's folder of CPUs; `None` when it does not show them.
fn cores(sys: &Path) -> Option<usize> {
    let mut cores = BTreeSet::new();
    for entry in std::fs::read_dir(sys).ok()?.flatten() {
        let topology = entry.path().join("topology");
        if let Some(siblings) = line(&topology.join("thread_siblings_list")) {
            cores.insert(siblings);
        }
    }
    (!cores.is_empty()).then_some(cores.len())
}

/// The trimmed text of a one-line file.
fn line(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(target_os = "linux")]
fn memory() -> Option<u64> {
    use procfs::Current;
    Some(procfs::Meminfo::current().ok()?.mem_total)
}

#[cfg(not(target_os = "linux"))]
fn memory() -> Option<u64> {
    None
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
impl Identity {
    fn detect() -> Identity {
        let cpuid = raw_cpuid::CpuId::new();
        let vendor = cpuid.get_vendor_info().map_or(String::new(), |v| v.as_str().to_owned());
        let brand = cpuid.get_processor_brand_string();
        let brand = brand.map_or(String::new(), |b| b.as_str().trim().to_owned());
        let features = cpuid.get_feature_info();
        let number = |of: fn(&raw_cpuid::FeatureInfo) -> u8| {
            features.as_ref().map_or(0, |info| u32::from(of(info)))
        };
        let family = number(raw_cpuid::FeatureInfo::family_id);
        let model = number(raw_cpuid::FeatureInfo::model_id);
        let virtual_machine = features.as_ref().is_some_and(|info| info.has_hypervisor());
        let hypervisor = virtual_machine.then(|| {
            let info = cpuid.get_hypervisor_info();
            info.map_or("unnamed".to_owned(), |info| format!("{:?}", info.identify()))
        });
        Identity {
            microarchitecture: microarchitecture::x86(&vendor, family, model),
            stepping: number(raw_cpuid::FeatureInfo::stepping_id),
            vendor,
            brand,
            family,
            model,
            hypervisor,
        }
    }
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
impl Identity {
    /// Reads the lines of the first CPU in `/proc/cpuinfo`.
    fn detect() -> Identity {
        let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let number = |name: &str| field(name).and_then(|text| parse(&text)).unwrap_or(0);
        let (implementer, part) = (number("CPU implementer"), number("CPU part"));
        let known = microarchitecture::arm(implementer, part);
        Identity {
            vendor: field("CPU implementer").unwrap_or_default(),
            brand: known.map(str::to_owned).or(field("model name")).unwrap_or_default(),
            family: 0,
            model: part,
            stepping: number("CPU revision"),
            microarchitecture: known,
            hypervisor: line(Path::new("/sys/hypervisor/type")),
        }
    }
}

/// Reads a number such as `0x41` or `3`.
#[cfg(any(test, not(any(target_arch = "x86", target_arch = "x86_64"))))]
fn parse(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The names of this CPU's features, out of those that kernels or peers use.
fn features() -> Vec<String> {
    let mut found: Vec<&str> = Vec::new();
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        macro_rules! note {
            ($($name:tt)*) => {$(
                if std::arch::is_x86_feature_detected!($name) { found.push($name) }
            )*};
        }
        note!("sse4.1" "avx" "avx2" "fma" "f16c" "bmi2" "avxvnni" "avx512f" "avx512bw" "avx512vl"
              "avx512vnni" "avx512bf16" "avx512fp16");
    }
    #[cfg(target_arch = "aarch64")]
    {
        macro_rules! note {
            ($($name:tt)*) => {$(
                if std::arch::is_aarch64_feature_detected!($name) { found.push($name) }
            )*};
        }
        note!("neon" "fp16" "dotprod" "i8mm" "bf16" "sve" "sve2");
    }
    found.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_described() {
        let cpu = Cpu::detect();
        assert_eq!(cpu.architecture, std::env::consts::ARCH);
        assert!(cpu.isas.contains(&Isa::Scalar));
        assert!((1..=cpu.logical).contains(&cpu.physical), "{cpu:?}");
        let text = serde_json::to_string(&cpu).unwrap();
        assert_eq!(serde_json::from_str::<Cpu>(&text).unwrap(), cpu);
        let host = Host::detect();
        assert_eq!(host.os, std::env::consts::OS);
    }

    #[test]
    fn slugs_are_fit_for_folders() {
        let of = |brand: &str| {
            Cpu { brand: brand.to_owned(), family: 6, model: 85, ..Cpu::detect() }.slug()
        };
        assert_eq!(
            of("Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz"),
            "intel-xeon-gold-6248-family6-model85"
        );
        assert_eq!(of("AMD EPYC 9B14"), "amd-epyc-9b14-family6-model85");
        assert!(!of("").starts_with('-'));
        assert!(of("../../etc").chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
    }

    #[test]
    fn cores_are_counted_once_for_all_their_threads() {
        let folder = tempfile::tempdir().unwrap();
        for (cpu, siblings) in [("cpu0", "0,2"), ("cpu1", "1,3"), ("cpu2", "0,2"), ("cpu3", "1,3")]
        {
            let topology = folder.path().join(cpu).join("topology");
            std::fs::create_dir_all(&topology).unwrap();
            std::fs::write(topology.join("thread_siblings_list"), siblings).unwrap();
        }
        assert_eq!(cores(folder.path()), Some(2));
        assert_eq!(cores(&folder.path().join("nowhere")), None);
    }

    #[test]
    fn numbers_as_cpuinfo_writes_them() {
        assert_eq!(parse("0xd0c"), Some(0xd0c));
        assert_eq!(parse("3"), Some(3));
        assert_eq!(parse("v8l"), None);
    }
}
