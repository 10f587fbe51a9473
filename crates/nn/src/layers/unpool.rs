//! The way back from pooling: elements at the places that they came from.

use super::{IntoSizes, at_least_1, numbered};
use crate::summary::layer;
use retrograd_nn_derive::Module;
use retrograd_tensor::{Error, ErrorKind, Tensor, raise};

/// Zeros with elements at the places that [`MaxPoolNd::forward_indices`](super::MaxPoolNd::forward_indices) took them
/// from: [`Tensor::max_unpool`], where the gradient is documented. `[.., n]` to `[.., (n - 1) stride - 2 padding + kernel]`
/// along each of the last `N` axes, as PyTorch's `MaxUnpool1d` to `MaxUnpool3d`.
///
/// Several sizes are pooled to the same one; [`forward_sized`](Self::forward_sized) says which it was.
///
/// ```
/// use retrograd_nn::{MaxPool2d, MaxUnpool2d};
/// use retrograd_tensor::F32;
/// let x = F32.arange(0, 16, 1).reshape([1, 4, 4]);
/// let (y, places) = MaxPool2d::new(2).forward_indices(&x);
/// let back = MaxUnpool2d::new(2).forward(&y, &places);
/// assert_eq!(back, x.eq(5).logical_or(x.eq(7)).logical_or(x.ge(13)).where_(&x, 0.0) * x.ne(14));
/// let (y, places) = MaxPool2d::new(2).forward_indices(&F32.ones([1, 5, 4]));
/// assert_eq!(MaxUnpool2d::new(2).forward_sized(&y, &places, [5, 4]).shape()[..], [1, 5, 4]);
/// ```
#[derive(Clone, Copy, Debug, Module)]
pub struct MaxUnpoolNd<const N: usize> {
    /// The size of the windows that were pooled.
    pub kernel: [usize; N],
    /// How far apart they were.
    pub stride: [usize; N],
    /// How many places were added around.
    pub padding: [usize; N],
}

/// [`MaxUnpoolNd`] over one axis.
pub type MaxUnpool1d = MaxUnpoolNd<1>;
/// [`MaxUnpoolNd`] over two axes.
pub type MaxUnpool2d = MaxUnpoolNd<2>;
/// [`MaxUnpoolNd`] over three axes.
pub type MaxUnpool3d = MaxUnpoolNd<3>;

impl<const N: usize> MaxUnpoolNd<N> {
    const NAME: &'static str = numbered(["MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d"], N);

    /// Of windows of this size, side by side.
    ///
    /// # Panics
    /// If a size is 0.
    #[must_use]
    #[track_caller]
    pub fn new(kernel: impl IntoSizes<N>) -> Self {
        let kernel = at_least_1(Self::NAME, "kernel", kernel);
        Self { kernel, stride: kernel, padding: [0; N] }
    }

    /// The same of windows this far apart.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    #[track_caller]
    pub fn stride(self, stride: impl IntoSizes<N>) -> Self {
        Self { stride: at_least_1(Self::NAME, "stride", stride), ..self }
    }

    /// The same of an input with so many places around.
    #[must_use]
    pub fn padding(self, padding: impl IntoSizes<N>) -> Self {
        Self { padding: padding.into_sizes(), ..self }
    }

    /// The elements at their places, of the size that the windows just cover.
    ///
    /// # Panics
    /// As [`Tensor::max_unpool`], or if there is no such size.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, indices: &Tensor) -> Tensor {
        layer!(self, Self::NAME, {
            let sizes = self.covered(x).map(|size| match usize::try_from(size) {
                Ok(size) if size > 0 => size,
                _ => refuse(Self::NAME, format!("no size: {size} from shape {}; pad less", x.shape())),
            });
            x.max_unpool(indices, sizes)
        })
    }

    /// The elements at their places, along the last axes of the size that was pooled: less than a stride from the one
    /// that the windows just cover. PyTorch's `output_size`.
    ///
    /// # Panics
    /// As [`Tensor::max_unpool`], or if a size is a stride or more off.
    #[track_caller]
    pub fn forward_sized(&self, x: &Tensor, indices: &Tensor, sizes: [usize; N]) -> Tensor {
        layer!(self, Self::NAME, {
            let covered = self.covered(x);
            for axis in 0..N {
                let off = (sizes[axis] as i64).abs_diff(covered[axis]);
                if off >= self.stride[axis].max(1) as u64 {
                    let given = format!("output size not allowed: {sizes:?} from shape {}", x.shape());
                    let right = format!("it is {covered:?}, give or take less than {:?}", self.stride);
                    refuse(Self::NAME, format!("{given}; {right}"));
                }
            }
            x.max_unpool(indices, sizes)
        })
    }

    /// The size that the windows of `x` just cover.
    #[track_caller]
    fn covered(&self, x: &Tensor) -> [i64; N] {
        let Some(lead) = x.rank().checked_sub(N) else {
            refuse(Self::NAME, format!("too few axes: shape {}; the last {N} are spatial", x.shape()));
        };
        std::array::from_fn(|axis| {
            let windows = x.shape()[lead + axis] as i64 - 1;
            let [stride, padding, kernel] =
                [self.stride, self.padding, self.kernel].map(|sizes| sizes[axis] as i64);
            windows * stride - 2 * padding + kernel
        })
    }
}

#[track_caller]
fn refuse(name: &'static str, detail: String) -> ! {
    raise(Error::new(name, ErrorKind::Shape, detail))
}
