//! NAdam: Adam with Nesterov's momentum.

use super::Knobs;
use super::core::Update;
use super::rule::{Rule, Slots, at_least_0, betas_below_1, directed, optimizer, zeros};
use retrograd_tensor::Tensor;

optimizer! {
    /// NAdam (Dozat, 2016), by the formulas of PyTorch's `NAdam` (whose rate is 2·10⁻³ by default): with m and v
    /// the moving averages of g and g², μₜ = β₁ (1 - 0.96^(t · momentum_decay) / 2) and Πₜ = μ₁ ⋯ μₜ,
    ///
    /// p ← p - lr · ((1 - μₜ) g / (1 - Πₜ) + μₜ₊₁ m / (1 - Πₜ₊₁)) / (√v̂ + eps).
    ///
    /// ```
    /// use retrograd_autograd::Differentiate;
    /// use retrograd_nn::{NAdam, Optimizer, Param};
    /// use retrograd_tensor::Tensor;
    /// let mut p = Param::new(Tensor::from([1.0f64]));
    /// let mut nadam = NAdam::new(&p, 0.1);
    /// for _ in 0..100 {
    ///     let grads = p.square().sum(()).backward();
    ///     nadam.step(&mut p, &grads)?;
    /// }
    /// assert!(p.item().abs() < 0.1);
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    NAdam, NAdamOptions {
        /// How slowly the two moments forget; (0.9, 0.999) by default.
        betas(first: f64, second: f64): (f64, f64) = (0.9, 0.999);
        /// Added to the root of the second moment; 10⁻⁸ by default.
        eps(eps: f64): f64 = 1e-8;
        /// The factor of the parameter that is added to its gradient, or see `decoupled_weight_decay`; 0 by default.
        weight_decay(weight_decay: f64): f64 = 0.0;
        /// How fast μ grows to β₁; 0.004 by default.
        momentum_decay(momentum_decay: f64): f64 = 4e-3;
        /// Whether the decay acts on the parameter itself, as in [`AdamW`](super::AdamW).
        decoupled_weight_decay(decoupled: bool): bool = false;
        /// Whether steps go up the gradient.
        maximize(maximize: bool): bool = false;
    }
}

impl Rule for NAdamOptions {
    const NAME: &'static str = "NAdam";

    fn knobs(&mut self) -> Knobs<'_> {
        Knobs { lr: &mut self.lr, momentum: Some(&mut self.betas.0) }
    }

    fn check(&self) -> Result<(), String> {
        at_least_0("lr", self.lr)?;
        betas_below_1(self.betas)?;
        at_least_0("eps", self.eps)?;
        at_least_0("weight_decay", self.weight_decay)?;
        at_least_0("momentum_decay", self.momentum_decay)
    }

    /// The product of all μ so far is state of its own, since β₁ may change on the way.
    fn slots(&self, like: &Tensor) -> Slots {
        let mut slots = zeros(&["exp_avg", "exp_avg_sq"], like);
        slots.push(("mu_product", Tensor::from(1f64)));
        slots
    }

    fn update(&self, mut update: Update<'_>) -> Vec<Tensor> {
        let Self { lr, betas, eps, weight_decay, momentum_decay, decoupled_weight_decay, maximize } = *self;
        let flush = update.flush();
        let steps = update.step as f64;
        let mu = |step: f64| betas.0 * (1.0 - 0.5 * 0.96f64.powf(step * momentum_decay));
        let (now, next) = (mu(steps), mu(steps + 1.0));
        let product = update.slots.pop().map_or(1.0, |product| product.item()) * now;
        let rates = [
            lr * (1.0 - now) / (1.0 - product),
            lr * next / (1.0 - product * next),
            (1.0 - betas.1.powf(steps)).sqrt().recip(),
            1.0 - lr * weight_decay,
            1.0 - betas.0,
        ];
        let mut new = update.compute(&rates, |x| {
            let (mut p, m, v) = (x[0], x[2], x[3]);
            let [of_grad, of_moment, correction, keep, fresh] = [4, 5, 6, 7, 8].map(|i| x[i]);
            let g = directed(p, x[1], maximize, if decoupled_weight_decay { 0.0 } else { weight_decay });
            if decoupled_weight_decay && weight_decay != 0.0 {
                p = p * keep;
            }
            let m = flush(m + (g - m) * fresh);
            let v = flush(v * betas.1 + g * g * (1.0 - betas.1));
            vec![p - (g * of_grad + m * of_moment) / (v.sqrt() * correction + eps), m, v]
        });
        new.push(Tensor::from(product));
        new
    }
}
