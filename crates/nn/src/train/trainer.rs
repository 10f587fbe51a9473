//! The settings of a run.

use super::callback::{OnEpoch, OnStep};
use super::source::Source;
use super::stopping::Watch;
use super::{Callback, EarlyStopping, History, Moment};
use crate::data::{DataLoader, Sample};
#[cfg(feature = "files")]
use crate::files::Parts;
use crate::metrics::Metric;
use crate::module::Module;
use crate::optim::{ClipNorm, GradScaler, Optimizer};
use crate::schedule::{Better, ReduceLrOnPlateau, Schedule, Scheduler};
use retrograd_tensor::{DType, Error, ErrorKind, raise};
use std::fmt;
#[cfg(feature = "files")]
use std::path::PathBuf;

/// What a run does about a loss, or gradients, that are not finite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NonFinite {
    /// It ends with an error.
    #[default]
    Error,
    /// It leaves the step out, and counts it in [`History::skipped`].
    Skip,
}

/// A training loop with what runs usually want: metrics, validation, a schedule, clipping, accumulation, callbacks, early
/// stopping, checkpoints, a progress line.
///
/// It borrows model and optimizer, is told everything by methods and runs by [`fit`](Trainer::fit), which takes the
/// loader and a closure that gives the loss of a batch. The model computes in the mode that it is in; validation switches
/// it to evaluation and back, and records nothing on the tape.
///
/// ```
/// use retrograd_nn::data::{DataLoader, TensorDataset};
/// use retrograd_nn::metrics::Mae;
/// use retrograd_nn::train::{EarlyStopping, Output, Trainer};
/// use retrograd_nn::{Adam, Linear, Losses};
/// use retrograd_tensor::{Error, Rng, Tensor};
///
/// let mut rng = Rng::new(0);
/// let x = Tensor::randn([64, 2], &mut rng);
/// let y = x.matmul(&Tensor::from([[2.0f32], [-1.0]]));
/// let split = TensorDataset::new(x, y).split(|position| position % 4 == 0);
/// let mut train = DataLoader::new(split.train).batch_size(8).shuffle(true);
/// let mut test = DataLoader::new(split.test).batch_size(16);
///
/// let mut model = Linear::new(2, 1, &mut rng);
/// let mut adam = Adam::new(&model, 0.1);
/// let history = Trainer::new(&mut model, &mut adam)
///     .epochs(50)
///     .clip_grad_norm(1.0)
///     .metric("mae", Mae::new())
///     .validate(&mut test)
///     .early_stopping(EarlyStopping::new("val_loss").patience(5).restore_best(true))
///     .fit(&mut train, |model, (x, y)| {
///         let predicted = model.forward(x);
///         Output::new(predicted.mse_loss(y)).scored(&predicted, y)
///     })?;
/// let last = history.epochs.last().unwrap();
/// assert!(last.metrics["val_mae"] < 0.05, "{last:?}");
/// # Ok::<(), Error>(())
/// ```
///
/// A checkpoint holds all of it, the position in the data and the figures too: with
/// [`checkpoint`](Trainer::checkpoint) and [`resume`](Trainer::resume) a run that was killed goes on to the same bits
/// when the program is started again.
pub struct Trainer<'a, M, B> {
    pub(super) model: &'a mut M,
    pub(super) optimizer: &'a mut dyn Optimizer,
    pub(super) epochs: u64,
    pub(super) accumulate: usize,
    pub(super) clip: Option<ClipNorm>,
    pub(super) clip_value: Option<f64>,
    pub(super) rate: Rate,
    pub(super) metrics: Vec<(String, Box<dyn Metric + 'a>)>,
    pub(super) validation: Option<Box<dyn Source<B> + 'a>>,
    pub(super) stopping: Option<EarlyStopping>,
    pub(super) callbacks: Vec<Box<dyn Callback<M> + 'a>>,
    pub(super) non_finite: NonFinite,
    pub(super) autocast: Option<DType>,
    pub(super) scaler: Option<GradScaler>,
    pub(super) keep_steps: bool,
    pub(super) progress: bool,
    pub(super) run: Run,
    #[cfg(feature = "files")]
    pub(super) files: Files<'a>,
}

/// What turns the learning rate.
pub(super) enum Rate {
    Constant,
    Steps(Scheduler<Box<dyn Schedule>>),
    Epochs(Scheduler<Box<dyn Schedule>>),
    Plateau(ReduceLrOnPlateau, String),
}

