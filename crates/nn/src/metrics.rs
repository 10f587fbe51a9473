//! How good a model is: shares of right classes, precision and recall, the ROC curve, distances, perplexity.
//!
//! A plain function takes all predictions at once; a struct takes them batch by batch: [`Metric::update`],
//! [`compute`](Metric::compute), [`reset`](Metric::reset). Metrics read elements and count; nothing here is tracked or
//! lazy, and all arithmetic is in `f64`.
//!
//! | | functions | over batches |
//! |---|---|---|
//! | classes | [`accuracy()`], [`top_k_accuracy`] | [`Accuracy`], [`TopK`] |
//! | which classes | [`precision()`], [`recall`], [`f1`] | [`Precision`], [`Recall`], [`F1`], [`ConfusionMatrix`] |
//! | scores of two classes | [`roc_auc`] | [`RocAuc`] |
//! | numbers | [`mae`], [`mse`], [`rmse`], [`r2`] | [`Mae`], [`Mse`], [`Rmse`], [`R2`] |
//! | text | [`perplexity()`] | [`Perplexity`] |

mod accuracy;
mod confusion;
mod perplexity;
mod precision;
mod regress;
mod roc;

use retrograd_tensor::{Error, ErrorKind, I64, Tensor, raise};

pub use accuracy::{Accuracy, TopK, accuracy, top_k_accuracy};
pub use confusion::ConfusionMatrix;
pub use perplexity::{Perplexity, perplexity};
pub use precision::{Average, F1, Precision, Recall, f1, precision, recall};
pub use regress::{Mae, Mse, R2, Rmse, mae, mse, r2, rmse};
pub use roc::{RocAuc, roc_auc};

/// A figure that is gathered batch by batch.
///
/// What has been gathered can be taken out and put back, so that a run that was interrupted within an epoch goes on
/// counting where it was.
///
/// ```
/// use retrograd_nn::metrics::{Mae, Metric};
/// use retrograd_tensor::Tensor;
/// let mut metric = Mae::new();
/// metric.update(&Tensor::from([1.0f32, 2.0]), &Tensor::from([1.0f32, 4.0]));
/// let mut other = Mae::new();
/// other.set_state(&metric.state())?;
/// assert_eq!((metric.compute(), other.compute()), (1.0, 1.0));
/// metric.reset();
/// assert!(metric.compute().is_nan());
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
pub trait Metric {
    /// Counts a batch of predictions with what they should be.
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    fn update(&mut self, predictions: &Tensor, targets: &Tensor);

    /// The figure for everything since the beginning or the last [`reset`](Metric::reset); NaN if it has none.
    fn compute(&self) -> f64;

    /// Forgets everything that was counted.
    fn reset(&mut self);

    /// What was counted.
    fn state(&self) -> Vec<f64>;

    /// Goes on from what [`state`](Metric::state) gave.
    ///
    /// # Errors
    /// If these are not the numbers of this metric; nothing is changed then.
    fn set_state(&mut self, state: &[f64]) -> Result<(), Error>;
}

/// The figure of all predictions at once.
#[track_caller]
fn at_once(mut metric: impl Metric, predictions: &Tensor, targets: &Tensor) -> f64 {
    metric.update(predictions, targets);
    metric.compute()
}

/// The `N` numbers of a metric's state.
fn check_state<'s, const N: usize>(op: &'static str, state: &'s [f64]) -> Result<&'s [f64; N], Error> {
    state.try_into().map_err(|_| {
        let detail = format!("state does not fit: {} numbers; it takes {N}", state.len());
        Error::new(op, ErrorKind::Format, detail)
    })
}

/// Predictions and targets as numbers, one for each element.
#[track_caller]
fn numbers(op: &'static str, predictions: &Tensor, targets: &Tensor) -> (Vec<f64>, Vec<f64>) {
    if predictions.shape()[..] != targets.shape()[..] {
        let detail = format!(
            "shapes do not fit: predictions {}, targets {}; each prediction has one target",
            predictions.shape(),
            targets.shape()
        );
        raise(Error::new(op, ErrorKind::Shape, detail));
    }
    let read = |t: &Tensor| t.cast(retrograd_tensor::F64).to_vec::<f64>();
    (read(predictions), read(targets))
}

/// Predicted class and label of each sample.
#[track_caller]
fn pairs(op: &'static str, predictions: &Tensor, labels: &Tensor) -> Vec<(i64, i64)> {
    let classes = if predictions.rank() == labels.rank() + 1 {
        predictions.argmax(if labels.rank() == 0 { 0 } else { 1 })
    } else {
        predictions.clone()
    };
    if classes.shape()[..] != labels.shape()[..] {
        let (given, wanted) = (&predictions.shape()[..], &labels.shape()[..]);
        let detail = format!(
            "shapes do not fit: predictions {given:?}, labels {wanted:?}; \
             each label has one score per class, or one class"
        );
        raise(Error::new(op, ErrorKind::Shape, detail));
    }
    let classes = classes.cast(I64).to_vec::<i64>();
    classes.into_iter().zip(labels.cast(I64).to_vec::<i64>()).collect()
}
