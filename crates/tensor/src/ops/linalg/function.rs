//! Functions of matrices: determinants, powers, the exponential, the trace.
use super::factor::{Lu, parts};
use super::solve::inverses;
use super::{identity, over, square, unchecked};
use crate::dry;
use crate::dtype::{F64, I64};
use crate::entry::Entry;
use crate::error::{Error, OrRaise};
use crate::op::{Batch, Kernel, Op, Outputs, Saves, Spec, Specs};
use crate::record::{Context, Cotangents};
use crate::{Tensor, apply, cat, stack};
use smallvec::smallvec;

/// The diagonal of U, and 1 or -1 for the order of the rows.
#[track_caller]
fn pivots(x: &Tensor) -> (Tensor, Tensor) {
    let (lu, order) = parts(&unchecked(Lu::of("det", x)));
    let swapped = order.unsqueeze(-1).gt(order.unsqueeze(-2)).triu(1).cast(I64).sum([-2, -1]);
    let sign = 1.0 - swapped.remainder(2).cast(x.dtype()) * 2.0;
    (lu.diagonal(0, -2, -1), sign)
}

#[derive(Clone, Copy, Debug)]
struct Det;
impl Op for Det {
    fn name(&self) -> &'static str {
        "det"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let (lead, _) = square("det", &x[0])?;
        Ok(smallvec![Spec::new(lead, x[0].dtype)])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        Kernel::Compose(Box::new(|x| {
            let (pivots, sign) = pivots(&x[0]);
            smallvec![pivots.prod(-1) * sign]
        }))
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::inputs([0])
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let cofactors = apply::op(Cofactors, &[&cx.input(0)]);
        smallvec![(cofactors * g.unsqueeze(-1).unsqueeze(-1)).into()]
    }
    fn batch(&self, _: &[Spec], _: &[usize], _: u64) -> Batch {
        Batch::whole(*self)
    }
}

/// The matrices of cofactors, `det(A) A⁻ᵀ` where that exists.
#[derive(Clone, Copy, Debug)]
struct Cofactors;
impl Op for Cofactors {
    fn name(&self) -> &'static str {
        "det"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        square("det", &x[0])?;
        Ok(smallvec![x[0].clone()])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        Kernel::Compose(Box::new(|x| smallvec![cofactors(&x[0])]))
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::inputs([0]).and_output()
    }
    /// With `W = A⁻ᵀ` and the cofactors C: `<g, W> C - W gᵀ C`; not of singular matrices.
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let (w, c) = (unchecked(inverses(&cx.input(0))).mt(), cx.output(0));
        let along = (g * &w).sum_keepdim([-2, -1]);
        smallvec![(along * &c - w.matmul(g.mt()).matmul(&c)).into()]
    }
    fn batch(&self, _: &[Spec], _: &[usize], _: u64) -> Batch {
        Batch::whole(*self)
    }
}
fn cofactors(a: &Tensor) -> Tensor {
    if a.numel() == 0 {
        return a.clone();
    }
    let (pivots, sign) = pivots(a);
    let n = pivots.shape()[pivots.rank() - 1];
    let each = |x: &Tensor| x.unsqueeze(-1).unsqueeze(-1);
    let by_inverse = unchecked(inverses(a)).mt() * each(&(pivots.prod(-1) * sign));
    let size = pivots.abs();
    let bar = size.amax(-1) * (super::spectrum::epsilon(a.dtype()) * n as f64);
    let singular = size.amin(-1).le(&bar);
    if dry::is_blank(&singular) || !singular.to_vec::<bool>().contains(&true) {
        return by_inverse;
    }
    // From singular values: what each cofactor is the product of does not need their inverses.
    let (u, s, v) = super::spectrum::unchecked_svd(a);
    let others = identity(a).gt(0.0).where_(1.0, s.unsqueeze(-2)).prod(-1);
    let orientation = u.det() * v.det();
    let by_values = (u * others.unsqueeze(-2)).matmul(v.mt()) * each(&orientation);
    each(&singular).where_(by_values, by_inverse)
}

