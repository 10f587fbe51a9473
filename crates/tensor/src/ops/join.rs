//! Several tensors, or several copies of one, put together: `cat` and `stack`, `repeat`, `roll` and kin.
use super::lines::copy;
use super::slice::{Cut, same_dtype};
use crate::Tensor;
use crate::apply;
use crate::call::{Call, View, by_dtype, for_chunks};
use crate::dtype::Element;
use crate::entry::Entry;
use crate::error::{Error, ErrorKind, OrRaise, raise};
use crate::layout::Layout;
use crate::op::{Batch, Kernel, Op, Spec, Specs};
use crate::operand::Operand;
use crate::record::{Context, Cotangent, Cotangents};
use crate::shape::{self, Dims, IntoDims, IntoShape, Shape};
use smallvec::{SmallVec, smallvec};
use std::borrow::Borrow;

/// Operands of one record, at most: it numbers them by bits.
const GROUP: usize = 64;

#[derive(Debug)]
struct Cat {
    axis: usize,
    count: usize,
}
impl Op for Cat {
    fn name(&self) -> &'static str {
        "cat"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let mut shape = x[0].shape.clone();
        for (i, part) in x.iter().enumerate().skip(1) {
            same_dtype("cat", &x[0], part)?;
            let differs = |a: usize| a != self.axis && part.shape[a] != shape[a];
            if part.shape.rank() != shape.rank() || (0..shape.rank()).any(differs) {
                let given = format!("shapes do not fit: {} and, as operand {i}, {}", x[0].shape, part.shape);
                let right = format!("all axes but {} need the same sizes", self.axis);
                return Err(Error::new("cat", ErrorKind::Shape, format!("{given}; {right}")));
            }
            shape[self.axis] = shape[self.axis].saturating_add(part.shape[self.axis]);
        }
        Ok(smallvec![Spec { shape: shape::countable("cat", shape)?, dtype: x[0].dtype }])
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        let (axis, dtype) = (self.axis, x[0].dtype);
        Kernel::Call(Call::new("cat", move |x, out| {
            by_dtype!(dtype, T => cat_views::<T>(x, axis, out[0].data()));
        }))
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let mut start = 0;
        let mut part = |i: usize| {
            let cut = Cut { start, step: 1, len: cx.shape(i)[self.axis] };
            start += cut.len;
            if cx.needs(i) { g.cut_axis("narrow", self.axis, cut).into() } else { Cotangent::None }
        };
        (0..self.count).map(&mut part).collect()
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(Cat { axis: self.axis + lead.len(), count: self.count })
    }
}
fn cat_views<T: Element>(x: &[View<'_>], axis: usize, out: &mut [T]) {
    const PART: usize = 1 << 15;
    let width: usize = x[0].shape()[axis + 1..].iter().product();
    let parts: Vec<(&[T], Layout, usize)> =
        x.iter().map(|x| (x.data::<T>(), x.layout().collapsed(), x.shape()[axis] * width)).collect();
    let row: usize = parts.iter().map(|part| part.2).sum();
    for_chunks(out, PART, 1, |chunk, mut to| {
        let (mut outer, mut column) = (chunk * PART / row, chunk * PART % row);
        while !to.is_empty() {
            let mut start = 0;
            for (data, layout, len) in &parts {
                if column < start + len && !to.is_empty() {
                    let count = (start + len - column).min(to.len());
                    let (now, rest) = to.split_at_mut(count);
                    copy(data, layout, outer * len + column - start, now);
                    column += count;
                    to = rest;
                }
                start += len;
            }
            (outer, column) = (outer + 1, 0);
        }
    });
}

/// The tensors one after the other along an existing axis.
///
/// *Gradient:* for each tensor its part of `g`. Axes other than `axis` need equal sizes.
///
/// ```
/// use retrograd_tensor::{Tensor, cat};
/// let (a, b) = (Tensor::from([1.0f32]), Tensor::from([2.0f32, 3.0]));
/// assert_eq!(cat(&[&a, &b], 0).to_vec::<f32>(), [1.0, 2.0, 3.0]);
/// ```
///
/// # Panics
/// If there are no tensors, no such axis, or types or sizes differ.
#[track_caller]
pub fn cat<T: Borrow<Tensor>>(tensors: &[T], axis: isize) -> Tensor {
    let Some(first) = tensors.first() else {
        raise(Error::new("cat", ErrorKind::Value, "no tensors: an empty list; it takes at least one"));
    };
    let axis = shape::axis("cat", axis, first.borrow().rank()).or_raise();
    let x: SmallVec<[&Tensor; 8]> = tensors.iter().map(Borrow::borrow).collect();
    join(&x, axis)
}
#[track_caller]
fn join(x: &[&Tensor], axis: usize) -> Tensor {
    match x {
        [one] => (*one).clone(),
        _ if x.len() <= GROUP => apply::op(Cat { axis, count: x.len() }, x),
        _ => {
            let mut groups = Vec::with_capacity(x.len().div_ceil(GROUP));
            for group in x.chunks(x.len().div_ceil(GROUP).max(2)) {
                groups.push(join(group, axis));
            }
            join(&groups.iter().collect::<Vec<_>>(), axis)
        }
    }
}
/// The tensors, all of one shape, along a new axis.
///
/// Composite of [`Tensor::unsqueeze`] and [`cat`].
///
/// *Gradient:* for each tensor its part of `g`.
///
/// ```
/// use retrograd_tensor::{Tensor, stack};
/// let (a, b) = (Tensor::from([1.0f32, 2.0]), Tensor::from([3.0f32, 4.0]));
/// assert_eq!(stack(&[&a, &b], 1).to_vec::<f32>(), [1.0, 3.0, 2.0, 4.0]);
/// ```
///
/// # Panics
/// If there are no tensors, no such place for an axis, or types or shapes differ.
#[track_caller]
pub fn stack<T: Borrow<Tensor>>(tensors: &[T], axis: isize) -> Tensor {
    let Some(first) = tensors.first().map(Borrow::borrow) else {
        raise(Error::new("stack", ErrorKind::Value, "no tensors: an empty list; it takes at least one"));
    };
    let at = shape::new_axis("stack", axis, first.rank()).or_raise();
    let mut parts = Vec::with_capacity(tensors.len());
    for (i, t) in tensors.iter().map(Borrow::borrow).enumerate() {
        if t.shape() != first.shape() {
            let given = format!("shapes differ: {} and, as operand {i}, {}", first.shape(), t.shape());
            raise(Error::new("stack", ErrorKind::Shape, format!("{given}; they must be equal")));
        }
        parts.push(t.unsqueeze(at as isize));
    }
    cat(&parts, at as isize)
}
/// The elements of `a` where the bool tensor `condition` holds, else those of `b`: [`Tensor::where_`].
///
/// ```
/// use retrograd_tensor::{Tensor, where_};
/// let x = Tensor::from([-1.0f32, 2.0]);
/// assert_eq!(where_(&x.gt(0.0), &x, 0.0).to_vec::<f32>(), [0.0, 2.0]);
/// ```
///
/// # Panics
/// If the shapes do not broadcast, the types differ, or `condition` is not bool.
#[track_caller]
pub fn where_(condition: &Tensor, a: impl Into<Operand>, b: impl Into<Operand>) -> Tensor {
    condition.where_(a, b)
}
/// The coordinates of a grid: each list repeated along the axes of the others, without copying (PyTorch's `ij`
/// indexing).
///
/// Composite of [`Tensor::reshape`] and [`Tensor::broadcast_to`].
///
/// ```
/// use retrograd_tensor::{Tensor, meshgrid};
/// let grid = meshgrid(&[&Tensor::from([1i64, 2]), &Tensor::from([3i64, 4, 5])]);
/// assert_eq!(grid[0].to_vec::<i64>(), [1, 1, 1, 2, 2, 2]);
/// ```
///
/// # Panics
/// If a tensor has more than one axis.
#[track_caller]
pub fn meshgrid<T: Borrow<Tensor>>(lists: &[T]) -> Vec<Tensor> {
    let to: Shape = lists.iter().map(|list| list.borrow().numel()).collect();
    let mut out = Vec::with_capacity(lists.len());
    for (i, list) in lists.iter().map(Borrow::borrow).enumerate() {
        if list.rank() > 1 {
            let detail = format!("operand {i} has shape {}; it must be a list, of rank 1", list.shape());
            raise(Error::new("meshgrid", ErrorKind::Shape, detail));
        }
        let own: Shape = (0..to.rank()).map(|axis| if axis == i { to[i] } else { 1 }).collect();
        out.push(list.reshaped(&own).broadcast_to(&to));
    }
    out
}

/// The elements moved along an axis, those pushed over its end coming in at its start.
#[derive(Debug)]
struct Roll {
    axis: usize,
    /// At least 1 and below the size.
    by: usize,
}
impl Op for Roll {
    fn name(&self) -> &'static str {
        "roll"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        Ok(smallvec![x[0].clone()])
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        let (axis, by, size) = (self.axis, self.by, x[0].shape[self.axis]);
        Kernel::Compose(Box::new(move |x| {
            let part = |start, len| x[0].cut_axis("narrow", axis, Cut { start, step: 1, len });
            smallvec![join(&[&part(size - by, by), &part(0, size - by)], axis)]
        }))
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let back = Roll { axis: self.axis, by: cx.shape(0)[self.axis] - self.by };
        smallvec![apply::op(back, &[g]).into()]
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(Roll { axis: self.axis + lead.len(), by: self.by })
    }
}

