//! Layers that are random in training: dropout of elements and of whole channels, and slopes that are drawn.

use super::numbered;
use super::passes_on;
use crate::module::Mode;
use crate::param::Buffer;
use crate::summary::layer;
use retrograd_nn_derive::Module;
use retrograd_tensor::{Error, ErrorKind, Rng, Tensor, raise, replay};
use std::cmp::Ordering;

/// In training, each element is 0 with probability `p` and otherwise scaled by 1 / (1 - p); in evaluation, the
/// input.
///
/// The masks are a function of the layer's key and of how many elements it has seen, so a run can be repeated
/// and continued; they are recomputed in the backward pass and never stored. In state dicts: `stream`, key and
/// counter, which files from elsewhere may lack.
#[derive(Clone, Debug, Module)]
pub struct Dropout {
    /// The share of elements that are dropped.
    p: f64,
    mode: Mode,
    stream: Stream,
}

/// The random numbers of a layer: its key, and how many it has used.
#[derive(Clone, Debug, Module)]
struct Stream(Buffer);

impl Stream {
    #[track_caller]
    fn new(rng: &mut Rng) -> Self {
        Self(Buffer::stream(Tensor::from([rng.split().key() as i64, 0])))
    }

    /// Key and counter of the next `elements` numbers.
    #[track_caller]
    fn take(&self, elements: usize) -> (u64, u64) {
        let used = Tensor::from([0, elements as i64]);
        let place = replay::really(|| self.0.update(|stream| stream + used).to_vec::<i64>());
        let [key, counter] = place[..] else {
            unreachable!("the stream is a key and a counter, and a slot keeps its shape")
        };
        (key as u64, counter as u64)
    }
}

#[track_caller]
fn check_probability(name: &'static str, p: f64) {
    if !(0.0..=1.0).contains(&p) {
        raise(Error::new(name, ErrorKind::Value, format!("no probability: p = {p}; it lies in 0..=1")));
    }
}

impl Dropout {
    /// A layer that drops elements with probability `p`, with a key of its own drawn from `rng`.
    ///
    /// # Panics
    /// If `p` is no probability.
    #[track_caller]
    pub fn new(p: f64, rng: &mut Rng) -> Self {
        check_probability("Dropout", p);
        Self { p, mode: Mode::Train, stream: Stream::new(rng) }
    }

    /// A layer that drops elements with probability `p`, unless that is 0.
    #[track_caller]
    pub(super) fn unless_never(p: f64, rng: &mut Rng) -> Option<Self> {
        if p == 0.0 { None } else { Some(Self::new(p, rng)) }
    }

    /// The input, in training with some elements dropped: a dropped infinity or NaN is 0 too.
    ///
    /// *Gradient:* `g` with the same elements dropped and scaled.
    ///
    /// # Panics
    /// In training, if the elements are not floats.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, "Dropout", self.compute(x))
    }

    #[track_caller]
    fn compute(&self, x: &Tensor) -> Tensor {
        if self.p == 0.0 || !self.mode.is_training() {
            return x.clone();
        }
        x.dropout(self.p, self.stream.take(x.numel()))
    }
}

/// Dropout of whole channels of sequences `[batch, channels, length]`. See [`DropoutNd`].
pub type Dropout1d = DropoutNd<1>;
/// Dropout of whole channels of images `[batch, channels, height, width]`. See [`DropoutNd`].
pub type Dropout2d = DropoutNd<2>;
/// Dropout of whole channels of volumes `[batch, channels, depth, height, width]`. See [`DropoutNd`].
pub type Dropout3d = DropoutNd<3>;

/// In training, each channel of each example is 0 with probability `p` and otherwise scaled by 1 / (1 - p); in
/// evaluation, the input. `N` is the number of spatial axes; the batch axis may be left out.
///
/// In state dicts: `stream`, as of [`Dropout`].
///
/// ```
/// use retrograd_nn::Dropout2d;
/// use retrograd_tensor::{F32, Rng};
/// let y = Dropout2d::new(0.5, &mut Rng::new(0)).forward(&F32.ones([4, 8, 3, 3])).reshape([32, 9]);
/// assert_eq!(y.amax(1), y.amin(1));
/// assert!(y.select(1, 0).iter::<f32>().all(|v| v == 0.0 || v == 2.0));
/// ```
///
/// Source: Tompson et al., 2015.
#[derive(Clone, Debug, Module)]
pub struct DropoutNd<const N: usize> {
    p: f64,
    mode: Mode,
    stream: Stream,
}

