//! Functional transforms: gradients as functions of functions, recorded or not.
use crate::differentiate::{Differentiate, seed, shown, start};
use crate::gradients::Gradients;
use crate::sweep::{self, IdSet, Request};
use retrograd_tensor::{Error, ErrorKind, OrRaise, Tensor, enable_grad, force_all, no_grad};
use retrograd_tensor::{hidden, levels};

/// Gradients of the number `y` for each of `xs`, which may be leaves or any results on the way. The graph is kept.
///
/// ```
/// use retrograd_autograd::{Differentiate, grad};
/// use retrograd_tensor::Tensor;
/// let x = Tensor::from(2.0f64).tracked();
/// let h = &x * &x;
/// let y = &h * 3.0;
/// let g = grad(&y, &[&x, &h]);
/// assert_eq!((g[0].item(), g[1].item()), (12.0, 3.0));
/// ```
///
/// # Panics
/// If `y` is not one tracked number, or does not depend on one of `xs`: the message names what cut it off.
#[track_caller]
pub fn grad(y: &Tensor, xs: &[&Tensor]) -> Vec<Tensor> {
    gradients("grad", y, xs, None, false).and_then(|g| g.into_iter().collect()).or_raise()
}
/// As [`grad`], from any shape of `y` with the cotangent `seed`.
///
/// # Panics
/// As [`grad`], and if shape or dtype of `seed` are not `y`'s.
#[track_caller]
pub fn grad_with(y: &Tensor, xs: &[&Tensor], seed: &Tensor) -> Vec<Tensor> {
    gradients("grad_with", y, xs, Some(seed), false).and_then(|g| g.into_iter().collect()).or_raise()
}
/// As [`grad`], recorded: the gradients can be differentiated again, to any order.
///
/// ```
/// use retrograd_autograd::{Differentiate, grad, grad_recorded};
/// use retrograd_tensor::Tensor;
/// let x = Tensor::from(2.0f64).tracked();
/// let y = &x * &x * &x;
/// let first = grad_recorded(&y, &[&x]);
/// assert_eq!((first[0].item(), grad(&first[0], &[&x])[0].item()), (12.0, 12.0));
/// ```
///
/// # Panics
/// As [`grad`].
#[track_caller]
pub fn grad_recorded(y: &Tensor, xs: &[&Tensor]) -> Vec<Tensor> {
    gradients("grad_recorded", y, xs, None, true).and_then(|g| g.into_iter().collect()).or_raise()
}
/// As [`grad_recorded`], from any shape of `y` with the cotangent `seed`, which may be tracked.
///
/// # Panics
/// As [`grad_with`].
#[track_caller]
pub fn grad_recorded_with(y: &Tensor, xs: &[&Tensor], seed: &Tensor) -> Vec<Tensor> {
    let op = "grad_recorded_with";
    gradients(op, y, xs, Some(seed), true).and_then(|g| g.into_iter().collect()).or_raise()
}

/// A gradient, or why there is none.
type Part = Result<Tensor, Error>;
fn gradients(
    op: &'static str,
    y: &Tensor,
    xs: &[&Tensor],
    given: Option<&Tensor>,
    record: bool,
) -> Result<Vec<Part>, Error> {
    let edge = start(op, y)?;
    let seed = shown(seed(op, y, given)?, y);
    let id = |x: &Tensor| hidden::edge(x).map(|e| e.record().id());
    let wanted: IdSet = xs.iter().filter_map(|x| id(x)).collect();
    let request = Request { op, wanted: Some(&wanted), take: false, stop: false };
    let walk = || sweep::sweep(edge, seed, &request);
    let found = if record { enable_grad(walk) } else { no_grad(walk) }?;
    if !record {
        let all: Vec<&Tensor> = found.cotangents.values().chain([y]).collect();
        force_all(&all);
    }
    let found = Gradients::new(found);
    let part = |(i, x): (usize, &&Tensor)| {
        let g = id(x).and_then(|id| found.by_id(id)).map(|g| levels::hide(g, &levels::of(x).0));
        g.ok_or_else(|| {
            let detail = format!("no gradient of tensor {i} ({}): {}", x.shape(), found.why_missing_of(x));
            Error::new(op, ErrorKind::Gradient, detail)
        })
    };
    Ok(xs.iter().enumerate().map(part).collect())
}
/// Gradients where `y` may not depend on some of `xs`, or on nothing at all: zeros there.
#[track_caller]
pub(crate) fn or_zeros(
    op: &'static str,
    y: &Tensor,
    xs: &[&Tensor],
    given: Option<&Tensor>,
    record: bool,
) -> Vec<Tensor> {
    if !y.is_tracked() {
        return xs.iter().map(|x| x.zeros_like()).collect();
    }
    let parts = gradients(op, y, xs, given, record).or_raise();
    parts.into_iter().zip(xs).map(|(g, x)| g.unwrap_or_else(|_| x.zeros_like())).collect()
}

