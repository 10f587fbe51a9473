//! Softmax and its kin, composed of folds: over trailing axes one pass over memory, forward and backward.
//!
//! Each has a rule of its own over its composition, which saves the output instead of the terms. Half types are
//! computed in `F32` and rounded once.
use crate::Tensor;
use crate::apply;
use crate::entry::Entry;
use crate::error::{Error, OrRaise};
use crate::map::map_n;
use crate::op::{Batch, Kernel, Op, Saves, Spec, Specs, behind};
use crate::ops::reduce::{dims, floats, kept, reducing, twin};
use crate::ops::stats::{rounded, widened};
use crate::record::{Context, Cotangents};
use crate::shape::{AxisVec, IntoAxes, Shape};
use smallvec::smallvec;

/// The result of a softmax: floats, in the operand's shape.
fn shares(op: &'static str, x: &Spec) -> Result<Specs, Error> {
    Ok(smallvec![Spec { shape: x.shape.clone(), dtype: floats(op, x.dtype)? }])
}

/// Over one axis, or none for a number.
#[derive(Debug)]
struct Softmax {
    axes: AxisVec,
}
impl Op for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        shares("softmax", &x[0])
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        let axes = self.axes.clone();
        if x[0].shape.contains(&0) {
            return Kernel::Reshape;
        }
        Kernel::Compose(Box::new(move |x| {
            let wide = widened(&x[0]);
            let terms = (&wide - wide.amax_keepdim(&axes[..])).exp();
            let total = terms.sum_keepdim(&axes[..]);
            smallvec![rounded(terms / total, x[0].dtype())]
        }))
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::OUTPUT
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let (p, wide) = (widened(&cx.output(0)), widened(g));
        let mean = (&wide * &p).sum_keepdim(&self.axes[..]);
        let part = map_n([wide.into(), p.into(), mean.into()], |s| s[1] * (s[0] - s[2]));
        smallvec![rounded(part, g.dtype()).into()]
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(Softmax { axes: behind(lead, &self.axes) })
    }
}

/// Over one axis, or none for a number.
#[derive(Debug)]
struct LogSoftmax {
    axes: AxisVec,
}
impl Op for LogSoftmax {
    fn name(&self) -> &'static str {
        "log_softmax"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        shares("log_softmax", &x[0])
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        let axes = self.axes.clone();
        if x[0].shape.contains(&0) {
            return Kernel::Reshape;
        }
        Kernel::Compose(Box::new(move |x| {
            let wide = widened(&x[0]);
            let lowered = &wide - wide.amax_keepdim(&axes[..]);
            let total = lowered.exp().sum_keepdim(&axes[..]); // ends here, or the exponentials would be held and written
            smallvec![rounded(lowered - total.log(), x[0].dtype())]
        }))
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::OUTPUT
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let (o, wide) = (widened(&cx.output(0)), widened(g));
        let total = wide.sum_keepdim(&self.axes[..]);
        let part = map_n([wide.into(), o.into(), total.into()], |s| s[0] - s[1].exp() * s[2]);
        smallvec![rounded(part, g.dtype()).into()]
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(LogSoftmax { axes: behind(lead, &self.axes) })
    }
}

#[derive(Debug)]
struct LogSumExp {
    axes: AxisVec,
    to: Shape,
}
impl Op for LogSumExp {
    fn name(&self) -> &'static str {
        "logsumexp"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        Ok(smallvec![Spec { shape: self.to.clone(), dtype: floats("logsumexp", x[0].dtype)? }])
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        let (axes, to, empty) = (self.axes.clone(), self.to.clone(), x[0].shape.contains(&0));
        Kernel::Compose(Box::new(move |x| {
            let wide = widened(&x[0]);
            if empty {
                return smallvec![rounded(wide.exp().summed(axes.clone(), to.clone()).log(), x[0].dtype())];
            }
            // An infinite or NaN maximum would make NaN of terms that are 0 or infinite as they stand.
            let top = wide.amax_keepdim(&axes[..]).map(|m| m.isfinite().where_(m, 0.0));
            let total = (wide - &top).exp().sum_keepdim(&axes[..]);
            smallvec![rounded((total.log() + top).reshaped(&to), x[0].dtype())]
        }))
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::inputs([0]).and_output()
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let to = kept(cx.shape(0), &self.axes);
        let (o, g) = (cx.output(0).reshaped(&to), g.reshaped(&to));
        let part = map_n([g.into(), cx.input(0).into(), o.into()], |s| {
            s[0] * (s[1] - s[2].eq(f64::NEG_INFINITY).where_(0.0, s[2])).exp()
        });
        smallvec![part.into()]
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(LogSumExp { axes: behind(lead, &self.axes), to: self.to.under(lead) })
    }
}

