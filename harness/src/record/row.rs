//! One measured row.

use crate::machine::Ceilings;
use crate::measure::Cache;
use crate::measure::roofline::{Traffic, operations, roofline_gflops, transfer_ns};
use crate::timing::stats::Summary;
use pointwise::{Isa, Layer, Layout};
use serde::{Deserialize, Serialize};

/// The `layer` of a row that is of all layers of a pass together. Of the sizes such a row has the
/// batch only; the others are 0.
pub const PASS: &str = "pass";

/// The version of the record format. A file of another version is refused.
pub const SCHEMA: u32 = 1;

/// One measured row: one contender on one layer. The field names are a contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The layer's network; empty for a layer given by hand.
    pub network: String,
    /// The layer's name in its network, or its text form.
    pub layer: String,
    /// Images.
    pub n: usize,
    /// Input channels.
    pub c: usize,
    /// Output channels.
    pub k: usize,
    /// Input rows.
    pub h: usize,
    /// Input columns.
    pub w: usize,
    /// Stride of rows.
    pub stride_h: usize,
    /// Stride of columns.
    pub stride_w: usize,
    /// Groups.
    pub groups: usize,
    /// `f32`.
    pub dtype: String,
    /// `nchw` or `nhwc`.
    pub layout: String,
    /// The contender.
    pub contender: String,
    /// Its version.
    pub version: String,
    /// The contender's kernel; empty when unknown.
    pub kernel: String,
    /// Threads used.
    pub threads: usize,
    /// The state of the caches: `hot` or `cold`, in a pass through a network `network` or
    /// `network-cold`.
    pub cache: String,
    /// The number of samples.
    pub samples: usize,
    /// Fastest sample, ns per run of the layer.
    pub ns_min: f64,
    /// Median sample, ns per run of the layer.
    pub ns_median: f64,
    /// Median absolute deviation of the samples, ns.
    pub ns_mad: f64,
    /// `2·n·oh·ow·k·(c/groups) ÷ ns_median`.
    pub gflops: f64,
    /// The FMA ceiling on `threads` threads, measured in the same run.
    pub ceiling_gflops: f64,
    /// `gflops ÷ ceiling_gflops`.
    pub fraction_of_ceiling: f64,
    /// The roofline: the lower of the FMA ceiling and the rate that the measured bandwidth allows.
    pub roofline_gflops: f64,
    /// `gflops ÷ roofline_gflops`.
    pub fraction_of_roofline: f64,
    /// Whether the weights were packed ahead, outside of the time.
    pub prepacked: bool,
    /// Whether the result was checked against the reference before it was timed.
    pub verified: bool,
}

/// What was measured: a row without its figures.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// The layer's network; empty for a layer given by hand.
    pub network: String,
    /// The layer's name in its network; empty for a layer given by hand.
    pub name: String,
    /// The layer, in the layout that was measured.
    pub layer: Layer,
    /// The contender.
    pub contender: String,
    /// Its version.
    pub version: String,
    /// The contender's kernel; empty when unknown.
    pub kernel: String,
    /// Threads used.
    pub threads: usize,
    /// The state of the caches.
    pub cache: Cache,
    /// The widest ISA that contenders were allowed.
    pub isa: Option<Isa>,
    /// Whether the weights were packed ahead.
    pub prepacked: bool,
    /// Whether the result was checked before it was timed.
    pub verified: bool,
}

/// Why a row cannot be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RecordError {
    /// The layer is not valid.
    #[error("{0}")]
    Layer(#[from] pointwise::Error),
    /// No ceiling was measured.
    #[error("no FMA ceiling was measured for {threads} threads and ISAs up to {isa}")]
    NoCeiling {
        /// The number of threads.
        threads: usize,
        /// The widest ISA allowed.
        isa: &'static str,
    },
}

