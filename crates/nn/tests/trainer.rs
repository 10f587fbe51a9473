//! The trainer: the loop that it runs, what ends it, and that an interrupted run ends with the same bits.

#![cfg(feature = "data")]

extern crate retrograd_nn as retrograd;

use retrograd_autograd::Differentiate;
use retrograd_nn::data::{DataLoader, Split, TensorDataset, digits};
use retrograd_nn::files::Checkpoint;
use retrograd_nn::metrics::{Accuracy, F1, Metric};
use retrograd_nn::schedule::{Better, CosineAnnealingLr, ReduceLrOnPlateau, StepLr};
use retrograd_nn::train::{EarlyStopping, History, NonFinite, Output, Trainer};
use retrograd_nn::{
    Adam, BatchNorm1d, Dropout, Linear, Losses, Mode, Module, Optimizer, Param, Sgd, SlotMut, StateDict,
    clip_grad_norm,
};
use retrograd_tensor::{Error, ErrorKind, Rng, Tensor, attempt};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/data/digits.csv.gz");

#[derive(Module)]
struct Net {
    hidden: Linear,
    norm: BatchNorm1d,
    dropout: Dropout,
    output: Linear,
}

impl Net {
    fn new() -> Self {
        let rng = &mut Rng::new(0);
        Self {
            hidden: Linear::new(64, 16, rng),
            norm: BatchNorm1d::new(16),
            dropout: Dropout::new(0.2, rng),
            output: Linear::new(16, 10, rng),
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        self.output.forward(&self.dropout.forward(&self.norm.forward(&self.hidden.forward(x)).relu()))
    }

    fn loss(&self, (x, labels): &(Tensor, Tensor)) -> Output {
        let outputs = self.forward(x);
        Output::new(outputs.cross_entropy(labels)).scored(&outputs, labels)
    }
}

type Loader = DataLoader<(Tensor, Tensor), (Tensor, Tensor)>;

/// 200 digits to learn from, in batches of 32, and 80 to validate with.
fn loaders() -> (Loader, Loader) {
    let Split { train, .. } = digits(DIGITS).unwrap();
    let part =
        |from, count| TensorDataset::new(train.x.narrow(0, from, count), train.y.narrow(0, from, count));
    let noisy = |(x, y): (Tensor, Tensor), rng: &mut Rng| (&x + x.randn_like(rng) * 0.1, y);
    let train = DataLoader::new(part(0, 200)).batch_size(32).shuffle(true).seed(5).map(noisy);
    (train, DataLoader::new(part(200, 80)).batch_size(50).shuffle(true).map(noisy))
}

/// A file that is gone at the end.
struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("retrograd-trainer-{}-{name}", std::process::id())))
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn the_trainer_runs_the_plain_loop() {
    let (mut loader, _) = loaders();
    let mut net = Net::new();
    let mut adam = Adam::new(&net, 1e-2);
    let mut losses = Vec::new();
    let mut accuracy = Vec::new();
    for _ in 0..2 {
        let mut metric = Accuracy::new();
        for batch in loader.batches() {
            let (x, labels) = batch.unwrap();
            let outputs = net.forward(&x);
            let loss = outputs.cross_entropy(&labels);
            let mut grads = loss.backward();
            let norm = clip_grad_norm(&net, &mut grads, 0.5).unwrap();
            adam.step(&mut net, &grads).unwrap();
            losses.push((loss.item(), norm.item()));
            metric.update(&outputs, &labels);
        }
        accuracy.push(metric.compute());
    }

    let (mut loader, _) = loaders();
    let mut other = Net::new();
    let mut adam = Adam::new(&other, 1e-2);
    let history = Trainer::new(&mut other, &mut adam)
        .epochs(2)
        .clip_grad_norm(0.5)
        .metric("accuracy", Accuracy::new())
        .fit(&mut loader, Net::loss)
        .unwrap();
    assert_eq!(other.state_dict(), net.state_dict());
    assert_eq!(history.steps.iter().map(|r| (r.loss, r.grad_norm)).collect::<Vec<_>>(), losses);
    assert_eq!(history.epochs.iter().map(|r| r.metrics["accuracy"]).collect::<Vec<_>>(), accuracy);
    let [first, last] = &history.epochs[..] else { panic!("{history:?}") };
    assert_eq!((first.epoch, first.step, first.samples, last.step), (1, 7, 200, 14));
    // Means over samples: the last batch has 8 of them.
    let mean =
        losses[..7].iter().zip([32.0, 32.0, 32.0, 32.0, 32.0, 32.0, 8.0]).map(|(l, n)| l.0 * n / 200.0);
    assert!((first.loss - mean.sum::<f64>()).abs() < 1e-12);
}

