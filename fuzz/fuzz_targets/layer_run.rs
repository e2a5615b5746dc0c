//! Describe → plan → pack → run, of small layers with any views and any values: refused, or the
//! bits of the reference and nothing beside them. Slices of wrong lengths are refused.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use pointwise::{Activation, Error, Parameters, Plan, Pool, View, Views, reference_of};
use pointwise_fuzz::Described;

#[derive(Arbitrary, Debug)]
struct Input {
    described: Described,
    /// Of input, output and residual: offset, then pitches of channels, pixels, rows, images.
    views: [Option<[u8; 5]>; 3],
    /// Which slice is of another length, and by how much, seldom other than 0.
    wrong: (u8, i8),
    /// Bits that the tensors are filled with, over and over.
    values: Vec<u32>,
}

const POISON: f32 = f32::from_bits(0x5EAD_BEEF);

fuzz_target!(|given: Input| {
    let layer = given.described.layer();
    let options = given.described.options();
    let Ok(shape) = layer.check() else {
        assert!(Plan::new(&layer, &options).is_err());
        return;
    };
    if shape.macs > 200_000 || shape.residual_len > 100_000 {
        return;
    }
    let view = |bytes: [u8; 5]| {
        // Squared, so that pitches of planes are within reach of a byte.
        let [offset, channel, pixel, row, image] = bytes.map(|b| usize::from(b).pow(2) / 4);
        View { offset, channel, pixel, row, image }
    };
    let [input_view, output_view, residual_view] = given.views.map(|v| v.map(view));
    let mut views = Views::new();
    (views.input, views.output, views.residual) = (input_view, output_view, residual_view);
    let Ok(plan) = Plan::with_views(&layer, &views, &options) else { return };

    let mut bits = given.values.iter().copied().cycle();
    let mut tensor = |len: usize| -> Vec<f32> {
        (0..len).map(|_| f32::from_bits(bits.next().unwrap_or(0x3F80_0000))).collect()
    };
    let input = tensor(shape.input_len);
    let mut weights = tensor(shape.weights_len);
    let mut bias = layer.bias.then(|| tensor(layer.k));
    let mut slopes = (layer.activation == Activation::Prelu).then(|| tensor(layer.k));
    let residual = layer.residual.then(|| tensor(shape.residual_len));

    let output_size = if layer.average { [1, 1] } else { [shape.oh, shape.ow] };
    let sizes = |channels, [rows, columns]: [usize; 2]| [layer.n, channels, rows, columns];
    let spread = |values: &[f32], view: Option<View>, layout, sizes: [usize; 4]| {
        let view = view.unwrap_or(View::dense(layout, sizes[1], sizes[2], sizes[3]));
        let len = view.check("tensor", sizes).expect("the plan was made with it");
        let mut buffer = vec![POISON; len];
        let dense = View::dense(layout, sizes[1], sizes[2], sizes[3]);
        each(sizes, |at| buffer[place(view, at)] = values[place(dense, at)]);
        buffer
    };
    let mut x = spread(&input, input_view, layer.layout, sizes(layer.c, [layer.h, layer.w]));
    let mut r = residual.as_deref().map(|values| {
        spread(values, residual_view, layer.output_layout, sizes(layer.k, [shape.oh, shape.ow]))
    });
    let blank = vec![POISON; shape.output_len];
    let mut y = spread(&blank, output_view, layer.output_layout, sizes(layer.k, output_size));

    let want = {
        let of = parameters(&weights, bias.as_deref(), slopes.as_deref());
        reference_of(&layer, &input, &of, residual.as_deref())
    };

    let (which, by) = given.wrong;
    if by.unsigned_abs() > 120 {
        let by = if by > 0 { 1 } else { -1 };
        let which = usize::from(which) % 6;
        let viewed = [input_view, None, None, None, residual_view, output_view][which].is_some();
        let slice = match which {
            0 => Some(&mut x),
            1 => Some(&mut weights),
            2 => bias.as_mut(),
            3 => slopes.as_mut(),
            4 => r.as_mut(),
            _ => Some(&mut y),
        };
        // A view's buffer may be longer than the view.
        if let Some(slice) = slice.filter(|_| !viewed || by < 0) {
            slice.resize(slice.len().wrapping_add_signed(by), 0.0);
            let before = y.clone();
            let of = parameters(&weights, bias.as_deref(), slopes.as_deref());
            let ran = plan
                .pack_parameters(&of)
                .and_then(|packed| plan.run(&packed, &x, r.as_deref(), &mut y, Pool::Serial));
            let error = ran.expect_err("a slice of another length is taken");
            assert!(matches!(
                error,
                Error::WrongLength { .. } | Error::ViewLeavesBuffer { .. } | Error::BadSlope { .. }
            ));
            assert!(same(&before, &y), "written by a run that was refused");
            return;
        }
    }
    let of = parameters(&weights, bias.as_deref(), slopes.as_deref());
    let ran = plan
        .pack_parameters(&of)
        .and_then(|packed| plan.run(&packed, &x, r.as_deref(), &mut y, Pool::Serial));
    match (ran, want) {
        (Ok(()), Ok(want)) => {
            let want = spread(&want, output_view, layer.output_layout, sizes(layer.k, output_size));
            assert!(same(&y, &want), "{layer} {options:?} {views:?}: not the reference's bits");
        }
        // A slope that is NaN makes its error unequal to itself.
        (Err(ran), Err(want)) => assert_eq!(ran.to_string(), want.to_string()),
        (ran, want) => panic!("{layer}: run {ran:?}, reference {:?}", want.map(drop)),
    }
});

fn parameters<'a>(
    weights: &'a [f32],
    bias: Option<&'a [f32]>,
    slopes: Option<&'a [f32]>,
) -> Parameters<'a> {
    let mut parameters = Parameters::new(weights);
    (parameters.bias, parameters.slopes) = (bias, slopes);
    parameters
}

fn same(a: &[f32], b: &[f32]) -> bool {
    let alike = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
    a.len() == b.len() && a.iter().zip(b).all(alike)
}

/// Each image, channel, row and column.
fn each(sizes: [usize; 4], mut f: impl FnMut([usize; 4])) {
    let [images, channels, rows, columns] = sizes;
    for n in 0..images {
        for c in 0..channels {
            for y in 0..rows {
                (0..columns).for_each(|x| f([n, c, y, x]));
            }
        }
    }
}

fn place(view: View, [n, c, y, x]: [usize; 4]) -> usize {
    view.offset + n * view.image + c * view.channel + y * view.row + x * view.pixel
}
