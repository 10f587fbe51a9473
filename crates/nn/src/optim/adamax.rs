//! Adamax: Adam with the largest gradient instead of the mean square.

use super::Knobs;
use super::core::Update;
use super::rule::{Rule, Slots, at_least_0, betas_below_1, directed, optimizer, zeros};
use retrograd_tensor::Tensor;

optimizer! {
    /// Adamax (Kingma and Ba, 2015), by the formulas of PyTorch's `Adamax` (whose rate is 2·10⁻³ by default): with
    /// m the moving average of g, u ← max(β₂ u, |g| + eps), p ← p - lr / (1 - β₁ᵗ) · m / u.
    ///
    /// ```
    /// use retrograd_autograd::Differentiate;
    /// use retrograd_nn::{Adamax, Optimizer, Param};
    /// use retrograd_tensor::Tensor;
    /// let mut p = Param::new(Tensor::from([1.0f64, -2.0]));
    /// let mut adamax = Adamax::new(&p, 0.5).eps(0.0);
    /// let grads = p.square().sum(()).backward();
    /// adamax.step(&mut p, &grads)?;
    /// assert!((p.to_vec::<f64>()[1] + 1.5).abs() < 1e-12);
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    Adamax, AdamaxOptions {
        /// How slowly the moment and the largest gradient forget; (0.9, 0.999) by default.
        betas(first: f64, second: f64): (f64, f64) = (0.9, 0.999);
        /// Added to the gradient's size; 10⁻⁸ by default.
        eps(eps: f64): f64 = 1e-8;
        /// The factor of the parameter that is added to its gradient; 0 by default.
        weight_decay(weight_decay: f64): f64 = 0.0;
        /// Whether steps go up the gradient.
        maximize(maximize: bool): bool = false;
    }
}

impl Rule for AdamaxOptions {
    const NAME: &'static str = "Adamax";

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
        zeros(&["exp_avg", "exp_inf"], like)
    }

    fn update(&self, update: Update<'_>) -> Vec<Tensor> {
        let Self { lr, betas, eps, weight_decay, maximize } = *self;
        let flush = update.flush();
        let rate = lr / (1.0 - betas.0.powf(update.step as f64));
        update.compute(&[rate, 1.0 - betas.0], |x| {
            let (p, m, u, rate, fresh) = (x[0], x[2], x[3], x[4], x[5]);
            let g = directed(p, x[1], maximize, weight_decay);
            let m = flush(m + (g - m) * fresh);
            let u = flush((u * betas.1).maximum(g.abs() + eps));
            vec![p - m / u * rate, m, u]
        })
    }
}