/// Sign and logarithm of the absolute value of determinants, along a last axis.
#[derive(Clone, Copy, Debug)]
struct SlogDet;
impl Op for SlogDet {
    fn name(&self) -> &'static str {
        "slogdet"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let (lead, _) = square("slogdet", &x[0])?;
        Ok(smallvec![Spec::new(over(&lead, &[2]), x[0].dtype)])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        Kernel::Compose(Box::new(|x| {
            let (pivots, sign) = pivots(&x[0]);
            smallvec![stack(&[pivots.sign().prod(-1) * sign, pivots.abs().log().sum(-1)], -1)]
        }))
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::inputs([0])
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let inverse = unchecked(inverses(&cx.input(0))).mt();
        smallvec![(inverse * g.narrow(-1, 1, 1).unsqueeze(-1)).into()]
    }
    fn batch(&self, _: &[Spec], _: &[usize], _: u64) -> Batch {
        Batch::whole(*self)
    }
}

#[derive(Clone, Copy, Debug)]
struct MatrixExp;
impl Op for MatrixExp {
    fn name(&self) -> &'static str {
        "matrix_exp"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        square("matrix_exp", &x[0])?;
        Ok(smallvec![x[0].clone()])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        Kernel::Compose(Box::new(|x| exponential(&x[0])))
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::inputs([0])
    }
    /// The exponential of `[[Aᵀ, g], [0, Aᵀ]]` has this gradient in its upper right quarter (Mathias, *A chain rule
    /// for matrix functions*, 1996), and its own gradient is had the same way.
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let a = cx.input(0).mt();
        let n = a.shape()[a.rank() - 1];
        let rows = [cat(&[&a, g], -1), cat(&[&a.zeros_like(), &a], -1)];
        let whole = apply::op(MatrixExp, &[&cat(&rows, -2)]);
        smallvec![whole.narrow(-2, 0, n).narrow(-1, n, n).into()]
    }
    fn batch(&self, _: &[Spec], _: &[usize], _: u64) -> Batch {
        Batch::whole(*self)
    }
}
/// Coefficients of the Padé approximant of degree 13, over which the norm that it is good for (Higham, *The scaling
/// and squaring method for the matrix exponential revisited*, 2005).
const PADE: [f64; 14] = [
    64764752532480000.0,
    32382376266240000.0,
    7771770303897600.0,
    1187353796428800.0,
    129060195264000.0,
    10559470521600.0,
    670442572800.0,
    33522128640.0,
    1323241920.0,
    40840800.0,
    960960.0,
    16380.0,
    182.0,
    1.0,
];
const PADE_NORM: f64 = 5.371920351148152;
fn exponential(a: &Tensor) -> Outputs {
    if a.numel() == 0 {
        return smallvec![a.clone()];
    }
    // Each matrix is halved as often as its own norm asks for, whatever is beside it.
    let norms = a.abs().sum(-2).amax(-1).cast(F64);
    let halvings = |norm: f64| {
        if norm.is_finite() { (norm / PADE_NORM).log2().ceil().max(0.0) } else { 0.0 }
    };
    let halved: Vec<f64> = norms.to_vec::<f64>().into_iter().map(halvings).collect();
    let most = halved.iter().fold(0.0_f64, |most, &n| most.max(n)) as usize;
    let scale = halved.iter().map(|n| (-n).exp2()).collect();
    let each = |v: Vec<f64>| Tensor::from_vec(v, norms.shape()).unsqueeze(-1).unsqueeze(-1);
    let a1 = a * each(scale).cast(a.dtype());
    let unit = identity(a);
    let a2 = a1.matmul(&a1);
    let a4 = a2.matmul(&a2);
    let a6 = a4.matmul(&a2);
    let b = PADE;
    // The coefficients as multiples of the first fit `F32` better.
    let c = |k: usize| b[k] / b[0];
    let high = |k: usize| &a6 * c(k + 6) + &a4 * c(k + 4) + &a2 * c(k + 2);
    let low = |k: usize| &a6 * c(k + 6) + &a4 * c(k + 4) + &a2 * c(k + 2) + &unit * c(k);
    let odd = a1.matmul(a6.matmul(high(7)) + low(1));
    let even = a6.matmul(high(6)) + low(0);
    let mut y = unchecked(super::solve::solutions(&(&even - &odd), &(even + odd)));
    let halved = each(halved);
    for done in 0..most {
        y = halved.gt(done as f64).where_(y.matmul(&y), &y);
    }
    smallvec![y]
}

