//! Averages of weights over a run.

use super::state::entry;
use crate::module::{Module, SlotMut, StateDict};
use retrograd_autograd::Differentiate;
use retrograd_tensor::{Error, ErrorKind, Tensor, force_all, no_grad, raise};

/// A moving or a plain average of a model's parameters, beside the model.
///
/// [`update`](WeightAverage::update) after each step; to evaluate or to save, [`swap`](WeightAverage::swap) the
/// averages in, and swap back. Buffers are not averaged: statistics of a batch normalisation should be taken anew
/// over averaged weights.
///
/// ```
/// use retrograd_nn::{Param, WeightAverage};
/// use retrograd_tensor::Tensor;
/// let mut p = Param::new(Tensor::from([1.0f64]));
/// let mut swa = WeightAverage::swa(&p);
/// for value in [1.0, 2.0, 6.0] {
///     drop(p.replace(&Tensor::from([value])));
///     swa.update(&p)?;
/// }
/// swa.swap(&mut p)?;
/// assert_eq!(p.item(), 3.0);
/// swa.swap(&mut p)?;
/// assert_eq!(p.item(), 6.0);
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct WeightAverage {
    /// The share of the past, or none for a plain average.
    decay: Option<f64>,
    updates: u64,
    values: StateDict,
}

/// The name of the count in a state dict, as PyTorch's.
const COUNT: &str = "n_averaged";

impl WeightAverage {
    /// The exponential moving average: after the first update, a ← decay · a + (1 - decay) · p.
    ///
    /// # Panics
    /// If the decay is outside [0, 1].
    #[track_caller]
    pub fn ema(model: &dyn Module, decay: f64) -> Self {
        if !(0.0..=1.0).contains(&decay) {
            let detail = format!("decay not allowed: {decay}; it must be in [0, 1]");
            raise(Error::new("WeightAverage", ErrorKind::Value, detail));
        }
        Self { decay: Some(decay), ..Self::swa(model) }
    }

    /// The plain average of all updates (Izmailov and others, 2018): a ← a + (p - a) / n.
    pub fn swa(model: &dyn Module) -> Self {
        let named = model.named_parameters().into_iter();
        let values = named.map(|(name, param)| (name, param.value().detach())).collect();
        Self { decay: None, updates: 0, values }
    }

    /// Takes in the present parameters; the first time, as they are.
    ///
    /// # Errors
    /// If names or shapes are not those of the model that the average was made for; nothing is changed then.
    pub fn update(&mut self, model: &dyn Module) -> Result<(), Error> {
        self.check(model)?;
        self.updates += 1;
        let weight = match self.decay {
            _ if self.updates == 1 => 1.0,
            Some(decay) => 1.0 - decay,
            None => 1.0 / self.updates as f64,
        };
        no_grad(|| {
            for (name, param) in model.named_parameters() {
                let Some(value) = self.values.get_mut(&name) else { continue };
                let new = param.value().detach();
                *value = if weight == 1.0 { new } else { value.lerp(&new, weight) };
            }
            force_all(&self.values.values().collect::<Vec<_>>());
        });
        Ok(())
    }

    /// Exchanges averages and parameters.
    ///
    /// # Errors
    /// As [`update`](WeightAverage::update).
    pub fn swap(&mut self, model: &mut dyn Module) -> Result<(), Error> {
        self.check(model)?;
        model.visit_mut("", &mut |name, slot| {
            if let (SlotMut::Param(param), Some(value)) = (slot, self.values.get_mut(name)) {
                *value = param.replace(value).detach();
            }
        });
        Ok(())
    }

    fn check(&self, model: &dyn Module) -> Result<(), Error> {
        let values = model.named_parameters().into_iter().map(|(name, param)| (name, param.value().detach()));
        fits(&self.values, &values.collect())
    }

    /// The averages under the names of the parameters, and how many updates they hold, `n_averaged`.
    pub fn state_dict(&self) -> StateDict {
        let mut state = self.values.clone();
        state.insert(COUNT.to_owned(), Tensor::from(self.updates as i64));
        state
    }

    /// Continues from `state`: all of it, or none.
    ///
    /// # Errors
    /// If an entry is missing, unknown, or does not fit; nothing is changed then.
    pub fn load_state_dict(&mut self, state: &StateDict) -> Result<(), Error> {
        let mut values = state.clone();
        let count = entry(state, COUNT, &Tensor::from(0i64)).map_err(|problem| unfit(&[problem]))?;
        values.remove(COUNT);
        fits(&self.values, &values)?;
        let count = u64::try_from(count.to_vec::<i64>()[0]);
        self.updates = count.map_err(|_| unfit(&[format!("`{COUNT}` is negative")]))?;
        self.values = values.into_iter().map(|(name, value)| (name, value.detach())).collect();
        Ok(())
    }
}

/// Whether `given` has the names, shapes and types of `wanted`.
fn fits(wanted: &StateDict, given: &StateDict) -> Result<(), Error> {
    let mut problems: Vec<String> =
        wanted.iter().filter_map(|(name, like)| entry(given, name, like).err()).collect();
    let unknown = given.keys().filter(|name| !wanted.contains_key(*name));
    problems.extend(unknown.map(|name| format!("`{name}` is unexpected")));
    if problems.is_empty() { Ok(()) } else { Err(unfit(&problems)) }
}

fn unfit(problems: &[String]) -> Error {
    let detail = format!("values do not fit: {}; the average is unchanged", problems.join(", "));
    Error::new("WeightAverage", ErrorKind::Format, detail)
}
