//! Layers of transformers, and stacks of them; `whole` has an encoder and a decoder as one.

mod whole;

use super::{Dropout, LayerNorm, Linear, Masks, MultiheadAttention, MultiheadOptions};
use crate::summary::layer;
use retrograd_nn_derive::Module;
use retrograd_tensor::{Rng, Tensor};

pub use whole::{Transformer, TransformerMasks};

/// What can be chosen of a transformer's layer; PyTorch's names and defaults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransformerOptions {
    /// The size between the two linear layers.
    pub feedforward: usize,
    /// The probability of dropout, everywhere.
    pub dropout: f64,
    /// The function between the two linear layers.
    pub activation: Activation,
    /// What normalisations add to variances.
    pub eps: f64,
    /// Whether the first axis counts sequences and the second positions, instead of the other way round.
    pub batch_first: bool,
    /// Whether parts normalise what they get, instead of what they and the input add up to.
    pub norm_first: bool,
    /// Whether there are biases.
    pub bias: bool,
}

impl Default for TransformerOptions {
    fn default() -> Self {
        let (feedforward, dropout, activation, eps) = (2048, 0.1, Activation::Relu, 1e-5);
        Self { feedforward, dropout, activation, eps, batch_first: false, norm_first: false, bias: true }
    }
}

/// The function between the two linear layers of a transformer's layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// max(x, 0).
    #[default]
    Relu,
    /// x · Φ(x).
    Gelu,
}

impl TransformerOptions {
    #[track_caller]
    fn attention(&self, size: usize, heads: usize, rng: &mut Rng) -> MultiheadAttention {
        let (dropout, bias, batch_first) = (self.dropout, self.bias, self.batch_first);
        let options = MultiheadOptions { dropout, bias, batch_first, ..MultiheadOptions::default() };
        MultiheadAttention::with(size, heads, options, rng)
    }

    #[track_caller]
    fn norm(&self, size: usize) -> LayerNorm {
        let norm = LayerNorm::new(size).eps(self.eps);
        if self.bias { norm } else { norm.without_bias() }
    }

    #[track_caller]
    fn linear(&self, inputs: usize, outputs: usize, rng: &mut Rng) -> Linear {
        if self.bias { Linear::new(inputs, outputs, rng) } else { Linear::without_bias(inputs, outputs, rng) }
    }
}

/// `x`, in training with some elements dropped.
#[track_caller]
fn dropped(dropout: &Option<Dropout>, x: Tensor) -> Tensor {
    match dropout {
        Some(dropout) => dropout.forward(&x),
        None => x,
    }
}

/// The two linear layers.
macro_rules! feed_forward {
    ($layer:expr, $x:expr, $last:ident) => {{
        let layer = $layer;
        let inner = layer.linear1.forward($x);
        let inner = match layer.activation {
            Activation::Relu => inner.relu(),
            Activation::Gelu => inner.gelu(),
        };
        dropped(&layer.$last, layer.linear2.forward(&dropped(&layer.dropout, inner)))
    }};
}

/// A layer of a transformer's encoder: self-attention, then two linear layers at each position, each added to its input.
/// `[positions, batch, size]` to the same; the batch axis may be left out.
///
/// In state dicts: `self_attn` as of [`MultiheadAttention`], `linear1`, `linear2`, `norm1` and `norm2`.
///
/// ```
/// use retrograd_nn::{Masks, TransformerEncoderLayer, TransformerOptions};
/// use retrograd_tensor::{Rng, Tensor};
/// let options = TransformerOptions { feedforward: 16, batch_first: true, ..TransformerOptions::default() };
/// let layer = TransformerEncoderLayer::with(8, 2, options, &mut Rng::new(0));
/// let y = layer.forward(&Tensor::ones([3, 5, 8]), &Masks::causal());
/// assert_eq!(y.shape()[..], [3, 5, 8]);
/// ```
///
/// Source: Vaswani et al., 2017; normalisation before the parts: Xiong et al., 2020.
#[derive(Clone, Debug, Module)]
pub struct TransformerEncoderLayer {
    self_attn: MultiheadAttention,
    linear1: Linear,
    dropout: Option<Dropout>,
    linear2: Linear,
    norm1: LayerNorm,
    norm2: LayerNorm,
    dropout1: Option<Dropout>,
    dropout2: Option<Dropout>,
    norm_first: bool,
    #[module(skip)]
    activation: Activation,
}

impl TransformerEncoderLayer {
    /// A layer of this size with so many heads, with PyTorch's defaults.
    ///
    /// # Panics
    /// If the heads do not divide the size.
    #[track_caller]
    pub fn new(size: usize, heads: usize, rng: &mut Rng) -> Self {
        Self::with(size, heads, TransformerOptions::default(), rng)
    }