impl<const N: usize> DropoutNd<N> {
    /// A layer that drops channels with probability `p`, with a key of its own drawn from `rng`.
    ///
    /// # Panics
    /// If `p` is no probability.
    #[track_caller]
    pub fn new(p: f64, rng: &mut Rng) -> Self {
        check_probability("DropoutNd", p);
        Self { p, mode: Mode::Train, stream: Stream::new(rng) }
    }

    /// The input, in training with some channels dropped: infinities and NaN in them are 0 too.
    ///
    /// *Gradient:* `g` with the same channels dropped and scaled.
    ///
    /// # Panics
    /// In training, if there are not a batch axis, a channel axis and `N` more, or the elements are not floats.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, numbered(["Dropout1d", "Dropout2d", "Dropout3d"], N), self.compute(x))
    }

    #[track_caller]
    fn compute(&self, x: &Tensor) -> Tensor {
        if self.p == 0.0 || !self.mode.is_training() {
            return x.clone();
        }
        if x.rank() != N + 1 && x.rank() != N + 2 {
            let detail =
                format!("wrong number of axes: shape {}; [batch, channels] and {N} spatial ones", x.shape());
            raise(Error::new("DropoutNd", ErrorKind::Shape, detail));
        }
        let factor = channel_factors::<N>(x, self.p, &self.stream);
        factor.eq(0.0).where_(0.0, x * &factor)
    }
}

/// 0 for channels that are dropped and 1 / (1 - p) for the others, with spatial axes of size 1.
#[track_caller]
fn channel_factors<const N: usize>(x: &Tensor, p: f64, stream: &Stream) -> Tensor {
    let mut shape = x.shape().to_vec();
    let first = shape.len() - N;
    shape[first..].fill(1);
    let ones = x.dtype().ones(&shape[..]);
    ones.dropout(p, stream.take(ones.numel()))
}

/// In training, each element is replaced with probability `p` by what [`Selu`](super::Selu) gives far left of 0, and all
/// are moved and scaled so that mean and variance stay; in evaluation, the input.
///
/// In state dicts: `stream`, as of [`Dropout`].
///
/// ```
/// use retrograd_nn::AlphaDropout;
/// use retrograd_tensor::{Rng, Tensor};
/// let y = AlphaDropout::new(0.2, &mut Rng::new(0)).forward(&Tensor::randn([10_000], &mut Rng::new(1)));
/// assert!(y.mean(()).item().abs() < 0.05 && (y.var((), 0).item() - 1.0).abs() < 0.1);
/// ```
///
/// Source: Klambauer et al., 2017.
#[derive(Clone, Debug, Module)]
pub struct AlphaDropout {
    p: f64,
    mode: Mode,
    stream: Stream,
}

/// [`AlphaDropout`] of whole channels: of axis 1, where there are three axes or more, else of axis 0.
///
/// In state dicts: `stream`, as of [`Dropout`].
///
/// ```
/// use retrograd_nn::FeatureAlphaDropout;
/// use retrograd_tensor::{F32, Rng};
/// let y = FeatureAlphaDropout::new(0.5, &mut Rng::new(0)).forward(&F32.ones([4, 8, 5]));
/// assert_eq!(y.amax(2), y.amin(2));
/// ```
#[derive(Clone, Debug, Module)]
pub struct FeatureAlphaDropout {
    p: f64,
    mode: Mode,
    stream: Stream,
}

/// What [`Selu`](super::Selu) approaches left of 0.
const FAR_LEFT: f64 = -1.758_099_340_847_376_6;

/// `x` where `factors` are not 0 and what `Selu` approaches elsewhere, with mean 0 and variance 1 kept.
#[track_caller]
fn alpha_dropped(x: &Tensor, factors: &Tensor, p: f64) -> Tensor {
    let scale = ((1.0 - p) * (1.0 + p * FAR_LEFT * FAR_LEFT)).sqrt().recip();
    let shift = -scale * FAR_LEFT * p;
    factors.eq(0.0).where_(scale * FAR_LEFT + shift, x * scale + shift)
}

