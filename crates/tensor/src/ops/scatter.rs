//! Positions given by a tensor for every element: reading (`gather`) and writing (`scatter`, `scatter_add`), each
//! the gradient of the other.
//!
//! Positions are forced and checked at the call, as in `index`. Elements with the same destination are taken in
//! order, whatever the number of threads.
use super::index::positions;
use super::lines::{PART, Plus, copy};
use super::slice::{Cut, Cuts, same_dtype, unwrite, whole};
use crate::Tensor;
use crate::apply;
use crate::call::{Call, View, by_dtype, for_chunks};
use crate::dtype::{DType, Element};
use crate::entry::Entry;
use crate::error::{Error, ErrorKind, OrRaise, raise};
use crate::op::{Batch, Kernel, Op, Saves, Spec, Specs};
use crate::operand::Operand;
use crate::record::{Context, Cotangent, Cotangents};
use crate::shape::{self, Shape};
use smallvec::smallvec;

/// Both operands have the same sizes but along `axis`.
#[derive(Debug)]
struct Gather {
    axis: usize,
}
impl Op for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        Ok(smallvec![Spec { shape: x[1].shape.clone(), dtype: x[0].dtype }])
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        let (axis, dtype) = (self.axis, x[0].dtype);
        Kernel::Call(Call::new("gather", move |x, out| {
            by_dtype!(dtype, T => gather::<T>(&x[0], axis, &x[1], out[0].data()));
        }))
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::inputs([1])
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let op = Scatter { name: "scatter_add", axis: self.axis, add: true };
        let zeros = cx.spec(0).dtype.zeros(cx.shape(0));
        smallvec![apply::op(op, &[&zeros, &cx.input(1), g]).into(), Cotangent::None]
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(Gather { axis: self.axis + lead.len() })
    }
}
fn gather<T: Element>(x: &View<'_>, axis: usize, index: &View<'_>, out: &mut [T]) {
    let (n, k) = (x.shape()[axis], index.shape()[axis]);
    let width: usize = x.shape()[axis + 1..].iter().product();
    let (x, index) = (x.dense::<T>(), index.dense::<i64>());
    let rows = (PART / (k * width).max(1)).max(1);
    for_chunks(out, rows * k * width, 1, |chunk, part| {
        for (r, block) in part.chunks_mut(k * width).enumerate() {
            let outer = chunk * rows + r;
            let from = &x[outer * n * width..][..n * width];
            let index = &index[outer * k * width..][..k * width];
            if width == 1 {
                block.iter_mut().zip(index).for_each(|(to, &i)| *to = from[i as usize]);
                continue;
            }
            for (line, index) in block.chunks_mut(width).zip(index.chunks(width)) {
                for (t, (to, &i)) in line.iter_mut().zip(index).enumerate() {
                    *to = from[i as usize * width + t];
                }
            }
        }
    });
}

