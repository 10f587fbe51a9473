//! Reshape, expand, permute and flip: the views that everything else is built on, and the methods that only
//! choose their arguments.
//!
//! No view copies, but a reshape that strides cannot express.
use crate::Tensor;
use crate::apply;
use crate::entry::Entry;
use crate::error::{Error, ErrorKind, OrRaise, raise};
use crate::op::{Batch, Kernel, Op, Spec, Specs, behind};
use crate::record::{Context, Cotangents};
use crate::shape::{self, AxisVec, Dims, IntoAxes, IntoDims, IntoShape, Shape};
use smallvec::smallvec;

#[derive(Debug)]
struct Reshape {
    to: Shape,
}
impl Op for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        Ok(smallvec![Spec { shape: self.to.clone(), dtype: x[0].dtype }])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        Kernel::Reshape
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        smallvec![g.reshaped(cx.shape(0)).into()]
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(Reshape { to: self.to.under(lead) })
    }
}

#[derive(Debug)]
struct Expand {
    to: Shape,
}
impl Op for Expand {
    fn name(&self) -> &'static str {
        "expand"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        shape::broadcasts_to("expand", &x[0].shape, &self.to)?;
        let shape = shape::countable("expand", self.to.clone())?;
        Ok(smallvec![Spec { shape, dtype: x[0].dtype }])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        Kernel::Expand
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        smallvec![g.sum_to(cx.shape(0)).into()]
    }
    fn batch(&self, x: &[Spec], lead: &[usize], _: u64) -> Batch {
        let mut own: Shape = x[0].shape.clone();
        (own.rank()..self.to.rank()).for_each(|_| own.insert(0, 1));
        let (own, to) = (own.under(lead), self.to.under(lead));
        Batch::Formula(Box::new(move |x| smallvec![x[0].reshaped(&own).broadcast_to(&to)]))
    }
}

#[derive(Debug)]
struct Permute {
    order: AxisVec,
}
impl Op for Permute {
    fn name(&self) -> &'static str {
        "permute"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let shape: Shape = self.order.iter().map(|&axis| x[0].shape[axis]).collect();
        Ok(smallvec![Spec { shape, dtype: x[0].dtype }])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        let order = self.order.clone();
        Kernel::View(Box::new(move |l| Some(l.permute(&order))))
    }
    fn vjp(&self, _: &Context<'_>, g: &Tensor) -> Cotangents {
        smallvec![g.permuted(&inverse(&self.order)).into()]
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        let order = (0..lead.len()).chain(behind(lead, &self.order)).collect();
        Batch::whole(Permute { order })
    }
}
/// The permutation that undoes `order`.
pub(super) fn inverse(order: &[usize]) -> AxisVec {
    let mut back: AxisVec = smallvec![0; order.len()];
    for (i, &axis) in order.iter().enumerate() {
        back[axis] = i;
    }
    back
}

#[derive(Debug)]
struct Flip {
    axes: AxisVec,
}
impl Op for Flip {
    fn name(&self) -> &'static str {
        "flip"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        Ok(smallvec![x[0].clone()])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        let axes = self.axes.clone();
        Kernel::View(Box::new(move |l| Some(axes.iter().fold(l.clone(), |l, &axis| l.flip(axis)))))
    }
    fn vjp(&self, _: &Context<'_>, g: &Tensor) -> Cotangents {
        smallvec![apply::op(Flip { axes: self.axes.clone() }, &[g]).into()]
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(Flip { axes: behind(lead, &self.axes) })
    }
}