/// Construction and use of both kinds; `factors` are 0 for what is dropped.
macro_rules! alpha {
    ($name:ident, |$layer:ident, $x:ident| $factors:expr) => {
        impl $name {
            /// A layer that drops with probability `p`, with a key of its own drawn from `rng`.
            ///
            /// # Panics
            /// If `p` is no probability below 1.
            #[track_caller]
            pub fn new(p: f64, rng: &mut Rng) -> Self {
                if !(0.0..1.0).contains(&p) {
                    let detail = format!("no probability below 1: p = {p}; it lies in 0..1");
                    raise(Error::new(stringify!($name), ErrorKind::Value, detail));
                }
                Self { p, mode: Mode::Train, stream: Stream::new(rng) }
            }

            /// The input, in training with some of it dropped.
            ///
            /// *Gradient:* `g` where nothing was dropped, scaled as the values.
            ///
            /// # Panics
            /// In training, if the elements are not floats.
            #[track_caller]
            pub fn forward(&self, $x: &Tensor) -> Tensor {
                layer!(self, stringify!($name), self.compute($x))
            }

            #[track_caller]
            fn compute(&self, $x: &Tensor) -> Tensor {
                if self.p == 0.0 || !self.mode.is_training() {
                    return $x.clone();
                }
                let $layer = self;
                alpha_dropped($x, &$factors, self.p)
            }
        }
    };
}

alpha!(AlphaDropout, |layer, x| channel_factors::<0>(x, layer.p, &layer.stream));
alpha!(FeatureAlphaDropout, |layer, x| {
    let mut shape = x.shape().to_vec();
    let kept = if shape.len() > 2 { 2 } else { 1.min(shape.len()) };
    shape[kept..].fill(1);
    let ones = x.dtype().ones(&shape[..]);
    ones.dropout(layer.p, layer.stream.take(ones.numel()))
});

/// x where it is not negative, else slope · x: in training with a slope for each element, uniform between two bounds; in
/// evaluation with their mean.
///
/// *Gradient:* `g`, left of 0 times the slope.
///
/// In state dicts: `stream`, as of [`Dropout`].
///
/// ```
/// use retrograd_nn::{Module, RRelu};
/// use retrograd_tensor::{Rng, Tensor};
/// let mut layer = RRelu::new(0.25, 0.75, &mut Rng::new(0));
/// let y = layer.forward(&Tensor::from([2.0f32, -4.0])).to_vec::<f32>();
/// assert!(y[0] == 2.0 && (-3.0..=-1.0).contains(&y[1]));
/// layer.eval();
/// assert_eq!(layer.forward(&Tensor::from([2.0f32, -4.0])).to_vec::<f32>(), [2.0, -2.0]);
/// ```
///
/// Source: Xu et al., 2015.
#[derive(Clone, Debug, Module)]
pub struct RRelu {
    lower: f64,
    upper: f64,
    mode: Mode,
    stream: Stream,
}

impl RRelu {
    /// A layer with slopes between these bounds, 1/8 and 1/3 in PyTorch, with a key of its own drawn from `rng`.
    ///
    /// # Panics
    /// If the bounds are not in order.
    #[track_caller]
    pub fn new(lower: f64, upper: f64, rng: &mut Rng) -> Self {
        // NaN is not in order either.
        if !matches!(lower.partial_cmp(&upper), Some(Ordering::Less | Ordering::Equal)) {
            let detail = format!("bounds not in order: {lower} and {upper}; the lower comes first");
            raise(Error::new("RRelu", ErrorKind::Value, detail));
        }
        Self { lower, upper, mode: Mode::Train, stream: Stream::new(rng) }
    }

    /// The function of each element.
    ///
    /// # Panics
    /// If the elements are not floats.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, "RRelu", self.compute(x))
    }

    #[track_caller]
    fn compute(&self, x: &Tensor) -> Tensor {
        let (lower, upper) = (self.lower, self.upper);
        if !self.mode.is_training() {
            return x.leaky_relu(f64::midpoint(lower, upper));
        }
        let drawn = Tensor::rand_at(x.shape(), self.stream.take(x.numel())).cast_as(x);
        x.zip_map(drawn, |x, u| x.ge(0.0).where_(x, x * (lower + u * (upper - lower))))
    }
}

passes_on!(Dropout, AlphaDropout, FeatureAlphaDropout, RRelu);
passes_on!(const N: DropoutNd<N>);
