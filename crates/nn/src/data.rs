//! Data sets, their batches, readers of files, and transforms.
//!
//! A [`Dataset`] gives samples by position: [`TensorDataset`] from memory, others from files. A [`DataLoader`] makes
//! batches of them, in an order that a [`Sampler`] decides, with threads that load ahead and a position that can be
//! saved. Readers return `Err` with file and place for whatever the outside can get wrong; they never panic on a
//! file's content.

mod dataset;
#[cfg(feature = "data")]
mod digits;
mod loader;
mod sample;
mod sampler;
mod tensors;

pub use dataset::{ConcatDataset, Dataset, Subset, random_split};
#[cfg(feature = "data")]
pub use digits::digits;
pub use loader::{DataLoader, LoaderBatches};
pub use sample::Sample;
pub use sampler::{RandomSampler, Sampler, SequentialSampler, WeightedRandomSampler};
pub use tensors::{Batches, Split, TensorDataset};
