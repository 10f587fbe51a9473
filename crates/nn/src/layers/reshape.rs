//! Layers that move elements: other shapes, other sizes, padding, patches; and the similarity of two inputs.

use super::{IntoSizes, at_least_1, passes_on};
use crate::summary::layer;
use retrograd_nn_derive::Module;
use retrograd_tensor::{Error, ErrorKind, Interpolation, IntoShape, PadMode, Patches, Shape, Tensor, raise};

/// Splits an axis into several: the reverse of [`Flatten`](super::Flatten).
///
/// ```
/// use retrograd_nn::Unflatten;
/// use retrograd_tensor::F32;
/// assert_eq!(Unflatten::new(1, [2, 3]).forward(&F32.ones([4, 6])).shape()[..], [4, 2, 3]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct Unflatten {
    axis: isize,
    #[module(skip)]
    sizes: Shape,
}

impl Unflatten {
    /// Splits `axis`, counted from the end if negative, into axes of these sizes.
    #[must_use]
    pub fn new(axis: isize, sizes: impl IntoShape) -> Self {
        Self { axis, sizes: sizes.into_shape() }
    }

    /// The input with the axis split.
    ///
    /// # Panics
    /// If there is no such axis, or its size is not the product of the sizes.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, "Unflatten", {
            let size = x.size(self.axis);
            if size != self.sizes.numel() {
                let given =
                    format!("{} make {}, axis {} has {size}", self.sizes, self.sizes.numel(), self.axis);
                let detail = format!("sizes do not fit: {given}; their product must be the size");
                raise(Error::new("Unflatten", ErrorKind::Shape, detail));
            }
            let axis = if self.axis < 0 {
                x.rank().wrapping_add_signed(self.axis)
            } else {
                self.axis.unsigned_abs()
            };
            let mut shape = x.shape().to_vec();
            shape.splice(axis..=axis, self.sizes.iter().copied());
            x.reshape(&shape[..])
        })
    }
}

/// Enlarges the last `N` axes to sizes, or by factors: [`Tensor::interpolate`].
///
/// ```
/// use retrograd_nn::Upsample;
/// use retrograd_tensor::{Interpolation, Tensor};
/// let x = Tensor::from([[[1.0f32, 3.0]]]);
/// assert_eq!(Upsample::by([2.0]).forward(&x).to_vec::<f32>(), [1.0, 1.0, 3.0, 3.0]);
/// let linear = Interpolation::Linear { align_corners: true };
/// assert_eq!(Upsample::to([3]).how(linear).forward(&x).to_vec::<f32>(), [1.0, 2.0, 3.0]);
/// ```
#[derive(Clone, Copy, Debug, Module)]
pub struct Upsample<const N: usize> {
    #[module(skip)]
    target: Target<N>,
    #[module(skip)]
    how: Interpolation,
}

#[derive(Clone, Copy, Debug)]
enum Target<const N: usize> {
    Sizes([usize; N]),
    Factors([f64; N]),
}

impl<const N: usize> Upsample<N> {
    /// To these sizes, each new element being the one whose place holds its start.
    #[must_use]
    pub fn to(sizes: [usize; N]) -> Self {
        Self { target: Target::Sizes(sizes), how: Interpolation::Nearest }
    }

    /// To sizes that are so many times as large, rounded down.
    #[must_use]
    pub fn by(factors: [f64; N]) -> Self {
        Self { target: Target::Factors(factors), how: Interpolation::Nearest }
    }

    /// The same with new elements made this way.
    #[must_use]
    pub fn how(self, how: Interpolation) -> Self {
        Self { how, ..self }
    }

    /// The input, stretched or shrunk.
    ///
    /// # Panics
    /// As [`Tensor::interpolate`].
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, "Upsample", {
            match self.target {
                Target::Sizes(sizes) => x.interpolate(sizes, self.how),
                Target::Factors(factors) => x.interpolate_by(factors, self.how),
            }
        })
    }
}

/// Channels to space, by a factor: [`Tensor::pixel_shuffle`].
///
/// ```
/// use retrograd_nn::{PixelShuffle, PixelUnshuffle};
/// use retrograd_tensor::F32;
/// let y = PixelShuffle(2).forward(&F32.ones([1, 8, 3, 3]));
/// assert_eq!(y.shape()[..], [1, 2, 6, 6]);
/// assert_eq!(PixelUnshuffle(2).forward(&y).shape()[..], [1, 8, 3, 3]);
/// ```
#[derive(Clone, Copy, Debug, Module)]
pub struct PixelShuffle(pub usize);

impl PixelShuffle {
    /// The input with channels moved to space.
    ///
    /// # Panics
    /// As [`Tensor::pixel_shuffle`].
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, "PixelShuffle", x.pixel_shuffle(self.0))
    }
}

/// Space to channels, by a factor: [`Tensor::pixel_unshuffle`].
#[derive(Clone, Copy, Debug, Module)]
pub struct PixelUnshuffle(pub usize);

