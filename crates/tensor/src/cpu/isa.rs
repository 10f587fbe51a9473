//! One source for every instruction set: work that is generic over [`Isa`] is compiled once for each inside a
//! `#[target_feature]` function, and the best one the machine has is chosen at run time. Everything below such a
//! function must be `#[inline(always)]`; in builds with debug assertions the large ones are not, or an unoptimised
//! build would put the locals of all of them on one stack frame of megabytes.
use super::gemm::Product;
use crate::cpu;

/// What work may assume of the machine it is compiled for.
pub(crate) trait Isa {
    /// The size of a vector register in bytes.
    const VECTOR: usize;
    /// `a * b + c`, fused where there is an instruction for it.
    fn mul_add<T: Product>(a: T, b: T, c: T) -> T;
}

macro_rules! isa {
    ($name:ident, $vector:literal, $fused:expr) => {
        struct $name;
        impl Isa for $name {
            const VECTOR: usize = $vector;
            #[inline(always)]
            fn mul_add<T: Product>(a: T, b: T, c: T) -> T {
                a.mul_add::<{ $fused }>(b, c)
            }
        }
    };
}
isa!(Base, 16, cfg!(target_arch = "aarch64"));
#[cfg(target_arch = "x86_64")]
isa!(Avx2, 32, true);
#[cfg(target_arch = "x86_64")]
isa!(Avx512, 64, true);

/// The size in bytes of a vector register of the set that [`dispatch`] picks.
pub(crate) fn vector() -> usize {
    match cpu::isa() {
        cpu::Isa::Base => Base::VECTOR,
        #[cfg(target_arch = "x86_64")]
        cpu::Isa::Avx2 => Avx2::VECTOR,
        #[cfg(target_arch = "x86_64")]
        cpu::Isa::Avx512 => Avx512::VECTOR,
    }
}

/// Something to compute for an instruction set; `run` must be `#[inline(always)]`.
pub(crate) trait Work {
    fn run<I: Isa>(self);
}

/// Runs `work` in the version for this machine.
pub(crate) fn dispatch(work: impl Work) {
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
