//! Mixed precision: which types layers compute in, what gradients arrive in, and that training comes to the same.

#![cfg(feature = "data")]

extern crate retrograd_nn as retrograd;

use retrograd_autograd::{Differentiate, remat};
use retrograd_nn::data::{DataLoader, Split, digits};
use retrograd_nn::metrics::accuracy;
use retrograd_nn::train::Trainer;
use retrograd_nn::{
    Adam, BatchNorm2d, Conv2d, Forward, Gru, GruCell, LayerNorm, Linear, Losses, Lstm, LstmCell, Masks,
    Module, MultiheadAttention, Recurrent, Reduction, Rnn, RnnCell, Softmax, StateDict, TaskLosses, autocast,
    autocast_dtype,
};
use retrograd_tensor::{BF16, DType, F16, F32, F64, Rng, Tensor, attempt, stack};
use std::sync::Arc;

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/data/digits.csv.gz");

#[test]
fn products_have_half_operands_and_the_rest_is_f32() {
    let rng = &mut Rng::new(0);
    let (linear, conv) = (Linear::new(4, 3, rng), Conv2d::new(2, 3, 3, rng));
    let (x, image) = (Tensor::randn([5, 4], rng), Tensor::randn([1, 2, 6, 6], rng));
    autocast(BF16, || {
        // A product of half operands has a half result, with those bits.
        let y = linear.forward(&x);
        let bias = linear.bias.as_ref().map(|bias| bias.cast(BF16));
        assert_eq!((y.dtype(), &y), (BF16, &x.cast(BF16).linear(linear.weight.cast(BF16), bias.as_ref())));
        assert_eq!(conv.forward(&image).dtype(), BF16);
        assert_eq!(y.relu().dtype(), BF16);
        for result in [
            LayerNorm::new(3).forward(&y),
            BatchNorm2d::new(3).forward(&conv.forward(&image)),
            Forward::forward(&Softmax { axis: -1 }, &y),
            y.cross_entropy(&Tensor::from([0i64, 1, 2, 0, 1])),
            Lstm::new(3, 2, &mut Rng::new(1)).forward(&y.unsqueeze(0)).0,
        ] {
            assert_eq!(result.dtype(), F32);
        }
        let attention = MultiheadAttention::new(4, 2, &mut Rng::new(2));
        let (found, weights) =
            attention.forward_weights(&x.unsqueeze(1), &x.unsqueeze(1), &x.unsqueeze(1), &Masks::default());
        assert_eq!((found.dtype(), weights.dtype()), (BF16, F32));
        // Wider numbers stay, and a scope can be closed within it.
        assert_eq!(x.cast(F64).mse_loss(&x.cast(F64)).dtype(), F64);
        assert_eq!(autocast(F32, || linear.forward(&x).dtype()), F32);
        assert_eq!(autocast(F16, || linear.forward(&x).dtype()), F16);
        assert_eq!(autocast_dtype(), Some(BF16));
    });
    assert_eq!(linear.forward(&x).dtype(), F32);
}

#[test]
fn the_scope_ends_with_a_panic_and_is_that_of_one_thread() {
    assert!(
        attempt(|| autocast(BF16, || Linear::new(2, 2, &mut Rng::new(0)).forward(&Tensor::ones([3]))))
            .is_err()
    );
    assert_eq!(autocast_dtype(), None);
    autocast(BF16, || std::thread::spawn(|| assert_eq!(autocast_dtype(), None)).join().unwrap());
    assert!(attempt(|| autocast(F64, || ())).is_err());
}

#[test]
fn gradients_arrive_in_the_type_of_the_parameters() {
    let rng = &mut Rng::new(0);
    let model = (Conv2d::new(1, 2, 3, rng), LayerNorm::new([2, 4, 4]), Linear::new(32, 3, rng));
    let x = Tensor::randn([2, 1, 6, 6], rng);
    let loss = || {
        let y = model.1.forward(&model.0.forward(&x)).flatten(1, -1);
        model.2.forward(&y).cross_entropy(&Tensor::from([0i64, 2]))
    };
    let (whole, mixed) = (loss().backward(), autocast(BF16, loss).backward());
    for (name, param) in model.named_parameters() {
        let (a, b) = (&whole[param], &mixed[param]);
        assert_eq!(b.dtype(), F32, "{name}");
        let far = (a - b).vector_norm(2.0, ()).item() / a.vector_norm(2.0, ()).item();
        // Eight bits, and not those of f32.
        assert!(far < 0.03, "{name}: {far}");
        assert_ne!(a, b, "{name}");
    }
}

