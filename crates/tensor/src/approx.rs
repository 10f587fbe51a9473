//! Equality and closeness of tensors: Rust's `==`, [`Tensor::allclose`], and the traits of the `approx` crate.
use crate::call::View;
use crate::dtype::Element;
use crate::tensor::Tensor;
use approx::{AbsDiffEq, RelativeEq};

/// Rust's equality: the same shape, the same type, equal elements. NaN equals nothing, so a tensor that holds one
/// does not equal itself. The elementwise comparison is the method `x.eq(&y)`.
///
/// ```
/// use retrograd_tensor::Tensor;
/// assert!(Tensor::from([1.0f32, 2.0]) == Tensor::from([1.0f32, 2.0]));
/// assert!(Tensor::from([1.0f32, 2.0]) != Tensor::from([1.0f64, 2.0]));
/// ```
impl PartialEq for Tensor {
    #[track_caller]
    fn eq(&self, other: &Tensor) -> bool {
        alike(self, other) && {
            crate::force_all(&[self, other]);
            let (x, y) = (View::of(&self.value), View::of(&other.value));
            crate::call::by_dtype!(self.dtype(), T => x.dense::<T>() == y.dense::<T>())
        }
    }
}
fn alike(x: &Tensor, y: &Tensor) -> bool {
    x.shape() == y.shape() && x.dtype() == y.dtype()
}
/// The elements as `f64`.
#[track_caller]
fn elements(x: &Tensor) -> Vec<f64> {
    crate::call::by_dtype!(x.dtype(), T => View::of(&x.value).dense::<T>().iter().map(|v| v.to_f64()).collect())
}
/// Whether `close` holds for every pair of elements.
#[track_caller]
fn all(x: &Tensor, y: &Tensor, close: impl Fn(f64, f64) -> bool) -> bool {
    crate::force_all(&[x, y]);
    elements(x).into_iter().zip(elements(y)).all(|(x, y)| close(x, y))
}

impl Tensor {
    /// Whether `|x - y| <= atol + rtol |y|` for every element x of this tensor and y of `other`; types may differ,
    /// tensors of different shapes are not close. Equal infinities are close, NaN is close to nothing.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([1.0f32, 100.0]);
    /// assert!(x.allclose(&(&x * 1.001), 0.01, 0.0) && !x.allclose(&(&x + 0.1), 0.01, 0.0));
    /// ```
    #[track_caller]
    pub fn allclose(&self, other: &Tensor, rtol: f64, atol: f64) -> bool {
        let close = |x: f64, y: f64| x == y || (x - y).abs() <= atol + rtol * y.abs() && y.is_finite();
        self.shape() == other.shape() && all(self, other, close)
    }
}

/// By elements, with the tolerances of `f64` numbers; shapes and types must be equal. The defaults are `f32`'s
/// machine epsilon, whatever the type.
///
/// ```
/// use approx::assert_abs_diff_eq;
/// use retrograd_tensor::Tensor;
/// assert_abs_diff_eq!(Tensor::from([1.0f64, 2.0]), Tensor::from([1.0f64, 2.001]), epsilon = 0.01);
/// ```
impl AbsDiffEq for Tensor {
    type Epsilon = f64;
    fn default_epsilon() -> f64 {
        f64::from(f32::EPSILON)
    }
    #[track_caller]
    fn abs_diff_eq(&self, other: &Tensor, epsilon: f64) -> bool {
        alike(self, other) && all(self, other, |x, y| x == y || x.abs_diff_eq(&y, epsilon))
    }
}
/// As for [`AbsDiffEq`]:
///
/// ```
/// use approx::assert_relative_eq;
/// use retrograd_tensor::Tensor;
/// assert_relative_eq!(Tensor::from([1e3f64]), Tensor::from([1.001e3f64]), max_relative = 0.01);
/// ```
impl RelativeEq for Tensor {
    fn default_max_relative() -> f64 {
        f64::from(f32::EPSILON)
    }
    #[track_caller]
    fn relative_eq(&self, other: &Tensor, epsilon: f64, max_relative: f64) -> bool {
        alike(self, other) && all(self, other, |x, y| x.relative_eq(&y, epsilon, max_relative))
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use approx::{AbsDiffEq, RelativeEq};

    #[test]
    fn equality_is_that_of_elements_wherever_they_lie() {
        let x = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]);
        assert_eq!(x.permute([1, 0]), Tensor::from([[1.0f32, 3.0], [2.0, 4.0]]));
        assert_ne!(x, x.reshape([4]));
        assert_eq!(&x + 1.0, Tensor::from([[2.0f32, 3.0], [4.0, 5.0]]));
        let nan = Tensor::from([f32::NAN]);
        assert!(nan != nan.clone());
        assert_eq!(Tensor::from([i64::MAX]), Tensor::from([i64::MAX]));
        assert_ne!(Tensor::from([i64::MAX]), Tensor::from([i64::MAX - 1]));
    }
    #[test]
    fn closeness_has_its_bars() {
        let (x, y) = (Tensor::from([1.0f64, f64::INFINITY]), Tensor::from([1.1f64, f64::INFINITY]));
        assert!(x.allclose(&y, 0.0, 0.11) && !x.allclose(&y, 0.0, 0.09));
        assert!(x.allclose(&y, 0.1, 0.0) && !x.allclose(&y, 0.05, 0.0));
        assert!(!x.allclose(&Tensor::from([1.0f64]), 1.0, 1.0));
        assert!(!x.allclose(&Tensor::from([1.0f64, f64::NAN]), 1.0, 1.0));
        assert!(!Tensor::from([1.0f64]).allclose(&Tensor::from([f64::INFINITY]), 1.0, 1.0));
        assert!(x.abs_diff_eq(&y, 0.11) && !x.abs_diff_eq(&y, 0.09));
        assert!(x.relative_eq(&y, 0.0, 0.1) && !x.relative_eq(&y, 0.0, 0.05));
    }
}
