//! Points at which a formula for the gradient divides by zero, chooses between equals, or multiplies zero by infinity.
use super::{INF, check, differences};
use retrograd::prelude::*;

// A product's gradient as product / element: 0 / 0 at a zero, and wrong to second order even where that is mended.
#[test]
fn products_with_zeros() {
    check([2.0, 5.0, 3.0], |x| x.prod(0), [[15.0, 6.0, 10.0], [8.0, 5.0, 7.0]]);
    check([2.0, 0.0, 3.0], |x| x.prod(0), [[0.0, 6.0, 0.0], [3.0, 5.0, 2.0]]);
    check([0.0, 2.0, 0.0], |x| x.prod(0), [[0.0; 3], [2.0, 0.0, 2.0]]);
    check([0.0; 3], |x| x.prod(0), [[0.0; 3], [0.0; 3]]);
    check(
        [0.0, 2.0, 3.0, 4.0],
        |x| x.reshape([2, 2]).prod(()),
        [[24.0, 0.0, 0.0, 0.0], [26.0, 12.0, 8.0, 6.0]],
    );
    differences(
        |x| x[0].prod([0, 2]),
        &[&Tensor::from([[[1.0, 0.0], [2.0, 3.0]], [[0.0, 4.0], [0.5, 0.0]]])],
    );
}
#[test]
fn running_products_with_zeros() {
    // x0 + 2 x0 x1 + 3 x0 x1 x2
    check([2.0, 0.0, 3.0], |x| x.cumprod(0), [[1.0, 22.0, 0.0], [11.0, 17.0, 6.0]]);
    check([0.0, 2.0, 0.0], |x| x.cumprod(0), [[5.0, 0.0, 0.0], [8.0, 2.0, 6.0]]);
    check([0.0; 3], |x| x.cumprod(0), [[1.0, 0.0, 0.0], [2.0, 2.0, 0.0]]);
    differences(
        |x| x[0].cumprod(-1).exp(),
        &[&Tensor::from([[1.0, 0.0, 2.0, 0.0, 3.0], [0.0, 0.5, 1.0, -1.0, 2.0]])],
    );
}
// Ties: each of the equal elements gets everything, none gets anything, or another one than the result's.
#[test]
fn ties_of_extremes_share() {
    check([3.0, 1.0, 3.0], |x| x.amax(0), [[0.5, 0.0, 0.5], [0.0; 3]]);
    check([1.0, 3.0, 1.0], |x| x.amin(0), [[0.5, 0.0, 0.5], [0.0; 3]]);
    check([2.0; 4], |x| x.amax(()), [[0.25; 4], [0.0; 4]]);
    check([-2.0, 2.0, 1.0], |x| x.vector_norm(INF, 0), [[-0.5, 0.5, 0.0], [0.0; 3]]);
    check([1.0, 2.0], |x| x.maximum(Tensor::from([1.0, 2.0])), [[0.5, 1.0], [0.0; 2]]);
    check([1.0, 2.0], |x| x.maximum(x) + x.minimum(x), [[2.0, 4.0], [0.0; 2]]);
}
#[test]
fn ties_of_positions_go_where_the_position_says() {
    check([1.0, 1.0, 0.0], |x| x.sort(0, false).0, [[2.0, 3.0, 1.0], [0.0; 3]]);
    check([1.0, 1.0, 0.0], |x| x.sort(0, true).0, [[1.0, 2.0, 3.0], [0.0; 3]]);
    let tied = Tensor::from([2.0, 5.0, 5.0, 2.0, 5.0]);
    for f in [
        (|x: &Tensor| x.max_along(0)) as fn(&Tensor) -> (Tensor, Tensor),
        |x| x.min_along(0),
        |x| x.median(0),
        |x| x.kthvalue(2, 0),
        |x| x.topk(3, 0, true),
        |x| x.topk(2, 0, false),
        |x| x.cummax(0),
        |x| x.cummin(0),
    ] {
        let x = tied.tracked();
        let (values, at) = f(&x);
        let picked = x.detach().index_select(0, &at.reshape(-1)).reshape(at.shape());
        assert_eq!(picked.to_vec::<f64>(), values.to_vec::<f64>());
        let g = grad(&values.sum(()), &[&x]).remove(0);
        let want = F64.zeros(5).index_add(0, &at.reshape(-1), &F64.ones(at.numel()));
        assert_eq!(g.to_vec::<f64>(), want.to_vec::<f64>());
    }
}
// Zero times infinity: the branch that was not taken makes NaN of the one that was.
#[test]
fn a_branch_that_is_not_taken_leaves_nothing() {
    let safe = |f: fn(&Tensor) -> Tensor| move |x: &Tensor| x.gt(0.0).where_(f(x), 0.0);
    check([0.0, 4.0], safe(|x| x.sqrt()), [[0.0, 0.5], [0.0, -1.0 / 16.0]]);
    check([0.0, 2.0], safe(|x| 1.0 / x), [[0.0, -0.5], [0.0, 0.5]]);
    check([0.0, 2.0], safe(|x| x / x), [[0.0, 0.0], [0.0, 0.0]]);
    check([-1.0, 2.0], safe(|x| x.log()), [[0.0, 1.0], [0.0, -0.5]]);
    check([-1.0, 4.0], safe(|x| x.pow(0.5)), [[0.0, 0.5], [0.0, -1.0 / 16.0]]);
    check(
        [-1.0, 2.0],
        safe(|x| x.pow(x)),
        [[0.0, 8.0 * (1.0 + 2f64.ln())], [0.0, 8.0 * ((1.0 + 2f64.ln()).powi(2) + 0.5)]],
    );
    check(
        [0.0, 3.0],
        |x| x.eq(0.0).where_(0.0, x.abs().sqrt()),
        [[0.0, 1.0 / 3f64.sqrt()], [0.0, -0.5 / 27f64.sqrt()]],
    );
}
// A number that is infinite itself is not a slope: a product with it is IEEE's, as everywhere.
#[test]
fn an_infinite_factor_stays_one() {
    let x = Tensor::from([1.0]).tracked();
    let g = grad(&x.gt(0.0).where_(&x, &x * INF).sum(()), &[&x]).remove(0);
    assert!(g.item().is_nan(), "0 * inf in the rule of a product");
    check([1.0], |x| x.gt(0.0).where_(x, x.detach().gate(INF)), [[1.0], [0.0]]);
}
// Roots, norms, powers and logarithms at zero.
#[test]
fn slopes_at_zero() {
    check([0.0], Tensor::sqrt, [[INF], [-INF]]);
    check([0.0, 0.0], |x| x.vector_norm(2.0, 0), [[0.0, 0.0], [0.0, 0.0]]);
    check([0.0, 3.0], |x| x.vector_norm(1.0, 0), [[0.0, 1.0], [0.0, 0.0]]);
    check([0.0, -4.0], |x| x.vector_norm(3.0, 0), [[0.0, -1.0], [0.0, 0.0]]);
    check([5.0, 5.0], |x| x.std(0, 1), [[0.0, 0.0], [0.0, 0.0]]);
    check([0.0, 0.0], |x| x.unsqueeze(0).cdist(&x.unsqueeze(0), 2.0), [[0.0, 0.0], [0.0, 0.0]]);
    check([0.0], |x| x.hypot(0.0), [[0.0], [0.0]]);
    check([0.0], |x| x.pow(1.0), [[1.0], [0.0]]);
    check([0.0], |x| x.pow(2.0), [[0.0], [2.0]]);
    check([0.0], |x| x.pow(0.0), [[0.0], [0.0]]);
    check([0.0], |x| x.pow(1.5), [[0.0], [INF]]);
    check([0.0], |x| x.xlogy(0.0), [[0.0], [0.0]]);
    check([0.0], Tensor::log1p, [[1.0], [-1.0]]);
    check([0.0], |x| 2f64 * x.sin() / 2.0, [[1.0], [0.0]]);
}
// Scores that are masked out by -infinity.
#[test]
fn masked_scores() {
    // Shares 1/2, 1/2 and 0; with weights 1 to 3 the mean weight is 3/2.
    check([1.0, 1.0, -INF], |x| x.softmax(0), [[-0.25, 0.25, 0.0], [0.0, 0.0, 0.0]]);
    check([1.0, 1.0, -INF], |x| x.logsumexp(0), [[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]);
    check([-INF, -INF], |x| x.logsumexp(0), [[0.0, 0.0], [0.0, 0.0]]);
    check([-INF, 0.0], |x| x.logcumsumexp(0), [[0.0, 2.0], [0.0, 0.0]]);
    check([-INF, -INF], |x| x.logaddexp(x), [[1.0, 2.0], [0.0, 0.0]]);
    // Only what is finite is asked for: minus the logarithm of a share of 1/2.
    check([1.0, 1.0, -INF], |x| x.log_softmax(0).slice(0, 0, 1, 1), [[0.5, -0.5, 0.0], [0.0, 0.0, 0.0]]);
    let all = Tensor::from([-INF, -INF]).softmax(0);
    assert!(all.to_vec::<f64>().iter().all(|p| p.is_nan()), "shares of nothing, as in PyTorch");
}
// Bounds: the gradient at the bound itself.
#[test]
fn bounds() {
    check([-1.0, 0.0, 1.0, 2.0], |x| x.clamp(-1.0, 1.0), [[1.0, 2.0, 3.0, 0.0], [0.0; 4]]);
    check([0.0, 1.0], |x| x.clamp_min(0.0), [[1.0, 2.0], [0.0; 2]]);
    check([0.0, 1.0], |x| x.clamp_max(0.0), [[1.0, 0.0], [0.0; 2]]);
    check([0.0, 1.0], Tensor::relu, [[0.0, 2.0], [0.0; 2]]);
    check([0.0, -2.0], Tensor::abs, [[0.0, -2.0], [0.0; 2]]);
    check([f64::NAN, 1.0], Tensor::relu, [[1.0, 2.0], [0.0; 2]]);
}
