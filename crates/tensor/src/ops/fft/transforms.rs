//! The transforms as methods: in one axis, in two, in many; of complex, real and Hermitian tensors.
use super::{FftNorm, conjugate, from_half, to_complex, to_half};
use crate::Tensor;
use crate::dtype::DType;
use crate::error::OrRaise;
use crate::shape::{self, Axes, IntoAxes};

/// A complex tensor is a real one with a last axis of 2, the real and the imaginary part; `axis` counts its other axes.
impl Tensor {
    /// The discrete Fourier transform of a complex tensor along `axis`: `y[k] = sum_j x[j] exp(-2 pi i j k / n)`.
    ///
    /// A complex tensor has a last axis of 2, the real and the imaginary part, which axes do not count: `[3, 8, 2]` is 3
    /// rows of 8 complex numbers, and axis -1 goes along the 8. The axis is first cut, or filled up by zeros, to `n` if
    /// that is given. *Gradient:* the transposed transform, exact to any order.
    ///
    /// ```
    /// use retrograd_tensor::{FftNorm, Tensor};
    /// let x = Tensor::from([[1.0f64, 0.0], [0.0, 1.0]]);
    /// assert_eq!(x.fft(None, -1, FftNorm::Backward).to_vec::<f64>(), [1.0, 1.0, 1.0, -1.0]);
    /// ```
    ///
    /// # Panics
    /// If this is not complex, an axis does not exist or is named twice, a length is 0, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn fft(&self, n: Option<usize>, axis: isize, norm: FftNorm) -> Tensor {
        to_complex("fft", self, n.as_ref().map(std::slice::from_ref), axis, norm, false)
    }
    /// The inverse of [`Tensor::fft`].
    ///
    /// ```
    /// use retrograd_tensor::{FftNorm, Tensor};
    /// let x = Tensor::from([[1.0f64, 1.0], [1.0, -1.0]]);
    /// assert_eq!(x.ifft(None, -1, FftNorm::Backward).to_vec::<f64>(), [1.0, 0.0, 0.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If this is not complex, an axis does not exist or is named twice, a length is 0, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn ifft(&self, n: Option<usize>, axis: isize, norm: FftNorm) -> Tensor {
        to_complex("ifft", self, n.as_ref().map(std::slice::from_ref), axis, norm, true)
    }
    /// [`Tensor::fft`] of a real tensor, whose axes are all counted: the first `n / 2 + 1` elements, which have the
    /// others' conjugates. The result is complex, with a new last axis of 2.
    ///
    /// *Gradient:* the transposed transform, exact to any order.
    ///
    /// ```
    /// use retrograd_tensor::{FftNorm, Tensor};
    /// let y = Tensor::from([3.0f64, 1.0]).rfft(None, -1, FftNorm::Backward);
    /// assert_eq!(y.to_vec::<f64>(), [4.0, 0.0, 2.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist or is named twice, a length is 0, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn rfft(&self, n: Option<usize>, axis: isize, norm: FftNorm) -> Tensor {
        to_half("rfft", self, n.as_ref().map(std::slice::from_ref), axis, norm, false)
    }
    /// The inverse of [`Tensor::rfft`]: real, `n` long, by default 2 less than twice the length of `axis`. Imaginary
    /// parts that half a spectrum has not are not read.
    ///
    /// ```
    /// use retrograd_tensor::{FftNorm, Tensor};
    /// let y = Tensor::from([[4.0f64, 0.0], [2.0, 0.0]]);
    /// assert_eq!(y.irfft(None, -1, FftNorm::Backward).to_vec::<f64>(), [3.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If this is not complex, an axis does not exist or is named twice, a length is 0, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn irfft(&self, n: Option<usize>, axis: isize, norm: FftNorm) -> Tensor {
        from_half("irfft", self, n.as_ref().map(std::slice::from_ref), axis, norm, true)
    }
    /// [`Tensor::fft`] of a Hermitian row, of which this has the first `n / 2 + 1` elements: real, `n` long, by default 2
    /// less than twice the length of `axis`.
    ///
    /// Composite of [`Tensor::irfft`] and a conjugation.
    ///
    /// ```
    /// use retrograd_tensor::{FftNorm, Tensor};
    /// let y = Tensor::from([[4.0f64, 0.0], [2.0, 0.0]]);
    /// assert_eq!(y.hfft(None, -1, FftNorm::Backward).to_vec::<f64>(), [6.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If this is not complex, an axis does not exist or is named twice, a length is 0, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn hfft(&self, n: Option<usize>, axis: isize, norm: FftNorm) -> Tensor {
        from_half("hfft", &conjugate(self), n.as_ref().map(std::slice::from_ref), axis, norm, false)
    }
    /// The inverse of [`Tensor::hfft`].
    ///
    /// Composite of [`Tensor::rfft`] and a conjugation.
    ///
    /// ```
    /// use retrograd_tensor::{FftNorm, Tensor};
    /// let y = Tensor::from([6.0f64, 2.0]).ihfft(None, -1, FftNorm::Backward);
    /// assert_eq!(y.to_vec::<f64>(), [4.0, 0.0, 2.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist or is named twice, a length is 0, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn ihfft(&self, n: Option<usize>, axis: isize, norm: FftNorm) -> Tensor {
        conjugate(&to_half("ihfft", self, n.as_ref().map(std::slice::from_ref), axis, norm, true))
    }
    /// [`Tensor::fft`] along the last two axes, which are first brought to the lengths `s`.
    ///
    /// ```
    /// use retrograd_tensor::{FftNorm, Tensor};
    /// let x = Tensor::from([[[1.0f64, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]);
    /// assert_eq!(x.fft2(None, FftNorm::Backward).select(-1, 0).to_vec::<f64>(), [1.0; 4]);
    /// ```
    ///
    /// # Panics
    /// If this is not complex, an axis does not exist or is named twice, a length is 0, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn fft2(&self, s: Option<[usize; 2]>, norm: FftNorm) -> Tensor {
        to_complex("fft2", self, s.as_ref().map(|s| &s[..]), [-2, -1], norm, false)
    }
    /// The inverse of [`Tensor::fft2`].
    ///
    /// ```
    /// use retrograd_tensor::{FftNorm, Tensor};
    /// let x = Tensor::from([[[1.0f64, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]);
    /// assert_eq!(x.ifft2(None, FftNorm::Backward).select(-1, 0).to_vec::<f64>(), [0.25; 4]);
    /// ```
    ///
    /// # Panics
    /// If this is not complex, an axis does not exist or is named twice, a length is 0, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn ifft2(&self, s: Option<[usize; 2]>, norm: FftNorm) -> Tensor {
        to_complex("ifft2", self, s.as_ref().map(|s| &s[..]), [-2, -1], norm, true)
    }
    /// [`Tensor::rfft`] along the last of two axes and [`Tensor::fft`] along the other.
    ///
    /// ```
    /// use retrograd_tensor::{FftNorm, Tensor};
    /// let y = Tensor::from([[1.0f64, 2.0], [3.0, 4.0]]).rfft2(None, FftNorm::Backward);
    /// assert_eq!(y.select(-1, 0).to_vec::<f64>(), [10.0, -2.0, -4.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist or is named twice, a length is 0, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn rfft2(&self, s: Option<[usize; 2]>, norm: FftNorm) -> Tensor {
        to_half("rfft2", self, s.as_ref().map(|s| &s[..]), [-2, -1], norm, false)
    }
    /// The inverse of [`Tensor::rfft2`].
    ///
    /// ```
    /// use retrograd_tensor::{FftNorm, Tensor};
    /// let x = Tensor::from([[1.0f64, 2.0], [3.0, 4.0]]);
    /// let y = x.rfft2(None, FftNorm::Ortho).irfft2(None, FftNorm::Ortho);
    /// assert!(y.isclose(&x, 1e-14, 0.0).all(()).item() == 1.0);
    /// ```
    ///
    /// # Panics
    /// If this is not complex, an axis does not exist or is named twice, a length is 0, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn irfft2(&self, s: Option<[usize; 2]>, norm: FftNorm) -> Tensor {
        from_half("irfft2", self, s.as_ref().map(|s| &s[..]), [-2, -1], norm, true)
    }
    /// [`Tensor::fft`] along each of `axes`, by default all, or the last ones that `s` gives lengths for.
    ///
    /// ```
    /// use retrograd_tensor::{FftNorm, Tensor};
    /// let x = Tensor::from([[[1.0f64, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]);
    /// assert_eq!(x.fftn(None, (), FftNorm::Backward).select(-1, 0).to_vec::<f64>(), [1.0; 4]);
    /// ```
    ///
    /// # Panics
    /// If this is not complex, an axis does not exist or is named twice, a length is 0, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn fftn(&self, s: Option<&[usize]>, axes: impl IntoAxes, norm: FftNorm) -> Tensor {
        to_complex("fftn", self, s, axes, norm, false)
    }
    /// The inverse of [`Tensor::fftn`].
    ///
    /// ```
    /// use retrograd_tensor::{FftNorm, Tensor};
    /// let x = Tensor::from([[[1.0f64, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]);
    /// assert_eq!(x.ifftn(None, [0], FftNorm::Backward).select(-1, 0).to_vec::<f64>(), [0.5, 0.0, 0.5, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If this is not complex, an axis does not exist or is named twice, a length is 0, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn ifftn(&self, s: Option<&[usize]>, axes: impl IntoAxes, norm: FftNorm) -> Tensor {
        to_complex("ifftn", self, s, axes, norm, true)
    }
    /// [`Tensor::rfft`] along the last of `axes` and [`Tensor::fft`] along the others; axes as for [`Tensor::fftn`].
    ///
    /// ```
    /// use retrograd_tensor::{FftNorm, Tensor};
    /// let y = Tensor::from([[1.0f64, 2.0], [3.0, 4.0]]).rfftn(None, (), FftNorm::Backward);
    /// assert_eq!(y.select(-1, 0).to_vec::<f64>(), [10.0, -2.0, -4.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist or is named twice, a length is 0, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn rfftn(&self, s: Option<&[usize]>, axes: impl IntoAxes, norm: FftNorm) -> Tensor {
        to_half("rfftn", self, s, axes, norm, false)
    }
    /// The inverse of [`Tensor::rfftn`]; the last length counts as for [`Tensor::irfft`].
    ///
    /// ```
    /// use retrograd_tensor::{FftNorm, Tensor};
    /// let x = Tensor::from([[1.0f64, 2.0, 3.0], [3.0, 4.0, 5.0]]);
    /// let y = x.rfftn(None, (), FftNorm::Forward).irfftn(Some(&[2, 3]), (), FftNorm::Forward);
    /// assert!(y.isclose(&x, 1e-14, 1e-14).all(()).item() == 1.0);
    /// ```
    ///
    /// # Panics
    /// If this is not complex, an axis does not exist or is named twice, a length is 0, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn irfftn(&self, s: Option<&[usize]>, axes: impl IntoAxes, norm: FftNorm) -> Tensor {
        from_half("irfftn", self, s, axes, norm, true)
    }
    /// Frequency 0 moved from the front of these axes to their middle. Axes are this tensor's as it is: of a complex one
    /// leave out the last.
    ///
    /// Composite of [`Tensor::roll`].
    ///
    /// ```
    /// use retrograd_tensor::F64;
    /// assert_eq!(F64.fftfreq(4, 1.0).fftshift(0).to_vec::<f64>(), [-0.5, -0.25, 0.0, 0.25]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn fftshift(&self, axes: impl IntoAxes) -> Tensor {
        self.rolled("fftshift", axes, |n| n / 2)
    }
    /// The inverse of [`Tensor::fftshift`].
    ///
    /// Composite of [`Tensor::roll`].
    ///
    /// ```
    /// use retrograd_tensor::F64;
    /// let f = F64.fftfreq(5, 1.0);
    /// assert_eq!(f.fftshift(0).ifftshift(0).to_vec::<f64>(), f.to_vec::<f64>());
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn ifftshift(&self, axes: impl IntoAxes) -> Tensor {
        self.rolled("ifftshift", axes, |n| n.div_ceil(2))
    }
    #[track_caller]
    fn rolled(&self, op: &'static str, axes: impl IntoAxes, by: impl Fn(usize) -> usize) -> Tensor {
        let axes = match axes.into_axes() {
            Axes::All => (0..self.rank()).collect(),
            Axes::List(list) => shape::ordered_axes(op, &list, self.rank()).or_raise(),
        };
        axes.iter().fold(self.clone(), |x, &axis| x.roll(by(self.shape()[axis]) as isize, axis as isize))
    }
}

