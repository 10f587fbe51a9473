//! Double-precision error functions and the gamma family.
//!
//! Every coefficient array is a minimax fit of ours on the interval its comment
//! names; the highest power comes first.

use super::Math;
use super::arith::Arith;
use super::f64::{exp_parts, scale};
use super::trig::{PI_LO, sin_cos_pi};
use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// erf(x) / x in z = x^2, |x| <= 1
const ERF: [f64; 12] = [
    -7.775_940_543_827_284e-10,
    1.370_911_574_340_219_4e-8,
    -1.620_588_885_656_815_8e-7,
    1.644_707_694_953_785_8e-6,
    -1.492_470_795_004_999_8e-5,
    1.205_529_335_460_506_6e-4,
    -8.548_325_922_038_078e-4,
    5.223_977_605_970_333e-3,
    -2.686_617_064_309_391_7e-2,
    0.112_837_916_709_440_78,
    -0.376_126_389_031_835_15,
    std::f64::consts::FRAC_2_SQRT_PI,
];
/// (1 + 2x) e^(x^2) erfc(x) in t = (x - 4) / (x + 4), 0.79 <= x <= 28
const ERFCX: [f64; 20] = [
    6.323_489_580_280_766e-8,
    4.178_138_188_275_759_5e-8,
    -7.589_683_874_102_773e-7,
    3.214_919_199_394_178_5e-7,
    5.659_078_379_438_409e-6,
    -1.123_517_123_532_157_8e-5,
    -2.437_628_515_452_510_6e-5,
    1.506_254_650_197_582e-4,
    -1.992_631_026_473_971e-4,
    -7.577_739_666_032_469e-4,
    5.031_971_082_876_38e-3,
    -1.619_773_398_359_369_5e-2,
    3.716_751_542_422_255e-2,
    -6.633_036_581_693_22e-2,
    9.373_283_500_468_339e-2,
    -0.101_039_066_036_149_01,
    6.809_705_425_453_105e-2,
    1.537_965_210_261_768_6e-2,
    -0.139_621_116_840_561_3,
    1.232_995_118_625_552_6,
];
/// (1 / gamma(2 + d) - 1) / d, 0 <= d <= 1
const RGAMMA: [f64; 14] = [
    1.716_201_550_771_866e-8,
    -2.359_475_314_227_798e-7,
    1.374_690_122_559_051_2e-6,
    -2.618_636_765_374_305e-6,
    -1.752_927_300_819_743_4e-5,
    1.455_901_860_332_906_3e-4,
    -3.608_367_708_913_418e-4,
    -8.043_296_444_285_057e-4,
    8.023_272_891_252_087e-3,
    -1.764_524_451_387_382_6e-2,
    -2.455_249_001_078_891_8e-2,
    0.191_091_101_388_136_2,
    -0.233_093_736_421_805_23,
    -0.422_784_335_098_466_86,
];
/// x (ln gamma(x) - (x - 1/2) ln x + x - ln(2 pi) / 2) in z = 1 / x^2, x >= 8
const STIRLING: [f64; 6] = [
    -1.613_279_981_200_489_1e-3,
    8.355_455_666_420_808e-4,
    -5.951_743_037_059_436e-4,
    7.936_504_589_504_122e-4,
    -2.777_777_776_966_883e-3,
    8.333_333_333_333_268e-2,
];
/// x^2 (ln x - 1 / (2x) - digamma(x)) in z = 1 / x^2, x >= 8
const DIGAMMA: [f64; 6] = [
    -1.721_923_188_568_645_3e-2,
    7.497_344_842_682_75e-3,
    -4.165_863_666_365_676e-3,
    3.968_249_765_280_286e-3,
    -8.333_333_323_168_565e-3,
    8.333_333_333_332_513e-2,
];
/// erfinv(x) / x in w - 2.5, w = -ln(1 - x^2) <= 5; to 26 bits
const ERFINV_MID: [f64; 10] = [
    -8.590_105_962_468_252e-9,
    2.318_394_356_227_84e-8,
    4.633_768_354_694_773e-7,
    -3.462_111_456_945_236e-6,
    -4.950_445_271_658_767e-6,
    2.183_422_022_811_607_6e-4,
    -1.252_763_833_385_577_9e-3,
    -4.177_384_120_910_504e-3,
    0.246_640_296_158_450_2,
    1.501_409_358_781_585_5,
];
/// erfinv(x) / x in sqrt(w) - 4, w >= 5; to 20 bits
const ERFINV_TAIL: [f64; 10] = [
    -1.446_597_731_768_725_4e-6,
    1.960_170_047_661_93e-5,
    -6.829_002_936_603_219e-5,
    8.017_855_018_292_224e-5,
    -5.440_716_861_794_481e-5,
    2.743_917_814_262_228_5e-4,
    -9.164_723_028_233_13e-4,
    1.283_389_285_542_548_8e-3,
    1.009_504_099_813_335,
    3.839_782_162_934_368,
];
const HALF_SQRT_PI: f64 = 0.886_226_925_452_758;
const HALF_LN_2PI: f64 = 0.918_938_533_204_672_8;