#[test]
fn accumulated_batches_give_the_step_of_a_large_one() {
    let data = TensorDataset::new(Tensor::randn([40, 3], &mut Rng::new(1)), Tensor::ones([40, 1]));
    let run = |batch: usize, accumulate: usize| {
        let mut model = Linear::new(3, 1, &mut Rng::new(0));
        let mut sgd = Sgd::new(&model, 0.1);
        let mut loader = DataLoader::new(data.clone()).batch_size(batch);
        let history = Trainer::new(&mut model, &mut sgd)
            .epochs(2)
            .accumulate(accumulate)
            .fit(&mut loader, |model, (x, y)| model.forward(x).mse_loss(y))
            .unwrap();
        (model.weight.to_vec::<f32>(), history)
    };
    // Three steps an epoch: of 16, 16 and 8 samples.
    let ((large, whole), (small, parts)) = (run(16, 1), run(4, 4));
    assert_eq!((whole.steps.len(), parts.steps.len(), parts.steps[2].samples), (6, 6, 8));
    for (a, b) in large.iter().zip(&small) {
        assert!((a - b).abs() < 1e-6, "{a} is not {b}");
    }
    for (a, b) in whole.steps.iter().zip(&parts.steps) {
        assert!((a.loss - b.loss).abs() < 1e-6 && (a.grad_norm - b.grad_norm).abs() < 1e-6);
    }
}

#[test]
fn validation_evaluates_and_leaves_modes_and_state_alone() {
    let run = |validated: bool| {
        let (mut loader, mut validation) = loaders();
        let mut net = Net::new();
        // A layer that was frozen in evaluation stays there.
        net.norm.eval();
        let mut adam = Adam::new(&net, 1e-2);
        let mut trainer = Trainer::new(&mut net, &mut adam).epochs(2).metric("f1", F1::new(10));
        if validated {
            trainer = trainer.validate(&mut validation);
        }
        let history = trainer.fit(&mut loader, Net::loss).unwrap();
        let mut modes = Vec::new();
        net.visit_mut("", &mut |_, slot| {
            if let SlotMut::Mode(mode) = slot {
                modes.push(*mode);
            }
        });
        assert_eq!(modes, [Mode::Eval, Mode::Train]);
        (net.state_dict(), history)
    };
    let ((state, history), (plain, _)) = (run(true), run(false));
    assert_eq!(state, plain);
    let last = &history.epochs[1].metrics;
    assert_eq!(last.keys().collect::<Vec<_>>(), ["f1", "val_f1", "val_loss"]);
    assert_eq!(history.curve("val_loss").len(), 2);
    assert!(last["val_loss"] < history.epochs[0].metrics["val_loss"], "{history:?}");
}

/// Trains with everything that changes; `stop_at` ends the first life at that step, as a kill would.
fn life(path: &Path, best: &Path, every: u64, stop_at: Option<u64>) -> Result<(StateDict, History), Error> {
    let (mut loader, mut validation) = loaders();
    let mut net = Net::new();
    let mut adam = Adam::new(&net, 1e-2);
    let mut draws = Rng::new(9);
    let shared = RefCell::new(&mut draws);
    let history = Trainer::new(&mut net, &mut adam)
        .epochs(4)
        .accumulate(2)
        .clip_grad_norm(1.0)
        .schedule_steps(CosineAnnealingLr::new(16))
        .metric("accuracy", Accuracy::new())
        .metric("f1", F1::new(10))
        .validate(&mut validation)
        .early_stopping(EarlyStopping::new("val_accuracy").better(Better::Max).restore_best(true))
        .best_checkpoint(best, "val_loss", Better::Min)
        .checkpoint(path)
        .checkpoint_every(every)
        .resume()
        .parts(|parts| parts.rng("draws", &mut shared.borrow_mut()))
        .on_step(|at| match stop_at {
            Some(step) if at.record.step == step => {
                Err(Error::new("test", ErrorKind::Io, "killed".to_owned()))
            }
            _ => Ok(()),
        })
        .fit(&mut loader, |net, (x, labels)| {
            let x = x + x.randn_like(&mut shared.borrow_mut()) * 0.01;
            net.loss(&(x, labels.clone()))
        })?;
    Ok((net.state_dict(), history))
}

