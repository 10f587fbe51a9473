//! Precision, recall and their harmonic mean, of one class or averaged over classes.

use super::{ConfusionMatrix, Metric};
use retrograd_tensor::{Error, ErrorKind, Tensor, raise};

/// How the figures of classes become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Average {
    /// Their mean over the classes that occur, as label or as prediction.
    #[default]
    Macro,
    /// That of all decisions counted together; where each sample has one class, this is the accuracy.
    Micro,
    /// Their mean, each class counting as often as it is a label.
    Weighted,
    /// That of one class, as of the positive one of two.
    Class(usize),
}

/// What one class, or several together, come to.
#[derive(Clone, Copy, Default)]
struct Counts {
    /// Of the class, and predicted to be.
    hits: u64,
    predicted: u64,
    labelled: u64,
}

impl Counts {
    fn of(matrix: &ConfusionMatrix, class: usize) -> Self {
        let others = 0..matrix.classes();
        Self {
            hits: matrix.count(class, class),
            predicted: others.clone().map(|label| matrix.count(label, class)).sum(),
            labelled: others.map(|predicted| matrix.count(class, predicted)).sum(),
        }
    }

    fn precision(self) -> f64 {
        ratio(self.hits, self.predicted)
    }

    fn recall(self) -> f64 {
        ratio(self.hits, self.labelled)
    }

    fn f1(self) -> f64 {
        ratio(2 * self.hits, self.predicted + self.labelled)
    }
}

/// The quotient; 0 where there is nothing to divide by, as by default in scikit-learn.
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[track_caller]
fn averaged(op: &'static str, matrix: &ConfusionMatrix, average: Average, figure: fn(Counts) -> f64) -> f64 {
    if matrix.total() == 0 {
        return f64::NAN;
    }
    let counts = (0..matrix.classes()).map(|class| Counts::of(matrix, class));
    match average {
        Average::Class(class) => {
            check_class(op, matrix.classes(), class);
            figure(Counts::of(matrix, class))
        }
        Average::Micro => figure(counts.fold(Counts::default(), |a, b| Counts {
            hits: a.hits + b.hits,
            predicted: a.predicted + b.predicted,
            labelled: a.labelled + b.labelled,
        })),
        Average::Macro => {
            let occur: Vec<Counts> = counts.filter(|c| c.predicted + c.labelled > 0).collect();
            occur.iter().map(|&c| figure(c)).sum::<f64>() / occur.len() as f64
        }
        Average::Weighted => {
            counts.map(|c| figure(c) * c.labelled as f64).sum::<f64>() / matrix.total() as f64
        }
    }
}

#[track_caller]
fn check_class(op: &'static str, classes: usize, class: usize) {
    if class >= classes {
        let detail = format!("no such class: {class}; classes lie in 0..{classes}");
        raise(Error::new(op, ErrorKind::Index, detail));
    }
}

macro_rules! figures {
    ($(#[$doc:meta] $name:ident $function:ident $example:literal $source:literal;)*) => {$(
        #[$doc]
        ///
        /// Predictions are given as in [`accuracy`](super::accuracy()): scores, or classes. Where there is nothing to
        /// divide by the figure of a class is 0; without samples the result is NaN.
        ///
        /// ```
        #[doc = concat!("use retrograd_nn::metrics::{Average, ", stringify!($function), "};")]
        /// use retrograd_tensor::Tensor;
        /// let (predicted, labels) = (Tensor::from([0i64, 1, 1, 0]), Tensor::from([0i64, 1, 0, 0]));
        #[doc = concat!(
            "assert_eq!(", stringify!($function), "(&predicted, &labels, 2, Average::Class(1)), ", $example, ");"
        )]
        /// ```
        ///
        #[doc = concat!("Source: scikit-learn's `", $source, "`, with `zero_division=0`.")]
        ///
        /// # Panics
        /// If shapes do not fit, or a prediction, a label or the class asked for is none of `classes`.
        #[track_caller]
        pub fn $function(predictions: &Tensor, labels: &Tensor, classes: usize, average: Average) -> f64 {
            let matrix = ConfusionMatrix::of(classes, predictions, labels);
            averaged(stringify!($function), &matrix, average, Counts::$function)
        }

        #[doc = concat!("[`", stringify!($function), "`](", stringify!($function), "()) over batches.")]
        ///
        /// ```
        #[doc = concat!("use retrograd_nn::metrics::{Average, Metric, ", stringify!($name), "};")]
        /// use retrograd_tensor::Tensor;
        #[doc = concat!("let mut metric = ", stringify!($name), "::new(2).average(Average::Class(1));")]
        /// metric.update(&Tensor::from([0i64, 1]), &Tensor::from([0i64, 1]));
        /// metric.update(&Tensor::from([1i64, 0]), &Tensor::from([0i64, 0]));
        #[doc = concat!("assert_eq!(metric.compute(), ", $example, ");")]
        /// ```
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            matrix: ConfusionMatrix,
            average: Average,
        }

        impl $name {
            /// No samples yet, of this many classes; the mean over classes is asked for.
            pub fn new(classes: usize) -> Self {
                Self { matrix: ConfusionMatrix::new(classes), average: Average::default() }
            }

            /// The same with the figures of classes made one in this way.
            ///
            /// # Panics
            /// If a class is asked for that there is not.
            #[must_use]
            #[track_caller]
            pub fn average(self, average: Average) -> Self {
                if let Average::Class(class) = average {
                    check_class(stringify!($name), self.matrix.classes(), class);
                }
                Self { average, ..self }
            }

            /// The figure of each class; 0 where there is nothing to divide by.
            pub fn per_class(&self) -> Vec<f64> {
                let classes = 0..self.matrix.classes();
                classes.map(|class| Counts::of(&self.matrix, class).$function()).collect()
            }

            /// The counts that the figures are made of.
            pub fn matrix(&self) -> &ConfusionMatrix {
                &self.matrix
            }
        }

        impl Metric for $name {
            #[track_caller]
            fn update(&mut self, predictions: &Tensor, targets: &Tensor) {
                self.matrix.add(predictions, targets);
            }

            fn compute(&self) -> f64 {
                averaged(stringify!($name), &self.matrix, self.average, Counts::$function)
            }

            fn reset(&mut self) {
                self.matrix = ConfusionMatrix::new(self.matrix.classes());
            }

            fn state(&self) -> Vec<f64> {
                self.matrix.counts().iter().map(|&count| count as f64).collect()
            }

            fn set_state(&mut self, state: &[f64]) -> Result<(), Error> {
                if self.matrix.set_counts(state.iter().map(|&count| count as u64).collect()) {
                    return Ok(());
                }
                let (given, takes) = (state.len(), self.matrix.counts().len());
                let detail = format!("state does not fit: {given} numbers; it takes {takes}");
                Err(Error::new(stringify!($name), ErrorKind::Format, detail))
            }
        }
    )*};
}

figures! {
    /// Of the samples predicted to be of a class, the share that are.
    Precision precision "0.5" "precision_score";
    /// Of the samples of a class, the share that were predicted to be.
    Recall recall "1.0" "recall_score";
    /// The harmonic mean of precision and recall.
    F1 f1 "2.0 / 3.0" "f1_score";
}
