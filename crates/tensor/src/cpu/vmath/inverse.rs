//! Inverse trigonometric functions and hyperbolic pairs, whose text is the same
//! for both types: only coefficients and the low parts of pi differ.
//!
//! Every coefficient array is a minimax fit of ours on the interval its comment
//! names; the highest power comes first.

macro_rules! functions {
    (
        $m:ident, $t:ident, huge $huge:literal, near_overflow $near_overflow:literal, pi_2_lo $pi_2_lo:literal,
        asin $asin:expr, atan $atan:expr, sinh $sinh:expr
    ) => {
        pub(super) mod $m {
            use super::super::Math;
            use super::super::arith::Arith;
            use super::super::$t::half_exp;
            use std::$t::consts::{FRAC_PI_2, LN_2, PI, SQRT_2};

            const FRAC_PI_2_LO: $t = $pi_2_lo;
            const PI_LO: $t = 2.0 * FRAC_PI_2_LO;
            const TAN_PI_8: $t = SQRT_2 - 1.0;
            const TAN_3_PI_8: $t = SQRT_2 + 1.0;

            /// For `|x| <= 1/2` the series of asin in `x`, else in `sqrt((1 - |x|) / 2)`: its first
            /// term, the others, and whether the second form was taken.
            #[inline(always)]
            fn asin_series<const F: bool>(ax: $t) -> ($t, $t, bool) {
                let far = ax > 0.5;
                let half = 0.5 * (1.0 - ax);
                let s = if far { half.sqrt() } else { ax };
                let z = if far { half } else { ax * ax };
                (s, s * (z * z.poly::<F, _>($asin)), far)
            }

            #[inline(always)]
            pub(in super::super) fn asin<const F: bool>(x: $t) -> $t {
                let (s, tail, far) = asin_series::<F>(x.abs());
                let y = if far { (FRAC_PI_2 - 2.0 * s) - (2.0 * tail - FRAC_PI_2_LO) } else { s + tail };
                y.copysign(x)
            }

            #[inline(always)]
            pub(in super::super) fn acos<const F: bool>(x: $t) -> $t {
                let (s, tail, far) = asin_series::<F>(x.abs());
                let near = FRAC_PI_2 - (s.copysign(x) + (tail.copysign(x) - FRAC_PI_2_LO));
                let edge = 2.0 * (s + tail);
                let edge = if x < 0.0 { PI - (edge - PI_LO) } else { edge };
                if far { edge } else { near }
            }

            /// `atan(y / x)` for `x, y >= 0`, not both zero or infinite, by one division.
            #[inline(always)]
            fn atan_quotient<const F: bool>(y: $t, x: $t) -> $t {
                let steep = y > TAN_3_PI_8 * x;
                let middle = y > TAN_PI_8 * x;
                let (num, den) = if middle { (y - x, y + x) } else { (y, x) };
                let (num, den) = if steep { (-x, y) } else { (num, den) };
                let turns = if middle { 0.5 } else { 0.0 };
                let turns = if steep { 1.0 } else { turns };
                let q = num / den;
                let z = q * q;
                let tail = q.fma::<F>(z * z.poly::<F, _>($atan), turns * FRAC_PI_2_LO);
                turns * FRAC_PI_2 + (q + tail)
            }

            #[inline(always)]
            pub(in super::super) fn atan<const F: bool>(x: $t) -> $t {
                atan_quotient::<F>(x.abs(), 1.0).copysign(x)
            }

            #[inline(always)]
            pub(in super::super) fn atan2<const F: bool>(y: $t, x: $t) -> $t {
                let (ay, ax) = (y.abs(), x.abs());
                let both = ay > $t::MAX && ax > $t::MAX;
                let (ay, ax) = if both { (1.0, 1.0) } else { (ay, ax) };
                // A quarter keeps the sum of two huge operands finite.
                let scale = if ay > $near_overflow || ax > $near_overflow { 0.25 } else { 1.0 };
                let a = atan_quotient::<F>(ay * scale, ax * scale);
                let a = if ay == 0.0 { 0.0 } else { a };
                let a = if x.is_sign_negative() { PI - (a - PI_LO) } else { a };
                if x.is_nan() { x } else { a.copysign(y) }
            }

            #[inline(always)]
            pub(in super::super) fn sinh<const F: bool>(x: $t) -> $t {
                let ax = x.abs();
                let z = ax * ax;
                let small = ax.fma::<F>(z * z.poly::<F, _>($sinh), ax);
                let h = half_exp::<F>(ax);
                if ax <= 1.0 { small } else { h - 0.25 / h }.copysign(x)
            }

            #[inline(always)]
            pub(in super::super) fn cosh<const F: bool>(x: $t) -> $t {
                let h = half_exp::<F>(x.abs());
                h + 0.25 / h
            }

            /// `ln(1 + u)` or, where squares and doublings of `x` lose to it, `ln(x) + ln 2`.
            #[inline(always)]
            fn log1p_or_double<const F: bool>(x: $t, u: $t) -> $t {
                let huge = x > $huge;
                let y = Math::log1p::<F>(if huge { x } else { u });
                if huge { y + LN_2 } else { y }
            }

            #[inline(always)]
            pub(in super::super) fn asinh<const F: bool>(x: $t) -> $t {
                let ax = x.abs();
                let z = ax * ax;
                log1p_or_double::<F>(ax, ax + z / (1.0 + (z + 1.0).sqrt())).copysign(x)
            }

            #[inline(always)]
            pub(in super::super) fn acosh<const F: bool>(x: $t) -> $t {
                let u = x - 1.0;
                let y = log1p_or_double::<F>(x, u + u.fma::<F>(u, 2.0 * u).sqrt());
                if x >= 1.0 { y } else { $t::NAN }
            }

            #[inline(always)]
            pub(in super::super) fn atanh<const F: bool>(x: $t) -> $t {
                let ax = x.abs();
                (0.5 * Math::log1p::<F>(2.0 * ax / (1.0 - ax))).copysign(x)
            }

            #[inline(always)]
            pub(in super::super) fn softplus<const F: bool>(x: $t) -> $t {
                let y = Math::log1p::<F>(Math::exp::<F>(-x.abs()));
                if x > 0.0 { x + y } else { y }
            }
        }
    };
}

