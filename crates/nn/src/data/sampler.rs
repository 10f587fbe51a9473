//! Samplers: which samples an epoch has, and in which order.
//!
//! A sampler is a function of the number of samples and of the epoch's random stream, and holds nothing that
//! changes. So the order of an epoch can be had again from seed and number alone, and a saved position is enough.

use retrograd_tensor::{Error, ErrorKind, F64, Rng, Tensor, raise};

/// The order of the samples in an epoch.
///
/// A closure `Fn(usize, &mut Rng) -> Vec<usize>` is one.
///
/// ```
/// use retrograd_nn::data::{DataLoader, TensorDataset};
/// use retrograd_tensor::{I64, Rng};
/// let y = I64.arange(0, 4, 1);
/// let backwards = |samples: usize, _: &mut Rng| (0..samples).rev().collect::<Vec<_>>();
/// let mut loader = DataLoader::new(TensorDataset::new(y.clone(), y)).batch_size(4).sampler(backwards);
/// let (x, _) = loader.batches().next().unwrap()?;
/// assert_eq!(x.to_vec::<i64>(), [3, 2, 1, 0]);
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
///
/// Source: PyTorch's `torch.utils.data.Sampler`.
pub trait Sampler: Send + Sync {
    /// The positions of an epoch's samples, each below `samples`, in their order. `rng` is the epoch's stream; all
    /// that is random comes from it.
    fn order(&self, samples: usize, rng: &mut Rng) -> Vec<usize>;
}

impl<F: Fn(usize, &mut Rng) -> Vec<usize> + Send + Sync> Sampler for F {
    fn order(&self, samples: usize, rng: &mut Rng) -> Vec<usize> {
        self(samples, rng)
    }
}

/// All samples in their own order.
///
/// ```
/// use retrograd_nn::data::{Sampler, SequentialSampler};
/// assert_eq!(SequentialSampler.order(3, &mut retrograd_tensor::Rng::new(0)), [0, 1, 2]);
/// ```
///
/// Source: PyTorch's `torch.utils.data.SequentialSampler`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SequentialSampler;

impl Sampler for SequentialSampler {
    fn order(&self, samples: usize, _: &mut Rng) -> Vec<usize> {
        (0..samples).collect()
    }
}

/// Samples at random: all of them once, or a number of draws of which each can be any sample.
///
/// ```
/// use retrograd_nn::data::{RandomSampler, Sampler};
/// use retrograd_tensor::Rng;
/// let mut order = RandomSampler::new().order(4, &mut Rng::new(0));
/// order.sort();
/// assert_eq!(order, [0, 1, 2, 3]);
/// assert_eq!(RandomSampler::with_replacement(9).order(2, &mut Rng::new(0)).len(), 9);
/// ```
///
/// Source: PyTorch's `torch.utils.data.RandomSampler`.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomSampler {
    /// The number of draws with replacement.
    draws: Option<usize>,
}

impl RandomSampler {
    /// Every sample once.
    pub fn new() -> Self {
        Self::default()
    }

    /// `num_samples` draws, each of any sample.
    pub fn with_replacement(num_samples: usize) -> Self {
        Self { draws: Some(num_samples) }
    }
}

impl Sampler for RandomSampler {
    fn order(&self, samples: usize, rng: &mut Rng) -> Vec<usize> {
        let order = match self.draws {
            None => Tensor::randperm(samples, rng),
            Some(_) if samples == 0 => return Vec::new(),
            Some(draws) => Tensor::randint(0, samples as i64, [draws], rng),
        };
        order.iter::<i64>().map(|index| index as usize).collect()
    }
}

