//! Losses of classifiers: cross-entropy in its forms, and the divergence of distributions.
//!
//! A label is picked by comparing it with the numbers of the classes, not by gathering: the comparison fuses
//! with log-softmax, so the whole loss is one pass over the logits and none of its intermediates exists.

use super::{Bce, BceWithLogits, CrossEntropy, KlDiv, Nll, Reduction, check_option, check_same_shape};
use retrograd_tensor::{Error, ErrorKind, I64, Tensor, raise, replay};

#[track_caller]
pub(super) fn cross_entropy(logits: &Tensor, target: &Tensor, options: &CrossEntropy) -> Tensor {
    const OP: &str = "cross_entropy";
    let smoothing = options.label_smoothing;
    let given = format!("label_smoothing {smoothing}");
    check_option(OP, (0.0..=1.0).contains(&smoothing), &given, "it lies in 0..=1");
    let axis = Classes::of(OP, logits, options.classes_dim, options.weight.as_ref());
    let log_p = logits.log_softmax(axis.axis);
    if target.dtype().is_float() {
        probabilities(&log_p, target, &axis, options)
    } else {
        labels(OP, &log_p, target, &axis, options)
    }
}

#[track_caller]
pub(super) fn nll_loss(log_p: &Tensor, target: &Tensor, options: &Nll) -> Tensor {
    const OP: &str = "nll_loss";
    let Nll { weight, ignore_index, classes_dim, reduction } = options.clone();
    let axis = Classes::of(OP, log_p, classes_dim, weight.as_ref());
    let options = CrossEntropy { weight, ignore_index, label_smoothing: 0.0, classes_dim, reduction };
    labels(OP, log_p, target, &axis, &options)
}

/// The axis of the classes, what it holds, and the classes' weights shaped to lie along it.
struct Classes {
    axis: isize,
    count: usize,
    /// The shape that puts a vector along the axis.
    along: Vec<usize>,
    weight: Option<Tensor>,
}

impl Classes {
    #[track_caller]
    fn of(op: &'static str, x: &Tensor, axis: isize, weight: Option<&Tensor>) -> Self {
        let rank = x.rank() as isize;
        let axis = if rank == 1 { 0 } else { axis };
        if axis < -rank || axis >= rank {
            let detail = format!(
                "axis out of range: classes_dim {axis} of shape {:?}; it lies in {}..{rank}",
                &x.shape()[..],
                -rank
            );
            raise(Error::new(op, ErrorKind::Axis, detail));
        }
        let axis = axis.rem_euclid(rank);
        let count = x.shape()[axis as usize];
        let mut along = vec![1; x.rank()];
        along[axis as usize] = count;
        if let Some(weight) = weight
            && weight.shape()[..] != [count]
        {
            let detail = format!(
                "weights do not fit: shape {:?}; one for each class is [{count}]",
                &weight.shape()[..]
            );
            raise(Error::new(op, ErrorKind::Shape, detail));
        }
        let weight = weight.map(|weight| weight.reshape(&along[..]));
        Self { axis, count, along, weight }
    }

    #[track_caller]
    fn weighted(&self, x: &Tensor) -> Tensor {
        self.weight.as_ref().map_or_else(|| x.clone(), |weight| x * weight)
    }
}

/// The loss of labels, given the logarithms of probabilities.
#[track_caller]
fn labels(
    op: &'static str,
    log_p: &Tensor,
    labels: &Tensor,
    classes: &Classes,
    options: &CrossEntropy,
) -> Tensor {
    let some_ignored = check_labels(op, log_p, labels, classes, options.ignore_index);
    let labels = labels.unsqueeze(classes.axis);
    let numbers = I64.arange(0, classes.count, 1).reshape(&classes.along[..]);
    let counted = some_ignored.then(|| labels.ne(options.ignore_index));
    let mut picked = numbers.eq(&labels);
    if let Some(counted) = &counted {
        picked = picked.logical_and(counted);
    }
    let weighted = classes.weighted(log_p);
    let smoothing = options.label_smoothing;
    let mut loss = if smoothing == 0.0 {
        // A choice, not a product: an impossible class has log p = -inf, and 0 times that is NaN.
        -picked.where_(&weighted, 0.0).sum(classes.axis)
    } else {
        let share = picked.cast(log_p.dtype()) * (1.0 - smoothing) + smoothing / classes.count as f64;
        -(share * weighted).sum(classes.axis)
    };
    if let (Some(counted), true) = (&counted, smoothing > 0.0) {
        loss = counted.squeeze(classes.axis).where_(loss, 0.0);
    }
    match (options.reduction, &classes.weight, &counted) {
        (Reduction::Mean, Some(weight), _) => loss.sum(()) / picked.where_(weight, 0.0).sum(()),
        (Reduction::Mean, None, Some(counted)) => loss.sum(()) / counted.sum(()),
        (reduction, ..) => reduction.apply(loss),
    }
}

