//! The loop behind matrix products: views of any strides into the operands that the kernel takes.
//!
//! Which leading axes become a batch and which become rows depends on shapes alone, since the order of
//! arithmetic does.
use super::{Call, View, ViewMut, half};
use crate::cpu::gemm::{self, Operand};
use crate::dtype::{BF16, Element, F16, F32, F64, I32, I64};
use crate::layout::{Layout, Strides};
use crate::shape::{self, Shape};
use ::half::slice::HalfFloatSliceExt;
use ::half::{bf16, f16};
use std::borrow::Cow;

/// The product of two operands of one numeric type, over their last two axes, broadcast over the others. `left`
/// and `right` say which operand is read transposed. An operand with one axis is a row on the left, a column on
/// the right (a row, if read transposed).
pub(crate) fn product(left: bool, right: bool) -> Call {
    // A closure that captures nothing is boxed without memory of its own.
    match (left, right) {
        (false, false) => Call::new("product", |x, out| multiplied(x, [false, false], out)),
        (false, true) => Call::new("product", |x, out| multiplied(x, [false, true], out)),
        (true, false) => Call::new("product", |x, out| multiplied(x, [true, false], out)),
        (true, true) => Call::new("product", |x, out| multiplied(x, [true, true], out)),
    }
    .waiting()
}
/// The product of rows with a matrix that is read transposed, and a third operand, of a number for each column, added
/// to it; of single or double floats.
pub(crate) fn linear() -> Call {
    Call::new("linear", |x, out| multiplied(x, [false, true], out)).waiting()
}
fn multiplied(x: &[View<'_>], [left, right]: [bool; 2], out: &mut [ViewMut<'_>]) {
    let ([a, b], bias) = x.split_first_chunk().expect("a product has two operands");
    let (a, b, bias, out) = (Side::new(a, left, false), Side::new(b, right, true), bias.first(), &mut out[0]);
    match out.dtype() {
        F32 => typed::<f32>(a, b, bias, out),
        F64 => typed::<f64>(a, b, bias, out),
        I64 => typed::<i64>(a, b, bias, out),
        I32 => typed::<i32>(a, b, bias, out),
        F16 => halves::<f16>(&a, &b, out),
        BF16 => halves::<bf16>(&a, &b, out),
        _ => typed::<u8>(a, b, bias, out),
    }
}

/// An operand and its layout as `[batch.., rows, cols]`.
struct Side<'v, 'a> {
    view: &'v View<'a>,
    layout: Layout,
}
impl<'v, 'a> Side<'v, 'a> {
    fn new(view: &'v View<'a>, turned: bool, second: bool) -> Side<'v, 'a> {
        let mut layout = view.layout().clone();
        if layout.rank() == 1 {
            layout = layout.insert_axis(usize::from(second && !turned));
        }
        if turned {
            let rank = layout.rank();
            layout.shape.swap(rank - 2, rank - 1);
            layout.strides.swap(rank - 2, rank - 1);
        }
        Side { view, layout }
    }
}

/// A product in the operands' own type.
fn typed<T: Element + gemm::Product>(
    a: Side<'_, '_>,
    b: Side<'_, '_>,
    bias: Option<&View<'_>>,
    out: &mut ViewMut<'_>,
) {
    multiply(own(a), own(b), bias.map(View::dense).as_deref(), out.data::<T>());
}
fn own<'a, T: Element>(side: Side<'_, 'a>) -> Strided<'a, T> {
    (side.view.data::<T>().into(), side.layout)
}

/// A product in `f32`, rounded once.
fn halves<T: Element>(a: &Side<'_, '_>, b: &Side<'_, '_>, out: &mut ViewMut<'_>)
where
    [T]: HalfFloatSliceExt,
{
    let wide = |side: &Side<'_, '_>| {
        let (data, layout) = dense(side.view.data::<T>(), &side.layout);
        (half::widened(&data).into(), layout)
    };
    let mut product = vec![0.0_f32; out.shape().numel()];
    multiply(wide(a), wide(b), None, &mut product);
    half::rounded(&product, out.data::<T>());
}

/// Elements, and the layout that a matrix or a batch of matrices has among them.
type Strided<'a, T> = (Cow<'a, [T]>, Layout);

