//! How good a classifier is: accuracy and the confusion matrix.
//!
//! Metrics read elements and count; nothing here is tracked or lazy.

use retrograd_tensor::{Error, ErrorKind, I64, Tensor, raise};
use std::fmt;

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

/// How often each class was taken for each.
///
/// It prints as a table: a row for each class, a column for each prediction.
///
/// ```
/// use retrograd_nn::metrics::ConfusionMatrix;
/// use retrograd_tensor::Tensor;
/// let (predicted, labels) = (Tensor::from([0i64, 1, 1]), Tensor::from([0i64, 1, 0]));
/// let matrix = ConfusionMatrix::of(2, &predicted, &labels);
/// assert_eq!(matrix.count(0, 1), 1);
/// assert_eq!(matrix.recall(0), 0.5);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    classes: usize,
    /// Rows are labels, columns predictions.
    counts: Vec<u64>,
}

impl ConfusionMatrix {
    /// No samples yet, of this many classes.
    pub fn new(classes: usize) -> Self {
        Self { classes, counts: vec![0; classes * classes] }
    }

    /// That of these predictions, given as in [`accuracy`].
    ///
    /// # Panics
    /// If shapes do not fit, or a prediction or label is no class.
    #[track_caller]
    pub fn of(classes: usize, predictions: &Tensor, labels: &Tensor) -> Self {
        let mut matrix = Self::new(classes);
        matrix.add(predictions, labels);
        matrix
    }

    /// Counts more samples.
    ///
    /// # Panics
    /// If shapes do not fit, or a prediction or label is no class.
    #[track_caller]
    pub fn add(&mut self, predictions: &Tensor, labels: &Tensor) {
        for (predicted, label) in pairs("ConfusionMatrix", predictions, labels) {
            let (row, column) = (self.class(label), self.class(predicted));
            self.counts[row * self.classes + column] += 1;
        }
    }

    #[track_caller]
    fn class(&self, value: i64) -> usize {
        match usize::try_from(value) {
            Ok(class) if class < self.classes => class,
            _ => {
                let detail = format!("no such class: {value}; classes lie in 0..{}", self.classes);
                raise(Error::new("ConfusionMatrix", ErrorKind::Index, detail))
            }
        }
    }

    /// How many samples of class `label` were predicted to be `predicted`.
    pub fn count(&self, label: usize, predicted: usize) -> u64 {
        self.counts[label * self.classes + predicted]
    }

    /// The number of samples.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The share of samples on the diagonal.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.classes).map(|class| self.count(class, class)).sum();
        right as f64 / self.total() as f64
    }

    /// Of the samples predicted to be `class`, the share that are; NaN if there are none.
    pub fn precision(&self, class: usize) -> f64 {
        let predicted: u64 = (0..self.classes).map(|label| self.count(label, class)).sum();
        self.count(class, class) as f64 / predicted as f64
    }

    /// Of the samples of `class`, the share that were predicted to be; NaN if there are none.
    pub fn recall(&self, class: usize) -> f64 {
        let labelled: u64 = (0..self.classes).map(|predicted| self.count(class, predicted)).sum();
        self.count(class, class) as f64 / labelled as f64
    }
}

impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = |n: u64| n.to_string().len();
        let largest = self.counts.iter().copied().max().unwrap_or(0).max(self.classes as u64);
        let width = digits(largest).max(2);
        write!(f, "label \\ predicted")?;
        (0..self.classes).try_for_each(|class| write!(f, " {class:>width$}"))?;
        writeln!(f, "  recall")?;
        for label in 0..self.classes {
            write!(f, "{label:>17}")?;
            for predicted in 0..self.classes {
                match self.count(label, predicted) {
                    0 => write!(f, " {:>width$}", ".")?,
                    count => write!(f, " {count:>width$}")?,
                }
            }
            writeln!(f, "  {:>6.3}", self.recall(label))?;
        }
        Ok(())
    }
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
