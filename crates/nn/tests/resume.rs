//! Runs that stop and go on: every optimizer, schedule, average and scaler continues from its saved state with the
//! same bits; small batches add up to a large one; groups and averages do what they say.

use retrograd_autograd::{Differentiate, Gradients};
use retrograd_nn::optim::bias_or_norm;
use retrograd_nn::schedule::{OneCycleLr, ReduceLrOnPlateau, Scheduler};
use retrograd_nn::{
    Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, GradScaler, Lamb, Lbfgs, Linear, Lion, Losses, Module,
    Muon, NAdam, Optimizer, Param, RAdam, RmsProp, Rprop, Sgd, WeightAverage,
};
use retrograd_tensor::{F64, Rng, Tensor, attempt};

type Model = (Linear, Linear);

fn model() -> Model {
    let mut rng = Rng::new(5);
    (Linear::new(3, 4, &mut rng), Linear::new(4, 2, &mut rng))
}

fn loss(model: &Model, x: &Tensor) -> Tensor {
    model.1.forward(&model.0.forward(x).tanh()).square().mean(())
}

/// A batch of its own for every step.
fn batch(step: u64) -> Tensor {
    Tensor::randn([6, 3], &mut Rng::new(step))
}

type Make = fn(&Model) -> Box<dyn Optimizer>;

const MAKES: [(&str, Make); 18] = [
    ("Sgd", |m| Box::new(Sgd::new(m, 0.1))),
    ("Sgd nesterov", |m| Box::new(Sgd::new(m, 0.1).momentum(0.9).nesterov(true))),
    ("Sgd dampening", |m| Box::new(Sgd::new(m, 0.1).momentum(0.9).dampening(0.3))),
    ("Adam", |m| Box::new(Adam::new(m, 0.1))),
    ("Adam amsgrad", |m| Box::new(Adam::new(m, 0.1).amsgrad(true))),
    ("AdamW groups", |m| Box::new(AdamW::new(m, 0.1).group(bias_or_norm, |g| g.amsgrad = true))),
    ("NAdam", |m| Box::new(NAdam::new(m, 0.1))),
    ("RAdam", |m| Box::new(RAdam::new(m, 0.1).betas(0.9, 0.9))),
    ("Adamax", |m| Box::new(Adamax::new(m, 0.1))),
    ("Adagrad", |m| Box::new(Adagrad::new(m, 0.1).lr_decay(0.1).initial_accumulator_value(0.2))),
    ("Adadelta", |m| Box::new(Adadelta::new(m, 1.0))),
    ("RmsProp", |m| Box::new(RmsProp::new(m, 0.01))),
    ("RmsProp centered", |m| Box::new(RmsProp::new(m, 0.01).momentum(0.9).centered(true))),
    ("Rprop", |m| Box::new(Rprop::new(m, 0.01))),
    ("Lion", |m| Box::new(Lion::new(m, 0.01))),
    ("Lamb", |m| Box::new(Lamb::new(m, 0.1))),
    ("Adafactor", |m| Box::new(Adafactor::new(m, 0.1))),
    ("Muon", |m| Box::new(Muon::new(m, 0.1).only(|_, shape| shape.len() == 2))),
];

#[test]
fn every_optimizer_continues_with_the_same_bits() {
    for (name, make) in MAKES {
        let mut straight = model();
        let mut optimizer = make(&straight);
        let mut scheduler = Scheduler::new(OneCycleLr::new(0.1, 9), &mut *optimizer);
        let mut resumed = model();
        let run = |model: &mut Model, optimizer: &mut dyn Optimizer, scheduler: &mut Scheduler<_>, steps| {
            for step in steps {
                let grads = loss(model, &batch(step)).backward();
                optimizer.step(model, &grads).unwrap();
                scheduler.step(optimizer);
            }
        };
        run(&mut straight, &mut *optimizer, &mut scheduler, 0..4);
        let (weights, state) = (straight.state_dict(), optimizer.state_dict());
        let schedule = scheduler.state_dict();
        run(&mut straight, &mut *optimizer, &mut scheduler, 4..8);

        assert_ne!(weights, straight.state_dict(), "{name} moves");
        resumed.load_state_dict(&weights).unwrap();
        let mut optimizer = make(&resumed);
        let mut scheduler = Scheduler::new(OneCycleLr::new(0.1, 9), &mut *optimizer);
        optimizer.load_state_dict(&state).unwrap();
        scheduler.load_state_dict(&schedule, &mut *optimizer).unwrap();
        run(&mut resumed, &mut *optimizer, &mut scheduler, 4..8);
        assert_eq!(straight.state_dict(), resumed.state_dict(), "{name}");
    }
}

