//! Positions given by a tensor along one axis: reading whole lines (`index_select`) and writing them
//! (`index_add`, `index_copy`), each the gradient of the other.
//!
//! Positions are forced and checked when an operation is called; the range that was found is kept on their value,
//! so that gradients ask again for nothing. Writes go by line of the result: lines with the same destination are
//! taken in order, whatever the number of threads.
use super::lines::{Lines, PART, Plus, add_line};
use super::slice::{same_dtype, unwrite};
use crate::apply;
use crate::call::{Call, View, by_dtype, for_chunks};
use crate::dry;
use crate::dtype::{Element, I64};
use crate::entry::Entry;
use crate::error::{Error, ErrorKind, OrRaise, raise};
use crate::hidden;
use crate::op::{Batch, Kernel, Op, Saves, Spec, Specs};
use crate::record::{Context, Cotangent, Cotangents};
use crate::shape::{self, Shape};
use crate::{Scalar, Tensor};
use smallvec::smallvec;
use std::sync::Arc;

/// The smallest and the largest element of an integer tensor; above 0 and below 0 if there is none. What a dry run has
/// planned is taken to be in range.
fn range(index: &Tensor) -> (i64, i64) {
    fn scan<T: Element>(view: &View<'_>) -> (i64, i64) {
        let grown = |(low, high): (i64, i64), v: &T| (low.min(v.to_i64()), high.max(v.to_i64()));
        view.dense::<T>().iter().fold((i64::MAX, i64::MIN), grown)
    }
    if dry::is_blank(index) {
        return (0, 0);
    }
    *index.value.range.get_or_init(|| by_dtype!(index.dtype(), T => scan::<T>(&View::of(&index.value))))
}
/// `index` as `I64`, if it holds positions of an axis of `size` only.
#[track_caller]
pub(super) fn positions(op: &'static str, index: &Tensor, size: usize) -> Tensor {
    let index = integers(op, index);
    let (low, high) = range(&index);
    if index.numel() > 0 && (low < 0 || high >= size as i64) {
        let given = if low < 0 { low } else { high };
        raise(out_of_range(op, given, size, 0));
    }
    index
}
/// `index` as `I64`, positions counted from the end made positive.
#[track_caller]
pub(super) fn positions_from_end(op: &'static str, index: &Tensor, size: usize) -> Tensor {
    let index = integers(op, index);
    let (low, high) = range(&index);
    if index.numel() == 0 || (low >= 0 && high < size as i64) {
        return index;
    }
    if low < -(size as i64) || high >= size as i64 {
        raise(out_of_range(op, if high >= size as i64 { high } else { low }, size, -(size as i64)));
    }
    index.map(|i| Scalar::from(0.0).gt(i).where_(i + size as f64, i))
}
#[cold]
fn out_of_range(op: &'static str, given: i64, size: usize, low: i64) -> Error {
    let given = format!("index out of range: {given} on an axis of size {size}");
    let right = match size {
        0 => "an axis of size 0 has no elements".to_string(),
        _ => format!("indices run from {low} to {}", size - 1),
    };
    Error::new(op, ErrorKind::Index, format!("{given}; {right}"))
}
#[track_caller]
fn integers(op: &'static str, index: &Tensor) -> Tensor {
    match index.dtype() {
        I64 => hidden::with_edge(index, None),
        dtype if dtype.is_int() => hidden::with_edge(&index.cast(I64), None),
        dtype => {
            let detail = format!("positions are {dtype}; they must be integers, as in index.cast(I64)");
            raise(Error::new(op, ErrorKind::Dtype, detail))
        }
    }
}

