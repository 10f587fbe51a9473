//! Indexing: what users write between the brackets of [`s!`](crate::s), and what it means for a shape.
//!
//! [`Index`] is one item as written, generic over the tensor handle, so that this room knows no tensor. A
//! list of them is checked against a shape by [`resolve`], which turns it into one [`Resolved`] step per
//! axis.
//!
//! Ranges mean what they mean in Python and NumPy, `start:stop:step`: negative bounds count from the end,
//! bounds outside the axis are clamped, a negative step walks down. Only single indices must be in range.

use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

use crate::error::{Error, ErrorKind};
use crate::shape::{Integer, Shape, from_end};

/// One item of an index, as written; `T` is the tensor handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Index<T> {
    /// One element of an axis, which goes; negative counts from the end.
    At(isize),
    /// Elements of an axis from `start` on, `step` apart, until `end`, which is not among them.
    Range {
        /// The first position; absent, the end of the axis that the step walks away from.
        start: Option<isize>,
        /// The position to stop before; absent, the end of the axis that the step walks towards.
        end: Option<isize>,
        /// The distance between elements, negative to walk down.
        step: isize,
    },
    /// A new axis of size 1.
    NewAxis,
    /// As many whole axes as the other items leave; at most once.
    Ellipsis,
    /// Positions, or a mask, given by a tensor.
    Tensor(T),
}

impl<T> Index<T> {
    /// The range that stops before `end`.
    pub fn until(start: Option<isize>, end: Option<isize>, step: isize) -> Index<T> {
        Index::Range { start, end, step }
    }

    /// The range that stops at `end`, if its steps meet it.
    pub fn through(start: Option<isize>, end: Option<isize>, step: isize) -> Index<T> {
        // The position just beyond `end`. Beyond either end of the axis lies no position that could be
        // written: after -1 would come 0, before 0 would come -1, and both mean the other end.
        let end = match end {
            Some(-1) if step > 0 => None,
            Some(0) if step < 0 => None,
            _ if step > 0 => end.map(|end| end.saturating_add(1)),
            _ => end.map(|end| end.saturating_sub(1)),
        };
        Index::Range { start, end, step }
    }
}

impl<T, I: Integer> From<I> for Index<T> {
    fn from(at: I) -> Index<T> {
        Index::At(at.as_isize())
    }
}

impl<T, I: Integer> From<Range<I>> for Index<T> {
    fn from(range: Range<I>) -> Index<T> {
        Index::until(Some(range.start.as_isize()), Some(range.end.as_isize()), 1)
    }
}

impl<T, I: Integer> From<RangeInclusive<I>> for Index<T> {
    fn from(range: RangeInclusive<I>) -> Index<T> {
        Index::through(Some(range.start().as_isize()), Some(range.end().as_isize()), 1)
    }
}

impl<T, I: Integer> From<RangeFrom<I>> for Index<T> {
    fn from(range: RangeFrom<I>) -> Index<T> {
        Index::until(Some(range.start.as_isize()), None, 1)
    }
}

impl<T, I: Integer> From<RangeTo<I>> for Index<T> {
    fn from(range: RangeTo<I>) -> Index<T> {
        Index::until(None, Some(range.end.as_isize()), 1)
    }
}

impl<T, I: Integer> From<RangeToInclusive<I>> for Index<T> {
    fn from(range: RangeToInclusive<I>) -> Index<T> {
        Index::through(None, Some(range.end.as_isize()), 1)
    }
}

impl<T> From<RangeFull> for Index<T> {
    fn from(_: RangeFull) -> Index<T> {
        Index::until(None, None, 1)
    }
}

