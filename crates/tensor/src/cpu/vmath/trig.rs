//! Double-precision sine, cosine and tangent.
//!
//! The fast forms hold for `|x| <= LIMIT`; the `*_large` forms reduce any finite
//! argument exactly against 1280 bits of 2/pi and are calls, not lanes.

use super::arith::Arith;
use std::f64::consts::{FRAC_PI_2, PI};

/// The fast forms' largest argument: the quotient must fit the 20 bits the parts of pi/2 leave free.
pub(super) const LIMIT: f64 = 1_048_576.0;

const SHIFT: f64 = 6_755_399_441_055_744.0; // 1.5 * 2^52
const FRAC_PI_2_LO: f64 = 6.123_233_995_736_766e-17;
pub(super) const PI_LO: f64 = 1.224_646_799_147_353_2e-16;
/// pi/2 in three parts of 33 bits and one of 53.
const PI_2: [f64; 4] = [
    1.570_796_326_734_125_6,
    6.077_100_506_303_966e-11,
    2.022_266_248_711_166_5e-21,
    8.478_427_660_368_9e-32,
];

/// (sin(r) / r - 1) / z in z = r^2, |r| <= pi/4
const SIN: [f64; 6] = [
    1.589_666_689_148_750_8e-10,
    -2.505_075_596_836_231e-8,
    2.755_731_367_871_716_4e-6,
    -1.984_126_982_977_136_8e-4,
    8.333_333_333_322_37e-3,
    -0.166_666_666_666_666_32,
];
/// (cos(r) - 1 + z / 2) / z^2 in z = r^2, |r| <= pi/4
const COS: [f64; 6] = [
    -1.135_842_378_997_281_5e-11,
    2.087_569_871_407_638_6e-9,
    -2.755_731_416_401_995_6e-7,
    2.480_158_728_880_018_7e-5,
    -1.388_888_888_887_297_5e-3,
    4.166_666_666_666_659_5e-2,
];

/// `x = q pi/2 + r + l` for `|x| <= LIMIT`: returns `q` modulo a power of two, `r`, `l`.
#[inline(always)]
fn reduce<const F: bool>(x: f64) -> (u64, f64, f64) {
    let t = x.fma::<F>(std::f64::consts::FRAC_2_PI, SHIFT);
    let n = t - SHIFT;
    let a = n.fma::<F>(-PI_2[0], x);
    let (b, be) = a.two_sum(-(n * PI_2[1]));
    let (c, ce) = b.two_sum(-(n * PI_2[2]));
    let (r, l) = c.fast_two_sum((be + ce) - n * PI_2[3]);
    (t.to_bits(), r, l)
}

/// sin and cos of `r + l`, `|r| <= pi/4`.
#[inline(always)]
fn sin_cos<const F: bool>(r: f64, l: f64) -> (f64, f64) {
    let z = r * r;
    let half = 0.5 * z;
    let s = r + r.fma::<F>(z * z.poly::<F, 6>(SIN), l * (1.0 - half));
    let w = 1.0 - half;
    let c = w + (((1.0 - w) - half) + (z * z).fma::<F>(z.poly::<F, 6>(COS), -(r * l)));
    (s, c)
}

/// The sine of an angle `q` quadrants beyond the one whose sine and cosine are given.
#[inline(always)]
fn turn(q: u64, (s, c): (f64, f64)) -> f64 {
    let v = if q & 1 == 0 { s } else { c };
    f64::from_bits(v.to_bits() ^ ((q & 2) << 62))
}

#[inline(always)]
fn tangent(q: u64, (s, c): (f64, f64)) -> f64 {
    let even = q & 1 == 0;
    let (num, den) = if even { (s, c) } else { (-c, s) };
    num / den
}

#[inline(always)]
pub(super) fn sin<const F: bool>(x: f64) -> f64 {
    let (q, r, l) = reduce::<F>(x);
    let y = turn(q, sin_cos::<F>(r, l));
    if x == 0.0 { x } else { y }
}

#[inline(always)]
pub(super) fn cos<const F: bool>(x: f64) -> f64 {
    let (q, r, l) = reduce::<F>(x);
    turn(q.wrapping_add(1), sin_cos::<F>(r, l))
}

#[inline(always)]
pub(super) fn tan<const F: bool>(x: f64) -> f64 {
    let (q, r, l) = reduce::<F>(x);
    let y = tangent(q, sin_cos::<F>(r, l));
    if x == 0.0 { x } else { y }
}

