//! Convolutions over one to three spatial axes, plain and transposed.

use super::{IntoSizes, Weighted, at_least_1, check_spatial_rank, numbered, passes_on, uniform_param};
use crate::autocast::low;
use crate::param::Param;
use crate::summary::layer;
use retrograd_nn_derive::Module;
use retrograd_tensor::{Conv, Error, ErrorKind, IntoPadding, PadMode, Padding, Rng, Tensor, raise};

/// A convolution of one spatial axis: `[batch, in, length]` to `[batch, out, ..]`. See [`ConvNd`].
pub type Conv1d = ConvNd<1>;
/// A convolution of two spatial axes: `[batch, in, height, width]` to `[batch, out, ..]`. See [`ConvNd`].
pub type Conv2d = ConvNd<2>;
/// A convolution of three spatial axes: `[batch, in, depth, height, width]` to `[batch, out, ..]`. See [`ConvNd`].
pub type Conv3d = ConvNd<3>;
/// A transposed convolution of one spatial axis. See [`ConvTransposeNd`].
pub type ConvTranspose1d = ConvTransposeNd<1>;
/// A transposed convolution of two spatial axes. See [`ConvTransposeNd`].
pub type ConvTranspose2d = ConvTransposeNd<2>;
/// A transposed convolution of three spatial axes. See [`ConvTransposeNd`].
pub type ConvTranspose3d = ConvTransposeNd<3>;

/// A convolution over `N` spatial axes: `[batch, in, ..]` to `[batch, out, ..]`; the batch axis may be left out.
///
/// Each spatial size becomes `(size + 2 padding - dilation (kernel - 1) - 1) / stride + 1`, rounded down; stride,
/// padding and dilation start at 1, 0 and 1, with a number for all axes or one for each. The formula is that of
/// [`Tensor::conv2d`].
///
/// In state dicts: `weight` `[out, in / groups, kernel..]` and, if there is one, `bias` `[out]`. Both begin uniform in
/// ±1 / √fan, fan being what an output reads, `in / groups · kernel`: PyTorch's `kaiming_uniform` with a = √5.
///
/// ```
/// use retrograd_nn::Conv2d;
/// use retrograd_tensor::{F32, PadMode, Rng};
/// let conv = Conv2d::new(4, 6, 3, &mut Rng::new(0)).stride([2, 1]).padding(1).groups(2);
/// assert_eq!(conv.weight.shape()[..], [6, 2, 3, 3]);
/// assert_eq!(conv.forward(&F32.ones([5, 4, 8, 8])).shape()[..], [5, 6, 4, 8]);
/// let edges = Conv2d::new(1, 1, 3, &mut Rng::new(0)).padding("same").padding_mode(PadMode::Replicate);
/// let y = edges.forward(&F32.ones([1, 1, 4, 4])).to_vec::<f32>();
/// assert!(y.iter().all(|&v| v == y[0]));
/// ```
#[derive(Clone, Debug, Module)]
pub struct ConvNd<const N: usize> {
    /// The kernel `[out, in / groups, kernel..]`.
    pub weight: Param,
    /// The offset `[out]`.
    pub bias: Option<Param>,
    groups: usize,
    stride: [usize; N],
    dilation: [usize; N],
    #[module(skip)]
    padding: Padding,
    #[module(skip)]
    mode: PadMode,
    #[module(skip)]
    conv: Conv,
}

/// A transposed convolution over `N` spatial axes, which goes the other way through the same windows:
/// `[batch, in, ..]` to `[batch, out, ..]`; the batch axis may be left out.
///
/// Each spatial size becomes `(size - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1`. The formula
/// is that of [`Tensor::conv_transpose2d`].
///
/// In state dicts: `weight` `[in, out / groups, kernel..]` and, if there is one, `bias` `[out]`. Both begin uniform in
/// ±1 / √fan with fan `out / groups · kernel`, as in PyTorch.
///
/// ```
/// use retrograd_nn::ConvTranspose2d;
/// use retrograd_tensor::{F32, Rng};
/// let conv = ConvTranspose2d::new(4, 2, 2, &mut Rng::new(0)).stride(2);
/// assert_eq!(conv.forward(&F32.ones([5, 4, 8, 8])).shape()[..], [5, 2, 16, 16]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct ConvTransposeNd<const N: usize> {
    /// The kernel `[in, out / groups, kernel..]`.
    pub weight: Param,
    /// The offset `[out]`.
    pub bias: Option<Param>,
    groups: usize,
    #[module(skip)]
    conv: Conv,
}

/// The options that both kinds have.
macro_rules! options {
    ($name:ident) => {
        impl<const N: usize> $name<N> {
            /// The same without a bias.
            #[must_use]
            pub fn without_bias(self) -> Self {
                Self { bias: None, ..self }
            }

            /// The same with channels in `groups`, each of which sees only its own. The weight keeps its first
            /// columns, scaled to the fan that is left.
            ///
            /// # Panics
            /// If the channels do not divide into so many groups, or groups were given before.
            #[must_use]
            #[track_caller]
            pub fn groups(mut self, groups: usize) -> Self {
                (self.weight, self.bias) = grouped(&self.weight, self.bias.as_ref(), self.groups, groups);
                self.groups = groups;
                self.conv = self.conv.groups(groups);
                self
            }
        }
    };
}

