//! Normalisation by statistics of a batch or of each example, with running statistics for evaluation.

use super::{numbered, passes_on};
use crate::autocast::high;
use crate::functional::Functional;
use crate::module::{Mode, Module, Slot, SlotMut, join};
use crate::param::{Buffer, Param, varies_more};
use crate::summary::layer;
use retrograd_autograd::Differentiate;
use retrograd_nn_derive::Module;
use retrograd_tensor::{Error, ErrorKind, Tensor, raise, replay};

/// Batch normalisation of features `[batch, channels]` or sequences `[batch, channels, length]`. See [`BatchNormNd`].
pub type BatchNorm1d = BatchNormNd<1>;
/// Batch normalisation of images `[batch, channels, height, width]`. See [`BatchNormNd`].
pub type BatchNorm2d = BatchNormNd<2>;
/// Batch normalisation of volumes `[batch, channels, depth, height, width]`. See [`BatchNormNd`].
pub type BatchNorm3d = BatchNormNd<3>;
/// Instance normalisation of sequences `[batch, channels, length]`. See [`InstanceNormNd`].
pub type InstanceNorm1d = InstanceNormNd<1>;
/// Instance normalisation of images `[batch, channels, height, width]`. See [`InstanceNormNd`].
pub type InstanceNorm2d = InstanceNormNd<2>;
/// Instance normalisation of volumes `[batch, channels, depth, height, width]`. See [`InstanceNormNd`].
pub type InstanceNorm3d = InstanceNormNd<3>;

/// Statistics of each channel, averaged over the batches that were seen in training.
#[derive(Clone, Debug, Module)]
struct Running {
    running_mean: Buffer,
    running_var: Buffer,
    num_batches_tracked: Buffer,
}

impl Running {
    fn new(channels: usize) -> Self {
        Self {
            running_mean: Buffer::new(Tensor::zeros([channels])),
            running_var: Buffer::new(Tensor::ones([channels])),
            // Files of old versions of PyTorch have no counter.
            num_batches_tracked: Buffer::optional(Tensor::from(0i64)),
        }
    }

    /// Refuses an input that differs from example to example of a `vmap`, if these statistics do not.
    #[track_caller]
    fn check_examples(&self, name: &'static str, x: &Tensor) {
        if varies_more(x, &self.running_mean.value()) {
            let detail = "running statistics inside vmap: each example would move them, and they are one for all; take \
                          `eval`, a layer without running statistics, or statistics for each example by \
                          `functional_call`";
            raise(Error::new(name, ErrorKind::Value, detail));
        }
    }

    /// Takes the statistics of a batch in, with weight `momentum`, or so that all batches weigh the same.
    #[track_caller]
    fn update(&self, mean: &Tensor, var: &Tensor, momentum: Option<f64>) {
        let before = self.num_batches_tracked.update(|count| count + 1i64);
        let momentum = momentum.unwrap_or_else(|| replay::really(|| 1.0 / (before.item() + 1.0)));
        for (slot, new) in [(&self.running_mean, mean), (&self.running_var, var)] {
            let moved = |old: &Tensor| {
                old.zip_map(new.cast_as(old), |old, new| old * (1.0 - momentum) + new * momentum)
            };
            drop(slot.update(moved));
        }
    }
}

/// Each channel standardised, times `weight` plus `bias`: in training by mean and variance of the batch, which also
/// move the running statistics; in evaluation by the running statistics.
///
/// The running variance takes in the unbiased variance of a batch. Half types are computed in `F32` and rounded once.
///
/// In state dicts: `weight` and `bias` `[channels]`, which begin as ones and zeros; `running_mean`, `running_var`
/// `[channels]` and the counter `num_batches_tracked`, an integer, which files may lack.
///
/// ```
/// use retrograd_nn::{BatchNorm1d, Module};
/// use retrograd_tensor::Tensor;
/// let mut norm = BatchNorm1d::new(1).momentum(0.5);
/// let x = Tensor::from([[1.0f32], [5.0]]);
/// assert!(norm.forward(&x).to_vec::<f32>()[1] > 0.99);
/// assert_eq!(norm.state_dict()["running_mean"].to_vec::<f32>(), [1.5]);
/// norm.eval();
/// assert!(norm.forward(&x).to_vec::<f32>()[1] > 1.0);
/// ```
///
/// Source: Ioffe and Szegedy, 2015.
#[derive(Clone, Debug)]
pub struct BatchNormNd<const N: usize> {
    /// The factor of each channel.
    pub weight: Option<Param>,
    /// The offset of each channel.
    pub bias: Option<Param>,
    running: Option<Running>,
    channels: usize,
    eps: f64,
    momentum: Option<f64>,
    mode: Mode,
}

