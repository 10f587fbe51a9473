//! Losses, as methods of `Tensor`: `logits.cross_entropy(&labels)`.
//!
//! [`Losses`] holds them; each has a form with defaults, which averages, and a form `.._with` that takes its
//! options or just a [`Reduction`]. Names, defaults and semantics are PyTorch's, but that shapes must agree
//! exactly: a loss never broadcasts its target. Formulas are in `classify`, `regress` and `margin`.
//! [`TaskLosses`] are those of special tasks, in `task` and `ctc`.

mod classify;
mod ctc;
mod entries;
mod margin;
mod multilabel;
mod regress;
mod task;

pub use task::{Ctc, MultiMargin, TaskLosses};

use super::sealed;
use crate::autocast::high;
use retrograd_tensor::{Error, ErrorKind, Tensor, raise};

#[doc(hidden)]
pub use entries::ENTRIES;

/// What becomes of the losses of the single elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    /// Their mean.
    #[default]
    Mean,
    /// Their sum.
    Sum,
    /// They are returned as they are.
    None,
}

impl Reduction {
    #[track_caller]
    fn apply(self, loss: Tensor) -> Tensor {
        match self {
            Self::Mean => loss.mean(()),
            Self::Sum => loss.sum(()),
            Self::None => loss,
        }
    }
}

/// Options of one loss: fields with defaults, of which `reduction` alone can stand for the whole.
macro_rules! options {
    ($(
        $(#[$doc:meta])*
        $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr,)* }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
            /// What becomes of the losses of the single elements.
            pub reduction: Reduction,
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* reduction: Reduction::Mean }
            }
        }

        impl From<Reduction> for $name {
            fn from(reduction: Reduction) -> Self {
                Self { reduction, ..Self::default() }
            }
        }
    )*};
}

options! {
    /// Options of [`Losses::cross_entropy_with`].
    CrossEntropy {
        /// A weight for each class.
        weight: Option<Tensor> = None,
        /// Samples with this label count neither in the loss nor in the mean.
        ignore_index: i64 = -100,
        /// The share of the target that is spread evenly over all classes, in [0, 1].
        label_smoothing: f64 = 0.0,
        /// The axis of the classes, counted from the end if negative; logits of one axis have only that.
        classes_dim: isize = 1,
    }
    /// Options of [`Losses::nll_loss_with`].
    Nll {
        /// A weight for each class.
        weight: Option<Tensor> = None,
        /// Samples with this label count neither in the loss nor in the mean.
        ignore_index: i64 = -100,
        /// The axis of the classes, counted from the end if negative; an input of one axis has only that.
        classes_dim: isize = 1,
    }
    /// Options of [`Losses::binary_cross_entropy_with`].
    Bce {
        /// A weight for each element, broadcast to the input.
        weight: Option<Tensor> = None,
    }
    /// Options of [`Losses::binary_cross_entropy_with_logits_with`].
    BceWithLogits {
        /// A weight for each element, broadcast to the input.
        weight: Option<Tensor> = None,
        /// A weight for the positive side of each element, broadcast to the input.
        pos_weight: Option<Tensor> = None,
    }
    /// Options of [`Losses::kl_div_with`].
    KlDiv {
        /// Whether the target holds logarithms of probabilities, as the input does.
        log_target: bool = false,
        /// Whether the mean is over samples, the first axis, and sums over the others: the divergence proper.
        batch_mean: bool = false,
    }
    /// Options of [`Losses::smooth_l1_loss_with`].
    SmoothL1 {
        /// Where the parabola gives way to the line.
        beta: f64 = 1.0,
    }
    /// Options of [`Losses::huber_loss_with`].
    Huber {
        /// Where the parabola gives way to the line.
        delta: f64 = 1.0,
    }
    /// Options of [`Losses::poisson_nll_loss_with`].
    PoissonNll {
        /// Whether the input is the logarithm of the rate.
        log_input: bool = true,
        /// Whether Stirling's approximation of log(target!) is added.
        full: bool = false,
        /// Added to a rate before its logarithm is taken.
        eps: f64 = 1e-8,
    }
    /// Options of [`Losses::gaussian_nll_loss_with`].
    GaussianNll {
        /// Whether the constant log(2π) / 2 is added.
        full: bool = false,
        /// The least variance.
        eps: f64 = 1e-6,
    }
    /// Options of [`Losses::hinge_embedding_loss_with`].
    HingeEmbedding {
        /// The distance beyond which unlike pairs cost nothing.
        margin: f64 = 1.0,
    }
    /// Options of [`Losses::triplet_margin_loss_with`].
    TripletMargin {
        /// How much farther the negative should be than the positive.
        margin: f64 = 1.0,
        /// The order of the norm that measures distances.
        p: f64 = 2.0,
        /// Added to each difference, which keeps the norm's gradient finite.
        eps: f64 = 1e-6,
        /// Whether the distance of the negative is taken from the anchor or the positive, whichever is nearer.
        swap: bool = false,
    }
}

