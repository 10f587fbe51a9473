//! Conversion between element types.
use crate::Tensor;
use crate::apply;
use crate::dtype::DType;
use crate::error::Error;
use crate::op::{Batch, Kernel, Op, Spec, Specs};
use crate::record::{Context, Cotangents};
use smallvec::smallvec;

#[derive(Debug)]
struct Cast {
    to: DType,
}
impl Op for Cast {
    fn name(&self) -> &'static str {
        "cast"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        Ok(smallvec![Spec { shape: x[0].shape.clone(), dtype: self.to }])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        Kernel::Cast
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        smallvec![g.cast(cx.spec(0).dtype).into()]
    }
    fn batch(&self, _: &[Spec], _: &[usize], _: u64) -> Batch {
        Batch::whole(Cast { to: self.to })
    }
}

impl Tensor {
    /// The same elements as another type: floats to integers truncate and saturate, NaN becomes 0; anything but 0
    /// is true.
    ///
    /// *Gradient:* `g` cast back, between floats; elsewhere the gradient ends. PyTorch's `to(dtype)`.
    ///
    /// ```
    /// use retrograd_tensor::{I64, Tensor};
    /// assert_eq!(Tensor::from([1.9f32, -1.9, f32::NAN]).cast(I64).to_vec::<i64>(), [1, -1, 0]);
    /// ```
    #[track_caller]
    pub fn cast(&self, dtype: DType) -> Tensor {
        if self.dtype() == dtype { self.clone() } else { apply::op(Cast { to: dtype }, &[self]) }
    }
    /// The same elements as `other`'s type; see [`Tensor::cast`].
    ///
    /// Composite of [`Tensor::cast`].
    ///
    /// ```
    /// use retrograd_tensor::{F64, Tensor};
    /// assert_eq!(Tensor::from([1i64]).cast_as(&F64.zeros(())).dtype(), F64);
    /// ```
    #[track_caller]
    pub fn cast_as(&self, other: &Tensor) -> Tensor {
        self.cast(other.dtype())
    }
}
