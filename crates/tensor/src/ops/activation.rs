//! Activations of neural networks, each one operation with PyTorch's values and gradients at the kinks.
use crate::apply;
use crate::elementwise::elementwise;
use crate::entry::Entry;
use crate::error::{Error, ErrorKind, OrRaise, raise};
use crate::ops::compare::select;
use crate::ops::reduce::floats;
use crate::shape;
use crate::{Scalar, Tensor};

/// `1 / sqrt(2 * pi)`: the density of the normal distribution at 0.
pub(super) const NORMAL: f64 = 0.398_942_280_401_432_7;
/// `sqrt(2 / pi)`, of the approximate GELU.
const GELU_SCALE: f64 = 0.797_884_560_802_865_4;
/// The cubic coefficient of the approximate GELU.
const GELU_CUBIC: f64 = 0.044_715;
/// The constants of SELU, for which activations keep mean 0 and variance 1.
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

elementwise! { (o, g)
    /// `max(x, 0)`.
    ///
    /// *Gradient:* `g` above 0, else 0: `relu'(0) = 0`. NaN stays NaN, and lets `g` through.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([-1.0f32, 2.0]).relu().to_vec::<f32>(), [0.0, 2.0]);
    /// ```
    RELU: arith relu(x) = x.maximum(T::lit(0.0)); [select(o.le(0.0), 0.0, g)]; Real;
    /// `min(max(x, 0), 6)`.
    ///
    /// *Gradient:* `g` between 0 and 6, else 0, both bounds included.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([-1.0f32, 2.0, 7.0]).relu6().to_vec::<f32>(), [0.0, 2.0, 6.0]);
    /// ```
    RELU6: arith relu6(x) = x.maximum(T::lit(0.0)).minimum(T::lit(6.0));
        [select(o.le(0.0).logical_or(o.ge(6.0)), 0.0, g)]; Real;
    /// `x` above 0, else `negative_slope * x`. The slope may be a tensor: PyTorch's `prelu`. Integers become `F32`.
    ///
    /// *Gradient:* `g` above 0, else `g * negative_slope`; for the slope `g * x` where `x` is at most 0.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([-1.0f32, 2.0]).leaky_relu(0.5).to_vec::<f32>(), [-0.5, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the float types differ.
    LEAKY_RELU: float leaky_relu(x, negative_slope) = if x > T::lit(0.0) { x } else { x * negative_slope };
        [select(x.gt(0.0), g, g * negative_slope), select(x.gt(0.0), 0.0, g * x)]; Real;
    /// `x` above 0, else `alpha * (exp(x) - 1)`. Integers become `F32`.
    ///
    /// *Gradient:* `g` above 0, else `g * alpha * exp(x)`; for `alpha` the value without it.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([f32::NEG_INFINITY, 2.0]).elu(0.5).to_vec::<f32>(), [-0.5, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the float types differ.
    ELU: float elu(x, alpha) = if x > T::lit(0.0) { x } else { alpha * x.expm1() };
        [select(x.gt(0.0), g, (g * alpha).gate(x.exp())), select(x.gt(0.0), 0.0, g).gate(x.expm1())]; Real;
    /// `scale * elu(x, alpha)` with the constants of self-normalising networks. Integers become `F32`.
    ///
    /// *Gradient:* `g * scale` above 0, else `g * scale * alpha * exp(x)`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert!((Tensor::from(1.0f64).selu().item() - 1.0507009873554805).abs() < 1e-15);
    /// ```
    SELU: float selu(x) = {
        let low = T::lit(SELU_SCALE * SELU_ALPHA) * x.expm1();
        if x > T::lit(0.0) { T::lit(SELU_SCALE) * x } else { low }
    }; [select(x.gt(0.0), SELU_SCALE * g, (SELU_SCALE * SELU_ALPHA * g).gate(x.exp()))]; Real;
    /// The logistic function `1 / (1 + exp(-x))`. Integers become `F32`.
    ///
    /// *Gradient:* `g * y * (1 - y)` with the result `y`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0f32, f32::INFINITY]).sigmoid().to_vec::<f32>(), [0.5, 1.0]);
    /// ```
    SIGMOID: float sigmoid(x) = x.sigmoid(); [g * (o * (1.0 - o))]; Real;
    /// The logarithm of [`Tensor::sigmoid`], without underflow. Integers become `F32`.
    ///
    /// *Gradient:* `g * sigmoid(-x)`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([-1000.0f32]).log_sigmoid().to_vec::<f32>(), [-1000.0]);
    /// ```
    LOG_SIGMOID: float log_sigmoid(x) = -((-x).softplus()); [g * (-x).sigmoid()]; Real;
    /// `log(1 + exp(x))` without overflow. Integers become `F32`.
    ///
    /// *Gradient:* `g * sigmoid(x)`. For a sharper bend see [`Tensor::softplus_with`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1000.0f32]).softplus().to_vec::<f32>(), [1000.0]);
    /// ```
    SOFTPLUS: float softplus(x) = x.softplus(); [g * x.sigmoid()]; Real
        => |x, a| vec![x[0].softplus_with(a.f64_or("beta", 1.0), a.f64_or("threshold", 20.0))];
    /// `x * sigmoid(x)`, also called swish. Integers become `F32`.
    ///
    /// *Gradient:* `g * s * (1 + x * (1 - s))` with `s = sigmoid(x)`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0f32, 100.0]).silu().to_vec::<f32>(), [0.0, 100.0]);
    /// ```
    SILU: float silu(x) = x * x.sigmoid(); [{
        let s = x.sigmoid();
        g * (s * (1.0 + x * (1.0 - s)))
    }]; Real;
    /// `x * tanh(softplus(x))`. Integers become `F32`.
    ///
    /// *Gradient:* `g * (t + x * sigmoid(x) * (1 - t^2))` with `t = tanh(softplus(x))`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0f32, 100.0]).mish().to_vec::<f32>(), [0.0, 100.0]);
    /// ```
    MISH: float mish(x) = x * x.softplus().tanh(); [{
        let t = x.softplus().tanh();
        g * (t + x * x.sigmoid() * (1.0 - t * t))
    }]; Real;
    /// `x * P(x)`, where `P` is the distribution function of the standard normal distribution ([`Tensor::ndtr`]): to a few
    /// units of the last place down to where it underflows, and 0 at -infinity (PyTorch: NaN). Integers become `F32`.
    /// PyTorch's `gelu`; its `approximate="tanh"` is [`Tensor::gelu_tanh`].
    ///
    /// *Gradient:* `g * (P(x) + x * p(x))` with the density `p`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0f32, 100.0]).gelu().to_vec::<f32>(), [0.0, 100.0]);
    /// assert!((Tensor::from(-10.0f32).gelu().item() / -7.619_853_024e-23 - 1.0).abs() < 1e-6);
    /// ```
    GELU: float gelu(x) = x.gelu(); [
        g * (x.ndtr() + (NORMAL * (-0.5 * (x * x)).exp()).gate(x))
    ]; Real => |x, a| vec![match a.str_or("approximate", "none") {
        "tanh" => x[0].gelu_tanh(),
        _ => x[0].gelu(),
    }];
    /// [`Tensor::gelu`] by a hyperbolic tangent: `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))`.
    /// Integers become `F32`.
    ///
    /// *Gradient:* that of the formula.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0f32, 100.0]).gelu_tanh().to_vec::<f32>(), [0.0, 100.0]);
    /// ```
    GELU_TANH: float gelu_tanh(x) = {
        // (1 + tanh(u)) / 2 is sigmoid(2 u), which does not cancel far below 0.
        let inner = T::lit(GELU_SCALE) * (x + T::lit(GELU_CUBIC) * (x * x * x));
        x * (T::lit(2.0) * inner).sigmoid()
    }; [{
        let s = (2.0 * GELU_SCALE * (x + GELU_CUBIC * (x * x * x))).sigmoid();
        // Where the sigmoid is flat its slope is 0, though the cubic may have overflowed.
        let slope = (s * (1.0 - s)).gate(2.0 * GELU_SCALE * (1.0 + 3.0 * GELU_CUBIC * (x * x)));
        g * (s + x * slope)
    }]; Real;
    /// `x / (1 + |x|)`. Integers become `F32`.
    ///
    /// *Gradient:* `g / (1 + |x|)^2`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([-1.0f32, 3.0]).softsign().to_vec::<f32>(), [-0.5, 0.75]);
    /// ```
    SOFTSIGN: float softsign(x) = x / (T::lit(1.0) + x.abs()); [g / (1.0 + x.abs()).square()]; Real;
    /// `relu6(x + 3) / 6`: a sigmoid of three straight pieces. Integers become `F32`.
    ///
    /// *Gradient:* `g / 6` between -3 and 3, else 0, both bounds included; 1 / 6 in single precision, as PyTorch has it.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([-4.0f32, 0.0, 4.0]).hard_sigmoid().to_vec::<f32>(), [0.0, 0.5, 1.0]);
    /// ```
    HARD_SIGMOID: float hard_sigmoid(x) = (x + T::lit(3.0)).maximum(T::lit(0.0)).minimum(T::lit(6.0)) / T::lit(6.0);
        [select(x.gt(-3.0).logical_and(x.lt(3.0)), g * (1.0f32 / 6.0), 0.0)]; Real;
    /// `x * hard_sigmoid(x)`. Integers become `F32`.
    ///
    /// *Gradient:* `g * (x / 3 + 1 / 2)` between -3 and 3, 0 from -3 down, `g` from 3 up.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([-4.0f32, 1.5, 4.0]).hard_swish().to_vec::<f32>(), [0.0, 1.125, 4.0]);
    /// ```
    HARD_SWISH: float hard_swish(x) = x * (x + T::lit(3.0)).maximum(T::lit(0.0)).minimum(T::lit(6.0)) / T::lit(6.0);
        [select(x.le(-3.0), 0.0, select(x.lt(3.0), g * (x * (1.0 / 3.0) + 0.5), g))]; Real;
    /// Each element held between -1 and 1.
    ///
    /// *Gradient:* `g` between -1 and 1, else 0, both bounds included.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([-4.0f32, 0.5]).hard_tanh().to_vec::<f32>(), [-1.0, 0.5]);
    /// ```
    HARD_TANH: arith hard_tanh(x) = x.maximum(T::lit(-1.0)).minimum(T::lit(1.0));
        [select(o.le(-1.0).logical_or(o.ge(1.0)), 0.0, g)]; Real;
}

