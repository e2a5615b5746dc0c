//! Whatever floating-point environment the host has set, results have the same bits and the
//! setting is left as it was.
//!
//! Engines and audio hosts do set flush-to-zero; a debugger or a numerical host may unmask
//! exceptions; interval arithmetic changes the rounding.
//!
//! Each test runs in a process of its own: an exception that is not masked ends the process at the
//! first fault, and the threads of a pool keep a setting while other tests would use the pool.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use crate::alone::alone;
use crate::case::{Case, Place, Slices, Values, pool, runnable};
use pointwise::{Activation, Layer, Layout, Padding, Plan, convolve, reference};

#[cfg(target_arch = "x86_64")]
mod control {
    /// MXCSR: exception flags are its low six bits.
    pub(crate) type Control = u32;
    pub(crate) const FLAGS: Control = 0x3F;
    /// What hosts set, over the default of masked exceptions.
    pub(crate) const HOSTS: [(&str, Control); 8] = [
        ("the default", 0x1F80),
        ("flush to zero", 0x9F80),
        ("denormals are zero", 0x1FC0),
        ("flush to zero, denormals are zero", 0x9FC0),
        ("rounding down", 0x3F80),
        ("rounding up", 0x5F80),
        ("rounding to zero, flush to zero", 0xFF80),
        ("all exceptions unmasked", 0x0000),
    ];

    pub(crate) fn get() -> Control {
        let mut control: Control = 0;
        // SAFETY: stores MXCSR into a local.
        unsafe { core::arch::asm!("stmxcsr [{}]", in(reg) &mut control, options(nostack)) };
        control
    }

    pub(crate) fn set(control: Control) {
        // SAFETY: sets bits that MXCSR has; the caller computes nothing meanwhile but what is
        // under test.
        unsafe { core::arch::asm!("ldmxcsr [{}]", in(reg) &control, options(nostack)) };
    }
}

#[cfg(target_arch = "aarch64")]
mod control {
    /// FPCR; exception flags are in another register.
    pub(crate) type Control = u64;
    pub(crate) const FLAGS: Control = 0;
    pub(crate) const HOSTS: [(&str, Control); 6] = [
        ("the default", 0),
        ("flush to zero", 1 << 24),
        ("default NaN", 1 << 25),
        ("rounding up", 1 << 22),
        ("rounding down", 2 << 22),
        ("rounding to zero, flush to zero", 3 << 22 | 1 << 24),
    ];

    pub(crate) fn get() -> Control {
        let control: Control;
        // SAFETY: reads a register that user space may read.
        unsafe { core::arch::asm!("mrs {}, fpcr", out(reg) control, options(nostack)) };
        control
    }

    pub(crate) fn set(control: Control) {
        // SAFETY: sets bits that FPCR has; the caller computes nothing meanwhile but what is
        // under test.
        unsafe { core::arch::asm!("msr fpcr, {}", in(reg) control, options(nostack)) };
    }
}

/// Runs `f` in the host's environment; it must be there still when `f` is done. Exception flags
/// may be raised, as any arithmetic may.
fn hosted<R>((name, host): (&str, control::Control), f: impl FnOnce() -> R) -> R {
    let before = control::get();
    control::set(host);
    let result = f();
    let after = control::get();
    control::set(before);
    assert_eq!(after & !control::FLAGS, host & !control::FLAGS, "{name}: changed");
    result
}

/// Layers with a border, a residual and an activation, in both layouts.
fn layers() -> impl Iterator<Item = Layer> {
    let padding = Padding::Explicit { top: 1, bottom: 0, left: 2, right: 1 };
    Layout::ALL.into_iter().flat_map(move |layout| {
        let layer = Layer::new(9, 21, 5, 7).layout(layout).bias(true);
        [
            layer,
            layer.residual(true).padding(padding).activation(Activation::Relu),
            layer.residual(true).stride(2, 2),
            layer.bias(false).padding(padding).residual(true),
        ]
    })
}

#[test]
fn the_host_changes_no_bit() {
    alone("environment::the_host_changes_no_bit", || {
        for (index, layer) in layers().enumerate() {
            for values in [Values::Tiny, Values::Special, Values::Plain] {
                let network = Case { values, ..Case::new(layer) }.network();
                for host in control::HOSTS {
                    for kernel in runnable() {
                        let case = Case::forced(layer, kernel, 2, index % 2 == 0);
                        let case = Case { values, ..case };
                        let run =
                            |slices: &mut Slices<'_>| hosted(host, || network.run(&case, slices));
                        if let Err(why) = network.check_by(run) {
                            panic!("{} set by the host: {why}: {case}", host.0);
                        }
                    }
                }
            }
        }
    });
}

#[test]
fn the_reference_and_convolve_keep_their_bits_too() {
    alone("environment::the_reference_and_convolve_keep_their_bits_too", || {
        for layer in layers() {
            for values in [Values::Tiny, Values::Special] {
                let case = Case { values, ..Case::new(layer) };
                let network = case.network();
                let (input, of) = (&network.input, &network.tensors[0]);
                let (bias, residual) = (of.bias.as_deref(), of.residual.as_deref());
                for host in control::HOSTS {
                    for (name, f) in
                        [("reference", reference as fn(_, _, _, _, _) -> _), ("convolve", convolve)]
                    {
                        let got = hosted(host, || f(&layer, input, &of.weights, bias, residual));
                        if let Err(why) = network.compare(0, &got.unwrap()) {
                            panic!("{name}, {} set by the host: {why}: {case}", host.0);
                        }
                    }
                }
            }
        }
    });
}

/// The threads of a pool have environments of their own.
#[test]
fn the_environment_of_each_thread_of_a_pool_is_left_alone() {
    alone("environment::the_environment_of_each_thread_of_a_pool_is_left_alone", || {
        let pool = pool(4);
        for (name, host) in control::HOSTS {
            let before = pool.broadcast(|_| {
                let before = control::get();
                control::set(host);
                before
            });
            let (mut results, mut most_parts) = (Vec::new(), 0);
            for layer in layers() {
                // The model leaves layers of this size to the calling thread.
                let case = Case { parts: 1, ..Case::new(layer).threads(4) };
                let case = Case { values: Values::Tiny, place: Place::In, ..case };
                most_parts =
                    most_parts.max(Plan::new(&layer, &case.planned().unwrap()).unwrap().threads());
                results.push((case.check(), case));
            }
            let after = pool.broadcast(|context| {
                let after = control::get();
                control::set(before[context.index()]);
                after
            });
            for (result, case) in results {
                result.unwrap_or_else(|why| panic!("{name} set in the pool: {why}: {case}"));
            }
            assert!(most_parts > 1, "no layer ran on a thread of the pool");
            for after in after {
                assert_eq!(after & !control::FLAGS, host & !control::FLAGS, "{name}: changed");
            }
        }
    });
}
