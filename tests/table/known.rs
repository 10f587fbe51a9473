//! Values and gradients of what no reference case calls, against numbers worked out by hand or taken from a second
//! formula, and at the points where rules of thumb fail: kinks, ties, infinities, zeros of either sign.
use retrograd::prelude::*;
use std::f64::consts::{FRAC_PI_2, LN_2, PI};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

/// One test per operator, and their names.
macro_rules! known {
    ($($name:ident $body:block)*) => {
        /// The operators tested here.
        pub(crate) const NAMES: &[&str] = &[$(stringify!($name)),*];
        $( #[test] fn $name() $body )*
    };
}

/// Fails unless `got` is `want`: zeros with their signs, NaN for NaN, else to 14 digits.
#[track_caller]
fn same(got: &Tensor, want: &[f64]) {
    let got = got.to_vec::<f64>();
    let equal = |(a, b): (&f64, &f64)| match *b {
        0.0 => *a == 0.0 && a.is_sign_negative() == b.is_sign_negative(),
        b if b.is_finite() => (a - b).abs() <= 1e-14 * b.abs(),
        b => *a == b || a.is_nan() && b.is_nan(),
    };
    assert!(got.len() == want.len() && got.iter().zip(want).all(equal), "{got:?}; should be {want:?}");
}

/// As [`same`] but for the signs of zeros: a gradient's is of no meaning.
#[track_caller]
fn like(got: &Tensor, want: &[f64]) {
    same(&(got + 0.0), &want.iter().map(|w| w + 0.0).collect::<Vec<_>>());
}

/// Value, first and second gradient of `f` at `x`, with cotangents of 1.
#[track_caller]
fn check<const N: usize>(x: [f64; N], f: impl Fn(&Tensor) -> Tensor, [y, first, second]: [[f64; N]; 3]) {
    let x = Tensor::from(x).tracked();
    let value = f(&x);
    same(&value, &y);
    let slope = grad_recorded(&value.sum(()), &[&x]).remove(0);
    like(&slope, &first);
    // The gradient of a piecewise linear function is a constant.
    let bend = if slope.is_tracked() { grad(&slope.sum(()), &[&x]).remove(0) } else { x.zeros_like() };
    like(&bend, &second);
}

/// Whether `f` is refused, in words that hold `what`.
#[track_caller]
fn refused(what: &str, f: impl Fn() -> Tensor) {
    let error = attempt(f).expect_err("refused").to_string();
    assert!(error.contains(what), "{error}");
}

known! {
    clamp_min {
        check([-1.0, 0.0, 2.0, NAN], |x| x.clamp_min(0.0), [[0.0, 0.0, 2.0, NAN], [0.0, 1.0, 1.0, 0.0], [0.0; 4]]);
        let bound = Tensor::from([3.0, 0.0, 1.0]);
        check([-1.0, 0.0, 2.0], |x| bound.clamp_min(x), [[3.0, 0.0, 2.0], [0.0, 0.0, 1.0], [0.0; 3]]);
        assert_eq!(Tensor::from([-3i64, 5]).clamp_min(0).to_vec::<i64>(), [0, 5]);
    }
    clamp_max {
        check([-1.0, 0.0, 2.0, NAN], |x| x.clamp_max(0.0), [[-1.0, 0.0, 0.0, NAN], [1.0, 1.0, 0.0, 0.0], [0.0; 4]]);
        let bound = Tensor::from([-3.0, 0.0, 3.0]);
        check([-1.0, 0.0, 2.0], |x| bound.clamp_max(x), [[-3.0, 0.0, 2.0], [0.0, 0.0, 1.0], [0.0; 3]]);
        assert_eq!(Tensor::from([-3i64, 5]).clamp_max(0).to_vec::<i64>(), [-3, 0]);
    }
    cummin {
        let x = Tensor::from([[3.0, 1.0, 2.0, 1.0], [5.0, NAN, 1.0, 7.0]]).tracked();
        let (values, indices) = x.cummin(1);
        same(&values, &[3.0, 1.0, 1.0, 1.0, 5.0, NAN, NAN, NAN]);
        assert_eq!(indices.slice(0, 0, 1, 1).to_vec::<i64>(), [0, 1, 1, 3], "of equal ones the last");
        let weights = Tensor::from([[1.0, 2.0, 4.0, 8.0], [1.0, 2.0, 4.0, 8.0]]);
        let g = grad_recorded(&(values * &weights).sum(()), &[&x]).remove(0);
        same(&g, &[1.0, 6.0, 0.0, 8.0, 1.0, 14.0, 0.0, 0.0]);
        // Squared, the picked elements have slopes of their own.
        let x = Tensor::from([3.0, 1.0, 2.0]).tracked();
        let g = grad_recorded(&x.cummin(0).0.square().sum(()), &[&x]).remove(0);
        same(&g, &[6.0, 4.0, 0.0]);
        same(&grad(&g.sum(()), &[&x])[0], &[2.0, 4.0, 0.0]);
        let (values, indices) = Tensor::from([[2i64, 1], [3, 0]]).cummin(0);
        assert_eq!((values.to_vec::<i64>(), indices.to_vec::<i64>()), (vec![2, 1, 2, 0], vec![0, 0, 0, 1]));
    }
    div_floor {
        check([5.0, 0.7], |x| x.div_floor(0.1), [[49.0, 6.0], [0.0; 2], [0.0; 2]]);
        check([7.0, -7.0, -7.0], |x| x.div_floor(2.0), [[3.0, -4.0, -4.0], [0.0; 3], [0.0; 3]]);
        check([1.0, -1.0, 0.0], |x| x.div_floor(0.0), [[INF, -INF, NAN], [0.0; 3], [0.0; 3]]);
        let (x, y) = (Tensor::from([-7i64, 7, i64::MIN]), Tensor::from([2i64, -2, 2]));
        assert_eq!(x.div_floor(y).to_vec::<i64>(), [-4, -4, i64::MIN / 2]);
        assert_eq!(Tensor::from([7u8, 200]).div_floor(3).to_vec::<u8>(), [2, 66]);
    }
    dot {
        let [x, y] = [[1.0, 2.0, 3.0], [4.0, -5.0, 6.0]].map(|v| Tensor::from(v).tracked());
        let z = x.dot(&y);
        assert_eq!((z.item(), z.rank()), (12.0, 0));
        let g = grad_recorded(&z.square(), &[&x, &y]);
        same(&g[0], &[96.0, -120.0, 144.0]);
        same(&g[1], &[24.0, 48.0, 72.0]);
        // Of the sum of the first: 2 * sum(y) * y, and 2 * sum(y) * x + 2 * z.
        let second = grad(&g[0].sum(()), &[&x, &y]);
        same(&second[0], &[40.0, -50.0, 60.0]);
        same(&second[1], &[34.0, 44.0, 54.0]);
        assert_eq!(Tensor::from([2i64, 3]).dot(Tensor::from([5i64, -7])).to_vec::<i64>(), [-11]);
    }
    mm {
        let a = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).tracked();
        let b = Tensor::from([[1.0, -1.0], [2.0, 0.0], [0.5, 3.0]]).tracked();
        let c = a.mm(&b);
        same(&c, &[6.5, 8.0, 17.0, 14.0]);
        let weights = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
        let g = grad_recorded(&(&c * &weights).sum(()), &[&a, &b]);
        same(&g[0], &[-1.0, 2.0, 6.5, -1.0, 6.0, 13.5]);
        same(&g[1], &[13.0, 18.0, 17.0, 24.0, 21.0, 30.0]);
        // The first of these is weights b^T: by b, each row of it is the sum of the weights' columns.
        same(&grad(&g[0].sum(()), &[&b])[0], &[4.0, 6.0, 4.0, 6.0, 4.0, 6.0]);
        refused("mm", || a.mm(&a));
    }
    mv {
        let a = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).tracked();
        let x = Tensor::from([1.0, -1.0, 2.0]).tracked();
        let y = a.mv(&x);
        same(&y, &[5.0, 11.0]);
        let g = grad_recorded(&(&y * Tensor::from([1.0, 2.0])).sum(()), &[&a, &x]);
        same(&g[0], &[1.0, -1.0, 2.0, 2.0, -2.0, 4.0]);
        same(&g[1], &[9.0, 12.0, 15.0]);
        same(&grad(&g[1].sum(()), &[&a])[0], &[1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
        refused("mv", || a.mv(Tensor::from([1.0, 2.0])));
    }
    erfinv {
        // At erf(0.5): the derivative is sqrt(pi) / 2 * e^(y^2), that of this 2 y (dy/dx)^2.
        let (y, slope) = (0.5, PI.sqrt() / 2.0 * 0.25f64.exp());
        check([0.520_499_877_813_046_5], Tensor::erfinv, [[y], [slope], [2.0 * y * slope * slope]]);
        check([0.0], Tensor::erfinv, [[0.0], [PI.sqrt() / 2.0], [0.0]]);
        same(&Tensor::from([1.0, -1.0, 1.5, NAN]).erfinv(), &[INF, -INF, NAN, NAN]);
        let x = F64.uniform([1000], -0.999, 0.999, &mut Rng::new(3));
        assert!((x.erfinv().erf() - &x).abs().amax(()).item() < 1e-15, "the inverse of erf");
    }
    frac {
        check([1.75, -1.75, 2.0], Tensor::frac, [[0.75, -0.75, 0.0], [1.0; 3], [0.0; 3]]);
        assert_eq!(Tensor::from([7i64, -7]).frac().to_vec::<i64>(), [0, 0]);
    }
    gate {
        let d = Tensor::from([INF, NAN, 3.0, INF]);
        check([0.0, 0.0, 2.0, 1.0], |h| h.gate(&d), [[0.0, 0.0, 6.0, INF], [INF, NAN, 3.0, INF], [0.0; 4]]);
        // A cotangent of 0 passes through none of it.
        let (h, weights) = (Tensor::ones([4]).cast(F64).tracked(), Tensor::from([0.0, 0.0, 1.0, 0.0]));
        let g = grad_recorded(&(weights.gate(h.gate(&d))).sum(()), &[&h]).remove(0);
        same(&g, &[0.0, 0.0, 3.0, 0.0]);
    }
    gelu_tanh {
        let scale = (2.0 / PI).sqrt();
        check([0.0], Tensor::gelu_tanh, [[0.0], [0.5], [scale]]);
        let (t, inner) = ((scale * 1.044_715).tanh(), scale * (1.0 + 3.0 * 0.044_715));
        let x = Tensor::from([1.0, 40.0, -40.0]).tracked();
        let y = x.gelu_tanh();
        same(&y, &[0.5 * (1.0 + t), 40.0, -0.0]);
        like(&grad(&y.sum(()), &[&x])[0], &[0.5 * (1.0 + t) + 0.5 * (1.0 - t * t) * inner, 1.0, 0.0]);
    }
    isnan {
        let x = Tensor::from([NAN, INF, -INF, 0.0, 1.0]);
        assert_eq!(x.isnan().to_vec::<bool>(), [true, false, false, false, false]);
        assert_eq!(Tensor::from([i64::MAX]).isnan().to_vec::<bool>(), [false]);
    }
    isinf {
        let x = Tensor::from([NAN, INF, -INF, f64::MAX, 1.0]);
        assert_eq!(x.isinf().to_vec::<bool>(), [false, true, true, false, false]);
        assert_eq!(Tensor::from([i64::MAX]).isinf().to_vec::<bool>(), [false]);
    }
    isfinite {
        let x = Tensor::from([NAN, INF, -INF, f64::MAX, -0.0]);
        assert_eq!(x.isfinite().to_vec::<bool>(), [false, false, false, true, true]);
        assert_eq!(Tensor::from([i64::MIN]).isfinite().to_vec::<bool>(), [true]);
    }
    logical_not {
        assert_eq!(Tensor::from([NAN, -0.0, 0.5]).logical_not().to_vec::<bool>(), [false, true, false]);
        assert_eq!(Tensor::from([0i64, 3]).logical_not().to_vec::<bool>(), [true, false]);
        assert!(!Tensor::from([1.0]).tracked().logical_not().is_tracked());
    }
    rem {
        check([5.0, -5.0, 5.5], |x| x % 3.0, [[2.0, -2.0, 2.5], [1.0; 3], [0.0; 3]]);
        check([3.0, -3.0], |y| Tensor::from([5.0, 5.0]) % y, [[2.0, 2.0], [-1.0, 1.0], [0.0; 2]]);
        check([1.0, INF], |x| x % 0.0, [[NAN; 2], [1.0; 2], [0.0; 2]]);
        assert_eq!(Tensor::from([-7i64, 7, i64::MIN]).rem(Tensor::from([4i64, -4, -1])).to_vec::<i64>(), [-3, 3, 0]);
    }
    bitwise_and {
        assert_eq!(Tensor::from([6u8, 255]).bitwise_and(Tensor::from([3u8, 170])).to_vec::<u8>(), [2, 170]);
        refused("bitwise_and", || Tensor::from([1.0f32]).bitwise_and(1));
    }
    bitwise_or {
        assert_eq!(Tensor::from([6i64, -8]).bitwise_or(Tensor::from([3i64, 1])).to_vec::<i64>(), [7, -7]);
    }
    bitwise_xor {
        assert_eq!(Tensor::from([6i32, -1]).bitwise_xor(Tensor::from([3i32, 1])).to_vec::<i32>(), [5, -2]);
    }
    bitwise_not {
        assert_eq!(Tensor::from([0u8, 5]).bitwise_not().to_vec::<u8>(), [255, 250]);
        refused("bitwise_not", || Tensor::from([true]).bitwise_not());
    }
    bitwise_left_shift {
        let by = Tensor::from([31i32, 40]);
        assert_eq!(Tensor::from([1i32, 3]).bitwise_left_shift(by).to_vec::<i32>(), [i32::MIN, 0]);
    }
    bitwise_right_shift {
        assert_eq!(Tensor::from([-16i32, 16]).bitwise_right_shift(99).to_vec::<i32>(), [-1, 0]);
    }
}

#[test]
fn kinks_have_the_documented_gradient() {
    check([-1.0, 0.0, 2.0], Tensor::relu, [[0.0, 0.0, 2.0], [0.0, 0.0, 1.0], [0.0; 3]]);
    check([-1.0, 0.0, 2.0], Tensor::abs, [[1.0, 0.0, 2.0], [-1.0, 0.0, 1.0], [0.0; 3]]);
    check([0.0, 6.0, 7.0, 3.0], Tensor::relu6, [[0.0, 6.0, 6.0, 3.0], [0.0, 0.0, 0.0, 1.0], [0.0; 4]]);
    check([-1.0, 1.0, 2.0], |x| x.clamp(-1.0, 1.0), [[-1.0, 1.0, 1.0], [1.0, 1.0, 0.0], [0.0; 3]]);
    check([-1.0, 1.0, 2.0], |x| x.clamp(2.0, 1.0), [[1.0; 3], [0.0; 3], [0.0; 3]]);
    check([-1.0, 0.0, 2.0], |x| x.maximum(0.0), [[0.0, 0.0, 2.0], [0.0, 0.5, 1.0], [0.0; 3]]);
    check([-1.0, 0.0, 2.0], |x| x.minimum(0.0), [[-1.0, 0.0, 0.0], [1.0, 0.5, 0.0], [0.0; 3]]);
    check([-1.0, 0.0, 1.0], Tensor::hard_tanh, [[-1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0; 3]]);
    check([-3.0, 3.0], Tensor::hard_sigmoid, [[0.0, 1.0], [0.0; 2], [0.0; 2]]);
    check([-3.0, 3.0, 0.0], Tensor::hard_swish, [[-0.0, 3.0, 0.0], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0 / 3.0]]);
    check([0.0, -2.0], |x| x.leaky_relu(0.5), [[0.0, -1.0], [0.5; 2], [0.0; 2]]);
    check([0.0, 800.0, -800.0], |x| x.elu(2.0), [[0.0, 800.0, -2.0], [2.0, 1.0, 0.0], [2.0, 0.0, 0.0]]);
    check(
        [0.0, 1e200, -1e200],
        Tensor::gelu,
        [[0.0, 1e200, -0.0], [0.5, 1.0, 0.0], [(2.0 / PI).sqrt(), 0.0, 0.0]],
    );
    check([0.0], Tensor::sign, [[0.0], [0.0], [0.0]]);
}

