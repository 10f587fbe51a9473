//! LAMB: Adam's direction, scaled layer by layer to the size of the weights.

use super::Knobs;
use super::core::Update;
use super::rule::{Rule, Slots, at_least_0, betas_below_1, optimizer, zeros};
use retrograd_tensor::{Tensor, map_n};

optimizer! {
    /// LAMB (You and others, 2020, algorithm 2): with m̂ and v̂ Adam's corrected moments and ‖·‖ the Euclidean norm
    /// of a whole parameter,
    ///
    /// r = m̂ / (√v̂ + eps) + weight_decay · p; p ← p - lr · ‖p‖ / ‖r‖ · r, with 1 for the quotient where a norm
    /// is 0.
    ///
    /// ```
    /// use retrograd_autograd::Differentiate;
    /// use retrograd_nn::{Lamb, Optimizer, Param};
    /// use retrograd_tensor::Tensor;
    /// let mut p = Param::new(Tensor::from([3.0f64, 4.0]));
    /// let mut lamb = Lamb::new(&p, 0.1).weight_decay(0.0);
    /// let grads = p.square().sum(()).backward();
    /// lamb.step(&mut p, &grads)?;
    /// let step = (&p - Tensor::from([3.0f64, 4.0])).vector_norm(2.0, ()).item();
    /// assert!((step - 0.5).abs() < 1e-12);                    // a tenth of the norm of p
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    Lamb, LambOptions {
        /// How slowly the two moments forget; (0.9, 0.999) by default.
        betas(first: f64, second: f64): (f64, f64) = (0.9, 0.999);
        /// Added to the root of the second moment; 10⁻⁶ by default.
        eps(eps: f64): f64 = 1e-6;
        /// The share of the parameter in the direction; 0.01 by default.
        weight_decay(weight_decay: f64): f64 = 0.01;
        /// Whether steps go up the gradient.
        maximize(maximize: bool): bool = false;
    }
}

impl Rule for LambOptions {
    const NAME: &'static str = "Lamb";

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
        let Self { lr, betas, eps, weight_decay, maximize } = *self;
        let flush = update.flush();
        let steps = update.step as f64;
        let p = update.param.clone();
        let first = (1.0 - betas.0.powf(steps)).recip();
        let second = (1.0 - betas.1.powf(steps)).sqrt().recip();
        let mut new = update.compute(&[first, second, 1.0 - betas.0], |x| {
            let (p, m, v, first, second, fresh) = (x[0], x[2], x[3], x[4], x[5], x[6]);
            let g = if maximize { -x[1] } else { x[1] };
            let m = flush(m + (g - m) * fresh);
            let v = flush(v * betas.1 + g * g * (1.0 - betas.1));
            let direction = m * first / (v.sqrt() * second + eps);
            vec![if weight_decay == 0.0 { direction } else { direction + p * weight_decay }, m, v]
        });
        let direction = &new[0];
        let sizes = [p.vector_norm(2.0, ()), direction.vector_norm(2.0, ())];
        let operands = [&p, direction, &sizes[0], &sizes[1]].map(|x| x.clone().into()).into_iter();
        new[0] = map_n(operands.chain([lr.into()]), |x| {
            let (p, direction, of_param, of_step, lr) = (x[0], x[1], x[2], x[3], x[4]);
            let trust = (of_param * of_step).gt(0.0).where_(of_param / of_step, 1.0);
            p - direction * trust * lr
        });
        new
    }
}
