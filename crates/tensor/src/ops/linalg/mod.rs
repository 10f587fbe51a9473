//! Linear algebra of the matrices in the last two axes, whatever leading axes there are.
//!
//! Seven factorisations run outside this crate (`retrograd_linalg`); the rest is made of them and of products. A record
//! takes one cotangent, so a factorisation with several factors has them packed in one tensor, of which they are
//! views. Beside it stands, for each matrix, what became of it: `try_inv` and its kin give an error that names the
//! first matrix without a result, `inv` panics with it. Rules take what there is: a gradient that does not exist is
//! infinite or NaN, it does not panic.
use crate::call::{Call, View, ViewMut, for_chunks};
use crate::dry;
use crate::dtype::{DType, Element, F32, F64};
use crate::error::{Error, ErrorKind};
use crate::op::{Kernel, Outputs, Spec, Specs};
use crate::shape::Shape;
use crate::{Tensor, map};
use retrograd_linalg::Real;
use smallvec::{SmallVec, smallvec};
use std::borrow::Cow;

pub(crate) mod factor;
pub(crate) mod full;
pub(crate) mod function;
pub(crate) mod norm;
pub(crate) mod solve;
pub(crate) mod spectrum;

/// What became of a matrix.
const FAILED: f64 = 1.0;
const NOT_FINITE: f64 = 2.0;

/// Refuses elements that have no factorisations.
fn real(op: &'static str, dtype: DType) -> Result<(), Error> {
    if matches!(dtype, F32 | F64) {
        return Ok(());
    }
    let detail = format!("not f32 or f64: elements are {dtype}; cast them first, as in x.cast(F32)");
    Err(Error::new(op, ErrorKind::Dtype, detail))
}
/// Leading axes and both sizes of matrices.
fn matrices(op: &'static str, x: &Spec) -> Result<(Shape, usize, usize), Error> {
    real(op, x.dtype)?;
    let [ref lead @ .., m, n] = x.shape[..] else {
        let detail = format!("not a matrix: shape {}; it takes at least two axes", x.shape);
        return Err(Error::new(op, ErrorKind::Shape, detail));
    };
    Ok((lead.into(), m, n))
}
/// Leading axes and size of square matrices.
fn square(op: &'static str, x: &Spec) -> Result<(Shape, usize), Error> {
    let (lead, m, n) = matrices(op, x)?;
    if m != n {
        let detail = format!("not square: shape {}; the last two sizes must be equal", x.shape);
        return Err(Error::new(op, ErrorKind::Shape, detail));
    }
    Ok((lead, n))
}
/// `lead` with these axes behind.
fn over(lead: &Shape, own: &[usize]) -> Shape {
    lead.iter().chain(own).copied().collect()
}
/// A result of matrices and what became of them.
fn with_status(lead: &Shape, own: &[usize], dtype: DType) -> Specs {
    smallvec![Spec::new(over(lead, own), dtype), Spec::new(lead.clone(), dtype)]
}

