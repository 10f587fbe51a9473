//! Metrics against the examples of scikit-learn's documentation (1.5) and numbers computed by hand.

use retrograd_nn::metrics::*;
use retrograd_tensor::{ErrorKind, F64, Tensor, attempt};

#[track_caller]
fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-12, "{a} is not {b}");
}

/// Three classes, of which only the first is ever hit.
fn three() -> (Tensor, Tensor) {
    (Tensor::from([0i64, 2, 1, 0, 0, 1]), Tensor::from([0i64, 1, 2, 0, 1, 2]))
}

#[test]
fn precision_recall_and_f1_are_those_of_scikit_learn() {
    // The examples of `precision_score`, `recall_score` and `f1_score`: 0.22, 0.33, 0.22; 0.33, 0.33, 0.33; 0.26, 0.33,
    // 0.26, and per class [2/3, 0, 0], [1, 0, 0], [0.8, 0, 0].
    let (p, y) = three();
    for (average, wanted) in [
        (Average::Macro, [2.0 / 9.0, 1.0 / 3.0, 0.8 / 3.0]),
        (Average::Micro, [1.0 / 3.0; 3]),
        (Average::Weighted, [2.0 / 9.0, 1.0 / 3.0, 0.8 / 3.0]),
        (Average::Class(0), [2.0 / 3.0, 1.0, 0.8]),
        (Average::Class(2), [0.0; 3]),
    ] {
        close(precision(&p, &y, 3, average), wanted[0]);
        close(recall(&p, &y, 3, average), wanted[1]);
        close(f1(&p, &y, 3, average), wanted[2]);
    }
    let mut metric = Precision::new(3);
    metric.update(&p, &y);
    assert_eq!(metric.per_class(), [2.0 / 3.0, 0.0, 0.0]);
}

#[test]
fn averages_differ_where_classes_have_different_sizes() {
    // Labels 0 0 0 1; predicted 0 0 1 1. Class 0: P 1, R 2/3, F 4/5; class 1: P 1/2, R 1, F 2/3. By hand.
    let (p, y) = (Tensor::from([0i64, 0, 1, 1]), Tensor::from([0i64, 0, 0, 1]));
    // A third class that never occurs counts in no mean.
    for classes in [2, 3] {
        close(precision(&p, &y, classes, Average::Macro), 0.75);
        close(precision(&p, &y, classes, Average::Weighted), 0.875);
        close(recall(&p, &y, classes, Average::Macro), 5.0 / 6.0);
        close(recall(&p, &y, classes, Average::Weighted), 0.75);
        close(f1(&p, &y, classes, Average::Macro), (0.8 + 2.0 / 3.0) / 2.0);
        close(f1(&p, &y, classes, Average::Weighted), (3.0 * 0.8 + 2.0 / 3.0) / 4.0);
        close(f1(&p, &y, classes, Average::Micro), 0.75);
    }
}

#[test]
fn top_k_accuracy_is_that_of_scikit_learn() {
    let scores = Tensor::from([[0.5f32, 0.2, 0.2], [0.3, 0.4, 0.2], [0.2, 0.4, 0.3], [0.7, 0.2, 0.1]]);
    let labels = Tensor::from([0i64, 1, 2, 2]);
    assert_eq!(top_k_accuracy(&scores, &labels, 2), 0.75);
    assert_eq!(top_k_accuracy(&scores, &labels, 1), accuracy(&scores, &labels));
    assert_eq!(top_k_accuracy(&scores, &labels, 3), 1.0);
    // A network whose outputs are NaN knows nothing, and of equal scores the lower class comes first.
    let labels = Tensor::from([0i64, 1]);
    assert_eq!(top_k_accuracy(&Tensor::full([2, 2], f64::NAN), &labels, 1), 0.0);
    assert_eq!(top_k_accuracy(&Tensor::zeros([2, 2]), &labels, 1), 0.5);
}

#[test]
fn roc_auc_counts_ties_as_one_half() {
    // The example of `roc_auc_score`.
    let labels = Tensor::from([0i64, 0, 1, 1]);
    close(roc_auc(&Tensor::from([0.1f64, 0.4, 0.35, 0.8]), &labels), 0.75);
    close(roc_auc(&Tensor::from([0.5f64, 0.5, 0.5, 0.5]), &labels), 0.5);
    close(roc_auc(&Tensor::from([0.9f64, 0.8, 0.1, 0.2]), &labels), 0.0);
    // By hand: of six pairs, 0.3 beats 0.1 (1), ties with 0.3 (1/2) and loses to 0.5; 0.5 wins twice and ties.
    let (scores, labels) = (Tensor::from([0.1f64, 0.3, 0.3, 0.5, 0.5]), Tensor::from([0i64, 0, 1, 0, 1]));
    close(roc_auc(&scores, &labels), (1.5 + 2.5) / 6.0);
    assert!(roc_auc(&scores, &Tensor::from([1i64; 5])).is_nan());
    assert!(roc_auc(&Tensor::from([f64::NAN, 0.3]), &Tensor::from([0i64, 1])).is_nan());
    let error = attempt(|| roc_auc(&scores, &Tensor::from([0i64, 2, 0, 1, 1]))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Value);
}

