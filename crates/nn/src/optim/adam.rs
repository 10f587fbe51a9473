//! Adam, and AdamW: Adam with the weight decay outside its moments.

use super::core::Core;
use super::{Optimizer, Unused};
use crate::module::{Module, StateDict};
use retrograd_autograd::Gradients;
use retrograd_tensor::{Error, Scalar};

const MOMENTS: &[&str] = &["exp_avg", "exp_avg_sq", "max_exp_avg_sq"];

/// Settings and formula of both.
#[derive(Clone, Copy, Debug)]
struct Rule {
    betas: (f64, f64),
    eps: f64,
    weight_decay: f64,
    /// Whether the decay acts on the parameter itself rather than on the gradient.
    decoupled: bool,
    amsgrad: bool,
    maximize: bool,
}

impl Rule {
    fn moments(self) -> usize {
        if self.amsgrad { 3 } else { 2 }
    }

    fn step(self, core: &mut Core, lr: f64, model: &mut dyn Module, grads: &Gradients) -> Result<(), Error> {
        core.step(model, grads, self.moments(), |update| {
            let flush = update.flush();
            let steps = update.step as f64;
            let (first, second) = (1.0 - self.betas.0.powf(steps), 1.0 - self.betas.1.powf(steps));
            let rates = [lr / first, second.sqrt().recip(), 1.0 - lr * self.weight_decay];
            update.compute(&rates, |x| self.formula(x, &flush))
        })
    }

    /// The new parameter and moments, of the parameter, its gradient, its moments and the three rates.
    fn formula(self, x: &[Scalar], flush: &dyn Fn(Scalar) -> Scalar) -> Vec<Scalar> {
        let (mut p, mut g, m, v) = (x[0], x[1], x[2], x[3]);
        let [rate, correction, keep] = [0, 1, 2].map(|i| x[2 + self.moments() + i]);
        if self.maximize {
            g = -g;
        }
        if self.weight_decay != 0.0 && self.decoupled {
            p = p * keep;
        } else if self.weight_decay != 0.0 {
            g = g + p * self.weight_decay;
        }
        let m = flush(m + (g - m) * (1.0 - self.betas.0));
        let v = flush(v * self.betas.1 + g * g * (1.0 - self.betas.1));
        let largest = if self.amsgrad { x[4].maximum(v) } else { v };
        let p = p - m / (largest.sqrt() * correction + self.eps) * rate;
        if self.amsgrad { vec![p, m, v, largest] } else { vec![p, m, v] }
    }
}

/// The struct, its settings and its [`Optimizer`], for one of the two.
macro_rules! adam {
    ($(#[$doc:meta])* $name:ident, $decoupled:expr, $decay:literal, $decay_doc:literal) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name {
            /// The learning rate.
            pub lr: f64,
            rule: Rule,
            core: Core,
        }

        impl $name {
            /// An optimizer of the parameters of `model` with this learning rate.
            pub fn new(model: &dyn Module, lr: f64) -> Self {
                let rule = Rule {
                    betas: (0.9, 0.999),
                    eps: 1e-8,
                    weight_decay: $decay,
                    decoupled: $decoupled,
                    amsgrad: false,
                    maximize: false,
                };
                Self { lr, rule, core: Core::new(stringify!($name), model) }
            }

            /// How slowly the two moments forget; (0.9, 0.999) by default.
            #[must_use]
            pub fn betas(mut self, first: f64, second: f64) -> Self {
                self.rule.betas = (first, second);
                self
            }

            /// Added to the root of the second moment; 10⁻⁸ by default.
            #[must_use]
            pub fn eps(mut self, eps: f64) -> Self {
                self.rule.eps = eps;
                self
            }

            #[doc = $decay_doc]
            #[must_use]
            pub fn weight_decay(mut self, weight_decay: f64) -> Self {
                self.rule.weight_decay = weight_decay;
                self
            }

            /// Whether the step is divided by the largest second moment so far instead of the present one.
            #[must_use]
            pub fn amsgrad(mut self, amsgrad: bool) -> Self {
                self.rule.amsgrad = amsgrad;
                self
            }

            /// Whether steps go up the gradient.
            #[must_use]
            pub fn maximize(mut self, maximize: bool) -> Self {
                self.rule.maximize = maximize;
                self
            }

            /// What to do about parameters that the loss does not depend on.
            #[must_use]
            pub fn unused(mut self, unused: Unused) -> Self {
                self.core.unused = unused;
                self
            }
        }

        impl Optimizer for $name {
            fn step(&mut self, model: &mut dyn Module, grads: &Gradients) -> Result<(), Error> {
                self.rule.step(&mut self.core, self.lr, model, grads)
            }

            fn lr_mut(&mut self) -> &mut f64 {
                &mut self.lr
            }

            fn state_dict(&self) -> StateDict {
                self.core.state_dict(&MOMENTS[..self.rule.moments()])
            }

            fn load_state_dict(&mut self, state: &StateDict) -> Result<(), Error> {
                self.core.load_state_dict(&MOMENTS[..self.rule.moments()], state)
            }
        }
    };
}

adam! {
    /// Adam (Kingma and Ba, 2015), by PyTorch's formulas: with m and v the moving averages of g and g²,
    ///
    /// p ← p - lr · m̂ / (√v̂ + eps), where m̂ and v̂ are corrected for their start at 0.
    Adam, false, 0.0, "The factor of the parameter that is added to its gradient; 0 by default."
}

adam! {
    /// [`Adam`] with decoupled weight decay (Loshchilov and Hutter, 2019): before each step, p ← (1 - lr ·
    /// weight_decay) · p.
    AdamW, true, 0.01, "The share of the parameter, times the learning rate, that each step takes away; 0.01 by default."
}