/// Each channel of each example standardised over its spatial axes, times `weight` plus `bias` where there are any.
///
/// With running statistics, evaluation uses these; they take in the mean over the batch of each mean and unbiased
/// variance. Half types are computed in `F32` and rounded once.
///
/// In state dicts, as far as asked for: `weight`, `bias`, `running_mean`, `running_var` `[channels]` and
/// `num_batches_tracked`, as of [`BatchNormNd`]. As in PyTorch, a new layer has none of them.
///
/// ```
/// use retrograd_nn::{InstanceNorm1d, Module};
/// use retrograd_tensor::Tensor;
/// let norm = InstanceNorm1d::new(1);
/// assert_eq!(norm.state_dict().len(), 0);
/// let y = norm.forward(&Tensor::from([[[1.0f32, 1.0, 3.0, 3.0]]])).to_vec::<f32>();
/// assert!((y[0] + 1.0).abs() < 1e-4 && (y[3] - 1.0).abs() < 1e-4);
/// ```
///
/// Source: Ulyanov, Vedaldi and Lempitsky, 2016.
#[derive(Clone, Debug)]
pub struct InstanceNormNd<const N: usize> {
    /// The factor of each channel.
    pub weight: Option<Param>,
    /// The offset of each channel.
    pub bias: Option<Param>,
    running: Option<Running>,
    channels: usize,
    eps: f64,
    momentum: Option<f64>,
    mode: Mode,
}

/// What both kinds are made of: their slots, the statistics with the names of the layer, and their options.
macro_rules! normalises {
    ($name:ident) => {
        impl<const N: usize> Module for $name<N> {
            fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, Slot<'a>)) {
                self.weight.visit(&join(path, "weight"), f);
                self.bias.visit(&join(path, "bias"), f);
                self.running.visit(path, f);
            }

            fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, SlotMut<'a>)) {
                self.weight.visit_mut(&join(path, "weight"), f);
                self.bias.visit_mut(&join(path, "bias"), f);
                self.running.visit_mut(path, f);
                self.mode.visit_mut(path, f);
            }
        }

        impl<const N: usize> $name<N> {
            /// The same with `eps`, 1e-5 at first, added to variances.
            #[must_use]
            pub fn eps(self, eps: f64) -> Self {
                Self { eps, ..self }
            }

            /// The same with running statistics that move by this share of the way to those of a batch, 0.1 at first.
            /// With `None` they are the plain mean over all batches.
            #[must_use]
            pub fn momentum(self, momentum: impl Into<Option<f64>>) -> Self {
                Self { momentum: momentum.into(), ..self }
            }
        }
    };
}

normalises!(BatchNormNd);
normalises!(InstanceNormNd);
passes_on!(const N: BatchNormNd<N>);
passes_on!(const N: InstanceNormNd<N>);

impl<const N: usize> BatchNormNd<N> {
    const NAME: &str = numbered(["BatchNorm1d", "BatchNorm2d", "BatchNorm3d"], N);

    /// A layer for so many channels, with weight, bias and running statistics.
    #[track_caller]
    pub fn new(channels: usize) -> Self {
        Self {
            weight: Some(Param::new(Tensor::ones([channels]))),
            bias: Some(Param::new(Tensor::zeros([channels]))),
            running: Some(Running::new(channels)),
            channels,
            eps: 1e-5,
            momentum: Some(0.1),
            mode: Mode::Train,
        }
    }

    /// The same without weight and bias.
    #[must_use]
    pub fn without_affine(self) -> Self {
        Self { weight: None, bias: None, ..self }
    }

    /// The same without running statistics: evaluation uses those of the batch too.
    #[must_use]
    pub fn without_running(self) -> Self {
        Self { running: None, ..self }
    }

