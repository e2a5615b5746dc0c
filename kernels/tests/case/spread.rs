//! Tensors spread over larger buffers: views with gaps, any order of the axes.

use super::values::Numbers;
use pointwise::{Layout, View};

/// Images, channels, rows and columns of a tensor.
pub(crate) type Sizes = [usize; 4];

/// A view whose axes lie in any order, with or without gaps between their elements.
pub(crate) fn view(numbers: &mut Numbers, sizes: Sizes) -> View {
    // The two layouts, and now and then any other order, the axis of the smallest pitch first.
    let mut order = match numbers.below(5) {
        0 | 1 => [1, 3, 2, 0],
        2 | 3 => [3, 2, 1, 0],
        _ => {
            let mut order = [0, 1, 2, 3];
            (1..4).rev().for_each(|last| order.swap(last, numbers.below(last + 1)));
            order
        }
    };
    if numbers.below(4) == 0 {
        order.swap(2, 3);
    }
    let gaps = numbers.below(3) != 0;
    let mut extent = 1;
    let mut pitches = [0; 4];
    for axis in order {
        let gap = if gaps && numbers.below(2) == 0 { numbers.below(4) } else { 0 };
        pitches[axis] = extent + gap;
        extent += (sizes[axis] - 1) * pitches[axis];
    }
    // The pitch of an axis of one element says nothing.
    for axis in 0..4 {
        if sizes[axis] == 1 && numbers.below(2) == 0 {
            pitches[axis] = [0, usize::MAX, 1 << 40][numbers.below(3)];
        }
    }
    let offset = if gaps { numbers.below(9) } else { 0 };
    let [image, channel, row, pixel] = pitches;
    View { offset, channel, pixel, row, image }
}

/// The places of a view's elements, in the order of a whole tensor of that layout.
pub(crate) fn places(view: View, layout: Layout, sizes: Sizes) -> impl Iterator<Item = usize> {
    let [images, channels, rows, columns] = sizes;
    let inner = match layout {
        Layout::Nchw => [(channels, view.channel), (rows, view.row), (columns, view.pixel)],
        Layout::Nhwc => [(rows, view.row), (columns, view.pixel), (channels, view.channel)],
    };
    let total = sizes.iter().product();
    (0..total).map(move |index| {
        let mut rest = index;
        let mut place = view.offset;
        for (size, pitch) in inner.into_iter().rev() {
            place += rest % size * pitch;
            rest /= size;
        }
        debug_assert!(rest < images);
        place + rest * view.image
    })
}

/// Puts a whole tensor where the view says, in a buffer that is just long enough and holds `fill`
/// elsewhere.
pub(crate) fn spread(
    values: &[f32],
    view: View,
    layout: Layout,
    sizes: Sizes,
    fill: f32,
) -> Vec<f32> {
    let mut buffer = vec![fill; view.check("tensor", sizes).unwrap()];
    place(values, view, layout, sizes, &mut buffer);
    buffer
}

/// Puts a whole tensor where the view says.
pub(crate) fn place(values: &[f32], view: View, layout: Layout, sizes: Sizes, to: &mut [f32]) {
    assert_eq!(values.len(), sizes.iter().product());
    for (place, value) in places(view, layout, sizes).zip(values) {
        to[place] = *value;
    }
}
