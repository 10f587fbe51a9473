//! Pooling: each window of the last axes as one element.

use super::{IntoSizes, at_least_1, numbered, passes_on};
use crate::summary::layer;
use retrograd_nn_derive::Module;
use retrograd_tensor::{AvgPool, Error, ErrorKind, MaxPool, Tensor, raise};

/// Names for one, two and three axes.
macro_rules! aliases {
    ($($one:ident $two:ident $three:ident = $name:ident;)*) => {$(
        #[doc = concat!("[`", stringify!($name), "`] over one axis.")]
        pub type $one = $name<1>;
        #[doc = concat!("[`", stringify!($name), "`] over two axes.")]
        pub type $two = $name<2>;
        #[doc = concat!("[`", stringify!($name), "`] over three axes.")]
        pub type $three = $name<3>;
        passes_on!(const N: $name<N>);
    )*};
}

aliases! {
    MaxPool1d MaxPool2d MaxPool3d = MaxPoolNd;
    AvgPool1d AvgPool2d AvgPool3d = AvgPoolNd;
    LpPool1d LpPool2d LpPool3d = LpPoolNd;
    AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d = AdaptiveMaxPoolNd;
    AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d = AdaptiveAvgPoolNd;
}

/// The largest of each window of the last `N` axes: [`Tensor::max_pool`], where the gradient is documented.
///
/// ```
/// use retrograd_nn::MaxPool2d;
/// use retrograd_tensor::F32;
/// let x = F32.arange(0, 16, 1).reshape([1, 4, 4]);
/// assert_eq!(MaxPool2d::new(2).forward(&x).to_vec::<f32>(), [5.0, 7.0, 13.0, 15.0]);
/// assert_eq!(MaxPool2d::new(3).stride(1).padding(1).forward(&x).shape()[..], [1, 4, 4]);
/// ```
#[derive(Clone, Copy, Debug, Module)]
pub struct MaxPoolNd<const N: usize>(#[module(skip)] pub MaxPool<N>);

/// The mean of each window of the last `N` axes: [`Tensor::avg_pool`], where the gradient is documented.
///
/// ```
/// use retrograd_nn::AvgPool1d;
/// use retrograd_tensor::Tensor;
/// let x = Tensor::from([[1.0f32, 3.0, 8.0]]);
/// assert_eq!(AvgPool1d::new(2).stride(1).forward(&x).to_vec::<f32>(), [2.0, 5.5]);
/// ```
#[derive(Clone, Copy, Debug, Module)]
pub struct AvgPoolNd<const N: usize>(#[module(skip)] pub AvgPool<N>);

/// The norm of order `p` of each window of the last `N` axes: [`Tensor::lp_pool`], where the gradient is documented.
///
/// ```
/// use retrograd_nn::LpPool1d;
/// use retrograd_tensor::Tensor;
/// assert_eq!(LpPool1d::new(2.0, 2).forward(&Tensor::from([[3.0f32, 4.0]])).to_vec::<f32>(), [5.0]);
/// ```
#[derive(Clone, Copy, Debug, Module)]
pub struct LpPoolNd<const N: usize> {
    /// The order.
    pub p: f64,
    /// The windows.
    #[module(skip)]
    pub windows: AvgPool<N>,
}

/// The largest of each of so many parts of the last `N` axes: [`Tensor::adaptive_max_pool`].
///
/// ```
/// use retrograd_nn::AdaptiveMaxPool1d;
/// use retrograd_tensor::Tensor;
/// let y = AdaptiveMaxPool1d::new(2).forward(&Tensor::from([[1.0f32, 3.0, 8.0]]));
/// assert_eq!(y.to_vec::<f32>(), [3.0, 8.0]);
/// ```
#[derive(Clone, Copy, Debug, Module)]
pub struct AdaptiveMaxPoolNd<const N: usize>(pub [usize; N]);

/// The mean of each of so many parts of the last `N` axes: [`Tensor::adaptive_avg_pool`].
///
/// ```
/// use retrograd_nn::AdaptiveAvgPool1d;
/// use retrograd_tensor::Tensor;
/// let y = AdaptiveAvgPool1d::new(2).forward(&Tensor::from([[1.0f32, 3.0, 8.0]]));
/// assert_eq!(y.to_vec::<f32>(), [2.0, 5.5]);
/// ```
#[derive(Clone, Copy, Debug, Module)]
pub struct AdaptiveAvgPoolNd<const N: usize>(pub [usize; N]);

/// Options that windows of several kinds have.
macro_rules! window {
    ($name:ident.$windows:tt) => {
        impl<const N: usize> $name<N> {
            /// The same with windows this far apart; at first as far as they are long.
            ///
            /// # Panics
            /// If it is 0.
            #[must_use]
            #[track_caller]
            pub fn stride(mut self, stride: impl IntoSizes<N>) -> Self {
                self.$windows.stride = at_least_1(Self::NAME, "stride", stride);
                self
            }

            /// The same with a last window that does not fit, of the elements that it has.
            #[must_use]
            pub fn ceil_mode(mut self) -> Self {
                self.$windows.ceil_mode = true;
                self
            }
        }
    };
}
window!(MaxPoolNd.0);
window!(AvgPoolNd.0);
window!(LpPoolNd.windows);

impl<const N: usize> MaxPoolNd<N> {
    const NAME: &'static str = numbered(["MaxPool1d", "MaxPool2d", "MaxPool3d"], N);

    /// Windows of this size, side by side.
    ///
    /// # Panics
    /// If a size is 0.
    #[must_use]
    #[track_caller]
    pub fn new(kernel: impl IntoSizes<N>) -> Self {
        Self(at_least_1(Self::NAME, "kernel", kernel).into())
    }

    /// The same with so many places around, which are never the largest; at most half a window.
    ///
    /// # Panics
    /// If it is more.
    #[must_use]
    #[track_caller]
    pub fn padding(mut self, padding: impl IntoSizes<N>) -> Self {
        self.0.padding = half_at_most(Self::NAME, padding, self.0.kernel);
        self
    }

    /// The same with positions of a window this far apart.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    #[track_caller]
    pub fn dilation(mut self, dilation: impl IntoSizes<N>) -> Self {
        self.0.dilation = at_least_1(Self::NAME, "dilation", dilation);
        self
    }

    /// The largest of each window.
    ///
    /// # Panics
    /// As [`Tensor::max_pool`].
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, Self::NAME, x.max_pool(self.0))
    }

    /// The largest of each window, and where it lies: [`Tensor::max_pool_indices`], for [`Tensor::max_unpool`].
    ///
    /// # Panics
    /// As [`Tensor::max_pool`].
    #[track_caller]
    pub fn forward_indices(&self, x: &Tensor) -> (Tensor, Tensor) {
        layer!(self, Self::NAME, x.max_pool_indices(self.0))
    }
}

