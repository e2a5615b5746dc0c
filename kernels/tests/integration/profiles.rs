//! Profiles: each kind of bad one is refused with its reason and the default is used; a good one
//! decides.

use crate::case::{Case, Slices};
use pointwise::{
    Basis, Candidate, Error, Layer, Layout, Measured, Mode, Plan, PlanOptions, Pool, Profile,
    ProfileError,
};
use std::sync::Arc;

fn layer() -> Layer {
    Layer::new(24, 40, 9, 9).layout(Layout::Nchw)
}

/// A profile in which the model's last choice was the fastest.
fn profile() -> (Profile, &'static str) {
    let candidates = Plan::candidates(&layer(), &PlanOptions::new()).unwrap().ranked;
    let mut profile = Profile::new();
    for (i, candidate) in candidates.iter().rev().enumerate() {
        profile.add(Measured::new(&layer(), 1, candidate, 1000.0 + i as f64));
    }
    (profile, candidates.last().unwrap().kernel.name())
}

#[test]
fn a_profile_decides_for_the_layers_that_it_knows() {
    let (profile, kernel) = profile();
    let text = profile.to_string();
    let read = Profile::parse(&text).unwrap();
    assert_eq!(read, profile);
    let options = PlanOptions::new().profile(Arc::new(read));
    let plan = Plan::new(&layer(), &options).unwrap();
    assert_eq!((plan.kernel().name(), plan.basis()), (kernel, Basis::Measured));
    let near = Layer::new(25, 40, 9, 9).layout(Layout::Nchw);
    assert_eq!(Plan::new(&near, &options).unwrap().basis(), Basis::Informed);
    let far = Layer::new(999, 40, 3, 3).layout(Layout::Nchw);
    assert_eq!(Plan::new(&far, &options).unwrap().basis(), Basis::Modelled);
    let only = options.mode(Mode::ProfileOnly);
    assert_eq!(Plan::new(&layer(), &only).unwrap().kernel().name(), kernel);
    assert!(matches!(Plan::new(&far, &only), Err(Error::NotInProfile { .. })));
}

/// It takes as much from memory as the output; bias and activation take next to nothing.
#[test]
fn a_residual_makes_another_layer() {
    let layer = Layer::new(64, 256, 56, 56);
    let with = layer.residual(true);
    let zen5 = pointwise::Cpu::named("zen5").unwrap();
    let ranked = |layer| Plan::candidates_on(&layer, &PlanOptions::new(), &zen5).unwrap().ranked;
    let (plain, more) = (ranked(layer), ranked(with));
    for candidate in &more {
        let is = |c: &&Candidate| {
            (c.kernel, c.blocking, c.split)
                == (candidate.kernel, candidate.blocking, candidate.split)
        };
        let same = plain.iter().find(is).expect("the same candidates");
        assert!(candidate.cycles > same.cycles, "{candidate:?}");
    }
    let mut profile = Profile::new();
    profile.add(Measured::new(&with, 1, &more[0], 1e6));
    assert!(profile.knows(&with.bias(true).activation(pointwise::Activation::Relu), 1));
    assert!(!profile.knows(&layer, 1));
}

/// Its zeros must have the sizes that the layer's tensors have, which for an average differ.
#[test]
fn every_kind_of_layer_can_be_measured() {
    let layer = Layer::new(8, 12, 5, 5).bias(true).residual(true);
    let prelu = layer.activation(pointwise::Activation::Prelu);
    for layer in [layer, prelu.average(true), prelu.groups(2).shuffle(true).stride(2, 2)] {
        let plan = Plan::new(&layer, &PlanOptions::new().mode(Mode::Measure)).unwrap();
        assert_eq!(plan.basis(), Basis::Measured, "{layer}");
    }
}

#[test]
fn bad_profiles_are_refused_with_their_reasons() {
    let text = profile().0.to_string();
    let replace = |from: &str, to: &str| {
        assert!(text.contains(from));
        Profile::parse(&text.replacen(from, to, 1))
    };
    assert!(matches!(Profile::parse(""), Err(ProfileError::NotAProfile { .. })));
    assert!(matches!(Profile::parse("\u{0}ELF"), Err(ProfileError::NotAProfile { .. })));
    let result = replace("pointwise-profile 1", "pointwise-profile 2");
    assert!(matches!(result, Err(ProfileError::NotAProfile { .. })));
    let result = replace("library ", "library 9");
    assert!(matches!(result, Err(ProfileError::OtherLibrary { .. })));
    let result = replace("settings f32", "settings f64");
    assert!(matches!(result, Err(ProfileError::OtherSettings { .. })));
    for damage in ["nchw/n0", "nchw/n1c7", "hwcn/n1"] {
        let result = replace("nchw/n1", damage);
        assert!(matches!(result, Err(ProfileError::Damaged { line: 5, .. })), "{damage}");
    }
    // Cut short within a line.
    let short = Profile::parse(text[..text.len() - 12].trim_end());
    assert!(matches!(short, Err(ProfileError::Damaged { .. })));
    let missing = Profile::load(std::path::Path::new("no such file"));
    assert!(matches!(missing, Err(ProfileError::Unreadable { .. })));
}

#[test]
fn a_profile_of_another_cpu_is_reported_and_ignored() {
    let text = profile().0.to_string().replacen("cpu ", "cpu other ", 1);
    let foreign = Profile::parse(&text).unwrap();
    let plan = Plan::new(&layer(), &PlanOptions::new().profile(Arc::new(foreign))).unwrap();
    let default = Plan::new(&layer(), &PlanOptions::new()).unwrap();
    assert!(matches!(plan.profile_problem(), Some(ProfileError::OtherCpu { .. })));
    assert_eq!(plan.basis(), Basis::Modelled);
    assert_eq!((plan.kernel(), plan.blocking()), (default.kernel(), default.blocking()));
}

#[test]
fn measuring_at_plan_time_gives_a_plan_that_computes_the_layer() {
    let options = PlanOptions::new().mode(Mode::Measure);
    let plan = Plan::new(&layer(), &options).unwrap();
    assert_eq!(plan.basis(), Basis::Measured);
    let run = |slices: &mut Slices<'_>| {
        let packed = plan.pack_parameters(&slices.parameters[0])?;
        plan.run(&packed, slices.input, None, slices.outputs[0], Pool::Serial)
    };
    Case::new(layer()).network().check_by(run).unwrap();
}
