//! What optimizers share: the parameters they were made for, their state, and the step around a formula.

use super::Unused;
use crate::module::{Module, SlotMut, StateDict, join};
use crate::param::Param;
use retrograd_autograd::{Differentiate, Gradients, Missing};
use retrograd_tensor::{DType, Error, ErrorKind, Formula, I64, Operand, Scalar, Tensor, force_all, no_grad};
use std::collections::BTreeMap;

/// The bookkeeping of an optimizer. Live state goes by the identities of parameters, saved state by their names
/// in the module that the optimizer was made for.
#[derive(Debug)]
pub(super) struct Core {
    /// The optimizer's name, for messages.
    op: &'static str,
    pub(super) unused: Unused,
    params: BTreeMap<u64, Known>,
}

#[derive(Debug)]
struct Known {
    name: String,
    shape: Vec<usize>,
    dtype: DType,
    /// Absent before the first step.
    state: Option<State>,
}

#[derive(Clone, Debug)]
struct State {
    steps: u64,
    moments: Vec<Tensor>,
}

/// One parameter's update in the making: what the formula reads.
pub(super) struct Update<'a> {
    /// The number of this step, from 1.
    pub(super) step: u64,
    /// The parameter, its gradient, its moments.
    operands: Vec<Operand>,
    dtype: DType,
    /// The formula of the parameter before, with what it may depend on.
    last: &'a mut Option<(u64, DType, Formula)>,
}

impl Update<'_> {
    /// Computes the new parameter and moments by one expression: `formula` gets the parameter, its gradient, its
    /// moments and the `rates`, in this order, and gives the new parameter and moments. Moments are flushed.
    ///
    /// Within a step it is traced once for all parameters of a type and age.
    pub(super) fn compute(
        mut self,
        rates: &[f64],
        formula: impl FnOnce(&[Scalar]) -> Vec<Scalar>,
    ) -> Vec<Tensor> {
        self.operands.extend(rates.iter().map(|&rate| Operand::from(rate)));
        let known = self.last.take().filter(|(step, dtype, _)| (*step, *dtype) == (self.step, self.dtype));
        let known =
            known.unwrap_or_else(|| (self.step, self.dtype, Formula::new(self.operands.len(), formula)));
        self.last.insert(known).2.apply(self.operands)
    }

    /// `moment`, or 0 where it is below the smallest normal number of the parameter's type.
    pub(super) fn flush(&self) -> impl Fn(Scalar) -> Scalar + use<> {
        let least = match self.dtype {
            DType::F64 => f64::MIN_POSITIVE,
            // Half floats are computed in `f32`, whose speed does not suffer from their subnormal numbers.
            DType::F16 => 0.0,
            _ => f64::from(f32::MIN_POSITIVE),
        };
        move |moment| if least == 0.0 { moment } else { moment.abs().lt(least).where_(0.0, moment) }
    }
}

impl Core {
    pub(super) fn new(op: &'static str, model: &dyn Module) -> Self {
        let known = |(name, param): (String, &Param)| {
            (param.id(), Known { name, shape: param.shape().to_vec(), dtype: param.dtype(), state: None })
        };
        let params = model.named_parameters().into_iter().map(known).collect();
        Self { op, unused: Unused::default(), params }
    }