/// Writes an index: a list of items, one per axis, as an array of [`Index`](crate::index::Index).
///
/// | item | meaning |
/// |---|---|
/// | `3`, `-1`, `i + 1` | one element; the axis goes; negative counts from the end |
/// | `a..b`, `a..`, `..b`, `..`, `a..=b` | a range; bounds may be negative and are clamped to the axis |
/// | `a..b;step` | every `step`-th element of the range; see below for negative steps |
/// | `NewAxis` | a new axis of size 1 |
/// | `...` or `Ellipsis` | as many whole axes as are left |
/// | `&t` | the positions, or the mask, that a tensor holds |
///
/// Axes that are not mentioned are whole. The two bounds of a range may be of different integer types.
///
/// A step is the third part of Python's `start:stop:step`: `..;-1` reverses an axis, and `4..1;-1` gives the
/// elements 4, 3, 2. (ndarray, which shares the notation, takes the range first and then walks it backward;
/// there the same elements are `2..5;-1`.)
///
/// An item is split at its commas: put an expression with a comma of its own, outside brackets, in
/// parentheses.
#[macro_export]
macro_rules! s {
    // The items are cut apart token by token, so that `i..-1` works for an unsigned `i`: as one expression it
    // would be a range of two types.
    (@items [$($done:tt)*] []) => { [$($done)*] };
    (@items [$($done:tt)*] [$($item:tt)+]) => { [$($done)* $crate::s!(@item $($item)+)] };
    (@items [$($done:tt)*] [$($item:tt)+] , $($rest:tt)*) => {
        $crate::s!(@items [$($done)* $crate::s!(@item $($item)+),] [] $($rest)*)
    };
    (@items [$($done:tt)*] [$($item:tt)*] $next:tt $($rest:tt)*) => {
        $crate::s!(@items [$($done)*] [$($item)* $next] $($rest)*)
    };

    (@item NewAxis) => { $crate::index::Index::NewAxis };
    (@item Ellipsis) => { $crate::index::Index::Ellipsis };
    (@item ...) => { $crate::index::Index::Ellipsis };
    (@item $($item:tt)+) => { $crate::s!(@start [] $($item)+) };

    (@start [$($start:tt)*] .. $($rest:tt)*) => { $crate::s!(@end until [$($start)*] [] $($rest)*) };
    (@start [$($start:tt)*] ..= $($rest:tt)*) => { $crate::s!(@end through [$($start)*] [] $($rest)*) };
    (@start [$($item:tt)+]) => { $crate::index::Index::from($($item)+) };
    (@start [$($start:tt)*] $next:tt $($rest:tt)*) => { $crate::s!(@start [$($start)* $next] $($rest)*) };

    (@end $to:ident [$($start:tt)*] [$($end:tt)*]) => { $crate::s!(@end $to [$($start)*] [$($end)*] ; 1) };
    (@end $to:ident [$($start:tt)*] [$($end:tt)*] ; $step:expr) => {
        $crate::index::Index::$to(
            $crate::s!(@bound $($start)*),
            $crate::s!(@bound $($end)*),
            $crate::shape::Integer::as_isize($step),
        )
    };
    (@end $to:ident [$($start:tt)*] [$($end:tt)*] $next:tt $($rest:tt)*) => {
        $crate::s!(@end $to [$($start)*] [$($end)* $next] $($rest)*)
    };

    (@bound) => { ::core::option::Option::None };
    (@bound $bound:expr) => { ::core::option::Option::Some($crate::shape::Integer::as_isize($bound)) };

    () => {{
        let whole: [$crate::index::Index<_>; 0] = [];
        whole
    }};
    ($($items:tt)+) => { $crate::s!(@items [] [] $($items)+) };
}

/// What one item does to the axes of the tensor, checked and with every number in range.
///
/// The steps stand in the order of the result's axes, and their axes ascend without gaps: every axis of the
/// indexed tensor is in exactly one `Select`, `Slice` or `Tensor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolved<'a, T> {
    /// Takes one element of `axis`, which goes.
    Select {
        /// The axis of the indexed tensor.
        axis: usize,
        /// The position.
        index: usize,
    },
    /// Takes `len` elements of `axis`.
    Slice {
        /// The axis of the indexed tensor.
        axis: usize,
        /// The first position; it may be the size of the axis if `len` is 0.
        start: usize,
        /// The distance between positions, not 0.
        step: isize,
        /// The number of positions.
        len: usize,
    },
    /// Puts in an axis of size 1.
    NewAxis,
    /// Lets a tensor choose among the positions of `axes` axes, from `axis` on.
    Tensor {
        /// The first of the axes of the indexed tensor.
        axis: usize,
        /// The number of axes: 1 for positions, the rank of the mask for a mask.
        axes: usize,
        /// The tensor, its contents not yet checked.
        tensor: &'a T,
    },
}

