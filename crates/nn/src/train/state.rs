//! Checkpoints of a run: what it consists of, told once for saving and for loading.

use super::source::Stood;
use super::trainer::Rate;
use super::{History, RunRecord, Trainer};
use crate::data::{DataLoader, Position, Sample};
use crate::files::{Checkpoint, Parts};
use crate::module::{Module, StateDict};
use crate::optim::entry;
use retrograd_tensor::{Error, ErrorKind, F64, Tensor};
use std::collections::BTreeMap;

/// Numbers of a record that are the same for all runs.
const FIGURES: usize = 6;

/// Before the names of metrics in the state of a history.
const METRIC: &str = "metric.";

impl<M: Module, B: Send + 'static> Trainer<'_, M, B> {
    /// Goes on from the checkpoint, if that is wanted and there is one.
    pub(super) fn restore<T: Sample>(&mut self, loader: &mut DataLoader<T, B>) -> Result<(), Error> {
        match &self.files.checkpoint {
            Some(path) if self.files.resume && path.exists() => {
                let checkpoint = Checkpoint::load(path)?;
                checkpoint.restore(|parts| self.show(loader, parts))
            }
            None if self.files.resume => {
                let detail = "nothing to resume from: no checkpoint; say where it is by `checkpoint`";
                Err(Error::new("Trainer", ErrorKind::Value, detail))
            }
            _ => Ok(()),
        }
    }

    /// Whether it is time for a checkpoint within an epoch.
    pub(super) fn is_due(&self) -> bool {
        self.files.checkpoint.is_some()
            && self.files.every.is_some_and(|every| self.run.step.is_multiple_of(every))
    }

    /// Writes the checkpoint of a run whose loader is at work and stood there.
    pub(super) fn save_at(&mut self, position: &StateDict) -> Result<(), Error> {
        let Some(path) = self.files.checkpoint.clone() else { return Ok(()) };
        Checkpoint::of(|parts| self.show(&mut Stood(position.clone()), parts)).save(path)
    }

    /// Writes the checkpoint, and that of the best epoch if this is it.
    pub(super) fn save<T: Sample>(
        &mut self,
        loader: &mut DataLoader<T, B>,
        is_best: bool,
    ) -> Result<(), Error> {
        let best = self.files.best.as_ref().filter(|_| is_best).map(|best| best.path.clone());
        let paths = [best, self.files.checkpoint.clone()];
        if paths.iter().all(Option::is_none) {
            return Ok(());
        }
        let checkpoint = Checkpoint::of(|parts| self.show(loader, parts));
        paths.into_iter().flatten().try_for_each(|path| checkpoint.save(path))
    }

    fn show(&mut self, loader: &mut dyn Position, parts: &mut Parts<'_>) {
        parts.module("model", self.model);
        parts.optimizer("optimizer", self.optimizer);
        match &mut self.rate {
            Rate::Constant => {}
            Rate::Steps(scheduler) | Rate::Epochs(scheduler) => {
                parts.scheduler("trainer.schedule", scheduler, self.optimizer);
            }
            Rate::Plateau(plateau, _) => parts.plateau("trainer.plateau", plateau, self.optimizer),
        }
        if let Some(scaler) = &mut self.scaler {
            parts.scaler("trainer.scaler", scaler);
        }
        parts.loader("trainer.loader", loader);
        if let Some(validation) = &mut self.validation {
            parts.loader("trainer.validation", &mut **validation);
        }
        let run = &mut self.run;
        parts.count("trainer.epoch", &mut run.epoch);
        parts.count("trainer.step", &mut run.step);
        let sums = &mut run.sums;
        for (name, sum) in [
            ("trainer.sum.samples", &mut sums.samples),
            ("trainer.sum.loss", &mut sums.loss),
            ("trainer.sum.steps", &mut sums.steps),
            ("trainer.sum.grad_norm", &mut sums.grad_norm),
            ("trainer.sum.lr", &mut sums.lr),
        ] {
            parts.number(name, sum);
        }
        for (name, metric) in &mut self.metrics {
            let save = |metric: &mut Box<dyn crate::metrics::Metric + '_>| vector(metric.state());
            let load = |metric: &mut Box<dyn crate::metrics::Metric + '_>, state: &StateDict| {
                metric.set_state(&read_vector(state)?)
            };
            parts.part(&format!("trainer.metric.{name}"), metric, save, load);
        }
        parts.part("trainer.history", &mut run.history, |history| save_history(history), load_history);
        if let Some(stopping) = &mut self.stopping {
            parts.number("trainer.stopping.best", &mut stopping.watch.best);
            parts.count("trainer.stopping.bad", &mut stopping.watch.bad);
            let save = |weights: &mut StateDict| weights.clone();
            let load = |weights: &mut StateDict, state: &StateDict| {
                weights.clone_from(state);
                Ok(())
            };
            parts.part("trainer.stopping.weights", &mut stopping.weights, save, load);
        }
        if let Some(best) = &mut self.files.best {
            parts.number("trainer.best", &mut best.watch.best);
        }
        if let Some(show) = &mut self.files.parts {
            show(parts);
        }
    }
}

