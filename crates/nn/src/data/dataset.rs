//! What a data set is: samples that can be had by their position, and sets made of others.

use super::sample::Sample;
use retrograd_tensor::{Error, ErrorKind, Rng, Tensor, raise};
use std::sync::Arc;

/// Samples that can be had by position, in any order and from several threads.
///
/// The position decides the sample: what is drawn at random for each epoch belongs into
/// [`DataLoader::map`](super::DataLoader::map), which has random streams.
///
/// ```
/// use retrograd_nn::data::{DataLoader, Dataset};
/// use retrograd_tensor::Error;
///
/// struct Squares(usize);
///
/// impl Dataset for Squares {
///     type Item = (f32, f32);
///     fn len(&self) -> usize { self.0 }
///     fn get(&self, index: usize) -> Result<(f32, f32), Error> { Ok((index as f32, (index * index) as f32)) }
/// }
///
/// let mut loader = DataLoader::new(Squares(5)).batch_size(3);
/// let (_, squares) = loader.batches().last().unwrap()?;
/// assert_eq!(squares.to_vec::<f32>(), [9.0, 16.0]);
/// # Ok::<(), Error>(())
/// ```
///
/// Source: PyTorch's `torch.utils.data.Dataset`.
pub trait Dataset: Send + Sync {
    /// One sample.
    type Item: Sample;

    /// The number of samples.
    fn len(&self) -> usize;

    /// The sample at position `index`, below [`len`](Dataset::len).
    ///
    /// # Errors
    /// If it cannot be read.
    fn get(&self, index: usize) -> Result<Self::Item, Error>;

    /// Whether there are no samples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The samples at these positions as one batch; for sets that have a faster way than one by one.
    ///
    /// # Errors
    /// If one of them cannot be read, or they do not fit each other.
    fn get_batch(&self, indices: &[usize]) -> Result<<Self::Item as Sample>::Batch, Error> {
        Sample::collate(indices.iter().map(|&index| self.get(index)).collect::<Result<_, _>>()?)
    }
}

macro_rules! points_at_dataset {
    ($($pointer:ty),*) => {$(
        impl<D: Dataset + ?Sized> Dataset for $pointer {
            type Item = D::Item;

            fn len(&self) -> usize {
                (**self).len()
            }

            fn get(&self, index: usize) -> Result<D::Item, Error> {
                (**self).get(index)
            }

            fn get_batch(&self, indices: &[usize]) -> Result<<D::Item as Sample>::Batch, Error> {
                (**self).get_batch(indices)
            }
        }
    )*};
}
points_at_dataset!(Arc<D>, Box<D>, &D);

/// Some of the samples of a data set, in an order of their own.
///
/// ```
/// use retrograd_nn::data::{Dataset, Subset, TensorDataset};
/// use retrograd_tensor::Tensor;
/// let all = TensorDataset::new(Tensor::arange(0, 5, 1), Tensor::from([0i64, 1, 2, 3, 4]));
/// let two = Subset::new(all, [4, 1]);
/// assert_eq!((two.len(), two.get(0)?.0.item()), (2, 4.0));
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
///
/// Source: PyTorch's `torch.utils.data.Subset`.
#[derive(Clone, Debug)]
pub struct Subset<D> {
    data: D,
    indices: Vec<usize>,
}

impl<D: Dataset> Subset<D> {
    /// The samples of `data` at these positions.
    ///
    /// # Panics
    /// If a position is out of range.
    #[track_caller]
    pub fn new(data: D, indices: impl Into<Vec<usize>>) -> Self {
        let indices = indices.into();
        check_indices("Subset", &indices, data.len());
        Self { data, indices }
    }
}

impl<D: Dataset> Dataset for Subset<D> {
    type Item = D::Item;

    fn len(&self) -> usize {
        self.indices.len()
    }

    fn get(&self, index: usize) -> Result<D::Item, Error> {
        self.data.get(self.indices[index])
    }

    fn get_batch(&self, indices: &[usize]) -> Result<<D::Item as Sample>::Batch, Error> {
        let inner: Vec<usize> = indices.iter().map(|&index| self.indices[index]).collect();
        self.data.get_batch(&inner)
    }
}

/// Several data sets as one: their samples one after another.
///
/// ```
/// use retrograd_nn::data::{ConcatDataset, Dataset, TensorDataset};
/// use retrograd_tensor::Tensor;
/// let part = |from: i64| {
///     let y = Tensor::from([from, from + 1]);
///     TensorDataset::new(&y * 10, y)
/// };
/// let all = ConcatDataset::new([part(0), part(2)]);
/// assert_eq!((all.len(), all.get(3)?.0.item()), (4, 30.0));
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
///
/// Source: PyTorch's `torch.utils.data.ConcatDataset`.
#[derive(Clone, Debug)]
pub struct ConcatDataset<D> {
    parts: Vec<D>,
    /// The position after the last sample of each part.
    ends: Vec<usize>,
}

impl<D: Dataset> ConcatDataset<D> {
    /// The samples of all `parts`. Parts of different types are boxed: `Box<dyn Dataset<Item = ..>>`.
    pub fn new(parts: impl IntoIterator<Item = D>) -> Self {
        let parts: Vec<D> = parts.into_iter().collect();
        let ends = parts.iter().scan(0, |end, part| {
            *end += part.len();
            Some(*end)
        });
        Self { ends: ends.collect(), parts }
    }
}

impl<D: Dataset> Dataset for ConcatDataset<D> {
    type Item = D::Item;

    fn len(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    fn get(&self, index: usize) -> Result<D::Item, Error> {
        let part = self.ends.partition_point(|&end| end <= index);
        let start = part.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.parts[part].get(index - start)
    }
}

/// The samples of `data` split at random into parts of these `lengths`.
///
/// ```
/// use retrograd_nn::data::{Dataset, TensorDataset, random_split};
/// use retrograd_tensor::{I64, Rng};
/// let y = I64.arange(0, 10, 1);
/// let parts = random_split(TensorDataset::new(y.clone(), y), &[7, 3], &mut Rng::new(0));
/// assert_eq!((parts[0].len(), parts[1].len()), (7, 3));
/// ```
///
/// # Panics
/// If the lengths do not sum to the number of samples.
///
/// Source: PyTorch's `torch.utils.data.random_split`.
#[track_caller]
pub fn random_split<D: Dataset>(data: D, lengths: &[usize], rng: &mut Rng) -> Vec<Subset<Arc<D>>> {
    let samples = data.len();
    if lengths.iter().sum::<usize>() != samples {
        let detail = format!("lengths do not fit: {lengths:?} of {samples} samples; they sum to as many");
        raise(Error::new("random_split", ErrorKind::Value, detail));
    }
    let data = Arc::new(data);
    let mut order = Tensor::randperm(samples, rng).to_vec::<i64>().into_iter().map(|index| index as usize);
    let part =
        |&length: &usize| Subset { data: Arc::clone(&data), indices: order.by_ref().take(length).collect() };
    lengths.iter().map(part).collect()
}

/// Refuses positions that `samples` samples do not have.
#[track_caller]
pub(super) fn check_indices(op: &'static str, indices: &[usize], samples: usize) {
    if let Some(index) = indices.iter().find(|&&index| index >= samples) {
        let detail = format!("position out of range: {index} of {samples} samples; they are counted from 0");
        raise(Error::new(op, ErrorKind::Index, detail));
    }
}
