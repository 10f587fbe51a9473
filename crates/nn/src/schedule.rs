//! Learning-rate schedules.
//!
//! A [`Schedule`] is a function: of the number of steps so far and the rate that a group of parameters started
//! with. It holds nothing that changes, so a run that continues needs only its step, and a rate can be asked for at
//! any step. [`Scheduler`] counts the steps of one run and turns the optimizer's knobs; [`ReduceLrOnPlateau`]
//! follows a metric instead. `decay` and `cycle` hold the functions, `join` those made of others.
//!
//! What counts as a step is the caller's: an epoch, or a batch.

mod cycle;
mod decay;
mod join;
mod plateau;

use crate::module::StateDict;
use crate::optim::{Knobs, Optimizer};
use retrograd_tensor::{Error, ErrorKind, Tensor, raise};

pub use cycle::{Anneal, CosineAnnealingLr, CosineAnnealingWarmRestarts, CyclicLr, CyclicMode, OneCycleLr};
pub use decay::{
    ConstantLr, ExponentialLr, LambdaLr, LinearLr, MultiStepLr, MultiplicativeLr, PolynomialLr, StepLr,
};
pub use join::{ChainedScheduler, SequentialLr, WarmUp};
pub use plateau::{Better, ReduceLrOnPlateau, ThresholdMode};

/// A rate as a function of the step.
///
/// A closure `Fn(u64, f64) -> f64` of the step and the rate at the start is one.
pub trait Schedule {
    /// The rate in force before step `step`, counted from 0, where it was `base` at the start.
    fn lr(&self, step: u64, base: f64) -> f64;

    /// The momentum in force then, for schedules that turn it too.
    fn momentum(&self, step: u64) -> Option<f64> {
        let _ = step;
        None
    }
}

impl<F: Fn(u64, f64) -> f64> Schedule for F {
    fn lr(&self, step: u64, base: f64) -> f64 {
        self(step, base)
    }
}

impl Schedule for Box<dyn Schedule> {
    fn lr(&self, step: u64, base: f64) -> f64 {
        (**self).lr(step, base)
    }

    fn momentum(&self, step: u64) -> Option<f64> {
        (**self).momentum(step)
    }
}

/// A schedule at work: the step that a run is at, and the rates that its groups started with.
///
/// ```
/// use retrograd_nn::schedule::{Scheduler, StepLr};
/// use retrograd_nn::{Optimizer, Param, Sgd};
/// use retrograd_tensor::Tensor;
/// let mut sgd = Sgd::new(&Param::new(Tensor::ones([2])), 0.5);
/// let mut schedule = Scheduler::new(StepLr::new(2).gamma(0.5), &mut sgd);
/// let mut rates = Vec::new();
/// for _ in 0..5 {
///     rates.push(*sgd.lr_mut());                              // train with this rate, then
///     schedule.step(&mut sgd);
/// }
/// assert_eq!(rates, [0.5, 0.5, 0.25, 0.25, 0.125]);
/// ```
#[derive(Debug)]
pub struct Scheduler<S> {
    schedule: S,
    step: u64,
    bases: Vec<f64>,
}

impl<S: Schedule> Scheduler<S> {
    /// Takes the optimizer's rates as those at the start, and sets the rates of step 0.
    pub fn new(schedule: S, optimizer: &mut dyn Optimizer) -> Self {
        let bases = optimizer.knobs().iter().map(|knobs| *knobs.lr).collect();
        let scheduler = Self { schedule, step: 0, bases };
        scheduler.set(optimizer);
        scheduler
    }

    /// Goes one step on: sets the rates of the next one.
    pub fn step(&mut self, optimizer: &mut dyn Optimizer) {
        self.step += 1;
        self.set(optimizer);
    }

    /// How many steps are behind.
    pub fn steps(&self) -> u64 {
        self.step
    }

    fn set(&self, optimizer: &mut dyn Optimizer) {
        let turned = self.schedule.momentum(self.step);
        for (Knobs { lr, momentum }, &base) in optimizer.knobs().into_iter().zip(&self.bases) {
            *lr = self.schedule.lr(self.step, base);
            if let (Some(momentum), Some(turned)) = (momentum, turned) {
                *momentum = turned;
            }
        }
    }

    /// `step`, and the rates at the start, `base_lrs`.
    pub fn state_dict(&self) -> StateDict {
        let step = ("step".to_owned(), Tensor::from(self.step as i64));
        StateDict::from([step, ("base_lrs".to_owned(), Tensor::from(self.bases.clone()))])
    }

    /// Continues from `state`, and sets the rates of its step.
    ///
    /// # Errors
    /// If an entry is missing, unknown, or does not fit the optimizer's groups; nothing is changed then.
    pub fn load_state_dict(&mut self, state: &StateDict, optimizer: &mut dyn Optimizer) -> Result<(), Error> {
        let mut entries = Entries::of("Scheduler", state);
        let step = entries.count("step");
        let bases = entries.numbers("base_lrs", optimizer.knobs().len());
        entries.finish()?;
        (self.step, self.bases) = (step, bases);
        self.set(optimizer);
        Ok(())
    }
}

/// The entries of a state that is being read; problems are gathered.
struct Entries<'s> {
    op: &'static str,
    state: &'s StateDict,
    read: Vec<&'static str>,
    problems: Vec<String>,
}

impl<'s> Entries<'s> {
    fn of(op: &'static str, state: &'s StateDict) -> Self {
        Self { op, state, read: Vec::new(), problems: Vec::new() }
    }

    /// The `len` numbers of `name`, or zeros and a problem.
    fn numbers(&mut self, name: &'static str, len: usize) -> Vec<f64> {
        self.read.push(name);
        let like = retrograd_tensor::F64.zeros([len]);
        let value = crate::optim::entry(self.state, name, &like);
        value.unwrap_or_else(|problem| self.problem(problem, like)).to_vec::<f64>()
    }

    /// The number `name`, or 0 and a problem.
    fn count(&mut self, name: &'static str) -> u64 {
        self.read.push(name);
        let like = Tensor::from(0i64);
        let value = crate::optim::entry(self.state, name, &like);
        let value = value.unwrap_or_else(|problem| self.problem(problem, like));
        u64::try_from(value.to_vec::<i64>()[0])
            .unwrap_or_else(|_| self.problem(format!("`{name}` is negative"), 0))
    }

    fn problem<T>(&mut self, problem: String, instead: T) -> T {
        self.problems.push(problem);
        instead
    }

    fn finish(mut self) -> Result<(), Error> {
        let unknown = self.state.keys().filter(|name| !self.read.contains(&name.as_str()));
        self.problems.extend(unknown.map(|name| format!("`{name}` is unexpected")));
        if self.problems.is_empty() {
            return Ok(());
        }
        let detail = format!("state does not fit: {}; the schedule is unchanged", self.problems.join(", "));
        Err(Error::new(self.op, ErrorKind::Format, detail))
    }
}

/// Refuses an option whose value makes no schedule.
#[track_caller]
fn check(op: &'static str, ok: bool, given: &str, wanted: &str) {
    if !ok {
        raise(Error::new(op, ErrorKind::Value, format!("value not allowed: {given}; {wanted}")));
    }
}
