//! Optimizers against plain loops over numbers, what they refuse, that they work in place; clipping.

extern crate retrograd_nn as retrograd;

use retrograd_autograd::{Differentiate, Gradients};
use retrograd_nn::{
    Adam, AdamW, ClipNorm, Linear, Losses, Module, Optimizer, Param, Sgd, Unused, clip_grad_norm,
    clip_grad_norm_with, clip_grad_value,
};
use retrograd_tensor::{ErrorKind, F64, Rng, Tensor};

const START: [f64; 3] = [0.5, -1.5, 2.0];
const STEPS: usize = 5;

/// The gradient of every step, the same for both sides.
fn gradient(step: usize) -> [f64; 3] {
    [0, 1, 2].map(|i| (0.7 * (step * 3 + i) as f64 + 0.3).sin())
}

/// Gradients of `param` that are exactly `values`.
fn gradients(param: &Param, values: &[f64]) -> Gradients {
    (param * &Tensor::from(values.to_vec())).sum(()).backward()
}

/// Runs `STEPS` steps of an optimizer and compares with `reference`, which gets the parameter, its gradient,
/// three moments and the number of the step from 1, and gives the new parameter.
#[track_caller]
fn check<O: Optimizer>(
    make: impl FnOnce(&dyn Module) -> O,
    reference: impl Fn(f64, f64, &mut [f64; 3], i32) -> f64,
) {
    let mut param = Param::new(Tensor::from(START));
    let mut optimizer = make(&param);
    let (mut want, mut moments) = (START, [[0f64; 3]; 3]);
    for step in 0..STEPS {
        let g = gradient(step);
        let grads = gradients(&param, &g);
        optimizer.step(&mut param, &grads).unwrap();
        for i in 0..3 {
            want[i] = reference(want[i], g[i], &mut moments[i], step as i32 + 1);
        }
        for (got, want) in param.to_vec::<f64>().into_iter().zip(want) {
            assert!((got - want).abs() <= 1e-12 * (1.0 + want.abs()), "step {step}: got {got}, want {want}");
        }
    }
}

#[test]
fn sgd_follows_its_formulas() {
    check(|model| Sgd::new(model, 0.1), |p, g, _, _| p - 0.1 * g);
    check(
        |model| Sgd::new(model, 0.1).maximize(true).weight_decay(0.2),
        |p, g, _, _| p - 0.1 * (0.2 * p - g),
    );
    check(
        |model| Sgd::new(model, 0.1).momentum(0.8).dampening(0.3).weight_decay(0.2),
        |p, g, [b, ..], step| {
            let g = g + 0.2 * p;
            *b = if step == 1 { g } else { 0.8 * *b + 0.7 * g };
            p - 0.1 * *b
        },
    );
    check(
        |model| Sgd::new(model, 0.1).momentum(0.8).nesterov(true),
        |p, g, [b, ..], _| {
            *b = 0.8 * *b + g;
            p - 0.1 * (g + 0.8 * *b)
        },
    );
}

/// Adam with betas (0.8, 0.95), eps 1e-8 and learning rate 0.1.
fn adam(p: f64, g: f64, [m, v, largest]: &mut [f64; 3], step: i32, amsgrad: bool) -> f64 {
    *m = 0.8 * *m + 0.2 * g;
    *v = 0.95 * *v + 0.05 * g * g;
    *largest = largest.max(*v);
    let v = if amsgrad { *largest } else { *v } / (1.0 - 0.95f64.powi(step));
    p - 0.1 * (*m / (1.0 - 0.8f64.powi(step))) / (v.sqrt() + 1e-8)
}

#[test]
fn adam_follows_its_formulas() {
    check(|model| Adam::new(model, 0.1).betas(0.8, 0.95), |p, g, m, step| adam(p, g, m, step, false));
    check(
        |model| Adam::new(model, 0.1).betas(0.8, 0.95).amsgrad(true).maximize(true),
        |p, g, m, step| adam(p, -g, m, step, true),
    );
    check(
        |model| Adam::new(model, 0.1).betas(0.8, 0.95).weight_decay(0.3),
        |p, g, m, step| adam(p, g + 0.3 * p, m, step, false),
    );
    check(
        |model| AdamW::new(model, 0.1).betas(0.8, 0.95).weight_decay(0.3),
        |p, g, m, step| adam(p * (1.0 - 0.1 * 0.3), g, m, step, false),
    );
}

