//! The derivative of each row under every transform: forward is the transpose of backward, many at once are a loop,
//! computing again changes no bit, and nothing is zero that is not said to be.
use crate::sample::{call, points};
use crate::{Report, same};
use retrograd::prelude::*;
use retrograd::testing::{Class, Elementwise};
use retrograd::{remat, vmap_axes};

const POINTS: usize = 96;
/// Steps: the derivative is 0 wherever there is one.
const FLAT: [&str; 6] = ["floor", "ceil", "round", "trunc", "sign", "div_floor"];

pub(crate) fn check(row: &'static Elementwise) -> Report {
    let mut report = Report::default();
    if row.class == Class::Bits {
        report.skip("slopes: integers have no gradient");
        return report;
    }
    let x: Vec<Tensor> = points(row, POINTS).into_iter().map(Tensor::from).collect();
    report.note("vmap is a loop", mapped(row, &x));
    let leaves: Vec<Tensor> = x.iter().map(Tensor::tracked).collect();
    if !call(row, &leaves).is_tracked() {
        let declared = matches!(row.class, Class::Test | Class::Logic);
        let outcome = if declared { Ok(()) } else { Err("no gradient, and not a test".to_owned()) };
        report.note("a cut is declared", outcome);
        report.skip("slopes: truth values have no gradient");
        return report;
    }
    report.note("forward is the transpose of backward", transposed(row, &x));
    report.note("computed again it is the same", again(row, &x));
    report.note("not zero by accident", zeros(row, &x));
    report
}

/// The operands that have derivatives: a condition has none.
fn first(row: &Elementwise) -> usize {
    usize::from(row.class == Class::Choose)
}
fn weights() -> Tensor {
    F64.arange(1, POINTS + 1, 1) / 16.0
}
/// Gradients of all operands, those of conditions zero.
fn slopes(row: &Elementwise, x: &[Tensor], f: impl Fn(&[Tensor]) -> Tensor) -> Vec<Tensor> {
    let x: Vec<Tensor> = x.iter().map(Tensor::tracked).collect();
    let found = (f(&x) * weights()).sum(()).backward();
    x[first(row)..].iter().map(|x| found.grad_or_zeros(x)).collect()
}

fn mapped(row: &'static Elementwise, x: &[Tensor]) -> Result<(), String> {
    let rows: Vec<Tensor> = x.iter().map(|x| x.reshape([8, -1])).collect();
    let one = |x: &[Tensor]| {
        let x: Vec<Tensor> = x.iter().map(Tensor::tracked).collect();
        let y = call(row, &x);
        let mut all = vec![y.detach()];
        if y.is_tracked() {
            let found = y.square().sum(()).backward();
            all.extend(x.iter().map(|x| found.grad_or_zeros(x)));
        }
        all
    };
    let axes: Vec<(&Tensor, Option<isize>)> = rows.iter().map(|x| (x, Some(0))).collect();
    let together = vmap_axes(one, &axes);
    for i in 0..8 {
        let alone = one(&rows.iter().map(|x| x.select(0, i)).collect::<Vec<_>>());
        for (got, want) in together.iter().zip(&alone) {
            same(&got.select(0, i), want)?;
        }
    }
    Ok(())
}
fn transposed(row: &Elementwise, x: &[Tensor]) -> Result<(), String> {
    let (fixed, x) = x.split_at(first(row));
    let f = |x: &[Tensor]| call(row, &[fixed, x].concat());
    let mut rng = Rng::new(5);
    let mut direction = || F64.randn([POINTS], &mut rng);
    let (u, v) = (direction(), x.iter().map(|_| direction()).collect::<Vec<_>>());
    let (points, along) = (x.iter().collect::<Vec<_>>(), v.iter().collect::<Vec<_>>());
    let forward = &u * jvp(f, &points, &along).1;
    let pulled = vjp(f, &points).1(&u);
    // Element by element: none can make up for another.
    let backward = pulled.iter().zip(&v).map(|(g, v)| g * v).reduce(|a, b| a + b).expect("an operand");
    let far = ((&forward - &backward).abs() / (forward.abs() + 1.0)).amax(()).item();
    if far <= 1e-13 { Ok(()) } else { Err(format!("{far:e} apart")) }
}
fn again(row: &'static Elementwise, x: &[Tensor]) -> Result<(), String> {
    let f = |x: &[Tensor]| call(row, x).sin();
    let plain = slopes(row, x, f);
    let repeated = slopes(row, x, |x| remat(f, &x.iter().collect::<Vec<_>>()));
    plain.iter().zip(&repeated).try_for_each(|(want, got)| same(got, want))
}
fn zeros(row: &Elementwise, x: &[Tensor]) -> Result<(), String> {
    for (k, g) in slopes(row, x, |x| call(row, x)).iter().enumerate() {
        let others = g.to_vec::<f64>().iter().filter(|g| **g != 0.0).count();
        let flat = FLAT.contains(&row.name);
        if flat && others > 0 {
            return Err(format!("operand {k}: {others} of {POINTS} are not zero, but it is said to be flat"));
        }
        if !flat && others < POINTS / 10 {
            return Err(format!("operand {k}: only {others} of {POINTS} are not zero"));
        }
    }
    Ok(())
}
