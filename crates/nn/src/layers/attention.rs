//! Attention with several heads.

use super::{Dropout, Linear};
use crate::autocast::{linear, low};
use crate::functional::{Attention, attention};
use crate::init;
use crate::param::Param;
use crate::summary::layer;
use retrograd_nn_derive::Module;
use retrograd_tensor::{Bool, DType, Error, ErrorKind, Rng, Tensor, cat, raise};

/// What can be chosen of a [`MultiheadAttention`]; PyTorch's names and defaults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MultiheadOptions {
    /// The probability that a weight is dropped, in training.
    pub dropout: f64,
    /// Whether projections have biases.
    pub bias: bool,
    /// Whether the first axis counts sequences and the second positions, instead of the other way round.
    pub batch_first: bool,
    /// The size of keys, if it is not that of queries.
    pub kdim: Option<usize>,
    /// The size of values, if it is not that of queries.
    pub vdim: Option<usize>,
    /// Whether there is one more key, with its value, that is learnt.
    pub add_bias_kv: bool,
    /// Whether there is one more key and value, of zeros.
    pub add_zero_attn: bool,
}

impl Default for MultiheadOptions {
    fn default() -> Self {
        let (dropout, bias, batch_first, kdim, vdim) = (0.0, true, false, None, None);
        Self { dropout, bias, batch_first, kdim, vdim, add_bias_kv: false, add_zero_attn: false }
    }
}

/// What a call of [`MultiheadAttention`] may not attend to. As in PyTorch's layers, and unlike in
/// [`Functional::scaled_dot_product_attention`](crate::Functional::scaled_dot_product_attention), true in a bool mask
/// means *not*; floats are added to the scores.
#[derive(Clone, Copy, Debug, Default)]
pub struct Masks<'a> {
    /// By query and key: `[L, S]`, or `[batch · heads, L, S]`. PyTorch's `attn_mask`.
    pub attention: Option<&'a Tensor>,
    /// Of each sequence: `[batch, S]`. PyTorch's `key_padding_mask`.
    pub padding: Option<&'a Tensor>,
    /// Whether query i attends to keys up to i only, beside what else holds.
    pub causal: bool,
}

impl Masks<'_> {
    /// Only earlier positions and the same.
    pub fn causal() -> Self {
        Self { causal: true, ..Self::default() }
    }
}

/// Attention with several heads: queries `[L, batch, embed]`, keys `[S, batch, kdim]` and values `[S, batch, vdim]` to
/// `[L, batch, embed]`; the batch axis may be left out, and comes first with [`MultiheadOptions::batch_first`].
///
/// In state dicts: `in_proj_weight` `[3 embed, embed]` with the rows for queries, keys and values, or
/// `q_proj_weight`, `k_proj_weight` and `v_proj_weight` where their sizes differ; `in_proj_bias` `[3 embed]`;
/// `out_proj.weight` and `out_proj.bias`; `bias_k` and `bias_v` `[1, 1, embed]` where asked for. Weights of inputs begin
/// by `xavier_uniform`, that of the output as in [`Linear`], biases as zeros, the learnt key and value by
/// `xavier_normal`.
///
/// A query that may attend to no key gives 0 before the last projection (PyTorch: NaN).
///
/// ```
/// use retrograd_nn::{Masks, MultiheadAttention, MultiheadOptions};
/// use retrograd_tensor::{Rng, Tensor};
/// let options = MultiheadOptions { batch_first: true, ..MultiheadOptions::default() };
/// let attention = MultiheadAttention::with(8, 2, options, &mut Rng::new(0));
/// let x = Tensor::randn([3, 5, 8], &mut Rng::new(1));
/// let (y, weights) = attention.forward_weights(&x, &x, &x, &Masks::causal());
/// assert_eq!((&y.shape()[..], &weights.shape()[..]), (&[3, 5, 8][..], &[3, 2, 5, 5][..]));
/// assert_eq!(weights.select(2, 0).select(2, 0).to_vec::<f32>(), [1.0; 6]);
/// ```
///
/// Source: Vaswani et al., 2017.
#[derive(Clone, Debug, Module)]
pub struct MultiheadAttention {
    /// The weight of queries, keys and values, one below the other.
    pub in_proj_weight: Option<Param>,
    /// The weight of queries, where sizes differ.
    pub q_proj_weight: Option<Param>,
    /// The weight of keys, where sizes differ.
    pub k_proj_weight: Option<Param>,
    /// The weight of values, where sizes differ.
    pub v_proj_weight: Option<Param>,
    /// The bias of queries, keys and values.
    pub in_proj_bias: Option<Param>,
    /// The projection of the result.
    pub out_proj: Linear,
    /// One more key.
    pub bias_k: Option<Param>,
    /// One more value.
    pub bias_v: Option<Param>,
    dropout: Option<Dropout>,
    heads: usize,
    batch_first: bool,
    zero: bool,
}

