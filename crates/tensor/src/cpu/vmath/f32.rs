//! Single-precision functions. The frequent ones work in `f32` lanes; the rest
//! widen, call the `f64` source and round once, which is simple and nearly exact.
//!
//! Every coefficient array is a minimax fit of ours on the interval its comment
//! names, rounded to `f32`; the highest power comes first.

use super::arith::Arith;
use super::pow::pow32;
use super::{Math, inverse};

const LN2_HI: f32 = 0.693_145_75; // 15 bits: an 8-bit integer times it is exact
const LN2_LO: f32 = 1.428_606_8e-6;
const LOG10_2_HI: f32 = 0.301_025_4; // 15 bits
const LOG10_2_LO: f32 = 4.605_039e-6;
/// Adding it rounds to an integer and leaves that integer plus 254 in the low bits.
const SHIFT: f32 = 12_582_912.0 + 254.0;
/// The bits of sqrt(1/2), where mantissas are cut.
const SQRT_HALF: u32 = 0x3f35_04f3;
/// `sin` and `cos` reduce by three parts of pi/2 up to here.
const TRIG_LIMIT: f32 = 131_072.0;
/// pi/2 in three parts of 24 bits.
const PI_2: [f32; 3] = [std::f32::consts::FRAC_PI_2, -4.371_139e-8, -1.715_124_5e-15];

/// (e^r - 1 - r) / r^2 on +-0.347
const EXP: [f32; 5] = [1.381_458e-3, 8.368_746e-3, 4.166_839e-2, 0.166_665_21, 0.499_999_94];
/// The same, one term longer, for `exp(x) - 1`
const EXPM1: [f32; 6] = [1.984_545_7e-4, 1.394_067_4e-3, 8.333_391e-3, 4.166_636e-2, 0.166_666_66, 0.5];
/// (2^r - 1) / r on +-0.5
const EXP2: [f32; 6] =
    [1.547_634_7e-4, 1.340_029_4e-3, 9.618_004e-3, 5.550_328e-2, 0.240_226_5, std::f32::consts::LN_2];
/// (ln(1 + f) - f + f^2 / 2) / f^3 on [sqrt(1/2) - 1, sqrt(2) - 1]
const LOG: [f32; 9] = [
    6.746_276e-2,
    -0.116_751_73,
    0.118_880_674,
    -0.124_056_68,
    0.142_195_78,
    -0.166_679_92,
    0.200_021_18,
    -0.250_000_1,
    0.333_333_13,
];
/// (sin(r) / r - 1) / z in z = r^2, |r| <= pi/4
const SIN: [f32; 3] = [-1.951_860_6e-4, 8.332_191e-3, -0.166_666_55];
/// (cos(r) - 1 + z / 2) / z^2 in z = r^2, |r| <= pi/4
const COS: [f32; 3] = [2.443_237e-5, -1.388_731e-3, 4.166_664_6e-2];
/// (tanh(x) / x - 1) / z in z = x^2, |x| <= 0.66
const TANH: [f32; 5] = [-5.456_764e-3, 2.041_662_1e-2, -5.367_205e-2, 0.133_306_47, -0.333_332_54];
/// erf(x) / x - 1 in z = x^2, |x| <= 1
const ERF: [f32; 7] =
    [7.806_904e-5, -7.997_853e-4, 5.187_162e-3, -2.685_334_7e-2, 0.112_835_79, -0.376_126_26, 0.128_379_17];
/// erfc(x)^(-1/8) on [1, 3.95], beyond which erf rounds to one
const ERFC_ROOT: [f32; 8] = [
    5.441_541_4e-4,
    -4.007_622_6e-3,
    1.777_643_9e-2,
    -3.309_683_5e-2,
    7.383_546e-2,
    4.932_882e-2,
    0.159_253_54,
    0.996_478_14,
];

/// e^(a^2 / 2) times the normal distribution function at -a as a fraction, 0 <= a <= 15: no term is negative
const NORMAL_TAIL: ([f32; 5], [f32; 6]) = (
    [4.153_217e-3, 4.088_104e-2, 0.183_968_87, 0.439_283_04, 0.5],
    [1.041_046e-2, 0.102_479_68, 0.471_407_98, 1.205_547_1, 1.676_451_1, 1.0],
);

const TWO_LOG2_E: f32 = 2.0 * std::f32::consts::LOG2_E;

/// `x = n ln2 + r + c`: returns `(n + SHIFT, r, c)`.
#[inline(always)]
fn reduce<const F: bool>(x: f32) -> (f32, f32, f32) {
    let t = x.fma::<F>(std::f32::consts::LOG2_E, SHIFT);
    let n = t - SHIFT;
    let h = n.fma::<F>(-LN2_HI, x);
    let r = n.fma::<F>(-LN2_LO, h);
    (t, r, n.fma::<F>(-LN2_LO, h - r))
}

