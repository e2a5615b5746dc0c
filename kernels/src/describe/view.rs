//! Views: tensors that are slices of larger ones, described by their pitches.

use crate::describe::error::Error;
use crate::describe::layer::Layout;

/// The places of a tensor's elements in a buffer. Element (image `i`, channel `c`, row `y`, column
/// `x`) lies at `offset + image·i + channel·c + row·y + pixel·x`. The unit is elements, not bytes.
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
    /// The index of the first element in the buffer.
    pub offset: usize,
    /// The pitch between channels.
    pub channel: usize,
    /// The pitch between neighbouring pixels of a row.
    pub pixel: usize,
    /// The pitch between rows.
    pub row: usize,
    /// The pitch between images.
    pub image: usize,
}

impl View {
    /// A whole tensor, whose images are `channels` × `rows` × `columns`.
    pub const fn dense(layout: Layout, channels: usize, rows: usize, columns: usize) -> View {
        View::of_channels(layout, channels, 0, rows, columns)
    }

    /// The channels from `first` on of a tensor whose images are `channels` × `rows` × `columns`.
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

    /// Every `step`-th channel of this view, from channel `first` on. In ShuffleNet v2 two branches
    /// are concatenated and then shuffled, so that each of them writes every second channel.
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

    /// The same view with the pitch 1 for each axis of one element whose pitch is 0 or leads out of
    /// the view. Such an axis may have any pitch, since only its index 0 is used. But code that adds
    /// pitches could overflow, or take a pitch of 0 for no step.
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
    /// [`Error::OverlappingView`] when two elements have one place, or might have one. In ascending
    /// order of pitch, each pitch must be at least what the axes of smaller pitch span. (An axis of
    /// size 1 may have any pitch.) [`Error::TooLarge`] when the end would exceed `isize::MAX` bytes.
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

/// The views of a layer's tensors. A tensor without a view is a whole tensor in the layer's layout.
///
/// A residual may have pitches of its own. Here it is the first of two channels:
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
    /// The view of the input, `[n, c, h, w]`.
    pub input: Option<View>,
    /// The view of the output, `[n, k, oh, ow]`, or `[n, k, 1, 1]` of an average.
    pub output: Option<View>,
    /// The view of the residual, `[n, k, oh, ow]`.
    pub residual: Option<View>,
}

impl Views {
    /// No views: all tensors are whole.
    pub const fn new() -> Views {
        Views { input: None, output: None, residual: None }
    }

    /// Sets the view of the input.
    #[must_use]
    pub const fn input(mut self, view: View) -> Views {
        self.input = Some(view);
        self
    }

    /// Sets the view of the output.
    #[must_use]
    pub const fn output(mut self, view: View) -> Views {
        self.output = Some(view);
        self
    }

    /// Sets the view of the residual.
    #[must_use]
    pub const fn residual(mut self, view: View) -> Views {
        self.residual = Some(view);
        self
    }
}
