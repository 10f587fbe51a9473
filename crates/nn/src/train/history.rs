//! The figures of a run as plain data.

use std::collections::BTreeMap;

/// The figures of one step, or the means of one epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRecord {
    /// The number of the epoch, from 1.
    pub epoch: u64,
    /// How many optimizer steps were behind after it.
    pub step: u64,
    /// The samples that it took.
    pub samples: u64,
    /// The mean loss of the samples.
    pub loss: f64,
    /// The learning rate of the first group, of an epoch that of its last step.
    pub lr: f64,
    /// The Euclidean norm of all gradients before clipping; of an epoch, the mean over its steps.
    pub grad_norm: f64,
    /// Metrics by name, with `val_loss` and `val_` metrics if there is a validation set; empty for a step.
    pub metrics: BTreeMap<String, f64>,
}

impl RunRecord {
    /// The figure of this name: `loss`, `lr`, `grad_norm`, or a metric.
    ///
    /// ```
    /// use retrograd_nn::train::RunRecord;
    /// use std::collections::BTreeMap;
    /// let metrics = BTreeMap::from([("val_loss".to_owned(), 0.25)]);
    /// let record = RunRecord { epoch: 1, step: 10, samples: 320, loss: 0.5, lr: 0.1, grad_norm: 2.0, metrics };
    /// assert_eq!((record.get("loss"), record.get("val_loss"), record.get("f1")), (Some(0.5), Some(0.25), None));
    /// ```
    pub fn get(&self, name: &str) -> Option<f64> {
        match name {
            "loss" => Some(self.loss),
            "lr" => Some(self.lr),
            "grad_norm" => Some(self.grad_norm),
            _ => self.metrics.get(name).copied(),
        }
    }
}

/// What a run was like: its steps and its epochs, in order.
///
/// ```
/// use retrograd_nn::train::History;
/// let history = History::default();
/// assert!(history.curve("val_loss").is_empty());      // points for a `Chart`, once there are epochs
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Each optimizer step; empty if the trainer was told not to keep them.
    pub steps: Vec<RunRecord>,
    /// Each epoch.
    pub epochs: Vec<RunRecord>,
    /// How many steps were left out because loss or gradients were not finite, those in which a
    /// [`GradScaler`](crate::GradScaler) looked for its factor included.
    pub skipped: u64,
}

impl History {
    /// A figure over the epochs, as points for a [`Chart`](crate::chart::Chart).
    pub fn curve(&self, name: &str) -> Vec<(f64, f64)> {
        self.epochs.iter().filter_map(|record| Some((record.epoch as f64, record.get(name)?))).collect()
    }

    /// A figure over the steps.
    pub fn step_curve(&self, name: &str) -> Vec<(f64, f64)> {
        self.steps.iter().filter_map(|record| Some((record.step as f64, record.get(name)?))).collect()
    }
}
