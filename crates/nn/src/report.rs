//! Looking at a run: one page with everything that shows whether it learns, and event files for TensorBoard.
//!
//! A [`Report`] is told what happens in any training loop, a call for each thing, as often as one likes. Whatever the
//! length of the run, its memory and its page stay small: curves are gathered in at most 256 bins with mean, least and
//! greatest value, distributions are kept at about a dozen steps. [`Report::save`] writes the page, which is one file
//! that shows without a network; [`Report::with_events`] also writes everything into event files as it comes, through an
//! [`EventWriter`] that may be used alone.
//!
//! `track`, `histogram` and `picture` hold what is kept; `curves`, `heat`, `ridges` and `confusion` draw it; `page` puts
//! the drawings together; `events` and `wire` are the other way out.

mod confusion;
mod curves;
mod events;
mod heat;
mod histogram;
mod page;
mod picture;
mod ridges;
mod track;
mod wire;

use crate::audit::audit;
use crate::files::replace::replace;
use crate::metrics::ConfusionMatrix;
use crate::module::{Module, StateDict};
pub use events::EventWriter;
pub use histogram::Histogram;
use histogram::Snapshots;
use picture::Filters;
use retrograd_autograd::Gradients;
use retrograd_tensor::{Error, ErrorKind, F64, Tensor, force_all, no_grad, raise};
use std::path::Path;
use track::{Named, Track};

/// The most bins of a distribution.
const BINS: usize = 64;
/// In how many batches after each other a unit is 0 before it counts as dead.
const DEAD_AFTER: u64 = 5;

/// What is known of a run, as a page.
///
/// Steps are numbered by the caller, batches or epochs; all that one wants to compare should be counted the same.
/// Parts of which nothing was told are left out of the page. Values that are not finite are marked, not drawn.
///
/// ```
/// use retrograd_autograd::Differentiate;
/// use retrograd_nn::report::Report;
/// use retrograd_nn::{Linear, Losses, Module, Optimizer, Sgd};
/// use retrograd_tensor::{Rng, Tensor};
/// let mut model = Linear::new(2, 1, &mut Rng::new(0));
/// let mut sgd = Sgd::new(&model, 0.1);
/// let mut report = Report::new("A line").fact("optimizer", "SGD, rate 0.1");
/// let (x, y) = (Tensor::from([[1.0f32, 2.0]]), Tensor::from([[3.0f32]]));
/// for step in 0..10 {
///     let loss = model.forward(&x).mse_loss(&y);
///     let grads = loss.backward();
///     let before = model.state_dict();
///     sgd.step(&mut model, &grads)?;
///     report.scalar(step, "loss", loss.item());
///     report.gradients(step, &model, &grads);
///     report.update(step, &before, &model);
/// }
/// let page = report.html();
/// assert!(page.contains("<h2>Gradient norms</h2>") && !page.contains("<h2>Filters</h2>"));
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct Report {
    title: String,
    facts: Vec<(String, String)>,
    scalars: Named<Track>,
    rate: Track,
    gradients: Named<Track>,
    updates: Named<Track>,
    weights: Named<Snapshots>,
    activations: Named<Activity>,
    filters: Named<Option<Filters>>,
    confusion: Option<ConfusionMatrix>,
    classes: Vec<String>,
    events: Option<EventWriter>,
    /// The first error of writing events, told at the end.
    failed: Option<Error>,
}

/// What a layer's outputs were.
#[derive(Debug, Default)]
struct Activity {
    histograms: Snapshots,
    /// The share of units that were 0 for a whole batch.
    dead: Track,
    /// For how many batches, up to the latest, each unit was 0.
    silent: Vec<u64>,
    batches: u64,
}

impl Activity {
    fn dead_units(&self) -> Vec<usize> {
        let least = DEAD_AFTER.min(self.batches).max(1);
        self.silent.iter().enumerate().filter(|(_, n)| **n >= least).map(|(unit, _)| unit).collect()
    }
}

