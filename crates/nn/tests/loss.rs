//! Losses beyond the reference cases: edges of the formulas, options the cases do not set, refusals.

use retrograd_autograd::Differentiate;
use retrograd_nn::{
    Bce, CrossEntropy, GaussianNll, KlDiv, Losses, PoissonNll, Reduction, SmoothL1, TripletMargin,
};
use retrograd_tensor::{F64, Tensor, attempt};

#[track_caller]
fn close(got: f64, want: f64) {
    assert!((got - want).abs() <= 1e-9 * (1.0 + want.abs()), "got {got}, want {want}");
}

#[track_caller]
fn refused(f: impl FnOnce() -> Tensor, message: &str) {
    let error = attempt(f).unwrap_err().to_string();
    assert!(error.contains(message), "{message:?} is not in {error:?}");
}

#[test]
fn cross_entropy_of_even_logits_is_the_logarithm_of_the_classes() {
    let logits = F64.zeros([2, 5]);
    close(logits.cross_entropy(&Tensor::from([0i64, 4])).item(), 5f64.ln());
    close(logits.cross_entropy(&Tensor::from([0u8, 4])).item(), 5f64.ln());
    close(F64.zeros([5]).cross_entropy(&Tensor::from(2i64)).item(), 5f64.ln());
}

#[test]
fn ignored_labels_count_nowhere() {
    let logits = Tensor::from([[1f64, 2.0, 3.0], [4.0, 1.0, 1.0], [0.0, 0.0, 9.0]]).tracked();
    let some = Tensor::from([2i64, -100, 1]);
    let kept = logits.index_select(0, &Tensor::from([0i64, 2]));
    let label_smoothing = 0.2;
    for options in [CrossEntropy::default(), CrossEntropy { label_smoothing, ..CrossEntropy::default() }] {
        let loss = logits.cross_entropy_with(&some, options.clone());
        close(loss.item(), kept.cross_entropy_with(&Tensor::from([2i64, 1]), options).item());
        let grads = loss.backward();
        assert_eq!(grads[&logits].select(0, 1).to_vec::<f64>(), [0.0; 3]);
    }
    let none = Tensor::from([-100i64; 3]);
    assert!(logits.cross_entropy(&none).item().is_nan());
    close(logits.cross_entropy_with(&none, Reduction::Sum).item(), 0.0);
    let ignore_index = 2;
    let loss = logits
        .cross_entropy_with(&Tensor::from([2i64, 0, 2]), CrossEntropy { ignore_index, ..Default::default() });
    close(loss.item(), logits.narrow(0, 1, 1).cross_entropy(&Tensor::from([0i64])).item());
}

#[test]
fn an_impossible_class_costs_nothing_where_it_is_not_the_label() {
    let logits = Tensor::from([[0f64, f64::NEG_INFINITY]]).tracked();
    let loss = logits.cross_entropy(&Tensor::from([0i64]));
    let grads = loss.backward();
    close(loss.item(), 0.0);
    assert_eq!(grads[&logits].to_vec::<f64>(), [0.0, 0.0]);
    assert_eq!(logits.cross_entropy(&Tensor::from([1i64])).item(), f64::INFINITY);
}

#[test]
fn labels_are_distributions_on_one_class() {
    let logits = Tensor::from([[1f64, 2.0, -1.0], [0.5, 0.1, 0.3]]);
    let (labels, target) = (Tensor::from([1i64, 0]), Tensor::from([[0f64, 1.0, 0.0], [1.0, 0.0, 0.0]]));
    let options = CrossEntropy { label_smoothing: 0.3, ..Default::default() };
    let (a, b) =
        (logits.cross_entropy_with(&labels, options.clone()), logits.cross_entropy_with(&target, options));
    close(a.item(), b.item());
}

#[test]
fn classes_may_lie_along_any_axis() {
    let x = Tensor::from([[[1f64, 2.0], [3.0, -1.0], [0.0, 0.5]]]);
    let labels = Tensor::from([[2i64, 0]]);
    let last = x.transpose(1, 2);
    let options = CrossEntropy { classes_dim: -1, ..Default::default() };
    close(x.cross_entropy(&labels).item(), last.cross_entropy_with(&labels, options).item());
}

#[test]
fn certain_and_wrong_probabilities_stay_finite() {
    let p = Tensor::from([0f64, 1.0, 0.0, 1.0]);
    let y = Tensor::from([1f64, 0.0, 0.0, 1.0]);
    assert_eq!(p.binary_cross_entropy_with(&y, Reduction::None).to_vec::<f64>(), [100.0, 100.0, 0.0, 0.0]);
    let weight = Some(Tensor::from(2f64));
    close(p.binary_cross_entropy_with(&y, Bce { weight, reduction: Reduction::Sum }).item(), 400.0);
    let x = Tensor::from([1e4f64, -1e4]);
    let far = x.binary_cross_entropy_with_logits_with(&Tensor::from([0f64, 0.0]), Reduction::None);
    assert_eq!(far.to_vec::<f64>(), [1e4, 0.0]);
}

