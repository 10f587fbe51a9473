//! Searching, counting, quantiles, scattered reductions and short formulas, against PyTorch's numbers, with gradients of
//! gradients where they have any, and inside `vmap`.
use super::near;
use retrograd::prelude::*;
use retrograd::{Quantile, Reduce};

const NAN: f64 = f64::NAN;

/// The gradient of `f`, and that of a weighted sum of it, against differences.
#[track_caller]
pub(super) fn slopes(x: &Tensor, f: impl Fn(&Tensor) -> Tensor) {
    let leaf = x.tracked();
    let y = f(&leaf);
    let weights = F64.arange(1, y.numel() + 1, 1).reshape(y.shape());
    let loss = |x: &Tensor| (f(x).square() * &weights).sum(());
    let slope = |x: &Tensor| {
        let x = x.tracked();
        let first = grad_recorded(&loss(&x), &[&x]).remove(0);
        let seeds = F64.arange(1, first.numel() + 1, 1).reshape(first.shape()).sin();
        (first.detach(), (first * seeds).sum(()), x)
    };
    let (first, sum, x0) = slope(x);
    let second = grad(&sum, &[&x0]).remove(0);
    let step = 1e-5;
    for i in 0..x.numel() {
        let at = |by: f64| {
            let mut data = x.to_vec::<f64>();
            data[i] += by;
            Tensor::from_vec(data, x.shape())
        };
        let numeric = |f: &dyn Fn(&Tensor) -> f64| (f(&at(step)) - f(&at(-step))) / (2.0 * step);
        let (a, b) = (numeric(&|x| loss(x).item()), first.to_vec::<f64>()[i]);
        assert!((a - b).abs() < 1e-5 * (1.0 + b.abs()), "first, element {i}: {b}; by differences {a}");
        let (a, b) = (numeric(&|x| slope(x).1.item()), second.to_vec::<f64>()[i]);
        assert!((a - b).abs() < 1e-5 * (1.0 + b.abs()), "second, element {i}: {b}; by differences {a}");
    }
}

/// A matrix, positions along its rows and what goes there, with zeros and ties.
fn scattered() -> (Tensor, Tensor, Tensor) {
    let base = Tensor::from([[1.0, 2.0, 3.0], [4.0, 0.0, -1.0]]);
    let source = Tensor::from([[2.0, 0.0, 5.0], [0.0, 3.0, -1.0]]);
    (base, Tensor::from([[0i64, 0, 2], [1, 1, 2]]), source)
}

#[test]
fn scattered_reductions() {
    let (base, index, source) = scattered();
    let weights = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let check = |reduce, own, want: [[f64; 6]; 3]| {
        let (x, v) = (base.tracked(), source.tracked());
        let y = x.scatter_reduce(1, &index, &v, reduce, own);
        near(&y, &want[0]);
        let g = grad(&(y * &weights).sum(()), &[&x, &v]);
        near(&g[0], &want[1]);
        near(&g[1], &want[2]);
    };
    let third = 1.0 / 3.0;
    check(
        Reduce::Sum,
        false,
        [[2.0, 2.0, 5.0, 4.0, 3.0, -1.0], [0.0, 2.0, 0.0, 4.0, 0.0, 0.0], [1.0, 1.0, 3.0, 5.0, 5.0, 6.0]],
    );
    check(
        Reduce::Prod,
        true,
        [[0.0, 2.0, 15.0, 4.0, 0.0, 1.0], [0.0, 2.0, 15.0, 4.0, 0.0, -6.0], [0.0, 2.0, 9.0, 0.0, 0.0, -6.0]],
    );
    check(
        Reduce::Prod,
        false,
        [[0.0, 2.0, 5.0, 4.0, 0.0, -1.0], [0.0, 2.0, 0.0, 4.0, 0.0, 0.0], [0.0, 2.0, 3.0, 15.0, 0.0, 6.0]],
    );
    check(
        Reduce::Mean,
        true,
        [
            [1.0, 2.0, 4.0, 4.0, 1.0, -1.0],
            [third, 2.0, 1.5, 4.0, 5.0 * third, 3.0],
            [third, third, 1.5, 5.0 * third, 5.0 * third, 3.0],
        ],
    );
    check(
        Reduce::Amax,
        true,
        [[2.0, 2.0, 5.0, 4.0, 3.0, -1.0], [0.0, 2.0, 0.0, 4.0, 0.0, 3.0], [1.0, 0.0, 3.0, 0.0, 5.0, 3.0]],
    );
    check(
        Reduce::Amin,
        true,
        [[0.0, 2.0, 3.0, 4.0, 0.0, -1.0], [0.0, 2.0, 3.0, 4.0, 2.5, 3.0], [0.0, 1.0, 0.0, 2.5, 0.0, 3.0]],
    );
    check(
        Reduce::Amin,
        false,
        // PyTorch halves the last row, for elements that do not take part.
        [[0.0, 2.0, 5.0, 4.0, 0.0, -1.0], [0.0, 2.0, 0.0, 4.0, 0.0, 0.0], [0.0, 1.0, 3.0, 5.0, 0.0, 6.0]],
    );
}