/// Positions and source have the same shape, and that of the first operand but along `axis`.
#[derive(Debug)]
struct Scatter {
    name: &'static str,
    axis: usize,
    add: bool,
}
impl Op for Scatter {
    fn name(&self) -> &'static str {
        self.name
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        same_dtype(self.name, &x[0], &x[2])?;
        Ok(smallvec![x[0].clone()])
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        let (axis, add, dtype) = (self.axis, self.add, x[0].dtype);
        Kernel::Call(Call::new("scatter", move |x, out| {
            by_dtype!(dtype, T => scatter::<T>(&x[0], axis, &x[1], &x[2], add, out[0].data()));
        }))
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::inputs([1])
    }
    fn flops(&self, x: &[Spec], _: &[Spec]) -> u64 {
        if self.add { x[2].shape.numel() as u64 } else { 0 }
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let (index, axis) = (cx.input(1), self.axis);
        let erased = || {
            let zeros = g.dtype().zeros(index.shape());
            apply::op(Scatter { name: self.name, axis, add: false }, &[g, &index, &zeros])
        };
        let read = || g.gathered(axis, &index);
        let last = |part| last_wins(cx.shape(0), axis, &index).where_(part, 0.0);
        unwrite(cx, g, self.add, erased, read, last)
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(Scatter { axis: self.axis + lead.len(), ..*self })
    }
}
/// Which elements of a source stay when it is scattered: those that no later one has written over.
fn last_wins(shape: &Shape, axis: usize, index: &Tensor) -> Tensor {
    let order = DType::I64.arange(0, index.numel(), 1).reshaped(index.shape());
    let op = Scatter { name: "scatter", axis, add: false };
    let winner = apply::op(op, &[&DType::I64.zeros(shape), index, &order]);
    winner.gathered(axis, index).eq(order)
}
fn scatter<T: Plus>(x: &View<'_>, axis: usize, index: &View<'_>, v: &View<'_>, add: bool, out: &mut [T]) {
    let (n, k) = (x.shape()[axis], index.shape()[axis]);
    let width: usize = x.shape()[axis + 1..].iter().product();
    let (data, layout) = (x.data::<T>(), x.layout().collapsed());
    let (index, v) = (index.dense::<i64>(), v.dense::<T>());
    let rows = (PART / (n * width).max(1)).max(1);
    for_chunks(out, rows * n * width, 1 + k / n.max(1), |chunk, part| {
        copy(data, &layout, chunk * rows * n * width, part);
        let mut sums = Vec::new();
        for (r, block) in part.chunks_mut(n * width).enumerate() {
            let start = (chunk * rows + r) * k * width;
            let items = index[start..][..k * width].iter().zip(&v[start..][..k * width]).enumerate();
            let place = |(t, (&i, &v)): (usize, (&i64, &T))| (i as usize * width + t % width, v);
            if !add {
                items.map(place).for_each(|(at, v)| block[at] = v);
            } else if T::WIDER {
                sums.clear();
                sums.extend(block.iter().map(|v| v.widen()));
                items.map(place).for_each(|(at, v)| sums[at] = T::plus(sums[at], v));
                sums.iter().zip(block).for_each(|(&sum, to)| *to = T::narrow(sum));
            } else {
                items.map(place).for_each(|(at, v)| block[at] = T::narrow(T::plus(block[at].widen(), v)));
            }
        }
    });
}

/// The cuts of a tensor that `index` speaks of: its first positions along every axis but `axis`.
fn reach(op: &'static str, x: &Shape, axis: usize, index: &Shape, source: bool) -> Result<Cuts, Error> {
    let fits = |i: usize| (i == axis && !source) || index[i] <= x[i];
    if index.rank() != x.rank() || !(0..x.rank()).all(fits) {
        let what = if source { "source" } else { "tensor" };
        let given = format!("positions of shape {index} do not fit a {what} of shape {x}");
        let but = if source { String::new() } else { format!(", except on axis {axis}") };
        let right = format!("they need the same rank, and at most its sizes{but}");
        return Err(Error::new(op, ErrorKind::Shape, format!("{given}; {right}")));
    }
    let cut = |(i, (&size, &len)): (usize, (&usize, &usize))| {
        if i == axis && !source { Cut::whole(size) } else { Cut { start: 0, step: 1, len } }
    };
    Ok(x.iter().zip(index).enumerate().map(cut).collect())
}