#[test]
fn powers_at_zero_and_below() {
    check([0.0, -2.0, 3.0], |x| x.pow(2.0), [[0.0, 4.0, 9.0], [0.0, -4.0, 6.0], [2.0; 3]]);
    check([0.0, -2.0, 3.0], |x| x.pow(3.0), [[0.0, -8.0, 27.0], [0.0, 12.0, 27.0], [0.0, -12.0, 18.0]]);
    check([0.0, -2.0, NAN], |x| x.pow(0.0), [[1.0; 3], [0.0; 3], [0.0; 3]]);
    check([0.0, -2.0], |x| x.pow(4.0), [[0.0, 16.0], [0.0, -32.0], [0.0, 48.0]]);
    let y = Tensor::from([0.0, 1.0, 2.0, 3.0]);
    check([0.0; 4], |x| x.pow(&y), [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0]]);
    check([-2.0; 4], |x| x.pow(&y), [[1.0, -2.0, 4.0, -8.0], [0.0, 1.0, -4.0, 12.0], [0.0, 0.0, 2.0, -12.0]]);
    let x = Tensor::from([0.0, 0.0, 2.0]);
    let (first, second) = ([0.0, 0.0, 8.0 * LN_2], [0.0, 0.0, 8.0 * LN_2 * LN_2]);
    check([0.0, 2.0, 3.0], |y| x.pow(y), [[1.0, 0.0, 8.0], first, second]);
    refused("negative power", || Tensor::from([2i64]).pow(-1));
    refused("negative power", || Tensor::from([2i64]).pow(Tensor::from([1i64, -1])));
}

