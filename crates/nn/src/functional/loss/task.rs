//! Losses of special tasks, as methods of `Tensor`: sequences without alignment, pairs and rankings, contrast,
//! rare classes, several labels.

use super::{Reduction, check_option, check_same_shape, ctc, multilabel};
use crate::autocast::high;
use crate::functional::sealed;
use crate::{BceWithLogits, Losses};
use retrograd_tensor::{I64, Tensor, cat};

/// Options of [`TaskLosses::ctc_loss_with`].
#[derive(Clone, Debug, Default)]
pub struct Ctc {
    /// The class that stands for no label.
    pub blank: i64,
    /// Whether a target that no alignment gives costs 0 instead of infinity.
    pub zero_infinity: bool,
    /// What becomes of the losses of the sequences; the mean divides each by its target's length first.
    pub reduction: Reduction,
}

/// Options of [`TaskLosses::multi_margin_loss`].
#[derive(Clone, Debug)]
pub struct MultiMargin {
    /// The power of each shortfall, 1 or 2.
    pub p: f64,
    /// How far the score of the label should be above the others.
    pub margin: f64,
    /// A weight for each class.
    pub weight: Option<Tensor>,
    /// What becomes of the losses of the samples.
    pub reduction: Reduction,
}

impl Default for MultiMargin {
    fn default() -> Self {
        Self { p: 1.0, margin: 1.0, weight: None, reduction: Reduction::Mean }
    }
}

/// Losses of special tasks.
pub trait TaskLosses: sealed::Sealed {
    #[doc(hidden)]
    #[track_caller]
    fn this(&self) -> Tensor;

    /// Connectionist temporal classification (Graves and others, 2006), as PyTorch's `ctc_loss`: minus the
    /// logarithm of the probability of a label sequence over all alignments, for log-probabilities `[T, N, C]` of T
    /// steps and labels `[N, S]` (I64), of which the first are used, as many as the lengths say. Class 0 is the blank.
    ///
    /// A target that no alignment gives has an infinite loss, and gradient 0.
    ///
    /// ```
    /// use retrograd_nn::TaskLosses;
    /// use retrograd_tensor::{F64, Tensor};
    /// let even = F64.full([2, 1, 2], 0.5f64.ln());                // two steps, a blank and a label
    /// let loss = even.ctc_loss(&Tensor::from([[1i64]]), &[2], &[1]);
    /// assert!((loss.item() + 0.75f64.ln()).abs() < 1e-12);        // all but blank, blank
    /// ```
    ///
    /// # Panics
    /// If shapes or lengths do not fit, or a label is no class.
    #[track_caller]
    fn ctc_loss(&self, targets: &Tensor, input_lengths: &[usize], target_lengths: &[usize]) -> Tensor {
        ctc::ctc_loss(&self.this(), targets, input_lengths, target_lengths, &Ctc::default())
    }

    /// [`ctc_loss`](TaskLosses::ctc_loss) with another blank, reduction, or 0 for what is impossible.
    ///
    /// # Panics
    /// As [`ctc_loss`](TaskLosses::ctc_loss).
    #[track_caller]
    fn ctc_loss_with(
        &self,
        targets: &Tensor,
        input_lengths: &[usize],
        target_lengths: &[usize],
        options: &Ctc,
    ) -> Tensor {
        ctc::ctc_loss(&self.this(), targets, input_lengths, target_lengths, options)
    }

    /// Focal loss of logits and targets in [0, 1] (Lin and others, 2017): the mean of -αₜ (1 - pₜ)^γ log pₜ, where
    /// pₜ is the probability of the target and αₜ is α for positives and 1 - α for negatives. The paper has α = 1/4
    /// and γ = 2.
    ///
    /// ```
    /// use retrograd_nn::TaskLosses;
    /// use retrograd_tensor::F64;
    /// let loss = F64.zeros([3]).focal_loss(&F64.ones([3]), 0.25, 2.0);
    /// assert!((loss.item() - 0.25 * 0.25 * 2f64.ln()).abs() < 1e-12);
    /// ```
    ///
    /// # Panics
    /// If shapes differ.
    #[track_caller]
    fn focal_loss(&self, target: &Tensor, alpha: f64, gamma: f64) -> Tensor {
        let x = &self.this();
        check_same_shape("focal_loss", x, target);
        let options = BceWithLogits { reduction: Reduction::None, ..BceWithLogits::default() };
        let ce = x.binary_cross_entropy_with_logits_with(target, options);
        let miss = 1.0 - (target * 2.0 - 1.0) * x.sigmoid() - (1.0 - target);
        let share = target * alpha + (1.0 - target) * (1.0 - alpha);
        (share * miss.pow(gamma) * ce).mean(())
    }