/// Checks `items` against `shape` and gives one step per axis and new axis, the ellipsis and the unmentioned
/// axes spelled out.
///
/// `axes_of` tells how many axes a tensor item takes: 1 for positions, its rank for a mask.
///
/// # Errors
/// A position out of range, more axes indexed than there are, a second ellipsis, a step of 0.
pub fn resolve<'a, T>(
    op: &'static str,
    shape: &Shape,
    items: &'a [Index<T>],
    axes_of: impl Fn(&T) -> usize,
) -> Result<Vec<Resolved<'a, T>>, Error> {
    let taken = |item: &Index<T>| match item {
        Index::At(_) | Index::Range { .. } => 1,
        Index::NewAxis | Index::Ellipsis => 0,
        Index::Tensor(t) => axes_of(t),
    };
    let rank = shape.rank();
    let indexed: usize = items.iter().map(&taken).sum();
    let Some(free) = rank.checked_sub(indexed) else {
        let given = format!("too many indices: {indexed} axes indexed of shape {shape}");
        return Err(Error::new(op, ErrorKind::Index, format!("{given}; at most {rank} can be")));
    };
    let ellipses = items.iter().filter(|item| matches!(item, Index::Ellipsis)).count();
    if ellipses > 1 {
        let detail = format!("more than one ellipsis: {ellipses} given; at most one is clear");
        return Err(Error::new(op, ErrorKind::Index, detail));
    }

    let whole = |axis: usize| Resolved::Slice { axis, start: 0, step: 1, len: shape[axis] };
    let mut out = Vec::with_capacity(items.len() + free);
    let mut axis = 0;
    for item in items {
        match *item {
            Index::At(at) => out.push(Resolved::Select { axis, index: position(op, shape, axis, at)? }),
            Index::Range { step: 0, .. } => {
                let detail = format!("step is 0: range on axis {axis} of shape {shape}; it must not be 0");
                return Err(Error::new(op, ErrorKind::Value, detail));
            }
            Index::Range { start, end, step } => {
                let (start, len) = clamped(shape[axis], start, end, step);
                out.push(Resolved::Slice { axis, start, step, len });
            }
            Index::NewAxis => out.push(Resolved::NewAxis),
            Index::Ellipsis => {
                out.extend((axis..axis + free).map(whole));
                axis += free;
            }
            Index::Tensor(ref tensor) => out.push(Resolved::Tensor { axis, axes: axes_of(tensor), tensor }),
        }
        axis += taken(item);
    }
    out.extend((axis..rank).map(whole));
    Ok(out)
}

/// The position `at` names on `axis`.
///
/// # Errors
/// A position out of range.
pub fn position(op: &'static str, shape: &Shape, axis: usize, at: isize) -> Result<usize, Error> {
    let size = shape[axis];
    from_end(at, size).ok_or_else(|| {
        let given = format!("index out of range: index {at} on axis {axis} of size {size} (shape {shape})");
        let right = match size {
            0 => "an axis of size 0 has no elements".to_string(),
            _ => format!("indices run from -{size} to {}", size - 1),
        };
        Error::new(op, ErrorKind::Index, format!("{given}; {right}"))
    })
}

/// First position and number of positions of Python's `start:end:step` on an axis of `size`; `step` is not 0.
pub fn clamped(size: usize, start: Option<isize>, end: Option<isize>, step: isize) -> (usize, usize) {
    let n = size as isize;
    // Where a walk may start and stop: one step down from position 0 is -1.
    let (low, high) = if step < 0 { (-1, n - 1) } else { (0, n) };
    let bound = |given: isize| (if given < 0 { given + n } else { given }).clamp(low, high);
    let (first, last) = if step < 0 { (high, low) } else { (low, high) };
    let start = start.map_or(first, bound);
    let end = end.map_or(last, bound);
    let room = if step < 0 { start - end } else { end - start };
    let len = if room > 0 { room.unsigned_abs().div_ceil(step.unsigned_abs()) } else { 0 };
    (start.max(0) as usize, len)
}

#[cfg(test)]
mod tests;
