//! Rows of a table by number.

use super::passes_on;
use crate::functional::Functional;
use crate::init;
use crate::param::Param;
use crate::summary::layer;
use retrograd_autograd::Differentiate;
use retrograd_nn_derive::Module;
use retrograd_tensor::{Error, ErrorKind, Rng, Tensor, raise};

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
}

impl Embedding {
    /// A table of `count` rows of `dim` numbers.
    #[track_caller]
    pub fn new(count: usize, dim: usize, rng: &mut Rng) -> Self {
        Self { weight: Param::new(init::normal([count, dim], 0.0, 1.0, rng)), padding: None }
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
        Self { weight: Param::new(weight), padding: Some(index) }
    }

    /// The rows of `ids`: [`Functional::embedding`].
    ///
    /// # Panics
    /// If `ids` are not integers that are rows of the table.
    #[track_caller]
    pub fn forward(&self, ids: &Tensor) -> Tensor {
        layer!(self, "Embedding", self.weight.embedding(ids, self.padding))
    }
}

passes_on!(Embedding);
