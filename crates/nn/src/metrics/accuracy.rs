//! How often the right class comes first, or among the first few.

use super::{Metric, at_once, check_state, pairs};
use retrograd_tensor::{Error, ErrorKind, F64, I64, Tensor, raise};

/// The share of samples whose prediction is their label; NaN without samples.
///
/// `predictions` are scores with one more axis than the labels, the classes, at position 1 as in
/// [`cross_entropy`](crate::Losses::cross_entropy), of which the largest counts; or classes themselves.
///
/// ```
/// use retrograd_nn::metrics::accuracy;
/// use retrograd_tensor::Tensor;
/// let scores = Tensor::from([[0.1f32, 0.9], [0.8, 0.2]]);
/// assert_eq!(accuracy(&scores, &Tensor::from([1i64, 1])), 0.5);
/// ```
///
/// # Panics
/// If shapes do not fit.
#[track_caller]
pub fn accuracy(predictions: &Tensor, labels: &Tensor) -> f64 {
    let pairs = pairs("accuracy", predictions, labels);
    let right = pairs.iter().filter(|(predicted, label)| predicted == label).count();
    right as f64 / pairs.len() as f64
}

/// The share of samples whose label is among the `k` classes of the largest scores; NaN without samples.
///
/// `scores` are `[samples, classes]`, labels `[samples]`. Of equal scores that of the lower class counts as the larger,
/// and a label whose own score is NaN is not found.
///
/// ```
/// use retrograd_nn::metrics::top_k_accuracy;
/// use retrograd_tensor::Tensor;
/// let scores = Tensor::from([[0.5f32, 0.2, 0.3], [0.3, 0.4, 0.2]]);
/// assert_eq!(top_k_accuracy(&scores, &Tensor::from([2i64, 2]), 2), 0.5);
/// ```
///
/// Source: scikit-learn's `top_k_accuracy_score`.
///
/// # Panics
/// If shapes do not fit, a label is no class, or `k` is 0.
#[track_caller]
pub fn top_k_accuracy(scores: &Tensor, labels: &Tensor, k: usize) -> f64 {
    at_once(TopK::new(k), scores, labels)
}

/// [`accuracy`](accuracy()) over batches.
///
/// ```
/// use retrograd_nn::metrics::{Accuracy, Metric};
/// use retrograd_tensor::Tensor;
/// let mut metric = Accuracy::new();
/// metric.update(&Tensor::from([0i64, 1]), &Tensor::from([0i64, 0]));
/// metric.update(&Tensor::from([2i64, 1]), &Tensor::from([2i64, 1]));
/// assert_eq!(metric.compute(), 0.75);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Accuracy {
    shares: Shares,
}

impl Accuracy {
    /// No samples yet.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Metric for Accuracy {
    #[track_caller]
    fn update(&mut self, predictions: &Tensor, targets: &Tensor) {
        let pairs = pairs("accuracy", predictions, targets);
        self.shares.add(pairs.iter().filter(|(predicted, label)| predicted == label).count(), pairs.len());
    }

    fn compute(&self) -> f64 {
        self.shares.share()
    }

    fn reset(&mut self) {
        *self = Self::new();
    }

    fn state(&self) -> Vec<f64> {
        self.shares.state()
    }

    fn set_state(&mut self, state: &[f64]) -> Result<(), Error> {
        self.shares.set_state("Accuracy", state)
    }
}

/// [`top_k_accuracy`] over batches.
///
/// ```
/// use retrograd_nn::metrics::{Metric, TopK};
/// use retrograd_tensor::Tensor;
/// let mut metric = TopK::new(2);
/// metric.update(&Tensor::from([[0.5f32, 0.2, 0.3]]), &Tensor::from([2i64]));
/// metric.update(&Tensor::from([[0.3f32, 0.4, 0.2]]), &Tensor::from([2i64]));
/// assert_eq!(metric.compute(), 0.5);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TopK {
    k: usize,
    shares: Shares,
}

impl TopK {
    /// No samples yet; a label counts as found among the first `k`.
    ///
    /// # Panics
    /// If `k` is 0.
    #[track_caller]
    pub fn new(k: usize) -> Self {
        if k == 0 {
            raise(Error::new("TopK", ErrorKind::Value, "value not allowed: k 0; it must be at least 1"));
        }
        Self { k, shares: Shares::default() }
    }
}

impl Metric for TopK {
    #[track_caller]
    fn update(&mut self, predictions: &Tensor, targets: &Tensor) {
        let fits = predictions.rank() == 2 && targets.shape()[..] == predictions.shape()[..1];
        if !fits {
            let detail = format!(
                "shapes do not fit: scores {}, labels {}; it takes [samples, classes] and [samples]",
                predictions.shape(),
                targets.shape()
            );
            raise(Error::new("TopK", ErrorKind::Shape, detail));
        }
        let classes = predictions.size(1);
        let scores = predictions.cast(F64).to_vec::<f64>();
        let labels = targets.cast(I64).to_vec::<i64>();
        if let Some(label) = labels.iter().find(|&&label| label < 0 || label >= classes as i64) {
            let detail = format!("no such class: {label}; classes lie in 0..{classes}");
            raise(Error::new("TopK", ErrorKind::Index, detail));
        }
        let found = labels.iter().enumerate().filter(|&(row, &label)| {
            let (row, label) = (&scores[row * classes..][..classes], label as usize);
            place(row, label) < self.k
        });
        self.shares.add(found.count(), labels.len());
    }

    fn compute(&self) -> f64 {
        self.shares.share()
    }

    fn reset(&mut self) {
        self.shares = Shares::default();
    }

    fn state(&self) -> Vec<f64> {
        self.shares.state()
    }

    fn set_state(&mut self, state: &[f64]) -> Result<(), Error> {
        self.shares.set_state("TopK", state)
    }
}

/// How many classes come before `label`; all of them where its own score is NaN.
fn place(scores: &[f64], label: usize) -> usize {
    let own = scores[label];
    if own.is_nan() {
        return usize::MAX;
    }
    let comes_before =
        |class: usize, score: f64| score > own || score.is_nan() || (score == own && class < label);
    scores.iter().enumerate().filter(|&(class, &score)| comes_before(class, score)).count()
}

/// How many of how many samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Shares {
    right: u64,
    all: u64,
}

impl Shares {
    fn add(&mut self, right: usize, all: usize) {
        self.right += right as u64;
        self.all += all as u64;
    }

    fn share(self) -> f64 {
        self.right as f64 / self.all as f64
    }

    fn state(self) -> Vec<f64> {
        vec![self.right as f64, self.all as f64]
    }

    fn set_state(&mut self, op: &'static str, state: &[f64]) -> Result<(), Error> {
        let &[right, all] = check_state(op, state)?;
        (self.right, self.all) = (right as u64, all as u64);
        Ok(())
    }
}
