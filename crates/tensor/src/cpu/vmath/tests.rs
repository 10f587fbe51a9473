//! Accuracy and special values of every function, against values computed by
//! mpmath (`reference.txt`, written by `reference.py`) for `f64` and against the
//! `f64` source for `f32`. Run with `--nocapture` for the measured maxima.

use super::Math;
use std::collections::BTreeMap;
use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

type Unary<T> = [fn(T) -> T; 2];
type Binary<T> = [fn(T, T) -> T; 2];

/// With and without fused multiply-add.
macro_rules! both {
    ($t:ty, $name:ident) => {
        [<$t as Math>::$name::<true>, <$t as Math>::$name::<false>]
    };
}

macro_rules! tables {
    ($($name:ident $bar:literal)*; $($two:ident $bar2:literal)*) => {
        fn unary<T: Math>() -> Vec<(&'static str, f64, Unary<T>)> {
            vec![$((stringify!($name), $bar, both!(T, $name))),*, ("sqrt", 0.5, [T::sqrt, T::sqrt])]
        }
        fn binary<T: Math>() -> Vec<(&'static str, f64, Binary<T>)> {
            vec![$((stringify!($two), $bar2, both!(T, $two))),*]
        }
    };
}
// The bars, in units in the last place.
tables! {
    exp 1.5 log 1.5 sin_any 1.5 cos_any 1.5 tanh 1.5 sigmoid 1.5 expm1 1.5 log1p 1.5
    exp2 4.0 log2 4.0 log10 4.0 tan_any 4.0 asin 4.0 acos 4.0 atan 4.0 sinh 4.0 cosh 4.0
    asinh 4.0 acosh 4.0 atanh 4.0 softplus 4.0 erf 4.0 erfc 4.0 erfinv 4.0 ndtr 6.0 gelu 6.0
    lgamma 16.0 digamma 16.0;
    pow 4.0 atan2 4.0 hypot 4.0 polygamma 16.0
}

fn ulp64(y: f64) -> f64 {
    let next = f64::from_bits(y.abs().to_bits() + 1);
    if next.is_finite() { next - y.abs() } else { 2f64.powi(971) }
}

/// The distance between neighbouring `f32` about `y`.
fn ulp32(y: f64) -> f64 {
    let e = (y.abs().to_bits() >> 52) as i32 - 1023;
    2f64.powi(e.clamp(-126, 127) - 23)
}

/// `|x f'(x)|` for the gamma family, whose bars allow it; zero for the others.
fn slope(name: &str, args: &[f64]) -> f64 {
    let x = args[args.len() - 1];
    let d = match name {
        "lgamma" => Math::digamma::<false>(x),
        "digamma" => <f64 as Math>::polygamma::<false>(1.0, x),
        "polygamma" => <f64 as Math>::polygamma::<false>(args[0] + 1.0, x),
        _ => 0.0,
    };
    if d.is_nan() { 0.0 } else { (x * d).abs().min(f64::MAX / 2.0) }
}

