//! Elementary and special functions, written once as straight-line scalar code
//! that LLVM turns into lanes. The room holds no unsafe code, no intrinsics, no
//! calls of the C library's functions and no branches on values (selects only).
//!
//! # How to call it
//!
//! Every function is `#[inline(always)]` and takes `const F: bool`, whether the
//! instruction set of the *calling* function has fused multiply-add. A loop
//!
//! ```ignore
//! #[target_feature(enable = "avx2,fma")]
//! fn run(d: &mut [f32], a: &[f32]) {
//!     for (d, a) in d.iter_mut().zip(a) { *d = Math::tanh::<true>(*a) }
//! }
//! ```
//!
//! vectorises; with `F = false` the same line serves the baseline. A value does
//! not depend on where in the loop it stands: body and tail agree to the bit.
//! Different `F` may differ in the last bit.
//!
//! # Large arguments of sin, cos, tan
//!
//! Their lanes are right where [`Math::trig_is_large`] is false: up to `2^17` in
//! `f32` and `2^20` in `f64`, and for NaN. Beyond (infinities included) they hold
//! any number. A block kernel runs the lanes over the whole block, then replaces
//! those whose argument `trig_is_large` by `sin_large`, `cos_large`, `tan_large`,
//! which reduce exactly and are calls. On a single value use [`Math::sin_any`],
//! [`Math::cos_any`], [`Math::tan_any`].
//!
//! # Calls, not lanes
//!
//! [`Math::polygamma`] loops over terms and does not vectorise. `floor`, `ceil`,
//! `trunc`, `round` are library calls below SSE4.1, instructions from there on;
//! `pow`, `lgamma`, `digamma` use them, so the baseline runs those lane by lane.
//!
//! # Accuracy
//!
//! Over the whole range, subnormal arguments and results, infinities and NaN
//! included, in units in the last place: 0.5 `sqrt`; 1.5 `exp`, `log`, `sin`,
//! `cos`, `tanh`, `sigmoid`, `expm1`, `log1p`; 4 the other elementary functions,
//! `erf`, `erfc`, `erfinv` and `pow`; 6 `ndtr` and `gelu`; 16 of the larger of `|f|` and `|x f'(x)|`
//! for `lgamma`, `digamma`, `polygamma`. The tests beside this file hold it to that.

mod arith;
mod f32;
mod f64;
mod inverse;
mod polygamma;
mod pow;
mod special;
#[cfg(test)]
mod tests;
mod trig;

/// The functions of one float type; `F` says whether fused multiply-add is an instruction.
///
/// Names are PyTorch's; special values are IEEE 754's and C99 annex F's.
pub(crate) trait Math: Copy {
    /// e to this power.
    fn exp<const F: bool>(self) -> Self;
    /// 2 to this power.
    fn exp2<const F: bool>(self) -> Self;
    /// `exp(x) - 1`, accurate near zero.
    fn expm1<const F: bool>(self) -> Self;
    /// The natural logarithm.
    fn log<const F: bool>(self) -> Self;
    /// The logarithm to base 2, exact for powers of two.
    fn log2<const F: bool>(self) -> Self;
    /// The logarithm to base 10.
    fn log10<const F: bool>(self) -> Self;
    /// `log(1 + x)`, accurate near zero.
    fn log1p<const F: bool>(self) -> Self;
    /// The sine, unless [`trig_is_large`](Math::trig_is_large).
    fn sin<const F: bool>(self) -> Self;
    /// The cosine, unless [`trig_is_large`](Math::trig_is_large).
    fn cos<const F: bool>(self) -> Self;
    /// The tangent, unless [`trig_is_large`](Math::trig_is_large).
    fn tan<const F: bool>(self) -> Self;
    /// Whether `sin`, `cos`, `tan` of this value need the `*_large` calls; false for NaN.
    fn trig_is_large(self) -> bool;
    /// The sine of a value with `trig_is_large`; not inlined, exact reduction.
    fn sin_large(self) -> Self;
    /// The cosine of a value with `trig_is_large`; not inlined, exact reduction.
    fn cos_large(self) -> Self;
    /// The tangent of a value with `trig_is_large`; not inlined, exact reduction.
    fn tan_large(self) -> Self;
    /// The sine of any single value.
    #[cfg(test)]
    fn sin_any<const F: bool>(self) -> Self {
        if self.trig_is_large() { self.sin_large() } else { self.sin::<F>() }
    }
    /// The cosine of any single value.
    #[cfg(test)]
    fn cos_any<const F: bool>(self) -> Self {
        if self.trig_is_large() { self.cos_large() } else { self.cos::<F>() }
    }
    /// The tangent of any single value.
    #[cfg(test)]
    fn tan_any<const F: bool>(self) -> Self {
        if self.trig_is_large() { self.tan_large() } else { self.tan::<F>() }
    }
    /// The inverse sine.
    fn asin<const F: bool>(self) -> Self;
    /// The inverse cosine.
    fn acos<const F: bool>(self) -> Self;
    /// The inverse tangent.
    fn atan<const F: bool>(self) -> Self;
    /// The hyperbolic sine.
    fn sinh<const F: bool>(self) -> Self;
    /// The hyperbolic cosine.
    fn cosh<const F: bool>(self) -> Self;
    /// The hyperbolic tangent.
    fn tanh<const F: bool>(self) -> Self;
    /// The inverse hyperbolic sine.
    fn asinh<const F: bool>(self) -> Self;
    /// The inverse hyperbolic cosine.
    fn acosh<const F: bool>(self) -> Self;
    /// The inverse hyperbolic tangent.
    fn atanh<const F: bool>(self) -> Self;
    /// `1 / (1 + exp(-x))`.
    fn sigmoid<const F: bool>(self) -> Self;
    /// `log(1 + exp(x))`, without overflow.
    fn softplus<const F: bool>(self) -> Self;
    /// The square root, correctly rounded.
    fn sqrt(self) -> Self;
    /// The largest integer not above.
    fn floor(self) -> Self;
    /// The smallest integer not below.
    fn ceil(self) -> Self;
    /// The integer part.
    fn trunc(self) -> Self;
    /// The nearest integer, ties to even.
    fn round(self) -> Self;
    /// The error function.
    fn erf<const F: bool>(self) -> Self;
    /// `1 - erf(x)`, accurate in the tail.
    fn erfc<const F: bool>(self) -> Self;
    /// The distribution function of the standard normal distribution, accurate in the tail.
    fn ndtr<const F: bool>(self) -> Self;
    /// `x * ndtr(x)`, accurate in the tail.
    fn gelu<const F: bool>(self) -> Self;
    /// The inverse of `erf`.
    fn erfinv<const F: bool>(self) -> Self;
    /// `log(|gamma(x)|)`.
    fn lgamma<const F: bool>(self) -> Self;
    /// The derivative of `lgamma`; at zero an infinity, at negative integers NaN.
    fn digamma<const F: bool>(self) -> Self;
    /// `self` to the power `y`, with C99's special cases.
    fn pow<const F: bool>(self, y: Self) -> Self;
    /// The angle of the point `(x, self)`: `self` is the ordinate.
    fn atan2<const F: bool>(self, x: Self) -> Self;
    /// `sqrt(self^2 + y^2)` without intermediate over- or underflow.
    fn hypot<const F: bool>(self, y: Self) -> Self;
    /// The `n`-th derivative of `digamma`; NaN unless `n` is an integer in `0..=1e15`.
    fn polygamma<const F: bool>(n: Self, x: Self) -> Self;
}
