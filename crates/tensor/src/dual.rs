//! Numbers with a derivative: [`Dual`] over any float, and over duals again for higher orders.
//!
//! A function generic over [`Float`] gives, at `Dual<T>`, its value and its derivative along one direction; nested
//! `k` deep, a mixed partial derivative of order `k`, exact to rounding. Comparisons look at the value, so loops and
//! branches go the way that they go at a plain number. At kinks the derivative is the table's: `abs` has 0 at 0, ties
//! of `max` and `min` share, steps have 0 everywhere. What does not move adds nothing, even where a derivative is
//! infinite.
use num_traits::{Float, FloatConst, Num, NumCast, One, ToPrimitive, Zero};
use std::fmt::Debug;
use std::num::FpCategory;
use std::ops::{Add, Div, Mul, Neg, Rem, Sub};

/// What a scalar function is called with: `f32`, `f64`, and numbers over them that carry derivatives.
pub trait Real: Float + FloatConst + Debug + Send + Sync + 'static {
    /// A constant.
    fn of(v: f64) -> Self {
        <Self as NumCast>::from(v).expect("every float type takes an f64")
    }
}
impl<T: Float + FloatConst + Debug + Send + Sync + 'static> Real for T {}

/// A float whose derivatives, if it has any, can be told to be 0.
pub(crate) trait Part: Real {
    /// Whether this is 0 and does not move.
    fn still(self) -> bool;
}
impl Part for f32 {
    fn still(self) -> bool {
        self == 0.0
    }
}
impl Part for f64 {
    fn still(self) -> bool {
        self == 0.0
    }
}
impl<T: Part> Part for Dual<T> {
    fn still(self) -> bool {
        self.value.still() && self.slope.still()
    }
}

/// A value and its derivative.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dual<T> {
    pub(crate) value: T,
    pub(crate) slope: T,
}
/// `slope` times `d`, and 0 where nothing moves.
fn times<T: Part>(slope: T, d: T) -> T {
    if slope.still() { T::zero() } else { slope * d }
}
fn three<T: Real>() -> T {
    T::of(3.0)
}
impl<T: Part> Dual<T> {
    fn plain(value: T) -> Self {
        Dual { value, slope: T::zero() }
    }
    /// A function with this value and derivative.
    fn chain(self, value: T, d: T) -> Self {
        Dual { value, slope: times(self.slope, d) }
    }
    /// A function of two numbers with this value and these derivatives.
    fn chain2(self, o: Self, value: T, d: T, e: T) -> Self {
        Dual { value, slope: times(self.slope, d) + times(o.slope, e) }
    }
    /// The number that a choice fell on; both by halves if neither is ahead.
    fn chosen(self, o: Self, value: T, first: bool, second: bool) -> Self {
        let half = T::of(0.5);
        let slope = match (first, second) {
            (true, _) => self.slope,
            (_, true) => o.slope,
            _ => (self.slope + o.slope) * half,
        };
        Dual { value, slope }
    }
}
impl<T: Part> PartialEq for Dual<T> {
    fn eq(&self, o: &Self) -> bool {
        self.value == o.value
    }
}
impl<T: Part> PartialOrd for Dual<T> {
    fn partial_cmp(&self, o: &Self) -> Option<std::cmp::Ordering> {
        self.value.partial_cmp(&o.value)
    }
}
impl<T: Part> Add for Dual<T> {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        Dual { value: self.value + o.value, slope: self.slope + o.slope }
    }
}
impl<T: Part> Sub for Dual<T> {
    type Output = Self;
    fn sub(self, o: Self) -> Self {
        Dual { value: self.value - o.value, slope: self.slope - o.slope }
    }
}
impl<T: Part> Mul for Dual<T> {
    type Output = Self;
    fn mul(self, o: Self) -> Self {
        self.chain2(o, self.value * o.value, o.value, self.value)
    }
}
impl<T: Part> Div for Dual<T> {
    type Output = Self;
    fn div(self, o: Self) -> Self {
        let value = self.value / o.value;
        self.chain2(o, value, o.value.recip(), -(value / o.value))
    }
}
impl<T: Part> Rem for Dual<T> {
    type Output = Self;
    fn rem(self, o: Self) -> Self {
        self.chain2(o, self.value % o.value, T::one(), -(self.value / o.value).trunc())
    }
}
impl<T: Part> Neg for Dual<T> {
    type Output = Self;
    fn neg(self) -> Self {
        Dual { value: -self.value, slope: -self.slope }
    }
}
impl<T: Part> Zero for Dual<T> {
    fn zero() -> Self {
        Dual::plain(T::zero())
    }
    fn is_zero(&self) -> bool {
        self.value.is_zero()
    }
}
impl<T: Part> One for Dual<T> {
    fn one() -> Self {
        Dual::plain(T::one())
    }
}
impl<T: Part> Num for Dual<T> {
    type FromStrRadixErr = T::FromStrRadixErr;
    fn from_str_radix(text: &str, radix: u32) -> Result<Self, Self::FromStrRadixErr> {
        T::from_str_radix(text, radix).map(Dual::plain)
    }
}
/// Integers and other types see the value alone: the derivative ends there.
impl<T: Part> ToPrimitive for Dual<T> {
    fn to_i64(&self) -> Option<i64> {
        self.value.to_i64()
    }
    fn to_u64(&self) -> Option<u64> {
        self.value.to_u64()
    }
    fn to_f64(&self) -> Option<f64> {
        self.value.to_f64()
    }
}
impl<T: Part> NumCast for Dual<T> {
    fn from<N: ToPrimitive>(n: N) -> Option<Self> {
        T::from(n).map(Dual::plain)
    }
}
macro_rules! constants { ($($name:ident)*) => {
    impl<T: Part> FloatConst for Dual<T> {
        $(fn $name() -> Self { Dual::plain(T::$name()) })*
    }
}; }
constants! {
    E FRAC_1_PI FRAC_1_SQRT_2 FRAC_2_PI FRAC_2_SQRT_PI FRAC_PI_2 FRAC_PI_3 FRAC_PI_4 FRAC_PI_6 FRAC_PI_8 LN_10 LN_2
    LOG10_E LOG2_E PI SQRT_2
}
/// `name: derivative`, over the value `x` and the result `y`.
macro_rules! functions { ($x:ident $y:ident; $($name:ident: $d:expr;)*) => {
    $(fn $name(self) -> Self {
        let $x = self.value;
        let $y = $x.$name();
        let _ = ($x, $y);
        self.chain($y, $d)
    })*
}; }
macro_rules! values { ($($name:ident)*) => { $(fn $name() -> Self { Dual::plain(T::$name()) })* }; }
macro_rules! questions { ($($name:ident)*) => { $(fn $name(self) -> bool { self.value.$name() })* }; }
macro_rules! steps { ($($name:ident)*) => { $(fn $name(self) -> Self { Dual::plain(self.value.$name()) })* }; }

