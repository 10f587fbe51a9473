//! Shapes and what users write to name shapes, sizes and axes.
//!
//! [`Shape`] is a list of sizes. Broadcasting, the checks of axes and the target of a reshape are computed
//! here and nowhere else; each returns an [`Error`] that names the op. The traits [`IntoShape`], [`IntoDims`]
//! and [`IntoAxes`] (in `convert`) are plain conversions: they check nothing, the functions below do.
//!
//! No strides here (that is `layout`) and no data.

use std::borrow::Borrow;
use std::fmt;
use std::ops::{Deref, DerefMut};

use smallvec::SmallVec;

use crate::error::{Error, ErrorKind};

mod convert;

pub use convert::{Axes, Integer, IntoAxes, IntoDims, IntoShape};

/// Axis numbers of a tensor, each in range.
pub type AxisVec = SmallVec<[usize; 6]>;

/// Sizes as a user writes them: one of them may be -1.
pub type Dims = SmallVec<[isize; 6]>;

/// The sizes of a tensor's axes, outermost first.
#[derive(Default, PartialEq, Eq, Hash)]
pub struct Shape(SmallVec<[usize; 6]>);

impl Clone for Shape {
    /// Every operation clones shapes: as plain memory, not element by element.
    #[inline]
    fn clone(&self) -> Shape {
        Shape(SmallVec::from_slice(&self.0))
    }
}

impl Shape {
    /// The shape of a single number: no axes.
    pub fn scalar() -> Shape {
        Shape::default()
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The number of elements; 1 for a scalar.
    pub fn numel(&self) -> usize {
        self.0.iter().product()
    }

    /// The number of elements, or `None` where it, or a stride of such a tensor, would not fit an `isize`.
    ///
    /// Constructors ask this once; afterwards [`numel`](Shape::numel) cannot overflow. Axes of size 0 count
    /// as 1 in the test, or the strides of an empty tensor could overflow.
    pub fn checked_numel(&self) -> Option<usize> {
        let reach = self.0.iter().try_fold(1_usize, |n, &size| n.checked_mul(size.max(1)))?;
        isize::try_from(reach).ok()?;
        Some(if self.0.contains(&0) { 0 } else { reach })
    }

    /// This shape with axes of the sizes `lead` in front.
    #[must_use]
    pub fn under(&self, lead: &[usize]) -> Shape {
        lead.iter().chain(self.iter()).copied().collect()
    }

    /// Puts an axis of `size` before axis `at`.
    pub fn insert(&mut self, at: usize, size: usize) {
        self.0.insert(at, size);
    }

    /// Takes axis `at` out and returns its size.
    pub fn remove(&mut self, at: usize) -> usize {
        self.0.remove(at)
    }

    /// Adds a last axis of `size`.
    pub fn push(&mut self, size: usize) {
        self.0.push(size);
    }
}

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl DerefMut for Shape {
    fn deref_mut(&mut self) -> &mut [usize] {
        &mut self.0
    }
}

impl AsRef<[usize]> for Shape {
    fn as_ref(&self) -> &[usize] {
        &self.0
    }
}

impl Borrow<[usize]> for Shape {
    fn borrow(&self) -> &[usize] {
        &self.0
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0[..])
    }
}

/// The same as its Display, in pretty printing too: a shape is one word.
impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(sizes: I) -> Shape {
        Shape(sizes.into_iter().collect())
    }
}

impl<'a> IntoIterator for &'a Shape {
    type Item = &'a usize;
    type IntoIter = std::slice::Iter<'a, usize>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl From<SmallVec<[usize; 6]>> for Shape {
    fn from(sizes: SmallVec<[usize; 6]>) -> Shape {
        Shape(sizes)
    }
}

/// The shape that `a` and `b` broadcast to: aligned at their last axes, sizes equal or 1.
///
/// # Errors
/// Two sizes that differ, neither of them 1, or a result too large to count.
pub fn broadcast(op: &'static str, a: &Shape, b: &Shape) -> Result<Shape, Error> {
    // Mostly one of them is the result.
    let contains = |large: &Shape, small: &Shape| {
        let fits = |(&l, &s): (&usize, &usize)| s == l || s == 1;
        small.rank() <= large.rank() && large.iter().rev().zip(small.iter().rev()).all(fits)
    };
    match (contains(a, b), contains(b, a)) {
        (true, _) => Ok(a.clone()),
        (_, true) => Ok(b.clone()),
        _ => broadcast_all(op, &[a, b]),
    }
}