#[test]
fn an_infinite_slope_beside_a_choice_leaves_no_nan() {
    use Tensor as T;
    for f in [T::log, T::log2, T::log10, T::sqrt, T::rsqrt, T::reciprocal, T::lgamma, T::digamma] {
        check([0.0, 0.0], |x| x.gt(0.0).where_(f(x), 0.0), [[0.0; 2], [0.0; 2], [0.0; 2]]);
    }
    check([0.0, 2.0], |x| x.gt(0.0).where_(x.log(), 0.0), [[0.0, LN_2], [0.0, 0.5], [0.0, -0.25]]);
    check([800.0, 0.0], |x| x.gt(1.0).where_(x, x.exp()), [[800.0, 1.0], [1.0; 2], [0.0, 1.0]]);
    check(
        [0.0, 4.0],
        |x| x.map(|x| x.gt(0.0).where_(x.sqrt(), 0.0)),
        [[0.0, 2.0], [0.0, 0.25], [0.0, -1.0 / 32.0]],
    );
}

#[test]
fn pairs_at_zeros_and_infinities() {
    let o = Tensor::from([0.0, 1.0]);
    check([0.0, 0.0], |x| x.hypot(&o), [[0.0, 1.0], [0.0, 0.0], [0.0, 1.0]]);
    check([0.0, -0.0], |y| y.atan2(-1.0), [[PI, -PI], [-1.0; 2], [0.0; 2]]);
    check([1.0], |y| y.atan2(0.0), [[FRAC_PI_2], [0.0], [0.0]]);
    let b = Tensor::from([INF, -INF, INF, 0.0, 1.0]);
    let value = [INF, -INF, INF, LN_2, INF];
    check(
        [INF, -INF, 0.0, 0.0, INF],
        |x| x.logaddexp(&b),
        [value, [0.5, 0.5, 0.0, 0.5, 1.0], [0.0, 0.0, 0.0, 0.25, 0.0]],
    );
    let y = Tensor::from([0.0, NAN, -1.0, 2.0]);
    check(
        [0.0, 0.0, 0.0, 3.0],
        |x| x.xlogy(&y),
        [[0.0, NAN, 0.0, 3.0 * LN_2], [0.0, NAN, 0.0, LN_2], [0.0; 4]],
    );
    let z = Tensor::from([0.0, 3.0]);
    check([0.0, 2.0], |y| z.xlogy(y), [[0.0, 3.0 * LN_2], [0.0, 1.5], [0.0, -0.75]]);
    check([5.0, -5.0, 5.5], |x| x.remainder(3.0), [[2.0, 1.0, 2.5], [1.0; 3], [0.0; 3]]);
    check([3.0, -3.0], |y| Tensor::from([5.0, 5.0]).remainder(y), [[2.0, -1.0], [-1.0, 2.0], [0.0; 2]]);
}

