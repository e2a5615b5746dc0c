//! Folding a batch normalization into the weights and bias of the layer before it.

use crate::case::plain as values;
use pointwise::{BatchNorm, Error, Layer, fold_batch_norm, reference};

#[test]
fn folded_batch_norm_is_the_batch_norm_after_the_layer() {
    let (c, k) = (7, 5);
    let (mut weights, bias, x) = (values(c * k, 1), values(k, 2), values(c, 3));
    let (scale, shift, mean) = (values(k, 4), values(k, 5), values(k, 6));
    let variance: Vec<f32> = values(k, 7).iter().map(|v| v.abs()).collect();
    let norm =
        BatchNorm { scale: &scale, shift: &shift, mean: &mean, variance: &variance, epsilon: 1e-3 };
    let layer = Layer::new(c, k, 1, 1).bias(true);
    let plain = reference(&layer, &x, &weights, Some(&bias), None).unwrap();
    let folded = fold_batch_norm(&mut weights, Some(&bias), &norm).unwrap();
    let got = reference(&layer, &x, &weights, Some(&folded), None).unwrap();
    for i in 0..k {
        let v = f64::from(plain[i] - mean[i]) / (f64::from(variance[i]) + 1e-3).sqrt();
        let want = v * f64::from(scale[i]) + f64::from(shift[i]);
        assert!((f64::from(got[i]) - want).abs() < 1e-5, "{i}: {} is not {want}", got[i]);
    }

    let before = weights.clone();
    let zero = BatchNorm { variance: &[1.0, 0.0, 1.0, 1.0, 1.0], epsilon: 0.0, ..norm };
    assert_eq!(
        fold_batch_norm(&mut weights, None, &zero),
        Err(Error::BadBatchNorm { output: 1, variance: 0.0, epsilon: 0.0 })
    );
    let short = BatchNorm { mean: &mean[1..], ..norm };
    assert_eq!(
        fold_batch_norm(&mut weights, None, &short),
        Err(Error::WrongLength { what: "mean", given: 4, needed: 5 })
    );
    assert!(fold_batch_norm(&mut weights[1..], None, &norm).is_err());
    assert_eq!(weights, before);
}
