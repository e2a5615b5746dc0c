//! Describing a layer: sizes, layout, stride, padding and epilogue.

use crate::describe::activation::Activation;
use crate::describe::arithmetic::Dtype;
use crate::describe::error::Error;

/// The order in which a tensor's elements lie in memory, outermost axis first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// `[n][channel][row][column]`: pixels of one channel are contiguous.
    Nchw,
    /// `[n][row][column][channel]`: channels of one pixel are contiguous.
    Nhwc,
}

impl Layout {
    /// Both layouts, for callers that try each.
    pub const ALL: [Layout; 2] = [Layout::Nchw, Layout::Nhwc];

    /// The lower-case name, as [`Layer`]'s text form writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Layout::Nchw => "nchw",
            Layout::Nhwc => "nhwc",
        }
    }
}

impl core::fmt::Display for Layout {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

/// The rows and columns of zeros that are added around the input before the stride is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Padding {
    /// No zeros: `⌈h / stride⌉` output rows.
    Valid,
    /// TensorFlow's rule: `⌈h / stride⌉` outputs per axis, and as many zeros as these need. A 1×1
    /// filter never needs any, so this is the same as `Valid`.
    Same,
    /// As many as are given for each side. Outputs whose window lies in the padding are
    /// `act(bias + residual)`.
    Explicit {
        /// Rows above the first.
        top: usize,
        /// Rows below the last.
        bottom: usize,
        /// Columns before the first.
        left: usize,
        /// Columns after the last.
        right: usize,
    },
}

/// One 1×1 convolution, described but not yet bound to a CPU.
///
/// `y[n,k,q] = act(bias[k] + Σ_c w[k,c]·x[n,c,p(q)] + residual[n,k,q])`, where `p(q)` is the
/// input pixel under output pixel `q` after stride and padding. With [`average`](Layer::average)
/// the result is the mean of `y` over `q`; with [`shuffle`](Layer::shuffle) output `k` is written
/// to the channel that ShuffleNet moves it to.
///
/// ```
/// use pointwise::{Activation, Layer, Layout};
/// let layer = Layer::new(64, 256, 56, 56)
///     .layout(Layout::Nhwc)
///     .stride(2, 2)
///     .bias(true)
///     .activation(Activation::Relu);
/// let shape = layer.check()?;
/// assert_eq!((shape.oh, shape.ow), (28, 28));
/// assert_eq!(layer.to_string(), "nhwc/n1c64h56w56k256/s2x2/bias+relu");
/// assert_eq!("nhwc/n1c64h56w56k256/s2x2/bias+relu".parse::<Layer>()?, layer);
/// # Ok::<(), pointwise::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Layer {
    /// Images in the batch.
    pub n: usize,
    /// Input channels, all groups together.
    pub c: usize,
    /// Output channels, all groups together.
    pub k: usize,
    /// Input rows.
    pub h: usize,
    /// Input columns.
    pub w: usize,
    /// Input pixels from one output to the next: of rows, then of columns.
    pub stride: [usize; 2],
    /// Zeros around the input.
    pub padding: Padding,
    /// Independent groups: output channel `k` sees the `c / groups` inputs of its own group.
    pub groups: usize,
    /// Layout of the input.
    pub layout: Layout,
    /// Layout of output and residual. Where it differs from `layout`, the layer changes the layout.
    pub output_layout: Layout,
    /// Whether the outputs are written in the order of ShuffleNet's channel shuffle: output `i` of
    /// group `j` becomes channel `i·groups + j`. Weights, bias and slopes keep the order of groups.
    /// A residual is in the order of the output.
    pub shuffle: bool,
    /// Whether a global average pool follows. The output is then `[n][k]`: each value is the mean of
    /// the image's `oh·ow` activated outputs, which are not stored themselves. The mean is a sum in
    /// `f32`, from +0, over the pixels in ascending order, row by row, divided once by their number.
    pub average: bool,
    /// Whether the chain of multiply-adds of each output starts at a bias. Else it starts at +0.
    pub bias: bool,
    /// Whether a tensor of the output's shape is added before the activation.
    pub residual: bool,
    /// The function that is applied to each output last.
    pub activation: Activation,
    /// The element types of its tensors.
    pub dtype: Dtype,
}

impl Layer {
    /// A dense layer with `c` inputs and `k` outputs on one image of `h` × `w` pixels:
    /// NHWC, stride 1, no padding, no bias, no residual, no activation.
    ///
    /// A fully connected layer, with which classifiers end, has one pixel:
    ///
    /// ```
    /// use pointwise::{Layer, convolve};
    /// let layer = Layer::new(3, 2, 1, 1).bias(true);
    /// let weights = [1.0, 0.0, -1.0, 0.5, 0.5, 0.5];
    /// let output = convolve(&layer, &[4.0, 5.0, 6.0], &weights, Some(&[10.0, 0.0]), None)?;
    /// assert_eq!(output, [8.0, 7.5]);
    /// # Ok::<(), pointwise::Error>(())
    /// ```
    pub const fn new(c: usize, k: usize, h: usize, w: usize) -> Self {
        Layer {
            n: 1,
            c,
            k,
            h,
            w,
            stride: [1, 1],
            padding: Padding::Valid,
            groups: 1,
            layout: Layout::Nhwc,
            output_layout: Layout::Nhwc,
            shuffle: false,
            average: false,
            bias: false,
            residual: false,
            activation: Activation::None,
            dtype: Dtype::F32,
        }
    }