/// `y * 2^n` for `t = n + SHIFT`, rounded once also where the result is subnormal.
#[inline(always)]
fn scale(y: f32, t: f32) -> f32 {
    let half = t.to_bits() >> 1;
    y * f32::from_bits(half << 23) * f32::from_bits(t.to_bits().wrapping_sub(half) << 23)
}

/// `x = 2^e (1 + f)` with `1 + f` in `[sqrt(1/2), sqrt(2))`, for positive finite `x`.
#[inline(always)]
fn split(x: f32) -> (f32, f32) {
    let tiny = x < f32::MIN_POSITIVE;
    let x = if tiny { x * 33_554_432.0 } else { x }; // 2^25
    let bits = x.to_bits().wrapping_sub(if tiny { SQRT_HALF + (25 << 23) } else { SQRT_HALF });
    let e = (bits as i32 >> 23) as f32;
    (e, f32::from_bits((bits & 0x007f_ffff).wrapping_add(SQRT_HALF)) - 1.0)
}

/// `ln(1 + f) = f - (returned)`, so that callers can add small terms before the last rounding.
#[inline(always)]
fn log_deficit<const F: bool>(f: f32, small: f32) -> f32 {
    let z = f * f;
    z.fma::<F>(0.5, -(f * z).fma::<F>(f.poly::<F, 9>(LOG), small))
}

/// The logarithm's edges: infinity, zero, negative numbers and NaN.
#[inline(always)]
fn log_edges(x: f32, y: f32) -> f32 {
    // Not `== INFINITY`: LLVM would merge the tests into one of the number's class, 20 operations.
    let y = if x > f32::MAX { x } else { y };
    let y = if x >= 0.0 { y } else { f32::NAN };
    if x == 0.0 { f32::NEG_INFINITY } else { y }
}

/// `x = q pi/2 + r + l` for `|x| <= TRIG_LIMIT`: returns `q` modulo a power of two, `r`, `l`.
#[inline(always)]
fn reduce_trig<const F: bool>(x: f32) -> (u32, f32, f32) {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23
    let t = x.fma::<F>(std::f32::consts::FRAC_2_PI, ROUND);
    let n = t - ROUND;
    let (r, l) = if F {
        let a = n.mul_add(-PI_2[0], x);
        let r = n.mul_add(-PI_2[1], a);
        // The rounding error of `r`; `a - r` is exact unless `r` is small, and then it is not needed.
        let lost = n.mul_add(-PI_2[1], a - r);
        let lost = if r.abs() > 0.031_25 { lost } else { 0.0 };
        (r, n.mul_add(-PI_2[2], lost))
    } else {
        let (n, x) = (f64::from(n), f64::from(x));
        let wide = (x - n * 1.570_796_326_734_125_6) - n * 6.077_100_506_506_192e-11;
        let r = wide as f32;
        (r, (wide - f64::from(r)) as f32)
    };
    (t.to_bits(), r, l)
}

/// sin and cos of `r + l`, `|r| <= pi/4`.
#[inline(always)]
fn sin_cos<const F: bool>(r: f32, l: f32) -> (f32, f32) {
    let z = r * r;
    let s = r + (r * z).fma::<F>(z.poly::<F, 3>(SIN), l);
    let half = 0.5 * z;
    let w = 1.0 - half;
    let c = w + (z * z).fma::<F>(z.poly::<F, 3>(COS), r.fma::<F>(-l, (1.0 - w) - half));
    (s, c)
}

/// The sine of an angle `q` quadrants beyond the one whose sine and cosine are given.
#[inline(always)]
fn turn(q: u32, (s, c): (f32, f32)) -> f32 {
    let v = if q & 1 == 0 { s } else { c };
    f32::from_bits(v.to_bits() ^ ((q & 2) << 30))
}

/// `e^(|x|) / 2`, which overflows only where sinh and cosh do.
#[inline(always)]
pub(super) fn half_exp<const F: bool>(ax: f32) -> f32 {
    let (t, r, _) = reduce::<F>(if ax > 100.0 { 100.0 } else { ax });
    scale(0.5 + 0.5 * (r * r).fma::<F>(r.poly::<F, 5>(EXP), r), t)
}

