//! Exponentials, logarithms, powers and roots.
use crate::apply;
use crate::elementwise::elementwise;
use crate::entry::Entry;
use crate::ops::compare::select;
use crate::{Operand, Scalar, Tensor};
use std::f64::consts::{LN_2, LOG2_E, LOG10_E};

/// `x - y`, and 0 for equal infinities.
fn lead(x: Scalar, y: Scalar) -> Scalar {
    select(x.eq(y).logical_and(x.isinf()), 0.0, x - y)
}

elementwise! { (o, g)
    /// e to the power of each element. Integers become `F32`.
    ///
    /// *Gradient:* `g * exp(x)`; 0 where `g` is 0, even if the result is infinite.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0f32, f32::NEG_INFINITY]).exp().to_vec::<f32>(), [1.0, 0.0]);
    /// ```
    EXP: float exp(x) = x.exp(); [g.gate(o)]; Real;
    /// 2 to the power of each element, exact at integers. Integers become `F32`.
    ///
    /// *Gradient:* `g * 2^x * log(2)`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([3.0f32, -1.0]).exp2().to_vec::<f32>(), [8.0, 0.5]);
    /// ```
    EXP2: float exp2(x) = x.exp2(); [g.gate(o * LN_2)]; Real;
    /// `exp(x) - 1`, accurate near 0. Integers become `F32`.
    ///
    /// *Gradient:* `g * exp(x)`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1e-20f64, 0.0]).expm1().to_vec::<f64>(), [1e-20, 0.0]);
    /// ```
    EXPM1: float expm1(x) = x.expm1(); [g.gate(o + 1.0)]; Real;
    /// The natural logarithm: NaN below 0, negative infinity at 0. Integers become `F32`.
    ///
    /// *Gradient:* `g / x`; 0 where `g` is 0, even at `x = 0`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f32, 0.0]).log().to_vec::<f32>(), [0.0, f32::NEG_INFINITY]);
    /// ```
    LOG: float log(x) = x.log(); [g.gate(1.0 / x)]; Positive;
    /// The logarithm to base 2, exact at powers of 2. Integers become `F32`.
    ///
    /// *Gradient:* `g / (x * log(2))`; 0 where `g` is 0, even at `x = 0`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([8.0f32, 0.5]).log2().to_vec::<f32>(), [3.0, -1.0]);
    /// ```
    LOG2: float log2(x) = x.log2(); [g.gate(LOG2_E / x)]; Positive;
    /// The logarithm to base 10. Integers become `F32`.
    ///
    /// *Gradient:* `g / (x * log(10))`; 0 where `g` is 0, even at `x = 0`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f32, 0.0]).log10().to_vec::<f32>(), [0.0, f32::NEG_INFINITY]);
    /// ```
    LOG10: float log10(x) = x.log10(); [g.gate(LOG10_E / x)]; Positive;
    /// `log(1 + x)`, accurate near 0. Integers become `F32`.
    ///
    /// *Gradient:* `g / (1 + x)`; 0 where `g` is 0, even at `x = -1`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1e-20f64, 0.0]).log1p().to_vec::<f64>(), [1e-20, 0.0]);
    /// ```
    LOG1P: float log1p(x) = x.log1p(); [g.gate(1.0 / (1.0 + x))]; Positive;
    /// The logarithm of the odds, `log(x / (1 - x))`, the inverse of [`Tensor::sigmoid`]; accurate also near 0.5, where
    /// it is 0. Negative infinity at 0, infinity at 1, NaN outside [0, 1]. Integers become `F32`.
    ///
    /// *Gradient:* `g / (x * (1 - x))`: infinite at 0 and 1, NaN outside; 0 where `g` is 0.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([0.0f64, 1e-300, 0.5, 0.5 + 1e-12, 0.8, 1.0, 1.5]);
    /// let y = x.logit().to_vec::<f64>();
    /// assert_eq!((y[0], y[2], y[5]), (f64::NEG_INFINITY, 0.0, f64::INFINITY));
    /// assert_eq!(y[1], 1e-300f64.ln());
    /// assert!((y[3] - 4.0 * (0.5 + 1e-12 - 0.5)).abs() < 1e-27 && (y[4] - 4f64.ln()).abs() < 1e-15);
    /// assert!(y[6].is_nan());
    /// ```
    LOGIT: float logit(x) = {
        let (half, one) = (T::lit(0.5), T::lit(1.0));
        let near_half = ((x + x - one) / (one - x)).log1p();
        if (x - half).abs() < T::lit(0.25) { near_half } else { (x / (one - x)).log() }
    }; [{
        let inside = x.ge(0.0).logical_and(x.le(1.0));
        g.gate(select(inside, 1.0 / (x * (1.0 - x)), f64::NAN))
    }]; Fraction;
    /// The square root: NaN below 0. Integers become `F32`.
    ///
    /// *Gradient:* `g / (2 * sqrt(x))`, infinite at 0; 0 where `g` is 0.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([4.0f32, 0.25]).sqrt().to_vec::<f32>(), [2.0, 0.5]);
    /// ```
    SQRT: float sqrt(x) = x.sqrt(); [g.gate(0.5 / o)]; Positive;
    /// `1 / sqrt(x)`: infinite at 0, NaN below. Integers become `F32`.
    ///
    /// *Gradient:* `-g / (2 * x * sqrt(x))`; 0 where `g` is 0.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([4.0f32, 0.0]).rsqrt().to_vec::<f32>(), [0.5, f32::INFINITY]);
    /// ```
    RSQRT: float rsqrt(x) = T::lit(1.0) / x.sqrt(); [g.gate(-0.5 / (x * x.sqrt()))]; Positive;
    /// `log(exp(x) + exp(y))` without overflow. Integers become `F32`.
    ///
    /// *Gradient:* `g * sigmoid(x - y)` and `g * sigmoid(y - x)`; equal infinities share `g` equally.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([1000.0f64, f64::NEG_INFINITY]);
    /// assert_eq!(x.logaddexp(&x).to_vec::<f64>(), [1000.0 + 2f64.ln(), f64::NEG_INFINITY]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the float types differ.
    LOGADDEXP: float logaddexp(x, y) = {
        let apart = x.maximum(y) + (-(x - y).abs()).softplus();
        if x == y { x + T::lit(LN_2) } else { apart }
    }; [g * lead(x, y).sigmoid(), g * lead(y, x).sigmoid()]; Real;
    /// `x * log(y)`, and 0 where `x` is 0 unless `y` is NaN. Integers become `F32`.
    ///
    /// *Gradient:* `g * log(y)`, 0 where `x` is 0 and `y` at most 0; `g * x / y`, 0 where `x` is 0.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (x, y) = (Tensor::from([0.0f32, 2.0]), Tensor::from([0.0f32, 1.0]));
    /// assert_eq!(x.xlogy(y).to_vec::<f32>(), [0.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the float types differ.
    XLOGY: float xlogy(x, y) = if (x == T::lit(0.0)) & !y.is_nan() { T::lit(0.0) } else { x * y.log() };
        [g.gate(select(x.eq(0.0).logical_and(y.le(0.0)), 1.0, y).log()), g.gate(x.gate(1.0 / y))]; Positive;
}

