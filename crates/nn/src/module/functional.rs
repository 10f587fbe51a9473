//! A model as a function of its parameters: called with other tensors in their place.
//!
//! The call works on a copy, whose values are shared with the model, so nothing that happens in it, a panic included,
//! can leave the model changed. A slot that gets no other tensor is the model's own in the copy, identity and all.

use super::{Module, Slot, SlotMut, StateDict};
use retrograd_tensor::{DType, Error, ErrorKind, Tensor, raise};
use std::collections::{BTreeMap, BTreeSet};

/// Tensors to call a model with: a list with one for each parameter, in the order of
/// [`parameters`](Module::parameters), or a state dict with one for each name that it has, of parameters and buffers.
pub trait Substitutes {
    /// Each tensor with the name that it is for; `parameters` are the names that a list goes by.
    ///
    /// # Errors
    /// If there is not one for each parameter, where it must be.
    fn named(&self, parameters: &[&str]) -> Result<Vec<(String, &Tensor)>, Error>;
}

impl Substitutes for [Tensor] {
    fn named(&self, parameters: &[&str]) -> Result<Vec<(String, &Tensor)>, Error> {
        if self.len() != parameters.len() {
            let (given, names) = (self.len(), parameters.join(", "));
            let right = format!("a list has one for each of the {}: {names}", parameters.len());
            let detail = format!("tensors do not fit: {given} given; {right}");
            return Err(Error::new("functional_call", ErrorKind::Value, detail));
        }
        Ok(parameters.iter().map(|&name| name.to_owned()).zip(self).collect())
    }
}

impl Substitutes for Vec<Tensor> {
    fn named(&self, parameters: &[&str]) -> Result<Vec<(String, &Tensor)>, Error> {
        self[..].named(parameters)
    }
}

impl Substitutes for StateDict {
    fn named(&self, _: &[&str]) -> Result<Vec<(String, &Tensor)>, Error> {
        Ok(self.iter().map(|(name, value)| (name.clone(), value)).collect())
    }
}

