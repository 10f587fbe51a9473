//! Order along an axis: where the largest element is, sorting, the first k, medians.
//!
//! Every operation here finds positions, which have no gradient; values are gathered from the operand by them. Of a scalar
//! they take axes 0 and -1: it counts as a list of one. NaN counts as larger than every number, and 0 as equal to -0, as
//! in PyTorch. Equal elements keep their order.
use crate::Tensor;
use crate::apply;
use crate::call::{Call, View, ViewMut, by_dtype, for_chunks};
use crate::dtype::{Element, F32, F64, I64};
use crate::entry::Entry;
use crate::error::{Error, ErrorKind, OrRaise, raise};
use crate::op::{Batch, Gradient, Kernel, Op, Spec, Specs};
use crate::ops::reduce::{dropped, kept, nonempty};
use crate::shape::{self, AxisVec, Shape};
use smallvec::smallvec;

/// An integer that orders as `v` does. Those of types of up to four bytes are below 2^32.
fn ascending<T: Element>(v: T) -> u64 {
    match (T::DTYPE.is_float(), narrow::<T>()) {
        (true, true) => {
            let v = v.to_f64() as f32 + 0.0; // -0 becomes 0
            let bits = v.to_bits();
            u64::from(if v.is_nan() { u32::MAX } else { bits ^ (((bits as i32 >> 31) as u32) | 1 << 31) })
        }
        (true, false) => {
            let v = v.to_f64() + 0.0;
            let bits = v.to_bits();
            if v.is_nan() { u64::MAX } else { bits ^ (((bits as i64 >> 63) as u64) | 1 << 63) }
        }
        (false, true) => (v.to_i64() + (1 << 31)) as u64,
        (false, false) => v.to_i64() as u64 ^ 1 << 63,
    }
}
const fn narrow<T: Element>() -> bool {
    T::DTYPE.size() <= 4
}
/// An integer that is largest for NaN, then for the largest or the smallest element.
pub(crate) fn key<T: Element>(v: T, largest: bool) -> u64 {
    let k = ascending(v);
    if largest || T::DTYPE.is_float() && v.to_f64().is_nan() { k } else { !k }
}
/// The size of an axis, and how far apart its elements are in row-major order.
pub(crate) fn span(shape: &Shape, axis: usize) -> (usize, usize) {
    (shape[axis], shape[axis + 1..].iter().product())
}

/// Where the largest or smallest element along an axis is: the first of equal ones, or the first NaN. Composed, so
/// that it fuses: the smallest of the positions at which the extreme is found.
#[derive(Debug)]
struct Arg {
    name: &'static str,
    axis: usize,
    largest: bool,
}
impl Op for Arg {
    fn name(&self) -> &'static str {
        self.name
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        nonempty(self.name, &x[0].shape, self.axis)?;
        Ok(smallvec![Spec { shape: kept(&x[0].shape, &[self.axis]), dtype: I64 }])
    }
    fn kernel(&self, x: &[Spec], out: &[Spec]) -> Kernel {
        let (axes, largest, to): (AxisVec, _, _) = (smallvec![self.axis], self.largest, out[0].shape.clone());
        let n = x[0].shape[self.axis];
        let exact = if n <= 1 << 24 { F32 } else { F64 };
        let mut line: Shape = x[0].shape[self.axis..].iter().map(|_| 1).collect();
        line[0] = n;
        Kernel::Compose(Box::new(move |x| {
            let first = {
                let found = x[0].eq(x[0].extreme(largest, axes.clone(), to.clone()));
                let found = if x[0].dtype().is_float() { found.logical_or(x[0].isnan()) } else { found };
                let places = found.where_(exact.arange(0, n, 1).reshaped(&line), n as f64);
                places.extreme(false, axes.clone(), to.clone())
            };
            smallvec![first.cast(I64)]
        }))
    }
    fn gradient(&self) -> Gradient {
        Gradient::None("positions are integers")
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(Arg { axis: self.axis + lead.len(), ..*self })
    }
}

