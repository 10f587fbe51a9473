//! Scaled dot-product attention, as a formula: scores, softmax, weighted values.

use crate::autocast::{high, low};
use retrograd_tensor::{Bool, Error, ErrorKind, I64, Tensor, raise};

/// Options of [`Functional::scaled_dot_product_attention`](super::Functional::scaled_dot_product_attention).
#[derive(Clone, Debug, Default)]
pub struct Attention {
    /// What may be attended to, broadcast to `[.., L, S]`: bool, true where it may, or floats that are added to the
    /// scores.
    pub mask: Option<Tensor>,
    /// Whether query i attends to keys up to i only; together with a mask, both hold.
    pub causal: bool,
    /// The factor of the scores, if it is not 1 / sqrt(E).
    pub scale: Option<f64>,
    /// Whether the third last axis, the heads, may be smaller for keys and values, each of which then serves a group
    /// of query heads that lie side by side: PyTorch's `enable_gqa`.
    pub grouped: bool,
}

const OP: &str = "scaled_dot_product_attention";

#[track_caller]
pub(super) fn attention(q: &Tensor, k: &Tensor, v: &Tensor, options: &Attention) -> Tensor {
    check(q, k, v);
    let (k, v) = if options.grouped { (shared(q, k), shared(q, v)) } else { (k.clone(), v.clone()) };
    low(&weights(q, &k, options)).matmul(low(&v))
}

/// How much each query attends to each key: `[.., L, S]`, of sum 1 over the keys.
#[track_caller]
pub(crate) fn weights(q: &Tensor, k: &Tensor, options: &Attention) -> Tensor {
    let scale = options.scale.unwrap_or(1.0 / (q.size(-1) as f64).sqrt());
    // On both factors, so that half types do not overflow between.
    let (sign, root) = (scale.signum(), scale.abs().sqrt());
    let (q, k) = (&low(q), &low(k));
    let mut scores = high(&(q * (sign * root)).matmul((k * root).mt()));
    let (l, s) = (q.size(-2), k.size(-2));
    if options.causal {
        let (rows, columns) = (I64.arange(0, l, 1).reshape([-1, 1]), I64.arange(0, s, 1));
        scores = columns.gt(rows).where_(f64::NEG_INFINITY, scores);
    }
    let Some(mask) = &options.mask else {
        return scores.softmax(-1);
    };
    scores = match mask.dtype() {
        Bool => mask.where_(scores, f64::NEG_INFINITY),
        dtype if dtype.is_float() => {
            let mask = mask.cast_as(&scores);
            scores + mask
        }
        dtype => {
            let detail = format!("the mask is {dtype}; it must be bool, true where to attend, or floats");
            raise(Error::new(OP, ErrorKind::Dtype, detail))
        }
    };
    // Without a key left there is no softmax, but NaN.
    let dead = scores.amax_keepdim(-1).eq(f64::NEG_INFINITY);
    dead.where_(0.0, dead.where_(0.0, scores).softmax(-1))
}

/// Heads of keys or values repeated for the query heads that share them.
#[track_caller]
fn shared(q: &Tensor, t: &Tensor) -> Tensor {
    let heads = |t: &Tensor| if t.rank() < 3 { 1 } else { t.size(-3) };
    let (many, few) = (heads(q), heads(t));
    if few == 0 || many % few != 0 {
        let given = format!("{many} query heads in shape {}, {few} in shape {}", q.shape(), t.shape());
        let right = "their number must be a multiple";
        raise(Error::new(OP, ErrorKind::Shape, format!("heads do not fit: {given}; {right}")));
    }
    if many == few { t.clone() } else { t.repeat_interleave(many / few, -3) }
}

#[track_caller]
fn check(q: &Tensor, k: &Tensor, v: &Tensor) {
    let fits =
        q.rank().min(k.rank()).min(v.rank()) >= 2 && q.size(-1) == k.size(-1) && k.size(-2) == v.size(-2);
    if !fits {
        let given = format!("queries {}, keys {}, values {}", q.shape(), k.shape(), v.shape());
        let right = "[.., L, E], [.., S, E] and [.., S, V]";
        raise(Error::new(OP, ErrorKind::Shape, format!("shapes do not fit: {given}; they must be {right}")));
    }
}