    /// Checks all gradients, then replaces every trainable parameter and its `moments` moments by what `formula`
    /// makes of them, and computes all of them together.
    pub(super) fn step(
        &mut self,
        model: &mut dyn Module,
        grads: &Gradients,
        moments: usize,
        formula: impl Fn(Update<'_>) -> Vec<Tensor>,
    ) -> Result<(), Error> {
        let ready = self.ready(model, grads)?;
        let mut changed = Vec::with_capacity(ready.len() * (1 + moments));
        let mut last = None;
        no_grad(|| {
            for (param, grad) in ready {
                let Some(known) = self.params.get_mut(&param.id()) else { continue };
                let old = known.state.take().unwrap_or_else(|| State {
                    steps: 0,
                    moments: (0..moments).map(|_| param.zeros_like().detach()).collect(),
                });
                let step = old.steps + 1;
                let mut operands = vec![Operand::from(param.value().detach()), Operand::from(grad)];
                operands.extend(old.moments.into_iter().map(Operand::from));
                let mut new =
                    formula(Update { step, operands, dtype: known.dtype, last: &mut last }).into_iter();
                if let Some(value) = new.next() {
                    // From here on only the pending update holds the old value, which is what lets it be
                    // overwritten.
                    drop(param.replace(&value));
                    changed.push(value);
                }
                let moments: Vec<Tensor> = new.collect();
                changed.extend(moments.iter().cloned());
                known.state = Some(State { steps: step, moments });
            }
            force_all(&changed.iter().collect::<Vec<_>>());
        });
        Ok(())
    }

    /// The trainable parameters with their gradients, if every one has what a step needs.
    fn ready<'m, 'g>(
        &self,
        model: &'m mut dyn Module,
        grads: &'g Gradients,
    ) -> Result<Vec<(&'m mut Param, &'g Tensor)>, Error> {
        let mut ready = Vec::new();
        let mut problems = Vec::new();
        let mut trainable = 0;
        model.visit_mut("", &mut |name, slot| {
            let SlotMut::Param(param) = slot else { return };
            if !param.is_trainable() {
                return;
            }
            trainable += 1;
            if !self.params.contains_key(&param.id()) {
                problems.push(format!(
                    "`{name}` is not a parameter of the model that the optimizer was made for"
                ));
                return;
            }
            match gradient(name, param, grads, self.unused) {
                Ok(Some(grad)) => ready.push((param, grad)),
                Ok(None) => {}
                Err(problem) => problems.push(problem),
            }
        });
        if problems.is_empty() { Ok(ready) } else { Err(refusal(self.op, trainable, &problems)) }
    }

    /// The state under names: moment `i` as `name.moments[i]`.
    pub(super) fn state_dict(&self, moments: &[&str]) -> StateDict {
        let mut dict = StateDict::new();
        for Known { name, state, .. } in self.params.values() {
            let Some(state) = state else { continue };
            dict.insert(join(name, "step").into_owned(), Tensor::from(state.steps as i64));
            for (moment, value) in moments.iter().zip(&state.moments) {
                dict.insert(join(name, moment).into_owned(), value.clone());
            }
        }
        dict
    }

    /// Takes state back; a parameter without entries begins anew.
    pub(super) fn load_state_dict(&mut self, moments: &[&str], dict: &StateDict) -> Result<(), Error> {
        let mut problems = Vec::new();
        let mut states = BTreeMap::new();
        let mut used = 0;
        for (&id, known) in &self.params {
            let names = ["step"].iter().chain(moments).map(|part| join(&known.name, part).into_owned());
            let entries: Vec<(String, Option<&Tensor>)> =
                names.map(|name| (name.clone(), dict.get(&name))).collect();
            let given = entries.iter().filter(|(_, value)| value.is_some()).count();
            used += given;
            if given > 0 {
                match known.state_of(&entries) {
                    Ok(state) => drop(states.insert(id, state)),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        if used < dict.len() {
            problems.push(format!("{} entries belong to no parameter", dict.len() - used));
        }
        if !problems.is_empty() {
            let detail = format!("state does not fit: {}; the optimizer is unchanged", problems.join(", "));
            return Err(Error::new(self.op, ErrorKind::Format, detail));
        }
        for (id, known) in &mut self.params {
            known.state = states.remove(id);
        }
        Ok(())
    }
}

impl Known {
    /// The state that the entries `step`, then moments, make up.
    fn state_of(&self, entries: &[(String, Option<&Tensor>)]) -> Result<State, String> {
        let mut values = Vec::new();
        for (position, (name, value)) in entries.iter().enumerate() {
            let value = value.ok_or_else(|| format!("`{name}` is missing"))?;
            let (shape, dtype) = if position == 0 { (&[][..], I64) } else { (&self.shape[..], self.dtype) };
            if value.shape()[..] != *shape || value.dtype() != dtype {
                let (given, given_dtype) = (&value.shape()[..], value.dtype());
                return Err(format!("`{name}` is {given_dtype} {given:?}, not {dtype} {shape:?}"));
            }
            values.push(value.detach());
        }
        let moments = values.split_off(1);
        Ok(State { steps: values[0].item() as u64, moments })
    }
}

/// The gradient of `param` if it is usable, `None` if it may be skipped, or what is wrong with it.
pub(super) fn gradient<'g>(
    name: &str,
    param: &Param,
    grads: &'g Gradients,
    unused: Unused,
) -> Result<Option<&'g Tensor>, String> {
    let Some(grad) = grads.get(param) else {
        return match (grads.why_missing(param), unused) {
            (Missing::Unused, Unused::Skip) => Ok(None),
            (Missing::Unused, Unused::Error) => Err(format!("`{name}` is unused")),
            (reason, _) => Err(format!("`{name}` is {reason}")),
        };
    };
    if grad.shape()[..] != param.shape()[..] {
        return Err(format!(
            "`{name}` has shape {:?}, its gradient {:?}",
            &param.shape()[..],
            &grad.shape()[..]
        ));
    }
    if grad.dtype() != param.dtype() {
        return Err(format!("`{name}` is {}, its gradient {}", param.dtype(), grad.dtype()));
    }
    Ok(Some(grad))
}

/// The error that lists all problems.
pub(super) fn refusal(op: &'static str, trainable: usize, problems: &[String]) -> Error {
    let detail = format!(
        "{} of {trainable} trainable parameters have no usable gradient: {}; nothing was changed; \
         freeze those that are not to be trained, or let unused ones pass with Unused::Skip",
        problems.len(),
        problems.join(", "),
    );
    Error::new(op, ErrorKind::Gradient, detail)
}
