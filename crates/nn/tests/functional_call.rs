//! Models called with other tensors in place of their parameters, under every transform.

extern crate retrograd_nn as retrograd;

use retrograd_autograd::{Differentiate, grad, grad_recorded, grad_recorded_with, hvp, jvp, vmap};
use retrograd_nn::{
    BatchNorm1d, Conv1d, Dropout, GroupNorm, Linear, Lstm, Module, Param, StateDict, functional_call,
};
use retrograd_tensor::{ErrorKind, F32, F64, Rng, Tensor, attempt, stack};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[derive(Clone, Module)]
struct Net {
    fc1: Linear,
    fc2: Linear,
}

impl Net {
    fn new(seed: u64) -> Self {
        let rng = &mut Rng::new(seed);
        let mut net = Self { fc1: Linear::new(3, 4, rng), fc2: Linear::new(4, 2, rng) };
        net.convert(F64);
        net
    }

    fn loss(&self, x: &Tensor) -> Tensor {
        self.fc2.forward(&self.fc1.forward(x).tanh()).square().sum(())
    }
}

fn values(model: &impl Module) -> Vec<Tensor> {
    model.parameters().into_iter().map(|param| param.value().detach()).collect()
}

fn refs(values: &[Tensor]) -> Vec<&Tensor> {
    values.iter().collect()
}

#[track_caller]
fn close(got: &Tensor, want: &Tensor) {
    assert_eq!(got.shape(), want.shape());
    let far = (got - want).abs().amax(()).item();
    assert!(far < 1e-12, "off by {far}");
}

#[test]
fn derivatives_are_those_of_the_model_at_these_parameters() {
    let (model, other) = (Net::new(0), Net::new(1));
    let x = F64.randn([5, 3], &mut Rng::new(2));
    let at = values(&other);
    let along: Vec<Tensor> = at.iter().map(|value| F64.randn(value.shape(), &mut Rng::new(3))).collect();
    let loss = |p: &[Tensor]| functional_call(&model, p, |model| model.loss(&x));

    // By hand, through the parameters of the other model itself.
    let own: Vec<&Tensor> = other.parameters().into_iter().map(Param::value).collect();
    let y = other.loss(&x);
    let first = grad_recorded(&y, &own);
    let slope = first.iter().zip(&along).map(|(g, v)| (g * v).sum(())).reduce(|a, b| a + b).unwrap();
    let second = grad(&slope, &own);

    let (g, hv) = hvp(loss, &refs(&at), &refs(&along));
    for (found, want) in g.iter().zip(&first).chain(hv.iter().zip(&second)) {
        close(found, want);
    }
    let (value, pushed) = jvp(loss, &refs(&at), &refs(&along));
    close(&value, &y);
    close(&pushed, &slope);
}

#[test]
fn each_example_has_gradients_of_its_own() {
    let mut lstm = Lstm::new(3, 4, &mut Rng::new(0));
    lstm.convert(F64);
    let x = F64.randn([6, 5, 1, 3], &mut Rng::new(1)); // six examples of five steps
    let at: Vec<Tensor> = values(&lstm).iter().map(Differentiate::tracked).collect();
    let of = |x: &Tensor| functional_call(&lstm, &at, |model| model.forward(x).0.square().sum(()));
    for value in &at {
        let each = vmap(|x| grad(&of(&x[0]), &[value]).remove(0), &[&x]);
        let alone: Vec<Tensor> = x.unbind(0).iter().map(|x| grad(&of(x), &[value]).remove(0)).collect();
        close(&each, &stack(&alone, 0));
    }
}

#[derive(Clone, Module)]
struct Mixed {
    conv: Conv1d,
    norm: GroupNorm,
    lstm: Lstm,
    head: Linear,
}

impl Mixed {
    fn new(seed: u64) -> Self {
        let rng = &mut Rng::new(seed);
        let (conv, norm) = (Conv1d::new(2, 4, 3, rng).padding(1), GroupNorm::new(2, 4));
        let mut net = Self { conv, norm, lstm: Lstm::new(4, 3, rng), head: Linear::new(3, 1, rng) };
        net.convert(F64);
        net
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let h = self.norm.forward(&self.conv.forward(x)).relu();
        let (y, _) = self.lstm.forward_padded(&h.permute([2, 0, 1]), &[5, 6]);
        self.head.forward(&y.sum(0))
    }
}

#[test]
fn stacked_models_are_those_of_a_loop() {
    let models: Vec<Mixed> = (0..3).map(Mixed::new).collect();
    let x = F64.randn([2, 2, 6], &mut Rng::new(9)); // the same for all
    let count = models[0].parameters().len();
    let of = |k: usize| stack(&models.iter().map(|model| values(model)[k].clone()).collect::<Vec<_>>(), 0);
    let stacked: Vec<Tensor> = (0..count).map(|k| of(k).tracked()).collect();
    let y =
        vmap(|p| functional_call(&models[0], p, |model| model.forward(&x).square().sum(())), &refs(&stacked));
    let found = grad(&y.sum(()), &refs(&stacked));
    for (row, model) in models.iter().enumerate() {
        let alone = model.forward(&x).square().sum(());
        close(&y.select(0, row as isize), &alone);
        let own: Vec<&Tensor> = model.parameters().into_iter().map(Param::value).collect();
        for (found, want) in found.iter().zip(grad(&alone, &own)) {
            close(&found.select(0, row as isize), &want);
        }
    }
}

