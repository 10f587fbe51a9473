//! The fully connected layer, and the one that is linear in each of two inputs.

use super::{Weighted, passes_on, uniform_param};
use crate::autocast::{linear, low};
use crate::param::Param;
use crate::summary::layer;
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
        let layer = Self::without_bias(inputs, outputs, rng);
        Self { bias: Some(uniform_param(&[outputs], inputs, rng)), ..layer }
    }

    /// A layer from `inputs` to `outputs` features that only multiplies.
    #[track_caller]
    pub fn without_bias(inputs: usize, outputs: usize, rng: &mut Rng) -> Self {
        Self { weight: uniform_param(&[outputs, inputs], inputs, rng), bias: None }
    }

    /// `x Wᵀ + b`.
    ///
    /// # Panics
    /// If the last axis of `x` is not as long as the layer has inputs.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, "Linear", self.forward_by(&self.weight, x))
    }
}

impl Weighted for Linear {
    const OUTPUTS: isize = 0;

    fn own_weight(&self) -> &Param {
        &self.weight
    }

    #[track_caller]
    fn forward_by(&self, weight: &Tensor, x: &Tensor) -> Tensor {
        let inputs = weight.size(1);
        if x.shape().last() != Some(&inputs) {
            let (outputs, shape) = (weight.size(0), &x.shape()[..]);
            let detail = format!(
                "input does not fit: shape {shape:?}; Linear({inputs}, {outputs}) takes [.., {inputs}]"
            );
            raise(Error::new("Linear", ErrorKind::Shape, detail));
        }
        linear(x, weight, self.bias.as_deref())
    }
}

/// `y[o] = x1ᵀ W[o] x2 + b[o]`: `[.., in1]` and `[.., in2]` to `[.., out]`, leading axes being equal.
///
/// In state dicts: `weight` `[out, in1, in2]` and, if there is one, `bias` `[out]`; both begin uniform in ±1 / √in1, as
/// in PyTorch.
///
/// ```
/// use retrograd_nn::Bilinear;
/// use retrograd_tensor::{Rng, Tensor};
/// let layer = Bilinear::new(2, 3, 4, &mut Rng::new(0));
/// assert_eq!(layer.forward(&Tensor::ones([5, 2]), &Tensor::ones([5, 3])).shape()[..], [5, 4]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct Bilinear {
    /// The matrices `[out, in1, in2]`.
    pub weight: Param,
    /// The offset `[out]`.
    pub bias: Option<Param>,
}

impl Bilinear {
    /// A layer from `first` and `second` to `outputs` features, with a bias.
    #[track_caller]
    pub fn new(first: usize, second: usize, outputs: usize, rng: &mut Rng) -> Self {
        let weight = uniform_param(&[outputs, first, second], first, rng);
        Self { weight, bias: Some(uniform_param(&[outputs], first, rng)) }
    }

    /// The same without a bias.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Self { bias: None, ..self }
    }

    /// The form of each pair of vectors.
    ///
    /// # Panics
    /// If the last axes are not as long as the layer has inputs, or the others differ.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, y: &Tensor) -> Tensor {
        layer!(self, "Bilinear", {
            let [outputs, first, second] = [0, 1, 2].map(|axis| self.weight.size(axis));
            let split = |t: &Tensor| t.shape().split_last().map(|(&last, lead)| (lead.to_vec(), last));
            let (Some((mut lead, m)), Some((other, n))) = (split(x), split(y)) else {
                raise(Error::new("Bilinear", ErrorKind::Shape, "no features: a scalar; it takes [.., in]"))
            };
            if lead != other || (m, n) != (first, second) {
                let takes =
                    format!("Bilinear({first}, {second}, {outputs}) takes [.., {first}] and [.., {second}]");
                let detail = format!("inputs do not fit: shapes {} and {}; {takes}", x.shape(), y.shape());
                raise(Error::new("Bilinear", ErrorKind::Shape, detail));
            }
            // All x W[o] in one product, then the dot products with y.
            let (x, y) = (low(x), low(y));
            let matrix = low(&self.weight).permute([1, 0, 2]).reshape([first, outputs * second]);
            let rows = x.reshape([-1, first as isize]).matmul(matrix);
            let rows = rows.reshape([-1, outputs as isize, second as isize]);
            let form = (rows * y.reshape([-1, 1, second as isize])).sum(-1);
            lead.push(outputs);
            let form = form.reshape(&lead[..]);
            self.bias.as_deref().map_or_else(|| form.clone(), |bias| &form + low(bias))
        })
    }
}

passes_on!(Linear);