#[test]
fn lbfgs_continues_with_the_same_bits() {
    for search in [false, true] {
        let x = batch(0);
        let make = |model: &Model| Lbfgs::new(model, 0.5).max_iter(3).history_size(4).strong_wolfe(search);
        let mut straight = model();
        let mut lbfgs = make(&straight);
        for _ in 0..3 {
            drop(lbfgs.step(&mut straight, |model| loss(model, &x)).unwrap());
        }
        let (weights, state) = (straight.state_dict(), lbfgs.state_dict());
        let before = lbfgs.step(&mut straight, |model| loss(model, &x)).unwrap().item();
        assert!(loss(&straight, &x).item() < before);

        let mut resumed = model();
        resumed.load_state_dict(&weights).unwrap();
        let mut lbfgs = make(&resumed);
        lbfgs.load_state_dict(&state).unwrap();
        drop(lbfgs.step(&mut resumed, |model| loss(model, &x)).unwrap());
        assert_eq!(straight.state_dict(), resumed.state_dict());

        let mut wrong = state.clone();
        wrong.remove("scale");
        assert!(lbfgs.load_state_dict(&wrong).unwrap_err().to_string().contains("`scale` is missing"));
    }
}

#[test]
fn lbfgs_goes_the_way_of_pytorch() {
    // Loss and number of evaluations of one step of PyTorch 2.15.
    for (search, want, evaluations) in [(true, 3.3768722768147056e-10, 7), (false, 1.9370621003667186e-14, 6)]
    {
        let mut param = Param::new(Tensor::from([3.0f64, -2.0]));
        let loss = |param: &Param| ((param - 1.0).square() * Tensor::from([1.0f64, 30.0])).sum(());
        let mut count = 0;
        let mut lbfgs = Lbfgs::new(&param, 1.0).strong_wolfe(search);
        let counted = |param: &Param| {
            count += 1;
            loss(param)
        };
        drop(lbfgs.step(&mut param, counted).unwrap());
        assert_eq!(count, evaluations);
        let got = loss(&param).item();
        assert!((got - want).abs() <= 1e-6 * want, "{got} for {want}");
    }
}

#[test]
fn lbfgs_leaves_the_model_alone_when_a_gradient_is_missing() {
    let mut model = model();
    let before = model.state_dict();
    let mut lbfgs = Lbfgs::new(&model, 1.0);
    let error = lbfgs.step(&mut model, |model| model.0.weight.sum(())).unwrap_err().to_string();
    assert!(error.contains("Lbfgs: 3 of 4 trainable parameters have no usable gradient"), "{error}");
    assert_eq!(model.state_dict(), before);
}

#[test]
fn small_batches_add_up_to_a_large_one() {
    let mut rng = Rng::new(7);
    let normal = |shape: [usize; 2], rng: &mut Rng| Tensor::randn(shape, rng).cast(F64);
    let (x, y) = (normal([12, 3], &mut rng), normal([12, 2], &mut rng));
    let w = Param::new(normal([3, 2], &mut rng));
    let b = Param::new(normal([1, 2], &mut rng));
    let error = |x: &Tensor, y: &Tensor| (x.matmul(&w).tanh() + &b).mse_loss(y);
    let whole = error(&x, &y).backward();
    let mut parts = Gradients::default();
    let mut from = 0;
    for len in [5, 3, 4] {
        let (x, y) = (x.narrow(0, from, len), y.narrow(0, from, len));
        parts.add((error(&x, &y) * (len as f64 / 12.0)).backward());
        from += len;
    }
    for param in [&w, &b] {
        for (got, want) in parts[param].iter::<f64>().zip(whole[param].iter::<f64>()) {
            assert!((got - want).abs() <= 1e-12, "{got} for {want}");
        }
    }
}

#[test]
fn groups_have_settings_of_their_own() {
    let mut model = model();
    let before = model.state_dict();
    let mut sgd = Sgd::new(&model, 0.5)
        .weight_decay(0.5)
        .group(bias_or_norm, |g| g.weight_decay = 0.0)
        .group(|name, _| name.starts_with("1."), |g| g.lr = 0.0);
    let grads = (loss(&model, &batch(0)) * 0.0).backward();
    sgd.step(&mut model, &grads).unwrap();
    let after = model.state_dict();
    assert_eq!(after["0.weight"], &before["0.weight"] * 0.75);
    for name in ["0.bias", "1.weight", "1.bias"] {
        assert_eq!(after[name], before[name], "{name}");
    }
    let message = attempt(|| Sgd::new(&model, 0.1).group(|name, _| name == "head", |_| {})).unwrap_err();
    assert!(message.to_string().contains("`group` chose no parameter"), "{message}");
}

type Misuse<'m> = Box<dyn Fn() + 'm>;