/// erf(x) / x for `|x| <= 1`.
#[inline(always)]
fn erf_ratio<const F: bool>(x: f64) -> f64 {
    (x * x).poly::<F, 12>(ERF)
}

/// erfc(x) for `x >= 0.79`.
#[inline(always)]
fn erfc_far<const F: bool>(x: f64) -> f64 {
    let x = x.bound(0.79, 28.0);
    let (z, ze) = x.two_prod::<F>(x);
    let (m, t) = exp_parts::<F>(-z, -ze);
    let u = (x - 4.0) / (x + 4.0);
    scale(m * (u.poly::<F, 20>(ERFCX) / (1.0 + 2.0 * x)), t)
}

#[inline(always)]
pub(super) fn erf<const F: bool>(x: f64) -> f64 {
    let far = (1.0 - erfc_far::<F>(x.abs())).copysign(x);
    if x.abs() > 1.0 { far } else { x * erf_ratio::<F>(x) }
}

#[inline(always)]
pub(super) fn erfc<const F: bool>(x: f64) -> f64 {
    let far = erfc_far::<F>(x.abs());
    let near = x.fma::<F>(-erf_ratio::<F>(x), 1.0);
    let y = if x < -1.0 { 2.0 - far } else { near };
    if x > 0.8 { far } else { y }
}

/// `f` times the normal distribution function at `-a`, for `0 <= a <= 40`; subnormal only where that product is.
#[inline(always)]
fn times_normal_tail<const F: bool>(f: f64, a: f64) -> f64 {
    let (z, ze) = a.two_prod::<F>(a);
    let (m, t) = exp_parts::<F>(-0.5 * z, -0.5 * ze);
    let x = a * FRAC_1_SQRT_2;
    let far = x.bound(0.79, 29.0);
    let u = (far - 4.0) / (far + 4.0);
    let far = scale(f * (0.5 * m * (u.poly::<F, 20>(ERFCX) / (1.0 + 2.0 * far))), t);
    let near = x.bound(0.0, 1.0);
    let near = f * near.fma::<F>(-0.5 * erf_ratio::<F>(near), 0.5);
    if x > 0.8 { far } else { near }
}

#[inline(always)]
pub(super) fn ndtr<const F: bool>(x: f64) -> f64 {
    let tail = times_normal_tail::<F>(1.0, x.abs().bound(0.0, 40.0));
    if x > 0.0 { 1.0 - tail } else { tail }
}

#[inline(always)]
pub(super) fn gelu<const F: bool>(x: f64) -> f64 {
    let bounded = x.bound(-40.0, 40.0);
    let tail = times_normal_tail::<F>(bounded, bounded.abs());
    if x > 0.0 { x - tail } else { tail }
}

#[inline(always)]
pub(super) fn erfinv<const F: bool>(x: f64) -> f64 {
    let ax = x.abs();
    let w = -Math::log1p::<F>(-ax * ax);
    let w = if ax > 0.5 { -Math::log::<F>((1.0 - ax) * (1.0 + ax)) } else { w };
    let tail = (w.sqrt() - 4.0).poly::<F, 10>(ERFINV_TAIL);
    let guess = ax * if w > 5.0 { tail } else { (w - 2.5).poly::<F, 10>(ERFINV_MID) };
    let far = ax > 0.5;
    let below = guess * erf_ratio::<F>(guess.bound(0.0, 1.0)) - ax;
    let above = (1.0 - ax) - erfc::<F>(guess);
    let error = if far { above } else { below };
    // One step of Halley's method.
    let u = error * Math::exp::<F>(guess * guess) * HALF_SQRT_PI;
    let y = guess - u / guess.fma::<F>(u, 1.0);
    let y = if ax == 1.0 { f64::INFINITY } else { y };
    if ax <= 1.0 { y.copysign(x) } else { f64::NAN }
}