/// `f` times the normal distribution function at `-a`, for `0 <= a <= 15`; subnormal only where that product is.
#[inline(always)]
fn times_normal_tail<const F: bool>(f: f32, a: f32) -> f32 {
    let (z, lost) = a.two_prod::<F>(a);
    let (t, r, c) = reduce::<F>(-0.5 * z);
    let m = (r * r).fma::<F>(r.poly::<F, 5>(EXP), r);
    let m = 1.0 + lost.fma::<F>(-0.5, c).fma::<F>(1.0 + m, m);
    let q = a.poly::<F, 5>(NORMAL_TAIL.0) / a.poly::<F, 6>(NORMAL_TAIL.1);
    scale(f * m * q, t)
}

macro_rules! widened {
    ($($name:ident)*) => {$(
        #[inline(always)]
        fn $name<const F: bool>(self) -> f32 {
            Math::$name::<F>(f64::from(self)) as f32
        }
    )*};
}

macro_rules! inverse {
    ($($name:ident)*) => {$(
        #[inline(always)]
        fn $name<const F: bool>(self) -> f32 {
            inverse::single::$name::<F>(self)
        }
    )*};
}

impl Math for f32 {
    inverse!(asin acos atan sinh cosh asinh acosh atanh softplus);
    widened!(erfc erfinv lgamma digamma);