    /// A fully connected layer: it makes `outputs` values of `inputs` values, for each image of the
    /// batch. It is a 1×1 convolution of one pixel. Weights are `[outputs][inputs]`.
    ///
    /// ```
    /// use pointwise::{Layer, convolve};
    /// let layer = Layer::fully_connected(2, 3).batch(2).bias(true);
    /// let weights = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0];
    /// let output = convolve(&layer, &[1.0, 2.0, 3.0, 4.0], &weights, Some(&[0.5; 3]), None)?;
    /// assert_eq!(output, [1.5, 2.5, 3.5, 3.5, 4.5, 7.5]);
    /// # Ok::<(), pointwise::Error>(())
    /// ```
    pub const fn fully_connected(inputs: usize, outputs: usize) -> Self {
        Layer::new(inputs, outputs, 1, 1)
    }

    /// Sets the number of images.
    #[must_use]
    pub const fn batch(mut self, n: usize) -> Self {
        self.n = n;
        self
    }

    /// Sets the layout of input, output and residual alike.
    #[must_use]
    pub const fn layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self.output_layout = layout;
        self
    }

    /// Sets the layout of output and residual alone.
    ///
    /// ```
    /// use pointwise::{Layer, Layout, convolve};
    /// let layer = Layer::new(2, 2, 1, 2).layout(Layout::Nchw).output_layout(Layout::Nhwc);
    /// let output = convolve(&layer, &[1.0, 2.0, 3.0, 4.0], &[1.0, 0.0, 0.0, 1.0], None, None)?;
    /// assert_eq!(output, [1.0, 3.0, 2.0, 4.0]);
    /// # Ok::<(), pointwise::Error>(())
    /// ```
    #[must_use]
    pub const fn output_layout(mut self, layout: Layout) -> Self {
        self.output_layout = layout;
        self
    }

    /// Says whether the output's channels are shuffled: output `i` of group `j` becomes channel
    /// `i·groups + j`.
    ///
    /// ```
    /// use pointwise::{Layer, convolve};
    /// let layer = Layer::new(2, 4, 1, 1).groups(2).shuffle(true);
    /// let output = convolve(&layer, &[1.0, 100.0], &[1.0, 2.0, 3.0, 4.0], None, None)?;
    /// assert_eq!(output, [1.0, 300.0, 2.0, 400.0]);
    /// # Ok::<(), pointwise::Error>(())
    /// ```
    #[must_use]
    pub const fn shuffle(mut self, shuffle: bool) -> Self {
        self.shuffle = shuffle;
        self
    }

    /// Says whether each output channel is averaged over its pixels.
    ///
    /// ```
    /// use pointwise::{Activation, Layer, convolve};
    /// // Network in Network's head: 1×1, ReLU, global average pool.
    /// let layer = Layer::new(1, 2, 2, 2).activation(Activation::Relu).average(true);
    /// let output = convolve(&layer, &[1.0, 2.0, 3.0, 4.0], &[2.0, -1.0], None, None)?;
    /// assert_eq!(output, [5.0, 0.0]);
    /// # Ok::<(), pointwise::Error>(())
    /// ```
    #[must_use]
    pub const fn average(mut self, average: bool) -> Self {
        self.average = average;
        self
    }

    /// Whether the layer neither shuffles channels, nor averages, nor changes the layout.
    pub fn is_plain(&self) -> bool {
        self.output_layout == self.layout && !self.shuffle && !self.average
    }

    /// Sets the stride of rows and of columns.
    #[must_use]
    pub const fn stride(mut self, rows: usize, columns: usize) -> Self {
        self.stride = [rows, columns];
        self
    }

    /// Sets the padding.
    #[must_use]
    pub const fn padding(mut self, padding: Padding) -> Self {
        self.padding = padding;
        self
    }

    /// Sets the number of groups, which must divide both `c` and `k`.
    ///
    /// ```
    /// use pointwise::{Layer, convolve};
    /// // Outputs 0 and 1 see input 0 alone, outputs 2 and 3 input 1.
    /// let layer = Layer::new(2, 4, 1, 1).groups(2);
    /// let output = convolve(&layer, &[1.0, 100.0], &[1.0, 2.0, 3.0, 4.0], None, None)?;
    /// assert_eq!(output, [1.0, 2.0, 300.0, 400.0]);
    /// # Ok::<(), pointwise::Error>(())
    /// ```
    #[must_use]
    pub const fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// Says whether there is a bias.
    #[must_use]
    pub const fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// Says whether a residual tensor is added before the activation.
    #[must_use]
    pub const fn residual(mut self, residual: bool) -> Self {
        self.residual = residual;
        self
    }

    /// Sets the activation.
    #[must_use]
    pub const fn activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Sets the element types of its tensors.
    #[must_use]
    pub const fn dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = dtype;
        self
    }

    /// Checks the description and derives the output's shape.
    ///
    /// # Errors
    /// [`Error::ZeroDimension`], [`Error::ZeroStride`], [`Error::GroupsDoNotDivide`],
    /// [`Error::PaddingHidesInput`], [`Error::AverageOverPadding`], [`Error::BadActivation`],
    /// [`Error::BadSlope`], or [`Error::TooLarge`] when a tensor would exceed `isize::MAX` bytes.
    pub fn check(&self) -> Result<Shape, Error> {
        Shape::of(self)
    }
}

