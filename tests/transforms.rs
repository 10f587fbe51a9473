//! Transforms, alone and nested: what they give against formulas and loops.

use retrograd::prelude::*;
use retrograd::{grad_with, vmap, vmap_axes};

fn seeded(shape: impl IntoShape, seed: u64) -> Tensor {
    F64.randn(shape, &mut Rng::new(seed))
}
#[track_caller]
fn close(a: &Tensor, b: &Tensor) {
    assert_eq!(a.shape(), b.shape());
    let far = (a - b).abs().amax(()).item();
    assert!(far < 1e-11, "differ by {far}: {a:?} and {b:?}");
}

#[test]
fn per_example_gradients_are_those_of_a_loop() {
    let (x, y) = (seeded([5, 4], 1), Tensor::from([0i64, 2, 1, 2, 0]));
    let (w, b) = (seeded([4, 3], 2).tracked(), seeded([3], 3).tracked());
    let loss = |x: &Tensor, y: &Tensor| {
        let logits = x.reshape([1, 4]).matmul(&w).tanh() + &b;
        let rows = logits.log_softmax(-1);
        -rows.gather(1, &y.reshape([1, 1])).sum(())
    };
    let all = vmap_axes(|e| grad(&loss(&e[0], &e[1]), &[&w, &b]), &[(&x, Some(0)), (&y, Some(0))]);
    for i in 0..5 {
        let one = grad(&loss(&x.select(0, i), &y.select(0, i)), &[&w, &b]);
        close(&all[0].select(0, i), &one[0]);
        close(&all[1].select(0, i), &one[1]);
    }
    // Outside, the same gradients are a sum.
    let total = vmap(|e| loss(&e[0], &e[1]), &[&x, &y]).sum(());
    close(&grad(&total, &[&w])[0], &all[0].sum(0));
    // `backward` inside gives them too, by leaf.
    let by_leaf = vmap(|e| loss(&e[0], &e[1]).backward()[&b].clone(), &[&x, &y]);
    close(&by_leaf, &all[1]);
}

#[test]
fn nested_vmaps_and_gradients_commute_with_loops() {
    let (x, v) = (seeded([3, 4], 4), seeded([2, 4], 5));
    let w = seeded([4], 6).tracked();
    let f = |x: &Tensor, v: &Tensor| ((x * &w).sin() * v.exp()).sum(());
    let table = vmap(|x| vmap(|v| grad(&f(&x[0], &v[0]), &[&w]).swap_remove(0), &[&v]), &[&x]);
    let other = vmap(|v| vmap(|x| grad(&f(&x[0], &v[0]), &[&w]).swap_remove(0), &[&x]), &[&v]);
    close(&table, &other.transpose(0, 1));
    for i in 0..3 {
        for j in 0..2 {
            let one = grad(&f(&x.select(0, i), &v.select(0, j)), &[&w]);
            close(&table.select(0, i).select(0, j), &one[0]);
        }
    }
    // A gradient between the two levels: by the outer one's tensor, over the inner one.
    let between = vmap(
        |x| {
            let x = x[0].tracked();
            let total = vmap(|v| f(&x, &v[0]), &[&v]).sum(());
            grad(&total, &[&x]).swap_remove(0)
        },
        &[&x],
    );
    for i in 0..3 {
        let x = x.select(0, i).tracked();
        let total = f(&x, &v.select(0, 0)) + f(&x, &v.select(0, 1));
        close(&between.select(0, i), &grad(&total, &[&x])[0]);
    }
}

