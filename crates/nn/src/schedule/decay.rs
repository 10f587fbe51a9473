//! Schedules that fall, or rise, once.

use super::{Schedule, check};
use std::sync::{Mutex, PoisonError};

/// base · γ^⌊t / size⌋: PyTorch's `StepLR`.
///
/// ```
/// use retrograd_nn::schedule::{Schedule, StepLr};
/// assert_eq!(StepLr::new(30).gamma(0.5).lr(60, 1.0), 0.25);
/// ```
#[derive(Clone, Debug)]
pub struct StepLr {
    size: u64,
    gamma: f64,
}

impl StepLr {
    /// A step down after every `size` steps.
    ///
    /// # Panics
    /// If `size` is 0.
    #[track_caller]
    pub fn new(size: u64) -> Self {
        check("StepLr", size > 0, "step size 0", "it must be at least 1");
        Self { size, gamma: 0.1 }
    }

    /// The factor of a step; 0.1 by default.
    #[must_use]
    pub fn gamma(self, gamma: f64) -> Self {
        Self { gamma, ..self }
    }
}

impl Schedule for StepLr {
    fn lr(&self, step: u64, base: f64) -> f64 {
        base * self.gamma.powf((step / self.size) as f64)
    }
}

/// base · γ^n, with n milestones reached: PyTorch's `MultiStepLR`.
///
/// ```
/// use retrograd_nn::schedule::{MultiStepLr, Schedule};
/// let schedule = MultiStepLr::new([3, 5]).gamma(0.5);
/// assert_eq!([2, 3, 4, 5].map(|step| schedule.lr(step, 1.0)), [1.0, 0.5, 0.5, 0.25]);
/// ```
#[derive(Clone, Debug)]
pub struct MultiStepLr {
    milestones: Vec<u64>,
    gamma: f64,
}

impl MultiStepLr {
    /// Steps down at these steps; one given twice counts twice.
    pub fn new(milestones: impl Into<Vec<u64>>) -> Self {
        Self { milestones: milestones.into(), gamma: 0.1 }
    }

    /// The factor of a milestone; 0.1 by default.
    #[must_use]
    pub fn gamma(self, gamma: f64) -> Self {
        Self { gamma, ..self }
    }
}

impl Schedule for MultiStepLr {
    fn lr(&self, step: u64, base: f64) -> f64 {
        let reached = self.milestones.iter().filter(|&&milestone| milestone <= step).count();
        base * self.gamma.powf(reached as f64)
    }
}

/// base · factor for the first steps, then base: PyTorch's `ConstantLR` (by default a third, for 5 steps).
///
/// ```
/// use retrograd_nn::schedule::{ConstantLr, Schedule};
/// let schedule = ConstantLr::new(0.5, 4);
/// assert_eq!([schedule.lr(3, 1.0), schedule.lr(4, 1.0)], [0.5, 1.0]);
/// ```
#[derive(Clone, Debug)]
pub struct ConstantLr {
    factor: f64,
    steps: u64,
}

impl ConstantLr {
    /// This factor for so many steps.
    ///
    /// # Panics
    /// If the factor is outside [0, 1].
    #[track_caller]
    pub fn new(factor: f64, steps: u64) -> Self {
        check(
            "ConstantLr",
            (0.0..=1.0).contains(&factor),
            &format!("factor {factor}"),
            "it must be in [0, 1]",
        );
        Self { factor, steps }
    }
}

impl Schedule for ConstantLr {
    fn lr(&self, step: u64, base: f64) -> f64 {
        if step < self.steps { base * self.factor } else { base }
    }
}

/// base times a factor that goes straight from one value to another in so many steps, and stays: PyTorch's
/// `LinearLR` (by default from a third to 1 in 5 steps).
///
/// ```
/// use retrograd_nn::schedule::{LinearLr, Schedule};
/// let schedule = LinearLr::new(0.5, 1.0, 4);
/// assert_eq!([0, 2, 9].map(|step| schedule.lr(step, 1.0)), [0.5, 0.75, 1.0]);
/// ```
#[derive(Clone, Debug)]
pub struct LinearLr {
    start: f64,
    end: f64,
    steps: u64,
}

impl LinearLr {
    /// From the factor `start` to the factor `end` in so many steps.
    ///
    /// # Panics
    /// If `start` is not in (0, 1], `end` not in [0, 1], or there is no step.
    #[track_caller]
    pub fn new(start: f64, end: f64, steps: u64) -> Self {
        const OP: &str = "LinearLr";
        check(OP, start > 0.0 && start <= 1.0, &format!("start {start}"), "it must be in (0, 1]");
        check(OP, (0.0..=1.0).contains(&end), &format!("end {end}"), "it must be in [0, 1]");
        check(OP, steps > 0, "0 steps", "it takes one at least");
        Self { start, end, steps }
    }
}

