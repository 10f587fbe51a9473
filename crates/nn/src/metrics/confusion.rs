//! The confusion matrix: what each class was taken for.

use super::pairs;
use retrograd_tensor::{Error, ErrorKind, Tensor, raise};
use std::fmt;

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

    /// That of these predictions, given as in [`accuracy`](super::accuracy()).
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

    /// All counts, row by row.
    pub(super) fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The matrix of these counts, if they are as many as it has.
    pub(super) fn set_counts(&mut self, counts: Vec<u64>) -> bool {
        let fits = counts.len() == self.counts.len();
        if fits {
            self.counts = counts;
        }
        fits
    }

    /// The number of classes.
    ///
    /// ```
    /// use retrograd_nn::metrics::ConfusionMatrix;
    /// assert_eq!(ConfusionMatrix::new(3).classes(), 3);
    /// ```
    pub fn classes(&self) -> usize {
        self.classes
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
