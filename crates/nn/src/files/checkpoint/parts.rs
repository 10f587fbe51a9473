//! The parts of a run, told once for saving and for loading.

use super::put;
use crate::data::Position;
use crate::module::{Module, StateDict};
use crate::optim::{GradScaler, Optimizer, WeightAverage, entry};
use crate::schedule::{ReduceLrOnPlateau, Schedule, Scheduler};
use retrograd_tensor::{DType, Error, ErrorKind, Rng, Tensor};
use std::collections::BTreeMap;

/// The name of the tensor in parts that are one number or one stream.
const VALUE: &str = "value";

/// What a run shows the things to that change in it, each under a name: they are saved, or loaded.
///
/// See [`Checkpoint`](super::Checkpoint) for its use.
#[derive(Debug)]
pub struct Parts<'c>(Work<'c>);

#[derive(Debug)]
enum Work<'c> {
    Save(&'c mut BTreeMap<String, StateDict>),
    Load { from: &'c BTreeMap<String, StateDict>, asked: Vec<String>, problems: Vec<String> },
}

impl<'c> Parts<'c> {
    pub(super) fn save(to: &'c mut BTreeMap<String, StateDict>) -> Self {
        Self(Work::Save(to))
    }

    pub(super) fn load(from: &'c BTreeMap<String, StateDict>) -> Self {
        Self(Work::Load { from, asked: Vec::new(), problems: Vec::new() })
    }

    /// Everything that did not fit, and the parts that nobody asked for.
    pub(super) fn finish(self) -> Result<(), Vec<String>> {
        let Work::Load { from, asked, mut problems } = self.0 else { return Ok(()) };
        let left = from.keys().filter(|part| !asked.contains(part));
        problems.extend(left.map(|part| format!("part `{part}` is unexpected")));
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// A part of any kind: `save` gives its state, `load` takes it, all of it or none.
    ///
    /// ```
    /// use retrograd_nn::files::Checkpoint;
    /// use retrograd_nn::{Linear, Module};
    /// use retrograd_tensor::Rng;
    /// let mut best = Linear::new(2, 1, &mut Rng::new(0)).state_dict(); // weights of the best epoch so far
    /// let saved = Checkpoint::of(|parts| {
    ///     parts.part("best", &mut best, |best| best.clone(), |best, state| Ok(best.clone_from(state)));
    /// });
    /// assert_eq!(saved.part("best"), Some(&best));
    /// ```
    ///
    /// # Panics
    /// If the name has been there, is empty or contains `/`.
    #[track_caller]
    pub fn part<T: ?Sized>(
        &mut self,
        name: &str,
        value: &mut T,
        save: impl FnOnce(&mut T) -> StateDict,
        load: impl FnOnce(&mut T, &StateDict) -> Result<(), Error>,
    ) {
        match &mut self.0 {
            Work::Save(to) => put(to, name, save(value)),
            Work::Load { from, asked, problems } => {
                asked.push(name.to_owned());
                match from.get(name).map(|state| load(value, state)) {
                    Some(Ok(())) => {}
                    Some(Err(e)) => problems.push(format!("part `{name}`: {}", e.detail())),
                    None => problems.push(format!("part `{name}` is missing")),
                }
            }
        }
    }

    /// The parameters and buffers of a model, random streams of its layers included.
    ///
    /// # Panics
    /// As [`part`](Parts::part).
    #[track_caller]
    pub fn module(&mut self, name: &str, module: &mut dyn Module) {
        self.part(name, module, |module| module.state_dict(), Module::load_state_dict);
    }

    /// What an optimizer has gathered; its settings are the program's.
    ///
    /// # Panics
    /// As [`part`](Parts::part).
    #[track_caller]
    pub fn optimizer(&mut self, name: &str, optimizer: &mut dyn Optimizer) {
        self.part(name, optimizer, |optimizer| optimizer.state_dict(), Optimizer::load_state_dict);
    }

    /// The step of a schedule, which on loading sets the rates of `optimizer`.
    ///
    /// # Panics
    /// As [`part`](Parts::part).
    #[track_caller]
    pub fn scheduler<S: Schedule>(
        &mut self,
        name: &str,
        scheduler: &mut Scheduler<S>,
        optimizer: &mut dyn Optimizer,
    ) {
        let load =
            |scheduler: &mut Scheduler<S>, state: &StateDict| scheduler.load_state_dict(state, optimizer);
        self.part(name, scheduler, |scheduler| scheduler.state_dict(), load);
    }

    /// What a schedule that follows a metric has seen, and the rates that it has come to in `optimizer`.
    ///
    /// # Panics
    /// As [`part`](Parts::part).
    #[track_caller]
    pub fn plateau(&mut self, name: &str, plateau: &mut ReduceLrOnPlateau, optimizer: &mut dyn Optimizer) {
        self.part(
            name,
            &mut (plateau, optimizer),
            |(plateau, optimizer)| plateau.state_dict(*optimizer),
            |(plateau, optimizer), state| plateau.load_state_dict(state, *optimizer),
        );
    }

    /// What an average of weights holds, moving or plain.
    ///
    /// ```
    /// use retrograd_nn::files::Checkpoint;
    /// use retrograd_nn::{Linear, WeightAverage};
    /// use retrograd_tensor::Rng;
    /// let model = Linear::new(2, 1, &mut Rng::new(0));
    /// let (mut ema, mut other) = (WeightAverage::ema(&model, 0.9), WeightAverage::ema(&model, 0.9));
    /// ema.update(&model)?;
    /// Checkpoint::of(|parts| parts.average("ema", &mut ema)).restore(|parts| parts.average("ema", &mut other))?;
    /// assert_eq!(other.state_dict()["n_averaged"].item(), 1.0);
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    ///
    /// # Panics
    /// As [`part`](Parts::part).
    #[track_caller]
    pub fn average(&mut self, name: &str, average: &mut WeightAverage) {
        self.part(name, average, |average| average.state_dict(), WeightAverage::load_state_dict);
    }

    /// The factor of a loss scaler, and the steps since it changed.
    ///
    /// # Panics
    /// As [`part`](Parts::part).
    #[track_caller]
    pub fn scaler(&mut self, name: &str, scaler: &mut GradScaler) {
        self.part(name, scaler, |scaler| scaler.state_dict(), GradScaler::load_state_dict);
    }

    /// Where a loader stands: the [`DataLoader`](crate::data::DataLoader) between epochs, its
    /// [`batches`](crate::data::DataLoader::batches) within one.
    ///
    /// ```
    /// use retrograd_nn::data::{DataLoader, TensorDataset};
    /// use retrograd_nn::files::Checkpoint;
    /// use retrograd_tensor::I64;
    /// let y = I64.arange(0, 9, 1);
    /// let new = || DataLoader::new(TensorDataset::new(y.clone(), y.clone())).batch_size(2).shuffle(true);
    /// let (mut loader, mut resumed) = (new().seed(3), new());
    /// let mut batches = loader.batches();
    /// batches.next();
    /// let saved = Checkpoint::of(|parts| parts.loader("loader", &mut batches));
    /// saved.restore(|parts| parts.loader("loader", &mut resumed))?;
    /// assert_eq!(resumed.batches().next().unwrap()?, batches.next().unwrap()?);
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    ///
    /// # Panics
    /// As [`part`](Parts::part).
    #[track_caller]
    pub fn loader(&mut self, name: &str, loader: &mut dyn Position) {
        self.part(name, loader, |loader| loader.state_dict(), Position::load_state_dict);
    }

    /// A random stream.
    ///
    /// # Panics
    /// As [`part`](Parts::part).
    #[track_caller]
    pub fn rng(&mut self, name: &str, rng: &mut Rng) {
        let save = |rng: &mut Rng| {
            let (key, counter) = rng.state();
            single(Tensor::from([key as i64, counter as i64]))
        };
        let load = |rng: &mut Rng, state: &StateDict| {
            let place = read(state, &DType::I64.zeros([2]))?.to_vec::<i64>();
            *rng = Rng::at(place[0] as u64, place[1] as u64);
            Ok(())
        };
        self.part(name, rng, save, load);
    }

    /// A number of steps, epochs or samples.
    ///
    /// # Panics
    /// As [`part`](Parts::part).
    #[track_caller]
    pub fn count(&mut self, name: &str, count: &mut u64) {
        let load = |count: &mut u64, state: &StateDict| {
            *count = read(state, &DType::I64.zeros(()))?.to_vec::<i64>()[0] as u64;
            Ok(())
        };
        self.part(name, count, |count| single(Tensor::from(*count as i64)), load);
    }

    /// A real number, such as the best metric so far.
    ///
    /// # Panics
    /// As [`part`](Parts::part).
    #[track_caller]
    pub fn number(&mut self, name: &str, number: &mut f64) {
        let load = |number: &mut f64, state: &StateDict| {
            *number = read(state, &DType::F64.zeros(()))?.item();
            Ok(())
        };
        self.part(name, number, |number| single(Tensor::from(*number)), load);
    }
}

fn single(value: Tensor) -> StateDict {
    StateDict::from([(VALUE.to_owned(), value)])
}

/// The only entry of `state`, if its type and shape are those of `like`.
fn read(state: &StateDict, like: &Tensor) -> Result<Tensor, Error> {
    let value = entry(state, VALUE, like);
    let unknown = state.keys().find(|name| *name != VALUE).map(|name| format!("`{name}` is unexpected"));
    match (value, unknown) {
        (Ok(value), None) => Ok(value),
        (Err(problem), _) | (Ok(_), Some(problem)) => Err(Error::new("Parts", ErrorKind::Format, problem)),
    }
}