impl<T: Part> Float for Dual<T> {
    values! { nan infinity neg_infinity neg_zero min_value min_positive_value max_value epsilon }
    questions! { is_nan is_infinite is_finite is_normal is_sign_positive is_sign_negative }
    steps! { floor ceil round trunc signum }
    functions! { x y;
        exp: y;
        exp2: y * T::LN_2();
        ln: x.recip();
        log2: (x * T::LN_2()).recip();
        log10: (x * T::LN_10()).recip();
        sqrt: (y + y).recip();
        cbrt: (three::<T>() * y * y).recip();
        sin: x.cos();
        cos: -x.sin();
        tan: T::one() + y * y;
        asin: (T::one() - x * x).sqrt().recip();
        acos: -(T::one() - x * x).sqrt().recip();
        atan: (T::one() + x * x).recip();
        exp_m1: y + T::one();
        ln_1p: (x + T::one()).recip();
        sinh: x.cosh();
        cosh: x.sinh();
        tanh: T::one() - y * y;
        asinh: (x * x + T::one()).sqrt().recip();
        acosh: (x * x - T::one()).sqrt().recip();
        atanh: (T::one() - x * x).recip();
        recip: -(y * y);
        to_degrees: T::one().to_degrees();
        to_radians: T::one().to_radians();
    }
    fn classify(self) -> FpCategory {
        self.value.classify()
    }
    fn fract(self) -> Self {
        self.chain(self.value.fract(), T::one())
    }
    fn abs(self) -> Self {
        let d = if self.value.is_zero() { T::zero() } else { self.value.signum() };
        self.chain(self.value.abs(), d)
    }
    fn copysign(self, sign: Self) -> Self {
        let flips = self.value.is_sign_negative() != sign.value.is_sign_negative();
        self.chain(self.value.copysign(sign.value), if flips { -T::one() } else { T::one() })
    }
    fn mul_add(self, a: Self, b: Self) -> Self {
        let product = self.chain2(a, self.value.mul_add(a.value, b.value), a.value, self.value);
        Dual { value: product.value, slope: product.slope + b.slope }
    }
    fn powi(self, n: i32) -> Self {
        if n == 0 {
            return Self::one();
        }
        self.chain(self.value.powi(n), T::of(n.into()) * self.value.powi(n - 1))
    }
    fn powf(self, n: Self) -> Self {
        let y = self.value.powf(n.value);
        let d = if n.value.is_zero() { T::zero() } else { n.value * self.value.powf(n.value - T::one()) };
        let e = if y.is_zero() { T::zero() } else { y * self.value.ln() };
        self.chain2(n, y, d, e)
    }
    fn log(self, base: Self) -> Self {
        self.ln() / base.ln()
    }
    fn max(self, o: Self) -> Self {
        let (a, b) = (self.value, o.value);
        self.chosen(o, a.max(b), a > b || b.is_nan(), b > a || a.is_nan())
    }
    fn min(self, o: Self) -> Self {
        let (a, b) = (self.value, o.value);
        self.chosen(o, a.min(b), a < b || b.is_nan(), b < a || a.is_nan())
    }
    fn abs_sub(self, o: Self) -> Self {
        (self - o).max(Self::zero())
    }
    fn hypot(self, o: Self) -> Self {
        let y = self.value.hypot(o.value);
        let part = |x: T| if y.is_zero() { T::zero() } else { x / y };
        self.chain2(o, y, part(self.value), part(o.value))
    }
    fn atan2(self, o: Self) -> Self {
        let square = self.value * self.value + o.value * o.value;
        self.chain2(o, self.value.atan2(o.value), o.value / square, -(self.value / square))
    }
    fn sin_cos(self) -> (Self, Self) {
        (self.sin(), self.cos())
    }
    fn integer_decode(self) -> (u64, i16, i8) {
        self.value.integer_decode()
    }
}
