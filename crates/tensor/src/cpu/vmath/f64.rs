//! Double-precision exponentials, logarithms, tanh and sigmoid, and the table
//! that makes `f64` a [`Math`].
//!
//! Every coefficient array is a minimax fit of ours on the interval its comment
//! names; the highest power comes first.

use super::arith::Arith;
use super::{Math, inverse, polygamma, pow, special, trig};

pub(super) const LN2_HI: f64 = 0.693_147_180_559_890_3; // 42 bits: an 11-bit integer times it is exact
pub(super) const LN2_LO: f64 = 5.497_923_018_708_371e-14;
const LOG10_2_HI: f64 = 0.301_029_995_663_952_83; // 42 bits
const LOG10_2_LO: f64 = 2.836_339_455_104_496_4e-14;

/// Adding it rounds to an integer and leaves that integer plus 2046 in the low bits.
const SHIFT: f64 = 6_755_399_441_055_744.0 + 2046.0;
/// The bits of sqrt(1/2), where mantissas are cut.
const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
const TWO_52: f64 = 4_503_599_627_370_496.0;

/// (e^r - 1 - r) / r^2 on +-0.347
const EXP: [f64; 10] = [
    2.500_027_267_534_934_8e-8,
    2.763_031_518_851_812_5e-7,
    2.755_758_624_402_318_4e-6,
    2.480_149_292_585_713_3e-5,
    1.984_126_950_604_279_7e-4,
    1.388_888_894_377_997e-3,
    8.333_333_333_495_074e-3,
    4.166_666_666_652_968e-2,
    0.166_666_666_666_664_1,
    0.500_000_000_000_001_1,
];
/// (2^r - 1) / r on +-0.5
const EXP2: [f64; 11] = [
    4.457_395_105_985_463_3e-10,
    7.073_867_692_578_723_5e-9,
    1.017_804_640_267_32e-7,
    1.321_543_477_571_772_7e-6,
    1.525_273_386_770_082_6e-5,
    1.540_353_045_815_611e-4,
    1.333_355_814_637_884_5e-3,
    9.618_129_107_593_276e-3,
    5.550_410_866_482_174e-2,
    0.240_226_506_959_101_33,
    std::f64::consts::LN_2,
];
/// (ln((1 + s) / (1 - s)) / s - 2) / z in z = s^2, |s| <= 0.1716
const LOG: [f64; 7] = [
    0.147_975_021_059_439_4,
    0.153_139_036_993_472_34,
    0.181_835_697_274_837_92,
    0.222_221_984_760_866_76,
    0.285_714_287_432_635_5,
    0.399_999_999_994_110_8,
    0.666_666_666_666_673_5,
];

/// `x = n ln2 + r + c`: returns `(n + SHIFT, r, c)`.
#[inline(always)]
pub(super) fn reduce<const F: bool>(x: f64) -> (f64, f64, f64) {
    let t = x.fma::<F>(std::f64::consts::LOG2_E, SHIFT);
    let n = t - SHIFT;
    let h = n.fma::<F>(-LN2_HI, x);
    let r = n.fma::<F>(-LN2_LO, h);
    (t, r, n.fma::<F>(-LN2_LO, h - r))
}

/// `y * 2^n` for `t = n + SHIFT`, rounded once also where the result is subnormal.
#[inline(always)]
pub(super) fn scale(y: f64, t: f64) -> f64 {
    let half = t.to_bits() >> 1;
    y * f64::from_bits(half << 52) * f64::from_bits(t.to_bits().wrapping_sub(half) << 52)
}

/// `e^(hi + lo) = y 2^n` for a small `lo`: returns `y` and `n + SHIFT` for [`scale`].
#[inline(always)]
pub(super) fn exp_parts<const F: bool>(hi: f64, lo: f64) -> (f64, f64) {
    let x = hi.bound(-800.0, 800.0);
    let (t, r, c) = reduce::<F>(x);
    let q = r * r * r.poly::<F, 10>(EXP);
    let q = (c + lo).fma::<F>(1.0 + (r + q), q);
    (1.0 + (r + q), t)
}

/// `e^x - 1 = (s + e) 2^n` with `s + e` to twice the precision: returns `(s, e, n + SHIFT)`.
#[inline(always)]
fn expm1_parts<const F: bool>(x: f64) -> (f64, f64, f64) {
    let (t, r, c) = reduce::<F>(x);
    let q = (r * r).fma::<F>(r.poly::<F, 10>(EXP), c);
    let (h, l) = r.fast_two_sum(q);
    let unit = f64::from_bits(3069_u64.wrapping_sub(t.to_bits()) << 52); // 2^-n
    let unit = if x > 100.0 { 0.0 } else { unit };
    let (s, e) = (1.0 - unit).fast_two_sum(h);
    (s, e + l, t)
}