#[test]
fn a_zero_among_integer_divisors_is_refused() {
    type Division = fn(&Tensor, &Tensor) -> Tensor;
    let divisions: [Division; 4] = [|x, y| x / y, |x, y| x % y, |x, y| x.remainder(y), |x, y| x.div_floor(y)];
    for f in divisions {
        refused("division by zero", || f(&Tensor::from([1i64, 2]), &Tensor::from([1i64, 0])));
    }
    refused("division by zero", || Tensor::from([1i32]) / 0);
    refused("division by zero", || 1 / Tensor::from([1u8, 0]));
}

#[test]
fn large_angles_are_reduced_exactly() {
    // The sine and cosine of 10^22 are known to many digits, as a test of exactly this.
    let (s, c) = (-0.852_200_849_767_188_8, 0.523_214_785_395_138_9);
    check([1e22], Tensor::sin, [[s], [c], [-s]]);
    check([1e22], Tensor::cos, [[c], [-s], [-c]]);
    same(&Tensor::from([1e22]).tan(), &[s / c]);
    same(&Tensor::from([INF]).sin(), &[NAN]);
    // Among small ones, in lanes of the same block.
    let many: Vec<f32> = (0..2000).map(|i| if i % 700 == 3 { 1e30 } else { i as f32 * 0.01 }).collect();
    let got = Tensor::from(many.as_slice()).sin().to_vec::<f32>();
    for (g, x) in got.iter().zip(&many) {
        assert!((f64::from(*g) - f64::from(*x).sin()).abs() < 1e-7, "sin({x}): {g}");
    }
}