/// The losses of networks, as methods of `Tensor`.
///
/// ```
/// use retrograd_nn::{Losses, Reduction};
/// use retrograd_tensor::Tensor;
/// let (x, y) = (Tensor::from([1.0f32, 2.0]), Tensor::from([0.0f32, 4.0]));
/// assert_eq!(x.mse_loss(&y).item(), 2.5);
/// assert_eq!(x.l1_loss_with(&y, Reduction::Sum).item(), 3.0);
/// ```
pub trait Losses: sealed::Sealed {
    #[doc(hidden)]
    #[track_caller]
    fn this(&self) -> Tensor;

    /// Mean cross-entropy of logits against a target: log-softmax over the classes, then the negative
    /// log-likelihood.
    ///
    /// The target holds either labels, integers in the shape of the logits without the axis of the classes, or
    /// probabilities, floats in the shape of the logits. That axis is 1, or the only one.
    ///
    /// # Panics
    /// If shapes do not fit, or a label is no class.
    #[track_caller]
    fn cross_entropy(&self, target: &Tensor) -> Tensor {
        classify::cross_entropy(&self.this(), target, &CrossEntropy::default())
    }

    /// [`cross_entropy`](Losses::cross_entropy) with class weights, an ignored label, label smoothing, another
    /// axis of classes.
    ///
    /// With weights, the mean over labels divides by the sum of the weights of the labels.
    ///
    /// # Panics
    /// As [`cross_entropy`](Losses::cross_entropy).
    #[track_caller]
    fn cross_entropy_with(&self, target: &Tensor, options: impl Into<CrossEntropy>) -> Tensor {
        classify::cross_entropy(&self.this(), target, &options.into())
    }

    /// Mean negative log-likelihood of labels, given the logarithms of the classes' probabilities.
    ///
    /// # Panics
    /// If shapes do not fit, or a label is no class.
    #[track_caller]
    fn nll_loss(&self, labels: &Tensor) -> Tensor {
        classify::nll_loss(&self.this(), labels, &Nll::default())
    }

    /// [`nll_loss`](Losses::nll_loss) with class weights, an ignored label, another axis of classes.
    ///
    /// # Panics
    /// As [`nll_loss`](Losses::nll_loss).
    #[track_caller]
    fn nll_loss_with(&self, labels: &Tensor, options: impl Into<Nll>) -> Tensor {
        classify::nll_loss(&self.this(), labels, &options.into())
    }

    /// Mean of -(y log p + (1 - y) log(1 - p)) for probabilities p; logarithms are cut off at -100.
    /// Outside of 0 to 1 a probability gives NaN; it is not checked, which would read it.
    ///
    /// # Panics
    /// If shapes differ, as for every loss below.
    #[track_caller]
    fn binary_cross_entropy(&self, target: &Tensor) -> Tensor {
        classify::binary_cross_entropy(&self.this(), target, &Bce::default())
    }

    /// [`binary_cross_entropy`](Losses::binary_cross_entropy) with weights.
    ///
    /// # Panics
    /// If shapes differ.
    #[track_caller]
    fn binary_cross_entropy_with(&self, target: &Tensor, options: impl Into<Bce>) -> Tensor {
        classify::binary_cross_entropy(&self.this(), target, &options.into())
    }

    /// Mean binary cross-entropy of logits, the sigmoid included, without overflow or cancellation.
    ///
    /// # Panics
    /// If shapes differ.
    #[track_caller]
    fn binary_cross_entropy_with_logits(&self, target: &Tensor) -> Tensor {
        classify::binary_cross_entropy_with_logits(&self.this(), target, &BceWithLogits::default())
    }

