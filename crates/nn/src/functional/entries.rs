//! The functions of networks under the names of the reference cases, with the attributes that the cases give them.

use super::{Attention, Functional};
use retrograd_tensor::entry::{Attrs, Entry};

/// How each function is called from a recorded case. Only tests read it.
pub const ENTRIES: &[Entry] = &[
    Entry::new("batch_norm", |x, a| {
        if a.bool_or("training", false) {
            let (y, mean, var) = x[0].batch_norm(x.get(1), x.get(2), eps(a));
            return vec![y, mean, var];
        }
        vec![x[0].batch_norm_by(&x[1], &x[2], x.get(3), x.get(4), eps(a))]
    }),
    Entry::new("layer_norm", |x, a| vec![x[0].layer_norm(shape(a), x.get(1), x.get(2), eps(a))]),
    Entry::new("rms_norm", |x, a| {
        let eps = a.has("eps").then(|| a.f64("eps"));
        vec![x[0].rms_norm(shape(a), x.get(1), eps)]
    }),
    Entry::new("group_norm", |x, a| {
        vec![x[0].group_norm(a.int("num_groups") as usize, x.get(1), x.get(2), eps(a))]
    }),
    Entry::new("instance_norm", |x, a| vec![x[0].instance_norm(x.get(1), x.get(2), eps(a))]),
    Entry::new("scaled_dot_product_attention", |x, a| {
        let mask = match a.str_or("mask", "") {
            "" => None,
            "true means attend" => Some(x[3].ne(0)),
            _ => Some(x[3].clone()),
        };
        let options = Attention {
            mask,
            causal: a.bool_or("is_causal", false),
            scale: a.has("scale").then(|| a.f64("scale")),
            grouped: a.bool_or("enable_gqa", false),
        };
        vec![x[0].scaled_dot_product_attention(&x[1], &x[2], &options)]
    }),
    Entry::new("embedding", |x, a| {
        let padding = a.has("padding_idx").then(|| a.int("padding_idx").rem_euclid(x[1].size(0) as isize));
        vec![x[1].embedding(&x[0], padding.map(isize::unsigned_abs))]
    }),
];

fn eps(attrs: &Attrs) -> f64 {
    attrs.f64_or("eps", 1e-5)
}

fn shape(attrs: &Attrs) -> Vec<usize> {
    attrs.ints("normalized_shape").iter().map(|&size| size as usize).collect()
}