impl Tensor {
    /// exp(x) / sum(exp(x)) along `axis`, from the differences to the largest element, so without overflow.
    ///
    /// A line whose largest element is infinite of either sign gives NaN, as in PyTorch. Rank 0 counts as a list of one.
    ///
    /// *Gradient:* p (g - sum(g p)), p the output.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([[5.0f32, 5.0], [0.0, -1e4]]).softmax(1).to_vec::<f32>(), [0.5, 0.5, 1.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the elements are not floats or there is no such axis.
    #[track_caller]
    pub fn softmax(&self, axis: isize) -> Tensor {
        let (axes, _) = reducing("softmax", self, axis, true);
        apply::op(Softmax { axes }, &[self])
    }
    /// [`Tensor::softmax`] of the negative: the smallest element has the largest share.
    ///
    /// Composite of negation and [`Tensor::softmax`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([5.0f32, 1e4]).softmin(0).to_vec::<f32>(), [1.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the elements are not floats or there is no such axis.
    #[track_caller]
    pub fn softmin(&self, axis: isize) -> Tensor {
        floats("softmin", self.dtype()).or_raise();
        let (axes, _) = reducing("softmin", self, axis, true);
        apply::op(Softmax { axes }, &[&-self])
    }
    /// The logarithm of [`Tensor::softmax`], accurate where that is near 0: x - logsumexp(x).
    ///
    /// *Gradient:* g - exp(o) sum(g), o the output.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0f32, -1e4]).log_softmax(0).to_vec::<f32>(), [0.0, -1e4]);
    /// ```
    ///
    /// # Panics
    /// If the elements are not floats or there is no such axis.
    #[track_caller]
    pub fn log_softmax(&self, axis: isize) -> Tensor {
        let (axes, _) = reducing("log_softmax", self, axis, true);
        apply::op(LogSoftmax { axes }, &[self])
    }
    /// log(sum(exp(x))) over `axes`, which disappear, without overflow; -infinity if there are no elements, or all
    /// are -infinity.
    ///
    /// *Gradient:* g softmax(x); 0 where all elements are -infinity (PyTorch: NaN).
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1e4f32, -1e4]).logsumexp(0).item(), 1e4);
    /// ```
    ///
    /// # Panics
    /// If the elements are not floats, or an axis does not exist or is named twice.
    #[track_caller]
    pub fn logsumexp(&self, axes: impl IntoAxes) -> Tensor {
        let (axes, to) = reducing("logsumexp", self, axes, false);
        apply::op(LogSumExp { axes, to }, &[self])
    }
    /// [`Tensor::logsumexp`] with the reduced axes kept at size 1.
    ///
    /// # Panics
    /// If the elements are not floats, or an axis does not exist or is named twice.
    #[track_caller]
    pub fn logsumexp_keepdim(&self, axes: impl IntoAxes) -> Tensor {
        let (axes, to) = reducing("logsumexp", self, axes, true);
        apply::op(LogSumExp { axes, to }, &[self])
    }
}

/// These operators as the reference cases call them.
pub(crate) const ENTRIES: &[Entry] = &[
    Entry::new("softmax", |x, a| vec![x[0].softmax(a.int("dim"))]),
    Entry::new("log_softmax", |x, a| vec![x[0].log_softmax(a.int("dim"))]),
    Entry::new("logsumexp", |x, a| twin(a, || x[0].logsumexp(dims(a)), || x[0].logsumexp_keepdim(dims(a)))),
];
