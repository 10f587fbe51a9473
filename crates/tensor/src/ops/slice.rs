//! Slices of a tensor, and writing into slices: each is the gradient of the other.
//!
//! A slice is a view and never copies. Writing makes a new tensor in one pass, line by line of the result.
use super::lines::{PART, Plus, add_line, copy};
use crate::Tensor;
use crate::apply;
use crate::call::{Call, View, by_dtype, for_chunks};
use crate::entry::Entry;
use crate::error::{Error, ErrorKind, OrRaise, raise};
use crate::index;
use crate::layout::Layout;
use crate::op::{Batch, Kernel, Op, Spec, Specs};
use crate::record::{Context, Cotangent, Cotangents};
use crate::shape::{self, Integer, IntoShape, Shape};
use smallvec::{SmallVec, smallvec};

/// The positions of one axis: `start`, `start + step`, ..., `len` of them, all on the axis.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cut {
    pub(super) start: usize,
    pub(super) step: isize,
    pub(super) len: usize,
}
impl Cut {
    /// The whole axis.
    pub(super) fn whole(size: usize) -> Cut {
        Cut { start: 0, step: 1, len: size }
    }
    /// Which of the positions `i` is, if it is one.
    fn place(self, i: usize) -> Option<usize> {
        let reach = i as isize - self.start as isize;
        let place = if self.len > 0 && reach % self.step == 0 { reach / self.step } else { -1 };
        usize::try_from(place).ok().filter(|&place| place < self.len)
    }
}
/// One cut per axis.
pub(super) type Cuts = SmallVec<[Cut; 4]>;

/// The whole of every axis of `shape`.
pub(super) fn whole(shape: &Shape) -> Cuts {
    shape.iter().map(|&size| Cut::whole(size)).collect()
}
fn lens(cuts: &Cuts) -> Shape {
    cuts.iter().map(|cut| cut.len).collect()
}

/// These cuts behind whole axes.
fn under(lead: &[usize], cuts: &Cuts) -> Cuts {
    lead.iter().map(|&size| Cut::whole(size)).chain(cuts.iter().cloned()).collect()
}

#[derive(Debug)]
struct Slice {
    name: &'static str,
    cuts: Cuts,
    /// The sizes of the cuts, some axes of size 1 left out or put in.
    to: Shape,
}
impl Op for Slice {
    fn name(&self) -> &'static str {
        self.name
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        Ok(smallvec![Spec { shape: self.to.clone(), dtype: x[0].dtype }])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        let (cuts, to) = (self.cuts.clone(), self.to.clone());
        Kernel::View(Box::new(move |l| cut_layout(l, &cuts).reshape(&to)))
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let zeros = cx.spec(0).dtype.zeros(cx.shape(0));
        smallvec![zeros.written(self.name, &self.cuts, g, false).into()]
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        let cuts = under(lead, &self.cuts);
        Batch::whole(Slice { name: self.name, cuts, to: self.to.under(lead) })
    }
}
fn cut_layout(layout: &Layout, cuts: &Cuts) -> Layout {
    let cut = |l: Layout, (axis, cut): (usize, &Cut)| l.slice(axis, cut.start, cut.step, cut.len);
    cuts.iter().enumerate().fold(layout.clone(), cut)
}