#[test]
fn moments_that_fade_become_zero() {
    let mut param = Param::new(Tensor::from([1f32]));
    let mut adam = Adam::new(&param, 0.1).betas(0.0, 0.0);
    let grads = gradients_f32(&param, 1e-39);
    adam.step(&mut param, &grads).unwrap();
    assert_eq!(adam.state_dict()["exp_avg"].to_vec::<f32>(), [0.0]);
    let grads = gradients_f32(&param, f32::NAN);
    adam.step(&mut param, &grads).unwrap();
    assert!(adam.state_dict()["exp_avg"].item().is_nan());
}

fn gradients_f32(param: &Param, value: f32) -> Gradients {
    (param * value).sum(()).backward()
}

/// Two layers, of which the first is a linear map.
#[derive(Clone, Module)]
struct Two {
    first: Linear,
    second: Linear,
}

fn two() -> (Two, Tensor) {
    let mut rng = Rng::new(11);
    let model = Two { first: Linear::new(3, 3, &mut rng), second: Linear::new(3, 2, &mut rng) };
    (model, Tensor::randn([4, 3], &mut rng))
}

#[test]
fn a_missing_gradient_refuses_the_whole_step() {
    let (mut model, x) = two();
    let before = model.state_dict();
    let mut adam = Adam::new(&model, 0.1);
    let grads = model.first.forward(&x).sum(()).backward();
    let error = adam.step(&mut model, &grads).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gradient);
    let message = error.to_string();
    assert!(message.contains("Adam: 2 of 4 trainable parameters have no usable gradient"), "{message}");
    assert!(message.contains("`second.weight`") && message.contains("`second.bias`"), "{message}");
    assert!(message.contains("unused"), "{message}");
    assert_eq!(model.state_dict(), before);
    assert!(adam.state_dict().is_empty());

    let mut skipping = Sgd::new(&model, 0.1).unused(Unused::Skip);
    skipping.step(&mut model, &grads).unwrap();
    assert_eq!(model.state_dict()["second.weight"], before["second.weight"]);
    assert_ne!(model.state_dict()["first.weight"], before["first.weight"]);

    model.freeze_prefix("second");
    let grads = model.second.forward(&model.first.forward(&x)).sum(()).backward();
    Adam::new(&model, 0.1).step(&mut model, &grads).unwrap();
    assert_eq!(model.state_dict()["second.weight"], before["second.weight"]);
}

#[test]
fn a_cut_gradient_is_named_and_never_skipped() {
    let (mut model, x) = two();
    let line = line!() + 1;
    let hidden = model.first.forward(&x).detach();
    let grads = model.second.forward(&hidden).sum(()).backward();
    let message =
        Sgd::new(&model, 0.1).unused(Unused::Skip).step(&mut model, &grads).unwrap_err().to_string();
    assert!(message.contains("`first.weight` is cut by detach at "), "{message}");
    assert!(message.contains(&format!("{}:{line}", file!())), "{message}");
}

#[test]
fn an_optimizer_knows_its_model() {
    let (model, x) = two();
    let mut copy = model.clone();
    let grads = copy.second.forward(&copy.first.forward(&x)).sum(()).backward();
    let message = Sgd::new(&model, 0.1).step(&mut copy, &grads).unwrap_err().to_string();
    assert!(message.contains("`first.weight` is not a parameter of the model"), "{message}");
}

