//! Gradients of indexing, writing and moving elements, against central differences, in first and second order.

use retrograd::prelude::*;
use retrograd::{F64, I64, PadMode, cat, grad_recorded, s};

/// Distinct numbers of no particular size, of this shape.
fn numbers(shape: &[usize], seed: f64) -> Tensor {
    let n = shape.iter().product::<usize>();
    ((F64.arange(0, n, 1) * 1.7 + seed).sin() + 1.5).reshape(shape)
}

/// The sum of cubes of `f`'s result, weighted: its second derivative is not 0.
fn objective(f: &dyn Fn(&[Tensor]) -> Tensor, x: &[Tensor]) -> Tensor {
    let y = f(x);
    let weights = numbers(y.shape(), 0.3);
    (&y * &y * &y * weights).sum(())
}

/// The first gradients, tracked.
fn gradients(f: &dyn Fn(&[Tensor]) -> Tensor, x: &[Tensor]) -> Vec<Tensor> {
    grad_recorded(&objective(f, x), &x.iter().collect::<Vec<_>>())
}

/// Something of the first gradients that the second is taken of.
fn slope(f: &dyn Fn(&[Tensor]) -> Tensor, x: &[Tensor]) -> Tensor {
    let parts = gradients(f, x).into_iter().map(|g| (&g * numbers(g.shape(), 0.8)).sum(()));
    parts.reduce(|a, b| a + b).expect("at least one operand")
}

/// Compares the gradients of `g` at `x` with central differences.
fn agree(name: &str, g: &dyn Fn(&[Tensor]) -> Tensor, x: &[Tensor]) {
    let leaves: Vec<Tensor> = x.iter().map(Tensor::tracked).collect();
    let got = grad(&g(&leaves), &leaves.iter().collect::<Vec<_>>());
    for (k, got) in got.iter().enumerate() {
        let got = got.to_vec::<f64>();
        for (i, &got) in got.iter().enumerate() {
            let at = |step: f64| {
                let mut elements = x[k].to_vec::<f64>();
                elements[i] += step;
                let mut x: Vec<Tensor> = x.iter().map(Tensor::tracked).collect();
                x[k] = Tensor::from_vec(elements, x[k].shape()).tracked();
                g(&x).item()
            };
            let want = (at(1e-5) - at(-1e-5)) / 2e-5;
            let close = (got - want).abs() <= 1e-5 * (1.0 + want.abs());
            assert!(close, "{name}: operand {k}, element {i}: {got} against {want}");
        }
    }
}

fn check(name: &str, x: &[Tensor], f: impl Fn(&[Tensor]) -> Tensor) {
    agree(name, &|x| objective(&f, x), x);
    agree(&format!("{name}, second order"), &|x| slope(&f, x), x);
}

#[test]
fn reading() {
    let x = [numbers(&[3, 4, 2], 0.1)];
    let (i, j) = (Tensor::from([[0i64], [2]]), Tensor::from([1i64, -1, 1]));
    check("slices", &x, |x| x[0].at(s![1.., ..;-2, NewAxis]));
    check("positions", &x, |x| x[0].at(s![&i, &j]));
    check("positions apart", &x, |x| x[0].at(s![&Tensor::from([1i64, 1]), 1.., &Tensor::from([0i64, 1])]));
    check("mask", &x, |x| x[0].at(s![.., &Tensor::from([true, false, true, true])]));
    check("take", &x, |x| x[0].take(&Tensor::from([5i64, 5, 0])));
    check("take_along", &x, |x| x[0].take_along(1, &Tensor::from([[[3i64], [0], [3]]])));
    check("smaller gather", &x, |x| x[0].gather(1, &Tensor::from([[[3i64], [3]], [[0], [1]]])));
    check("unfold", &x, |x| x[0].unfold(1, 3, 1));
    check("unfold with gaps", &x, |x| x[0].unfold(0, 1, 2));
    check("contiguous", &x, |x| x[0].mt().contiguous());
    check("diagonal", &x, |x| x[0].diagonal(1, 1, 0));
    check("diag_embed", &x, |x| x[0].diag_embed_at(-1, 0, 2));
    check("masked_select", &x, |x| x[0].masked_select(&Tensor::from([true, false])));
    check("expand", &x, |x| x[0].unsqueeze(1).expand([-1, 2, -1, -1]));
    check("triangles", &x, |x| x[0].tril(-1) + x[0].triu(0).flip(1));
    check("moves", &x, |x| x[0].roll([1, 1], [0, -1]).movedim(0, 2).repeat([1, 2, 1]));
    check("split", &x, |x| cat(&x[0].split([1, 3], 1), 1) * x[0].chunk(2, 1)[1].select(1, 0).unsqueeze(1));
    for mode in [PadMode::Constant(2.0), PadMode::Reflect, PadMode::Replicate, PadMode::Circular] {
        check("pad", &x, |x| x[0].pad(&[(1, 2), (0, 1)], mode));
    }
}

#[test]
fn writing() {
    let x = |other: &[usize]| [numbers(&[3, 4], 0.1), numbers(other, 0.7)];
    let twice = Tensor::from([1i64, 0, 1]);
    let index = Tensor::from([[1i64, 0], [1, 1]]);
    check("with a slice", &x(&[2, 1]), |x| x[0].with(s![1.., ..;2], &x[1]));
    check("with_add a slice", &x(&[2]), |x| x[0].with_add(s![..2, 1..3], &x[1]));
    check("with positions", &x(&[3, 4]), |x| x[0].with(s![&twice], &x[1]));
    check("with_add positions", &x(&[3, 3]), |x| x[0].with_add(s![.., &twice], &x[1]));
    check("with both", &x(&[2, 3]), |x| x[0].with(s![1.., &twice], &x[1]));
    check("index_put", &x(&[3]), |x| x[0].index_put(&[&twice, &Tensor::from([2i64, 3, 2])], &x[1], true));
    check("with a mask", &x(&[2, 4]), |x| x[0].with(s![&Tensor::from([true, false, true])], &x[1]));
    check("scatter", &x(&[2, 3]), |x| x[0].scatter(0, &index, &x[1]));
    check("scatter_add", &x(&[2, 2]), |x| x[0].scatter_add(1, &index, &x[1]));
    check("index_copy", &x(&[3, 3]), |x| x[0].index_copy(1, &twice, &x[1]));
    check("index_add", &x(&[3, 4]), |x| x[0].index_add(0, &twice, &x[1]));
    let mask = Tensor::from([true, false, true, false]);
    check("masked_scatter", &x(&[7]), |x| x[0].masked_scatter(&mask, &x[1]));
    check("masked_fill", &x(&[1]), |x| x[0].masked_fill(&mask, &x[1]));
}

#[test]
fn positions_have_no_gradient_and_keep_that_of_others() {
    let x = numbers(&[4], 0.2).tracked();
    let ids = I64.arange(3, -1, -1);
    let g = x.index_select(0, &ids).sum(()).backward();
    assert_eq!(g[&x].to_vec::<f64>(), [1.0; 4]);
}
