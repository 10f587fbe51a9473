//! Losses of special tasks against numbers that PyTorch 2.15 gave in double precision for the same inputs.

use retrograd_autograd::Differentiate;
use retrograd_nn::{Ctc, MultiMargin, Reduction, TaskLosses};
use retrograd_tensor::{F64, Tensor, attempt};

#[track_caller]
fn close(got: &Tensor, want: &[f64]) {
    let got = got.to_vec::<f64>();
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        assert!(got == want || (got - want).abs() <= 1e-10, "got {got}, want {want}");
    }
}

/// Logits of four steps, two sequences, three classes.
fn logits() -> Tensor {
    (F64.arange(0.0, 24.0, 1.0) * 0.7).sin().reshape([4, 2, 3])
}

#[test]
fn ctc_sums_over_all_alignments() {
    let logits = logits().tracked();
    let targets = Tensor::from([[1i64, 2], [1, 1]]);
    let loss = |reduction| {
        let options = Ctc { reduction, ..Ctc::default() };
        logits.log_softmax(2).ctc_loss_with(&targets, &[4, 3], &[2, 1], &options)
    };
    close(&loss(Reduction::None), &[1.9115895803101095, 1.5313661872128967]);
    close(&loss(Reduction::Mean), &[1.2435804886839756]);
    let sum = loss(Reduction::Sum);
    close(&sum, &[3.4429557675230065]);
    let want = [
        [-0.0494507837653589, -0.4303576193365453, 0.4798084031019042],
        [-0.094179958760113, -0.06324573607511652, 0.1574256948352295],
        [0.0006732225072878605, -0.21719564930854102, 0.21652242680125314],
        [-0.02592712354603979, -0.4510254068732114, 0.4769525304192512],
        [0.00771670189531272, 0.10809427360447883, -0.11581097549979155],
        [-0.18583483441981208, -0.21954842599290064, 0.4053832604127127],
        [0.016699302133191915, 0.3438799677321326, -0.3605792698653245],
        [0.0, 0.0, 0.0],
    ];
    close(&sum.backward()[&logits].flatten(0, -1), want.as_flattened());
}

#[test]
fn ctc_tells_the_impossible() {
    let log_p = logits().log_softmax(2).tracked();
    let (targets, inputs) = (Tensor::from([[1i64, 1], [2, 2]]), [4, 2]);
    let with = |zero_infinity| {
        let options = Ctc { reduction: Reduction::None, zero_infinity, ..Ctc::default() };
        log_p.ctc_loss_with(&targets, &inputs, &[2, 2], &options)
    };
    close(&with(false), &[2.745353308580773, f64::INFINITY]);
    close(&with(true), &[2.745353308580773, 0.0]);
    let grad = with(false).sum(()).backward()[&log_p].clone();
    assert!(grad.select(1, 1).to_vec::<f64>().iter().all(|&g| g == 0.0));
    let error = attempt(|| log_p.ctc_loss(&Tensor::from([[1i64], [7]]), &inputs, &[1, 1])).unwrap_err();
    assert!(error.to_string().contains("ctc_loss: label out of range: 7 of sequence 1"), "{error}");
    let error = attempt(|| log_p.ctc_loss(&targets, &[4, 5], &[2, 2])).unwrap_err();
    assert!(error.to_string().contains("inputs have 1 to 4 steps"), "{error}");
}

fn pair() -> (Tensor, Tensor) {
    let count = F64.arange(0.0, 12.0, 1.0);
    ((&count * 0.9).cos().reshape([4, 3]), ((count + 3.0) * 0.8).sin().reshape([4, 3]))
}

#[test]
fn pairs_and_rankings() {
    let (x, y) = pair();
    let signs = Tensor::from([1f64, -1.0, 1.0, -1.0]);
    let loss = x.cosine_embedding_loss(&y, &signs, 0.2, Reduction::None);
    close(&loss, &[0.33429883561331697, 0.7428080706377869, 0.00582504864575617, 0.7940906940781511]);
    close(&x.cosine_embedding_loss(&y, &signs, 0.0, Reduction::Mean), &[0.5692556622437528]);
    let loss = x.select(1, 0).margin_ranking_loss(&y.select(1, 0), &signs, 0.3, Reduction::None);
    close(&loss, &[0.0, 0.39209246681877935, 0.4589749879065184, 0.23078262748719028]);
}

