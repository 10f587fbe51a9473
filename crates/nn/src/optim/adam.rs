//! Adam, and AdamW: Adam with the weight decay outside its moments.

use super::Knobs;
use super::core::Update;
use super::rule::{Rule, Slots, at_least_0, betas_below_1, directed, optimizer, zeros};
use retrograd_tensor::Tensor;

/// The rule of one of the two.
macro_rules! adam {
    ($(#[$doc:meta])* $name:ident, $options:ident, $decoupled:literal, $decay:literal, $decay_doc:literal) => {
        optimizer! {
            $(#[$doc])*
            $name, $options {
                /// How slowly the two moments forget; (0.9, 0.999) by default.
                betas(first: f64, second: f64): (f64, f64) = (0.9, 0.999);
                /// Added to the root of the second moment; 10⁻⁸ by default.
                eps(eps: f64): f64 = 1e-8;
                #[doc = $decay_doc]
                weight_decay(weight_decay: f64): f64 = $decay;
                /// Whether the step is divided by the largest second moment so far instead of the present one.
                amsgrad(amsgrad: bool): bool = false;
                /// Whether steps go up the gradient.
                maximize(maximize: bool): bool = false;
            }
        }

        impl Rule for $options {
            const NAME: &'static str = stringify!($name);

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
                let names = ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"];
                zeros(&names[..if self.amsgrad { 3 } else { 2 }], like)
            }

            #[track_caller]
            fn update(&self, update: Update<'_>) -> Vec<Tensor> {
                let Self { lr, betas, eps, weight_decay, amsgrad, maximize } = *self;
                let flush = update.flush();
                let steps = update.step as f64;
                let (first, second) = (1.0 - betas.0.powf(steps), 1.0 - betas.1.powf(steps));
                let keep = 1.0 - lr * weight_decay;
                let rates = [lr / first, second.sqrt().recip(), keep, 1.0 - betas.0];
                update.compute(&rates, |x| {
                    let (mut p, m, v) = (x[0], x[2], x[3]);
                    let [rate, correction, keep, fresh] = [0, 1, 2, 3].map(|i| x[x.len() - 4 + i]);
                    let g = directed(p, x[1], maximize, if $decoupled { 0.0 } else { weight_decay });
                    if $decoupled && weight_decay != 0.0 {
                        p = p * keep;
                    }
                    let m = flush(m + (g - m) * fresh);
                    let v = flush(v * betas.1 + g * g * (1.0 - betas.1));
                    let largest = if amsgrad { x[4].maximum(v) } else { v };
                    let p = p - m / (largest.sqrt() * correction + eps) * rate;
                    if amsgrad { vec![p, m, v, largest] } else { vec![p, m, v] }
                })
            }
        }
    };
}

adam! {
    /// Adam (Kingma and Ba, 2015), by the formulas of PyTorch's `Adam` (whose rate is 10⁻³ by default): with m and
    /// v the moving averages of g and g²,
    ///
    /// p ← p - lr · m̂ / (√v̂ + eps), where m̂ and v̂ are corrected for their start at 0.
    ///
    /// ```
    /// use retrograd_autograd::Differentiate;
    /// use retrograd_nn::{Adam, Optimizer, Param};
    /// use retrograd_tensor::Tensor;
    /// let mut p = Param::new(Tensor::from([1.0f64, -3.0]));
    /// let mut adam = Adam::new(&p, 0.5).betas(0.9, 0.99).eps(0.0);
    /// let grads = p.square().sum(()).backward();
    /// adam.step(&mut p, &grads)?;
    /// assert!((p.to_vec::<f64>()[1] + 2.5).abs() < 1e-12);    // the first step has the rate's length
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    Adam, AdamOptions, false, 0.0,
    "The factor of the parameter that is added to its gradient; 0 by default."
}

adam! {
    /// [`Adam`] with decoupled weight decay (Loshchilov and Hutter, 2019): before each step, p ← (1 - lr ·
    /// weight_decay) · p.
    ///
    /// Biases and norms are usually spared:
    ///
    /// ```
    /// use retrograd_nn::{AdamW, Linear};
    /// use retrograd_nn::optim::bias_or_norm;
    /// use retrograd_tensor::Rng;
    /// let model = Linear::new(2, 3, &mut Rng::new(0));
    /// let adam = AdamW::new(&model, 1e-3).weight_decay(0.1).group(bias_or_norm, |g| g.weight_decay = 0.0);
    /// assert!(bias_or_norm("bias", &[3]) && !bias_or_norm("weight", &[3, 2]));
    /// # drop(adam);
    /// ```
    AdamW, AdamWOptions, true, 0.01,
    "The share of the parameter, times the learning rate, that each step takes away; 0.01 by default."
}
