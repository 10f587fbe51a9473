//! Discrete Fourier transforms. A complex tensor is a real one with a last axis of two: real and imaginary part.
//!
//! Three linear operations over rows, unscaled, each the transpose of another but for weights; lengths, axes and
//! scales are formulas around them.
mod transforms;

use crate::apply;
use crate::call::{Call, View, for_chunks};
use crate::dtype::{DType, Element, F32, F64};
use crate::error::{Error, ErrorKind, OrRaise, raise};
use crate::op::{Batch, Kernel, Op, Spec, Specs};
use crate::record::{Context, Cotangents};
use crate::shape::{self, AxisVec, IntoAxes, Shape};
use crate::{Tensor, cat};
use retrograd_fft::{Real, Transform};
use smallvec::smallvec;

/// Where a pair of transforms is divided by the number of elements.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FftNorm {
    /// In the inverse transform.
    #[default]
    Backward,
    /// By its square root in both.
    Ortho,
    /// In the forward transform.
    Forward,
}
impl FftNorm {
    fn scale(self, n: usize, inverse: bool) -> f64 {
        match self {
            FftNorm::Ortho => 1.0 / (n as f64).sqrt(),
            FftNorm::Backward if inverse => 1.0 / n as f64,
            FftNorm::Forward if !inverse => 1.0 / n as f64,
            _ => 1.0,
        }
    }
}

/// A transform of rows of `n` numbers, the last axis, or the last two of complex operands and results.
#[derive(Clone, Copy, Debug)]
struct Rows {
    name: &'static str,
    transform: Transform,
    n: usize,
}
impl Rows {
    fn of(&self, transform: Transform, x: &Tensor) -> Tensor {
        apply::op(Rows { transform, ..*self }, &[x])
    }
    /// 1 for pairs of half a spectrum that stand for themselves, `v` for those that stand for two.
    fn weights(&self, v: f64, dtype: DType) -> Tensor {
        let alone = |k: usize| k == 0 || 2 * k == self.n;
        let weights = (0..=self.n / 2).map(|k| if alone(k) { 1.0 } else { v }).collect();
        Tensor::from_vec(weights, [self.n / 2 + 1, 1]).cast(dtype)
    }
}
impl Op for Rows {
    fn name(&self) -> &'static str {
        self.name
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let mut to = x[0].shape.clone();
        match self.transform {
            Transform::Forward | Transform::Inverse => {}
            Transform::ToHalf => {
                to.remove(to.rank() - 1);
                to.push(self.n / 2 + 1);
                to.push(2);
            }
            Transform::FromHalf => {
                to.remove(to.rank() - 1);
                to.remove(to.rank() - 1);
                to.push(self.n);
            }
        }
        Ok(smallvec![Spec { shape: to, dtype: x[0].dtype }])
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        let (rows, dtype) = (*self, x[0].dtype);
        Kernel::Call(Call::new("fft", move |x, out| match dtype {
            F32 => run::<f32>(rows, &x[0], out[0].data()),
            _ => run::<f64>(rows, &x[0], out[0].data()),
        }))
    }
    fn flops(&self, x: &[Spec], out: &[Spec]) -> u64 {
        // The customary 5 n log2 n of a complex row, half of it for a real one.
        // A complex row has 2 n numbers, a real one n, its half spectrum 2 more.
        let numbers = x[0].shape.numel().min(out[0].shape.numel()) as f64;
        (2.5 * numbers * (self.n as f64).log2()) as u64
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let dtype = cx.spec(0).dtype;
        let dx = match self.transform {
            Transform::Forward => self.of(Transform::Inverse, g),
            Transform::Inverse => self.of(Transform::Forward, g),
            Transform::ToHalf => self.of(Transform::FromHalf, &(g * self.weights(0.5, dtype))),
            Transform::FromHalf => self.of(Transform::ToHalf, g) * self.weights(2.0, dtype),
        };
        smallvec![dx.into()]
    }
    fn batch(&self, _: &[Spec], _: &[usize], _: u64) -> Batch {
        Batch::whole(*self)
    }
}
fn run<T: Element + Real>(rows: Rows, x: &View<'_>, out: &mut [T]) {
    let Rows { n, transform, .. } = rows;
    let (half, whole) = (2 * (n / 2 + 1), 2 * n);
    let (from, to) = match transform {
        Transform::Forward | Transform::Inverse => (whole, whole),
        Transform::ToHalf => (n, half),
        Transform::FromHalf => (half, n),
    };
    let (x, plan) = (x.dense::<T>(), T::plan(transform, n));
    let work = 4 * n.ilog2() as usize + 4;
    for_chunks(out, to, work, |i, row| plan(&x[i * from..(i + 1) * from], row));
}