impl<const N: usize> ConvNd<N> {
    const NAME: &str = numbered(["Conv1d", "Conv2d", "Conv3d"], N);

    /// A layer from `inputs` to `outputs` channels with windows of size `kernel`, and a bias.
    ///
    /// # Panics
    /// If there are more than three spatial axes, or a size is 0.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, kernel: impl IntoSizes<N>, rng: &mut Rng) -> Self {
        check_spatial_rank::<N>("ConvNd");
        let kernel = at_least_1(Self::NAME, "kernel", kernel);
        let (weight, bias) = drawn([outputs, inputs], kernel, outputs, rng);
        let (bias, stride, dilation, conv) = (Some(bias), [1; N], [1; N], Conv::new());
        let (padding, mode) = (0.into_padding(), PadMode::Zeros);
        Self { weight, bias, groups: 1, stride, dilation, padding, mode, conv }
    }

    /// The same with this step between two windows.
    ///
    /// # Panics
    /// If it is 0, or above 1 where padding is to keep the size.
    #[must_use]
    #[track_caller]
    pub fn stride(self, stride: impl IntoSizes<N>) -> Self {
        let stride = at_least_1(Self::NAME, "stride", stride);
        let this = Self { stride, conv: self.conv.stride(stride), ..self };
        this.check_padding();
        this
    }

    /// The same with this padding on both sides of each axis: numbers, `"valid"` for none, or `"same"` for as much as
    /// keeps the size, which needs a stride of 1.
    ///
    /// # Panics
    /// If it is another word, a number below 0, not one number or one for each axis, or `"same"` with another stride.
    #[must_use]
    #[track_caller]
    pub fn padding(self, padding: impl IntoPadding) -> Self {
        let this = Self { padding: padding.into_padding(), ..self };
        this.check_padding();
        this
    }

    #[track_caller]
    fn check_padding(&self) {
        let stride = self.stride;
        let detail = match &self.padding {
            Padding::Same if stride != [1; N] => {
                format!("padding \"same\" with stride {stride:?}: sizes cannot stay; give numbers")
            }
            Padding::Sizes(sizes)
                if sizes.len() != 1 && sizes.len() != N || sizes.iter().any(|&size| size < 0) =>
            {
                format!("padding does not fit: {sizes:?}; one number from 0 on, or {N} of them")
            }
            Padding::Same | Padding::Sizes(_) => return,
        };
        raise(Error::new(Self::NAME, ErrorKind::Value, detail));
    }

    /// The same with padding that shows zeros, a constant, or elements of the input: reflected, repeated from the edge,
    /// or from the other side.
    #[must_use]
    pub fn padding_mode(self, mode: PadMode) -> Self {
        Self { mode, ..self }
    }

    /// The same with this step between two elements of a window.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    #[track_caller]
    pub fn dilation(self, dilation: impl IntoSizes<N>) -> Self {
        let dilation = at_least_1(Self::NAME, "dilation", dilation);
        Self { dilation, conv: self.conv.dilation(dilation), ..self }
    }

    /// The convolution of `x`.
    ///
    /// # Panics
    /// If the axes or channels of `x` do not fit, or it is smaller than a window.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, Self::NAME, self.forward_by(&self.weight, x))
    }

    /// What is added before and after each axis of `x`.
    fn pads(&self, x: &Tensor) -> Vec<(usize, usize)> {
        let mut pads = vec![(0, 0); x.rank() - N];
        match &self.padding {
            Padding::Same => pads.extend((0..N).map(|axis| {
                let reach = (self.weight.size(2 + axis as isize) - 1) * self.dilation[axis];
                (reach / 2, reach - reach / 2)
            })),
            Padding::Sizes(sizes) => {
                let at = |axis: usize| sizes[if sizes.len() == 1 { 0 } else { axis }].unsigned_abs();
                pads.extend((0..N).map(|axis| (at(axis), at(axis))));
            }
        }
        pads
    }
}

impl<const N: usize> ConvTransposeNd<N> {
    const NAME: &str = numbered(["ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"], N);

