//! The reverse-mode tape of retrograd and everything built on it.
//!
//! Every operation on a tracked tensor leaves a *record*: its id, the operation, edges to the records of its
//! operands, the few values that its gradient rule reads, and the user's line. Ids grow, so descending id is reverse
//! topological order, and a backward pass is a walk in that order:
//!
//! ```text
//!   x ── tanh ── * ── sum        records   %1 leaf  %2 leaf  %3 tanh(%1)  %4 mul(%3, %2)  %5 sum(%4)
//!   w ───────────┘               backward  %5, %4, %3, then the leaves' cotangents are the gradients
//! ```
//!
//! This crate reads records and names no operation; what an operation is lives in `retrograd_tensor`.
#![forbid(unsafe_code)]
mod custom;
mod differentiate;
mod grad;
mod gradcheck;
mod gradients;
mod jacobian;
mod sweep;
mod tape;
mod vmap;

pub use custom::{Tap, Tapped, remat, with_vjp, with_vjp_residuals};
pub use differentiate::Differentiate;
pub use grad::{
    grad, grad_of_all, grad_recorded, grad_recorded_with, grad_with, hvp, jvp, value_and_grad, vjp,
};
pub use gradcheck::{GradCheck, gradcheck, gradcheck_against, gradgradcheck};
pub use gradients::{Gradients, Leaf, LeafId, Missing};
pub use jacobian::{hessian, jacobian};
#[doc(hidden)]
pub use tape::escaped;
pub use tape::{Line, Tape};
pub use vmap::{vmap, vmap_axes};

/// What [`gradcheck_test!`] names.
#[doc(hidden)]
pub mod testing {
    pub use retrograd_tensor::{F64, Rng, Tensor};
}
