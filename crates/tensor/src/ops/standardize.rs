//! Standardisation over axes, the core of every normalisation of networks, and vectors of length one.
//!
//! Over trailing axes it is one pass over memory, forward and backward. The statistics are operands of the
//! operation, made outside the tape: its rule is the whole gradient, so that nothing but `x` and they is kept.
use crate::Tensor;
use crate::apply;
use crate::entry::Entry;
use crate::error::{Error, OrRaise};
use crate::hidden;
use crate::map::map_n;
use crate::op::{Batch, Kernel, Op, Saves, Spec, Specs, behind};
use crate::ops::reduce::{floats, kept, reducing};
use crate::ops::stats::{count, rounded, widened};
use crate::record::{Context, Cotangent, Cotangents};
use crate::shape::{self, AxisVec, IntoAxes};
use smallvec::smallvec;

/// (x - mean) / sqrt(var + eps), of operands x, mean and 1 / sqrt(var + eps), the last two with `axes` at size 1.
#[derive(Debug)]
struct Standardize {
    axes: AxisVec,
    eps: f64,
}
impl Op for Standardize {
    fn name(&self) -> &'static str {
        "standardize"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        Ok(smallvec![x[0].clone()])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        Kernel::Compose(Box::new(|x| {
            smallvec![map_n([(&x[0]).into(), (&x[1]).into(), (&x[2]).into()], |s| (s[0] - s[1]) * s[2])]
        }))
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::inputs([0, 1, 2])
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let x = cx.input(0);
        // A rule that is differentiated itself needs statistics that are functions of x.
        let (mean, scale) = if hidden::is_tracked(&x) {
            let (mean, var) = x.statistics(&self.axes);
            let scale = var.map(|v| (v + self.eps).rsqrt());
            (mean, scale)
        } else {
            (cx.input(1), cx.input(2))
        };
        let n = count(x.shape(), &self.axes);
        let to = kept(x.shape(), &self.axes);
        let operands = || [g, &x, &mean, &scale].map(Into::into);
        let along =
            map_n(operands(), |s| s[0] * ((s[1] - s[2]) * s[3])).summed(self.axes.clone(), to.clone());
        let total = g.summed(self.axes.clone(), to);
        let all = operands().into_iter().chain([total.into(), along.into()]);
        let part = map_n(all, |s| {
            let [g, x, mean, scale, total, along] = *s else { unreachable!("six operands") };
            (g - (total + (x - mean) * scale * along) / n) * scale
        });
        smallvec![part.into(), Cotangent::None, Cotangent::None]
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(Standardize { axes: behind(lead, &self.axes), eps: self.eps })
    }
}

impl Tensor {
    /// Mean and variance over `axes`, which are kept at size 1.
    #[track_caller]
    fn statistics(&self, axes: &AxisVec) -> (Tensor, Tensor) {
        let (n, to) = (count(self.shape(), axes), kept(self.shape(), axes));
        let mean = self.summed(axes.clone(), to.clone()) / n;
        let squares = self.zip_map(&mean, |x, mean| (x - mean) * (x - mean)).summed(axes.clone(), to);
        (mean, squares / n)
    }
    /// (x - mean) / sqrt(var + eps) over `axes`, mean and variance being those of the elements themselves.
    ///
    /// The core of layer, group, instance and batch normalisation. *Gradient:* (g - mean(g) - y mean(g y)) /
    /// sqrt(var + eps), y the output.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1.0f32, 3.0], [5.0, 9.0]]).standardize(1, 0.0).to_vec::<f32>(), [-1.0, 1.0, -1.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the elements are not floats, or an axis does not exist or is named twice.
    #[track_caller]
    pub fn standardize(&self, axes: impl IntoAxes, eps: f64) -> Tensor {
        self.standardize_stats(axes, eps).0
    }
    /// [`Tensor::standardize`], and with it the mean and the variance that it subtracts and divides by, without
    /// `axes` and without a gradient; of half types in `F32`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (_, mean, var) = Tensor::from([[1.0f32, 3.0], [5.0, 9.0]]).standardize_stats(1, 0.0);
    /// assert_eq!((mean.to_vec::<f32>(), var.to_vec::<f32>()), (vec![2.0, 7.0], vec![1.0, 4.0]));
    /// ```
    ///
    /// # Panics
    /// If the elements are not floats, or an axis does not exist or is named twice.
    #[track_caller]
    pub fn standardize_stats(&self, axes: impl IntoAxes, eps: f64) -> (Tensor, Tensor, Tensor) {
        floats("standardize", self.dtype()).or_raise();
        let (axes, to) = reducing("standardize", self, axes, false);
        let wide = widened(self);
        let (mean, var) = hidden::with_edge(&wide, None).statistics(&axes);
        let scale = var.map(|v| (v + eps).rsqrt());
        let y = apply::op(Standardize { axes, eps }, &[&wide, &mean, &scale]);
        (rounded(y, self.dtype()), mean.reshaped(&to), var.reshaped(&to))
    }
    /// This tensor divided by its norm of order `p` along `axis`, or by `eps` where that is larger.
    ///
    /// Composite of [`Tensor::vector_norm`] and a quotient.
    ///
    /// *Gradient:* that of the quotient; where the norm is below `eps`, g / eps.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([[3.0f32, 4.0], [0.0, 0.0]]);
    /// assert_eq!(x.normalize(2.0, 1, 1e-12).to_vec::<f32>(), [0.6, 0.8, 0.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the elements are not floats, there is no such axis, or `p` is infinite and the axis has no elements.
    #[track_caller]
    pub fn normalize(&self, p: f64, axis: isize, eps: f64) -> Tensor {
        let wide = widened(self);
        let norm = wide.vector_norm_keepdim(p, axis);
        rounded(wide.zip_map(norm, |x, n| x / n.clamp_min(eps)), self.dtype())
    }
    /// The cosine of the angle between the vectors along `axis` of two tensors, which are broadcast; norms below
    /// `eps` count as `eps`.
    ///
    /// Composite of [`Tensor::normalize`], a product and [`Tensor::sum`].
    ///
    /// *Gradient:* that of the quotient; 0 for the norm of a vector that is 0, or shorter than `eps` (PyTorch: as if
    /// it were not bounded).
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (x, y) = (Tensor::from([[1.0f32, 0.0]]), Tensor::from([[3.0f32, 4.0]]));
    /// assert!((x.cosine_similarity(&y, 1, 1e-8).item() - 0.6).abs() < 1e-6);
    /// ```
    ///
    /// # Panics
    /// If the elements are not floats, the types differ, the shapes do not broadcast, or there is no such axis.
    #[track_caller]
    pub fn cosine_similarity(&self, other: &Tensor, axis: isize, eps: f64) -> Tensor {
        let common = shape::broadcast("cosine_similarity", self.shape(), other.shape()).or_raise();
        let [x, y] = [self, other].map(|t| t.broadcast_to(&common).normalize(2.0, axis, eps));
        (x * y).sum(axis)
    }
}

/// These operators as the reference cases call them.
pub(crate) const ENTRIES: &[Entry] = &[
    Entry::new("normalize", |x, a| {
        vec![x[0].normalize(a.f64_or("p", 2.0), a.int_or("dim", 1), a.f64_or("eps", 1e-12))]
    }),
    Entry::new("cosine_similarity", |x, a| {
        vec![x[0].cosine_similarity(&x[1], a.int_or("dim", 1), a.f64_or("eps", 1e-8))]
    }),
];
