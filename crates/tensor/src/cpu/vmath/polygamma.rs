//! The polygamma functions of any order, as scalar calls: the number of terms
//! depends on the order, so lanes would not run in step.

use super::Math;

/// B(2k) / (2k)! for k = 1..=12
const BERNOULLI: [f64; 12] = [
    8.333_333_333_333_333e-2,
    -1.388_888_888_888_889e-3,
    3.306_878_306_878_307e-5,
    -8.267_195_767_195_768e-7,
    2.087_675_698_786_81e-8,
    -5.284_190_138_687_493e-10,
    1.338_253_653_068_467_9e-11,
    -3.389_680_296_322_582_7e-13,
    8.586_062_056_277_845e-15,
    -2.174_868_698_558_062e-16,
    5.509_002_828_360_229_5e-18,
    -1.395_446_468_581_252_2e-19,
];
/// Up to here (n - 1)! / x^n is multiplied out; beyond, logarithms lose less than the bar allows.
const PRODUCT_ORDER: f64 = 2000.0;

/// `(n - 1)! / x^n` with factors ordered so that no intermediate product over- or underflows
/// unless the result does.
fn unit(n: f64, x: f64) -> f64 {
    if n > PRODUCT_ORDER {
        return Math::exp::<false>(Math::lgamma::<false>(n) - n * Math::log::<false>(x));
    }
    let (mut low, mut high) = (1.0, n - 1.0);
    let mut product = 1.0 / x;
    while low <= high {
        if product > 1.0 {
            product *= low / x;
            low += 1.0;
        } else {
            product *= high / x;
            high -= 1.0;
        }
    }
    product
}

/// `(b / a)^n` for `a >= b > 0`.
fn ratio_power(b: f64, a: f64, n: f64) -> f64 {
    Math::exp::<false>(-n * Math::log1p::<false>((a - b) / b))
}

/// `n! zeta(n + 1, x)` for `x > 0`, by Euler and Maclaurin's summation.
fn zeta(n: f64, x: f64) -> f64 {
    // Everything is relative to (n - 1)! / x^n, which over- and underflows last.
    let mut sum = 0.0;
    let mut y = x;
    while y < n + 12.0 {
        let term = n / x * ratio_power(x, y, n + 1.0);
        sum += term;
        y += 1.0;
        if term < sum * 1e-18 {
            return unit(n, x) * sum;
        }
    }
    let z = 1.0 / (y * y);
    let mut term = n * z;
    let mut tail = 1.0 + 0.5 * n / y;
    let mut rising = n + 1.0;
    for b in BERNOULLI {
        tail += b * term * rising;
        term *= rising * (rising + 1.0) * z;
        rising += 2.0;
    }
    sum += ratio_power(x, y, n) * tail;
    unit(n, x) * sum
}

#[inline(never)]
pub(super) fn polygamma(n: f64, x: f64) -> f64 {
    if n == 0.0 {
        return Math::digamma::<false>(x);
    }
    if !(0.0..=1e15).contains(&n) || n != n.floor() || x.is_nan() || x == f64::NEG_INFINITY {
        return f64::NAN;
    }
    let even = n * 0.5 == (n * 0.5).floor();
    let sign = if even { -1.0 } else { 1.0 };
    if x == f64::INFINITY {
        return sign * 0.0;
    }
    if x > 0.0 {
        return sign * zeta(n, x);
    }
    let (low, high) = (x - x.floor(), x.ceil() - x);
    if high == 0.0 {
        return sign * f64::INFINITY;
    }
    // The sum over all integers is that of two one-sided sums; what lies beyond 1 - x is too much.
    let right = zeta(n, low);
    let all = zeta(n, high);
    let left = if all.is_infinite() { all } else { all - zeta(n, 1.0 - x) };
    let left = if even { -left } else { left };
    // Of two infinities the nearer pole's decides.
    let overflow = right.is_infinite() && left.is_infinite();
    let sum = if overflow && low < high {
        right
    } else if overflow {
        left
    } else {
        right + left
    };
    sign * sum
}
