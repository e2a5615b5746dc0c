//! The environment of a run as lines of a page: the machine, the build, what disturbed the run.
//!
//! Fields are looked up by name, and a missing field leaves out its line. The page of an old run can
//! still be made.

use super::figure::roofline::Roof;
use crate::text::numbers::{digits, time};
use serde::Serialize;
use serde_json::Value;

/// A line of a table of facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Fact {
    /// The name of the fact.
    pub name: String,
    /// The value.
    pub value: String,
}

/// Lines that are collected.
#[derive(Default)]
struct Facts(Vec<Fact>);

impl Facts {
    /// Adds a line if there is a value.
    fn add(&mut self, name: &str, value: Option<String>) {
        self.0.extend(value.map(|value| Fact { name: name.to_owned(), value }));
    }
}

/// One property that was checked for the trust grade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct FindingLine {
    /// The property.
    pub what: String,
    /// Its grade, from `A` to `F`.
    pub grade: String,
    /// The value that was found.
    pub seen: String,
}

/// The JSON of an environment, of which any field may be missing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sidecar<'v>(pub &'v Value);

impl<'v> Sidecar<'v> {
    fn at(self, pointer: &str) -> Option<&'v Value> {
        self.0.pointer(pointer).filter(|value| !value.is_null())
    }

    fn text(self, pointer: &str) -> Option<String> {
        match self.at(pointer)? {
            Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
            Value::Bool(flag) => Some(if *flag { "yes" } else { "no" }.to_owned()),
            Value::Number(number) => Some(number.to_string()),
            Value::Array(all) => {
                let words: Vec<&str> = all.iter().filter_map(Value::as_str).collect();
                Some(words.join(", ")).filter(|text| !text.is_empty())
            }
            _ => None,
        }
    }

    fn number(self, pointer: &str) -> Option<f64> {
        self.at(pointer)?.as_f64()
    }

    fn items(self, pointer: &str) -> &'v [Value] {
        self.at(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// The name of the CPU, with its microarchitecture unless the name has it.
    pub(super) fn cpu(self) -> Option<String> {
        let brand = self.text("/cpu/brand")?;
        Some(match self.text("/cpu/microarchitecture") {
            Some(core) if !brand.contains(&core) => format!("{brand} ({core})"),
            _ => brand,
        })
    }

    /// The first twelve digits of the commit, with a `+` when compiled files differed from it.
    pub(super) fn commit(self) -> Option<String> {
        let commit = self.text("/build/commit")?;
        let dirty = self.at("/build/dirty").and_then(Value::as_bool).unwrap_or(false);
        let short: String = commit.chars().take(12).collect();
        Some(if dirty { short + "+" } else { short })
    }

    /// The time when the run began.
    pub(super) fn started(self) -> Option<String> {
        self.text("/started")
    }

    /// The trust grade, from `A` to `F`.
    pub(super) fn grade(self) -> Option<String> {
        self.text("/trust/grade")
    }

    /// The properties that were checked for the grade.
    pub(super) fn findings(self) -> Vec<FindingLine> {
        let finding = |value: &Value| {
            let sidecar = Sidecar(value);
            Some(FindingLine {
                what: sidecar.text("/what")?,
                grade: sidecar.text("/grade")?,
                seen: sidecar.text("/seen").unwrap_or_default(),
            })
        };
        self.items("/trust/findings").iter().filter_map(finding).collect()
    }

    /// The FMA ceilings on a number of threads, GFLOP/s.
    pub(super) fn ceilings(self, threads: usize) -> Vec<Roof> {
        let roof = |value: &Value| {
            let sidecar = Sidecar(value);
            let here = sidecar.number("/threads")? == threads as f64;
            let label = sidecar.text("/isa")?;
            let value = sidecar.number("/gflops").filter(|_| here)?;
            Some(Roof { label, value })
        };
        self.items("/ceilings/fma").iter().filter_map(roof).collect()
    }

    /// The read bandwidths on a number of threads, 10⁹ bytes per second, the nearest level first.
    pub(super) fn bandwidths(self, threads: usize) -> Vec<Roof> {
        let roof = |value: &Value| {
            let sidecar = Sidecar(value);
            let here = sidecar.number("/threads")? == threads as f64;
            let label = sidecar.text("/level")?;
            let value = sidecar.number("/read_gbps").filter(|_| here)?;
            Some(Roof { label, value })
        };
        self.items("/ceilings/bandwidth").iter().filter_map(roof).collect()
    }

    fn caches(self) -> Vec<Fact> {
        let fact = |value: &Value| {
            let cache = Sidecar(value);
            let kind = cache.text("/kind")?;
            let kind = if kind == "unified" { String::new() } else { format!(" {kind}") };
            let mut shown = bytes(cache.number("/bytes")?);
            if let Some(ways) = cache.text("/ways").filter(|ways| ways != "0") {
                shown += &format!(", {ways}-way");
            }
            match cache.number("/shared_by") {
                Some(cpus) if cpus > 1.0 => shown += &format!(", shared by {cpus} CPUs"),
                _ => {}
            }
            Some(Fact { name: format!("L{}{kind} cache", cache.text("/level")?), value: shown })
        };
        self.items("/cpu/caches").iter().filter_map(fact).collect()
    }

    /// The lines on the machine.
    pub(super) fn machine(self) -> Vec<Fact> {
        let mut facts = Facts::default();
        facts.add("CPU", self.cpu());
        facts.add("Architecture", self.text("/cpu/architecture"));
        facts.add("Instruction sets of kernels", self.text("/cpu/isas"));
        facts.add("Further instruction sets", self.text("/cpu/features"));
        let (logical, physical) = (self.text("/cpu/logical"), self.text("/cpu/physical"));
        facts.add(
            "CPUs",
            logical.map(|logical| match physical {
                Some(physical) => format!("{logical} logical on {physical} physical cores"),
                None => logical,
            }),
        );
        facts.add(
            "Core clock, as measured",
            self.number("/timer/frequency_ghz").map(|ghz| format!("{ghz:.2} GHz")),
        );
        facts.0.extend(self.caches());
        facts.add("Memory", self.number("/host/memory").map(bytes));
        let kernel = self.text("/host/kernel").map_or_else(String::new, |k| format!(" {k}"));
        facts.add("Operating system", self.text("/host/os").map(|os| os + &kernel));
        facts.add("Hypervisor", self.text("/host/hypervisor"));
        facts.add("Frequency governor", self.text("/host/governor"));
        facts.add("Frequency boost", self.text("/host/boost"));
        facts.0
    }

    /// The lines on the program.
    pub(super) fn build(self) -> Vec<Fact> {
        let mut facts = Facts::default();
        facts.add("Version", self.text("/build/version"));
        facts.add("Commit", self.commit());
        facts.add("Compiler", self.text("/build/compiler"));
        facts.add("Target", self.text("/build/target"));
        let level = self.text("/build/opt_level").map(|level| format!(", level {level}"));
        facts.add("Profile", self.text("/build/profile").map(|p| p + &level.unwrap_or_default()));
        facts.add("Flags", self.text("/build/rustflags"));
        facts.0
    }

    /// Every ceiling that was measured: its name, the number of threads, its value.
    pub(super) fn limits(self) -> Vec<[String; 3]> {
        let fma = self.items("/ceilings/fma").iter().filter_map(|value| {
            let sidecar = Sidecar(value);
            let speed = format!("{} GFLOP/s", digits(sidecar.number("/gflops")?));
            Some([format!("FMA, {}", sidecar.text("/isa")?), sidecar.text("/threads")?, speed])
        });
        let bandwidth = self.items("/ceilings/bandwidth").iter().filter_map(|value| {
            let sidecar = Sidecar(value);
            let read = digits(sidecar.number("/read_gbps")?);
            let copy = sidecar.number("/copy_gbps").map(|gbps| format!(", copy {}", digits(gbps)));
            let speed = format!("read {read}{} GB/s", copy.unwrap_or_default());
            Some([
                format!("{} bandwidth", sidecar.text("/level")?),
                sidecar.text("/threads")?,
                speed,
            ])
        });
        fma.chain(bandwidth).collect()
    }

    /// The lines on the settings.
    pub(super) fn settings(self) -> Vec<Fact> {
        let duration = |pointer: &str| {
            let seconds = self.number(&format!("{pointer}/secs"))?;
            let nanos = self.number(&format!("{pointer}/nanos"))?;
            Some(time(1e9 * seconds + nanos))
        };
        let mut facts = Facts::default();
        facts.add("Warm-up of each contender", duration("/settings/warm_up"));
        facts.add("Length of a sample, about", duration("/settings/sample"));
        facts.add("Time for each contender on a layer", duration("/settings/budget"));
        let rounds = self.text("/settings/min_rounds").zip(self.text("/settings/max_rounds"));
        facts.add(
            "Rounds, at least and at most",
            rounds.map(|(least, most)| format!("{least} and {most}")),
        );
        facts.add("Seed of the order within rounds", self.text("/settings/seed"));
        facts.0
    }
}