    /// A layer with these options.
    ///
    /// # Panics
    /// If the heads do not divide the size, or dropout is no probability.
    #[track_caller]
    pub fn with(size: usize, heads: usize, options: TransformerOptions, rng: &mut Rng) -> Self {
        Self {
            self_attn: options.attention(size, heads, rng),
            linear1: options.linear(size, options.feedforward, rng),
            dropout: Dropout::unless_never(options.dropout, rng),
            linear2: options.linear(options.feedforward, size, rng),
            norm1: options.norm(size),
            norm2: options.norm(size),
            dropout1: Dropout::unless_never(options.dropout, rng),
            dropout2: Dropout::unless_never(options.dropout, rng),
            norm_first: options.norm_first,
            activation: options.activation,
        }
    }

    /// What the layer makes of `x`.
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, masks: &Masks<'_>) -> Tensor {
        layer!(self, "TransformerEncoderLayer", self.compute(x, masks))
    }

    #[track_caller]
    fn compute(&self, x: &Tensor, masks: &Masks<'_>) -> Tensor {
        if self.norm_first {
            let x = x + self.attend(&self.norm1.forward(x), masks);
            return &x + feed_forward!(self, &self.norm2.forward(&x), dropout2);
        }
        let x = self.norm1.forward(&(x + self.attend(x, masks)));
        self.norm2.forward(&(&x + feed_forward!(self, &x, dropout2)))
    }

    #[track_caller]
    fn attend(&self, x: &Tensor, masks: &Masks<'_>) -> Tensor {
        dropped(&self.dropout1, self.self_attn.forward(x, x, x, masks))
    }
}

/// A layer of a transformer's decoder: self-attention, attention to the encoder's result, then two linear layers at each
/// position, each added to its input. `[positions, batch, size]` to the same; the batch axis may be left out.
///
/// In state dicts: `self_attn` and `multihead_attn` as of [`MultiheadAttention`], `linear1`, `linear2`, `norm1`, `norm2`
/// and `norm3`.
///
/// ```
/// use retrograd_nn::{Masks, TransformerDecoderLayer, TransformerOptions};
/// use retrograd_tensor::{Rng, Tensor};
/// let options = TransformerOptions { feedforward: 16, ..TransformerOptions::default() };
/// let layer = TransformerDecoderLayer::with(8, 2, options, &mut Rng::new(0));
/// let (x, memory) = (Tensor::ones([5, 3, 8]), Tensor::ones([7, 3, 8]));
/// assert_eq!(layer.forward(&x, &memory, &Masks::causal(), &Masks::default()).shape()[..], [5, 3, 8]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct TransformerDecoderLayer {
    self_attn: MultiheadAttention,
    multihead_attn: MultiheadAttention,
    linear1: Linear,
    dropout: Option<Dropout>,
    linear2: Linear,
    norm1: LayerNorm,
    norm2: LayerNorm,
    norm3: LayerNorm,
    dropout1: Option<Dropout>,
    dropout2: Option<Dropout>,
    dropout3: Option<Dropout>,
    norm_first: bool,
    #[module(skip)]
    activation: Activation,
}

impl TransformerDecoderLayer {
    /// A layer of this size with so many heads, with PyTorch's defaults.
    ///
    /// # Panics
    /// If the heads do not divide the size.
    #[track_caller]
    pub fn new(size: usize, heads: usize, rng: &mut Rng) -> Self {
        Self::with(size, heads, TransformerOptions::default(), rng)
    }

    /// A layer with these options.
    ///
    /// # Panics
    /// If the heads do not divide the size, or dropout is no probability.
    #[track_caller]
    pub fn with(size: usize, heads: usize, options: TransformerOptions, rng: &mut Rng) -> Self {
        Self {
            self_attn: options.attention(size, heads, rng),
            multihead_attn: options.attention(size, heads, rng),
            linear1: options.linear(size, options.feedforward, rng),
            dropout: Dropout::unless_never(options.dropout, rng),
            linear2: options.linear(options.feedforward, size, rng),
            norm1: options.norm(size),
            norm2: options.norm(size),
            norm3: options.norm(size),
            dropout1: Dropout::unless_never(options.dropout, rng),
            dropout2: Dropout::unless_never(options.dropout, rng),
            dropout3: Dropout::unless_never(options.dropout, rng),
            norm_first: options.norm_first,
            activation: options.activation,
        }
    }