    /// [`binary_cross_entropy_with_logits`](Losses::binary_cross_entropy_with_logits) with weights.
    ///
    /// # Panics
    /// If shapes differ.
    #[track_caller]
    fn binary_cross_entropy_with_logits_with(
        &self,
        target: &Tensor,
        options: impl Into<BceWithLogits>,
    ) -> Tensor {
        classify::binary_cross_entropy_with_logits(&self.this(), target, &options.into())
    }

    /// Mean over all elements of q (log q - log p), for log p and probabilities q. The divergence proper sums
    /// over the classes: see [`KlDiv::batch_mean`].
    ///
    /// # Panics
    /// If shapes differ.
    #[track_caller]
    fn kl_div(&self, target: &Tensor) -> Tensor {
        classify::kl_div(&self.this(), target, &KlDiv::default())
    }

    /// [`kl_div`](Losses::kl_div) with logarithms as target, or the mean over samples.
    ///
    /// # Panics
    /// If shapes differ.
    #[track_caller]
    fn kl_div_with(&self, target: &Tensor, options: impl Into<KlDiv>) -> Tensor {
        classify::kl_div(&self.this(), target, &options.into())
    }

    /// Mean of (x - y)².
    ///
    /// # Panics
    /// If shapes differ.
    #[track_caller]
    fn mse_loss(&self, target: &Tensor) -> Tensor {
        regress::mse_loss(&self.this(), target, Reduction::Mean)
    }

    /// [`mse_loss`](Losses::mse_loss) with another reduction.
    ///
    /// # Panics
    /// If shapes differ.
    #[track_caller]
    fn mse_loss_with(&self, target: &Tensor, reduction: Reduction) -> Tensor {
        regress::mse_loss(&self.this(), target, reduction)
    }

    /// Mean of |x - y|; the gradient is 0 where they are equal.
    ///
    /// # Panics
    /// If shapes differ.
    #[track_caller]
    fn l1_loss(&self, target: &Tensor) -> Tensor {
        regress::l1_loss(&self.this(), target, Reduction::Mean)
    }

    /// [`l1_loss`](Losses::l1_loss) with another reduction.
    ///
    /// # Panics
    /// If shapes differ.
    #[track_caller]
    fn l1_loss_with(&self, target: &Tensor, reduction: Reduction) -> Tensor {
        regress::l1_loss(&self.this(), target, reduction)
    }

    /// Mean of (x - y)² / 2 where |x - y| < 1, of |x - y| - 1/2 elsewhere.
    ///
    /// # Panics
    /// If shapes differ.
    #[track_caller]
    fn smooth_l1_loss(&self, target: &Tensor) -> Tensor {
        regress::smooth_l1_loss(&self.this(), target, &SmoothL1::default())
    }

    /// [`smooth_l1_loss`](Losses::smooth_l1_loss) with another bend.
    ///
    /// # Panics
    /// If shapes differ, or β is negative.
    #[track_caller]
    fn smooth_l1_loss_with(&self, target: &Tensor, options: impl Into<SmoothL1>) -> Tensor {
        regress::smooth_l1_loss(&self.this(), target, &options.into())
    }

    /// Mean of (x - y)² / 2 where |x - y| < 1, of |x - y| - 1/2 elsewhere.
    ///
    /// # Panics
    /// If shapes differ.
    #[track_caller]
    fn huber_loss(&self, target: &Tensor) -> Tensor {
        regress::huber_loss(&self.this(), target, &Huber::default())
    }

    /// [`huber_loss`](Losses::huber_loss) with another bend: the line's slope is δ.
    ///
    /// # Panics
    /// If shapes differ, or δ is not positive.
    #[track_caller]
    fn huber_loss_with(&self, target: &Tensor, options: impl Into<Huber>) -> Tensor {
        regress::huber_loss(&self.this(), target, &options.into())
    }

    /// Mean of exp(x) - y x, for the logarithm x of a Poisson rate and a count y.
    ///
    /// # Panics
    /// If shapes differ.
    #[track_caller]
    fn poisson_nll_loss(&self, target: &Tensor) -> Tensor {
        regress::poisson_nll_loss(&self.this(), target, &PoissonNll::default())
    }

