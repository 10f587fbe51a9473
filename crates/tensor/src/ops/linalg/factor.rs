//! Factorisations: Cholesky, LU, QR.
use super::solve::{LOWER, UNIT_LOWER, UPPER, triangular};
use super::{OnMatrix, checked, counted, each, elimination, matrices, square, unchecked, with_status};
use crate::apply;
use crate::dtype::{Element, I64};
use crate::entry::Entry;
use crate::error::{Error, OrRaise};
use crate::op::{Batch, Kernel, Op, Saves, Spec, Specs};
use crate::record::{Context, Cotangents};
use crate::{Tensor, cat};
use retrograd_linalg::Real;
use smallvec::smallvec;

/// The lower factor of symmetric positive definite matrices.
#[derive(Clone, Copy, Debug)]
struct Cholesky;
impl OnMatrix for Cholesky {
    fn run<T: Element + Real>(self, x: &[&[T]], out: &mut [T]) -> bool {
        out.copy_from_slice(x[0]);
        T::cholesky(out, out.len().isqrt())
    }
}
impl Op for Cholesky {
    fn name(&self) -> &'static str {
        "cholesky"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let (lead, n) = square("cholesky", &x[0])?;
        Ok(with_status(&lead, &[n, n], x[0].dtype))
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        each("cholesky", x, *self)
    }
    fn flops(&self, x: &[Spec], _: &[Spec]) -> u64 {
        counted(&x[0], |n, _| n * n * n / 3.0)
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::OUTPUT
    }
    /// Murray, *Differentiation of the Cholesky decomposition* (2016): with P the lower triangle of `Lᵀ g`, its
    /// diagonal halved, the symmetric part of `L⁻ᵀ P L⁻¹`.
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let l = cx.output(0);
        let p = l.mt().matmul(g);
        let p = (p.tril(0) + p.tril(-1)) * 0.5;
        let left = triangular(&l, &p, LOWER.transpose());
        let both = triangular(&l, &left.mt(), LOWER.transpose());
        smallvec![((&both + both.mt()) * 0.5).into()]
    }
    fn batch(&self, _: &[Spec], _: &[usize], _: u64) -> Batch {
        Batch::whole(*self)
    }
}

/// `A[rows] = L U`, packed: U in and above the diagonal, L below it, and `rows` in a last column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lu {
    pub(super) name: &'static str,
    m: usize,
    n: usize,
}
impl Lu {
    #[track_caller]
    pub(super) fn of(name: &'static str, x: &Tensor) -> crate::op::Outputs {
        let (_, m, n) = matrices(name, &x.spec()).or_raise();
        apply::op_n(Lu { name, m, n }, &[x])
    }
}
impl OnMatrix for Lu {
    fn run<T: Element + Real>(self, x: &[&[T]], out: &mut [T]) -> bool {
        let Lu { m, n, .. } = self;
        let (mut factors, mut rows) = (x[0].to_vec(), vec![0; m]);
        T::lu(&mut factors, [m, n], &mut rows);
        for (i, to) in out.chunks_mut(n + 1).enumerate() {
            to[..n].copy_from_slice(&factors[i * n..(i + 1) * n]);
            to[n] = T::from_f64(rows[i] as f64);
        }
        true
    }
}
impl Op for Lu {
    fn name(&self) -> &'static str {
        self.name
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let (lead, m, n) = matrices(self.name, &x[0])?;
        Ok(with_status(&lead, &[m, n + 1], x[0].dtype))
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        each("lu", x, *self)
    }
    fn flops(&self, x: &[Spec], _: &[Spec]) -> u64 {
        counted(&x[0], elimination)
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::OUTPUT
    }
    /// For a square matrix, with the two triangles of `g`: `A[rows]` gets
    /// `L⁻ᵀ (tril(Lᵀ g_L, -1) + triu(g_U Uᵀ)) U⁻ᵀ` (de Hoog, Anderssen and Lukas, *Differentiation of matrix functionals
    /// using triangular factorization*, 2011). Rows or columns beyond the square are solutions with one triangle.
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let (m, n) = (self.m, self.n);
        let k = m.min(n);
        let packed = cx.output(0);
        let rows = packed.narrow(-1, n, 1).cast(I64);
        let (f, g) = (packed.narrow(-1, 0, n), g.narrow(-1, 0, n));
        let part = |x: &Tensor, at: [usize; 2], size: [usize; 2]| {
            x.narrow(-2, at[0], size[0]).narrow(-1, at[1], size[1])
        };
        let (top, g_top) = (part(&f, [0, 0], [k, k]), part(&g, [0, 0], [k, k]));
        let l = top.tril(-1) + super::identity(&top);
        let mut below = l.mt().matmul(g_top.tril(-1));
        let mut above = g_top.triu(0).matmul(top.triu(0).mt());
        // X with X U = Y, transposed.
        let over_u = |y: &Tensor| triangular(&top, &y.mt(), UPPER).mt();
        let (wide, tall) = (part(&g, [0, k], [k, n - k]), part(&g, [k, 0], [m - k, k]));
        if n > k {
            below -= wide.matmul(part(&f, [0, k], [k, n - k]).mt());
        }
        if m > k {
            above -= part(&f, [k, 0], [m - k, k]).mt().matmul(&tall);
        }
        let inner = over_u(&(below.tril(-1) + above.triu(0)));
        let inner = if n > k { cat(&[inner, wide], -1) } else { inner };
        let inner = triangular(&top, &inner, UNIT_LOWER.transpose());
        let all = if m > k { cat(&[inner, over_u(&tall)], -2) } else { inner };
        let back = rows.argsort(-2, false).broadcast_to(all.shape());
        smallvec![all.gather(-2, &back).into()]
    }
    fn batch(&self, _: &[Spec], _: &[usize], _: u64) -> Batch {
        Batch::whole(*self)
    }
}

