//! Means, variances and norms: composed of folds, so that over trailing axes each is one pass over memory.
//!
//! Those with a rule of their own save less than their composition would. Half types are computed in `F32` and
//! rounded once.
//!
//! A sum over other than trailing axes ends a pass, and what is made of it begins another; terms that are still held
//! then would be written to memory. So every sum is a statement of its own.
use crate::Tensor;
use crate::apply;
use crate::dtype::{BF16, DType, F16, F32};
use crate::entry::Entry;
use crate::error::{Error, OrRaise};
use crate::map::map_n;
use crate::op::{Batch, Kernel, Op, Saves, Spec, Specs, behind};
use crate::ops::reduce::{dims, floats, kept, nonempty, reducing, twin};
use crate::record::{Context, Cotangents};
use crate::shape::{AxisVec, IntoAxes, Shape};
use smallvec::smallvec;

/// This tensor, in `F32` if it is of a half type.
pub(crate) fn widened(x: &Tensor) -> Tensor {
    if matches!(x.dtype(), F16 | BF16) { x.cast(F32) } else { x.clone() }
}
/// This tensor as `dtype`.
pub(crate) fn rounded(x: Tensor, dtype: DType) -> Tensor {
    if x.dtype() == dtype { x } else { x.cast(dtype) }
}
/// How many elements of `shape` each result over `axes` is made of.
pub(crate) fn count(shape: &Shape, axes: &[usize]) -> f64 {
    axes.iter().map(|&i| shape[i] as f64).product()
}

#[derive(Debug)]
struct Mean {
    axes: AxisVec,
    to: Shape,
}
impl Op for Mean {
    fn name(&self) -> &'static str {
        "mean"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        Ok(smallvec![Spec { shape: self.to.clone(), dtype: floats("mean", x[0].dtype)? }])
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        let (axes, to, n) = (self.axes.clone(), self.to.clone(), count(&x[0].shape, &self.axes));
        Kernel::Compose(Box::new(move |x| {
            let total = widened(&x[0]).summed(axes.clone(), to.clone());
            smallvec![rounded(total / n, x[0].dtype())]
        }))
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let from = cx.shape(0);
        let share = g / count(from, &self.axes);
        smallvec![share.reshaped(&kept(from, &self.axes)).broadcast_to(from).into()]
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(Mean { axes: behind(lead, &self.axes), to: self.to.under(lead) })
    }
}

/// Mean squared distance from the mean, of n - correction degrees of freedom.
#[derive(Debug)]
struct Var {
    axes: AxisVec,
    to: Shape,
    correction: usize,
}
impl Var {
    fn freedom(&self, shape: &Shape) -> f64 {
        (count(shape, &self.axes) - self.correction as f64).max(0.0)
    }
}
impl Op for Var {
    fn name(&self) -> &'static str {
        "var"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        Ok(smallvec![Spec { shape: self.to.clone(), dtype: floats("var", x[0].dtype)? }])
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        let (axes, to, freedom) = (self.axes.clone(), self.to.clone(), self.freedom(&x[0].shape));
        Kernel::Compose(Box::new(move |x| {
            let total = {
                let wide = widened(&x[0]);
                let mean = wide.mean_over(axes.clone(), kept(wide.shape(), &axes));
                let distance = wide - mean;
                (&distance * &distance).summed(axes.clone(), to.clone())
            };
            smallvec![rounded(total / freedom, x[0].dtype())]
        }))
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::inputs([0])
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let (x, to) = (widened(&cx.input(0)), kept(cx.shape(0), &self.axes));
        let mean = x.mean_over(self.axes.clone(), to.clone());
        let scale = 2.0 / self.freedom(x.shape());
        let part =
            map_n([widened(g).reshaped(&to).into(), x.into(), mean.into()], |s| s[0] * scale * (s[1] - s[2]));
        smallvec![rounded(part, g.dtype()).into()]
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(Var {
            correction: self.correction,
            axes: behind(lead, &self.axes),
            to: self.to.under(lead),
        })
    }
}

