//! Powers. `f64` needs the logarithm to twice the precision, because the
//! exponent multiplies its relative error; `f32` has it in an `f64`.
//!
//! Every coefficient array is a minimax fit of ours on the interval its comment
//! names; the highest power comes first.

use super::arith::Arith;
use super::f64::{LN2_HI, LN2_LO, exp_parts, reduce, scale, split};

const THIRD_LO: f64 = 1.850_371_707_708_594e-17; // 1/3 minus the nearest double
/// (atanh(s) / s - 1 - z / 3) / z^2 in z = s^2, |s| <= 0.1716
const LOG_TAIL: [f64; 8] = [
    5.995_212_337_273_404e-2,
    5.837_324_639_392_906e-2,
    6.668_162_871_751_06e-2,
    7.692_278_327_463_221e-2,
    9.090_909_436_738_805e-2,
    0.111_111_111_087_553_6,
    0.142_857_142_857_226_1,
    0.199_999_999_999_999_9,
];
/// (ln((1 + s) / (1 - s)) / s - 2) / z in z = s^2, |s| <= 0.1716; to 37 bits
const LOG_SHORT: [f64; 4] =
    [0.235_835_570_333_398_28, 0.285_372_389_931_925_2, 0.400_003_362_080_204_15, 0.666_666_656_413_459_2];
/// (e^r - 1 - r) / r^2 on +-0.347; to 34 bits
const EXP_SHORT: [f64; 6] = [
    1.979_003_898_880_103_4e-4,
    1.394_469_971_857_4e-3,
    8.333_497_950_139_135e-3,
    4.166_629_446_499_079e-2,
    0.166_666_658_634_514_82,
    0.500_000_006_777_678_2,
];

macro_rules! edges {
    ($name:ident, $t:ident) => {
        /// Gives `magnitude = |x|^y` the sign and the exceptions that IEEE 754 asks for.
        #[inline(always)]
        fn $name(x: $t, y: $t, magnitude: $t) -> $t {
            let half = y * 0.5;
            let integer = y == y.trunc();
            let odd = integer && half != half.trunc();
            let r = if odd { magnitude.copysign(x) } else { magnitude };
            let negative = (-$t::MAX..0.0).contains(&x);
            let r = if negative && !integer { $t::NAN } else { r };
            if x == 1.0 || y == 0.0 { 1.0 } else { r }
        }
    };
}
edges!(edges32, f32);
edges!(edges64, f64);

/// `ln(x)` to about 65 bits, for positive finite `x`.
#[inline(always)]
fn log_wide<const F: bool>(x: f64) -> (f64, f64) {
    let (e, f) = split(x);
    let (d, dl) = 2.0_f64.two_sum(f);
    let inv = 1.0 / d;
    let s = f * inv;
    let (p, pe) = s.two_prod::<F>(d);
    let sl = (((f - p) - pe) - s * dl) * inv;
    let (z, ze) = s.two_prod::<F>(s);
    let zl = ze + 2.0 * s * sl;
    // u = z/3 + z^2 tail; ln(1 + f) = 2s + 2s u
    let (a, ae) = z.two_prod::<F>(1.0 / 3.0);
    let al = ae + z.fma::<F>(THIRD_LO, zl * (1.0 / 3.0));
    let (u, ue) = a.fast_two_sum(z * z * z.poly::<F, 8>(LOG_TAIL));
    let (b, be) = (2.0 * s).two_prod::<F>(u);
    let bl = be + 2.0 * (s * (ue + al) + sl * u);
    let (h, he) = (2.0 * s).fast_two_sum(b);
    let (hi, hie) = (e * LN2_HI).fast_two_sum(h);
    hi.fast_two_sum(hie + (he + (bl + 2.0 * sl) + e * LN2_LO))
}

/// Bounds `y` where `x^y` is long settled, so that `y ln(x)` is defined for infinities too.
const Y_MAX: f64 = 3.7e19;

#[inline(always)]
pub(super) fn pow<const F: bool>(x: f64, y: f64) -> f64 {
    let ax = x.abs();
    let (h, l) = log_wide::<F>(ax);
    let h = if ax <= f64::MAX { h } else { ax };
    let h = if ax == 0.0 { f64::NEG_INFINITY } else { h };
    let y_in = y.bound(-Y_MAX, Y_MAX);
    let (p, pe) = y_in.two_prod::<F>(h);
    let lo = if p.abs() > 800.0 { 0.0 } else { y_in.fma::<F>(l, pe) };
    let (m, t) = exp_parts::<F>(p, lo);
    edges64(x, y, scale(m, t))
}

#[inline(always)]
pub(super) fn pow32<const F: bool>(x: f32, y: f32) -> f32 {
    let ax = f64::from(x.abs());
    let (e, f) = split(ax);
    let s = f / (2.0 + f);
    let z = s * s;
    let h = e.fma::<F>(LN2_HI + LN2_LO, s.fma::<F>(z * z.poly::<F, 4>(LOG_SHORT), 2.0 * s));
    let h = if ax <= f64::MAX { h } else { ax };
    let h = if ax == 0.0 { f64::NEG_INFINITY } else { h };
    let (t, r, _) = reduce::<F>((f64::from(y).bound(-Y_MAX, Y_MAX) * h).bound(-150.0, 150.0));
    let m = 1.0 + (r * r).fma::<F>(r.poly::<F, 6>(EXP_SHORT), r);
    let power = f64::from_bits(t.to_bits().wrapping_sub(1023) << 52);
    edges32(x, y, (m * power) as f32)
}