impl Tensor {
    /// The determinants of the matrices in the last two axes. 1 for matrices without elements, NaN for those that are
    /// not finite.
    ///
    /// `F32` and `F64`. *Gradient:* `g` times the cofactors, for singular matrices too; there is no second gradient of
    /// these.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([[0.0f64, 2.0], [4.0, 1.0]]).det().item(), -8.0);
    /// ```
    ///
    /// # Panics
    /// If the matrices are not square, or the elements are of another type.
    #[track_caller]
    pub fn det(&self) -> Tensor {
        apply::op(Det, &[self])
    }
    /// Sign and logarithm of the absolute value of the determinants, which may themselves be too large or too small:
    /// 0 and negative infinity for singular matrices, NaN for those that are not finite.
    ///
    /// `F32` and `F64`. *Gradient:* `g self⁻ᵀ` of the logarithm, infinite or NaN at singular matrices; none of the sign.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (sign, log) = Tensor::from([[0.0f64, 2.0], [4.0, 1.0]]).slogdet();
    /// assert!(sign.item() == -1.0 && (log.item() - 8f64.ln()).abs() < 1e-12);
    /// ```
    ///
    /// # Panics
    /// If the matrices are not square, or the elements are of another type.
    #[track_caller]
    pub fn slogdet(&self) -> (Tensor, Tensor) {
        let both = apply::op(SlogDet, &[self]);
        (both.select(-1, 0), both.select(-1, 1))
    }
    /// The logarithm of the absolute value of the determinants; see [`Tensor::slogdet`].
    ///
    /// Composite of [`Tensor::slogdet`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([[0.0f64, 1.0], [-1.0, 0.0]]).logabsdet().item(), 0.0);
    /// ```
    ///
    /// # Panics
    /// If the matrices are not square, or the elements are not `F32` or `F64`.
    #[track_caller]
    pub fn logabsdet(&self) -> Tensor {
        self.slogdet().1
    }
    /// The exponentials of the matrices in the last two axes: the sum of `self^k / k!`.
    ///
    /// By scaling and squaring, each matrix by its own norm; NaN for matrices that are not finite. `F32` and `F64`.
    /// *Gradient:* exact, from the exponential of a matrix of twice the size.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let y = Tensor::from([[0.0f64, 1.0], [0.0, 0.0]]).matrix_exp();
    /// assert!(y.isclose(Tensor::from([[1.0f64, 1.0], [0.0, 1.0]]), 1e-14, 0.0).to_vec::<bool>() == [true; 4]);
    /// ```
    ///
    /// # Panics
    /// If the matrices are not square, or the elements are of another type.
    #[track_caller]
    pub fn matrix_exp(&self) -> Tensor {
        apply::op(MatrixExp, &[self])
    }
    /// The matrices in the last two axes multiplied by themselves: `n` factors, the identity for 0, those of the inverse
    /// for negative `n`.
    ///
    /// Composite of [`Tensor::matmul`] and [`Tensor::inv`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([[1.0f64, 1.0], [0.0, 1.0]]);
    /// assert_eq!(x.matrix_power(5).to_vec::<f64>(), [1.0, 5.0, 0.0, 1.0]);
    /// assert_eq!(x.matrix_power(-2).to_vec::<f64>(), [1.0, -2.0, 0.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the matrices are not square, `n` is negative and one is singular or not finite, or the elements are not
    /// `F32` or `F64`.
    #[track_caller]
    pub fn matrix_power(&self, n: i32) -> Tensor {
        square("matrix_power", &self.spec()).or_raise();
        let mut square = if n < 0 { self.inv() } else { self.clone() };
        let mut rest = n.unsigned_abs();
        let mut product: Option<Tensor> = None;
        while rest > 0 {
            if rest & 1 == 1 {
                product = Some(product.map_or_else(|| square.clone(), |p| p.matmul(&square)));
            }
            rest >>= 1;
            if rest > 0 {
                square = square.matmul(&square);
            }
        }
        product.unwrap_or_else(|| identity(self).broadcast_to(self.shape()))
    }
    /// The sums of the diagonals of the matrices in the last two axes.
    ///
    /// Composite of [`Tensor::diagonal`] and [`Tensor::sum`].
    ///
    /// Any type; integers as `I64`. *Gradient:* `g` on the diagonal.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1i64, 2], [3, 4]]).trace().to_vec::<i64>(), [5]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn trace(&self) -> Tensor {
        self.diagonal(0, -2, -1).sum(-1)
    }
}

/// What the reference cases call.
pub(crate) const ENTRIES: &[Entry] = &[
    Entry::new("det", |x, _| vec![x[0].det()]),
    Entry::new("logabsdet", |x, _| vec![x[0].logabsdet()]),
    Entry::new("matrix_exp", |x, _| vec![x[0].matrix_exp()]),
    Entry::new("matrix_power", |x, a| vec![x[0].matrix_power(a.int("n") as i32)]),
    Entry::new("trace", |x, _| vec![x[0].trace()]),
];
