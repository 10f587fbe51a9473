//! Rprop: steps that know only the gradient's signs.

use super::Knobs;
use super::core::Update;
use super::rule::{Rule, Slots, at_least_0, optimizer};
use retrograd_tensor::Tensor;

optimizer! {
    /// Resilient backpropagation (Riedmiller and Braun, 1993), by the formulas of PyTorch's `Rprop`: each element
    /// has a step size, at first the learning rate (0.01 by default there), which grows by the second factor while
    /// the gradient keeps its sign and shrinks by the first where it turns; there the element rests for one step.
    /// p ← p - sign(g) · size.
    ///
    /// It wants gradients of the whole data set, not of batches. A schedule of the rate changes nothing after the
    /// first step.
    ///
    /// ```
    /// use retrograd_autograd::Differentiate;
    /// use retrograd_nn::{Optimizer, Param, Rprop};
    /// use retrograd_tensor::Tensor;
    /// let mut p = Param::new(Tensor::from([1.0f64]));
    /// let mut rprop = Rprop::new(&p, 0.5).etas(0.5, 2.0);
    /// for want in [0.5, -0.5, -0.5, 0.0] {                    // 0.5; twice as far; a rest; half as far back
    ///     let grads = p.square().sum(()).backward();
    ///     rprop.step(&mut p, &grads)?;
    ///     assert_eq!(p.item(), want);
    /// }
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    Rprop, RpropOptions {
        /// The factors by which a step size shrinks and grows; (0.5, 1.2) by default.
        etas(shrink: f64, grow: f64): (f64, f64) = (0.5, 1.2);
        /// The least and the largest step size; (10⁻⁶, 50) by default.
        step_sizes(least: f64, largest: f64): (f64, f64) = (1e-6, 50.0);
        /// Whether steps go up the gradient.
        maximize(maximize: bool): bool = false;
    }
}

impl Rule for RpropOptions {
    const NAME: &'static str = "Rprop";

    fn knobs(&mut self) -> Knobs<'_> {
        Knobs { lr: &mut self.lr, momentum: None }
    }

    fn check(&self) -> Result<(), String> {
        at_least_0("lr", self.lr)?;
        let (shrink, grow) = self.etas;
        if !(0.0 < shrink && shrink < 1.0 && 1.0 < grow) {
            return Err(format!("etas not allowed: {:?}; they must be in (0, 1) and above 1", self.etas));
        }
        let (least, largest) = self.step_sizes;
        if !(0.0 <= least && least <= largest) {
            return Err(format!("step_sizes not allowed: {:?}; the first is the least", self.step_sizes));
        }
        Ok(())
    }

    fn slots(&self, like: &Tensor) -> Slots {
        vec![("prev", like.zeros_like()), ("step_size", like.full_like(self.lr))]
    }

    fn update(&self, update: Update<'_>) -> Vec<Tensor> {
        let Self { etas, step_sizes, maximize, .. } = *self;
        update.compute(&[], |x| {
            let (p, g, last, size) = (x[0], x[1], x[2], x[3]);
            let g = if maximize { -g } else { g };
            // The product of the signs, since that of small gradients would vanish.
            let agreement = g.sign() * last.sign();
            let turned = agreement.lt(0.0);
            let factor = turned.where_(etas.0, agreement.gt(0.0).where_(etas.1, 1.0));
            let size = (size * factor).clamp(step_sizes.0, step_sizes.1);
            let g = turned.where_(0.0, g);
            vec![p - g.sign() * size, g, size]
        })
    }
}
