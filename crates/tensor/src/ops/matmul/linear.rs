//! The map of a layer: a product, to whose result a bias is added while it lies near.
use super::{MATMUL, Product};
use crate::error::{Error, OrRaise};
use crate::op::{Kernel, Op, Saves, Spec, Specs};
use crate::record::{Context, Cotangents};
use crate::{Operand, Tensor, apply, call, shape};

/// `x wᵀ`.
const PRODUCT: Product = Product { name: "linear", right: true, ..MATMUL };

/// `x wᵀ + b` for operands that [`joins`] accepts: for others the sum is an operation of its own.
#[derive(Debug)]
struct Linear;

/// Whether these have one number of `bias` for each row of the matrix `weight`, and are plain floats of one type. Under
/// `vmap` product and sum know better apart which of them varies.
fn joins(x: &Tensor, weight: &Tensor, bias: &Tensor) -> bool {
    let dtype = x.dtype();
    let one = |t: &Tensor| t.dtype() == dtype && t.label.is_none();
    [x, weight, bias].into_iter().all(one)
        && matches!(dtype, crate::dtype::F32 | crate::dtype::F64)
        && weight.rank() == 2
        && bias.shape()[..] == weight.shape()[..1]
}

impl Op for Linear {
    fn name(&self) -> &'static str {
        PRODUCT.name
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        PRODUCT.infer(&x[..2])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        Kernel::Call(call::linear())
    }
    fn flops(&self, x: &[Spec], out: &[Spec]) -> u64 {
        PRODUCT.flops(x, out) + out[0].shape.numel() as u64
    }
    fn saves(&self, tracked: u64) -> Saves {
        PRODUCT.saves(tracked)
    }
    fn passes(&self) -> u64 {
        1 << 2
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        PRODUCT.vjp(cx, g)
    }
}

impl Tensor {
    /// `x wᵀ + b`: this tensor's last axis mapped by a weight `[out, in]`, with a bias `[out]` if there is one.
    ///
    /// The bits are those of [`Tensor::matmul`] and a sum.
    ///
    /// *Gradient:* `g w`, `gᵀ x` and `g`, the last two summed over all axes before the last.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (x, w) = (Tensor::from([1.0f32, 2.0]), Tensor::from([[1.0f32, 0.0], [0.0, 1.0], [1.0, 1.0]]));
    /// assert_eq!(x.linear(&w, Some(&Tensor::from(vec![10.0f32; 3]))).to_vec::<f32>(), [11.0, 12.0, 13.0]);
    /// ```
    ///
    /// # Panics
    /// If the weight's last size is not this tensor's, or the bias does not fit.
    #[track_caller]
    pub fn linear(&self, weight: impl Into<Operand>, bias: Option<&Tensor>) -> Tensor {
        let weight = weight.into();
        let bias = match (bias, &weight) {
            (Some(bias), Operand::Tensor(weight)) if joins(self, weight, bias) => {
                return apply::op(Linear, &[self, weight, bias]);
            }
            (bias, _) => bias,
        };
        let product = self.times(PRODUCT, weight);
        let Some(bias) = bias else { return product };
        shape::broadcasts_to("linear", bias.shape(), product.shape()).or_raise();
        product + bias
    }
}
