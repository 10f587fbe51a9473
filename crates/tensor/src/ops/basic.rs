//! Views that everything else is built on: reshape, expand, permute.
use crate::Tensor;
use crate::apply;
use crate::error::{Error, OrRaise};
use crate::op::{Kernel, Op, Saves, Spec, Specs};
use crate::record::{Context, Cotangents};
use crate::shape::{self, AxisVec, IntoDims, IntoShape, Shape};
use smallvec::smallvec;

#[derive(Debug)]
struct Reshape {
    to: Shape,
}
impl Op for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        Ok(smallvec![Spec { shape: self.to.clone(), dtype: x[0].dtype }])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        Kernel::Reshape
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::NOTHING
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        smallvec![g.reshaped(cx.shape(0)).into()]
    }
}
#[derive(Debug)]
struct Expand {
    to: Shape,
}
impl Op for Expand {
    fn name(&self) -> &'static str {
        "expand"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        shape::broadcasts_to("expand", &x[0].shape, &self.to)?;
        Ok(smallvec![Spec { shape: self.to.clone(), dtype: x[0].dtype }])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        let to = self.to.clone();
        Kernel::View(Box::new(move |l| Some(l.broadcast_to(&to))))
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::NOTHING
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        smallvec![g.sum_to(cx.shape(0)).into()]
    }
}
#[derive(Debug)]
struct Permute {
    order: AxisVec,
}
impl Op for Permute {
    fn name(&self) -> &'static str {
        "permute"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let order: shape::Dims = self.order.iter().map(|&a| a as isize).collect();
        shape::permutation("permute", &order, x[0].shape.rank())?;
        Ok(smallvec![Spec { shape: self.order.iter().map(|&a| x[0].shape[a]).collect(), dtype: x[0].dtype }])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        let order = self.order.clone();
        Kernel::View(Box::new(move |l| Some(l.permute(&order))))
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::NOTHING
    }
    fn vjp(&self, _: &Context<'_>, g: &Tensor) -> Cotangents {
        let mut back: AxisVec = smallvec![0; self.order.len()];
        for (i, &a) in self.order.iter().enumerate() {
            back[a] = i;
        }
        smallvec![apply::op(Permute { order: back }, &[g]).into()]
    }
}

impl Tensor {
    /// The same elements in row-major order under another shape; one size may be -1 and is worked out.
    ///
    /// *Gradient:* `g` reshaped back.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 6]).reshape([3, -1]).shape(), [3, 4]);
    /// ```
    ///
    /// # Panics
    /// If the numbers of elements differ.
    #[track_caller]
    pub fn reshape(&self, dims: impl IntoDims) -> Tensor {
        let to = shape::reshape_target("reshape", &dims.into_dims(), self.numel()).or_raise();
        self.reshaped(&to)
    }
    /// [`Tensor::reshape`] to a known shape.
    #[track_caller]
    pub(crate) fn reshaped(&self, to: &Shape) -> Tensor {
        if self.shape() == to { self.clone() } else { apply::op(Reshape { to: to.clone() }, &[self]) }
    }
    /// This tensor repeated along axes of size 1, and along new leading axes, without copying.
    ///
    /// *Gradient:* `g` summed over the repeated axes.
    ///
    /// # Panics
    /// If the shape does not broadcast to `to`.
    #[track_caller]
    pub fn broadcast_to(&self, to: impl IntoShape) -> Tensor {
        let to = to.into_shape();
        if *self.shape() == to { self.clone() } else { apply::op(Expand { to }, &[self]) }
    }
    /// The axes in another order, without copying.
    ///
    /// *Gradient:* `g` in the order that undoes it.
    ///
    /// # Panics
    /// If `order` does not name every axis once.
    #[track_caller]
    pub fn permute(&self, order: impl IntoDims) -> Tensor {
        let order = shape::permutation("permute", &order.into_dims(), self.rank()).or_raise();
        apply::op(Permute { order }, &[self])
    }
}
