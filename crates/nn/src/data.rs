//! Data sets, their batches, readers of files, and transforms.
//!
//! A [`Dataset`] gives samples by position: [`TensorDataset`] from memory, others from files. A [`DataLoader`] makes
//! batches of them, in an order that a [`Sampler`] decides, with threads that load ahead and a position that can be
//! saved; a [`Transform`] changes samples on the way. Readers (feature `data`) return `Err` with file and place for
//! whatever the outside can get wrong; they never panic on a file's content, nor allocate what it only claims.

#[cfg(feature = "data")]
mod bundled;
mod dataset;
#[cfg(feature = "data")]
mod digits;
#[cfg(feature = "data")]
mod idx;
#[cfg(feature = "data")]
mod image;
mod loader;
mod sample;
mod sampler;
#[cfg(feature = "data")]
mod source;
#[cfg(feature = "data")]
mod table;
mod tensors;
mod text;
mod transform;

#[cfg(feature = "data")]
pub use bundled::{FASHION_CLASSES, breast_cancer, emoji16, fashion, fashion_mnist, mnist, sunspots};
pub use dataset::{ConcatDataset, Dataset, Subset, random_split};
#[cfg(feature = "data")]
pub use digits::digits;
#[cfg(feature = "data")]
pub use idx::read_idx;
#[cfg(feature = "data")]
pub use image::{ImageFolder, read_png};
pub use loader::{DataLoader, LoaderBatches, Position};
pub use sample::Sample;
pub use sampler::{RandomSampler, Sampler, SequentialSampler, WeightedRandomSampler};
#[cfg(feature = "data")]
pub use table::{Column, Csv, Missing, Table};
pub use tensors::{Batches, Split, TensorDataset};
#[cfg(feature = "data")]
pub use text::read_text;
pub use text::{Vocabulary, Windows};
pub use transform::{
    Compose, Normalize, OneHot, RandomCrop, RandomHorizontalFlip, RandomRotation, RandomVerticalFlip, Rotate,
    ToFloat, Transform,
};
