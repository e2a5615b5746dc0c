//! The environment of a run, in a file beside its records.

use super::error::FileError;
use super::row::SCHEMA;
use crate::machine::{Build, Ceilings, Cpu, Host, Monitor, Noise, Timer, Trust};
use crate::measure::{Session, Settings};
use crate::text::one_line::OneLine;
use crate::timing::clock::Monotonic;
use crate::whole_file;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Everything beside layers and contenders that the figures of a run depend on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// [`SCHEMA`].
    pub schema: u32,
    /// When the run began, RFC 3339, UTC.
    pub started: String,
    /// The CPU.
    pub cpu: Cpu,
    /// The computer around it.
    pub host: Host,
    /// The build of the program.
    pub build: Build,
    /// For how long, and in what state of the caches, it measured.
    pub settings: Settings,
    /// The ceilings of the run.
    pub ceilings: Ceilings,
    /// The clock, and how steady one thread is.
    pub timer: Timer,
    /// What disturbed the run.
    pub noise: Noise,
    /// How far its figures can be trusted.
    pub trust: Trust,
}

/// Watches a run from its beginning to its end, which gives its [`Environment`].
pub struct Watch {
    started: SystemTime,
    timer: Timer,
    monitor: Monitor,
}

impl Watch {
    /// Begins the watch. It first examines the clock for a quarter of a second.
    pub fn start() -> Watch {
        let started = SystemTime::now();
        let monitor = Monitor::start();
        let timer = Timer::measure(&Monotonic::new(), 1_000, &mut || ());
        Watch { started, timer, monitor }
    }

    /// Samples the clock rate, which takes half a millisecond. Call it after each case.
    pub fn sample(&mut self) {
        self.monitor.sample();
    }

    /// The environment of the run that ends now. `session` measured it, and `ceilings` are its best.
    pub fn finish(self, session: &Session, ceilings: Ceilings) -> Environment {
        let noise = self.monitor.finish(session.taken_again());
        let settings = session.settings().clone();
        Environment::of_run(self.started, settings, ceilings, self.timer, noise)
    }
}

impl Environment {
    /// The environment of a run on this machine that began at `started`.
    pub fn of_run(
        started: SystemTime,
        settings: Settings,
        ceilings: Ceilings,
        timer: Timer,
        noise: Noise,
    ) -> Environment {
        let (cpu, host, build) = (Cpu::detect(), Host::detect(), Build::this());
        let trust = Trust::of(&host, cpu.logical, &build, &timer, &noise);
        Environment {
            schema: SCHEMA,
            started: humantime::format_rfc3339_seconds(started).to_string(),
            cpu,
            host,
            build,
            settings,
            ceilings,
            timer,
            noise,
            trust,
        }
    }

    /// Writes it beside the record file `records`.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn write(&self, records: &Path) -> Result<(), FileError> {
        let path = path(records);
        let io = |error: std::io::Error| FileError::io("write", &path, &error);
        let mut text = serde_json::to_string_pretty(self).map_err(|e| io(e.into()))?;
        text.push('\n');
        whole_file::write(&path, text.as_bytes()).map_err(io)
    }

    /// Reads it from beside the record file `records`.
    ///
    /// # Errors
    /// [`FileError`]: no such file, an empty file, no JSON, a file cut short, another schema, or a
    /// missing field.
    pub fn read(records: &Path) -> Result<Environment, FileError> {
        let path = path(records);
        let text = std::fs::read_to_string(&path).map_err(|e| FileError::io("read", &path, &e))?;
        Environment::parse(&path, &text)
    }

    /// Reads it from `text`. `path` is named in errors.
    ///
    /// # Errors
    /// As [`Environment::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Environment, FileError> {
        let path_of = || path.to_owned();
        if text.trim().is_empty() {
            return Err(FileError::Empty { path: path_of() });
        }
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| {
            let line = error.line();
            if error.is_eof() {
                FileError::CutShort { path: path_of(), line }
            } else {
                FileError::NotJson { path: path_of(), line, reason: error.to_string() }
            }
        })?;
        let found = value.get("schema").cloned();
        if found != Some(SCHEMA.into()) {
            return Err(FileError::schema(path, 1, found));
        }
        serde_json::from_value(value).map_err(|error| FileError::Field {
            path: path_of(),
            line: 1,
            reason: OneLine(error).to_string(),
        })
    }
}

/// The file of the environment of the record file `records`: `FILE.env.json`.
pub fn path(records: &Path) -> PathBuf {
    let mut name = records.as_os_str().to_owned();
    name.push(".env.json");
    PathBuf::from(name)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::measure::Cache;

    /// An environment with given figures, for the tests of files.
    pub(crate) fn environment() -> Environment {
        let timer = Timer {
            resolution_ns: 1.0,
            overhead_ns: 25.0,
            jitter_quartiles: 0.0,
            jitter_p99: 0.25,
            jitter_max: 1.5,
            frequency_ghz: 3.25,
        };
        let noise = Noise {
            seconds: 9.5,
            steal: Some(0.0),
            other_load: None,
            load_average: Some([0.5, 0.25, 0.125]),
            drift: 0.0,
            drift_samples: 3,
            taken_again: 0,
        };
        let started = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        let settings = Settings::quick(Cache::Cold);
        Environment::of_run(started, settings, Ceilings::default(), timer, noise)
    }

    #[test]
    fn environments_read_back_and_carry_the_grade() {
        let folder = tempfile::tempdir().unwrap();
        let records = folder.path().join("run.jsonl");
        let written = environment();
        assert_eq!(written.started, "2001-09-09T01:46:40Z");
        assert!(written.trust.findings.iter().any(|finding| finding.what == "other load"));
        written.write(&records).unwrap();
        assert_eq!(Environment::read(&records).unwrap(), written);
        let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().collect();
        assert_eq!(names.len(), 1);
        assert_eq!(names[0].file_name(), "run.jsonl.env.json");
    }

    #[test]
    fn damage_is_told_with_the_file_and_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let records = folder.path().join("run.jsonl");
        let error = |text: &str| {
            std::fs::write(path(&records), text).unwrap();
            Environment::read(&records).unwrap_err()
        };
        assert!(matches!(error(""), FileError::Empty { .. }));
        assert!(matches!(error("{\n\"schema\": 1,"), FileError::CutShort { line: 2, .. }));
        assert!(matches!(error("nonsense"), FileError::NotJson { line: 1, .. }));
        assert!(
            matches!(error("{\"schema\": 7}"), FileError::Schema { found, .. } if found == "7")
        );
        let missing = error("{\"schema\": 1}");
        assert!(missing.to_string().contains("run.jsonl.env.json:1: "), "{missing}");
        std::fs::remove_file(path(&records)).unwrap();
        let gone = Environment::read(&records).unwrap_err().to_string();
        assert!(gone.starts_with("cannot read ") && gone.contains("run.jsonl.env.json"), "{gone}");
    }

    #[test]
    fn environments_that_cannot_be_written_say_so() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = folder.path().join("no").join("run.jsonl");
        let error = environment().write(&nowhere).unwrap_err();
        assert!(matches!(error, FileError::Io { verb: "write", .. }), "{error}");
    }
}