#[derive(Debug)]
struct IndexSelect {
    axis: usize,
}
impl Op for IndexSelect {
    fn name(&self) -> &'static str {
        "index_select"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let mut shape = x[0].shape.clone();
        shape[self.axis] = x[1].shape.numel();
        let shape = shape::countable("index_select", shape)?;
        Ok(smallvec![Spec { shape, dtype: x[0].dtype }])
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        let (axis, dtype) = (self.axis, x[0].dtype);
        Kernel::Call(Call::new("index_select", move |x, out| {
            by_dtype!(dtype, T => select::<T>(&x[0], axis, &x[1].dense(), out[0].data()));
        }))
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::inputs([1])
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let zeros = cx.spec(0).dtype.zeros(cx.shape(0));
        smallvec![zeros.lines_written("index_add", self.axis, &cx.input(1), g, true).into(), Cotangent::None]
    }
    fn batch(&self, _: &[Spec], lead: &[usize], varying: u64) -> Batch {
        let axis = self.axis + lead.len();
        if varying & 2 == 0 {
            return Batch::Fixed(Arc::new(IndexSelect { axis }), 2);
        }
        Batch::Formula(Box::new(move |x| {
            smallvec![x[0].gather(axis as isize, &along(&x[1], axis, x[0].shape()))]
        }))
    }
}
fn select<T: Element>(x: &View<'_>, axis: usize, index: &[i64], out: &mut [T]) {
    let (x, k) = (Lines::<T>::of(x, axis), index.len());
    if x.width == 1 && k > 1 {
        let rows = (PART / k).max(1);
        return for_chunks(out, rows * k, 1, |chunk, part| {
            for (r, row) in part.chunks_mut(k).enumerate() {
                let base = x.base(chunk * rows + r);
                row.iter_mut().zip(index).for_each(|(to, &i)| *to = x.at(base, i as usize));
            }
        });
    }
    let lines = (PART / x.width.max(1)).max(1);
    for_chunks(out, lines * x.width, 1, |chunk, part| {
        for (i, line) in part.chunks_mut(x.width).enumerate() {
            let at = chunk * lines + i;
            x.copy(x.base(at / k), index[at % k] as usize, line);
        }
    });
}

/// A list of positions for each example, repeated over the other axes of `shape`.
fn along(index: &Tensor, axis: usize, shape: &Shape) -> Tensor {
    let lead = index.rank() - 1;
    let mut own = shape.clone();
    (0..own.rank()).filter(|&i| i >= lead).for_each(|i| own[i] = 1);
    own[axis] = index.shape()[lead];
    let mut to = shape.clone();
    to[axis] = own[axis];
    index.reshaped(&own).broadcast_to(&to)
}

