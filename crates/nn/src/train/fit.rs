//! The loop of a run.

use super::trainer::{Rate, Sums};
use super::{Moment, NonFinite, Progress, RunRecord, Trainer};
use crate::autocast;
use crate::data::{DataLoader, Sample};
use crate::module::{Mode, Module, SlotMut};
use crate::optim::{GradScaler, clip_grad_norm_with, clip_grad_value, grad_norm};
use retrograd_autograd::{Differentiate, Gradients};
use retrograd_tensor::{DType, Error, ErrorKind, Tensor, force_all, no_grad};
use std::collections::BTreeMap;

/// What a model made of a batch: the loss, and what metrics score. A tensor alone is a loss.
#[derive(Clone, Debug)]
pub struct Output {
    loss: Tensor,
    scored: Option<(Tensor, Tensor)>,
}

impl Output {
    /// A loss, the mean over the batch.
    pub fn new(loss: Tensor) -> Self {
        Self { loss, scored: None }
    }

    /// The same with predictions and targets for metrics.
    #[must_use]
    pub fn scored(self, predictions: &Tensor, targets: &Tensor) -> Self {
        Self { scored: Some((predictions.detach(), targets.clone())), ..self }
    }
}

impl From<Tensor> for Output {
    fn from(loss: Tensor) -> Self {
        Self::new(loss)
    }
}

/// The batches of a step, as far as they are there.
#[derive(Default)]
struct Gathered {
    grads: Gradients,
    losses: Vec<(Tensor, u64)>,
    scored: Vec<(Tensor, Tensor)>,
}

/// What a step needs to be complete.
struct Group {
    gathered: Gathered,
    /// How many batches it takes.
    size: usize,
}

impl<M: Module, B: Send + 'static> Trainer<'_, M, B> {
    /// Runs the epochs that are left on the batches of `loader`, where `loss` gives the mean loss of a batch, a scalar,
    /// or an [`Output`] for metrics.
    ///
    /// The checkpoint of the last epoch is written before early stopping, if it was asked to, gives the model the
    /// weights of the best one.
    ///
    /// # Errors
    /// If an epoch has no batches; if a loss or gradients are not finite, unless such steps are to be skipped; if a figure
    /// that is monitored does not exist, a batch cannot be loaded, the optimizer refuses a step, a callback fails, or a
    /// checkpoint cannot be written or does not fit. The model keeps what it has learned.
    ///
    /// # Panics
    /// If a loss is not a scalar that depends on parameters.
    #[track_caller]
    pub fn fit<T: Sample, O: Into<Output>>(
        mut self,
        loader: &mut DataLoader<T, B>,
        mut loss: impl FnMut(&M, &B) -> O,
    ) -> Result<super::History, Error> {
        self.check_monitors()?;
        #[cfg(feature = "files")]
        self.restore(loader)?;
        let mut progress = self.progress.then(|| {
            Progress::new(self.epochs as usize, loader.epoch_samples()).after(self.run.epoch as usize)
        });
        let over = |stopping: &Option<super::EarlyStopping>| {
            stopping.as_ref().is_some_and(super::EarlyStopping::is_over)
        };
        while self.run.epoch < self.epochs && !self.run.stop && !over(&self.stopping) {
            self.steps(loader, &mut loss, progress.as_mut())?;
            let mut best = false;
            if !self.run.stop {
                best = self.end_epoch(&mut loss, progress.as_mut())?;
            }
            #[cfg(feature = "files")]
            self.save(loader, best)?;
            #[cfg(not(feature = "files"))]
            let _ = best;
        }
        if let Some(stopping) = self.stopping.filter(|stopping| !stopping.weights.is_empty()) {
            self.model.load_state_dict(&stopping.weights)?;
        }
        Ok(self.run.history)
    }

    /// The steps of what is left of an epoch.
    #[track_caller]
    fn steps<T: Sample, O: Into<Output>>(
        &mut self,
        loader: &mut DataLoader<T, B>,
        loss: &mut impl FnMut(&M, &B) -> O,
        mut progress: Option<&mut Progress>,
    ) -> Result<(), Error> {
        let mut batches = loader.batches();
        if batches.len() == 0 && batches.loader().position() == 0 {
            let (epoch, why) = (self.run.epoch + 1, batches.loader().why_empty());
            let detail = format!("no batches in epoch {epoch}: {why}");
            return Err(Error::new("Trainer", ErrorKind::Value, detail));
        }
        let mut group: Option<Group> = None;
        loop {
            let (left, before) = (batches.len(), batches.loader().position());
            let Some(batch) = batches.next() else { return Ok(()) };
            let batch = batch?;
            let samples = (batches.loader().position() - before) as u64;
            let size = self.accumulate.min(left);
            let current = group.get_or_insert_with(|| Group { gathered: Gathered::default(), size });
            let output: Output = scoped(self.autocast, || loss(self.model, &batch).into());
            gather(current, output, samples, self.scaler.as_ref());
            if current.gathered.losses.len() < current.size {
                continue;
            }
            let Some(Group { gathered, .. }) = group.take() else { continue };
            let Some(record) = self.step(gathered)? else { continue };
            if let Some(progress) = &mut progress {
                progress.batch_loss(record.samples as usize, record.loss);
            }
            self.call(&record, true)?;
            if self.run.stop {
                return Ok(());
            }
            #[cfg(feature = "files")]
            if self.is_due() {
                let position = batches.loader().state_dict();
                self.save_at(&position)?;
            }
        }
    }