/// Q above R transposed.
#[derive(Clone, Copy, Debug)]
struct Qr {
    m: usize,
    n: usize,
}
impl OnMatrix for Qr {
    fn run<T: Element + Real>(self, x: &[&[T]], out: &mut [T]) -> bool {
        let Qr { m, n } = self;
        let k = m.min(n);
        let (q, r) = out.split_at_mut(m * k);
        let mut rows = vec![T::from_f64(0.0); k * n];
        let done = T::qr(x[0], [m, n], q, &mut rows);
        (0..n).for_each(|j| (0..k).for_each(|i| r[j * k + i] = rows[i * n + j]));
        done
    }
}
impl Op for Qr {
    fn name(&self) -> &'static str {
        "qr"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let (lead, m, n) = matrices("qr", &x[0])?;
        Ok(with_status(&lead, &[m + n, m.min(n)], x[0].dtype))
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        each("qr", x, *self)
    }
    fn flops(&self, x: &[Spec], _: &[Spec]) -> u64 {
        // R, and Q from the reflections.
        counted(&x[0], |m, n| 2.0 * (elimination(m, n) + elimination(m, m.min(n))))
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::OUTPUT
    }
    /// Walter and Lehmann, *Algorithmic differentiation of linear algebra functions* (2010): with
    /// `M = R g_Rᵀ - g_Qᵀ Q`, `(g_Q + Q copyltu(M)) R⁻ᵀ`, where `copyltu` mirrors the lower triangle. Of a wide matrix
    /// that is for the first columns; the others are `Q` times theirs of R.
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let (m, k) = (self.m, self.m.min(self.n));
        let (q, r) = split(&cx.output(0), m);
        let (mut gq, gr) = split(g, m);
        let (head, rest) = (r.narrow(-1, 0, k), r.narrow(-1, k, self.n - k));
        let (g_head, g_rest) = (gr.narrow(-1, 0, k), gr.narrow(-1, k, self.n - k));
        if self.n > k {
            gq += q.matmul(rest.matmul(g_rest.mt()));
        }
        let mirrored = head.matmul(g_head.mt()) - gq.mt().matmul(&q);
        let mirrored = mirrored.tril(0) + mirrored.tril(-1).mt();
        let inner = gq + q.matmul(mirrored);
        let first = triangular(&head, &inner.mt(), UPPER).mt();
        let all = if self.n > k { cat(&[first, q.matmul(g_rest)], -1) } else { first };
        smallvec![all.into()]
    }
    fn batch(&self, _: &[Spec], _: &[usize], _: u64) -> Batch {
        Batch::whole(*self)
    }
}
/// Q and R of a packed pair.
#[track_caller]
fn split(packed: &Tensor, m: usize) -> (Tensor, Tensor) {
    (packed.narrow(-2, 0, m), packed.narrow(-2, m, packed.shape()[packed.rank() - 2] - m).mt())
}