/// `1 / gamma(x)` for `0 <= x < 8`, from `1 / gamma` on `[2, 3)`, and the relative error of its
/// last sum and product.
#[inline(always)]
fn reciprocal_gamma<const F: bool>(x: f64) -> (f64, f64) {
    let mut r = x;
    let mut p = 1.0;
    for _ in 0..5 {
        let over = r >= 3.0;
        r = if over { r - 1.0 } else { r };
        p = if over { p * r } else { p };
    }
    let q = if x < 2.0 { x } else { 1.0 };
    let q = if x < 1.0 { x * (x + 1.0) } else { q };
    let d = if x < 2.0 { x - 1.0 } else { r - 2.0 };
    let d = if x < 1.0 { x } else { d };
    let (v, ve) = 1.0_f64.fast_two_sum(d * d.poly::<F, 14>(RGAMMA));
    let (g, ge) = q.two_prod::<F>(v);
    (g / p, q.fma::<F>(ve, ge) / g)
}

/// ln gamma(x) for `x >= 8`.
#[inline(always)]
fn stirling<const F: bool>(x: f64) -> f64 {
    let inv = 1.0 / x;
    let z = inv * inv;
    let tail = inv.fma::<F>(z.poly::<F, 6>(STIRLING), HALF_LN_2PI - 0.5);
    (x - 0.5).fma::<F>(Math::log::<F>(x) - 1.0, tail)
}

#[inline(always)]
pub(super) fn lgamma<const F: bool>(x: f64) -> f64 {
    let ax = x.abs();
    let large = ax >= 8.0;
    // gamma(x) gamma(-x) = -pi / (x sin(pi x)); next to zero gamma(x) = 1 / x decides.
    let mirror = x < 0.0 && ax > 1e-18;
    let (s, _) = sin_cos_pi::<F>(ax - ax.round_ties_even());
    let s = s.abs();
    let (g, ge) = reciprocal_gamma::<F>(if large { 1.0 } else { ax });
    // pi g / (x sin(pi x)) and its relative rounding error, which matters where lgamma is small.
    let (num, ne) = if mirror { g.two_prod::<F>(PI) } else { (g, 0.0) };
    let ne = if mirror { g.fma::<F>(PI_LO, ne) } else { ne };
    let (den, de) = if mirror { ax.two_prod::<F>(s) } else { (1.0, 0.0) };
    let ratio = num / den;
    let (p, pe) = ratio.two_prod::<F>(den);
    let lost = (((num - p) - pe) + ne - ratio * de) / num + ge;
    let log = Math::log::<F>(ratio);
    let log = if large || ax < 1e-18 { log } else { log + lost };
    let far = stirling::<F>(if large { ax } else { 8.0 });
    let near = if mirror { log } else { 0.0 - log };
    let y = if large { if mirror { log - far } else { far } } else { near };
    let pole = mirror && s == 0.0;
    if pole || ax == f64::INFINITY { f64::INFINITY } else { y }
}

#[inline(always)]
pub(super) fn digamma<const F: bool>(x: f64) -> f64 {
    // digamma(x) = digamma(1 - x) - pi / tan(pi x)
    let mirror = x < 0.0;
    let y = if mirror { 1.0 - x } else { x };
    // sum of 1 / (y + k) for k = 0..8 as one fraction
    let low = y < 8.0;
    let base = if low { y } else { 1.0 };
    let (mut num, mut den) = (1.0, base);
    for k in 1..8 {
        let f = base + f64::from(k);
        num = num.fma::<F>(f, den);
        den *= f;
    }
    let sum = if low { num / den } else { 0.0 };
    let up = if low { y + 8.0 } else { y };
    let inv = 1.0 / up;
    let z = inv * inv;
    let far = Math::log::<F>(up) - inv.fma::<F>(0.5, z * z.poly::<F, 6>(DIGAMMA));
    let (s, c) = sin_cos_pi::<F>(x - x.round_ties_even());
    let y = far - sum;
    let mirrored = if s == 0.0 { f64::NAN } else { y - PI * c / s };
    if mirror { mirrored } else { y }
}
