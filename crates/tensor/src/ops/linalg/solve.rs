//! Linear systems and inverses.
use super::factor::{Lu, parts};
use super::{FAILED, OnMatrix, checked, counted, each, identity, over, square, unchecked, with_status};
use crate::Tensor;
use crate::apply;
use crate::dtype::Element;
use crate::entry::Entry;
use crate::error::{Error, ErrorKind, OrRaise, raise};
use crate::op::{Batch, Kernel, Op, Outputs, Saves, Spec, Specs};
use crate::record::{Context, Cotangents};
use crate::shape::{self, Shape};
use retrograd_linalg::{Real, Triangle};
use smallvec::smallvec;

/// How a matrix is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct As(Triangle);
pub(super) const LOWER: As = As(Triangle { upper: false, transposed: false, unit: false });
pub(super) const UPPER: As = As(Triangle { upper: true, ..LOWER.0 });
pub(super) const UNIT_LOWER: As = As(Triangle { unit: true, ..LOWER.0 });
impl As {
    pub(super) const fn transpose(self) -> As {
        As(Triangle { transposed: !self.0.transposed, ..self.0 })
    }
}
/// The solution of `a x = b` for a triangle, of which an element on the diagonal may be 0. Same leading axes.
#[track_caller]
pub(super) fn triangular(a: &Tensor, b: &Tensor, by: As) -> Tensor {
    unchecked(apply::op_n(Triangular(by), &[a, b]))
}

/// Square matrices and right sides of the same leading axes; the number of right sides.
fn system(op: &'static str, a: &Spec, b: &Spec) -> Result<(Shape, usize, usize), Error> {
    let (lead, n) = square(op, a)?;
    let (lead_b, m, k) = super::matrices(op, b)?;
    if m != n || lead != lead_b || a.dtype != b.dtype {
        let given = format!("{} of {} and {} of {}", a.shape, a.dtype, b.shape, b.dtype);
        let right = "leading axes, types and the number of rows must be equal";
        let detail = format!("matrices and right sides do not fit: {given}; {right}");
        return Err(Error::new(op, ErrorKind::Shape, detail));
    }
    Ok((lead, n, k))
}

#[derive(Clone, Copy, Debug)]
struct Triangular(As);
impl OnMatrix for Triangular {
    fn run<T: Element + Real>(self, x: &[&[T]], out: &mut [T]) -> bool {
        let n = x[0].len().isqrt();
        out.copy_from_slice(x[1]);
        if n > 0 && !out.is_empty() {
            let k = out.len() / n;
            T::solve_triangular(x[0], n, out, k, self.0.0);
        }
        true
    }
}
impl Op for Triangular {
    fn name(&self) -> &'static str {
        "solve_triangular"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let (lead, n, k) = system("solve_triangular", &x[0], &x[1])?;
        Ok(with_status(&lead, &[n, k], x[0].dtype))
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        each("solve_triangular", x, *self)
    }
    fn flops(&self, x: &[Spec], _: &[Spec]) -> u64 {
        counted(&x[1], |n, k| n * n * k)
    }
    fn saves(&self, tracked: u64) -> Saves {
        let saves = Saves::inputs([0]);
        if tracked & 1 == 1 { saves.and_output() } else { saves }
    }
    /// Of the right sides `h = A⁻ᵀ g`, of the triangle that of `-h xᵀ` (Giles, *An extended collection of matrix
    /// derivative results*, 2008).
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let h = triangular(&cx.input(0), g, self.0.transpose());
        let Triangle { upper, transposed, unit } = self.0.0;
        let da = cx.needs(0).then(|| {
            let x = cx.output(0);
            let full = if transposed { x.matmul(h.mt()) } else { h.matmul(x.mt()) };
            let off = isize::from(unit);
            -if upper { full.triu(off) } else { full.tril(-off) }
        });
        smallvec![da.into(), h.into()]
    }
    fn batch(&self, _: &[Spec], _: &[usize], _: u64) -> Batch {
        Batch::whole(*self)
    }
}

