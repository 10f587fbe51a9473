//! The plain recurrence: h' = squash(x + W h), x being the input's part with all biases.

use super::super::Squash;
use super::{Products, before, by_rows, joined, steps_of};
use retrograd_autograd::{Differentiate, with_vjp};
use retrograd_tensor::{Tensor, cat, force_all};
use std::ops::Range;

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
    let by = Products::of(xw);
    with_vjp(&[xw, w, h], move |x| run(squash, by, x), move |x, y, g| pull(squash, by, x, y, g))
}

fn run(squash: Squash, by: Products, x: &[Tensor]) -> Tensor {
    let turned = by.low(&x[1]).t();
    let parts = by_rows(x[2].size(0), |rows| {
        let mut h = x[2].narrow(0, rows.start, rows.len());
        let mut states = vec![];
        for xw in steps_of(&x[0], &rows) {
            h = step(squash, &xw, &by.matmul(&h, &turned));
            states.push(h.clone());
        }
        force_all(&states.iter().collect::<Vec<_>>());
        states
    });
    joined(parts.iter().map(|part| &part[..]))
}

fn pull(squash: Squash, by: Products, x: &[Tensor], y: &Tensor, g: &Tensor) -> Vec<Tensor> {
    let (w, h) = (by.low(&x[1]), &x[2]);
    let slopes = match squash {
        Squash::Tanh => y.map(|y| 1.0 - y * y),
        Squash::Relu => y.map(|y| y.gt(0.0).where_(1.0, 0.0)),
    };
    slopes.force();
    // A rule that is differentiated itself has one order of sums.
    let again = x.iter().chain([y]).any(Tensor::is_tracked);
    let back = |rows: Range<usize>| {
        let mut carry = h.narrow(0, 0, rows.len()).zeros_like();
        let mut of_steps = vec![];
        for (g, slope) in steps_of(g, &rows).iter().zip(steps_of(&slopes, &rows)).rev() {
            let d = (g + &carry) * slope;
            carry = by.matmul(&d, &w);
            of_steps.push(d);
        }
        of_steps.reverse();
        (of_steps, carry)
    };
    let parts = if again { vec![back(0..h.size(0))] } else { by_rows(h.size(0), back) };
    let of_steps = joined(parts.iter().map(|part| &part.0[..]));
    let of_weight = by.weight_gradient(&of_steps, &before(h, y));
    let of_first = cat(&parts.iter().map(|part| &part.1).collect::<Vec<_>>(), 0);
    vec![of_steps, of_weight, of_first]
}
