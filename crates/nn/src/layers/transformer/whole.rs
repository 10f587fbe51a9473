//! An encoder and a decoder as one layer.

use super::{
    TransformerDecoder, TransformerDecoderLayer, TransformerEncoder, TransformerEncoderLayer,
    TransformerOptions,
};
use crate::init;
use crate::layers::Masks;
use crate::module::{Module, SlotMut};
use crate::summary::layer;
use retrograd_nn_derive::Module;
use retrograd_tensor::{Error, ErrorKind, Rng, Tensor, raise};

/// A transformer: an encoder for sources `[S, batch, size]` and a decoder that makes of targets `[T, batch, size]` as
/// many positions, looking at what the encoder gave; the batch axis may be left out, and comes first with
/// [`TransformerOptions::batch_first`]. PyTorch's `Transformer`: both stacks end with a normalisation.
///
/// In state dicts: `encoder.layers.0`, ..., `encoder.norm`, `decoder.layers.0`, ..., `decoder.norm`. Parameters of more than
/// one axis begin by `xavier_uniform`, others as in the layers.
///
/// ```
/// use retrograd_nn::{Masks, Transformer, TransformerMasks, TransformerOptions};
/// use retrograd_tensor::{Rng, Tensor};
/// let options = TransformerOptions { feedforward: 16, batch_first: true, ..TransformerOptions::default() };
/// let model = Transformer::with(8, 2, [2, 1], options, &mut Rng::new(0));
/// let (source, target) = (Tensor::ones([3, 7, 8]), Tensor::ones([3, 5, 8]));
/// let masks = TransformerMasks { target: Masks::causal(), ..TransformerMasks::default() };
/// assert_eq!(model.forward(&source, &target, &masks).shape()[..], [3, 5, 8]);
/// ```
///
/// Source: Vaswani et al., 2017.
#[derive(Clone, Debug, Module)]
pub struct Transformer {
    /// What reads sources.
    pub encoder: TransformerEncoder,
    /// What makes targets.
    pub decoder: TransformerDecoder,
}

/// What a call of a [`Transformer`] may not attend to.
#[derive(Clone, Copy, Debug, Default)]
pub struct TransformerMasks<'a> {
    /// In sources. PyTorch's `src_mask`, `src_key_padding_mask` and `src_is_causal`.
    pub source: Masks<'a>,
    /// In targets. PyTorch's `tgt_mask`, `tgt_key_padding_mask` and `tgt_is_causal`.
    pub target: Masks<'a>,
    /// From targets in sources. PyTorch's `memory_mask`, `memory_key_padding_mask` and `memory_is_causal`.
    pub memory: Masks<'a>,
}

impl Transformer {
    /// A transformer of this size with so many heads and PyTorch's defaults: six layers in each stack.
    ///
    /// # Panics
    /// If the heads do not divide the size.
    #[track_caller]
    pub fn new(size: usize, heads: usize, rng: &mut Rng) -> Self {
        Self::with(size, heads, [6, 6], TransformerOptions::default(), rng)
    }

    /// A transformer with so many layers in encoder and decoder, and these options for all of them.
    ///
    /// # Panics
    /// If the heads do not divide the size, or dropout is no probability.
    #[track_caller]
    pub fn with(
        size: usize,
        heads: usize,
        layers: [usize; 2],
        options: TransformerOptions,
        rng: &mut Rng,
    ) -> Self {
        let mut encoder = TransformerEncoder { layers: Vec::new(), norm: Some(options.norm(size)) };
        let mut decoder = TransformerDecoder { layers: Vec::new(), norm: Some(options.norm(size)) };
        // A closure would be what errors name as their place.
        for _ in 0..layers[0] {
            encoder.layers.push(TransformerEncoderLayer::with(size, heads, options, rng));
        }
        for _ in 0..layers[1] {
            decoder.layers.push(TransformerDecoderLayer::with(size, heads, options, rng));
        }
        let mut model = Self { encoder, decoder };
        model.visit_mut("", &mut |_, slot| {
            if let SlotMut::Param(param) = slot
                && param.rank() > 1
            {
                let value = init::xavier_uniform(param.shape().clone(), 1.0, rng);
                drop(param.replace(&value));
            }
        });
        model
    }

    /// What the decoder makes of `target`, with what the encoder makes of `source`.
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    pub fn forward(&self, source: &Tensor, target: &Tensor, masks: &TransformerMasks<'_>) -> Tensor {
        layer!(self, "Transformer", {
            check(source, target);
            let memory = self.encoder.forward(source, &masks.source);
            self.decoder.forward(target, &memory, &masks.target, &masks.memory)
        })
    }
}

/// Refuses sources and targets of which one has a batch axis, before the encoder runs.
#[track_caller]
fn check(source: &Tensor, target: &Tensor) {
    let same = source.rank() == target.rank() && source.shape().last() == target.shape().last();
    if !same {
        let given = format!("source {}, target {}", source.shape(), target.shape());
        let detail = format!("shapes do not fit: {given}; they have as many axes, and the last is one size");
        raise(Error::new("Transformer", ErrorKind::Shape, detail));
    }
}