/// The solution of `a x = b`, by LU with partial pivoting.
#[derive(Clone, Copy, Debug)]
struct Solve;
impl Op for Solve {
    fn name(&self) -> &'static str {
        "solve"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let (lead, n, k) = system("solve", &x[0], &x[1])?;
        Ok(with_status(&lead, &[n, k], x[0].dtype))
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        Kernel::Compose(Box::new(|x| solution(&x[0], &x[1])))
    }
    fn saves(&self, tracked: u64) -> Saves {
        let saves = Saves::inputs([0]);
        if tracked & 1 == 1 { saves.and_output() } else { saves }
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let h = unchecked(solutions(&cx.input(0).mt(), g));
        let da = cx.needs(0).then(|| -h.matmul(cx.output(0).mt()));
        smallvec![da.into(), h.into()]
    }
    fn batch(&self, _: &[Spec], _: &[usize], _: u64) -> Batch {
        Batch::whole(*self)
    }
}
/// Solutions and what became of them. Same leading axes.
#[track_caller]
pub(super) fn solutions(a: &Tensor, b: &Tensor) -> Outputs {
    apply::op_n(Solve, &[a, b])
}
fn solution(a: &Tensor, b: &Tensor) -> Outputs {
    let factors = Lu::of("solve", a);
    let (lu, order) = parts(&factors[0]);
    let singular = lu.diagonal(0, -2, -1).eq(0.0).any(-1).cast(a.dtype()) * FAILED;
    smallvec![by_factors(&lu, &order, b), factors[1].ne(0.0).where_(&factors[1], singular)]
}
fn by_factors(lu: &Tensor, order: &Tensor, b: &Tensor) -> Tensor {
    let b = b.gather(-2, &order.unsqueeze(-1).broadcast_to(b.shape()));
    triangular(lu, &triangular(lu, &b, UNIT_LOWER), UPPER)
}

#[derive(Clone, Copy, Debug)]
struct Inverse;
impl Op for Inverse {
    fn name(&self) -> &'static str {
        "inv"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let (lead, n) = square("inv", &x[0])?;
        Ok(with_status(&lead, &[n, n], x[0].dtype))
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        Kernel::Compose(Box::new(|x| solution(&x[0], &identity(&x[0]).broadcast_to(x[0].shape()))))
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::OUTPUT
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let y = cx.output(0).mt();
        smallvec![(-y.matmul(g).matmul(&y)).into()]
    }
    fn batch(&self, _: &[Spec], _: &[usize], _: u64) -> Batch {
        Batch::whole(*self)
    }
}
/// Inverses and what became of them.
#[track_caller]
pub(super) fn inverses(a: &Tensor) -> Outputs {
    apply::op_n(Inverse, &[a])
}
const SINGULAR: [&str; 2] = ["singular", "it must have an inverse; lstsq and pinv take any matrix"];

/// `a` and `b` with equal leading axes.
#[track_caller]
fn aligned(op: &'static str, a: &Tensor, b: &Tensor) -> (Tensor, Tensor) {
    let lead = |t: &Tensor| -> Shape { t.shape()[..t.rank().saturating_sub(2)].into() };
    let own = |t: &Tensor| -> Vec<usize> { t.shape()[t.rank().saturating_sub(2)..].to_vec() };
    let to = shape::broadcast(op, &lead(a), &lead(b)).or_raise();
    (a.broadcast_to(over(&to, &own(a))), b.broadcast_to(over(&to, &own(b))))
}
/// `a` and `b` as matrices of equal leading axes, and whether `b` is a list of right sides, one for each matrix.
#[track_caller]
fn columns(op: &'static str, a: &Tensor, b: &Tensor) -> (Tensor, Tensor, bool) {
    square(op, &a.spec()).or_raise();
    let vectors = b.rank() == 1 || (b.rank() + 1 == a.rank() && b.shape()[..] == a.shape()[..a.rank() - 1]);
    let (a, b) = aligned(op, a, &if vectors { b.unsqueeze(-1) } else { b.clone() });
    (a, b, vectors)
}
/// The solutions, as a list if the right sides were one.
#[track_caller]
fn uncolumned(x: Tensor, vectors: bool) -> Tensor {
    if vectors { x.squeeze(-1) } else { x }
}

