//! Rounding. Integers stay as they are.
use crate::elementwise::elementwise;

elementwise! { (o, g)
    /// The largest integer that is not above each element.
    ///
    /// *Gradient:* 0.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.5f32, -1.5]).floor().to_vec::<f32>(), [1.0, -2.0]);
    /// ```
    FLOOR: arith floor(x) = x.floor(); [0.0]; Real;
    /// The smallest integer that is not below each element.
    ///
    /// *Gradient:* 0.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.5f32, -1.5]).ceil().to_vec::<f32>(), [2.0, -1.0]);
    /// ```
    CEIL: arith ceil(x) = x.ceil(); [0.0]; Real;
    /// The nearest integer, halves to the even one.
    ///
    /// *Gradient:* 0.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.5f32, 1.5, -2.6]).round().to_vec::<f32>(), [0.0, 2.0, -3.0]);
    /// ```
    ROUND: arith round(x) = x.round(); [0.0]; Real;
    /// The integer part: each element rounded toward 0.
    ///
    /// *Gradient:* 0.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.5f32, -1.5]).trunc().to_vec::<f32>(), [1.0, -1.0]);
    /// ```
    TRUNC: arith trunc(x) = x.trunc(); [0.0]; Real;
    /// The fractional part, with the sign of the element.
    ///
    /// *Gradient:* `g`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.5f32, -1.25]).frac().to_vec::<f32>(), [0.5, -0.25]);
    /// ```
    FRAC: arith frac(x) = x - x.trunc(); [g]; Real;
}
