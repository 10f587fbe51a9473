//! What an optimizer keeps with one parameter, live and under names.

use super::rule::Rule;
use crate::module::{StateDict, join};
use crate::param::Param;
use retrograd_autograd::Differentiate;
use retrograd_tensor::{DType, Tensor};

/// A parameter that the optimizer was made for.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) dtype: DType,
    /// The group whose settings it has; none if the optimizer leaves it alone.
    pub(super) group: Option<usize>,
    /// Absent before the first step.
    pub(super) state: Option<State>,
}

#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) steps: u64,
    pub(super) slots: Vec<Tensor>,
}

impl Known {
    pub(super) fn new(name: String, param: &Param) -> Self {
        Self { name, shape: param.shape().to_vec(), dtype: param.dtype(), group: Some(0), state: None }
    }

    /// The state, or that before the first step, leaving none.
    pub(super) fn take_state<R: Rule>(&mut self, rule: &R) -> State {
        self.state.take().unwrap_or_else(|| {
            let slots = rule.slots(&self.dtype.zeros(&self.shape[..]));
            State { steps: 0, slots: slots.into_iter().map(|(_, value)| value).collect() }
        })
    }

    /// Adds the state to `dict`: `step`, and each slot by its name.
    pub(super) fn save<R: Rule>(&self, rule: &R, dict: &mut StateDict) {
        let Some(state) = &self.state else { return };
        dict.insert(join(&self.name, "step").to_owned(), Tensor::from(state.steps as i64));
        let slots = rule.slots(&self.dtype.zeros(&self.shape[..]));
        for ((slot, _), value) in slots.into_iter().zip(&state.slots) {
            dict.insert(join(&self.name, slot).to_owned(), value.clone());
        }
    }

    /// How many entries `dict` has for this parameter, and the state that they make up: none without entries.
    pub(super) fn load<R: Rule>(&self, rule: &R, dict: &StateDict) -> (usize, Result<Option<State>, String>) {
        let mut wanted = vec![("step", Tensor::from(0i64))];
        wanted.extend(rule.slots(&self.dtype.zeros(&self.shape[..])));
        let named = wanted.into_iter().map(|(slot, like)| (join(&self.name, slot).to_owned(), like));
        let named: Vec<(String, Tensor)> = named.collect();
        let given = named.iter().filter(|(name, _)| dict.contains_key(name)).count();
        if given == 0 {
            return (0, Ok(None));
        }
        let values: Result<Vec<Tensor>, String> =
            named.iter().map(|(name, like)| entry(dict, name, like)).collect();
        let state = values.and_then(|mut values| {
            let slots = values.split_off(1);
            let steps = u64::try_from(values[0].to_vec::<i64>()[0]);
            let steps = steps.map_err(|_| format!("`{}` is negative", named[0].0))?;
            Ok(Some(State { steps, slots }))
        });
        (given, state)
    }
}

/// The entry `name` of `dict`, if its shape and type are those of `like`.
pub(crate) fn entry(dict: &StateDict, name: &str, like: &Tensor) -> Result<Tensor, String> {
    let value = dict.get(name).ok_or_else(|| format!("`{name}` is missing"))?;
    let (shape, dtype) = (&like.shape()[..], like.dtype());
    if value.shape()[..] != *shape || value.dtype() != dtype {
        return Err(format!("`{name}` is {} {:?}, not {dtype} {shape:?}", value.dtype(), &value.shape()[..]));
    }
    Ok(value.detach())
}
