//! Every row of the elementwise table: its first and second gradients are those of its formula, by central
//! differences at points drawn from the row's sample; a row without a gradient gives an untracked result.
//!
//! A row is tested because it is in the table: adding one needs no line here.
use super::sample::{call, points};
use retrograd::prelude::*;
use retrograd::testing::{Class, Elementwise, elementwise};

/// Points at which each row is tried.
const POINTS: usize = 64;
/// Half the width of a central difference.
const STEP: f64 = 1e-5;

/// Fails where a gradient is not what differences say.
fn close(what: &str, got: &Tensor, want: &Tensor, at: &[Vec<f64>]) {
    for (i, (g, w)) in got.to_vec::<f64>().iter().zip(want.to_vec::<f64>()).enumerate() {
        let point: Vec<f64> = at.iter().map(|x| x[i]).collect();
        assert!((g - w).abs() <= 1e-6 * (1.0 + w.abs()), "{what} at {point:?}: {g}; differences say {w}");
    }
}

/// The central difference of `f` by operand `k`.
fn difference(f: impl Fn(&[Tensor]) -> Tensor, x: &[Tensor], k: usize) -> Tensor {
    let [up, down] = [STEP, -STEP].map(|step| {
        let mut x = x.to_vec();
        x[k] = &x[k] + step;
        f(&x)
    });
    (up - down) / (2.0 * STEP)
}

fn check(row: &Elementwise) {
    let at = points(row, POINTS);
    let x: Vec<Tensor> = at.iter().map(|x| Tensor::from(x.as_slice())).collect();
    let weights = Tensor::from((0..POINTS).map(|i| 0.5 + (i % 7) as f64 / 7.0).collect::<Vec<_>>());
    // A condition is no number, and has no derivative.
    let first = usize::from(row.class == Class::Choose);
    let f = |x: &[Tensor]| &weights * call(row, x);
    // The gradient by operand `k`, itself differentiable.
    let slope = |x: &[Tensor], k: usize| {
        let x: Vec<Tensor> = x.iter().map(|x| if x.is_tracked() { x.clone() } else { x.tracked() }).collect();
        grad_recorded(&f(&x).sum(()), &[&x[k]]).remove(0)
    };
    for k in first..row.arity {
        let name = format!("{}: gradient by operand {k}", row.name);
        close(&name, &slope(&x, k), &difference(f, &x, k), &at);
        let leaves: Vec<Tensor> = x.iter().map(Tensor::tracked).collect();
        let total = slope(&leaves, k).sum(());
        // A slope that depends on no operand is a constant.
        let found = total.is_tracked().then(|| total.backward());
        for j in first..row.arity {
            let second = found.as_ref().map_or_else(|| x[j].zeros_like(), |g| g.grad_or_zeros(&leaves[j]));
            let want = difference(|x| slope(x, k).detach(), &x, j);
            close(&format!("{name}, then {j}"), &second, &want, &at);
        }
    }
}

#[test]
fn gradients_are_those_of_the_formulas() {
    for row in elementwise().filter(|row| row.class != Class::Bits) {
        let x: Vec<Tensor> = points(row, POINTS).into_iter().map(|x| Tensor::from(x).tracked()).collect();
        if call(row, &x).is_tracked() {
            check(row);
        } else {
            assert!(matches!(row.class, Class::Test | Class::Logic), "{} has no gradient", row.name);
        }
    }
}
