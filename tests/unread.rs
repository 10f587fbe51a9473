//! Products of a recorded gradient wait until they are read: those that are only differentiated again never run, and
//! whoever reads one finds what an ordinary gradient has.

use retrograd::prelude::*;
use retrograd::{grad_of_all, grad_with, profile};

fn normal(shape: impl IntoShape, seed: u64) -> Tensor {
    F64.randn(shape, &mut Rng::new(seed))
}
/// Two layers and a convolution, of leaves.
fn loss(p: &[Tensor]) -> Tensor {
    let x = normal([2, 3, 6, 6], 1);
    let h = x.conv2d(&p[0], None, Conv::new().padding(1)).tanh();
    let h = h.reshape([2, -1]).matmul(&p[1]).sigmoid();
    (h.matmul(&p[2]) - 1.0).square().mean(())
}
fn points() -> Vec<Tensor> {
    [normal([4, 3, 3, 3], 2), normal([144, 5], 3), normal([5, 2], 4)].map(|p| p.tracked()).into()
}
fn all(tensors: &[Tensor]) -> Vec<&Tensor> {
    tensors.iter().collect()
}
#[track_caller]
fn close(a: &Tensor, b: &Tensor) {
    assert_eq!(a.shape(), b.shape());
    let far = (a - b).abs().amax(()).item();
    assert!(far < 1e-12, "differ by {far}");
}
/// The product with the Hessian as it is defined: the gradient of a dot product, all of it computed.
fn by_dots(p: &[Tensor], vs: &[Tensor]) -> Vec<Tensor> {
    let first = eager(|| grad_recorded(&loss(p), &all(p)));
    let dot = first.iter().zip(vs).map(|(g, v)| (g * v).sum(())).reduce(|a, b| a + b).unwrap();
    grad(&dot, &all(p))
}

#[test]
fn what_nobody_reads_is_not_computed() {
    let (p, vs) = (points(), [normal([4, 3, 3, 3], 5), normal([144, 5], 6), normal([5, 2], 7)]);
    let forward = memory::dry_run(|| loss(&p)).calls;
    // Cotangents of two hidden layers; the gradients of three weights are left.
    let recorded = memory::dry_run(|| drop(grad_recorded(&loss(&p), &all(&p)))).calls;
    let ordinary = memory::dry_run(|| drop(grad(&loss(&p), &all(&p)))).calls;
    assert_eq!((ordinary - forward, recorded - forward), (5, 2));

    let unread = || drop(hvp(loss, &all(&p), &all(&vs)));
    let (_, skipped) = profile(unread);
    let (_, read) = profile(|| hvp(loss, &all(&p), &all(&vs)).0.iter().for_each(|g| _ = g.force()));
    let flops =
        |p: &retrograd::Profile| p.lines().iter().map(|l| l.forward.flops + l.backward.flops).sum::<u64>();
    let weights = 2 * (2 * 36 * 4 * 27 + 2 * 144 * 5 + 2 * 5 * 2);
    assert!(flops(&read) - flops(&skipped) >= weights, "{} and {}", flops(&read), flops(&skipped));
}

#[test]
fn what_is_read_late_is_what_it_would_have_been() {
    let p = points();
    let at_once = grad(&loss(&p), &all(&p));
    let late = grad_recorded(&loss(&p), &all(&p));
    // By another thread, by both at once, as an operand, as a view, and not at all.
    let elsewhere = late[0].clone();
    let sums = std::thread::scope(|s| {
        let [a, b] = [0, 1].map(|_| s.spawn(|| elsewhere.sum(()).item()));
        [a.join().unwrap(), b.join().unwrap(), late[0].sum(()).item()]
    });
    assert_eq!(sums, [at_once[0].sum(()).item(); 3]);
    assert_eq!(late[0].to_vec::<f64>(), at_once[0].to_vec::<f64>());
    assert_eq!(
        (&late[1] * 2.0 + &late[1]).to_vec::<f64>(),
        (&at_once[1] * 2.0 + &at_once[1]).to_vec::<f64>()
    );
    let last = &grad_recorded(&loss(&p), &all(&p))[2];
    assert_eq!(last.t().to_vec::<f64>(), at_once[2].t().to_vec::<f64>());
    drop(p);
    assert_eq!(late[2].to_vec::<f64>(), at_once[2].to_vec::<f64>());
}

#[test]
fn a_leaf_used_twice_sums_what_waits() {
    let (w, x) = (normal([4, 4], 1).tracked(), normal([3, 4], 2));
    let y = x.matmul(&w).matmul(&w).square().sum(());
    let (late, at_once) = (&grad_recorded(&y, &[&w])[0], &grad(&y, &[&w])[0]);
    assert_eq!(late.to_vec::<f64>(), at_once.to_vec::<f64>());
}

#[test]
fn seeds_of_several_gradients_are_their_dot_products() {
    let (p, vs) = (points(), [normal([4, 3, 3, 3], 5), normal([144, 5], 6), normal([5, 2], 7)]);
    let want = by_dots(&p, &vs);
    let first = grad_recorded(&loss(&p), &all(&p));
    let seeded = grad_of_all(&all(&first), &all(&p), &all(&vs));
    let (_, hv) = hvp(loss, &all(&p), &all(&vs));
    for ((want, seeded), hv) in want.iter().zip(&seeded).zip(&hv) {
        close(want, seeded);
        close(want, hv);
    }
    // A direction for each example, and a point for each.
    let many = normal([3, 5, 2], 8);
    let of = |w: &Tensor, v: &Tensor| {
        hvp(|x| loss(&[p[0].clone(), p[1].clone(), x[0].clone()]), &[w], &[v]).1.swap_remove(0)
    };
    let directions = vmap(|v| of(&p[2], &v[0]), &[&many]);
    let points = vmap(|w| of(&w[0], &vs[2]), &[&many]);
    let pushed = vmap(|v| jvp(|x| p[1].matmul(&x[0]), &[&p[2]], &[&v[0]]).1, &[&many]);
    for i in 0..3 {
        let one = many.select(0, i);
        close(&directions.select(0, i), &of(&p[2], &one));
        close(&points.select(0, i), &of(&one, &vs[2]));
        close(&pushed.select(0, i), &p[1].matmul(&one));
    }
    // A third order, of what waits.
    let y = (&p[2] * &p[2] * &p[2]).sum(()) + loss(&p);
    let second = grad_with(&grad_recorded(&y, &[&p[2]])[0], &[&p[2]], &vs[2]);
    let third = |e: f64| {
        let moved = (&p[2].detach() + &vs[2] * e).tracked();
        let y = (&moved * &moved * &moved).sum(()) + loss(&[p[0].clone(), p[1].clone(), moved.clone()]);
        grad(&y, &[&moved]).swap_remove(0)
    };
    let quotient = (third(1e-5) - third(-1e-5)) / 2e-5;
    assert!((&second[0] - quotient).abs().amax(()).item() < 1e-8);
}

#[test]
fn seeds_are_counted_and_fitted() {
    let x = normal([2, 3], 1).tracked();
    let y = &x * 2.0;
    let refused = |seeds: &[&Tensor]| attempt(|| grad_of_all(&[&y], &[&x], seeds)).unwrap_err().to_string();
    let counted = refused(&[]);
    assert!(counted.contains("1 results and 0 seeds"), "{counted}");
    let fitted = refused(&[&normal([3, 2], 2)]);
    assert!(fitted.contains("[3, 2]") && fitted.contains("[2, 3]"), "{fitted}");
}