impl Schedule for LinearLr {
    fn lr(&self, step: u64, base: f64) -> f64 {
        let way = step.min(self.steps) as f64 / self.steps as f64;
        base * (self.start + (self.end - self.start) * way)
    }
}

/// base · γᵗ: PyTorch's `ExponentialLR`.
///
/// ```
/// use retrograd_nn::schedule::{ExponentialLr, Schedule};
/// assert_eq!(ExponentialLr::new(0.5).lr(3, 1.0), 0.125);
/// ```
#[derive(Clone, Debug)]
pub struct ExponentialLr {
    gamma: f64,
}

impl ExponentialLr {
    /// This factor at every step.
    pub fn new(gamma: f64) -> Self {
        Self { gamma }
    }
}

impl Schedule for ExponentialLr {
    fn lr(&self, step: u64, base: f64) -> f64 {
        base * self.gamma.powf(step as f64)
    }
}

/// base · (1 - t / steps)^power, then 0: PyTorch's `PolynomialLR` (by default in 5 steps).
///
/// ```
/// use retrograd_nn::schedule::{PolynomialLr, Schedule};
/// let schedule = PolynomialLr::new(4).power(2.0);
/// assert_eq!([0, 2, 4, 9].map(|step| schedule.lr(step, 1.0)), [1.0, 0.25, 0.0, 0.0]);
/// ```
#[derive(Clone, Debug)]
pub struct PolynomialLr {
    steps: u64,
    power: f64,
}

impl PolynomialLr {
    /// To 0 in so many steps.
    ///
    /// # Panics
    /// If there is no step.
    #[track_caller]
    pub fn new(steps: u64) -> Self {
        check("PolynomialLr", steps > 0, "0 steps", "it takes one at least");
        Self { steps, power: 1.0 }
    }

    /// The exponent; 1 by default.
    #[must_use]
    pub fn power(self, power: f64) -> Self {
        Self { power, ..self }
    }
}

impl Schedule for PolynomialLr {
    fn lr(&self, step: u64, base: f64) -> f64 {
        base * (1.0 - step.min(self.steps) as f64 / self.steps as f64).powf(self.power)
    }
}

/// base · f(t): PyTorch's `LambdaLR`.
///
/// ```
/// use retrograd_nn::schedule::{LambdaLr, Schedule};
/// let schedule = LambdaLr::new(|step| 1.0 / (1.0 + step as f64));
/// assert_eq!(schedule.lr(3, 2.0), 0.5);
/// ```
#[derive(Clone, Debug)]
pub struct LambdaLr<F> {
    factor: F,
}

impl<F: Fn(u64) -> f64> LambdaLr<F> {
    /// The factor of the rate at the start, as a function of the step.
    pub fn new(factor: F) -> Self {
        Self { factor }
    }
}

impl<F: Fn(u64) -> f64> Schedule for LambdaLr<F> {
    fn lr(&self, step: u64, base: f64) -> f64 {
        base * (self.factor)(step)
    }
}

/// base · f(1) ⋯ f(t): PyTorch's `MultiplicativeLR`.
///
/// ```
/// use retrograd_nn::schedule::{MultiplicativeLr, Schedule};
/// let schedule = MultiplicativeLr::new(|step| if step == 2 { 0.5 } else { 1.0 });
/// assert_eq!([1, 2, 3, 0].map(|step| schedule.lr(step, 1.0)), [1.0, 0.5, 0.5, 1.0]);
/// ```
#[derive(Debug)]
pub struct MultiplicativeLr<F> {
    factor: F,
    /// The last step asked for and its product, which most questions go on from.
    known: Mutex<(u64, f64)>,
}

impl<F: Fn(u64) -> f64> MultiplicativeLr<F> {
    /// The factor of the last rate, as a function of the step.
    pub fn new(factor: F) -> Self {
        Self { factor, known: Mutex::new((0, 1.0)) }
    }
}

impl<F: Fn(u64) -> f64> Schedule for MultiplicativeLr<F> {
    fn lr(&self, step: u64, base: f64) -> f64 {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (from, product) = if known.0 <= step { *known } else { (0, 1.0) };
        *known = (step, (from + 1..=step).fold(product, |product, step| product * (self.factor)(step)));
        base * known.1
    }
}
