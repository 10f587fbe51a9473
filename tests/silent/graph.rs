//! The tape itself: gradients that are written over, buffers that are given away too early, cuts at the wrong place.
use super::{check, orders, seeded};
use retrograd::prelude::*;
use retrograd::{enable_grad, remat};

/// So many elements that results reuse memory.
const MANY: usize = 5000;

fn bits(t: &Tensor) -> Vec<u64> {
    t.to_vec::<f64>().into_iter().map(f64::to_bits).collect()
}
#[track_caller]
fn close(got: &Tensor, want: &Tensor) {
    assert!((got - want).abs().amax(()).item() < 1e-12);
}

// An input that is used twice has the gradient of its last use.
#[test]
fn uses_add_up() {
    check([3.0], |x| x + x, [[2.0], [0.0]]);
    check([3.0], |x| x * x, [[6.0], [2.0]]);
    check([3.0], |x| x - x, [[0.0], [0.0]]);
    check([3.0], |x| x / x, [[0.0], [0.0]]);
    check([3.0], |x| x * x * x + x * 2.0, [[29.0], [18.0]]);
    check([3.0], |x| (0..10).fold(x.clone(), |y, _| y + x), [[11.0], [0.0]]);
}
// The sum of cotangents is written into a buffer that another operand's cotangent shares.
#[test]
fn a_shared_cotangent_is_not_written_to() {
    let [a, b] = [1, 2].map(|seed| seeded([MANY], seed).tracked());
    let z = &a + &b;
    // The cotangent of z goes to a and b as it is; a then gets more.
    let y = (&z + &a * 3.0 + &a * 5.0).sum(());
    let g = grad(&y, &[&z, &a, &b]);
    assert!(g[0].to_vec::<f64>().iter().all(|g| *g == 1.0));
    assert!(g[1].to_vec::<f64>().iter().all(|g| *g == 9.0));
    assert!(g[2].to_vec::<f64>().iter().all(|g| *g == 1.0));
}
// A value that a rule reads lies in a buffer that was given to a later result.
#[test]
fn what_rules_read_is_not_given_away() {
    for force in [false, true] {
        let x = seeded([MANY], 3).tracked();
        let step = |h: Tensor| {
            if force {
                h.force();
            }
            h
        };
        let mut h = step(x.exp());
        h *= 3.0;
        h = step(h);
        h += &x;
        h = step(h);
        h *= h.clone();
        let y = step(h.sqrt());
        drop(h);
        // The root of a square: the magnitude of 3 e^x + x.
        let inner = x.detach().exp() * 3.0 + x.detach();
        let want = inner.sign() * (x.detach().exp() * 3.0 + 1.0);
        close(&y.sum(()).backward()[&x], &want);
    }
}
#[test]
fn products_read_operands_that_were_dropped() {
    let (x, w) = (seeded([40, 40], 4).tracked(), seeded([40, 40], 5).tracked());
    let y = {
        let a = x.tanh().force().clone();
        let b = a.matmul(&w);
        drop(a);
        let c = seeded([40, 40], 6) * 2.0;
        c.force();
        b + c
    };
    let g = y.sum(()).backward();
    let ones = F64.ones([40, 40]);
    close(&g[&w], &x.detach().tanh().t().matmul(&ones));
    close(&g[&x], &(ones.matmul(w.detach().t()) * (1.0 - x.detach().tanh().square())));
}
// A gradient that is held is changed by the next backward pass.
#[test]
fn gradients_of_one_pass_outlive_the_next() {
    let x = seeded([MANY], 7).tracked();
    let y = (x.sin() * &x).sum(());
    let first = y.backward_keep()[&x].clone();
    let before = bits(&first);
    let second = y.backward_keep()[&x].clone();
    let _other = (x.cos() * 7.0).sum(()).backward();
    assert_eq!(bits(&first), before);
    assert_eq!(bits(&second), before);
}
// An update in place that changes what was recorded before it.
#[test]
fn assigning_operators_leave_other_names_alone() {
    let x = Tensor::from([1.0, 2.0]).tracked();
    let mut y = &x * 2.0;
    let old = y.clone();
    y += 1.0;
    y *= &x;
    assert_eq!(old.to_vec::<f64>(), [2.0, 4.0]);
    let g = grad(&(old.square() + y).sum(()), &[&x]);
    // 4 x^2 + 2 x^2 + x
    assert_eq!(g[0].to_vec::<f64>(), [13.0, 25.0]);
}
// A cut that takes more with it than it names, or less.
#[test]
fn cuts_are_where_they_stand() {
    check([3.0], |x| x * x.detach(), [[3.0], [0.0]]);
    check([3.0], |x| x.detach() * 2.0 + x, [[1.0], [0.0]]);
    check([3.0], |x| x * no_grad(|| x * x), [[9.0], [0.0]]);
    check([3.0], |x| no_grad(|| enable_grad(|| x * x)), [[6.0], [2.0]]);
    check([3.0], |x| x * x.sign() * x.gt(0.0).where_(x, 1.0), [[6.0], [2.0]]);
    assert!(!no_grad(|| Tensor::from([1.0]).tracked() * 2.0).is_tracked());
    let x = Tensor::from([1.0]).tracked();
    assert!(!grad(&(&x * &x).sum(()), &[&x])[0].is_tracked(), "a plain gradient is not recorded");
}
// Integers have no gradient: a division that rounds must not look differentiable.
#[test]
fn integers_cut_the_tape() {
    let x = Tensor::from([7.9, -7.9]).tracked();
    let whole = x.cast(I64) / 2;
    assert_eq!(whole.to_vec::<i64>(), [3, -3]);
    assert!(!whole.is_tracked());
    let y = &x * whole.cast(F64);
    assert_eq!(grad(&y.sum(()), &[&x])[0].to_vec::<f64>(), [3.0, -3.0]);
    let missing =
        attempt(|| grad(&(whole.cast(F64).sum(()) + 0.0 * x.sum(())), &[&x])).expect("the other term");
    assert_eq!(missing[0].to_vec::<f64>(), [0.0, 0.0]);
}
// A type that is changed on the way changes the type of the gradient.
#[test]
fn casts_cast_back() {
    let x = Tensor::from([1.5f32, 2.5]).tracked();
    let g = (x.cast(F64).square() * 3.0).sum(()).backward()[&x].clone();
    assert_eq!((g.dtype(), g.to_vec::<f32>()), (F32, vec![9.0, 15.0]));
}
// A checkpoint that loses what it captured.
#[test]
fn what_is_computed_again_reaches_what_it_captured() {
    let w = Tensor::from([2.0, 5.0]);
    let run = |x: &Tensor, w: &Tensor| {
        let w = w.clone();
        remat(move |x| (&x[0] * &w).square() * &w, &[x])
    };
    let plain = orders([&Tensor::from([1.0, 3.0]), &w], |[x, w]| (x * w).square() * w);
    assert_eq!(orders([&Tensor::from([1.0, 3.0]), &w], |[x, w]| run(x, w)), plain);
}
// A copy that only changes how elements lie, and is taken for a cut or a step of its own.
#[test]
fn a_copy_passes_gradients_on() {
    check([1.0, 2.0, 3.0, 4.0], |x| x.reshape([2, 2]).t().contiguous(), [[1.0, 3.0, 2.0, 4.0], [0.0; 4]]);
    check([1.0, 2.0], |x| x.flip(0).contiguous().square(), [[4.0, 4.0], [4.0, 2.0]]);
}
// Dropout whose backward pass draws another mask, or forgets the factor.
#[test]
fn dropout_drops_the_same_elements_backward() {
    let key = Rng::new(3).reserve(MANY as u64);
    let x = (seeded([MANY], 8) + 10.0).tracked();
    let y = x.dropout(0.25, key);
    let slope = grad_recorded(&y.square().sum(()), &[&x]).remove(0);
    // y is x / 0.75 or 0: the slope of its square is 2 y / 0.75, and once more 2 / 0.75^2.
    close(&slope, &(y.detach() * (2.0 / 0.75)));
    let bend = grad(&slope.sum(()), &[&x]).remove(0);
    close(&bend, &(y.detach().ne(0.0).cast(F64) * (2.0 / 0.5625)));
    let kept = y.ne(0.0).cast(F64).mean(()).item();
    assert!((kept - 0.75).abs() < 0.03, "{kept}");
}
