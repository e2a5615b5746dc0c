//! Tensors that are slices of larger ones, given by pitches.

use crate::describe::error::Error;
use crate::describe::layer::Layout;

/// Where a tensor's elements lie in a buffer: element (image, channel, row, column) at
/// `offset + image·i + channel·c + row·y + pixel·x`. All in elements, not bytes.
///
/// An Inception branch writes its outputs straight into its part of the concatenated tensor:
///
/// ```
/// use pointwise::{Layer, Layout, Plan, PlanOptions, Pool, View, Views};
/// // Branches of 1 and 2 outputs into one tensor of 3 channels, 2 pixels.
/// let input = [1.0, 10.0];
/// let mut concatenated = [0.0; 6];
/// for (first, weights) in [(0, &[2.0][..]), (1, &[3.0, 4.0])] {
///     let layer = Layer::new(1, weights.len(), 1, 2);
///     let output = View::of_channels(Layout::Nhwc, 3, first, 1, 2);
///     let plan = Plan::with_views(&layer, &Views::new().output(output), &PlanOptions::new())?;
///     let packed = plan.pack(weights, None)?;
///     plan.run(&packed, &input, None, &mut concatenated, Pool::Serial)?;
/// }
/// assert_eq!(concatenated, [2.0, 3.0, 4.0, 20.0, 30.0, 40.0]);
/// # Ok::<(), pointwise::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct View {
    /// Of the first element, from the start of the buffer.
    pub offset: usize,
    /// Between channels.
    pub channel: usize,
    /// Between neighbouring pixels of a row.
    pub pixel: usize,
    /// Between rows.
    pub row: usize,
    /// Between images.
    pub image: usize,
}

impl View {
    /// A whole tensor of `channels` × `rows` × `columns` images.
    pub const fn dense(layout: Layout, channels: usize, rows: usize, columns: usize) -> View {
        View::of_channels(layout, channels, 0, rows, columns)
    }

    /// The channels from `first` on of a tensor of `channels` × `rows` × `columns` images.
    pub const fn of_channels(
        layout: Layout,
        channels: usize,
        first: usize,
        rows: usize,
        columns: usize,
    ) -> View {
        let pixels = rows.saturating_mul(columns);
        let (channel, pixel) = match layout {
            Layout::Nchw => (pixels, 1),
            Layout::Nhwc => (1, channels),
        };
        View {
            offset: first.saturating_mul(channel),
            channel,
            pixel,
            row: columns.saturating_mul(pixel),
            image: channels.saturating_mul(pixels),
        }
    }

    /// Every `step`-th channel of this view, from the `first` on: two branches that are
    /// concatenated and then shuffled, as in ShuffleNet v2, each write every second channel.
    ///
    /// ```
    /// use pointwise::{Layout, View};
    /// let second = View::dense(Layout::Nhwc, 8, 7, 7).every_channel(2, 1);
    /// assert_eq!((second.offset, second.channel, second.pixel), (1, 2, 8));
    /// ```
    #[must_use]
    pub const fn every_channel(mut self, step: usize, first: usize) -> View {
        self.offset = self.offset.saturating_add(first.saturating_mul(self.channel));
        self.channel = self.channel.saturating_mul(step);
        self
    }

    /// The same view with a harmless pitch for each axis of one element, where any is allowed:
    /// one that is no step, or that leads out of the view, would upset sums of offsets that are
    /// never used.
    pub(crate) fn settled(mut self, needed: usize, sizes: [usize; 4]) -> View {
        let [n, channels, rows, columns] = sizes;
        let axes = [
            (&mut self.image, n),
            (&mut self.channel, channels),
            (&mut self.row, rows),
            (&mut self.pixel, columns),
        ];
        for (pitch, size) in axes {
            if size == 1 && (*pitch == 0 || *pitch > needed) {
                *pitch = 1;
            }
        }
        self
    }

    /// Checks the view of a tensor of `[n, channels, rows, columns]` and gives the length that a
    /// buffer must have to hold it.
    ///
    /// # Errors
    /// [`Error::OverlappingView`] when two elements have, or might have, one place: each axis,
    /// in ascending order of pitch, must step over all that the finer ones span (an axis of size
    /// 1 may have any pitch). [`Error::TooLarge`] when the end would exceed `isize::MAX` bytes.
    pub fn check(&self, what: &'static str, sizes: [usize; 4]) -> Result<usize, Error> {
        let [n, channels, rows, columns] = sizes;
        let mut axes = [
            ("images", self.image, n),
            ("channels", self.channel, channels),
            ("rows", self.row, rows),
            ("pixels", self.pixel, columns),
        ];
        axes.sort_unstable_by_key(|(_, pitch, _)| *pitch);
        let too_large = || Error::TooLarge { what, sizes: sizes.to_vec() };
        let mut extent = 1usize;
        for (axis, pitch, size) in axes.into_iter().filter(|(_, _, size)| *size > 1) {
            if pitch < extent {
                return Err(Error::OverlappingView { what, axis, pitch, needed: extent });
            }
            extent = (size - 1)
                .checked_mul(pitch)
                .and_then(|more| more.checked_add(extent))
                .ok_or_else(too_large)?;
        }
        extent
            .checked_add(self.offset)
            .filter(|end| *end <= isize::MAX as usize / size_of::<f32>())
            .ok_or_else(too_large)
    }
}

/// The views of one layer's tensors; those left out are whole tensors in the layer's layouts.
///
/// A residual with a pitch of its own, here the first of two channels:
///
/// ```
/// use pointwise::{Layer, Layout, Plan, PlanOptions, Pool, View, Views};
/// let layer = Layer::new(1, 1, 1, 2).residual(true);
/// let shortcut = [10.0, -1.0, 20.0, -1.0];
/// let views = Views::new().residual(View::of_channels(Layout::Nhwc, 2, 0, 1, 2));
/// let plan = Plan::with_views(&layer, &views, &PlanOptions::new())?;
/// let packed = plan.pack(&[2.0], None)?;
/// let mut output = [0.0; 2];
/// plan.run(&packed, &[1.0, 3.0], Some(&shortcut), &mut output, Pool::Serial)?;
/// assert_eq!(output, [12.0, 26.0]);
/// # Ok::<(), pointwise::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Views {
    /// Of the input: `[n, c, h, w]`.
    pub input: Option<View>,
    /// Of the output: `[n, k, oh, ow]`, or `[n, k, 1, 1]` of an average.
    pub output: Option<View>,
    /// Of the residual: `[n, k, oh, ow]`.
    pub residual: Option<View>,
}

impl Views {
    /// Whole tensors.
    pub const fn new() -> Views {
        Views { input: None, output: None, residual: None }
    }

    /// Sets the input's.
    #[must_use]
    pub const fn input(mut self, view: View) -> Views {
        self.input = Some(view);
        self
    }

    /// Sets the output's.
    #[must_use]
    pub const fn output(mut self, view: View) -> Views {
        self.output = Some(view);
        self
    }

    /// Sets the residual's.
    #[must_use]
    pub const fn residual(mut self, view: View) -> Views {
        self.residual = Some(view);
        self
    }
}
