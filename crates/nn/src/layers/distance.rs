//! Distances and likenesses of two inputs.

use crate::summary::layer;
use retrograd_nn_derive::Module;
use retrograd_tensor::Tensor;

/// The cosine of the angle between two inputs along an axis: [`Tensor::cosine_similarity`].
///
/// ```
/// use retrograd_nn::CosineSimilarity;
/// use retrograd_tensor::Tensor;
/// let (x, y) = (Tensor::from([[1.0f32, 0.0]]), Tensor::from([[0.0f32, 4.0]]));
/// assert_eq!(CosineSimilarity::default().forward(&x, &y).to_vec::<f32>(), [0.0]);
/// ```
#[derive(Clone, Copy, Debug, Module)]
pub struct CosineSimilarity {
    /// The axis, counted from the end if negative.
    pub axis: isize,
    /// The least that a norm counts as.
    pub eps: f64,
}

impl Default for CosineSimilarity {
    fn default() -> Self {
        Self { axis: 1, eps: 1e-8 }
    }
}

impl CosineSimilarity {
    /// The similarity, without the axis.
    ///
    /// # Panics
    /// As [`Tensor::cosine_similarity`].
    #[track_caller]
    pub fn forward(&self, x: &Tensor, y: &Tensor) -> Tensor {
        layer!(self, "CosineSimilarity", x.cosine_similarity(y, self.axis, self.eps))
    }
}

/// The distance of order `p` of the vectors along the last axis of two inputs: [`Tensor::pairwise_distance`], as PyTorch's
/// `PairwiseDistance`. `[.., n]` and `[.., n]`, which are broadcast, to `[..]`, or to `[.., 1]` with `keepdim`.
///
/// ```
/// use retrograd_nn::PairwiseDistance;
/// use retrograd_tensor::Tensor;
/// let (x, y) = (Tensor::from([[1.0f32, 2.0], [0.0, 0.0]]), Tensor::from([[4.0f32, 6.0], [3.0, 4.0]]));
/// let far = PairwiseDistance::default().forward(&x, &y);
/// assert!((far - 5.0).abs().amax(()).item() < 1e-5);
/// let kept = PairwiseDistance { p: 1.0, keepdim: true, ..PairwiseDistance::default() };
/// assert_eq!(kept.forward(&x, &y).shape()[..], [2, 1]);
/// ```
#[derive(Clone, Copy, Debug, Module)]
pub struct PairwiseDistance {
    /// The order of the norm; 2 by default.
    pub p: f64,
    /// What is added to each difference; 10⁻⁶ by default.
    pub eps: f64,
    /// Whether the last axis stays, of size 1.
    pub keepdim: bool,
}

impl Default for PairwiseDistance {
    fn default() -> Self {
        Self { p: 2.0, eps: 1e-6, keepdim: false }
    }
}

impl PairwiseDistance {
    /// The distances.
    ///
    /// # Panics
    /// As [`Tensor::pairwise_distance`].
    #[track_caller]
    pub fn forward(&self, x: &Tensor, y: &Tensor) -> Tensor {
        layer!(self, "PairwiseDistance", {
            if self.keepdim {
                x.pairwise_distance_keepdim(y, self.p, self.eps)
            } else {
                x.pairwise_distance(y, self.p, self.eps)
            }
        })
    }
}
