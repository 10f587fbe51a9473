//! Whole matrices of derivatives: many products at once, by `vmap`.
use crate::differentiate::Differentiate;
use crate::grad::{grad_recorded, or_zeros};
use crate::vmap::vmap;
use retrograd_tensor::{Error, ErrorKind, Tensor, enable_grad, raise};

/// The Jacobian of `f` at `x`: all derivatives of elements of `f(x)` by elements of `x`, of the shape of `f(x)`
/// followed by that of `x`.
///
/// By rows from the results, or by columns from the operands, whichever are fewer; all at once either way.
/// PyTorch's `torch.func.jacrev` and `jacfwd`.
///
/// ```
/// use retrograd_autograd::jacobian;
/// use retrograd_tensor::Tensor;
/// let x = Tensor::from([1.0f64, 2.0]);
/// let j = jacobian(|x| x * x * 3.0, &x);
/// assert_eq!((j.shape().to_vec(), j.to_vec::<f64>()), (vec![2, 2], vec![6.0, 0.0, 0.0, 12.0]));
/// ```
///
/// # Panics
/// If `x` or `f(x)` are not floats.
#[track_caller]
pub fn jacobian(f: impl FnOnce(&Tensor) -> Tensor, x: &Tensor) -> Tensor {
    floats("jacobian", x);
    let x = Differentiate::tracked(x);
    let y = enable_grad(|| f(&x));
    floats("jacobian", &y);
    of(&y, &x, false)
}
/// The Hessian of the number `f` at `x`: all second derivatives, of the shape of `x` twice.
///
/// ```
/// use retrograd_autograd::hessian;
/// use retrograd_tensor::Tensor;
/// let x = Tensor::from([1.0f64, 2.0]);
/// let h = hessian(|x| (x * x * x).sum(()), &x);
/// assert_eq!(h.to_vec::<f64>(), [6.0, 0.0, 0.0, 12.0]);
/// ```
///
/// # Panics
/// If `x` is not of floats, or `f` gives more than one element.
#[track_caller]
pub fn hessian(f: impl FnOnce(&Tensor) -> Tensor, x: &Tensor) -> Tensor {
    floats("hessian", x);
    let x = Differentiate::tracked(x);
    let y = enable_grad(|| f(&x));
    if y.numel() != 1 {
        let detail = format!("the result has shape {}, not one element; reduce it", y.shape());
        raise(Error::new("hessian", ErrorKind::Shape, detail));
    }
    let g = if y.is_tracked() { grad_recorded(&y.reshape(()), &[&x]).swap_remove(0) } else { x.zeros_like() };
    of(&g, &x, true)
}
#[track_caller]
fn floats(op: &'static str, x: &Tensor) {
    if !x.dtype().is_float() {
        let detail = format!("a tensor of {}; derivatives are of floats, as from x.cast(F32)", x.dtype());
        raise(Error::new(op, ErrorKind::Dtype, detail));
    }
}
/// Derivatives of `y` by the leaf `x`. A symmetric matrix goes by rows.
#[track_caller]
fn of(y: &Tensor, x: &Tensor, symmetric: bool) -> Tensor {
    let (rows, columns) = (y.numel(), x.numel());
    let to = [&y.shape()[..], &x.shape()[..]].concat();
    if rows == 0 || columns == 0 || !y.is_tracked() {
        return y.dtype().zeros(&to[..]);
    }
    let units = |n: usize, of: &Tensor| of.dtype().eye(n).reshape(&[&[n], &of.shape()[..]].concat()[..]);
    if symmetric || rows <= columns {
        let row = |u: &[Tensor]| or_zeros("jacobian", y, &[x], Some(&u[0]), false).swap_remove(0);
        return vmap(row, &[&units(rows, y)]).reshape(&to[..]);
    }
    // The pullback is linear in its cotangent; the gradient of <pullback(u), v> for u is the derivative along v.
    let u = Differentiate::tracked(&y.zeros_like());
    let pulled = or_zeros("jacobian", y, &[x], Some(&u), true).swap_remove(0);
    let column = |v: &[Tensor]| {
        let dot = enable_grad(|| (&pulled * &v[0]).sum(()));
        or_zeros("jacobian", &dot, &[&u], None, false).swap_remove(0)
    };
    let columns = vmap(column, &[&units(columns, x)]).movedim(0, -1);
    columns.reshape(&to[..])
}
