//! [`DataLoader`]: the batches of epoch after epoch, with a position that can be saved.
//!
//! All that is random is a function of the seed, the epoch and the place in it: the order comes from the epoch's
//! stream, and each sample has a stream of its own for what [`DataLoader::map`] draws. So neither workers nor the
//! size of batches change what a sample looks like, and seed, epoch and position are the whole state.

mod batches;
mod state;
#[cfg(feature = "data")]
mod workers;

use super::dataset::{Dataset, check_indices};
use super::sample::Sample;
use super::sampler::{RandomSampler, Sampler, SequentialSampler};
use retrograd_tensor::{Error, ErrorKind, Rng, raise};
use std::fmt;
use std::sync::Arc;

pub use batches::LoaderBatches;
pub use state::Position;

/// Gives the sample at a position; the stream is the sample's own.
type Get<T> = Arc<dyn Fn(usize, &mut Rng) -> Result<T, Error> + Send + Sync>;

/// Gives the batch of a part of an epoch.
type Fetch<B> = Arc<dyn Fn(&Part) -> Result<B, Error> + Send + Sync>;

/// The samples of one batch.
struct Part {
    indices: Vec<usize>,
    /// The place in the epoch of the first one.
    first: usize,
    /// The key of the epoch's stream.
    key: u64,
}

impl Part {
    /// The samples, each got with the stream of its place in the epoch.
    fn samples<T>(&self, get: &Get<T>) -> Result<Vec<T>, Error> {
        let places = (self.first as u64..).zip(&self.indices);
        places.map(|(place, &index)| get(index, &mut Rng::at(self.key, place).split())).collect()
    }
}

/// The batches of a data set: which samples, in which order, how many together, what is done to each.
///
/// Every setting is a method. [`batches`](DataLoader::batches) goes on from the position to the end of the
/// epoch, so a loop that was left, or a run that was stopped and loaded, gets what it had not had.
///
/// ```
/// use retrograd_nn::data::{DataLoader, TensorDataset};
/// use retrograd_tensor::{Error, I64, Tensor};
/// let data = TensorDataset::new(I64.arange(0, 10, 1), Tensor::zeros([10]));
/// let mut loader = DataLoader::new(data).batch_size(4).shuffle(true).seed(7);
/// let mut sizes = Vec::new();
/// while loader.epoch() < 2 {
///     for batch in loader.batches() {
///         let (x, _) = batch?;
///         sizes.push(x.size(0));
///     }
/// }
/// assert_eq!(sizes, [4, 4, 2, 4, 4, 2]);
/// # Ok::<(), Error>(())
/// ```
///
/// Source: PyTorch's `torch.utils.data.DataLoader`, with its names and defaults; the saved position is as that of
/// torchdata's `StatefulDataLoader`.
pub struct DataLoader<T, B> {
    /// The number of samples of the data set.
    samples: usize,
    get: Get<T>,
    fetch: Fetch<B>,
    sampler: Box<dyn Sampler>,
    batch_size: usize,
    drop_last: bool,
    seed: u64,
    epoch: u64,
    /// How many samples of the epoch have been given out.
    position: usize,
    #[cfg(feature = "data")]
    workers: workers::Workers,
}

impl<T: Sample> DataLoader<T, T::Batch> {
    /// The samples of `data` one by one, in their own order: batches of 1.
    pub fn new(data: impl Dataset<Item = T> + 'static) -> Self {
        let data = Arc::new(data);
        let samples = data.len();
        let whole = Arc::clone(&data);
        Self {
            samples,
            get: Arc::new(move |index, _| data.get(index)),
            fetch: Arc::new(move |part| whole.get_batch(&part.indices)),
            sampler: Box::new(SequentialSampler),
            batch_size: 1,
            drop_last: false,
            seed: 0,
            epoch: 0,
            position: 0,
            #[cfg(feature = "data")]
            workers: workers::Workers::none(),
        }
    }
}