impl DType {
    /// The frequencies of the `n` elements of [`Tensor::fft`] of samples `d` apart: 0 and up, then the negative ones.
    ///
    /// ```
    /// use retrograd_tensor::F64;
    /// assert_eq!(F64.fftfreq(5, 0.5).to_vec::<f64>(), [0.0, 0.4, 0.8, -0.8, -0.4]);
    /// ```
    #[track_caller]
    pub fn fftfreq(self, n: usize, d: f64) -> Tensor {
        let at = |k: usize| if 2 * k < n { k as f64 } else { k as f64 - n as f64 };
        Tensor::from_vec((0..n).map(|k| at(k) / (n as f64 * d)).collect(), [n]).cast(self)
    }
    /// The frequencies of the `n / 2 + 1` elements of [`Tensor::rfft`] of `n` samples `d` apart.
    ///
    /// ```
    /// use retrograd_tensor::F64;
    /// assert_eq!(F64.rfftfreq(4, 1.0).to_vec::<f64>(), [0.0, 0.25, 0.5]);
    /// ```
    #[track_caller]
    pub fn rfftfreq(self, n: usize, d: f64) -> Tensor {
        let all = (0..=n / 2).map(|k| k as f64 / (n as f64 * d));
        Tensor::from_vec(all.collect(), [n / 2 + 1]).cast(self)
    }
}