/// The shape that all of `shapes` broadcast to; a scalar's where there are none.
///
/// # Errors
/// Two sizes that differ, neither of them 1, or a result too large to count.
pub fn broadcast_all(op: &'static str, shapes: &[&Shape]) -> Result<Shape, Error> {
    let rank = shapes.iter().map(|s| s.rank()).max().unwrap_or(0);
    let mut out = Shape(SmallVec::from_elem(1, rank));
    for at in 0..rank {
        let sized = shapes.iter().filter_map(|&s| {
            let own = (at + s.rank()).checked_sub(rank)?;
            (s[own] != 1).then_some((s, s[own]))
        });
        let mut first: Option<(&Shape, usize)> = None;
        for (shape, size) in sized {
            match first {
                None => first = Some((shape, size)),
                Some((other, expected)) if expected != size => {
                    return Err(cannot_broadcast(op, (other, expected), (shape, size), at, rank));
                }
                Some(_) => {}
            }
        }
        out[at] = first.map_or(1, |(_, size)| size);
    }
    countable(op, out)
}

#[cold]
fn cannot_broadcast(
    op: &'static str,
    a: (&Shape, usize),
    b: (&Shape, usize),
    at: usize,
    rank: usize,
) -> Error {
    // Where the ranks differ, only counting from the end names the same axis in both shapes.
    let axis = if a.0.rank() == b.0.rank() { at as isize } else { at as isize - rank as isize };
    let (shapes, sizes) = (format!("{} and {}", a.0, b.0), format!("{} and {}", a.1, b.1));
    let detail =
        format!("shapes do not broadcast: {shapes} have {sizes} at axis {axis}; sizes must be equal or 1");
    Error::new(op, ErrorKind::Shape, detail)
}

/// Checks that `from` broadcasts to exactly `to`.
///
/// # Errors
/// A size of `from` that is neither 1 nor that of `to`, or more axes than `to` has.
pub fn broadcasts_to(op: &'static str, from: &Shape, to: &Shape) -> Result<(), Error> {
    let refuse = |why: String| {
        let detail = format!("{from} does not broadcast to {to}: {why}");
        Err(Error::new(op, ErrorKind::Shape, detail))
    };
    let Some(lead) = to.rank().checked_sub(from.rank()) else {
        return refuse(format!("rank {} is above rank {}; axes are only added", from.rank(), to.rank()));
    };
    for (at, &size) in from.iter().enumerate() {
        if size != 1 && size != to[lead + at] {
            let wanted = to[lead + at];
            return refuse(format!("axis {at} has {size}; it must have 1 or {wanted}"));
        }
    }
    Ok(())
}

/// Passes `shape` on if its elements can be counted.
///
/// # Errors
/// More elements than an `isize` counts.
pub fn countable(op: &'static str, shape: Shape) -> Result<Shape, Error> {
    if shape.checked_numel().is_some() {
        return Ok(shape);
    }
    let detail = format!("too many elements: shape {shape}; at most {} can be counted", isize::MAX);
    Err(Error::new(op, ErrorKind::Shape, detail))
}

/// The number of an axis that may be counted from the end.
///
/// # Errors
/// An axis out of range.
pub fn axis(op: &'static str, axis: isize, rank: usize) -> Result<usize, Error> {
    from_end(axis, rank).ok_or_else(|| {
        let given = format!("axis out of range: axis {axis} of a tensor of rank {rank}");
        let right = match rank {
            0 => "a scalar has no axes".to_string(),
            _ => format!("axes run from -{rank} to {}", rank - 1),
        };
        Error::new(op, ErrorKind::Axis, format!("{given}; {right}"))
    })
}