impl Record {
    /// The row of `subject`, with the times of `summary` and the `ceilings` of the same run.
    ///
    /// # Errors
    /// [`RecordError`]: an invalid layer, or no ceiling for that number of threads.
    pub fn new(
        subject: Subject,
        summary: &Summary,
        ceilings: &Ceilings,
    ) -> Result<Record, RecordError> {
        let Subject { layer, threads, isa, cache, .. } = subject;
        let shape = layer.check()?;
        let missing = || RecordError::NoCeiling { threads, isa: isa.map_or("any", Isa::name) };
        let ceiling_gflops = ceilings.gflops(threads, isa).ok_or_else(missing)?;
        let element = size_of::<f32>() as u64;
        let roofline_gflops =
            roofline_gflops(&layer, &shape, element, cache, ceilings, threads, isa)
                .ok_or_else(missing)?;
        let gflops = operations(&shape) / summary.median;
        Ok(Record {
            schema: SCHEMA,
            network: subject.network,
            layer: if subject.name.is_empty() { layer.to_string() } else { subject.name },
            n: layer.n,
            c: layer.c,
            k: layer.k,
            h: layer.h,
            w: layer.w,
            stride_h: layer.stride[0],
            stride_w: layer.stride[1],
            groups: layer.groups,
            dtype: "f32".to_owned(),
            layout: layer.layout.name().to_owned(),
            contender: subject.contender,
            version: subject.version,
            kernel: subject.kernel,
            threads,
            cache: cache.name().to_owned(),
            samples: summary.samples,
            ns_min: summary.min,
            ns_median: summary.median,
            ns_mad: summary.mad,
            gflops,
            ceiling_gflops,
            fraction_of_ceiling: gflops / ceiling_gflops,
            roofline_gflops,
            fraction_of_roofline: gflops / roofline_gflops,
            prepacked: subject.prepacked,
            verified: subject.verified,
        })
    }

