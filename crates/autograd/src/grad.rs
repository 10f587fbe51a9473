//! Functional transforms: gradients as functions of functions, recorded or not.
use crate::differentiate::{self, Differentiate, seed, shown};
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
    gradients("grad", &[(y, None)], xs, false).and_then(|g| g.into_iter().collect()).or_raise()
}
/// As [`grad`], from any shape of `y` with the cotangent `seed`.
///
/// # Panics
/// As [`grad`], and if shape or dtype of `seed` are not `y`'s.
#[track_caller]
pub fn grad_with(y: &Tensor, xs: &[&Tensor], seed: &Tensor) -> Vec<Tensor> {
    gradients("grad_with", &[(y, Some(seed))], xs, false).and_then(|g| g.into_iter().collect()).or_raise()
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
    gradients("grad_recorded", &[(y, None)], xs, true).and_then(|g| g.into_iter().collect()).or_raise()
}
/// As [`grad_recorded`], from any shape of `y` with the cotangent `seed`, which may be tracked.
///
/// # Panics
/// As [`grad_with`].
#[track_caller]
pub fn grad_recorded_with(y: &Tensor, xs: &[&Tensor], seed: &Tensor) -> Vec<Tensor> {
    let op = "grad_recorded_with";
    gradients(op, &[(y, Some(seed))], xs, true).and_then(|g| g.into_iter().collect()).or_raise()
}

/// As [`grad`], of several results at once, each with its cotangent from `seeds`: the sum of what each of them gives.
///
/// As PyTorch's `torch.autograd.grad` with `grad_outputs`. One walk for all of them: where results are gradients that
/// were recorded, their elements need not be computed for it.
///
/// ```
/// use retrograd_autograd::{Differentiate, grad_of_all, grad_recorded};
/// use retrograd_tensor::Tensor;
/// let (x, w) = (Tensor::from(2.0f64).tracked(), Tensor::from(3.0f64).tracked());
/// let y = &x * &x * &w;
/// let first = grad_recorded(&y, &[&x, &w]);                            // 2 x w, x^2
/// let (u, v) = (Tensor::from(1.0f64), Tensor::from(10.0f64));
/// let second = grad_of_all(&[&first[0], &first[1]], &[&x, &w], &[&u, &v]);
/// assert_eq!((second[0].item(), second[1].item()), (6.0 + 40.0, 4.0)); // of 2 x w + 10 x^2
/// ```
///
/// # Panics
/// If there are not as many seeds as results, shape or dtype of one are not its result's, a result is not tracked,
/// or none of them depends on one of `xs`.
#[track_caller]
pub fn grad_of_all(ys: &[&Tensor], xs: &[&Tensor], seeds: &[&Tensor]) -> Vec<Tensor> {
    let op = "grad_of_all";
    let parts = matched(op, ys, seeds).and_then(|()| gradients(op, &seeded(ys, seeds), xs, false));
    parts.and_then(|g| g.into_iter().collect()).or_raise()
}
fn matched(op: &'static str, ys: &[&Tensor], seeds: &[&Tensor]) -> Result<(), Error> {
    if !ys.is_empty() && ys.len() == seeds.len() {
        return Ok(());
    }
    let detail = format!("{} results and {} seeds; there must be one for each", ys.len(), seeds.len());
    Err(Error::new(op, ErrorKind::Value, detail))
}

/// A result, and the cotangent that it starts with.
type Seeded<'a> = (&'a Tensor, Option<&'a Tensor>);
fn seeded<'a>(ys: &[&'a Tensor], seeds: &[&'a Tensor]) -> Vec<Seeded<'a>> {
    ys.iter().copied().zip(seeds.iter().copied().map(Some)).collect()
}
/// A gradient, or why there is none.
type Part = Result<Tensor, Error>;
fn gradients(op: &'static str, ys: &[Seeded<'_>], xs: &[&Tensor], record: bool) -> Result<Vec<Part>, Error> {
    let mut roots = Vec::with_capacity(ys.len());
    for &(y, given) in ys {
        roots.push((differentiate::start(op, y)?, shown(seed(op, y, given)?, y)));
    }
    let id = |x: &Tensor| hidden::edge(x).map(|e| e.record().id());
    let wanted: IdSet = xs.iter().filter_map(|x| id(x)).collect();
    let request = Request { op, wanted: Some(&wanted), take: false, stop: false };
    let walk = || sweep::sweep(roots, &request);
    let found = if record { hidden::recording_gradient(walk) } else { no_grad(walk) }?;
    if !record {
        // A result goes with the gradients, if it is not one that nobody may ever read.
        let read = ys.iter().map(|y| y.0).filter(|y| !hidden::is_waiting(y));
        let all: Vec<&Tensor> = found.cotangents.values().chain(read).collect();
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
    zeros_where_none(op, &[(y, given)], xs, record)
}
/// As [`or_zeros`], of several results, each with its cotangent.
#[track_caller]
pub(crate) fn all_or_zeros(
    op: &'static str,
    ys: &[Tensor],
    xs: &[&Tensor],
    seeds: &[&Tensor],
) -> Vec<Tensor> {
    zeros_where_none(op, &seeded(&ys.iter().collect::<Vec<_>>(), seeds), xs, false)
}
#[track_caller]
fn zeros_where_none(op: &'static str, ys: &[Seeded<'_>], xs: &[&Tensor], record: bool) -> Vec<Tensor> {
    let ys: Vec<Seeded<'_>> = ys.iter().copied().filter(|y| y.0.is_tracked()).collect();
    if ys.is_empty() {
        return xs.iter().map(|x| x.zeros_like()).collect();
    }
    let parts = gradients(op, &ys, xs, record).or_raise();
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
    let dy = all_or_zeros("jvp", &pulled, &[&u], vs).swap_remove(0);
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
    let hv = all_or_zeros("hvp", &g, &points, vs);
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