impl Tensor {
    /// The lower triangular L with a positive diagonal and `L Lᵀ` = this, for symmetric positive definite matrices in
    /// the last two axes. The upper triangle is not read.
    ///
    /// `F32` and `F64`. *Gradient:* of the function of symmetric matrices, itself symmetric, as in PyTorch.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let l = Tensor::from([[4.0f64, 2.0], [2.0, 5.0]]).cholesky();
    /// assert_eq!(l.to_vec::<f64>(), [2.0, 0.0, 1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the matrices are not square, one is not positive definite or not finite (see [`Tensor::try_cholesky`]), or
    /// the elements are of another type.
    #[track_caller]
    pub fn cholesky(&self) -> Tensor {
        self.try_cholesky().or_raise()
    }
    /// [`Tensor::cholesky`], or which matrix has none.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let e = Tensor::from([[1.0f64, 2.0], [2.0, 1.0]]).try_cholesky().unwrap_err();
    /// assert!(e.to_string().starts_with("cholesky: not positive definite: the matrix"));
    /// ```
    ///
    /// # Errors
    /// If a matrix is not positive definite or not finite.
    ///
    /// # Panics
    /// If the matrices are not square, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn try_cholesky(&self) -> Result<Tensor, Error> {
        let out = apply::op_n(Cholesky, &[self]);
        checked("cholesky", out, "not positive definite", "all eigenvalues must be above 0")
    }
    /// The factors L (unit lower triangular or trapezoidal) and U (upper) of these matrices with their rows in a
    /// better order, packed as `L - I + U`, and that order as `I64`: `self[order] = L U`. PyTorch's `lu_factor` gives
    /// LAPACK's pivots instead of the order.
    ///
    /// A singular matrix has such factors too. With NaN or infinities all of a matrix's factors are NaN. *Gradient:*
    /// of the factors at this order; infinite or NaN if the leading square block of a matrix is singular.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (lu, order) = Tensor::from([[0.0f64, 2.0], [4.0, 6.0]]).lu_factor();
    /// assert_eq!((lu.to_vec::<f64>(), order.to_vec::<i64>()), (vec![4.0, 6.0, 0.0, 2.0], vec![1, 0]));
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two axes, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn lu_factor(&self) -> (Tensor, Tensor) {
        parts(&unchecked(Lu::of("lu_factor", self)))
    }
    /// P, L and U with `P L U` = this: a permutation, a unit lower triangular and an upper triangular matrix. Of
    /// rectangular matrices, L has as many columns, and U as many rows, as the smaller size.
    ///
    /// Composite of the packed factors, [`Tensor::tril`], [`Tensor::triu`] and [`Tensor::one_hot`].
    ///
    /// *Gradient:* as [`Tensor::lu_factor`]; none of P.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([[0.0f64, 2.0], [4.0, 6.0]]);
    /// let (p, l, u) = x.lu();
    /// assert_eq!(p.matmul(&l).matmul(&u).to_vec::<f64>(), x.to_vec::<f64>());
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two axes, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn lu(&self) -> (Tensor, Tensor, Tensor) {
        let (packed, order) = parts(&unchecked(Lu::of("lu", self)));
        let (m, n) = (packed.size(-2), packed.size(-1));
        let k = m.min(n);
        let diagonal = self.dtype().eye(m.max(n)).narrow(0, 0, m).narrow(1, 0, k);
        let p = order.one_hot(m).mt().cast(self.dtype());
        (p, packed.narrow(-1, 0, k).tril(-1) + diagonal, packed.narrow(-2, 0, k).triu(0))
    }
    /// Q with orthonormal columns and R, upper triangular with no negative number on its diagonal, and `Q R` = this: for
    /// matrices `[m, n]`, `[m, k]` and `[k, n]` with `k` the smaller size. PyTorch's mode `reduced`, but that the
    /// signs are fixed.
    ///
    /// *Gradient:* exact if the first `k` columns are independent, else infinite or NaN.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (q, r) = Tensor::from([[3.0f64], [4.0]]).qr();
    /// assert!(q.isclose(Tensor::from([[0.6], [0.8]]), 1e-12, 0.0).all(()).item() == 1.0);
    /// assert!((r.item() - 5.0).abs() < 1e-12);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two axes, a matrix is not finite (see [`Tensor::try_qr`]), or the elements are not
    /// `F32` or `F64`.
    #[track_caller]
    pub fn qr(&self) -> (Tensor, Tensor) {
        self.try_qr().or_raise()
    }
    /// [`Tensor::qr`], or which matrix is not finite.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert!(Tensor::from([[f64::NAN]]).try_qr().is_err());
    /// ```
    ///
    /// # Errors
    /// If a matrix has NaN or infinite elements.
    ///
    /// # Panics
    /// If there are fewer than two axes, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn try_qr(&self) -> Result<(Tensor, Tensor), Error> {
        let (_, m, n) = matrices("qr", &self.spec()).or_raise();
        let out = apply::op_n(Qr { m, n }, &[self]);
        Ok(split(&checked("qr", out, "overflow", "elements must be of moderate size")?, m))
    }
}
/// The packed factors and the order of rows.
#[track_caller]
pub(super) fn parts(packed: &Tensor) -> (Tensor, Tensor) {
    let n = packed.shape()[packed.rank() - 1] - 1;
    (packed.narrow(-1, 0, n), packed.select(-1, n).cast(I64))
}

/// What the reference cases call.
pub(crate) const ENTRIES: &[Entry] = &[
    Entry::new("cholesky", |x, a| vec![symmetrised(&x[0], a).cholesky()]),
    Entry::new("qr_r", |x, _| vec![x[0].qr().1]),
];
/// The first input as a recorded case hands it on.
pub(super) fn symmetrised(x: &Tensor, a: &crate::entry::Attrs) -> Tensor {
    if a.bool_or("symmetrised", false) { (x + x.mt()) * 0.5 } else { x.clone() }
}