fn leaves(xs: &[&Tensor]) -> Vec<Tensor> {
    xs.iter().map(|x| Differentiate::tracked(*x)).collect()
}
/// The value of `f` at `xs` and its gradients for each of them (zeros where it does not depend on one).
///
/// ```
/// use retrograd_autograd::value_and_grad;
/// use retrograd_tensor::Tensor;
/// let x = Tensor::from([1.0f64, 2.0]);
/// let (y, g) = value_and_grad(|x| (&x[0] * &x[0]).sum(()), &[&x]);
/// assert_eq!((y.item(), g[0].to_vec::<f64>()), (5.0, vec![2.0, 4.0]));
/// ```
///
/// # Panics
/// If `f` gives more than one element.
#[track_caller]
pub fn value_and_grad(f: impl FnOnce(&[Tensor]) -> Tensor, xs: &[&Tensor]) -> (Tensor, Vec<Tensor>) {
    let x = leaves(xs);
    let y = enable_grad(|| f(&x));
    let g = or_zeros("value_and_grad", &y, &x.iter().collect::<Vec<_>>(), None, false);
    (y.detach(), g)
}
/// The value of `f` at `xs`, and the function from a cotangent of it to cotangents of `xs` (zeros where it does not
/// depend on one).
///
/// ```
/// use retrograd_autograd::vjp;
/// use retrograd_tensor::Tensor;
/// let x = Tensor::from([1.0f64, 2.0]);
/// let (y, pull) = vjp(|x| &x[0] * &x[0], &[&x]);
/// assert_eq!(y.to_vec::<f64>(), [1.0, 4.0]);
/// assert_eq!(pull(&Tensor::from([1.0f64, 10.0]))[0].to_vec::<f64>(), [2.0, 40.0]);
/// ```
#[track_caller]
pub fn vjp<F: FnOnce(&[Tensor]) -> Tensor>(
    f: F,
    xs: &[&Tensor],
) -> (Tensor, impl Fn(&Tensor) -> Vec<Tensor> + use<F>) {
    let x = leaves(xs);
    let y = enable_grad(|| f(&x));
    let value = y.detach();
    let pull = move |g: &Tensor| or_zeros("vjp", &y, &x.iter().collect::<Vec<_>>(), Some(g), false);
    (value, pull)
}
/// The value of `f` at `xs`, and its directional derivative along `vs`.
///
/// The derivative is that of the transpose: the pullback is linear in its cotangent, and the gradient of
/// `<pullback(u), v>` for `u` is the pushforward of `v`.
///
/// ```
/// use retrograd_autograd::jvp;
/// use retrograd_tensor::Tensor;
/// let (x, v) = (Tensor::from([1.0f64, 2.0]), Tensor::from([1.0f64, 0.5]));
/// let (y, dy) = jvp(|x| &x[0] * &x[0], &[&x], &[&v]);
/// assert_eq!((y.to_vec::<f64>(), dy.to_vec::<f64>()), (vec![1.0, 4.0], vec![2.0, 2.0]));
/// ```
///
/// # Panics
/// If a tangent's shape or dtype is not its point's.
#[track_caller]
pub fn jvp(f: impl FnOnce(&[Tensor]) -> Tensor, xs: &[&Tensor], vs: &[&Tensor]) -> (Tensor, Tensor) {
    paired("jvp", xs, vs).or_raise();
    let x = leaves(xs);
    let y = enable_grad(|| f(&x));
    let u = Differentiate::tracked(&y.zeros_like());
    let pulled = or_zeros("jvp", &y, &x.iter().collect::<Vec<_>>(), Some(&u), true);
    let dot = enable_grad(|| inner(&pulled, vs));
    let dy = or_zeros("jvp", &dot, &[&u], None, false).swap_remove(0);
    (y.detach(), dy)
}
/// Gradients of the number `f` at `xs`, and the product of its Hessian with `vs`.
///
/// ```
/// use retrograd_autograd::hvp;
/// use retrograd_tensor::Tensor;
/// let (x, v) = (Tensor::from([1.0f64, 2.0]), Tensor::from([1.0f64, 1.0]));
/// let (g, hv) = hvp(|x| (&x[0] * &x[0] * &x[0]).sum(()), &[&x], &[&v]);
/// assert_eq!((g[0].to_vec::<f64>(), hv[0].to_vec::<f64>()), (vec![3.0, 12.0], vec![6.0, 12.0]));
/// ```
///
/// # Panics
/// If `f` gives more than one element, or a vector's shape or dtype is not its point's.
#[track_caller]
pub fn hvp(
    f: impl FnOnce(&[Tensor]) -> Tensor,
    xs: &[&Tensor],
    vs: &[&Tensor],
) -> (Vec<Tensor>, Vec<Tensor>) {
    paired("hvp", xs, vs).or_raise();
    let x = leaves(xs);
    let y = enable_grad(|| f(&x));
    let points: Vec<&Tensor> = x.iter().collect();
    let g = or_zeros("hvp", &y, &points, None, true);
    let dot = enable_grad(|| inner(&g, vs));
    let hv = or_zeros("hvp", &dot, &points, None, false);
    (g.iter().map(Differentiate::detach).collect(), hv)
}
fn paired(op: &'static str, xs: &[&Tensor], vs: &[&Tensor]) -> Result<(), Error> {
    if xs.len() != vs.len() {
        let detail = format!("{} points and {} tangents; there must be one for each", xs.len(), vs.len());
        return Err(Error::new(op, ErrorKind::Value, detail));
    }
    for (i, (x, v)) in xs.iter().zip(vs).enumerate() {
        if x.spec() != v.spec() {
            let given =
                format!("tangent {i} is {} {}, its point {} {}", v.dtype(), v.shape(), x.dtype(), x.shape());
            return Err(Error::new(op, ErrorKind::Shape, format!("{given}; they must agree")));
        }
    }
    Ok(())
}
/// The sum of all products of elements.
fn inner(a: &[Tensor], b: &[&Tensor]) -> Tensor {
    let dot = |(a, &b): (&Tensor, &&Tensor)| (a * b).sum(());
    a.iter().zip(b).map(dot).reduce(|x, y| x + y).unwrap_or_else(|| Tensor::from(0.0f32))
}