    /// Moves the parameters, and gives the figures; none if the step was left out.
    fn step(&mut self, gathered: Gathered) -> Result<Option<RunRecord>, Error> {
        let Gathered { mut grads, losses, scored } = gathered;
        if let Some(scaler) = &mut self.scaler {
            scaler.unscale(&*self.model, &mut grads)?;
        }
        let norm = match &self.clip {
            Some(options) => clip_grad_norm_with(&*self.model, &mut grads, options)?,
            None => grad_norm(&*self.model, &grads)?,
        };
        // Together, so that what both read is computed once.
        let mut figures: Vec<&Tensor> = losses.iter().map(|(loss, _)| loss).collect();
        figures.push(&norm);
        force_all(&figures);
        let samples: u64 = losses.iter().map(|(_, samples)| samples).sum();
        let loss = losses.iter().map(|(loss, samples)| loss.item() * *samples as f64).sum::<f64>();
        let (loss, norm) = (loss / samples as f64, norm.item());
        if !(loss.is_finite() && norm.is_finite()) {
            return self.not_finite(loss, norm).map(|()| None);
        }
        if let Some(limit) = self.clip_value {
            clip_grad_value(&*self.model, &mut grads, limit)?;
        }
        self.optimizer.step(self.model, &grads)?;
        if let Some(scaler) = &mut self.scaler {
            scaler.update(true);
        }
        for (predictions, targets) in &scored {
            for (_, metric) in &mut self.metrics {
                metric.update(predictions, targets);
            }
        }
        let lr = *self.optimizer.lr_mut();
        if let Rate::Steps(schedule) = &mut self.rate {
            schedule.step(self.optimizer);
        }
        let run = &mut self.run;
        run.step += 1;
        run.sums.samples += samples as f64;
        run.sums.loss += loss * samples as f64;
        run.sums.steps += 1.0;
        run.sums.grad_norm += norm;
        run.sums.lr = lr;
        let (epoch, step) = (run.epoch + 1, run.step);
        let record = RunRecord { epoch, step, samples, loss, lr, grad_norm: norm, metrics: BTreeMap::new() };
        if self.keep_steps {
            run.history.steps.push(record.clone());
        }
        Ok(Some(record))
    }

    fn not_finite(&mut self, loss: f64, norm: f64) -> Result<(), Error> {
        let mut skip = self.non_finite == NonFinite::Skip;
        if let Some(scaler) = &mut self.scaler {
            scaler.update(false);
            // The factor was too large: an ordinary event.
            skip |= loss.is_finite();
        }
        if skip {
            self.run.history.skipped += 1;
            return Ok(());
        }
        let (epoch, step) = (self.run.epoch + 1, self.run.step + 1);
        let detail = format!(
            "not finite at step {step}, in epoch {epoch}: loss {loss}, norm of gradients {norm}; the parameters are those \
             of the step before; lower the rate, clip gradients, look with `find_nan`, or leave such steps out by \
             NonFinite::Skip"
        );
        Err(Error::new("Trainer", ErrorKind::Numeric, detail))
    }

    /// Validation, the record, and whoever waits for it. Says whether a checkpoint of the best epoch is due.
    #[track_caller]
    fn end_epoch<O: Into<Output>>(
        &mut self,
        loss: &mut impl FnMut(&M, &B) -> O,
        progress: Option<&mut Progress>,
    ) -> Result<bool, Error> {
        let mut metrics = self.figures("");
        metrics.extend(self.validation_figures(loss)?);
        let run = &mut self.run;
        let Sums { samples, loss, steps, grad_norm, lr } = std::mem::take(&mut run.sums);
        run.epoch += 1;
        let record = RunRecord {
            epoch: run.epoch,
            step: run.step,
            samples: samples as u64,
            loss: loss / samples,
            lr,
            grad_norm: grad_norm / steps,
            metrics,
        };
        run.history.epochs.push(record.clone());
        if let Some(progress) = progress {
            let shown: Vec<(&str, f64)> = record.metrics.iter().map(|(n, &v)| (n.as_str(), v)).collect();
            progress.epoch_with(&shown);
        }
        match &mut self.rate {
            Rate::Epochs(schedule) => schedule.step(self.optimizer),
            Rate::Plateau(plateau, monitor) => {
                plateau.step(record.get(monitor).unwrap_or(f64::NAN), self.optimizer);
            }
            Rate::Constant | Rate::Steps(_) => {}
        }
        if let Some(stopping) = &mut self.stopping {
            let best = stopping.update(record.get(&stopping.monitor).unwrap_or(f64::NAN));
            if best && stopping.restore_best {
                stopping.weights = self.model.state_dict();
            }
        }
        self.call(&record, false)?;
        #[cfg(feature = "files")]
        if let Some(best) = &mut self.files.best {
            return Ok(best.watch.update(record.get(&best.monitor).unwrap_or(f64::NAN)));
        }
        Ok(false)
    }

