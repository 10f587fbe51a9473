//! Checkpoints: a run continues with the same bits; what does not fit is refused as a whole, with everything that is
//! wrong in any part; damage is found wherever it is.

#![cfg(feature = "files")]

extern crate retrograd_nn as retrograd;

use retrograd_autograd::Differentiate;
use retrograd_nn::files::{Checkpoint, Parts, SafeTensors, save_safetensors};
use retrograd_nn::schedule::{OneCycleLr, ReduceLrOnPlateau, Scheduler};
use retrograd_nn::{Adam, Dropout, Linear, Losses, Module, Optimizer, Param, StateDict};
use retrograd_tensor::{F64, Rng, Tensor, attempt};
use std::fs;
use std::path::{Path, PathBuf};

/// A file of its own for each test, gone at the end.
struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("retrograd-checkpoint-{}-{name}", std::process::id())))
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

struct Run {
    model: (Linear, Dropout, Linear),
    adam: Adam,
    schedule: Scheduler<OneCycleLr>,
    plateau: ReduceLrOnPlateau,
    rng: Rng,
    step: u64,
    best: f64,
}

impl Run {
    fn new(seed: u64, hidden: usize) -> Self {
        let mut rng = Rng::new(seed);
        let model =
            (Linear::new(3, hidden, &mut rng), Dropout::new(0.5, &mut rng), Linear::new(hidden, 1, &mut rng));
        let mut adam = Adam::new(&model, 0.1);
        let schedule = Scheduler::new(OneCycleLr::new(0.1, 50), &mut adam);
        let plateau = ReduceLrOnPlateau::new();
        Self { model, adam, schedule, plateau, rng, step: 0, best: f64::INFINITY }
    }

    fn parts(&mut self, parts: &mut Parts<'_>) {
        parts.module("model", &mut self.model);
        parts.optimizer("adam", &mut self.adam);
        parts.scheduler("schedule", &mut self.schedule, &mut self.adam);
        parts.plateau("plateau", &mut self.plateau, &mut self.adam);
        parts.rng("rng", &mut self.rng);
        parts.count("step", &mut self.step);
        parts.number("best", &mut self.best);
    }

    fn train(&mut self, steps: u64) {
        for _ in 0..steps {
            let x = Tensor::randn([8, 3], &mut self.rng);
            let y = self.model.2.forward(&self.model.1.forward(&self.model.0.forward(&x).relu()));
            let loss = y.mse_loss(&x.sum_keepdim(1));
            let grads = loss.backward();
            self.adam.step(&mut self.model, &grads).unwrap();
            self.schedule.step(&mut self.adam);
            self.step += 1;
            self.best = self.best.min(loss.item());
        }
    }

    fn saved(&mut self) -> Checkpoint {
        Checkpoint::of(|parts| self.parts(parts))
    }
}

#[test]
fn a_run_continues_with_the_same_bits() {
    let file = TempFile::new("run");
    let mut straight = Run::new(1, 4);
    straight.train(3);
    straight.saved().with_note("data", "größe\n\"x\"").save(&file.0).unwrap();
    straight.train(4);

    let loaded = Checkpoint::load(&file.0).unwrap();
    assert_eq!(loaded.notes()["data"], "größe\n\"x\"");
    assert_eq!(loaded.parts().count(), 7);
    let mut resumed = Run::new(2, 4);
    loaded.restore(|parts| resumed.parts(parts)).unwrap();
    let mut other = Run::new(3, 4);
    other.train(3);
    assert_eq!((resumed.step, *resumed.adam.lr_mut()), (3, *other.adam.lr_mut()));
    resumed.train(4);
    assert_eq!(resumed.saved(), straight.saved());
    // Equal checkpoints give equal files; weights are there under their names for others too.
    straight.saved().save(&file.0).unwrap();
    let first = fs::read(&file.0).unwrap();
    resumed.saved().save(&file.0).unwrap();
    assert_eq!(fs::read(&file.0).unwrap(), first);
    let weight = SafeTensors::open(&file.0).unwrap().get("model/0.weight").unwrap();
    assert_eq!(weight, *straight.model.0.weight.value());
}

#[test]
fn a_new_run_has_parts_without_entries() {
    let file = TempFile::new("new");
    let mut run = Run::new(1, 4);
    run.saved().save(&file.0).unwrap();
    let loaded = Checkpoint::load(&file.0).unwrap();
    assert!(loaded.part("adam").unwrap().is_empty());
    let mut other = Run::new(2, 4);
    other.train(2);
    loaded.restore(|parts| other.parts(parts)).unwrap();
    assert_eq!(other.saved(), run.saved());
}

