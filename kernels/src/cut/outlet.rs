//! Outlets: where the outputs of a layer go, and what is done to them before they are stored.

use crate::cut::pixels::{Pitches, Pixels};
use crate::describe::error::Error;
use crate::describe::layer::{Layer, Layout, Shape};
use crate::describe::view::View;

/// The most outlets of a plan. A layer has one outlet, and siblings have one each.
pub(crate) const MOST_OUTLETS: usize = 16;

/// The outputs of one layer of a plan.
#[derive(Clone, Debug)]
pub(crate) struct Outlet {
    pub(crate) layer: Layer,
    pub(crate) output: Grid,
    pub(crate) residual: Option<Grid>,
}

/// Where the channels and pixels of an output or a residual lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    /// The pitches of the whole tensor. That of channels is the pitch within a group.
    pub(crate) whole: Pitches,
    /// The pitches of its interior pixels.
    pub(crate) at: Pitches,
    /// The pitch between the first channels of groups.
    pub(crate) group: usize,
    /// The length that its buffer must have.
    needed: usize,
    /// Whether the buffer must have exactly that length, because it is a whole tensor and not a view.
    exact: bool,
}

impl Outlet {
    /// # Errors
    /// Those of [`View::check`].
    pub(crate) fn new(
        layer: &Layer,
        shape: &Shape,
        output: Option<View>,
        residual: Option<View>,
        pixels: &mut Pixels,
    ) -> Result<Outlet, Error> {
        let size = if layer.average { [1, 1] } else { [shape.oh, shape.ow] };
        let output = Grid::new("output", layer, shape, output, size, pixels)?;
        let residual = layer
            .residual
            .then(|| Grid::new("residual", layer, shape, residual, [shape.oh, shape.ow], pixels));
        Ok(Outlet { layer: *layer, output, residual: residual.transpose()? })
    }

    /// Whether a pass over stored tiles is needed, for the activation or for the residual.
    pub(crate) fn needs_pass(&self) -> bool {
        self.layer.activation.bounds().is_none() || !self.residual_in_tile()
    }

    /// Whether a tile can add the residual, because it has the output's pitches, or because there is
    /// none.
    pub(crate) fn residual_in_tile(&self) -> bool {
        let pitches = |at: &Pitches| [at.channel, at.pixel, at.row, at.image];
        self.residual.is_none_or(|residual| {
            !self.layer.average
                && pitches(&residual.at) == pitches(&self.output.at)
                && residual.group == self.output.group
        })
    }
}

impl Grid {
    fn new(
        what: &'static str,
        layer: &Layer,
        shape: &Shape,
        view: Option<View>,
        [rows, columns]: [usize; 2],
        pixels: &mut Pixels,
    ) -> Result<Grid, Error> {
        let exact = view.is_none();
        let mut view =
            view.unwrap_or_else(|| View::dense(layer.output_layout, layer.k, rows, columns));
        let sizes = [layer.n, layer.k, rows, columns];
        let needed = view.check(what, sizes)?;
        view = view.settled(needed, sizes);
        let per_group = layer.k / layer.groups;
        let group = if layer.shuffle {
            let group = view.channel;
            view.channel = view.channel.wrapping_mul(layer.groups);
            group
        } else {
            view.channel.wrapping_mul(per_group)
        };
        let whole = Pitches::from(view);
        let at = if layer.average && what == "output" {
            // The tiles are stored in a small buffer, with channels side by side.
            pixels.add_output(View::dense(Layout::Nhwc, layer.k, shape.oh, shape.ow), shape);
            whole
        } else {
            pixels.add_output(view, shape)
        };
        Ok(Grid { whole, at, group, needed, exact })
    }

    /// # Errors
    /// [`Error::WrongLength`] or [`Error::ViewLeavesBuffer`].
    pub(crate) fn check_buffer(&self, what: &'static str, given: usize) -> Result<(), Error> {
        check_buffer(what, given, self.needed, self.exact)
    }
}

/// # Errors
/// [`Error::WrongLength`] for a whole tensor, [`Error::ViewLeavesBuffer`] for a view.
pub(crate) fn check_buffer(
    what: &'static str,
    given: usize,
    needed: usize,
    exact: bool,
) -> Result<(), Error> {
    match exact {
        true if given != needed => Err(Error::WrongLength { what, given, needed }),
        false if given < needed => Err(Error::ViewLeavesBuffer { what, given, needed }),
        _ => Ok(()),
    }
}

/// The pixels and the outlet of a layer of whole tensors.
///
/// # Errors
/// Those of [`Layer::check`].
pub(crate) fn dense(layer: &Layer) -> Result<(Pixels, Outlet), Error> {
    let shape = layer.check()?;
    let input = View::dense(layer.layout, layer.c, layer.h, layer.w);
    let mut pixels = Pixels::new(layer, &shape, input);
    let outlet = Outlet::new(layer, &shape, None, None, &mut pixels)?;
    Ok((pixels, outlet))
}
