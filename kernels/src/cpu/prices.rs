//! What the steps of a layer cost on a CPU, in cycles of one core: the lines of its data file.

/// The prices with their names in data files, and what is assumed where a file has no such line.
macro_rules! prices {
    ($($(#[$doc:meta])* $name:ident = $value:expr;)*) => {
        /// Cycles of one core, unless a price says otherwise.
        #[derive(Clone, Debug, PartialEq)]
        pub(crate) struct Prices {
            $($(#[$doc])* pub(crate) $name: f64,)*
        }

        impl Prices {
            /// A middling core's.
            pub(crate) const ASSUMED: Prices = Prices { $($name: $value,)* };

            /// Names, in the order of the data files.
            #[cfg(test)]
            pub(crate) const NAMES: &[&str] = &[$(stringify!($name)),*];

            /// The price of this name.
            pub(crate) fn by_name(&mut self, name: &str) -> Option<&mut f64> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }
        }
    };
}

prices! {
    /// A tile of vectors up to 256 bits: its call, its operands' addresses, its first loads.
    tile_narrow = 17.0;
    /// The same of 512 bits.
    tile_wide = 23.0;
    /// What a step of a tile with shared vectors takes longer for each pair of rows, up to
    /// 256 bits.
    pair_narrow = 0.3;
    /// The same of 512 bits.
    pair_wide = 0.5;
    /// What a step takes longer for each broadcast value that is in a plane of its own.
    plane = 0.05;
    /// A whole vector, started and stored where it belongs, up to 256 bits.
    store_narrow = 1.2;
    /// The same of 512 bits.
    store_wide = 1.0;
    /// A vector stored under a mask.
    store_masked = 2.4;
    /// A row of a tile that begins in another cache line of the output.
    store_row = 0.3;
    /// The same where the row before is a page away.
    store_page = 0.5;
    /// Leaving the fast path at the end of a tile of vectors up to 256 bits.
    spill_narrow = 9.5;
    /// The same of 512 bits.
    spill_wide = 10.0;
    /// A vector of a tile that is spilled, up to 256 bits.
    spilled_narrow = 0.95;
    /// The same of 512 bits.
    spilled_wide = 1.15;
    /// A whole vector stored from the spill, lanes adjacent.
    partial = 2.1;
    /// An element stored alone: the lanes past the last whole vector.
    single = 2.6;
    /// Eight rows of eight lanes stored across the lanes.
    across8 = 28.0;
    /// Four rows of four lanes.
    across4 = 7.5;
    /// One element stored across the lanes.
    across1 = 1.25;
    /// A lane stored across the lanes: another line of the output.
    lane = 0.9;
    /// An element of a unit whose pixels do not lie evenly.
    uneven = 2.3;
    /// A vector of the residual.
    residual = 0.76;
    /// A row of a tile's residual that comes from behind L2.
    residual_row = 7.0;
    /// An element on its way from where the outputs of groups are staged.
    staged = 0.6;
    /// The same where the channels of the groups are shuffled.
    shuffled = 0.2;
    /// A vector copied while packing.
    copy = 2.0;
    /// A pixel's row of inputs, begun while packing.
    pixel = 13.0;
    /// A channel's line, begun while packing.
    channel = 1.4;
    /// Sixteen channels of sixteen pixels, packed through a transpose.
    pack16 = 88.0;
    /// Eight channels of eight pixels.
    pack8 = 26.0;
    /// Four channels of four pixels.
    pack4 = 6.8;
    /// An element gathered while packing.
    gather = 0.5;
    /// Eight pixels packed with a stride of two.
    second = 5.0;
    /// A line whose last lanes are filled with zeros.
    fill = 3.4;
    /// A cache line of L2 that a step reads in place, in a plane of its own.
    line_l2 = 0.17;
    /// The same from behind L2.
    line_far = 0.3;
    /// The same from memory.
    line_memory = 1.2;
    /// A cache line from behind L2 that a tile too tall to prefetch has not asked for.
    unasked_far = 14.0;
    /// The same from memory.
    unasked_memory = 35.0;
    /// A cache line of L2 that is packed from a plane.
    packed_line_l2 = 0.9;
    /// The same from behind L2.
    packed_line_far = 3.6;
    /// The same from memory.
    packed_line_memory = 6.8;
    /// A byte of the output whose line L2 holds.
    write_l2 = 0.032;
    /// The same behind L2.
    write_far = 0.05;
    /// The same in memory.
    write_memory = 0.18;
    /// What a byte takes longer behind L2 where more rows of the output are written in turns than
    /// are followed.
    scattered_far = 0.02;
    /// The same in memory.
    scattered_memory = 0.25;
    /// Rows of the output that the CPU's prefetchers follow at once (a count).
    followed = 14.0;
    /// A byte from memory where all cores read at once, for each of them.
    memory_shared = 0.1;
    /// A vector load that straddles two cache lines, for sixteen lanes.
    straddle = 0.07;
    /// A step that touches a page not among those that the first TLB level holds.
    page = 0.25;
    /// A cache line that rows a power of two apart push out of L1 before it is used up.
    alias = 0.34;
    /// A panel whose weights are in L2, begun.
    panel_l2 = 41.0;
    /// A panel whose weights are behind L2, begun.
    panel_far = 100.0;
    /// A block's start.
    block = 87.0;
    /// A line of the output that two threads write.
    shared_line = 19.0;
}
