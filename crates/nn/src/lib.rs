//! Layers, losses, optimizers, data and training for retrograd.
//!
//! A model is a struct whose fields are layers and parameters, with `#[derive(Module)]` and a method `forward`:
//!
//! ```
//! # extern crate retrograd_nn as retrograd;
//! use retrograd_nn::{Linear, Losses, Module, Optimizer, Sgd};
//! use retrograd_autograd::Differentiate;
//! use retrograd_tensor::{Rng, Tensor};
//!
//! #[derive(Module)]
//! struct Block { fc1: Linear, fc2: Linear }
//!
//! impl Block {
//!     fn forward(&self, x: &Tensor) -> Tensor {
//!         x + self.fc2.forward(&self.fc1.forward(x).relu())
//!     }
//! }
//!
//! let mut rng = Rng::new(0);
//! let mut model = Block { fc1: Linear::new(4, 8, &mut rng), fc2: Linear::new(8, 4, &mut rng) };
//! let mut sgd = Sgd::new(&model, 0.1);
//! let (x, labels) = (Tensor::randn([5, 4], &mut rng), Tensor::from([0i64, 1, 2, 3, 0]));
//!
//! let loss = model.forward(&x).cross_entropy(&labels);
//! let grads = loss.backward();
//! sgd.step(&mut model, &grads)?;
//! assert_eq!(model.named_parameters()[1].0, "fc1.bias");
//! # Ok::<(), retrograd_tensor::Error>(())
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`module`] | the walk over a model's named slots, and what is made of it: state dicts, freezing, modes |
//! | [`param`] | [`Param`] and [`Buffer`], the only slots whose content changes |
//! | [`layers`], [`init`] | structs with parameters; their initial values |
//! | [`functional`] | composites that only networks use: [`Functional`], the [`Losses`] |
//! | [`optim`], [`schedule`] | optimizers, clipping, averages, loss scaling; learning rates over time |
//! | `files` (feature of that name) | weights, arrays and checkpoints in files |
//! | [`autocast()`] | mixed precision: products in a half type |
//! | [`mod@audit`] | what a backward pass gave each parameter |
//! | [`summary`] | a model as a table: shapes, parameters, operations, memory |
//! | [`data`], [`train`], [`metrics`], [`chart`] | data sets, the training loop, metrics, curves |
//! | `report` (feature of that name) | a page and event files that show a run |
//!
//! This crate calls public methods of tensors and of the tape; it knows no kernel, no buffer and no record.
//! Names, layouts, defaults and formulas are PyTorch's.

#![forbid(unsafe_code)]

// `#[derive(Module)]` names the facade; inside this crate that is the crate itself.
extern crate self as retrograd;

pub mod audit;
mod autocast;
pub mod chart;
pub mod data;
#[cfg(feature = "files")]
pub mod files;
pub mod functional;
pub mod init;
pub mod layers;
pub mod metrics;
pub mod module;
pub mod optim;
pub mod param;
#[cfg(feature = "report")]
pub mod report;
pub mod schedule;
pub mod summary;
pub mod train;

pub use audit::{Audit, audit};
pub use autocast::{autocast, autocast_dtype};
pub use functional::loss::{
    Bce, BceWithLogits, CrossEntropy, Ctc, GaussianNll, HingeEmbedding, Huber, KlDiv, Losses, MultiMargin,
    Nll, PoissonNll, Reduction, SmoothL1, TaskLosses, TripletMargin,
};
pub use functional::{Attention, Functional};
pub use layers::*;
pub use module::{LoadOptions, Loaded, Mode, Module, Slot, SlotMut, StateDict, Substitutes, functional_call};
pub use optim::{
    Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, AdjustLr, ClipNorm, GradScaler, Lamb, Lbfgs, Lion,
    Muon, NAdam, Optimizer, RAdam, RmsProp, Rprop, Sgd, Unused, WeightAverage, bias_or_norm, clip_grad_norm,
    clip_grad_norm_with, clip_grad_value,
};
pub use param::{Buffer, Param};
/// Derives [`trait@Module`] for a struct or an enum.
pub use retrograd_nn_derive::Module;
pub use summary::Summary;

/// The functions of networks under the names of the reference cases.
#[doc(hidden)]
pub const ENTRIES: &[&[retrograd_tensor::entry::Entry]] = &[functional::ENTRIES, functional::loss::ENTRIES];

/// What the code of `#[derive(Module)]` names, through the facade.
#[doc(hidden)]
pub mod derive_support {
    pub use crate::module::{Module, Slot, SlotMut, join};
}

/// What a program that trains a network usually needs; part of the facade's prelude.
pub mod prelude {
    pub use crate::audit::audit;
    pub use crate::autocast;
    pub use crate::chart::{Chart, save_svg};
    pub use crate::data::{self, DataLoader, Dataset, Split, TensorDataset};
    #[cfg(feature = "files")]
    pub use crate::files::{self, Checkpoint, Parts};
    pub use crate::functional::loss::{
        Bce, BceWithLogits, CrossEntropy, Ctc, GaussianNll, HingeEmbedding, Huber, KlDiv, Losses,
        MultiMargin, Nll, PoissonNll, Reduction, SmoothL1, TaskLosses, TripletMargin,
    };
    pub use crate::functional::{Attention, Functional};
    pub use crate::init::{self, Fan, Nonlinearity};
    pub use crate::layers::*;
    pub use crate::metrics::{self, ConfusionMatrix, Metric, accuracy};
    pub use crate::module::{LoadOptions, Mode, StateDict, functional_call};
    pub use crate::optim::{
        Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, AdjustLr, ClipNorm, GradScaler, Lamb, Lbfgs, Lion,
        Muon, NAdam, Optimizer, RAdam, RmsProp, Rprop, Sgd, Unused, WeightAverage, bias_or_norm,
        clip_grad_norm, clip_grad_norm_with, clip_grad_value,
    };
    pub use crate::param::{Buffer, Param};
    #[cfg(feature = "report")]
    pub use crate::report::{EventWriter, Report};
    pub use crate::schedule::{self, Schedule, Scheduler};
    pub use crate::train::{EarlyStopping, Output, Progress, Trainer};
    // The trait and its derive macro.
    pub use crate::Module;
}
