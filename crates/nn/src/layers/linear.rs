//! The fully connected layer.

use super::Forward;
use crate::init;
use crate::param::Param;
use retrograd_nn_derive::Module;
use retrograd_tensor::{Error, ErrorKind, Rng, Tensor, raise};

/// `y = x Wᵀ + b`: `[.., in]` to `[.., out]`.
///
/// In state dicts: `weight` `[out, in]` and, if there is one, `bias` `[out]`, as in PyTorch; and as there, both
/// begin uniform in ±1 / √in.
#[derive(Clone, Debug, Module)]
pub struct Linear {
    /// The matrix `[out, in]`.
    pub weight: Param,
    /// The offset `[out]`.
    pub bias: Option<Param>,
}

impl Linear {
    /// A layer from `inputs` to `outputs` features, with a bias.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, rng: &mut Rng) -> Self {
        let bound = bound(inputs);
        let layer = Self::without_bias(inputs, outputs, rng);
        Self { bias: Some(Param::new(init::uniform([outputs], -bound, bound, rng))), ..layer }
    }

    /// A layer from `inputs` to `outputs` features that only multiplies.
    #[track_caller]
    pub fn without_bias(inputs: usize, outputs: usize, rng: &mut Rng) -> Self {
        let bound = bound(inputs);
        Self { weight: Param::new(init::uniform([outputs, inputs], -bound, bound, rng)), bias: None }
    }

    /// `x Wᵀ + b`.
    ///
    /// # Panics
    /// If the last axis of `x` is not as long as the layer has inputs.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let inputs = self.weight.shape()[1];
        if x.shape().last() != Some(&inputs) {
            let (outputs, shape) = (self.weight.shape()[0], &x.shape()[..]);
            let detail = format!(
                "input does not fit: shape {shape:?}; Linear({inputs}, {outputs}) takes [.., {inputs}]"
            );
            raise(Error::new("Linear", ErrorKind::Shape, detail));
        }
        x.linear(&self.weight, self.bias.as_deref())
    }
}

impl Forward for Linear {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        Self::forward(self, x)
    }
}

/// 1 / √in; a layer without inputs has nothing to draw for, and its bias begins at 0.
fn bound(inputs: usize) -> f64 {
    if inputs == 0 { 0.0 } else { 1.0 / (inputs as f64).sqrt() }
}
