//! Counting and finding: how often numbers are there, where they belong in an ordered list, which there are.
use super::lines::PART;
use super::slice::same_dtype;
use super::sort::key;
use crate::Tensor;
use crate::apply;
use crate::call::{Call, View, by_dtype, for_chunks};
use crate::dtype::{Bool, DType, Element, I64};
use crate::error::{Error, ErrorKind, OrRaise, raise};
use crate::hidden;
use crate::op::{Batch, Gradient, Kernel, Op, Spec, Specs};
use crate::operand::Operand;
use crate::ops::reduce::floats;
use crate::ops::stats::{rounded, widened};
use crate::shape;
use smallvec::smallvec;

/// For each element of the second operand the number of elements of an ordered list that are smaller, or not larger;
/// the first `lead` axes of both operands are shared, and the first has one axis more.
#[derive(Debug)]
struct Search {
    name: &'static str,
    lead: usize,
    right: bool,
}
impl Op for Search {
    fn name(&self) -> &'static str {
        self.name
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        same_dtype(self.name, &x[0], &x[1])?;
        if x[0].shape.rank() != self.lead + 1 || !x[1].shape.starts_with(&x[0].shape[..self.lead]) {
            let given = format!("lists {} for values {}", x[0].shape, x[1].shape);
            let right = "it is one list, or one for each index of the first axes of the values";
            let detail = format!("shapes do not fit: {given}; {right}");
            return Err(Error::new(self.name, ErrorKind::Shape, detail));
        }
        Ok(smallvec![Spec { shape: x[1].shape.clone(), dtype: I64 }])
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        let (lead, right, dtype) = (self.lead, self.right, x[0].dtype);
        Kernel::Call(Call::new("searchsorted", move |x, out| {
            by_dtype!(dtype, T => search::<T>(&x[0], &x[1], lead, right, out[0].data()));
        }))
    }
    fn gradient(&self) -> Gradient {
        Gradient::None("positions are integers")
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(Search { lead: self.lead + lead.len(), ..*self })
    }
}
fn search<T: Element>(lists: &View<'_>, x: &View<'_>, lead: usize, right: bool, out: &mut [i64]) {
    let n = lists.shape()[lead];
    let each: usize = x.shape()[lead..].iter().product();
    let (lists, x) = (lists.dense::<T>(), x.dense::<T>());
    for_chunks(out, PART, n.max(1).ilog2() as usize + 1, |chunk, part| {
        for (i, to) in part.iter_mut().enumerate() {
            let at = chunk * PART + i;
            let (list, v) = (&lists[at / each * n..][..n], key(x[at], true));
            *to = list.partition_point(|&e| if right { key(e, true) <= v } else { key(e, true) < v }) as i64;
        }
    });
}

/// The order of lines `[n, width]`: the first elements that differ decide, and equal lines keep theirs; and whether each
/// line, so ordered, differs from the one before.
#[derive(Debug)]
struct LineOrder;
impl Op for LineOrder {
    fn name(&self) -> &'static str {
        "unique_along"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let n = x[0].shape[0];
        Ok(smallvec![Spec::new([n], I64), Spec::new([n], Bool)])
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        let dtype = x[0].dtype;
        Kernel::Call(Call::new("unique_along", move |x, out| {
            by_dtype!(dtype, T => {
                let (n, width) = (x[0].shape()[0], x[0].shape()[1]);
                let data = x[0].dense::<T>();
                let line = |i: usize| &data[i * width..][..width];
                let keys = |i: usize| line(i).iter().map(|&v| key(v, true));
                let mut order: Vec<usize> = (0..n).collect();
                order.sort_by(|&a, &b| keys(a).cmp(keys(b)));
                let new = |i: usize| i == 0 || line(order[i - 1]) != line(order[i]);
                out[1].data().iter_mut().enumerate().for_each(|(i, to)| *to = new(i));
                out[0].data().iter_mut().zip(&order).for_each(|(to, &i)| *to = i as i64);
            });
        }))
    }
    fn gradient(&self) -> Gradient {
        Gradient::None("positions are integers")
    }
}

/// Equal neighbours of an ordered list, from where each differs from the one before: where groups start, the group of
/// each place, and how many are in each group.
fn groups(differs: &[bool]) -> [Tensor; 3] {
    let n = differs.len() as i64;
    let starts: Vec<i64> = (0..n).zip(differs).filter(|(_, new)| **new).map(|(i, _)| i).collect();
    let number = |group: &mut i64, new: &bool| {
        *group += i64::from(*new);
        Some(*group)
    };
    let numbers: Vec<i64> = differs.iter().scan(-1, number).collect();
    let ends = starts.iter().skip(1).copied().chain([n]);
    let counts: Vec<i64> = ends.zip(&starts).map(|(end, start)| end - start).collect();
    [starts, numbers, counts].map(Tensor::from)
}

