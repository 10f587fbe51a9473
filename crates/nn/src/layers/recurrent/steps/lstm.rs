//! Long short-term memory: i, f, o = σ(x + U h), g = tanh(x + U h), c' = f c + i g, h' = o tanh(c'), x being the input's
//! part with all biases. A projected state is P h'.

use super::{Products, before, by_rows, joined, part, steps_of, with_rows};
use retrograd_autograd::{Differentiate, with_vjp_residuals};
use retrograd_tensor::{Scalar, Tensor, cat, force_all, map_n, map_n_out, par_map};
use std::ops::Range;

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
    let by = Products::of(xw);
    with_vjp_residuals(&operands, move |x| run(by, x), move |x, y, kept, g| pull(by, x, y, kept, g))
}

/// The result of [`scan`], and what the gates of all steps are functions of, part by part of the batch.
fn run(by: Products, x: &[Tensor]) -> (Tensor, Vec<Tensor>) {
    // Laid out once for the products of all steps.
    let turned = |w: &Tensor| by.low(w).t().contiguous();
    let (turned, projection) = (turned(&x[1]), x.get(4).map(turned));
    let parts = by_rows(x[2].size(0), |rows| {
        let [mut h, mut c] = [2, 3].map(|k| x[k].narrow(0, rows.start, rows.len()));
        let (mut states, mut kept) = (vec![], vec![]);
        for xw in steps_of(&x[0], &rows) {
            let sums = xw + by.matmul(&h, &turned);
            (h, c) = open(&sums, &c);
            if let Some(projection) = &projection {
                h = by.matmul(&h, projection);
            }
            states.push(cat(&[&h, &c], -1));
            kept.push(sums);
        }
        (states, kept)
    });
    let states = joined(parts.iter().map(|part| &part.0[..]));
    (states, parts.into_iter().flat_map(|part| part.1).collect())
}

/// What a part of the batch gives on the way back.
#[derive(Default)]
struct Backward {
    /// Cotangents of what gates are functions of.
    of_sums: Vec<Tensor>,
    /// Where states are projected: their cotangents, and what they are projections of.
    of_projected: Vec<Tensor>,
    unprojected: Vec<Tensor>,
    /// Cotangents of the first state and cell.
    of_first: Vec<Tensor>,
}

fn pull(by: Products, x: &[Tensor], y: &Tensor, kept: &[Tensor], g: &Tensor) -> Vec<Tensor> {
    let (xw, w, h, c) = (&x[0], by.low(&x[1]), &x[2], &x[3]);
    let projection = x.get(4).map(|projection| by.low(projection));
    let (width, n, steps) = (h.size(-1), c.size(-1), xw.size(0));
    let [states, cells, of_states, of_cells] = [y, g]
        .map(|t| [t.narrow(-1, 0, width), t.narrow(-1, width, n)])
        .concat()
        .try_into()
        .expect("four parts");
    let before_states = before(h, &states);
    // A rule that is differentiated itself needs gates that are functions of its operands.
    let again = x.iter().chain([y]).any(Tensor::is_tracked);
    let sums = if again { (xw + by.matmul(&before_states, &w.t())).unbind(0) } else { kept.to_vec() };
    let back = |(rows, sums): (Range<usize>, &[Tensor])| {
        let cells = [c.narrow(0, rows.start, rows.len())].into_iter().chain(steps_of(&cells, &rows));
        let cells: Vec<Tensor> = cells.collect();
        let (of_states, of_cells) = (steps_of(&of_states, &rows), steps_of(&of_cells, &rows));
        let [mut carry, mut carry_cell] = [h, c].map(|first| first.narrow(0, 0, rows.len()).zeros_like());
        let mut found = Backward::default();
        for t in (0..steps).rev() {
            let of_state = &of_states[t] + &carry;
            let d = projection.as_ref().map_or_else(|| of_state.clone(), |p| by.matmul(&of_state, p));
            let gates = [0, 1, 2, 3].into_iter().map(|k| part(&sums[t], k, n).into());
            let others = [&cells[t + 1], &cells[t], &of_cells[t], &carry_cell, &d].map(Into::into);
            let parts = map_n_out(gates.chain(others), |s| {
                let ([i, f, o], g) = ([s[0], s[1], s[3]].map(Scalar::sigmoid), s[2].tanh());
                let (t, before, d) = (s[4].tanh(), s[5], s[8]);
                let of_cell = s[6] + s[7] + d * o * (1.0 - t * t);
                let [of_i, of_f] = [(g, i), (before, f)].map(|(by, gate)| of_cell * by * gate * (1.0 - gate));
                let of_g = of_cell * i * (1.0 - g * g);
                vec![of_i, of_f, of_g, d * t * o * (1.0 - o), of_cell * f, o * t]
            });
            force_all(&parts[..5 + usize::from(projection.is_some())].iter().collect::<Vec<_>>());
            let gates = cat(&parts[..4], -1);
            (carry, carry_cell) = (by.matmul(&gates, &w), parts[4].clone());
            found.of_sums.push(gates);
            if projection.is_some() {
                found.of_projected.push(of_state);
                found.unprojected.push(parts[5].clone());
            }
        }
        for steps in [&mut found.of_sums, &mut found.of_projected, &mut found.unprojected] {
            steps.reverse();
        }
        Backward { of_first: vec![carry, carry_cell], ..found }
    };
    let parts = par_map(with_rows(&sums, steps), back);
    let of_sums = joined(parts.iter().map(|part| &part.of_sums[..]));
    let of_weight = by.weight_gradient(&of_sums, &before_states);
    let of_projection = projection.as_ref().map(|_| {
        let of_projected = joined(parts.iter().map(|part| &part.of_projected[..]));
        by.weight_gradient(&of_projected, &joined(parts.iter().map(|part| &part.unprojected[..])))
    });
    let of_first = [0, 1].map(|k| cat(&parts.iter().map(|part| &part.of_first[k]).collect::<Vec<_>>(), 0));
    [of_sums, of_weight].into_iter().chain(of_first).chain(of_projection).collect()
}