    /// A layer from `inputs` to `outputs` channels with windows of size `kernel`, and a bias.
    ///
    /// # Panics
    /// If there are more than three spatial axes, or a size is 0.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, kernel: impl IntoSizes<N>, rng: &mut Rng) -> Self {
        check_spatial_rank::<N>("ConvTransposeNd");
        let kernel = at_least_1(Self::NAME, "kernel", kernel);
        let (weight, bias) = drawn([inputs, outputs], kernel, outputs, rng);
        Self { weight, bias: Some(bias), groups: 1, conv: Conv::new() }
    }

    /// The same with this step between two windows.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    #[track_caller]
    pub fn stride(self, stride: impl IntoSizes<N>) -> Self {
        Self { conv: self.conv.stride(at_least_1(Self::NAME, "stride", stride)), ..self }
    }

    /// The same with as much left out of the result on both sides of each axis.
    #[must_use]
    pub fn padding(self, padding: impl IntoSizes<N>) -> Self {
        Self { conv: self.conv.padding(padding.into_sizes()), ..self }
    }

    /// The same with this much added to each size of the result, at its end: less than the stride or the dilation.
    #[must_use]
    pub fn output_padding(self, output_padding: impl IntoSizes<N>) -> Self {
        Self { conv: self.conv.output_padding(output_padding.into_sizes()), ..self }
    }

    /// The same with this step between two elements of a window.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    #[track_caller]
    pub fn dilation(self, dilation: impl IntoSizes<N>) -> Self {
        Self { conv: self.conv.dilation(at_least_1(Self::NAME, "dilation", dilation)), ..self }
    }

    /// The transposed convolution of `x`.
    ///
    /// # Panics
    /// If the axes or channels of `x` do not fit, or the options leave no result.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, Self::NAME, self.forward_by(&self.weight, x))
    }
}

impl<const N: usize> Weighted for ConvNd<N> {
    const OUTPUTS: isize = 0;

    fn own_weight(&self) -> &Param {
        &self.weight
    }

    #[track_caller]
    fn forward_by(&self, weight: &Tensor, x: &Tensor) -> Tensor {
        check_input::<N>(Self::NAME, x, weight.size(1) * self.groups, weight.size(0));
        let (x, weight, bias) = (&low(x), &low(weight), self.bias.as_deref().map(low));
        let bias = bias.as_ref();
        if self.mode == PadMode::Zeros {
            return convolve::<N>(x, weight, bias, self.conv.clone().padding(self.padding.clone()));
        }
        convolve::<N>(&x.pad(&self.pads(x), self.mode), weight, bias, self.conv.clone())
    }
}

impl<const N: usize> Weighted for ConvTransposeNd<N> {
    const OUTPUTS: isize = 1;

    fn own_weight(&self) -> &Param {
        &self.weight
    }

    #[track_caller]
    fn forward_by(&self, weight: &Tensor, x: &Tensor) -> Tensor {
        check_input::<N>(Self::NAME, x, weight.size(0), weight.size(1) * self.groups);
        let (x, weight, bias) = (&low(x), &low(weight), self.bias.as_deref().map(low));
        let (bias, conv) = (bias.as_ref(), self.conv.clone());
        match N {
            1 => x.conv_transpose1d(weight, bias, conv),
            2 => x.conv_transpose2d(weight, bias, conv),
            _ => x.conv_transpose3d(weight, bias, conv),
        }
    }
}

options!(ConvNd);
options!(ConvTransposeNd);
passes_on!(const N: ConvNd<N>);
passes_on!(const N: ConvTransposeNd<N>);

/// A weight `[channels.., kernel..]` and a bias.
#[track_caller]
fn drawn<const N: usize>(
    channels: [usize; 2],
    kernel: [usize; N],
    outputs: usize,
    rng: &mut Rng,
) -> (Param, Param) {
    let fan = channels[1] * kernel.iter().product::<usize>();
    let shape: Vec<usize> = channels.into_iter().chain(kernel).collect();
    (uniform_param(&shape, fan, rng), uniform_param(&[outputs], fan, rng))
}

/// Weight and bias of a layer of one group as those of a layer of `groups`.
#[track_caller]
fn grouped(weight: &Param, bias: Option<&Param>, before: usize, groups: usize) -> (Param, Option<Param>) {
    let (first, second) = (weight.size(0), weight.size(1));
    if before != 1 || groups == 0 || !first.is_multiple_of(groups) || !second.is_multiple_of(groups) {
        let given = format!("{groups} groups, after {before}, of {first} and {second} channels");
        let detail = format!("groups do not fit: {given}; both must be multiples, and groups are given once");
        raise(Error::new("groups", ErrorKind::Value, detail));
    }
    let scaled = |t: Tensor| {
        let t = t * (groups as f64).sqrt();
        t.force();
        Param::new(t)
    };
    let weight = scaled(weight.narrow(1, 0, second / groups));
    (weight, bias.map(|bias| scaled(bias.value().clone())))
}

#[track_caller]
fn check_input<const N: usize>(name: &'static str, x: &Tensor, inputs: usize, outputs: usize) {
    let axis = x.rank().wrapping_sub(N + 1);
    if axis > 1 || x.size(axis as isize) != inputs {
        let takes = format!("[batch, {inputs}, {N} spatial axes], the batch axis may be left out");
        let detail =
            format!("input does not fit: shape {}; {name}({inputs}, {outputs}) takes {takes}", x.shape());
        raise(Error::new(name, ErrorKind::Shape, detail));
    }
}

#[track_caller]
fn convolve<const N: usize>(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, conv: Conv) -> Tensor {
    match N {
        1 => x.conv1d(weight, bias, conv),
        2 => x.conv2d(weight, bias, conv),
        _ => x.conv3d(weight, bias, conv),
    }
}
