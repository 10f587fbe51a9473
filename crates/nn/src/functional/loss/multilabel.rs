//! Losses of classifiers whose samples have several labels: with margins between scores, and with a sigmoid for each
//! class.

use super::{Reduction, check_option, check_same_shape};
use retrograd_tensor::{Error, ErrorKind, I64, Tensor, raise, replay};

const MARGIN: &str = "multilabel_margin_loss";
const SOFT: &str = "multilabel_soft_margin_loss";

#[track_caller]
pub(super) fn margin_loss(x: &Tensor, labels: &Tensor, reduction: Reduction) -> Tensor {
    check_rank(MARGIN, x);
    check_same_shape(MARGIN, x, labels);
    let most = check_labels(x, labels);
    let labels = labels.cast(I64);
    // A place counts if no padding came before it.
    let counts = labels.lt(0i64).cast(I64).cumsum(-1).eq(0i64).narrow(-1, 0, most);
    let index = counts.where_(labels.narrow(-1, 0, most), 0i64);
    let classes = I64.arange(0, x.size(-1), 1);
    let is_label = index.unsqueeze(-1).eq(classes).logical_and(counts.unsqueeze(-1)).any(-2);
    let short = (1.0 - x.gather(-1, &index).unsqueeze(-1) + x.unsqueeze(-2)).relu();
    let pairs = counts.unsqueeze(-1).logical_and(is_label.logical_not().unsqueeze(-2));
    reduction.apply(pairs.where_(short, 0.0).sum([-2, -1]) / x.size(-1))
}

#[track_caller]
pub(super) fn soft_margin_loss(
    x: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    reduction: Reduction,
) -> Tensor {
    check_rank(SOFT, x);
    check_same_shape(SOFT, x, target);
    let mut each = (1.0 - target) * x - x.log_sigmoid();
    if let Some(weight) = weight {
        let (classes, given) = (x.size(-1), &weight.shape()[..]);
        if given != [classes] {
            let detail = format!("weights do not fit: shape {given:?}; one for each class is [{classes}]");
            raise(Error::new(SOFT, ErrorKind::Shape, detail));
        }
        each *= weight;
    }
    reduction.apply(each.mean(-1))
}

#[track_caller]
fn check_rank(op: &'static str, x: &Tensor) {
    let ok = matches!(x.rank(), 1 | 2) && x.size(-1) > 0;
    check_option(op, ok, &format!("scores {}", x.shape()), "they are [N, C] or [C], with a class");
}

/// Refuses what is neither a class nor padding; gives the largest number of labels of a sample, but at least 1.
#[track_caller]
fn check_labels(x: &Tensor, labels: &Tensor) -> usize {
    if !labels.dtype().is_int() {
        let detail = format!("not labels: {}; labels are integers", labels.dtype());
        raise(Error::new(MARGIN, ErrorKind::Dtype, detail));
    }
    let classes = x.size(-1);
    let all = replay::really(|| labels.of_all_examples().cast(I64).force().to_vec::<i64>());
    if let Some(label) = all.iter().find(|&&label| label < -1 || label >= classes as i64) {
        let right = format!("labels lie in 0..{classes}, and -1 ends them");
        let detail = format!("label out of range: {label}; {right}");
        raise(Error::new(MARGIN, ErrorKind::Index, detail));
    }
    let used = |row: &[i64]| row.iter().take_while(|&&label| label >= 0).count();
    all.chunks(classes).map(used).max().unwrap_or(0).max(1)
}
