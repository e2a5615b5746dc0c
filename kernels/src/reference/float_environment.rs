//! The floating-point environment. Kernels run in the default one, whatever the host has set.

/// Keeps the thread in the default environment (round to nearest, subnormals kept, exceptions masked),
/// and restores the host's environment when dropped. Audio and game engines do set flush-to-zero, and
/// with it the ISAs would give different results for subnormals.
pub(crate) struct DefaultEnvironment {
    /// The host's control word, if it has to be restored.
    host: Option<Control>,
}

impl DefaultEnvironment {
    #[inline]
    pub(crate) fn enter() -> Self {
        let host = read();
        if host & RELEVANT == DEFAULT {
            return DefaultEnvironment { host: None };
        }
        write((host & !RELEVANT) | DEFAULT);
        DefaultEnvironment { host: Some(host) }
    }
}

impl Drop for DefaultEnvironment {
    #[inline]
    fn drop(&mut self) {
        if let Some(host) = self.host {
            // This also restores the host's exception flags: those raised meanwhile are lost.
            write(host);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod control {
    /// MXCSR.
    pub(super) type Control = u32;
    /// Flush-to-zero, rounding, exception masks, denormals-are-zero.
    pub(super) const RELEVANT: Control = 0xFFC0;
    /// All exceptions masked, all else off. A process starts with this.
    pub(super) const DEFAULT: Control = 0x1F80;

    #[inline]
    pub(super) fn read() -> Control {
        let mut control: Control = 0;
        // SAFETY: stores MXCSR into a local.
        unsafe {
            core::arch::asm!("stmxcsr [{}]", in(reg) &mut control, options(nostack, preserves_flags));
        }
        control
    }

    #[inline]
    pub(super) fn write(control: Control) {
        // SAFETY: only bits that MXCSR has are set: they come from it and from DEFAULT.
        unsafe {
            core::arch::asm!("ldmxcsr [{}]", in(reg) &control, options(nostack, preserves_flags));
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod control {
    /// FPCR.
    pub(super) type Control = u64;
    /// Alternative half precision, default NaN, flush-to-zero, rounding, FZ16, trap enables.
    pub(super) const RELEVANT: Control = 0x07F8_9F00;
    /// Everything off. A process starts with this.
    pub(super) const DEFAULT: Control = 0;

    #[inline]
    pub(super) fn read() -> Control {
        let control: Control;
        // SAFETY: reads a register that user space may read.
        unsafe {
            core::arch::asm!("mrs {}, fpcr", out(reg) control, options(nomem, nostack, preserves_flags));
        }
        control
    }

    #[inline]
    pub(super) fn write(control: Control) {
        // Without `nomem`, the compiler keeps loads and stores on their side of this instruction, and
        // so the arithmetic between them.
        // SAFETY: only bits that FPCR has are set: they come from it.
        unsafe {
            core::arch::asm!("msr fpcr, {}", in(reg) control, options(nostack, preserves_flags));
        }
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod control {
    pub(super) type Control = u32;
    pub(super) const RELEVANT: Control = 0;
    pub(super) const DEFAULT: Control = 0;
    pub(super) fn read() -> Control {
        0
    }
    pub(super) fn write(_: Control) {}
}

use control::{Control, DEFAULT, RELEVANT, read, write};
