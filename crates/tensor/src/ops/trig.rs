//! Circular and hyperbolic functions, their inverses, and angles and lengths of points.
use crate::Scalar;
use crate::elementwise::elementwise;
use crate::ops::compare::select;

/// `x / r` for a coordinate of a point at distance `r` from the origin, and 0 there.
fn direction(x: Scalar, r: Scalar) -> Scalar {
    let origin = r.eq(0.0);
    select(origin, 0.0, x / select(origin, 1.0, r))
}
/// `x / r^2` likewise, without overflow.
fn inverse(x: Scalar, r: Scalar) -> Scalar {
    let origin = r.eq(0.0);
    let safe = select(origin, 1.0, r);
    select(origin, 0.0, x / safe / safe)
}

elementwise! { (o, g)
    /// The sine of each element, in radians, exact reduction included. Integers become `F32`.
    ///
    /// *Gradient:* `g * cos(x)`. NaN at infinities.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert!((Tensor::from(1e22f64).sin().item() + 0.8522008497671888).abs() < 1e-15);
    /// ```
    SIN: float sin(x) = x.sin(), far(x.trig_is_large()) x.sin_large(); [g * x.cos()]; Real;
    /// The cosine of each element, in radians, exact reduction included. Integers become `F32`.
    ///
    /// *Gradient:* `-g * sin(x)`. NaN at infinities.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0f32]).cos().to_vec::<f32>(), [1.0]);
    /// ```
    COS: float cos(x) = x.cos(), far(x.trig_is_large()) x.cos_large(); [-(g * x.sin())]; Real;
    /// The tangent of each element, in radians, exact reduction included. Integers become `F32`.
    ///
    /// *Gradient:* `g * (1 + tan(x)^2)`. NaN at infinities.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0f32]).tan().to_vec::<f32>(), [0.0]);
    /// ```
    TAN: float tan(x) = x.tan(), far(x.trig_is_large()) x.tan_large(); [g * (1.0 + o * o)]; Unit;
    /// The inverse sine, NaN outside -1 to 1. Integers become `F32`.
    ///
    /// *Gradient:* `g / sqrt(1 - x^2)`, infinite at -1 and 1; 0 where `g` is 0.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0f64, 1.0]).asin().to_vec::<f64>(), [0.0, std::f64::consts::FRAC_PI_2]);
    /// ```
    ASIN: float asin(x) = x.asin(); [g.gate(((1.0 - x) * (1.0 + x)).rsqrt())]; Unit;
    /// The inverse cosine, NaN outside -1 to 1. Integers become `F32`.
    ///
    /// *Gradient:* `-g / sqrt(1 - x^2)`, infinite at -1 and 1; 0 where `g` is 0.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f64, -1.0]).acos().to_vec::<f64>(), [0.0, std::f64::consts::PI]);
    /// ```
    ACOS: float acos(x) = x.acos(); [-(g.gate(((1.0 - x) * (1.0 + x)).rsqrt()))]; Unit;
    /// The inverse tangent. Integers become `F32`.
    ///
    /// *Gradient:* `g / (1 + x^2)`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from(f64::INFINITY).atan().item(), std::f64::consts::FRAC_PI_2);
    /// ```
    ATAN: float atan(x) = x.atan(); [g / (1.0 + x * x)]; Real;
    /// The hyperbolic sine. Integers become `F32`.
    ///
    /// *Gradient:* `g * cosh(x)`; 0 where `g` is 0, even if that is infinite.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0f64, 1e-20]).sinh().to_vec::<f64>(), [0.0, 1e-20]);
    /// ```
    SINH: float sinh(x) = x.sinh(); [g.gate(x.cosh())]; Real;
    /// The hyperbolic cosine. Integers become `F32`.
    ///
    /// *Gradient:* `g * sinh(x)`; 0 where `g` is 0, even if that is infinite.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0f32]).cosh().to_vec::<f32>(), [1.0]);
    /// ```
    COSH: float cosh(x) = x.cosh(); [g.gate(x.sinh())]; Real;
    /// The hyperbolic tangent. Integers become `F32`.
    ///
    /// *Gradient:* `g * (1 - tanh(x)^2)`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0f32, f32::INFINITY]).tanh().to_vec::<f32>(), [0.0, 1.0]);
    /// ```
    TANH: float tanh(x) = x.tanh(); [g * (1.0 - o * o)]; Real;
    /// The inverse hyperbolic sine. Integers become `F32`.
    ///
    /// *Gradient:* `g / sqrt(x^2 + 1)`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0f64, 1e-20]).asinh().to_vec::<f64>(), [0.0, 1e-20]);
    /// ```
    ASINH: float asinh(x) = x.asinh(); [g * (x * x + 1.0).rsqrt()]; Real;
    /// The inverse hyperbolic cosine, NaN below 1. Integers become `F32`.
    ///
    /// *Gradient:* `g / sqrt(x^2 - 1)`, infinite at 1; 0 where `g` is 0.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f32, f32::INFINITY]).acosh().to_vec::<f32>(), [0.0, f32::INFINITY]);
    /// ```
    ACOSH: float acosh(x) = x.acosh(); [g.gate(((x - 1.0) * (x + 1.0)).rsqrt())]; AboveOne;
    /// The inverse hyperbolic tangent, infinite at -1 and 1 and NaN beyond. Integers become `F32`.
    ///
    /// *Gradient:* `g / (1 - x^2)`, infinite at -1 and 1; 0 where `g` is 0.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0f32, 1.0]).atanh().to_vec::<f32>(), [0.0, f32::INFINITY]);
    /// ```
    ATANH: float atanh(x) = x.atanh(); [g.gate(1.0 / ((1.0 - x) * (1.0 + x)))]; Unit;
    /// The angle of the point with abscissa `x` and this ordinate, from -pi to pi. Integers become `F32`.
    ///
    /// *Gradient:* `g * x / r^2` for the ordinate and `-g * y / r^2` for the abscissa, `r` their distance from the
    /// origin; 0 at the origin.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0f64]).atan2(-1.0).to_vec::<f64>(), [std::f64::consts::PI]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the float types differ.
    ATAN2: float atan2(y, x) = y.atan2(x); [g * inverse(x, x.hypot(y)), -(g * inverse(y, x.hypot(y)))]; Real;
    /// `sqrt(x^2 + y^2)` without overflow. Integers become `F32`.
    ///
    /// *Gradient:* `g * x / hypot(x, y)` and `g * y / hypot(x, y)`; 0 at the origin.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([3.0f32]).hypot(4.0).to_vec::<f32>(), [5.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the float types differ.
    HYPOT: float hypot(x, y) = x.hypot(y); [g * direction(x, o), g * direction(y, o)]; Real;
}
