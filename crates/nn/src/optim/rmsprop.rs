//! RMSprop: gradients divided by their recent size.

use super::Knobs;
use super::core::Update;
use super::rule::{Rule, Slots, at_least_0, directed, optimizer, zeros};
use retrograd_tensor::Tensor;

optimizer! {
    /// RMSprop (Hinton, 2012; centered: Graves, 2013), by the formulas of PyTorch's `RMSprop` (whose rate is 0.01
    /// by default): v ← α v + (1 - α) g²; d = g / (√v + eps), with v - a² for v where centered, a the moving
    /// average of g; p ← p - lr · d, or with momentum b ← momentum · b + d, p ← p - lr · b.
    ///
    /// ```
    /// use retrograd_autograd::Differentiate;
    /// use retrograd_nn::{Optimizer, Param, RmsProp};
    /// use retrograd_tensor::Tensor;
    /// let mut p = Param::new(Tensor::from([1.0f64]));
    /// let mut rms = RmsProp::new(&p, 0.5).alpha(0.75).eps(0.0);
    /// let grads = p.square().sum(()).backward();
    /// rms.step(&mut p, &grads)?;
    /// assert_eq!(p.item(), 0.0);                              // 1 - 0.5 · 2 / √(0.25 · 4)
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    RmsProp, RmsPropOptions {
        /// How slowly the averages forget; 0.99 by default.
        alpha(alpha: f64): f64 = 0.99;
        /// Added to the root of the mean square; 10⁻⁸ by default.
        eps(eps: f64): f64 = 1e-8;
        /// The factor of the parameter that is added to its gradient; 0 by default.
        weight_decay(weight_decay: f64): f64 = 0.0;
        /// The share of the last direction that is kept; 0 by default.
        momentum(momentum: f64): f64 = 0.0;
        /// Whether the mean square is taken about the mean gradient.
        centered(centered: bool): bool = false;
        /// Whether steps go up the gradient.
        maximize(maximize: bool): bool = false;
    }
}

impl Rule for RmsPropOptions {
    const NAME: &'static str = "RmsProp";

    fn knobs(&mut self) -> Knobs<'_> {
        let momentum = (self.momentum != 0.0).then_some(&mut self.momentum);
        Knobs { lr: &mut self.lr, momentum }
    }

    fn check(&self) -> Result<(), String> {
        at_least_0("lr", self.lr)?;
        at_least_0("alpha", self.alpha)?;
        at_least_0("eps", self.eps)?;
        at_least_0("weight_decay", self.weight_decay)?;
        at_least_0("momentum", self.momentum)
    }

    fn slots(&self, like: &Tensor) -> Slots {
        let optional = [("grad_avg", self.centered), ("momentum_buffer", self.momentum != 0.0)];
        let present = optional.into_iter().filter(|(_, present)| *present).map(|(name, _)| name);
        zeros(&std::iter::once("square_avg").chain(present).collect::<Vec<_>>(), like)
    }

    fn update(&self, update: Update<'_>) -> Vec<Tensor> {
        let Self { lr, alpha, eps, weight_decay, momentum, centered, maximize } = *self;
        let flush = update.flush();
        update.compute(&[lr, momentum], |x| {
            let (p, v, [lr, keep]) = (x[0], x[2], [x[x.len() - 2], x[x.len() - 1]]);
            let g = directed(p, x[1], maximize, weight_decay);
            let v = flush(v * alpha + g * g * (1.0 - alpha));
            let mut state = vec![v];
            let mut square = v;
            if centered {
                let mean = flush(x[3] + (g - x[3]) * (1.0 - alpha));
                state.push(mean);
                square = v - mean * mean;
            }
            let mut direction = g / (square.sqrt() + eps);
            if momentum != 0.0 {
                direction = flush(x[2 + state.len()] * keep + direction);
                state.push(direction);
            }
            state.insert(0, p - direction * lr);
            state
        })
    }
}
