//! A rate that falls when a metric stops getting better.

use super::{Entries, check};
use crate::module::StateDict;
use crate::optim::Optimizer;
use retrograd_tensor::{Error, Tensor};

/// Which metric is better than another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Better {
    /// The smaller, as of a loss.
    #[default]
    Min,
    /// The larger, as of an accuracy.
    Max,
}

/// What a metric must gain on the best so far to count as better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ThresholdMode {
    /// This share of the best.
    Rel(f64),
    /// This much.
    Abs(f64),
}

/// Multiplies the rates by a factor when a metric has not got better for some steps: PyTorch's `ReduceLROnPlateau`.
/// A NaN is never better.
///
/// ```
/// use retrograd_nn::schedule::ReduceLrOnPlateau;
/// use retrograd_nn::{Optimizer, Param, Sgd};
/// use retrograd_tensor::Tensor;
/// let mut sgd = Sgd::new(&Param::new(Tensor::ones([2])), 0.5);
/// let mut plateau = ReduceLrOnPlateau::new().factor(0.5).patience(1);
/// for loss in [3.0, 2.0, 2.0, 2.5] {
///     plateau.step(loss, &mut sgd);
/// }
/// assert_eq!(*sgd.lr_mut(), 0.25);
/// ```
#[derive(Clone, Debug)]
pub struct ReduceLrOnPlateau {
    better: Better,
    factor: f64,
    patience: u64,
    threshold: ThresholdMode,
    cooldown: u64,
    min_lr: f64,
    eps: f64,
    best: f64,
    bad: u64,
    cooling: u64,
}

impl Default for ReduceLrOnPlateau {
    fn default() -> Self {
        Self::new()
    }
}

impl ReduceLrOnPlateau {
    /// The defaults, for a metric that should fall.
    pub fn new() -> Self {
        Self {
            better: Better::Min,
            factor: 0.1,
            patience: 10,
            threshold: ThresholdMode::Rel(1e-4),
            cooldown: 0,
            min_lr: 0.0,
            eps: 1e-8,
            best: f64::INFINITY,
            bad: 0,
            cooling: 0,
        }
    }

    /// Which metric is better; the smaller by default.
    #[must_use]
    pub fn better(self, better: Better) -> Self {
        let best = if better == Better::Min { f64::INFINITY } else { f64::NEG_INFINITY };
        Self { better, best, ..self }
    }

    /// The factor of a fall; 0.1 by default.
    ///
    /// # Panics
    /// If it is not below 1.
    #[must_use]
    #[track_caller]
    pub fn factor(self, factor: f64) -> Self {
        check("ReduceLrOnPlateau", factor < 1.0, &format!("factor {factor}"), "it must be below 1");
        Self { factor, ..self }
    }

    /// How many steps without a gain are borne before the rates fall; 10 by default.
    #[must_use]
    pub fn patience(self, patience: u64) -> Self {
        Self { patience, ..self }
    }

    /// What counts as a gain; a share of 10⁻⁴ by default.
    #[must_use]
    pub fn threshold(self, threshold: ThresholdMode) -> Self {
        Self { threshold, ..self }
    }

    /// How many steps after a fall count for nothing; 0 by default.
    #[must_use]
    pub fn cooldown(self, cooldown: u64) -> Self {
        Self { cooldown, ..self }
    }

    /// The least rate; 0 by default.
    #[must_use]
    pub fn min_lr(self, min_lr: f64) -> Self {
        Self { min_lr, ..self }
    }

    /// The least change of a rate that is made; 10⁻⁸ by default.
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        Self { eps, ..self }
    }

    /// Takes the metric of the step that is over, and lowers the rates if it is time. Returns whether it did.
    pub fn step(&mut self, metric: f64, optimizer: &mut dyn Optimizer) -> bool {
        if self.gains(metric) {
            (self.best, self.bad) = (metric, 0);
        } else {
            self.bad += 1;
        }
        if self.cooling > 0 {
            self.cooling -= 1;
            self.bad = 0;
        }
        if self.bad <= self.patience {
            return false;
        }
        for knobs in optimizer.knobs() {
            let lower = (*knobs.lr * self.factor).max(self.min_lr);
            if *knobs.lr - lower > self.eps {
                *knobs.lr = lower;
            }
        }
        (self.cooling, self.bad) = (self.cooldown, 0);
        true
    }

    fn gains(&self, metric: f64) -> bool {
        let best = self.best;
        match (self.better, self.threshold) {
            (Better::Min, ThresholdMode::Rel(share)) => metric < best * (1.0 - share),
            (Better::Min, ThresholdMode::Abs(much)) => metric < best - much,
            (Better::Max, ThresholdMode::Rel(share)) => metric > best * (1.0 + share),
            (Better::Max, ThresholdMode::Abs(much)) => metric > best + much,
        }
    }

    /// The best metric, what is counted, and the rates of the optimizer.
    pub fn state_dict(&self, optimizer: &mut dyn Optimizer) -> StateDict {
        let lrs: Vec<f64> = optimizer.knobs().iter().map(|knobs| *knobs.lr).collect();
        let entries = [
            ("best", Tensor::from([self.best])),
            ("num_bad_epochs", Tensor::from(self.bad as i64)),
            ("cooldown_counter", Tensor::from(self.cooling as i64)),
            ("lrs", Tensor::from(lrs)),
        ];
        entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Continues from `state`, and sets the rates that it holds.
    ///
    /// # Errors
    /// If an entry is missing, unknown, or does not fit the optimizer's groups; nothing is changed then.
    pub fn load_state_dict(&mut self, state: &StateDict, optimizer: &mut dyn Optimizer) -> Result<(), Error> {
        let mut entries = Entries::of("ReduceLrOnPlateau", state);
        let best = entries.numbers("best", 1)[0];
        let (bad, cooling) = (entries.count("num_bad_epochs"), entries.count("cooldown_counter"));
        let lrs = entries.numbers("lrs", optimizer.knobs().len());
        entries.finish()?;
        (self.best, self.bad, self.cooling) = (best, bad, cooling);
        for (knobs, lr) in optimizer.knobs().into_iter().zip(lrs) {
            *knobs.lr = lr;
        }
        Ok(())
    }
}