/// Where a run stands.
#[derive(Default)]
pub(super) struct Run {
    /// Epochs that are over.
    pub(super) epoch: u64,
    /// Optimizer steps that are behind.
    pub(super) step: u64,
    pub(super) sums: Sums,
    pub(super) history: History,
    /// Whether a callback has ended it.
    pub(super) stop: bool,
}

/// Sums over the steps of the epoch that runs.
#[derive(Clone, Copy, Default)]
pub(super) struct Sums {
    pub(super) samples: f64,
    pub(super) loss: f64,
    pub(super) steps: f64,
    /// The rate of the last one.
    pub(super) lr: f64,
    pub(super) grad_norm: f64,
}

/// Shows further parts of a run to its checkpoint.
#[cfg(feature = "files")]
type ShowParts<'a> = Box<dyn FnMut(&mut Parts<'_>) + 'a>;

/// The files of a run.
#[cfg(feature = "files")]
#[derive(Default)]
pub(super) struct Files<'a> {
    pub(super) checkpoint: Option<PathBuf>,
    pub(super) every: Option<u64>,
    pub(super) resume: bool,
    pub(super) best: Option<Best>,
    pub(super) parts: Option<ShowParts<'a>>,
}

/// A checkpoint of the best epoch.
pub(super) struct Best {
    #[cfg(feature = "files")]
    pub(super) path: PathBuf,
    pub(super) monitor: String,
    pub(super) watch: Watch,
}

impl<'a, M: Module, B> Trainer<'a, M, B> {
    /// One epoch with `optimizer` on the parameters of `model`, and nothing else.
    pub fn new(model: &'a mut M, optimizer: &'a mut dyn Optimizer) -> Self {
        Self {
            model,
            optimizer,
            epochs: 1,
            accumulate: 1,
            clip: None,
            clip_value: None,
            rate: Rate::Constant,
            metrics: Vec::new(),
            validation: None,
            stopping: None,
            callbacks: Vec::new(),
            non_finite: NonFinite::default(),
            autocast: None,
            scaler: None,
            keep_steps: true,
            progress: false,
            run: Run::default(),
            #[cfg(feature = "files")]
            files: Files::default(),
        }
    }

    /// How many epochs the run has, those before a checkpoint that it goes on from included.
    #[must_use]
    pub fn epochs(self, epochs: u64) -> Self {
        Self { epochs, ..self }
    }

    /// A step for every `batches` batches, along the mean of their gradients; what is left at the end of an epoch is a
    /// step of fewer.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    #[track_caller]
    pub fn accumulate(self, batches: usize) -> Self {
        if batches == 0 {
            refuse("value not allowed: accumulate 0; a step takes at least one batch".to_owned());
        }
        Self { accumulate: batches, ..self }
    }

    /// Limits the joint Euclidean norm of all gradients: [`clip_grad_norm`](crate::clip_grad_norm).
    #[must_use]
    pub fn clip_grad_norm(self, max_norm: f64) -> Self {
        self.clip_grad_norm_with(ClipNorm { max_norm, ..ClipNorm::default() })
    }

    /// [`clip_grad_norm`](Trainer::clip_grad_norm) in another norm, which is the one that the history has then.
    #[must_use]
    pub fn clip_grad_norm_with(self, options: ClipNorm) -> Self {
        Self { clip: Some(options), ..self }
    }

    /// Limits every element of the gradients to ±`limit`: [`clip_grad_value`](crate::clip_grad_value).
    #[must_use]
    pub fn clip_grad_value(self, limit: f64) -> Self {
        Self { clip_value: Some(limit), ..self }
    }

    /// The rates of a schedule, whose steps are optimizer steps.
    #[must_use]
    pub fn schedule_steps(self, schedule: impl Schedule + 'static) -> Self {
        let scheduler = Scheduler::new(Box::new(schedule) as Box<dyn Schedule>, self.optimizer);
        Self { rate: Rate::Steps(scheduler), ..self }
    }

    /// The rates of a schedule, whose steps are epochs.
    #[must_use]
    pub fn schedule_epochs(self, schedule: impl Schedule + 'static) -> Self {
        let scheduler = Scheduler::new(Box::new(schedule) as Box<dyn Schedule>, self.optimizer);
        Self { rate: Rate::Epochs(scheduler), ..self }
    }

