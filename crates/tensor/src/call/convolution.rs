//! The loops behind convolutions: views of any layout into the dense operands that the kernels take.
use super::{Call, View, ViewMut, half};
use crate::cpu::conv;
pub(crate) use crate::cpu::conv::Sizes;
use crate::cpu::gemm::Product;
use crate::dtype::{BF16, Element, F16, F32, F64, I32, I64};
use ::half::slice::HalfFloatSliceExt;
use ::half::{bf16, f16};

/// The tensors of a convolution, each of which is linear in the other two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    Image,
    Weight,
    Out,
}

/// Makes one tensor of a convolution from the other two, which come in the order of [`Part`].
pub(crate) fn convolution(made: Part, sizes: Sizes) -> Call {
    Call::new("convolution", move |x, out| {
        let [a, b] = x else { unreachable!("two operands make the third tensor") };
        let out = &mut out[0];
        match out.dtype() {
            F32 => typed::<f32>(made, &sizes, a, b, out),
            F64 => typed::<f64>(made, &sizes, a, b, out),
            I64 => integers::<i64>(made, &sizes, a, b, out),
            I32 => integers::<i32>(made, &sizes, a, b, out),
            F16 => halves::<f16>(made, &sizes, a, b, out),
            BF16 => halves::<bf16>(made, &sizes, a, b, out),
            _ => integers::<u8>(made, &sizes, a, b, out),
        }
    })
    .waiting()
}
fn typed<T: Element + Product>(made: Part, s: &Sizes, a: &View<'_>, b: &View<'_>, out: &mut ViewMut<'_>) {
    run(made, s, &a.dense::<T>(), &b.dense::<T>(), out.data::<T>());
}
/// As [`typed`], without what only gradients need.
fn integers<T: Element + Product>(made: Part, s: &Sizes, a: &View<'_>, b: &View<'_>, out: &mut ViewMut<'_>) {
    let (a, b) = (a.dense::<T>(), b.dense::<T>());
    match made {
        Part::Image => conv::image(s, &a, &b, out.data()),
        Part::Out => conv::output(s, &a, &b, out.data()),
        Part::Weight => unreachable!("integers have no gradients"),
    }
}
/// In `f32`, rounded once.
fn halves<T: Element>(made: Part, s: &Sizes, a: &View<'_>, b: &View<'_>, out: &mut ViewMut<'_>)
where
    [T]: HalfFloatSliceExt,
{
    let mut wide = vec![0.0_f32; out.shape().numel()];
    run(made, s, &half::widened(&a.dense::<T>()), &half::widened(&b.dense::<T>()), &mut wide);
    half::rounded(&wide, out.data::<T>());
}
fn run<T: Product>(made: Part, s: &Sizes, a: &[T], b: &[T], to: &mut [T]) {
    match made {
        Part::Image => conv::image(s, a, b, to),
        Part::Weight => conv::weight(s, a, b, to),
        Part::Out => conv::output(s, a, b, to),
    }
}