/// The place of a new axis in a tensor of `rank`: from 0 (first) to `rank` (last), or from the end.
///
/// # Errors
/// A place out of range.
pub fn new_axis(op: &'static str, axis: isize, rank: usize) -> Result<usize, Error> {
    from_end(axis, rank + 1).ok_or_else(|| {
        let given = format!("axis out of range: new axis {axis} in a tensor of rank {rank}");
        let right = format!("a new axis goes from -{} to {rank}", rank + 1);
        Error::new(op, ErrorKind::Axis, format!("{given}; {right}"))
    })
}

/// `at` counted from the end if negative; `None` if it is not below `count`.
pub(crate) fn from_end(at: isize, count: usize) -> Option<usize> {
    let at = if at < 0 { count.checked_sub(at.unsigned_abs())? } else { at.unsigned_abs() };
    (at < count).then_some(at)
}

/// The axes of `list`, ascending; an empty list stays empty.
///
/// # Errors
/// An axis out of range or listed twice.
pub fn axes(op: &'static str, list: &[isize], rank: usize) -> Result<AxisVec, Error> {
    let mut axes = ordered_axes(op, list, rank)?;
    axes.sort_unstable();
    Ok(axes)
}

/// The axes of `list`, ascending; an empty list means every axis.
///
/// # Errors
/// An axis out of range or listed twice.
pub fn axes_or_all(op: &'static str, list: &[isize], rank: usize) -> Result<AxisVec, Error> {
    if list.is_empty() { Ok((0..rank).collect()) } else { axes(op, list, rank) }
}

/// The axes of `list` in the order given.
///
/// # Errors
/// An axis out of range or listed twice.
pub fn ordered_axes(op: &'static str, list: &[isize], rank: usize) -> Result<AxisVec, Error> {
    let mut out = AxisVec::new();
    for &given in list {
        let found = axis(op, given, rank)?;
        if out.contains(&found) {
            let detail = format!("axis listed twice: axis {found} in {list:?} of a tensor of rank {rank}");
            return Err(Error::new(op, ErrorKind::Axis, format!("{detail}; each may stand once")));
        }
        out.push(found);
    }
    Ok(out)
}

/// The axes of `list` in the order given, which must name every axis once.
///
/// # Errors
/// An axis out of range, listed twice or missing.
pub fn permutation(op: &'static str, list: &[isize], rank: usize) -> Result<AxisVec, Error> {
    if list.len() != rank {
        let given = format!("not a permutation: {list:?} lists {} axes", list.len());
        let detail = format!("{given}; a tensor of rank {rank} needs each of its axes once");
        return Err(Error::new(op, ErrorKind::Axis, detail));
    }
    ordered_axes(op, list, rank)
}

/// The shape that `dims` ask of `numel` elements, with -1 worked out.
///
/// # Errors
/// A negative size other than one -1, or sizes whose product is not `numel`.
pub fn reshape_target(op: &'static str, dims: &[isize], numel: usize) -> Result<Shape, Error> {
    let refuse = |what: &str, right: &str| {
        let detail = format!("{what}: {numel} elements into {dims:?}; {right}");
        Err(Error::new(op, ErrorKind::Shape, detail))
    };
    if dims.iter().any(|&size| size < -1) {
        return refuse("negative size", "a size is at least 0, or -1 for what is left");
    }
    let mut free = dims.iter().enumerate().filter(|&(_, &size)| size == -1).map(|(at, _)| at);
    let (hole, second) = (free.next(), free.next());
    if second.is_some() {
        return refuse("more than one size left open", "only one may be -1");
    }
    let mut out: Shape = dims.iter().map(|&size| if size < 0 { 1 } else { size.unsigned_abs() }).collect();
    let Some(known) = out.checked_numel() else {
        return refuse("sizes do not fit", "their product is too large to count");
    };
    match hole {
        Some(_) if known == 0 => {
            refuse("the open size is not determined", "beside a size of 0 give all sizes")
        }
        Some(at) if numel.is_multiple_of(known) => {
            out[at] = numel / known;
            Ok(out)
        }
        Some(_) => refuse("sizes do not fit", &format!("{known} must divide {numel}")),
        None if known == numel => Ok(out),
        None => refuse("sizes do not fit", &format!("their product is {known} and must be {numel}")),
    }
}

#[cfg(test)]
mod tests;