#[test]
fn scattered_reductions_to_second_order_and_inside_vmap() {
    let (base, index, source) = scattered();
    for reduce in [Reduce::Sum, Reduce::Prod, Reduce::Mean] {
        slopes(&source, |v| base.scatter_reduce(1, &index, v, reduce, true));
        slopes(&base, |x| x.scatter_reduce(1, &index, &source, reduce, true));
    }
    let rows = |reduce| {
        let one = |x: &[Tensor]| vec![x[0].scatter_reduce(0, &x[1], &x[2], reduce, true)];
        vmap_axes(one, &[(&base, Some(0)), (&index, Some(0)), (&source, Some(0))]).remove(0)
    };
    for reduce in [Reduce::Prod, Reduce::Amax] {
        let whole = base.scatter_reduce(1, &index, &source, reduce, true);
        near(&rows(reduce), &whole.to_vec::<f64>());
    }
}

#[test]
fn quantiles_between_elements() {
    let x = Tensor::from([[3.0, 1.0, 2.0, 8.0], [5.0, NAN, 0.0, 1.0]]);
    for (between, whole, known) in [
        (Quantile::Linear, [1.3, 2.5], [0.2, 1.0]),
        (Quantile::Lower, [1.0, 2.0], [0.0, 1.0]),
        (Quantile::Higher, [2.0, 3.0], [1.0, 1.0]),
        (Quantile::Midpoint, [1.5, 2.5], [0.5, 1.0]),
        (Quantile::Nearest, [1.0, 3.0], [0.0, 1.0]),
    ] {
        near(&x.quantile(&[0.1, 0.5], 1, between), &[whole[0], NAN, whole[1], NAN]);
        near(&x.nanquantile(&[0.1, 0.5], 1, between), &[whole[0], known[0], whole[1], known[1]]);
    }
    near(&Tensor::from([NAN, NAN]).nanquantile(&[0.5], 0, Quantile::Linear), &[NAN]);
    let y = Tensor::from([3.0, 1.0, 2.5, 8.0]);
    slopes(&y, |y| y.quantile(&[0.2, 0.9], 0, Quantile::Linear));
    slopes(&y, |y| y.nanquantile(&[0.2, 0.9], 0, Quantile::Midpoint));
}

#[test]
fn places_and_counts() {
    let x = Tensor::from([0.0, 1.0, 2.0, 9.0, NAN]);
    assert_eq!(x.bucketize(&Tensor::from([1.0, 3.0]), true).to_vec::<i64>(), [0, 1, 1, 2, 2]);
    let lists = Tensor::from([[1i64, 3, 5], [2, 4, 6]]);
    let values = Tensor::from([[3i64, 6], [3, 6]]);
    assert_eq!(lists.searchsorted(&values, false).to_vec::<i64>(), [1, 3, 1, 2]);
    let one = |x: &[Tensor]| vec![x[0].searchsorted(&x[1], false)];
    let rows = vmap_axes(one, &[(&lists, Some(0)), (&values, Some(0))]).remove(0);
    assert_eq!(rows.to_vec::<i64>(), [1, 3, 1, 2]);
    near(&Tensor::from([1.0, 2.0, 1.0, 5.0, 0.0]).histc(3, 0.0, 0.0), &[3.0, 1.0, 1.0]);
    assert_eq!(Tensor::from([0i64; 0]).bincount(2).to_vec::<i64>(), [0, 0]);
    slopes(&Tensor::from([0.5, 1.0, 2.0]), |w| Tensor::from([2i64, 0, 2]).bincount_weighted(w, 0));
    let unique = Tensor::from([[2.0, NAN, 1.0], [2.0, NAN, 1.0]]).unique();
    near(&unique.values, &[1.0, 2.0, NAN, NAN]);
    assert_eq!(unique.inverse.to_vec::<i64>(), [1, 2, 0, 1, 3, 0]);
    assert_eq!(unique.counts.to_vec::<i64>(), [2, 2, 1, 1]);
    assert_eq!(Tensor::from([0i64; 0]).unique().counts.numel(), 0);
}