#[test]
fn margins_between_classes() {
    let (x, _) = pair();
    let labels = Tensor::from([0i64, 2, 1, 1]);
    let options = MultiMargin { reduction: Reduction::None, ..MultiMargin::default() };
    let want = [0.20720332275688813, 0.2069203468367837, 0.4144423059026863, 0.896508405802734];
    close(&x.multi_margin_loss(&labels, &options), &want);
    let weight = Some(Tensor::from([0.5f64, 1.0, 2.0]));
    let options = MultiMargin { p: 2.0, margin: 0.7, weight, reduction: Reduction::None };
    let want = [0.017238828615176286, 0.000161503795479118, 0.06909390015088142, 0.7971626135599833];
    close(&x.multi_margin_loss(&labels, &options), &want);
}

#[test]
fn contrast_and_rare_classes() {
    let (x, y) = pair();
    close(&x.focal_loss(&y.gt(0.0).cast(F64), 0.25, 2.0), &[0.05737051002816631]);
    close(&x.info_nce_loss(&y, 0.1), &[0.33783473748370924]);
    close(&x.nt_xent_loss(&y, 0.5), &[0.8483394032623204]);
}

/// Scores and labels of three samples, four classes.
fn several() -> (Tensor, Tensor) {
    let x = (F64.arange(0.0, 12.0, 1.0) * 0.9).sin().reshape([3, 4]);
    (x, Tensor::from([[3i64, 0, -1, 1], [2, -1, -1, -1], [-1, 2, 3, 0]]))
}

#[test]
fn margins_of_several_labels() {
    let (x, labels) = several();
    let x = x.tracked();
    let each = x.multilabel_margin_loss(&labels, Reduction::None);
    close(&each, &[1.6648973301359244, 0.9787642005480904, 0.0]);
    close(&x.multilabel_margin_loss(&labels, Reduction::Mean), &[0.881220510228005]);
    close(&x.multilabel_margin_loss(&labels, Reduction::Sum), &[2.6436615306840148]);
    let grad = (each * Tensor::from([1.0, 2.0, 3.0])).sum(()).backward()[&x].clone();
    close(&grad.flatten(0, -1), &[-0.5, 0.5, 0.5, -0.5, 0.5, 0.5, -1.5, 0.5, 0.0, 0.0, 0.0, 0.0]);
    // One sample without its axis, with a label twice.
    let x = x.detach().select(0, 0).tracked();
    let loss = x.multilabel_margin_loss(&Tensor::from([1i64, 1, 2, -1]), Reduction::Mean);
    close(&loss, &[0.5502841851087914]);
    close(&loss.backward()[&x], &[0.75, -1.0, -0.5, 0.75]);
    for (labels, says) in [
        (Tensor::from([1i64, 4, 0, 0]), "label out of range: 4; labels lie in 0..4"),
        (Tensor::from([1i64, -2, 0, 0]), "label out of range: -2"),
        (Tensor::from([1i64, 2]), "shapes differ"),
        (Tensor::from([1f64, 2.0, -1.0, 0.0]), "labels are integers"),
    ] {
        let error = attempt(|| x.multilabel_margin_loss(&labels, Reduction::Mean)).unwrap_err().to_string();
        assert!(error.contains("multilabel_margin_loss: ") && error.contains(says), "{error}");
    }
}

#[test]
fn soft_margins_of_several_labels() {
    let x = several().0.tracked();
    let y = ((F64.arange(0.0, 12.0, 1.0) * 1.3).cos().reshape([3, 4]) + 1.0) / 2.0;
    let each = x.multilabel_soft_margin_loss(&y, None, Reduction::None);
    close(&each, &[0.8629495753917514, 0.8986343295601191, 0.6735272416169515]);
    close(&x.multilabel_soft_margin_loss(&y, None, Reduction::Sum), &[2.435111146568822]);
    let weight = Tensor::from([0.5f64, 1.0, 2.0, 0.25]);
    let each = x.multilabel_soft_margin_loss(&y, Some(&weight), Reduction::None);
    close(&each, &[0.9191379983643364, 0.8612455991121494, 0.5533970100187964]);
    let loss = x.multilabel_soft_margin_loss(&y, Some(&weight), Reduction::Mean);
    let want = [
        [-0.020833333333333332, 0.004387273458193074, 0.10905502071168556, 0.00975445805991039],
        [-0.014296573893122149, -0.05957597297983928, -0.035182719094560645, 0.00995967035750074],
        [0.01954626990411464, -0.008225052926482606, -0.05868794130126581, -0.000653588351358138],
    ];
    close(&loss.backward()[&x].flatten(0, -1), want.as_flattened());
    let error = attempt(|| x.multilabel_soft_margin_loss(&y, Some(&y), Reduction::Mean)).unwrap_err();
    assert!(error.to_string().contains("one for each class is [4]"), "{error}");
}
