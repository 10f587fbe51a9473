//! Normalisation within each example: by the last axes, by their root mean square, by groups of channels.

use super::passes_on;
use crate::autocast::high;
use crate::functional::Functional;
use crate::param::Param;
use crate::summary::layer;
use retrograd_nn_derive::Module;
use retrograd_tensor::{IntoShape, Shape, Tensor};

/// The last axes, of shape `shape`, standardised, times `weight` plus `bias`.
///
/// In state dicts: `weight` and `bias` of shape `shape`, which begin as ones and zeros.
///
/// ```
/// use retrograd_nn::LayerNorm;
/// use retrograd_tensor::Tensor;
/// let y = LayerNorm::new(2).eps(0.0).forward(&Tensor::from([[1.0f32, 3.0], [5.0, 9.0]]));
/// assert_eq!(y.to_vec::<f32>(), [-1.0, 1.0, -1.0, 1.0]);
/// ```
///
/// Source: Ba, Kiros and Hinton, 2016.
#[derive(Clone, Debug, Module)]
pub struct LayerNorm {
    /// The factor of each element.
    pub weight: Option<Param>,
    /// The offset of each element.
    pub bias: Option<Param>,
    #[module(skip)]
    shape: Shape,
    eps: f64,
}

impl LayerNorm {
    /// A layer over last axes of these sizes, with weight and bias.
    #[track_caller]
    pub fn new(shape: impl IntoShape) -> Self {
        let shape = shape.into_shape();
        let weight = Some(Param::new(Tensor::ones(shape.clone())));
        Self { weight, bias: Some(Param::new(Tensor::zeros(shape.clone()))), shape, eps: 1e-5 }
    }

    /// The same with `eps`, 1e-5 at first, added to variances.
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        Self { eps, ..self }
    }

    /// The same without a bias.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Self { bias: None, ..self }
    }

    /// The same without weight and bias.
    #[must_use]
    pub fn without_affine(self) -> Self {
        Self { weight: None, bias: None, ..self }
    }

    /// `x` normalised: [`Functional::layer_norm`].
    ///
    /// # Panics
    /// If the last axes of `x` are not of the layer's shape, or its elements are not floats.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(
            self,
            "LayerNorm",
            high(x).layer_norm(self.shape.clone(), self.weight.as_deref(), self.bias.as_deref(), self.eps)
        )
    }
}

/// The last axes, of shape `shape`, divided by the root of their mean square, times `weight`.
///
/// In state dicts: `weight` of shape `shape`, which begins as ones.
///
/// ```
/// use retrograd_nn::RmsNorm;
/// use retrograd_tensor::Tensor;
/// let y = RmsNorm::new(2).eps(0.0).forward(&Tensor::from([[7.0f32, 1.0]]));
/// assert_eq!(y.to_vec::<f32>(), [1.4, 0.2]);
/// ```
///
/// Source: Zhang and Sennrich, 2019.
#[derive(Clone, Debug, Module)]
pub struct RmsNorm {
    /// The factor of each element.
    pub weight: Option<Param>,
    #[module(skip)]
    shape: Shape,
    eps: Option<f64>,
}

impl RmsNorm {
    /// A layer over last axes of these sizes, with a weight.
    #[track_caller]
    pub fn new(shape: impl IntoShape) -> Self {
        let shape = shape.into_shape();
        Self { weight: Some(Param::new(Tensor::ones(shape.clone()))), shape, eps: None }
    }

    /// The same with `eps` added to mean squares; at first it is the distance from 1 to the next number of the type
    /// that is computed in.
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        Self { eps: Some(eps), ..self }
    }

    /// The same without a weight.
    #[must_use]
    pub fn without_affine(self) -> Self {
        Self { weight: None, ..self }
    }

    /// `x` normalised: [`Functional::rms_norm`].
    ///
    /// # Panics
    /// If the last axes of `x` are not of the layer's shape, or its elements are not floats.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, "RmsNorm", high(x).rms_norm(self.shape.clone(), self.weight.as_deref(), self.eps))
    }
}

/// Channels, axis 1, in groups of equal size: each group of each example standardised, then each channel times its
/// `weight` plus its `bias`.
///
/// In state dicts: `weight` and `bias` `[channels]`, which begin as ones and zeros.
///
/// ```
/// use retrograd_nn::GroupNorm;
/// use retrograd_tensor::Tensor;
/// let y = GroupNorm::new(2, 4).eps(0.0).forward(&Tensor::from([[1.0f32, 3.0, 5.0, 9.0]]));
/// assert_eq!(y.to_vec::<f32>(), [-1.0, 1.0, -1.0, 1.0]);
/// ```
///
/// Source: Wu and He, 2018.
#[derive(Clone, Debug, Module)]
pub struct GroupNorm {
    /// The factor of each channel.
    pub weight: Option<Param>,
    /// The offset of each channel.
    pub bias: Option<Param>,
    groups: usize,
    eps: f64,
}

impl GroupNorm {
    /// A layer for `channels` in `groups`, with weight and bias.
    #[track_caller]
    pub fn new(groups: usize, channels: usize) -> Self {
        let weight = Some(Param::new(Tensor::ones([channels])));
        Self { weight, bias: Some(Param::new(Tensor::zeros([channels]))), groups, eps: 1e-5 }
    }

    /// The same with `eps`, 1e-5 at first, added to variances.
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        Self { eps, ..self }
    }

    /// The same without weight and bias.
    #[must_use]
    pub fn without_affine(self) -> Self {
        Self { weight: None, bias: None, ..self }
    }

    /// `x` normalised: [`Functional::group_norm`].
    ///
    /// # Panics
    /// If `x` has other channels than the layer, the groups do not divide them, or its elements are not floats.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(
            self,
            "GroupNorm",
            high(x).group_norm(self.groups, self.weight.as_deref(), self.bias.as_deref(), self.eps)
        )
    }
}

passes_on!(LayerNorm, RmsNorm, GroupNorm);
