//! Missing numbers: what to put in their place, and sums and means that leave them out.
use crate::Tensor;
use crate::dtype::{BF16, DType, F16, F32};
use crate::error::OrRaise;
use crate::map::named;
use crate::ops::reduce::{floats, reducing};
use crate::ops::stats::{rounded, widened};
use crate::shape::{AxisVec, IntoAxes, Shape};
use half::{bf16, f16};

/// The largest finite number of a float type.
fn largest(dtype: DType) -> f64 {
    match dtype {
        F16 => f16::MAX.into(),
        BF16 => bf16::MAX.into(),
        F32 => f32::MAX.into(),
        _ => f64::MAX,
    }
}

impl Tensor {
    /// Each element, but 0 for NaN, and for an infinity the finite number of the type that is nearest to it.
    ///
    /// Composite of comparisons and [`Tensor::where_`]: PyTorch's `nan_to_num` with its defaults;
    /// [`Tensor::nan_to_num_with`] takes other numbers. What is no float stays as it is.
    ///
    /// *Gradient:* `g`, 0 where an element was replaced.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([f32::NAN, f32::NEG_INFINITY, 1.5]);
    /// assert_eq!(x.nan_to_num().to_vec::<f32>(), [0.0, f32::MIN, 1.5]);
    /// ```
    #[track_caller]
    pub fn nan_to_num(&self) -> Tensor {
        self.nan_to_num_with(0.0, None, None)
    }
    /// Each element, but `nan` for NaN, `posinf` for infinity and `neginf` for minus infinity; for an infinity without
    /// a number of its own the finite number of the type that is nearest to it.
    ///
    /// Composite of comparisons and [`Tensor::where_`]: PyTorch's `nan_to_num`. What is no float stays as it is; a
    /// number that the type does not reach becomes an infinity again.
    ///
    /// *Gradient:* `g`, 0 where an element was replaced.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.5]);
    /// assert_eq!(x.nan_to_num_with(-1.0, Some(9.0), None).to_vec::<f64>(), [-1.0, 9.0, f64::MIN, 1.5]);
    /// ```
    #[track_caller]
    pub fn nan_to_num_with(&self, nan: f64, posinf: Option<f64>, neginf: Option<f64>) -> Tensor {
        if !self.dtype().is_float() {
            return self.clone();
        }
        let largest = largest(self.dtype());
        let (above, below) = (posinf.unwrap_or(largest), neginf.unwrap_or(-largest));
        named("nan_to_num", [self.into()], |x| {
            let x = x[0];
            let infinite = x.gt(0.0).where_(above, below);
            x.isfinite().where_(x, x.isnan().where_(nan, infinite))
        })
    }

    /// Sum over `axes` of the elements that are not NaN; 0 if none is left.
    ///
    /// Composite of [`Tensor::where_`] and [`Tensor::sum`]: PyTorch's `nansum`. Sums of bool and integers are `I64`.
    ///
    /// *Gradient:* `g` repeated, 0 where an element is NaN.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([[1.0, f32::NAN], [3.0, 4.0], [f32::NAN, f32::NAN]]);
    /// assert_eq!(x.nansum(1).to_vec::<f32>(), [1.0, 7.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn nansum(&self, axes: impl IntoAxes) -> Tensor {
        let (axes, to) = reducing("nansum", self, axes, false);
        self.without_nan("nansum").summed(axes, to)
    }
    /// [`Tensor::nansum`] with the summed axes kept at size 1.
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn nansum_keepdim(&self, axes: impl IntoAxes) -> Tensor {
        let (axes, to) = reducing("nansum", self, axes, true);
        self.without_nan("nansum").summed(axes, to)
    }
    /// Mean over `axes` of the elements that are not NaN, divided by how many these are; NaN if none is left.
    ///
    /// Composite of [`Tensor::nansum`] and a count: PyTorch's `nanmean`.
    ///
    /// *Gradient:* `g / n` repeated, of the `n` elements that are not NaN; 0 where an element is NaN, though all are.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([[1.0, f32::NAN], [3.0, 4.0], [f32::NAN, f32::NAN]]);
    /// assert_eq!(x.nanmean(1).to_vec::<f32>()[..2], [1.0, 3.5]);
    /// assert!(x.nanmean(1).to_vec::<f32>()[2].is_nan());
    /// ```
    ///
    /// # Panics
    /// If the elements are not floats, or an axis does not exist or is named twice.
    #[track_caller]
    pub fn nanmean(&self, axes: impl IntoAxes) -> Tensor {
        floats("nanmean", self.dtype()).or_raise();
        let (axes, to) = reducing("nanmean", self, axes, false);
        self.mean_of_known(axes, to)
    }
    /// [`Tensor::nanmean`] with the reduced axes kept at size 1.
    ///
    /// # Panics
    /// If the elements are not floats, or an axis does not exist or is named twice.
    #[track_caller]
    pub fn nanmean_keepdim(&self, axes: impl IntoAxes) -> Tensor {
        floats("nanmean", self.dtype()).or_raise();
        let (axes, to) = reducing("nanmean", self, axes, true);
        self.mean_of_known(axes, to)
    }
    #[track_caller]
    fn mean_of_known(&self, axes: AxisVec, to: Shape) -> Tensor {
        let wide = widened(self);
        // Each sum is a statement of its own; see `stats`.
        let count = wide.isnan().logical_not().summed(axes.clone(), to.clone());
        let total = wide.without_nan("nanmean").summed(axes, to);
        rounded(total / count.cast(wide.dtype()), self.dtype())
    }
    /// 0 for NaN.
    #[track_caller]
    fn without_nan(&self, op: &'static str) -> Tensor {
        if !self.dtype().is_float() {
            return self.clone();
        }
        named(op, [self.into()], |x| x[0].isnan().where_(0.0, x[0]))
    }
}
