//! What a formula of the table may do to one element: the traits [`Num`] (any type) and [`Real`] (floats).
//!
//! A formula is written once over `T: Num` or `T: Real` and instantiated for every dtype and instruction set;
//! LLVM vectorises the block loop around it, so nothing here branches. `F` says whether the instruction set
//! has fused multiply-add: without it `mul_add` would be a library call per element.
use super::vmath::Math;
use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Rem, Shl, Shr, Sub};

/// An element in a kernel, with the arithmetic of its type: integers wrap, and by 0 divide to 0 (a zero
/// divisor is refused when the operation is recorded).
#[derive(Clone, Copy, PartialEq, PartialOrd)]
#[repr(transparent)]
pub(crate) struct V<T, const F: bool>(pub(crate) T);

/// What every element type can do in a formula.
pub(crate) trait Num:
    Copy
    + PartialEq
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Rem<Output = Self>
    + Neg<Output = Self>
{
    /// The constant `v`.
    fn lit(v: f64) -> Self;
    /// Magnitude.
    fn abs(self) -> Self;
    /// Largest integer not above this.
    fn floor(self) -> Self;
    /// Smallest integer not below this.
    fn ceil(self) -> Self;
    /// Integer part.
    fn trunc(self) -> Self;
    /// Nearest integer, ties to even.
    fn round(self) -> Self;
    /// This to the power of y. Integers wrap; a negative exponent (refused when the operation is recorded) counts
    /// as 0.
    fn pow(self, y: Self) -> Self;
    /// Whether this is NaN.
    #[expect(clippy::eq_op, reason = "NaN is the only value that differs from itself")]
    #[inline(always)]
    fn is_nan(self) -> bool {
        self != self
    }
    /// Whether this is neither infinite nor NaN.
    #[expect(clippy::eq_op, reason = "an infinity differs from itself by NaN")]
    #[inline(always)]
    fn is_finite(self) -> bool {
        !(self - self).is_nan()
    }
    /// The larger; NaN if either is.
    #[inline(always)]
    fn maximum(self, o: Self) -> Self {
        if (self > o) | self.is_nan() { self } else { o }
    }
    /// The smaller; NaN if either is.
    #[inline(always)]
    fn minimum(self, o: Self) -> Self {
        if (self < o) | self.is_nan() { self } else { o }
    }
}