    /// [`poisson_nll_loss`](Losses::poisson_nll_loss) of the rate itself, or with the term of the target.
    ///
    /// # Panics
    /// If shapes differ.
    #[track_caller]
    fn poisson_nll_loss_with(&self, target: &Tensor, options: impl Into<PoissonNll>) -> Tensor {
        regress::poisson_nll_loss(&self.this(), target, &options.into())
    }

    /// Mean of (log v + (x - y)² / v) / 2, for a mean x and a variance v.
    ///
    /// The variance has the input's shape, or lacks the last axis, or has it with size 1. Where it is below
    /// 10⁻⁶ it counts as that, but its gradient is taken as if it did not.
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    fn gaussian_nll_loss(&self, target: &Tensor, variance: &Tensor) -> Tensor {
        regress::gaussian_nll_loss(&self.this(), target, variance, &GaussianNll::default())
    }

    /// [`gaussian_nll_loss`](Losses::gaussian_nll_loss) with the constant term, or another least variance.
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    fn gaussian_nll_loss_with(
        &self,
        target: &Tensor,
        variance: &Tensor,
        options: impl Into<GaussianNll>,
    ) -> Tensor {
        regress::gaussian_nll_loss(&self.this(), target, variance, &options.into())
    }

    /// Mean of the distance x of like pairs (target 1), and of max(0, 1 - x) of unlike ones (target -1).
    ///
    /// # Panics
    /// If shapes differ.
    #[track_caller]
    fn hinge_embedding_loss(&self, target: &Tensor) -> Tensor {
        margin::hinge_embedding_loss(&self.this(), target, &HingeEmbedding::default())
    }

    /// [`hinge_embedding_loss`](Losses::hinge_embedding_loss) with another margin.
    ///
    /// # Panics
    /// If shapes differ.
    #[track_caller]
    fn hinge_embedding_loss_with(&self, target: &Tensor, options: impl Into<HingeEmbedding>) -> Tensor {
        margin::hinge_embedding_loss(&self.this(), target, &options.into())
    }

    /// Mean of log(1 + exp(-y x)), for targets y of 1 and -1.
    ///
    /// # Panics
    /// If shapes differ.
    #[track_caller]
    fn soft_margin_loss(&self, target: &Tensor) -> Tensor {
        margin::soft_margin_loss(&self.this(), target, Reduction::Mean)
    }

    /// [`soft_margin_loss`](Losses::soft_margin_loss) with another reduction.
    ///
    /// # Panics
    /// If shapes differ.
    #[track_caller]
    fn soft_margin_loss_with(&self, target: &Tensor, reduction: Reduction) -> Tensor {
        margin::soft_margin_loss(&self.this(), target, reduction)
    }

    /// Mean of max(0, 1 + d(anchor, positive) - d(anchor, negative)), for the Euclidean distance over the last
    /// axis.
    ///
    /// # Panics
    /// If shapes differ.
    #[track_caller]
    fn triplet_margin_loss(&self, positive: &Tensor, negative: &Tensor) -> Tensor {
        margin::triplet_margin_loss(&self.this(), positive, negative, &TripletMargin::default())
    }

    /// [`triplet_margin_loss`](Losses::triplet_margin_loss) with another margin, norm, or the swapped distance.
    ///
    /// # Panics
    /// If shapes differ.
    #[track_caller]
    fn triplet_margin_loss_with(
        &self,
        positive: &Tensor,
        negative: &Tensor,
        options: impl Into<TripletMargin>,
    ) -> Tensor {
        margin::triplet_margin_loss(&self.this(), positive, negative, &options.into())
    }
}

impl Losses for Tensor {
    #[track_caller]
    fn this(&self) -> Tensor {
        high(self)
    }
}

/// Refuses a target of another shape: broadcasting `[n]` against `[n, 1]` would train on nonsense.
#[track_caller]
fn check_same_shape(op: &'static str, x: &Tensor, target: &Tensor) {
    if x.shape()[..] != target.shape()[..] {
        let (x, target) = (&x.shape()[..], &target.shape()[..]);
        raise(Error::new(
            op,
            ErrorKind::Shape,
            format!("shapes differ: input {x:?}, target {target:?}; reshape one"),
        ));
    }
}

/// Refuses an option whose value makes no loss.
#[track_caller]
fn check_option(op: &'static str, ok: bool, given: &str, wanted: &str) {
    if !ok {
        raise(Error::new(op, ErrorKind::Value, format!("value not allowed: {given}; {wanted}")));
    }
}