// The base's derivative is 0 where the exponent is, though `x^-1` may be infinite; the exponent's is 0 where the
// base is and the result is finite, though `log(x)` is not.
elementwise!(@static (o, g) POW power pow(x, y) x.pow(y), [] [
    g.gate(y.gate(x.pow(y - 1.0))),
    g.gate(o.gate(select(x.eq(0.0).logical_and(y.ge(0.0)), 1.0, x).log()))
] [] Positive [simplify_pow]);

/// Powers that are exact, or cheaper, as something else.
fn simplify_pow(x: &[Scalar], k: &[Option<f64>]) -> Option<Scalar> {
    let (x, y) = (x[0], k[1]?);
    Some(match y {
        0.0 => 1.0.into(),
        1.0 => x,
        2.0 => x.square(),
        3.0 => x * x * x,
        -1.0 => x.reciprocal(),
        -2.0 => x.square().reciprocal(),
        0.5 => x.sqrt(),
        -0.5 => x.rsqrt(),
        _ => return None,
    })
}

impl Scalar {
    /// The scalar form of [`Tensor::pow`].
    #[must_use]
    pub fn pow(self, y: impl Into<Scalar>) -> Scalar {
        Scalar::apply(&POW, &[self, y.into()])
    }
}
impl Tensor {
    /// Each element to the power of `y`. Integers wrap; a root of a number below 0 is NaN.
    ///
    /// *Gradient:* `g * y * x^(y - 1)`, 0 where `y` is 0; `g * x^y * log(x)`, 0 where `x` is 0 and `y` at least 0.
    /// Exponents of 0, 1, 2, 3, -1, -2, 0.5 and -0.5 are products, quotients and roots.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([-3.0f32, 0.5]).pow(2.0).to_vec::<f32>(), [9.0, 0.25]);
    /// assert_eq!(Tensor::from([2i64, -3]).pow(3).to_vec::<i64>(), [8, -27]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast, the float types differ, or an integer has a negative exponent.
    #[track_caller]
    pub fn pow(&self, y: impl Into<Operand>) -> Tensor {
        match y.into() {
            Operand::Number(n) if self.dtype().is_float() => {
                crate::map::named("pow", [self.into()], |x| x[0].pow(n.to_f64()))
            }
            y => apply::map(&POW, [self.into(), y]),
        }
    }
}

/// The functions of this family that are not rows.
pub(crate) const ENTRIES: &[Entry] = &[
    Entry::new("pow", |x, _| vec![x[0].pow(&x[1])]),
    Entry::new("pow_scalar", |x, a| vec![x[0].pow(a.f64("exponent"))]),
];
