//! Adagrad: steps that shrink with all gradients so far.

use super::Knobs;
use super::core::Update;
use super::rule::{Rule, Slots, at_least_0, directed, optimizer};
use retrograd_tensor::Tensor;

optimizer! {
    /// Adagrad (Duchi, Hazan and Singer, 2011), by the formulas of PyTorch's `Adagrad` (whose rate is 0.01 by
    /// default): s ← s + g², p ← p - lr / (1 + (t - 1) lr_decay) · g / (√s + eps).
    ///
    /// ```
    /// use retrograd_autograd::Differentiate;
    /// use retrograd_nn::{Adagrad, Optimizer, Param};
    /// use retrograd_tensor::Tensor;
    /// let mut p = Param::new(Tensor::from([4.0f64]));
    /// let mut adagrad = Adagrad::new(&p, 0.5).eps(0.0);
    /// let grads = p.square().sum(()).backward();
    /// adagrad.step(&mut p, &grads)?;
    /// assert_eq!(p.item(), 3.5);
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    Adagrad, AdagradOptions {
        /// How fast the rate falls with the steps; 0 by default.
        lr_decay(lr_decay: f64): f64 = 0.0;
        /// The factor of the parameter that is added to its gradient; 0 by default.
        weight_decay(weight_decay: f64): f64 = 0.0;
        /// What the sum of squares starts from; 0 by default.
        initial_accumulator_value(value: f64): f64 = 0.0;
        /// Added to the root of the sum; 10⁻¹⁰ by default.
        eps(eps: f64): f64 = 1e-10;
        /// Whether steps go up the gradient.
        maximize(maximize: bool): bool = false;
    }
}

impl Rule for AdagradOptions {
    const NAME: &'static str = "Adagrad";

    fn knobs(&mut self) -> Knobs<'_> {
        Knobs { lr: &mut self.lr, momentum: None }
    }

    fn check(&self) -> Result<(), String> {
        at_least_0("lr", self.lr)?;
        at_least_0("lr_decay", self.lr_decay)?;
        at_least_0("weight_decay", self.weight_decay)?;
        at_least_0("initial_accumulator_value", self.initial_accumulator_value)?;
        at_least_0("eps", self.eps)
    }

    fn slots(&self, like: &Tensor) -> Slots {
        vec![("sum", like.full_like(self.initial_accumulator_value))]
    }

    fn update(&self, update: Update<'_>) -> Vec<Tensor> {
        let Self { lr, lr_decay, weight_decay, eps, maximize, .. } = *self;
        let flush = update.flush();
        let rate = lr / (1.0 + (update.step as f64 - 1.0) * lr_decay);
        update.compute(&[rate], |x| {
            let (p, sum, rate) = (x[0], x[2], x[3]);
            let g = directed(p, x[1], maximize, weight_decay);
            let sum = flush(sum + g * g);
            vec![p - g / (sum.sqrt() + eps) * rate, sum]
        })
    }
}
