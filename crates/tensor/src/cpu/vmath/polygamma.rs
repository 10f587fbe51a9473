//! The polygamma functions of any order, as scalar calls: the number of terms
//! depends on the order, so lanes would not run in step.

use super::Math;

/// B(2k) / (2k)! for k = 1..=12
const BERNOULLI: [f64; 12] = [
    0.08333333333333333,
    -0.001388888888888889,
    3.306878306878307e-05,
    -8.267195767195768e-07,
    2.08767569878681e-08,
    -5.284190138687493e-10,
    1.3382536530684679e-11,
    -3.3896802963225827e-13,
    8.586062056277845e-15,
    -2.174868698558062e-16,
    5.5090028283602295e-18,
    -1.3954464685812522e-19,
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
    for (k, b) in BERNOULLI.iter().enumerate() {
        tail += b * term * (n + 1.0 + 2.0 * k as f64);
        term *= (n + 1.0 + 2.0 * k as f64) * (n + 2.0 + 2.0 * k as f64) * z;
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