    /// Rates that fall when the figure `monitor` of an epoch stops getting better.
    #[must_use]
    pub fn reduce_on_plateau(self, plateau: ReduceLrOnPlateau, monitor: &str) -> Self {
        Self { rate: Rate::Plateau(plateau, monitor.to_owned()), ..self }
    }

    /// A figure of what the closure of [`fit`](Trainer::fit) gives as [scored](super::Output::scored): of training as it
    /// went along, and with `val_` before its name of the validation set.
    ///
    /// # Panics
    /// If there is a figure of this name, or the name is empty or contains `/`.
    #[must_use]
    #[track_caller]
    pub fn metric(mut self, name: &str, metric: impl Metric + 'a) -> Self {
        if name.is_empty() || name.contains('/') {
            refuse(format!("no name for a figure: `{name}`; it must not be empty or contain `/`"));
        }
        let taken = ["loss", "lr", "grad_norm"].contains(&name) || name.starts_with("val_");
        if taken || self.metrics.iter().any(|(other, _)| other == name) {
            let reserved = "names that start with `val_` are those of the validation set";
            refuse(format!("there is a figure `{name}` already; {reserved}"));
        }
        self.metrics.push((name.to_owned(), Box::new(metric)));
        self
    }

    /// After each epoch, loss and metrics on the samples of `loader`.
    #[must_use]
    pub fn validate<T: Sample>(self, loader: &'a mut DataLoader<T, B>) -> Self
    where
        B: Send + 'static,
    {
        Self { validation: Some(Box::new(loader)), ..self }
    }

    /// Ends the run when a figure has stopped getting better.
    #[must_use]
    pub fn early_stopping(self, stopping: EarlyStopping) -> Self {
        Self { stopping: Some(stopping), ..self }
    }

    /// Called after each step and epoch, in the order of these calls.
    #[must_use]
    pub fn callback(mut self, callback: impl Callback<M> + 'a) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// Calls `f` after each optimizer step.
    #[must_use]
    pub fn on_step(self, f: impl FnMut(&mut Moment<'_, M>) -> Result<(), Error> + 'a) -> Self {
        self.callback(OnStep(f))
    }

    /// Calls `f` after each epoch.
    #[must_use]
    pub fn on_epoch(self, f: impl FnMut(&mut Moment<'_, M>) -> Result<(), Error> + 'a) -> Self {
        self.callback(OnEpoch(f))
    }

    /// What happens when a loss, or the norm of gradients, is not finite; at first the run ends with an error.
    #[must_use]
    pub fn non_finite(self, non_finite: NonFinite) -> Self {
        Self { non_finite, ..self }
    }

    /// Whether the history keeps a record of each step, as at first, or only of epochs.
    #[must_use]
    pub fn keep_steps(self, keep: bool) -> Self {
        Self { keep_steps: keep, ..self }
    }

    /// Calls the closure of [`fit`](Trainer::fit) under [`autocast`](crate::autocast()) with this type. With `F16` small
    /// gradients vanish without a [`grad_scaler`](Trainer::grad_scaler).
    ///
    /// # Panics
    /// If it is none of `BF16`, `F16` and `F32`.
    #[must_use]
    #[track_caller]
    pub fn autocast(self, dtype: DType) -> Self {
        crate::autocast(dtype, || {});
        Self { autocast: Some(dtype), ..self }
    }

    /// Scales losses up before the backward pass and gradients down after it, for gradients that `F16` is too coarse for.
    ///
    /// Gradients are clipped, and have their norm in the history, as they are after that. Where they are not finite though
    /// the loss is, the scaler's factor falls and the step is left out, counted in [`History::skipped`], whatever
    /// [`non_finite`](Trainer::non_finite) says. Checkpoints hold the factor.
    ///
    /// ```
    /// use retrograd_nn::data::{DataLoader, TensorDataset};
    /// use retrograd_nn::train::Trainer;
    /// use retrograd_nn::{GradScaler, Linear, Losses, Sgd};
    /// use retrograd_tensor::{F16, Rng, Tensor};
    /// let mut model = Linear::new(1, 1, &mut Rng::new(0));
    /// let mut sgd = Sgd::new(&model, 0.1);
    /// let mut loader = DataLoader::new(TensorDataset::new(Tensor::ones([8, 1]), Tensor::ones([8, 1]) * 2.0));
    /// let history = Trainer::new(&mut model, &mut sgd)
    ///     .epochs(3)
    ///     .autocast(F16)
    ///     .grad_scaler(GradScaler::new())
    ///     .fit(&mut loader, |model, (x, y)| model.forward(x).mse_loss(y))?;
    /// assert!(history.epochs[2].loss < history.epochs[0].loss);
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    ///
    /// Source: PyTorch's `torch.amp.GradScaler`.
    #[must_use]
    pub fn grad_scaler(self, scaler: GradScaler) -> Self {
        Self { scaler: Some(scaler), ..self }
    }

    /// Shows a progress line on standard error.
    #[must_use]
    pub fn progress(self) -> Self {
        Self { progress: true, ..self }
    }
}

#[cfg(feature = "files")]
impl<'a, M: Module, B> Trainer<'a, M, B> {
    /// Writes a checkpoint to the file at `path` after each epoch.
    #[must_use]
    pub fn checkpoint(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.checkpoint = Some(path.into());
        self
    }

    /// Writes that checkpoint after every `steps` optimizer steps too.
    ///
    /// # Panics
    /// If `steps` is 0.
    #[must_use]
    #[track_caller]
    pub fn checkpoint_every(mut self, steps: u64) -> Self {
        if steps == 0 {
            refuse("value not allowed: checkpoint_every 0; it must be at least 1".to_owned());
        }
        self.files.every = Some(steps);
        self
    }

    /// Goes on from the checkpoint, if there is one: the run ends with the same bits as one that was not interrupted.
    ///
    /// Model, optimizer, loaders and settings must be made as before. What the closure draws from streams of its own is
    /// shown by [`parts`](Trainer::parts).
    #[must_use]
    pub fn resume(mut self) -> Self {
        self.files.resume = true;
        self
    }

    /// Writes a checkpoint to the file at `path` whenever the figure `monitor` of an epoch is the best so far. The model
    /// in it is the part `model`:
    ///
    /// ```
    /// use retrograd_nn::data::{DataLoader, TensorDataset};
    /// use retrograd_nn::files::Checkpoint;
    /// use retrograd_nn::schedule::Better;
    /// use retrograd_nn::train::Trainer;
    /// use retrograd_nn::{Linear, Losses, Module, Sgd};
    /// use retrograd_tensor::{Rng, Tensor};
    /// let path = std::env::temp_dir().join(format!("doc-best-{}.checkpoint", std::process::id()));
    /// let mut model = Linear::new(1, 1, &mut Rng::new(0));
    /// let mut sgd = Sgd::new(&model, 0.1);
    /// let mut loader = DataLoader::new(TensorDataset::new(Tensor::ones([8, 1]), Tensor::ones([8, 1])));
    /// Trainer::new(&mut model, &mut sgd)
    ///     .best_checkpoint(&path, "loss", Better::Min)
    ///     .fit(&mut loader, |model, (x, y)| model.forward(x).mse_loss(y))?;
    /// let mut best = Linear::new(1, 1, &mut Rng::new(1));
    /// best.load_state_dict(Checkpoint::load(&path)?.part("model").unwrap())?;
    /// assert_eq!(best.state_dict(), model.state_dict());
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    #[must_use]
    pub fn best_checkpoint(mut self, path: impl Into<PathBuf>, monitor: &str, better: Better) -> Self {
        let watch = Watch::new(better, 0.0);
        self.files.best = Some(Best { path: path.into(), monitor: monitor.to_owned(), watch });
        self
    }

    /// Shows checkpoints what else changes in the run, as random streams of the closure and the state of callbacks.
    /// Names of parts must not be those of the trainer, which begin with `trainer` but for `model` and `optimizer`.
    #[must_use]
    pub fn parts(mut self, show: impl FnMut(&mut Parts<'_>) + 'a) -> Self {
        self.files.parts = Some(Box::new(show));
        self
    }
}

impl<M, B> fmt::Debug for Trainer<'_, M, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trainer")
            .field("epochs", &self.epochs)
            .field("epoch", &self.run.epoch)
            .field("step", &self.run.step)
            .finish_non_exhaustive()
    }
}

#[track_caller]
pub(super) fn refuse(detail: String) -> ! {
    raise(Error::new("Trainer", ErrorKind::Value, detail))
}
