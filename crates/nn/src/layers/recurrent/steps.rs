//! What recurrent networks compute at a step, and over all steps.
//!
//! A scan is one record of the tape with a rule of its own. Its rule knows the states of all steps, so it computes the
//! coefficients of all of them at once, walks back with one product a step, and gives the weight's gradient as one
//! product over all steps. It is made of tensor operations, and so has derivatives itself.

pub(super) mod gru;
pub(super) mod lstm;
pub(super) mod rnn;

use retrograd_tensor::{Tensor, cat};

/// The states before each step: `first`, then all of `states` but the last.
fn before(first: &Tensor, states: &Tensor) -> Tensor {
    cat(&[first.unsqueeze(0), states.narrow(0, 0, states.size(0) - 1)], 0)
}

/// The gradient of a weight that states of all steps were multiplied by: `g` `[steps, batch, rows]`, `x`
/// `[steps, batch, columns]`.
fn weight_gradient(g: &Tensor, x: &Tensor) -> Tensor {
    let flat = |t: &Tensor| t.reshape([t.size(0) * t.size(1), t.size(2)]);
    flat(g).t().matmul(flat(x))
}

/// Part `k` of the last axis, `n` long.
fn part(x: &Tensor, k: usize, n: usize) -> Tensor {
    x.narrow(-1, k * n, n)
}
