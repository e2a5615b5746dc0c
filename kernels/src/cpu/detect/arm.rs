//! Which Arm cores this machine has, by their MIDR registers.
//!
//! MIDR_EL1 holds a core's implementer, part, variant and revision (Arm Architecture Reference
//! Manual, D19.2.118). Linux shows it for each CPU in `/sys`, and its fields in `/proc/cpuinfo`. A
//! machine may have several kinds of core: the biggest is the one that prices are for, and all are
//! part of the machine's identity.

use super::found::{Caches, Found};
use super::parts;
use super::system::{self, Read};
use crate::cpu::Cpu;
use crate::micro::isa::Isa;

/// A kind of core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Core {
    /// Who designed it: 0x41 Arm, 0x51 Qualcomm, 0x61 Apple.
    implementer: u32,
    /// Which of the implementer's cores.
    part: u32,
    /// Major revision.
    variant: u32,
}

/// One CPU as Linux numbers them.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Logical {
    number: usize,
    core: Core,
    /// Speed as Linux's scheduler counts it, 1024 for the fastest; not every kernel tells.
    capacity: Option<u32>,
}

/// Implementer, part and caches of the biggest core; the ISA is left to the caller.
#[cfg_attr(not(target_arch = "aarch64"), allow(dead_code))]
pub(in crate::cpu) fn found() -> Found {
    found_in(&system::read)
}

/// Every kind of core: `arm 41.d0b.4 with 41.d05.2`, the biggest first.
#[cfg_attr(not(target_arch = "aarch64"), allow(dead_code))]
pub(in crate::cpu) fn brand() -> String {
    brand_of(&cores(&system::read))
}

fn found_in(read: Read<'_>) -> Found {
    let cores = cores(read);
    let biggest = cores.first();
    Found {
        vendor: "arm",
        family: biggest.map_or(0, |logical| logical.core.implementer),
        model: biggest.map_or(0, |logical| logical.core.part),
        isa: Isa::Scalar,
        caches: biggest.map_or(Caches::default(), |it| system::caches(read, it.number)),
    }
}

fn brand_of(cores: &[Logical]) -> String {
    let text = |logical: &Logical| {
        let Core { implementer, part, variant } = logical.core;
        format!("{implementer:02x}.{part:03x}.{variant:x}")
    };
    match cores {
        [] => std::env::consts::ARCH.to_owned(),
        [one] => format!("arm {}", text(one)),
        [biggest, others @ ..] => {
            let others: Vec<String> = others.iter().map(text).collect();
            format!("arm {} with {}", text(biggest), others.join(" "))
        }
    }
}

/// One CPU of each kind of core, the biggest first.
fn cores(read: Read<'_>) -> Vec<Logical> {
    let mut all = from_registers(read);
    if all.is_empty() {
        all = from_cpuinfo(&read("proc/cpuinfo").unwrap_or_default());
    }
    if all.is_empty() && cfg!(target_vendor = "apple") {
        // Apple's own systems show no register; every core that runs them is Apple's.
        let core = Core { implementer: 0x61, part: 0, variant: 0 };
        all.push(Logical { number: 0, core, capacity: None });
    }
    let mut kinds: Vec<Logical> = Vec::new();
    for logical in all {
        if !kinds.iter().any(|kind| kind.core == logical.core) {
            kinds.push(logical);
        }
    }
    // By what the kernel knows of their speed, else by the class's reorder window, and among
    // equals always in the same order.
    let size = |it: &Logical| {
        let Core { implementer, part, variant } = it.core;
        let window = Cpu::named(parts::arm(implementer, part, 0, 0)).map_or(0.0, |cpu| cpu.window);
        (it.capacity, window as u32, part, variant, implementer)
    };
    kinds.sort_by_key(|it| core::cmp::Reverse(size(it)));
    kinds
}