#[test]
fn truth_values_count_as_numbers_in_closures() {
    let x = Tensor::from([-1.0f32, 2.0, 3.0]);
    assert_eq!(x.map(|x| x * x.gt(0.0) + 1.0).to_vec::<f32>(), [1.0, 3.0, 4.0]);
    assert_eq!(x.map(|x| x.gt(0.0) + x.gt(2.0)).to_vec::<f32>(), [0.0, 1.0, 2.0]);
    assert_eq!(x.map(|x| (x + 1.0).logical_and(x.lt(3.0))).to_vec::<bool>(), [false, true, false]);
    assert_eq!(x.map(|x| x.gt(0.0).eq(x.gt(2.0))).to_vec::<bool>(), [true, false, true]);
    assert_eq!(x.map(|x| (x - 2.0).where_(x, 7.0)).to_vec::<f32>(), [-1.0, 7.0, 3.0]);
    check([-1.0, 2.0], |x| x.map(|x| x.gt(0.0) * x * x), [[0.0, 4.0], [0.0, 4.0], [0.0, 2.0]]);
    assert!(attempt(|| Tensor::from([true]).map(|x| x + x)).is_err());
    assert!(attempt(|| Tensor::from([1.0f32]).map(|x| x.bitwise_not() + 1.0)).is_err());
}