/// Writes lines of the third operand into the first.
#[derive(Debug)]
struct IndexWrite {
    name: &'static str,
    axis: usize,
    add: bool,
}
impl Op for IndexWrite {
    fn name(&self) -> &'static str {
        self.name
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        same_dtype(self.name, &x[0], &x[2])?;
        let mut want = x[0].shape.clone();
        want[self.axis] = x[1].shape.numel();
        if x[2].shape != want {
            let given = format!("{} with {} positions on axis {}", x[0].shape, want[self.axis], self.axis);
            let detail = format!("shapes do not fit: {} into {given}; it must be {want}", x[2].shape);
            return Err(Error::new(self.name, ErrorKind::Shape, detail));
        }
        Ok(smallvec![x[0].clone()])
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        let (axis, add, dtype) = (self.axis, self.add, x[0].dtype);
        Kernel::Call(Call::new("index_write", move |x, out| {
            by_dtype!(dtype, T => write::<T>(&x[0], axis, &x[1].dense(), &x[2], add, out[0].data()));
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
            let zeros = g.dtype().zeros(g.lines(axis, index.numel()));
            g.lines_written(self.name, axis, &index, &zeros, false)
        };
        let read = || apply::op(IndexSelect { axis }, &[g, &index]);
        let last = |part: Tensor| part.only_last(axis, &index, cx.shape(0)[axis]);
        unwrite(cx, g, self.add, erased, read, last)
    }
    fn batch(&self, _: &[Spec], lead: &[usize], varying: u64) -> Batch {
        let (name, axis, add) = (self.name, self.axis + lead.len(), self.add);
        if varying & 2 == 0 {
            return Batch::Fixed(Arc::new(IndexWrite { name, axis, add }), 2);
        }
        Batch::Formula(Box::new(move |x| {
            let index = along(&x[1], axis, x[2].shape());
            let (to, axis) = (&x[0], axis as isize);
            smallvec![if add { to.scatter_add(axis, &index, &x[2]) } else { to.scatter(axis, &index, &x[2]) }]
        }))
    }
}
/// For each of `n` destinations, which of the lines go there, in order: destination `i` has those of
/// `order[starts[i]..starts[i + 1]]`.
fn by_destination(index: &[i64], n: usize) -> (Vec<u32>, Vec<u32>) {
    let mut starts = vec![0_u32; n + 1];
    for &i in index {
        starts[i as usize + 1] += 1;
    }
    for i in 0..n {
        starts[i + 1] += starts[i];
    }
    let (mut next, mut order) = (starts.clone(), vec![0; index.len()]);
    for (line, &i) in index.iter().enumerate() {
        let place = &mut next[i as usize];
        order[*place as usize] = line as u32;
        *place += 1;
    }
    (starts, order)
}
fn write<T: Plus>(x: &View<'_>, axis: usize, index: &[i64], v: &View<'_>, add: bool, out: &mut [T]) {
    let (n, k) = (x.shape()[axis], index.len());
    let (x, v) = (Lines::<T>::of(x, axis), Lines::<T>::of(v, axis));
    if x.width == 1 {
        return write_points(&x, index, &v, n, add, out);
    }
    let (starts, order) = by_destination(index, n);
    let (width, lines) = (x.width, (PART / x.width.max(1)).max(1));
    for_chunks(out, lines * width, 1 + k / n.max(1), |chunk, part| {
        let (mut line, mut sums) = (Vec::new(), Vec::new());
        for (i, to) in part.chunks_mut(width).enumerate() {
            let (outer, i) = ((chunk * lines + i) / n, (chunk * lines + i) % n);
            let (from, base) = (&order[starts[i] as usize..starts[i + 1] as usize], v.base(outer));
            match from {
                [.., last] if !add => v.copy(base, *last as usize, to),
                _ => x.copy(x.base(outer), i, to),
            }
            if add {
                add_lines(&v, base, from, to, &mut line, &mut sums);
            }
        }
    });
}
/// Adds lines `from` of those that start at `base`, in this order.
fn add_lines<T: Plus>(
    v: &Lines<'_, T>,
    base: isize,
    from: &[u32],
    to: &mut [T],
    line: &mut Vec<T>,
    sums: &mut Vec<T::Sum>,
) {
    sums.clear();
    if T::WIDER {
        sums.extend(to.iter().map(|v| v.widen()));
    }
    for &j in from {
        let part = v.slice(base, j as usize).unwrap_or_else(|| {
            line.clear();
            line.extend_from_slice(to);
            v.copy(base, j as usize, line);
            line
        });
        if T::WIDER {
            sums.iter_mut().zip(part).for_each(|(sum, &v)| *sum = T::plus(*sum, v));
        } else {
            add_line(to, part);
        }
    }
    sums.iter().zip(to).for_each(|(&sum, to)| *to = T::narrow(sum));
}
/// [`write`] where lines are single elements: row by row.
fn write_points<T: Plus>(
    x: &Lines<'_, T>,
    index: &[i64],
    v: &Lines<'_, T>,
    n: usize,
    add: bool,
    out: &mut [T],
) {
    let rows = (PART / n.max(1)).max(1);
    for_chunks(out, rows * n, 1 + index.len() / n.max(1), |chunk, part| {
        let mut sums = Vec::new();
        for (r, row) in part.chunks_mut(n).enumerate() {
            let (from, base) = (v.base(chunk * rows + r), x.base(chunk * rows + r));
            row.iter_mut().enumerate().for_each(|(i, to)| *to = x.at(base, i));
            if !add {
                index.iter().enumerate().for_each(|(j, &i)| row[i as usize] = v.at(from, j));
                continue;
            }
            let items = index.iter().enumerate().map(|(j, &i)| (i as usize, v.at(from, j)));
            if T::WIDER {
                sums.clear();
                sums.extend(row.iter().map(|v| v.widen()));
                items.for_each(|(i, v)| sums[i] = T::plus(sums[i], v));
                sums.iter().zip(row).for_each(|(&sum, to)| *to = T::narrow(sum));
            } else {
                items.for_each(|(i, v)| row[i] = T::narrow(T::plus(row[i].widen(), v)));
            }
        }
    });
}

impl Tensor {
    /// This shape with `k` positions on `axis`.
    fn lines(&self, axis: usize, k: usize) -> Shape {
        let mut shape = self.shape().clone();
        shape[axis] = k;
        shape
    }
    /// Lines `index` along `axis`, checked before.
    #[track_caller]
    pub(super) fn lines_read(&self, axis: usize, index: &Tensor) -> Tensor {
        apply::op(IndexSelect { axis }, &[self, index])
    }
    /// This tensor with the lines of `v` written, or added, at the checked positions `index` of `axis`.
    #[track_caller]
    pub(super) fn lines_written(
        &self,
        name: &'static str,
        axis: usize,
        index: &Tensor,
        v: &Tensor,
        add: bool,
    ) -> Tensor {
        apply::op(IndexWrite { name, axis, add }, &[self, index, v])
    }
    /// Cotangents of written lines: 0 where a later line had the same destination.
    #[track_caller]
    fn only_last(&self, axis: usize, index: &Tensor, n: usize) -> Tensor {
        let order = I64.arange(0, index.numel(), 1);
        let winner = I64.zeros(n).lines_written("index_copy", 0, index, &order, false);
        let wins = winner.lines_read(0, index).eq(&order);
        let mut shape = Shape::from(vec![1; self.rank()]);
        shape[axis] = index.numel();
        wins.reshaped(&shape).where_(self, 0.0)
    }
    /// Checks `index` as positions of `axis`, which is returned as a number.
    #[track_caller]
    fn indexed(&self, op: &'static str, axis: isize, index: &Tensor) -> (usize, Tensor) {
        let axis = shape::axis(op, axis, self.rank()).or_raise();
        if index.rank() > 1 {
            let detail = format!("positions have shape {}; they must be a list, of rank 1", index.shape());
            raise(Error::new(op, ErrorKind::Shape, detail));
        }
        (axis, positions(op, index, self.shape()[axis]))
    }