/// (asin(x) / x - 1) / z in z = x^2, |x| <= 1/2
const ASIN_32: [f32; 5] = [4.221_995e-2, 2.414_807_7e-2, 4.547_666_4e-2, 7.495_249e-2, 0.166_667_54];
/// (atan(q) / q - 1) / z in z = q^2, |q| <= tan(pi/8)
const ATAN_32: [f32; 5] = [-6.090_176e-2, 0.105_993_1, -0.142_444_2, 0.199_985_3, -0.333_333_16];
/// (sinh(x) / x - 1) / z in z = x^2, |x| <= 1
const SINH_32: [f32; 4] = [2.783_979_9e-6, 1.984_263e-4, 8.333_311e-3, 0.166_666_67];
/// (asin(x) / x - 1) / z in z = x^2, |x| <= 1/2
const ASIN_64: [f64; 12] = [
    3.198_167_561_021_217_4e-2,
    -1.632_668_675_013_591e-2,
    1.959_434_878_851_729_8e-2,
    6.503_512_151_581_284e-3,
    1.217_494_580_360_578e-2,
    1.388_434_957_674_706e-2,
    1.735_979_577_996_221e-2,
    2.237_175_192_453_684_5e-2,
    3.038_195_939_621_176_5e-2,
    4.464_285_682_195_547e-2,
    7.500_000_000_344_82e-2,
    0.166_666_666_666_653_75,
];
/// (atan(q) / q - 1) / z in z = q^2, |q| <= tan(pi/8)
const ATAN_64: [f64; 11] = [
    -1.790_730_685_095_098_8e-2,
    3.806_491_768_357_321e-2,
    -5.039_329_203_521_363e-2,
    5.847_896_989_960_637_6e-2,
    -6.663_105_393_613_468e-2,
    7.692_060_355_606_45e-2,
    -9.090_897_766_681_405e-2,
    0.111_111_107_837_983_54,
    -0.142_857_142_802_036_37,
    0.199_999_999_999_536_58,
    -0.333_333_333_333_332,
];
/// (sinh(x) / x - 1) / z in z = x^2, |x| <= 1
const SINH_64: [f64; 7] = [
    7.759_424_555_914_766e-13,
    1.605_723_673_423_204_2e-10,
    2.505_212_344_356_455_7e-8,
    2.755_731_915_506_253e-6,
    1.984_126_984_143_852e-4,
    8.333_333_333_333_137e-3,
    0.166_666_666_666_666_69,
];

functions!(
    single, f32, huge 1e15, near_overflow 1e37, pi_2_lo -4.371_139e-8,
    asin super::ASIN_32, atan super::ATAN_32, sinh super::SINH_32
);
functions!(
    double, f64, huge 1e150, near_overflow 1e300, pi_2_lo 6.123_233_995_736_766e-17,
    asin super::ASIN_64, atan super::ATAN_64, sinh super::SINH_64
);
