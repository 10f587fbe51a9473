//! Scalar functions: values, and derivatives of every order that they have, against the operations of the table.

use retrograd::prelude::*;
use retrograd::{Real, ScalarFn, gradcheck, gradgradcheck, scalar_fn, vmap};

/// `f` and its first four derivatives along one line.
fn derivatives(f: &dyn Fn(&Tensor) -> Tensor, x: &Tensor) -> Vec<Vec<f64>> {
    let x = x.tracked();
    let mut y = f(&x);
    let mut all = vec![y.detach().to_vec::<f64>()];
    for _ in 0..4 {
        y = if y.is_tracked() { grad_recorded(&y.sum(()), &[&x]).swap_remove(0) } else { x.zeros_like() };
        all.push(y.detach().to_vec::<f64>());
    }
    all
}

macro_rules! against_the_table {
    ($($name:ident($($point:expr),+): $of:expr, $tensor:expr;)*) => {$(
        #[test]
        fn $name() {
            struct Function;
            impl ScalarFn<1> for Function {
                fn call<T: Real>(&self, [x]: [T; 1]) -> T {
                    let of: fn(T) -> T = $of;
                    of(x)
                }
            }
            let x = Tensor::from(vec![$($point),+]);
            let got = derivatives(&|x| Function.apply([x]), &x);
            let want = derivatives(&$tensor, &x);
            for (order, (got, want)) in got.iter().zip(&want).enumerate() {
                for (got, want) in got.iter().zip(want) {
                    let bar = 1e-9 * want.abs().max(1.0);
                    assert!(got == want || (got - want).abs() < bar, "order {order}: {got} and {want}");
                }
            }
        }
    )*};
}
against_the_table! {
    exp(0.3, -1.2, 2.0): |x| x.exp(), |x: &Tensor| x.exp();
    exp2(0.3, -1.2): |x| x.exp2(), |x: &Tensor| x.exp2();
    exp_m1(0.3, -1.2): |x| x.exp_m1(), |x: &Tensor| x.expm1();
    ln(0.3, 2.5): |x| x.ln(), |x: &Tensor| x.log();
    ln_1p(0.3, -0.4): |x| x.ln_1p(), |x: &Tensor| x.log1p();
    log2(0.3, 2.5): |x| x.log2(), |x: &Tensor| x.log2();
    log10(0.3, 2.5): |x| x.log10(), |x: &Tensor| x.log10();
    log_of_a_base(0.3, 2.5): |x| x.log(T3::of()), |x: &Tensor| x.log() / 3.0f64.ln();
    sqrt(0.3, 2.5): |x| x.sqrt(), |x: &Tensor| x.sqrt();
    cbrt(0.3, 2.5): |x| x.cbrt(), |x: &Tensor| x.pow(1.0 / 3.0);
    sin(0.3, 2.5): |x| x.sin(), |x: &Tensor| x.sin();
    cos(0.3, 2.5): |x| x.sin_cos().1, |x: &Tensor| x.cos();
    tan(0.3, 1.1): |x| x.tan(), |x: &Tensor| x.tan();
    asin(0.3, -0.7): |x| x.asin(), |x: &Tensor| x.asin();
    acos(0.3, -0.7): |x| x.acos(), |x: &Tensor| x.acos();
    atan(0.3, 2.5): |x| x.atan(), |x: &Tensor| x.atan();
    sinh(0.3, -1.1): |x| x.sinh(), |x: &Tensor| x.sinh();
    cosh(0.3, -1.1): |x| x.cosh(), |x: &Tensor| x.cosh();
    tanh(0.3, -1.1): |x| x.tanh(), |x: &Tensor| x.tanh();
    asinh(0.3, -1.1): |x| x.asinh(), |x: &Tensor| x.asinh();
    acosh(1.3, 2.5): |x| x.acosh(), |x: &Tensor| x.acosh();
    atanh(0.3, -0.7): |x| x.atanh(), |x: &Tensor| x.atanh();
    reciprocal(0.3, -1.7): |x| x.recip() + T1::one(x) / x, |x: &Tensor| 2.0 / x;
    powers(0.3, 1.7): |x| x.powi(3) + x.powi(0) + x.powf(x), |x: &Tensor| x.pow(3.0) + 1.0 + x.pow(x);
    kinks(0.3, 0.0, -1.7): |x| x.abs() + x.trunc() + x.fract(), |x: &Tensor| x.abs() + x;
    ties(1.0, 2.0, 0.5): |x| x.max(T1::one(x)) + x.min(T1::one(x)), |x: &Tensor| x.maximum(1.0) + x.minimum(1.0);
    remainder(5.3, 2.5): |x| x % (x - x + T1::one(x)) * x, |x: &Tensor| (x - x.trunc()) * x;
    two_of_one(0.3, 1.7): |x| x.hypot(x * x) + x.atan2(x * x) + x.mul_add(x, x),
        |x: &Tensor| x.hypot(x * x) + x.atan2(x * x) + x * x + x;
}
/// Constants of a type that a closure cannot name.
struct T1;
impl T1 {
    fn one<T: Real>(_: T) -> T {
        T::one()
    }
}
struct T3;
impl T3 {
    fn of<T: Real>() -> T {
        T::of(3.0)
    }
}

