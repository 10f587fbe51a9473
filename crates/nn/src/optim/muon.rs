//! Muon: momentum of a matrix, made orthogonal.

use super::Knobs;
use super::core::Update;
use super::rule::{Rule, Slots, at_least_0, optimizer, zeros};
use retrograd_tensor::Tensor;

/// How [`Muon`] makes its rate depend on the shape of an r × c matrix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AdjustLr {
    /// lr · √max(1, r / c): as Jordan's, for matrices that map columns to rows.
    #[default]
    Original,
    /// lr · 0.2 · √max(r, c): steps of the size of AdamW's, whose rate and decay then fit.
    MatchRmsAdamW,
    /// lr · √(r / c): steps of a fixed size in the operator norm.
    Spectral,
    /// lr itself.
    None,
}

optimizer! {
    /// Muon (Jordan and others, 2024), as PyTorch's `Muon` (whose rate is 10⁻³ by default) but that products are
    /// taken in the parameter's own type instead of bf16: b ← b + (1 - momentum)(g - b); with u = g + momentum ·
    /// (b - g), or b without Nesterov's momentum,
    ///
    /// p ← (1 - lr · weight_decay) p - adjusted lr · orthogonal(u).
    ///
    /// `orthogonal` pulls all singular values to about 1 by steps X ← a X + (b G + c G²) X, G = X Xᵀ, from u / ‖u‖.
    ///
    /// It takes matrices only, usually those between the embedding and the head; the rest goes to another
    /// optimizer:
    ///
    /// ```
    /// use retrograd_autograd::Differentiate;
    /// use retrograd_nn::{AdamW, Linear, Muon, Optimizer};
    /// use retrograd_tensor::{Rng, Tensor};
    /// let mut rng = Rng::new(0);
    /// let mut model = Linear::new(3, 4, &mut rng);
    /// let matrix = |_: &str, shape: &[usize]| shape.len() == 2;
    /// let mut muon = Muon::new(&model, 0.02).only(matrix);
    /// let mut adam = AdamW::new(&model, 1e-3).only(|name, shape| !matrix(name, shape));
    /// let x = Tensor::randn([8, 3], &mut rng);
    /// let loss = model.forward(&x).square().mean(());
    /// let grads = loss.backward();
    /// muon.step(&mut model, &grads)?;
    /// adam.step(&mut model, &grads)?;
    /// assert!(model.forward(&x).square().mean(()).item() < loss.item());
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    Muon, MuonOptions {
        /// The share of the parameter, times the learning rate, that each step takes away; 0.1 by default.
        weight_decay(weight_decay: f64): f64 = 0.1;
        /// How slowly the momentum forgets; 0.95 by default.
        momentum(momentum: f64): f64 = 0.95;
        /// Whether the direction looks one step of momentum ahead; it does by default.
        nesterov(nesterov: bool): bool = true;
        /// The a, b and c of the iteration; (3.4445, -4.775, 2.0315) by default.
        ns_coefficients(a: f64, b: f64, c: f64): (f64, f64, f64) = (3.4445, -4.775, 2.0315);
        /// The least norm that u is divided by; 10⁻⁷ by default.
        eps(eps: f64): f64 = 1e-7;
        /// How many steps the iteration has, below 100; 5 by default.
        ns_steps(ns_steps: usize): usize = 5;
        /// How the rate depends on the shape.
        adjust_lr(adjust_lr: AdjustLr): AdjustLr = AdjustLr::Original;
    }
}

impl Rule for MuonOptions {
    const NAME: &'static str = "Muon";

    fn knobs(&mut self) -> Knobs<'_> {
        Knobs { lr: &mut self.lr, momentum: Some(&mut self.momentum) }
    }

    fn check(&self) -> Result<(), String> {
        at_least_0("lr", self.lr)?;
        at_least_0("weight_decay", self.weight_decay)?;
        at_least_0("momentum", self.momentum)?;
        at_least_0("eps", self.eps)?;
        if self.ns_steps >= 100 {
            return Err(format!("ns_steps not allowed: {}; it must be below 100", self.ns_steps));
        }
        Ok(())
    }

    fn accepts(&self, shape: &[usize]) -> Result<(), String> {
        if shape.len() == 2 {
            return Ok(());
        }
        Err(format!(
            "has shape {shape:?} and Muon takes matrices: leave it to another optimizer, with `only`"
        ))
    }

    fn slots(&self, like: &Tensor) -> Slots {
        zeros(&["momentum_buffer"], like)
    }

    fn update(&self, update: Update<'_>) -> Vec<Tensor> {
        let Update { param, grad, slots, .. } = update;
        let buffer = slots[0].lerp(&grad, 1.0 - self.momentum);
        let direction = if self.nesterov { grad.lerp(&buffer, self.momentum) } else { buffer.clone() };
        let (rows, columns) = (param.size(0) as f64, param.size(1) as f64);
        let factor = match self.adjust_lr {
            AdjustLr::Original => (rows / columns).max(1.0).sqrt(),
            AdjustLr::MatchRmsAdamW => 0.2 * rows.max(columns).sqrt(),
            AdjustLr::Spectral => (rows / columns).sqrt(),
            AdjustLr::None => 1.0,
        };
        let step = self.orthogonal(&direction) * (self.lr * factor);
        vec![param * (1.0 - self.lr * self.weight_decay) - step, buffer]
    }
}

impl MuonOptions {
    /// The matrix with its singular values pulled to about 1.
    fn orthogonal(&self, matrix: &Tensor) -> Tensor {
        let (a, b, c) = self.ns_coefficients;
        // The Gram matrix of the shorter side.
        let tall = matrix.size(0) > matrix.size(1);
        let turned = |x: &Tensor| if tall { x.t() } else { x.clone() };
        let x = turned(matrix);
        let norm = x.square().sum(()).sqrt().clamp_min(self.eps);
        let steps = 0..self.ns_steps;
        let x = steps.fold(x / norm, |x, _| {
            let gram = x.matmul(x.t());
            let polynomial = &gram * b + gram.matmul(&gram) * c;
            &x * a + polynomial.matmul(&x)
        });
        turned(&x)
    }
}
