//! The curved activations keep within the errors that the documentation states.

use crate::exact::{Kernels, SAMPLE, STATED, WORST};
use pointwise::{Activation, Error, Layer, Parameters, Plan, PlanOptions, convolve};

#[test]
fn errors_are_within_the_stated_bounds_on_every_isa() {
    for (activation, bound) in STATED {
        let found = Kernels::new(activation, usize::MAX).sweep(SAMPLE);
        assert!(found.values > 4_000_000);
        assert!(found.greatest <= bound, "{activation:?}: {found:?} exceeds {bound} ulp");
        assert!(f64::from(found.farthest) <= bound.ceil(), "{activation:?}: {found:?}");
        assert_eq!(found.differ, 0, "{activation:?}: {found:?}");
        if bound == 0.0 {
            assert_eq!(found.rounded_correctly, found.values, "{activation:?}");
        }
    }
}

#[test]
fn the_greatest_errors_are_where_they_were_found() {
    for (activation, at, ulp) in WORST {
        let found = Kernels::new(activation, usize::MAX).errors(&[at]);
        assert!((found.greatest - ulp).abs() < 1e-4, "{activation:?} at {at:e}: {found:?}");
        assert_eq!(found.differ, 0, "{activation:?} at {at:e}");
    }
}

#[test]
fn where_the_curves_bend_every_value_is_within_the_bounds() {
    // Around the ends of branches and of the exponent's range every neighbour counts.
    for (activation, bound) in STATED {
        let kernels = Kernels::new(activation, usize::MAX);
        for at in [0.55f32, 3.0, 9.0109, 87.3, 88.72, 103.97, 10.0, 11.0, 17.33, 5.09] {
            for sign in [1.0, -1.0] {
                for first in (at.to_bits() - 20_000..at.to_bits() + 20_000).step_by(4000) {
                    let values: Vec<f32> =
                        (first..first + 4000).map(|bits| sign * f32::from_bits(bits)).collect();
                    let found = kernels.errors(&values);
                    assert!(found.greatest <= bound, "{activation:?} around {at}: {found:?}");
                    assert_eq!(found.differ, 0, "{activation:?} around {at}: {found:?}");
                }
            }
        }
    }
}

#[test]
fn limits_zeros_and_nan() {
    let (inf, ninf) = (f32::INFINITY, f32::NEG_INFINITY);
    for (activation, at_inf, at_ninf, at_minus_zero) in [
        (Activation::HardSwish, inf, -0.0, -0.0),
        (Activation::HardSigmoid, 1.0, 0.0, 0.5),
        (Activation::Sigmoid, 1.0, 0.0, 0.5),
        (Activation::Silu, inf, -0.0, -0.0),
        (Activation::Tanh, 1.0, -1.0, -0.0),
        (Activation::Gelu, inf, -0.0, -0.0),
        (Activation::LeakyRelu { slope: 0.5 }, inf, ninf, -0.0f32),
    ] {
        assert!(activation.apply(f32::NAN).is_nan(), "{activation:?}");
        for (v, want) in [(inf, at_inf), (ninf, at_ninf), (-0.0, at_minus_zero)] {
            assert_eq!(activation.apply(v).to_bits(), want.to_bits(), "{activation:?} at {v}");
        }
        assert_eq!(activation.apply(f32::MAX), if at_inf == inf { f32::MAX } else { 1.0 });
    }
    assert_eq!(Activation::Silu.apply(f32::MIN).to_bits(), (-0.0f32).to_bits());
    assert_eq!(Activation::Gelu.apply(f32::MIN).to_bits(), (-0.0f32).to_bits());
}

#[test]
fn slopes_are_checked() {
    let layer = Layer::new(1, 2, 1, 1).activation(Activation::Prelu);
    let plan = Plan::new(&layer, &PlanOptions::new()).unwrap();
    let weights = [1.0, 1.0];
    let pack = |parameters: &Parameters<'_>| plan.pack_parameters(parameters).map(|_| ());
    let parameters = Parameters::new(&weights);
    assert_eq!(plan.pack(&weights, None).err(), Some(Error::Missing { what: "slopes" }));
    assert_eq!(
        pack(&parameters.slopes(&[1.0])),
        Err(Error::WrongLength { what: "slopes", given: 1, needed: 2 })
    );
    assert_eq!(
        pack(&parameters.slopes(&[1.0, f32::INFINITY])),
        Err(Error::BadSlope { output: Some(1), slope: f32::INFINITY })
    );
    let layer = layer.activation(Activation::LeakyRelu { slope: f32::NEG_INFINITY });
    assert!(matches!(layer.check(), Err(Error::BadSlope { output: None, .. })));
    let relu = layer.activation(Activation::Relu);
    let plan = Plan::new(&relu, &PlanOptions::new()).unwrap();
    assert_eq!(
        plan.pack_parameters(&parameters.slopes(&[1.0, 1.0])).err(),
        Some(Error::Unexpected { what: "slopes" })
    );
    assert_eq!(convolve(&relu, &[-1.0], &weights, None, None).unwrap(), [0.0, 0.0]);
}