/// 64 zero bits, then 2/pi.
const TWO_OVER_PI: [u64; 21] = [
    0x0000_0000_0000_0000,
    0xa2f9_836e_4e44_1529,
    0xfc27_57d1_f534_ddc0,
    0xdb62_9599_3c43_9041,
    0xfe51_63ab_debb_c561,
    0xb724_6e3a_424d_d2e0,
    0x0649_2eea_09d1_921c,
    0xfe1d_eb1c_b129_a73e,
    0xe882_35f5_2ebb_4484,
    0xe99c_7026_b45f_7e41,
    0x3991_d639_8353_39f4,
    0x9c84_5f8b_bdf9_283b,
    0x1ff8_97ff_de05_980f,
    0xef2f_118b_5a0a_6d1f,
    0x6d36_7ecf_27cb_09b7,
    0x4f46_3f66_9e5f_ea2d,
    0x7527_bac7_ebe5_f17b,
    0x3d07_39f7_8a52_92ea,
    0x6bfb_5fb1_1f8d_5d08,
    0x5603_3046_fc7b_6bab,
    0xf0cf_bc20_9af4_361d,
];

/// [`reduce`] for any finite `|x| >= 2^10` (Payne and Hanek's method): the product of the integer
/// mantissa with the 192 bits of 2/pi that matter modulo 4.
fn reduce_large(x: f64) -> (u64, f64, f64) {
    let bits = x.to_bits();
    let mantissa = u128::from((bits & (u64::MAX >> 12)) | (1 << 52));
    // 2^(exponent - 1075) is the mantissa's unit; two bits stay before the point, 64 are padding.
    let start = ((bits >> 52) & 0x7ff) as usize + 62 - 1075;
    let (word, shift) = (start / 64, (start % 64) as u32);
    let window = |i: usize| {
        let pair = u128::from(TWO_OVER_PI[word + i]) << 64 | u128::from(TWO_OVER_PI[word + i + 1]);
        ((pair << shift) >> 64) as u64
    };
    let low = mantissa * u128::from(window(2));
    let mid = mantissa * u128::from(window(1)) + (low >> 64);
    let high = (mantissa as u64).wrapping_mul(window(0)).wrapping_add((mid >> 64) as u64);
    let product = u128::from(high) << 64 | u128::from(mid as u64);
    let fraction = (product << 2 | u128::from(low as u64 >> 62)) as i128;
    // A fraction of one half or more counts down from the next quadrant: its sign bit is set.
    let q = (high >> 62).wrapping_add(u64::from(fraction < 0));
    let h = fraction as f64;
    let l = (fraction - h as i128) as f64;
    let unit = f64::from_bits((1023 - 128) << 52);
    let (h, l) = (h * unit, l * unit);
    let (p, pe) = h.two_prod::<false>(FRAC_PI_2);
    let (r, l) = p.fast_two_sum(pe + (h * FRAC_PI_2_LO + l * FRAC_PI_2));
    if x < 0.0 { (q.wrapping_neg(), -r, -l) } else { (q, r, l) }
}

#[inline(never)]
pub(super) fn sin_large(x: f64) -> f64 {
    if !x.is_finite() {
        return f64::NAN;
    }
    let (q, r, l) = reduce_large(x);
    turn(q, sin_cos::<false>(r, l))
}

#[inline(never)]
pub(super) fn cos_large(x: f64) -> f64 {
    if !x.is_finite() {
        return f64::NAN;
    }
    let (q, r, l) = reduce_large(x);
    turn(q.wrapping_add(1), sin_cos::<false>(r, l))
}

#[inline(never)]
pub(super) fn tan_large(x: f64) -> f64 {
    if !x.is_finite() {
        return f64::NAN;
    }
    let (q, r, l) = reduce_large(x);
    tangent(q, sin_cos::<false>(r, l))
}

/// sin and cos of `pi t`, `|t| <= 1/2`.
#[inline(always)]
pub(super) fn sin_cos_pi<const F: bool>(t: f64) -> (f64, f64) {
    let at = t.abs();
    let fold = at > 0.25;
    let u = if fold { 0.5 - at } else { at };
    let r = u * PI;
    let (s, c) = sin_cos::<F>(r, u * PI_LO);
    let (s, c) = if fold { (c, s) } else { (s, c) };
    (s.copysign(t), c)
}
