//! One measured row, and the file of them.

use serde::{Deserialize, Serialize};

/// The version of the record format; a file of another version is refused.
pub const SCHEMA: u32 = 1;

/// One measured row: one contender on one layer. The field names are a contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Network the layer was taken from; empty for a layer given by hand.
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
    /// Who computed it.
    pub contender: String,
    /// Its version.
    pub version: String,
    /// The kernel that did the work, as far as it can be told.
    pub kernel: String,
    /// Threads used.
    pub threads: usize,
    /// `hot` or `cold`.
    pub cache: String,
    /// Samples taken.
    pub samples: usize,
    /// Fastest sample, ns per run of the layer.
    pub ns_min: f64,
    /// Median sample, ns per run of the layer.
    pub ns_median: f64,
    /// Median absolute deviation of the samples, ns.
    pub ns_mad: f64,
    /// `2·n·oh·ow·k·(c/groups) ÷ ns_median`.
    pub gflops: f64,
    /// FMA ceiling measured in the same run, for `threads` threads.
    pub ceiling_gflops: f64,
    /// `gflops ÷ ceiling_gflops`.
    pub fraction_of_ceiling: f64,
    /// The lower of the FMA ceiling and what the measured bandwidth allows.
    pub roofline_gflops: f64,
    /// `gflops ÷ roofline_gflops`.
    pub fraction_of_roofline: f64,
    /// Whether the weights were packed ahead, outside the time.
    pub prepacked: bool,
    /// Whether the result was checked against the reference before it was timed.
    pub verified: bool,
}
