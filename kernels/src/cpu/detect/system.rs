//! What Linux's files say of CPUs and their caches.

use super::found::Caches;

/// Gives the text of a file by its path from the root; nothing where there is none.
pub(super) type Read<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The folder of CPUs.
pub(super) const CPUS: &str = "sys/devices/system/cpu";

/// The most CPUs that are looked at.
const MOST_CPUS: usize = 4096;

/// The text of this machine's file.
#[cfg_attr(not(target_arch = "aarch64"), allow(dead_code))]
pub(super) fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(std::path::Path::new("/").join(path)).ok()
}

/// Numbers of the CPUs that are there: the file holds ranges such as `0-3,8`.
pub(super) fn present(read: Read<'_>) -> Vec<usize> {
    let text = read(&format!("{CPUS}/present")).unwrap_or_default();
    text.trim()
        .split(',')
        .filter_map(|range| {
            let (from, to) = range.split_once('-').unwrap_or((range, range));
            Some(from.parse().ok()?..=to.parse::<usize>().ok()?.min(MOST_CPUS))
        })
        .flatten()
        .collect()
}

/// The data caches of a CPU.
pub(super) fn caches(read: Read<'_>, cpu: usize) -> Caches {
    let mut caches = Caches::default();
    // Three levels, of which the first is two caches; a few more are no harm.
    for index in 0..8 {
        let of = |name: &str| {
            let text = read(&format!("{CPUS}/cpu{cpu}/cache/index{index}/{name}"))?;
            Some(text.trim().to_owned())
        };
        let size = of("size").and_then(|text| bytes(&text));
        let (Some(size), Some(level), Some(kind)) = (size, of("level"), of("type")) else {
            continue;
        };
        match (level.as_str(), kind.as_str()) {
            (_, "Instruction") => {}
            ("1", _) => {
                caches.l1 = Some(size);
                let ways = of("ways_of_associativity").and_then(|text| text.parse().ok());
                caches.l1_ways = ways.filter(|ways| *ways > 0);
            }
            ("2", _) => caches.l2 = Some(size),
            ("3", _) => caches.l3 = Some(size),
            _ => {}
        }
    }
    caches
}

/// Bytes of `48K` or `32M`; nothing for what no cache has.
fn bytes(text: &str) -> Option<usize> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: usize = match &text[digits.len()..] {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        _ => return None,
    };
    digits.parse::<usize>().ok()?.checked_mul(unit).filter(|bytes| *bytes >= 1 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ranges_are_read_as_linux_writes_them() {
        for (text, size) in [
            ("64K", Some(64 << 10)),
            ("2M", Some(2 << 20)),
            ("4096", Some(4096)),
            ("0K", None),
            ("", None),
            ("K", None),
            ("12Q", None),
            ("99999999999999999999K", None),
        ] {
            assert_eq!(bytes(text), size, "{text:?}");
        }
        let numbers = |text: &'static str| {
            present(&move |path: &str| {
                (path == "sys/devices/system/cpu/present").then(|| text.into())
            })
        };
        assert_eq!(numbers("0-3,8\n"), [0, 1, 2, 3, 8]);
        assert_eq!(numbers("0"), [0]);
        assert_eq!(numbers("2-1,a-b,,7"), [7]);
        assert!(numbers("0-18446744073709551615").len() <= MOST_CPUS + 1);
    }
}