#[test]
fn code_that_runs_again_runs_in_the_same_types() {
    let layer = Arc::new(Linear::new(3, 3, &mut Rng::new(0)));
    let inner = Arc::clone(&layer);
    let x = Tensor::randn([2, 3], &mut Rng::new(1));
    let plain = autocast(BF16, || layer.forward(&layer.forward(&x)).square().sum(()));
    let again =
        autocast(BF16, || remat(move |x| inner.forward(&inner.forward(&x[0])), &[&x]).square().sum(()));
    assert_eq!(plain, again);
    // Outside of the scope.
    let (a, b) = (plain.backward(), again.backward());
    assert_eq!(a[&layer.weight], b[&layer.weight]);
}

#[derive(Module)]
struct Net {
    hidden: Linear,
    output: Linear,
}

#[test]
fn training_comes_to_the_same() {
    let Split { train, test } = digits(DIGITS).unwrap();
    let run = |dtype: DType| {
        let rng = &mut Rng::new(0);
        let mut net = Net { hidden: Linear::new(64, 32, rng), output: Linear::new(32, 10, rng) };
        let mut adam = Adam::new(&net, 3e-3);
        let mut loader = DataLoader::new(train.clone()).batch_size(64).shuffle(true);
        let forward = |net: &Net, x: &Tensor| net.output.forward(&net.hidden.forward(x).relu());
        let history = Trainer::new(&mut net, &mut adam)
            .epochs(8)
            .autocast(dtype)
            .fit(&mut loader, |net, (x, labels)| {
                let outputs = forward(net, x);
                assert_eq!(outputs.dtype(), dtype);
                outputs.cross_entropy(labels)
            })
            .unwrap();
        assert!(net.parameters().iter().all(|param| param.dtype() == F32));
        (history.epochs.last().unwrap().loss, accuracy(&forward(&net, &test.x), &test.y))
    };
    let (whole, mixed) = (run(F32), run(BF16));
    assert!(whole.1 > 0.9 && (whole.1 - mixed.1).abs() < 0.02, "{whole:?} and {mixed:?}");
    assert!((whole.0 - mixed.0).abs() < 0.02, "{whole:?} and {mixed:?}");
    assert_ne!(whole, mixed);
}

#[test]
fn losses_of_two_tensors_and_states_given_to_a_network_may_be_half_numbers() {
    let rng = &mut Rng::new(0);
    let (x, other) = (Tensor::randn([4, 3], rng), Tensor::randn([4, 3], rng));
    let lstm = Lstm::new(3, 2, rng);
    let (h, c) = (Tensor::randn([1, 4, 2], rng), Tensor::randn([1, 4, 2], rng));
    let [low, other_low, h_low, c_low] = [&x, &other, &h, &c].map(|t| t.cast(BF16));
    autocast(BF16, || {
        let of = |x: &Tensor, other: &Tensor| {
            let like = Tensor::ones([4]);
            let embedded = x.cosine_embedding_loss(other, &like, 0.0, Reduction::Mean);
            [x.nt_xent_loss(other, 0.5), x.info_nce_loss(other, 0.5), embedded]
        };
        let wide = [&low, &other_low].map(|t| t.cast(F32));
        assert_eq!(of(&low, &other_low), of(&wide[0], &wide[1]));
        let (y, _) = lstm.forward_from(&low.unsqueeze(0), (&h_low, &c_low));
        let (want, _) = lstm.forward_from(&low.unsqueeze(0), (&h_low.cast(F32), &c_low.cast(F32)));
        assert_eq!((y.dtype(), y), (F32, want));
    });
}

/// `model`'s gradients of a loss of `y`, by name.
fn slopes(model: &dyn Module, y: &Tensor) -> Vec<(String, Tensor)> {
    let grads = (y * Tensor::randn(y.shape(), &mut Rng::new(8)) + y.square()).sum(()).backward();
    let named = model.named_parameters().into_iter();
    named.map(|(name, param)| (name.trim_end_matches("_l0").to_owned(), grads[param].clone())).collect()
}