#[derive(Clone, Copy, Debug)]
enum Choice {
    /// The first `count` in order.
    First { count: usize, descending: bool },
    /// Number `k` in ascending order, from 1.
    Kth(usize),
    /// The lower of the middle ones; NaN if any is.
    Median,
}
/// Positions along an axis.
#[derive(Debug)]
struct Order {
    name: &'static str,
    axis: usize,
    choice: Choice,
}
impl Op for Order {
    fn name(&self) -> &'static str {
        self.name
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let mut shape = x[0].shape.clone();
        let n = shape[self.axis];
        let wrong = |what: String, right: String| {
            Err(Error::new(self.name, ErrorKind::Index, format!("{what}; {right}")))
        };
        shape[self.axis] = match self.choice {
            Choice::First { count, .. } if count > n => {
                let what =
                    format!("k is too large: {count} of {n} elements along axis {} of {shape}", self.axis);
                return wrong(what, format!("k is at most {n}"));
            }
            Choice::Kth(k) if n > 0 && (k == 0 || k > n) => {
                let what = format!(
                    "k is out of range: number {k} of {n} elements along axis {} of {shape}",
                    self.axis
                );
                return wrong(what, format!("k runs from 1 to {n}"));
            }
            Choice::First { count, .. } => count,
            _ => {
                nonempty(self.name, &shape, self.axis)?;
                1
            }
        };
        Ok(smallvec![Spec { shape, dtype: I64 }])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        let Order { axis, choice, .. } = *self;
        Kernel::Call(Call::new(self.name, move |x, out| {
            by_dtype!(x[0].dtype(), T => positions::<T>(&x[0], &mut out[0], axis, choice));
        }))
    }
    fn gradient(&self) -> Gradient {
        Gradient::None("positions are integers")
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(Order { axis: self.axis + lead.len(), ..*self })
    }
}

fn positions<T: Element>(x: &View<'_>, out: &mut ViewMut<'_>, axis: usize, choice: Choice) {
    let ((n, inner), count) = (span(x.shape(), axis), out.shape()[axis]);
    let data = x.dense::<T>();
    let work = n.max(1).ilog2() as usize * n / count.max(1) + 1;
    let line = |i: usize| data[i / inner * n * inner + i % inner..].iter().step_by(inner).take(n).copied();
    if inner == 1 {
        return for_chunks(out.data::<i64>(), count, work, |i, part| choose(line(i), n, choice, part));
    }
    // Interleaved lines are found one after the other, then put in their places.
    let mut found = vec![0; out.shape().numel()];
    for_chunks(&mut found, count, work, |i, part| choose(line(i), n, choice, part));
    for (i, part) in found.chunks(count.max(1)).enumerate() {
        let places = out.data::<i64>()[i / inner * count * inner + i % inner..].iter_mut().step_by(inner);
        places.zip(part).for_each(|(to, &p)| *to = p);
    }
}
/// The chosen positions of a line of `n` elements.
fn choose<T: Element>(line: impl Iterator<Item = T> + Clone, n: usize, choice: Choice, part: &mut [i64]) {
    match choice {
        Choice::First { descending, .. } => order(line, n, descending, part, 0),
        Choice::Kth(k) => order(line, n, false, part, k - 1),
        Choice::Median => match line.clone().position(|v| v.to_f64().is_nan()) {
            Some(i) => part[0] = i as i64,
            None => order(line, n, false, part, (n - 1) / 2),
        },
    }
}
/// The positions of the elements from number `from` on in order, as many as `part` holds.
fn order<T: Element>(
    line: impl Iterator<Item = T>,
    n: usize,
    descending: bool,
    part: &mut [i64],
    from: usize,
) {
    if narrow::<T>() && u32::try_from(n).is_ok() {
        let mask = if descending { u64::from(u32::MAX) } else { 0 };
        let packed = line.zip(0..).map(|(v, i): (T, u64)| (ascending(v) ^ mask) << 32 | i).collect();
        select(packed, part, from, |p: u64| i64::from(p as u32));
    } else {
        let mask = if descending { u64::MAX } else { 0 };
        let packed =
            line.zip(0..).map(|(v, i): (T, u128)| u128::from(ascending(v) ^ mask) << 64 | i).collect();
        select(packed, part, from, |p: u128| p as i64);
    }
}
/// Sorts as much of `packed` as `part` asks for. No two are equal, so there is one order.
fn select<P: Ord + Copy>(mut packed: Vec<P>, part: &mut [i64], from: usize, position: impl Fn(P) -> i64) {
    let end = from + part.len();
    if part.is_empty() {
        return;
    }
    if from > 0 {
        packed.select_nth_unstable(from);
    }
    if end < packed.len() {
        packed[from..].select_nth_unstable(end - from - 1);
    }
    packed[from..end].sort_unstable();
    part.iter_mut().zip(&packed[from..end]).for_each(|(to, &p)| *to = position(p));
}

