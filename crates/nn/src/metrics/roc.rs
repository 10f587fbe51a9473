//! The area under the ROC curve.

use super::{Metric, at_once, numbers};
use retrograd_tensor::{Error, ErrorKind, Tensor, raise};

/// The area under the ROC curve: the probability that a sample of the positive class has a larger score than one of the
/// negative class, equal scores counting one half.
///
/// `scores` and `labels` are of one shape; labels are 0 or 1, or bools. NaN if there is only one class, or a score is
/// NaN.
///
/// ```
/// use retrograd_nn::metrics::roc_auc;
/// use retrograd_tensor::Tensor;
/// let (scores, labels) = (Tensor::from([0.1f32, 0.4, 0.4, 0.8]), Tensor::from([0i64, 0, 1, 1]));
/// assert_eq!(roc_auc(&scores, &labels), 0.875);
/// ```
///
/// Source: scikit-learn's `roc_auc_score`; computed by ranks, as the statistic of Mann and Whitney, 1947.
///
/// # Panics
/// If shapes differ, or a label is neither 0 nor 1.
#[track_caller]
pub fn roc_auc(scores: &Tensor, labels: &Tensor) -> f64 {
    at_once(RocAuc::new(), scores, labels)
}

/// [`roc_auc`] over batches; it keeps all scores.
///
/// ```
/// use retrograd_nn::metrics::{Metric, RocAuc};
/// use retrograd_tensor::Tensor;
/// let mut metric = RocAuc::new();
/// metric.update(&Tensor::from([0.1f32, 0.4]), &Tensor::from([0i64, 0]));
/// metric.update(&Tensor::from([0.35f32, 0.8]), &Tensor::from([1i64, 1]));
/// assert_eq!(metric.compute(), 0.75);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RocAuc {
    scored: Vec<(f64, bool)>,
}

impl RocAuc {
    /// No samples yet.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Metric for RocAuc {
    #[track_caller]
    fn update(&mut self, predictions: &Tensor, targets: &Tensor) {
        let (scores, labels) = numbers("roc_auc", predictions, targets);
        if let Some(label) = labels.iter().find(|&&label| label != 0.0 && label != 1.0) {
            let detail = format!("value not allowed: label {label}; there are two classes, 0 and 1");
            raise(Error::new("roc_auc", ErrorKind::Value, detail));
        }
        self.scored.extend(scores.into_iter().zip(labels.iter().map(|&label| label == 1.0)));
    }

    fn compute(&self) -> f64 {
        if self.scored.iter().any(|(score, _)| score.is_nan()) {
            return f64::NAN;
        }
        let mut sorted = self.scored.clone();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Pairs in which the positive sample has the larger score, times 2: equal scores count 1.
        let (mut won, mut negatives, mut positives) = (0u128, 0u128, 0u128);
        for equal in sorted.chunk_by(|a, b| a.0 == b.0) {
            let here = equal.iter().filter(|(_, positive)| *positive).count() as u128;
            let others = equal.len() as u128 - here;
            won += here * (2 * negatives + others);
            (positives, negatives) = (positives + here, negatives + others);
        }
        won as f64 / (2 * positives * negatives) as f64
    }

    fn reset(&mut self) {
        self.scored.clear();
    }

    fn state(&self) -> Vec<f64> {
        self.scored.iter().flat_map(|&(score, positive)| [score, f64::from(u8::from(positive))]).collect()
    }

    fn set_state(&mut self, state: &[f64]) -> Result<(), Error> {
        let (pairs, rest) = state.as_chunks::<2>();
        if !rest.is_empty() || pairs.iter().any(|[_, label]| *label != 0.0 && *label != 1.0) {
            let detail = format!("state does not fit: {} numbers; it takes scores with labels", state.len());
            return Err(Error::new("RocAuc", ErrorKind::Format, detail));
        }
        self.scored = pairs.iter().map(|&[score, label]| (score, label == 1.0)).collect();
        Ok(())
    }
}
