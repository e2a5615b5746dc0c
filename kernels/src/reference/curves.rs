//! The curved activations, one value at a time. The arithmetic has the same bits on every machine:
//! it is made of `+`, `−`, `×`, `÷`, fused multiply-add, comparisons and bit operations, each of which
//! is exactly specified (by IEEE 754, where it rounds). There is no call to a maths library, because
//! the results of such libraries differ between systems.
//!
//! All curves use `2^f` for `|f| ≤ ½`. It is a polynomial of degree 6 whose greatest relative error is
//! as small as possible (2⁻²⁹, by Remez's algorithm, with coefficients rounded to `f32`). Scaling by a
//! power of two comes at the very end, so that a subnormal result is rounded only once more. Each `if`
//! selects between two values that are both computed, so that the compiler can put the values in
//! lanes.

/// log₂ e, and the error of its rounding.
const LOG2_E: [f32; 2] = [core::f32::consts::LOG2_E, 1.925_963e-8];

/// `2^(high + low)` as `p·2^n`, with `p` in about [0.7, 1.42]. The sum is below 2²² in magnitude, and
/// `low` is small.
#[inline(always)]
fn exp2(high: f32, low: f32) -> (f32, i32) {
    // A sum with 1.5·2^23 has no bits for a fraction, so its low bits are the rounded integer.
    const ROUND: f32 = 12_582_912.0;
    let sum = high + ROUND;
    let n = (sum.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let f = (high - (sum - ROUND)) + low;
    (exp2_fraction(f), n)
}

/// `2^f`, for `|f|` at most a little over ½.
#[inline(always)]
fn exp2_fraction(f: f32) -> f32 {
    let p = 1.547_63e-4_f32;
    let p = p.mul_add(f, 1.340_027e-3);
    let p = p.mul_add(f, 9.618_004e-3);
    let p = p.mul_add(f, 5.550_328e-2);
    let p = p.mul_add(f, 2.402_265e-1);
    let p = p.mul_add(f, 6.931_472e-1);
    p.mul_add(f, 1.0)
}

/// `v·2^n` for −250 ≤ n ≤ 250, rounded once.
#[inline(always)]
fn scale(v: f32, n: i32) -> f32 {
    // Each of the two factors is a power of two that `f32` can represent. Only the second
    // multiplication rounds.
    let half = n >> 1;
    v * power(half) * power(n.wrapping_sub(half))
}

/// `2^n` for −126 ≤ n ≤ 127.
#[inline(always)]
fn power(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// `e^v` as `p·2^n`, for `|v|` at most 200.
#[inline(always)]
fn exp(v: f32) -> (f32, i32) {
    let t = v * LOG2_E[0];
    // The rounding errors of the multiplication and of the constant.
    let low = v.mul_add(LOG2_E[1], v.mul_add(LOG2_E[0], -t));
    exp2(t, low)
}

/// The larger of `v` and `lo`. A NaN stays a NaN.
#[inline(always)]
fn at_least(v: f32, lo: f32) -> f32 {
    if v < lo { lo } else { v }
}

/// The smaller of `v` and `hi`. A NaN stays a NaN.
#[inline(always)]
fn at_most(v: f32, hi: f32) -> f32 {
    if v > hi { hi } else { v }
}

#[inline(always)]
fn magnitude(v: f32) -> f32 {
    f32::from_bits(v.to_bits() & 0x7FFF_FFFF)
}

/// `upper / (1 + e)`, or `factor·e / (1 + e)` if `negative`, for `e = p·2^n` at most 1.
#[inline(always)]
fn logistic(negative: bool, upper: f32, factor: f32, (p, n): (f32, i32)) -> f32 {
    let e = scale(p, n);
    let top = if negative { factor * p } else { upper };
    scale(top / (1.0 + e), if negative { n } else { 0 })
}

/// `1 / (1 + e^−v)`.
#[inline(always)]
pub(crate) fn sigmoid(v: f32) -> f32 {
    // e^−150 is far below the smallest subnormal.
    let power = exp(at_least(-magnitude(v), -150.0));
    logistic(v < 0.0, 1.0, 1.0, power)
}

/// `v / (1 + e^−v)`; −0 at −∞.
#[inline(always)]
pub(crate) fn silu(v: f32) -> f32 {
    let power = exp(at_least(-magnitude(v), -150.0));
    logistic(v < 0.0, v, at_least(v, -150.0), power)
}

/// `tanh v`.
#[inline(always)]
pub(crate) fn tanh(v: f32) -> f32 {
    let a = magnitude(v);
    // Below 0.55 the result is a + a³·P(a²).
    let square = a * a;
    let p = -6.207_48e-3_f32;
    let p = p.mul_add(square, 2.102_726e-2);
    let p = p.mul_add(square, -5.384_229e-2);
    let p = p.mul_add(square, 1.333_25e-1);
    let p = p.mul_add(square, -3.333_331_6e-1);
    let small = (p * square).mul_add(a, a);
    // Above it is 1 − 2 / (1 + e^2a). This difference is at least ½, so it loses no accuracy. From
    // 9.02 on it is 1.
    let (p, n) = exp(2.0 * at_most(a, 10.0));
    let large = 1.0 - 2.0 / (1.0 + scale(p, n));
    let result = if a < 0.55 { small } else { large };
    f32::from_bits(result.to_bits() | (v.to_bits() & 0x8000_0000))
}

/// `½v·(1 + tanh u)` with `u = √(2/π)·(v + 0.044715·v³)`; −0 at −∞.
///
/// It is computed as `v / (1 + e^−2u)`, which is equal. The sum `1 + tanh u` would cancel for negative
/// `u`.
#[inline(always)]
pub(crate) fn gelu(v: f32) -> f32 {
    /// 2·√(2/π)·log₂ e, and the error of its rounding.
    const A: [f32; 2] = [2.302_208_2, 1.294_840_2e-8];
    /// The same times 0.044715.
    const B: [f32; 2] = [0.102_943_24, -2.016_198_5e-9];
    // The exponent is computed in twice the precision. In single precision, its error would make the
    // result wrong by many ulp below −5.
    let a = at_most(magnitude(v), 11.0);
    let square = a * a;
    let square_low = a.mul_add(a, -square);
    let t = square * B[0];
    let t_low = square.mul_add(B[0], -t) + square.mul_add(B[1], square_low * B[0]);
    let sum = t + A[0];
    // Either of t and A may be the larger. So their sum and its rounding error take six operations
    // (Knuth's TwoSum).
    let rest = sum - t;
    let sum_low = ((t - (sum - rest)) + (A[0] - rest)) + (t_low + A[1]);
    let high = a * sum;
    let low = a.mul_add(sum, -high) + a * sum_low;
    logistic(v < 0.0, v, at_least(v, -11.0), exp2(-high, -low))
}

/// `min(max(v + 3, 0), 6) / 6`.
#[inline(always)]
pub(crate) fn hard_sigmoid(v: f32) -> f32 {
    at_most(at_least(v + 3.0, 0.0), 6.0) / 6.0
}

/// `v·min(max(v + 3, 0), 6) / 6`; −0 at and below −3.
#[inline(always)]
pub(crate) fn hard_swish(v: f32) -> f32 {
    at_least(v, -3.0) * hard_sigmoid(v)
}

/// `if v < 0 { slope·v } else { v }`.
#[inline(always)]
pub(crate) fn leaky(v: f32, slope: f32) -> f32 {
    if v < 0.0 { slope * v } else { v }
}
