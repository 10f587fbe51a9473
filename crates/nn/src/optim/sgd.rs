//! Stochastic gradient descent.

use super::Knobs;
use super::core::Update;
use super::rule::{Rule, Slots, at_least_0, directed, optimizer, zeros};
use retrograd_tensor::Tensor;

optimizer! {
    /// Stochastic gradient descent with momentum, by the formulas of PyTorch's `SGD` (whose rate is 10⁻³ by
    /// default):
    ///
    /// g ← g + weight_decay · p; b ← momentum · b + (1 - dampening) · g, at first b ← g;
    /// p ← p - lr · b, or with Nesterov's momentum p - lr · (g + momentum · b).
    ///
    /// ```
    /// use retrograd_autograd::Differentiate;
    /// use retrograd_nn::{Optimizer, Param, Sgd};
    /// use retrograd_tensor::Tensor;
    /// let mut p = Param::new(Tensor::from([1.0f64]));
    /// let mut sgd = Sgd::new(&p, 0.25).momentum(0.5);
    /// for want in [0.5, 0.0] {
    ///     let grads = p.square().sum(()).backward();
    ///     sgd.step(&mut p, &grads)?;
    ///     assert_eq!(p.to_vec::<f64>(), [want]);
    /// }
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    Sgd, SgdOptions {
        /// The share of the last direction that is kept; 0 by default.
        momentum(momentum: f64): f64 = 0.0;
        /// What is taken from a gradient before it joins the direction; 0 by default.
        dampening(dampening: f64): f64 = 0.0;
        /// The factor of the parameter that is added to its gradient; 0 by default.
        weight_decay(weight_decay: f64): f64 = 0.0;
        /// Whether the direction looks one step of momentum ahead; that takes momentum, and no dampening.
        nesterov(nesterov: bool): bool = false;
        /// Whether steps go up the gradient.
        maximize(maximize: bool): bool = false;
    }
}

impl Rule for SgdOptions {
    const NAME: &'static str = "Sgd";

    fn knobs(&mut self) -> Knobs<'_> {
        let momentum = (self.momentum != 0.0).then_some(&mut self.momentum);
        Knobs { lr: &mut self.lr, momentum }
    }

    fn check(&self) -> Result<(), String> {
        at_least_0("lr", self.lr)?;
        at_least_0("momentum", self.momentum)?;
        at_least_0("weight_decay", self.weight_decay)
    }

    fn coherent(&self) -> Result<(), String> {
        if self.nesterov && (self.momentum == 0.0 || self.dampening != 0.0) {
            let given = format!("momentum {}, dampening {}", self.momentum, self.dampening);
            return Err(format!("nesterov does not fit: {given}; it takes momentum and no dampening"));
        }
        Ok(())
    }

    fn slots(&self, like: &Tensor) -> Slots {
        zeros(if self.momentum == 0.0 { &[] } else { &["momentum_buffer"] }, like)
    }

    fn update(&self, update: Update<'_>) -> Vec<Tensor> {
        let Self { lr, momentum, dampening, weight_decay, nesterov, maximize } = *self;
        let flush = update.flush();
        if momentum == 0.0 {
            return update
                .compute(&[lr], |x| vec![x[0] - directed(x[0], x[1], maximize, weight_decay) * x[2]]);
        }
        let fresh = if update.step == 1 { 1.0 } else { 1.0 - dampening };
        update.compute(&[lr, momentum, fresh], |x| {
            let (p, b, lr, momentum, fresh) = (x[0], x[2], x[3], x[4], x[5]);
            let g = directed(p, x[1], maximize, weight_decay);
            let b = flush(b * momentum + g * fresh);
            let direction = if nesterov { g + b * momentum } else { b };
            vec![p - direction * lr, b]
        })
    }
}