impl PixelUnshuffle {
    /// The input with space moved to channels.
    ///
    /// # Panics
    /// As [`Tensor::pixel_unshuffle`].
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, "PixelUnshuffle", x.pixel_unshuffle(self.0))
    }
}

/// Channels mixed between groups: [`Tensor::channel_shuffle`].
///
/// ```
/// use retrograd_nn::ChannelShuffle;
/// use retrograd_tensor::Tensor;
/// let y = ChannelShuffle(2).forward(&Tensor::from([[[1.0f32], [2.0], [3.0], [4.0]]]));
/// assert_eq!(y.to_vec::<f32>(), [1.0, 3.0, 2.0, 4.0]);
/// ```
#[derive(Clone, Copy, Debug, Module)]
pub struct ChannelShuffle(pub usize);

impl ChannelShuffle {
    /// The input with channels in another order.
    ///
    /// # Panics
    /// As [`Tensor::channel_shuffle`].
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, "ChannelShuffle", x.channel_shuffle(self.0))
    }
}

/// Padding of the last `N` axes, by zeros, a constant, or elements of the input: [`Tensor::pad`]. PyTorch's `ZeroPad`,
/// `ConstantPad`, `ReflectionPad`, `ReplicationPad` and `CircularPad`.
///
/// ```
/// use retrograd_nn::Pad;
/// use retrograd_tensor::{PadMode, Tensor};
/// let y = Pad::new([(1, 2)], PadMode::Reflect).forward(&Tensor::from([[1.0f32, 2.0, 3.0]]));
/// assert_eq!(y.to_vec::<f32>(), [2.0, 1.0, 2.0, 3.0, 2.0, 1.0]);
/// ```
#[derive(Clone, Copy, Debug, Module)]
pub struct Pad<const N: usize> {
    #[module(skip)]
    pads: [(usize, usize); N],
    #[module(skip)]
    mode: PadMode,
}

impl<const N: usize> Pad<N> {
    /// Places before and after each of the last `N` axes, from the first of them to the last.
    #[must_use]
    pub fn new(pads: [(usize, usize); N], mode: PadMode) -> Self {
        Self { pads, mode }
    }

    /// The input with places around.
    ///
    /// # Panics
    /// As [`Tensor::pad`], or if there are fewer than `N` axes.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, "Pad", {
            if x.rank() < N {
                let detail = format!("too few axes: shape {}; it pads the last {N}", x.shape());
                raise(Error::new("Pad", ErrorKind::Shape, detail));
            }
            let mut pads = vec![(0, 0); x.rank() - N];
            pads.extend(self.pads);
            x.pad(&pads, self.mode)
        })
    }
}

/// Patches of an image as columns: [`Tensor::im2col`].
///
/// ```
/// use retrograd_nn::{Fold, Unfold};
/// use retrograd_tensor::{F32, Patches};
/// let patches = Patches { stride: [2, 2], ..[2, 2].into() };
/// let columns = Unfold(patches).forward(&F32.ones([1, 3, 4, 4]));
/// assert_eq!(columns.shape()[..], [1, 12, 4]);
/// assert_eq!(Fold::new(4, patches).forward(&columns), F32.ones([1, 3, 4, 4]));
/// ```
#[derive(Clone, Copy, Debug, Module)]
pub struct Unfold<const N: usize>(#[module(skip)] pub Patches<N>);

impl<const N: usize> Unfold<N> {
    /// `[.., channels, spatial axes]` to `[.., channels · positions, patches]`.
    ///
    /// # Panics
    /// As [`Tensor::im2col`].
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, "Unfold", x.im2col(self.0))
    }
}

/// Columns added up into an image: [`Tensor::col2im`], the reverse of [`Unfold`] where patches do not overlap.
#[derive(Clone, Copy, Debug, Module)]
pub struct Fold<const N: usize> {
    sizes: [usize; N],
    #[module(skip)]
    patches: Patches<N>,
}

impl<const N: usize> Fold<N> {
    /// To an image of these sizes.
    ///
    /// # Panics
    /// If a size, stride or dilation of the patches is 0.
    #[must_use]
    #[track_caller]
    pub fn new(sizes: impl IntoSizes<N>, patches: impl Into<Patches<N>>) -> Self {
        let patches = patches.into();
        let Patches { kernel, stride, dilation, .. } = patches;
        for (what, sizes) in [("kernel", kernel), ("stride", stride), ("dilation", dilation)] {
            at_least_1("Fold", what, sizes);
        }
        Self { sizes: sizes.into_sizes(), patches }
    }

    /// `[.., channels · positions, patches]` to `[.., channels, spatial axes]`.
    ///
    /// # Panics
    /// As [`Tensor::col2im`].
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, "Fold", x.col2im(self.sizes, self.patches))
    }
}

passes_on!(Unflatten, PixelShuffle, PixelUnshuffle, ChannelShuffle);
passes_on!(const N: Upsample<N>);
passes_on!(const N: Pad<N>);
passes_on!(const N: Unfold<N>);
passes_on!(const N: Fold<N>);