/// `x = 2^e (1 + f)` with `1 + f` in `[sqrt(1/2), sqrt(2))`, for positive finite `x`.
#[inline(always)]
pub(super) fn split(x: f64) -> (f64, f64) {
    let tiny = x < f64::MIN_POSITIVE;
    let x = if tiny { x * (TWO_52 * 4.0) } else { x };
    let bits = x.to_bits().wrapping_sub(SQRT_HALF);
    let bias = if tiny { (2000 - 54) << 52 } else { 2000 << 52 };
    let e = f64::from_bits(bits.wrapping_add(bias) >> 52 | TWO_52.to_bits()) - (TWO_52 + 2000.0);
    (e, f64::from_bits((bits & (u64::MAX >> 12)).wrapping_add(SQRT_HALF)) - 1.0)
}

/// `ln(1 + f) = f - (returned)`, so that callers can add small terms before the last rounding.
#[inline(always)]
fn log_deficit<const F: bool>(f: f64, small: f64) -> f64 {
    let s = f / (2.0 + f);
    let z = s * s;
    let half = 0.5 * f * f;
    half - s.fma::<F>(z.fma::<F>(z.poly::<F, 7>(LOG), half), small)
}

/// The logarithm's edges: infinity, zero, negative numbers and NaN.
#[inline(always)]
fn log_edges(x: f64, y: f64) -> f64 {
    // Not `== INFINITY`: LLVM would merge the tests into one of the number's class, 20 operations.
    let y = if x > f64::MAX { x } else { y };
    let y = if x >= 0.0 { y } else { f64::NAN };
    if x == 0.0 { f64::NEG_INFINITY } else { y }
}

/// `e^(|x|) / 2`, which overflows only where sinh and cosh do.
#[inline(always)]
pub(super) fn half_exp<const F: bool>(ax: f64) -> f64 {
    let (y, t) = exp_parts::<F>(ax, 0.0);
    scale(y * 0.5, t)
}

macro_rules! inverse {
    ($($name:ident)*) => {$(
        #[inline(always)]
        fn $name<const F: bool>(self) -> f64 {
            inverse::double::$name::<F>(self)
        }
    )*};
}

impl Math for f64 {
    inverse!(asin acos atan sinh cosh asinh acosh atanh softplus);

