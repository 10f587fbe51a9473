//! Data sets in memory: two tensors, and the batches that are selections of them.

use super::dataset::Dataset;
use retrograd_tensor::{Error, ErrorKind, Rng, Tensor, raise};

/// Samples `x` with their targets `y`, one along the first axis of each.
///
/// ```
/// use retrograd_nn::data::TensorDataset;
/// use retrograd_tensor::{Rng, Tensor};
/// let data = TensorDataset::new(Tensor::rand([10, 3], &mut Rng::new(0)), Tensor::zeros([10]));
/// let split = data.split(|position| position % 5 == 0);
/// assert_eq!((split.train.len(), split.test.len()), (8, 2));
/// let (x, _) = split.train.batches(6, &mut Rng::new(1)).next().unwrap();
/// assert_eq!(x.shape(), [6, 3]);
/// ```
///
/// Source: PyTorch's `torch.utils.data.TensorDataset`, for a pair.
#[derive(Clone, Debug)]
pub struct TensorDataset {
    /// The inputs, `[samples, ..]`.
    pub x: Tensor,
    /// The targets, `[samples, ..]`.
    pub y: Tensor,
}

/// A data set in the two parts that learning needs.
#[derive(Clone, Debug)]
pub struct Split {
    /// What is learned from.
    pub train: TensorDataset,
    /// What was never seen.
    pub test: TensorDataset,
}

impl TensorDataset {
    /// The samples `x` with the targets `y`.
    ///
    /// # Panics
    /// If their first axes differ or are missing.
    #[track_caller]
    pub fn new(x: Tensor, y: Tensor) -> Self {
        let (samples, targets) = (x.shape().first(), y.shape().first());
        if samples.is_none() || samples != targets {
            let (x, y) = (&x.shape()[..], &y.shape()[..]);
            let detail =
                format!("samples do not fit targets: {x:?} and {y:?}; the first axes count the same samples");
            raise(Error::new("TensorDataset", ErrorKind::Shape, detail));
        }
        Self { x, y }
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.x.shape()[0]
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The samples at these positions, in this order.
    ///
    /// # Panics
    /// If a position is out of range.
    #[track_caller]
    pub fn select(&self, positions: &Tensor) -> Self {
        Self { x: self.x.index_select(0, positions), y: self.y.index_select(0, positions) }
    }

    /// The samples split in two: those whose position `is_test` picks become the test set.
    pub fn split(&self, is_test: impl Fn(usize) -> bool) -> Split {
        let (test, train): (Vec<i64>, Vec<i64>) =
            (0..self.len() as i64).partition(|&position| is_test(position as usize));
        Split { train: self.select(&Tensor::from(train)), test: self.select(&Tensor::from(test)) }
    }

    /// All samples once, in random order, `size` at a time; the last batch may be smaller.
    ///
    /// The short way for a set in memory; [`DataLoader`](super::DataLoader) is the one with settings, workers and a
    /// position that can be saved.
    ///
    /// # Panics
    /// If `size` is 0.
    #[track_caller]
    pub fn batches(&self, size: usize, rng: &mut Rng) -> Batches<'_> {
        if size == 0 {
            let detail = "no samples in a batch: size 0; a batch has at least one";
            raise(Error::new("batches", ErrorKind::Value, detail));
        }
        let order = Tensor::randperm(self.len(), rng);
        order.force();
        Batches { data: self, order, size, next: 0 }
    }
}

impl Dataset for TensorDataset {
    type Item = (Tensor, Tensor);

    fn len(&self) -> usize {
        self.x.shape()[0]
    }

    fn get(&self, index: usize) -> Result<(Tensor, Tensor), Error> {
        Ok((self.x.select(0, index), self.y.select(0, index)))
    }

    fn get_batch(&self, indices: &[usize]) -> Result<(Tensor, Tensor), Error> {
        let positions: Vec<i64> = indices.iter().map(|&index| index as i64).collect();
        let Self { x, y } = self.select(&Tensor::from(positions));
        Ok((x, y))
    }
}

/// The batches of one pass, made by [`TensorDataset::batches`]: pairs of inputs and targets.
#[derive(Debug)]
pub struct Batches<'a> {
    data: &'a TensorDataset,
    order: Tensor,
    size: usize,
    /// The first sample, in `order`, that has not been given out.
    next: usize,
}

impl Iterator for Batches<'_> {
    type Item = (Tensor, Tensor);

    fn next(&mut self) -> Option<(Tensor, Tensor)> {
        let size = self.size.min(self.data.len() - self.next);
        if size == 0 {
            return None;
        }
        let positions = self.order.narrow(0, self.next, size);
        self.next += size;
        let TensorDataset { x, y } = self.data.select(&positions);
        Some((x, y))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.data.len() - self.next).div_ceil(self.size);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Batches<'_> {}
