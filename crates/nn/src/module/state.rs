//! State dicts: gathering the values of a model by name, and checking values from elsewhere against a model.
//!
//! A check finds everything that does not fit before anything is changed, and says all of it at once.

use super::Slot;
use retrograd_autograd::Differentiate;
use retrograd_tensor::{DType, Error, ErrorKind, Tensor};
use std::collections::BTreeMap;

/// The values of a model's parameters and buffers, by dotted name.
pub type StateDict = BTreeMap<String, Tensor>;

/// `Module::visit` of some module, ready to be given its visitor.
type Walk<'w, 'a> = dyn FnMut(&mut dyn FnMut(&str, Slot<'a>)) + 'w;

/// `Module::aliases` of some module, ready to be given its visitor.
type Aliases<'w> = dyn FnMut(&mut dyn FnMut(&str, &str)) + 'w;

/// What a slot asks of its entry.
struct Wanted {
    name: String,
    /// The other names that the entry may come under.
    aliases: Vec<String>,
    shape: Vec<usize>,
    dtype: DType,
    optional: bool,
}

/// The values of all slots, under their names and aliases.
pub(super) fn collect(visit: &mut Walk<'_, '_>, aliases: &mut Aliases<'_>) -> StateDict {
    let mut state = StateDict::new();
    visit(&mut |name, slot| {
        state.insert(name.to_owned(), value(&slot));
    });
    aliases(&mut |alias, target| {
        if let Some(value) = state.get(target).cloned() {
            state.insert(alias.to_owned(), value);
        }
    });
    state
}

/// The value for every slot that `state` has one for, by the slot's own name; or every reason why `state` does
/// not fit.
pub(super) fn check(
    visit: &mut Walk<'_, '_>,
    aliases: &mut Aliases<'_>,
    state: &StateDict,
) -> Result<StateDict, Error> {
    let wanted = wanted(visit, aliases);
    let mut plan = StateDict::new();
    let mut problems = Vec::new();
    for slot in &wanted {
        match find(slot, state) {
            Ok(Some(value)) => {
                plan.insert(slot.name.clone(), value.clone());
            }
            Ok(None) if slot.optional => {}
            Ok(None) => problems.push(format!("`{}` is missing", slot.name)),
            Err(problem) => problems.push(problem),
        }
    }
    let known = |name: &String| wanted.iter().any(|slot| slot.name == *name || slot.aliases.contains(name));
    problems.extend(state.keys().filter(|name| !known(name)).map(|name| format!("`{name}` is unexpected")));
    if problems.is_empty() {
        return Ok(plan);
    }
    let detail = format!(
        "{} of {} entries do not fit: {}; the model is unchanged",
        problems.len(),
        state.len().max(wanted.len()),
        problems.join(", ")
    );
    Err(Error::new("load_state_dict", ErrorKind::Format, detail))
}

fn wanted(visit: &mut Walk<'_, '_>, aliases: &mut Aliases<'_>) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    visit(&mut |name, slot| {
        let value = value(&slot);
        wanted.push(Wanted {
            name: name.to_owned(),
            aliases: Vec::new(),
            shape: value.shape().to_vec(),
            dtype: value.dtype(),
            optional: matches!(slot, Slot::Buffer(buffer) if buffer.is_optional()),
        });
    });
    aliases(&mut |alias, target| {
        if let Some(slot) = wanted.iter_mut().find(|slot| slot.name == target) {
            slot.aliases.push(alias.to_owned());
        }
    });
    wanted
}

/// The entry for `slot`, if there is one that fits it; entries under several of its names must agree.
fn find<'s>(slot: &Wanted, state: &'s StateDict) -> Result<Option<&'s Tensor>, String> {
    let mut found: Option<(&str, &Tensor)> = None;
    for name in std::iter::once(&slot.name).chain(&slot.aliases) {
        let Some(value) = state.get(name) else { continue };
        if value.shape()[..] != slot.shape[..] {
            return Err(format!("`{name}` has shape {:?}, not {:?}", &value.shape()[..], slot.shape));
        }
        if value.dtype() != slot.dtype {
            return Err(format!("`{name}` is {}, not {}", value.dtype(), slot.dtype));
        }
        match found {
            None => found = Some((name, value)),
            Some((first, other)) if value != other => {
                return Err(format!("`{name}` and `{first}` differ, but name one parameter"));
            }
            Some(_) => {}
        }
    }
    Ok(found.map(|(_, value)| value))
}

fn value(slot: &Slot<'_>) -> Tensor {
    match slot {
        Slot::Param(param) => param.value().detach(),
        Slot::Buffer(buffer) => buffer.value(),
    }
}
