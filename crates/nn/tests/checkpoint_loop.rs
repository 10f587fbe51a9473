//! A loop written by hand, with a loader, an average of weights and a scaler, goes on from a checkpoint with the same
//! bits, within an epoch and between two.

#![cfg(feature = "files")]

extern crate retrograd_nn as retrograd;

use retrograd_autograd::Differentiate;
use retrograd_nn::data::{DataLoader, Position, TensorDataset};
use retrograd_nn::files::{Checkpoint, Parts};
use retrograd_nn::{Adam, GradScaler, Linear, Losses, Module, StateDict, WeightAverage};
use retrograd_tensor::{Error, Rng, Tensor};

struct Run {
    model: Linear,
    adam: Adam,
    ema: WeightAverage,
    swa: WeightAverage,
    scaler: GradScaler,
    step: u64,
}

impl Run {
    fn new(seed: u64) -> Self {
        let model = Linear::new(3, 1, &mut Rng::new(seed));
        let (ema, swa) = (WeightAverage::ema(&model, 0.9), WeightAverage::swa(&model));
        let scaler = GradScaler::new().growth_interval(2);
        Self { adam: Adam::new(&model, 0.1), model, ema, swa, scaler, step: 0 }
    }

    fn step(&mut self, (x, y): &(Tensor, Tensor)) {
        let loss = self.scaler.scale(&self.model.forward(x).mse_loss(y));
        let mut grads = loss.backward();
        assert!(self.scaler.step(&mut self.adam, &mut self.model, &mut grads).unwrap());
        self.ema.update(&self.model).unwrap();
        self.swa.update(&self.model).unwrap();
        self.step += 1;
    }

    fn parts(&mut self, parts: &mut Parts<'_>, loader: &mut dyn Position) {
        parts.module("model", &mut self.model);
        parts.optimizer("adam", &mut self.adam);
        parts.average("ema", &mut self.ema);
        parts.average("swa", &mut self.swa);
        parts.scaler("scaler", &mut self.scaler);
        parts.count("step", &mut self.step);
        parts.loader("loader", loader);
    }

    fn saved(&mut self, loader: &mut dyn Position) -> Checkpoint {
        Checkpoint::of(|parts| self.parts(parts, loader))
    }
}

type Loader = DataLoader<(Tensor, Tensor), (Tensor, Tensor)>;

fn loader(seed: u64) -> Loader {
    let x = Tensor::randn([11, 3], &mut Rng::new(9));
    let y = x.sum_keepdim(1);
    DataLoader::new(TensorDataset::new(x, y)).batch_size(2).shuffle(true).seed(seed)
}

/// Two epochs; gives the checkpoint before step `at`, if there is one, and that of the end.
fn go(run: &mut Run, loader: &mut Loader, at: Option<u64>) -> (Option<Checkpoint>, Checkpoint) {
    let mut between = None;
    while loader.epoch() < 2 {
        let mut batches = loader.batches();
        loop {
            if at == Some(run.step) {
                between = Some(run.saved(&mut batches));
            }
            let Some(batch) = batches.next() else { break };
            run.step(&batch.unwrap());
        }
    }
    let end = run.saved(loader);
    (between, end)
}

#[test]
fn a_loop_goes_on_with_the_same_bits() {
    let end = go(&mut Run::new(1), &mut loader(3), None).1;
    // 6 batches an epoch: at its beginning, within it, at its end, within the second.
    for at in [0, 4, 6, 9] {
        let between = go(&mut Run::new(1), &mut loader(3), Some(at)).0.expect("a checkpoint");
        let (mut run, mut other) = (Run::new(2), loader(4));
        between.restore(|parts| run.parts(parts, &mut other)).unwrap();
        assert_eq!(run.step, at);
        assert_eq!(run.saved(&mut other), between);
        assert_eq!(go(&mut run, &mut other, None).1, end, "from step {at}");
    }
}

#[test]
fn batches_at_work_go_where_a_loader_stood() {
    for workers in [0, 2] {
        let mut first = loader(3);
        let saved = {
            let mut batches = first.batches();
            batches.nth(3);
            Checkpoint::of(|parts| parts.loader("loader", &mut batches))
        };
        let rest: Vec<_> = first.batches().collect::<Result<_, Error>>().unwrap();
        let mut second = loader(8).workers(workers);
        let mut batches = second.batches();
        batches.next(); // with others loaded ahead
        saved.restore(|parts| parts.loader("loader", &mut batches)).unwrap();
        assert_eq!(batches.len(), 2);
        assert_eq!(batches.by_ref().collect::<Result<Vec<_>, Error>>().unwrap(), rest);
        // From the end, too.
        saved.restore(|parts| parts.loader("loader", &mut batches)).unwrap();
        assert_eq!(batches.collect::<Result<Vec<_>, Error>>().unwrap(), rest);
    }
}

#[test]
fn a_state_that_does_not_fit_leaves_everything() {
    let mut run = Run::new(1);
    let (mut first, mut second) = (loader(3), loader(3));
    run.step(&first.batches().next().unwrap().unwrap());
    let saved = run.saved(&mut first);
    let mut changed = Checkpoint::new().with("swa", StateDict::new());
    for name in saved.parts().filter(|name| !["swa", "ema"].contains(name)) {
        changed = changed.with(name, saved.part(name).unwrap().clone());
    }
    let mut other = Run::new(2);
    let before = other.saved(&mut second);
    let error = changed.restore(|parts| other.parts(parts, &mut second)).unwrap_err().to_string();
    for problem in ["part `ema` is missing", "part `swa`: ", "`n_averaged` is missing"] {
        assert!(error.contains(problem), "{problem:?} is not in {error:?}");
    }
    assert_eq!(other.saved(&mut second), before);
    assert_eq!(other.model.state_dict(), Run::new(2).model.state_dict());
}
