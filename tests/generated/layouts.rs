//! The same elements however they lie in memory, and however few there are: values and gradients of the same bits.
use crate::sample::{call, points};
use crate::{Report, same};
use retrograd::prelude::*;
use retrograd::testing::{Class, Elementwise};

const SHAPE: [usize; 2] = [5, 7];

pub(crate) fn check(row: &'static Elementwise) -> Report {
    let mut report = Report::default();
    let dtypes: &[DType] = if row.class == Class::Bits { &[I64, U8] } else { &[F64, F32, F16, BF16] };
    for &dtype in dtypes {
        let x = operands(row, dtype);
        let plain = results(row, &x);
        let mut note = |what: &str, x: Vec<Tensor>| {
            let outcome = alike(&results(row, &x), &plain);
            report.note(&format!("{what} {dtype}"), outcome);
        };
        note("strided", x.iter().map(strided).collect());
        note("transposed", x.iter().map(|x| x.t().contiguous().t()).collect());
        note("reversed", x.iter().map(|x| x.flip([0, 1]).contiguous().flip([0, 1])).collect());
        note(
            "pending",
            x.iter().map(|x| x.select(0, 0).unsqueeze(0).expand(SHAPE).ones_like() * x).collect(),
        );
        report.note(&format!("eager {dtype}"), alike(&eager(|| results(row, &x)), &plain));
        report.note(&format!("one by one {dtype}"), singles(row, &x, &plain[0]));
        report.note(&format!("empty {dtype}"), empty(row, &x));
        report.note(&format!("repeated {dtype}"), repeated(row, &x));
    }
    report
}

fn operands(row: &Elementwise, dtype: DType) -> Vec<Tensor> {
    let scale = if row.class == Class::Bits { 50.0 } else { 1.0 };
    let operand = |x: Vec<f64>| (Tensor::from(x).reshape(SHAPE) * scale).abs_if(dtype == U8).cast(dtype);
    points(row, SHAPE.iter().product()).into_iter().map(operand).collect()
}
trait AbsIf {
    /// The magnitudes, if it is so.
    fn abs_if(self, so: bool) -> Tensor;
}
impl AbsIf for Tensor {
    fn abs_if(self, so: bool) -> Tensor {
        if so { self.abs() } else { self }
    }
}
/// Every second element of another tensor, which holds NaN between, or the largest integers.
fn strided(x: &Tensor) -> Tensor {
    let poison = if x.dtype().is_float() { x.full_like(f64::NAN) } else { x.zeros_like() - x.ones_like() };
    stack(&[x, &poison], -1).select(-1, 0)
}

/// The value, and the gradients if there are any.
fn results(row: &Elementwise, x: &[Tensor]) -> Vec<Tensor> {
    let leaf = |x: &Tensor| if x.dtype().is_float() { x.tracked() } else { x.clone() };
    let x: Vec<Tensor> = x.iter().map(leaf).collect();
    let y = call(row, &x);
    let mut all = vec![y.detach()];
    if y.is_tracked() {
        let weights = F64.arange(1, y.numel() + 1, 1).reshape(y.shape()).cast(y.dtype()) / 16.0;
        let found = (y * weights).sum(()).backward();
        all.extend(x.iter().map(|x| found.grad_or_zeros(x)));
    }
    all
}
fn alike(got: &[Tensor], want: &[Tensor]) -> Result<(), String> {
    if got.len() != want.len() {
        return Err(format!("{} results instead of {}", got.len(), want.len()));
    }
    got.iter()
        .zip(want)
        .enumerate()
        .try_for_each(|(k, (a, b))| same(a, b).map_err(|e| format!("result {k}: {e}")))
}
/// Each element as a tensor without axes.
fn singles(row: &Elementwise, x: &[Tensor], want: &Tensor) -> Result<(), String> {
    for i in 0..SHAPE[0] as isize {
        let at = |x: &Tensor| x.select(0, i).select(0, i);
        let x: Vec<Tensor> = x.iter().map(at).collect();
        same(&call(row, &x), &at(want))?;
    }
    Ok(())
}
fn empty(row: &Elementwise, x: &[Tensor]) -> Result<(), String> {
    let none: Vec<Tensor> = x.iter().map(|x| x.narrow(0, 0, 0)).collect();
    for (k, t) in results(row, &none).iter().enumerate() {
        if t.shape()[..] != [0, SHAPE[1]] || t.numel() != 0 {
            return Err(format!("result {k} of no elements has shape {}", t.shape()));
        }
    }
    Ok(())
}
/// The last operand as one row for all, and the same row written out.
fn repeated(row: &Elementwise, x: &[Tensor]) -> Result<(), String> {
    let mut x = x.to_vec();
    let last = x.len() - 1;
    x[last] = x[last].narrow(0, 0, 1).contiguous();
    let view = x[last].expand(SHAPE);
    let once = call(row, &x);
    x[last] = view.clone();
    let seen = call(row, &x);
    x[last] = view.contiguous();
    let written = call(row, &x);
    if last > 0 {
        same(&once, &written)?;
    }
    same(&seen, &written)
}
