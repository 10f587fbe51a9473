//! RAdam: Adam that waits for its second moment.

use super::Knobs;
use super::core::Update;
use super::rule::{Rule, Slots, at_least_0, betas_below_1, directed, optimizer, zeros};
use retrograd_tensor::Tensor;

optimizer! {
    /// RAdam (Liu and others, 2020), by the formulas of PyTorch's `RAdam` (whose rate is 10⁻³ by default): with m
    /// and v the moving averages of g and g², ρ∞ = 2 / (1 - β₂) - 1 and ρ = ρ∞ - 2 t β₂ᵗ / (1 - β₂ᵗ),
    ///
    /// p ← p - lr · m̂ · r √(1 - β₂ᵗ) / (√v + eps) with r² = (ρ - 4)(ρ - 2) ρ∞ / ((ρ∞ - 4)(ρ∞ - 2) ρ) once ρ > 5,
    /// and p ← p - lr · m̂ before.
    ///
    /// ```
    /// use retrograd_autograd::Differentiate;
    /// use retrograd_nn::{Optimizer, Param, RAdam};
    /// use retrograd_tensor::Tensor;
    /// let mut p = Param::new(Tensor::from([1.0f64]));
    /// let mut radam = RAdam::new(&p, 0.25);
    /// let grads = p.square().sum(()).backward();
    /// radam.step(&mut p, &grads)?;
    /// assert!((p.item() - 0.5).abs() < 1e-12);                // plain descent at first
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    RAdam, RAdamOptions {
        /// How slowly the two moments forget; (0.9, 0.999) by default.
        betas(first: f64, second: f64): (f64, f64) = (0.9, 0.999);
        /// Added to the root of the second moment; 10⁻⁸ by default.
        eps(eps: f64): f64 = 1e-8;
        /// The factor of the parameter that is added to its gradient, or see `decoupled_weight_decay`; 0 by default.
        weight_decay(weight_decay: f64): f64 = 0.0;
        /// Whether the decay acts on the parameter itself, as in [`AdamW`](super::AdamW).
        decoupled_weight_decay(decoupled: bool): bool = false;
        /// Whether steps go up the gradient.
        maximize(maximize: bool): bool = false;
    }
}

impl Rule for RAdamOptions {
    const NAME: &'static str = "RAdam";

    fn knobs(&mut self) -> Knobs<'_> {
        Knobs { lr: &mut self.lr, momentum: Some(&mut self.betas.0) }
    }

    fn check(&self) -> Result<(), String> {
        at_least_0("lr", self.lr)?;
        betas_below_1(self.betas)?;
        at_least_0("eps", self.eps)?;
        at_least_0("weight_decay", self.weight_decay)
    }

    fn slots(&self, like: &Tensor) -> Slots {
        zeros(&["exp_avg", "exp_avg_sq"], like)
    }

    fn update(&self, update: Update<'_>) -> Vec<Tensor> {
        let Self { lr, betas, eps, weight_decay, decoupled_weight_decay, maximize } = *self;
        let flush = update.flush();
        let steps = update.step as f64;
        let second = 1.0 - betas.1.powf(steps);
        let limit = 2.0 / (1.0 - betas.1) - 1.0;
        let rho = limit - 2.0 * steps * betas.1.powf(steps) / second;
        let adaptive = rho > 5.0;
        let rate = lr / (1.0 - betas.0.powf(steps));
        let root = (rho - 4.0) * (rho - 2.0) * limit / ((limit - 4.0) * (limit - 2.0) * rho);
        let rate = if adaptive { rate * root.sqrt() * second.sqrt() } else { rate };
        update.compute(&[rate, 1.0 - lr * weight_decay, 1.0 - betas.0], |x| {
            let (mut p, m, v, rate, keep, fresh) = (x[0], x[2], x[3], x[4], x[5], x[6]);
            let g = directed(p, x[1], maximize, if decoupled_weight_decay { 0.0 } else { weight_decay });
            if decoupled_weight_decay && weight_decay != 0.0 {
                p = p * keep;
            }
            let m = flush(m + (g - m) * fresh);
            let v = flush(v * betas.1 + g * g * (1.0 - betas.1));
            let direction = if adaptive { m / (v.sqrt() + eps) } else { m };
            vec![p - direction * rate, m, v]
        })
    }
}
