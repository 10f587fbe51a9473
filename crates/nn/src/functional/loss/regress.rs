//! Losses of predicted numbers: distances, and likelihoods of counts and of normal variables.

use super::{GaussianNll, Huber, PoissonNll, Reduction, SmoothL1, check_option, check_same_shape};
use retrograd_autograd::Differentiate;
use retrograd_tensor::{Error, ErrorKind, Tensor, raise};
use std::f64::consts::PI;

#[track_caller]
pub(super) fn mse_loss(x: &Tensor, target: &Tensor, reduction: Reduction) -> Tensor {
    check_same_shape("mse_loss", x, target);
    reduction.apply((x - target).square())
}

#[track_caller]
pub(super) fn l1_loss(x: &Tensor, target: &Tensor, reduction: Reduction) -> Tensor {
    check_same_shape("l1_loss", x, target);
    reduction.apply((x - target).abs())
}

#[track_caller]
pub(super) fn smooth_l1_loss(x: &Tensor, target: &Tensor, options: &SmoothL1) -> Tensor {
    const OP: &str = "smooth_l1_loss";
    check_same_shape(OP, x, target);
    let beta = options.beta;
    check_option(OP, beta >= 0.0, &format!("beta {beta}"), "it is 0 or more");
    let loss = if beta == 0.0 { (x - target).abs() } else { bent(&(x - target), beta) / beta };
    options.reduction.apply(loss)
}

#[track_caller]
pub(super) fn huber_loss(x: &Tensor, target: &Tensor, options: &Huber) -> Tensor {
    const OP: &str = "huber_loss";
    check_same_shape(OP, x, target);
    let delta = options.delta;
    check_option(OP, delta > 0.0, &format!("delta {delta}"), "it is positive");
    options.reduction.apply(bent(&(x - target), delta))
}

/// d² / 2 up to |d| = `bend`, the tangent beyond: with c = clamp(d), c (d - c / 2) is both, without a choice and
/// with the right second derivative at 0, which a formula in |d| would lose.
#[track_caller]
fn bent(d: &Tensor, bend: f64) -> Tensor {
    let c = d.clamp(-bend, bend);
    &c * (d - &c * 0.5)
}

#[track_caller]
pub(super) fn poisson_nll_loss(x: &Tensor, target: &Tensor, options: &PoissonNll) -> Tensor {
    check_same_shape("poisson_nll_loss", x, target);
    let mut loss =
        if options.log_input { x.exp() - target * x } else { x - target * (x + options.eps).log() };
    if options.full {
        let stirling = target * target.log() - target + (target * (2.0 * PI)).log() * 0.5;
        loss += target.gt(1.0).where_(stirling, 0.0);
    }
    options.reduction.apply(loss)
}

#[track_caller]
pub(super) fn gaussian_nll_loss(
    x: &Tensor,
    target: &Tensor,
    variance: &Tensor,
    options: &GaussianNll,
) -> Tensor {
    const OP: &str = "gaussian_nll_loss";
    check_same_shape(OP, x, target);
    let eps = options.eps;
    check_option(OP, eps > 0.0, &format!("eps {eps}"), "it is positive");
    let variance = aligned(OP, x, variance);
    // The limit changes the value and not the gradient: a variance that fell below it can grow again.
    let raise_by = (variance.clamp_min(eps) - &variance).detach();
    let variance = variance + raise_by;
    let mut loss = (variance.log() + (x - target).square() / &variance) * 0.5;
    if options.full {
        loss += 0.5 * (2.0 * PI).ln();
    }
    options.reduction.apply(loss)
}

/// The variance with as many axes as the input.
#[track_caller]
fn aligned(op: &'static str, x: &Tensor, variance: &Tensor) -> Tensor {
    let (shape, given) = (&x.shape()[..], &variance.shape()[..]);
    if let [head @ .., _] = shape {
        if given == head {
            return variance.unsqueeze(-1);
        }
        if let [given_head @ .., 1] = given
            && given_head == head
        {
            return variance.clone();
        }
    }
    if given != shape {
        let detail = format!(
            "variance does not fit: input {shape:?}, variance {given:?}; its last axis may be 1 or absent"
        );
        raise(Error::new(op, ErrorKind::Shape, detail));
    }
    variance.clone()
}