    /// The parts at the positions `index` of an axis, in the order given; a position may stand more than once.
    ///
    /// *Gradient:* `g` added up at these positions, 0 elsewhere. Negative positions are refused; `x.at(s![&index])`
    /// takes them.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    /// assert_eq!(x.index_select(0, &Tensor::from([2i64, 0])).to_vec::<f32>(), [5.0, 6.0, 1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, or `index` is not a list of integers that are positions of it.
    #[track_caller]
    pub fn index_select(&self, axis: isize, index: &Tensor) -> Tensor {
        let (axis, index) = self.indexed("index_select", axis, index);
        self.lines_read(axis, &index)
    }
    /// This tensor with the parts of `source` added at the positions `index` of an axis, in order.
    ///
    /// *Gradient:* `g`, and for `source` the parts of `g` at these positions.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::zeros(3).index_add(0, &Tensor::from([0i64, 0]), &Tensor::from([1.0f32, 2.0]));
    /// assert_eq!(x.to_vec::<f32>(), [3.0, 0.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, `index` is not a list of positions of it, or `source` has not one part for each.
    #[track_caller]
    pub fn index_add(&self, axis: isize, index: &Tensor, source: &Tensor) -> Tensor {
        let (axis, index) = self.indexed("index_add", axis, index);
        self.lines_written("index_add", axis, &index, source, true)
    }
    /// This tensor with the parts of `source` in place of those at the positions `index` of an axis; where a
    /// position stands more than once, the last part counts.
    ///
    /// *Gradient:* `g`, but 0 at these positions; for `source` the parts of `g` there, 0 for parts that were
    /// written over.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::zeros(3).index_copy(0, &Tensor::from([0i64, 0]), &Tensor::from([1.0f32, 2.0]));
    /// assert_eq!(x.to_vec::<f32>(), [2.0, 0.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, `index` is not a list of positions of it, or `source` has not one part for each.
    #[track_caller]
    pub fn index_copy(&self, axis: isize, index: &Tensor, source: &Tensor) -> Tensor {
        let (axis, index) = self.indexed("index_copy", axis, index);
        self.lines_written("index_copy", axis, &index, source, false)
    }
    /// The elements at the positions `index` of all elements in row-major order, in the shape of `index`.
    ///
    /// Composite of [`Tensor::reshape`] and [`Tensor::index_select`].
    ///
    /// *Gradient:* `g` added up at these positions.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.take(&Tensor::from([3i64, 0])).to_vec::<f32>(), [4.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If an element of `index` is not a position, or it holds no integers.
    #[track_caller]
    pub fn take(&self, index: &Tensor) -> Tensor {
        let shape = index.shape().clone();
        let index = positions("take", index, self.numel());
        self.reshape(-1).lines_read(0, &index.reshape(-1)).reshaped(&shape)
    }
}

/// What the reference cases call.
pub(crate) const ENTRIES: &[Entry] = &[
    Entry::new("index_select", |x, a| vec![x[0].index_select(a.int("dim"), &x[1])]),
    Entry::new("index_add", |x, a| vec![x[0].index_add(a.int("dim"), &x[1], &x[2])]),
];
