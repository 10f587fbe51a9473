//! `#[derive(Module)]` and what the trait provides: names, state dicts, freezing, modes, identities.

extern crate retrograd_nn as retrograd;

use retrograd_nn::{Buffer, Dropout, Linear, Mode, Module, Param, Relu, Sequential, Slot, StateDict};
use retrograd_tensor::{F64, Rng, Tensor};
use std::collections::BTreeMap;
use std::marker::PhantomData;

fn param(n: usize) -> Param {
    Param::new(Tensor::ones([n]))
}

#[track_caller]
fn check_names(module: &dyn Module, names: &[&str]) {
    let found: Vec<String> = module.named_parameters().into_iter().map(|(name, _)| name).collect();
    assert_eq!(found, names);
}

#[derive(Module)]
struct Leaf(Param);

#[derive(Module)]
struct Pair(Param, Leaf);

#[derive(Module)]
enum Choice<M> {
    Nothing,
    One(M),
    Two(M, Param),
    Named { inner: M, r#type: Param },
}

struct NoModule;

#[derive(Module)]
struct Everything<M, T> {
    leaf: Leaf,
    pair: Pair,
    choices: Vec<Choice<M>>,
    array: [Param; 2],
    tuple: (Param, f64),
    absent: Option<Linear>,
    boxed: Box<dyn Module>,
    map: BTreeMap<String, M>,
    #[module(skip)]
    skipped: NoModule,
    marker: PhantomData<T>,
    name: String,
    rate: f32,
    on: bool,
}

#[test]
fn names_are_paths_of_fields_and_positions() {
    let everything = Everything::<_, NoModule> {
        leaf: Leaf(param(1)),
        pair: Pair(param(1), Leaf(param(1))),
        choices: vec![
            Choice::Nothing,
            Choice::One(Leaf(param(1))),
            Choice::Two(Leaf(param(1)), param(1)),
            Choice::Named { inner: Leaf(param(1)), r#type: param(1) },
        ],
        array: [param(1), param(1)],
        tuple: (param(1), 0.5),
        absent: None,
        boxed: Box::new(Linear::new(2, 1, &mut Rng::new(0))),
        map: BTreeMap::from([("left".to_owned(), Leaf(param(1)))]),
        skipped: NoModule,
        marker: PhantomData,
        name: "n".to_owned(),
        rate: 0.1,
        on: true,
    };
    let names = [
        "leaf",
        "pair.0",
        "pair.1",
        "choices.1",
        "choices.2.0",
        "choices.2.1",
        "choices.3.inner",
        "choices.3.type",
        "array.0",
        "array.1",
        "tuple.0",
        "boxed.weight",
        "boxed.bias",
        "map.left",
    ];
    check_names(&everything, &names);
    assert_eq!(everything.num_parameters(), names.len() + 1);
    let Everything { skipped: NoModule, name, rate, on, .. } = everything;
    assert!(on && rate > 0.0 && name == "n");
}

#[test]
fn a_recursive_generic_type_is_a_module() {
    #[derive(Module)]
    struct Tree<M> {
        here: M,
        below: Option<Box<Tree<M>>>,
    }
    let below = Some(Box::new(Tree { here: param(1), below: None }));
    check_names(&Tree { here: param(1), below }, &["here", "below.here"]);
}

#[test]
fn sequential_bears_positions() {
    let mut rng = Rng::new(1);
    let net = Sequential::new()
        .then(Linear::new(2, 3, &mut rng))
        .then(Relu)
        .then_fn(|x| x * 2.0)
        .then(Linear::without_bias(3, 1, &mut rng));
    check_names(&net, &["0.weight", "0.bias", "3.weight"]);
    let y = net.forward(&Tensor::ones([4, 2]));
    assert_eq!(y.shape()[..], [4, 1]);
    assert_eq!(net.clone().forward(&Tensor::ones([4, 2])), y);
}

#[test]
fn visits_shared_and_mutable_see_the_same_slots() {
    let mut model = (param(2), Buffer::new(Tensor::zeros([1])), Mode::Train);
    let mut seen = Vec::new();
    model.visit("at", &mut |name, slot| seen.push((name.to_owned(), matches!(slot, Slot::Buffer(_)))));
    assert_eq!(seen, [("at.0".to_owned(), false), ("at.1".to_owned(), true)]);
    let mut modes = Vec::new();
    model.visit_mut("at", &mut |name, slot| modes.push((name.to_owned(), format!("{slot:?}"))));
    assert_eq!(modes[2], ("at.2".to_owned(), "Mode(Train)".to_owned()));
}

#[derive(Clone, Module)]
#[module(alias(head.weight = "embed.weight"))]
struct Tied {
    embed: Linear,
    head: HeadBias,
}

#[derive(Clone, Module)]
struct HeadBias {
    bias: Param,
    stream: Buffer,
    count: Buffer,
}

fn tied() -> Tied {
    Tied {
        embed: Linear::without_bias(2, 3, &mut Rng::new(3)),
        head: HeadBias {
            bias: param(3),
            stream: Buffer::optional(Tensor::from([7i64])),
            count: Buffer::new(Tensor::from(0i64)),
        },
    }
}

#[test]
fn state_dicts_hold_aliases_and_buffers() {
    let model = tied();
    let state = model.state_dict();
    let names: Vec<&str> = state.keys().map(String::as_str).collect();
    assert_eq!(names, ["embed.weight", "head.bias", "head.count", "head.stream", "head.weight"]);
    assert_eq!(state["head.weight"], state["embed.weight"]);
    assert!(!format!("{:?}", model.embed.weight).is_empty());
}

#[test]
fn a_tied_model_takes_its_own_nan_back() {
    let mut model = tied();
    let broken = Tensor::from([[f32::NAN, 1.0], [2.0, 3.0], [4.0, 5.0]]);
    let mut state = model.state_dict();
    state.insert("head.weight".to_owned(), broken.clone());
    assert!(model.load_state_dict(&state).unwrap_err().to_string().contains("differ"));
    state.insert("embed.weight".to_owned(), broken);
    model.load_state_dict(&state).unwrap();
    assert!(model.state_dict()["head.weight"].to_vec::<f32>()[0].is_nan());
}

#[test]
fn loading_takes_either_name_and_may_lack_what_is_optional() {
    let mut state = tied().state_dict();
    let weight = Tensor::full([3, 2], 4f32);
    state.remove("embed.weight");
    state.remove("head.stream");
    state.insert("head.weight".to_owned(), weight.clone());
    state.insert("head.count".to_owned(), Tensor::from(5i64));
    let mut model = tied();
    let id = model.embed.weight.id();
    model.load_state_dict(&state).unwrap();
    assert_eq!(*model.embed.weight.value(), weight);
    assert_eq!(model.embed.weight.id(), id);
    assert_eq!(model.head.count.value().item(), 5.0);
    assert_eq!(model.head.stream.value(), Tensor::from([7i64]));
}

#[test]
fn a_state_that_does_not_fit_is_refused_as_a_whole() {
    let mut state = tied().state_dict();
    state.insert("embed.weight".to_owned(), Tensor::full([3, 2], 4f32));
    state.insert("head.bias".to_owned(), Tensor::ones([4]));
    state.insert("head.count".to_owned(), F64.zeros(()));
    state.insert("tail".to_owned(), Tensor::ones([1]));
    let mut model = tied();
    let before = model.state_dict();
    let message = model.load_state_dict(&state).unwrap_err().to_string();
    for part in [
        "load_state_dict: 4 of 6 entries do not fit",
        "`head.weight` and `embed.weight` differ",
        "`head.bias` has shape [4], not [3]",
        "`head.count` is f64, not i64",
        "`tail` is unexpected",
        "the model is unchanged",
    ] {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
    assert_eq!(model.state_dict(), before);
    let message = model.load_state_dict(&StateDict::new()).unwrap_err().to_string();
    assert!(message.contains("`embed.weight` is missing, `head.bias` is missing, `head.count` is missing"));
}

#[test]
fn freezing_goes_by_whole_segments() {
    let mut model: Vec<Leaf> = (0..11).map(|_| Leaf(param(1))).collect();
    model.freeze_prefix("1");
    let frozen: Vec<bool> = model.iter().map(|leaf| !leaf.0.is_trainable()).collect();
    assert_eq!(frozen, [false, true, false, false, false, false, false, false, false, false, false]);
    model.freeze();
    assert!(model.parameters().iter().all(|param| !param.is_trainable()));
    model.unfreeze_prefix("10");
    assert!(model[10].0.is_trainable() && !model[1].0.is_trainable());
    model.unfreeze();
    assert!(model.parameters().iter().all(|param| param.is_trainable()));
}

#[test]
#[should_panic(expected = "freeze_prefix: no parameter found: at or under `head`")]
fn freezing_nothing_is_a_mistake() {
    vec![Leaf(param(1))].freeze_prefix("head");
}

#[test]
fn a_clone_has_its_own_identities_and_values() {
    let model = tied();
    let mut copy = model.clone();
    let ids = |model: &Tied| model.parameters().iter().map(|param| param.id()).collect::<Vec<_>>();
    assert!(ids(&model).iter().all(|id| !ids(&copy).contains(id)));
    assert_eq!(model.state_dict(), copy.state_dict());
    drop(copy.head.bias.replace(&Tensor::zeros([3])));
    drop(copy.head.count.update(|count| count + 1));
    assert_eq!(model.head.bias.to_vec::<f32>(), [1.0; 3]);
    assert_eq!((model.head.count.value().item(), copy.head.count.value().item()), (0.0, 1.0));
}

#[test]
fn evaluation_reaches_every_layer() {
    let mut net = Sequential::new().then(Dropout::new(0.5, &mut Rng::new(0)));
    let x = Tensor::ones([64]);
    assert_ne!(net.forward(&x), x);
    net.eval();
    assert_eq!(net.forward(&x), x);
    net.train();
    assert_ne!(net.forward(&x), x);
}

#[test]
fn models_go_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<Tied>();
    check::<Sequential>();
    check::<Dropout>();
}