    /// For pairs of rows and targets of 1 and -1: 1 - cos for like pairs, max(0, cos - margin) for unlike ones, as
    /// PyTorch's `cosine_embedding_loss` (whose margin is 0 by default).
    ///
    /// ```
    /// use retrograd_nn::{Reduction, TaskLosses};
    /// use retrograd_tensor::Tensor;
    /// let (x, y) = (Tensor::from([[1f64, 0.0], [1.0, 0.0]]), Tensor::from([[0f64, 2.0], [3.0, 0.0]]));
    /// let loss = x.cosine_embedding_loss(&y, &Tensor::from([1f64, -1.0]), 0.5, Reduction::None);
    /// assert!((loss - Tensor::from([1.0, 0.5])).abs().amax(()).item() < 1e-6);
    /// ```
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    fn cosine_embedding_loss(
        &self,
        other: &Tensor,
        like: &Tensor,
        margin: f64,
        reduction: Reduction,
    ) -> Tensor {
        let (x, other) = (&self.this(), &high(other));
        check_same_shape("cosine_embedding_loss", x, other);
        let dot = |a: &Tensor, b: &Tensor| (a * b).sum(-1);
        // PyTorch's constant under the root.
        let sizes = (dot(x, x) + 1e-12) * (dot(other, other) + 1e-12);
        let cosine = dot(x, other) / sizes.sqrt();
        check_same_shape("cosine_embedding_loss", &cosine, like);
        let loss = like.gt(0.0).where_(1.0 - &cosine, (&cosine - margin).relu());
        reduction.apply(loss)
    }

    /// Mean of max(0, -y (x₁ - x₂) + margin), for y = 1 where x₁ should rank higher and -1 where x₂ should, as
    /// PyTorch's `margin_ranking_loss` (whose margin is 0 by default).
    ///
    /// ```
    /// use retrograd_nn::{Reduction, TaskLosses};
    /// use retrograd_tensor::Tensor;
    /// let (a, b) = (Tensor::from([1f64, 2.0]), Tensor::from([3f64, 0.5]));
    /// let loss = a.margin_ranking_loss(&b, &Tensor::from([1f64, 1.0]), 0.5, Reduction::None);
    /// assert_eq!(loss.to_vec::<f64>(), [2.5, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If shapes differ.
    #[track_caller]
    fn margin_ranking_loss(
        &self,
        other: &Tensor,
        higher: &Tensor,
        margin: f64,
        reduction: Reduction,
    ) -> Tensor {
        let x = &self.this();
        check_same_shape("margin_ranking_loss", x, other);
        check_same_shape("margin_ranking_loss", x, higher);
        reduction.apply((margin - higher * (x - other)).relu())
    }

    /// For scores `[N, C]` and labels `[N]`: the sum over the other classes of max(0, margin - xᵧ + xᵢ)ᵖ / C,
    /// as PyTorch's `multi_margin_loss`.
    ///
    /// ```
    /// use retrograd_nn::{MultiMargin, TaskLosses};
    /// use retrograd_tensor::Tensor;
    /// let scores = Tensor::from([[0.5f64, 1.0, -3.0, 0.0]]);
    /// let loss = scores.multi_margin_loss(&Tensor::from([1i64]), &MultiMargin::default());
    /// assert_eq!(loss.item(), 0.125);
    /// ```
    ///
    /// # Panics
    /// If shapes do not fit, a label is no class, or p is neither 1 nor 2.
    #[track_caller]
    fn multi_margin_loss(&self, labels: &Tensor, options: &MultiMargin) -> Tensor {
        const OP: &str = "multi_margin_loss";
        let x = &self.this();
        let given = format!("p {}", options.p);
        check_option(OP, options.p == 1.0 || options.p == 2.0, &given, "it must be 1 or 2");
        check_option(OP, x.rank() == 2, &format!("scores {}", x.shape()), "they have two axes, [N, C]");
        check_same_shape(OP, &x.select(1, 0), labels);
        let index = labels.cast(I64).unsqueeze(1);
        let short = (options.margin - x.gather(1, &index) + x).relu();
        let mut each = if options.p == 1.0 { short } else { short.square() };
        if let Some(weight) = &options.weight {
            each *= weight.index_select(0, &labels.cast(I64)).unsqueeze(1);
        }
        let others = index.ne(Tensor::arange(0, x.size(1) as i64, 1).cast(I64));
        options.reduction.apply(others.where_(each, 0.0).mean(1))
    }