    /// `x` normalised. In training this also moves the running statistics, through the lock of their slots.
    ///
    /// *Gradient:* through mean and variance of the batch, as [`Tensor::standardize`]; running statistics are
    /// constants.
    ///
    /// # Panics
    /// If `x` has not the axes or channels of the layer, its elements are not floats, or in training a channel has less
    /// than two elements; in training inside `vmap`, if examples would move running statistics that they share.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, Self::NAME, self.compute(x))
    }

    #[track_caller]
    fn compute(&self, x: &Tensor) -> Tensor {
        let (x, rank) = (&high(x), x.rank());
        check(Self::NAME, x, self.channels, rank == N + 2 || N == 1 && rank == 2, 1);
        let (weight, bias) = (self.weight.as_deref(), self.bias.as_deref());
        if let (Some(running), false) = (&self.running, self.mode.is_training()) {
            let (mean, var) = (running.running_mean.value(), running.running_var.value());
            return x.batch_norm_by(&mean, &var, weight, bias, self.eps);
        }
        if let Some(running) = &self.running {
            running.check_examples(Self::NAME, x);
        }
        let (y, mean, var) = x.batch_norm(weight, bias, self.eps);
        if let Some(running) = &self.running {
            let n = (x.numel() / self.channels) as f64;
            running.update(&mean, &(var * (n / (n - 1.0))), self.momentum);
        }
        y
    }
}

impl<const N: usize> InstanceNormNd<N> {
    const NAME: &str = numbered(["InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"], N);

    /// A layer for so many channels that only standardises.
    #[track_caller]
    pub fn new(channels: usize) -> Self {
        let (eps, momentum) = (1e-5, Some(0.1));
        Self { weight: None, bias: None, running: None, channels, eps, momentum, mode: Mode::Train }
    }

    /// The same with weight and bias.
    #[must_use]
    #[track_caller]
    pub fn affine(self) -> Self {
        let weight = Some(Param::new(Tensor::ones([self.channels])));
        let bias = Some(Param::new(Tensor::zeros([self.channels])));
        Self { weight, bias, ..self }
    }

    /// The same with running statistics, which evaluation uses.
    #[must_use]
    #[track_caller]
    pub fn running(self) -> Self {
        Self { running: Some(Running::new(self.channels)), ..self }
    }

    /// `x` normalised; the batch axis may be left out. In training this also moves the running statistics, if there
    /// are any.
    ///
    /// # Panics
    /// If `x` has not the axes or channels of the layer, or its elements are not floats; in training inside `vmap`, if
    /// examples would move running statistics that they share.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, Self::NAME, self.compute(x))
    }

    #[track_caller]
    fn compute(&self, x: &Tensor) -> Tensor {
        let (x, rank, channel_axis) = (&high(x), x.rank(), x.rank().wrapping_sub(N + 1));
        check(Self::NAME, x, self.channels, rank == N + 2 || rank == N + 1, channel_axis);
        if rank == N + 1 {
            return self.normalised(&x.unsqueeze(0)).squeeze(0);
        }
        self.normalised(x)
    }

    #[track_caller]
    fn normalised(&self, x: &Tensor) -> Tensor {
        let (weight, bias) = (self.weight.as_deref(), self.bias.as_deref());
        let Some(running) = &self.running else { return x.instance_norm(weight, bias, self.eps) };
        if !self.mode.is_training() {
            let (mean, var) = (running.running_mean.value(), running.running_var.value());
            return x.batch_norm_by(&mean, &var, weight, bias, self.eps);
        }
        running.check_examples(Self::NAME, x);
        let (constant, axes) = (x.detach(), (2..x.rank()).collect::<Vec<_>>());
        let (mean, var) = (constant.mean(&axes[..]).mean(0), constant.var(&axes[..], 1).mean(0));
        running.update(&mean, &var, self.momentum);
        x.instance_norm(weight, bias, self.eps)
    }
}

#[track_caller]
fn check(name: &'static str, x: &Tensor, channels: usize, rank_fits: bool, axis: usize) {
    if !rank_fits || x.size(axis as isize) != channels {
        let spatial = match name.as_bytes()[name.len() - 2] {
            b'1' => "length",
            b'2' => "height, width",
            _ => "depth, height, width",
        };
        let takes = format!("{name}({channels}) takes [batch, {channels}, {spatial}]");
        let detail = format!("input does not fit: shape {}; {takes}", x.shape());
        raise(Error::new(name, ErrorKind::Shape, detail));
    }
}
