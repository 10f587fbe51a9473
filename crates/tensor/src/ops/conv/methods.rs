//! Convolutions as functions of a tensor.
use super::options::{Conv, Fitting};
use super::{Convolution, Part};
use crate::entry::{Attrs, Entry};
use crate::error::{Error, ErrorKind, OrRaise, raise};
use crate::shape::Shape;
use crate::{Tensor, apply, dtype};

impl Tensor {
    /// The convolution of a sequence `[batch, in, length]` by a weight `[out, in / groups, size]`, with a bias `[out]`
    /// if there is one: `[batch, out, ..]`. As [`conv2d`](Tensor::conv2d), with one spatial axis.
    ///
    /// ```
    /// use retrograd_tensor::{Conv, Tensor};
    /// let (x, w) = (Tensor::from([[1.0f32, 2.0, 4.0, 7.0]]), Tensor::from([[[-1.0f32, 1.0]]]));
    /// assert_eq!(x.conv1d(&w, None, Conv::new()).to_vec::<f32>(), [1.0, 2.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// As [`conv2d`](Tensor::conv2d).
    #[track_caller]
    pub fn conv1d(&self, weight: &Tensor, bias: Option<&Tensor>, conv: Conv) -> Tensor {
        convolve("conv1d", 1, [self, weight], bias, conv)
    }
    /// The convolution of an image `[batch, in, height, width]` by a weight `[out, in / groups, rows, columns]`, with
    /// a bias `[out]` if there is one: `[batch, out, ..]`.
    ///
    /// Element `[n, o, i, j]` is the sum over the channels `c` of `o`'s group and the taps `(s, t)` of `weight[o, c, s, t]`
    /// times the image, with zeros around it, at `i * stride + s * dilation - padding` and likewise for `j`: what is
    /// called a cross-correlation elsewhere, since the weight is not turned around. A spatial size is
    /// `(size + 2 padding - dilation (kernel - 1) - 1) / stride + 1`, rounded down. The batch axis may be left out.
    ///
    /// Half types are summed in `F32` and rounded once, integers wrap. Results are the same bits for every layout of
    /// the operands and every number of threads.
    ///
    /// *Gradient:* of the image, the transposed convolution of `g` by the weight; of the weight, for each tap the sum
    /// of `g` times the image shifted by it; of the bias, the sum of `g`. They are convolutions again, so gradients
    /// of any order exist.
    ///
    /// ```
    /// use retrograd_tensor::{Conv, F32};
    /// let (x, w) = (F32.ones([1, 3, 5, 5]), F32.ones([2, 3, 3, 3]));
    /// let y = x.conv2d(&w, Some(&F32.ones(2)), Conv::new().padding("same"));
    /// assert_eq!((y.shape().to_vec(), y.select(1, 0).to_vec::<f32>()[..2].to_vec()), (vec![1, 2, 5, 5], vec![13.0, 19.0]));
    /// ```
    ///
    /// # Panics
    /// If the numbers of axes or channels do not fit, the groups do not divide the channels, the padded image is
    /// smaller than a window, or an option is out of its range.
    #[track_caller]
    pub fn conv2d(&self, weight: &Tensor, bias: Option<&Tensor>, conv: Conv) -> Tensor {
        convolve("conv2d", 2, [self, weight], bias, conv)
    }
    /// The convolution of a volume `[batch, in, depth, height, width]` by a weight `[out, in / groups, ..]`, with a bias
    /// `[out]` if there is one: `[batch, out, ..]`. As [`conv2d`](Tensor::conv2d), with three spatial axes.
    ///
    /// ```
    /// use retrograd_tensor::{Conv, F32};
    /// let (x, w) = (F32.ones([2, 4, 4, 4]), F32.ones([1, 2, 2, 2, 2]));
    /// assert_eq!(x.conv3d(&w, None, Conv::new().stride(2)).to_vec::<f32>(), [16.0; 8]);
    /// ```
    ///
    /// # Panics
    /// As [`conv2d`](Tensor::conv2d).
    #[track_caller]
    pub fn conv3d(&self, weight: &Tensor, bias: Option<&Tensor>, conv: Conv) -> Tensor {
        convolve("conv3d", 3, [self, weight], bias, conv)
    }
    /// The transposed convolution of a sequence `[batch, in, length]` by a weight `[in, out / groups, size]`, with a bias
    /// `[out]` if there is one. As [`conv_transpose2d`](Tensor::conv_transpose2d), with one spatial axis.
    ///
    /// ```
    /// use retrograd_tensor::{Conv, Tensor};
    /// let (x, w) = (Tensor::from([[1.0f32, 2.0]]), Tensor::from([[[1.0f32, 10.0, 100.0]]]));
    /// let y = x.conv_transpose1d(&w, None, Conv::new().stride(2));
    /// assert_eq!(y.to_vec::<f32>(), [1.0, 10.0, 102.0, 20.0, 200.0]);
    /// ```
    ///
    /// # Panics
    /// As [`conv_transpose2d`](Tensor::conv_transpose2d).
    #[track_caller]
    pub fn conv_transpose1d(&self, weight: &Tensor, bias: Option<&Tensor>, conv: Conv) -> Tensor {
        transpose("conv_transpose1d", 1, [self, weight], bias, conv)
    }
    /// The transposed convolution of `[batch, in, height, width]` by a weight `[in, out / groups, rows, columns]`, with a
    /// bias `[out]` if there is one: the gradient of the image of a [`conv2d`](Tensor::conv2d) by that weight.
    ///
    /// Each element times the weight is added to the result at the places that a window there would read. A spatial
    /// size is `(size - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1`. The batch axis may be left
    /// out. Precision and bits are as of `conv2d`.
    ///
    /// *Gradient:* of this tensor, the convolution of `g` by the weight; of the weight, the sums of `conv2d`'s rule; of
    /// the bias, the sum of `g`.
    ///
    /// ```
    /// use retrograd_tensor::{Conv, F32};
    /// let (x, w) = (F32.ones([1, 1, 2, 2]), F32.ones([1, 1, 2, 2]));
    /// let y = x.conv_transpose2d(&w, None, Conv::new());
    /// assert_eq!(y.to_vec::<f32>(), [1.0, 2.0, 1.0, 2.0, 4.0, 2.0, 1.0, 2.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the numbers of axes or channels do not fit, the groups do not divide the channels, nothing would be left of
    /// the result, or an option is out of its range.
    #[track_caller]
    pub fn conv_transpose2d(&self, weight: &Tensor, bias: Option<&Tensor>, conv: Conv) -> Tensor {
        transpose("conv_transpose2d", 2, [self, weight], bias, conv)
    }
    /// The transposed convolution of `[batch, in, depth, height, width]` by a weight `[in, out / groups, ..]`, with a bias
    /// `[out]` if there is one. As [`conv_transpose2d`](Tensor::conv_transpose2d), with three spatial axes.
    ///
    /// ```
    /// use retrograd_tensor::{Conv, F32};
    /// let (x, w) = (F32.ones([1, 1, 1, 1]), F32.ones([1, 2, 2, 2, 2]));
    /// assert_eq!(x.conv_transpose3d(&w, None, Conv::new()).shape(), [2, 2, 2, 2]);
    /// ```
    ///
    /// # Panics
    /// As [`conv_transpose2d`](Tensor::conv_transpose2d).
    #[track_caller]
    pub fn conv_transpose3d(&self, weight: &Tensor, bias: Option<&Tensor>, conv: Conv) -> Tensor {
        transpose("conv_transpose3d", 3, [self, weight], bias, conv)
    }
}

