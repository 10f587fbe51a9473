//! Transforms of samples: what happens to an image or a row of numbers before a model sees it.
//!
//! A [`Transform`] is a function of a tensor and of a random stream; [`Transform::then`] puts one after another. In
//! [`DataLoader::map`](super::DataLoader::map) the stream is the sample's own, so that what is drawn does not depend on
//! workers or batches. All are tensor code over the last axes, and take a batch as well as a sample: a batch shares
//! one draw.

mod geometry;

use retrograd_tensor::{Error, ErrorKind, F32, F64, Rng, Tensor, raise};

pub use geometry::{RandomCrop, RandomHorizontalFlip, RandomRotation, RandomVerticalFlip, Rotate};

/// A function of a sample and its random stream.
///
/// A closure `Fn(&Tensor, &mut Rng) -> Tensor` is one.
///
/// ```
/// use retrograd_nn::data::{DataLoader, RandomCrop, RandomHorizontalFlip, TensorDataset, ToFloat, Transform};
/// use retrograd_tensor::{Error, F32, U8, Tensor};
/// let augment = ToFloat::new().then(RandomHorizontalFlip::new(0.5)).then(RandomCrop::new([28, 28]).padding(2));
/// let data = TensorDataset::new(U8.ones([6, 1, 28, 28]), Tensor::zeros([6]));
/// let mut loader = DataLoader::new(data).batch_size(3).map(move |(x, y), rng| (augment.apply(&x, rng), y));
/// let (x, _) = loader.batches().next().unwrap()?;
/// assert_eq!((x.shape()[..].to_vec(), x.dtype()), (vec![3, 1, 28, 28], F32));
/// # Ok::<(), Error>(())
/// ```
///
/// Source: `torchvision.transforms`.
pub trait Transform: Send + Sync {
    /// The transformed sample.
    fn apply(&self, x: &Tensor, rng: &mut Rng) -> Tensor;

    /// This transform, and then `next`.
    fn then<N: Transform>(self, next: N) -> Compose<Self, N>
    where
        Self: Sized,
    {
        Compose { first: self, next }
    }
}

impl<F: Fn(&Tensor, &mut Rng) -> Tensor + Send + Sync> Transform for F {
    #[track_caller]
    fn apply(&self, x: &Tensor, rng: &mut Rng) -> Tensor {
        self(x, rng)
    }
}

impl Transform for Box<dyn Transform> {
    #[track_caller]
    fn apply(&self, x: &Tensor, rng: &mut Rng) -> Tensor {
        (**self).apply(x, rng)
    }
}

/// Two transforms, one after the other: made by [`Transform::then`].
///
/// ```
/// use retrograd_nn::data::{Normalize, Rotate, Transform};
/// use retrograd_tensor::{Rng, Tensor};
/// let both = Normalize::new([0.5], [0.5]).then(Rotate::new(180.0));
/// let x = Tensor::from([[[1.0f32, 0.5]]]);
/// assert!(both.apply(&x, &mut Rng::new(0)).iter::<f32>().zip([0.0, 1.0]).all(|(a, b)| (a - b).abs() < 1e-6));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Compose<A, B> {
    first: A,
    next: B,
}

impl<A: Transform, B: Transform> Transform for Compose<A, B> {
    #[track_caller]
    fn apply(&self, x: &Tensor, rng: &mut Rng) -> Tensor {
        self.next.apply(&self.first.apply(x, rng), rng)
    }
}

/// Integers from 0 to a largest one as `F32` from 0 to 1.
///
/// ```
/// use retrograd_nn::data::{ToFloat, Transform};
/// use retrograd_tensor::{Rng, Tensor};
/// let x = ToFloat::new().apply(&Tensor::from([0u8, 51, 255]), &mut Rng::new(0));
/// assert_eq!(x.to_vec::<f32>(), [0.0, 0.2, 1.0]);
/// ```
///
/// Source: torchvision's `ToTensor`, without its change of axes.
#[derive(Clone, Copy, Debug)]
pub struct ToFloat {
    largest: f64,
}

impl Default for ToFloat {
    fn default() -> Self {
        Self::new()
    }
}

impl ToFloat {
    /// For bytes: divides by 255.
    pub fn new() -> Self {
        Self::of(255.0)
    }