#[test]
fn second_derivatives_inside_and_outside() {
    let x = seeded([4, 3], 7);
    let f = |x: &Tensor| (x * x * x).sum(()) * x.prod(());
    let inside = vmap(|x| hessian(f, &x[0]), &[&x]);
    for i in 0..4 {
        close(&inside.select(0, i), &hessian(f, &x.select(0, i)));
    }
    let each = |x: &Tensor| vmap(|x| f(&x[0]), &[x]).sum(());
    let all = hessian(each, &x);
    for i in 0..4 {
        close(&all.select(0, i).select(1, i), &inside.select(0, i));
    }
    assert_eq!(all.select(0, 0).select(1, 1).abs().sum(()).item(), 0.0);
    let along = vmap(|x| jvp(|x| f(&x[0]), &[&x[0]], &[&x[0].ones_like()]).1, &[&x]);
    for i in 0..4 {
        let one = jvp(|x| f(&x[0]), &[&x.select(0, i)], &[&F64.ones(3)]).1;
        close(&along.select(0, i), &one);
    }
    let curved = vmap(|x| hvp(|x| f(&x[0]), &[&x[0]], &[&F64.ones(3)]).1.swap_remove(0), &[&x]);
    for i in 0..4 {
        close(&curved.select(0, i), &inside.select(0, i).matmul(F64.ones(3)));
    }
}

#[test]
fn jacobians_by_rows_and_by_columns() {
    let (wide, tall) = (seeded([2, 5], 8), seeded([5, 2], 9));
    for w in [&wide, &tall] {
        let x = seeded([w.size(1)], 10);
        let j = jacobian(|x| w.matmul(x).sin(), &x);
        let slope = w.matmul(&x).cos().unsqueeze(1);
        close(&j, &(slope * w));
    }
    let cubes = jacobian(|x| (x * x * x).reshape([2, 3]), &seeded([6], 11));
    assert_eq!(cubes.shape(), [2, 3, 6]);
}

#[test]
fn what_does_not_vary_is_repeated_and_seeds_may_vary() {
    let x = seeded([3, 2], 12);
    let y = vmap_axes(|x| vec![x[0].sum(()), F64.ones(2), x[1].clone()], &[(&x, Some(0)), (&x, None)]);
    let shapes = [&[3][..], &[3, 2], &[3, 3, 2]];
    assert!(y.iter().zip(shapes).all(|(y, s)| y.shape()[..] == *s));
    let t = seeded([4], 13).tracked();
    let z = t.exp();
    let rows = vmap(|u| grad_with(&z, &[&t], &u[0]).swap_remove(0), &[&F64.eye(4)]);
    close(&rows, &z.detach().diag_embed(0));
    let empty = vmap(|x| x[0].exp().sum(()), &[&F64.zeros([0, 3])]);
    assert_eq!(empty.shape(), [0]);
}

#[test]
fn wrong_calls_say_what_is_right() {
    let message = |f: &dyn Fn()| attempt(f).expect_err("refused").to_string();
    let x = seeded([3, 2], 14);
    let differing = message(&|| drop(vmap(|x| &x[0] + &x[1], &[&x, &F64.ones([4, 2])])));
    assert!(differing.contains("3 in operand 0, 4 in operand 1"), "{differing}");
    let reading = message(&|| drop(vmap(|x| F64.full((), x[0].sum(()).item()), &[&x])));
    assert!(reading.contains("reading inside vmap"), "{reading}");
    let scalar = message(&|| drop(vmap(|x| x[0].clone(), &[&F64.ones(())])));
    assert!(scalar.contains("has no axis 0"), "{scalar}");
}

#[test]
fn a_loss_over_labels_is_mapped_and_checks_all_of_them() {
    let (model, x) = (Linear::new(4, 3, &mut Rng::new(0)), Tensor::randn([5, 4], &mut Rng::new(1)));
    let loss = |e: &[Tensor]| model.forward(&e[0].unsqueeze(0)).cross_entropy(&e[1].unsqueeze(0));
    let y = Tensor::from([0i64, 2, 1, 2, 0]);
    let each = vmap(|e| grad(&loss(e), &[&model.weight]).swap_remove(0), &[&x, &y]);
    for i in 0..5 {
        let one = grad(&loss(&[x.select(0, i), y.select(0, i)]), &[&model.weight]);
        assert!((each.select(0, i) - &one[0]).abs().amax(()).item() < 1e-6);
    }
    let wrong = attempt(|| vmap(loss, &[&x, &Tensor::from([0i64, 2, 3, 2, 0])])).unwrap_err().to_string();
    assert!(wrong.contains("label out of range: 3 at position 2"), "{wrong}");
}
