//! Stochastic gradient descent.

use super::core::Core;
use super::{Optimizer, Unused};
use crate::module::{Module, StateDict};
use retrograd_autograd::Gradients;
use retrograd_tensor::Error;

const MOMENTS: &[&str] = &["momentum_buffer"];

/// Stochastic gradient descent with momentum, by PyTorch's formulas:
///
/// g ← g + weight_decay · p; b ← momentum · b + (1 - dampening) · g, at first b ← g;
/// p ← p - lr · b, or with Nesterov's momentum p - lr · (g + momentum · b).
#[derive(Debug)]
pub struct Sgd {
    /// The learning rate.
    pub lr: f64,
    momentum: f64,
    dampening: f64,
    weight_decay: f64,
    nesterov: bool,
    maximize: bool,
    core: Core,
}

impl Sgd {
    /// Plain descent of the parameters of `model` with this learning rate.
    pub fn new(model: &dyn Module, lr: f64) -> Self {
        let core = Core::new("Sgd", model);
        Self { lr, momentum: 0.0, dampening: 0.0, weight_decay: 0.0, nesterov: false, maximize: false, core }
    }

    /// The share of the last direction that is kept; 0 by default.
    #[must_use]
    pub fn momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }
    }

    /// What is taken from a gradient before it joins the direction; 0 by default.
    #[must_use]
    pub fn dampening(self, dampening: f64) -> Self {
        Self { dampening, ..self }
    }

    /// The factor of the parameter that is added to its gradient; 0 by default.
    #[must_use]
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        Self { weight_decay, ..self }
    }

    /// Whether the direction looks one step of momentum ahead.
    #[must_use]
    pub fn nesterov(self, nesterov: bool) -> Self {
        Self { nesterov, ..self }
    }

    /// Whether steps go up the gradient.
    #[must_use]
    pub fn maximize(self, maximize: bool) -> Self {
        Self { maximize, ..self }
    }

    /// What to do about parameters that the loss does not depend on.
    #[must_use]
    pub fn unused(mut self, unused: Unused) -> Self {
        self.core.unused = unused;
        self
    }

    fn moments(&self) -> usize {
        usize::from(self.momentum != 0.0)
    }
}

impl Optimizer for Sgd {
    fn step(&mut self, model: &mut dyn Module, grads: &Gradients) -> Result<(), Error> {
        let Self { lr, momentum, dampening, weight_decay, nesterov, maximize, .. } = *self;
        self.core.step(model, grads, self.moments(), |update| {
            let flush = update.flush();
            let fresh = if update.step == 1 { 1.0 } else { 1.0 - dampening };
            let rates = [lr, fresh];
            update.compute(if momentum == 0.0 { &rates[..1] } else { &rates }, |x| {
                let (p, mut g) = (x[0], x[1]);
                if maximize {
                    g = -g;
                }
                if weight_decay != 0.0 {
                    g = g + p * weight_decay;
                }
                if momentum == 0.0 {
                    return vec![p - g * x[2]];
                }
                let (b, lr, fresh) = (x[2], x[3], x[4]);
                let b = flush(b * momentum + g * fresh);
                let direction = if nesterov { g + b * momentum } else { b };
                vec![p - direction * lr, b]
            })
        })
    }

    fn lr_mut(&mut self) -> &mut f64 {
        &mut self.lr
    }

    fn state_dict(&self) -> StateDict {
        self.core.state_dict(&MOMENTS[..self.moments()])
    }

    fn load_state_dict(&mut self, state: &StateDict) -> Result<(), Error> {
        self.core.load_state_dict(&MOMENTS[..self.moments()], state)
    }
}