/// The loss of whole distributions; its mean is over samples.
#[track_caller]
fn probabilities(log_p: &Tensor, target: &Tensor, classes: &Classes, options: &CrossEntropy) -> Tensor {
    check_same_shape("cross_entropy", log_p, target);
    let smoothing = options.label_smoothing;
    let weighted = classes.weighted(log_p);
    let loss = if smoothing == 0.0 {
        -(weighted * target).sum(classes.axis)
    } else {
        -(weighted * (target * (1.0 - smoothing) + smoothing / classes.count as f64)).sum(classes.axis)
    };
    options.reduction.apply(loss)
}

/// Refuses labels that do not fit the input, or that are no class; says whether some are to be ignored.
#[track_caller]
fn check_labels(op: &'static str, x: &Tensor, labels: &Tensor, classes: &Classes, ignored: i64) -> bool {
    let mut expected = x.shape().to_vec();
    expected.remove(classes.axis as usize);
    if !labels.dtype().is_int() {
        let detail = format!("not labels: {}; labels are integers", labels.dtype());
        raise(Error::new(op, ErrorKind::Dtype, detail));
    }
    if labels.shape()[..] != expected[..] {
        let (x, labels) = (&x.shape()[..], &labels.shape()[..]);
        let detail = format!(
            "labels do not fit: input {x:?}, labels {labels:?}; one label for each sample is {expected:?}"
        );
        raise(Error::new(op, ErrorKind::Shape, detail));
    }
    let mut some_ignored = false;
    let all = replay::really(|| labels.of_all_examples().cast(I64).force().clone());
    for (position, label) in all.to_vec::<i64>().into_iter().enumerate() {
        let is_class = usize::try_from(label).is_ok_and(|label| label < classes.count);
        some_ignored |= label == ignored;
        if !is_class && label != ignored {
            let count = classes.count;
            let detail = format!(
                "label out of range: {label} at position {position}, with {count} classes; labels lie in 0..{count}, \
                 or are ignore_index {ignored}"
            );
            raise(Error::new(op, ErrorKind::Index, detail));
        }
    }
    some_ignored
}

#[track_caller]
pub(super) fn binary_cross_entropy(p: &Tensor, target: &Tensor, options: &Bce) -> Tensor {
    check_same_shape("binary_cross_entropy", p, target);
    // The cut keeps certain and wrong predictions finite; the gradient beyond it is 0.
    let yes = p.log().clamp_min(-100.0);
    let no = (-p).log1p().clamp_min(-100.0);
    let loss = -(target * yes + (1.0 - target) * no);
    options.reduction.apply(weigh("binary_cross_entropy", loss, options.weight.as_ref()))
}

#[track_caller]
pub(super) fn binary_cross_entropy_with_logits(
    x: &Tensor,
    target: &Tensor,
    options: &BceWithLogits,
) -> Tensor {
    const OP: &str = "binary_cross_entropy_with_logits";
    check_same_shape(OP, x, target);
    let loss = match &options.pos_weight {
        None => (1.0 - target) * x - x.log_sigmoid(),
        Some(weight) => {
            check_broadcast(OP, "pos_weight", x, weight);
            (1.0 - target) * x - ((weight - 1.0) * target + 1.0) * x.log_sigmoid()
        }
    };
    options.reduction.apply(weigh(OP, loss, options.weight.as_ref()))
}

#[track_caller]
fn weigh(op: &'static str, loss: Tensor, weight: Option<&Tensor>) -> Tensor {
    let Some(weight) = weight else { return loss };
    check_broadcast(op, "weight", &loss, weight);
    loss * weight
}

/// Refuses weights that are not for the input, or would make the loss larger than it.
#[track_caller]
fn check_broadcast(op: &'static str, what: &str, x: &Tensor, weight: &Tensor) {
    let (x, weight) = (&x.shape()[..], &weight.shape()[..]);
    let fits = |(&w, &x): (&usize, &usize)| w == x || w == 1;
    if weight.len() > x.len() || !weight.iter().rev().zip(x.iter().rev()).all(fits) {
        let detail =
            format!("{what} does not fit: {weight:?} for input {x:?}; it must broadcast to the input");
        raise(Error::new(op, ErrorKind::Shape, detail));
    }
}

#[track_caller]
pub(super) fn kl_div(log_p: &Tensor, target: &Tensor, options: &KlDiv) -> Tensor {
    check_same_shape("kl_div", log_p, target);
    let loss = if options.log_target {
        target.exp() * (target - log_p)
    } else {
        target.xlogy(target) - target * log_p
    };
    match (options.batch_mean, log_p.shape().first()) {
        (true, Some(&samples)) => loss.sum(()) / samples,
        _ => options.reduction.apply(loss),
    }
}
