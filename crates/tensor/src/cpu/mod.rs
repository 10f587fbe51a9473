//! The CPU: kernels, dispatch, the thread pool. All of it sees slices, layouts and programs, never a tensor
//! or the name of an operation; a new elementwise operation changes no line here.
pub(crate) mod conv;
pub(crate) mod fold;
pub(crate) mod gemm;
pub(crate) mod isa;
pub(crate) mod lane;
pub(crate) mod load;
pub(crate) mod map;
pub(crate) mod pair;
pub(crate) mod pool;
pub(crate) mod random;
pub(crate) mod run;
pub(crate) mod vmath;

use crate::backend::Backend;
use crate::buffer::{Buffer, Refused};
use crate::call::{Call, View, ViewMut};
use crate::fuse::Code;
use crate::plan::Binding;
use std::sync::OnceLock;

/// The CPU as a backend.
pub(crate) struct Cpu;
impl Backend for Cpu {
    fn allocate(&self, bytes: usize) -> Result<Buffer, Refused> {
        Buffer::alloc(bytes)
    }
    fn run(&self, code: &Code, bound: &Binding<'_>) -> Result<(), Refused> {
        run::run(code, bound)
    }
    fn rehearse(&self, code: &Code, bound: &Binding<'_>) -> Result<(), Refused> {
        run::rehearse(code, bound)
    }
    fn call(&self, call: &Call, x: &[View<'_>], out: &mut [ViewMut<'_>]) {
        (call.run)(x, out);
    }
}

/// An instruction set that kernels are compiled for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Isa {
    /// What every CPU of the architecture has (SSE2, NEON).
    Base,
    /// AVX2 with fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 (F, BW, VL, DQ).
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// The best instruction set of this CPU, found once.
pub(crate) fn isa() -> Isa {
    static ISA: OnceLock<Isa> = OnceLock::new();
    *ISA.get_or_init(detect)
}
#[cfg(target_arch = "x86_64")]
fn detect() -> Isa {
    if is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("fma")
    {
        Isa::Avx512
    } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        Isa::Avx2
    } else {
        Isa::Base
    }
}
#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Isa {
    Isa::Base
}

/// Picks the instance of a kernel function for this CPU: `by_isa!(f::<T>)`.
macro_rules! by_isa {
    ($f:ident :: < $($t:ty),* >) => {
        match $crate::cpu::isa() {
            $crate::cpu::Isa::Base => base::$f::<$($t),*>,
            #[cfg(target_arch = "x86_64")]
            $crate::cpu::Isa::Avx2 => avx2::$f::<$($t),*>,
            #[cfg(target_arch = "x86_64")]
            $crate::cpu::Isa::Avx512 => avx512::$f::<$($t),*>,
        }
    };
}
/// Instantiates a macro that defines kernels, `defs!(fma)`, in one module per instruction set.
macro_rules! per_isa {
    ($defs:ident) => {
        mod base {
            #[allow(unused_imports, reason = "some definitions name nothing")]
            use super::*;
            #[cfg(target_arch = "x86_64")]
            $defs!(["sse2"] false);
            #[cfg(not(target_arch = "x86_64"))]
            $defs!([] false);
        }
        #[cfg(target_arch = "x86_64")]
        mod avx2 {
            #[allow(unused_imports, reason = "some definitions name nothing")]
            use super::*;
            $defs!(["avx2,fma"] true);
        }
        #[cfg(target_arch = "x86_64")]
        mod avx512 {
            #[allow(unused_imports, reason = "some definitions name nothing")]
            use super::*;
            $defs!(["avx512f,avx512bw,avx512vl,avx512dq,avx2,fma"] true);
        }
    };
}
pub(crate) use {by_isa, per_isa};
