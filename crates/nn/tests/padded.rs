//! Recurrent layers over sequences of different lengths, against numbers that PyTorch gives with `pack_padded_sequence`
//! and `pad_packed_sequence` (`fixtures/padded.py` has made them), and against each sequence alone.

#![cfg(feature = "files")]

use retrograd_autograd::{Differentiate, grad, gradcheck, gradgradcheck, vmap};
use retrograd_nn::{Gru, Lstm, Module, Param, Recurrent, Rnn, Squash, StateDict};
use retrograd_tensor::{F64, Rng, Tensor, attempt, cat, memory, stack};
use serde_json::Value;
use std::panic::catch_unwind;

/// A layer of any kind, as a function of the input, its lengths and its first states.
enum Layer {
    Rnn(Rnn),
    Gru(Gru),
    Lstm(Lstm),
}

impl Layer {
    fn new(kind: &str, inputs: usize, hidden: usize, options: Recurrent, squash: Squash) -> Self {
        let rng = &mut Rng::new(0);
        let mut layer = match kind {
            "Rnn" => Layer::Rnn(Rnn::with(inputs, hidden, options, rng).squash(squash)),
            "Gru" => Layer::Gru(Gru::with(inputs, hidden, options, rng)),
            "Lstm" => Layer::Lstm(Lstm::with(inputs, hidden, options, rng)),
            other => panic!("no layer `{other}`"),
        };
        layer.module_mut().convert(F64);
        layer
    }

    fn module(&self) -> &dyn Module {
        match self {
            Layer::Rnn(layer) => layer,
            Layer::Gru(layer) => layer,
            Layer::Lstm(layer) => layer,
        }
    }

    fn module_mut(&mut self) -> &mut dyn Module {
        match self {
            Layer::Rnn(layer) => layer,
            Layer::Gru(layer) => layer,
            Layer::Lstm(layer) => layer,
        }
    }

    /// The output and the last states.
    fn call(&self, x: &Tensor, lengths: Option<&[usize]>) -> Vec<Tensor> {
        match self {
            Layer::Rnn(layer) => {
                let (y, h) = lengths.map_or_else(|| layer.forward(x), |ends| layer.forward_padded(x, ends));
                vec![y, h]
            }
            Layer::Gru(layer) => {
                let (y, h) = lengths.map_or_else(|| layer.forward(x), |ends| layer.forward_padded(x, ends));
                vec![y, h]
            }
            Layer::Lstm(layer) => {
                let (y, (h, c)) =
                    lengths.map_or_else(|| layer.forward(x), |ends| layer.forward_padded(x, ends));
                vec![y, h, c]
            }
        }
    }

    fn params(&self) -> Vec<(String, &Tensor)> {
        self.module().named_parameters().into_iter().map(|(name, param)| (name, param.value())).collect()
    }
}

#[track_caller]
fn close(what: &str, got: &Tensor, want: &Tensor) {
    assert_eq!(got.shape(), want.shape(), "{what}");
    let far = (got - want).abs().amax(()).item();
    assert!(far < 1e-11, "{what} is off by {far}");
}