#[test]
fn divergences_vanish_on_equal_distributions_and_average_as_told() {
    let q = Tensor::from([[0.25f64, 0.75], [1.0, 0.0]]);
    let log_p = Tensor::from([[0.5f64, 0.5], [0.5, 0.5]]).log();
    let sum = 0.25 * 0.5f64.ln() + 0.75 * 1.5f64.ln() + 2f64.ln();
    close(log_p.kl_div_with(&q, Reduction::Sum).item(), sum);
    close(log_p.kl_div(&q).item(), sum / 4.0);
    close(log_p.kl_div_with(&q, KlDiv { batch_mean: true, ..Default::default() }).item(), sum / 2.0);
    close(log_p.kl_div_with(&log_p, KlDiv { log_target: true, ..Default::default() }).item(), 0.0);
}

#[test]
fn bends_are_where_they_should_be() {
    let (x, y) = (Tensor::from([0f64, 0.5, 3.0]), F64.zeros([3]));
    let smooth =
        |beta| x.smooth_l1_loss_with(&y, SmoothL1 { beta, reduction: Reduction::None }).to_vec::<f64>();
    assert_eq!(smooth(1.0), [0.0, 0.125, 2.5]);
    assert_eq!(smooth(0.0), [0.0, 0.5, 3.0]);
    assert_eq!(x.huber_loss_with(&y, Reduction::None).to_vec::<f64>(), [0.0, 0.125, 2.5]);
}

#[test]
fn likelihoods_have_their_constants() {
    let (x, y) = (Tensor::from([0.5f64]), Tensor::from([3f64]));
    let stirling = 3.0 * 3f64.ln() - 3.0 + 0.5 * (6.0 * std::f64::consts::PI).ln();
    let full = PoissonNll { full: true, ..Default::default() };
    close(x.poisson_nll_loss_with(&y, full).item(), 0.5f64.exp() - 1.5 + stirling);
    let rate = PoissonNll { log_input: false, ..Default::default() };
    close(x.poisson_nll_loss_with(&y, rate).item(), 0.5 - 3.0 * (0.5 + 1e-8f64).ln());
    let normal = GaussianNll { full: true, ..Default::default() };
    let constant = 0.5 * (2.0 * std::f64::consts::PI).ln();
    close(x.gaussian_nll_loss_with(&y, &Tensor::from([1f64]), normal).item(), 0.5 * 6.25 + constant);
}

#[test]
fn a_variance_below_its_limit_still_has_a_gradient() {
    let variance = Tensor::from([0f64]).tracked();
    let loss = Tensor::from([1f64]).gaussian_nll_loss(&Tensor::from([1f64]), &variance);
    close(loss.item(), 0.5 * 1e-6f64.ln());
    close(loss.backward()[&variance].item(), 0.5e6);
    let (x, y) = (F64.ones([2, 3]), F64.zeros([2, 3]));
    close(x.gaussian_nll_loss(&y, &F64.ones([2])).item(), 0.5);
    close(x.gaussian_nll_loss(&y, &F64.ones([2, 1])).item(), 0.5);
}

#[test]
fn a_triplet_may_take_the_nearer_distance() {
    let points = [[0f64, 0.0], [1.0, 0.0], [1.0, 0.5]].map(|point| Tensor::from(vec![point[0], point[1]]));
    let [anchor, positive, negative] = &points;
    let loss = |swap| {
        let options = TripletMargin { eps: 0.0, swap, ..Default::default() };
        anchor.triplet_margin_loss_with(positive, negative, options).item()
    };
    close(loss(false), 2.0 - 1.25f64.sqrt());
    close(loss(true), 1.5);
}

#[test]
fn what_does_not_fit_is_refused_at_the_call() {
    let x = F64.zeros([2, 3]);
    let line = line!() + 1;
    let error = attempt(|| x.mse_loss(&F64.zeros([2, 1]))).unwrap_err();
    assert_eq!(error.location().map(|at| (at.file(), at.line())), Some((file!(), line)));
    refused(|| x.mse_loss(&F64.zeros([2, 1])), "mse_loss: shapes differ: input [2, 3], target [2, 1]");
    refused(
        || x.cross_entropy(&Tensor::from([0i64])),
        "cross_entropy: labels do not fit: input [2, 3], labels [1]",
    );
    refused(
        || x.cross_entropy(&Tensor::from([0i64, 3])),
        "label out of range: 3 at position 1, with 3 classes",
    );
    refused(|| x.nll_loss(&Tensor::from([-1i64, 0])), "nll_loss: label out of range: -1 at position 0");
    let classes_dim = 2;
    let options = CrossEntropy { classes_dim, ..Default::default() };
    refused(|| x.cross_entropy_with(&Tensor::from([0i64, 1]), options), "classes_dim 2 of shape [2, 3]");
    let options = CrossEntropy { weight: Some(F64.ones([2])), ..Default::default() };
    refused(|| x.cross_entropy_with(&Tensor::from([0i64, 1]), options), "one for each class is [3]");
    let options = CrossEntropy { label_smoothing: 1.5, ..Default::default() };
    refused(
        || x.cross_entropy_with(&Tensor::from([0i64, 1]), options),
        "label_smoothing 1.5; it lies in 0..=1",
    );
}
