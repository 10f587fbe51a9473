//! Layers: structs with parameters and an ordinary method `forward`.
//!
//! A layer computes with public tensor methods only; its names and layouts are PyTorch's. [`Forward`] is for
//! whoever must hold layers of different types, like [`Sequential`]; models call `forward` of the types they
//! know.

mod activation;
mod container;
mod dropout;
mod linear;

use crate::module::Module;
use retrograd_tensor::Tensor;

pub use activation::{
    Celu, Elu, Gelu, GeluTanh, HardSigmoid, HardSwish, HardTanh, LeakyRelu, LogSigmoid, LogSoftmax, Mish,
    Relu, Relu6, Selu, Sigmoid, Silu, Softmax, Softplus, Softsign, Tanh,
};
pub use container::{Flatten, Identity, Lambda, Sequential};
pub use dropout::Dropout;
pub use linear::Linear;

/// A layer that maps one tensor to one tensor, whatever its type.
///
/// Implement it for your own layer, beside `Clone`, to put it into a [`Sequential`].
pub trait Forward: Module + CloneLayer + Send + Sync {
    /// The layer's output for the input `x`.
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor;
}

/// Copies a layer behind `dyn Forward`; every `Clone` type has it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be cloned, which `Forward` requires",
    note = "add #[derive(Clone)]: a model of boxed layers can be cloned like any other"
)]
pub trait CloneLayer {
    /// A boxed clone.
    fn clone_layer(&self) -> Box<dyn Forward>;
}

impl<L: Forward + Clone + 'static> CloneLayer for L {
    fn clone_layer(&self) -> Box<dyn Forward> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn Forward> {
    fn clone(&self) -> Self {
        (**self).clone_layer()
    }
}