#[test]
fn what_does_not_fit_is_refused_as_a_whole() {
    let mut saved = Run::new(1, 4);
    saved.train(2);
    let mut parts = saved.saved();
    let mut model = parts.part("model").unwrap().clone();
    model.insert("3.weight".to_owned(), Tensor::ones([1]));
    model.remove("0.bias");
    let rng = StateDict::from([("value".to_owned(), Tensor::from([1i64]))]);
    let names: Vec<String> = parts.parts().map(str::to_owned).collect();
    let mut changed = Checkpoint::new().with("model", model).with("rng", rng).with("ema", StateDict::new());
    for name in names.iter().filter(|name| !["model", "rng", "plateau"].contains(&name.as_str())) {
        changed = changed.with(name, parts.part(name).unwrap().clone());
    }
    parts = changed;

    let mut run = Run::new(5, 4);
    run.train(1);
    let before = run.saved();
    let message = parts.restore(|parts| run.parts(parts)).unwrap_err().to_string();
    for problem in [
        "Checkpoint: does not fit: part `model`: 2 of 5 entries do not fit: `0.bias` is missing, `3.weight` is unexpected",
        "part `plateau` is missing",
        "part `rng`: `value` is i64 [1], not i64 [2]",
        "part `ema` is unexpected",
        "everything is as it was",
    ] {
        assert!(message.contains(problem), "{problem:?} is not in {message:?}");
    }
    // What fitted, and was loaded before the misfit was found, is back too.
    assert_eq!(run.saved(), before);
    let mut narrow = Run::new(5, 3);
    let message = saved.saved().restore(|parts| narrow.parts(parts)).unwrap_err().to_string();
    assert!(message.contains("`0.weight` has shape [4, 3], not [3, 3]"), "{message}");
    assert!(message.contains("part `adam`: "), "{message}");
    narrow.train(1);
}

#[test]
fn names_that_no_file_can_have_are_refused_at_the_call() {
    for (name, problem) in [("a/b", "contains `/`"), ("", "is no name"), ("a", "is there already")] {
        let add = || Checkpoint::new().with("a", StateDict::new()).with(name, StateDict::new());
        let message = attempt(add).unwrap_err().to_string();
        assert!(message.contains(problem), "{message}");
    }
}

#[track_caller]
fn refused(path: &Path, problem: &str) {
    let message = Checkpoint::load(path).unwrap_err().to_string();
    assert!(message.contains(problem) && message.contains(&path.display().to_string()), "{message}");
}

#[test]
fn files_that_are_none_are_told() {
    let file = TempFile::new("none");
    refused(Path::new("no/such/file"), "cannot be opened");
    save_safetensors(&file.0, &StateDict::new()).unwrap();
    refused(&file.0, "is no checkpoint of this library");
    fs::write(&file.0, "{}").unwrap();
    refused(&file.0, "ends within the header");
}

#[test]
fn damage_is_found_wherever_it_is() {
    let file = TempFile::new("damage");
    let parameter = Param::new(Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]));
    let whole = Checkpoint::new()
        .with("model", parameter.state_dict())
        .with(
            "more",
            StateDict::from([("x".to_owned(), F64.ones([2])), ("y/z".to_owned(), Tensor::from(true))]),
        )
        .with("none", StateDict::new())
        .with_note("key", "text");
    whole.save(&file.0).unwrap();
    assert_eq!(Checkpoint::load(&file.0).unwrap(), whole);
    let good = fs::read(&file.0).unwrap();
    for length in 0..good.len() {
        fs::write(&file.0, &good[..length]).unwrap();
        refused(&file.0, "");
    }
    for place in 0..good.len() {
        let mut bad = good.clone();
        bad[place] ^= 1 << (place % 8);
        fs::write(&file.0, &bad).unwrap();
        assert!(Checkpoint::load(&file.0).is_err(), "byte {place} of {}", good.len());
    }
    let end = good.len();
    let mut bad = good.clone();
    bad[end - 1] ^= 1;
    bad[end - 2] ^= 1;
    fs::write(&file.0, &bad).unwrap();
    refused(&file.0, "`model/` is damaged: its checksum is another, `more/y/z` is damaged");
}
