//! Singular values and eigenvalues, and what is made of them: pseudoinverses, least squares, ranks.
use super::{OnMatrix, checked, counted, differences, each, gated, matrices, square, unchecked, with_status};
use crate::dtype::{DType, Element, F32, I64};
use crate::entry::Entry;
use crate::error::{Error, OrRaise};
use crate::op::{Batch, Kernel, Op, Outputs, Saves, Spec, Specs};
use crate::record::{Context, Cotangents};
use crate::{Tensor, apply, hidden};
use retrograd_linalg::Real;
use smallvec::smallvec;
use std::panic::Location;

/// The distance from 1 to the next number.
pub(super) fn epsilon(dtype: DType) -> f64 {
    if dtype == F32 { f64::from(f32::EPSILON) } else { f64::EPSILON }
}

/// U, a row of singular values, and V, below each other.
#[derive(Clone, Copy, Debug)]
struct Svd {
    name: &'static str,
    m: usize,
    n: usize,
}
impl Svd {
    #[track_caller]
    fn of(name: &'static str, x: &Tensor) -> Outputs {
        let (_, m, n) = matrices(name, &x.spec()).or_raise();
        apply::op_n(Svd { name, m, n }, &[x])
    }
    /// U, the values and V.
    #[track_caller]
    fn split(packed: &Tensor, m: usize, n: usize) -> (Tensor, Tensor, Tensor) {
        (packed.narrow(-2, 0, m), packed.select(-2, m), packed.narrow(-2, m + 1, n))
    }
}
impl OnMatrix for Svd {
    fn run<T: Element + Real>(self, x: &[&[T]], out: &mut [T]) -> bool {
        let Svd { m, n, .. } = self;
        let k = m.min(n);
        let (u, rest) = out.split_at_mut(m * k);
        let (s, v) = rest.split_at_mut(k);
        T::svd(x[0], [m, n], u, s, v)
    }
}
impl Op for Svd {
    fn name(&self) -> &'static str {
        self.name
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let (lead, m, n) = matrices(self.name, &x[0])?;
        Ok(with_status(&lead, &[m + 1 + n, m.min(n)], x[0].dtype))
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        each("svd", x, *self)
    }
    fn flops(&self, x: &[Spec], _: &[Spec]) -> u64 {
        // Golub and Van Loan, *Matrix computations*: R first, then its values and vectors.
        counted(&x[0], |m, n| {
            let (long, k) = (m.max(n), m.min(n));
            6.0 * long * k * k + 20.0 * k * k * k
        })
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::OUTPUT
    }
    /// Townsend, *Differentiating the singular value decomposition* (2016). With X and Y the antisymmetric parts of
    /// `Uᵀ g_U` and `Vᵀ g_V` twice, the core `(s_j X_ij + s_i Y_ij) / (s_j² - s_i²)` is written as partial fractions:
    /// the first is 0 wherever nothing depends on the choice of vectors to equal values.
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let (m, n) = (self.m, self.n);
        let (u, s, v) = Svd::split(&cx.output(0), m, n);
        let (gu, gs, gv) = Svd::split(g, m, n);
        let (ku, kv) = (u.mt().matmul(&gu), v.mt().matmul(&gv));
        let (x, y) = (&ku - ku.mt(), &kv - kv.mt());
        let sums = s.unsqueeze(-2) + s.unsqueeze(-1);
        let core = (gated(&(&x + &y), &differences(&s)) + gated(&(x - y), &sums)) * 0.5;
        let core = core + gs.diag_embed(0);
        let mut inner = core.matmul(v.mt());
        if n > m {
            inner += gated(&(&gv - v.matmul(&kv)), &s.unsqueeze(-2)).mt();
        }
        let mut a = u.matmul(inner);
        if m > n {
            a += gated(&(&gu - u.matmul(&ku)), &s.unsqueeze(-2)).matmul(v.mt());
        }
        smallvec![a.into()]
    }
    fn batch(&self, _: &[Spec], _: &[usize], _: u64) -> Batch {
        Batch::whole(*self)
    }
}
/// U, singular values and V, NaN where there are none.
#[track_caller]
pub(super) fn unchecked_svd(x: &Tensor) -> (Tensor, Tensor, Tensor) {
    let (_, m, n) = matrices("svd", &x.spec()).or_raise();
    Svd::split(&unchecked(Svd::of("svd", x)), m, n)
}
const STUCK: [&str; 2] = ["no convergence", "scale its elements, or perturb them"];