impl Tensor {
    /// The same elements in row-major order under another shape; one size may be -1 and is worked out.
    ///
    /// *Gradient:* `g` reshaped back.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 6]).reshape([3, -1]).shape(), [3, 4]);
    /// ```
    ///
    /// # Panics
    /// If the numbers of elements differ.
    #[track_caller]
    pub fn reshape(&self, dims: impl IntoDims) -> Tensor {
        let to = shape::reshape_target("reshape", &dims.into_dims(), self.numel()).or_raise();
        self.reshaped(&to)
    }
    /// [`Tensor::reshape`] to a known shape.
    #[track_caller]
    pub(crate) fn reshaped(&self, to: &Shape) -> Tensor {
        if self.shape() == to { self.clone() } else { apply::op(Reshape { to: to.clone() }, &[self]) }
    }
    /// [`Tensor::reshape`] under PyTorch's other name; here too a copy is made where strides demand one.
    ///
    /// Composite of [`Tensor::reshape`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 6]).view([-1]).shape(), [12]);
    /// ```
    ///
    /// # Panics
    /// If the numbers of elements differ.
    #[track_caller]
    pub fn view(&self, dims: impl IntoDims) -> Tensor {
        self.reshape(dims)
    }
    /// Axes `start` to `end`, the last included, as one.
    ///
    /// Composite of [`Tensor::reshape`].
    ///
    /// *Gradient:* `g` reshaped back. A scalar becomes one element along one axis.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 3, 4]).flatten(1, -1).shape(), [2, 12]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist, or `start` comes after `end`.
    #[track_caller]
    pub fn flatten(&self, start: isize, end: isize) -> Tensor {
        let rank = self.rank().max(1);
        let first = shape::axis("flatten", start, rank).or_raise();
        let last = shape::axis("flatten", end, rank).or_raise();
        if self.rank() == 0 {
            return self.reshape(1);
        }
        if first > last {
            let detail = format!("axes in reverse: start {start} and end {end} of shape {}", self.shape());
            raise(Error::new("flatten", ErrorKind::Axis, format!("{detail}; start must not be after end")));
        }
        let mut to = self.shape().clone();
        for _ in first..last {
            to[first] *= to.remove(first + 1);
        }
        self.reshaped(&to)
    }
    /// One axis as several, of these sizes; one may be -1.
    ///
    /// Composite of [`Tensor::reshape`].
    ///
    /// *Gradient:* `g` reshaped back.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 12]).unflatten(1, [3, -1]).shape(), [2, 3, 4]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, or the sizes do not multiply to its size.
    #[track_caller]
    pub fn unflatten(&self, axis: isize, sizes: impl IntoDims) -> Tensor {
        let axis = shape::axis("unflatten", axis, self.rank()).or_raise();
        let sizes = shape::reshape_target("unflatten", &sizes.into_dims(), self.shape()[axis]).or_raise();
        let own = self.shape();
        let to: Shape = own[..axis].iter().chain(&sizes).chain(&own[axis + 1..]).copied().collect();
        self.reshaped(&to)
    }
    /// Without the axes of `axes` that have size 1; others stay. `..` means all of them.
    ///
    /// Composite of [`Tensor::reshape`].
    ///
    /// *Gradient:* `g` reshaped back.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([1, 3, 1]).squeeze(0).shape(), [3, 1]);
    /// assert_eq!(Tensor::zeros([1, 3, 1]).squeeze(1).shape(), [1, 3, 1]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn squeeze(&self, axes: impl IntoAxes) -> Tensor {
        let axes = axes.into_axes().resolve("squeeze", self.rank()).or_raise();
        let kept = |(i, &size): (usize, &usize)| (size != 1 || !axes.contains(&i)).then_some(size);
        self.reshaped(&self.shape().iter().enumerate().filter_map(kept).collect())
    }
    /// Without any axis of size 1: [`Tensor::squeeze`] of `..`.
    ///
    /// Composite of [`Tensor::reshape`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([1, 3, 1]).squeeze_all().shape(), [3]);
    /// ```
    #[track_caller]
    pub fn squeeze_all(&self) -> Tensor {
        self.squeeze(..)
    }
    /// With a new axis of size 1 before axis `axis`, or last if `axis` is the rank or -1.
    ///
    /// Composite of [`Tensor::reshape`].
    ///
    /// *Gradient:* `g` reshaped back.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([3, 4]).unsqueeze(0).shape(), [1, 3, 4]);
    /// assert_eq!(Tensor::zeros([3, 4]).unsqueeze(-1).shape(), [3, 4, 1]);
    /// ```
    ///
    /// # Panics
    /// If there is no such place.
    #[track_caller]
    pub fn unsqueeze(&self, axis: isize) -> Tensor {
        let mut to = self.shape().clone();
        to.insert(shape::new_axis("unsqueeze", axis, self.rank()).or_raise(), 1);
        self.reshaped(&to)
    }
    /// This tensor repeated along axes of size 1, and along new leading axes, without copying.
    ///
    /// *Gradient:* `g` summed over the repeated axes.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f32, 2.0]).broadcast_to([2, 2]).to_vec::<f32>(), [1.0, 2.0, 1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the shape does not broadcast to `to`.
    #[track_caller]
    pub fn broadcast_to(&self, to: impl IntoShape) -> Tensor {
        let to = to.into_shape();
        if *self.shape() == to { self.clone() } else { apply::op(Expand { to }, &[self]) }
    }
    /// [`Tensor::broadcast_to`], where -1 stands for the size that an axis has.
    ///
    /// Composite of [`Tensor::broadcast_to`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([3, 1]).expand([2, -1, 4]).shape(), [2, 3, 4]);
    /// ```
    ///
    /// # Panics
    /// If the shape does not broadcast to these sizes, or -1 stands at a new axis.
    #[track_caller]
    pub fn expand(&self, sizes: impl IntoDims) -> Tensor {
        let sizes = sizes.into_dims();
        let lead = sizes.len().saturating_sub(self.rank());
        let size = |(i, &size): (usize, &isize)| match (size, i.checked_sub(lead)) {
            (-1, Some(own)) => self.shape()[own],
            (0.., _) => size.unsigned_abs(),
            _ => {
                let detail = format!("no size to keep: {sizes:?} for shape {}", self.shape());
                let right = "sizes are at least 0, or -1 at an axis that is there already";
                raise(Error::new("expand", ErrorKind::Shape, format!("{detail}; {right}")))
            }
        };
        let to: Shape = sizes.iter().enumerate().map(size).collect();
        self.broadcast_to(to)
    }
    /// The axes in another order, without copying.
    ///
    /// *Gradient:* `g` in the order that undoes it.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 3, 4]).permute([2, 0, 1]).shape(), [4, 2, 3]);
    /// ```
    ///
    /// # Panics
    /// If `order` does not name every axis once.
    #[track_caller]
    pub fn permute(&self, order: impl IntoDims) -> Tensor {
        let order = shape::permutation("permute", &order.into_dims(), self.rank()).or_raise();
        self.permuted(&order)
    }
    /// [`Tensor::permute`] with a checked order.
    #[track_caller]
    pub(crate) fn permuted(&self, order: &[usize]) -> Tensor {
        if order.iter().enumerate().all(|(i, &axis)| i == axis) {
            return self.clone();
        }
        apply::op(Permute { order: order.into() }, &[self])
    }
    /// Two axes exchanged, without copying.
    ///
    /// Composite of [`Tensor::permute`].
    ///
    /// *Gradient:* `g` transposed back.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 3, 4]).transpose(0, -1).shape(), [4, 3, 2]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist.
    #[track_caller]
    pub fn transpose(&self, a: isize, b: isize) -> Tensor {
        let a = shape::axis("transpose", a, self.rank()).or_raise();
        let b = shape::axis("transpose", b, self.rank()).or_raise();
        let mut order: AxisVec = (0..self.rank()).collect();
        order.swap(a, b);
        self.permuted(&order)
    }
    /// [`Tensor::transpose`] under NumPy's name.
    ///
    /// Composite of [`Tensor::permute`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 3, 4]).swapaxes(0, 1).shape(), [3, 2, 4]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist.
    #[track_caller]
    pub fn swapaxes(&self, a: isize, b: isize) -> Tensor {
        self.transpose(a, b)
    }
    /// The transpose of a matrix, without copying; vectors and scalars are left as they are.
    ///
    /// Composite of [`Tensor::permute`].
    ///
    /// *Gradient:* `g` transposed.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.t().to_vec::<f32>(), [1.0, 3.0, 2.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If there are more than two axes.
    #[track_caller]
    pub fn t(&self) -> Tensor {
        match self.rank() {
            0 | 1 => self.clone(),
            2 => self.permuted(&[1, 0]),
            rank => {
                let detail =
                    format!("not a matrix: rank {rank}; mt() exchanges the last two axes of any tensor");
                raise(Error::new("t", ErrorKind::Shape, detail))
            }
        }
    }
    /// The last two axes exchanged, without copying: the transpose of every matrix of a batch. PyTorch's `mT`.
    ///
    /// Composite of [`Tensor::permute`].
    ///
    /// *Gradient:* `g` transposed.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 3, 4]).mt().shape(), [2, 4, 3]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn mt(&self) -> Tensor {
        if self.rank() < 2 {
            let detail = format!("not a matrix: shape {}; it takes at least two axes", self.shape());
            raise(Error::new("mt", ErrorKind::Shape, detail));
        }
        self.transpose(-2, -1)
    }
    /// Axes `from` moved to the places `to`, one or a list of each; the others keep their order. No copy.
    ///
    /// Composite of [`Tensor::permute`].
    ///
    /// *Gradient:* `g` moved back.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 3, 4]).movedim(0, -1).shape(), [3, 4, 2]);
    /// assert_eq!(Tensor::zeros([2, 3, 4]).movedim([0, 1], [2, 0]).shape(), [3, 4, 2]);
    /// ```
    ///
    /// # Panics
    /// If an axis or place does not exist or is named twice, or the lists differ in length.
    #[track_caller]
    pub fn movedim(&self, from: impl IntoDims, to: impl IntoDims) -> Tensor {
        let (from, to): (Dims, Dims) = (from.into_dims(), to.into_dims());
        let source = shape::ordered_axes("movedim", &from, self.rank()).or_raise();
        let places = shape::ordered_axes("movedim", &to, self.rank()).or_raise();
        if source.len() != places.len() {
            let detail = format!("lists of different length: {from:?} to {to:?}; each axis needs its place");
            raise(Error::new("movedim", ErrorKind::Axis, detail));
        }
        let mut rest = (0..self.rank()).filter(|axis| !source.contains(axis));
        let moved = |at: usize| places.iter().position(|&place| place == at).map(|i| source[i]);
        let order: AxisVec = (0..self.rank())
            .map(|at| moved(at).or_else(|| rest.next()).expect("as many axes as places"))
            .collect();
        self.permuted(&order)
    }
    /// The elements of these axes in reverse order, without copying.
    ///
    /// *Gradient:* `g` flipped.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f32, 2.0, 3.0]).flip(0).to_vec::<f32>(), [3.0, 2.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn flip(&self, axes: impl IntoAxes) -> Tensor {
        let axes = axes.into_axes().resolve("flip", self.rank()).or_raise();
        if axes.is_empty() { self.clone() } else { apply::op(Flip { axes }, &[self]) }
    }
}

/// What the reference cases call.
pub(crate) const ENTRIES: &[Entry] = &[
    Entry::new("reshape", |x, a| vec![x[0].reshape(a.ints("shape"))]),
    Entry::new("permute", |x, a| vec![x[0].permute(a.ints("dims"))]),
    Entry::new("transpose", |x, a| vec![x[0].transpose(a.int("dim0"), a.int("dim1"))]),
    Entry::new("squeeze", |x, a| vec![x[0].squeeze(a.int("dim"))]),
    Entry::new("unsqueeze", |x, a| vec![x[0].unsqueeze(a.int("dim"))]),
    Entry::new("expand", |x, a| vec![x[0].expand(a.ints("shape"))]),
    Entry::new("flip", |x, a| vec![x[0].flip(a.ints("dims"))]),
    Entry::new("movedim", |x, a| vec![x[0].movedim(a.int("source"), a.int("destination"))]),
    Entry::new("flatten", |x, a| vec![x[0].flatten(a.int("start_dim"), a.int("end_dim"))]),
];