const NAME: &str = "MultiheadAttention";

impl MultiheadAttention {
    /// A layer of size `embed` with so many heads, with PyTorch's defaults.
    ///
    /// # Panics
    /// If the heads do not divide the size.
    #[track_caller]
    pub fn new(embed: usize, heads: usize, rng: &mut Rng) -> Self {
        Self::with(embed, heads, MultiheadOptions::default(), rng)
    }

    /// A layer with these options.
    ///
    /// # Panics
    /// If the heads do not divide the size, or dropout is no probability.
    #[track_caller]
    pub fn with(embed: usize, heads: usize, options: MultiheadOptions, rng: &mut Rng) -> Self {
        if heads == 0 || !embed.is_multiple_of(heads) {
            let detail = format!("heads do not fit: {heads} of size {embed}; they must be of one size");
            raise(Error::new(NAME, ErrorKind::Value, detail));
        }
        let (k, v) = (options.kdim.unwrap_or(embed), options.vdim.unwrap_or(embed));
        let mut weight =
            |rows: usize, columns: usize| Some(Param::new(init::xavier_uniform([rows, columns], 1.0, rng)));
        let packed = (k, v) == (embed, embed);
        let in_proj_weight = if packed { weight(3 * embed, embed) } else { None };
        let [q_proj_weight, k_proj_weight, v_proj_weight] =
            [embed, k, v].map(|size| if packed { None } else { weight(embed, size) });
        let zeros = |size: usize| options.bias.then(|| Param::new(Tensor::zeros([size])));
        let mut one_more = || {
            let drawn = || Param::new(init::xavier_normal([1, 1, embed], 1.0, rng));
            options.add_bias_kv.then(drawn)
        };
        let (bias_k, bias_v) = (one_more(), one_more());
        Self {
            in_proj_weight,
            q_proj_weight,
            k_proj_weight,
            v_proj_weight,
            in_proj_bias: zeros(3 * embed),
            out_proj: Linear { bias: zeros(embed), ..Linear::without_bias(embed, embed, rng) },
            bias_k,
            bias_v,
            dropout: Dropout::unless_never(options.dropout, rng),
            heads,
            batch_first: options.batch_first,
            zero: options.add_zero_attn,
        }
    }

    /// What the queries find.
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    pub fn forward(&self, query: &Tensor, key: &Tensor, value: &Tensor, masks: &Masks<'_>) -> Tensor {
        self.forward_weights(query, key, value, masks).0
    }

    /// What the queries find, and how much each attended to each key, by head: `[batch, heads, L, S]`. Their mean over
    /// the heads is what PyTorch gives with `average_attn_weights`.
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    pub fn forward_weights(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        masks: &Masks<'_>,
    ) -> (Tensor, Tensor) {
        layer!(self, "MultiheadAttention", self.compute_weights(query, key, value, masks))
    }

