//! Rules of one's own: taps, replaced gradients, results computed again, and the check of gradients itself.

use retrograd::prelude::*;
use retrograd::{
    GradCheck, Tap, gradcheck, gradcheck_against, gradgradcheck, hvp, op, profile, remat, vmap, with_vjp,
};
use std::sync::{Arc, Mutex};

fn seeded(shape: impl IntoShape, seed: u64) -> Tensor {
    F64.randn(shape, &mut Rng::new(seed))
}
fn bits(t: &Tensor) -> Vec<u64> {
    t.to_vec::<f64>().into_iter().map(f64::to_bits).collect()
}

#[test]
fn remat_gives_the_same_bits_and_keeps_less() {
    let (x, w) = (seeded([64, 64], 1).tracked(), seeded([64, 64], 2).tracked());
    let layers = |x: &Tensor, w: &Tensor| (0..8).fold(x.clone(), |h, _| h.matmul(w).tanh() * 0.9 + x);
    let captured = w.clone();
    let block = move |x: &[Tensor]| layers(&x[0], &captured);
    let plain = layers(&x, &w);
    let again = remat(block, &[&x]);
    let saved = |y: &Tensor| Tape::of(y).saved_bytes();
    assert_eq!(saved(&again.sum(())), 0);
    assert!(saved(&plain.sum(())) > 8 * 64 * 64 * 8);
    let (a, b) = ((&plain * &plain).sum(()).backward(), (&again * &again).sum(()).backward());
    assert_eq!(bits(&a[&x]), bits(&b[&x]));
    assert_eq!(bits(&a[&w]), bits(&b[&w]));
}

#[test]
fn remat_repeats_random_draws_and_nests() {
    let x = seeded([50], 3).tracked();
    let noisy = |rng: &Mutex<Rng>, x: &Tensor| {
        let mut rng = rng.lock().unwrap();
        let noise = F64.rand([50], &mut rng);
        (x.dropout(0.5, rng.reserve(50)) * noise).sin()
    };
    let (rng, twin) = (Arc::new(Mutex::new(Rng::new(9))), Mutex::new(Rng::new(9)));
    let shared = rng.clone();
    let inner = move |x: &[Tensor]| {
        let (rng, x) = (shared.clone(), x[0].exp());
        remat(move |x| noisy(&rng, &x[0]) * 2.0, &[&x]) + noisy(&shared, &x)
    };
    let again = remat(inner, &[&x]);
    let plain = {
        let x = x.exp();
        noisy(&twin, &x) * 2.0 + noisy(&twin, &x)
    };
    let state = rng.lock().unwrap().state();
    let (a, b) = (plain.sum(()).backward(), again.sum(()).backward());
    assert_eq!(bits(&a[&x]), bits(&b[&x]));
    assert_eq!(rng.lock().unwrap().state(), state, "running again draws nothing new");
}

#[test]
fn remat_is_differentiable_again_and_under_vmap() {
    let f = |x: &[Tensor]| remat(|x| (&x[0] * &x[1]).tanh(), &[&x[0].exp(), &x[1]]);
    let (x, y) = (seeded([4], 4), seeded([4], 5));
    gradcheck(f, &[&x, &y]).unwrap();
    gradgradcheck(f, &[&x, &y]).unwrap();
    let w = seeded([3], 6).tracked();
    let each = |row: &Tensor| {
        let w = w.clone();
        remat(move |x| (&x[0] * &w).sin().sum(()), &[row])
    };
    let rows = seeded([5, 3], 7);
    let inside = vmap(|r| grad(&each(&r[0]), &[&w]).swap_remove(0), &[&rows]);
    let outside = grad(&vmap(|r| each(&r[0]), &[&rows]).sum(()), &[&w]).swap_remove(0);
    for i in 0..5 {
        let one = grad(&each(&rows.select(0, i)), &[&w]).swap_remove(0);
        assert!((inside.select(0, i) - one).abs().amax(()).item() < 1e-12);
    }
    assert!((inside.sum(0) - outside).abs().amax(()).item() < 1e-12);
}

#[test]
fn taps_see_and_replace() {
    let seen = Arc::new(Mutex::new(vec![]));
    let x = Tensor::from([1.0f64, 2.0]).tracked();
    let note = seen.clone();
    let h = (&x * 3.0).tap(move |g| note.lock().unwrap().extend(g.to_vec::<f64>()));
    let y = (&h * &h).sum(()) + h.sum(());
    assert_eq!(y.backward()[&x].to_vec::<f64>(), [21.0, 39.0]);
    assert_eq!(*seen.lock().unwrap(), [7.0, 13.0], "once, when everything is added up");
    let each = vmap(
        |x| {
            let x = x[0].tracked();
            let y = (&x * &x).tap(|g| g * 10.0).sum(());
            y.backward()[&x].clone()
        },
        &[&seeded([3, 2], 8)],
    );
    assert!((each - seeded([3, 2], 8) * 20.0).abs().amax(()).item() < 1e-12);
    let wrong = attempt(|| x.tap(|g| g.sum(())).sum(()).backward()).unwrap_err().to_string();
    assert!(wrong.contains("the answer is f64 []") && wrong.contains("rules.rs"), "{wrong}");
}