trait Prim: Copy + PartialEq + PartialOrd {
    fn add(self, o: Self) -> Self;
    fn sub(self, o: Self) -> Self;
    fn mul(self, o: Self) -> Self;
    fn div(self, o: Self) -> Self;
    fn rem(self, o: Self) -> Self;
    fn neg(self) -> Self;
    fn lit(v: f64) -> Self;
    fn abs(self) -> Self;
    fn floor(self) -> Self;
    fn ceil(self) -> Self;
    fn trunc(self) -> Self;
    fn round(self) -> Self;
    fn pow<const F: bool>(self, y: Self) -> Self;
}
macro_rules! prim_float { ($($t:ty)*) => {$( impl Prim for $t {
    #[inline(always)] fn add(self, o: Self) -> Self { self + o }
    #[inline(always)] fn sub(self, o: Self) -> Self { self - o }
    #[inline(always)] fn mul(self, o: Self) -> Self { self * o }
    #[inline(always)] fn div(self, o: Self) -> Self { self / o }
    #[inline(always)] fn rem(self, o: Self) -> Self { self % o }
    #[inline(always)] fn neg(self) -> Self { -self }
    #[inline(always)] fn lit(v: f64) -> Self { v as $t }
    #[inline(always)] fn abs(self) -> Self { self.abs() }
    #[inline(always)] fn floor(self) -> Self { Math::floor(self) }
    #[inline(always)] fn ceil(self) -> Self { Math::ceil(self) }
    #[inline(always)] fn trunc(self) -> Self { Math::trunc(self) }
    #[inline(always)] fn round(self) -> Self { Math::round(self) }
    #[inline(always)] fn pow<const F: bool>(self, y: Self) -> Self { Math::pow::<F>(self, y) }
} )*}; }
prim_float!(f32 f64);
macro_rules! prim_int { ($($t:ty, $abs:ident;)*) => {$( impl Prim for $t {
    #[inline(always)] fn add(self, o: Self) -> Self { self.wrapping_add(o) }
    #[inline(always)] fn sub(self, o: Self) -> Self { self.wrapping_sub(o) }
    #[inline(always)] fn mul(self, o: Self) -> Self { self.wrapping_mul(o) }
    #[inline(always)] fn div(self, o: Self) -> Self { if o == 0 { 0 } else { self.wrapping_div(o) } }
    #[inline(always)] fn rem(self, o: Self) -> Self { if o == 0 { 0 } else { self.wrapping_rem(o) } }
    #[inline(always)] fn neg(self) -> Self { self.wrapping_neg() }
    #[inline(always)] fn lit(v: f64) -> Self { v as $t }
    #[inline(always)] fn abs(self) -> Self { prim_int!($abs self) }
    #[inline(always)] fn floor(self) -> Self { self }
    #[inline(always)] fn ceil(self) -> Self { self }
    #[inline(always)] fn trunc(self) -> Self { self }
    #[inline(always)] fn round(self) -> Self { self }
    #[inline(always)] fn pow<const F: bool>(self, mut y: Self) -> Self {
        let (mut square, mut power): (Self, Self) = (self, 1);
        while y > 0 {
            power = if y & 1 == 1 { power.wrapping_mul(square) } else { power };
            square = square.wrapping_mul(square);
            y >>= 1;
        }
        power
    }
} )*}; (signed $s:ident) => { $s.wrapping_abs() }; (unsigned $s:ident) => { $s }; }
prim_int! { i64, signed; i32, signed; u8, unsigned; }

macro_rules! lane_op { ($($tr:ident $f:ident)*) => {$(
    impl<T: Prim, const F: bool> $tr for V<T, F> {
        type Output = Self;
        #[inline(always)]
        fn $f(self, o: Self) -> Self { V(Prim::$f(self.0, o.0)) }
    }
)*}; }
lane_op!(Add add Sub sub Mul mul Div div Rem rem);
impl<T: Prim, const F: bool> Neg for V<T, F> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        V(Prim::neg(self.0))
    }
}
macro_rules! num { ($($t:ty)*) => {$( impl<const F: bool> Num for V<$t, F> {
    #[inline(always)] fn lit(v: f64) -> Self { V(Prim::lit(v)) }
    #[inline(always)] fn abs(self) -> Self { V(Prim::abs(self.0)) }
    #[inline(always)] fn floor(self) -> Self { V(Prim::floor(self.0)) }
    #[inline(always)] fn ceil(self) -> Self { V(Prim::ceil(self.0)) }
    #[inline(always)] fn trunc(self) -> Self { V(Prim::trunc(self.0)) }
    #[inline(always)] fn round(self) -> Self { V(Prim::round(self.0)) }
    #[inline(always)] fn pow(self, y: Self) -> Self { V(Prim::pow::<F>(self.0, y.0)) }
} )*}; }
num!(f32 f64 i64 i32 u8);

/// What integers can do in a formula, besides [`Num`]. Shifts by more than the type's width move out every bit.
pub(crate) trait Bits:
    Num
    + BitAnd<Output = Self>
    + BitOr<Output = Self>
    + BitXor<Output = Self>
    + Shl<Output = Self>
    + Shr<Output = Self>
    + Not<Output = Self>
{
}
macro_rules! bits { ($($t:ty)*) => {$(
    impl<const F: bool> Bits for V<$t, F> {}
    bits!(@ $t: BitAnd bitand |a, b| a & b; BitOr bitor |a, b| a | b; BitXor bitxor |a, b| a ^ b;
        Shl shl |a, b| u32::try_from(b).ok().and_then(|b| a.checked_shl(b)).unwrap_or(0);
        Shr shr |a, b| {
            let most = <$t>::BITS - 1;
            a >> u32::try_from(b).map_or(most, |b| b.min(most))
        };);
    impl<const F: bool> Not for V<$t, F> {
        type Output = Self;
        #[inline(always)]
        fn not(self) -> Self { V(!self.0) }
    }
)*};
(@ $t:ty: $($tr:ident $f:ident |$a:ident, $b:ident| $e:expr;)*) => {$(
    impl<const F: bool> $tr for V<$t, F> {
        type Output = Self;
        #[inline(always)]
        fn $f(self, o: Self) -> Self { let ($a, $b) = (self.0, o.0); V($e) }
    }
)*}; }
bits!(i64 i32 u8);