/// This and the place of an axis of it. A scalar counts as a list of one, as in PyTorch.
#[track_caller]
pub(super) fn lined(x: &Tensor, op: &'static str, axis: isize) -> (Tensor, usize) {
    if x.rank() == 0 && matches!(axis, 0 | -1) {
        return (x.reshaped(&Shape::from([1])), 0);
    }
    (x.clone(), shape::axis(op, axis, x.rank()).or_raise())
}
/// What was made of [`lined`], as a scalar again if `x` is one.
#[track_caller]
pub(super) fn unlined(y: Tensor, x: &Tensor) -> Tensor {
    if x.rank() == 0 { y.reshaped(&Shape::scalar()) } else { y }
}

impl Tensor {
    /// Positions along `axis`, which keeps as many elements as are chosen.
    #[track_caller]
    fn order(&self, name: &'static str, axis: isize, choice: impl FnOnce(usize) -> Choice) -> Tensor {
        let (x, axis) = lined(self, name, axis);
        unlined(apply::op(Order { name, axis, choice: choice(x.shape()[axis]) }, &[&x]), self)
    }
    /// Where the largest or smallest element along `axis` is, which is kept at size 1.
    #[track_caller]
    fn arg(&self, name: &'static str, axis: isize, largest: bool) -> Tensor {
        let (x, axis) = lined(self, name, axis);
        unlined(apply::op(Arg { name, axis, largest }, &[&x]), self)
    }
    /// The elements at some positions along `axis`, and the positions.
    #[track_caller]
    pub(super) fn pick(&self, axis: isize, indices: Tensor) -> (Tensor, Tensor) {
        let values = if self.rank() == 0 { self.clone() } else { self.gather(axis, &indices) };
        (values, indices)
    }
    /// Without `axis`, whose size is 1; a scalar has none.
    #[track_caller]
    fn without(&self, axis: isize) -> Tensor {
        if self.rank() == 0 {
            return self.clone();
        }
        let axis = shape::axis("squeeze", axis, self.rank()).or_raise();
        self.reshaped(&dropped(self.shape(), &[axis]))
    }

    /// Where the largest element along `axis` is, as `I64`: the first of equal ones, or the first NaN. The axis
    /// disappears.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1.0f32, 3.0, 3.0], [4.0, 2.0, 0.0]]).argmax(1).to_vec::<i64>(), [1, 0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis or it has no elements.
    #[track_caller]
    pub fn argmax(&self, axis: isize) -> Tensor {
        self.arg("argmax", axis, true).without(axis)
    }
    /// [`Tensor::argmax`] with the axis kept at size 1.
    ///
    /// # Panics
    /// If there is no such axis or it has no elements.
    #[track_caller]
    pub fn argmax_keepdim(&self, axis: isize) -> Tensor {
        self.arg("argmax", axis, true)
    }
    /// Where the smallest element along `axis` is, as `I64`: the first of equal ones, or the first NaN. The axis
    /// disappears.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1.0f32, 3.0, 1.0], [4.0, 2.0, 0.0]]).argmin(1).to_vec::<i64>(), [0, 2]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis or it has no elements.
    #[track_caller]
    pub fn argmin(&self, axis: isize) -> Tensor {
        self.arg("argmin", axis, false).without(axis)
    }
    /// [`Tensor::argmin`] with the axis kept at size 1.
    ///
    /// # Panics
    /// If there is no such axis or it has no elements.
    #[track_caller]
    pub fn argmin_keepdim(&self, axis: isize) -> Tensor {
        self.arg("argmin", axis, false)
    }