/// Draws of samples with probabilities in proportion to weights.
///
/// Without replacement a sample is drawn at most once: each next one in proportion to the weights of those that
/// are left.
///
/// ```
/// use retrograd_nn::data::{Sampler, WeightedRandomSampler};
/// use retrograd_tensor::Rng;
/// let order = WeightedRandomSampler::new([3.0, 0.0, 1.0], 1000, true).order(3, &mut Rng::new(0));
/// let share = order.iter().filter(|&&index| index == 0).count();
/// assert!((700..800).contains(&share) && !order.contains(&1));
/// let mut order = WeightedRandomSampler::new([3.0, 0.0, 1.0], 2, false).order(3, &mut Rng::new(0));
/// order.sort();
/// assert_eq!(order, [0, 2]);
/// ```
///
/// Source: PyTorch's `torch.utils.data.WeightedRandomSampler`; without replacement by the keys of Efraimidis and
/// Spirakis, *Weighted random sampling with a reservoir*, 2006.
#[derive(Clone, Debug)]
pub struct WeightedRandomSampler {
    weights: Vec<f64>,
    draws: usize,
    replacement: bool,
}

impl WeightedRandomSampler {
    /// `num_samples` draws by these weights, one for each sample of the data set.
    ///
    /// # Panics
    /// If a weight is negative or not finite, all are 0, or more draws are asked for than `replacement` allows.
    #[track_caller]
    pub fn new(weights: impl Into<Vec<f64>>, num_samples: usize, replacement: bool) -> Self {
        let weights = weights.into();
        let refuse = |detail: String| raise(Error::new("WeightedRandomSampler", ErrorKind::Value, detail));
        if let Some(at) = weights.iter().position(|weight| !(weight.is_finite() && *weight >= 0.0)) {
            refuse(format!(
                "no weight: {} at position {at}; weights are finite and not negative",
                weights[at]
            ));
        }
        let possible = weights.iter().filter(|&&weight| weight > 0.0).count();
        let most = if replacement && possible > 0 { usize::MAX } else { possible };
        if num_samples > most {
            let right = "draw fewer, or with replacement from at least one";
            refuse(format!("too many draws: {num_samples} of {possible} samples with a weight; {right}"));
        }
        Self { weights, draws: num_samples, replacement }
    }
}

impl Sampler for WeightedRandomSampler {
    #[track_caller]
    fn order(&self, samples: usize, rng: &mut Rng) -> Vec<usize> {
        if samples != self.weights.len() {
            let weights = self.weights.len();
            let detail = format!("weights do not fit: {weights} for {samples} samples; one for each");
            raise(Error::new("WeightedRandomSampler", ErrorKind::Shape, detail));
        }
        if self.replacement { self.with_replacement(rng) } else { self.without_replacement(rng) }
    }
}

impl WeightedRandomSampler {
    fn with_replacement(&self, rng: &mut Rng) -> Vec<usize> {
        // Scaled first, so that the sum of large weights stays finite.
        let largest = self.weights.iter().fold(0f64, |largest, &weight| largest.max(weight));
        let sums = self.weights.iter().scan(0.0, |sum, weight| {
            *sum += weight / largest;
            Some(*sum)
        });
        let sums: Vec<f64> = sums.collect();
        let total = sums.last().copied().unwrap_or(0.0);
        // Rounding up to the total itself must not lead past the last sample that has a weight.
        let last = self.weights.iter().rposition(|&weight| weight > 0.0).unwrap_or(0);
        let drawn = F64.rand([self.draws], rng);
        drawn.iter::<f64>().map(|u| sums.partition_point(|&sum| sum <= u * total).min(last)).collect()
    }

    fn without_replacement(&self, rng: &mut Rng) -> Vec<usize> {
        // Waiting times with the weights as rates: the first to come are the draws, in their order.
        let waits = F64.rand([self.weights.len()], rng);
        let waits = waits.iter::<f64>().zip(&self.weights).map(|(u, &weight)| -(1.0 - u).ln() / weight);
        let mut waits: Vec<(f64, usize)> = waits.enumerate().map(|(index, wait)| (wait, index)).collect();
        waits.retain(|&(_, index)| self.weights[index] > 0.0);
        waits.sort_by(|a, b| a.0.total_cmp(&b.0));
        waits.into_iter().take(self.draws).map(|(_, index)| index).collect()
    }
}