impl<T: Sample, B: Send + 'static> DataLoader<T, B> {
    /// The same with `size` samples in a batch.
    ///
    /// # Panics
    /// If `size` is 0.
    #[must_use]
    #[track_caller]
    pub fn batch_size(self, size: usize) -> Self {
        if size == 0 {
            let detail = "no samples in a batch: size 0; a batch has at least one";
            raise(Error::new("DataLoader", ErrorKind::Value, detail));
        }
        Self { batch_size: size, ..self }
    }

    /// The same in a new random order each epoch, or with `false` in the order of the data set.
    #[must_use]
    pub fn shuffle(self, shuffle: bool) -> Self {
        if shuffle { self.sampler(RandomSampler::new()) } else { self.sampler(SequentialSampler) }
    }

    /// The same with an order of your own, instead of [`shuffle`](DataLoader::shuffle).
    #[must_use]
    pub fn sampler(self, sampler: impl Sampler + 'static) -> Self {
        Self { sampler: Box::new(sampler), ..self }
    }

    /// The same without a last batch that is smaller than the others.
    #[must_use]
    pub fn drop_last(self, drop_last: bool) -> Self {
        Self { drop_last, ..self }
    }

    /// The same with this seed of all that is random, 0 at first.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The same with `f` applied to each sample. Its stream is a function of seed, epoch and the sample's place in
    /// the epoch, so what is drawn is the same at any number of workers and any size of batches.
    ///
    /// ```
    /// use retrograd_nn::data::{DataLoader, TensorDataset};
    /// use retrograd_tensor::{Error, Rng, Tensor};
    /// let data = TensorDataset::new(Tensor::zeros([4, 2]), Tensor::zeros([4]));
    /// let noisy = |(x, y): (Tensor, Tensor), rng: &mut Rng| (&x + x.randn_like(rng), y);
    /// let mut by_two = DataLoader::new(data.clone()).batch_size(2).map(noisy);
    /// let mut by_four = DataLoader::new(data).batch_size(4).map(noisy);
    /// let (first, _) = by_two.batches().next().unwrap()?;
    /// let (all, _) = by_four.batches().next().unwrap()?;
    /// assert_eq!(first, all.narrow(0, 0, 2));
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn map<U: Sample>(
        self,
        f: impl Fn(T, &mut Rng) -> U + Send + Sync + 'static,
    ) -> DataLoader<U, U::Batch> {
        let before = Arc::clone(&self.get);
        let get: Get<U> = Arc::new(move |index, rng| Ok(f(before(index, rng)?, rng)));
        let each = Arc::clone(&get);
        self.with(get, Arc::new(move |part| U::collate(part.samples(&each)?)))
    }

    /// The same with `f` making the batch of some samples, instead of [`Sample::collate`].
    ///
    /// ```
    /// use retrograd_nn::data::{DataLoader, TensorDataset};
    /// use retrograd_tensor::{Error, Tensor};
    /// let data = TensorDataset::new(Tensor::ones([4, 2]), Tensor::zeros([4]));
    /// let sum = |samples: Vec<(Tensor, Tensor)>| Ok(samples.iter().map(|(x, _)| x.sum(()).item()).sum::<f64>());
    /// let sums: Result<Vec<f64>, Error> = DataLoader::new(data).batch_size(3).collate(sum).batches().collect();
    /// assert_eq!(sums?, [6.0, 2.0]);
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn collate<C: Send + 'static>(
        self,
        f: impl Fn(Vec<T>) -> Result<C, Error> + Send + Sync + 'static,
    ) -> DataLoader<T, C> {
        let get = Arc::clone(&self.get);
        let each = Arc::clone(&get);
        self.with(get, Arc::new(move |part| f(part.samples(&each)?)))
    }

    /// The same settings around another way to a batch.
    fn with<U, C>(self, get: Get<U>, fetch: Fetch<C>) -> DataLoader<U, C> {
        DataLoader {
            samples: self.samples,
            get,
            fetch,
            sampler: self.sampler,
            batch_size: self.batch_size,
            drop_last: self.drop_last,
            seed: self.seed,
            epoch: self.epoch,
            position: self.position,
            #[cfg(feature = "data")]
            workers: self.workers,
        }
    }

    /// The same with `n` threads that load batches ahead of the loop, or with 0 in the thread of the loop. The
    /// order and the bits of the batches are the same for any number.
    #[cfg(feature = "data")]
    #[must_use]
    pub fn workers(mut self, n: usize) -> Self {
        self.workers.set_threads(n);
        self
    }

    /// The same with at most this many batches loaded ahead for each worker, 2 at first.
    ///
    /// # Panics
    /// If `batches` is 0.
    #[cfg(feature = "data")]
    #[must_use]
    #[track_caller]
    pub fn prefetch_factor(mut self, batches: usize) -> Self {
        if batches == 0 {
            let detail = "nothing to load ahead: prefetch_factor 0; at least 1, or 0 workers";
            raise(Error::new("DataLoader", ErrorKind::Value, detail));
        }
        self.workers.set_ahead(batches);
        self
    }

    /// The number of the epoch that [`batches`](DataLoader::batches) goes through next, counted from 0.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many samples of the present epoch have been given out.
    pub fn position(&self) -> usize {
        self.position
    }

    /// How many samples the present epoch gives out.
    #[track_caller]
    pub(crate) fn epoch_samples(&self) -> usize {
        let samples = self.order().0.len();
        if self.drop_last { samples / self.batch_size * self.batch_size } else { samples }
    }

    /// What an epoch without batches has to go by.
    #[track_caller]
    pub(crate) fn why_empty(&self) -> String {
        let (samples, size) = (self.order().0.len(), self.batch_size);
        if samples == 0 {
            return format!("the loader gives out none of {} samples; it needs one or more", self.samples);
        }
        format!(
            "the loader drops {samples} samples, less than a batch of {size}; make it smaller, or keep the last one"
        )
    }

    /// Goes to the beginning of this epoch.
    pub fn set_epoch(&mut self, epoch: u64) {
        (self.epoch, self.position) = (epoch, 0);
    }

    /// The number of batches of the present epoch, whether given out or not.
    #[track_caller]
    pub fn len(&self) -> usize {
        batches_of(self.order().0.len(), self.batch_size, self.drop_last)
    }

    /// Whether the present epoch has no batches.
    #[track_caller]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The batches of the present epoch that have not been given out. When they have, the loader stands at the
    /// beginning of the next epoch. A batch that cannot be loaded is an `Err` in its place.
    ///
    /// # Panics
    /// If the sampler gives a position that the data set does not have.
    #[track_caller]
    pub fn batches(&mut self) -> LoaderBatches<'_, T, B> {
        let (order, key) = self.order();
        LoaderBatches::new(self, order, key)
    }

    /// The order of the present epoch, and the key of its stream.
    #[track_caller]
    fn order(&self) -> (Vec<usize>, u64) {
        let mut rng = Rng::at(self.seed, self.epoch).split();
        let key = rng.key();
        let order = self.sampler.order(self.samples, &mut rng);
        check_indices("DataLoader", &order, self.samples);
        (order, key)
    }
}

impl<'a, T: Sample, B: Send + 'static> IntoIterator for &'a mut DataLoader<T, B> {
    type Item = Result<B, Error>;
    type IntoIter = LoaderBatches<'a, T, B>;

    #[track_caller]
    fn into_iter(self) -> LoaderBatches<'a, T, B> {
        self.batches()
    }
}

impl<T, B> fmt::Debug for DataLoader<T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataLoader")
            .field("samples", &self.samples)
            .field("batch_size", &self.batch_size)
            .field("drop_last", &self.drop_last)
            .field("seed", &self.seed)
            .field("epoch", &self.epoch)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

/// How many batches `samples` make.
fn batches_of(samples: usize, size: usize, drop_last: bool) -> usize {
    if drop_last { samples / size } else { samples.div_ceil(size) }
}