    /// For scores `[N, C]` and the classes of each sample, integers of the same shape that the first -1 ends: the sum
    /// over its labels y and all other classes i of max(0, 1 - xᵧ + xᵢ) / C, as PyTorch's `multilabel_margin_loss`. The
    /// axis N may be left out. A label that is named twice counts twice.
    ///
    /// *Gradient:* that of the formula; 0 where a score is ahead by 1 exactly. Labels have none.
    ///
    /// ```
    /// use retrograd_nn::{Reduction, TaskLosses};
    /// use retrograd_tensor::Tensor;
    /// let (scores, labels) = (Tensor::from([[0.25f64, 0.5, 1.0, 0.0]]), Tensor::from([[2i64, 0, -1, 1]]));
    /// let loss = scores.multilabel_margin_loss(&labels, Reduction::Mean);     // ahead of classes 1 and 3
    /// assert_eq!(loss.item(), (0.5 + 0.0 + 1.25 + 0.75) / 4.0);
    /// ```
    ///
    /// # Panics
    /// If shapes differ, there is another number of axes, or a label is neither a class nor -1.
    #[track_caller]
    fn multilabel_margin_loss(&self, labels: &Tensor, reduction: Reduction) -> Tensor {
        multilabel::margin_loss(&self.this(), labels, reduction)
    }

    /// For logits `[N, C]` and targets in [0, 1] of the same shape: the mean over the classes of
    /// -(y log σ(x) + (1 - y) log(1 - σ(x))), each times the `weight` of its class, as PyTorch's
    /// `multilabel_soft_margin_loss`. The axis N may be left out.
    ///
    /// *Gradient:* w (σ(x) - y) / C, before the reduction.
    ///
    /// ```
    /// use retrograd_nn::{Reduction, TaskLosses};
    /// use retrograd_tensor::F64;
    /// let loss = F64.zeros([2, 3]).multilabel_soft_margin_loss(&F64.ones([2, 3]), None, Reduction::Sum);
    /// assert!((loss.item() - 2.0 * 2f64.ln()).abs() < 1e-12);
    /// ```
    ///
    /// # Panics
    /// If shapes differ, there is another number of axes, or `weight` is not a number for each class.
    #[track_caller]
    fn multilabel_soft_margin_loss(
        &self,
        target: &Tensor,
        weight: Option<&Tensor>,
        reduction: Reduction,
    ) -> Tensor {
        multilabel::soft_margin_loss(&self.this(), target, weight, reduction)
    }

    /// InfoNCE (van den Oord and others, 2018): row i of the other tensor is the match of row i of this one, its
    /// other rows are not; the cross-entropy of the cosines divided by the temperature.
    ///
    /// ```
    /// use retrograd_nn::TaskLosses;
    /// use retrograd_tensor::F64;
    /// let x = F64.eye(3);
    /// let want = (1.0 + 2.0 * (-2f64).exp()).ln();
    /// assert!((x.info_nce_loss(&x, 0.5).item() - want).abs() < 1e-12);
    /// ```
    ///
    /// # Panics
    /// If shapes differ, or the temperature is not positive.
    #[track_caller]
    fn info_nce_loss(&self, other: &Tensor, temperature: f64) -> Tensor {
        let (x, other) = (&self.this(), &high(other));
        check_same_shape("info_nce_loss", x, other);
        let given = format!("temperature {temperature}");
        check_option("info_nce_loss", temperature > 0.0, &given, "it must be positive");
        let cosines = unit(x).matmul(unit(other).t()) / temperature;
        cosines.cross_entropy(&counted(0, x.size(0)))
    }

    /// NT-Xent (Chen and others, 2020): the rows of both tensors are views of N things; each view should find its
    /// other one among all 2 N - 1, by cosine divided by the temperature.
    ///
    /// ```
    /// use retrograd_nn::TaskLosses;
    /// use retrograd_tensor::F64;
    /// let x = F64.eye(2);
    /// let want = (1.0 + 2.0 * (-1f64).exp()).ln();
    /// assert!((x.nt_xent_loss(&x, 1.0).item() - want).abs() < 1e-12);
    /// ```
    ///
    /// # Panics
    /// As [`info_nce_loss`](TaskLosses::info_nce_loss).
    #[track_caller]
    fn nt_xent_loss(&self, other: &Tensor, temperature: f64) -> Tensor {
        let (x, other) = (&self.this(), &high(other));
        check_same_shape("nt_xent_loss", x, other);
        let given = format!("temperature {temperature}");
        check_option("nt_xent_loss", temperature > 0.0, &given, "it must be positive");
        let (n, views) = (x.size(0), unit(&cat(&[x.clone(), other.clone()], 0)));
        let itself = x.dtype().eye(2 * n).gt(0.5);
        let cosines = (views.matmul(views.t()) / temperature).masked_fill(&itself, f64::NEG_INFINITY);
        cosines.cross_entropy(&cat(&[counted(n, 2 * n), counted(0, n)], 0))
    }
}

impl TaskLosses for Tensor {
    #[track_caller]
    fn this(&self) -> Tensor {
        high(self)
    }
}

/// Rows of length 1.
fn unit(x: &Tensor) -> Tensor {
    x.normalize(2.0, -1, 1e-12)
}

fn counted(from: usize, to: usize) -> Tensor {
    Tensor::from((from as i64..to as i64).collect::<Vec<_>>())
}
