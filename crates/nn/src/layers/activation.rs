//! Activations as layers, for [`Sequential`](super::Sequential) and for fields that choose one; models
//! otherwise call the tensor's method, `x.relu()`.
//!
//! Formulas, gradients and kinks are documented at those methods; defaults are PyTorch's.

use super::passes_on;
use crate::autocast::high;
use crate::param::Param;
use crate::summary::layer;
use retrograd_nn_derive::Module;
use retrograd_tensor::{Error, ErrorKind, Tensor, raise};

/// The method `forward` of a layer, and [`Forward`] through it.
macro_rules! forward {
    ($name:ident, |$layer:pat_param, $x:ident| $value:expr) => {
        impl $name {
            /// The layer's output for the input `x`.
            #[track_caller]
            pub fn forward(&self, $x: &Tensor) -> Tensor {
                layer!(self, stringify!($name), {
                    let $layer = *self;
                    $value
                })
            }
        }

        passes_on!($name);
    };
}

/// Layers without settings.
macro_rules! plain {
    ($($(#[$doc:meta])* $name:ident => |$x:ident| $value:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, Module)]
        pub struct $name;

        forward!($name, |$name, $x| $value);
    )*};
}

/// Layers with settings, whose defaults are given.
macro_rules! with_settings {
    ($(
        $(#[$doc:meta])*
        $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr),* } => |$x:ident| $value:expr;
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Module)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type),*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default),* }
            }
        }

        forward!($name, |$name { $($field),* }, $x| $value);
    )*};
}

plain! {
    /// max(x, 0).
    Relu => |x| x.relu();
    /// min(max(x, 0), 6).
    Relu6 => |x| x.relu6();
    /// 1 / (1 + exp(-x)).
    Sigmoid => |x| x.sigmoid();
    /// log(sigmoid(x)), without overflow.
    LogSigmoid => |x| x.log_sigmoid();
    /// Hyperbolic tangent.
    Tanh => |x| x.tanh();
    /// x · Φ(x), Φ the normal distribution function.
    Gelu => |x| x.gelu();
    /// The approximation of [`Gelu`] by a hyperbolic tangent.
    GeluTanh => |x| x.gelu_tanh();
    /// x · sigmoid(x), also called swish.
    Silu => |x| x.silu();
    /// x · tanh(softplus(x)).
    Mish => |x| x.mish();
    /// The scaled exponential linear unit, which keeps mean 0 and variance 1.
    Selu => |x| x.selu();
    /// x / (1 + |x|).
    Softsign => |x| x.softsign();
    /// The piecewise linear sigmoid.
    HardSigmoid => |x| x.hard_sigmoid();
    /// x · hard sigmoid(x).
    HardSwish => |x| x.hard_swish();
    /// x, limited to [-1, 1].
    HardTanh => |x| x.hard_tanh();
    /// x - tanh(x).
    TanhShrink => |x| x.map(|x| x - x.tanh());
    /// [`Softmax`] of the channels at each place of an image `[.., channels, height, width]`.
    Softmax2d => |x| high(x).softmax(-3);
}

with_settings! {
    /// x where it is positive, else slope · x.
    LeakyRelu {
        /// The slope left of 0.
        slope: f64 = 0.01
    } => |x| x.leaky_relu(slope);
    /// x where it is positive, else α · (exp(x) - 1).
    Elu {
        /// The depth that is approached left of 0.
        alpha: f64 = 1.0
    } => |x| x.elu(alpha);
    /// x where it is positive, else α · (exp(x / α) - 1): smooth for every α.
    Celu {
        /// The depth that is approached left of 0.
        alpha: f64 = 1.0
    } => |x| x.celu(alpha);
    /// log(1 + exp(β · x)) / β, and x where β · x is beyond the threshold.
    Softplus {
        /// How sharp the bend is.
        beta: f64 = 1.0,
        /// Where the function is taken to be x.
        threshold: f64 = 20.0
    } => |x| x.softplus_with(beta, threshold);
    /// exp(x), scaled to sum 1 along an axis.
    Softmax {
        /// The axis, counted from the end if negative.
        axis: isize = -1
    } => |x| high(x).softmax(axis);
    /// [`Softmax`] of -x.
    Softmin {
        /// The axis, counted from the end if negative.
        axis: isize = -1
    } => |x| high(x).softmin(axis);
    /// The first half of an axis times the sigmoid of the second.
    Glu {
        /// The axis, counted from the end if negative.
        axis: isize = -1
    } => |x| x.glu(axis);
    /// x where it is outside ±λ, else 0. *Gradient:* `g` outside ±λ, else 0, at ±λ too.
    HardShrink {
        /// The half of the width that is cut out.
        lambda: f64 = 0.5
    } => |x| x.map(|x| x.abs().gt(lambda).where_(x, 0.0));
    /// x moved by λ towards 0 where it is outside ±λ, else 0. *Gradient:* as [`HardShrink`].
    SoftShrink {
        /// How far values are moved.
        lambda: f64 = 0.5
    } => |x| x.map(|x| x.abs().gt(lambda).where_(x - x.sign() * lambda, 0.0));
    /// x where it is above the threshold, else the value. *Gradient:* `g` above it, else 0.
    Threshold {
        /// What x must exceed.
        threshold: f64 = 0.0,
        /// What else is given.
        value: f64 = 0.0
    } => |x| x.map(|x| x.gt(threshold).where_(x, value));
    /// The logarithm of [`Softmax`], without overflow.
    LogSoftmax {
        /// The axis, counted from the end if negative.
        axis: isize = -1
    } => |x| high(x).log_softmax(axis);
}

/// x where it is positive, else weight · x, with one weight for all elements or one for each channel, axis 1.
///
/// *Gradient:* of x, `g` above 0, else weight · g; of the weight, the sum of x g where x is not above 0.
///
/// In state dicts: `weight` `[1]` or `[channels]`, which begins at 0.25.
///
/// ```
/// use retrograd_nn::PRelu;
/// use retrograd_tensor::Tensor;
/// let y = PRelu::new(1).forward(&Tensor::from([2.0f32, -4.0]));
/// assert_eq!(y.to_vec::<f32>(), [2.0, -1.0]);
/// ```
///
/// Source: He et al., 2015.
#[derive(Clone, Debug, Module)]
pub struct PRelu {
    /// The slopes left of 0.
    pub weight: Param,
}

impl PRelu {
    /// A layer with so many weights: 1, or the number of channels.
    #[track_caller]
    pub fn new(channels: usize) -> Self {
        Self { weight: Param::new(Tensor::full([channels], 0.25f32)) }
    }

    /// The function of each element.
    ///
    /// # Panics
    /// If there are several weights and `x` has not as many channels.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, "PRelu", {
            let count = self.weight.numel();
            let mut along = vec![1; x.rank().max(1)];
            if count != 1 {
                if x.rank() < 2 || x.size(1) != count {
                    let takes = format!("PRelu({count}) takes [batch, {count}, ..]");
                    let detail = format!("input does not fit: shape {}; {takes}", x.shape());
                    raise(Error::new("PRelu", ErrorKind::Shape, detail));
                }
                along[1] = count;
            }
            let slopes = self.weight.reshape(if x.rank() == 0 { &[] } else { &along[..] });
            x.zip_map(slopes, |x, slope| x.gt(0.0).where_(x, slope * x))
        })
    }
}

passes_on!(PRelu);
