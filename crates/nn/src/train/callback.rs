//! What is called after steps and epochs.

use super::{History, RunRecord};
use crate::optim::Optimizer;
use retrograd_tensor::Error;
use std::fmt;

/// A run as a callback finds it.
pub struct Moment<'r, M> {
    /// The model, which may be changed.
    pub model: &'r mut M,
    /// The optimizer.
    pub optimizer: &'r mut dyn Optimizer,
    /// The figures of the step or epoch that is over.
    pub record: &'r RunRecord,
    /// Those of all before, and of this one.
    pub history: &'r History,
    pub(super) stop: &'r mut bool,
}

impl<M> Moment<'_, M> {
    /// Ends the run after this moment. If it writes checkpoints it writes one more, and can go on from there.
    pub fn stop(&mut self) {
        *self.stop = true;
    }
}

impl<M> fmt::Debug for Moment<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Moment").field("record", self.record).field("stop", self.stop).finish_non_exhaustive()
    }
}

/// What a [`Trainer`](super::Trainer) calls after each step and each epoch.
///
/// For one of the two a closure is shorter: [`on_step`](super::Trainer::on_step),
/// [`on_epoch`](super::Trainer::on_epoch). State that a callback keeps is not in checkpoints, unless
/// [`Trainer::parts`](super::Trainer::parts) shows it.
///
/// ```
/// use retrograd_nn::data::{DataLoader, TensorDataset};
/// use retrograd_nn::train::{Callback, Moment, Trainer};
/// use retrograd_nn::{Linear, Losses, Sgd};
/// use retrograd_tensor::{Error, Rng, Tensor};
///
/// struct AtMost(u64);
///
/// impl<M> Callback<M> for AtMost {
///     fn on_step(&mut self, at: &mut Moment<'_, M>) -> Result<(), Error> {
///         if at.record.step == self.0 { at.stop(); }
///         Ok(())
///     }
/// }
///
/// let mut model = Linear::new(1, 1, &mut Rng::new(0));
/// let mut sgd = Sgd::new(&model, 0.1);
/// let mut loader = DataLoader::new(TensorDataset::new(Tensor::ones([8, 1]), Tensor::ones([8, 1])));
/// let history = Trainer::new(&mut model, &mut sgd)
///     .callback(AtMost(3))
///     .fit(&mut loader, |model, (x, y)| model.forward(x).mse_loss(y))?;
/// assert_eq!((history.steps.len(), history.epochs.len()), (3, 0));
/// # Ok::<(), Error>(())
/// ```
pub trait Callback<M> {
    /// After each optimizer step.
    ///
    /// # Errors
    /// Any error ends the run, which passes it on.
    fn on_step(&mut self, at: &mut Moment<'_, M>) -> Result<(), Error> {
        let _ = at;
        Ok(())
    }

    /// After each epoch and its validation.
    ///
    /// # Errors
    /// Any error ends the run, which passes it on.
    fn on_epoch(&mut self, at: &mut Moment<'_, M>) -> Result<(), Error> {
        let _ = at;
        Ok(())
    }
}

/// A closure that is called after steps.
pub(super) struct OnStep<F>(pub(super) F);

impl<M, F: FnMut(&mut Moment<'_, M>) -> Result<(), Error>> Callback<M> for OnStep<F> {
    fn on_step(&mut self, at: &mut Moment<'_, M>) -> Result<(), Error> {
        (self.0)(at)
    }
}

/// A closure that is called after epochs.
pub(super) struct OnEpoch<F>(pub(super) F);

impl<M, F: FnMut(&mut Moment<'_, M>) -> Result<(), Error>> Callback<M> for OnEpoch<F> {
    fn on_epoch(&mut self, at: &mut Moment<'_, M>) -> Result<(), Error> {
        (self.0)(at)
    }
}
