//! Loss scaling: gradients too small for f16 are made larger on their way back.

use super::clip::usable;
use super::state::entry;
use super::{Optimizer, Unused};
use crate::module::{Module, StateDict};
use retrograd_autograd::Gradients;
use retrograd_tensor::{Error, ErrorKind, F64, Tensor, force_all, no_grad, raise};

/// Multiplies a loss by a factor before the backward pass and divides the gradients by it afterwards, as PyTorch's
/// `GradScaler`. A step whose gradients are not all finite is left out and the factor falls; after a number of
/// steps without that it grows. [`Trainer::grad_scaler`](crate::train::Trainer::grad_scaler) does all of it.
///
/// ```
/// use retrograd_autograd::Differentiate;
/// use retrograd_nn::{GradScaler, Param, Sgd, Unused};
/// use retrograd_tensor::Tensor;
/// let mut p = Param::new(Tensor::from([1.0f32]));
/// let (mut sgd, mut scaler) = (Sgd::new(&p, 0.25), GradScaler::new());
/// let mut grads = scaler.scale(&p.square().sum(())).backward();
/// assert!(scaler.step(&mut sgd, &mut p, &mut grads)?);
/// assert_eq!(p.item(), 0.5);
/// let mut grads = (&p * f32::INFINITY).sum(()).backward();
/// assert!(!scaler.step(&mut sgd, &mut p, &mut grads)?);       // left out
/// assert_eq!((p.item(), scaler.factor()), (0.5, 32768.0));
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GradScaler {
    factor: f64,
    growth_factor: f64,
    backoff_factor: f64,
    growth_interval: u64,
    /// Steps since the factor changed.
    good: u64,
    /// Whether the gradients of this step are divided already, and were finite then.
    unscaled: Option<bool>,
}

impl Default for GradScaler {
    fn default() -> Self {
        Self::new()
    }
}

impl GradScaler {
    /// The factor 65,536, doubled after 2,000 good steps and halved after a bad one.
    pub fn new() -> Self {
        Self {
            factor: 65536.0,
            growth_factor: 2.0,
            backoff_factor: 0.5,
            growth_interval: 2000,
            good: 0,
            unscaled: None,
        }
    }

    /// The factor to begin with.
    ///
    /// # Panics
    /// If it is not positive and finite.
    #[must_use]
    #[track_caller]
    pub fn init_scale(self, factor: f64) -> Self {
        check(factor > 0.0 && factor.is_finite(), &format!("init_scale {factor}"), "it must be positive");
        Self { factor, ..self }
    }

    /// The factor's factor after good steps; 2 by default.
    ///
    /// # Panics
    /// If it is not above 1.
    #[must_use]
    #[track_caller]
    pub fn growth_factor(self, growth_factor: f64) -> Self {
        check(growth_factor > 1.0, &format!("growth_factor {growth_factor}"), "it must be above 1");
        Self { growth_factor, ..self }
    }

    /// The factor's factor after a bad step; 0.5 by default.
    ///
    /// # Panics
    /// If it is not in (0, 1).
    #[must_use]
    #[track_caller]
    pub fn backoff_factor(self, backoff_factor: f64) -> Self {
        let ok = backoff_factor > 0.0 && backoff_factor < 1.0;
        check(ok, &format!("backoff_factor {backoff_factor}"), "it must be in (0, 1)");
        Self { backoff_factor, ..self }
    }

    /// How many good steps let the factor grow; 2,000 by default.
    #[must_use]
    pub fn growth_interval(self, growth_interval: u64) -> Self {
        Self { growth_interval, ..self }
    }

    /// The present factor.
    pub fn factor(&self) -> f64 {
        self.factor
    }

    /// The loss times the factor.
    #[track_caller]
    pub fn scale(&self, loss: &Tensor) -> Tensor {
        loss * self.factor
    }

    /// Divides the gradients by the factor before the step does, so that they can be clipped or looked at. Returns
    /// whether all are finite.
    ///
    /// # Errors
    /// If a trainable parameter has no usable gradient, or they are divided already; nothing is changed then.
    pub fn unscale(&mut self, model: &dyn Module, grads: &mut Gradients) -> Result<bool, Error> {
        if self.unscaled.is_some() {
            let detail = "the gradients of this step are unscaled already; call `step` next".to_owned();
            return Err(Error::new("GradScaler", ErrorKind::Gradient, detail));
        }
        // The optimizer has its own word on what is unused.
        let found = usable("GradScaler", model, grads, Unused::Skip)?;
        let finite = no_grad(|| {
            let (mut changed, mut finite) = (Vec::new(), Tensor::from(true));
            for (param, grad) in found {
                let grad = grad * self.factor.recip();
                finite = finite.logical_and(grad.isfinite().all(()));
                changed.push(grad.clone());
                grads.replace(param, grad);
            }
            changed.push(finite.clone());
            force_all(&changed.iter().collect::<Vec<_>>());
            finite.item() != 0.0
        });
        self.unscaled = Some(finite);
        Ok(finite)
    }

    /// Steps with gradients divided by the factor if all are finite, and adapts the factor. Returns whether it did.
    ///
    /// # Errors
    /// As [`Optimizer::step`]; parameters and factor are as before then.
    pub fn step(
        &mut self,
        optimizer: &mut dyn Optimizer,
        model: &mut dyn Module,
        grads: &mut Gradients,
    ) -> Result<bool, Error> {
        let finite = match self.unscaled {
            Some(finite) => finite,
            None => self.unscale(&*model, grads)?,
        };
        if finite {
            optimizer.step(model, grads)?;
        }
        self.update(finite);
        Ok(finite)
    }

    /// Ends a step: adapts the factor to whether its gradients were finite.
    pub(crate) fn update(&mut self, finite: bool) {
        self.unscaled = None;
        self.good = if finite { self.good + 1 } else { 0 };
        if !finite {
            self.factor *= self.backoff_factor;
        } else if self.good == self.growth_interval {
            self.factor *= self.growth_factor;
            self.good = 0;
        }
    }

    /// The factor, `scale`, and the good steps since it changed, `growth_tracker`.
    pub fn state_dict(&self) -> StateDict {
        let good = ("growth_tracker".to_owned(), Tensor::from(self.good as i64));
        StateDict::from([("scale".to_owned(), Tensor::from(self.factor)), good])
    }

    /// Continues from `state`.
    ///
    /// # Errors
    /// If an entry is missing, unknown, or does not fit; nothing is changed then.
    pub fn load_state_dict(&mut self, state: &StateDict) -> Result<(), Error> {
        let unfit = |problem: String| {
            let detail = format!("state does not fit: {problem}; the scaler is unchanged");
            Error::new("GradScaler", ErrorKind::Format, detail)
        };
        let factor = entry(state, "scale", &F64.zeros([])).map_err(unfit)?.item();
        let good = entry(state, "growth_tracker", &Tensor::from(0i64)).map_err(unfit)?.to_vec::<i64>()[0];
        let good = u64::try_from(good).map_err(|_| unfit("`growth_tracker` is negative".to_owned()))?;
        if state.len() > 2 {
            return Err(unfit(format!("{} entries are unexpected", state.len() - 2)));
        }
        (self.factor, self.good, self.unscaled) = (factor, good, None);
        Ok(())
    }
}

#[track_caller]
fn check(ok: bool, given: &str, wanted: &str) {
    if !ok {
        let detail = format!("value not allowed: {given}; {wanted}");
        raise(Error::new("GradScaler", ErrorKind::Value, detail));
    }
}