    /// The largest element along `axis`, which disappears, and its position as [`Tensor::argmax`] gives it.
    /// PyTorch's `max(dim)`.
    ///
    /// Composite of [`Tensor::argmax`] and [`Tensor::gather`].
    ///
    /// *Gradient:* `g` at that one element; [`Tensor::amax`] shares it among ties.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (values, indices) = Tensor::from([[1.0f32, 3.0], [4.0, 2.0]]).max_along(1);
    /// assert_eq!((values.to_vec::<f32>(), indices.to_vec::<i64>()), (vec![3.0, 4.0], vec![1, 0]));
    /// ```
    ///
    /// # Panics
    /// If there is no such axis or it has no elements.
    #[track_caller]
    pub fn max_along(&self, axis: isize) -> (Tensor, Tensor) {
        let (values, indices) = self.max_along_keepdim(axis);
        (values.without(axis), indices.without(axis))
    }
    /// [`Tensor::max_along`] with the axis kept at size 1.
    ///
    /// # Panics
    /// If there is no such axis or it has no elements.
    #[track_caller]
    pub fn max_along_keepdim(&self, axis: isize) -> (Tensor, Tensor) {
        self.pick(axis, self.arg("max_along", axis, true))
    }
    /// The smallest element along `axis`, which disappears, and its position as [`Tensor::argmin`] gives it.
    /// PyTorch's `min(dim)`.
    ///
    /// Composite of [`Tensor::argmin`] and [`Tensor::gather`].
    ///
    /// *Gradient:* `g` at that one element; [`Tensor::amin`] shares it among ties.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (values, indices) = Tensor::from([[1.0f32, 3.0], [4.0, 2.0]]).min_along(1);
    /// assert_eq!((values.to_vec::<f32>(), indices.to_vec::<i64>()), (vec![1.0, 2.0], vec![0, 1]));
    /// ```
    ///
    /// # Panics
    /// If there is no such axis or it has no elements.
    #[track_caller]
    pub fn min_along(&self, axis: isize) -> (Tensor, Tensor) {
        let (values, indices) = self.min_along_keepdim(axis);
        (values.without(axis), indices.without(axis))
    }
    /// [`Tensor::min_along`] with the axis kept at size 1.
    ///
    /// # Panics
    /// If there is no such axis or it has no elements.
    #[track_caller]
    pub fn min_along_keepdim(&self, axis: isize) -> (Tensor, Tensor) {
        self.pick(axis, self.arg("min_along", axis, false))
    }

