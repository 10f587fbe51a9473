//! Normalisations: [`Tensor::standardize`] over the axes that each of them means, then a factor and a summand.

use retrograd_tensor::{BF16, Error, ErrorKind, F16, F32, F64, Shape, Tensor, map_n, raise};
use std::ops::RangeInclusive;

#[track_caller]
pub(super) fn layer_norm(
    x: &Tensor,
    shape: &Shape,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Tensor {
    let axes = trailing("layer_norm", x, shape, [weight, bias]);
    let wide = widened(x);
    affine(&wide.standardize(&axes[..], eps), weight, bias).cast(x.dtype())
}

#[track_caller]
pub(super) fn rms_norm(x: &Tensor, shape: &Shape, weight: Option<&Tensor>, eps: Option<f64>) -> Tensor {
    let axes = trailing("rms_norm", x, shape, [weight, None]);
    let wide = widened(x);
    let eps = eps.unwrap_or(if wide.dtype() == F64 { f64::EPSILON } else { f32::EPSILON.into() });
    let mean = wide.square().mean_keepdim(&axes[..]);
    let y = wide.zip_map(&mean, |x, mean| x * (mean + eps).rsqrt());
    affine(&y, weight, None).cast(x.dtype())
}

#[track_caller]
pub(super) fn group_norm(
    x: &Tensor,
    groups: usize,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Tensor {
    let channels = Channels::of("group_norm", x, 2, [weight, bias]);
    if groups == 0 || !channels.count.is_multiple_of(groups) {
        let given = format!("{groups} groups of {} channels", channels.count);
        let detail = format!("groups do not fit: {given}; they must be of one size");
        raise(Error::new("group_norm", ErrorKind::Value, detail));
    }
    let wide = widened(x);
    let grouped = [x.size(0), groups, x.numel() / (x.size(0) * groups).max(1)];
    let y = wide.reshape(grouped).standardize(2, eps).reshape(x.shape());
    channels.affine(&y, weight, bias).cast(x.dtype())
}

#[track_caller]
pub(super) fn instance_norm(x: &Tensor, weight: Option<&Tensor>, bias: Option<&Tensor>, eps: f64) -> Tensor {
    let channels = Channels::of("instance_norm", x, 3, [weight, bias]);
    let axes: Vec<usize> = (2..x.rank()).collect();
    channels.affine(&widened(x).standardize(&axes[..], eps), weight, bias).cast(x.dtype())
}

#[track_caller]
pub(super) fn batch_norm(
    x: &Tensor,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> (Tensor, Tensor, Tensor) {
    let channels = Channels::of("batch_norm", x, 2, [weight, bias]);
    if x.numel() == channels.count {
        let given = format!("one element for each channel: shape {}", x.shape());
        let detail = format!("no variance: {given}; in training it takes two or more");
        raise(Error::new("batch_norm", ErrorKind::Shape, detail));
    }
    let axes: Vec<usize> = (0..x.rank()).filter(|&axis| axis != 1).collect();
    let (y, mean, var) = widened(x).standardize_stats(&axes[..], eps);
    (channels.affine(&y, weight, bias).cast(x.dtype()), mean, var)
}

#[track_caller]
pub(super) fn batch_norm_by(
    x: &Tensor,
    mean: &Tensor,
    var: &Tensor,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Tensor {
    let channels = Channels::of("batch_norm", x, 2, [weight, bias, Some(mean), Some(var)]);
    let wide = widened(x);
    let [mean, var] = [mean, var].map(|t| channels.along(t).cast(wide.dtype()));
    let y = map_n([(&wide).into(), mean.into(), var.into()], |s| (s[0] - s[1]) * (s[2] + eps).rsqrt());
    channels.affine(&y, weight, bias).cast(x.dtype())
}

/// `x`, in `F32` if it is of a half type.
#[track_caller]
fn widened(x: &Tensor) -> Tensor {
    if matches!(x.dtype(), F16 | BF16) { x.cast(F32) } else { x.clone() }
}

/// The last axes of `x`, which `shape` names, as the tensors that go with them must be.
#[track_caller]
fn trailing<const N: usize>(
    op: &'static str,
    x: &Tensor,
    shape: &Shape,
    with: [Option<&Tensor>; N],
) -> Vec<usize> {
    if shape.rank() == 0 || !x.shape().ends_with(shape) {
        let given = format!("{shape} of shape {}", x.shape());
        let detail = format!("not the last axes: {given}; name the sizes of one or more of them");
        raise(Error::new(op, ErrorKind::Shape, detail));
    }
    for t in with.into_iter().flatten() {
        check_shape(op, t, shape);
    }
    (x.rank() - shape.rank()..x.rank()).collect()
}

#[track_caller]
fn check_shape(op: &'static str, t: &Tensor, shape: &Shape) {
    if t.shape() != shape {
        let given = format!("parameters do not fit: shape {}", t.shape());
        raise(Error::new(op, ErrorKind::Shape, format!("{given}; it must be {shape}")));
    }
}

#[track_caller]
pub(super) fn check_rank(op: &'static str, x: &Tensor, ranks: RangeInclusive<usize>, right: &str) {
    if !ranks.contains(&x.rank()) {
        let given = format!("rank {} of shape {}", x.rank(), x.shape());
        raise(Error::new(op, ErrorKind::Shape, format!("{given}; {right}")));
    }
}

/// Axis 1, and how lists of a number for each channel lie along it.
struct Channels {
    count: usize,
    along: Vec<usize>,
}

impl Channels {
    #[track_caller]
    fn of<const N: usize>(op: &'static str, x: &Tensor, least: usize, lists: [Option<&Tensor>; N]) -> Self {
        let right = format!("it takes {least} axes or more, of which axis 1 counts the channels");
        check_rank(op, x, least..=usize::MAX, &right);
        let count = x.size(1);
        for list in lists.into_iter().flatten() {
            check_shape(op, list, &[count].into());
        }
        let mut along = vec![1; x.rank()];
        along[1] = count;
        Self { count, along }
    }

    #[track_caller]
    fn along(&self, list: &Tensor) -> Tensor {
        list.reshape(&self.along[..])
    }

    #[track_caller]
    fn affine(&self, x: &Tensor, weight: Option<&Tensor>, bias: Option<&Tensor>) -> Tensor {
        let [weight, bias] = [weight, bias].map(|list| list.map(|list| self.along(list)));
        affine(x, weight.as_ref(), bias.as_ref())
    }
}

/// `x` times `weight` plus `bias`, in the type of `x`.
#[track_caller]
fn affine(x: &Tensor, weight: Option<&Tensor>, bias: Option<&Tensor>) -> Tensor {
    let [weight, bias] = [weight, bias].map(|t| t.map(|t| t.cast(x.dtype())));
    match (weight, bias) {
        (Some(weight), Some(bias)) => map_n([x.into(), weight.into(), bias.into()], |s| s[0] * s[1] + s[2]),
        (Some(weight), None) => x * weight,
        (None, Some(bias)) => x + bias,
        (None, None) => x.clone(),
    }
}
