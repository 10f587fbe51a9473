//! The losses under the names of the reference cases, with the attributes that the cases give them.

use super::{
    Bce, BceWithLogits, CrossEntropy, GaussianNll, HingeEmbedding, Huber, KlDiv, Losses, Nll, PoissonNll,
    Reduction, SmoothL1, TripletMargin,
};
use retrograd_tensor::Tensor;
use retrograd_tensor::entry::{Attrs, Entry};

/// How each loss is called from a recorded case. Only tests read it.
pub const ENTRIES: &[Entry] = &[
    Entry::new("mse_loss", |x, a| vec![x[0].mse_loss_with(&x[1], reduction(a))]),
    Entry::new("l1_loss", |x, a| vec![x[0].l1_loss_with(&x[1], reduction(a))]),
    Entry::new("smooth_l1_loss", |x, a| {
        vec![
            x[0].smooth_l1_loss_with(
                &x[1],
                SmoothL1 { beta: a.f64_or("beta", 1.0), reduction: reduction(a) },
            ),
        ]
    }),
    Entry::new("huber_loss", |x, a| {
        vec![x[0].huber_loss_with(&x[1], Huber { delta: a.f64_or("delta", 1.0), reduction: reduction(a) })]
    }),
    Entry::new("binary_cross_entropy", |x, a| {
        let options = Bce { weight: input(x, a, "weight"), reduction: reduction(a) };
        vec![x[0].binary_cross_entropy_with(&x[1], options)]
    }),
    Entry::new("binary_cross_entropy_with_logits", |x, a| {
        let (weight, pos_weight) = (input(x, a, "weight"), input(x, a, "pos_weight"));
        let options = BceWithLogits { weight, pos_weight, reduction: reduction(a) };
        vec![x[0].binary_cross_entropy_with_logits_with(&x[1], options)]
    }),
    Entry::new("cross_entropy", |x, a| vec![x[0].cross_entropy_with(&x[1], cross_entropy(x, a))]),
    Entry::new("cross_entropy_probabilities", |x, a| {
        vec![x[0].cross_entropy_with(&x[1], cross_entropy(x, a))]
    }),
    Entry::new("nll_loss", |x, a| {
        let CrossEntropy { weight, ignore_index, classes_dim, reduction, .. } = cross_entropy(x, a);
        vec![x[0].nll_loss_with(&x[1], Nll { weight, ignore_index, classes_dim, reduction })]
    }),
    Entry::new("kl_div", |x, a| {
        let batch_mean = a.str_or("reduction", "mean") == "batchmean";
        let reduction = if batch_mean { Reduction::Mean } else { reduction(a) };
        let options = KlDiv { log_target: a.bool_or("log_target", false), batch_mean, reduction };
        vec![x[0].kl_div_with(&x[1], options)]
    }),
    Entry::new("poisson_nll_loss", |x, a| {
        let (log_input, full) = (a.bool_or("log_input", true), a.bool_or("full", false));
        let options = PoissonNll { log_input, full, eps: a.f64_or("eps", 1e-8), reduction: reduction(a) };
        vec![x[0].poisson_nll_loss_with(&x[1], options)]
    }),
    Entry::new("gaussian_nll_loss", |x, a| {
        let (full, eps) = (a.bool_or("full", false), a.f64_or("eps", 1e-6));
        vec![x[0].gaussian_nll_loss_with(&x[1], &x[2], GaussianNll { full, eps, reduction: reduction(a) })]
    }),
    Entry::new("hinge_embedding_loss", |x, a| {
        let options = HingeEmbedding { margin: a.f64_or("margin", 1.0), reduction: reduction(a) };
        vec![x[0].hinge_embedding_loss_with(&x[1], options)]
    }),
    Entry::new("soft_margin_loss", |x, a| vec![x[0].soft_margin_loss_with(&x[1], reduction(a))]),
    Entry::new("triplet_margin_loss", |x, a| {
        let options = TripletMargin {
            margin: a.f64_or("margin", 1.0),
            p: a.f64_or("p", 2.0),
            eps: a.f64_or("eps", 1e-6),
            swap: a.bool_or("swap", false),
            reduction: reduction(a),
        };
        vec![x[0].triplet_margin_loss_with(&x[1], &x[2], options)]
    }),
];

fn cross_entropy(x: &[Tensor], attrs: &Attrs) -> CrossEntropy {
    CrossEntropy {
        weight: input(x, attrs, "weight"),
        ignore_index: attrs.int_or("ignore_index", -100) as i64,
        label_smoothing: attrs.f64_or("label_smoothing", 0.0),
        classes_dim: attrs.int_or("classes_dim", 1),
        reduction: reduction(attrs),
    }
}

/// The input that the attribute `name` points at by its position in words.
fn input(x: &[Tensor], attrs: &Attrs, name: &str) -> Option<Tensor> {
    let position = match attrs.str_or(name, "") {
        "third input" => 2,
        "fourth input" => 3,
        _ => return None,
    };
    x.get(position).cloned()
}

fn reduction(attrs: &Attrs) -> Reduction {
    match attrs.str_or("reduction", "mean") {
        "mean" => Reduction::Mean,
        "sum" => Reduction::Sum,
        "none" => Reduction::None,
        other => panic!("reduction `{other}`: unknown; a case gives mean, sum or none"),
    }
}
