//! The gated recurrent unit: r, z = σ(x + U h), n = tanh(x + r (U h)), h' = (1 - z) n + z h, x being the input's part
//! with its bias, and U h the state's part with its own.

use super::{Products, before, by_rows, joined, part, steps_of, with_rows};
use retrograd_autograd::{Differentiate, with_vjp_residuals};
use retrograd_tensor::{Tensor, cat, force_all, map_n, map_n_out, par_map, stack};
use std::ops::Range;

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
    let by = Products::of(xw);
    with_vjp_residuals(&operands, move |x| run(by, x), move |x, y, kept, g| pull(by, x, y, kept, g))
}

/// The result of [`scan`], and the state's parts of all steps, part by part of the batch.
fn run(by: Products, x: &[Tensor]) -> (Tensor, Vec<Tensor>) {
    let w = by.low(&x[1]);
    let parts = by_rows(x[2].size(0), |rows| {
        let mut h = x[2].narrow(0, rows.start, rows.len());
        let (mut states, mut kept) = (vec![], vec![]);
        for xw in steps_of(&x[0], &rows) {
            let hw = by.linear(&h, &w, x.get(3));
            h = step(&xw, &hw, &h);
            states.push(h.clone());
            kept.push(hw);
        }
        force_all(&states.iter().collect::<Vec<_>>());
        (states, kept)
    });
    let states = joined(parts.iter().map(|part| &part.0[..]));
    (states, parts.into_iter().flat_map(|part| part.1).collect())
}

/// What a part of the batch gives on the way back: cotangents of the state's part, of what n has of the input's, and
/// of the first state.
type Backward = (Vec<Tensor>, Vec<Tensor>, Tensor);

fn pull(by: Products, x: &[Tensor], y: &Tensor, kept: &[Tensor], g: &Tensor) -> Vec<Tensor> {
    let (xw, w, h) = (&x[0], by.low(&x[1]), &x[2]);
    let (n, before) = (h.size(-1), before(h, y));
    // A rule that is differentiated itself needs parts that are functions of its operands.
    let again = x.iter().chain([y]).any(Tensor::is_tracked);
    let kept = if again { by.linear(&before, &w, x.get(3)).unbind(0) } else { kept.to_vec() };
    let back = |(rows, hw): (Range<usize>, &[Tensor])| {
        let hw = stack(hw, 0);
        let [xw, before, g] = [xw, &before, g].map(|t| t.narrow(1, rows.start, rows.len()));
        let parts = [&xw, &hw].into_iter().flat_map(|t| [0, 1, 2].map(|k| part(t, k, n).into()));
        // What the cotangent of a state is multiplied by: for r, z, n, for the state's part of n, and for the state.
        let factors = map_n_out(parts.chain([(&before).into()]), |s| {
            let (r, z) = ((s[0] + s[3]).sigmoid(), (s[1] + s[4]).sigmoid());
            let n = (s[2] + r * s[5]).tanh();
            let of_n = (1.0 - z) * (1.0 - n * n);
            vec![of_n * s[5] * r * (1.0 - r), (s[6] - n) * z * (1.0 - z), of_n, of_n * r, z]
        });
        force_all(&factors.iter().collect::<Vec<_>>());
        let factors: Vec<Vec<Tensor>> = factors.iter().map(|factor| factor.unbind(0)).collect();
        let mut carry = h.narrow(0, 0, rows.len()).zeros_like();
        let (mut of_states, mut of_n) = (vec![], vec![]);
        for (t, g) in g.unbind(0).iter().enumerate().rev() {
            let d = g + &carry;
            let [r, z, n, inner] = [0, 1, 2, 3].map(|k| &d * &factors[k][t]);
            let of_state = cat(&[&r, &z, &inner], -1);
            carry = &d * &factors[4][t] + by.matmul(&of_state, &w);
            of_states.push(of_state);
            of_n.push(n);
        }
        of_states.reverse();
        of_n.reverse();
        force_all(&of_n.iter().chain([&carry]).collect::<Vec<_>>());
        (of_states, of_n, carry)
    };
    let parts: Vec<Backward> = par_map(with_rows(&kept, xw.size(0)), back);
    let of_states = joined(parts.iter().map(|part| &part.0[..]));
    let of_n = joined(parts.iter().map(|part| &part.1[..]));
    let of_input = cat(&[&of_states.narrow(-1, 0, 2 * n), &of_n], -1);
    let of_weight = by.weight_gradient(&of_states, &before);
    let of_first = cat(&parts.iter().map(|part| &part.2).collect::<Vec<_>>(), 0);
    let of_bias = x.get(3).map(|_| of_states.sum([0, 1]));
    [of_input, of_weight, of_first].into_iter().chain(of_bias).collect()
}
