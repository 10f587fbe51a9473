//! Losses that ask for a margin: between like and unlike, near and far.

use super::{HingeEmbedding, Reduction, TripletMargin, check_same_shape};
use retrograd_tensor::Tensor;

#[track_caller]
pub(super) fn hinge_embedding_loss(x: &Tensor, target: &Tensor, options: &HingeEmbedding) -> Tensor {
    check_same_shape("hinge_embedding_loss", x, target);
    let unlike = target.ne(1.0).where_((options.margin - x).relu(), 0.0);
    let like = target.ne(-1.0).where_(x, 0.0);
    options.reduction.apply(unlike + like)
}

#[track_caller]
pub(super) fn soft_margin_loss(x: &Tensor, target: &Tensor, reduction: Reduction) -> Tensor {
    check_same_shape("soft_margin_loss", x, target);
    reduction.apply(-(target * x).log_sigmoid())
}

#[track_caller]
pub(super) fn triplet_margin_loss(
    anchor: &Tensor,
    positive: &Tensor,
    negative: &Tensor,
    options: &TripletMargin,
) -> Tensor {
    const OP: &str = "triplet_margin_loss";
    check_same_shape(OP, anchor, positive);
    check_same_shape(OP, anchor, negative);
    let distance = |a: &Tensor, b: &Tensor| (a - b + options.eps).vector_norm(options.p, -1);
    let near = distance(anchor, positive);
    let mut far = distance(anchor, negative);
    if options.swap {
        far = far.minimum(distance(positive, negative));
    }
    options.reduction.apply((near - far + options.margin).relu())
}
