//! Rows of a table by number.

use super::passes_on;
use crate::functional::Functional;
use crate::init;
use crate::param::Param;
use crate::summary::layer;
use retrograd_autograd::{Differentiate, Tap, with_vjp};
use retrograd_nn_derive::Module;
use retrograd_tensor::{Error, ErrorKind, Rng, Tensor, no_grad, raise};

/// The rows of a table for integers of any shape: `[..]` to `[.., dim]`.
///
/// In state dicts: `weight` `[count, dim]`, which begins standard normal.
///
/// ```
/// use retrograd_nn::Embedding;
/// use retrograd_tensor::{Rng, Tensor};
/// let table = Embedding::new(7, 2, &mut Rng::new(0)).padding(0);
/// let y = table.forward(&Tensor::from([[0i64, 3, 6]]));
/// assert_eq!(y.shape()[..], [1, 3, 2]);
/// assert_eq!(y.to_vec::<f32>()[..2], [0.0, 0.0]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct Embedding {
    /// The table `[count, dim]`.
    pub weight: Param,
    padding: Option<usize>,
    max_norm: Option<f64>,
    norm_type: f64,
    by_frequency: bool,
}

impl Embedding {
    /// A table of `count` rows of `dim` numbers.
    #[track_caller]
    pub fn new(count: usize, dim: usize, rng: &mut Rng) -> Self {
        let weight = Param::new(init::normal([count, dim], 0.0, 1.0, rng));
        Self { weight, padding: None, max_norm: None, norm_type: 2.0, by_frequency: false }
    }

    /// The same with row `index` for padding: it begins as zeros and gets no gradient.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    #[track_caller]
    pub fn padding(self, index: usize) -> Self {
        let count = self.weight.size(0);
        if index >= count {
            let detail = format!("no such row: {index} of {count}; the padding index must be below {count}");
            raise(Error::new("Embedding", ErrorKind::Index, detail));
        }
        let kept = Tensor::from((0..count).map(|row| row != index).collect::<Vec<_>>()).unsqueeze(1);
        let weight = kept.where_(self.weight.value().detach(), 0.0);
        Self { weight: Param::new(weight), padding: Some(index), ..self }
    }

    /// The same with rows no longer than this, in a norm that [`norm_type`](Self::norm_type) says: a longer one is scaled
    /// down when it is looked up, as [`Tensor::renorm`] does. Gradients are those of the scaled rows themselves, as if the
    /// table had held them.
    ///
    /// PyTorch's layer changes its table too, whenever it is called. Here a parameter changes through `&mut` alone:
    /// [`renormalize`](Self::renormalize) before the call does the same.
    ///
    /// # Panics
    /// If it is not positive and finite.
    #[must_use]
    #[track_caller]
    pub fn max_norm(self, max_norm: f64) -> Self {
        check("max_norm", max_norm, max_norm > 0.0 && max_norm.is_finite(), "it is positive and finite");
        Self { max_norm: Some(max_norm), ..self }
    }

    /// The same with lengths in the norm of this order; 2 at first.
    ///
    /// # Panics
    /// If it is not positive.
    #[must_use]
    #[track_caller]
    pub fn norm_type(self, p: f64) -> Self {
        check("norm_type", p, p > 0.0, "it is positive");
        Self { norm_type: p, ..self }
    }

    /// The same with the gradient of each row divided by how often a call looks it up. PyTorch's `scale_grad_by_freq`.
    ///
    /// ```
    /// use retrograd_autograd::Differentiate;
    /// use retrograd_nn::Embedding;
    /// use retrograd_tensor::{Rng, Tensor};
    /// let table = Embedding::new(3, 1, &mut Rng::new(0)).scale_grad_by_freq();
    /// let grads = table.forward(&Tensor::from([0i64, 2, 2, 2, 2])).sum(()).backward();
    /// assert_eq!(grads[&table.weight].to_vec::<f32>(), [1.0, 0.0, 1.0]);
    /// ```
    #[must_use]
    pub fn scale_grad_by_freq(self) -> Self {
        Self { by_frequency: true, ..self }
    }

    /// Scales the rows of `ids` down to [`max_norm`](Self::max_norm) in the table itself, without record: what PyTorch's
    /// layer does at the beginning of each call. It changes nothing without a `max_norm`.
    ///
    /// ```
    /// use retrograd_nn::{Embedding, Module};
    /// use retrograd_tensor::{Rng, Tensor};
    /// let mut table = Embedding::new(2, 2, &mut Rng::new(0)).max_norm(1.0);
    /// drop(table.weight.replace(&Tensor::from([[3.0f32, 4.0], [3.0, 4.0]])));
    /// table.renormalize(&Tensor::from([[1i64, 1]]));
    /// let lengths = table.weight.vector_norm(2.0, 1).to_vec::<f32>();
    /// assert!(lengths[0] == 5.0 && (lengths[1] - 1.0).abs() < 1e-6);
    /// ```
    ///
    /// # Panics
    /// If `ids` are not integers that are rows of the table.
    #[track_caller]
    pub fn renormalize(&mut self, ids: &Tensor) {
        let Some(max) = self.max_norm else { return };
        let (list, table) = (ids.reshape(-1), self.weight.value().detach());
        let rows = self.weight.embedding(&list, None).detach().renorm(self.norm_type, 0, max);
        drop(self.weight.replace(&table.index_copy(0, &list, &rows)));
    }

    /// The rows of `ids`: [`Functional::embedding`].
    ///
    /// # Panics
    /// If `ids` are not integers that are rows of the table.
    #[track_caller]
    pub fn forward(&self, ids: &Tensor) -> Tensor {
        layer!(self, "Embedding", {
            let mut rows = self.weight.embedding(ids, self.padding);
            if self.by_frequency {
                let counts = no_grad(|| self.counts(ids));
                rows = rows.tap(move |g| g / counts.cast(g.dtype()));
            }
            match self.max_norm {
                Some(max) => shortened(&rows, self.norm_type, max),
                None => rows,
            }
        })
    }

    /// For each of `ids` how often it is there, with a last axis for the elements of its row.
    fn counts(&self, ids: &Tensor) -> Tensor {
        let list = ids.reshape(-1);
        let counts = Tensor::zeros([self.weight.size(0)]).index_add(0, &list, &Tensor::ones([list.numel()]));
        counts.index_select(0, &list).reshape(ids.shape()).unsqueeze(-1)
    }
}

/// Rows no longer than `max`; gradients pass as they are.
#[track_caller]
fn shortened(rows: &Tensor, p: f64, max: f64) -> Tensor {
    let short = move |x: &[Tensor]| {
        let flat = x[0].reshape([x[0].numel() / x[0].size(-1).max(1), x[0].size(-1)]);
        flat.renorm(p, 0, max).reshape(x[0].shape())
    };
    with_vjp(&[rows], short, |_, _, g| vec![g.clone()])
}

#[track_caller]
fn check(name: &str, given: f64, ok: bool, right: &str) {
    if !ok {
        let detail = format!("{name} not allowed: {given}; {right}");
        raise(Error::new("Embedding", ErrorKind::Value, detail));
    }
}

passes_on!(Embedding);
