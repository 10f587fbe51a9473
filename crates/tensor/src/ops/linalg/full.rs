//! Decompositions with all that PyTorch's give: singular vectors to no value, residuals and ranks.
use super::spectrum::inverted;
use super::{OnMatrix, counted, each, elimination, matrices, unchecked, with_status};
use crate::dtype::Element;
use crate::error::{Error, OrRaise};
use crate::op::{Batch, Kernel, Op, Saves, Spec, Specs};
use crate::record::{Context, Cotangents};
use crate::{Tensor, apply, cat};
use retrograd_linalg::Real;
use smallvec::smallvec;

/// For orthonormal columns `[m, k]` those that make a basis of them, `[m, m - k]`.
#[derive(Clone, Copy, Debug)]
struct Complement {
    m: usize,
    k: usize,
}
impl OnMatrix for Complement {
    fn run<T: Element + Real>(self, x: &[&[T]], out: &mut [T]) -> bool {
        T::complement(x[0], [self.m, self.k], out);
        true
    }
}
impl Op for Complement {
    fn name(&self) -> &'static str {
        "svd_full"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let (lead, m, k) = matrices("svd_full", &x[0])?;
        Ok(with_status(&lead, &[m, m - k], x[0].dtype))
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        each("complement", x, *self)
    }
    fn flops(&self, x: &[Spec], _: &[Spec]) -> u64 {
        // The reflections of the columns, applied to the others.
        counted(&x[0], |m, k| 2.0 * elimination(m, k) + (4.0 * m - 2.0 * k) * k * (m - k))
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::inputs([0]).and_output()
    }
    /// What stays orthogonal moves by `dN = -U dUᵀ N`, and freely within its own span, on which nothing may depend.
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        smallvec![(-cx.output(0).matmul(g.mt().matmul(cx.input(0)))).into()]
    }
    fn batch(&self, _: &[Spec], _: &[usize], _: u64) -> Batch {
        Batch::whole(*self)
    }
}
/// Orthonormal columns, and behind them those that make them a basis.
#[track_caller]
fn completed(u: &Tensor) -> Tensor {
    let (m, k) = (u.size(-2), u.size(-1));
    if m == k {
        return u.clone();
    }
    cat(&[u.clone(), unchecked(apply::op_n(Complement { m, k }, &[u]))], -1)
}

/// What [`Tensor::lstsq_full`] gives.
#[derive(Clone, Debug)]
pub struct Lstsq {
    /// The solutions, as [`Tensor::lstsq`] gives them.
    pub solution: Tensor,
    /// For each right side the sum of the squares of what is left of it, `|a x - b|²`.
    pub residuals: Tensor,
    /// The rank of each matrix, as `I64`.
    pub rank: Tensor,
}

impl Tensor {
    /// As [`Tensor::svd`], with square matrices of singular vectors: for matrices `[m, n]`, `[m, m]`, `[k]` and `[n, n]`
    /// with `k` the smaller size. PyTorch's `svd` with `full_matrices=True`.
    ///
    /// Composite of [`Tensor::svd`], the rest of each basis and [`Tensor::cat`].
    ///
    /// *Gradient:* as for [`Tensor::svd`]; through the vectors beyond number `k`, of which only their span is determined,
    /// exact for what depends on that alone (PyTorch leaves them out: what depends on them has no gradient through them).
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (u, s, vt) = Tensor::from([[0.0f64], [3.0]]).svd_full();
    /// assert_eq!((u.to_vec::<f64>(), s.item(), vt.item()), (vec![0.0, 1.0, 1.0, 0.0], 3.0, 1.0));
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two axes, a matrix is not finite (see [`Tensor::try_svd_full`]), or the elements are not
    /// `F32` or `F64`.
    #[track_caller]
    pub fn svd_full(&self) -> (Tensor, Tensor, Tensor) {
        self.try_svd_full().or_raise()
    }
    /// [`Tensor::svd_full`], or which matrix has none.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert!(Tensor::from([[f64::NAN]]).try_svd_full().is_err());
    /// ```
    ///
    /// # Errors
    /// If a matrix is not finite, or the iteration does not converge.
    ///
    /// # Panics
    /// If there are fewer than two axes, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn try_svd_full(&self) -> Result<(Tensor, Tensor, Tensor), Error> {
        let (u, s, vt) = self.try_svd()?;
        Ok((completed(&u), s, completed(&vt.mt()).mt()))
    }
    /// [`Tensor::lstsq`] with what is left of the right sides and the ranks of the matrices, as PyTorch's gives them; its
    /// residuals are empty unless all matrices have more rows than columns and full rank, these are always there.
    ///
    /// Composite of [`Tensor::pinv`], [`Tensor::matmul`] and a sum of squares.
    ///
    /// *Gradient:* exact where the rank does not change; none of the rank.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let a = Tensor::from([[1.0f64, 0.0], [0.0, 2.0], [0.0, 0.0]]);
    /// let fit = a.lstsq_full(&Tensor::from([1.0f64, 4.0, 3.0]), None);
    /// assert!(fit.solution.isclose(Tensor::from([1.0f64, 2.0]), 1e-12, 0.0).all(()).item() == 1.0);
    /// assert!((fit.residuals.item() - 9.0).abs() < 1e-12 && fit.rank.item() == 2.0);
    /// ```
    ///
    /// # Panics
    /// If the shapes or types do not fit, or a matrix is not finite (see [`Tensor::try_lstsq_full`]).
    #[track_caller]
    pub fn lstsq_full(&self, b: &Tensor, rtol: Option<f64>) -> Lstsq {
        self.try_lstsq_full(b, rtol).or_raise()
    }
    /// [`Tensor::lstsq_full`], or which matrix is not finite.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert!(Tensor::from([[f64::NAN]]).try_lstsq_full(&Tensor::from([1.0f64]), None).is_err());
    /// ```
    ///
    /// # Errors
    /// If a matrix is not finite, or the iteration for its singular values does not converge.
    ///
    /// # Panics
    /// If the shapes or types do not fit.
    #[track_caller]
    pub fn try_lstsq_full(&self, b: &Tensor, rtol: Option<f64>) -> Result<Lstsq, Error> {
        let (inverse, rank) = inverted("lstsq", self, rtol)?;
        let list = b.rank() == 1;
        let b = if list { b.unsqueeze(-1) } else { b.clone() };
        let solution = inverse.matmul(&b);
        let residuals = (self.matmul(&solution) - b).square().sum(-2);
        let unlisted = |x: Tensor| if list { x.squeeze(-1) } else { x };
        let (solution, residuals) = (unlisted(solution), unlisted(residuals));
        Ok(Lstsq { solution, residuals, rank })
    }
}