/// A row of eigenvalues above the eigenvectors.
#[derive(Clone, Copy, Debug)]
struct Eigh {
    name: &'static str,
}
impl OnMatrix for Eigh {
    fn run<T: Element + Real>(self, x: &[&[T]], out: &mut [T]) -> bool {
        let n = x[0].len().isqrt();
        let (w, v) = out.split_at_mut(n);
        T::eigh(x[0], n, w, v)
    }
}
impl Op for Eigh {
    fn name(&self) -> &'static str {
        self.name
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let (lead, n) = square(self.name, &x[0])?;
        Ok(with_status(&lead, &[n + 1, n], x[0].dtype))
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        each("eigh", x, *self)
    }
    fn flops(&self, x: &[Spec], _: &[Spec]) -> u64 {
        counted(&x[0], |n, _| 9.0 * n * n * n)
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::OUTPUT
    }
    /// Giles (2008): `V (diag(g_w) + K_ij / (w_j - w_i)) Vᵀ`, K the antisymmetric part of `Vᵀ g_V`.
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let split = |p: &Tensor| (p.select(-2, 0), p.narrow(-2, 1, p.shape()[p.rank() - 1]));
        let ((w, v), (gw, gv)) = (split(&cx.output(0)), split(g));
        let k = v.mt().matmul(gv);
        let core = gated(&((&k - k.mt()) * 0.5), &differences(&w)) + gw.diag_embed(0);
        smallvec![v.matmul(core).matmul(v.mt()).into()]
    }
    fn batch(&self, _: &[Spec], _: &[usize], _: u64) -> Batch {
        Batch::whole(*self)
    }
}
#[track_caller]
fn eigen(name: &'static str, x: &Tensor) -> Result<(Tensor, Tensor), Error> {
    let packed = checked(name, apply::op_n(Eigh { name }, &[x]), STUCK[0], STUCK[1])?;
    let n = packed.shape()[packed.rank() - 1];
    Ok((packed.select(-2, 0), packed.narrow(-2, 1, n)))
}

/// Pseudoinverses, and ranks: singular values of at most `rtol` times the largest count as 0.
#[derive(Clone, Copy, Debug)]
struct Pinv {
    name: &'static str,
    rtol: f64,
}
/// The pseudoinverses of the operands of an operation, what became of them, and their ranks.
#[track_caller]
pub(super) fn inverted(name: &'static str, x: &Tensor, rtol: Option<f64>) -> Result<(Tensor, Tensor), Error> {
    let out = apply::op_n(Pinv { name, rtol: bar(name, x, rtol) }, &[x]);
    let rank = hidden::cut(&out[2], name, "a rank is an integer", Location::caller()).cast(I64);
    Ok((checked(name, out, STUCK[0], STUCK[1])?, rank))
}
impl Op for Pinv {
    fn name(&self) -> &'static str {
        self.name
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let (lead, m, n) = matrices(self.name, &x[0])?;
        let mut specs = with_status(&lead, &[n, m], x[0].dtype);
        specs.push(Spec::new(lead, x[0].dtype)); // a float, or it would cut the record
        Ok(specs)
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        let Pinv { name, rtol } = *self;
        Kernel::Compose(Box::new(move |x| {
            let (_, m, n) = matrices(name, &x[0].spec()).or_raise();
            let out = Svd::of(name, &x[0]);
            let (u, s, v) = Svd::split(&out[0], m, n);
            let counts = above(&s, rtol);
            let inverse = counts.where_(s.reciprocal(), 0.0);
            let result = (v * inverse.unsqueeze(-2)).matmul(u.mt());
            smallvec![result, out[1].clone(), counts.cast(x[0].dtype()).sum(-1)]
        }))
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::inputs([0]).and_output()
    }
    /// Golub and Pereyra, *The differentiation of pseudo-inverses and nonlinear least squares problems whose variables
    /// separate* (1973), as long as the rank stays: `-Pᵀ g Pᵀ + (I - A P) gᵀ P Pᵀ + Pᵀ P gᵀ (I - P A)`.
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let (a, p) = (cx.input(0), cx.output(0));
        let left = g.mt().matmul(&p).matmul(p.mt());
        let right = p.mt().matmul(p.matmul(g.mt()));
        let along = p.mt().matmul(g).matmul(p.mt());
        let across = &left - a.matmul(p.matmul(&left)) + &right - right.matmul(&p).matmul(&a);
        smallvec![(across - along).into()]
    }
    fn batch(&self, _: &[Spec], _: &[usize], _: u64) -> Batch {
        Batch::whole(*self)
    }
}
/// Which singular values do not count as 0.
#[track_caller]
fn above(s: &Tensor, rtol: f64) -> Tensor {
    if s.shape()[s.rank() - 1] == 0 {
        return s.gt(0.0);
    }
    s.gt(s.amax_keepdim(-1) * rtol)
}
/// The bar that PyTorch takes unless told otherwise.
#[track_caller]
fn bar(op: &'static str, x: &Tensor, rtol: Option<f64>) -> f64 {
    let (_, m, n) = matrices(op, &x.spec()).or_raise();
    rtol.unwrap_or(m.max(n) as f64 * epsilon(x.dtype()))
}