/// A layer against its cell, which computes step by step what `autocast` says of plain layers: the same bits, and the
/// same gradients but for the order of rounding.
fn check_steps<L: Module, C: Module>(
    layer: &L,
    run: impl Fn() -> Tensor,
    mut cell: C,
    unroll: impl Fn(&C) -> Tensor,
) {
    let state = layer.state_dict().into_iter();
    let of_cell: StateDict =
        state.map(|(name, value)| (name.trim_end_matches("_l0").to_owned(), value)).collect();
    cell.load_state_dict(&of_cell).unwrap();
    let (whole, mixed) = (run(), autocast(BF16, &run));
    let unrolled = autocast(BF16, || unroll(&cell));
    assert_eq!((mixed.dtype(), &mixed), (F32, &unrolled));
    assert_ne!(whole, mixed);
    let (of_whole, of_mixed, of_cell) =
        (slopes(layer, &whole), slopes(layer, &mixed), slopes(&cell, &unrolled));
    for ((name, got), ((_, want), (_, exact))) in of_mixed.iter().zip(of_cell.iter().zip(&of_whole)) {
        let far = |from: &Tensor| (got - from).vector_norm(2.0, ()).item() / from.vector_norm(2.0, ()).item();
        assert_eq!(got.dtype(), F32, "{name}");
        assert!(far(want) < 0.01 && far(exact) < 0.03, "{name}: {} and {}", far(want), far(exact));
        assert_ne!(got, exact, "{name}");
    }
}

#[test]
fn steps_of_recurrent_layers_multiply_half_numbers() {
    let rng = &mut Rng::new(0);
    let x = Tensor::randn([5, 3, 4], rng);
    let options = Recurrent { bias: false, ..Recurrent::default() };
    let zeros = || Tensor::zeros([3, 6]);
    let unrolled = |step: &dyn Fn(&Tensor, &Tensor) -> Tensor| {
        let states = x.unbind(0).into_iter().scan(zeros(), |h, x| {
            *h = step(&x, h);
            Some(h.clone())
        });
        stack(&states.collect::<Vec<_>>(), 0)
    };
    let rnn = Rnn::with(4, 6, options, rng);
    let cell = RnnCell::new(4, 6, rng).without_bias();
    check_steps(&rnn, || rnn.forward(&x).0, cell, |cell| unrolled(&|x, h| cell.forward(x, h)));
    let gru = Gru::with(4, 6, options, rng);
    let cell = GruCell::new(4, 6, rng).without_bias();
    check_steps(&gru, || gru.forward(&x).0, cell, |cell| unrolled(&|x, h| cell.forward(x, h)));
    let lstm = Lstm::with(4, 6, options, rng);
    let cell = LstmCell::new(4, 6, rng).without_bias();
    check_steps(
        &lstm,
        || lstm.forward(&x).0,
        cell,
        |cell| {
            let of_state = std::cell::RefCell::new(zeros());
            unrolled(&|x, h| {
                let (h, c) = cell.forward(x, (h, &of_state.borrow()));
                drop(of_state.replace(c));
                h
            })
        },
    );

    // By hand: half operands, a half product, and a state that keeps its digits.
    let product = |x: &Tensor, w: &Tensor| x.cast(BF16).matmul(w.cast(BF16).t()).cast(F32);
    let state = rnn.state_dict();
    let want =
        unrolled(&|x, h| (product(x, &state["weight_ih_l0"]) + product(h, &state["weight_hh_l0"])).tanh());
    assert_eq!(autocast(BF16, || rnn.forward(&x).0), want);
}

#[test]
fn recurrent_layers_of_every_form_come_close_and_wide_ones_stay() {
    let rng = &mut Rng::new(0);
    let x = Tensor::randn([6, 3, 4], rng);
    let options = Recurrent { layers: 2, bidirectional: true, ..Recurrent::default() };
    let projected = Recurrent { projection: Some(3), ..options };
    let (gru, mut lstm) = (Gru::with(4, 5, options, rng), Lstm::with(4, 5, projected, rng));
    for (name, whole, mixed) in [
        ("gru", gru.forward(&x).0, autocast(BF16, || gru.forward(&x).0)),
        ("lstm", lstm.forward(&x).0, autocast(BF16, || lstm.forward(&x).0)),
    ] {
        let far = (&whole - &mixed).abs().amax(()).item();
        assert!(far > 0.0 && far < 0.02, "{name}: {far}");
    }
    let (whole, mixed) = (lstm.forward(&x).0, autocast(F16, || lstm.forward(&x).0));
    for ((name, got), (_, want)) in slopes(&lstm, &mixed).iter().zip(slopes(&lstm, &whole)) {
        let far = (got - &want).vector_norm(2.0, ()).item() / want.vector_norm(2.0, ()).item();
        assert!(far < 0.01, "{name}: {far}");
    }
    lstm.convert(F64);
    let wide = x.cast(F64);
    assert_eq!(autocast(BF16, || lstm.forward(&wide).0), lstm.forward(&wide).0);
}
