//! Perplexity: how many equally likely tokens a language model hesitates between.

use super::{Metric, at_once, check_state};
use crate::functional::loss::{CrossEntropy, Losses, Reduction};
use retrograd_tensor::{Error, F64, I64, Tensor, no_grad};

/// The exponential of the mean cross-entropy of `logits` against `labels`, in `f64`; NaN without labels.
///
/// Shapes are those of [`cross_entropy`](Losses::cross_entropy): the classes are axis 1 of the logits, or the only one.
///
/// ```
/// use retrograd_nn::metrics::perplexity;
/// use retrograd_tensor::Tensor;
/// let undecided = Tensor::zeros([2, 5]);
/// assert!((perplexity(&undecided, &Tensor::from([0i64, 3])) - 5.0).abs() < 1e-12);
/// ```
///
/// Labels of -100 do not count, as in the loss.
///
/// Source: torcheval's `Perplexity`, but for the axis of the classes.
///
/// # Panics
/// If shapes do not fit, or a label is no class.
#[track_caller]
pub fn perplexity(logits: &Tensor, labels: &Tensor) -> f64 {
    at_once(Perplexity::new(), logits, labels)
}

/// [`perplexity`](perplexity()) over batches.
///
/// ```
/// use retrograd_nn::metrics::{Metric, Perplexity};
/// use retrograd_tensor::Tensor;
/// let mut metric = Perplexity::new().ignore_index(-1);
/// metric.update(&Tensor::zeros([1, 4]), &Tensor::from([2i64]));
/// metric.update(&Tensor::zeros([1, 4]), &Tensor::from([-1i64]));
/// assert!((metric.compute() - 4.0).abs() < 1e-12);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Perplexity {
    ignore_index: i64,
    sum: f64,
    count: f64,
}

impl Default for Perplexity {
    fn default() -> Self {
        Self::new()
    }
}

impl Perplexity {
    /// No labels yet.
    pub fn new() -> Self {
        Self { ignore_index: -100, sum: 0.0, count: 0.0 }
    }

    /// The same where labels of this value, -100 at first, do not count, as of padding.
    #[must_use]
    pub fn ignore_index(self, label: i64) -> Self {
        Self { ignore_index: label, ..self }
    }
}

impl Metric for Perplexity {
    #[track_caller]
    fn update(&mut self, predictions: &Tensor, targets: &Tensor) {
        let kept = targets.cast(I64).to_vec::<i64>();
        let kept = kept.iter().filter(|&&label| label != self.ignore_index).count();
        if kept == 0 {
            return;
        }
        let ignore_index = self.ignore_index;
        let options = CrossEntropy { ignore_index, reduction: Reduction::Sum, ..CrossEntropy::default() };
        self.sum += no_grad(|| predictions.cast(F64)).cross_entropy_with(targets, options).item();
        self.count += kept as f64;
    }

    fn compute(&self) -> f64 {
        (self.sum / self.count).exp()
    }

    fn reset(&mut self) {
        (self.sum, self.count) = (0.0, 0.0);
    }

    fn state(&self) -> Vec<f64> {
        vec![self.sum, self.count]
    }

    fn set_state(&mut self, state: &[f64]) -> Result<(), Error> {
        let &[sum, count] = check_state("Perplexity", state)?;
        (self.sum, self.count) = (sum, count);
        Ok(())
    }
}
