//! Training: a plain loop with a progress line, or a [`Trainer`] that has the loop.
//!
//! A loop of one's own is always possible, and needs only [`Progress`], if that. [`Trainer`] runs the same loop with what
//! runs usually want: metrics, validation, a schedule, clipping, accumulation, early stopping, checkpoints from which
//! it goes on to the same bits. What a run was like is plain data, a [`History`].
//!
//! | file | what it holds |
//! |---|---|
//! | `progress` | the line that a run shows |
//! | `trainer`, `fit`, `state` | the settings of a run, its loop, and its checkpoints |
//! | `callback` | what is called after steps and epochs |
//! | `stopping` | when a metric has stopped getting better |
//! | `history` | the figures of a run as data |

mod callback;
mod fit;
mod history;
mod progress;
mod source;
#[cfg(feature = "files")]
mod state;
mod stopping;
mod trainer;

pub use callback::{Callback, Moment};
pub use fit::Output;
pub use history::{History, RunRecord};
pub use progress::{Epoch, Progress};
pub use stopping::EarlyStopping;
pub use trainer::{NonFinite, Trainer};