#[test]
fn rules_replace_gradients_of_any_order_and_under_vmap() {
    // x / y with a rule written out: differentiable again, since it is tensor code.
    let quotient = |x: &[Tensor]| {
        with_vjp(&[&x[0], &x[1]], |x| &x[0] / &x[1], |x, y, g| vec![g / &x[1], -(g * y / &x[1])])
    };
    let (x, y) = (seeded([3], 9), seeded([3], 10).abs() + 1.0);
    gradcheck(quotient, &[&x, &y]).unwrap();
    gradgradcheck(quotient, &[&x, &y]).unwrap();
    let w = (seeded([3], 11).abs() + 1.0).tracked();
    let rows = seeded([4, 3], 12);
    let inside =
        vmap(|r| grad(&quotient(&[r[0].clone(), w.clone()]).sum(()), &[&w]).swap_remove(0), &[&rows]);
    let want = -&rows / (w.detach() * w.detach());
    assert!((inside - &want).abs().amax(()).item() < 1e-12);
    let outside = grad(&vmap(|r| quotient(&[r[0].clone(), w.clone()]).sum(()), &[&rows]).sum(()), &[&w]);
    assert!((&outside[0] - want.sum(0)).abs().amax(()).item() < 1e-12);
    let few = attempt(|| with_vjp(&[&w], |x| x[0].clone(), |_, _, _| vec![]).sum(()).backward());
    assert!(few.unwrap_err().to_string().contains("0 cotangents for 1 operands"));
}

/// A bias that joins its product has the gradients of one that is added, whatever of the operands is asked for.
#[test]
fn a_bias_has_the_gradients_of_a_sum() {
    let [x, w, b] = [(vec![2, 5, 4], 1), (vec![3, 4], 2), (vec![3], 3)].map(|(s, seed)| seeded(&s[..], seed));
    let joined = |x: &Tensor, w: &Tensor, b: &Tensor| x.linear(w, Some(b)).tanh().square().sum(());
    let apart = |x: &Tensor, w: &Tensor, b: &Tensor| (x.matmul(w.t()) + b).tanh().square().sum(());
    for tracked in 1..8_u32 {
        let track = |t: &Tensor, i: u32| if tracked >> i & 1 == 1 { t.tracked() } else { t.clone() };
        let (x, w, b) = (track(&x, 0), track(&w, 1), track(&b, 2));
        let (got, want) = (joined(&x, &w, &b).backward(), apart(&x, &w, &b).backward());
        for t in [&x, &w, &b] {
            assert_eq!(got.get(t).map(bits), want.get(t).map(bits), "tracked {tracked:b}");
        }
    }
    let all = [&x, &w, &b];
    gradgradcheck(|x| joined(&x[0], &x[1], &x[2]), &all).unwrap();
    let direction = [&x * 0.5, &w * -1.0, &b + 1.0];
    let along: Vec<&Tensor> = direction.iter().collect();
    let derivative =
        |f: &dyn Fn(&Tensor, &Tensor, &Tensor) -> Tensor| hvp(|x| f(&x[0], &x[1], &x[2]), &all, &along).1;
    for (got, want) in derivative(&joined).iter().zip(&derivative(&apart)) {
        assert!(got.allclose(want, 1e-12, 1e-14));
    }
    let rows = vmap(|x| x[0].linear(&w, Some(&x[1])), &[&x, &seeded([2, 3], 4)]);
    assert_eq!(
        bits(&rows.select(0, 1)),
        bits(&x.select(0, 1).linear(&w, Some(&seeded([2, 3], 4).select(0, 1))))
    );

    let (w, hidden) = (w.tracked(), b.tracked());
    let grads = joined(&x, &w, &hidden.detach()).backward();
    let missing = grads.why_missing(&hidden).to_string();
    assert!(missing.starts_with("cut by detach at tests/rules.rs"), "{missing}");
}

