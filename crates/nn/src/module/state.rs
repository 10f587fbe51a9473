//! State dicts: gathering the values of a model by name, and checking values from elsewhere against a model.
//!
//! A check finds everything that does not fit before anything is changed, and says all of it at once. It needs only
//! names, shapes and types, so that a file is compared by its header and read where it is wanted.

use super::Slot;
use retrograd_autograd::Differentiate;
use retrograd_tensor::{DType, Error, ErrorKind, Tensor};
use std::collections::{BTreeMap, BTreeSet};

/// The values of a model's parameters and buffers, by dotted name.
pub type StateDict = BTreeMap<String, Tensor>;

/// How exactly a state must fit a model that is to take it.
///
/// ```
/// use retrograd_nn::{Linear, LoadOptions, Module, StateDict};
/// use retrograd_tensor::{F16, Rng, Tensor};
/// let mut model = Linear::new(3, 2, &mut Rng::new(0));
/// let state = StateDict::from([
///     ("weight".to_owned(), Tensor::ones([2, 3]).cast(F16)),
///     ("scale".to_owned(), Tensor::ones([2])),
/// ]);
/// assert!(model.load_state_dict(&state).is_err());
///
/// let loaded = model.load_state_dict_with(&state, LoadOptions { strict: false, cast: true })?;
/// assert_eq!((loaded.missing, loaded.unexpected), (vec!["bias".to_owned()], vec!["scale".to_owned()]));
/// assert_eq!(model.weight.to_vec::<f32>(), [1.0; 6]);
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// Whether the names must be the same: entries that are missing or unexpected are errors. Otherwise they are
    /// told in [`Loaded`], as by PyTorch's `strict=False`; what is in both must fit all the same. On by default.
    pub strict: bool,
    /// Whether values of another floating type are converted to the slot's: weights in half precision for a model
    /// in single precision, say. Off by default.
    pub cast: bool,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { strict: true, cast: false }
    }
}

/// What loading left aside, by name; nothing if it was [`strict`](LoadOptions::strict).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Slots of the model that had no entry and stayed as they were; optional ones are not counted.
    pub missing: Vec<String>,
    /// Entries that the model has no slot for.
    pub unexpected: Vec<String>,
}

/// Where values come from: a state dict, or a file that is read as it is asked.
pub(crate) trait Source {
    /// The names of the entries.
    fn names(&self) -> Vec<&str>;

    /// Shape and type of an entry; an error if tensors have no such type.
    fn spec(&self, name: &str) -> Option<Result<(Vec<usize>, DType), String>>;

    /// The value of an entry.
    fn value(&self, name: &str) -> Result<Tensor, Error>;
}

impl Source for StateDict {
    fn names(&self) -> Vec<&str> {
        self.keys().map(String::as_str).collect()
    }

    fn spec(&self, name: &str) -> Option<Result<(Vec<usize>, DType), String>> {
        self.get(name).map(|value| Ok((value.shape().to_vec(), value.dtype())))
    }

    fn value(&self, name: &str) -> Result<Tensor, Error> {
        Ok(self[name].clone())
    }
}

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

impl Wanted {
    /// All names that the entry may come under, the slot's own first.
    fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.name).chain(&self.aliases).map(String::as_str)
    }

    fn fits(&self, shape: &[usize], dtype: DType, options: LoadOptions) -> Result<(), String> {
        if *shape != self.shape[..] {
            return Err(format!("has shape {shape:?}, not {:?}", self.shape));
        }
        let castable = options.cast && dtype.is_float() && self.dtype.is_float();
        if dtype != self.dtype && !castable {
            return Err(format!("is {dtype}, not {}", self.dtype));
        }
        Ok(())
    }
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