#[test]
fn bad_options_are_refused_at_the_users_line() {
    let model = model();
    let cases: [(&str, Misuse<'_>); 6] = [
        ("Adam: lr not allowed: -1; it must be at least 0", Box::new(|| drop(Adam::new(&model, -1.0)))),
        ("AdamW: second beta not allowed: 1", Box::new(|| drop(AdamW::new(&model, 0.1).betas(0.9, 1.0)))),
        ("Rprop: etas not allowed", Box::new(|| drop(Rprop::new(&model, 0.1).etas(1.5, 1.2)))),
        ("Adafactor: d not allowed: 0.5", Box::new(|| drop(Adafactor::new(&model, 0.1).d(0.5)))),
        ("Muon: ns_steps not allowed: 100", Box::new(|| drop(Muon::new(&model, 0.1).ns_steps(100)))),
        ("WeightAverage: decay not allowed: 2", Box::new(|| drop(WeightAverage::ema(&model, 2.0)))),
    ];
    for (message, make) in cases {
        let error = attempt(make).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let mut model = model;
    let grads = loss(&model, &batch(0)).backward();
    let error = Sgd::new(&model, 0.1).nesterov(true).step(&mut model, &grads).unwrap_err().to_string();
    assert!(error.contains("Sgd: nesterov does not fit: momentum 0, dampening 0"), "{error}");
    let error = Muon::new(&model, 0.1).step(&mut model, &grads).unwrap_err().to_string();
    assert!(error.contains("`0.bias` has shape [4] and Muon takes matrices"), "{error}");
}

#[test]
fn averages_continue_and_refuse_other_models() {
    let mut param = Param::new(Tensor::from([1f64, 2.0]));
    let mut ema = WeightAverage::ema(&param, 0.75);
    let mut saved = None;
    for (step, value) in [4.0, 8.0, 0.0].into_iter().enumerate() {
        drop(param.replace(&Tensor::from([value, 0.0])));
        ema.update(&param).unwrap();
        if step == 1 {
            saved = Some(ema.state_dict());
        }
    }
    assert_eq!(ema.state_dict()[""].to_vec::<f64>(), [3.75, 0.0]);
    let mut resumed = WeightAverage::ema(&param, 0.75);
    resumed.load_state_dict(&saved.unwrap()).unwrap();
    resumed.update(&param).unwrap();
    assert_eq!(resumed.state_dict(), ema.state_dict());
    let error = ema.update(&model()).unwrap_err().to_string();
    assert!(error.contains("`0.weight` is unexpected"), "{error}");
}

#[test]
fn a_scaler_grows_backs_off_and_continues() {
    let mut param = Param::new(Tensor::from([1f32]));
    let mut sgd = Sgd::new(&param, 0.0);
    let mut scaler = GradScaler::new().init_scale(8.0).growth_interval(2);
    let mut step = |scaler: &mut GradScaler, value: f32| {
        let mut grads = scaler.scale(&(&param * value).sum(())).backward();
        scaler.step(&mut sgd, &mut param, &mut grads).unwrap()
    };
    let mut factors = Vec::new();
    for value in [1.0, 1.0, f32::NAN, 1.0, 1.0] {
        assert_eq!(step(&mut scaler, value), !value.is_nan());
        factors.push(scaler.factor());
    }
    assert_eq!(factors, [8.0, 16.0, 8.0, 8.0, 16.0]);
    step(&mut scaler, 1.0);
    let mut resumed = GradScaler::new().growth_interval(2);
    resumed.load_state_dict(&scaler.state_dict()).unwrap();
    step(&mut resumed, 1.0);
    assert_eq!(resumed.factor(), 32.0);
}

#[test]
fn unscaled_gradients_can_be_clipped_before_the_step() {
    let mut param = Param::new(Tensor::from([1f64]));
    let (mut sgd, mut scaler) = (Sgd::new(&param, 1.0), GradScaler::new());
    let mut grads = scaler.scale(&(&param * 4.0).sum(())).backward();
    assert!(scaler.unscale(&param, &mut grads).unwrap());
    assert_eq!(grads[&param].item(), 4.0);
    assert!(scaler.unscale(&param, &mut grads).unwrap_err().to_string().contains("unscaled already"));
    assert!(scaler.step(&mut sgd, &mut param, &mut grads).unwrap());
    assert_eq!(param.item(), -3.0);
}

#[test]
fn a_plateau_continues() {
    let mut sgd = Sgd::new(&model(), 1.0);
    let mut plateau = ReduceLrOnPlateau::new().factor(0.5).patience(1).cooldown(1);
    for metric in [1.0, 1.0, 1.0] {
        plateau.step(metric, &mut sgd);
    }
    let state = plateau.state_dict(&mut sgd);
    let mut other = Sgd::new(&model(), 1.0);
    let mut resumed = ReduceLrOnPlateau::new().factor(0.5).patience(1).cooldown(1);
    resumed.load_state_dict(&state, &mut other).unwrap();
    assert_eq!(*other.lr_mut(), 0.5);
    for metric in [f64::NAN, 1.0, 2.0, 0.9] {
        assert_eq!(resumed.step(metric, &mut other), plateau.step(metric, &mut sgd));
    }
    assert_eq!((*other.lr_mut(), *sgd.lr_mut()), (0.25, 0.25));
}
