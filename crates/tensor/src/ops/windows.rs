//! Sliding windows over one axis, and their sum back into it.
use super::lines::{PART, Plus};
use super::spatial::Slide;
use crate::Tensor;
use crate::apply;
use crate::call::{Call, View, by_dtype, for_chunks};
use crate::error::{Error, ErrorKind, OrRaise, raise};
use crate::layout::Layout;
use crate::op::{Batch, Kernel, Op, Spec, Specs};
use crate::record::{Context, Cotangents};
use crate::shape;
use smallvec::smallvec;

/// Windows of `size` positions, `dilation` apart, along `axis`, and `step` from one to the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Windows {
    axis: usize,
    size: usize,
    step: usize,
    dilation: usize,
}
impl Windows {
    /// These windows along `axis`, which has its padding already.
    pub(super) fn new(axis: usize, Slide { size, step, dilation, .. }: Slide) -> Windows {
        Windows { axis, size, step, dilation }
    }
    fn over(&self, l: &Layout) -> Layout {
        l.windows(self.axis, self.size, self.step, self.dilation)
    }
}
impl Op for Windows {
    fn name(&self) -> &'static str {
        "unfold"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let to = self.over(&Layout::dense(x[0].shape.clone())).shape;
        Ok(smallvec![Spec { shape: shape::countable("unfold", to)?, dtype: x[0].dtype }])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        let windows = *self;
        Kernel::View(Box::new(move |l| Some(windows.over(l))))
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        smallvec![g.overlapped(*self, cx.shape(0)[self.axis]).into()]
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(Windows { axis: self.axis + lead.len(), ..*self })
    }
}
/// The sum of all windows at their places, over an axis of size `to`.
#[derive(Debug)]
struct Overlap {
    windows: Windows,
    to: usize,
}
impl Op for Overlap {
    fn name(&self) -> &'static str {
        "fold"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let mut to = x[0].shape.clone();
        to.remove(x[0].shape.rank() - 1);
        to[self.windows.axis] = self.to;
        Ok(smallvec![Spec { shape: to, dtype: x[0].dtype }])
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        let (windows, n, dtype) = (self.windows, self.to, x[0].dtype);
        Kernel::Call(Call::new("fold", move |x, out| {
            by_dtype!(dtype, T => overlap::<T>(&x[0], windows, n, out[0].data()));
        }))
    }
    fn flops(&self, x: &[Spec], _: &[Spec]) -> u64 {
        x[0].shape.numel() as u64
    }
    fn vjp(&self, _: &Context<'_>, g: &Tensor) -> Cotangents {
        smallvec![g.windowed(self.windows).into()]
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        let windows = Windows { axis: self.windows.axis + lead.len(), ..self.windows };
        Batch::whole(Overlap { windows, to: self.to })
    }
}
fn overlap<T: Plus>(x: &View<'_>, windows: Windows, n: usize, out: &mut [T]) {
    let Windows { axis, size, step, dilation } = windows;
    let reach = (size - 1) * dilation + 1;
    let count = x.shape()[axis];
    let width: usize = x.shape()[axis + 1..x.shape().rank() - 1].iter().product();
    let x = x.dense::<T>();
    let lines = (PART / width.max(1)).max(1);
    for_chunks(out, lines * width, size.div_ceil(step), |chunk, part| {
        for (l, line) in part.chunks_mut(width).enumerate() {
            let (outer, at) = ((chunk * lines + l) / n, (chunk * lines + l) % n);
            // The windows that reach over this position, and the place of it in those that hold it.
            let (first, last) = ((at + 1).saturating_sub(reach).div_ceil(step), (at / step + 1).min(count));
            let place = |w: usize| (at - w * step) / dilation;
            let held = || (first..last).filter(|w| (at - w * step) % dilation == 0);
            for (t, to) in line.iter_mut().enumerate() {
                let element = |w: usize| x[((outer * count + w) * width + t) * size + place(w)];
                let sum = held().fold(T::from_f64(0.0).widen(), |sum, w| T::plus(sum, element(w)));
                *to = T::narrow(sum);
            }
        }
    });
}

impl Tensor {
    /// Sliding windows along an axis, without copying: `axis` counts them, a new last axis runs within one.
    ///
    /// Windows begin `step` apart; what is left at the end is not shown. *Gradient:* the sum of `g` over the windows
    /// that show an element.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([1.0f32, 2.0, 3.0]);
    /// assert_eq!(x.unfold(0, 2, 1).to_vec::<f32>(), [1.0, 2.0, 2.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, `size` or `step` is 0, or `size` is above that of the axis.
    #[track_caller]
    pub fn unfold(&self, axis: isize, size: usize, step: usize) -> Tensor {
        let axis = shape::axis("unfold", axis, self.rank()).or_raise();
        if size == 0 || step == 0 || size > self.shape()[axis] {
            let given = format!("windows of {size} every {step} on axis {axis} of shape {}", self.shape());
            let right = "both must be at least 1, and a window no longer than the axis";
            raise(Error::new("unfold", ErrorKind::Value, format!("windows do not fit: {given}; {right}")));
        }
        self.windowed(Windows { axis, size, step, dilation: 1 })
    }
    /// Views of checked windows, along a new last axis.
    #[track_caller]
    pub(super) fn windowed(&self, windows: Windows) -> Tensor {
        apply::op(windows, &[self])
    }
    /// The sum of windows, which the last axis runs within, at their places on an axis of size `to`.
    #[track_caller]
    pub(super) fn overlapped(&self, windows: Windows, to: usize) -> Tensor {
        apply::op(Overlap { windows, to }, &[self])
    }
}
