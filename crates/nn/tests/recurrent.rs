//! Recurrent layers against their cells, unrolled by hand: values, gradients of the first and second order.

use retrograd_autograd::{grad, grad_recorded, gradcheck, gradgradcheck, vmap};
use retrograd_nn::{Gru, GruCell, Lstm, LstmCell, Module, Param, Recurrent, Rnn, RnnCell, Squash, StateDict};
use retrograd_tensor::{F32, F64, Rng, Tensor, stack, with_threads};

const STEPS: usize = 4;
const BATCH: usize = 3;
const INPUTS: usize = 2;
const HIDDEN: usize = 5;

fn input() -> Tensor {
    F64.randn([STEPS, BATCH, INPUTS], &mut Rng::new(7))
}

/// The state of a layer under the names of a cell.
fn of_cell(state: StateDict) -> StateDict {
    state.into_iter().map(|(name, value)| (name.trim_end_matches("_l0").to_owned(), value)).collect()
}

#[track_caller]
fn close(got: &Tensor, want: &Tensor) {
    assert_eq!(got.shape(), want.shape());
    let far = (got - want).abs().amax(()).item();
    assert!(far < 1e-11, "off by {far}");
}

/// A weight for each element of the result, so that nothing cancels.
fn objective(y: &Tensor) -> Tensor {
    (y * F64.randn(y.shape(), &mut Rng::new(8)) + y * y).sum(())
}

/// The first gradients, and those of a sum of their squares.
fn gradients(module: &dyn Module, y: &Tensor) -> Vec<Tensor> {
    let params: Vec<&Tensor> = module.parameters().into_iter().map(Param::value).collect();
    let first = grad_recorded(&objective(y), &params);
    let squares = first.iter().map(objective).reduce(|sum, part| sum + part).expect("there are parameters");
    let second = grad(&squares, &params);
    first.into_iter().chain(second).collect()
}

#[track_caller]
fn check_same(layer: (&dyn Module, &Tensor), cell: (&dyn Module, &Tensor)) {
    close(layer.1, cell.1);
    let (got, want) = (gradients(layer.0, layer.1), gradients(cell.0, cell.1));
    assert_eq!(got.len(), 8);
    for (got, want) in got.iter().zip(&want) {
        close(got, want);
    }
}

/// The states that `step` leads to from zeros, one after the other.
fn unrolled(step: impl Fn(&Tensor, &Tensor) -> Tensor) -> Tensor {
    let mut h = F64.zeros([BATCH, HIDDEN]);
    let mut states = vec![];
    for x in input().unbind(0) {
        h = step(&x, &h);
        states.push(h.clone());
    }
    stack(&states, 0)
}

#[test]
fn rnn_is_its_cell_unrolled() {
    for squash in [Squash::Tanh, Squash::Relu] {
        let mut layer = Rnn::new(INPUTS, HIDDEN, &mut Rng::new(0)).squash(squash);
        let mut cell = RnnCell::new(INPUTS, HIDDEN, &mut Rng::new(1)).squash(squash);
        layer.convert(F64);
        cell.convert(F64);
        cell.load_state_dict(&of_cell(layer.state_dict())).unwrap();
        let states = unrolled(|x, h| cell.forward(x, h));
        check_same((&layer, &layer.forward(&input()).0), (&cell, &states));
    }
}

#[test]
fn gru_is_its_cell_unrolled() {
    let mut layer = Gru::new(INPUTS, HIDDEN, &mut Rng::new(0));
    let mut cell = GruCell::new(INPUTS, HIDDEN, &mut Rng::new(1));
    layer.convert(F64);
    cell.convert(F64);
    cell.load_state_dict(&of_cell(layer.state_dict())).unwrap();
    let states = unrolled(|x, h| cell.forward(x, h));
    check_same((&layer, &layer.forward(&input()).0), (&cell, &states));
}

#[test]
fn lstm_is_its_cell_unrolled() {
    let mut layer = Lstm::new(INPUTS, HIDDEN, &mut Rng::new(0));
    let mut cell = LstmCell::new(INPUTS, HIDDEN, &mut Rng::new(1));
    layer.convert(F64);
    cell.convert(F64);
    cell.load_state_dict(&of_cell(layer.state_dict())).unwrap();
    let (mut h, mut c) = (F64.zeros([BATCH, HIDDEN]), F64.zeros([BATCH, HIDDEN]));
    let mut states = vec![];
    for x in input().unbind(0) {
        (h, c) = cell.forward(&x, (&h, &c));
        states.push(h.clone());
    }
    check_same((&layer, &layer.forward(&input()).0), (&cell, &stack(&states, 0)));
}

#[test]
fn projected_states_have_the_derivatives_of_their_values() {
    let options = Recurrent { projection: Some(2), layers: 2, bidirectional: true, ..Recurrent::default() };
    let mut lstm = Lstm::with(INPUTS, 3, options, &mut Rng::new(0));
    lstm.convert(F64);
    assert_eq!(lstm.state_dict()["weight_hr_l1_reverse"].shape()[..], [2, 3]);
    assert_eq!(lstm.state_dict()["weight_hh_l0"].shape()[..], [12, 2]);
    let rng = &mut Rng::new(1);
    let (h, c) = (F64.randn([4, BATCH, 2], rng), F64.randn([4, BATCH, 3], rng));
    let call = |x: &[Tensor]| {
        let (y, (h, c)) = lstm.forward_from(&x[0], (&x[1], &x[2]));
        objective(&y) + objective(&h) + objective(&c)
    };
    gradcheck(call, &[&input(), &h, &c]).unwrap();
    gradgradcheck(call, &[&input(), &h, &c]).unwrap();
}