impl<const N: usize> AvgPoolNd<N> {
    const NAME: &'static str = numbered(["AvgPool1d", "AvgPool2d", "AvgPool3d"], N);

    /// Windows of this size, side by side.
    ///
    /// # Panics
    /// If a size is 0.
    #[must_use]
    #[track_caller]
    pub fn new(kernel: impl IntoSizes<N>) -> Self {
        Self(at_least_1(Self::NAME, "kernel", kernel).into())
    }

    /// The same with so many zeros around, at most half a window, which count as elements.
    ///
    /// # Panics
    /// If it is more.
    #[must_use]
    #[track_caller]
    pub fn padding(mut self, padding: impl IntoSizes<N>) -> Self {
        self.0.padding = half_at_most(Self::NAME, padding, self.0.kernel);
        self
    }

    /// The same with padding that does not count.
    #[must_use]
    pub fn without_padding_in_mean(mut self) -> Self {
        self.0.count_include_pad = false;
        self
    }

    /// The same with sums divided by this number.
    #[must_use]
    pub fn divisor(mut self, divisor: f64) -> Self {
        self.0.divisor = Some(divisor);
        self
    }

    /// The mean of each window.
    ///
    /// # Panics
    /// As [`Tensor::avg_pool`].
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, Self::NAME, x.avg_pool(self.0))
    }
}

impl<const N: usize> LpPoolNd<N> {
    const NAME: &'static str = numbered(["LpPool1d", "LpPool2d", "LpPool3d"], N);

    /// The norm of order `p` of windows of this size, side by side.
    ///
    /// # Panics
    /// If a size is 0.
    #[must_use]
    #[track_caller]
    pub fn new(p: f64, kernel: impl IntoSizes<N>) -> Self {
        Self { p, windows: at_least_1(Self::NAME, "kernel", kernel).into() }
    }

    /// The norm of each window.
    ///
    /// # Panics
    /// As [`Tensor::lp_pool`].
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, Self::NAME, x.lp_pool(self.p, self.windows))
    }
}

impl<const N: usize> AdaptiveMaxPoolNd<N> {
    /// So many parts along each axis.
    #[must_use]
    pub fn new(sizes: impl IntoSizes<N>) -> Self {
        Self(sizes.into_sizes())
    }

    /// The largest of each part.
    ///
    /// # Panics
    /// As [`Tensor::adaptive_max_pool`].
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(
            self,
            numbered(["AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d"], N),
            x.adaptive_max_pool(self.0)
        )
    }
}

impl<const N: usize> AdaptiveAvgPoolNd<N> {
    /// So many parts along each axis.
    #[must_use]
    pub fn new(sizes: impl IntoSizes<N>) -> Self {
        Self(sizes.into_sizes())
    }

    /// The mean of each part.
    ///
    /// # Panics
    /// As [`Tensor::adaptive_avg_pool`].
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(
            self,
            numbered(["AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d"], N),
            x.adaptive_avg_pool(self.0)
        )
    }
}

/// Padding that leaves no window without elements.
#[track_caller]
fn half_at_most<const N: usize>(
    name: &'static str,
    padding: impl IntoSizes<N>,
    kernel: [usize; N],
) -> [usize; N] {
    let padding = padding.into_sizes();
    if padding.iter().zip(kernel).any(|(&padding, kernel)| padding > kernel / 2) {
        let given = format!("{padding:?} for a window of {kernel:?}");
        let detail = format!("padding too wide: {given}; it is at most half of the window");
        raise(Error::new(name, ErrorKind::Value, detail));
    }
    padding
}
