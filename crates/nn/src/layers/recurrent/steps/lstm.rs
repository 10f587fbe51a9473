//! Long short-term memory: i, f, o = σ(x + U h), g = tanh(x + U h), c' = f c + i g, h' = o tanh(c'), x being the input's
//! part with all biases. A projected state is P h'.

use super::{before, part, weight_gradient};
use retrograd_autograd::{Differentiate, with_vjp_residuals};
use retrograd_tensor::{Scalar, Tensor, cat, force_all, map_n, map_n_out, stack};

/// The next state and cell, given the input's and the state's part, each with the rows of i, f, g and o, and the cell.
#[track_caller]
pub(in super::super) fn step(x: &Tensor, hw: &Tensor, c: &Tensor) -> (Tensor, Tensor) {
    open(&(x + hw), c)
}
/// The next state and cell, given what the gates are functions of and the cell.
#[track_caller]
fn open(gates: &Tensor, c: &Tensor) -> (Tensor, Tensor) {
    let n = c.size(-1);
    let parts = [0, 1, 2].map(|k| part(gates, k, n).into());
    let c =
        map_n(parts.into_iter().chain([c.into()]), |s| s[1].sigmoid() * s[3] + s[0].sigmoid() * s[2].tanh());
    let h = map_n([part(gates, 3, n).into(), (&c).into()], |s| s[0].sigmoid() * s[1].tanh());
    (h, c)
}

/// All states and, after them along the last axis, all cells: from the input's part `[steps, batch, 4 n]`, `w`, the
/// first state and cell, and the projection.
#[track_caller]
pub(in super::super) fn scan(
    xw: &Tensor,
    w: &Tensor,
    h: &Tensor,
    c: &Tensor,
    projection: Option<&Tensor>,
) -> Tensor {
    let operands: Vec<&Tensor> = [xw, w, h, c].into_iter().chain(projection).collect();
    with_vjp_residuals(&operands, run, pull)
}

/// The result of [`scan`], and what the gates of all steps are functions of.
fn run(x: &[Tensor]) -> (Tensor, Vec<Tensor>) {
    // Laid out once for the products of all steps.
    let (turned, projection) = (x[1].t().contiguous(), x.get(4).map(|p| p.t().contiguous()));
    let (mut h, mut c) = (x[2].clone(), x[3].clone());
    let (mut states, mut cells, mut gates) = (vec![], vec![], vec![]);
    for xw in x[0].unbind(0) {
        let sums = xw + h.matmul(&turned);
        (h, c) = open(&sums, &c);
        gates.push(sums);
        if let Some(projection) = &projection {
            h = h.matmul(projection);
        }
        states.push(h.clone());
        cells.push(c.clone());
    }
    (cat(&[stack(&states, 0), stack(&cells, 0)], -1), vec![stack(&gates, 0)])
}

fn pull(x: &[Tensor], y: &Tensor, kept: &[Tensor], g: &Tensor) -> Vec<Tensor> {
    let (xw, w, h, c, projection) = (&x[0], &x[1], &x[2], &x[3], x.get(4));
    let (width, n) = (h.size(-1), c.size(-1));
    let [states, cells, of_states, of_cells] = [y, g]
        .map(|t| [t.narrow(-1, 0, width), t.narrow(-1, width, n)])
        .concat()
        .try_into()
        .expect("four parts");
    let before_states = before(h, &states);
    // A rule that is differentiated itself needs gates that are functions of its operands.
    let again = x.iter().chain([y]).any(Tensor::is_tracked);
    let gates = if again { xw + before_states.matmul(w.t()) } else { kept[0].clone() };
    let parts = [0, 1, 2, 3].into_iter().map(|k| part(&gates, k, n).into());
    // What the cotangent of a cell is multiplied by for i, f, g and the cell before, that of a state for o and the
    // cell; and the state before it is projected.
    let factors = map_n_out(parts.chain([(&cells).into(), before(c, &cells).into()]), |s| {
        let [i, f, o] = [s[0], s[1], s[3]].map(Scalar::sigmoid);
        let (g, t) = (s[2].tanh(), s[4].tanh());
        let of_gates = [g * i * (1.0 - i), s[5] * f * (1.0 - f), i * (1.0 - g * g), f];
        of_gates.into_iter().chain([t * o * (1.0 - o), o * (1.0 - t * t), o * t]).collect()
    });
    force_all(&factors.iter().take(6 + usize::from(projection.is_some())).collect::<Vec<_>>());
    let by_step: Vec<Vec<Tensor>> = factors[..6].iter().map(|factor| factor.unbind(0)).collect();
    let (of_states, of_cells) = (of_states.unbind(0), of_cells.unbind(0));
    let (mut carry, mut carry_cell) = (h.zeros_like(), c.zeros_like());
    let (mut of_gates, mut of_projected) = (vec![], vec![]);
    for t in (0..of_states.len()).rev() {
        let of_state = &of_states[t] + &carry;
        let d = projection.map_or_else(|| of_state.clone(), |projection| of_state.matmul(projection));
        let terms = [&of_cells[t], &carry_cell, &d, &by_step[5][t]];
        let of_cell = map_n(terms.map(Into::into), |s| s[0] + s[1] + s[2] * s[3]);
        let [i, f, g, before] = [0, 1, 2, 3].map(|k| &of_cell * &by_step[k][t]);
        let gates = cat(&[i, f, g, &d * &by_step[4][t]], -1);
        (carry, carry_cell) = (gates.matmul(w), before);
        of_gates.push(gates);
        of_projected.push(of_state);
    }
    of_gates.reverse();
    of_projected.reverse();
    let of_gates = stack(&of_gates, 0);
    let of_weight = weight_gradient(&of_gates, &before_states);
    let of_projection = projection.map(|_| weight_gradient(&stack(&of_projected, 0), &factors[6]));
    [of_gates, of_weight, carry, carry_cell].into_iter().chain(of_projection).collect()
}
