//! Adadelta: steps in the units of the parameter.

use super::Knobs;
use super::core::Update;
use super::rule::{Rule, Slots, at_least_0, directed, optimizer, zeros};
use retrograd_tensor::Tensor;

optimizer! {
    /// Adadelta (Zeiler, 2012), by the formulas of PyTorch's `Adadelta` (whose rate is 1 by default):
    ///
    /// v ← ρ v + (1 - ρ) g²; Δ = √(u + eps) / √(v + eps) · g; u ← ρ u + (1 - ρ) Δ²; p ← p - lr · Δ.
    ///
    /// ```
    /// use retrograd_autograd::Differentiate;
    /// use retrograd_nn::{Adadelta, Optimizer, Param};
    /// use retrograd_tensor::Tensor;
    /// let mut p = Param::new(Tensor::from([1.0f64]));
    /// let mut adadelta = Adadelta::new(&p, 1.0).rho(0.0).eps(1.0);
    /// let grads = p.sum(()).backward();
    /// adadelta.step(&mut p, &grads)?;
    /// assert!((p.item() - (1.0 - 0.5f64.sqrt())).abs() < 1e-15);
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    Adadelta, AdadeltaOptions {
        /// How slowly the two averages forget; 0.9 by default.
        rho(rho: f64): f64 = 0.9;
        /// Added under both roots; 10⁻⁶ by default.
        eps(eps: f64): f64 = 1e-6;
        /// The factor of the parameter that is added to its gradient; 0 by default.
        weight_decay(weight_decay: f64): f64 = 0.0;
        /// Whether steps go up the gradient.
        maximize(maximize: bool): bool = false;
    }
}

impl Rule for AdadeltaOptions {
    const NAME: &'static str = "Adadelta";

    fn knobs(&mut self) -> Knobs<'_> {
        Knobs { lr: &mut self.lr, momentum: None }
    }

    fn check(&self) -> Result<(), String> {
        at_least_0("lr", self.lr)?;
        if !(0.0..=1.0).contains(&self.rho) {
            return Err(format!("rho not allowed: {}; it must be in [0, 1]", self.rho));
        }
        at_least_0("eps", self.eps)?;
        at_least_0("weight_decay", self.weight_decay)
    }

    fn slots(&self, like: &Tensor) -> Slots {
        zeros(&["square_avg", "acc_delta"], like)
    }

    fn update(&self, update: Update<'_>) -> Vec<Tensor> {
        let Self { lr, rho, eps, weight_decay, maximize } = *self;
        let flush = update.flush();
        update.compute(&[lr], |x| {
            let (p, v, u, lr) = (x[0], x[2], x[3], x[4]);
            let g = directed(p, x[1], maximize, weight_decay);
            let v = flush(v * rho + g * g * (1.0 - rho));
            let delta = (u + eps).sqrt() / (v + eps).sqrt() * g;
            let u = flush(u * rho + delta * delta * (1.0 - rho));
            vec![p - delta * lr, v, u]
        })
    }
}
