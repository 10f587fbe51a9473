//! What optimizers share: the parameters they were made for, in groups with settings of their own, and the step
//! around a rule. `state` keeps what goes with each parameter.

use super::rule::Rule;
use super::state::{Known, State};
use super::{Knobs, Unused};
use crate::module::{Module, SlotMut, StateDict};
use crate::param::Param;
use retrograd_autograd::{Gradients, Missing};
use retrograd_tensor::{
    DType, Error, ErrorKind, Formula, Operand, Scalar, Tensor, force_all, no_grad, raise,
};
use std::collections::BTreeMap;

/// The bookkeeping of an optimizer. Live state goes by the identities of parameters, saved state by their names
/// in the module that the optimizer was made for.
#[derive(Debug)]
pub(super) struct Core<R> {
    pub(super) unused: Unused,
    params: BTreeMap<u64, Known>,
    groups: Vec<R>,
}

/// What an expression may depend on: group, step and type.
type Key = (usize, u64, DType);

/// One parameter's update in the making: what the rule reads.
pub(super) struct Update<'a> {
    /// The number of this step, from 1.
    pub(super) step: u64,
    pub(super) param: Tensor,
    pub(super) grad: Tensor,
    pub(super) slots: Vec<Tensor>,
    key: Key,
    /// The formula of the parameter before.
    last: &'a mut Option<(Key, Formula)>,
}

impl Update<'_> {
    /// Computes the new parameter and state by one expression: `formula` gets the parameter, its gradient, its
    /// state and the `rates`, in this order, and gives the new parameter and state.
    ///
    /// Within a step it is traced once for all parameters of a group, type and age.
    pub(super) fn compute(
        self,
        rates: &[f64],
        formula: impl FnOnce(&[Scalar]) -> Vec<Scalar>,
    ) -> Vec<Tensor> {
        let count = 2 + self.slots.len() + rates.len();
        let known = self.last.take().filter(|(key, _)| *key == self.key);
        let known = known.unwrap_or_else(|| (self.key, Formula::new(count, formula)));
        let tensors = [self.param, self.grad].into_iter().chain(self.slots).map(Operand::from);
        self.last.insert(known).1.apply(tensors.chain(rates.iter().map(|&rate| Operand::from(rate))))
    }

    /// `moment`, or 0 where it is below the smallest normal number of the parameter's type.
    pub(super) fn flush(&self) -> impl Fn(Scalar) -> Scalar + use<> {
        let least = match self.key.2 {
            DType::F64 => f64::MIN_POSITIVE,
            // Half floats are computed in `f32`, whose speed does not suffer from their subnormal numbers.
            DType::F16 => 0.0,
            _ => f64::from(f32::MIN_POSITIVE),
        };
        move |moment| if least == 0.0 { moment } else { moment.abs().lt(least).where_(0.0, moment) }
    }
}

impl<R: Rule> Core<R> {
    #[track_caller]
    pub(super) fn new(model: &dyn Module, rule: R) -> Self {
        let known = |(name, param): (String, &Param)| (param.id(), Known::new(name, param));
        let params = model.named_parameters().into_iter().map(known).collect();
        checked(&rule);
        Self { unused: Unused::default(), params, groups: vec![rule] }
    }

    /// Changes the settings of the first group.
    #[track_caller]
    pub(super) fn change(&mut self, change: impl FnOnce(&mut R)) {
        change(&mut self.groups[0]);
        checked(&self.groups[0]);
    }

    #[track_caller]
    pub(super) fn group(&mut self, chosen: impl Fn(&str, &[usize]) -> bool, change: impl FnOnce(&mut R)) {
        let mut rule = self.groups[0].clone();
        change(&mut rule);
        checked(&rule);
        let group = Some(self.groups.len());
        self.assign("group", |known| if chosen(&known.name, &known.shape) { group } else { known.group });
        self.groups.push(rule);
    }

    #[track_caller]
    pub(super) fn only(&mut self, chosen: impl Fn(&str, &[usize]) -> bool) {
        self.assign("only", |known| known.group.filter(|_| chosen(&known.name, &known.shape)));
    }

    /// Puts every parameter into the group that `group` says, if that leaves or brings any.
    #[track_caller]
    fn assign(&mut self, what: &str, group: impl Fn(&Known) -> Option<usize>) {
        let groups: Vec<Option<usize>> = self.params.values().map(group).collect();
        let wanted = if what == "only" { 0..self.groups.len() } else { self.groups.len()..usize::MAX };
        if !groups.iter().flatten().any(|group| wanted.contains(group)) {
            let names: Vec<&str> = self.params.values().map(|known| known.name.as_str()).collect();
            let detail = format!("`{what}` chose no parameter: there are {names:?}; choose one by its name");
            raise(Error::new(R::NAME, ErrorKind::Value, detail));
        }
        for (known, group) in self.params.values_mut().zip(groups) {
            known.group = group;
        }
    }