impl Tensor {
    /// The inverses of the matrices in the last two axes.
    ///
    /// `F32` and `F64`. *Gradient:* `-yᵀ g yᵀ`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([[0.0f64, 2.0], [4.0, 0.0]]).inv().to_vec::<f64>(), [0.0, 0.25, 0.5, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the matrices are not square, one is singular or not finite (see [`Tensor::try_inv`]), or the elements are of
    /// another type.
    #[track_caller]
    pub fn inv(&self) -> Tensor {
        self.try_inv().or_raise()
    }
    /// [`Tensor::inv`], or which matrix has none. A matrix counts as singular if elimination ends in an exact 0.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let e = Tensor::from([[1.0f64, 2.0], [2.0, 4.0]]).try_inv().unwrap_err();
    /// assert!(e.to_string().starts_with("inv: singular: the matrix"));
    /// ```
    ///
    /// # Errors
    /// If a matrix is singular or not finite.
    ///
    /// # Panics
    /// If the matrices are not square, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn try_inv(&self) -> Result<Tensor, Error> {
        checked("inv", inverses(self), SINGULAR[0], SINGULAR[1])
    }
    /// The solutions x of `self x = b`: for matrices `[.., n, n]`, right sides `[.., n, k]`, or `[.., n]` with one each.
    ///
    /// Leading axes broadcast. `b` counts as vectors if it has one axis, or the shape of these matrices without the
    /// last. `F32` and `F64`. *Gradient:* `h = self⁻ᵀ g` of the right sides, `-h xᵀ` of the matrices.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let a = Tensor::from([[0.0f64, 2.0], [4.0, 0.0]]);
    /// assert_eq!(a.solve(&Tensor::from([2.0f64, 4.0])).to_vec::<f64>(), [1.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes or types do not fit, or a matrix is singular or not finite (see [`Tensor::try_solve`]).
    #[track_caller]
    pub fn solve(&self, b: &Tensor) -> Tensor {
        self.try_solve(b).or_raise()
    }
    /// [`Tensor::solve`], or which matrix is singular.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert!(Tensor::zeros([2, 2]).try_solve(&Tensor::ones([2])).is_err());
    /// ```
    ///
    /// # Errors
    /// If a matrix is singular or not finite.
    ///
    /// # Panics
    /// If the shapes or types do not fit.
    #[track_caller]
    pub fn try_solve(&self, b: &Tensor) -> Result<Tensor, Error> {
        let (a, b, vectors) = columns("solve", self, b);
        let x = checked("solve", solutions(&a, &b), SINGULAR[0], SINGULAR[1])?;
        Ok(uncolumned(x, vectors))
    }
    /// The solutions x of `self x = b` for triangular matrices; shapes as [`Tensor::solve`]. The other triangle is not
    /// read, with `unit` the diagonal neither: it counts as ones.
    ///
    /// A 0 on the diagonal gives infinities or NaN, and so do operands that are not finite. *Gradient:* `h = self⁻ᵀ g`
    /// of the right sides, the triangle of `-h xᵀ` of the matrices.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let a = Tensor::from([[2.0f64, 9.0], [1.0, 4.0]]);
    /// assert_eq!(a.solve_triangular(&Tensor::from([2.0f64, 5.0]), false, false).to_vec::<f64>(), [1.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn solve_triangular(&self, b: &Tensor, upper: bool, unit: bool) -> Tensor {
        let by = As(Triangle { upper, transposed: false, unit });
        let (a, b, vectors) = columns("solve_triangular", self, b);
        uncolumned(triangular(&a, &b, by), vectors)
    }
    /// The solutions x of `L Lᵀ x = b`, where this is the factor L of [`Tensor::cholesky`]; shapes as [`Tensor::solve`].
    ///
    /// Composite of [`Tensor::solve_triangular`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let a = Tensor::from([[4.0f64, 2.0], [2.0, 5.0]]);
    /// assert_eq!(a.cholesky().cholesky_solve(&Tensor::from([6.0f64, 7.0])).to_vec::<f64>(), [1.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn cholesky_solve(&self, b: &Tensor) -> Tensor {
        let (l, b, vectors) = columns("cholesky_solve", self, b);
        uncolumned(triangular(&l, &triangular(&l, &b, LOWER), LOWER.transpose()), vectors)
    }
    /// The inverse of `L Lᵀ`, where this is the factor L of [`Tensor::cholesky`].
    ///
    /// Composite of [`Tensor::solve_triangular`] and [`Tensor::matmul`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let l = Tensor::from([[2.0f64, 0.0], [0.0, 4.0]]);
    /// assert_eq!(l.cholesky_inverse().to_vec::<f64>(), [0.25, 0.0, 0.0, 0.0625]);
    /// ```
    ///
    /// # Panics
    /// If the matrices are not square, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn cholesky_inverse(&self) -> Tensor {
        square("cholesky_inverse", &self.spec()).or_raise();
        let inverse = triangular(self, &identity(self).broadcast_to(self.shape()), LOWER);
        inverse.mt().matmul(&inverse)
    }
    /// The solutions x of `A x = b`, where this and `order` are what [`Tensor::lu_factor`] gave for A; shapes as
    /// [`Tensor::solve`].
    ///
    /// Composite of [`Tensor::gather`] and [`Tensor::solve_triangular`].
    ///
    /// A singular A gives infinities or NaN. *Gradient:* reaches both `b` and the factors.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (lu, order) = Tensor::from([[0.0f64, 2.0], [4.0, 0.0]]).lu_factor();
    /// assert_eq!(lu.lu_solve(&order, &Tensor::from([2.0f64, 4.0])).to_vec::<f64>(), [1.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn lu_solve(&self, order: &Tensor, b: &Tensor) -> Tensor {
        if order.shape()[..] != self.shape()[..self.rank().saturating_sub(1)] {
            let given = format!("factors {} and order {}", self.shape(), order.shape());
            let right = "the order has all axes of the factors but the last";
            raise(Error::new("lu_solve", ErrorKind::Shape, format!("shapes do not fit: {given}; {right}")));
        }
        let (lu, b, vectors) = columns("lu_solve", self, b);
        let order = order.broadcast_to(&lu.shape()[..lu.rank() - 1]);
        uncolumned(by_factors(&lu, &order, &b), vectors)
    }
}

/// What the reference cases call.
pub(crate) const ENTRIES: &[Entry] = &[
    Entry::new("inv", |x, _| vec![x[0].inv()]),
    Entry::new("solve", |x, a| vec![sided(&x[0], &x[1], a, Tensor::solve)]),
    Entry::new("solve_triangular", |x, a| {
        let (upper, unit) = (a.bool_or("upper", false), a.bool_or("unitriangular", false));
        if a.bool_or("left", true) {
            return vec![x[0].solve_triangular(&x[1], upper, unit)];
        }
        vec![x[0].mt().solve_triangular(&x[1].mt(), !upper, unit).mt()]
    }),
];
/// With `left` false the case is `x a = b`.
fn sided(a: &Tensor, b: &Tensor, attrs: &crate::entry::Attrs, f: fn(&Tensor, &Tensor) -> Tensor) -> Tensor {
    if attrs.bool_or("left", true) { f(a, b) } else { f(&a.mt(), &b.mt()).mt() }
}
