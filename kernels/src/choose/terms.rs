//! The cost model's coefficients.

/// What steps outside the multiply-adds cost, in cycles of a core. Fitted to the candidates that
/// were measured on one CPU (`reports/picking/candidates-zen5.txt`), and close enough on others
/// of its class: what differs most between CPUs is in [`Cpu`](crate::Cpu).
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
    /// One element gathered while packing.
    pub(crate) gather: f64,
    /// One element gathered while packing with a stride of two.
    pub(crate) second: f64,
    /// Share of the waiting for operands from L2 that hides behind nothing.
    pub(crate) leak: f64,
    /// The same of operands from behind L2.
    pub(crate) far_leak: f64,
    /// Share of L1 that operands keep to themselves.
    pub(crate) l1_share: f64,
    /// Share of L2 that operands keep to themselves.
    pub(crate) l2_share: f64,
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
    /// What a step takes longer among others than measured alone.
    pub(crate) step: f64,
}

impl Terms {
    /// As fitted.
    pub(crate) const FITTED: Terms = Terms {
        tile: 6.857,
        vector: 2.793,
        finish: 4.495,
        spilled: 1.574,
        single: 1.825,
        across: 0.388,
        across_few: 0.565,
        lane: 2.059,
        uneven: 1.961,
        copy: 2.85,
        channel: 5.443,
        transpose: 0.536,
        gather: 0.98,
        second: 0.01,
        leak: 0.083,
        far_leak: 0.143,
        l1_share: 0.667,
        l2_share: 0.63,
        page: 0.02,
        straddle: 0.013,
        alias: 0.576,
        block: 66.8,
        panel: 41.0,
        step: 0.171,
    };

    /// The coefficients by name, to be fitted.
    #[cfg(test)]
    pub(crate) fn fields(&mut self) -> Vec<(&'static str, &mut f64)> {
        macro_rules! fields {
            ($($name:ident)*) => { vec![$((stringify!($name), &mut self.$name)),*] };
        }
        fields!(tile vector finish spilled single across across_few lane uneven copy channel
            transpose gather second leak far_leak l1_share l2_share page straddle alias
            block panel step)
    }
}