#[derive(Debug)]
struct Write {
    name: &'static str,
    cuts: Cuts,
    add: bool,
}
impl Op for Write {
    fn name(&self) -> &'static str {
        self.name
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        same_dtype(self.name, &x[0], &x[1])?;
        debug_assert_eq!(x[1].shape, lens(&self.cuts));
        Ok(smallvec![x[0].clone()])
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        let (cuts, add, dtype) = (self.cuts.clone(), self.add, x[0].dtype);
        Kernel::Call(Call::new("write", move |x, out| {
            by_dtype!(dtype, T => write::<T>(&x[0], &x[1], &cuts, add, out[0].data()));
        }))
    }
    fn flops(&self, x: &[Spec], _: &[Spec]) -> u64 {
        if self.add { x[1].shape.numel() as u64 } else { 0 }
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let kept = || {
            if self.add {
                g.clone()
            } else {
                g.written(self.name, &self.cuts, &g.dtype().zeros(lens(&self.cuts)), false)
            }
        };
        let x = if cx.needs(0) { kept().into() } else { Cotangent::None };
        let v =
            if cx.needs(1) { g.cut(self.name, &self.cuts, lens(&self.cuts)).into() } else { Cotangent::None };
        smallvec![x, v]
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(Write { name: self.name, cuts: under(lead, &self.cuts), add: self.add })
    }
}
/// The cotangents of a write into the first operand, at positions that the second gives, of the third: `g` with
/// `erased` elements, unless the write adds, and of the part that was `read`, what `last` leaves of it where a later
/// element had the same destination.
pub(super) fn unwrite(
    cx: &Context<'_>,
    g: &Tensor,
    add: bool,
    erased: impl FnOnce() -> Tensor,
    read: impl FnOnce() -> Tensor,
    last: impl FnOnce(Tensor) -> Tensor,
) -> Cotangents {
    let into = cx.needs(0).then(|| if add { g.clone() } else { erased() });
    let source = cx.needs(2).then(|| if add { read() } else { last(read()) });
    let part = |given: Option<Tensor>| given.map_or(Cotangent::None, Cotangent::from);
    smallvec![part(into), Cotangent::None, part(source)]
}
/// Refuses operands of different element types.
pub(super) fn same_dtype(op: &'static str, x: &Spec, v: &Spec) -> Result<(), Error> {
    if x.dtype == v.dtype {
        return Ok(());
    }
    let given = format!("element types differ: {} and {}", x.dtype, v.dtype);
    let right = format!("cast one of them, as in v.cast({})", x.dtype.name().to_uppercase());
    Err(Error::new(op, ErrorKind::Dtype, format!("{given}; {right}")))
}

/// `x` with the elements of `v` written, or added, at the cuts.
fn write<T: Plus>(x: &View<'_>, v: &View<'_>, cuts: &Cuts, add: bool, out: &mut [T]) {
    let shape = x.shape();
    let (from, base) = (x.data::<T>(), x.layout().collapsed());
    let (values, laid) = (v.data::<T>(), v.layout().collapsed());
    // The last axis that is not written whole: its positions are lines of `width` elements.
    let Some(axis) = (0..shape.rank()).rfind(|&axis| cuts[axis] != Cut::whole(shape[axis])) else {
        return for_chunks(out, PART, 1, |i, part| {
            copy(if add { from } else { values }, if add { &base } else { &laid }, i * PART, part);
            if add {
                overlay(values, &laid, i * PART, part, true);
            }
        });
    };
    let (n, cut) = (shape[axis], cuts[axis]);
    let width: usize = shape[axis + 1..].iter().product();
    let lines = (PART / width.max(1)).max(1);
    for_chunks(out, lines * width, 1, |chunk, part| {
        let (mut line, mut rest) = (chunk * lines, part);
        while !rest.is_empty() {
            // Lines of one index of the outer axes.
            let (outer, first) = (line / n, line % n);
            let count = (n - first).min(rest.len() / width);
            let (row, tail) = std::mem::take(&mut rest).split_at_mut(count * width);
            copy(from, &base, line * width, row);
            if let Some(outer) = covered(outer, &shape[..axis], cuts) {
                let start = outer * cut.len;
                if cut.step == 1 {
                    let (low, high) = (first.max(cut.start), (first + count).min(cut.start + cut.len));
                    if low < high {
                        let to = &mut row[(low - first) * width..(high - first) * width];
                        overlay(values, &laid, (start + low - cut.start) * width, to, add);
                    }
                } else {
                    for (i, to) in row.chunks_mut(width).enumerate() {
                        if let Some(place) = cut.place(first + i) {
                            overlay(values, &laid, (start + place) * width, to, add);
                        }
                    }
                }
            }
            line += count;
            rest = tail;
        }
    });
}
/// The index among the cuts of the outer axes, if index `outer` of the whole is written.
fn covered(outer: usize, shape: &[usize], cuts: &Cuts) -> Option<usize> {
    let (mut rest, mut place, mut step) = (outer, 0, 1);
    for (&size, cut) in shape.iter().zip(cuts).rev() {
        place += cut.place(rest % size)? * step;
        step *= cut.len;
        rest /= size;
    }
    Some(place)
}
fn overlay<T: Plus>(values: &[T], layout: &Layout, start: usize, to: &mut [T], add: bool) {
    if !add {
        return copy(values, layout, start, to);
    }
    let mut at = 0;
    layout.runs(start, to.len(), |offset, stride, count| {
        let part = &mut to[at..at + count];
        if stride == 1 {
            add_line(part, &values[offset..offset + count]);
        } else {
            for (i, to) in part.iter_mut().enumerate() {
                *to =
                    T::narrow(T::plus(to.widen(), values[(offset as isize + i as isize * stride) as usize]));
            }
        }
        at += count;
    });
}