#[test]
fn a_call_goes_on_where_another_ended() {
    let options = Recurrent { layers: 2, batch_first: true, ..Recurrent::default() };
    let gru = Gru::with(INPUTS, HIDDEN, options, &mut Rng::new(0));
    let x = Tensor::randn([BATCH, 6, INPUTS], &mut Rng::new(1));
    let (whole, end) = gru.forward(&x);
    let (first, between) = gru.forward(&x.narrow(1, 0, 2));
    let (second, last) = gru.forward_from(&x.narrow(1, 2, 4), &between);
    assert_eq!((whole.narrow(1, 0, 2), whole.narrow(1, 2, 4), end), (first, second, last));
    // One sequence without a batch axis.
    let (alone, _) = gru.forward(&x.select(0, 1));
    assert!((alone - whole.select(0, 1)).abs().amax(()).item() < 1e-6);
}

#[test]
fn the_way_back_reads_from_the_end() {
    let options = Recurrent { bidirectional: true, ..Recurrent::default() };
    let rnn = Rnn::with(INPUTS, HIDDEN, options, &mut Rng::new(0));
    let x = Tensor::randn([STEPS, BATCH, INPUTS], &mut Rng::new(1));
    let (y, h) = rnn.forward(&x);
    assert_eq!(y.select(0, 0).narrow(-1, HIDDEN, HIDDEN), h.select(0, 1));
    assert_eq!(y.select(0, -1).narrow(-1, 0, HIDDEN), h.select(0, 0));
}

#[test]
fn dropout_lies_between_layers_in_training() {
    let options = Recurrent { layers: 2, dropout: 1.0, ..Recurrent::default() };
    let mut lstm = Lstm::with(INPUTS, HIDDEN, options, &mut Rng::new(0));
    let x = Tensor::randn([STEPS, BATCH, INPUTS], &mut Rng::new(1));
    let y = lstm.forward(&x).0;
    // The second layer sees zeros alone: the same for all sequences.
    assert_eq!(y.select(1, 0), y.select(1, 1));
    lstm.eval();
    let y = lstm.forward(&x).0;
    assert_ne!(y.select(1, 0), y.select(1, 1));
}

#[test]
fn no_bit_depends_on_how_many_threads_share_the_batch() {
    let x = F64.randn([70, 7, 3], &mut Rng::new(1)); // more steps than a rule has operands
    let bits = |module: &dyn Module, forward: &dyn Fn() -> Tensor, threads: usize| {
        with_threads(threads, || {
            let y = forward();
            gradients(module, &y).into_iter().chain([y]).flat_map(|t| t.to_vec::<f64>()).collect::<Vec<_>>()
        })
    };
    let options = || Recurrent { layers: 2, bidirectional: true, ..Recurrent::default() };
    let rng = &mut Rng::new(2);
    let mut rnn = Rnn::with(3, 6, options(), rng);
    let mut gru = Gru::with(3, 6, options(), rng);
    let mut lstm = Lstm::with(3, 6, Recurrent { projection: Some(4), ..options() }, rng);
    rnn.convert(F64);
    gru.convert(F64);
    lstm.convert(F64);
    let all: [(&dyn Module, &dyn Fn() -> Tensor); 3] =
        [(&rnn, &|| rnn.forward(&x).0), (&gru, &|| gru.forward(&x).0), (&lstm, &|| lstm.forward(&x).0)];
    for (module, forward) in all {
        let alone = bits(module, forward, 1);
        for threads in [2, 3, 5, 50] {
            assert!(bits(module, forward, threads) == alone, "{threads} threads");
        }
    }
}

#[test]
fn a_batch_may_be_empty() {
    let lstm = Lstm::new(3, 6, &mut Rng::new(2));
    let (y, (h, _)) = lstm.forward(&F32.zeros([5, 0, 3]));
    assert_eq!((y.shape().to_vec(), h.shape().to_vec()), (vec![5, 0, 6], vec![1, 0, 6]));
    let params: Vec<&Tensor> = lstm.parameters().into_iter().map(Param::value).collect();
    assert!(grad(&y.sum(()), &params).iter().all(|g| g.abs().sum(()).item() == 0.0));
}

#[test]
fn layers_under_vmap_are_those_of_a_loop() {
    let mut lstm = Lstm::new(3, 4, &mut Rng::new(2));
    lstm.convert(F64);
    let params: Vec<&Tensor> = lstm.parameters().into_iter().map(Param::value).collect();
    let x = F64.randn([3, 5, 4, 3], &mut Rng::new(3)); // three inputs of five steps and four rows
    let of = |x: &Tensor| (lstm.forward(x).0.square()).sum(());
    let [inside, outside] = with_threads(2, || {
        let inside = vmap(|x| grad(&of(&x[0]), &params).swap_remove(1), &[&x]).sum(0);
        let outside = grad(&vmap(|x| of(&x[0]), &[&x]).sum(()), &params).swap_remove(1);
        [inside, outside]
    });
    let alone = x.unbind(0).iter().map(|x| grad(&of(x), &params).swap_remove(1)).reduce(|a, b| a + b);
    let alone = alone.expect("three");
    close(&inside, &alone);
    close(&outside, &alone);
}