    #[inline(always)]
    fn exp<const F: bool>(self) -> f64 {
        let (y, t) = exp_parts::<F>(self, 0.0);
        scale(y, t)
    }
    #[inline(always)]
    fn exp2<const F: bool>(self) -> f64 {
        let x = self.bound(-1100.0, 1100.0);
        let t = x + SHIFT;
        let r = x - (t - SHIFT);
        scale(r.fma::<F>(r.poly::<F, 11>(EXP2), 1.0), t)
    }
    #[inline(always)]
    fn expm1<const F: bool>(self) -> f64 {
        let (s, e, t) = expm1_parts::<F>(self.bound(-60.0, 710.0));
        scale(s + e, t).copysign(self)
    }
    #[inline(always)]
    fn log<const F: bool>(self) -> f64 {
        let (e, f) = split(self);
        let y = e.fma::<F>(LN2_HI, f - log_deficit::<F>(f, e * LN2_LO));
        log_edges(self, y)
    }
    #[inline(always)]
    fn log2<const F: bool>(self) -> f64 {
        let (e, f) = split(self);
        let y = (f - log_deficit::<F>(f, 0.0)).fma::<F>(std::f64::consts::LOG2_E, e);
        log_edges(self, y)
    }
    #[inline(always)]
    fn log10<const F: bool>(self) -> f64 {
        let (e, f) = split(self);
        let y = (f - log_deficit::<F>(f, 0.0)).fma::<F>(std::f64::consts::LOG10_E, e * LOG10_2_LO);
        log_edges(self, e.fma::<F>(LOG10_2_HI, y))
    }
    #[inline(always)]
    fn log1p<const F: bool>(self) -> f64 {
        let (u, lost) = 1.0_f64.two_sum(self);
        let (e, f) = split(u);
        let near = e == 0.0;
        let f = if near { self } else { f };
        let small = if near { 0.0 } else { e.fma::<F>(LN2_LO, lost / u) };
        let y = e.fma::<F>(LN2_HI, f - log_deficit::<F>(f, small));
        let y = log_edges(u, y);
        if self == 0.0 { self } else { y }
    }
    #[inline(always)]
    fn sin<const F: bool>(self) -> f64 {
        trig::sin::<F>(self)
    }
    #[inline(always)]
    fn cos<const F: bool>(self) -> f64 {
        trig::cos::<F>(self)
    }
    #[inline(always)]
    fn tan<const F: bool>(self) -> f64 {
        trig::tan::<F>(self)
    }
    #[inline(always)]
    fn trig_is_large(self) -> bool {
        self.abs() > trig::LIMIT
    }
    fn sin_large(self) -> f64 {
        trig::sin_large(self)
    }
    fn cos_large(self) -> f64 {
        trig::cos_large(self)
    }
    fn tan_large(self) -> f64 {
        trig::tan_large(self)
    }
    #[inline(always)]
    fn tanh<const F: bool>(self) -> f64 {
        // (e^2x - 1) / (e^2x + 1), the quotient corrected by its residual.
        let (s, e, t) = expm1_parts::<F>((2.0 * self.abs()).bound(0.0, 40.0));
        let (n, nl) = (scale(s, t), scale(e, t));
        let (d, de) = n.two_sum(2.0);
        let inv = 1.0 / d;
        let q = n * inv;
        let (p, pe) = q.two_prod::<F>(d);
        let residual = ((n - p) - pe) + (nl - q * (de + nl));
        residual.fma::<F>(inv, q).copysign(self)
    }
    #[inline(always)]
    fn sigmoid<const F: bool>(self) -> f64 {
        // q = 1 / (1 + e^|x|), both terms scaled by 2^-256 against overflow.
        const DOWN: f64 = f64::from_bits((1023 - 256) << 52);
        let ax = self.abs();
        let (t, r, _) = reduce::<F>(if ax > 800.0 { 800.0 } else { ax });
        let (y, l) = 1.0_f64.fast_two_sum((r * r).fma::<F>(r.poly::<F, 10>(EXP), r));
        let up = f64::from_bits(t.to_bits().wrapping_sub(1023 + 256) << 52);
        let (d, de) = (up * y).fast_two_sum(DOWN);
        let de = up.fma::<F>(l, de);
        let q = 1.0 / d;
        let q = q.fma::<F>(-(de * q), q) * DOWN;
        if self > 0.0 { 1.0 - q } else { q }
    }
    #[inline(always)]
    fn sqrt(self) -> f64 {
        f64::sqrt(self)
    }
    #[inline(always)]
    fn floor(self) -> f64 {
        f64::floor(self)
    }
    #[inline(always)]
    fn ceil(self) -> f64 {
        f64::ceil(self)
    }
    #[inline(always)]
    fn trunc(self) -> f64 {
        f64::trunc(self)
    }
    #[inline(always)]
    fn round(self) -> f64 {
        f64::round_ties_even(self)
    }
    #[inline(always)]
    fn erf<const F: bool>(self) -> f64 {
        special::erf::<F>(self)
    }
    #[inline(always)]
    fn erfc<const F: bool>(self) -> f64 {
        special::erfc::<F>(self)
    }
    #[inline(always)]
    fn ndtr<const F: bool>(self) -> f64 {
        special::ndtr::<F>(self)
    }
    #[inline(always)]
    fn gelu<const F: bool>(self) -> f64 {
        special::gelu::<F>(self)
    }
    #[inline(always)]
    fn erfinv<const F: bool>(self) -> f64 {
        special::erfinv::<F>(self)
    }
    #[inline(always)]
    fn lgamma<const F: bool>(self) -> f64 {
        special::lgamma::<F>(self)
    }
    #[inline(always)]
    fn digamma<const F: bool>(self) -> f64 {
        special::digamma::<F>(self)
    }
    #[inline(always)]
    fn pow<const F: bool>(self, y: f64) -> f64 {
        pow::pow::<F>(self, y)
    }
    #[inline(always)]
    fn atan2<const F: bool>(self, x: f64) -> f64 {
        inverse::double::atan2::<F>(self, x)
    }
    #[inline(always)]
    fn hypot<const F: bool>(self, y: f64) -> f64 {
        let (a, b) = (self.abs(), y.abs());
        let big = if a > b { a } else { b };
        const UP: f64 = f64::from_bits((1023 + 600) << 52);
        const DOWN: f64 = f64::from_bits((1023 - 600) << 52);
        let (to, back) = if big > 1e150 { (DOWN, UP) } else { (1.0, 1.0) };
        let (to, back) = if big < 1e-150 { (UP, DOWN) } else { (to, back) };
        let (a, b) = (a * to, b * to);
        let r = a.fma::<F>(a, b * b).sqrt() * back;
        if self.abs() == f64::INFINITY || y.abs() == f64::INFINITY { f64::INFINITY } else { r }
    }
    fn polygamma<const F: bool>(n: f64, x: f64) -> f64 {
        polygamma::polygamma(n, x)
    }
}