#[test]
fn wrong_gradients_are_found() {
    let x = seeded([3], 13);
    let message = |f: fn(&[Tensor]) -> Tensor| gradcheck(f, &[&x]).unwrap_err().to_string();
    assert!(message(|x| &x[0] * x[0].detach()).contains("output [0] by element [0]"));
    assert!(message(|x| x[0].detach() * 1.0).contains("output [0] by element [0]"));
    let large = seeded([80, 80], 14);
    let cut = gradcheck(|x| &x[0] * x[0].detach(), &[&large]).unwrap_err().to_string();
    assert!(cut.contains("random direction"), "{cut}");
    gradcheck(|x| x[0].tanh().matmul(&x[0]), &[&large]).unwrap();
    // The first order right, the second wrong.
    let half = |x: &[Tensor]| with_vjp(&[&x[0]], |x| &x[0] * &x[0], |x, _, g| vec![g * x[0].detach() * 2.0]);
    gradcheck(half, &[&x]).unwrap();
    assert!(gradgradcheck(half, &[&x]).is_err());
    let single = Tensor::from([1.0f32]);
    assert!(gradcheck(|x| x[0].exp(), &[&single]).unwrap_err().to_string().contains("need f64"));
}

/// x[i] x[i + 1] scaled by a list: two operands, and a rule that reads both.
fn neighbours() -> op::Custom {
    op::custom::<f64>(
        "neighbours",
        |x| match (&x[0][..], &x[1][..]) {
            ([n], [m]) if *n == m + 1 => Ok(x[1].clone()),
            _ => Err(format!("lists do not fit: {} and {}; the second is shorter by one", x[0], x[1])),
        },
        |x, y| (0..y.len()).for_each(|i| y[i] = x[0][i] * x[0][i + 1] * x[1][i]),
        |x, y, g| {
            let pad = |x: Tensor, at| x.pad(&[at], retrograd::PadMode::Zeros);
            let scaled = g * &x[1];
            let left = pad(&scaled * x[0].at(s![1..]), (0, 1));
            let right = pad(scaled * x[0].at(s![..-1]), (1, 0));
            vec![left + right, g * y / &x[1]]
        },
    )
}

#[test]
fn three_closures_make_an_operation() {
    let op = neighbours();
    let (x, w) = (seeded([5], 20), seeded([4], 21));
    let f = |x: &[Tensor]| op.call(&[&x[0], &x[1]]);
    let plain = |x: &[Tensor]| x[0].at(s![1..]) * x[0].at(s![..-1]) * &x[1];
    let near = |a: &Tensor, b: &Tensor| {
        assert_eq!(a.shape(), b.shape());
        assert!((a - b).abs().amax(()).item() < 1e-12, "{a} and {b}");
    };
    near(&f(&[x.clone(), w.clone()]), &plain(&[x.clone(), w.clone()]));
    gradcheck(f, &[&x, &w]).unwrap();
    gradgradcheck(f, &[&x, &w]).unwrap();
    // The gradient of the gradient of the gradient, against the formula's.
    let third = |f: &dyn Fn(&[Tensor]) -> Tensor| {
        let (x, w) = (x.tracked(), w.tracked());
        let first = grad_recorded(&f(&[x.clone(), w.clone()]).square().sum(()), &[&x]).remove(0);
        let second = grad_recorded(&first.square().sum(()), &[&w]).remove(0);
        grad(&second.sum(()), &[&x]).remove(0)
    };
    near(&third(&f), &third(&plain));
    // Views that are no slices, and under levels.
    let (rows, scales) = (seeded([5, 3], 22), seeded([3, 4], 23));
    let columns = vmap(|x| f(&[x[0].clone(), x[1].clone()]), &[&rows.t(), &scales]);
    let mapped = vmap(|x| plain(&[x[0].clone(), x[1].clone()]), &[&rows.t(), &scales]);
    near(&columns, &mapped);
    let slopes = |f: &dyn Fn(&[Tensor]) -> Tensor| {
        let w = w.tracked();
        let each = |r: &[Tensor]| grad(&f(&[r[0].clone(), w.clone()]).sum(()), &[&w]).remove(0);
        vmap(each, &[&rows.t()])
    };
    near(&slopes(&f), &slopes(&plain));
}

#[test]
fn a_custom_operation_goes_by_its_name() {
    let (op, x, w) = (neighbours(), seeded([5], 20).tracked(), seeded([4], 21));
    let (y, spent) = profile(|| op.call(&[&x, &w]));
    assert!(spent.lines().iter().any(|line| line.op == "neighbours" && line.at.file() == file!()));
    assert!(Tape::of(&y).lines().iter().any(|line| line.op == "neighbours"));
    let planned = memory::dry_run(|| op.call(&[&F64.zeros(5), &F64.zeros(4)]).force().shape().clone());
    assert!(planned.peak >= 4 * 8);
}