/// The largest errors seen, by function and by whether multiply-add was fused.
#[derive(Default)]
struct Worst(BTreeMap<(&'static str, usize), Case>);

struct Case {
    error: f64,
    bar: f64,
    args: Vec<f64>,
    got: f64,
    want: f64,
}

impl Worst {
    /// Notes the error of a result, `error(slope)`; the slope is worked out only above the bar.
    fn note(
        &mut self,
        (name, fused, bar): (&'static str, usize, f64),
        args: &[f64],
        (got, want): (f64, f64),
        error: impl Fn(f64) -> f64,
    ) {
        let mut e = error(0.0);
        if e.is_nan() || e > bar {
            e = error(slope(name, args));
        }
        let e = if e.is_nan() { f64::INFINITY } else { e };
        let seen = self.0.get(&(name, fused)).map_or(-1.0, |case| case.error);
        if e > seen {
            self.0.insert((name, fused), Case { error: e, bar, args: args.to_vec(), got, want });
        }
    }

    fn report(&self, dtype: &str) {
        let mut failed = Vec::new();
        for ((name, fused), Case { error, bar, args, got, want }) in &self.0 {
            let fma = ["fma", "plain"][*fused];
            eprintln!("{dtype} {name:10} {fma:5} {error:6.3} of {bar} at {args:?}: {got:e}, true {want:e}");
            if error > bar {
                failed.push(format!("{name} {fma}"));
            }
        }
        assert!(failed.is_empty(), "{dtype}: over their bars: {failed:?}");
    }
}

/// In units in the last place of the larger of `want + rest` and `slope`.
fn error64(got: f64, want: f64, rest: f64, slope: f64) -> f64 {
    if got == want && got.is_infinite() {
        return 0.0;
    }
    let unit = ulp64(want.abs().max(slope));
    let want = if want.is_finite() { want } else { f64::MAX.copysign(want) };
    ((got - want) / unit - rest * (ulp64(want) / unit)).abs()
}

#[test]
fn f64_meets_its_bars() {
    let (unary, binary) = (unary::<f64>(), binary::<f64>());
    let mut worst = Worst::default();
    for line in include_str!("reference.txt").lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let [name, values @ .., rest] = fields.as_slice() else { panic!("{line}") };
        let rest = rest.parse::<f64>().expect("hundredths") / 100.0;
        let values: Vec<f64> =
            values.iter().map(|f| f64::from_bits(u64::from_str_radix(f, 16).expect("bit pattern"))).collect();
        let find = |n: &str| n == *name || n.strip_suffix("_any") == Some(name);
        for fused in 0..2 {
            let (name, bar, got, want) = match *values.as_slice() {
                [x, want] => {
                    let (name, bar, f) = unary.iter().find(|r| find(r.0)).expect("a function of the table");
                    (name, bar, f[fused](x), want)
                }
                [x, y, want] => {
                    let (name, bar, f) = binary.iter().find(|r| find(r.0)).expect("a function of the table");
                    (name, bar, f[fused](x, y), want)
                }
                _ => panic!("{line}"),
            };
            let args = &values[..values.len() - 1];
            let slope = slope(name, args);
            worst.note((name, fused, *bar), args, (got, want), |_| error64(got, want, rest, slope));
        }
    }
    worst.report("f64");
}

/// Every bit pattern at this stride: a fused multiply-add is a call here, and unoptimised slower.
const STRIDE: usize = if cfg!(debug_assertions) { 250_007 } else { 9_973 };

/// In units in the last place of the larger of `want` and `slope`, as `f32` has them.
fn error32(got: f32, want: f64, slope: f64) -> f64 {
    let max = f64::from(f32::MAX);
    if want.is_nan() {
        return if got.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if got.is_infinite() && f64::from(got) != want {
        // An infinity stands for the number that would follow the largest one.
        return (max + ulp32(max) - want * f64::from(got.signum())).max(0.0) / ulp32(max);
    }
    if f64::from(got) == want {
        return 0.0;
    }
    let want = want.clamp(-2.0 * max, 2.0 * max);
    (f64::from(got) - want).abs() / ulp32(want.abs().max(slope).min(max))
}

#[test]
fn f32_meets_its_bars() {
    let mut worst = Worst::default();
    for ((name, bar, f), (_, _, reference)) in unary::<f32>().into_iter().zip(unary::<f64>()) {
        for bits in (0..=u32::MAX).step_by(STRIDE) {
            let x = f32::from_bits(bits);
            let want = reference[1](f64::from(x));
            for (fused, f) in f.iter().enumerate() {
                let got = f(x);
                let result = (f64::from(got), want);
                worst.note((name, fused, bar), &[f64::from(x)], result, |slope| error32(got, want, slope));
            }
        }
    }
    worst.report("f32");
}

#[test]
fn f32_of_two_meets_its_bars() {
    let mut worst = Worst::default();
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 32) as u32
    };
    for ((name, bar, f), (_, _, reference)) in binary::<f32>().into_iter().zip(binary::<f64>()) {
        for i in 0..200_000_000 / STRIDE {
            let (mut x, mut y) = (f32::from_bits(next()), f32::from_bits(next()));
            if name == "polygamma" {
                (x, y) = ((next() % 9 + 1) as f32, next() as f32 * 2f32.powi(-28) - 4.0);
            } else if name == "pow" && i % 2 == 0 {
                // Near one, so that powers stay finite.
                x = f32::from_bits(0x3f00_0000 + (next() >> 8));
                y = f32::from_bits(0x3f00_0000 + (next() >> 5));
            }
            let args = [f64::from(x), f64::from(y)];
            let want = reference[1](args[0], args[1]);
            for (fused, f) in f.iter().enumerate() {
                let got = f(x, y);
                let result = (f64::from(got), want);
                worst.note((name, fused, bar), &args, result, |slope| error32(got, want, slope));
            }
        }
    }
    worst.report("f32");
}

macro_rules! special_values {
    ($t:ident) => {{
        const INF: $t = $t::INFINITY;
        const NAN: $t = $t::NAN;
        const TINY: $t = $t::from_bits(1);
        const MAX: $t = $t::MAX;
        let cases: &[(&str, $t, $t)] = &[
            ("exp", INF, INF),
            ("exp", -INF, 0.0),
            ("exp", 0.0, 1.0),
            ("exp", -0.0, 1.0),
            ("exp", MAX, INF),
            ("exp", -MAX, 0.0),
            ("exp2", INF, INF),
            ("exp2", -INF, 0.0),
            ("exp2", 10.0, 1024.0),
            ("expm1", 0.0, 0.0),
            ("expm1", -0.0, -0.0),
            ("expm1", TINY, TINY),
            ("expm1", -TINY, -TINY),
            ("expm1", INF, INF),
            ("expm1", -INF, -1.0),
            ("expm1", MAX, INF),
            ("log", 0.0, -INF),
            ("log", -0.0, -INF),
            ("log", 1.0, 0.0),
            ("log", INF, INF),
            ("log", -1.0, NAN),
            ("log", -INF, NAN),
            ("log2", 1024.0, 10.0),
            ("log2", 0.0, -INF),
            ("log10", 0.0, -INF),
            ("log10", 1000.0, 3.0),
            ("log1p", 0.0, 0.0),
            ("log1p", -0.0, -0.0),
            ("log1p", TINY, TINY),
            ("log1p", -TINY, -TINY),
            ("log1p", -1.0, -INF),
            ("log1p", -2.0, NAN),
            ("log1p", INF, INF),
            ("sin_any", 0.0, 0.0),
            ("sin_any", -0.0, -0.0),
            ("sin_any", TINY, TINY),
            ("sin_any", INF, NAN),
            ("sin_any", -INF, NAN),
            ("cos_any", 0.0, 1.0),
            ("cos_any", INF, NAN),
            ("tan_any", -0.0, -0.0),
            ("tan_any", -TINY, -TINY),
            ("tan_any", INF, NAN),
            ("asin", -0.0, -0.0),
            ("asin", TINY, TINY),
            ("asin", 2.0, NAN),
            ("acos", 1.0, 0.0),
            ("acos", -2.0, NAN),
            ("atan", -0.0, -0.0),
            ("atan", TINY, TINY),
            ("sinh", -0.0, -0.0),
            ("sinh", TINY, TINY),
            ("sinh", -INF, -INF),
            ("cosh", 0.0, 1.0),
            ("cosh", -INF, INF),
            ("tanh", -0.0, -0.0),
            ("tanh", TINY, TINY),
            ("tanh", INF, 1.0),
            ("tanh", -INF, -1.0),
            ("asinh", -0.0, -0.0),
            ("asinh", TINY, TINY),
            ("asinh", -INF, -INF),
            ("acosh", 1.0, 0.0),
            ("acosh", 0.5, NAN),
            ("acosh", -INF, NAN),
            ("acosh", INF, INF),
            ("atanh", -0.0, -0.0),
            ("atanh", TINY, TINY),
            ("atanh", 1.0, INF),
            ("atanh", -1.0, -INF),
            ("atanh", 1.5, NAN),
            ("atanh", -INF, NAN),
            ("sigmoid", 0.0, 0.5),
            ("sigmoid", INF, 1.0),
            ("sigmoid", -INF, 0.0),
            ("softplus", INF, INF),
            ("softplus", -INF, 0.0),
            ("softplus", MAX, MAX),
            ("sqrt", -0.0, -0.0),
            ("sqrt", -1.0, NAN),
            ("sqrt", INF, INF),
            ("erf", -0.0, -0.0),
            ("erf", INF, 1.0),
            ("erf", -INF, -1.0),
            ("erfc", 0.0, 1.0),
            ("erfc", INF, 0.0),
            ("erfc", -INF, 2.0),
            ("ndtr", 0.0, 0.5),
            ("ndtr", INF, 1.0),
            ("ndtr", -INF, 0.0),
            ("gelu", 0.0, 0.0),
            ("gelu", -0.0, -0.0),
            ("gelu", INF, INF),
            ("gelu", MAX, MAX),
            ("gelu", -INF, -0.0),
            ("erfinv", -0.0, -0.0),
            ("erfinv", 1.0, INF),
            ("erfinv", -1.0, -INF),
            ("erfinv", 1.5, NAN),
            ("lgamma", 0.0, INF),
            ("lgamma", -0.0, INF),
            ("lgamma", 1.0, 0.0),
            ("lgamma", 2.0, 0.0),
            ("lgamma", -3.0, INF),
            ("lgamma", -100.0, INF),
            ("lgamma", -MAX, INF),
            ("lgamma", INF, INF),
            ("lgamma", -INF, INF),
            ("digamma", 0.0, -INF),
            ("digamma", -0.0, INF),
            ("digamma", -1.0, NAN),
            ("digamma", INF, INF),
            ("digamma", -INF, NAN),
            ("digamma", -MAX, NAN),
        ];
        let pairs: &[(&str, $t, $t, $t)] = &[
            ("pow", NAN, 0.0, 1.0),
            ("pow", 1.0, NAN, 1.0),
            ("pow", NAN, 1.0, NAN),
            ("pow", 2.0, NAN, NAN),
            ("pow", 0.0, 2.0, 0.0),
            ("pow", -0.0, 3.0, -0.0),
            ("pow", -0.0, 2.0, 0.0),
            ("pow", -0.0, -3.0, -INF),
            ("pow", 0.0, -0.5, INF),
            ("pow", -0.0, 0.5, 0.0),
            ("pow", -1.0, INF, 1.0),
            ("pow", -1.0, -INF, 1.0),
            ("pow", 0.5, INF, 0.0),
            ("pow", 0.5, -INF, INF),
            ("pow", 2.0, INF, INF),
            ("pow", 2.0, -INF, 0.0),
            ("pow", -INF, 3.0, -INF),
            ("pow", -INF, -3.0, -0.0),
            ("pow", -INF, 0.5, INF),
            ("pow", INF, -1.0, 0.0),
            ("pow", -2.0, 3.0, -8.0),
            ("pow", -2.0, 2.0, 4.0),
            ("pow", -2.0, 0.5, NAN),
            ("pow", -2.0, -MAX, 0.0),
            ("pow", 2.0, MAX, INF),
            ("pow", -INF, MAX, INF),
            ("pow", 3.0, 2.0, 9.0),
            ("pow", TINY, 1.0, TINY),
            ("atan2", 0.0, 0.0, 0.0),
            ("atan2", -0.0, 1.0, -0.0),
            ("atan2", INF, 1.0, FRAC_PI_2 as $t),
            ("atan2", 0.0, -0.0, PI as $t),
            ("atan2", -0.0, -1.0, -PI as $t),
            ("atan2", 1.0, 0.0, FRAC_PI_2 as $t),
            ("atan2", INF, INF, FRAC_PI_4 as $t),
            ("atan2", INF, -INF, (3.0 * FRAC_PI_4) as $t),
            ("atan2", -INF, INF, -FRAC_PI_4 as $t),
            ("atan2", 1.0, INF, 0.0),
            ("atan2", 1.0, -INF, PI as $t),
            ("atan2", MAX, MAX, FRAC_PI_4 as $t),
            ("atan2", TINY, TINY, FRAC_PI_4 as $t),
            ("atan2", NAN, 1.0, NAN),
            ("atan2", 1.0, NAN, NAN),
            ("hypot", INF, NAN, INF),
            ("hypot", NAN, -INF, INF),
            ("hypot", NAN, 1.0, NAN),
            ("hypot", 3.0, -4.0, 5.0),
            ("hypot", TINY, 0.0, TINY),
            ("hypot", MAX, 0.0, MAX),
            ("hypot", MAX, MAX, INF),
            ("polygamma", 1.0, 0.0, INF),
            ("polygamma", 2.0, 0.0, -INF),
            ("polygamma", 1.0, -3.0, INF),
            ("polygamma", 1.0, INF, 0.0),
            ("polygamma", 1.5, 2.0, NAN),
            ("polygamma", -1.0, 2.0, NAN),
            ("polygamma", 1.0, NAN, NAN),
            ("polygamma", 0.0, 0.0, -INF),
        ];
        let same = |got: $t, want: $t| got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan());
        let mut wrong = Vec::new();
        for (name, x, want) in cases {
            let row = unary::<$t>().into_iter().find(|r| r.0 == *name).expect("a function of the table");
            wrong.extend(
                row.2
                    .iter()
                    .map(|f| f(*x))
                    .filter(|y| !same(*y, *want))
                    .map(|y| format!("{name}({x:e}) = {y:e}")),
            );
        }
        for (name, x, y, want) in pairs {
            let row = binary::<$t>().into_iter().find(|r| r.0 == *name).expect("a function of the table");
            wrong.extend(
                row.2
                    .iter()
                    .map(|f| f(*x, *y))
                    .filter(|z| !same(*z, *want))
                    .map(|z| format!("{name}({x:e}, {y:e}) = {z:e}")),
            );
        }
        for (name, _, f) in unary::<$t>() {
            wrong.extend(f.iter().filter(|f| !f(NAN).is_nan()).map(|_| format!("{name}(nan)")));
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }};
}

#[test]
fn special_values_f64() {
    special_values!(f64);
}

#[test]
fn special_values_f32() {
    special_values!(f32);
}

#[test]
fn rounding_keeps_ties_even_and_signs() {
    for (x, floor, ceil, trunc, round) in [
        (0.5, 0.0, 1.0, 0.0, 0.0),
        (1.5, 1.0, 2.0, 1.0, 2.0),
        (-0.5, -1.0, -0.0, -0.0, -0.0),
        (-2.5, -3.0, -2.0, -2.0, -2.0),
    ] {
        let got = [Math::floor(x), Math::ceil(x), Math::trunc(x), Math::round(x)];
        assert_eq!(got.map(f64::to_bits), [floor, ceil, trunc, round].map(f64::to_bits), "{x}");
        let got = [floor, ceil, trunc, round].map(|v: f64| v as f32);
        let x = x as f32;
        assert_eq!(
            [Math::floor(x), Math::ceil(x), Math::trunc(x), Math::round(x)].map(f32::to_bits),
            got.map(f32::to_bits)
        );
    }
}