impl Tensor {
    /// The elements at `cuts`, as shape `to`.
    #[track_caller]
    pub(super) fn cut(&self, name: &'static str, cuts: &Cuts, to: Shape) -> Tensor {
        if *cuts == whole(self.shape()) {
            self.reshaped(&to)
        } else {
            apply::op(Slice { name, cuts: cuts.clone(), to }, &[self])
        }
    }
    /// This tensor with `v` written, or added, at `cuts`; `v` has as many elements.
    #[track_caller]
    pub(super) fn written(&self, name: &'static str, cuts: &Cuts, v: &Tensor, add: bool) -> Tensor {
        let v = v.reshaped(&lens(cuts));
        if v.numel() == 0 {
            self.clone()
        } else {
            apply::op(Write { name, cuts: cuts.clone(), add }, &[self, &v])
        }
    }
    /// Positions `start` to `end` of an axis, `end` not included, `step` apart: Python's `start:end:step`, without
    /// copying.
    ///
    /// Negative bounds count from the end, bounds beyond the axis are clamped; `isize::MAX` means "to the end". A
    /// negative step walks down, to `isize::MIN` for the whole axis.
    ///
    /// *Gradient:* `g` at these positions, 0 elsewhere.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([0i64, 1, 2, 3, 4]);
    /// assert_eq!(x.slice(0, 1, -1, 2).to_vec::<i64>(), [1, 3]);
    /// assert_eq!(x.slice(0, -1, isize::MIN, -2).to_vec::<i64>(), [4, 2, 0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, or `step` is 0.
    #[track_caller]
    pub fn slice(&self, axis: isize, start: isize, end: isize, step: isize) -> Tensor {
        let axis = shape::axis("slice", axis, self.rank()).or_raise();
        if step == 0 {
            let detail = format!("step is 0: on axis {axis} of shape {}; it must not be 0", self.shape());
            raise(Error::new("slice", ErrorKind::Value, detail));
        }
        let (start, len) = index::clamped(self.shape()[axis], Some(start), Some(end), step);
        self.cut_axis("slice", axis, Cut { start, step, len })
    }
    #[track_caller]
    pub(super) fn cut_axis(&self, name: &'static str, axis: usize, cut: Cut) -> Tensor {
        let mut cuts = whole(self.shape());
        cuts[axis] = cut;
        self.cut(name, &cuts, lens(&cuts))
    }
    /// `len` positions of an axis from `start` on, without copying.
    ///
    /// *Gradient:* `g` at these positions, 0 elsewhere.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([0i64, 1, 2, 3, 4]).narrow(0, 1, 2).to_vec::<i64>(), [1, 2]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, or the positions are not all on it.
    #[track_caller]
    pub fn narrow(&self, axis: isize, start: usize, len: usize) -> Tensor {
        let axis = shape::axis("narrow", axis, self.rank()).or_raise();
        let size = self.shape()[axis];
        if start.checked_add(len).is_none_or(|end| end > size) {
            let given = format!("range out of bounds: {len} from {start} on axis {axis} of size {size}");
            raise(Error::new(
                "narrow",
                ErrorKind::Index,
                format!("{given}; it must end at {size} or before"),
            ));
        }
        self.cut_axis("narrow", axis, Cut { start, step: 1, len })
    }
    /// The part at one position of an axis, which goes; a negative position counts from the end. No copy.
    ///
    /// *Gradient:* `g` at this position, 0 elsewhere.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.select(1, -1).to_vec::<f32>(), [2.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis or position.
    #[track_caller]
    pub fn select(&self, axis: isize, at: impl Integer) -> Tensor {
        let axis = shape::axis("select", axis, self.rank()).or_raise();
        let start = index::position("select", self.shape(), axis, at.as_isize()).or_raise();
        let mut cuts = whole(self.shape());
        cuts[axis] = Cut { start, step: 1, len: 1 };
        let mut to = self.shape().clone();
        to.remove(axis);
        self.cut("select", &cuts, to)
    }
    /// The parts at every position of an axis, which goes: [`Tensor::select`] of each.
    ///
    /// Composite of [`Tensor::select`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let rows = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]).unbind(0);
    /// assert_eq!(rows[1].to_vec::<f32>(), [3.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn unbind(&self, axis: isize) -> Vec<Tensor> {
        let mut out = Vec::with_capacity(self.size(axis));
        for i in 0..self.size(axis) {
            out.push(self.select(axis, i));
        }
        out
    }
    /// Consecutive parts of an axis, of these sizes; a single size is repeated, and the last part may be shorter.
    ///
    /// *Gradient:* of each part, `g` at its place, 0 elsewhere.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([0i64, 1, 2, 3, 4]);
    /// assert_eq!(x.split([2, 3], 0)[1].to_vec::<i64>(), [2, 3, 4]);
    /// assert_eq!(x.split(2, 0).len(), 3);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, the sizes do not add up to its size, or the single size is 0.
    #[track_caller]
    pub fn split(&self, sizes: impl IntoShape, axis: isize) -> Vec<Tensor> {
        let axis = shape::axis("split", axis, self.rank()).or_raise();
        let (mut sizes, size) = (sizes.into_shape(), self.shape()[axis]);
        if let [one] = sizes[..]
            && one != size
        {
            if one == 0 {
                let detail = format!("size is 0: axis {axis} of shape {}; it must be above 0", self.shape());
                raise(Error::new("split", ErrorKind::Value, detail));
            }
            sizes = (0..size).step_by(one).map(|start| one.min(size - start)).collect();
        }
        if sizes.iter().sum::<usize>() != size {
            let sum = sizes.iter().sum::<usize>();
            let detail = format!("sizes do not fit: {sizes} add up to {sum}; axis {axis} has size {size}");
            raise(Error::new("split", ErrorKind::Shape, detail));
        }
        let (mut out, mut start) = (Vec::with_capacity(sizes.rank()), 0);
        for &len in &sizes {
            out.push(self.cut_axis("split", axis, Cut { start, step: 1, len }));
            start += len;
        }
        out
    }
    /// At most `n` consecutive parts of an axis, of equal size but the last, which may be shorter.
    ///
    /// Composite of [`Tensor::split`].
    ///
    /// *Gradient:* of each part, `g` at its place, 0 elsewhere.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let parts = Tensor::from([0i64, 1, 2, 3, 4]).chunk(2, 0);
    /// assert_eq!(parts[0].to_vec::<i64>(), [0, 1, 2]);
    /// assert_eq!(parts[1].to_vec::<i64>(), [3, 4]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, or `n` is 0.
    #[track_caller]
    pub fn chunk(&self, n: usize, axis: isize) -> Vec<Tensor> {
        if n == 0 {
            raise(Error::new("chunk", ErrorKind::Value, "no chunks: 0 asked for; it takes at least 1"));
        }
        let size = self.size(axis);
        self.split(size.div_ceil(n).max(1), axis)
    }
}

/// What the reference cases call.
pub(crate) const ENTRIES: &[Entry] = &[
    Entry::new("slice", |x, a| vec![x[0].slice(a.int("dim"), a.int("start"), a.int("end"), a.int("step"))]),
    Entry::new("narrow", |x, a| {
        vec![x[0].narrow(a.int("dim"), a.int("start") as usize, a.int("length") as usize)]
    }),
    Entry::new("select", |x, a| vec![x[0].select(a.int("dim"), a.int("index"))]),
    Entry::new("split", |x, a| {
        let sizes: Vec<usize> = a.ints("sizes").iter().map(|&size| size as usize).collect();
        x[0].split(sizes, a.int("dim"))
    }),
    Entry::new("chunk", |x, a| x[0].chunk(a.int("chunks") as usize, a.int("dim"))),
];