#[test]
fn a_custom_operation_says_what_is_wrong() {
    let (op, x, w) = (neighbours(), seeded([5], 20).tracked(), seeded([4], 21));
    let refused = |f: &dyn Fn() -> Tensor| {
        let error = attempt(f).unwrap_err();
        assert_eq!(error.location().unwrap().file(), file!());
        error.to_string()
    };
    let shapes = refused(&|| op.call(&[&x, &x]));
    assert_eq!(shapes, "neighbours: lists do not fit: [5] and [5]; the second is shorter by one");
    let types = refused(&|| op.call(&[&x, &w.cast(F32)]));
    assert!(types.contains("operands are f64, f32; all are of one type that has a kernel: f64"), "{types}");
    let many = vec![&w; 65];
    assert!(refused(&|| op.call(&many)).contains("at most 64"));
    // Rules are held to what with_vjp holds them to.
    let by = |rule: fn(&[Tensor], &Tensor, &Tensor) -> Vec<Tensor>| {
        let copied = op::custom::<f64>("copied", |x| Ok(x[0].clone()), |x, y| y.copy_from_slice(&x[0]), rule);
        attempt(|| copied.call(&[&x]).sum(()).backward()).map(drop).unwrap_err().to_string()
    };
    let few = by(|_, _, _| vec![]);
    assert!(few.contains("copied: the rule of") && few.contains("0 cotangents for 1 operands"), "{few}");
    assert!(few.contains("rules.rs"), "{few}");
    assert!(by(|_, _, g| vec![g.sum(())]).contains("cotangent 0 is f64 [], not f64 [5]"));
    assert!(by(|_, _, g| vec![g.cast(F32)]).contains("cotangent 0 is f32 [5], not f64 [5]"));
}

#[test]
fn a_custom_operation_takes_the_types_that_it_has_kernels_for() {
    fn doubled<T: retrograd::Element + std::ops::Add<Output = T>>(x: &[op::Dense<'_, T>], y: &mut [T]) {
        y.iter_mut().zip(&*x[0]).for_each(|(y, &x)| *y = x + x);
    }
    let double = op::custom("double", |x| Ok(x[0].clone()), doubled::<f64>, |_, _, g| vec![g * 2.0])
        .kernel(doubled::<i64>);
    assert_eq!(double.call(&[&Tensor::from([1.5f64, 2.0])]).to_vec::<f64>(), [3.0, 4.0]);
    assert_eq!(double.call(&[&Tensor::from([3i64])]).to_vec::<i64>(), [6]);
    assert_eq!(double.call(&[&F64.zeros([0, 2])]).shape()[..], [0, 2]);
    let refused = attempt(|| double.call(&[&Tensor::from([1.5f32])])).unwrap_err().to_string();
    assert!(
        refused.contains("operands are f32; all are of one type that has a kernel: f64, i64"),
        "{refused}"
    );
    let halves = op::custom::<f64>("half", |_| Ok(Shape::scalar()), |_, y| y[0] = 0.5, |_, _, _| vec![]);
    assert_eq!(halves.call(&[]).item(), 0.5);
}

#[test]
fn an_estimator_is_checked_against_its_surrogate() {
    let x = seeded([6], 15);
    let round = |x: &[Tensor]| with_vjp(&[&x[0]], |x| x[0].round(), |_, _, g| vec![g.clone()]);
    gradcheck_against(round, |x| x[0].clone(), &[&x]).unwrap();
    assert!(gradcheck(round, &[&x]).is_err());
    // The gradient of the estimator is that of a square, at every size.
    let sign = |x: &[Tensor]| with_vjp(&[&x[0]], |x| x[0].sign(), |x, _, g| vec![g * &x[0] * 2.0]);
    for x in [&x, &seeded([80, 80], 16)] {
        gradcheck_against(sign, |x| x[0].square(), &[x]).unwrap();
        let wrong = gradcheck_against(sign, |x| x[0].square() * 1.5, &[x]).unwrap_err().to_string();
        assert!(wrong.contains("the gradient says"), "{wrong}");
    }
    gradgradcheck(sign, &[&x]).unwrap();
    let other = gradcheck_against(sign, |x| x[0].square().sum(()), &[&x]).unwrap_err().to_string();
    assert!(other.contains("the surrogate gives f64 []; the function gives f64 [6]"), "{other}");
    let coarse = GradCheck { rtol: 1.0, ..GradCheck::default() };
    coarse.against(sign, |x| x[0].square() * 1.5, &[&x]).unwrap();
}

retrograd::gradcheck_test!(
    a_line_makes_a_test,
    |x| (&x[0] * &x[1]).softplus().matmul(x[1].exp()),
    [2, 3],
    [3]
);