fn multiply<T: Element + gemm::Product>(
    a: Strided<'_, T>,
    b: Strided<'_, T>,
    bias: Option<&[T]>,
    out: &mut [T],
) {
    if out.is_empty() {
        return;
    }
    if a.1.rank() == 2 && b.1.rank() == 2 {
        return pairs((&a, &[a.1.offset]), (&b, &[b.1.offset]), bias, out);
    }
    // With one matrix on the right, the leading axes of the left are rows of one product.
    let alone = lead(&b.1).numel() == 1;
    let (a, b) = if alone && a.1.rank() > 2 { (rows(a), last_two(b)) } else { (a, b) };
    let batch = shape::broadcast("product", &lead(&a.1), &lead(&b.1)).expect("the operands were accepted");
    pairs((&a, &offsets(&a.1, &batch)), (&b, &offsets(&b.1, &batch)), bias, out);
}
/// The products of the matrices that begin at these places, pair by pair.
fn pairs<T: Element + gemm::Product>(
    (a, starts): (&Strided<'_, T>, &[usize]),
    (b, over): (&Strided<'_, T>, &[usize]),
    bias: Option<&[T]>,
    out: &mut [T],
) {
    let ([m, k], n) = ([a.1.shape[a.1.rank() - 2], a.1.shape[a.1.rank() - 1]], b.1.shape[b.1.rank() - 1]);
    gemm::product(out, starts.len(), [m, k, n], operand(a, starts), operand(b, over), bias);
}
/// The axes before the matrix.
fn lead(layout: &Layout) -> Shape {
    layout.shape[..layout.rank() - 2].into()
}
fn operand<'a, T: Element>((data, layout): &'a Strided<'_, T>, offsets: &'a [usize]) -> Operand<'a, T> {
    let last = layout.rank() - 1;
    Operand { data, offsets, row_stride: layout.strides[last - 1], col_stride: layout.strides[last] }
}
/// Where each matrix of the batch begins.
fn offsets(layout: &Layout, batch: &Shape) -> Vec<usize> {
    let strides: Strides = layout.strides[..layout.rank() - 2].into();
    let first = Layout { shape: lead(layout), strides, offset: layout.offset }.broadcast_to(batch);
    let mut out = Vec::with_capacity(batch.numel());
    first.runs(0, batch.numel(), |at, stride, count| {
        out.extend((0..count).map(|i| (at as isize + i as isize * stride) as usize));
    });
    out
}
/// All axes but the last as one; elements that do not lie so are copied.
fn rows<'a, T: Element>((data, layout): Strided<'a, T>) -> Strided<'a, T> {
    let (cols, lead) = layout.shape.split_last().expect("a batch of matrices");
    let flat = Shape::from([lead.iter().product(), *cols]);
    match layout.reshape(&flat) {
        Some(layout) => (data, layout),
        None => (dense(&data, &layout).0.into_owned().into(), Layout::dense(flat)),
    }
}
/// The layout without its leading axes, all of size 1.
fn last_two<'a, T: Element>((data, mut layout): Strided<'a, T>) -> Strided<'a, T> {
    while layout.rank() > 2 {
        layout = layout.squeeze(0);
    }
    (data, layout)
}
/// The elements in logical order: where they lie, if they lie so.
fn dense<'a, T: Element>(data: &'a [T], layout: &Layout) -> Strided<'a, T> {
    let (n, order) = (layout.numel(), Layout::dense(layout.shape.clone()));
    if layout.is_dense() {
        return (data[layout.offset..][..n].into(), order);
    }
    let mut out = Vec::with_capacity(n);
    layout.runs(0, n, |at, stride, count| {
        out.extend((0..count).map(|i| data[(at as isize + i as isize * stride) as usize]));
    });
    (out.into(), order)
}