#[test]
fn distances_are_those_of_scikit_learn() {
    // The examples of `mean_absolute_error`, `mean_squared_error`, `root_mean_squared_error` and `r2_score`.
    let (p, y) = (Tensor::from([2.5f64, 0.0, 2.0, 8.0]), Tensor::from([3.0f64, -0.5, 2.0, 7.0]));
    close(mae(&p, &y), 0.5);
    close(mse(&p, &y), 0.375);
    close(rmse(&p, &y), 0.375f64.sqrt());
    assert!((r2(&p, &y) - 0.948608137).abs() < 1e-9);
    let (p, y) = (Tensor::from([3.0f64, 2.0, 1.0]), Tensor::from([1.0f64, 2.0, 3.0]));
    close(r2(&p, &y), -3.0);
    // Targets that are all alike, as `force_finite` there.
    let constant = Tensor::from([2.0f64, 2.0, 2.0]);
    assert_eq!((r2(&constant, &constant), r2(&p, &constant)), (1.0, 0.0));
    assert!(r2(&Tensor::from([1.0f64]), &Tensor::from([1.0f64])).is_nan());
    // Large numbers close to each other: a difference of sums of squares would keep no digit.
    let y = F64.arange(0.0, 5.0, 1.0) + 1e9;
    close(r2(&(&y + 1.0), &y), 0.5);
}

#[test]
fn perplexity_is_the_exponential_of_the_cross_entropy() {
    // Two decisions with probabilities 1/2 and 1/8: a mean of 2 bits.
    let logits = Tensor::from([[0.5f64, 0.5], [0.125, 0.875]]).log();
    close(perplexity(&logits, &Tensor::from([1i64, 0])), 4.0);
    let padded = Tensor::from([1i64, -100]);
    close(perplexity(&logits, &padded), 2.0);
    assert!(perplexity(&logits, &Tensor::from([-100i64, -100])).is_nan());
}

#[test]
fn batches_count_as_one_whole_and_states_go_on() {
    let scores = Tensor::from([0.1f64, 0.8, 0.3, 0.5, 0.5, 0.9]);
    let labels = Tensor::from([0i64, 1, 1, 0, 1, 1]);
    let logits = scores.unsqueeze(1).matmul(Tensor::from([[1.0f64, -2.0, 3.0]]));
    type Pair<'t> = (Box<dyn Metric>, Box<dyn Metric>, &'t Tensor);
    let metrics: Vec<Pair<'_>> = vec![
        (Box::new(Accuracy::new()), Box::new(Accuracy::new()), &logits),
        (Box::new(TopK::new(2)), Box::new(TopK::new(2)), &logits),
        (Box::new(Precision::new(3)), Box::new(Precision::new(3)), &logits),
        (Box::new(Recall::new(3)), Box::new(Recall::new(3)), &logits),
        (Box::new(F1::new(3)), Box::new(F1::new(3)), &logits),
        (Box::new(RocAuc::new()), Box::new(RocAuc::new()), &scores),
        (Box::new(Mae::new()), Box::new(Mae::new()), &scores),
        (Box::new(Mse::new()), Box::new(Mse::new()), &scores),
        (Box::new(Rmse::new()), Box::new(Rmse::new()), &scores),
        (Box::new(R2::new()), Box::new(R2::new()), &scores),
        (Box::new(Perplexity::new()), Box::new(Perplexity::new()), &logits),
    ];
    for (number, (mut whole, mut parts, given)) in metrics.into_iter().enumerate() {
        let numbers = if (6..10).contains(&number) { labels.cast(F64) } else { labels.clone() };
        whole.update(given, &numbers);
        parts.update(&given.narrow(0, 0, 2), &numbers.narrow(0, 0, 2));
        // Through a state, as a checkpoint does it.
        let state = parts.state();
        parts.update(given, &numbers);
        parts.reset();
        assert!(parts.compute().is_nan(), "{number}");
        parts.set_state(&state).unwrap();
        parts.update(&given.narrow(0, 2, 4), &numbers.narrow(0, 2, 4));
        close(parts.compute(), whole.compute());
        assert!(whole.set_state(&[1.0; 7]).is_err(), "{number}");
        close(parts.compute(), whole.compute());
    }
}

#[test]
fn misuse_says_what_would_fit() {
    let labels = Tensor::from([0i64, 1]);
    let error = attempt(|| mae(&Tensor::zeros([3]), &labels)).unwrap_err();
    assert!(error.to_string().contains("predictions [3], targets [2]"), "{error}");
    let error = attempt(|| top_k_accuracy(&Tensor::zeros([2, 3]), &Tensor::from([0i64, 3]), 1)).unwrap_err();
    assert!(error.to_string().contains("no such class: 3"), "{error}");
    let error = attempt(|| f1(&labels, &labels, 2, Average::Class(2))).unwrap_err();
    assert!(error.to_string().contains("no such class: 2"), "{error}");
    assert!(attempt(|| TopK::new(0)).is_err());
    assert!(precision(&Tensor::from([0i64; 0]), &Tensor::from([0i64; 0]), 2, Average::Micro).is_nan());
}