#[test]
fn state_is_saved_by_name_and_continues() {
    let (model, x) = two();
    let step = |model: &mut Two, adam: &mut Adam| {
        let grads = model.second.forward(&model.first.forward(&x)).square().sum(()).backward();
        adam.step(model, &grads).unwrap();
    };
    let mut straight = model.clone();
    let mut adam = Adam::new(&straight, 0.1);
    step(&mut straight, &mut adam);
    let state = adam.state_dict();
    assert_eq!(state["first.weight.step"].item(), 1.0);
    let mut resumed = straight.clone();
    let mut again = Adam::new(&resumed, 0.1);
    again.load_state_dict(&state).unwrap();
    step(&mut straight, &mut adam);
    step(&mut resumed, &mut again);
    assert_eq!(straight.state_dict(), resumed.state_dict());

    let mut wrong = state.clone();
    wrong.remove("first.bias.exp_avg");
    wrong.insert("second.bias.exp_avg".to_owned(), Tensor::ones([7]));
    wrong.insert("third.step".to_owned(), Tensor::from(1i64));
    let message = again.load_state_dict(&wrong).unwrap_err().to_string();
    for part in [
        "`first.bias.exp_avg` is missing",
        "`second.bias.exp_avg` is f32 [7], not f32 [2]",
        "1 entries belong",
    ] {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
}

#[test]
fn clipping_scales_all_gradients_together() {
    let model = (Param::new(Tensor::from([3f64, 0.0])), Param::new(Tensor::from([4f64])));
    let loss = |model: &(Param, Param)| (model.0.square().sum(()) + model.1.square().sum(())) * 0.5;
    let mut grads = loss(&model).backward();
    assert_eq!(clip_grad_norm(&model, &mut grads, 10.0).unwrap().item(), 5.0);
    assert_eq!(grads[&model.1].to_vec::<f64>(), [4.0]);
    drop(clip_grad_norm(&model, &mut grads, 1.0).unwrap());
    let clipped = [grads[&model.0].to_vec::<f64>(), grads[&model.1].to_vec::<f64>()].concat();
    for (got, want) in clipped.into_iter().zip([0.6, 0.0, 0.8]) {
        assert!((got - want).abs() < 1e-6, "{got} for {want}");
    }
    let mut grads = loss(&model).backward();
    let options = ClipNorm { max_norm: 2.0, norm_type: f64::INFINITY, ..ClipNorm::default() };
    assert_eq!(clip_grad_norm_with(&model, &mut grads, &options).unwrap().item(), 4.0);
    assert!((grads[&model.0].to_vec::<f64>()[0] - 1.5).abs() < 1e-6);
    let mut grads = loss(&model).backward();
    clip_grad_value(&model, &mut grads, 3.5).unwrap();
    assert_eq!(grads[&model.1].to_vec::<f64>(), [3.5]);
    assert_eq!(grads[&model.0].to_vec::<f64>(), [3.0, 0.0]);
}

#[test]
fn clipping_refuses_what_a_step_would() {
    let model = (Param::new(F64.ones([2])), Param::new(F64.ones([1])));
    let mut grads = model.0.sum(()).backward();
    let message = clip_grad_norm(&model, &mut grads, 0.1).unwrap_err().to_string();
    assert!(message.contains("clip_grad_norm: 1 of 2 trainable parameters"), "{message}");
    assert_eq!(grads[&model.0].to_vec::<f64>(), [1.0, 1.0]);
    let options = ClipNorm { max_norm: 0.1, unused: Unused::Skip, ..ClipNorm::default() };
    drop(clip_grad_norm_with(&model, &mut grads, &options).unwrap());
    assert!(grads[&model.0].to_vec::<f64>()[0] < 0.08);
}

#[test]
fn training_finds_a_line() {
    let mut rng = Rng::new(3);
    let x = Tensor::randn([64, 2], &mut rng);
    let y = x.matmul(Tensor::from([[2f32], [-1.0]])) + 0.5;
    let mut model = Linear::new(2, 1, &mut rng);
    let mut adam = Adam::new(&model, 0.1);
    for _ in 0..200 {
        let grads = model.forward(&x).mse_loss(&y).backward();
        adam.step(&mut model, &grads).unwrap();
    }
    let loss = model.forward(&x).mse_loss(&y).item();
    assert!(loss < 1e-6, "{loss}");
}
