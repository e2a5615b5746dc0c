//! The caches of this CPU.

use serde::{Deserialize, Serialize};
use std::path::Path;

/// What a cache holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheKind {
    /// Data only.
    Data,
    /// Instructions only.
    Instruction,
    /// Both.
    Unified,
}

/// One cache, as the first CPU sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheLevel {
    /// 1, 2, 3 …
    pub level: u8,
    /// Whether it holds data, instructions or both.
    pub kind: CacheKind,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its associativity; 0 when unknown.
    pub ways: u32,
    /// Bytes of a cache line.
    pub line: u32,
    /// The number of logical CPUs that share it, as the system or a hypervisor reports.
    pub shared_by: usize,
}

impl CacheLevel {
    /// Whether it holds data.
    pub fn holds_data(&self) -> bool {
        self.kind != CacheKind::Instruction
    }

    /// The caches of this machine, nearest first; empty when the system shows none.
    pub fn detect() -> Vec<CacheLevel> {
        let mut caches = from_sys(Path::new("/sys/devices/system/cpu/cpu0/cache"));
        if caches.is_empty() {
            caches = from_cpuid();
        }
        caches.sort_by_key(|cache| (cache.level, cache.kind == CacheKind::Instruction));
        caches
    }
}

/// The caches in Linux's description of one CPU; empty without such a folder.
fn from_sys(folder: &Path) -> Vec<CacheLevel> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries.flatten().filter_map(|entry| one_from_sys(&entry.path())).collect()
}

fn one_from_sys(folder: &Path) -> Option<CacheLevel> {
    let read = |name: &str| {
        let text = std::fs::read_to_string(folder.join(name)).ok()?;
        Some(text.trim().to_owned())
    };
    let number = |name: &str| read(name)?.parse().ok();
    Some(CacheLevel {
        level: read("level")?.parse().ok()?,
        kind: match read("type")?.as_str() {
            "Data" => CacheKind::Data,
            "Instruction" => CacheKind::Instruction,
            "Unified" => CacheKind::Unified,
            _ => return None,
        },
        bytes: size(&read("size")?)?,
        ways: number("ways_of_associativity").unwrap_or(0),
        line: number("coherency_line_size").unwrap_or(64),
        shared_by: read("shared_cpu_list").map_or(1, |list| cpus_in(&list)).max(1),
    })
}

/// `48K` or `32M` in bytes.
fn size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit).filter(|bytes| *bytes > 0)
}

/// The number of CPUs in a list such as `0-3,8-11`.
fn cpus_in(list: &str) -> usize {
    list.split(',')
        .filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last) = (first.trim().parse::<usize>().ok()?, last.trim().parse().ok()?);
            Some(usize::checked_sub(last, first)? + 1)
        })
        .sum()
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn from_cpuid() -> Vec<CacheLevel> {
    use raw_cpuid::CacheType;
    let cpuid = raw_cpuid::CpuId::new();
    let caches = cpuid.get_cache_parameters().into_iter().flatten();
    caches
        .filter_map(|cache| {
            let kind = match cache.cache_type() {
                CacheType::Data => CacheKind::Data,
                CacheType::Instruction => CacheKind::Instruction,
                CacheType::Unified => CacheKind::Unified,
                _ => return None,
            };
            let line = cache.coherency_line_size() as u64;
            let lines = cache.associativity() * cache.physical_line_partitions() * cache.sets();
            Some(CacheLevel {
                level: cache.level(),
                kind,
                bytes: line * lines as u64,
                ways: cache.associativity() as u32,
                line: line as u32,
                shared_by: cache.max_cores_for_cache().max(1),
            })
        })
        .collect()
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
fn from_cpuid() -> Vec<CacheLevel> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_lists_as_linux_writes_them() {
        assert_eq!(size("48K"), Some(49152));
        assert_eq!(size("32M"), Some(32 << 20));
        assert_eq!(size("512"), Some(512));
        assert_eq!(size("0K"), None);
        assert_eq!(size("12Q"), None);
        assert_eq!(size(""), None);
        assert_eq!(cpus_in("0"), 1);
        assert_eq!(cpus_in("0-3,8-11"), 8);
        assert_eq!(cpus_in("3-1,x"), 0);
    }

    #[test]
    fn folders_are_read_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let write = |index: &str, name: &str, text: &str| {
            let index = folder.path().join(index);
            std::fs::create_dir_all(&index).unwrap();
            std::fs::write(index.join(name), text).unwrap();
        };
        for (name, text) in [
            ("level", "2\n"),
            ("type", "Unified\n"),
            ("size", "1024K\n"),
            ("ways_of_associativity", "16\n"),
            ("coherency_line_size", "64\n"),
            ("shared_cpu_list", "0,4\n"),
        ] {
            write("index0", name, text);
        }
        write("index1", "level", "3\n");
        let expected = CacheLevel {
            level: 2,
            kind: CacheKind::Unified,
            bytes: 1 << 20,
            ways: 16,
            line: 64,
            shared_by: 2,
        };
        assert_eq!(from_sys(folder.path()), [expected]);
        assert!(from_sys(&folder.path().join("nowhere")).is_empty());
    }

    #[test]
    fn this_machine_lists_its_caches_nearest_first() {
        let caches = CacheLevel::detect();
        assert!(caches.is_sorted_by_key(|cache| cache.level), "{caches:?}");
        assert!(caches.iter().all(|cache| cache.bytes > 0 && cache.shared_by > 0));
    }
}