/// Sizes that follow from a [`Layer`]: those of the output, the lengths of all tensors, and which
/// outputs see the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shape {
    /// Output rows.
    pub oh: usize,
    /// Output columns.
    pub ow: usize,
    /// Elements of the input: `n·c·h·w`.
    pub input_len: usize,
    /// Elements of the weights: `k·(c/groups)`.
    pub weights_len: usize,
    /// Elements of the output: `n·k·oh·ow`, or `n·k` of an average.
    pub output_len: usize,
    /// Elements of the residual, if there is one: `n·k·oh·ow`.
    pub residual_len: usize,
    /// Multiply-adds: `n·oh·ow·k·(c/groups)`. Outputs in the padding are counted like the others.
    pub macs: u128,
    /// Output rows whose window lies on the input, not in the padding.
    pub rows: Interior,
    /// Output columns whose window lies on the input, not in the padding.
    pub columns: Interior,
}

/// The outputs of one axis that see the input: `start..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interior {
    /// First output whose window lies on the input.
    pub start: usize,
    /// One past the last such output.
    pub end: usize,
    /// Index of the input that output `start` sees.
    pub origin: usize,
}

impl Interior {
    /// The number of outputs of this axis that see the input.
    pub const fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether no output of this axis sees the input. This is never so for a checked layer.
    pub const fn is_empty(&self) -> bool {
        self.end == self.start
    }
}

impl Shape {
    fn of(layer: &Layer) -> Result<Shape, Error> {
        let Layer { n, c, k, h, w, stride, groups, .. } = *layer;
        for (name, value) in [("n", n), ("c", c), ("k", k), ("h", h), ("w", w)] {
            if value == 0 {
                return Err(Error::ZeroDimension { name });
            }
        }
        for (axis, value) in [("rows", stride[0]), ("columns", stride[1])] {
            if value == 0 {
                return Err(Error::ZeroStride { axis });
            }
        }
        if groups == 0 || c % groups != 0 || k % groups != 0 {
            return Err(Error::GroupsDoNotDivide { groups, c, k });
        }
        layer.activation.check()?;
        let (top, bottom, left, right) = match layer.padding {
            Padding::Valid | Padding::Same => (0, 0, 0, 0),
            Padding::Explicit { top, bottom, left, right } => (top, bottom, left, right),
        };
        let (oh, rows) = axis("rows", h, stride[0], top, bottom)?;
        let (ow, columns) = axis("columns", w, stride[1], left, right)?;
        let input_len = length("input", &[n, c, h, w])?;
        let weights_len = length("weights", &[k, c / groups])?;
        let residual_len = length("output", &[n, k, oh, ow])?;
        let output_len = if layer.average { n * k } else { residual_len };
        if layer.average && (rows.len() != oh || columns.len() != ow) {
            return Err(Error::AverageOverPadding);
        }
        let macs = (residual_len as u128) * ((c / groups) as u128);
        Ok(Shape { oh, ow, input_len, weights_len, output_len, residual_len, macs, rows, columns })
    }
}

/// Output count and interior of one axis.
fn axis(
    name: &'static str,
    size: usize,
    stride: usize,
    before: usize,
    after: usize,
) -> Result<(usize, Interior), Error> {
    let padded = size
        .checked_add(before)
        .and_then(|s| s.checked_add(after))
        .filter(|s| *s <= isize::MAX as usize)
        .ok_or_else(|| Error::TooLarge {
            what: "padded input",
            sizes: vec![size, before, after],
        })?;
    let out = (padded - 1) / stride + 1;
    let start = before.div_ceil(stride).min(out);
    let end = (before + size).div_ceil(stride).min(out);
    if start >= end {
        return Err(Error::PaddingHidesInput { axis: name, size, stride, before, after });
    }
    Ok((out, Interior { start, end, origin: start * stride - before }))
}

/// The product of `sizes`, if so many `f32` fit in an allocation.
fn length(what: &'static str, sizes: &[usize]) -> Result<usize, Error> {
    sizes
        .iter()
        .try_fold(1usize, |product, size| product.checked_mul(*size))
        .filter(|product| *product <= isize::MAX as usize / size_of::<f32>())
        .ok_or_else(|| Error::TooLarge { what, sizes: sizes.to_vec() })
}