#[test]
fn an_interrupted_run_ends_with_the_same_bits() {
    let (straight, straight_best) = (TempFile::new("straight"), TempFile::new("straight-best"));
    let (state, history) = life(&straight.0, &straight_best.0, 100, None).unwrap();
    assert_eq!((history.steps.len(), history.epochs.len()), (16, 4));
    for kills in [vec![2], vec![4, 5], vec![6, 7, 11, 15], vec![16]] {
        let (path, best) = (TempFile::new("killed"), TempFile::new("killed-best"));
        for kill in kills {
            life(&path.0, &best.0, 3, Some(kill)).unwrap_err();
        }
        let (other, others) = life(&path.0, &best.0, 3, None).unwrap();
        assert_eq!(others, history);
        assert_eq!(other, state);
        // The last checkpoints have the same bits too.
        assert_eq!(Checkpoint::load(&path.0).unwrap(), Checkpoint::load(&straight.0).unwrap());
        assert_eq!(Checkpoint::load(&best.0).unwrap(), Checkpoint::load(&straight_best.0).unwrap());
        // Going on from the end is the end.
        assert_eq!(life(&path.0, &best.0, 3, None).unwrap(), (other, others));
    }
}

#[test]
fn a_checkpoint_of_another_run_is_refused_and_changes_nothing() {
    let (path, best) = (TempFile::new("other"), TempFile::new("other-best"));
    life(&path.0, &best.0, 3, Some(4)).unwrap_err();
    let (mut loader, _) = loaders();
    let mut net = Net::new();
    let before = net.state_dict();
    let mut adam = Adam::new(&net, 1e-2);
    let error = Trainer::new(&mut net, &mut adam)
        .metric("recall", Accuracy::new())
        .checkpoint(&path.0)
        .resume()
        .fit(&mut loader, Net::loss)
        .unwrap_err();
    let text = error.to_string();
    for part in
        ["`trainer.metric.recall` is missing", "`trainer.metric.f1` is unexpected", "`draws` is unexpected"]
    {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(net.state_dict(), before);
}

/// Losses that are given, one for each epoch, of a parameter that moves on by 1 each time.
fn tried(losses: &[f64], change: impl FnOnce(Given<'_>) -> Given<'_>) -> Result<(f64, History), Error> {
    let mut param = Param::new(Tensor::from([0.0f64]));
    let mut sgd = Sgd::new(&param, 1.0);
    let mut loader = DataLoader::new(TensorDataset::new(Tensor::zeros([1]), Tensor::zeros([1])));
    let mut epoch = losses.iter();
    let history = change(Trainer::new(&mut param, &mut sgd).epochs(losses.len() as u64)).fit(
        &mut loader,
        |param, _| {
            let value = param.value();
            let loss = epoch.next().copied().unwrap_or(f64::NAN);
            -(value - value.detach()).sum(()) + loss
        },
    )?;
    Ok((param.item(), history))
}

fn given(losses: &[f64], change: impl FnOnce(Given<'_>) -> Given<'_>) -> (f64, History) {
    tried(losses, change).unwrap()
}

type Given<'a> = Trainer<'a, Param, (Tensor, Tensor)>;

#[test]
fn early_stopping_waits_and_restores() {
    let losses = [5.0, 4.0, 3.95, 4.5, 4.0, 1.0];
    let stopping = || EarlyStopping::new("loss").patience(3).min_delta(0.1);
    let (value, history) = given(&losses, |t| t.early_stopping(stopping()));
    assert_eq!((value, history.epochs.len()), (5.0, 5));
    // The second epoch was the best; the parameter was 2 after it.
    let (value, history) = given(&losses, |t| t.early_stopping(stopping().restore_best(true)));
    assert_eq!((value, history.epochs.len()), (2.0, 5));
    let (_, history) = given(&losses, |t| t.early_stopping(stopping().better(Better::Max).patience(2)));
    assert_eq!(history.epochs.len(), 3);
    // A run that is not stopped gives its best model too.
    let (value, _) = given(&[3.0, 1.0, 2.0], |t| t.early_stopping(stopping().restore_best(true)));
    assert_eq!(value, 2.0);
}

#[test]
fn rates_follow_schedules_and_plateaus() {
    let lrs = |history: &History| history.steps.iter().map(|record| record.lr).collect::<Vec<_>>();
    let (_, history) = given(&[1.0; 4], |t| t.schedule_epochs(StepLr::new(2).gamma(0.5)));
    assert_eq!(lrs(&history), [1.0, 1.0, 0.5, 0.5]);
    let plateau = ReduceLrOnPlateau::new().factor(0.5).patience(0);
    let (_, history) = given(&[3.0, 2.0, 2.0, 2.0], |t| t.reduce_on_plateau(plateau, "loss"));
    assert_eq!(lrs(&history), [1.0, 1.0, 1.0, 0.5]);
    assert_eq!(history.epochs[3].lr, 0.5);
}

#[test]
fn a_loss_that_is_not_finite_ends_the_run_or_is_left_out() {
    let losses = [1.0, f64::NAN, 2.0, f64::INFINITY, 3.0];
    let (value, history) = given(&losses, |t| t.non_finite(NonFinite::Skip));
    assert_eq!((value, history.skipped, history.steps.len()), (3.0, 2, 3));
    assert!(history.epochs[1].loss.is_nan());

    let error = tried(&losses, |t| t).unwrap_err().to_string();
    assert!(error.contains("not finite at step 2, in epoch 2: loss NaN"), "{error}");

    // Gradients that overflow under a finite loss.
    let mut param = Param::new(Tensor::from([1e-300f64]));
    let mut sgd = Sgd::new(&param, 1.0);
    let mut loader = DataLoader::new(TensorDataset::new(Tensor::zeros([1]), Tensor::zeros([1])));
    let error = Trainer::new(&mut param, &mut sgd)
        .fit(&mut loader, |param, _| (param * 1e300 * 1e300).sqrt().sqrt().sum(()) * 1e200)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Numeric);
    assert_eq!(param.item(), 1e-300);
}

#[test]
fn callbacks_see_the_run_and_may_end_it() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let (in_steps, in_epochs) = (Rc::clone(&seen), Rc::clone(&seen));
    let (value, history) = given(&[3.0, 2.0, 1.0, 0.0], |t| {
        t.on_step(move |at| {
            in_steps.borrow_mut().push(("step", at.record.step, at.history.epochs.len()));
            Ok(())
        })
        .on_epoch(move |at| {
            in_epochs.borrow_mut().push(("epoch", at.record.step, at.history.epochs.len()));
            if at.record.loss < 2.5 {
                at.stop();
            }
            Ok(())
        })
        .keep_steps(false)
    });
    assert_eq!((value, history.steps.len(), history.epochs.len()), (2.0, 0, 2));
    assert_eq!(*seen.borrow(), [("step", 1, 0), ("epoch", 1, 1), ("step", 2, 1), ("epoch", 2, 2)]);
}

#[test]
fn what_cannot_be_monitored_is_refused_before_anything_is_done() {
    let error = tried(&[1.0], |t| t.early_stopping(EarlyStopping::new("val_loss")));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("no figure `val_loss` to monitor; there are loss, lr, grad_norm"), "{error}");
    for name in ["loss", "val_f1", "a/b", ""] {
        assert!(attempt(|| given(&[1.0], |t| t.metric(name, Accuracy::new()))).is_err(), "{name}");
    }
    let error = tried(&[1.0], |t| t.epochs(1).resume()).unwrap_err().to_string();
    assert!(error.contains("nothing to resume from"), "{error}");
}
