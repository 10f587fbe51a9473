//! What users may write for a shape, for sizes and for axes: conversions without checks.
//!
//! Integers of any type are taken, so that plain literals infer: `x.sum(-1)`, `x.reshape([2, -1])`. A number
//! that an `isize` cannot hold becomes the nearest end of its range, which every check in `shape` refuses.

use std::ops::RangeFull;

use smallvec::SmallVec;

use super::{AxisVec, Dims, Shape, axes, axes_or_all};
use crate::error::Error;

/// What a constructor takes as a shape: an array, slice or `Vec` of sizes, one size, or `()` for a scalar.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a shape",
    note = "a shape is an array, slice or Vec of usize, a single usize, a Shape, or () for a scalar"
)]
pub trait IntoShape {
    /// The shape.
    fn into_shape(self) -> Shape;
}

/// Makes a list of sizes a shape, by `From` and `IntoShape`, and comparable with one.
macro_rules! size_lists {
    ($([$($generics:tt)*] $list:ty),* $(,)?) => {$(
        impl<$($generics)*> From<$list> for Shape {
            fn from(sizes: $list) -> Shape {
                Shape(SmallVec::from_slice(sizes.as_ref()))
            }
        }
        impl<$($generics)*> IntoShape for $list {
            fn into_shape(self) -> Shape {
                self.into()
            }
        }
        impl<$($generics)*> PartialEq<$list> for Shape {
            fn eq(&self, other: &$list) -> bool {
                let other: &[usize] = other.as_ref();
                self.0[..] == *other
            }
        }
        impl<$($generics)*> PartialEq<Shape> for $list {
            fn eq(&self, other: &Shape) -> bool {
                *other == *self
            }
        }
    )*};
}

size_lists! {
    [const N: usize] [usize; N],
    [const N: usize] &[usize; N],
    [] &[usize],
    [] Vec<usize>,
    [] &Vec<usize>,
}

impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Shape {
        shape.clone()
    }
}

// `x.shape()` gives a reference, and this is what it is compared with.
impl<const N: usize> PartialEq<[usize; N]> for &Shape {
    fn eq(&self, other: &[usize; N]) -> bool {
        self.0[..] == other[..]
    }
}

impl PartialEq<Vec<usize>> for &Shape {
    fn eq(&self, other: &Vec<usize>) -> bool {
        self.0[..] == other[..]
    }
}

impl PartialEq<[usize]> for Shape {
    fn eq(&self, other: &[usize]) -> bool {
        self.0[..] == *other
    }
}

impl IntoShape for Shape {
    fn into_shape(self) -> Shape {
        self
    }
}

impl IntoShape for &Shape {
    fn into_shape(self) -> Shape {
        self.clone()
    }
}

impl IntoShape for usize {
    fn into_shape(self) -> Shape {
        Shape::from([self])
    }
}

impl IntoShape for () {
    fn into_shape(self) -> Shape {
        Shape::scalar()
    }
}

/// An integer that may name an axis, a size or a position.
#[diagnostic::on_unimplemented(message = "`{Self}` cannot name an axis, a size or a position")]
pub trait Integer: Copy {
    /// The number as an `isize`; one beyond its range becomes the nearest end, which every check refuses.
    fn as_isize(self) -> isize;
}

macro_rules! integers {
    ($($int:ty),*) => {$(
        impl Integer for $int {
            #[allow(irrefutable_let_patterns, reason = "narrow types always fit")]
            fn as_isize(self) -> isize {
                let Ok(value) = isize::try_from(self) else {
                    return if self > 0 { isize::MAX } else { isize::MIN };
                };
                value
            }
        }
        impl IntoAxes for $int {
            fn into_axes(self) -> Axes {
                Axes::List(SmallVec::from_elem(self.as_isize(), 1))
            }
        }
        impl IntoDims for $int {
            fn into_dims(self) -> Dims {
                SmallVec::from_elem(self.as_isize(), 1)
            }
        }
    )*};
}

integers!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);

/// Axes as a user names them, not yet checked against a rank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Axes {
    /// Every axis.
    All,
    /// These, negative ones counted from the end.
    List(Dims),
}

impl Axes {
    /// The axes of a tensor of `rank`, ascending.
    ///
    /// # Errors
    /// An axis out of range or listed twice.
    pub fn resolve(&self, op: &'static str, rank: usize) -> Result<AxisVec, Error> {
        match self {
            Axes::All => Ok((0..rank).collect()),
            Axes::List(list) => axes(op, list, rank),
        }
    }

    /// As [`resolve`](Axes::resolve), but an empty list means every axis.
    ///
    /// # Errors
    /// An axis out of range or listed twice.
    pub fn resolve_or_all(&self, op: &'static str, rank: usize) -> Result<AxisVec, Error> {
        match self {
            Axes::All => Ok((0..rank).collect()),
            Axes::List(list) => axes_or_all(op, list, rank),
        }
    }
}

/// What a method takes as axes: one integer, an array, slice or `Vec` of them, `()` or `..` for all.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name axes",
    note = "axes are one integer, an array, slice or Vec of integers, or `()` or `..` for all of them"
)]
pub trait IntoAxes {
    /// The axes, unchecked.
    fn into_axes(self) -> Axes;
}

/// What a method takes as sizes where -1 stands for "whatever is left".
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a list of sizes",
    note = "sizes are one integer, an array, slice or Vec of integers, a Shape, or () for a scalar"
)]
pub trait IntoDims {
    /// The sizes, unchecked.
    fn into_dims(self) -> Dims;
}

macro_rules! integer_lists {
    ($([$($generics:tt)*] $list:ty),* $(,)?) => {$(
        impl<I: Integer, $($generics)*> IntoAxes for $list {
            fn into_axes(self) -> Axes {
                Axes::List(self.iter().map(|&axis| axis.as_isize()).collect())
            }
        }
        impl<I: Integer, $($generics)*> IntoDims for $list {
            fn into_dims(self) -> Dims {
                self.iter().map(|&size| size.as_isize()).collect()
            }
        }
    )*};
}

integer_lists! {
    [const N: usize] [I; N],
    [const N: usize] &[I; N],
    [] &[I],
    [] Vec<I>,
    [] &Vec<I>,
}

impl IntoAxes for () {
    fn into_axes(self) -> Axes {
        Axes::All
    }
}

impl IntoAxes for RangeFull {
    fn into_axes(self) -> Axes {
        Axes::All
    }
}

impl IntoAxes for Axes {
    fn into_axes(self) -> Axes {
        self
    }
}

impl IntoDims for () {
    fn into_dims(self) -> Dims {
        Dims::new()
    }
}

impl IntoDims for &Shape {
    fn into_dims(self) -> Dims {
        self[..].into_dims()
    }
}

impl IntoDims for Shape {
    fn into_dims(self) -> Dims {
        (&self).into_dims()
    }
}

impl IntoDims for Dims {
    fn into_dims(self) -> Dims {
        self
    }
}