    /// Divides by `largest`; 65,535 for images of 16 bits.
    pub fn of(largest: f64) -> Self {
        Self { largest }
    }
}

impl Transform for ToFloat {
    #[track_caller]
    fn apply(&self, x: &Tensor, _: &mut Rng) -> Tensor {
        x.cast(F32) / self.largest
    }
}

/// (x - mean) / std, with a mean and a standard deviation for each channel.
///
/// ```
/// use retrograd_nn::data::{Normalize, Transform};
/// use retrograd_tensor::{Rng, Tensor};
/// let rows = Tensor::from([[1.0f32, 10.0], [3.0, 30.0]]);
/// let normalize = Normalize::of(&rows, 1);
/// let x = normalize.apply(&rows, &mut Rng::new(0));
/// assert_eq!(x.to_vec::<f32>(), [-1.0, -1.0, 1.0, 1.0]);
/// ```
///
/// Source: torchvision's `Normalize`.
#[derive(Clone, Debug)]
pub struct Normalize {
    mean: Vec<f64>,
    std: Vec<f64>,
    /// The axis of the channels, from the end: -1 is the last.
    axis: isize,
}

impl Normalize {
    /// With these numbers for each channel of images `[.., channels, height, width]`.
    ///
    /// # Panics
    /// If there are not as many of both, or a deviation is not positive.
    #[track_caller]
    pub fn new(mean: impl Into<Vec<f64>>, std: impl Into<Vec<f64>>) -> Self {
        let (mean, std) = (mean.into(), std.into());
        if mean.len() != std.len() || std.iter().any(|&std| std.is_nan() || std <= 0.0) {
            let detail =
                format!("no deviations: {std:?} for means {mean:?}; a positive one for each channel");
            raise(Error::new("Normalize", ErrorKind::Value, detail));
        }
        Self { mean, std, axis: -3 }
    }

    /// With the mean and deviation of each channel of `x`, whose channels lie along `axis`: 1 for images and for
    /// rows. The sum of squares is divided by their number; a channel that does not vary is only moved.
    ///
    /// # Panics
    /// If there is no such axis, or the elements are not floats.
    #[track_caller]
    pub fn of(x: &Tensor, axis: isize) -> Self {
        let channels = x.size(axis);
        let rows = x.movedim(axis, 0).reshape([channels, x.numel() / channels.max(1)]).cast(F64);
        let varies = |std: f64| if std > 0.0 { std } else { 1.0 };
        let std = rows.std(1, 0).iter::<f64>().map(varies).collect();
        let from_end = if axis < 0 { axis } else { axis - x.rank() as isize };
        Self { mean: rows.mean(1).to_vec(), std, axis: from_end }
    }
}

impl Transform for Normalize {
    #[track_caller]
    fn apply(&self, x: &Tensor, _: &mut Rng) -> Tensor {
        let channels = self.mean.len();
        let axis = x.rank().checked_add_signed(self.axis);
        if axis.is_none_or(|axis| x.shape()[axis] != channels) {
            let detail = format!(
                "channels do not fit: shape {} for {channels} means; they lie along axis {}",
                x.shape(),
                self.axis
            );
            raise(Error::new("Normalize", ErrorKind::Shape, detail));
        }
        let mut shape = vec![1; self.axis.unsigned_abs()];
        shape[0] = channels;
        let along = |values: &[f64]| Tensor::from_slice(values, &shape[..]).cast(x.dtype());
        (x - along(&self.mean)) / along(&self.std)
    }
}

/// Labels as vectors in `F32` with a 1 at the label's place.
///
/// ```
/// use retrograd_nn::data::{OneHot, Transform};
/// use retrograd_tensor::{Rng, Tensor};
/// let y = OneHot::new(3).apply(&Tensor::from([2i64, 0]), &mut Rng::new(0));
/// assert_eq!(y.to_vec::<f32>(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
/// ```
///
/// Source: PyTorch's `one_hot`, in `F32`.
#[derive(Clone, Copy, Debug)]
pub struct OneHot {
    classes: usize,
}

impl OneHot {
    /// For labels below `classes`.
    pub fn new(classes: usize) -> Self {
        Self { classes }
    }
}

impl Transform for OneHot {
    #[track_caller]
    fn apply(&self, x: &Tensor, _: &mut Rng) -> Tensor {
        x.one_hot(self.classes).cast(F32)
    }
}