impl Tensor {
    #[track_caller]
    fn mean_over(&self, axes: AxisVec, to: Shape) -> Tensor {
        apply::op(Mean { axes, to }, &[self])
    }
    /// Mean over `axes`, which disappear; NaN if there are no elements.
    ///
    /// *Gradient:* `g / n` repeated.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]).mean(0).to_vec::<f32>(), [2.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the elements are not floats, or an axis does not exist or is named twice.
    #[track_caller]
    pub fn mean(&self, axes: impl IntoAxes) -> Tensor {
        let (axes, to) = reducing("mean", self, axes, false);
        self.mean_over(axes, to)
    }
    /// [`Tensor::mean`] with the reduced axes kept at size 1.
    ///
    /// # Panics
    /// If the elements are not floats, or an axis does not exist or is named twice.
    #[track_caller]
    pub fn mean_keepdim(&self, axes: impl IntoAxes) -> Tensor {
        let (axes, to) = reducing("mean", self, axes, true);
        self.mean_over(axes, to)
    }

    /// Variance over `axes`, which disappear: sum of (x - mean)^2 / max(n - correction, 0).
    ///
    /// A `correction` of 1 estimates the variance of what the elements were drawn from, 0 is theirs. Without
    /// degrees of freedom the result is NaN, or infinite.
    ///
    /// *Gradient:* 2 g (x - mean) / (n - correction).
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1.0f32, 3.0], [2.0, 6.0]]).var(1, 1).to_vec::<f32>(), [2.0, 8.0]);
    /// ```
    ///
    /// # Panics
    /// If the elements are not floats, or an axis does not exist or is named twice.
    #[track_caller]
    pub fn var(&self, axes: impl IntoAxes, correction: usize) -> Tensor {
        let (axes, to) = reducing("var", self, axes, false);
        apply::op(Var { axes, to, correction }, &[self])
    }
    /// [`Tensor::var`] with the reduced axes kept at size 1.
    ///
    /// # Panics
    /// If the elements are not floats, or an axis does not exist or is named twice.
    #[track_caller]
    pub fn var_keepdim(&self, axes: impl IntoAxes, correction: usize) -> Tensor {
        let (axes, to) = reducing("var", self, axes, true);
        apply::op(Var { axes, to, correction }, &[self])
    }
    /// Standard deviation over `axes`, which disappear: the root of [`Tensor::var`].
    ///
    /// Composite of [`Tensor::var`] and a square root.
    ///
    /// *Gradient:* g (x - mean) / (std (n - correction)), 0 where std is 0.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1.0f32, 3.0], [2.0, 6.0]]).std(1, 0).to_vec::<f32>(), [1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the elements are not floats, or an axis does not exist or is named twice.
    #[track_caller]
    pub fn std(&self, axes: impl IntoAxes, correction: usize) -> Tensor {
        floats("std", self.dtype()).or_raise();
        let (axes, to) = reducing("std", self, axes, false);
        let var = apply::op(Var { axes, to, correction }, &[&widened(self)]);
        rounded(root(&var), self.dtype())
    }
    /// [`Tensor::std`] with the reduced axes kept at size 1.
    ///
    /// # Panics
    /// If the elements are not floats, or an axis does not exist or is named twice.
    #[track_caller]
    pub fn std_keepdim(&self, axes: impl IntoAxes, correction: usize) -> Tensor {
        floats("std", self.dtype()).or_raise();
        let (axes, to) = reducing("std", self, axes, true);
        let var = apply::op(Var { axes, to, correction }, &[&widened(self)]);
        rounded(root(&var), self.dtype())
    }

    /// The norm of order `ord` of the vectors along `axes`: (sum of |x|^ord)^(1/ord).
    ///
    /// Composite of powers and [`Tensor::sum`].
    ///
    /// Order infinity is the largest magnitude, -infinity the smallest, 0 the number of elements other than 0. All
    /// of `axes` together make one vector, flattened. PyTorch's `linalg.vector_norm`.
    ///
    /// *Gradient:* g |x|^(ord-1) sign(x) / norm^(ord-1); 0 where the norm is 0, and at elements that are 0. Order 0:
    /// 0. Infinite orders share `g` among ties.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([[3.0f32, -4.0], [0.0, 2.0]]);
    /// assert_eq!(x.vector_norm(2.0, 1).to_vec::<f32>(), [5.0, 2.0]);
    /// assert_eq!(x.vector_norm(f64::INFINITY, ()).item(), 4.0);
    /// ```
    ///
    /// # Panics
    /// If the elements are not floats, an axis does not exist or is named twice, or `ord` is infinite and an axis
    /// has no elements.
    #[track_caller]
    pub fn vector_norm(&self, ord: impl Into<f64>, axes: impl IntoAxes) -> Tensor {
        let (axes, to) = reducing("vector_norm", self, axes, false);
        self.norm_over(ord.into(), axes, to)
    }
    /// [`Tensor::vector_norm`] with the reduced axes kept at size 1.
    ///
    /// # Panics
    /// If the elements are not floats, an axis does not exist or is named twice, or `ord` is infinite and an axis
    /// has no elements.
    #[track_caller]
    pub fn vector_norm_keepdim(&self, ord: impl Into<f64>, axes: impl IntoAxes) -> Tensor {
        let (axes, to) = reducing("vector_norm", self, axes, true);
        self.norm_over(ord.into(), axes, to)
    }
    #[track_caller]
    fn norm_over(&self, ord: f64, axes: AxisVec, to: Shape) -> Tensor {
        floats("vector_norm", self.dtype()).or_raise();
        if ord.is_infinite() {
            axes.iter().try_for_each(|&axis| nonempty("vector_norm", self.shape(), axis)).or_raise();
        }
        let x = widened(self);
        let norm = if ord == f64::INFINITY {
            x.abs().extreme(true, axes, to)
        } else if ord == f64::NEG_INFINITY {
            x.abs().extreme(false, axes, to)
        } else if ord == 0.0 {
            x.map(|x| x.eq(0.0).where_(0.0, 1.0)).summed(axes, to)
        } else if ord == 1.0 {
            x.abs().summed(axes, to)
        } else if ord == 2.0 {
            let total = x.map(|x| x * x).summed(axes, to);
            root(&total)
        } else {
            let total = power(&x.abs(), ord).summed(axes, to);
            power(&total, 1.0 / ord)
        };
        rounded(norm, self.dtype())
    }
}
/// Square root with gradient 0 at 0.
#[track_caller]
fn root(x: &Tensor) -> Tensor {
    x.map(|x| x.eq(0.0).where_(0.0, x.sqrt()))
}
/// A power of something not negative, with gradient 0 at 0.
#[track_caller]
pub(crate) fn power(x: &Tensor, p: f64) -> Tensor {
    x.map(|x| x.eq(0.0).where_(0.0_f64.powf(p), x.pow(p)))
}

/// These operators as the reference cases call them.
pub(crate) const ENTRIES: &[Entry] = &[
    Entry::new("mean", |x, a| twin(a, || x[0].mean(dims(a)), || x[0].mean_keepdim(dims(a)))),
    Entry::new("var", |x, a| {
        let c = a.int_or("correction", 1).unsigned_abs();
        twin(a, || x[0].var(dims(a), c), || x[0].var_keepdim(dims(a), c))
    }),
    Entry::new("std", |x, a| {
        let c = a.int_or("correction", 1).unsigned_abs();
        twin(a, || x[0].std(dims(a), c), || x[0].std_keepdim(dims(a), c))
    }),
    Entry::new("vector_norm", |x, a| {
        let p = a.f64_or("ord", 2.0);
        twin(a, || x[0].vector_norm(p, dims(a)), || x[0].vector_norm_keepdim(p, dims(a)))
    }),
];