#[test]
fn zeros_written_in_closures_are_numbers() {
    type Known = (fn(Scalar) -> Scalar, [f64; 5]);
    let x = Tensor::from([NAN, INF, -INF, -0.0, 2.0]);
    let zeros: [Known; 8] = [
        (|x| x * 0.0, [NAN, NAN, NAN, -0.0, 0.0]),
        (|x| 0.0 * x, [NAN, NAN, NAN, -0.0, 0.0]),
        (|x| x * (1.0 - Scalar::from(1.0)), [NAN, NAN, NAN, -0.0, 0.0]),
        (|x| 0.0 / x, [NAN, 0.0, -0.0, NAN, 0.0]),
        (|x| x + 0.0, [NAN, INF, -INF, 0.0, 2.0]),
        (|x| 0.0 - x, [NAN, -INF, INF, 0.0, -2.0]),
        (|x| x - 0.0, [NAN, INF, -INF, -0.0, 2.0]),
        (|x| x.gate(0.0), [NAN, NAN, NAN, -0.0, 0.0]),
    ];
    for (f, want) in zeros {
        same(&x.map(f), &want);
        // Beyond what an expression has inputs for, constants stay in its code.
        same(&x.map(|x| f((1..70).fold(x, |y, k| y * f64::from(k) / f64::from(k)))), &want);
    }
    same(&x.map(|x| x.pow(0.0)), &[1.0; 5]);
    // Derivatives are those of the operations on tensors, to second order.
    let alike = |on: fn(Scalar) -> Scalar, of: fn(&Tensor) -> Tensor| {
        for seed in [1.0, INF, NAN] {
            let run = |f: &dyn Fn(&Tensor) -> Tensor| {
                let x = x.tracked();
                let first = grad_recorded(&(f(&x) * seed).sum(()), &[&x]).remove(0);
                let second =
                    first.is_tracked().then(|| grad(&first.sum(()), &[&x]).remove(0).to_vec::<f64>());
                (first.to_vec::<f64>(), second)
            };
            let ((first, second), (want, bend)) = (run(&|x| x.map(on)), run(&of));
            like(&Tensor::from(first), &want);
            let or_zero = |v: Option<Vec<f64>>| v.unwrap_or_else(|| vec![0.0; 5]);
            like(&Tensor::from(or_zero(second)), &or_zero(bend));
        }
    };
    alike(|x| x * 0.0, |x| x * 0.0);
    alike(|x| x * 0.0 * x, |x| x * 0.0 * x);
    alike(|x| 0.0 / x, |x| 0.0 / x);
    alike(|x| 0.0 - x, |x| 0.0 - x);
    alike(|x| (x * 0.0).sin() + x, |x| (x * 0.0).sin() + x);
}