    #[track_caller]
    fn compute_weights(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        masks: &Masks<'_>,
    ) -> (Tensor, Tensor) {
        let ranks = [query, key, value].map(Tensor::rank);
        if ranks == [2, 2, 2] {
            let axis = isize::from(!self.batch_first);
            let [q, k, v] = [query, key, value].map(|t| t.unsqueeze(axis));
            let padding = masks.padding.map(|mask| mask.unsqueeze(0));
            let (y, weights) =
                self.compute_weights(&q, &k, &v, &Masks { padding: padding.as_ref(), ..*masks });
            return (y.squeeze(axis), weights.squeeze(0));
        }
        self.check(query, key, value);
        let [q, k, v] = self.projected(query, key, value);
        let [k, v] =
            [(&k, &self.bias_k), (&v, &self.bias_v)].map(|(t, more)| self.extended(t, more.as_ref()));
        let more = k.size(1) - key.size(self.steps_axis());
        let (l, s) = (q.size(1), k.size(1));
        let mask = self.mask(masks, [k.size(0), l, s], more, q.dtype());
        let [q, k, v] = [q, k, v].map(|t| self.by_head(&t));
        let options = Attention { mask, causal: masks.causal && more == 0, ..Attention::default() };
        let mut weights = attention::weights(&q, &k, &options);
        if let Some(dropout) = &self.dropout {
            weights = dropout.forward(&weights);
        }
        let y = low(&weights).matmul(low(&v)).transpose(1, 2).flatten(2, 3);
        let y = if self.batch_first { y } else { y.transpose(0, 1) };
        (self.out_proj.forward(&y), weights)
    }

    fn embed(&self) -> usize {
        self.out_proj.weight.size(0)
    }

    fn steps_axis(&self) -> isize {
        isize::from(self.batch_first)
    }

    /// Queries, keys and values `[batch, positions, embed]`.
    #[track_caller]
    fn projected(&self, query: &Tensor, key: &Tensor, value: &Tensor) -> [Tensor; 3] {
        let embed = self.embed();
        let same = |a: &Tensor, b: &Tensor| std::ptr::eq(a, b);
        if let (Some(weight), true) = (&self.in_proj_weight, same(query, key) && same(key, value)) {
            // Self-attention: one product for all three.
            let all = self.sequences_first(linear(query, weight, self.in_proj_bias.as_deref()));
            return [0, 1, 2].map(|k| all.narrow(-1, k * embed, embed));
        }
        [self.projection(0, query), self.projection(1, key), self.projection(2, value)]
    }

    /// `t` by weight and bias `k` of those of queries, keys and values.
    #[track_caller]
    fn projection(&self, k: usize, t: &Tensor) -> Tensor {
        let rows = |packed: &Param| packed.narrow(0, k * self.embed(), self.embed());
        let apart = [&self.q_proj_weight, &self.k_proj_weight, &self.v_proj_weight][k];
        let weight = match (apart, &self.in_proj_weight) {
            (Some(weight), _) => weight.value().clone(),
            (None, packed) => rows(packed.as_ref().expect("weights are packed or apart")),
        };
        let bias = self.in_proj_bias.as_ref().map(rows);
        self.sequences_first(linear(t, &weight, bias.as_ref()))
    }

    #[track_caller]
    fn sequences_first(&self, t: Tensor) -> Tensor {
        if self.batch_first { t } else { t.transpose(0, 1) }
    }

    /// Keys or values with those that come on top.
    #[track_caller]
    fn extended(&self, t: &Tensor, more: Option<&Param>) -> Tensor {
        let mut parts = vec![t.clone()];
        let one = [t.size(0), 1, t.size(2)];
        parts.extend(more.map(|more| low(more).broadcast_to(one)));
        if self.zero {
            parts.push(t.dtype().zeros(one));
        }
        if parts.len() == 1 { t.clone() } else { cat(&parts, 1) }
    }

    /// `[batch, positions, embed]` to `[batch, heads, positions, embed / heads]`.
    #[track_caller]
    fn by_head(&self, t: &Tensor) -> Tensor {
        let (batch, steps, size) = (t.size(0), t.size(1), t.size(2) / self.heads);
        t.reshape([batch, steps, self.heads, size]).transpose(1, 2)
    }

