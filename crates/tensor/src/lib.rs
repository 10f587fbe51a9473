//! Tensor values, lazily fused kernels and the table of operations of retrograd.
//!
//! A [`Tensor`] is an immutable array whose elements are computed on demand, a whole chain of operations in one pass
//! over memory. Operations on tracked tensors leave records, which `retrograd_autograd` reads; this crate can compute
//! and cannot differentiate. Programs use the facade crate `retrograd`.
mod apply;
mod approx;
mod backend;
mod buffer;
pub mod call;
mod cell;
mod construct;
mod cpu;
mod dry;
mod dtype;
mod dual;
mod elementwise;
pub mod entry;
mod error;
mod fmt;
mod fuse;
#[doc(hidden)]
pub mod hidden;
pub mod index;
#[cfg(feature = "ndarray")]
mod interop;
pub mod layout;
#[doc(hidden)]
pub mod levels;
mod map;
pub mod memory;
mod mode;
pub mod op;
mod operand;
mod ops;
mod par_map;
mod plan;
mod profile;
mod record;
#[doc(hidden)]
pub mod replay;
mod rng;
mod scalar;
mod scalar_fn;
pub mod shape;
mod tensor;
mod value;
mod watch;

pub use cpu::pool::{threads as num_threads, with_threads};
pub use dtype::{BF16, Bool, DType, Element, F16, F32, F64, I32, I64, Number, U8};
pub use error::{Error, ErrorKind, OrRaise, attempt, raise};
pub use index::Index;
pub use map::{Formula, map_n, map_n_out};
pub use mode::{eager, enable_grad, no_grad};
pub use operand::Operand;
pub use ops::conv::{Conv, IntoPadding, Padding};
pub use ops::count::Unique;
#[cfg(feature = "fft")]
pub use ops::fft::FftNorm;
pub use ops::join::{cat, meshgrid, stack, where_};
#[cfg(feature = "linalg")]
pub use ops::linalg::full::Lstsq;
#[cfg(feature = "linalg")]
pub use ops::linalg::norm::MatrixNorm;
pub use ops::pad::PadMode;
pub use ops::patches::Patches;
pub use ops::pool::MaxPool;
pub use ops::quantile::Quantile;
pub use ops::resample::{AvgPool, Interpolation};
pub use ops::scatter_reduce::Reduce;
pub use par_map::par_map;
pub use profile::{Cost, Profile, Spent, profile, profiled_flops};
pub use record::{Context, Cotangent, Cotangents};
pub use rng::Rng;
pub use scalar::Scalar;
pub use scalar_fn::{Real, ScalarFn};
pub use shape::{IntoAxes, IntoDims, IntoShape, Shape};
pub use tensor::Tensor;
pub use watch::find_nan;

/// What tests read of the table.
#[doc(hidden)]
pub mod testing {
    pub use crate::elementwise::{Class, Elementwise, Sample};
    pub use crate::entry::{Attr, Attrs, Entry};
    pub use crate::ops::{elementwise, entries};
}
pub use value::force_all;