#[test]
fn a_number_may_be_reduced_along_its_only_axis() {
    for axis in [0, -1] {
        check([2.0], |x| x.reshape(()).sum(axis).reshape(1), [[2.0], [1.0], [0.0]]);
        check([2.0], |x| x.reshape(()).prod_keepdim(axis).reshape(1), [[2.0], [1.0], [0.0]]);
        check([2.0], |x| x.reshape(()).amax(axis).square().reshape(1), [[4.0], [4.0], [2.0]]);
        check([2.0], |x| x.reshape(()).mean(axis).reshape(1), [[2.0], [1.0], [0.0]]);
        check([2.0], |x| x.reshape(()).logsumexp(axis).reshape(1), [[2.0], [1.0], [0.0]]);
        check([2.0], |x| x.reshape(()).softmax(axis).reshape(1), [[1.0], [0.0], [0.0]]);
        check([2.0], |x| x.reshape(()).log_softmax(axis).reshape(1), [[0.0], [0.0], [0.0]]);
    }
    assert_eq!(Tensor::from(2.0f32).sum(0).rank(), 0);
    refused("axis 1 of a tensor of rank 0", || Tensor::from(2.0).sum(1));
    refused("axis -2 of a tensor of rank 0", || Tensor::from(2.0).softmax(-2));
    refused("axis 0 of a tensor of rank 0", || Tensor::from(2.0).sum([0, 0]));
}