scalar_fn! {
    /// The solution of Kepler's equation e - ecc sin e = m, by Newton's method.
    fn kepler<T>(m, ecc) {
        let mut e = m;
        for _ in 0..30 {
            e = e - (e - ecc * e.sin() - m) / (T::one() - ecc * e.cos());
        }
        e
    }
}

#[test]
fn loops_of_two_inputs_have_mixed_derivatives_and_broadcast() {
    let (m, ecc) = (Tensor::from([[0.3f64], [1.2]]), Tensor::from([0.1f64, 0.4, 0.6]));
    let e = kepler(&m, &ecc);
    assert_eq!(e.shape(), [2, 3]);
    assert!((&e - &ecc * e.sin() - &m).abs().amax(()).item() < 1e-14);
    gradcheck(|x| kepler(&x[0], &x[1]), &[&m, &ecc]).unwrap();
    gradgradcheck(|x| kepler(&x[0], &x[1]), &[&m, &ecc]).unwrap();
    let rows = vmap(|x| kepler(&x[0], &ecc), &[&m]);
    assert_eq!(rows.to_vec::<f64>(), e.to_vec::<f64>());
    let single = kepler(&m.cast(F32), &ecc.cast(F32));
    assert!((single.cast(F64) - &e).abs().amax(()).item() < 1e-6);
    assert_eq!(kepler(&m.cast(BF16), &ecc.cast(BF16)).dtype(), BF16);
}

scalar_fn! {
    fn root<T>(x) { x.sqrt() }
}
scalar_fn! {
    fn root_of_one<T>(x, y) { x + y.sqrt() }
}
scalar_fn! {
    fn constant<T>(x) { T::of(x.to_f64().unwrap_or(0.0)) }
}

#[test]
fn what_does_not_move_adds_nothing_and_what_leaves_the_type_is_cut() {
    let x = Tensor::from([0.0f64, 4.0]).tracked();
    let masked = x.gt(0.0).where_(root(&x), 0.0);
    assert_eq!(masked.sum(()).backward()[&x].to_vec::<f64>(), [0.0, 0.25]);
    let (a, b) = (Tensor::from([1.0f64]).tracked(), Tensor::from([0.0f64]));
    assert_eq!(root_of_one(&a, &b).sum(()).backward()[&a].item(), 1.0);
    assert!(gradcheck(|x| constant(&x[0]), &[&Tensor::from([0.5f64])]).is_err());
}

#[test]
fn refusals_name_the_function() {
    let x = Tensor::from([2.0f64]).tracked();
    let mut y = root(&x);
    for _ in 0..4 {
        y = grad_recorded(&y.sum(()), &[&x]).swap_remove(0);
    }
    let fifth = attempt(|| grad(&y.sum(()), &[&x])).unwrap_err().to_string();
    assert!(fifth.contains("root: the derivative of order 5"), "{fifth}");
    let mixed = attempt(|| kepler(&x, &Tensor::from([1.0f32]))).unwrap_err().to_string();
    assert!(mixed.contains("kepler: operands are f64 and f32"), "{mixed}");
    assert!(attempt(|| root(&Tensor::from([1i64]))).is_err());
}