#[test]
fn what_a_state_does_not_name_is_the_models_own() {
    let model = Net::new(0);
    let weight = F64.ones([4, 3]).tracked();
    let state = StateDict::from([("fc1.weight".to_owned(), weight.clone())]);
    let x = F64.ones([5, 3]);
    let loss = functional_call(&model, &state, |copy| {
        assert_eq!(copy.fc2.weight.id(), model.fc2.weight.id());
        copy.loss(&x)
    });
    let grads = loss.backward();
    assert!(grads.get(&weight).is_some() && grads.get(&model.fc2.weight).is_some());
    assert!(grads.get(&model.fc1.weight).is_none());
}

#[derive(Clone, Module)]
#[module(alias(head.weight = "embed.weight"))]
struct Tied {
    embed: Linear,
}

#[test]
fn aliases_name_slots_and_a_slots_own_name_counts_first() {
    let model = Tied { embed: Linear::without_bias(2, 2, &mut Rng::new(0)) };
    let entry = |name: &str, value: f64| (name.to_owned(), F32.full([2, 2], value));
    let call = |state: StateDict| functional_call(&model, &state, |model| model.embed.weight.sum(()).item());
    assert_eq!(call(StateDict::from([entry("head.weight", 2.0)])), 8.0);
    assert_eq!(call(StateDict::from([entry("head.weight", 2.0), entry("embed.weight", 3.0)])), 12.0);
}

#[derive(Clone, Module)]
struct Noisy {
    norm: BatchNorm1d,
    dropout: Dropout,
}

impl Noisy {
    fn new() -> Self {
        Self { norm: BatchNorm1d::new(2), dropout: Dropout::new(0.5, &mut Rng::new(0)) }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        self.dropout.forward(&self.norm.forward(x))
    }
}

#[test]
fn the_model_stays_as_it_is_after_a_panic_too() {
    let model = Noisy::new();
    let before = model.state_dict();
    let ids: Vec<u64> = model.parameters().into_iter().map(Param::id).collect();
    let x = Tensor::randn([8, 2], &mut Rng::new(1));
    let at = vec![F32.full(2, 2.0), F32.full(2, 1.0)];
    let call = || functional_call(&model, &at, |model| model.forward(&x));
    assert_eq!(call(), call());
    let state = || (model.state_dict(), model.parameters().into_iter().map(Param::id).collect::<Vec<_>>());
    assert_eq!(state(), (before.clone(), ids.clone()));
    let broken = AssertUnwindSafe(|| {
        functional_call(&model, &at, |model| {
            drop(model.forward(&x));
            panic!("inside");
        })
    });
    assert!(catch_unwind(broken).is_err());
    assert_eq!(state(), (before, ids));
}

#[test]
fn buffers_are_replaced_by_name() {
    let mut model = Noisy::new();
    model.eval();
    let means = Tensor::from([[1.0f32, 0.0], [3.0, 5.0]]).t().contiguous(); // one row for each of two models
    let x = Tensor::ones([1, 2]);
    let y = vmap(
        |p| {
            let state = StateDict::from([("norm.running_mean".to_owned(), p[0].clone())]);
            functional_call(&model, &state, |model| model.forward(&x))
        },
        &[&means],
    );
    let want = Tensor::from([[[0.0f32, -2.0]], [[1.0, -4.0]]]);
    assert!((y - want).abs().amax(()).item() < 1e-4);
}

#[test]
fn frozen_parameters_count_and_results_have_the_past_of_the_tensors() {
    let mut model = Net::new(0);
    model.freeze();
    let x = F64.ones([2, 3]);
    let scale = Tensor::from(2.0f64).tracked();
    let scaled: Vec<Tensor> = values(&model).iter().map(|value| value * &scale).collect();
    let loss = functional_call(&model, &scaled, |model| model.loss(&x));
    let (found, seed) = (grad(&loss, &[&scale]).remove(0), Tensor::from(1.0f64));
    // A central difference.
    let at = |factor: f64| {
        let scaled: Vec<Tensor> = values(&model).iter().map(|value| value * factor).collect();
        functional_call(&model, &scaled, |model| model.loss(&x)).item()
    };
    assert!((found.item() - (at(2.0 + 1e-5) - at(2.0 - 1e-5)) / 2e-5).abs() < 1e-6);
    close(&grad_recorded_with(&loss, &[&scale], &seed).remove(0), &found);
}

#[test]
fn everything_that_does_not_fit_is_listed_at_the_call() {
    let model = Net::new(0);
    let mut at = values(&model);
    at.pop();
    let error = attempt(|| functional_call(&model, &at, |model| model.loss(&F64.ones([2, 3])))).unwrap_err();
    let names = "fc1.weight, fc1.bias, fc2.weight, fc2.bias";
    let want = "functional_call: tensors do not fit: 3 given; a list has one for each of the 4: ";
    assert_eq!(error.to_string(), format!("{want}{names}"));

    let state = StateDict::from([
        ("fc1.wieght".to_owned(), F64.ones([4, 3])),
        ("fc2.weight".to_owned(), F64.ones([4, 2])),
        ("fc2.bias".to_owned(), F32.ones([2])),
        ("fc1.bias".to_owned(), F64.ones([4])),
    ]);
    let call = || functional_call(&model, &state, |_| unreachable!("refused before"));
    let error = attempt(call).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Shape);
    assert!(error.location().unwrap().file().ends_with("functional_call.rs"), "{error:#}");
    assert_eq!(
        error.to_string(),
        "functional_call: 3 of 4 tensors do not fit: `fc1.wieght` is no parameter or buffer, `fc2.bias` is f32, not \
         f64, `fc2.weight` has shape [4, 2], not [2, 4]; the model has fc1.bias, fc1.weight, fc2.bias, fc2.weight"
    );
}