#[test]
fn a_number_is_a_list_of_one() {
    type Of = fn(&Tensor, isize) -> Tensor;
    let linear: [Of; 10] = [
        |x, axis| x.cumsum(axis),
        |x, axis| x.cumprod(axis),
        |x, axis| x.logcumsumexp(axis),
        |x, axis| x.cummax(axis).0,
        |x, axis| x.cummin(axis).0,
        |x, axis| x.sort(axis, true).0,
        |x, axis| x.topk(1, axis, true).0,
        |x, axis| x.max_along(axis).0,
        |x, axis| x.min_along_keepdim(axis).0,
        |x, axis| x.median(axis).0 + x.kthvalue(1, axis).0 - x,
    ];
    let places: [Of; 9] = [
        |x, axis| x.argmax(axis),
        |x, axis| x.argmin_keepdim(axis),
        |x, axis| x.argsort(axis, false),
        |x, axis| x.sort(axis, false).1,
        |x, axis| x.topk(1, axis, false).1,
        |x, axis| x.cummax(axis).1,
        |x, axis| x.cummin(axis).1,
        |x, axis| x.max_along(axis).1,
        |x, axis| x.kthvalue(1, axis).1,
    ];
    for axis in [0, -1] {
        for f in linear {
            let scalar = |x: &Tensor| {
                let y = f(&x.reshape(()), axis);
                assert_eq!(y.rank(), 0);
                y.reshape(1).square()
            };
            check([2.0], scalar, [[4.0], [4.0], [2.0]]);
            let rows = vmap(|x| f(&x[0], axis), &[&Tensor::from([3.0, -1.0])]);
            same(&rows, &[3.0, -1.0]);
        }
        for f in places {
            let place = f(&Tensor::from(2.0), axis);
            assert_eq!((place.rank(), place.to_vec::<i64>()), (0, vec![0]));
        }
    }
    same(&Tensor::from(NAN).cummax(0).0, &[NAN]);
    assert_eq!(Tensor::from(true).cumsum(0).to_vec::<i64>(), [1]);
    refused("axis 1 of a tensor of rank 0", || Tensor::from(2.0).cumsum(1));
    refused("axis -2 of a tensor of rank 0", || Tensor::from(2.0).argmax(-2));
    refused("k is too large: 2 of 1", || Tensor::from(2.0).topk(2, 0, true).0);
    refused("k is too small: 0 of a scalar", || Tensor::from(2.0).topk(0, 0, true).0);
}

#[test]
fn gelu_and_its_distribution_keep_their_digits_far_below_zero() {
    // From mpmath, to 17 digits.
    let (at, below) = (-12.0, -2.131_778_534_493_214_8e-32);
    same(&Tensor::from([at]).gelu(), &[below]);
    same(&Tensor::from([at]).ndtr(), &[below / at]);
    let single = Tensor::from([-6.0f32, -9.0, -13.0, -14.0, -16.0]).gelu().cast(F64).to_vec::<f64>();
    let want = Tensor::from([-6.0f64, -9.0, -13.0, -14.0, -16.0]).gelu().to_vec::<f64>();
    for (got, want) in single.iter().zip(&want) {
        assert!((got - want).abs() <= 4e-7 * want.abs() + 1e-45, "{got:e}; should be {want:e}");
    }
    check([0.0], Tensor::gelu, [[0.0], [0.5], [0.797_884_560_802_865_4]]);
    let x = Tensor::from([-INF, INF]).tracked();
    let y = x.gelu();
    same(&y, &[-0.0, INF]);
    same(&grad(&y.sum(()), &[&x])[0], &[0.0, 1.0]);
    // The slope there is -x p(x) less p / x, which an error function that ends at 1 does not know.
    let x = Tensor::from([at]).cast(F32).tracked();
    let slope = grad(&x.gelu().sum(()), &[&x])[0].item();
    let want = below / at + at * (-0.5 * at * at).exp() / (2.0 * PI).sqrt();
    assert!((slope / want - 1.0).abs() < 1e-5, "{slope:e}; should be {want:e}");
}