    /// Loss and metrics of the validation set, under their names.
    #[track_caller]
    fn validation_figures<O: Into<Output>>(
        &mut self,
        loss: &mut impl FnMut(&M, &B) -> O,
    ) -> Result<BTreeMap<String, f64>, Error> {
        let Some(source) = &mut self.validation else { return Ok(BTreeMap::new()) };
        let modes = modes(self.model);
        self.model.eval();
        let (mut sum, mut count) = (0.0, 0.0);
        let (model, metrics, dtype) = (&*self.model, &mut self.metrics, self.autocast);
        let done = source.each(&mut |batch, samples| {
            let output: Output = no_grad(|| scoped(dtype, || loss(model, batch).into()));
            sum += output.loss.item() * samples as f64;
            count += samples as f64;
            if let Some((predictions, targets)) = &output.scored {
                metrics.iter_mut().for_each(|(_, metric)| metric.update(predictions, targets));
            }
            Ok(())
        });
        set_modes(self.model, &modes);
        done?;
        if count == 0.0 {
            let detail = "no batches to validate with: the loader gives none; it needs a sample, and with drop_last a \
                          whole batch";
            return Err(Error::new("Trainer", ErrorKind::Value, detail));
        }
        let mut figures = self.figures("val_");
        figures.insert("val_loss".to_owned(), sum / count);
        Ok(figures)
    }

    /// What the metrics have come to, which begin anew.
    fn figures(&mut self, prefix: &str) -> BTreeMap<String, f64> {
        let figure = |(name, metric): &mut (String, Box<dyn crate::metrics::Metric + '_>)| {
            let value = metric.compute();
            metric.reset();
            (format!("{prefix}{name}"), value)
        };
        self.metrics.iter_mut().map(figure).collect()
    }

    fn call(&mut self, record: &RunRecord, after_step: bool) -> Result<(), Error> {
        for callback in &mut self.callbacks {
            let mut moment = Moment {
                model: &mut *self.model,
                optimizer: &mut *self.optimizer,
                record,
                history: &self.run.history,
                stop: &mut self.run.stop,
            };
            if after_step {
                callback.on_step(&mut moment)?;
            } else {
                callback.on_epoch(&mut moment)?;
            }
        }
        Ok(())
    }

    /// Refuses to monitor what no epoch will have.
    fn check_monitors(&self) -> Result<(), Error> {
        let mut known: Vec<String> = ["loss", "lr", "grad_norm"].map(str::to_owned).into();
        known.extend(self.metrics.iter().map(|(name, _)| name.clone()));
        if self.validation.is_some() {
            known.push("val_loss".to_owned());
            known.extend(self.metrics.iter().map(|(name, _)| format!("val_{name}")));
        }
        let mut asked = Vec::new();
        asked.extend(self.stopping.as_ref().map(|stopping| stopping.monitor.as_str()));
        if let Rate::Plateau(_, monitor) = &self.rate {
            asked.push(monitor);
        }
        #[cfg(feature = "files")]
        asked.extend(self.files.best.as_ref().map(|best| best.monitor.as_str()));
        match asked.into_iter().find(|&name| !known.iter().any(|other| other == name)) {
            None => Ok(()),
            Some(name) => {
                let detail = format!("no figure `{name}` to monitor; there are {}", known.join(", "));
                Err(Error::new("Trainer", ErrorKind::Value, detail))
            }
        }
    }
}

/// Adds a batch to its step.
#[track_caller]
fn gather(group: &mut Group, output: Output, samples: u64, scaler: Option<&GradScaler>) {
    let Group { gathered, size } = group;
    let Output { loss, scored } = output;
    let scaled = scaler.map_or_else(|| loss.clone(), |scaler| scaler.scale(&loss));
    if *size == 1 {
        gathered.grads = scaled.backward();
    } else {
        gathered.grads.add((scaled / *size as f64).backward());
    }
    gathered.losses.push((loss.detach(), samples));
    gathered.scored.extend(scored);
}

/// The mode of every layer, in the order of the walk.
fn modes(model: &mut dyn Module) -> Vec<Mode> {
    let mut modes = Vec::new();
    model.visit_mut("", &mut |_, slot| {
        if let SlotMut::Mode(mode) = slot {
            modes.push(*mode);
        }
    });
    modes
}

fn set_modes(model: &mut dyn Module, modes: &[Mode]) {
    let mut modes = modes.iter();
    model.visit_mut("", &mut |_, slot| {
        if let SlotMut::Mode(mode) = slot
            && let Some(&before) = modes.next()
        {
            *mode = before;
        }
    });
}

/// Runs `f` in the precision asked for; a scope around the trainer stays if none was.
#[track_caller]
fn scoped<R>(dtype: Option<DType>, f: impl FnOnce() -> R) -> R {
    match dtype {
        Some(dtype) => autocast(dtype, f),
        None => f(),
    }
}
