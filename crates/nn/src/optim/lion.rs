//! Lion: the sign of a momentum.

use super::Knobs;
use super::core::Update;
use super::rule::{Rule, Slots, at_least_0, betas_below_1, optimizer, zeros};
use retrograd_tensor::Tensor;

optimizer! {
    /// Lion (Chen and others, 2023, algorithm 2):
    ///
    /// c = β₁ m + (1 - β₁) g; p ← (1 - lr · weight_decay) p - lr · sign(c); m ← β₂ m + (1 - β₂) g.
    ///
    /// Every element moves by the rate, so the rate should be 3 to 10 times below AdamW's (10⁻⁴ in the paper), and
    /// the decay as much above.
    ///
    /// ```
    /// use retrograd_autograd::Differentiate;
    /// use retrograd_nn::{Lion, Optimizer, Param};
    /// use retrograd_tensor::Tensor;
    /// let mut p = Param::new(Tensor::from([1.0f64, -9.0, 0.0]));
    /// let mut lion = Lion::new(&p, 0.5);
    /// let grads = p.square().sum(()).backward();
    /// lion.step(&mut p, &grads)?;
    /// assert_eq!(p.to_vec::<f64>(), [0.5, -8.5, 0.0]);
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    Lion, LionOptions {
        /// How much the direction and the momentum keep of the momentum; (0.9, 0.99) by default.
        betas(first: f64, second: f64): (f64, f64) = (0.9, 0.99);
        /// The share of the parameter, times the learning rate, that each step takes away; 0 by default.
        weight_decay(weight_decay: f64): f64 = 0.0;
        /// Whether steps go up the gradient.
        maximize(maximize: bool): bool = false;
    }
}

impl Rule for LionOptions {
    const NAME: &'static str = "Lion";

    fn knobs(&mut self) -> Knobs<'_> {
        Knobs { lr: &mut self.lr, momentum: Some(&mut self.betas.0) }
    }

    fn check(&self) -> Result<(), String> {
        at_least_0("lr", self.lr)?;
        betas_below_1(self.betas)?;
        at_least_0("weight_decay", self.weight_decay)
    }

    fn slots(&self, like: &Tensor) -> Slots {
        zeros(&["exp_avg"], like)
    }

    fn update(&self, update: Update<'_>) -> Vec<Tensor> {
        let Self { lr, betas, weight_decay, maximize } = *self;
        let flush = update.flush();
        update.compute(&[lr, 1.0 - lr * weight_decay, 1.0 - betas.0], |x| {
            let (p, m, lr, keep, fresh) = (x[0], x[2], x[3], x[4], x[5]);
            let g = if maximize { -x[1] } else { x[1] };
            let direction = (m + (g - m) * fresh).sign();
            let m = flush(m + (g - m) * (1.0 - betas.1));
            vec![p * keep - direction * lr, m]
        })
    }
}