impl Tensor {
    /// U, singular values from the largest, and Vᵀ with `U diag(s) Vᵀ` = this: for matrices `[m, n]`, `[m, k]`, `[k]`
    /// and `[k, n]` with `k` the smaller size. PyTorch's `svd` with `full_matrices=False`;
    /// with `True` it is [`Tensor::svd_full`].
    ///
    /// `F32` and `F64`. Vectors are determined up to rotations among those of equal values, and up to signs: the largest
    /// element of each column of U is positive here, and any in PyTorch. *Gradient:* exact for what does not depend on that choice. Where it does, with equal singular values, or with 0 among them
    /// in rectangular matrices, it is infinite or NaN; that of the values alone is always finite.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([[0.0f64, 2.0], [3.0, 0.0], [0.0, 0.0]]);
    /// let (u, s, vt) = x.svd();
    /// let back = (u * s.unsqueeze(0)).matmul(vt);
    /// assert!(back.isclose(&x, 1e-12, 1e-12).all(()).item() == 1.0);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two axes, a matrix is not finite (see [`Tensor::try_svd`]), or the elements are of
    /// another type.
    #[track_caller]
    pub fn svd(&self) -> (Tensor, Tensor, Tensor) {
        self.try_svd().or_raise()
    }
    /// [`Tensor::svd`], or which matrix has none.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let e = Tensor::from([[[1.0f64]], [[f64::INFINITY]]]).try_svd().unwrap_err();
    /// assert!(e.to_string().starts_with("svd: not finite: matrix [1] of a batch [2]"));
    /// ```
    ///
    /// # Errors
    /// If a matrix is not finite, or the iteration does not converge.
    ///
    /// # Panics
    /// If there are fewer than two axes, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn try_svd(&self) -> Result<(Tensor, Tensor, Tensor), Error> {
        let (_, m, n) = matrices("svd", &self.spec()).or_raise();
        let packed = checked("svd", Svd::of("svd", self), STUCK[0], STUCK[1])?;
        let (u, s, v) = Svd::split(&packed, m, n);
        Ok((u, s, v.mt()))
    }
    /// The singular values of the matrices in the last two axes, from the largest.
    ///
    /// *Gradient:* `U diag(g) Vᵀ`; of a value that is 0, that of one choice of vectors. There is no second gradient
    /// where values are equal.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([[0.0f64, 2.0], [3.0, 0.0]]).svdvals().to_vec::<f64>(), [3.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two axes, a matrix is not finite, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn svdvals(&self) -> Tensor {
        let (_, m, n) = matrices("svdvals", &self.spec()).or_raise();
        let packed = checked("svdvals", Svd::of("svdvals", self), STUCK[0], STUCK[1]).or_raise();
        Svd::split(&packed, m, n).1
    }
    /// Eigenvalues, ascending, and eigenvectors, as columns, of symmetric matrices, of which the lower triangle is read.
    ///
    /// `F32` and `F64`. Vectors are determined up to rotations among those of equal values, and up to signs: the largest
    /// element of each is positive here, and any in PyTorch. *Gradient:* symmetric, and exact for what does not depend on that choice; where it does, with equal eigenvalues, it is
    /// infinite or NaN. That of the values alone is always finite.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (w, v) = Tensor::from([[2.0f64, 0.0], [0.0, 1.0]]).eigh();
    /// assert_eq!((w.to_vec::<f64>(), v.abs().to_vec::<f64>()), (vec![1.0, 2.0], vec![0.0, 1.0, 1.0, 0.0]));
    /// ```
    ///
    /// # Panics
    /// If the matrices are not square, one is not finite (see [`Tensor::try_eigh`]), or the elements are of another
    /// type.
    #[track_caller]
    pub fn eigh(&self) -> (Tensor, Tensor) {
        self.try_eigh().or_raise()
    }
    /// [`Tensor::eigh`], or which matrix has none.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert!(Tensor::from([[f64::NAN]]).try_eigh().is_err());
    /// ```
    ///
    /// # Errors
    /// If a matrix is not finite, or the iteration does not converge.
    ///
    /// # Panics
    /// If the matrices are not square, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn try_eigh(&self) -> Result<(Tensor, Tensor), Error> {
        eigen("eigh", self)
    }
    /// The eigenvalues of symmetric matrices, ascending; the lower triangle is read.
    ///
    /// *Gradient:* `V diag(g) Vᵀ`. There is no second gradient where eigenvalues are equal.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([[2.0f64, 0.0], [0.0, 1.0]]).eigvalsh().to_vec::<f64>(), [1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the matrices are not square, one is not finite, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn eigvalsh(&self) -> Tensor {
        eigen("eigvalsh", self).or_raise().0
    }
    /// The Moore-Penrose inverses of the matrices in the last two axes, `[n, m]` for `[m, n]`. Singular values of at
    /// most `rtol` times the largest count as 0; `None` is the larger size times the distance from 1 to the next number.
    ///
    /// `F32` and `F64`. *Gradient:* exact where the rank does not change.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let p = Tensor::from([[2.0f64, 0.0], [0.0, 0.0], [0.0, 4.0]]).pinv(None);
    /// assert!(p.isclose(Tensor::from([[0.5, 0.0, 0.0], [0.0, 0.0, 0.25]]), 1e-12, 1e-12).all(()).item() == 1.0);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two axes, a matrix is not finite, or the elements are of another type.
    #[track_caller]
    pub fn pinv(&self, rtol: Option<f64>) -> Tensor {
        inverted("pinv", self, rtol).or_raise().0
    }
    /// The x of least norm among those with the least `|self x - b|`: for matrices `[.., m, n]`, right sides
    /// `[.., m, k]`, or one of shape `[m]`. Any rank; leading axes broadcast. `rtol` as [`Tensor::pinv`], of which this
    /// is the product with `b`. What is left of `b`, and ranks: [`Tensor::lstsq_full`].
    ///
    /// Composite of [`Tensor::pinv`] and [`Tensor::matmul`].
    ///
    /// *Gradient:* exact where the rank does not change.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let a = Tensor::from([[1.0f64, 0.0], [1.0, 1.0], [1.0, 2.0]]);
    /// let line = a.lstsq(&Tensor::from([1.0f64, 3.0, 5.0]), None);
    /// assert!(line.isclose(Tensor::from([1.0f64, 2.0]), 1e-12, 0.0).all(()).item() == 1.0);
    /// ```
    ///
    /// # Panics
    /// If the shapes or types do not fit, or a matrix is not finite (see [`Tensor::try_lstsq`]).
    #[track_caller]
    pub fn lstsq(&self, b: &Tensor, rtol: Option<f64>) -> Tensor {
        self.try_lstsq(b, rtol).or_raise()
    }
    /// [`Tensor::lstsq`], or which matrix is not finite.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert!(Tensor::from([[f64::NAN]]).try_lstsq(&Tensor::from([1.0f64]), None).is_err());
    /// ```
    ///
    /// # Errors
    /// If a matrix is not finite, or the iteration for its singular values does not converge.
    ///
    /// # Panics
    /// If the shapes or types do not fit.
    #[track_caller]
    pub fn try_lstsq(&self, b: &Tensor, rtol: Option<f64>) -> Result<Tensor, Error> {
        Ok(inverted("lstsq", self, rtol)?.0.matmul(b))
    }
    /// How many singular values are above `rtol` times the largest, as `I64`; `None` as for [`Tensor::pinv`].
    ///
    /// Composite of [`Tensor::svdvals`] and a comparison.
    ///
    /// There is no gradient.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1.0f64, 2.0], [2.0, 4.0]]).matrix_rank(None).item(), 1.0);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two axes, a matrix is not finite, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn matrix_rank(&self, rtol: Option<f64>) -> Tensor {
        let rtol = bar("matrix_rank", self, rtol);
        let (_, m, n) = matrices("matrix_rank", &self.spec()).or_raise();
        let packed = checked("matrix_rank", Svd::of("matrix_rank", self), STUCK[0], STUCK[1]).or_raise();
        above(&Svd::split(&packed, m, n).1, rtol).cast(I64).sum(-1)
    }
}

/// What the reference cases call.
pub(crate) const ENTRIES: &[Entry] = &[
    Entry::new("eigvalsh", |x, a| vec![super::factor::symmetrised(&x[0], a).eigvalsh()]),
    Entry::new("svdvals", |x, _| vec![x[0].svdvals()]),
    Entry::new("pinv", |x, a| {
        let rtol = ["rtol", "rcond"].into_iter().find(|name| a.has(name)).map(|name| a.f64(name));
        vec![x[0].pinv(rtol)]
    }),
];