    #[inline(always)]
    fn exp<const F: bool>(self) -> f32 {
        let (t, r, _) = reduce::<F>(self.bound(-110.0, 100.0));
        scale(1.0 + (r * r).fma::<F>(r.poly::<F, 5>(EXP), r), t)
    }
    #[inline(always)]
    fn exp2<const F: bool>(self) -> f32 {
        let x = self.bound(-160.0, 140.0);
        let t = x + SHIFT;
        let r = x - (t - SHIFT);
        scale(r.fma::<F>(r.poly::<F, 6>(EXP2), 1.0), t)
    }
    #[inline(always)]
    fn expm1<const F: bool>(self) -> f32 {
        let x = self.bound(-30.0, 100.0);
        let (t, r, c) = reduce::<F>(x);
        let q = (r * r).fma::<F>(r.poly::<F, 6>(EXPM1), c);
        let (h, l) = r.fast_two_sum(q);
        let unit = f32::from_bits(381_u32.wrapping_sub(t.to_bits()) << 23); // 2^-n
        let unit = if x > 40.0 { 0.0 } else { unit };
        let (s, e) = (1.0 - unit).fast_two_sum(h);
        scale(s + (e + l), t).copysign(self)
    }
    #[inline(always)]
    fn log<const F: bool>(self) -> f32 {
        let (e, f) = split(self);
        let y = e.fma::<F>(LN2_HI, f - log_deficit::<F>(f, e * LN2_LO));
        log_edges(self, y)
    }
    #[inline(always)]
    fn log2<const F: bool>(self) -> f32 {
        let (e, f) = split(self);
        let y = (f - log_deficit::<F>(f, 0.0)).fma::<F>(std::f32::consts::LOG2_E, e);
        log_edges(self, y)
    }
    #[inline(always)]
    fn log10<const F: bool>(self) -> f32 {
        let (e, f) = split(self);
        let y = (f - log_deficit::<F>(f, 0.0)).fma::<F>(std::f32::consts::LOG10_E, e * LOG10_2_LO);
        log_edges(self, e.fma::<F>(LOG10_2_HI, y))
    }
    #[inline(always)]
    fn log1p<const F: bool>(self) -> f32 {
        let (u, lost) = 1.0_f32.two_sum(self);
        let (e, f) = split(u);
        let near = e == 0.0;
        let f = if near { self } else { f };
        let small = if near { 0.0 } else { e.fma::<F>(LN2_LO, lost / u) };
        let y = e.fma::<F>(LN2_HI, f - log_deficit::<F>(f, small));
        let y = log_edges(u, y);
        if self == 0.0 { self } else { y }
    }
    #[inline(always)]
    fn sin<const F: bool>(self) -> f32 {
        let (q, r, l) = reduce_trig::<F>(self);
        let y = turn(q, sin_cos::<F>(r, l));
        if self == 0.0 { self } else { y }
    }
    #[inline(always)]
    fn cos<const F: bool>(self) -> f32 {
        let (q, r, l) = reduce_trig::<F>(self);
        turn(q.wrapping_add(1), sin_cos::<F>(r, l))
    }
    #[inline(always)]
    fn tan<const F: bool>(self) -> f32 {
        let (q, r, l) = reduce_trig::<F>(self);
        let (s, c) = sin_cos::<F>(r, l);
        let even = q & 1 == 0;
        let y = if even { s } else { -c } / if even { c } else { s };
        if self == 0.0 { self } else { y }
    }
    #[inline(always)]
    fn trig_is_large(self) -> bool {
        self.abs() > TRIG_LIMIT
    }
    fn sin_large(self) -> f32 {
        f64::from(self).sin_large() as f32
    }
    fn cos_large(self) -> f32 {
        f64::from(self).cos_large() as f32
    }
    fn tan_large(self) -> f32 {
        f64::from(self).tan_large() as f32
    }
    #[inline(always)]
    fn tanh<const F: bool>(self) -> f32 {
        let ax = self.abs();
        let z = ax * ax;
        let near = (ax * z).fma::<F>(z.poly::<F, 5>(TANH), ax);
        // 1 - 2 / (e^2x + 1); the fused one-step reduction is exact enough where e^2x counts.
        let ax = if ax > 10.0 { 10.0 } else { ax };
        let (t, r) = if F {
            let t = ax.mul_add(TWO_LOG2_E, SHIFT);
            (t, ax.mul_add(TWO_LOG2_E, SHIFT - t))
        } else {
            let (t, r, _) = reduce::<F>(2.0 * ax);
            (t, r * std::f32::consts::LOG2_E)
        };
        let p = r.fma::<F>(r.poly::<F, 6>(EXP2), 1.0);
        let power = f32::from_bits(t.to_bits().wrapping_sub(127) << 23);
        let far = 1.0 - 2.0 / p.fma::<F>(power, 1.0);
        let y = if ax < 0.66 { near } else { far };
        y.copysign(self)
    }
    #[inline(always)]
    fn sigmoid<const F: bool>(self) -> f32 {
        // q = 1 / (1 + e^|x|), both terms scaled by 2^-32 against overflow.
        let ax = self.abs();
        let (t, r, _) = reduce::<F>(if ax > 110.0 { 110.0 } else { ax });
        let (y, l) = 1.0_f32.fast_two_sum((r * r).fma::<F>(r.poly::<F, 5>(EXP), r));
        const DOWN: f32 = 1.0 / 4_294_967_296.0;
        let up = f32::from_bits(t.to_bits().wrapping_sub(127 + 32) << 23);
        let (d, de) = (up * y).fast_two_sum(DOWN);
        let de = up.fma::<F>(l, de);
        let q = 1.0 / d;
        let q = q.fma::<F>(-(de * q), q) * DOWN;
        if self > 0.0 { 1.0 - q } else { q }
    }
    #[inline(always)]
    fn sqrt(self) -> f32 {
        f32::sqrt(self)
    }
    #[inline(always)]
    fn floor(self) -> f32 {
        f32::floor(self)
    }
    #[inline(always)]
    fn ceil(self) -> f32 {
        f32::ceil(self)
    }
    #[inline(always)]
    fn trunc(self) -> f32 {
        f32::trunc(self)
    }
    #[inline(always)]
    fn round(self) -> f32 {
        f32::round_ties_even(self)
    }
    #[inline(always)]
    fn erf<const F: bool>(self) -> f32 {
        let near = self.fma::<F>((self * self).poly::<F, 7>(ERF), self);
        let ax = self.abs().bound(1.0, 3.95);
        let root = ax.poly::<F, 8>(ERFC_ROOT);
        let power = root * root;
        let power = power * power;
        let far = (1.0 - 1.0 / (power * power)).copysign(self);
        if self.abs() > 1.0 { far } else { near }
    }
    #[inline(always)]
    fn ndtr<const F: bool>(self) -> f32 {
        let tail = times_normal_tail::<F>(1.0, self.abs().bound(0.0, 15.0));
        if self > 0.0 { 1.0 - tail } else { tail }
    }
    #[inline(always)]
    fn gelu<const F: bool>(self) -> f32 {
        let x = self.bound(-15.0, 15.0);
        let tail = times_normal_tail::<F>(x, x.abs());
        if self > 0.0 { self - tail } else { tail }
    }
    #[inline(always)]
    fn pow<const F: bool>(self, y: f32) -> f32 {
        pow32::<F>(self, y)
    }
    #[inline(always)]
    fn atan2<const F: bool>(self, x: f32) -> f32 {
        inverse::single::atan2::<F>(self, x)
    }
    #[inline(always)]
    fn hypot<const F: bool>(self, y: f32) -> f32 {
        let (a, b) = (f64::from(self), f64::from(y));
        let r = a.fma::<F>(a, b * b).sqrt() as f32;
        if self.abs() == f32::INFINITY || y.abs() == f32::INFINITY { f32::INFINITY } else { r }
    }
    fn polygamma<const F: bool>(n: f32, x: f32) -> f32 {
        <f64 as Math>::polygamma::<F>(f64::from(n), f64::from(x)) as f32
    }
}
