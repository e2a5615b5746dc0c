//! The correctly rounded value: what is nearest to the exact one, of two as near the even one.
//!
//! The value in `f64` decides, unless it is so close to the middle between two `f32` that its own
//! error may hide on which side the exact value lies; these few are computed with hundreds of bits.

use super::{SLOPE, UNCERTAIN};
use astro_float_num::{BigFloat, Consts, RoundingMode};
use core::cell::RefCell;
use pointwise::Activation;

/// Rounds the exact activation of `v`, of which `want` is the value in `f64`.
pub(super) fn rounded(activation: Activation, v: f32, want: f64) -> f32 {
    let nearest = want as f32;
    let rest = want - f64::from(nearest);
    if rest == 0.0 || !nearest.is_finite() {
        return nearest;
    }
    let other = if rest > 0.0 { nearest.next_up() } else { nearest.next_down() };
    let middle = 0.5 * (f64::from(nearest) + f64::from(other));
    if (want - middle).abs() > UNCERTAIN * want.abs() || !other.is_finite() {
        return nearest;
    }
    let (below, above) = if rest > 0.0 { (nearest, other) } else { (other, nearest) };
    match side(activation, v, middle) {
        side if side > 0 => above,
        side if side < 0 => below,
        _ if below.to_bits().is_multiple_of(2) => below,
        _ => above,
    }
}

/// Bits of the long arithmetic: the values decided by it are at most 2⁻⁶⁰ small, and e^v is then
/// 1 + v + v²/2 with all of these in its bits.
const BITS: usize = 320;
const NEAREST: RoundingMode = RoundingMode::ToEven;

thread_local! {
    static CONSTANTS: RefCell<Consts> = RefCell::new(Consts::new().expect("memory for constants"));
}

/// Whether the exact activation of `v` is above `middle` (1), below it (−1), or equal (0).
fn side(activation: Activation, v: f32, middle: f64) -> i32 {
    let tiny = v != 0.0 && v.abs() < 2f32.powi(-60);
    if tiny && matches!(activation, Activation::Silu | Activation::Gelu) {
        // v/2 plus a positive multiple of v², far below what `f64` has beside v/2.
        let half = 0.5 * f64::from(v);
        return if half < middle { -1 } else { 1 };
    }
    CONSTANTS.with_borrow_mut(|constants| {
        let difference = value(activation, v, constants).sub(&big(middle), BITS, NEAREST);
        if difference.is_zero() {
            0
        } else if difference.is_negative() {
            -1
        } else {
            1
        }
    })
}

fn big(v: f64) -> BigFloat {
    BigFloat::from_f64(v, BITS)
}

/// The activation of a finite `v`, where it is neither 0 nor an end of its range.
fn value(activation: Activation, v: f32, constants: &mut Consts) -> BigFloat {
    let v = f64::from(v);
    let x = big(v);
    let add = |a: &BigFloat, b: &BigFloat| a.add(b, BITS, NEAREST);
    let mul = |a: &BigFloat, b: &BigFloat| a.mul(b, BITS, NEAREST);
    let div = |a: &BigFloat, b: &BigFloat| a.div(b, BITS, NEAREST);
    let one = big(1.0);
    let hard = || div(&if v < 3.0 { add(&x, &big(3.0)) } else { big(6.0) }, &big(6.0));
    let mut over_one_plus_exp = |top: &BigFloat, exponent: &BigFloat| {
        let power = exponent.neg().exp(BITS, NEAREST, constants);
        div(top, &add(&one, &power))
    };
    match activation {
        Activation::LeakyRelu { slope } if v < 0.0 => mul(&x, &big(f64::from(slope))),
        Activation::Prelu if v < 0.0 => mul(&x, &big(f64::from(SLOPE))),
        Activation::HardSigmoid => hard(),
        Activation::HardSwish => mul(&x, &hard()),
        Activation::Sigmoid => over_one_plus_exp(&one, &x),
        Activation::Silu => over_one_plus_exp(&x, &x),
        Activation::Tanh => x.tanh(BITS, NEAREST, constants),
        Activation::Gelu => {
            let factor = div(&big(44715.0), &big(1e6));
            let cubed = mul(&x, &mul(&x, &x));
            let sum = add(&x, &mul(&factor, &cubed));
            let pi = constants.pi(BITS, NEAREST);
            let root = div(&big(8.0), &pi).sqrt(BITS, NEAREST);
            let exponent = mul(&root, &sum);
            let power = exponent.neg().exp(BITS, NEAREST, constants);
            div(&x, &add(&one, &power))
        }
        _ => x,
    }
}
