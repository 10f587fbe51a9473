//! When a metric has stopped getting better.

use crate::module::StateDict;
use crate::schedule::Better;
use retrograd_tensor::{Error, ErrorKind, raise};

/// Ends a run when a metric has not got better for some epochs. For a [`Trainer`](super::Trainer), or by hand:
///
/// ```
/// use retrograd_nn::train::EarlyStopping;
/// let mut stopping = EarlyStopping::new("val_loss").patience(2).min_delta(0.1);
/// let over: Vec<bool> = [3.0, 2.0, 1.95, 2.5].map(|loss| { stopping.update(loss); stopping.is_over() }).into();
/// assert_eq!(over, [false, false, false, true]);
/// assert_eq!(stopping.best(), 2.0);
/// ```
///
/// Source: PyTorch Lightning's `EarlyStopping`.
#[derive(Clone, Debug)]
pub struct EarlyStopping {
    pub(super) monitor: String,
    pub(super) watch: Watch,
    patience: u64,
    pub(super) restore_best: bool,
    /// The model's state at the best epoch.
    pub(super) weights: StateDict,
}

impl EarlyStopping {
    /// For the figure of this name, which should fall: `loss`, a metric, `val_loss`, or a metric with `val_` before it.
    /// Patience 3, minimal gain 0.
    pub fn new(monitor: &str) -> Self {
        Self {
            monitor: monitor.to_owned(),
            watch: Watch::new(Better::Min, 0.0),
            patience: 3,
            restore_best: false,
            weights: StateDict::new(),
        }
    }

    /// Which figure is better; the smaller at first.
    #[must_use]
    pub fn better(self, better: Better) -> Self {
        Self { watch: Watch::new(better, self.watch.min_delta), ..self }
    }

    /// How many epochs without a gain end the run.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    #[track_caller]
    pub fn patience(self, patience: u64) -> Self {
        if patience == 0 {
            let detail = "value not allowed: patience 0; it must be at least 1";
            raise(Error::new("EarlyStopping", ErrorKind::Value, detail));
        }
        Self { patience, ..self }
    }

    /// The least gain on the best figure that counts as one.
    ///
    /// # Panics
    /// If it is negative or NaN.
    #[must_use]
    #[track_caller]
    pub fn min_delta(self, min_delta: f64) -> Self {
        if min_delta.is_nan() || min_delta < 0.0 {
            let detail = format!("value not allowed: min_delta {min_delta}; it must be at least 0");
            raise(Error::new("EarlyStopping", ErrorKind::Value, detail));
        }
        Self { watch: Watch { min_delta, ..self.watch }, ..self }
    }

    /// Whether a trainer gives the model back as it was at its best epoch; not so at first.
    #[must_use]
    pub fn restore_best(self, restore: bool) -> Self {
        Self { restore_best: restore, ..self }
    }

    /// Takes the figure of the epoch that is over; says whether it is the best so far. NaN never is.
    pub fn update(&mut self, value: f64) -> bool {
        self.watch.update(value)
    }

    /// Whether it is time to stop.
    pub fn is_over(&self) -> bool {
        self.watch.bad >= self.patience
    }

    /// The best figure so far.
    pub fn best(&self) -> f64 {
        self.watch.best
    }
}

/// The best of a figure, and how long ago it was.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    better: Better,
    pub(super) best: f64,
    min_delta: f64,
    /// Figures since the best one.
    pub(super) bad: u64,
}

impl Watch {
    pub(super) fn new(better: Better, min_delta: f64) -> Self {
        let best = if better == Better::Min { f64::INFINITY } else { f64::NEG_INFINITY };
        Self { better, best, min_delta, bad: 0 }
    }

    pub(super) fn update(&mut self, value: f64) -> bool {
        let gains = match self.better {
            Better::Min => value < self.best - self.min_delta,
            Better::Max => value > self.best + self.min_delta,
        };
        if gains {
            (self.best, self.bad) = (value, 0);
        } else {
            self.bad += 1;
        }
        gains
    }
}
