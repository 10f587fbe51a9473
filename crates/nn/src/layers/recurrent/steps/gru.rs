//! The gated recurrent unit: r, z = σ(x + U h), n = tanh(x + r (U h)), h' = (1 - z) n + z h, x being the input's part
//! with its bias, and U h the state's part with its own.

use super::{before, part, weight_gradient};
use retrograd_autograd::with_vjp;
use retrograd_tensor::{Tensor, cat, force_all, map_n, map_n_out, stack};

/// The next state, given the input's and the state's part, each with the rows of r, z and n, and the state.
#[track_caller]
pub(in super::super) fn step(x: &Tensor, hw: &Tensor, h: &Tensor) -> Tensor {
    let n = h.size(-1);
    let parts = [x, hw].into_iter().flat_map(|t| [0, 1, 2].map(|k| part(t, k, n).into()));
    map_n(parts.chain([h.into()]), |s| {
        let (r, z) = ((s[0] + s[3]).sigmoid(), (s[1] + s[4]).sigmoid());
        let n = (s[2] + r * s[5]).tanh();
        n + z * (s[6] - n)
    })
}

/// All states: from the input's part `[steps, batch, 3 n]`, `w` `[3 n, n]`, the first state, and the bias of the
/// state's part.
#[track_caller]
pub(in super::super) fn scan(xw: &Tensor, w: &Tensor, h: &Tensor, bias: Option<&Tensor>) -> Tensor {
    let operands: Vec<&Tensor> = [xw, w, h].into_iter().chain(bias).collect();
    with_vjp(&operands, run, pull)
}

fn run(x: &[Tensor]) -> Tensor {
    let mut h = x[2].clone();
    let mut states = Vec::with_capacity(x[0].size(0));
    for xw in x[0].unbind(0) {
        h = step(&xw, &h.linear(&x[1], x.get(3)), &h);
        states.push(h.clone());
    }
    stack(&states, 0)
}

fn pull(x: &[Tensor], y: &Tensor, g: &Tensor) -> Vec<Tensor> {
    let (xw, w, h) = (&x[0], &x[1], &x[2]);
    let n = h.size(-1);
    let before = before(h, y);
    let hw = before.linear(w, x.get(3));
    let parts = [xw, &hw].into_iter().flat_map(|t| [0, 1, 2].map(|k| part(t, k, n).into()));
    // What the cotangent of a state is multiplied by: for r, z, n, for the state's part of n, and for the state.
    let factors = map_n_out(parts.chain([(&before).into()]), |s| {
        let (r, z) = ((s[0] + s[3]).sigmoid(), (s[1] + s[4]).sigmoid());
        let n = (s[2] + r * s[5]).tanh();
        let of_n = (1.0 - z) * (1.0 - n * n);
        vec![of_n * s[5] * r * (1.0 - r), (s[6] - n) * z * (1.0 - z), of_n, of_n * r, z]
    });
    force_all(&factors.iter().collect::<Vec<_>>());
    let factors: Vec<Vec<Tensor>> = factors.iter().map(|factor| factor.unbind(0)).collect();
    let mut carry = h.zeros_like();
    let (mut of_states, mut of_n) = (vec![], vec![]);
    for (t, g) in g.unbind(0).iter().enumerate().rev() {
        let d = g + &carry;
        let [r, z, n, inner] = [0, 1, 2, 3].map(|k| &d * &factors[k][t]);
        let of_state = cat(&[r, z, inner], -1);
        carry = &d * &factors[4][t] + of_state.matmul(w);
        of_states.push(of_state);
        of_n.push(n);
    }
    of_states.reverse();
    of_n.reverse();
    let of_states = stack(&of_states, 0);
    let of_input = cat(&[of_states.narrow(-1, 0, 2 * n), stack(&of_n, 0)], -1);
    let of_weight = weight_gradient(&of_states, &before);
    let of_bias = x.get(3).map(|_| of_states.sum([0, 1]));
    [of_input, of_weight, carry].into_iter().chain(of_bias).collect()
}
