//! Ways in which gradients of other frameworks have been wrong without an error, each as a small case: against
//! numbers worked out by hand, or where a formula is at stake, against differences to second order.

#[path = "silent/graph.rs"]
mod graph;
#[path = "silent/indexing.rs"]
mod indexing;
#[path = "silent/kinks.rs"]
mod kinks;
#[path = "silent/norms.rs"]
mod norms;
#[path = "silent/windows.rs"]
mod windows;

use retrograd::prelude::*;
use retrograd::{gradcheck, gradgradcheck};

const INF: f64 = f64::INFINITY;

/// Standard normal numbers in f64.
fn seeded(shape: impl IntoShape, seed: u64) -> Tensor {
    F64.randn(shape, &mut Rng::new(seed))
}
/// Numbers that no step of a difference can bring into another order.
fn apart(shape: impl IntoShape, seed: u64) -> Tensor {
    let shape = shape.into_shape();
    let order = Tensor::randperm(shape.iter().product(), &mut Rng::new(seed));
    order.cast(F64).reshape(&shape) * 0.37 - 3.0
}
/// The sum of the elements, the first times 1, the second times 2 and so on: no two cotangents are the same.
fn weighted(y: &Tensor) -> Tensor {
    (y * F64.arange(1, y.numel() + 1, 1).reshape(y.shape())).sum(())
}
/// The gradients of [`weighted`] `f`, and those of the sum of their elements.
fn orders<const N: usize>(x: [&Tensor; N], f: impl Fn(&[Tensor; N]) -> Tensor) -> [[Vec<f64>; N]; 2] {
    let x = x.map(Tensor::tracked);
    let first = grad_recorded(&weighted(&f(&x)), &x.each_ref());
    let total = first.iter().map(|g| g.sum(())).reduce(|a, b| a + b).expect("an operand");
    // The gradient of a linear function is a constant.
    let second = total.is_tracked().then(|| total.backward());
    let second = |x: &Tensor| second.as_ref().map_or_else(|| x.zeros_like(), |g| g.grad_or_zeros(x));
    [std::array::from_fn(|k| first[k].to_vec()), std::array::from_fn(|k| second(&x[k]).to_vec())]
}
/// Whether these are the gradients of [`weighted`] `f` at one operand, and those of their sum.
#[track_caller]
fn check<const N: usize>(x: [f64; N], f: impl Fn(&Tensor) -> Tensor, want: [[f64; N]; 2]) {
    let [[first], [second]] = orders([&Tensor::from(x)], |[x]| f(x));
    let near = |got: &[f64], want: &[f64]| {
        let near = |(a, b): (&f64, &f64)| {
            a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-13 * b.abs() + 1e-15
        };
        got.iter().zip(want).all(near)
    };
    assert!(near(&first, &want[0]), "first: {first:?}; should be {:?}", want[0]);
    assert!(near(&second, &want[1]), "second: {second:?}; should be {:?}", want[1]);
}
/// Gradients and gradients of gradients against differences.
#[track_caller]
fn differences(f: impl Fn(&[Tensor]) -> Tensor, x: &[&Tensor]) {
    if let Err(error) = gradcheck(&f, x).and_then(|()| gradgradcheck(&f, x)) {
        panic!("{error}");
    }
}
