//! Comparison of what was computed with what was recorded, or with another computation bit for bit. Says which
//! element differs first, by how much, and how many do.

use retrograd::prelude::*;

use crate::case::{Array, Data};

/// How far a value may lie from the recorded one: `absolute + relative * |want|`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bar {
    pub absolute: f64,
    pub relative: f64,
}

impl Bar {
    fn admits(self, got: f64, want: f64) -> bool {
        got == want
            || (got.is_nan() && want.is_nan())
            || (got - want).abs() <= self.absolute + self.relative * want.abs()
    }
}

/// Whether `got` is `want` within `bar`: shape and dtype first, integers and booleans exactly, real numbers
/// where `skip` is not set. A recorded real array may come in any floating dtype, the run's.
pub(crate) fn close(got: &Tensor, want: &Array, bar: Bar, skip: Option<&[bool]>) -> Result<(), String> {
    if got.shape()[..] != want.shape[..] {
        return Err(format!("shape {:?}; the reference has {:?}", &got.shape()[..], want.shape));
    }
    let skipped = |index: usize| skip.is_some_and(|skip| skip[index]);
    let differing = match &want.data {
        Data::Real(want) => {
            let got = reals(got)?;
            first_of(&got, want, |index, &got, &want| skipped(index) || bar.admits(got, want))
        }
        Data::Int(want) => {
            typed(got, I64)?;
            first_of(&got.to_vec::<i64>(), want, |_, got, want| got == want)
        }
        Data::Bool(want) => {
            typed(got, Bool)?;
            first_of(&got.to_vec::<bool>(), want, |_, got, want| got == want)
        }
    };
    match differing {
        None => Ok(()),
        Some(found) => Err(found.describe(&want.shape, "the reference has")),
    }
}

/// Whether two tensors have the same shape, dtype and bits. Any NaN equals any other.
pub(crate) fn same_bits(got: &Tensor, want: &Tensor) -> Result<(), String> {
    if got.shape() != want.shape() {
        return Err(format!("shape {:?}; the other has {:?}", &got.shape()[..], &want.shape()[..]));
    }
    typed(got, want.dtype())?;
    let differing = match want.dtype() {
        I64 => first_of(&got.to_vec::<i64>(), &want.to_vec::<i64>(), |_, got, want| got == want),
        Bool => first_of(&got.to_vec::<bool>(), &want.to_vec::<bool>(), |_, got, want| got == want),
        _ => first_of(&reals(got)?, &reals(want)?, |_, got, want| {
            got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan())
        }),
    };
    match differing {
        None => Ok(()),
        Some(found) => Err(found.describe(&want.shape()[..], "the other has")),
    }
}

/// Whether two tensors have the same shape, dtype and, but for the order of sums, elements.
pub(crate) fn near(got: &Tensor, want: &Tensor) -> Result<(), String> {
    if !want.dtype().is_float() {
        return same_bits(got, want);
    }
    let data = Data::Real(reals(want)?);
    close(got, &Array { shape: want.shape().to_vec(), data }, Bar { absolute: 1e-11, relative: 1e-9 }, None)
}

fn typed(got: &Tensor, want: DType) -> Result<(), String> {
    if got.dtype() == want { Ok(()) } else { Err(format!("dtype {:?}; {want:?} was expected", got.dtype())) }
}

fn reals(got: &Tensor) -> Result<Vec<f64>, String> {
    match got.dtype() {
        F64 => Ok(got.to_vec::<f64>()),
        F32 => Ok(got.to_vec::<f32>().into_iter().map(f64::from).collect()),
        other => Err(format!("dtype {other:?}; F64 or F32 was expected")),
    }
}

/// The first of the elements that differ.
struct Differing {
    index: usize,
    got: String,
    want: String,
    count: usize,
    of: usize,
}

impl Differing {
    fn describe(&self, shape: &[usize], other: &str) -> String {
        let Self { index, got, want, count, of } = self;
        format!("{got} at {:?}; {other} {want} ({count} of {of} differ)", coordinates(*index, shape))
    }
}

fn first_of<T: std::fmt::Debug>(
    got: &[T],
    want: &[T],
    equal: impl Fn(usize, &T, &T) -> bool,
) -> Option<Differing> {
    let differs: Vec<usize> =
        (0..want.len()).filter(|&index| !equal(index, &got[index], &want[index])).collect();
    let &index = differs.first()?;
    let (got, want_here) = (format!("{:?}", got[index]), format!("{:?}", want[index]));
    Some(Differing { index, got, want: want_here, count: differs.len(), of: want.len() })
}

/// The position of the element that is `index`th in logical order.
pub(crate) fn coordinates(mut index: usize, shape: &[usize]) -> Vec<usize> {
    let mut position = vec![0; shape.len()];
    for (axis, &size) in shape.iter().enumerate().rev() {
        position[axis] = index % size;
        index /= size;
    }
    position
}