/// What `call` makes of `model` with other tensors in place of its parameters: the model as a function of these, for
/// `grad`, `hvp`, `jvp`, `vmap` and the like. PyTorch's `torch.func.functional_call`.
///
/// The tensors keep their past and may be what a transform hands to its function. A list has one for each parameter; of a
/// state dict, slots that it does not name stay the model's own, with their gradients, and a name may be an alias. Shapes
/// and types must be those of the slots. Frozen parameters count like others.
///
/// The model stays as it is: `call` sees a copy that shares its values. Running statistics that `call` moves and draws of
/// its dropout are gone with the copy, so that the same tensors give the same result again, as a function should.
///
/// A loss along a direction of the parameters:
///
/// ```
/// use retrograd_autograd::hvp;
/// use retrograd_nn::{Gelu, Linear, Losses, Module, Sequential, functional_call};
/// use retrograd_tensor::{Rng, Tensor};
/// let rng = &mut Rng::new(0);
/// let model = Sequential::new().then(Linear::new(3, 8, rng)).then(Gelu).then(Linear::new(8, 2, rng));
/// let (x, labels) = (Tensor::randn([5, 3], rng), Tensor::from([0i64, 1, 1, 0, 1]));
/// let at: Vec<&Tensor> = model.parameters().into_iter().map(|param| param.value()).collect();
/// let along: Vec<Tensor> = at.iter().map(|value| Tensor::randn(value.shape(), rng)).collect();
/// let loss = |p: &[Tensor]| functional_call(&model, p, |model| model.forward(&x).cross_entropy(&labels));
/// let (g, hv) = hvp(loss, &at, &along.iter().collect::<Vec<_>>());
/// assert_eq!((g.len(), hv[0].shape()), (4, model.parameters()[0].shape()));
/// ```
///
/// Several models of one kind at once, their parameters stacked, each on data of its own:
///
/// ```
/// use retrograd_autograd::vmap;
/// use retrograd_nn::{Linear, Module, functional_call};
/// use retrograd_tensor::{Rng, Tensor, stack};
/// let models: Vec<Linear> = (0..3).map(|seed| Linear::new(4, 2, &mut Rng::new(seed))).collect();
/// let of_all = |k: usize| stack(&models.iter().map(|model| model.parameters()[k].value()).collect::<Vec<_>>(), 0);
/// let x = Tensor::randn([3, 5, 4], &mut Rng::new(9));
/// let call = |p: &[Tensor]| functional_call(&models[0], &p[1..], |model| model.forward(&p[0]));
/// let y = vmap(call, &[&x, &of_all(0), &of_all(1)]);
/// assert_eq!(y.shape()[..], [3, 5, 2]);
/// assert!((y.select(0, 2) - models[2].forward(&x.select(0, 2))).abs().amax(()).item() < 1e-6);
/// ```
///
/// # Panics
/// If a list has not one tensor for each parameter, a name is none of the model's, or shape or type of a tensor differ
/// from its slot's; the message lists all of them.
#[track_caller]
pub fn functional_call<M: Module + Clone, R>(
    model: &M,
    tensors: &(impl Substitutes + ?Sized),
    call: impl FnOnce(&M) -> R,
) -> R {
    let mut slots = BTreeMap::new();
    let mut parameters = Vec::new();
    model.visit("", &mut |name, slot| {
        if let Slot::Param(_) = slot {
            parameters.push(name.to_owned());
        }
        slots.insert(name.to_owned(), slot);
    });
    let names: Vec<&str> = parameters.iter().map(String::as_str).collect();
    let found = tensors.named(&names).and_then(|named| {
        let mut targets = BTreeMap::new();
        model.aliases("", &mut |alias, target| drop(targets.insert(alias.to_owned(), target.to_owned())));
        matched(&slots, &targets, named)
    });
    let values = match found {
        Ok(values) => values,
        Err(error) => raise(error),
    };
    let mut copy = model.clone();
    copy.visit_mut("", &mut |name, slot| match (slot, values.get(name), slots.get(name)) {
        (SlotMut::Param(param), Some(value), _) => param.stand_in(value),
        (SlotMut::Param(param), None, Some(Slot::Param(own))) => *param = own.again(),
        (SlotMut::Buffer(buffer), Some(value), _) => buffer.stand_in(value),
        _ => {}
    });
    call(&copy)
}

/// The tensor for every slot that has one, by the slot's own name; or everything that does not fit.
fn matched(
    slots: &BTreeMap<String, Slot<'_>>,
    targets: &BTreeMap<String, String>,
    named: Vec<(String, &Tensor)>,
) -> Result<BTreeMap<String, Tensor>, Error> {
    let given = named.len();
    let own: BTreeSet<String> = named.iter().map(|(name, _)| name.clone()).collect();
    let (mut values, mut problems) = (BTreeMap::new(), Vec::new());
    for (name, value) in named {
        let target = targets.get(&name).unwrap_or(&name);
        let Some(slot) = slots.get(target) else {
            problems.push(format!("`{name}` is no parameter or buffer"));
            continue;
        };
        let (shape, dtype) = spec(slot);
        if value.shape()[..] != shape[..] {
            problems.push(format!("`{name}` has shape {}, not {shape:?}", value.shape()));
        } else if value.dtype() != dtype {
            problems.push(format!("`{name}` is {}, not {dtype}", value.dtype()));
        } else if *target == name || !own.contains(target) {
            // Under both names, a slot's own is the one that counts.
            values.insert(target.clone(), value.clone());
        }
    }
    if problems.is_empty() {
        return Ok(values);
    }
    let names: Vec<&str> = slots.keys().map(String::as_str).collect();
    let detail = format!(
        "{} of {given} tensors do not fit: {}; the model has {}",
        problems.len(),
        problems.join(", "),
        names.join(", ")
    );
    Err(Error::new("functional_call", ErrorKind::Shape, detail))
}

fn spec(slot: &Slot<'_>) -> (Vec<usize>, DType) {
    match slot {
        Slot::Param(param) => (param.shape().to_vec(), param.dtype()),
        Slot::Buffer(buffer) => {
            let value = buffer.value();
            (value.shape().to_vec(), value.dtype())
        }
    }
}
