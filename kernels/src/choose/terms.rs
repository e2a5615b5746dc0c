//! The cost model's coefficients.

/// What steps outside the multiply-adds cost, in cycles of a core. Fitted to candidates that were
/// measured on one CPU (those in `reports/picking/` were measured afterwards, to judge by), and
/// close enough on others of its class: what differs most between CPUs is in [`Cpu`](crate::Cpu).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// Start of a tile: the call, its operands' addresses, the first loads' latency.
    pub(crate) tile: f64,
    /// Start and store of one whole vector of a tile.
    pub(crate) vector: f64,
    /// Leaving the fast path at the end of a tile: the spill and the call.
    pub(crate) finish: f64,
    /// A vector stored from the spill, lanes adjacent.
    pub(crate) spilled: f64,
    /// One element stored alone: the lanes past the last whole vector.
    pub(crate) single: f64,
    /// One element stored across the lanes, through a transpose.
    pub(crate) across: f64,
    /// One element of a tile with fewer than four rows stored across the lanes.
    pub(crate) across_few: f64,
    /// A line's start in each lane stored across: another page or cache line.
    pub(crate) lane: f64,
    /// One element of a unit whose pixels do not lie evenly.
    pub(crate) uneven: f64,
    /// A vector copied while packing.
    pub(crate) copy: f64,
    /// A channel's start while packing lines.
    pub(crate) channel: f64,
    /// One element packed through a transpose.
    pub(crate) transpose: f64,
    /// The same through one of 16 × 16.
    pub(crate) transpose16: f64,
    /// One element of shuffled groups on its way from where it is staged.
    pub(crate) staged: f64,
    /// One element gathered while packing.
    pub(crate) gather: f64,
    /// One element gathered while packing with a stride of two.
    pub(crate) second: f64,
    /// Share of the waiting for operands from L2 that hides behind nothing.
    pub(crate) leak: f64,
    /// The same of operands from behind L2.
    pub(crate) far_leak: f64,
    /// The same of those that are broadcast.
    pub(crate) far_broadcast: f64,
    /// The same of an input read in place channel by channel, from L2.
    pub(crate) scatter: f64,
    /// A row of a tile's residual that comes from behind L2.
    pub(crate) apart: f64,
    /// Share of L1 that operands keep to themselves.
    pub(crate) l1_share: f64,
    /// Share of L2 that operands keep to themselves.
    pub(crate) l2_share: f64,
    /// Share of L3 that a layer finds its tensors in.
    pub(crate) l3_share: f64,
    /// A step that touches a page not among those that the first TLB level holds.
    pub(crate) page: f64,
    /// A vector load that straddles two cache lines.
    pub(crate) straddle: f64,
    /// A cache line that rows a power of two apart push out of L1 before it is used up.
    pub(crate) alias: f64,
    /// A block's start, a panel's start within it.
    pub(crate) block: f64,
    /// See `block`.
    pub(crate) panel: f64,
    /// Bytes read or written back for each byte of output.
    pub(crate) write: f64,
    /// Share of a line that counts as output where rows of tiles do not start on lines.
    pub(crate) begun: f64,
    /// A line that two threads write.
    pub(crate) shared: f64,
    /// What a step takes longer among others than measured alone.
    pub(crate) step: f64,
}

impl Terms {
    /// As fitted, but for `single` and `across_few`, which the candidates measured last hardly use, so
    /// that these are of an earlier fit, with AVX2 kernels among its candidates; and for
    /// `transpose16` and `staged`, chosen by hand on ShuffleNet's layers, and `apart`, on ResNet-50's
    /// with residuals.
    pub(crate) const FITTED: Terms = Terms {
        tile: 18.234,
        vector: 11.376,
        finish: 6.315,
        spilled: 2.776,
        single: 2.561,
        across: 0.312,
        across_few: 0.831,
        lane: 2.358,
        uneven: 2.349,
        copy: 5.390,
        channel: 6.201,
        transpose: 0.545,
        transpose16: 0.200,
        staged: 0.200,
        gather: 0.904,
        second: 1.038,
        leak: 0.087,
        far_leak: 0.207,
        far_broadcast: 0.262,
        scatter: 0.089,
        apart: 9.000,
        l1_share: 1.116,
        l2_share: 0.646,
        l3_share: 0.520,
        page: 0.004,
        straddle: 0.071,
        alias: 0.386,
        block: 114.734,
        panel: 173.327,
        write: 0.752,
        begun: 3.477,
        shared: 31.747,
        step: 0.603,
    };

    /// The coefficients by name, to be fitted.
    #[cfg(test)]
    pub(crate) fn fields(&mut self) -> Vec<(&'static str, &mut f64)> {
        macro_rules! fields {
            ($($name:ident)*) => { vec![$((stringify!($name), &mut self.$name)),*] };
        }
        fields!(tile vector finish spilled single across across_few lane uneven copy channel
            transpose transpose16 staged gather second leak far_leak far_broadcast scatter apart l1_share l2_share l3_share page straddle alias
            block panel write begun shared step)
    }
}