/// What is done with each matrix of a batch.
trait OnMatrix: Copy + Send + Sync + 'static {
    /// Fills `out` from one matrix of each operand; false if there is no such result.
    fn run<T: Element + Real>(self, x: &[&[T]], out: &mut [T]) -> bool;
}
/// The kernel of an operation that has a result and a status for each matrix.
fn each(name: &'static str, x: &[Spec], f: impl OnMatrix) -> Kernel {
    let dtype = x[0].dtype;
    Kernel::Call(Call::new(name, move |x, out| match dtype {
        F32 => batch::<f32>(x, out, f),
        _ => batch::<f64>(x, out, f),
    }))
}
fn batch<T: Element + Real>(x: &[View<'_>], out: &mut [ViewMut<'_>], f: impl OnMatrix) {
    let [result, status] = out else { unreachable!("a result and its status") };
    let count = status.shape().numel().max(1);
    let data: SmallVec<[Cow<'_, [T]>; 2]> = x.iter().map(View::dense::<T>).collect();
    let work = x[0].shape().last().copied().unwrap_or(1);
    let result = result.data::<T>();
    let size = result.len() / count;
    let operands = |i: usize| -> SmallVec<[&[T]; 2]> {
        data.iter().map(|d| &d[i * (d.len() / count)..(i + 1) * (d.len() / count)]).collect()
    };
    let finite = |i: usize| operands(i).iter().all(|d| d.iter().all(|v| v.to_f64().is_finite()));
    for_chunks(result, size, work, |i, out| {
        if !finite(i) || !f.run(&operands(i), out) {
            out.fill(T::from_f64(f64::NAN));
        }
    });
    for (i, status) in status.data::<T>().iter_mut().enumerate() {
        let failed = size > 0 && result[i * size].to_f64().is_nan();
        let code = if finite(i) { f64::from(u8::from(failed)) * FAILED } else { NOT_FINITE };
        *status = T::from_f64(code);
    }
}
/// Floating-point operations of a batch of matrices `x`, by what the textbooks count for one of them, `[m, n]`.
fn counted(x: &Spec, one: impl Fn(f64, f64) -> f64) -> u64 {
    let [ref lead @ .., m, n] = x.shape[..] else { return 0 };
    (lead.iter().product::<usize>() as f64 * one(m as f64, n as f64)).round() as u64
}
/// What elimination takes, and reflections twice: a product and a sum for each element that is right of and below a
/// pivot, or in its column.
fn elimination(m: f64, n: f64) -> f64 {
    let k = m.min(n);
    2.0 * m * n * k - (m + n) * k * k + 2.0 / 3.0 * k * k * k
}
/// The result without a look at what became of it.
fn unchecked(out: Outputs) -> Tensor {
    out.into_iter().next().expect("a result and its status")
}
/// The result, or which matrix has none and why: `wrong` with what would be `right`.
#[track_caller]
fn checked(op: &'static str, out: Outputs, wrong: &str, right: &str) -> Result<Tensor, Error> {
    // Under `vmap` too, the status has all leading axes here.
    let status = Tensor::untracked(out[1].value.clone());
    let codes = status.cast(F64);
    if dry::is_blank(&codes) {
        return Ok(unchecked(out));
    }
    let codes = codes.to_vec::<f64>();
    let Some(at) = codes.iter().position(|&code| code != 0.0) else { return Ok(unchecked(out)) };
    let lead = status.shape();
    let which = if lead.rank() == 0 {
        "the matrix".to_owned()
    } else {
        let mut place = vec![0; lead.rank()];
        let mut rest = at;
        for axis in (0..lead.rank()).rev() {
            place[axis] = rest % lead[axis];
            rest /= lead[axis];
        }
        format!("matrix {place:?} of a batch {lead}")
    };
    let detail = if codes[at] == NOT_FINITE {
        format!("not finite: {which} has NaN or infinite elements; all must be finite")
    } else {
        format!("{wrong}: {which}; {right}")
    };
    Err(Error::new(op, ErrorKind::Numeric, detail).here())
}

/// The identity, as large as the matrices of `x`.
#[track_caller]
fn identity(x: &Tensor) -> Tensor {
    x.dtype().eye(x.shape()[x.rank() - 1])
}
/// `p / d`, 0 where `p` is exactly 0: how a rule leaves out what nothing depends on.
#[track_caller]
fn gated(p: &Tensor, d: &Tensor) -> Tensor {
    map::named("gated", [p.into(), d.into()], |x| x[0].gate(x[1].reciprocal()))
}
/// All differences `x[j] - x[i]` along the last axis, as matrices, with ones on the diagonal.
#[track_caller]
fn differences(x: &Tensor) -> Tensor {
    x.unsqueeze(-2) - x.unsqueeze(-1) + identity(x)
}
