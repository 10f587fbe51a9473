//! Gradients against finite differences.
use crate::differentiate::Differentiate;
use crate::grad::or_zeros;
use retrograd_tensor::{Error, ErrorKind, F64, Rng, Tensor, cat, enable_grad};

/// How far [`gradcheck`] goes, and how near it wants to come.
#[derive(Clone, Copy, Debug)]
pub struct GradCheck {
    /// The step of the differences, relative to elements above 1.
    pub eps: f64,
    /// Relative to the difference quotient.
    pub rtol: f64,
    /// Absolute.
    pub atol: f64,
    /// Up to this many derivatives every single one is checked; beyond, projections on random directions.
    pub all_up_to: usize,
    /// How many random directions.
    pub directions: usize,
}
impl Default for GradCheck {
    fn default() -> GradCheck {
        GradCheck { eps: 1e-6, rtol: 1e-5, atol: 1e-7, all_up_to: 4096, directions: 8 }
    }
}
/// Whether the gradients of `f` at `xs`, which are `F64`, are its derivatives: central differences of every element
/// at small sizes, along random directions at large ones. `f` may have any shape.
///
/// At kinks differences and gradients need not agree; draw points away from them.
///
/// ```
/// use retrograd_autograd::{Differentiate, gradcheck};
/// use retrograd_tensor::Tensor;
/// let x = Tensor::from([0.3f64, -1.2]);
/// assert!(gradcheck(|x| x[0].tanh() * &x[0], &[&x]).is_ok());
/// let wrong = gradcheck(|x| &x[0] * x[0].detach(), &[&x]).unwrap_err();
/// assert!(wrong.to_string().contains("derivative of output [0] by element [0] of operand 0"));
/// ```
///
/// # Errors
/// The first derivative that is wrong, with both values; operands of another type; a function that gives other bits
/// when it is called again.
#[track_caller]
pub fn gradcheck(f: impl Fn(&[Tensor]) -> Tensor, xs: &[&Tensor]) -> Result<(), Error> {
    GradCheck::default().first(f, xs)
}
/// As [`gradcheck`] for the gradients of the gradients, along a random cotangent.
///
/// ```
/// use retrograd_autograd::gradgradcheck;
/// use retrograd_tensor::Tensor;
/// assert!(gradgradcheck(|x| x[0].sin() * &x[0], &[&Tensor::from([0.3f64, -1.2])]).is_ok());
/// ```
///
/// # Errors
/// As [`gradcheck`].
#[track_caller]
pub fn gradgradcheck(f: impl Fn(&[Tensor]) -> Tensor, xs: &[&Tensor]) -> Result<(), Error> {
    GradCheck::default().second(f, xs)
}
/// Whether the gradients of `f` at `xs` are the derivatives of another function, `surrogate`, of the same operands and the
/// same shape: for an estimator whose gradient is by definition not its own, such as a straight-through one. Settings and
/// differences as for [`gradcheck`].
///
/// ```
/// use retrograd_autograd::{gradcheck, gradcheck_against, with_vjp};
/// use retrograd_tensor::Tensor;
/// // Rounds, and lets gradients through as if it did not.
/// let round = |x: &[Tensor]| with_vjp(&[&x[0]], |x| x[0].round(), |_, _, g| vec![g.clone()]);
/// let x = Tensor::from([0.3f64, -1.2]);
/// assert!(gradcheck_against(round, |x| x[0].clone(), &[&x]).is_ok());
/// assert!(gradcheck_against(round, |x| x[0].tanh(), &[&x]).is_err());
/// assert!(gradcheck(round, &[&x]).is_err());
/// ```
///
/// # Errors
/// As [`gradcheck`]; a surrogate of another shape or type.
#[track_caller]
pub fn gradcheck_against(
    f: impl Fn(&[Tensor]) -> Tensor,
    surrogate: impl Fn(&[Tensor]) -> Tensor,
    xs: &[&Tensor],
) -> Result<(), Error> {
    GradCheck::default().against(f, surrogate, xs)
}
fn refused(detail: String) -> Error {
    Error::new("gradcheck", ErrorKind::Gradient, detail).here()
}
/// The place of element `k` of a tensor.
fn place(t: &Tensor, mut k: usize) -> Vec<usize> {
    let mut at = vec![0; t.rank()];
    for (at, &size) in at.iter_mut().zip(t.shape().iter()).rev() {
        (*at, k) = (k % size, k / size);
    }
    at
}
type Function<'a> = &'a dyn Fn(&[Tensor]) -> Tensor;
impl GradCheck {
    /// [`gradcheck`] with these settings.
    ///
    /// # Errors
    /// As [`gradcheck`].
    #[track_caller]
    pub fn first(&self, f: impl Fn(&[Tensor]) -> Tensor, xs: &[&Tensor]) -> Result<(), Error> {
        self.compare(&f, None, xs)
    }
    /// [`gradcheck_against`] with these settings.
    ///
    /// # Errors
    /// As [`gradcheck_against`].
    #[track_caller]
    pub fn against(
        &self,
        f: impl Fn(&[Tensor]) -> Tensor,
        surrogate: impl Fn(&[Tensor]) -> Tensor,
        xs: &[&Tensor],
    ) -> Result<(), Error> {
        self.compare(&f, Some(&surrogate), xs)
    }
    /// The gradients of `f` with differences of `surrogate`, or else of `f`.
    #[track_caller]
    fn compare(&self, f: Function<'_>, surrogate: Option<Function<'_>>, xs: &[&Tensor]) -> Result<(), Error> {
        let leaves: Vec<Tensor> =
            xs.iter().map(|x| plain(x).map(|x| x.tracked())).collect::<Result<_, _>>()?;
        let y = enable_grad(|| f(&leaves));
        if y.dtype() != F64 {
            return Err(refused(format!("the result is {}; differences need f64 throughout", y.dtype())));
        }
        let bits = |y: &Tensor| y.detach().to_vec::<f64>().into_iter().map(f64::to_bits).collect::<Vec<_>>();
        if bits(&y) != bits(&f(&leaves)) {
            return Err(refused("the function gives other values when it is called again".to_owned()));
        }
        if let Some(surrogate) = surrogate {
            let stands_in = surrogate(&leaves);
            if stands_in.spec() != y.spec() {
                let given = format!("{} {}", stands_in.dtype(), stands_in.shape());
                let right =
                    format!("the function gives {} {}, and so must its surrogate", y.dtype(), y.shape());
                return Err(refused(format!("the surrogate gives {given}; {right}")));
            }
        }
        let points: Vec<&Tensor> = leaves.iter().collect();
        let size: usize = leaves.iter().map(Tensor::numel).sum();
        let moving = surrogate.unwrap_or(f);
        if size * y.numel() <= self.all_up_to {
            self.every(moving, &y, &points)
        } else {
            self.projected(moving, &y, &points)
        }
    }
    /// [`gradgradcheck`] with these settings.
    ///
    /// # Errors
    /// As [`gradcheck`].
    #[track_caller]
    pub fn second(&self, f: impl Fn(&[Tensor]) -> Tensor, xs: &[&Tensor]) -> Result<(), Error> {
        let values: Vec<Tensor> = xs.iter().map(|x| plain(x)).collect::<Result<_, _>>()?;
        let seed = F64.randn(f(&values).shape().clone(), &mut Rng::new(0x5eed));
        let n = xs.len();
        let gradients = |x: &[Tensor]| {
            let leaf = |x: &Tensor| if x.is_tracked() { x.clone() } else { x.tracked() };
            let points: Vec<Tensor> = x[..n].iter().map(leaf).collect();
            let y = f(&points);
            let wrt: Vec<&Tensor> = points.iter().collect();
            let g = or_zeros("gradcheck", &y, &wrt, Some(&x[n]), true);
            let flat: Vec<Tensor> = g.iter().map(|g| g.reshape(-1)).collect();
            if flat.is_empty() { F64.zeros(0) } else { cat(&flat, 0) }
        };
        let operands: Vec<&Tensor> = values.iter().chain([&seed]).collect();
        self.first(gradients, &operands)
    }
    fn near(&self, got: f64, want: f64) -> bool {
        got == want || (got - want).abs() <= self.atol + self.rtol * want.abs()
    }
    /// Every derivative of `y`, column by column, against differences of `f`.
    fn every(&self, f: &dyn Fn(&[Tensor]) -> Tensor, y: &Tensor, xs: &[&Tensor]) -> Result<(), Error> {
        let row = |i: usize| {
            let unit = F64.zeros(y.numel()).index_copy(0, &Tensor::from([i as i64]), &F64.ones(1));
            or_zeros("gradcheck", y, xs, Some(&unit.reshape(&y.shape()[..])), false)
        };
        let rows: Vec<Vec<Vec<f64>>> =
            (0..y.numel()).map(|i| row(i).iter().map(Tensor::to_vec::<f64>).collect()).collect();
        for (k, x) in xs.iter().enumerate() {
            let elements = x.detach().to_vec::<f64>();
            for (j, &at) in elements.iter().enumerate() {
                let step = self.eps * at.abs().max(1.0);
                let moved = |by: f64| {
                    let mut elements = elements.clone();
                    elements[j] += by;
                    let mut points: Vec<Tensor> = xs.iter().map(|x| x.detach()).collect();
                    points[k] = Tensor::from_vec(elements, &x.shape()[..]);
                    f(&points).detach().to_vec::<f64>()
                };
                let (up, down) = (moved(step), moved(-step));
                for (i, (up, down)) in up.iter().zip(&down).enumerate() {
                    let (want, got) = ((up - down) / (2.0 * step), rows[i][k][j]);
                    if !self.near(got, want) {
                        let what = format!(
                            "derivative of output {:?} by element {:?} of operand {k}",
                            place(y, i),
                            place(x, j)
                        );
                        return Err(refused(format!(
                            "{what}: the gradient says {got:e}, differences say {want:e}"
                        )));
                    }
                }
            }
        }
        Ok(())
    }
    /// Derivatives of `y` along random directions, seen from random cotangents, against differences of `f`.
    fn projected(&self, f: &dyn Fn(&[Tensor]) -> Tensor, y: &Tensor, xs: &[&Tensor]) -> Result<(), Error> {
        let mut rng = Rng::new(0xd1f);
        for n in 0..self.directions {
            let u = F64.randn(y.shape().clone(), &mut rng);
            let v: Vec<Tensor> = xs.iter().map(|x| F64.randn(x.shape().clone(), &mut rng)).collect();
            let pulled = or_zeros("gradcheck", y, xs, Some(&u), false);
            let dot = |a: &Tensor, b: &Tensor| (a * b).sum(()).item();
            let got: f64 = pulled.iter().zip(&v).map(|(a, b)| dot(a, b)).sum();
            let moved = |by: f64| {
                let points: Vec<Tensor> = xs.iter().zip(&v).map(|(x, v)| x.detach() + v * by).collect();
                f(&points).detach()
            };
            let want = dot(&u, &(moved(self.eps) - moved(-self.eps))) / (2.0 * self.eps);
            // Many rounded terms: the bar follows their size.
            let size = (y.numel() as f64).sqrt() + want.abs();
            if (got - want).abs() > (self.atol + self.rtol) * size {
                let what = format!("derivative along random direction {n}");
                return Err(refused(format!("{what}: the gradient says {got:e}, differences say {want:e}")));
            }
        }
        Ok(())
    }
}
#[track_caller]
fn plain(x: &Tensor) -> Result<Tensor, Error> {
    if x.dtype() == F64 {
        return Ok(x.detach());
    }
    Err(refused(format!("an operand is {}; differences need f64, as from x.cast(F64)", x.dtype())))
}

/// A test that [`gradcheck`] and [`gradgradcheck`] pass for a function at normal random operands of these shapes.
///
/// ```
/// retrograd_autograd::gradcheck_test!(softplus_of_a_product, |x| (&x[0] * &x[1]).softplus(), [2, 3], [3]);
/// ```
#[macro_export]
macro_rules! gradcheck_test {
    ($name:ident, $f:expr, $($shape:expr),+ $(,)?) => {
        #[test]
        fn $name() {
            let mut rng = $crate::testing::Rng::new(7);
            let xs = [$($crate::testing::F64.randn($shape, &mut rng)),+];
            let xs: Vec<&$crate::testing::Tensor> = xs.iter().collect();
            let f: fn(&[$crate::testing::Tensor]) -> $crate::testing::Tensor = $f;
            $crate::gradcheck(f, &xs).unwrap();
            $crate::gradgradcheck(f, &xs).unwrap();
        }
    };
}