/// What [`Tensor::unique`] and [`Tensor::unique_along`] give.
#[derive(Clone, Debug)]
pub struct Unique {
    /// The different elements, or slices, ascending.
    pub values: Tensor,
    /// For each of them in the tensor its position in `values`, as `I64`: in the shape of the tensor for elements, a list
    /// for slices.
    pub inverse: Tensor,
    /// How often each is there, as `I64`.
    pub counts: Tensor,
}

impl Tensor {
    /// For each element of `values` the position in this ordered list before which it belongs, as `I64`: before equal
    /// elements, or behind them if `right`.
    ///
    /// With more axes this is a list, along the last one, for each index of the others, which are the first axes of
    /// `values`. NaN counts as larger than every number. There is no gradient. PyTorch's `searchsorted`; its `bucketize`
    /// is [`Tensor::bucketize`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let list = Tensor::from([1.0f32, 3.0, 5.0]);
    /// assert_eq!(list.searchsorted(&Tensor::from([3.0f32, 9.0]), false).to_vec::<i64>(), [1, 3]);
    /// ```
    ///
    /// # Panics
    /// If this is a scalar, the types differ, or the first axes do.
    #[track_caller]
    pub fn searchsorted(&self, values: &Tensor, right: bool) -> Tensor {
        let Some(lead) = self.rank().checked_sub(1) else {
            raise(Error::new(
                "searchsorted",
                ErrorKind::Shape,
                "a scalar is no list; it takes one axis at least",
            ))
        };
        apply::op(Search { name: "searchsorted", lead, right }, &[self, values])
    }
    /// For each element the number of the part that it lies in, of those between `boundaries`, an ordered list:
    /// boundaries belong to the part before them, or to the next if `right`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let boundaries = Tensor::from([1.0f32, 3.0]);
    /// assert_eq!(Tensor::from([0.0f32, 1.0, 2.0, 9.0]).bucketize(&boundaries, false).to_vec::<i64>(), [0, 0, 1, 2]);
    /// ```
    ///
    /// # Panics
    /// If `boundaries` is not a list, or the types differ.
    #[track_caller]
    pub fn bucketize(&self, boundaries: &Tensor, right: bool) -> Tensor {
        apply::op(Search { name: "bucketize", lead: 0, right }, &[boundaries, self])
    }
    /// The different elements in ascending order, where each element is among them, and how often. Every NaN counts as
    /// different.
    ///
    /// Composite of [`Tensor::argsort`] and [`Tensor::gather`].
    ///
    /// The elements are read at the call. *Gradient:* for the values, `g` at the first of equal elements.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let unique = Tensor::from([3i64, 1, 3]).unique();
    /// assert_eq!((unique.values.to_vec::<i64>(), unique.inverse.to_vec::<i64>()), (vec![1, 3], vec![1, 0, 1]));
    /// assert_eq!(unique.counts.to_vec::<i64>(), [1, 2]);
    /// ```
    #[track_caller]
    pub fn unique(&self) -> Unique {
        self.read_by("unique");
        let (flat, n) = (self.reshape(-1), self.numel());
        let order = flat.argsort(0, false);
        let sorted = hidden::with_edge(&flat, None).gather(0, &order);
        let later = n.saturating_sub(1);
        let differs = sorted.narrow(0, n - later, later).ne(sorted.narrow(0, 0, later)).to_vec::<bool>();
        let first = std::iter::repeat_n(true, n.min(1));
        let [starts, groups, counts] = groups(&first.chain(differs).collect::<Vec<_>>());
        let inverse = I64.zeros([n]).scatter(0, &order, &groups).reshaped(self.shape());
        Unique { values: flat.gather(0, &order.gather(0, &starts)), inverse, counts }
    }
    /// The different slices along `axis`, in the order of their first elements that differ, where each slice is among
    /// them, and how often. A slice with a NaN counts as different. PyTorch's `unique` with `dim`.
    ///
    /// The elements are read at the call. *Gradient:* for the values, `g` at the first of equal slices.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let unique = Tensor::from([[2i64, 0], [1, 5], [2, 0]]).unique_along(0);
    /// assert_eq!(unique.values.to_vec::<i64>(), [1, 5, 2, 0]);
    /// assert_eq!((unique.inverse.to_vec::<i64>(), unique.counts.to_vec::<i64>()), (vec![1, 0, 1], vec![1, 2]));
    /// ```
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn unique_along(&self, axis: isize) -> Unique {
        let at = shape::axis("unique_along", axis, self.rank()).or_raise();
        self.read_by("unique_along");
        let n = self.shape()[at];
        let width: usize =
            self.shape().iter().enumerate().filter(|(i, _)| *i != at).map(|(_, &n)| n).product();
        let lines = hidden::with_edge(self, None).movedim(axis, 0).reshape([n, width]);
        let ordered = apply::op_n(LineOrder, &[&lines]);
        let order = &ordered[0];
        let [starts, groups, counts] = groups(&ordered[1].to_vec::<bool>());
        let inverse = I64.zeros([n]).scatter(0, order, &groups);
        Unique { values: self.index_select(axis, &order.gather(0, &starts)), inverse, counts }
    }
    /// How often each number is there, from 0 to the largest, and to `least - 1` if that is more, as `I64`.
    ///
    /// Composite of [`Tensor::scatter_add`].
    ///
    /// The elements are read at the call. There is no gradient.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([2i64, 0, 2]).bincount(4).to_vec::<i64>(), [1, 0, 2, 0]);
    /// ```
    ///
    /// # Panics
    /// If these are not integers from 0 on.
    #[track_caller]
    pub fn bincount(&self, least: usize) -> Tensor {
        self.binned(least, I64, 1.into())
    }
    /// The sum, for each number from 0 to the largest, and to `least - 1` if that is more, of the elements of `weights`
    /// where this tensor has that number.
    ///
    /// Composite of [`Tensor::scatter_add`].
    ///
    /// *Gradient:* for `weights`, `g` at the number.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let weights = Tensor::from([0.5f32, 1.0, 2.0]);
    /// assert_eq!(Tensor::from([2i64, 0, 2]).bincount_weighted(&weights, 0).to_vec::<f32>(), [1.0, 0.0, 2.5]);
    /// ```
    ///
    /// # Panics
    /// If these are not integers from 0 on, or `weights` has another shape.
    #[track_caller]
    pub fn bincount_weighted(&self, weights: &Tensor, least: usize) -> Tensor {
        if weights.shape() != self.shape() {
            let given = format!("weights of shape {} for numbers of shape {}", weights.shape(), self.shape());
            raise(Error::new("bincount", ErrorKind::Shape, format!("{given}; each number takes one")));
        }
        self.binned(least, weights.dtype(), weights.reshape(-1).into())
    }
    #[track_caller]
    fn binned(&self, least: usize, dtype: DType, weights: Operand) -> Tensor {
        self.read_by("bincount");
        if !self.dtype().is_int() {
            let detail = format!("numbers are {}; they must be integers, as in x.cast(I64)", self.dtype());
            raise(Error::new("bincount", ErrorKind::Dtype, detail));
        }
        let numbers = self.cast(I64).reshape(-1);
        let largest = if numbers.numel() == 0 { -1.0 } else { numbers.amax(0).item() };
        let bins = least.max((largest + 1.0).max(0.0) as usize);
        dtype.zeros([bins]).scatter_add(0, &numbers, weights)
    }
    /// How many elements lie in each of `bins` equal parts of `low..=high`, as floats of this type; elements outside
    /// do not count.
    ///
    /// Composite of a formula and [`Tensor::scatter_add`].
    ///
    /// If `low` and `high` are equal, they are the smallest and the largest element, which are read at the call. There
    /// is no gradient.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([1.0f32, 2.0, 1.0, 5.0]);
    /// assert_eq!(x.histc(4, 0.0, 4.0).to_vec::<f32>(), [0.0, 2.0, 1.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the elements are not floats, there are no bins, or `low` is above `high` or not finite.
    #[track_caller]
    pub fn histc(&self, bins: usize, low: f64, high: f64) -> Tensor {
        floats("histc", self.dtype()).or_raise();
        let (mut low, mut high) = (low, high);
        if low == high && self.numel() > 0 {
            self.read_by("histc");
            (low, high) = (self.amin(()).item(), self.amax(()).item());
        }
        if low == high {
            (low, high) = (low - 1.0, high + 1.0);
        }
        if bins == 0 || low > high || !(high - low).is_finite() {
            let given = format!("{bins} bins from {low} to {high}");
            let right = "there is at least one, between two numbers";
            raise(Error::new("histc", ErrorKind::Value, format!("no range: {given}; {right}")));
        }
        let x = hidden::with_edge(&widened(self), None).reshape(-1);
        let inside = x.map(|x| x.ge(low).logical_and(x.le(high)));
        let width = bins as f64 / (high - low);
        let place = x.map(|x| ((x - low) * width).floor().clamp(0.0, bins as f64 - 1.0));
        let place = inside.where_(place, 0.0).cast(I64);
        rounded(x.dtype().zeros([bins]).scatter_add(0, &place, inside.cast(x.dtype())), self.dtype())
    }
}