/// A number of bytes with a unit that keeps it small.
fn bytes(size: f64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    for (power, unit) in units {
        let value = size / f64::from(1u32 << power);
        if value >= 1.0 {
            let rounded = (value * 10.0).round() / 10.0;
            return format!("{rounded} {unit}");
        }
    }
    format!("{size} B")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_empty_sidecar_gives_empty_tables() {
        for value in
            [json!({}), json!(null), json!([1, 2]), json!({"cpu": 3, "ceilings": {"fma": 1}})]
        {
            let sidecar = Sidecar(&value);
            assert_eq!((sidecar.cpu(), sidecar.commit(), sidecar.grade()), (None, None, None));
            assert!(sidecar.machine().is_empty() && sidecar.build().is_empty());
            assert!(sidecar.ceilings(1).is_empty() && sidecar.findings().is_empty());
        }
    }

    #[test]
    fn ceilings_are_those_of_the_threads_asked_for() {
        let value = json!({"ceilings": {
            "fma": [{"isa": "avx2", "threads": 1, "gflops": 120.0}, {"isa": "avx2", "threads": 2, "gflops": 230.0}],
            "bandwidth": [{"level": "L1", "threads": 2, "read_gbps": 400.0}],
        }});
        let sidecar = Sidecar(&value);
        assert_eq!(sidecar.ceilings(2), [Roof { label: "avx2".to_owned(), value: 230.0 }]);
        assert!(sidecar.bandwidths(1).is_empty());
        assert_eq!(sidecar.bandwidths(2)[0].value, 400.0);
        assert_eq!(sidecar.limits().len(), 3);
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(bytes(48.0 * 1024.0), "48 KiB");
        assert_eq!(bytes(1.5 * 1024.0 * 1024.0), "1.5 MiB");
        assert_eq!(bytes(12.0), "12 B");
    }
}
