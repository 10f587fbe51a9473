//! How far predicted numbers are from what they should be.

use super::{Metric, at_once, check_state, numbers};
use retrograd_tensor::{Error, Tensor};

macro_rules! means {
    ($(#[$doc:meta] $name:ident $function:ident $of:expr, $then:expr, $example:literal $source:literal;)*) => {$(
        #[$doc]
        ///
        /// Over all elements of predictions and targets, which are of one shape; NaN without any.
        ///
        /// ```
        #[doc = concat!("use retrograd_nn::metrics::", stringify!($function), ";")]
        /// use retrograd_tensor::Tensor;
        /// let (predicted, targets) = (Tensor::from([1.0f32, 5.0]), Tensor::from([1.0f32, 3.0]));
        #[doc = concat!("assert_eq!(", stringify!($function), "(&predicted, &targets), ", $example, ");")]
        /// ```
        ///
        #[doc = concat!("Source: scikit-learn's `", $source, "`.")]
        ///
        /// # Panics
        /// If shapes differ.
        #[track_caller]
        pub fn $function(predictions: &Tensor, targets: &Tensor) -> f64 {
            at_once($name::new(), predictions, targets)
        }

        #[doc = concat!("[`", stringify!($function), "`](", stringify!($function), "()) over batches.")]
        ///
        /// ```
        #[doc = concat!("use retrograd_nn::metrics::{Metric, ", stringify!($name), "};")]
        /// use retrograd_tensor::Tensor;
        #[doc = concat!("let mut metric = ", stringify!($name), "::new();")]
        /// metric.update(&Tensor::from([1.0f32]), &Tensor::from([1.0f32]));
        /// metric.update(&Tensor::from([5.0f32]), &Tensor::from([3.0f32]));
        #[doc = concat!("assert_eq!(metric.compute(), ", $example, ");")]
        /// ```
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            sum: f64,
            count: f64,
        }

        impl $name {
            /// No elements yet.
            pub fn new() -> Self {
                Self::default()
            }
        }

        impl Metric for $name {
            #[track_caller]
            fn update(&mut self, predictions: &Tensor, targets: &Tensor) {
                let (predicted, targets) = numbers(stringify!($function), predictions, targets);
                self.count += targets.len() as f64;
                let of: fn(f64) -> f64 = $of;
                self.sum += predicted.iter().zip(&targets).map(|(p, t)| of(p - t)).sum::<f64>();
            }

            fn compute(&self) -> f64 {
                let then: fn(f64) -> f64 = $then;
                then(self.sum / self.count)
            }

            fn reset(&mut self) {
                *self = Self::new();
            }

            fn state(&self) -> Vec<f64> {
                vec![self.sum, self.count]
            }

            fn set_state(&mut self, state: &[f64]) -> Result<(), Error> {
                let &[sum, count] = check_state(stringify!($name), state)?;
                *self = Self { sum, count };
                Ok(())
            }
        }
    )*};
}

means! {
    /// The mean absolute error.
    Mae mae |d| d.abs(), |mean| mean, "1.0" "mean_absolute_error";
    /// The mean squared error.
    Mse mse |d| d * d, |mean| mean, "2.0" "mean_squared_error";
    /// The root of the mean squared error.
    Rmse rmse |d| d * d, |mean| mean.sqrt(), "2f64.sqrt()" "root_mean_squared_error";
}

/// The coefficient of determination R²: the share of the targets' variance that predictions explain.
///
/// Over all elements of predictions and targets, which are of one shape, as one set of numbers; NaN with fewer than
/// two. Where all targets are equal it is 1 for exact predictions and 0 for others.
///
/// ```
/// use retrograd_nn::metrics::r2;
/// use retrograd_tensor::Tensor;
/// let (predicted, targets) = (Tensor::from([1.0f32, 2.0, 4.0]), Tensor::from([1.0f32, 2.0, 3.0]));
/// assert_eq!(r2(&predicted, &targets), 0.5);
/// ```
///
/// Source: scikit-learn's `r2_score`.
///
/// # Panics
/// If shapes differ.
#[track_caller]
pub fn r2(predictions: &Tensor, targets: &Tensor) -> f64 {
    at_once(R2::new(), predictions, targets)
}

/// [`r2`](r2()) over batches.
///
/// ```
/// use retrograd_nn::metrics::{Metric, R2};
/// use retrograd_tensor::Tensor;
/// let mut metric = R2::new();
/// metric.update(&Tensor::from([1.0f32, 2.0]), &Tensor::from([1.0f32, 2.0]));
/// metric.update(&Tensor::from([4.0f32]), &Tensor::from([3.0f32]));
/// assert_eq!(metric.compute(), 0.5);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct R2 {
    count: f64,
    mean: f64,
    /// The sum of squared distances of targets from their mean.
    spread: f64,
    /// The sum of squared errors.
    errors: f64,
}

impl R2 {
    /// No elements yet.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Metric for R2 {
    #[track_caller]
    fn update(&mut self, predictions: &Tensor, targets: &Tensor) {
        let (predicted, targets) = numbers("r2", predictions, targets);
        for (p, t) in predicted.iter().zip(&targets) {
            // Welford, 1962: no difference of large sums.
            self.count += 1.0;
            let before = t - self.mean;
            self.mean += before / self.count;
            self.spread += before * (t - self.mean);
            self.errors += (p - t) * (p - t);
        }
    }

    fn compute(&self) -> f64 {
        if self.count < 2.0 {
            return f64::NAN;
        }
        match (self.spread == 0.0, self.errors == 0.0) {
            (true, true) => 1.0,
            (true, false) => 0.0,
            _ => 1.0 - self.errors / self.spread,
        }
    }

    fn reset(&mut self) {
        *self = Self::new();
    }

    fn state(&self) -> Vec<f64> {
        vec![self.count, self.mean, self.spread, self.errors]
    }

    fn set_state(&mut self, state: &[f64]) -> Result<(), Error> {
        let &[count, mean, spread, errors] = check_state("R2", state)?;
        *self = Self { count, mean, spread, errors };
        Ok(())
    }
}
