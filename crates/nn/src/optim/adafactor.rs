//! Adafactor: second moments of a matrix by its rows and columns alone.

use super::Knobs;
use super::core::Update;
use super::rule::{Rule, Slots, at_least_0, optimizer};
use retrograd_tensor::{BF16, DType, F16, F64, Tensor};

optimizer! {
    /// Adafactor (Shazeer and Stern, 2018), by the formulas of PyTorch's `Adafactor` (whose rate is 0.01 by
    /// default). A parameter of two or more axes keeps moving averages R and C of g² along its last axis and the
    /// last but one instead of one for each element; with w = t^beta2_decay the weight of the present gradient,
    ///
    /// u = g / √max(R C / max(mean R, eps₁), eps₁²); p ← (1 - lr · weight_decay) p;
    /// p ← p - α u / max(1, rms(u) / d), α = max(eps₂, rms(p)) · min(lr, 1/√t),
    ///
    /// where rms(p) is taken before the decay. A vector keeps g² itself.
    ///
    /// ```
    /// use retrograd_autograd::Differentiate;
    /// use retrograd_nn::{Adafactor, Optimizer, Param};
    /// use retrograd_tensor::F64;
    /// let mut p = Param::new(F64.full([3, 2], 2.0));
    /// let mut adafactor = Adafactor::new(&p, 0.25);
    /// let grads = p.square().sum(()).backward();
    /// adafactor.step(&mut p, &grads)?;
    /// assert!((p.to_vec::<f64>()[0] - 1.5).abs() < 1e-12);    // a quarter of its size
    /// assert_eq!(adafactor.state_dict()["row_var"].shape()[..], [3, 1]);
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    Adafactor, AdafactorOptions {
        /// The exponent of the present gradient's weight; -0.8 by default.
        beta2_decay(beta2_decay: f64): f64 = -0.8;
        /// The least size of a moment (by default the type's machine epsilon) and of a parameter (10⁻³).
        eps(first: Option<f64>, second: f64): (Option<f64>, f64) = (None, 1e-3);
        /// The largest root mean square of a direction; 1 by default.
        d(d: f64): f64 = 1.0;
        /// The share of the parameter, times the learning rate, that each step takes away; 0 by default.
        weight_decay(weight_decay: f64): f64 = 0.0;
        /// Whether steps go up the gradient.
        maximize(maximize: bool): bool = false;
    }
}

impl Rule for AdafactorOptions {
    const NAME: &'static str = "Adafactor";

    fn knobs(&mut self) -> Knobs<'_> {
        Knobs { lr: &mut self.lr, momentum: None }
    }

    fn check(&self) -> Result<(), String> {
        at_least_0("lr", self.lr)?;
        if self.beta2_decay.is_nan() || self.beta2_decay > 0.0 {
            return Err(format!("beta2_decay not allowed: {}; it must be at most 0", self.beta2_decay));
        }
        at_least_0("first eps", self.eps.0.unwrap_or(0.0))?;
        at_least_0("second eps", self.eps.1)?;
        if self.d.is_nan() || self.d < 1.0 {
            return Err(format!("d not allowed: {}; it must be at least 1", self.d));
        }
        at_least_0("weight_decay", self.weight_decay)
    }

    fn slots(&self, like: &Tensor) -> Slots {
        let rank = like.rank();
        if rank < 2 {
            return vec![("variance", like.zeros_like())];
        }
        let without = |axis: usize| {
            let mut shape = like.shape().to_vec();
            shape[axis] = 1;
            like.dtype().zeros(shape)
        };
        vec![("row_var", without(rank - 1)), ("col_var", without(rank - 2))]
    }

    fn update(&self, update: Update<'_>) -> Vec<Tensor> {
        let Self { lr, beta2_decay, eps, d, weight_decay, maximize } = *self;
        let Update { step, param, grad, slots, .. } = update;
        let grad = if maximize { -grad } else { grad };
        let least = eps.0.unwrap_or_else(|| epsilon(param.dtype()));
        let weight = (step as f64).powf(beta2_decay);
        let averaged = |old: &Tensor, square: Tensor| old.lerp(square, weight);
        let square = grad.square();
        let mut new = Vec::with_capacity(3);
        let estimate = if let [rows, columns] = &slots[..] {
            let rows = averaged(rows, square.mean_keepdim(-1));
            let columns = averaged(columns, square.mean_keepdim(-2));
            let estimate = &rows * &columns / rows.mean_keepdim(-2).clamp_min(least);
            new.extend([rows, columns]);
            estimate
        } else {
            let variance = averaged(&slots[0], square);
            new.push(variance.clone());
            variance
        };
        let direction = grad * estimate.clamp_min(least * least).rsqrt();
        let size = |x: &Tensor| x.square().mean(()).sqrt();
        let rate = size(&param).clamp_min(eps.1) * lr.min((step as f64).sqrt().recip());
        let bound = (size(&direction) / d).clamp_min(1.0);
        new.insert(0, param * (1.0 - lr * weight_decay) - direction * (rate / bound));
        new
    }
}

/// The distance of 1 from the next number of a type.
fn epsilon(dtype: DType) -> f64 {
    match dtype {
        F64 => f64::EPSILON,
        F16 => 2f64.powi(-10),
        BF16 => 2f64.powi(-7),
        _ => f32::EPSILON.into(),
    }
}
