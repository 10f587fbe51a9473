//! Loaders as a trainer sees them, whatever their samples.

use crate::data::{DataLoader, Position, Sample};
#[cfg(feature = "files")]
use crate::module::StateDict;
use retrograd_tensor::Error;

/// Where a loader stood; only for saving.
#[cfg(feature = "files")]
pub(super) struct Stood(pub(super) StateDict);

#[cfg(feature = "files")]
impl Position for Stood {
    fn state_dict(&self) -> StateDict {
        self.0.clone()
    }

    fn load_state_dict(&mut self, state: &StateDict) -> Result<(), Error> {
        self.0.clone_from(state);
        Ok(())
    }
}

/// Batches of one type.
pub(super) trait Source<B>: Position {
    /// Calls `f` with each batch of what is left of the epoch, and the number of its samples.
    fn each(&mut self, f: &mut dyn FnMut(&B, u64) -> Result<(), Error>) -> Result<(), Error>;
}

impl<T: Sample, B: Send + 'static> Source<B> for &mut DataLoader<T, B> {
    fn each(&mut self, f: &mut dyn FnMut(&B, u64) -> Result<(), Error>) -> Result<(), Error> {
        let mut batches = self.batches();
        loop {
            let before = batches.loader().position();
            let Some(batch) = batches.next() else { return Ok(()) };
            let batch = batch?;
            f(&batch, (batches.loader().position() - before) as u64)?;
        }
    }
}