#[test]
fn different_slices_and_their_counts() {
    let x = Tensor::from([[2.0, 0.0], [1.0, 5.0], [2.0, -0.0], [1.0, 4.0], [2.0, 0.0]]);
    let unique = x.unique_along(-2);
    near(&unique.values, &[1.0, 4.0, 1.0, 5.0, 2.0, 0.0]);
    assert_eq!(unique.values.shape()[..], [3, 2]);
    assert_eq!(unique.inverse.to_vec::<i64>(), [2, 1, 2, 0, 2]);
    assert_eq!(unique.counts.to_vec::<i64>(), [1, 1, 3]);
    near(&unique.values.index_select(0, &unique.inverse), &x.to_vec::<f64>());
    let columns = x.t().unique_along(1);
    near(&columns.values, &unique.values.t().to_vec::<f64>());
    assert_eq!(columns.inverse.to_vec::<i64>(), unique.inverse.to_vec::<i64>());
    // Slices of two axes, along the middle one.
    let cube = Tensor::from([[[3i64, 1], [0, 9], [3, 1]], [[2, 2], [7, 7], [2, 2]]]);
    let unique = cube.unique_along(1);
    assert_eq!(unique.values.to_vec::<i64>(), [0, 9, 3, 1, 7, 7, 2, 2]);
    assert_eq!((unique.inverse.to_vec::<i64>(), unique.counts.to_vec::<i64>()), (vec![1, 0, 1], vec![1, 2]));
    // NaN is last and differs from NaN.
    let unique = Tensor::from([[NAN, 1.0], [0.0, 2.0], [NAN, 1.0]]).unique_along(0);
    near(&unique.values, &[0.0, 2.0, NAN, 1.0, NAN, 1.0]);
    assert_eq!(unique.counts.to_vec::<i64>(), [1, 1, 1]);
    // A list is as `unique` has it; nothing has no slices, and slices of nothing are equal.
    let (list, alike) = (Tensor::from([3i64, 1, 3]).unique_along(0), Tensor::from([3i64, 1, 3]).unique());
    assert_eq!(list.values.to_vec::<i64>(), alike.values.to_vec::<i64>());
    assert_eq!(F64.zeros([0, 2]).unique_along(0).values.shape()[..], [0, 2]);
    assert_eq!(F64.zeros([3, 0]).unique_along(0).counts.to_vec::<i64>(), [3]);
    slopes(&Tensor::from([[2.0, 0.5], [1.0, 5.0], [3.0, 0.25]]), |x| x.unique_along(0).values);
    let x = x.tracked();
    let weights = Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    let g = grad(&(x.unique_along(0).values * weights).sum(()), &[&x]).remove(0);
    near(&g, &[5.0, 6.0, 3.0, 4.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0]);
    assert!(attempt(|| x.unique_along(2)).is_err());
}

#[test]
fn shapes_that_depend_on_elements_are_refused_inside_vmap() {
    let x = Tensor::from([[1i64, 0], [2, 3]]);
    for (name, f) in [
        ("nonzero", (|x: &Tensor| x.nonzero()) as fn(&Tensor) -> Tensor),
        ("unique", |x| x.unique().values),
        ("unique_along", |x| x.unique_along(0).values),
        ("bincount", |x| x.bincount(0)),
        ("masked_select", |x| x.masked_select(&x.gt(0))),
    ] {
        let error = attempt(|| vmap(|x| f(&x[0]), &[&x])).expect_err("refused").to_string();
        assert!(error.starts_with(name) && error.contains("inside vmap"), "{error}");
    }
}

#[test]
fn short_formulas() {
    let (a, b) =
        (Tensor::from([[0.5, 1.2], [2.0, -1.0]]), Tensor::from([[1.5, 2.0], [0.0, 3.0], [1.0, 1.0]]));
    for p in [1.0, 2.0, 3.0] {
        slopes(&a, |a| a.cdist(&b, p));
    }
    near(&a.cdist(&b, f64::INFINITY), &[1.0, 1.8, 0.5, 3.0, 4.0, 2.0]);
    near(
        &Tensor::from([[3.0, 4.0], [0.0, 1.0]]).renorm(2.0, 0, 1.0),
        &[3.0 / 5.000_000_1, 4.0 / 5.000_000_1, 0.0, 1.0],
    );
    slopes(&a, |a| a.renorm(2.0, 0, 1.0));
    let (u, v) = (Tensor::from([1.0, 2.0, 3.0]), Tensor::from([4.0, -5.0, 6.0]));
    near(&u.cross(&v, 0), &[27.0, 6.0, -13.0]);
    slopes(&u, |u| u.cross(&v, 0));
    let line = Tensor::from([1.0, 3.0, -2.0, 5.0, 4.0, 0.5]);
    near(&line.trapezoid(0.5, 0), &[5.375]);
    near(&line.diff(2, 0), &[-7.0, 12.0, -8.0, -2.5]);
    assert_eq!(line.diff(9, 0).numel(), 0);
    assert_eq!(Tensor::from([true, true, false]).diff(1, 0).to_vec::<bool>(), [false, true]);
    let xs = Tensor::from([0.0, 1.0, 3.0]);
    near(&Tensor::from([[1.0], [2.0], [3.0]]).trapezoid_at(&xs, 0), &[6.5]);
    near(&Tensor::from([2.0, 0.0]).vander(3, true), &[1.0, 2.0, 4.0, 1.0, 0.0, 0.0]);
    slopes(&Tensor::from([2.0, 0.0]), |x| x.vander(4, false));
    assert_eq!(Tensor::tril_indices(3, 2, -1).to_vec::<i64>(), [1, 2, 2, 0, 0, 1]);
    assert_eq!(Tensor::triu_indices(2, 3, 1).to_vec::<i64>(), [0, 0, 1, 1, 2, 2]);
}
