//! `vmap`: a function of one example as a function of many.
use retrograd_tensor::{Error, ErrorKind, OrRaise, Tensor, levels};

/// `f`, written for one example, of all examples along the first axis of every one of `xs`: the results along a new
/// first axis, as a loop would stack them, but each operation runs once for all.
///
/// Inside, a tensor stands for one example; tensors from outside are the same for all. Transforms nest in any order:
/// a gradient inside is one for each example, outside it is their sum. A random draw inside is the same for all
/// examples, dropout differs.
///
/// ```
/// use retrograd_autograd::{grad, vmap, Differentiate};
/// use retrograd_tensor::Tensor;
/// let w = Tensor::from([1.0f64, 2.0]).tracked();
/// let x = Tensor::from([[1.0f64, 0.0], [3.0, 1.0]]);
/// let each = vmap(|x| { let y = (&w * &x[0]).sum(()); grad(&(&y * &y), &[&w]).remove(0) }, &[&x]);
/// assert_eq!(each.to_vec::<f64>(), [2.0, 0.0, 30.0, 10.0]);
/// ```
///
/// # Panics
/// If there are no tensors, one has no axis, or their first sizes differ; if `f` reads elements.
#[track_caller]
pub fn vmap(f: impl FnOnce(&[Tensor]) -> Tensor, xs: &[&Tensor]) -> Tensor {
    let xs: Vec<(&Tensor, Option<isize>)> = xs.iter().map(|&x| (x, Some(0))).collect();
    vmap_axes(|x| vec![f(x)], &xs).swap_remove(0)
}
/// As [`vmap`], of several results, with the axis of each operand that examples lie along; `None` is the same for
/// all. PyTorch's `in_dims`.
///
/// ```
/// use retrograd_autograd::vmap_axes;
/// use retrograd_tensor::Tensor;
/// let (x, w) = (Tensor::from([[1.0f64, 2.0], [3.0, 4.0]]), Tensor::from([1.0f64, 10.0]));
/// let y = vmap_axes(|x| vec![x[0].dot(&x[1])], &[(&x, Some(1)), (&w, None)]);
/// assert_eq!(y[0].to_vec::<f64>(), [31.0, 42.0]);
/// ```
///
/// # Panics
/// If no operand has such an axis, an axis does not exist, or their sizes differ; if `f` reads elements.
#[track_caller]
pub fn vmap_axes(f: impl FnOnce(&[Tensor]) -> Vec<Tensor>, xs: &[(&Tensor, Option<isize>)]) -> Vec<Tensor> {
    let size = examples(xs).or_raise();
    levels::scoped(|level| {
        let enter = |&(x, axis): &(&Tensor, Option<isize>)| match axis {
            Some(axis) => levels::hide(&x.movedim(axis, 0), &[level]),
            None => x.clone(),
        };
        let x: Vec<Tensor> = xs.iter().map(enter).collect();
        let y = f(&x);
        y.iter().map(|y| levels::show(y, &[level], &[size])).collect()
    })
}
/// The number of examples.
fn examples(xs: &[(&Tensor, Option<isize>)]) -> Result<usize, Error> {
    let mut found: Option<(usize, usize)> = None;
    for (i, &(x, axis)) in xs.iter().enumerate() {
        let Some(axis) = axis else { continue };
        let rank = x.rank() as isize;
        if axis < -rank || axis >= rank {
            let detail =
                format!("operand {i} of shape {} has no axis {axis} to take examples from", x.shape());
            return Err(Error::new("vmap", ErrorKind::Axis, format!("{detail}; mark it None to share it")));
        }
        let size = x.size(axis);
        match found {
            Some((_, n)) if n == size => {}
            Some((first, n)) => {
                let detail =
                    format!("numbers of examples differ: {n} in operand {first}, {size} in operand {i}");
                return Err(Error::new("vmap", ErrorKind::Shape, format!("{detail}; they must agree")));
            }
            None => found = Some((i, size)),
        }
    }
    found.map(|f| f.1).ok_or_else(|| {
        let detail = "no operand has examples; at least one needs an axis of them";
        Error::new("vmap", ErrorKind::Value, detail)
    })
}
