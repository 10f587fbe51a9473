//! The plain recurrence: h' = squash(x + W h), x being the input's part with all biases.

use super::super::Squash;
use super::{before, weight_gradient};
use retrograd_autograd::with_vjp;
use retrograd_tensor::{Tensor, stack};

/// The next state, given the input's and the state's part.
#[track_caller]
pub(in super::super) fn step(squash: Squash, x: &Tensor, hw: &Tensor) -> Tensor {
    match squash {
        Squash::Tanh => x.zip_map(hw, |x, h| (x + h).tanh()),
        Squash::Relu => x.zip_map(hw, |x, h| (x + h).relu()),
    }
}

/// All states: from the input's part `[steps, batch, n]`, `w` `[n, n]` and the first state.
#[track_caller]
pub(in super::super) fn scan(squash: Squash, xw: &Tensor, w: &Tensor, h: &Tensor) -> Tensor {
    with_vjp(&[xw, w, h], move |x| run(squash, x), move |x, y, g| pull(squash, x, y, g))
}

fn run(squash: Squash, x: &[Tensor]) -> Tensor {
    let (turned, mut h) = (x[1].t(), x[2].clone());
    let mut states = Vec::with_capacity(x[0].size(0));
    for xw in x[0].unbind(0) {
        h = step(squash, &xw, &h.matmul(&turned));
        states.push(h.clone());
    }
    stack(&states, 0)
}

fn pull(squash: Squash, x: &[Tensor], y: &Tensor, g: &Tensor) -> Vec<Tensor> {
    let (w, h) = (&x[1], &x[2]);
    let slopes = match squash {
        Squash::Tanh => y.map(|y| 1.0 - y * y),
        Squash::Relu => y.map(|y| y.gt(0.0).where_(1.0, 0.0)),
    };
    slopes.force();
    let mut carry = h.zeros_like();
    let mut parts = Vec::with_capacity(y.size(0));
    for (g, slope) in g.unbind(0).iter().zip(slopes.unbind(0)).rev() {
        let d = (g + &carry) * slope;
        carry = d.matmul(w);
        parts.push(d);
    }
    parts.reverse();
    let g = stack(&parts, 0);
    let of_weight = weight_gradient(&g, &before(h, y));
    vec![g, of_weight, carry]
}