impl Tensor {
    /// [`cat`], as PyTorch's `torch.cat`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([1.0f32, 2.0]);
    /// assert_eq!(Tensor::cat(&[&x, &x], 0).shape(), [4]);
    /// ```
    ///
    /// # Panics
    /// If there are no tensors, no such axis, or types or sizes differ.
    #[track_caller]
    pub fn cat<T: Borrow<Tensor>>(tensors: &[T], axis: isize) -> Tensor {
        cat(tensors, axis)
    }
    /// [`stack`], as PyTorch's `torch.stack`.
    ///
    /// Composite of [`Tensor::unsqueeze`] and [`cat`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([1.0f32, 2.0]);
    /// assert_eq!(Tensor::stack(&[&x, &x], 0).shape(), [2, 2]);
    /// ```
    ///
    /// # Panics
    /// If there are no tensors, no such place for an axis, or types or shapes differ.
    #[track_caller]
    pub fn stack<T: Borrow<Tensor>>(tensors: &[T], axis: isize) -> Tensor {
        stack(tensors, axis)
    }
    /// This tensor several times along each axis; further counts in front make new leading axes.
    ///
    /// Composite of [`Tensor::reshape`] and [`Tensor::broadcast_to`].
    ///
    /// *Gradient:* the sum of `g` over the copies.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([1.0f32, 2.0]);
    /// assert_eq!(x.repeat([2, 1]).to_vec::<f32>(), [1.0, 2.0, 1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer counts than axes; [`Tensor::tile`] takes fewer.
    #[track_caller]
    pub fn repeat(&self, counts: impl IntoShape) -> Tensor {
        let counts = counts.into_shape();
        if counts.rank() < self.rank() {
            let given = format!("too few counts: {counts} for shape {}", self.shape());
            raise(Error::new("repeat", ErrorKind::Value, format!("{given}; each axis needs one")));
        }
        let lead = counts.rank() - self.rank();
        let (mut from, mut wide, mut to) = (Shape::scalar(), Shape::scalar(), Shape::scalar());
        for (i, &count) in counts.iter().enumerate() {
            let size = i.checked_sub(lead).map_or(1, |own| self.shape()[own]);
            // Axes that are not repeated stay one, so that fewer strides are walked.
            if count != 1 {
                from.push(1);
                wide.push(count);
            }
            from.push(size);
            wide.push(size);
            to.push(size.saturating_mul(count));
        }
        let to = shape::countable("repeat", to).or_raise();
        self.reshaped(&from).broadcast_to(&wide).reshaped(&to)
    }
    /// [`Tensor::repeat`], where axes without a count, the leading ones, are taken once.
    ///
    /// Composite of [`Tensor::repeat`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 3]).tile(2).shape(), [2, 6]);
    /// ```
    ///
    /// # Panics
    /// If the result has more elements than can be counted.
    #[track_caller]
    pub fn tile(&self, counts: impl IntoShape) -> Tensor {
        let counts = counts.into_shape();
        let missing = self.rank().saturating_sub(counts.rank());
        self.repeat(std::iter::repeat_n(1, missing).chain(counts.iter().copied()).collect::<Shape>())
    }
    /// Each part along an axis `n` times in a row.
    ///
    /// Composite of [`Tensor::reshape`] and [`Tensor::broadcast_to`].
    ///
    /// *Gradient:* the sum of `g` over the copies.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([1.0f32, 2.0]);
    /// assert_eq!(x.repeat_interleave(2, 0).to_vec::<f32>(), [1.0, 1.0, 2.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, or the result has more elements than can be counted.
    #[track_caller]
    pub fn repeat_interleave(&self, n: usize, axis: isize) -> Tensor {
        let axis = shape::axis("repeat_interleave", axis, self.rank()).or_raise();
        let (mut from, mut to) = (self.shape().clone(), self.shape().clone());
        to[axis] = to[axis].saturating_mul(n);
        let to = shape::countable("repeat_interleave", to).or_raise();
        from.insert(axis + 1, 1);
        let mut wide = from.clone();
        wide[axis + 1] = n;
        self.reshaped(&from).broadcast_to(&wide).reshaped(&to)
    }
    /// The elements moved `shift` places along an axis, those pushed over its end coming in at its start; negative
    /// shifts move the other way. Lists shift several axes.
    ///
    /// *Gradient:* `g` rolled back.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f32, 2.0, 3.0]).roll(1, 0).to_vec::<f32>(), [3.0, 1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist, or there is not one shift for each.
    #[track_caller]
    pub fn roll(&self, shift: impl IntoDims, axis: impl IntoDims) -> Tensor {
        let (shifts, axes): (Dims, Dims) = (shift.into_dims(), axis.into_dims());
        if shifts.len() != axes.len() {
            let detail =
                format!("lists of different length: {shifts:?} on {axes:?}; each axis needs its shift");
            raise(Error::new("roll", ErrorKind::Axis, detail));
        }
        let mut out = self.clone();
        for (&shift, &axis) in shifts.iter().zip(&axes) {
            let axis = shape::axis("roll", axis, self.rank()).or_raise();
            let by = shift.rem_euclid((self.shape()[axis] as isize).max(1)) as usize;
            if by != 0 && self.numel() > 0 {
                out = apply::op(Roll { axis, by }, &[&out]);
            }
        }
        out
    }
}

/// What the reference cases call.
pub(crate) const ENTRIES: &[Entry] = &[
    Entry::new("cat", |x, a| vec![cat(x, a.int("dim"))]),
    Entry::new("stack", |x, a| vec![stack(x, a.int("dim"))]),
    Entry::new("repeat", |x, a| {
        let counts: Vec<usize> = a.ints("repeats").iter().map(|&count| count as usize).collect();
        vec![x[0].repeat(counts)]
    }),
    Entry::new("repeat_interleave", |x, a| {
        vec![x[0].repeat_interleave(a.int("repeats") as usize, a.int("dim"))]
    }),
    Entry::new("roll", |x, a| vec![x[0].roll(a.int("shift"), a.int("dim"))]),
];
