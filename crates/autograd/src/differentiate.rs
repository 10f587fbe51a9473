//! The methods of a tensor that have to do with the tape.
use crate::gradients::Gradients;
use crate::sweep::{self, Request};
use retrograd_tensor::hidden::{self, Edge, Leaf};
use retrograd_tensor::{Error, ErrorKind, OrRaise, Tensor, force_all, levels, no_grad, raise};
use std::panic::Location;

/// Tracking and backward passes, as methods of [`Tensor`].
pub trait Differentiate {
    /// The same elements as a fresh leaf of the tape: gradients can be asked for it.
    ///
    /// ```
    /// use retrograd_autograd::Differentiate;
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([1.0f64, 2.0, 3.0]).tracked();
    /// let grads = (&x * &x).sum(()).backward();
    /// assert_eq!(grads[&x].to_vec::<f64>(), [2.0, 4.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// If the elements are not floats.
    fn tracked(&self) -> Tensor;
    /// Whether gradients reach through this tensor.
    fn is_tracked(&self) -> bool;
    /// The same elements without a past: gradients end here, and a missing one says so.
    fn detach(&self) -> Tensor;
    /// Gradients of this one number for every leaf, by one walk back over the tape.
    ///
    /// The walk frees what the operations had saved; a second one over the same operations is an error. See
    /// [`Differentiate::backward_keep`].
    ///
    /// # Panics
    /// If this is not a single number, is not tracked, or the graph was freed by an earlier pass.
    fn backward(&self) -> Gradients;
    /// As [`Differentiate::backward`] from any shape, with the cotangent `seed` to start from: gradients of
    /// `(self * seed).sum()`.
    ///
    /// # Panics
    /// If shape or dtype of `seed` are not this tensor's, or as `backward`.
    fn backward_with(&self, seed: &Tensor) -> Gradients;
    /// As [`Differentiate::backward`], keeping the graph for another pass.
    ///
    /// # Panics
    /// As `backward`.
    fn backward_keep(&self) -> Gradients;
}

impl Differentiate for Tensor {
    #[track_caller]
    fn tracked(&self) -> Tensor {
        if !self.dtype().is_float() {
            let detail = format!(
                "elements are {}; only floats have gradients, as in x.cast(F32).tracked()",
                self.dtype()
            );
            raise(Error::new("tracked", ErrorKind::Dtype, detail));
        }
        Leaf::new().attach(self)
    }
    fn is_tracked(&self) -> bool {
        hidden::is_tracked(self)
    }
    #[track_caller]
    fn detach(&self) -> Tensor {
        hidden::cut(self, "detach", "on purpose", Location::caller())
    }
    #[track_caller]
    fn backward(&self) -> Gradients {
        backward(self, None, true).or_raise()
    }
    #[track_caller]
    fn backward_with(&self, seed: &Tensor) -> Gradients {
        backward(self, Some(seed), true).or_raise()
    }
    #[track_caller]
    fn backward_keep(&self) -> Gradients {
        backward(self, None, false).or_raise()
    }
}

/// The place on the tape to start from.
pub(crate) fn start<'a>(op: &'static str, y: &'a Tensor) -> Result<&'a Edge, Error> {
    let why = match hidden::edge(y) {
        Some(e) => match e.record().cut_reason() {
            None => return Ok(e),
            Some(why) => {
                format!("the result was cut by {} at {} ({why})", e.record().name(), e.record().at())
            }
        },
        None => "the result depends on nothing tracked".to_owned(),
    };
    Err(Error::new(
        op,
        ErrorKind::Gradient,
        format!("{why}; gradients need a leaf, as from x.tracked() or a Param"),
    ))
}
/// The cotangent to start with.
pub(crate) fn seed(op: &'static str, y: &Tensor, given: Option<&Tensor>) -> Result<Tensor, Error> {
    match given {
        Some(s) if s.spec() == y.spec() => Ok(s.clone()),
        Some(s) => {
            let detail =
                format!("the seed is {} {}, the result {} {}", s.dtype(), s.shape(), y.dtype(), y.shape());
            Err(Error::new(op, ErrorKind::Shape, format!("{detail}; they must agree")))
        }
        None if y.numel() == 1 => Ok(y.ones_like()),
        None => {
            let detail = format!("the result has shape {}, not one element", y.shape());
            Err(Error::new(
                op,
                ErrorKind::Shape,
                format!("{detail}; reduce it, or give a cotangent to start from"),
            ))
        }
    }
}
/// A seed for `y` as records see it, the levels of `y` among its axes.
pub(crate) fn shown(seed: Tensor, y: &Tensor) -> Tensor {
    let (levels, sizes) = levels::of(y);
    if levels.is_empty() { seed } else { levels::show(&seed, &levels, &sizes) }
}
fn backward(y: &Tensor, given: Option<&Tensor>, take: bool) -> Result<Gradients, Error> {
    let op = if take { "backward" } else { "backward_keep" };
    let edge = start(op, y)?;
    let seed = shown(seed(op, y, given)?, y);
    let found =
        no_grad(|| sweep::sweep(vec![(edge, seed)], &Request { op, wanted: None, take, stop: false }))?;
    // The result goes with the gradients, in one pass where that is possible.
    let all: Vec<&Tensor> = found.cotangents.values().chain([y]).collect();
    force_all(&all);
    Ok(Gradients::new(found))
}
