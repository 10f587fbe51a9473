//! Closures over [`Scalar`] as fused elementwise operations, differentiable to any order.
use crate::apply;
use crate::error::{Error, ErrorKind, raise};
use crate::operand::Operand;
use crate::scalar::{Expr, Scalar};
use crate::tensor::Tensor;
use smallvec::SmallVec;
use std::sync::Arc;

impl Tensor {
    /// The elementwise function `f` of this tensor, as one operation that keeps only its input for the gradient.
    ///
    /// `f` is run once over symbols; what it computes with [`Scalar`] operations becomes one pass over memory, and
    /// its derivatives of any order are derived. Rust `if`s on values cannot be recorded; use
    /// [`Scalar::where_`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let y = Tensor::from([0.0f64, 1.0]).map(|x| x * x + 2.0);
    /// assert_eq!(y.to_vec::<f64>(), [2.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn map(&self, f: impl FnOnce(Scalar) -> Scalar) -> Tensor {
        map_n([self.into()], |x| f(x[0]))
    }
    /// The elementwise function `f` of this tensor and another operand, broadcast; see [`Tensor::map`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (x, w) = (Tensor::from([1.0f64, 2.0]), Tensor::from([3.0f64, 4.0]));
    /// assert_eq!(x.zip_map(&w, |x, w| x * w + 1.0).to_vec::<f64>(), [4.0, 9.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the types differ.
    #[track_caller]
    pub fn zip_map(&self, other: impl Into<Operand>, f: impl FnOnce(Scalar, Scalar) -> Scalar) -> Tensor {
        map_n([self.into(), other.into()], |x| f(x[0], x[1]))
    }
}

/// An elementwise function of several operands, broadcast; see [`Tensor::map`].
///
/// ```
/// use retrograd_tensor::{Tensor, map_n};
/// let x = Tensor::from([1.0f64, 2.0]);
/// let y = map_n([(&x).into(), 2.0.into(), (&x).into()], |s| s[0] * s[1] + s[2]);
/// assert_eq!(y.to_vec::<f64>(), [3.0, 6.0]);
/// ```
///
/// # Panics
/// If the shapes do not broadcast or the types differ.
#[track_caller]
pub fn map_n(x: impl IntoIterator<Item = Operand>, f: impl FnOnce(&[Scalar]) -> Scalar) -> Tensor {
    named("map", x, f)
}
/// As [`map_n`] under a name of its own: how composites of the table become one operation.
#[track_caller]
pub(crate) fn named(
    name: &'static str,
    x: impl IntoIterator<Item = Operand>,
    f: impl FnOnce(&[Scalar]) -> Scalar,
) -> Tensor {
    let (expr, mut x) = traced(name, x, |s| vec![f(s)]);
    apply::expr(&expr, 0, &mut x, std::panic::Location::caller())
}
/// Several elementwise functions of the same operands, in one pass: an optimizer's parameter and moments, say.
///
/// Operands that are moved in and held by nobody else give their memory to the results.
///
/// ```
/// use retrograd_tensor::{Tensor, map_n_out};
/// let x = Tensor::from([1.0f64, 2.0]);
/// let y = map_n_out([x.into()], |s| vec![s[0] + 1.0, s[0] * 2.0]);
/// assert_eq!((y[0].to_vec::<f64>(), y[1].to_vec::<f64>()), (vec![2.0, 3.0], vec![2.0, 4.0]));
/// ```
///
/// # Panics
/// If the shapes do not broadcast, the types differ, or `f` gives nothing.
#[track_caller]
pub fn map_n_out(
    x: impl IntoIterator<Item = Operand>,
    f: impl FnOnce(&[Scalar]) -> Vec<Scalar>,
) -> Vec<Tensor> {
    let (expr, mut x) = traced("map", x, f);
    apply::outputs(&expr, &mut x)
}
fn traced(
    name: &'static str,
    x: impl IntoIterator<Item = Operand>,
    f: impl FnOnce(&[Scalar]) -> Vec<Scalar>,
) -> (Arc<Expr>, Operands) {
    let mut x: Operands = x.into_iter().collect();
    let (expr, numbers) = Expr::of_closure(name, x.len(), f);
    x.extend(numbers.into_iter().map(Operand::from));
    (expr, x)
}
type Operands = SmallVec<[Operand; 8]>;

/// A closure as [`map_n_out`] takes it, run over symbols once to be applied many times.
///
/// ```
/// use retrograd_tensor::{Formula, Tensor};
/// let step = Formula::new(2, |s| vec![s[0] - s[1] * 0.5]);
/// let (p, g) = (Tensor::from([1.0f64, 2.0]), Tensor::from([2.0f64, 2.0]));
/// assert_eq!(step.apply([p.into(), g.into()])[0].to_vec::<f64>(), [0.0, 1.0]);
/// ```
#[derive(Debug)]
pub struct Formula {
    expr: Arc<Expr>,
    operands: usize,
    numbers: Vec<f64>,
}
impl Formula {
    /// Runs `f` over symbols for `operands` operands.
    pub fn new(operands: usize, f: impl FnOnce(&[Scalar]) -> Vec<Scalar>) -> Formula {
        let (expr, numbers) = Expr::of_closure("formula", operands, f);
        Formula { expr, operands, numbers }
    }
    /// The results over these operands, as [`map_n_out`] gives them.
    ///
    /// # Panics
    /// If there are more or fewer operands than the formula was made for, the shapes do not broadcast, or the
    /// types differ.
    #[track_caller]
    pub fn apply(&self, x: impl IntoIterator<Item = Operand>) -> Vec<Tensor> {
        let mut x: Operands = x.into_iter().collect();
        if x.len() != self.operands {
            let detail = format!("{} operands for a formula of {}", x.len(), self.operands);
            raise(Error::new("formula", ErrorKind::Value, detail));
        }
        x.extend(self.numbers.iter().map(|&v| Operand::from(v)));
        apply::outputs(&self.expr, &mut x)
    }
}
