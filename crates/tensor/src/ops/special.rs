//! Special functions: the error function and the gamma family.
use crate::apply;
use crate::elementwise::elementwise;
use crate::ops::activation::NORMAL;
use crate::{Scalar, Tensor};
use std::f64::consts::FRAC_2_SQRT_PI;

elementwise! { (o, g)
    /// The error function. Integers become `F32`.
    ///
    /// *Gradient:* `g * 2 / sqrt(pi) * exp(-x^2)`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0f32, f32::INFINITY]).erf().to_vec::<f32>(), [0.0, 1.0]);
    /// ```
    ERF: float erf(x) = x.erf(); [g * (FRAC_2_SQRT_PI * (-(x * x)).exp())]; Real;
    /// `1 - erf(x)`, accurate where that is small. Integers become `F32`.
    ///
    /// *Gradient:* `-g * 2 / sqrt(pi) * exp(-x^2)`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0f32, f32::INFINITY]).erfc().to_vec::<f32>(), [1.0, 0.0]);
    /// ```
    ERFC: float erfc(x) = x.erfc(); [-(g * (FRAC_2_SQRT_PI * (-(x * x)).exp()))]; Real;
    /// The distribution function of the standard normal distribution, `(1 + erf(x / sqrt(2))) / 2`, accurate where that is
    /// small. Integers become `F32`. PyTorch's `special.ndtr`.
    ///
    /// *Gradient:* `g * exp(-x^2 / 2) / sqrt(2 * pi)`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0f32, f32::INFINITY]).ndtr().to_vec::<f32>(), [0.5, 1.0]);
    /// ```
    NDTR: float ndtr(x) = x.ndtr(); [g * (NORMAL * (-0.5 * (x * x)).exp())]; Real;
    /// The inverse of the error function: infinite at -1 and 1, NaN beyond. Integers become `F32`.
    ///
    /// *Gradient:* `g * sqrt(pi) / 2 * exp(erfinv(x)^2)`; 0 where `g` is 0.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0f32, 1.0]).erfinv().to_vec::<f32>(), [0.0, f32::INFINITY]);
    /// ```
    ERFINV: float erfinv(x) = x.erfinv(); [g.gate((1.0 / FRAC_2_SQRT_PI) * o.gate(o).exp())]; Unit;
    /// The logarithm of the magnitude of the gamma function: infinite at 0 and the integers below. Integers become
    /// `F32`.
    ///
    /// *Gradient:* `g * digamma(x)`; 0 where `g` is 0.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f64, 0.0]).lgamma().to_vec::<f64>(), [0.0, f64::INFINITY]);
    /// ```
    LGAMMA: float lgamma(x) = x.lgamma(); [g.gate(x.digamma())]; Positive;
    /// The derivative of [`Tensor::lgamma`]: an infinity at 0, NaN at the integers below. Integers become `F32`.
    ///
    /// *Gradient:* `g * polygamma(1, x)`; 0 where `g` is 0.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert!((Tensor::from(1.0f64).digamma().item() + 0.5772156649015329).abs() < 1e-15);
    /// ```
    DIGAMMA: float digamma(x) = x.digamma(); [g.gate(x.polygamma(1))]; Positive;
}

// The order is never tracked: it comes in as a number.
elementwise!(@static (o, g) POLYGAMMA float polygamma(n, x) n.polygamma(x),
    [] [0.0, g.gate(Scalar::apply(&POLYGAMMA, &[n + 1.0, x]))] [] Positive []);

impl Scalar {
    /// The scalar form of [`Tensor::polygamma`].
    #[must_use]
    pub fn polygamma(self, n: u32) -> Scalar {
        Scalar::apply(&POLYGAMMA, &[f64::from(n).into(), self])
    }
}
impl Tensor {
    /// The derivative of order `n` of [`Tensor::digamma`]. Integers become `F32`.
    ///
    /// *Gradient:* `g * polygamma(n + 1, x)`; 0 where `g` is 0.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from(1.0f64).polygamma(1);
    /// assert!((x.item() - std::f64::consts::PI.powi(2) / 6.0).abs() < 1e-14);
    /// ```
    #[track_caller]
    pub fn polygamma(&self, n: u32) -> Tensor {
        apply::map(&POLYGAMMA, [i64::from(n).into(), self.into()])
    }
}