    /// What the layer makes of `x`, with what the encoder gave as `memory`, each with its masks.
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, memory: &Tensor, masks: &Masks<'_>, of_memory: &Masks<'_>) -> Tensor {
        layer!(self, "TransformerDecoderLayer", self.compute(x, memory, masks, of_memory))
    }

    #[track_caller]
    fn compute(&self, x: &Tensor, memory: &Tensor, masks: &Masks<'_>, of_memory: &Masks<'_>) -> Tensor {
        if self.norm_first {
            let x = x + self.attend(&self.norm1.forward(x), masks);
            let x = &x + self.look_up(&self.norm2.forward(&x), memory, of_memory);
            return &x + feed_forward!(self, &self.norm3.forward(&x), dropout3);
        }
        let x = self.norm1.forward(&(x + self.attend(x, masks)));
        let x = self.norm2.forward(&(&x + self.look_up(&x, memory, of_memory)));
        self.norm3.forward(&(&x + feed_forward!(self, &x, dropout3)))
    }

    #[track_caller]
    fn attend(&self, x: &Tensor, masks: &Masks<'_>) -> Tensor {
        dropped(&self.dropout1, self.self_attn.forward(x, x, x, masks))
    }

    #[track_caller]
    fn look_up(&self, x: &Tensor, memory: &Tensor, masks: &Masks<'_>) -> Tensor {
        dropped(&self.dropout2, self.multihead_attn.forward(x, memory, memory, masks))
    }
}

/// A transformer's encoder: layers one after the other, and a normalisation at the end if there is one.
///
/// In state dicts: `layers.0`, `layers.1`, ..., and `norm`.
///
/// ```
/// use retrograd_nn::{LayerNorm, Masks, Module, TransformerEncoder, TransformerEncoderLayer, TransformerOptions};
/// use retrograd_tensor::{Rng, Tensor};
/// let (options, mut rng) = (TransformerOptions { feedforward: 16, ..Default::default() }, Rng::new(0));
/// let layers = (0..2).map(|_| TransformerEncoderLayer::with(8, 2, options, &mut rng)).collect();
/// let encoder = TransformerEncoder { layers, norm: Some(LayerNorm::new(8)) };
/// assert_eq!(encoder.forward(&Tensor::ones([5, 3, 8]), &Masks::default()).shape()[..], [5, 3, 8]);
/// assert!(encoder.state_dict().contains_key("layers.1.self_attn.out_proj.weight"));
/// ```
#[derive(Clone, Debug, Module)]
pub struct TransformerEncoder {
    /// The layers in order.
    pub layers: Vec<TransformerEncoderLayer>,
    /// The normalisation at the end.
    pub norm: Option<LayerNorm>,
}

impl TransformerEncoder {
    /// What the layers make of `x`, each under these masks.
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, masks: &Masks<'_>) -> Tensor {
        layer!(self, "TransformerEncoder", {
            let mut x = x.clone();
            for layer in &self.layers {
                x = layer.forward(&x, masks);
            }
            if let Some(norm) = &self.norm { norm.forward(&x) } else { x }
        })
    }
}

/// A transformer's decoder: layers one after the other, and a normalisation at the end if there is one.
///
/// In state dicts: `layers.0`, `layers.1`, ..., and `norm`.
///
/// ```
/// use retrograd_nn::{Masks, TransformerDecoder, TransformerDecoderLayer, TransformerOptions};
/// use retrograd_tensor::{Rng, Tensor};
/// let (options, mut rng) = (TransformerOptions { feedforward: 16, ..Default::default() }, Rng::new(0));
/// let layers = (0..2).map(|_| TransformerDecoderLayer::with(8, 2, options, &mut rng)).collect();
/// let decoder = TransformerDecoder { layers, norm: None };
/// let (x, memory) = (Tensor::ones([5, 3, 8]), Tensor::ones([7, 3, 8]));
/// assert_eq!(decoder.forward(&x, &memory, &Masks::causal(), &Masks::default()).shape()[..], [5, 3, 8]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct TransformerDecoder {
    /// The layers in order.
    pub layers: Vec<TransformerDecoderLayer>,
    /// The normalisation at the end.
    pub norm: Option<LayerNorm>,
}

impl TransformerDecoder {
    /// What the layers make of `x`, with what the encoder gave as `memory`, each under these masks.
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, memory: &Tensor, masks: &Masks<'_>, of_memory: &Masks<'_>) -> Tensor {
        layer!(self, "TransformerDecoder", {
            let mut x = x.clone();
            for layer in &self.layers {
                x = layer.forward(&x, memory, masks, of_memory);
            }
            if let Some(norm) = &self.norm { norm.forward(&x) } else { x }
        })
    }
}
