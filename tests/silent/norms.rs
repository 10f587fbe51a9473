//! Normalisations, whose fused kernels elsewhere have left out an operand, a term, or the second order.
use super::{differences, orders, seeded};
use retrograd::prelude::*;

/// Every operand gets a gradient of both orders, which is that of the formula.
#[track_caller]
fn all_of<const N: usize>(x: [&Tensor; N], f: impl Fn(&[Tensor]) -> Tensor) {
    // An even sum of a standardized tensor is a constant: the cube is not.
    let f = |x: &[Tensor]| f(x).pow(3.0);
    let [first, second] = orders(x, |x| f(x));
    for k in 0..N {
        assert!(first[k].iter().all(|g| *g != 0.0), "operand {k}: zeros in its gradient {:?}", first[k]);
        assert!(second[k].iter().all(|g| *g != 0.0), "operand {k}: zeros of second order {:?}", second[k]);
    }
    differences(f, &x);
}
fn affine(n: usize) -> [Tensor; 2] {
    [seeded([n], 21), seeded([n], 22)]
}

// A cut graph: the kernel's result is attached to the input alone, or to the parameters alone.
#[test]
fn layer_norm_reaches_every_operand() {
    let (x, [w, b]) = (seeded([3, 4], 1), affine(4));
    all_of([&x, &w, &b], |x| x[0].layer_norm([4], Some(&x[1]), Some(&x[2]), 1e-5));
}
#[test]
fn rms_norm_reaches_every_operand() {
    let (x, [w, _]) = (seeded([3, 4], 2), affine(4));
    all_of([&x, &w], |x| x[0].rms_norm([4], Some(&x[1]), None));
}
#[test]
fn group_norm_reaches_every_operand() {
    let (x, [w, b]) = (seeded([2, 4, 3], 3), affine(4));
    all_of([&x, &w, &b], |x| x[0].group_norm(2, Some(&x[1]), Some(&x[2]), 1e-5));
}
#[test]
fn instance_norm_reaches_every_operand() {
    let (x, [w, b]) = (seeded([2, 2, 4], 4), affine(2));
    all_of([&x, &w, &b], |x| x[0].instance_norm(Some(&x[1]), Some(&x[2]), 1e-5));
}
// A batch norm in training that takes its statistics for constants.
#[test]
fn batch_norm_goes_through_its_statistics() {
    let (x, [w, b]) = (seeded([4, 2, 3], 5), affine(2));
    all_of([&x, &w, &b], |x| x[0].batch_norm(Some(&x[1]), Some(&x[2]), 1e-5).0);
    // Standardized, a channel sums up to the same whatever it holds.
    let x = x.tracked();
    let g = grad(&x.batch_norm(None, None, 1e-5).0.sum(()), &[&x]).remove(0);
    assert!(g.abs().amax(()).item() < 1e-15, "{g:?}");
}
// With given statistics there is nothing to go through but the factor; these have gradients too.
#[test]
fn batch_norm_by_given_statistics_reaches_these() {
    let (x, [w, b]) = (seeded([3, 2], 6), affine(2));
    let (mean, var) = (seeded([2], 7), seeded([2], 8).square() + 0.5);
    all_of([&x, &w, &b, &mean, &var], |x| x[0].batch_norm_by(&x[3], &x[4], Some(&x[1]), Some(&x[2]), 1e-5));
}
// Attention whose fused kernel forgets one of query, key and value, or the mask in the backward pass.
#[test]
fn attention_reaches_query_key_and_value() {
    let [q, k, v] =
        [[1, 3, 2], [1, 4, 2], [1, 4, 3]].map(|shape| seeded(shape, 9 + shape[1] as u64 + shape[2] as u64));
    all_of([&q, &k, &v], |x| x[0].scaled_dot_product_attention(&x[1], &x[2], &Attention::default()));
    let causal = Attention { causal: true, ..Attention::default() };
    let [first, _] = orders([&k], |[k]| q.scaled_dot_product_attention(k, &v, &causal).slice(1, 0, 1, 1));
    assert_eq!(first[0], [0.0; 8], "the first query sees the first key alone: a constant share of 1");
}
