//! Mixed precision: a scope in which products are computed in a half type, and what needs digits in `f32`.
//!
//! The tensor crate knows nothing of it. Layers ask [`low`] for operands of products and convolutions, and [`high`] for
//! those of norms, softmax and losses; outside a scope both give back what they got.

use retrograd_tensor::{BF16, DType, Error, ErrorKind, F16, F32, Tensor, raise, replay};
use std::cell::Cell;

thread_local! {
    /// The type of products in this thread's scope.
    static LOW: Cell<Option<DType>> = const { Cell::new(None) };
}

/// Runs `f` with the products of layers in the half type `dtype`, as PyTorch's `torch.autocast`: parameters stay as they
/// are, and their gradients arrive in their type.
///
/// | in | computed |
/// |---|---|
/// | `dtype` | `Linear`, `Bilinear`, convolutions, the projections, scores and values of attention, the products of recurrent layers, those of each step included |
/// | `f32` | norms, softmax (layers, attention), losses, gates and states of recurrent layers |
/// | the type of their operands | all else: activations, pooling, sums; `bf16 + f32` is `f32` |
///
/// It concerns the layers and losses of this crate, called on this thread. Methods of tensors compute in the types of
/// their operands, as everywhere: `x.softmax(-1)` of a `bf16` tensor is `bf16`. Numbers in `f64` stay so. `BF16` has the
/// range of `f32`; with `F16` the loss wants a [`GradScaler`](crate::GradScaler). `F32` ends a scope within it.
///
/// ```
/// use retrograd_autograd::Differentiate;
/// use retrograd_nn::{Linear, Losses, autocast};
/// use retrograd_tensor::{BF16, F32, Rng, Tensor};
/// let model = Linear::new(4, 2, &mut Rng::new(0));
/// let (x, y) = (Tensor::ones([3, 4]), Tensor::zeros([3, 2]));
/// let loss = autocast(BF16, || {
///     let output = model.forward(&x);
///     assert_eq!(output.dtype(), BF16);
///     output.mse_loss(&y)
/// });
/// assert_eq!((loss.dtype(), loss.backward()[&model.weight].dtype()), (F32, F32));
/// ```
///
/// # Panics
/// If `dtype` is none of `BF16`, `F16` and `F32`.
#[track_caller]
pub fn autocast<R>(dtype: DType, f: impl FnOnce() -> R) -> R {
    if ![BF16, F16, F32].contains(&dtype) {
        let detail = format!("not a type for products: {dtype}; it must be one of BF16, F16, F32");
        raise(Error::new("autocast", ErrorKind::Dtype, detail));
    }
    struct Restore(Option<DType>);
    impl Drop for Restore {
        fn drop(&mut self) {
            LOW.set(self.0);
        }
    }
    let _restore = Restore(LOW.replace(Some(dtype).filter(|&dtype| dtype != F32)));
    f()
}

/// The type that the innermost [`autocast`] has asked for, if one is open on this thread. Code that `remat` runs again
/// gets the answer of its first run.
///
/// ```
/// use retrograd_nn::{autocast, autocast_dtype};
/// use retrograd_tensor::BF16;
/// assert_eq!(autocast(BF16, autocast_dtype), Some(BF16));
/// assert_eq!(autocast_dtype(), None);
/// ```
pub fn autocast_dtype() -> Option<DType> {
    replay::value(|| LOW.get())
}

/// An operand of a product.
#[track_caller]
pub(crate) fn low(x: &Tensor) -> Tensor {
    match autocast_dtype() {
        Some(dtype) if [BF16, F16, F32].contains(&x.dtype()) => x.cast(dtype),
        _ => x.clone(),
    }
}

/// [`Tensor::linear`] of operands of a product.
#[track_caller]
pub(crate) fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    match autocast_dtype() {
        None => x.linear(weight, bias),
        Some(_) => low(x).linear(low(weight), bias.map(low).as_ref()),
    }
}

/// An operand of what needs digits.
#[track_caller]
pub(crate) fn high(x: &Tensor) -> Tensor {
    match autocast_dtype() {
        Some(_) if [BF16, F16].contains(&x.dtype()) => x.cast(F32),
        _ => x.clone(),
    }
}