impl Tensor {
    /// For every element of `index`, the element of this tensor at the same place, but at that position of `axis`.
    ///
    /// `out[i, j] = x[i, index[i, j]]` along axis 1 of a matrix. `index` may be smaller than the tensor along other
    /// axes. *Gradient:* `g` added up at these positions, 0 elsewhere.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.gather(1, &Tensor::from([[0i64], [1]])).to_vec::<f32>(), [1.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, the shapes do not fit, or `index` does not hold positions of the axis.
    #[track_caller]
    pub fn gather(&self, axis: isize, index: &Tensor) -> Tensor {
        let axis = shape::axis("gather", axis, self.rank()).or_raise();
        let cuts = reach("gather", self.shape(), axis, index.shape(), false).or_raise();
        let index = positions("gather", index, self.shape()[axis]);
        let x = self.cut("gather", &cuts, cuts.iter().map(|cut| cut.len).collect());
        x.gathered(axis, &index)
    }
    /// [`Tensor::gather`] at checked positions, of the same sizes but along `axis`.
    #[track_caller]
    pub(super) fn gathered(&self, axis: usize, index: &Tensor) -> Tensor {
        apply::op(Gather { axis }, &[self, index])
    }
    /// [`Tensor::gather`], other axes broadcast: pairs with `argsort` and `argmax_keepdim`. PyTorch's
    /// `take_along_dim`.
    ///
    /// Composite of [`Tensor::broadcast_to`] and [`Tensor::gather`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.take_along(1, &Tensor::from([[1i64, 0]])).to_vec::<f32>(), [2.0, 1.0, 4.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, the shapes do not fit, or `index` does not hold positions of the axis.
    #[track_caller]
    pub fn take_along(&self, axis: isize, index: &Tensor) -> Tensor {
        let axis = shape::axis("take_along", axis, self.rank()).or_raise();
        if index.rank() != self.rank() {
            let given =
                format!("ranks differ: positions of shape {} for shape {}", index.shape(), self.shape());
            raise(Error::new("take_along", ErrorKind::Shape, format!("{given}; they need the same rank")));
        }
        let (mut own, mut theirs) = (self.shape().clone(), index.shape().clone());
        (own[axis], theirs[axis]) = (1, 1);
        let mut common = shape::broadcast("take_along", &own, &theirs).or_raise();
        let index = positions("take_along", index, self.shape()[axis]);
        common[axis] = self.shape()[axis];
        let x = self.broadcast_to(&common);
        common[axis] = index.shape()[axis];
        x.gathered(axis, &index.broadcast_to(&common))
    }
    /// This tensor with each element of `source` at its own place, but at the position of `axis` that `index` gives;
    /// of several with one destination the last stays.
    ///
    /// `out[i, index[i, j]] = source[i, j]` along axis 1 of a matrix. `source` may be a number. *Gradient:* `g`, but
    /// 0 at these positions; for `source`, `g` there, 0 for elements that were written over (PyTorch gives them `g`
    /// as well).
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::zeros([2, 2]).scatter(1, &Tensor::from([[1i64], [0]]), 5.0);
    /// assert_eq!(x.to_vec::<f32>(), [0.0, 5.0, 5.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, the shapes do not fit, or `index` does not hold positions of the axis.
    #[track_caller]
    pub fn scatter(&self, axis: isize, index: &Tensor, source: impl Into<Operand>) -> Tensor {
        self.scattered("scatter", axis, index, source.into(), false)
    }
    /// [`Tensor::scatter`], but adding: elements with one destination are summed, in order.
    ///
    /// *Gradient:* `g`, and for `source` `g` at these positions.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::zeros(3).scatter_add(0, &Tensor::from([1i64, 1]), &Tensor::from([2.0f32, 3.0]));
    /// assert_eq!(x.to_vec::<f32>(), [0.0, 5.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, the shapes do not fit, or `index` does not hold positions of the axis.
    #[track_caller]
    pub fn scatter_add(&self, axis: isize, index: &Tensor, source: impl Into<Operand>) -> Tensor {
        self.scattered("scatter_add", axis, index, source.into(), true)
    }
    #[track_caller]
    fn scattered(
        &self,
        name: &'static str,
        axis: isize,
        index: &Tensor,
        source: Operand,
        add: bool,
    ) -> Tensor {
        let axis = shape::axis(name, axis, self.rank()).or_raise();
        let cuts = reach(name, self.shape(), axis, index.shape(), false).or_raise();
        let source = match source {
            Operand::Number(v) => self.dtype().full(index.shape(), v),
            Operand::Tensor(t) => {
                let cuts = reach(name, t.shape(), axis, index.shape(), true).or_raise();
                t.cut(name, &cuts, index.shape().clone())
            }
        };
        let index = positions(name, index, self.shape()[axis]);
        let op = Scatter { name, axis, add };
        if cuts == whole(self.shape()) {
            return apply::op(op, &[self, &index, &source]);
        }
        let part = self.cut(name, &cuts, cuts.iter().map(|cut| cut.len).collect());
        self.written(name, &cuts, &apply::op(op, &[&part, &index, &source]), false)
    }
}

/// What the reference cases call.
pub(crate) const ENTRIES: &[Entry] = &[
    Entry::new("gather", |x, a| vec![x[0].gather(a.int("dim"), &x[1])]),
    Entry::new("scatter", |x, a| vec![x[0].scatter(a.int("dim"), &x[1], &x[2])]),
    Entry::new("scatter_add", |x, a| vec![x[0].scatter_add(a.int("dim"), &x[1], &x[2])]),
];