    /// The positions that put the elements along `axis` in order, as `I64`; see [`Tensor::sort`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([3.0f32, 1.0, 3.0, 2.0]).argsort(0, true).to_vec::<i64>(), [0, 2, 3, 1]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn argsort(&self, axis: isize, descending: bool) -> Tensor {
        self.order("argsort", axis, |n| Choice::First { count: n, descending })
    }
    /// The elements along `axis` in order, and their positions. Equal elements keep their order; NaN counts as
    /// larger than every number, so it is last, or first if `descending`.
    ///
    /// Composite of [`Tensor::argsort`] and [`Tensor::gather`].
    ///
    /// *Gradient:* `g` put back in the old order.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (values, indices) = Tensor::from([3.0f32, 1.0, 2.0]).sort(0, false);
    /// assert_eq!((values.to_vec::<f32>(), indices.to_vec::<i64>()), (vec![1.0, 2.0, 3.0], vec![1, 2, 0]));
    /// ```
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn sort(&self, axis: isize, descending: bool) -> (Tensor, Tensor) {
        let indices = self.order("sort", axis, |n| Choice::First { count: n, descending });
        self.pick(axis, indices)
    }
    /// The `k` largest or smallest elements along `axis`, in order from there, and their positions. Of equal
    /// elements the first are taken; NaN counts as larger than every number.
    ///
    /// Composite of [`Tensor::argsort`] and [`Tensor::gather`].
    ///
    /// *Gradient:* `g` at the elements that were taken.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (values, indices) = Tensor::from([3.0f32, 1.0, 4.0]).topk(2, 0, true);
    /// assert_eq!((values.to_vec::<f32>(), indices.to_vec::<i64>()), (vec![4.0, 3.0], vec![2, 0]));
    /// ```
    ///
    /// # Panics
    /// If there is no such axis or it has fewer than `k` elements.
    #[track_caller]
    pub fn topk(&self, k: usize, axis: isize, largest: bool) -> (Tensor, Tensor) {
        if self.rank() == 0 && k == 0 {
            let detail = "k is too small: 0 of a scalar; k is 1, of a scalar";
            raise(Error::new("topk", ErrorKind::Index, detail));
        }
        let indices = self.order("topk", axis, |_| Choice::First { count: k, descending: largest });
        self.pick(axis, indices)
    }
    /// Element number `k` in ascending order along `axis`, which disappears, and its position. `k` counts from 1.
    ///
    /// Composite of a search for positions and [`Tensor::gather`].
    ///
    /// *Gradient:* `g` at that element.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (value, index) = Tensor::from([3.0f32, 1.0, 4.0]).kthvalue(2, 0);
    /// assert_eq!((value.item(), index.item()), (3.0, 0.0));
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, or `k` is 0 or more than it has elements.
    #[track_caller]
    pub fn kthvalue(&self, k: usize, axis: isize) -> (Tensor, Tensor) {
        let (values, indices) = self.kthvalue_keepdim(k, axis);
        (values.without(axis), indices.without(axis))
    }
    /// [`Tensor::kthvalue`] with the axis kept at size 1.
    ///
    /// # Panics
    /// If there is no such axis, or `k` is 0 or more than it has elements.
    #[track_caller]
    pub fn kthvalue_keepdim(&self, k: usize, axis: isize) -> (Tensor, Tensor) {
        self.pick(axis, self.order("kthvalue", axis, |_| Choice::Kth(k)))
    }
    /// The median along `axis`, which disappears, and its position: of an even number of elements the lower of the
    /// two middle ones; NaN if any is.
    ///
    /// Composite of a search for positions and [`Tensor::gather`].
    ///
    /// *Gradient:* `g` at that element.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([4.0f32, 1.0, 3.0, 2.0]).median(0).0.item(), 2.0);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis or it has no elements.
    #[track_caller]
    pub fn median(&self, axis: isize) -> (Tensor, Tensor) {
        let (values, indices) = self.median_keepdim(axis);
        (values.without(axis), indices.without(axis))
    }
    /// [`Tensor::median`] with the axis kept at size 1.
    ///
    /// # Panics
    /// If there is no such axis or it has no elements.
    #[track_caller]
    pub fn median_keepdim(&self, axis: isize) -> (Tensor, Tensor) {
        self.pick(axis, self.order("median", axis, |_| Choice::Median))
    }
}

/// Values and positions as the outputs of a recorded case.
pub(crate) fn pair((values, indices): (Tensor, Tensor)) -> Vec<Tensor> {
    vec![values, indices]
}
/// These operators as the reference cases call them.
pub(crate) const ENTRIES: &[Entry] = &[
    Entry::new("argmax", |x, a| {
        let axis = a.int("dim");
        vec![if a.bool_or("keepdim", false) { x[0].argmax_keepdim(axis) } else { x[0].argmax(axis) }]
    }),
    Entry::new("argmin", |x, a| {
        let axis = a.int("dim");
        vec![if a.bool_or("keepdim", false) { x[0].argmin_keepdim(axis) } else { x[0].argmin(axis) }]
    }),
    Entry::new("sort", |x, a| pair(x[0].sort(a.int("dim"), a.bool_or("descending", false)))),
    Entry::new("argsort", |x, a| vec![x[0].argsort(a.int("dim"), a.bool_or("descending", false))]),
    Entry::new("topk", |x, a| {
        let largest = a.bool_or("largest", true);
        pair(x[0].topk(a.int("k").unsigned_abs(), a.int("dim"), largest))
    }),
];