impl Report {
    /// Nothing yet, under this title.
    ///
    /// ```
    /// use retrograd_nn::report::Report;
    /// assert!(!Report::new("A run").html().contains("<section"));
    /// ```
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            facts: Vec::new(),
            scalars: Named::default(),
            rate: Track::default(),
            gradients: Named::default(),
            updates: Named::default(),
            weights: Named::default(),
            activations: Named::default(),
            filters: Named::default(),
            confusion: None,
            classes: Vec::new(),
            events: None,
            failed: None,
        }
    }

    /// The same with a line at the top of the page: a setting, a size, a date.
    ///
    /// ```
    /// use retrograd_nn::report::Report;
    /// assert!(Report::new("A run").fact("seed", "0").html().contains("<dt>seed</dt><dd>0</dd>"));
    /// ```
    #[must_use]
    pub fn fact(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.push((name.into(), value.into()));
        self
    }

    /// The same with names for the classes of the confusion matrix; classes without one are shown by number.
    ///
    /// ```
    /// use retrograd_nn::metrics::ConfusionMatrix;
    /// use retrograd_nn::report::Report;
    /// let mut report = Report::new("A run").classes(["cat"]);
    /// report.confusion(&ConfusionMatrix::new(2));
    /// assert!(report.html().contains("cat as 1: 0"));
    /// ```
    #[must_use]
    pub fn classes<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.classes = names.into_iter().map(Into::into).collect();
        self
    }

    /// The same, with everything that comes written to `events` too. An error of writing ends that, and is told by
    /// [`save`](Report::save).
    ///
    /// ```
    /// use retrograd_nn::report::{EventWriter, Report};
    /// let mut report = Report::new("A run").with_events(EventWriter::to(std::io::sink()));
    /// report.scalar(1, "loss", 0.5);
    /// ```
    #[must_use]
    pub fn with_events(mut self, events: EventWriter) -> Self {
        self.events = Some(events);
        self
    }

    /// A metric. Tags with the same part before a `/` share a panel: `loss/train` and `loss/test`.
    ///
    /// ```
    /// use retrograd_nn::report::Report;
    /// let mut report = Report::new("A run");
    /// report.scalar(1, "loss/train", 0.5);
    /// report.scalar(1, "loss/test", f64::NAN);
    /// assert!(report.html().contains("step 1: not finite"));
    /// ```
    pub fn scalar(&mut self, step: u64, tag: &str, value: f64) {
        self.scalars.entry(tag).push(step, Some(value));
        self.event(|events| events.scalar(step, tag, value));
    }

    /// The learning rate of a step.
    ///
    /// ```
    /// use retrograd_nn::report::Report;
    /// let mut report = Report::new("A run");
    /// report.learning_rate(1, 1e-3);
    /// assert!(report.html().contains("<h2>Learning rate</h2>"));
    /// ```
    pub fn learning_rate(&mut self, step: u64, rate: f64) {
        self.rate.push(step, Some(rate));
        self.event(|events| events.scalar(step, "learning rate", rate));
    }

    /// The norm of the gradient of every trainable parameter, in `f64`: the squares of an `f32` gradient underflow where
    /// the gradient itself does not. A gradient with elements that are not finite is marked as such, one that is
    /// missing leaves a gap. See [`audit`](crate::audit()) for the reasons.
    ///
    /// ```
    /// use retrograd_autograd::Differentiate;
    /// use retrograd_nn::Param;
    /// use retrograd_nn::report::Report;
    /// use retrograd_tensor::Tensor;
    /// let weight = Param::new(Tensor::from([1.0f32, 1.0]));
    /// let grads = (&weight * &Tensor::from([3e-30f32, 4e-30])).sum(()).backward();
    /// let mut report = Report::new("A run");
    /// report.gradients(0, &weight, &grads);
    /// assert!(report.html().contains("step 0: 5.00e-30"));
    /// ```
    #[track_caller]
    pub fn gradients(&mut self, step: u64, model: &dyn Module, grads: &Gradients) {
        for row in audit(model, grads).rows().iter().filter(|row| row.trainable) {
            let norm = row.missing.is_none().then_some(if row.not_finite > 0 { f64::NAN } else { row.norm });
            self.gradients.entry(&row.name).push(step, norm);
            if let Some(norm) = norm {
                self.event(|events| events.scalar(step, &format!("gradient norm/{}", row.name), norm));
            }
        }
    }

    /// How far a step moved every trainable parameter since `before`, the model's state dict from before it: the norm of
    /// the difference by the norm of the parameter before, in `f64`. A parameter of zeros has no ratio.
    ///
    /// Holding `before` during a step makes the optimizer write to new memory; call this at some steps only if that
    /// matters.
    ///
    /// ```
    /// use retrograd_nn::report::Report;
    /// use retrograd_nn::{Module, Param};
    /// use retrograd_tensor::Tensor;
    /// let mut weight = Param::new(Tensor::from([3.0f32, 4.0]));
    /// let before = weight.state_dict();
    /// weight.replace(&Tensor::from([3.0f32, 4.5]));
    /// let mut report = Report::new("A run");
    /// report.update(0, &before, &weight);
    /// assert!(report.html().contains("step 0: 0.1<"));
    /// ```
    ///
    /// # Panics
    /// If `before` lacks a parameter, or has it in another shape.
    #[track_caller]
    pub fn update(&mut self, step: u64, before: &StateDict, model: &dyn Module) {
        let params = model.named_parameters().into_iter().filter(|(_, param)| param.is_trainable());
        let pairs = params.map(|(name, param)| match before.get(&name) {
            Some(old) if old.shape() == param.value().shape() => (name, old, param.value()),
            old => {
                let found = old.map_or("nothing".to_owned(), |old| format!("shape {}", old.shape()));
                let detail = format!(
                    "`{name}`: {found} before, shape {} now; `before` is the state dict of the same model",
                    param.value().shape()
                );
                raise(Error::new("update", ErrorKind::Shape, detail))
            }
        });
        let pairs = pairs.collect::<Vec<_>>();
        let norms = no_grad(|| {
            let norm = |t: &Tensor| (t * t).sum(()).sqrt();
            let parts = pairs.iter().flat_map(|(_, old, new)| {
                let (old, new) = (old.cast(F64), new.cast(F64));
                [norm(&(new - &old)), norm(&old)]
            });
            let parts = parts.collect::<Vec<_>>();
            force_all(&parts.iter().collect::<Vec<_>>());
            parts.iter().map(Tensor::item).collect::<Vec<_>>()
        });
        for ((name, ..), norms) in pairs.iter().zip(norms.chunks(2)) {
            let ratio = (norms[1] != 0.0).then(|| norms[0] / norms[1]);
            self.updates.entry(name).push(step, ratio);
            if let Some(ratio) = ratio {
                self.event(|events| events.scalar(step, &format!("update ratio/{name}"), ratio));
            }
        }
    }

    /// How the elements of every parameter are distributed. It reads them all: once an epoch is often enough.
    ///
    /// ```
    /// use retrograd_nn::report::Report;
    /// use retrograd_nn::Linear;
    /// use retrograd_tensor::Rng;
    /// let mut report = Report::new("A run");
    /// report.weights(0, &Linear::new(2, 3, &mut Rng::new(0)));
    /// assert!(report.html().contains("6 elements"));
    /// ```
    #[track_caller]
    pub fn weights(&mut self, step: u64, model: &dyn Module) {
        for (name, param) in model.named_parameters() {
            let histogram = Histogram::of(param.value(), bins(param.numel()));
            self.event(|events| events.histogram(step, &format!("weights/{name}"), &histogram));
            self.weights.entry(&name).push(step, histogram);
        }
    }

    /// How the outputs `h` of a layer are distributed, and which of its units are dead: 0 for a whole batch, as `relu`
    /// makes units that no gradient reaches any more. Units lie along axis 1, `[batch, units]` or `[batch, channels,
    /// ..]`.
    ///
    /// ```
    /// use retrograd_nn::report::Report;
    /// use retrograd_tensor::Tensor;
    /// let mut report = Report::new("A run");
    /// report.activation(0, "fc1", &Tensor::from([[0.0f32, 1.0], [0.0, 0.0]]));
    /// assert_eq!(report.dead_units("fc1"), [0]);
    /// ```
    ///
    /// # Panics
    /// If there is no axis 1.
    #[track_caller]
    pub fn activation(&mut self, step: u64, name: &str, h: &Tensor) {
        self.activation_along(step, name, h, 1);
    }

    /// As [`activation`](Report::activation), with the units along another axis: -1 for `[batch, time, features]`.
    ///
    /// ```
    /// use retrograd_nn::report::Report;
    /// use retrograd_tensor::Tensor;
    /// let mut report = Report::new("A run");
    /// report.activation_along(0, "block", &Tensor::from([[[0.0f32, 1.0], [0.0, 2.0]]]), -1);
    /// assert_eq!(report.dead_units("block"), [0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn activation_along(&mut self, step: u64, name: &str, h: &Tensor, axis: isize) {
        let units = no_grad(|| h.movedim(axis, 0));
        let count = units.shape()[0];
        let silent = if h.numel() == 0 {
            vec![false; count]
        } else {
            // NaN is the greatest of any, and not 0.
            let greatest = no_grad(|| units.cast(F64).reshape([count, h.numel() / count]).abs().amax(1));
            greatest.to_vec::<f64>().into_iter().map(|greatest| greatest == 0.0).collect()
        };
        let share = silent.iter().filter(|silent| **silent).count() as f64 / count.max(1) as f64;
        let histogram = Histogram::of(h, bins(h.numel()));
        self.event(|events| {
            events.scalar(step, &format!("dead units/{name}"), share)?;
            events.histogram(step, &format!("activations/{name}"), &histogram)
        });
        let layer = self.activations.entry(name);
        if layer.silent.len() != count {
            // A layer of another size under the same name begins anew.
            (layer.silent, layer.batches) = (vec![0; count], 0);
        }
        for (batches, silent) in layer.silent.iter_mut().zip(silent) {
            *batches = if silent { *batches + 1 } else { 0 };
        }
        layer.batches += 1;
        layer.dead.push(step, Some(share));
        layer.histograms.push(step, histogram);
    }

    /// The units of a layer that were 0 throughout the latest five batches told, or all if they were fewer; none of a
    /// layer that is not known.
    ///
    /// ```
    /// use retrograd_nn::report::Report;
    /// use retrograd_tensor::Tensor;
    /// let mut report = Report::new("A run");
    /// report.activation(0, "fc1", &Tensor::from([[1.0f32, 0.0]]));
    /// assert_eq!(report.dead_units("fc1"), [1]);
    /// assert!(report.dead_units("fc2").is_empty());
    /// ```
    pub fn dead_units(&self, name: &str) -> Vec<usize> {
        let layer = self.activations.items().iter().find(|(known, _)| known == name);
        layer.map_or(Vec::new(), |(_, layer)| layer.dead_units())
    }

    /// A weight as images, `[filters, channels, height, width]` or `[filters, height, width]`; the page shows the latest
    /// of each name. Three channels are taken for red, green and blue; else blue is negative and red positive. At most 64
    /// filters and 16 channels of each are shown.
    ///
    /// ```
    /// use retrograd_nn::report::Report;
    /// use retrograd_nn::Conv2d;
    /// use retrograd_tensor::Rng;
    /// let conv = Conv2d::new(1, 6, 5, &mut Rng::new(0));
    /// let mut report = Report::new("A run");
    /// report.filters(0, "conv1", conv.weight.value());
    /// assert!(report.html().contains("6 filters of 1 channels"));
    /// ```
    ///
    /// # Panics
    /// If the shape is none of these.
    #[track_caller]
    pub fn filters(&mut self, step: u64, name: &str, weight: &Tensor) {
        let filters = Filters::of(step, weight);
        self.event(|events| events.picture(step, &format!("filters/{name}"), &filters.picture));
        *self.filters.entry(name) = Some(filters);
    }

    /// The confusion matrix, in place of one told before.
    ///
    /// ```
    /// use retrograd_nn::metrics::ConfusionMatrix;
    /// use retrograd_nn::report::Report;
    /// use retrograd_tensor::Tensor;
    /// let (predicted, labels) = (Tensor::from([0i64, 1, 1]), Tensor::from([0i64, 1, 0]));
    /// let mut report = Report::new("A run").classes(["cat", "dog"]);
    /// report.confusion(&ConfusionMatrix::of(2, &predicted, &labels));
    /// assert!(report.html().contains("cat as dog: 1, 50 %"));
    /// ```
    pub fn confusion(&mut self, matrix: &ConfusionMatrix) {
        self.confusion = Some(matrix.clone());
    }

    /// The page: one file of HTML with drawings inside, readable on light and dark, without scripts and without anything
    /// to load. Values appear under the pointer.
    ///
    /// ```
    /// use retrograd_nn::report::Report;
    /// assert!(Report::new("a <run>").html().contains("<title>a &lt;run&gt;</title>"));
    /// ```
    pub fn html(&self) -> String {
        page::page(self)
    }

    /// Writes the page to `path`, in one step in place of what was there, and brings all events into their file. It may
    /// be called again and again while a run goes on.
    ///
    /// ```
    /// use retrograd_nn::report::Report;
    /// let path = std::env::temp_dir().join(format!("retrograd-report-doc-{}.html", std::process::id()));
    /// Report::new("A run").save(&path)?;
    /// assert!(std::fs::read_to_string(&path)?.starts_with("<!doctype html>"));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the page cannot be written, or events could not be.
    pub fn save(&mut self, path: impl AsRef<Path>) -> Result<(), Error> {
        let html = self.html();
        replace("Report::save", path.as_ref(), |writer| writer.write_all(html.as_bytes()))?;
        self.event(EventWriter::flush);
        self.failed.take().map_or(Ok(()), Err)
    }

    fn event(&mut self, write: impl FnOnce(&mut EventWriter) -> Result<(), Error>) {
        if let Some(events) = &mut self.events
            && let Err(error) = write(events)
        {
            self.events = None;
            self.failed = Some(error);
        }
    }
}

/// How many bins so many elements get: few elements in many bins look like a comb.
fn bins(elements: usize) -> usize {
    (elements / 4).clamp(8, BINS)
}