    /// All masks as one, in which true means to attend; `more` keys come after those that they know.
    #[track_caller]
    fn mask(
        &self,
        masks: &Masks<'_>,
        [batch, l, s]: [usize; 3],
        more: usize,
        dtype: DType,
    ) -> Option<Tensor> {
        let known = s - more;
        let (two, three) = ([l, known], [batch * self.heads, l, known]);
        let attention = match masks.attention {
            Some(mask) if mask.shape()[..] == two && is_mask(mask) => Some(mask.clone()),
            Some(mask) if mask.shape()[..] == three && is_mask(mask) => {
                Some(mask.reshape([batch, self.heads, l, known]))
            }
            Some(mask) => wrong_mask(mask, &format!("{two:?} or {three:?}")),
            None => None,
        };
        let padding = match masks.padding {
            Some(mask) if mask.shape()[..] == [batch, known] && is_mask(mask) => {
                Some(mask.reshape([batch, 1, 1, known]))
            }
            Some(mask) => wrong_mask(mask, &format!("[{batch}, {known}]")),
            None => None,
        };
        // Keys on top are open to all, which a causal mask made elsewhere would not know.
        let causal = (masks.causal && more > 0).then(|| Bool.ones([l, known]).triu(1));
        let all = [attention, padding, causal].into_iter().flatten();
        let joined = all.reduce(|a, b| match (a.dtype(), b.dtype()) {
            (Bool, Bool) => a.logical_or(&b),
            _ => added(&a, dtype) + added(&b, dtype),
        })?;
        let widened = if more == 0 {
            joined
        } else {
            let mut shape = joined.shape().to_vec();
            *shape.last_mut().expect("a mask has axes") = more;
            cat(&[joined.clone(), joined.dtype().zeros(shape)], -1)
        };
        Some(if widened.dtype() == Bool { widened.logical_not() } else { widened })
    }

    #[track_caller]
    fn check(&self, query: &Tensor, key: &Tensor, value: &Tensor) {
        let embed = self.embed();
        let width = |packed: &Option<Param>| packed.as_ref().map_or(embed, |weight| weight.size(1));
        let (k, v) = (width(&self.k_proj_weight), width(&self.v_proj_weight));
        let batch = isize::from(!self.batch_first);
        let fits = |t: &Tensor, size: usize| t.rank() == 3 && t.size(-1) == size;
        let each = fits(query, embed) && fits(key, k) && fits(value, v);
        let same = |axis: isize, a: &Tensor, b: &Tensor| a.size(axis) == b.size(axis);
        if !each || !same(batch, query, key) || !same(batch, key, value) || !same(1 - batch, key, value) {
            let given = format!("queries {}, keys {}, values {}", query.shape(), key.shape(), value.shape());
            let (lq, ls) = if self.batch_first { ("batch, L", "batch, S") } else { ("L, batch", "S, batch") };
            let right = format!("[{lq}, {embed}], [{ls}, {k}] and [{ls}, {v}]");
            raise(Error::new(
                NAME,
                ErrorKind::Shape,
                format!("inputs do not fit: {given}; it takes {right}"),
            ));
        }
    }
}

/// A mask as what is added to scores of this type.
#[track_caller]
fn added(mask: &Tensor, dtype: DType) -> Tensor {
    if mask.dtype() == Bool {
        return mask.where_(f64::NEG_INFINITY, dtype.zeros(mask.shape()));
    }
    mask.cast(dtype)
}

fn is_mask(mask: &Tensor) -> bool {
    mask.dtype() == Bool || mask.dtype().is_float()
}

#[track_caller]
fn wrong_mask(mask: &Tensor, right: &str) -> ! {
    let given = format!("{} {}", mask.dtype(), mask.shape());
    let detail = format!("the mask does not fit: {given}; it must be {right}, bool or of floats");
    raise(Error::new(NAME, ErrorKind::Shape, detail))
}
