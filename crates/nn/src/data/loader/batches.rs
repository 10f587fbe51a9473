//! The iterator over what is left of an epoch.

#[cfg(feature = "data")]
use super::workers::Queue;
use super::{DataLoader, Part, batches_of};
use crate::data::sample::Sample;
use crate::module::StateDict;
use retrograd_tensor::Error;
use std::fmt;

/// The batches of an epoch that have not been given out, made by [`DataLoader::batches`].
pub struct LoaderBatches<'a, T, B> {
    loader: &'a mut DataLoader<T, B>,
    order: Vec<usize>,
    /// The key of the epoch's stream.
    key: u64,
    /// Whether the end was reached, and the loader sent to the next epoch.
    done: bool,
    #[cfg(feature = "data")]
    queue: Queue<B>,
}

impl<'a, T: Sample, B: Send + 'static> LoaderBatches<'a, T, B> {
    pub(super) fn new(loader: &'a mut DataLoader<T, B>, order: Vec<usize>, key: u64) -> Self {
        #[cfg(feature = "data")]
        let queue = Queue::at(loader.position);
        Self {
            loader,
            order,
            key,
            done: false,
            #[cfg(feature = "data")]
            queue,
        }
    }

    /// The loader, as it stands after the batches that were given out: what a checkpoint within an epoch saves.
    ///
    /// ```
    /// use retrograd_nn::data::{DataLoader, TensorDataset};
    /// use retrograd_tensor::Tensor;
    /// let data = TensorDataset::new(Tensor::zeros([5]), Tensor::zeros([5]));
    /// let mut loader = DataLoader::new(data).batch_size(2);
    /// let mut batches = loader.batches();
    /// batches.next();
    /// assert_eq!(batches.loader().state_dict()["position"].item(), 2.0);
    /// ```
    pub fn loader(&self) -> &DataLoader<T, B> {
        self.loader
    }

    /// Goes where a loader stood; what was loaded ahead is left.
    pub(super) fn go_to(&mut self, state: &StateDict) -> Result<(), Error> {
        self.loader.load_state_dict(state)?;
        (self.order, self.key) = self.loader.order();
        self.done = false;
        #[cfg(feature = "data")]
        {
            self.queue = Queue::at(self.loader.position);
        }
        Ok(())
    }

    /// The batch whose first sample has this place in the epoch.
    fn part(&self, first: usize) -> Option<Part> {
        let left = self.order.get(first..)?;
        let size = left.len().min(self.loader.batch_size);
        let whole = size == self.loader.batch_size || !self.loader.drop_last;
        (size > 0 && whole).then(|| Part { indices: left[..size].to_vec(), first, key: self.key })
    }

    /// The batch of `part`, which is the next one.
    #[cfg(feature = "data")]
    fn load(&mut self, part: &Part) -> Result<B, Error> {
        let Some((pool, ahead)) = self.loader.workers.pool()? else { return (self.loader.fetch)(part) };
        while self.queue.len() < ahead
            && let Some(part) = self.part(self.queue.next_place())
        {
            self.queue.send(&pool, &self.loader.fetch, part);
        }
        self.queue.receive()
    }

    #[cfg(not(feature = "data"))]
    fn load(&mut self, part: &Part) -> Result<B, Error> {
        (self.loader.fetch)(part)
    }
}

impl<T: Sample, B: Send + 'static> Iterator for LoaderBatches<'_, T, B> {
    type Item = Result<B, Error>;

    fn next(&mut self) -> Option<Result<B, Error>> {
        if self.done {
            return None;
        }
        let Some(part) = self.part(self.loader.position) else {
            self.done = true;
            self.loader.set_epoch(self.loader.epoch + 1);
            return None;
        };
        let batch = self.load(&part);
        self.loader.position += part.indices.len();
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = if self.done { 0 } else { self.order.len().saturating_sub(self.loader.position) };
        let batches = batches_of(left, self.loader.batch_size, self.loader.drop_last);
        (batches, Some(batches))
    }
}

impl<T: Sample, B: Send + 'static> ExactSizeIterator for LoaderBatches<'_, T, B> {}

impl<T: Sample, B: Send + 'static> std::iter::FusedIterator for LoaderBatches<'_, T, B> {}

impl<T, B> fmt::Debug for LoaderBatches<'_, T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoaderBatches")
            .field("loader", &self.loader)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}