macro_rules! real {
    ($($(#[$doc:meta])* $f:ident ( $($a:ident),* );)*) => {
        /// What floating elements can do in a formula, besides [`Num`]. Accuracy is `vmath`'s.
        pub(crate) trait Real: Num {
            /// Whether `sin`, `cos` and `tan` of this are right only as the calls below.
            fn trig_is_large(self) -> bool;
            $( $(#[$doc])* fn $f(self $(, $a: Self)*) -> Self; )*
        }
        real!(@ f32 $($f ($($a),*);)*);
        real!(@ f64 $($f ($($a),*);)*);
    };
    (@ $t:ident $($f:ident ($($a:ident),*);)*) => {
        impl<const F: bool> Real for V<$t, F> {
            #[inline(always)] fn trig_is_large(self) -> bool { Math::trig_is_large(self.0) }
            $( #[inline(always)] fn $f(self $(, $a: Self)*) -> Self { V(real!(@call $f self $($a)*)) } )*
        }
    };
    // These four are alike with and without fused multiply-add.
    (@call sqrt $s:ident) => { Math::sqrt($s.0) };
    (@call sin_large $s:ident) => { Math::sin_large($s.0) };
    (@call cos_large $s:ident) => { Math::cos_large($s.0) };
    (@call tan_large $s:ident) => { Math::tan_large($s.0) };
    (@call $f:ident $s:ident $($a:ident)*) => { Math::$f::<F>($s.0 $(, $a.0)*) };
}
real! {
    /// e to the power of this.
    exp();
    /// 2 to the power of this.
    exp2();
    /// exp(x) - 1, accurate near 0.
    expm1();
    /// Natural logarithm.
    log();
    /// Binary logarithm.
    log2();
    /// Decimal logarithm.
    log10();
    /// log(1 + x), accurate near 0.
    log1p();
    /// Sine.
    sin();
    /// Cosine.
    cos();
    /// Tangent.
    tan();
    /// Sine of a value with `trig_is_large`.
    sin_large();
    /// Cosine of a value with `trig_is_large`.
    cos_large();
    /// Tangent of a value with `trig_is_large`.
    tan_large();
    /// Inverse sine.
    asin();
    /// Inverse cosine.
    acos();
    /// Inverse tangent.
    atan();
    /// Hyperbolic sine.
    sinh();
    /// Hyperbolic cosine.
    cosh();
    /// Hyperbolic tangent.
    tanh();
    /// Inverse hyperbolic sine.
    asinh();
    /// Inverse hyperbolic cosine.
    acosh();
    /// Inverse hyperbolic tangent.
    atanh();
    /// 1 / (1 + exp(-x)).
    sigmoid();
    /// log(1 + exp(x)).
    softplus();
    /// Square root.
    sqrt();
    /// Error function.
    erf();
    /// 1 - erf(x), accurate in the tail.
    erfc();
    /// Distribution function of the standard normal distribution, accurate in the tail.
    ndtr();
    /// x ndtr(x), accurate in the tail.
    gelu();
    /// Inverse of the error function.
    erfinv();
    /// log |gamma(x)|.
    lgamma();
    /// Derivative of log gamma.
    digamma();
    /// Angle of (x, this).
    atan2(x);
    /// sqrt(this^2 + y^2) without overflow.
    hypot(y);
    /// The derivative of order `self` of digamma at x.
    polygamma(x);
}
