//! Layers: structs with parameters and an ordinary method `forward`.
//!
//! A layer computes with public tensor methods only; its names and layouts are PyTorch's. [`Forward`] is for
//! whoever must hold layers of different types, like [`Sequential`]; models call `forward` of the types they
//! know.

mod activation;
mod attention;
mod batch_norm;
mod container;
mod conv;
mod distance;
mod dropout;
mod embedding;
mod linear;
mod norm;
mod pool;
mod position;
mod recurrent;
mod reshape;
mod transformer;
mod unpool;
mod weight;

use crate::init;
use crate::module::Module;
use crate::param::Param;
use retrograd_tensor::{Error, ErrorKind, Rng, Tensor, raise};

pub use activation::{
    Celu, Elu, Gelu, GeluTanh, Glu, HardShrink, HardSigmoid, HardSwish, HardTanh, LeakyRelu, LogSigmoid,
    LogSoftmax, Mish, PRelu, Relu, Relu6, Selu, Sigmoid, Silu, SoftShrink, Softmax, Softmax2d, Softmin,
    Softplus, Softsign, Tanh, TanhShrink, Threshold,
};
pub use attention::{Masks, MultiheadAttention, MultiheadOptions};
pub use batch_norm::{
    BatchNorm1d, BatchNorm2d, BatchNorm3d, BatchNormNd, InstanceNorm1d, InstanceNorm2d, InstanceNorm3d,
    InstanceNormNd,
};
pub use container::{Flatten, Identity, Lambda, ModuleDict, ModuleList, Parallel, Residual, Sequential};
pub use conv::{
    Conv1d, Conv2d, Conv3d, ConvNd, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d, ConvTransposeNd,
};
pub use distance::{CosineSimilarity, PairwiseDistance};
pub use dropout::{
    AlphaDropout, Dropout, Dropout1d, Dropout2d, Dropout3d, DropoutNd, FeatureAlphaDropout, RRelu,
};
pub use embedding::Embedding;
pub use linear::{Bilinear, Linear};
pub use norm::{GroupNorm, LayerNorm, RmsNorm};
pub use pool::{
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AdaptiveAvgPoolNd, AdaptiveMaxPool1d,
    AdaptiveMaxPool2d, AdaptiveMaxPool3d, AdaptiveMaxPoolNd, AvgPool1d, AvgPool2d, AvgPool3d, AvgPoolNd,
    LpPool1d, LpPool2d, LpPool3d, LpPoolNd, MaxPool1d, MaxPool2d, MaxPool3d, MaxPoolNd,
};
pub use position::{RotaryPositions, SinusoidalPositions};
pub use recurrent::{Gru, GruCell, Lstm, LstmCell, Recurrent, Rnn, RnnCell, Squash};
pub use reshape::{ChannelShuffle, Fold, Pad, PixelShuffle, PixelUnshuffle, Unflatten, Unfold, Upsample};
pub use transformer::{
    Activation, Transformer, TransformerDecoder, TransformerDecoderLayer, TransformerEncoder,
    TransformerEncoderLayer, TransformerMasks, TransformerOptions,
};
pub use unpool::{MaxUnpool1d, MaxUnpool2d, MaxUnpool3d, MaxUnpoolNd};
pub use weight::{SpectralNorm, WeightNorm, Weighted};

/// A layer that maps one tensor to one tensor, whatever its type.
///
/// Implement it for your own layer, beside `Clone`, to put it into a [`Sequential`].
pub trait Forward: Module + CloneLayer + Send + Sync {
    /// The layer's output for the input `x`.
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor;
}

/// [`Forward`] through a method `forward` of the same form.
macro_rules! passes_on {
    ($($name:ty),+) => {$(
        impl $crate::layers::Forward for $name {
            #[track_caller]
            fn forward(&self, x: &retrograd_tensor::Tensor) -> retrograd_tensor::Tensor {
                Self::forward(self, x)
            }
        }
    )+};
    (const N: $name:ty) => {
        impl<const N: usize> $crate::layers::Forward for $name {
            #[track_caller]
            fn forward(&self, x: &retrograd_tensor::Tensor) -> retrograd_tensor::Tensor {
                Self::forward(self, x)
            }
        }
    };
}
use passes_on;

/// Sizes along `N` spatial axes: one number for all of them, or one for each.
pub trait IntoSizes<const N: usize> {
    /// One for each.
    fn into_sizes(self) -> [usize; N];
}

impl<const N: usize> IntoSizes<N> for usize {
    fn into_sizes(self) -> [usize; N] {
        [self; N]
    }
}

impl<const N: usize> IntoSizes<N> for [usize; N] {
    fn into_sizes(self) -> [usize; N] {
        self
    }
}

/// The name that a layer over `n` spatial axes goes by.
const fn numbered(names: [&'static str; 3], n: usize) -> &'static str {
    names[if n >= 1 && n <= 3 { n - 1 } else { 2 }]
}

/// Sizes of windows, steps or gaps, none of which may be 0.
#[track_caller]
fn at_least_1<const N: usize>(name: &'static str, what: &str, sizes: impl IntoSizes<N>) -> [usize; N] {
    let sizes = sizes.into_sizes();
    if sizes.contains(&0) {
        let detail = format!("{what} not allowed: {sizes:?}; it must be at least 1 along each axis");
        raise(Error::new(name, ErrorKind::Value, detail));
    }
    sizes
}

#[track_caller]
fn check_spatial_rank<const N: usize>(name: &'static str) {
    if !(1..=3).contains(&N) {
        let detail = format!("{N} spatial axes; a layer has one to three");
        raise(Error::new(name, ErrorKind::Shape, detail));
    }
}

/// A parameter uniform in ±1 / √fan; without a fan there is nothing to draw for, and it begins at 0.
#[track_caller]
fn uniform_param(shape: &[usize], fan: usize, rng: &mut Rng) -> Param {
    let bound = if fan == 0 { 0.0 } else { 1.0 / (fan as f64).sqrt() };
    Param::new(init::uniform(shape, -bound, bound, rng))
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