fn tensor(of: &Value) -> Tensor {
    let values = of["values"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap());
    let shape = of["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize);
    Tensor::from_vec(values.collect::<Vec<f64>>(), shape.collect::<Vec<_>>())
}

fn options(of: &Value) -> (Recurrent, Squash) {
    let squash = if of["nonlinearity"] == "relu" { Squash::Relu } else { Squash::Tanh };
    let options = Recurrent {
        layers: of["num_layers"].as_u64().unwrap_or(1) as usize,
        bidirectional: of["bidirectional"] == true,
        projection: of["proj_size"].as_u64().map(|size| size as usize),
        ..Recurrent::default()
    };
    (options, squash)
}

#[test]
fn sequences_of_different_lengths_are_those_of_pytorch() {
    let all: Value = serde_json::from_str(include_str!("fixtures/padded.json")).unwrap();
    let lengths: Vec<usize> =
        all["lengths"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
    let hidden = all["hidden"].as_u64().unwrap() as usize;
    let weights = tensor(&all["weights"]);
    let runs = all["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 5);
    for run in runs {
        let (options, squash) = options(&run["options"]);
        let kind = run["layer"].as_str().unwrap();
        let mut layer = Layer::new(kind, tensor(&all["input"]).size(2), hidden, options, squash);
        let state = run["state"].as_object().unwrap();
        let state: StateDict = state.iter().map(|(name, value)| (name.clone(), tensor(value))).collect();
        layer.module_mut().load_state_dict(&state).unwrap();
        // What stands in the padding must not matter, even if it is no number.
        for padding in [None, Some(f64::NAN), Some(f64::INFINITY)] {
            let x = pad(&tensor(&all["input"]), &lengths, padding).tracked();
            let results = layer.call(&x, Some(&lengths));
            close("output", &results[0], &tensor(&run["output"]));
            for (state, want) in results[1..].iter().zip(run["last"].as_array().unwrap()) {
                close("a last state", state, &tensor(want));
            }
            let width = results[0].size(2) as isize;
            let mut loss = (&results[0] * weights.narrow(2, 0, width as usize)).sum(());
            for state in &results[1..] {
                loss += state.square().sum(());
            }
            let params = layer.params();
            let of: Vec<&Tensor> = [&x].into_iter().chain(params.iter().map(|(_, value)| *value)).collect();
            let found = grad(&loss, &of);
            close("the input's gradient", &found[0], &tensor(&run["of_input"]));
            for ((name, _), found) in params.iter().zip(&found[1..]) {
                close(name, found, &tensor(&run["of_state"][name]));
            }
        }
    }
}

/// `x` `[steps, batch, ..]` with this number past the ends.
fn pad(x: &Tensor, lengths: &[usize], padding: Option<f64>) -> Tensor {
    let Some(padding) = padding else { return x.clone() };
    let past: Vec<bool> = (0..x.size(0)).flat_map(|t| lengths.iter().map(move |&end| t >= end)).collect();
    x.masked_fill(&Tensor::from_vec(past, [x.size(0), x.size(1), 1]), padding)
}

fn two_ways() -> Recurrent {
    Recurrent { layers: 2, bidirectional: true, ..Recurrent::default() }
}

fn layers() -> Vec<Layer> {
    let new = |kind, squash| Layer::new(kind, 2, 3, two_ways(), squash);
    vec![
        new("Rnn", Squash::Tanh),
        new("Rnn", Squash::Relu),
        new("Gru", Squash::Tanh),
        new("Lstm", Squash::Tanh),
    ]
}

#[test]
fn each_sequence_gives_what_it_gives_alone() {
    let lengths = [2, 6, 1];
    let x = F64.randn([6, 3, 2], &mut Rng::new(1));
    for layer in layers() {
        let padded = layer.call(&pad(&x, &lengths, Some(f64::NAN)), Some(&lengths));
        for (row, &length) in lengths.iter().enumerate() {
            let alone = layer.call(&x.narrow(1, row, 1).narrow(0, 0, length), None);
            let output = padded[0].narrow(1, row, 1);
            close("output", &output.narrow(0, 0, length), &alone[0]);
            assert!(output.narrow(0, length, 6 - length).to_vec::<f64>().iter().all(|&x| x == 0.0));
            for (padded, alone) in padded[1..].iter().zip(&alone[1..]) {
                close("a last state", &padded.narrow(1, row, 1), alone);
            }
        }
    }
}

#[test]
fn derivatives_are_those_of_the_values() {
    let options = Recurrent { projection: Some(2), batch_first: true, ..two_ways() };
    let mut lstm = Lstm::with(2, 3, options, &mut Rng::new(0));
    lstm.convert(F64);
    let rng = &mut Rng::new(1);
    let (x, h, c) = (F64.randn([3, 4, 2], rng), F64.randn([4, 3, 2], rng), F64.randn([4, 3, 3], rng));
    let call = |x: &[Tensor]| {
        let (y, (h, c)) = lstm.forward_padded_from(&x[0], &[4, 1, 3], (&x[1], &x[2]));
        y.square().sum(()) + h.sin().sum(()) + c.square().sum(())
    };
    gradcheck(call, &[&x, &h, &c]).unwrap();
    gradgradcheck(call, &[&x, &h, &c]).unwrap();
}

#[test]
fn a_state_without_bound_past_an_end_spoils_no_gradient() {
    // Doubled at each of 2,000 steps, a state passes the largest f64.
    let mut rnn = Rnn::new(1, 1, &mut Rng::new(0)).squash(Squash::Relu);
    rnn.convert(F64);
    let ones = |shape: &[usize]| F64.ones(shape);
    let state = [("weight_ih_l0", ones(&[1, 1])), ("weight_hh_l0", ones(&[1, 1]) * 2.0)];
    let biases = [("bias_ih_l0", ones(&[1])), ("bias_hh_l0", ones(&[1]))];
    let state = state.into_iter().chain(biases).map(|(name, value)| (name.to_owned(), value)).collect();
    rnn.load_state_dict(&state).unwrap();
    let x = cat(&[F64.ones([2, 1, 1]), F64.zeros([1998, 1, 1])], 0);
    let (_, h) = rnn.forward_padded(&x, &[2]);
    // 1 + 2, then 2 times that and 1 + 2 again.
    assert_eq!(h.item(), 9.0);
    let params: Vec<&Tensor> = rnn.parameters().into_iter().map(Param::value).collect();
    let found: Vec<f64> = grad(&h, &params).iter().map(Tensor::item).collect();
    assert_eq!(found, [3.0, 3.0, 3.0, 3.0]);
}

#[test]
fn equal_lengths_change_no_bit_and_dropout_stays_between_layers() {
    let options = Recurrent { dropout: 0.5, ..two_ways() };
    let x = F64.randn([4, 2, 2], &mut Rng::new(1));
    let layer = || Layer::new("Gru", 2, 3, options, Squash::Tanh);
    assert_eq!(layer().call(&x, Some(&[4, 4])), layer().call(&x, None));
    let layer = Layer::new("Gru", 2, 3, Recurrent { dropout: 1.0, ..options }, Squash::Tanh);
    let y = &layer.call(&x, Some(&[4, 3]))[0];
    // The second layer sees zeros alone: the same for all sequences, but for where they end.
    let forth = y.narrow(0, 0, 3).narrow(2, 0, 3);
    assert_eq!(forth.select(1, 0), forth.select(1, 1));
}

#[test]
fn one_sequence_without_a_batch_axis_has_one_length() {
    let gru = Gru::new(2, 3, &mut Rng::new(0));
    let x = Tensor::randn([5, 2], &mut Rng::new(1));
    let (y, h) = gru.forward_padded(&x, &[3]);
    let (alone, end) = gru.forward(&x.narrow(0, 0, 3));
    assert_eq!((y.narrow(0, 0, 3), h), (alone, end));
    let (y, _) = gru.forward_padded_from(&x, &[3], &Tensor::ones([1, 3]));
    assert_eq!(y, {
        let (first, _) = gru.forward_from(&x.narrow(0, 0, 3), &Tensor::ones([1, 3]));
        cat(&[first, Tensor::zeros([2, 3])], 0)
    });
}

#[test]
fn examples_under_vmap_share_the_lengths_and_dry_runs_plan_them() {
    let x = F64.randn([2, 4, 3, 2], &mut Rng::new(1)); // two inputs of four steps and three rows
    for layer in layers() {
        let of = |x: &Tensor| layer.call(x, Some(&[1, 4, 2])).swap_remove(1);
        let alone: Vec<Tensor> = x.unbind(0).iter().map(of).collect();
        close("the last states", &vmap(|x| of(&x[0]), &[&x]), &stack(&alone, 0));
        let step = || {
            of(&x.select(0, 0)).force();
        };
        assert!(memory::dry_run(step).peak > 0);
    }
}

#[test]
fn lengths_that_do_not_fit_are_refused_at_the_call() {
    let x = Tensor::ones([5, 2, 2]);
    let lstm = Lstm::new(2, 3, &mut Rng::new(0));
    let refused = |lengths: &[usize]| {
        let error = attempt(|| lstm.forward_padded(&x, lengths)).unwrap_err();
        assert!(error.location().unwrap().file().ends_with("padded.rs"), "{error:#}");
        error.to_string()
    };
    let range = "; a sequence has 1 to 5 steps here";
    assert_eq!(refused(&[3, 0]), format!("Lstm: length out of range: 0 for sequence 1{range}"));
    assert_eq!(refused(&[6, 1]), format!("Lstm: length out of range: 6 for sequence 0{range}"));
    let count = "Lstm: lengths do not fit: 1 for 2 sequences; there must be one for each";
    assert_eq!(refused(&[3]), count);
    assert!(
        catch_unwind(|| Gru::new(2, 3, &mut Rng::new(0)).forward_padded(&Tensor::ones([5, 2]), &[])).is_err()
    );
}