    /// The row of all `layers` of a pass together, each given as often as it is run. The layer of
    /// `subject` gives the batch and the layout, and the name of the row is [`PASS`].
    ///
    /// # Errors
    /// As [`Record::new`], for any of the layers.
    pub fn of_pass<'a>(
        subject: Subject,
        layers: impl IntoIterator<Item = &'a Layer>,
        summary: &Summary,
        ceilings: &Ceilings,
    ) -> Result<Record, RecordError> {
        let (threads, cache) = (subject.threads, subject.cache);
        let element = size_of::<f32>() as u64;
        let (mut work, mut bytes) = (0.0, 0u64);
        for layer in layers {
            let shape = layer.check()?;
            work += operations(&shape);
            bytes += Traffic::of(layer, &shape, element).total();
        }
        let record = Record::new(subject, summary, ceilings)?;
        let gflops = work / summary.median;
        let least_ns =
            (work / record.ceiling_gflops).max(transfer_ns(bytes, cache, ceilings, threads));
        Ok(Record {
            layer: PASS.to_owned(),
            c: 0,
            k: 0,
            h: 0,
            w: 0,
            stride_h: 0,
            stride_w: 0,
            groups: 0,
            kernel: String::new(),
            gflops,
            fraction_of_ceiling: gflops / record.ceiling_gflops,
            roofline_gflops: work / least_ns,
            fraction_of_roofline: gflops * least_ns / work,
            ..record
        })
    }

    /// Whether it was measured in a pass through a network. A layer takes another time there than by
    /// itself, so that such rows are compared with one another only.
    pub fn is_of_a_pass(&self) -> bool {
        self.cache.parse().is_ok_and(Cache::is_pass)
    }

    /// The sizes as a layer's text form, such as `nhwc/n1c64h56w56k256/s2x2`. A record does not have
    /// padding and epilogue; the catalog does.
    pub fn sizes_text(&self) -> String {
        let layout = if self.layout == "nchw" { Layout::Nchw } else { Layout::Nhwc };
        Layer::new(self.c, self.k, self.h, self.w)
            .batch(self.n)
            .stride(self.stride_h, self.stride_w)
            .groups(self.groups)
            .layout(layout)
            .to_string()
    }

    /// Every floating-point field with its name.
    pub fn figures(&self) -> [(&'static str, f64); 8] {
        [
            ("ns_min", self.ns_min),
            ("ns_median", self.ns_median),
            ("ns_mad", self.ns_mad),
            ("gflops", self.gflops),
            ("ceiling_gflops", self.ceiling_gflops),
            ("fraction_of_ceiling", self.fraction_of_ceiling),
            ("roofline_gflops", self.roofline_gflops),
            ("fraction_of_roofline", self.fraction_of_roofline),
        ]
    }

    /// Every count with its name.
    pub(super) fn counts(&self) -> [(&'static str, usize); 10] {
        [
            ("n", self.n),
            ("c", self.c),
            ("k", self.k),
            ("h", self.h),
            ("w", self.w),
            ("stride_h", self.stride_h),
            ("stride_w", self.stride_w),
            ("groups", self.groups),
            ("threads", self.threads),
            ("samples", self.samples),
        ]
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::machine::{Bandwidth, FmaCeiling};

    fn ceilings() -> Ceilings {
        let level = |level: &str, capacity, read_gbps| Bandwidth {
            level: level.to_owned(),
            threads: 1,
            capacity,
            bytes: 0,
            read_gbps,
            copy_gbps: read_gbps,
        };
        Ceilings {
            fma: vec![FmaCeiling { isa: Isa::Avx2, threads: 1, gflops: 128.0 }],
            bandwidth: vec![level("L1", Some(1 << 20), 400.0), level("memory", None, 1.0)],
        }
    }

    fn subject() -> Subject {
        Subject {
            network: "resnet50".to_owned(),
            name: "conv1".to_owned(),
            layer: Layer::new(64, 256, 8, 8).stride(2, 2).bias(true),
            contender: "pointwise".to_owned(),
            version: "0.1.0".to_owned(),
            kernel: "f32-avx2-ol-6x16".to_owned(),
            threads: 1,
            cache: Cache::Hot,
            isa: None,
            prepacked: true,
            verified: true,
        }
    }

    const SUMMARY: Summary = Summary { samples: 9, min: 90.0, median: 8192.0, mad: 1.5 };

    /// A valid record, for tests of what reads records.
    pub(crate) fn record() -> Record {
        Record::new(subject(), &SUMMARY, &ceilings()).unwrap()
    }

    #[test]
    fn rates_and_shares_follow_from_the_times() {
        let record = record();
        // 2·4·4·256·64 operations in 8192 ns.
        assert_eq!(record.gflops, 64.0);
        assert_eq!(record.fraction_of_ceiling, 0.5);
        assert_eq!((record.roofline_gflops, record.fraction_of_roofline), (128.0, 0.5));
        assert_eq!((record.ns_min, record.ns_mad, record.samples), (90.0, 1.5, 9));
    }

    #[test]
    fn a_cold_run_is_bounded_by_memory() {
        let subject = Subject { cache: Cache::Cold, ..subject() };
        let record = Record::new(subject, &SUMMARY, &ceilings()).unwrap();
        // Bytes of input, weights, bias and output, at 1 byte per ns.
        let bytes = 4.0 * (64.0 * 16.0 + 64.0 * 256.0 + 256.0 + 256.0 * 16.0);
        assert!((record.roofline_gflops - 524_288.0 / bytes).abs() < 1e-9);
        assert!((record.fraction_of_roofline - 64.0 * bytes / 524_288.0).abs() < 1e-9);
        assert_eq!(record.cache, "cold");
    }

    #[test]
    fn what_is_missing_is_an_error() {
        let none = Record::new(Subject { threads: 2, ..subject() }, &SUMMARY, &ceilings());
        assert_eq!(none, Err(RecordError::NoCeiling { threads: 2, isa: "any" }));
        let capped = Subject { isa: Some(Isa::Scalar), ..subject() };
        assert!(Record::new(capped, &SUMMARY, &ceilings()).is_err());
        let layer = Layer::new(0, 1, 1, 1);
        assert!(matches!(
            Record::new(Subject { layer, ..subject() }, &SUMMARY, &ceilings()),
            Err(RecordError::Layer(_))
        ));
    }

    #[test]
    fn the_field_names_are_the_contract() {
        let value = serde_json::to_value(record()).unwrap();
        let mut names: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        let mut contract: Vec<&str> = "schema network layer n c k h w stride_h stride_w groups \
            dtype layout contender version kernel threads cache samples ns_min ns_median ns_mad \
            gflops ceiling_gflops fraction_of_ceiling roofline_gflops fraction_of_roofline \
            prepacked verified"
            .split_whitespace()
            .collect();
        contract.sort_unstable();
        assert_eq!(names, contract);
        let floats = value.as_object().unwrap().values().filter(|value| value.is_f64()).count();
        assert_eq!(floats, record().figures().len());
    }

    #[test]
    fn the_row_of_a_pass_sums_its_layers() {
        let layers = [Layer::new(64, 256, 8, 8), Layer::new(256, 64, 8, 8), Layer::new(8, 8, 1, 1)];
        let subject = Subject { cache: Cache::Network, ..subject() };
        let record = Record::of_pass(subject, &layers, &SUMMARY, &ceilings()).unwrap();
        // 2·(2·64·64·256 + 64) operations in 8192 ns.
        assert_eq!(record.gflops, (4.0 * 64.0 * 64.0 * 256.0 + 128.0) / 8192.0);
        assert_eq!((record.layer.as_str(), record.cache.as_str()), (PASS, "network"));
        assert_eq!((record.n, record.c, record.k, record.groups), (1, 0, 0, 0));
        assert!(record.is_of_a_pass() && !self::record().is_of_a_pass());
    }

    #[test]
    fn the_text_of_sizes_is_a_layer() {
        assert_eq!(record().sizes_text(), "nhwc/n1c64h8w8k256/s2x2");
        assert!(record().sizes_text().parse::<Layer>().is_ok());
        let given = Subject { network: String::new(), name: String::new(), ..subject() };
        let record = Record::new(given, &SUMMARY, &ceilings()).unwrap();
        assert_eq!(record.layer.parse::<Layer>().unwrap(), subject().layer);
    }
}
