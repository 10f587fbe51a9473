//! Schedules made of others.

use super::{Schedule, check};
use std::fmt;

/// One schedule after another: PyTorch's `SequentialLR`. Each counts its steps from its own beginning.
///
/// ```
/// use retrograd_nn::schedule::{ConstantLr, ExponentialLr, Schedule, SequentialLr};
/// let schedule = SequentialLr::new(ConstantLr::new(0.5, 9)).then(2, ExponentialLr::new(0.1));
/// assert_eq!([0, 1, 2, 3].map(|step| schedule.lr(step, 1.0)), [0.5, 0.5, 1.0, 0.1]);
/// ```
pub struct SequentialLr {
    /// Each with the step that it begins at.
    parts: Vec<(u64, Box<dyn Schedule>)>,
}

impl SequentialLr {
    /// The schedule from step 0 on.
    pub fn new(first: impl Schedule + 'static) -> Self {
        Self { parts: vec![(0, Box::new(first))] }
    }

    /// Another schedule from the step `milestone` on.
    ///
    /// # Panics
    /// If the milestone is not after the last one.
    #[must_use]
    #[track_caller]
    pub fn then(mut self, milestone: u64, next: impl Schedule + 'static) -> Self {
        let last = self.parts.last().map_or(0, |part| part.0);
        let given = format!("milestone {milestone} after {last}");
        check("SequentialLr", milestone > last, &given, "milestones must grow");
        self.parts.push((milestone, Box::new(next)));
        self
    }

    fn part(&self, step: u64) -> (u64, &dyn Schedule) {
        let reached = self.parts.partition_point(|part| part.0 <= step);
        let (from, schedule) = &self.parts[reached - 1];
        (step - from, schedule)
    }
}

impl Schedule for SequentialLr {
    fn lr(&self, step: u64, base: f64) -> f64 {
        let (step, schedule) = self.part(step);
        schedule.lr(step, base)
    }

    fn momentum(&self, step: u64) -> Option<f64> {
        let (step, schedule) = self.part(step);
        schedule.momentum(step)
    }
}

impl fmt::Debug for SequentialLr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SequentialLr({:?})", self.parts.iter().map(|part| part.0).collect::<Vec<_>>())
    }
}

/// Schedules at once, each on the rate that the one before makes of the rate at the start: PyTorch's
/// `ChainedScheduler`, exactly so where they multiply the rate. The last that turns momentum counts.
///
/// ```
/// use retrograd_nn::schedule::{ChainedScheduler, ConstantLr, ExponentialLr, Schedule};
/// let schedule = ChainedScheduler::new(ConstantLr::new(0.5, 1)).and(ExponentialLr::new(0.5));
/// assert_eq!([0, 1, 2].map(|step| schedule.lr(step, 1.0)), [0.5, 0.5, 0.25]);
/// ```
pub struct ChainedScheduler {
    parts: Vec<Box<dyn Schedule>>,
}

impl ChainedScheduler {
    /// This schedule.
    pub fn new(first: impl Schedule + 'static) -> Self {
        Self { parts: vec![Box::new(first)] }
    }

    /// Another on top of it.
    #[must_use]
    pub fn and(mut self, next: impl Schedule + 'static) -> Self {
        self.parts.push(Box::new(next));
        self
    }
}

impl Schedule for ChainedScheduler {
    fn lr(&self, step: u64, base: f64) -> f64 {
        self.parts.iter().fold(base, |rate, part| part.lr(step, rate))
    }

    fn momentum(&self, step: u64) -> Option<f64> {
        self.parts.iter().rev().find_map(|part| part.momentum(step))
    }
}

impl fmt::Debug for ChainedScheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChainedScheduler({} schedules)", self.parts.len())
    }
}

/// A linear rise to what another schedule starts with, then that schedule from its step 0: with n steps, the first
/// rates are 1, 2 .. n parts of n + 1 of it.
///
/// ```
/// use retrograd_nn::schedule::{CosineAnnealingLr, Schedule, WarmUp};
/// let schedule = WarmUp::new(3, CosineAnnealingLr::new(10));
/// assert_eq!([0, 1, 2, 3, 13].map(|step| schedule.lr(step, 1.0)), [0.25, 0.5, 0.75, 1.0, 0.0]);
/// ```
#[derive(Clone, Debug)]
pub struct WarmUp<S> {
    steps: u64,
    then: S,
}

impl<S: Schedule> WarmUp<S> {
    /// A rise of so many steps to the beginning of `then`.
    pub fn new(steps: u64, then: S) -> Self {
        Self { steps, then }
    }
}

impl<S: Schedule> Schedule for WarmUp<S> {
    fn lr(&self, step: u64, base: f64) -> f64 {
        let rate = self.then.lr(step.saturating_sub(self.steps), base);
        if step < self.steps { rate * (step + 1) as f64 / (self.steps + 1) as f64 } else { rate }
    }

    fn momentum(&self, step: u64) -> Option<f64> {
        self.then.momentum(step.saturating_sub(self.steps))
    }
}
