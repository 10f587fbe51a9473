//! Reductions over axes.
use crate::Tensor;
use crate::apply;
use crate::cpu::fold::Red;
use crate::error::{Error, OrRaise};
use crate::op::{Kernel, Op, Saves, Spec, Specs};
use crate::record::{Context, Cotangents};
use crate::shape::{AxisVec, IntoAxes, Shape};
use smallvec::smallvec;

#[derive(Debug)]
struct Sum {
    axes: AxisVec,
    to: Shape,
}
impl Op for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        Ok(smallvec![Spec { shape: self.to.clone(), dtype: apply::sum_dtype(x[0].dtype) }])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        Kernel::Fold(Red::Sum, self.axes.clone())
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::NOTHING
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let from = cx.shape(0);
        smallvec![g.reshaped(&kept(from, &self.axes)).broadcast_to(from).into()]
    }
}
/// `shape` with the reduced axes at size 1.
pub(crate) fn kept(shape: &Shape, axes: &[usize]) -> Shape {
    shape.iter().enumerate().map(|(i, &n)| if axes.contains(&i) { 1 } else { n }).collect()
}
/// `shape` without the reduced axes.
pub(crate) fn dropped(shape: &Shape, axes: &[usize]) -> Shape {
    shape.iter().enumerate().filter(|(i, _)| !axes.contains(i)).map(|(_, &n)| n).collect()
}

impl Tensor {
    /// Sum over `axes`, which disappear. `()` or `..` means all of them.
    ///
    /// *Gradient:* `g` repeated. Sums of bool and integers are `I64`. An empty sum is 0.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]).sum(0).to_vec::<f32>(), [4.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn sum(&self, axes: impl IntoAxes) -> Tensor {
        let axes = axes.into_axes().resolve("sum", self.rank()).or_raise();
        let to = dropped(self.shape(), &axes);
        apply::op(Sum { axes, to }, &[self])
    }
    /// [`Tensor::sum`] with the summed axes kept at size 1.
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn sum_keepdim(&self, axes: impl IntoAxes) -> Tensor {
        let axes = axes.into_axes().resolve("sum", self.rank()).or_raise();
        let to = kept(self.shape(), &axes);
        apply::op(Sum { axes, to }, &[self])
    }
    /// The inverse of broadcasting: summed to `to`, which broadcasts to this shape.
    #[track_caller]
    pub(crate) fn sum_to(&self, to: &Shape) -> Tensor {
        if self.shape() == to {
            return self.clone();
        }
        let pad = self.rank() - to.rank();
        let axes = (0..self.rank()).filter(|&i| i < pad || to[i - pad] != self.shape()[i]).collect();
        apply::op(Sum { axes, to: to.clone() }, &[self])
    }
}
