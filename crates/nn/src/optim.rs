//! Optimizers: what turns gradients into new parameters.
//!
//! A step first checks every gradient (there, of the right shape and type) and only then changes anything, so an
//! error leaves model and state as they were. The update of one parameter is one traced expression over the
//! parameter, its gradient and its moments: one pass over memory, in place, for all parameters in one demand.
//! Rates are arguments of it, not constants: a schedule does not replan. Moments below the smallest normal
//! number become 0 in the same pass, since arithmetic on subnormal numbers slows a converged model.
//!
//! `core` checks gradients, knows groups and writes back; `state` keeps what goes with each parameter; `rule` is
//! what an optimizer consists of. Each other file holds one optimizer's settings and formula, but for `clip` (limits
//! on gradients before a step), `scale` (loss scaling) and `average` (of weights over a run); `lbfgs` has a step of
//! its own.

mod adadelta;
mod adafactor;
mod adagrad;
mod adam;
mod adamax;
mod average;
mod clip;
mod core;
mod lamb;
mod lbfgs;
mod lion;
mod muon;
mod nadam;
mod radam;
mod rmsprop;
mod rprop;
mod rule;
mod scale;
mod sgd;
mod state;

use crate::module::{Module, StateDict};
use retrograd_autograd::Gradients;
use retrograd_tensor::Error;

pub use adadelta::{Adadelta, AdadeltaOptions};
pub use adafactor::{Adafactor, AdafactorOptions};
pub use adagrad::{Adagrad, AdagradOptions};
pub use adam::{Adam, AdamOptions, AdamW, AdamWOptions};
pub use adamax::{Adamax, AdamaxOptions};
pub use average::WeightAverage;
pub(crate) use clip::grad_norm;
pub use clip::{ClipNorm, clip_grad_norm, clip_grad_norm_with, clip_grad_value};
pub use lamb::{Lamb, LambOptions};
pub use lbfgs::Lbfgs;
pub use lion::{Lion, LionOptions};
pub use muon::{AdjustLr, Muon, MuonOptions};
pub use nadam::{NAdam, NAdamOptions};
pub use radam::{RAdam, RAdamOptions};
pub use rmsprop::{RmsProp, RmsPropOptions};
pub use rprop::{Rprop, RpropOptions};
pub use scale::GradScaler;
pub use sgd::{Sgd, SgdOptions};
pub(crate) use state::entry;

/// What an optimizer does about a trainable parameter that the loss does not depend on.
///
/// A parameter whose gradient was *cut* on the way, by an operation without one or by `detach`, is an error
/// under either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unused {
    /// The step is refused.
    #[default]
    Error,
    /// The parameter and its state stay as they are.
    Skip,
}

/// The settings of one group of parameters that may change from step to step.
#[derive(Debug)]
pub struct Knobs<'a> {
    /// The learning rate.
    pub lr: &'a mut f64,
    /// The momentum, or the first beta; none where the optimizer has neither, or it is off.
    pub momentum: Option<&'a mut f64>,
}

/// Whether a parameter is one that weight decay usually spares: a bias, or a factor of a normalisation. By
/// convention these are the parameters called `bias` and those of fewer than two axes.
///
/// It chooses a group: `AdamW::new(&model, lr).group(bias_or_norm, |g| g.weight_decay = 0.0)`.
pub fn bias_or_norm(name: &str, shape: &[usize]) -> bool {
    shape.len() < 2 || name == "bias" || name.ends_with(".bias")
}

/// What all optimizers can do.
///
/// The state holds what steps have made, not the settings: an optimizer that is to continue must be made with the
/// same ones, and a schedule brings back the rates that it set.
///
/// ```
/// use retrograd_autograd::Differentiate;
/// use retrograd_nn::{Linear, Losses, Optimizer, Sgd};
/// use retrograd_tensor::{Rng, Tensor};
/// let mut model = Linear::new(2, 1, &mut Rng::new(0));
/// let mut sgd = Sgd::new(&model, 0.1).momentum(0.9);
/// let (x, y) = (Tensor::from([[1.0f32, 2.0]]), Tensor::from([[3.0f32]]));
/// let first = model.forward(&x).mse_loss(&y);
/// sgd.step(&mut model, &first.backward())?;
/// assert!(model.forward(&x).mse_loss(&y).item() < first.item());
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
pub trait Optimizer {
    /// Moves every trainable parameter of `model` along its gradient.
    ///
    /// Frozen parameters are passed by. Read a loss *after* the step or the backward pass, not between: what is
    /// read is computed apart.
    ///
    /// # Errors
    /// If a trainable parameter has no gradient, or one of another shape or dtype, or is none of those that the
    /// optimizer was made for: lists all of them by name, each as *cut by OP at LINE* or *unused* where the
    /// gradient is missing. Nothing is changed then.
    fn step(&mut self, model: &mut dyn Module, grads: &Gradients) -> Result<(), Error>;

    /// What schedules turn, one for each group of parameters: the first is that of all that no other group chose.
    fn knobs(&mut self) -> Vec<Knobs<'_>>;

    /// The learning rate of the next step, of the first group.
    fn lr_mut(&mut self) -> &mut f64 {
        self.knobs().swap_remove(0).lr
    }

    /// The state by the names of the parameters: `fc1.weight.exp_avg`, and `fc1.weight.step`.
    fn state_dict(&self) -> StateDict;

    /// Continues from `state`: all of it, or none.
    ///
    /// # Errors
    /// Lists every entry that belongs to no parameter or does not fit; nothing is changed then.
    fn load_state_dict(&mut self, state: &StateDict) -> Result<(), Error>;
}