/// The CPUs that `/sys` shows registers of.
fn from_registers(read: Read<'_>) -> Vec<Logical> {
    let one = |number: usize| {
        let folder = format!("{}/cpu{number}", system::CPUS);
        let register = read(&format!("{folder}/regs/identification/midr_el1"))?;
        let register = u64::from_str_radix(register.trim().trim_start_matches("0x"), 16).ok()?;
        let field = |shift: u32, bits: u32| (register >> shift) as u32 & ((1 << bits) - 1);
        let core = Core { implementer: field(24, 8), part: field(4, 12), variant: field(20, 4) };
        let capacity = read(&format!("{folder}/cpu_capacity"));
        let capacity = capacity.and_then(|text| text.trim().parse().ok());
        Some(Logical { number, core, capacity })
    };
    system::present(read).into_iter().filter_map(one).collect()
}

/// The CPUs of `/proc/cpuinfo`.
fn from_cpuinfo(text: &str) -> Vec<Logical> {
    let number = |value: &str| match value.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => value.parse().ok(),
    };
    let mut all = Vec::new();
    let (mut cpu, mut implementer, mut variant) = (0, None, 0);
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let Some(value) = number(value.trim()) else { continue };
        match name.trim() {
            "processor" => cpu = value as usize,
            "CPU implementer" => implementer = Some(value),
            "CPU variant" => variant = value,
            // The last of the three in every kernel's text.
            "CPU part" => {
                if let Some(implementer) = implementer {
                    let core = Core { implementer, part: value, variant };
                    all.push(Logical { number: cpu, core, capacity: None });
                }
            }
            _ => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::host::describe;
    use std::collections::HashMap;

    /// `/proc/cpuinfo` of so many CPUs of each implementer, part and variant.
    fn cpuinfo(kinds: &[(usize, u32, u32, u32)]) -> String {
        let mut text = String::new();
        let mut number = 0;
        for (count, implementer, part, variant) in kinds {
            for _ in 0..*count {
                text += &format!(
                    "processor\t: {number}\nBogoMIPS\t: 243.75\nFeatures\t: fp asimd evtstrm aes \
                     cpuid asimdrdm\nCPU implementer\t: {implementer:#04x}\nCPU architecture: 8\n\
                     CPU variant\t: {variant:#x}\nCPU part\t: {part:#05x}\nCPU revision\t: 1\n\n"
                );
                number += 1;
            }
        }
        text
    }

    fn of(files: &HashMap<String, String>) -> (String, Cpu) {
        let read = |path: &str| files.get(path).cloned();
        let found = Found { isa: Isa::Neon, ..found_in(&read) };
        (brand_of(&cores(&read)), describe(&found))
    }

    fn from_proc(kinds: &[(usize, u32, u32, u32)]) -> (String, String) {
        let files = HashMap::from([("proc/cpuinfo".to_owned(), cpuinfo(kinds))]);
        let (brand, cpu) = of(&files);
        (brand, cpu.title)
    }

    #[test]
    fn machines_are_told_apart_by_proc_cpuinfo() {
        for (machine, kinds, brand, title) in [
            ("Graviton2", &[(4, 0x41, 0xd0c, 3)][..], "arm 41.d0c.3", "Arm Neoverse N1"),
            ("Graviton3", &[(4, 0x41, 0xd40, 1)], "arm 41.d40.1", "Arm Neoverse V1"),
            ("Graviton4", &[(2, 0x41, 0xd4f, 0)], "arm 41.d4f.0", "Arm Neoverse V2"),
            ("Cobalt 100", &[(2, 0x41, 0xd49, 0)], "arm 41.d49.0", "Arm Neoverse N2"),
            (
                "Raspberry Pi 4",
                &[(4, 0x41, 0xd08, 0)],
                "arm 41.d08.0",
                "unknown, priced as Arm Cortex-A76",
            ),
            ("Raspberry Pi 5", &[(4, 0x41, 0xd0b, 4)], "arm 41.d0b.4", "Arm Cortex-A76"),
            // The little cores come first.
            (
                "RK3588",
                &[(4, 0x41, 0xd05, 2), (4, 0x41, 0xd0b, 4)],
                "arm 41.d0b.4 with 41.d05.2",
                "Arm Cortex-A76",
            ),
            (
                "M1 under Linux",
                &[(4, 0x61, 0x022, 1), (4, 0x61, 0x023, 1)],
                "arm 61.023.1 with 61.022.1",
                "Apple M1 (performance core)",
            ),
            (
                "M2 under Linux",
                &[(4, 0x61, 0x032, 1), (4, 0x61, 0x033, 1)],
                "arm 61.033.1 with 61.032.1",
                "unknown, priced as Apple M1 (performance core)",
            ),
            (
                "three kinds",
                &[(4, 0x41, 0xd80, 0), (3, 0x41, 0xd81, 0), (1, 0x41, 0xd82, 0)],
                "arm 41.d82.0 with 41.d81.0 41.d80.0",
                "unknown, priced as Arm Neoverse V2",
            ),
        ] {
            assert_eq!(from_proc(kinds), (brand.to_owned(), title.to_owned()), "{machine}");
        }
    }

    /// The files of one CPU under `/sys`.
    fn sys(number: usize, midr: &str, capacity: &str, caches: [[&str; 4]; 4]) -> Vec<[String; 2]> {
        let folder = format!("{}/cpu{number}", system::CPUS);
        let mut files = vec![
            [format!("{folder}/regs/identification/midr_el1"), midr.to_owned()],
            [format!("{folder}/cpu_capacity"), capacity.to_owned()],
        ];
        for (index, values) in caches.iter().enumerate() {
            for (name, value) in
                ["level", "type", "size", "ways_of_associativity"].iter().zip(values)
            {
                files.push([format!("{folder}/cache/index{index}/{name}"), format!("{value}\n")]);
            }
        }
        files
    }

    #[test]
    fn registers_come_before_cpuinfo_and_capacity_says_which_core_is_biggest() {
        let caches = |l1, l2| {
            [
                ["1", "Data", l1, "4"],
                ["1", "Instruction", "16K", "4"],
                ["2", "Unified", l2, "8"],
                ["3", "Unified", "3M", "12"],
            ]
        };
        let mut files = vec![["sys/devices/system/cpu/present".to_owned(), "0-1\n".to_owned()]];
        // A core of an unknown implementer that the kernel says is the faster one.
        files.extend(sys(0, "0x00000000414fd0b1\n", "411\n", caches("64K", "512K")));
        files.extend(sys(1, "0x00000000771f1234\n", "1024\n", caches("96K", "2048K")));
        let mut files: HashMap<_, _> = files.into_iter().map(|[path, text]| (path, text)).collect();
        files.insert("proc/cpuinfo".to_owned(), cpuinfo(&[(2, 0x41, 0xd05, 0)]));
        let (brand, cpu) = of(&files);
        assert_eq!(brand, "arm 77.123.1 with 41.d0b.4");
        assert_eq!(cpu.title, "unknown, priced as Arm Neoverse N1");
        assert_eq!((cpu.l1, cpu.l1_ways, cpu.l2, cpu.l3), (96 << 10, 4, 2 << 20, 3 << 20));
        // Without what the kernel says of speed both are of one class, and the higher part leads.
        files.retain(|path, _| !path.ends_with("cpu_capacity"));
        let (brand, cpu) = of(&files);
        assert_eq!(brand, "arm 41.d0b.4 with 77.123.1");
        assert_eq!((cpu.title.as_str(), cpu.l1), ("Arm Cortex-A76", 64 << 10));
    }

    #[test]
    fn files_that_say_nothing_leave_a_core_of_middling_class() {
        for text in ["", "processor\t: 0\nmodel name\t: x\n", "CPU part\t: 0xd0c\n", "CPU part: x"]
        {
            let files = HashMap::from([
                ("proc/cpuinfo".to_owned(), text.to_owned()),
                ("sys/devices/system/cpu/present".to_owned(), "0-7,x,9-8".to_owned()),
                (
                    "sys/devices/system/cpu/cpu0/regs/identification/midr_el1".to_owned(),
                    "0xyz".to_owned(),
                ),
            ]);
            let (brand, cpu) = of(&files);
            if !cfg!(target_vendor = "apple") {
                assert_eq!(brand, std::env::consts::ARCH, "{text:?}");
                assert_eq!(cpu.title, "unknown, priced as Arm Cortex-A76", "{text:?}");
            }
        }
    }
}
