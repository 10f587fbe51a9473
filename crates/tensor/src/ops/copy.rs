//! Dense copies of views.
use super::lines::gather;
use crate::Tensor;
use crate::apply;
use crate::call::{Call, by_dtype};
use crate::dtype::DType;
use crate::error::Error;
use crate::op::{Batch, Kernel, Op, Spec, Specs};
use crate::record::{Context, Cotangents};
use smallvec::smallvec;

#[derive(Debug)]
struct Contiguous;
impl Op for Contiguous {
    fn name(&self) -> &'static str {
        "contiguous"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        Ok(smallvec![x[0].clone()])
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        Kernel::Call(contiguous(x[0].dtype))
    }
    fn vjp(&self, _: &Context<'_>, g: &Tensor) -> Cotangents {
        smallvec![g.clone().into()]
    }
    fn batch(&self, _: &[Spec], _: &[usize], _: u64) -> Batch {
        Batch::whole(Contiguous)
    }
}
/// The loop that lays out a view's elements in logical order.
pub(crate) fn contiguous(dtype: DType) -> Call {
    Call::new("contiguous", move |x, out| {
        by_dtype!(dtype, T => gather::<T>(&x[0], out[0].data()));
    })
}

impl Tensor {
    /// The same elements side by side in memory, in row-major order; no copy if they are so already.
    ///
    /// Only speed can depend on it: reading a transposed matrix many times is faster after one dense copy.
    /// *Gradient:* `g`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]).t().contiguous();
    /// assert_eq!(x.to_vec::<f32>(), [1.0, 3.0, 2.0, 4.0]);
    /// ```
    #[track_caller]
    pub fn contiguous(&self) -> Tensor {
        if self.is_contiguous() { self.clone() } else { apply::op(Contiguous, &[self]) }
    }
    /// Whether the elements lie, or will lie once they are computed, side by side in row-major order.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]);
    /// assert!(x.is_contiguous() && !x.t().is_contiguous());
    /// ```
    pub fn is_contiguous(&self) -> bool {
        self.value.is_pending() || self.value.layout().is_dense()
    }
}