/// Which axes are transformed, each with the length it is brought to first. Axes of complex tensors are counted
/// without the last.
struct Plan {
    axes: AxisVec,
    sizes: Vec<usize>,
}
impl Plan {
    /// `last`: what becomes of the last of these axes if no length is given; `s`: the lengths given.
    #[track_caller]
    fn new(op: &'static str, own: &[usize], s: Option<&[usize]>, axes: impl IntoAxes, half: bool) -> Plan {
        let axes = match axes.into_axes() {
            shape::Axes::List(list) => shape::ordered_axes(op, &list, own.len()).or_raise(),
            shape::Axes::All => {
                let first = s.map_or(0, |s| own.len().saturating_sub(s.len()));
                (first..own.len()).collect()
            }
        };
        let mut sizes: Vec<usize> = axes.iter().map(|&axis| own[axis]).collect();
        if let (true, Some(last)) = (half, sizes.last_mut()) {
            *last = 2 * last.saturating_sub(1);
        }
        if let Some(s) = s {
            if s.len() != sizes.len() {
                let detail = format!("lengths and axes differ in number: {s:?} for axes {:?}", &axes[..]);
                raise(Error::new(op, ErrorKind::Value, format!("{detail}; each axis has one length")));
            }
            sizes = s.to_vec();
        }
        if axes.is_empty() || sizes.contains(&0) {
            let detail = format!("nothing to transform: lengths {sizes:?} of shape {own:?}");
            raise(Error::new(op, ErrorKind::Value, format!("{detail}; it takes at least one element")));
        }
        Plan { axes, sizes }
    }
    fn numel(&self) -> usize {
        self.sizes.iter().product()
    }
    /// Complex transforms along the first `count` of the axes.
    #[track_caller]
    fn along(&self, op: &'static str, x: Tensor, count: usize, transform: Transform) -> Tensor {
        let axes = self.axes[..count].iter().zip(&self.sizes);
        axes.fold(x, |x, (&axis, &n)| along(op, &x, axis, n, transform))
    }
}
/// This tensor with `axis` cut, or filled up by zeros, to `n`.
#[track_caller]
fn fitted(x: &Tensor, axis: usize, n: usize) -> Tensor {
    let size = x.shape()[axis];
    if size >= n {
        return if size == n { x.clone() } else { x.narrow(axis as isize, 0, n) };
    }
    let mut rest: Shape = x.shape().clone();
    rest[axis] = n - size;
    cat(&[x.clone(), x.dtype().zeros(rest)], axis as isize)
}
/// One transform along `axis`, which is brought to the last place and back.
#[track_caller]
fn along(name: &'static str, x: &Tensor, axis: usize, n: usize, transform: Transform) -> Tensor {
    let (from_pairs, to_pairs) = (transform != Transform::ToHalf, transform != Transform::FromHalf);
    let held = if transform == Transform::FromHalf { n / 2 + 1 } else { n };
    let x = fitted(x, axis, held).movedim(axis as isize, if from_pairs { -2 } else { -1 });
    let y = apply::op(Rows { name, transform, n }, &[&x]);
    y.movedim(if to_pairs { -2 } else { -1 }, axis as isize)
}
/// Shape of a complex tensor without its last axis.
#[track_caller]
fn complex<'a>(op: &'static str, x: &'a Tensor) -> &'a [usize] {
    real(op, x);
    let [own @ .., 2] = &x.shape()[..] else {
        let detail =
            format!("not complex: shape {}; a last axis of 2 has real and imaginary part", x.shape());
        raise(Error::new(op, ErrorKind::Shape, detail))
    };
    own
}
#[track_caller]
fn real(op: &'static str, x: &Tensor) {
    if !matches!(x.dtype(), F32 | F64) {
        let detail =
            format!("not f32 or f64: elements are {}; cast them first, as in x.cast(F32)", x.dtype());
        raise(Error::new(op, ErrorKind::Dtype, detail));
    }
}
/// This complex tensor with the sign of its imaginary part changed.
#[track_caller]
fn conjugate(x: &Tensor) -> Tensor {
    x * Tensor::from([1.0f64, -1.0]).cast(x.dtype())
}
#[track_caller]
fn scaled(x: Tensor, scale: f64) -> Tensor {
    if scale == 1.0 { x } else { x * scale }
}
#[track_caller]
fn to_complex(
    op: &'static str,
    x: &Tensor,
    s: Option<&[usize]>,
    axes: impl IntoAxes,
    norm: FftNorm,
    inverse: bool,
) -> Tensor {
    let plan = Plan::new(op, complex(op, x), s, axes, false);
    let transform = if inverse { Transform::Inverse } else { Transform::Forward };
    let y = plan.along(op, x.clone(), plan.axes.len(), transform);
    scaled(y, norm.scale(plan.numel(), inverse))
}
/// Real to half a spectrum along the last of the axes, then complex along the others.
#[track_caller]
fn to_half(
    op: &'static str,
    x: &Tensor,
    s: Option<&[usize]>,
    axes: impl IntoAxes,
    scale: FftNorm,
    inverse: bool,
) -> Tensor {
    real(op, x);
    let plan = Plan::new(op, x.shape(), s, axes, false);
    let last = plan.axes.len() - 1;
    let y = along(op, x, plan.axes[last], plan.sizes[last], Transform::ToHalf);
    let y = plan.along(op, y, last, Transform::Forward);
    scaled(y, scale.scale(plan.numel(), inverse))
}
/// Complex along all axes but the last of these, then half a spectrum to real.
#[track_caller]
fn from_half(
    op: &'static str,
    x: &Tensor,
    s: Option<&[usize]>,
    axes: impl IntoAxes,
    scale: FftNorm,
    inverse: bool,
) -> Tensor {
    let plan = Plan::new(op, complex(op, x), s, axes, true);
    let last = plan.axes.len() - 1;
    let y = plan.along(op, x.clone(), last, Transform::Inverse);
    let y = along(op, &y, plan.axes[last], plan.sizes[last], Transform::FromHalf);
    scaled(y, scale.scale(plan.numel(), inverse))
}