    pub(super) fn knobs(&mut self) -> Vec<Knobs<'_>> {
        self.groups.iter_mut().map(Rule::knobs).collect()
    }

    /// Checks all gradients, then replaces every trainable parameter and its state by what its rule makes of them,
    /// and computes all of them together.
    pub(super) fn step(&mut self, model: &mut dyn Module, grads: &Gradients) -> Result<(), Error> {
        for rule in &self.groups {
            rule.coherent().map_err(|problem| Error::new(R::NAME, ErrorKind::Value, problem))?;
        }
        let ready = self.ready(model, grads)?;
        let mut changed = Vec::with_capacity(ready.len());
        let mut last = None;
        no_grad(|| {
            for (param, grad) in ready {
                let Some(known) = self.params.get_mut(&param.id()) else { continue };
                let Some(group) = known.group else { continue };
                let rule = &self.groups[group];
                let State { steps, slots } = known.take_state(rule);
                let step = steps + 1;
                let key = (group, step, known.dtype);
                let update =
                    Update { step, param: param.bare(), grad: grad.clone(), slots, key, last: &mut last };
                let mut new = rule.update(update).into_iter();
                if let Some(value) = new.next() {
                    // From here on only the pending update holds the old value, which is what lets it be
                    // overwritten.
                    drop(param.replace(&value));
                    changed.push(value);
                }
                let slots: Vec<Tensor> = new.collect();
                changed.extend(slots.iter().cloned());
                known.state = Some(State { steps: step, slots });
            }
            force_all(&changed.iter().collect::<Vec<_>>());
        });
        Ok(())
    }

    /// The trainable parameters of this optimizer with their gradients, if every one has what a step needs.
    fn ready<'m, 'g>(
        &self,
        model: &'m mut dyn Module,
        grads: &'g Gradients,
    ) -> Result<Vec<(&'m mut Param, &'g Tensor)>, Error> {
        let mut ready = Vec::with_capacity(self.params.len());
        let mut problems = Vec::new();
        let mut trainable = 0;
        model.visit_mut("", &mut |name, slot| {
            let SlotMut::Param(param) = slot else { return };
            if !param.is_trainable() {
                return;
            }
            let group = match self.params.get(&param.id()) {
                Some(known) => known.group,
                None => {
                    trainable += 1;
                    let problem = "is not a parameter of the model that the optimizer was made for";
                    problems.push(format!("`{name}` {problem}"));
                    return;
                }
            };
            let Some(group) = group else { return };
            trainable += 1;
            if let Err(problem) = self.groups[group].accepts(&param.shape()[..]) {
                problems.push(format!("`{name}` {problem}"));
                return;
            }
            match gradient(name, param, grads, self.unused) {
                Ok(Some(grad)) => ready.push((param, grad)),
                Ok(None) => {}
                Err(problem) => problems.push(problem),
            }
        });
        if problems.is_empty() { Ok(ready) } else { Err(refusal(R::NAME, trainable, &problems)) }
    }

    /// The state under names, such as `fc1.weight.exp_avg`.
    pub(super) fn state_dict(&self) -> StateDict {
        let mut dict = StateDict::new();
        for known in self.params.values() {
            if let Some(group) = known.group {
                known.save(&self.groups[group], &mut dict);
            }
        }
        dict
    }

    /// Takes state back; a parameter without entries begins anew.
    pub(super) fn load_state_dict(&mut self, dict: &StateDict) -> Result<(), Error> {
        let mut problems = Vec::new();
        let mut states = BTreeMap::new();
        let mut used = 0;
        for (&id, known) in &self.params {
            let Some(group) = known.group else { continue };
            let (given, state) = known.load(&self.groups[group], dict);
            used += given;
            match state {
                Ok(state) => drop(states.insert(id, state)),
                Err(problem) => problems.push(problem),
            }
        }
        if used < dict.len() {
            problems.push(format!("{} entries belong to no parameter", dict.len() - used));
        }
        if !problems.is_empty() {
            let detail = format!("state does not fit: {}; the optimizer is unchanged", problems.join(", "));
            return Err(Error::new(R::NAME, ErrorKind::Format, detail));
        }
        for (id, known) in &mut self.params {
            known.state = states.remove(id).flatten();
        }
        Ok(())
    }
}

#[track_caller]
fn checked<R: Rule>(rule: &R) {
    if let Err(problem) = rule.check() {
        raise(Error::new(R::NAME, ErrorKind::Value, problem));
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