// `inverse` is `1 / alpha` as the gradient takes it. Both come in as numbers and are never tracked.
elementwise!(@static (o, g) CELU float celu(x, alpha, inverse)
    if x > T::lit(0.0) { x } else { alpha * (x / alpha).expm1() },
    [] [select(x.gt(0.0), g, (g * (alpha * inverse)).gate((x * inverse).exp())), 0.0, 0.0]
    [] Real []);

impl Scalar {
    /// The scalar form of [`Tensor::celu`].
    #[must_use]
    pub fn celu(self, alpha: f64) -> Scalar {
        Scalar::apply(&CELU, &[self, alpha.into(), single_inverse(alpha).into()])
    }
}
/// The reciprocal of a number rounded to single precision.
fn single_inverse(alpha: f64) -> f64 {
    1.0 / f64::from(alpha as f32)
}
impl Tensor {
    /// `x` above 0, else `alpha * (exp(x / alpha) - 1)`, smooth for every `alpha`. Integers become `F32`.
    ///
    /// *Gradient:* `g` above 0, else `g * exp(x / alpha)`; with `alpha` in single precision, as PyTorch has it.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([f32::NEG_INFINITY, 2.0]).celu(0.5).to_vec::<f32>(), [-0.5, 2.0]);
    /// ```
    #[track_caller]
    pub fn celu(&self, alpha: f64) -> Tensor {
        apply::map(&CELU, [self.into(), alpha.into(), single_inverse(alpha).into()])
    }
    /// `log(1 + exp(beta * x)) / beta`, and `x` itself where `beta * x` is above `threshold`: PyTorch's `softplus`.
    /// Integers become `F32`.
    ///
    /// *Gradient:* `g * sigmoid(beta * x)`, and `g` above the threshold.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0f64, 11.0]).softplus_with(2.0, 20.0).to_vec::<f64>(), [2f64.ln() / 2.0, 11.0]);
    /// ```
    #[track_caller]
    pub fn softplus_with(&self, beta: f64, threshold: f64) -> Tensor {
        crate::map::named("softplus", [self.into()], |x| {
            let steep = x[0] * beta;
            select(steep.gt(threshold), x[0], steep.softplus() / beta)
        })
    }
    /// The first half along `axis`, each element times the sigmoid of its counterpart in the second: the gated linear
    /// unit.
    ///
    /// Composite of [`Tensor::narrow`], [`Tensor::sigmoid`] and a product.
    ///
    /// *Gradient:* g s for the first half, g a s (1 - s) for the second, s being the sigmoid.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([3.0f32, 0.0]).glu(0).to_vec::<f32>(), [1.5]);
    /// ```
    ///
    /// # Panics
    /// If the elements are not floats, there is no such axis, or its size is odd.
    #[track_caller]
    pub fn glu(&self, axis: isize) -> Tensor {
        floats("glu", self.dtype()).or_raise();
        let at = shape::axis("glu", axis, self.rank()).or_raise();
        let n = self.shape()[at];
        if n % 2 == 1 {
            let given = format!("an odd size: {n} along axis {at} of shape {}", self.shape());
            raise(Error::new(
                "glu",
                ErrorKind::Shape,
                format!("{given}; the two halves must be of one size"),
            ));
        }
        let half = |start| self.narrow(axis, start, n / 2);
        half(0).zip_map(half(n / 2), |a, b| a * b.sigmoid())
    }
}

/// The functions of this family that are not rows.
pub(crate) const ENTRIES: &[Entry] = &[
    Entry::new("celu", |x, a| vec![x[0].celu(a.f64_or("alpha", 1.0))]),
    Entry::new("glu", |x, a| vec![x[0].glu(a.int_or("dim", -1))]),
];
