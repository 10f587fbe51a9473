//! Automatic differentiation over lazily fused tensors: the facade of the retrograd crates.
//!
#![doc = include_str!("../../../README.md")]
#![forbid(unsafe_code)]

pub use retrograd_autograd::*;
pub use retrograd_nn as nn;
pub use retrograd_nn::*;
pub use retrograd_tensor::*;

pub mod guide {
    //! Guides, with code that is compiled and run.

    #[doc = include_str!("../../../docs/new_operations.md")]
    pub mod new_operations {}
}

/// What tests read of the table.
#[doc(hidden)]
pub mod testing {
    pub use retrograd_tensor::testing::*;

    pub use retrograd_tensor::levels::sliced;

    /// Every function that reference cases call, of all crates.
    pub fn entries() -> Vec<&'static Entry> {
        let mut all = retrograd_tensor::testing::entries();
        all.extend(retrograd_nn::ENTRIES.iter().copied().flatten());
        all
    }
}

/// Everything that a program usually needs: `use retrograd::prelude::*;`.
pub mod prelude {
    pub use retrograd_autograd::{
        Differentiate, Gradients, Tape, grad, grad_of_all, grad_recorded, hessian, hvp, jacobian, jvp,
        value_and_grad, vjp, vmap, vmap_axes,
    };
    pub use retrograd_nn::prelude::*;
    pub use retrograd_tensor::{
        BF16, Bool, Conv, DType, Error, F16, F32, F64, I32, I64, IntoShape, Operand, Rng, Scalar, Shape,
        Tensor, U8, attempt, cat, eager, force_all, map_n, memory, no_grad, par_map, s, stack, where_,
        with_threads,
    };
}