/// The value for every slot that `source` has one for, by the slot's own name, and what was left aside; or every
/// reason why `source` does not fit.
pub(super) fn check(
    visit: &mut Walk<'_, '_>,
    aliases: &mut Aliases<'_>,
    source: &dyn Source,
    options: LoadOptions,
) -> Result<(StateDict, Loaded), Error> {
    let (wanted, astray) = wanted(visit, aliases);
    let mut entries = Vec::new();
    let mut problems = Vec::new();
    let mut loaded = Loaded::default();
    for slot in &wanted {
        match find(slot, source, options)? {
            Ok(Some(entry)) => entries.push((slot, entry)),
            Ok(None) if slot.optional => {}
            Ok(None) => loaded.missing.push(slot.name.clone()),
            Err(problem) => problems.push(problem),
        }
    }
    let known: BTreeSet<&str> = wanted.iter().flat_map(Wanted::names).collect();
    let names = source.names();
    loaded.unexpected =
        names.iter().filter(|name| !known.contains(*name)).map(|&name| name.to_owned()).collect();
    if options.strict {
        problems.extend(loaded.missing.drain(..).map(|name| format!("`{name}` is missing")));
        problems.extend(loaded.unexpected.drain(..).map(|name| match astray.get(&name) {
            Some(target) => format!("`{name}` is an alias of `{target}`, which the model does not have"),
            None => format!("`{name}` is unexpected"),
        }));
    }
    if !problems.is_empty() {
        let (found, slots, given) = (problems.len(), wanted.len(), names.len());
        // An entry under a wrong name is one that is missing and one that is unexpected.
        let counted = if found <= slots.max(given) {
            format!("{found} of {} entries do not fit", slots.max(given))
        } else {
            format!("{found} entries do not fit, of {slots} of the model and {given} given")
        };
        let detail = format!("{counted}: {}; the model is unchanged", problems.join(", "));
        return Err(Error::new("load_state_dict", ErrorKind::Format, detail));
    }
    let value =
        |(slot, entry): (&Wanted, &str)| Ok((slot.name.clone(), source.value(entry)?.cast(slot.dtype)));
    Ok((entries.into_iter().map(value).collect::<Result<_, Error>>()?, loaded))
}

/// What the slots ask for, and the aliases of what is no slot: of an option that is `None`, or misspelt.
fn wanted(visit: &mut Walk<'_, '_>, aliases: &mut Aliases<'_>) -> (Vec<Wanted>, BTreeMap<String, String>) {
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
    let mut astray = BTreeMap::new();
    aliases(&mut |alias, target| match wanted.iter_mut().find(|slot| slot.name == target) {
        Some(slot) => slot.aliases.push(alias.to_owned()),
        None => drop(astray.insert(alias.to_owned(), target.to_owned())),
    });
    (wanted, astray)
}

/// The name of the entry for `slot`, if there is one that fits it; entries under several of its names must agree.
fn find<'n>(
    slot: &'n Wanted,
    source: &dyn Source,
    options: LoadOptions,
) -> Result<Result<Option<&'n str>, String>, Error> {
    let mut found: Option<&str> = None;
    for name in slot.names() {
        let Some(spec) = source.spec(name) else { continue };
        if let Err(problem) = spec.and_then(|(shape, dtype)| slot.fits(&shape, dtype, options)) {
            return Ok(Err(format!("`{name}` {problem}")));
        }
        match found {
            None => found = Some(name),
            Some(first) if !same(&source.value(name)?, &source.value(first)?) => {
                return Ok(Err(format!("`{name}` and `{first}` differ, but name one parameter")));
            }
            Some(_) => {}
        }
    }
    Ok(Ok(found))
}

/// A NaN is the same as itself here.
fn same(a: &Tensor, b: &Tensor) -> bool {
    let both_nan = || a.ne(a).logical_and(b.ne(b));
    a.shape() == b.shape() && a.dtype() == b.dtype() && a.eq(b).logical_or(both_nan()).all(()).item() == 1.0
}

fn value(slot: &Slot<'_>) -> Tensor {
    match slot {
        Slot::Param(param) => param.value().detach(),
        Slot::Buffer(buffer) => buffer.value(),
    }
}