#[track_caller]
fn convolve(op: &'static str, rank: usize, x: [&Tensor; 2], bias: Option<&Tensor>, conv: Conv) -> Tensor {
    let shape = batched(x[0].shape(), rank);
    let fitting = conv.fit(op, &shape, x[1].shape(), rank).or_raise();
    run(op, Part::Out, fitting, x, &shape, bias)
}
#[track_caller]
fn transpose(op: &'static str, rank: usize, x: [&Tensor; 2], bias: Option<&Tensor>, conv: Conv) -> Tensor {
    let shape = batched(x[0].shape(), rank);
    let fitting = conv.fit_transposed(op, &shape, x[1].shape(), rank).or_raise();
    run(op, Part::Image, fitting, x, &shape, bias)
}
/// The shape with a batch axis, if only that is missing.
fn batched(shape: &Shape, rank: usize) -> Shape {
    if shape.rank() == rank + 1 { shape.under(&[1]) } else { shape.clone() }
}
#[track_caller]
fn run(
    op: &'static str,
    made: Part,
    fitting: Fitting,
    [x, w]: [&Tensor; 2],
    shape: &Shape,
    bias: Option<&Tensor>,
) -> Tensor {
    let Fitting { geometry, size } = fitting;
    let common = dtype::promote(op, x.dtype(), w.dtype()).or_raise();
    let (image, w) = (x.reshaped(shape).cast(common), w.cast(common));
    let op = Convolution { name: op, geometry, made, size };
    if op.is_one_window(&image, &w) {
        // As many sums as there are filters, each over a whole item: a product of matrices is made for that.
        let (items, filters) = (image.shape()[0], w.shape()[0]);
        let length = w.shape()[1..].iter().product();
        let y = image.reshaped(&[items, length].into()).linear(w.reshaped(&[filters, length].into()), None);
        return finish(&op, y.reshaped(&op.shape(&[image.spec(), w.spec()])), bias, x.rank() == shape.rank());
    }
    let operands = if made == Part::Out { [&image, &w] } else { [&w, &image] };
    let y = apply::op(op.clone(), &operands);
    finish(&op, y, bias, x.rank() == shape.rank())
}
/// Adds the bias; takes the batch axis away unless it was given.
#[track_caller]
fn finish(op: &Convolution, mut y: Tensor, bias: Option<&Tensor>, batched: bool) -> Tensor {
    if let Some(bias) = bias {
        let channels = y.shape()[1];
        if *bias.shape() != [channels] {
            let detail = format!("bias does not fit: {} for {channels} channels", bias.shape());
            raise(Error::new(op.name, ErrorKind::Shape, format!("{detail}; it must be [{channels}]")));
        }
        let mut to = y.shape().clone();
        to.iter_mut().enumerate().for_each(|(a, size)| *size = if a == 1 { channels } else { 1 });
        y += bias.reshaped(&to);
    }
    if batched { y } else { y.reshaped(&y.shape()[1..].into()) }
}

fn options(a: &Attrs) -> Conv {
    Conv::new()
        .stride(a.ints("stride"))
        .padding(a.ints("padding"))
        .dilation(a.ints("dilation"))
        .groups(a.int("groups").unsigned_abs())
}
fn transposed_options(a: &Attrs) -> Conv {
    options(a).output_padding(a.ints("output_padding"))
}
pub(crate) const ENTRIES: &[Entry] = &[
    Entry::new("conv1d", |x, a| vec![x[0].conv1d(&x[1], x.get(2), options(a))]),
    Entry::new("conv2d", |x, a| vec![x[0].conv2d(&x[1], x.get(2), options(a))]),
    Entry::new("conv3d", |x, a| vec![x[0].conv3d(&x[1], x.get(2), options(a))]),
    Entry::new("conv_transpose1d", |x, a| {
        vec![x[0].conv_transpose1d(&x[1], x.get(2), transposed_options(a))]
    }),
    Entry::new("conv_transpose2d", |x, a| {
        vec![x[0].conv_transpose2d(&x[1], x.get(2), transposed_options(a))]
    }),
    Entry::new("conv_transpose3d", |x, a| {
        vec![x[0].conv_transpose3d(&x[1], x.get(2), transposed_options(a))]
    }),
];
