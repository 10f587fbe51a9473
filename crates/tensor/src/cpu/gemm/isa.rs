//! One source for every instruction set: work that is generic over [`Isa`] is compiled once for each inside a
//! `#[target_feature]` function, and the best one the machine has is chosen at run time. Everything below such a
//! function must be `#[inline(always)]`; in builds with debug assertions the large ones are not, or an unoptimised
//! build would put the locals of all of them on one stack frame of megabytes.
use super::{Product, Side, turn};
use crate::cpu;

/// What work may assume of the machine it is compiled for.
pub(super) trait Isa {
    /// The size of a vector register in bytes.
    const VECTOR: usize;
    /// `a * b + c`, fused where there is an instruction for it.
    fn mul_add<T: Product>(a: T, b: T, c: T) -> T;
    /// [`turn::plain`] by the best instructions for it.
    ///
    /// # Safety
    /// As there.
    unsafe fn turn<T: Product, const B: usize>(from: Side<T>, to: *mut T, width: usize);
}

macro_rules! isa {
    ($name:ident, $vector:literal, $fused:expr, $($turn:ident)::+) => {
        struct $name;
        impl Isa for $name {
            const VECTOR: usize = $vector;
            #[inline(always)]
            fn mul_add<T: Product>(a: T, b: T, c: T) -> T {
                a.mul_add::<{ $fused }>(b, c)
            }
            #[inline(always)]
            unsafe fn turn<T: Product, const B: usize>(from: Side<T>, to: *mut T, width: usize) {
                // SAFETY: the caller's promise; the instructions are those of this set.
                unsafe { $($turn)::+::<T, B>(from, to, width) }
            }
        }
    };
}
isa!(Base, 16, cfg!(target_arch = "aarch64"), turn::plain);
#[cfg(target_arch = "x86_64")]
isa!(Avx2, 32, true, turn::avx::square);
#[cfg(target_arch = "x86_64")]
isa!(Avx512, 64, true, turn::avx::square);

/// Something to compute for an instruction set; `run` must be `#[inline(always)]`.
pub(super) trait Work {
    fn run<I: Isa>(self);
}

/// Runs `work` in the version for this machine.
pub(super) fn dispatch(work: impl Work) {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
    fn avx512(work: impl Work) {
        work.run::<Avx512>();
    }
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn avx2(work: impl Work) {
        work.run::<Avx2>();
    }
    match cpu::isa() {
        cpu::Isa::Base => work.run::<Base>(),
        // SAFETY: this machine has the features.
        #[cfg(target_arch = "x86_64")]
        cpu::Isa::Avx2 => unsafe { avx2(work) },
        // SAFETY: this machine has the features.
        #[cfg(target_arch = "x86_64")]
        cpu::Isa::Avx512 => unsafe { avx512(work) },
    }
}