fn vector(numbers: Vec<f64>) -> StateDict {
    StateDict::from([("value".to_owned(), Tensor::from(numbers))])
}

fn read_vector(state: &StateDict) -> Result<Vec<f64>, Error> {
    match state.get("value") {
        Some(value) if state.len() == 1 && value.rank() == 1 && value.dtype() == F64 => {
            Ok(value.to_vec::<f64>())
        }
        _ => Err(unfit("it has one entry, `value`, a vector of f64")),
    }
}

fn unfit(detail: impl std::fmt::Display) -> Error {
    Error::new("Trainer", ErrorKind::Format, format!("state does not fit: {detail}"))
}

/// `steps` and `epochs`, a row for each, `metric.NAME` for each epoch, and `skipped`.
fn save_history(history: &History) -> StateDict {
    let table = |records: &[RunRecord]| {
        let rows = records
            .iter()
            .flat_map(|r| [r.epoch as f64, r.step as f64, r.samples as f64, r.loss, r.lr, r.grad_norm]);
        Tensor::from_vec(rows.collect(), [records.len(), FIGURES])
    };
    let mut state = StateDict::from([
        ("steps".to_owned(), table(&history.steps)),
        ("epochs".to_owned(), table(&history.epochs)),
        ("skipped".to_owned(), Tensor::from(history.skipped as i64)),
    ]);
    let names = history.epochs.first().into_iter().flat_map(|record| record.metrics.keys());
    for name in names {
        let values = history.epochs.iter().map(|record| record.get(name).unwrap_or(f64::NAN));
        state.insert(format!("{METRIC}{name}"), Tensor::from(values.collect::<Vec<_>>()));
    }
    state
}

fn load_history(history: &mut History, state: &StateDict) -> Result<(), Error> {
    let table = |name: &str| {
        let rows = state.get(name).and_then(|table| table.shape().first().copied()).unwrap_or(0);
        let table = entry(state, name, &F64.zeros([rows, FIGURES])).map_err(unfit)?;
        let values = table.to_vec::<f64>();
        let record = |row: &[f64]| RunRecord {
            epoch: row[0] as u64,
            step: row[1] as u64,
            samples: row[2] as u64,
            loss: row[3],
            lr: row[4],
            grad_norm: row[5],
            metrics: BTreeMap::new(),
        };
        Ok::<_, Error>(values.chunks_exact(FIGURES).map(record).collect::<Vec<_>>())
    };
    let (steps, mut epochs) = (table("steps")?, table("epochs")?);
    let skipped = entry(state, "skipped", &Tensor::from(0i64)).map_err(unfit)?.to_vec::<i64>()[0];
    for name in state.keys() {
        let Some(metric) = name.strip_prefix(METRIC) else {
            if ["steps", "epochs", "skipped"].contains(&name.as_str()) {
                continue;
            }
            return Err(unfit(format!("`{name}` is unexpected")));
        };
        let values = entry(state, name, &F64.zeros([epochs.len()])).map_err(unfit)?.to_vec::<f64>();
        for (record, value) in epochs.iter_mut().zip(values) {
            record.metrics.insert(metric.to_owned(), value);
        }
    }
    *history = History { steps, epochs, skipped: skipped.max(0) as u64 };
    Ok(())
}
