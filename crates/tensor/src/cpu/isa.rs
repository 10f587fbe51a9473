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
    /// [`Isa::mul_add`] of each lane.
    #[inline(always)]
    fn mul_add_lanes<T: Product, const L: usize>(a: [T; L], b: [T; L], c: [T; L]) -> [T; L] {
        std::array::from_fn(|l| Self::mul_add(a[l], b[l], c[l]))
    }
}

macro_rules! isa {
    ($name:ident, $vector:literal, $fused:expr $(, $lanes:path)?) => {
        struct $name;
        impl Isa for $name {
            const VECTOR: usize = $vector;
            #[inline(always)]
            fn mul_add<T: Product>(a: T, b: T, c: T) -> T {
                a.mul_add::<{ $fused }>(b, c)
            }
            $(
                #[inline(always)]
                fn mul_add_lanes<T: Product, const L: usize>(a: [T; L], b: [T; L], c: [T; L]) -> [T; L] {
                    $lanes(a, b, c)
                }
            )?
        }
    };
}
isa!(Base, 16, cfg!(target_arch = "aarch64"));
#[cfg(target_arch = "x86_64")]
isa!(Avx2, 32, true);
#[cfg(target_arch = "x86_64")]
isa!(Avx512, 64, true, wide::mul_add);

/// Whole vectors of AVX-512. A tile of these has hundreds of lanes, more than LLVM unrolls before it looks for
/// vectors: it then takes them across the tile, element by element.
#[cfg(target_arch = "x86_64")]
mod wide {
    use super::{Avx512, Isa, Product};
    use std::arch::x86_64::{__m512, __m512d, _mm512_fmadd_pd, _mm512_fmadd_ps};
    use std::mem::transmute_copy;

    #[expect(
        clippy::multiple_unsafe_ops_per_block,
        reason = "each block reads three arrays as one instruction does"
    )]
    #[inline(always)]
    pub(super) fn mul_add<T: Product, const L: usize>(a: [T; L], b: [T; L], c: [T; L]) -> [T; L] {
        match const { (T::FLOAT && size_of::<[T; L]>() == Avx512::VECTOR, size_of::<T>()) } {
            // SAFETY: the lanes are 16 `f32`, and only `dispatch` names `Avx512`, where the machine has it.
            (true, 4) => unsafe {
                let [a, b, c] = [a, b, c].map(|x| transmute_copy::<[T; L], __m512>(&x));
                transmute_copy(&_mm512_fmadd_ps(a, b, c))
            },
            // SAFETY: as above, of 8 `f64`.
            (true, 8) => unsafe {
                let [a, b, c] = [a, b, c].map(|x| transmute_copy::<[T; L], __m512d>(&x));
                transmute_copy(&_mm512_fmadd_pd(a, b, c))
            },
            _ => std::array::from_fn(|l| Avx512::mul_add(a[l], b[l], c[l])),
        }
    }
}

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
