//! Where the outputs of one layer lie, and what is done to them before they get there.

use crate::cut::pixels::{Pitches, Pixels};
use crate::describe::error::Error;
use crate::describe::layer::{Layer, Layout, Shape};
use crate::describe::view::View;

/// The most outlets that one plan has: a layer has one, siblings have one each.
pub(crate) const MOST_OUTLETS: usize = 16;

/// A layer's outputs, as a plan writes them.
#[derive(Clone, Debug)]
pub(crate) struct Outlet {
    pub(crate) layer: Layer,
    pub(crate) output: Grid,
    pub(crate) residual: Option<Grid>,
}

/// Where the channels and pixels of a tensor of output pixels lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    /// The whole tensor, from its first pixel on; pitches of channels are those within a group.
    pub(crate) whole: Pitches,
    /// Its interior pixels.
    pub(crate) at: Pitches,
    /// Between the first channels of groups.
    pub(crate) group: usize,
    /// Length that its buffer must have.
    needed: usize,
    /// Whether it must have exactly that length: it's a whole tensor, not a view.
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

    /// Whether a tile that is stored still has to be finished.
    pub(crate) fn needs_pass(&self) -> bool {
        self.layer.activation.bounds().is_none() || !self.residual_in_tile()
    }

    /// Whether the tile can add the residual, if there is one: it lies like the output.
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
            // The tiles go to a small buffer, channels adjacent.
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
