//! Limits on gradients, between the backward pass and the step.
//!
//! As a step does, clipping checks every gradient before it changes one.

use super::Unused;
use super::core::{gradient, refusal};
use crate::module::Module;
use crate::param::Param;
use retrograd_autograd::Gradients;
use retrograd_tensor::{Error, Tensor, force_all, no_grad};

/// Options of [`clip_grad_norm_with`].
#[derive(Clone, Copy, Debug)]
pub struct ClipNorm {
    /// The largest norm that is left alone.
    pub max_norm: f64,
    /// The order of the norm; infinity takes the largest element.
    pub norm_type: f64,
    /// What to do about parameters that the loss does not depend on.
    pub unused: Unused,
}

impl Default for ClipNorm {
    fn default() -> Self {
        Self { max_norm: 1.0, norm_type: 2.0, unused: Unused::Error }
    }
}

/// Scales all gradients of `model` together so that their joint Euclidean norm is at most `max_norm`; returns
/// the norm that they had.
///
/// # Errors
/// If a trainable parameter has no usable gradient, as for
/// [`Optimizer::step`](super::Optimizer::step); nothing is changed then.
pub fn clip_grad_norm(model: &dyn Module, grads: &mut Gradients, max_norm: f64) -> Result<Tensor, Error> {
    clip_grad_norm_with(model, grads, &ClipNorm { max_norm, ..ClipNorm::default() })
}

/// [`clip_grad_norm`] in another norm, or for a model with unused parameters.
///
/// # Errors
/// As [`clip_grad_norm`].
pub fn clip_grad_norm_with(
    model: &dyn Module,
    grads: &mut Gradients,
    options: &ClipNorm,
) -> Result<Tensor, Error> {
    let found = usable("clip_grad_norm", model, grads, options.unused)?;
    no_grad(|| {
        let norm = joint_norm(&found, options.norm_type);
        // PyTorch's constant, for a norm of 0.
        let scale = (options.max_norm / (&norm + 1e-6)).clamp_max(1.0);
        replace(grads, found, |grad| grad * &scale, &norm);
        Ok(norm)
    })
}

/// Limits every element of the gradients of `model` to ±`limit`.
///
/// # Errors
/// As [`clip_grad_norm`].
pub fn clip_grad_value(model: &dyn Module, grads: &mut Gradients, limit: f64) -> Result<(), Error> {
    let found = usable("clip_grad_value", model, grads, Unused::Error)?;
    no_grad(|| replace(grads, found, |grad| grad.clamp(-limit, limit), &Tensor::from(0f32)));
    Ok(())
}

/// The Euclidean norm of the gradients that there are, not computed yet.
pub(crate) fn grad_norm(model: &dyn Module, grads: &Gradients) -> Result<Tensor, Error> {
    let found = usable("grad_norm", model, grads, Unused::Skip)?;
    Ok(no_grad(|| joint_norm(&found, 2.0)))
}

/// The norm of all gradients as one vector.
fn joint_norm(found: &[(&Param, Tensor)], order: f64) -> Tensor {
    let parts = found.iter().map(|(_, grad)| match order {
        f64::INFINITY => grad.abs().amax(()),
        2.0 => grad.square().sum(()),
        _ => grad.abs().pow(order).sum(()),
    });
    let joined = parts.reduce(|a, b| if order == f64::INFINITY { a.maximum(b) } else { a + b });
    match (joined, order) {
        (None, _) => Tensor::from(0f32),
        (Some(largest), f64::INFINITY) => largest,
        (Some(sum), 2.0) => sum.sqrt(),
        (Some(sum), _) => sum.pow(order.recip()),
    }
}

/// The trainable parameters with their gradients, if every one is usable.
pub(super) fn usable<'m>(
    op: &'static str,
    model: &'m dyn Module,
    grads: &Gradients,
    unused: Unused,
) -> Result<Vec<(&'m Param, Tensor)>, Error> {
    let (mut found, mut problems, mut trainable) = (Vec::new(), Vec::new(), 0);
    for (name, param) in model.named_parameters() {
        if !param.is_trainable() {
            continue;
        }
        trainable += 1;
        match gradient(&name, param, grads, unused) {
            Ok(Some(grad)) => found.push((param, grad.clone())),
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(found) } else { Err(refusal(op, trainable, &problems)) }
}

/// Puts what `f` makes of each gradient in its place, and computes all of them, and `beside`, together.
fn replace(
    grads: &mut Gradients,
    found: Vec<(&Param, Tensor)>,
    f: impl Fn(&Tensor) -> Tensor,
    beside: &Tensor,
) {
    let mut changed = vec![beside.clone()];
    for (param, grad) in found {
        let value = f(&grad);
        changed.push(value.clone());
        grads.replace(param, value);
    }
    force_all(&changed.iter().collect::<Vec<_>>());
}
