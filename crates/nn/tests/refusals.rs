//! Mistakes are refused by the call that makes them, in its words: options of layers at construction, weights of losses,
//! rows of tables, aliases, statistics under `vmap`, loaders without batches.

extern crate retrograd_nn as retrograd;

use retrograd_autograd::vmap;
use retrograd_nn::data::{DataLoader, TensorDataset};
use retrograd_nn::train::Trainer;
use retrograd_nn::{
    AvgPool1d, AvgPool2d, BatchNorm1d, BceWithLogits, Buffer, Conv1d, Conv2d, ConvTranspose1d,
    ConvTranspose2d, Embedding, Fold, InstanceNorm1d, Linear, Losses, LpPool2d, MaxPool1d, MaxPool2d,
    MaxUnpool2d, Module, Param, Sgd, StateDict, functional_call,
};
use retrograd_tensor::{F32, Patches, Rng, Tensor, attempt};

/// The message of a refusal, which must name a line of this file.
#[track_caller]
fn refused<R>(call: impl FnOnce() -> R) -> String {
    let Err(error) = attempt(|| drop(call())) else { panic!("nothing was refused") };
    let place = error.location().expect("a place");
    assert!(place.file().ends_with("refusals.rs"), "{error:#}");
    error.to_string()
}

#[test]
fn sizes_of_0_are_refused_at_construction() {
    let rng = || Rng::new(0);
    let zero = |what: &str, sizes: &str| {
        format!("{what} not allowed: {sizes}; it must be at least 1 along each axis")
    };
    let conv = || Conv2d::new(4, 4, 3, &mut rng());
    assert_eq!(refused(|| Conv2d::new(4, 4, [3, 0], &mut rng())), zero("Conv2d: kernel", "[3, 0]"));
    assert_eq!(refused(|| conv().stride(0)), zero("Conv2d: stride", "[0, 0]"));
    assert_eq!(refused(|| conv().dilation([0, 1])), zero("Conv2d: dilation", "[0, 1]"));
    assert!(refused(|| conv().groups(0)).starts_with("groups: groups do not fit: 0 groups"));
    let back = || ConvTranspose1d::new(4, 4, 3, &mut rng());
    assert_eq!(
        refused(|| ConvTranspose2d::new(4, 4, 0, &mut rng())),
        zero("ConvTranspose2d: kernel", "[0, 0]")
    );
    assert_eq!(refused(|| back().stride(0)), zero("ConvTranspose1d: stride", "[0]"));
    assert_eq!(refused(|| back().dilation(0)), zero("ConvTranspose1d: dilation", "[0]"));
    assert!(refused(|| back().groups(0)).starts_with("groups: groups do not fit: 0 groups"));

    assert_eq!(refused(|| MaxPool2d::new(0)), zero("MaxPool2d: kernel", "[0, 0]"));
    assert_eq!(refused(|| MaxPool1d::new(2).stride(0)), zero("MaxPool1d: stride", "[0]"));
    assert_eq!(refused(|| MaxPool1d::new(2).dilation(0)), zero("MaxPool1d: dilation", "[0]"));
    assert_eq!(refused(|| AvgPool1d::new(0)), zero("AvgPool1d: kernel", "[0]"));
    assert_eq!(refused(|| AvgPool2d::new(2).stride([1, 0])), zero("AvgPool2d: stride", "[1, 0]"));
    assert_eq!(refused(|| LpPool2d::new(2.0, [0, 2])), zero("LpPool2d: kernel", "[0, 2]"));
    assert_eq!(refused(|| LpPool2d::new(2.0, 2).stride(0)), zero("LpPool2d: stride", "[0, 0]"));
    assert_eq!(refused(|| MaxUnpool2d::new(0)), zero("MaxUnpool2d: kernel", "[0, 0]"));
    assert_eq!(refused(|| MaxUnpool2d::new(2).stride(0)), zero("MaxUnpool2d: stride", "[0, 0]"));
    let patches = Patches { stride: [1, 0], ..[2, 2].into() };
    assert_eq!(refused(|| Fold::new(4, patches)), zero("Fold: stride", "[1, 0]"));
}

#[test]
fn padding_that_does_not_fit_is_refused_at_construction() {
    let conv = || Conv1d::new(2, 2, 3, &mut Rng::new(0));
    let right = "one number from 0 on, or 1 of them";
    assert_eq!(refused(|| conv().padding([1, 2])), format!("Conv1d: padding does not fit: [1, 2]; {right}"));
    let same = "Conv1d: padding \"same\" with stride [2]: sizes cannot stay; give numbers";
    assert_eq!(refused(|| conv().padding("same").stride(2)), same);
    assert_eq!(refused(|| conv().stride(2).padding("same")), same);
    let wide = "padding too wide: [2] for a window of [3]; it is at most half of the window";
    assert_eq!(refused(|| MaxPool1d::new(3).padding(2)), format!("MaxPool1d: {wide}"));
    assert_eq!(refused(|| AvgPool1d::new(3).padding(2)), format!("AvgPool1d: {wide}"));
}

#[test]
fn weights_of_a_loss_are_refused_by_its_name() {
    let (x, y) = (F32.zeros([2, 4]), F32.zeros([2, 4]));
    let of = |weight: Tensor| BceWithLogits { pos_weight: Some(weight), ..BceWithLogits::default() };
    let call = |weight: Tensor| refused(|| x.binary_cross_entropy_with_logits_with(&y, of(weight)));
    let op = "binary_cross_entropy_with_logits: pos_weight does not fit";
    let right = "for input [2, 4]; it must broadcast to the input";
    assert_eq!(call(F32.ones([3])), format!("{op}: [3] {right}"));
    assert_eq!(call(F32.ones([5, 2, 4])), format!("{op}: [5, 2, 4] {right}"));
    let options = BceWithLogits { weight: Some(F32.ones([3])), ..BceWithLogits::default() };
    let message = refused(|| x.binary_cross_entropy_with_logits_with(&y, options));
    assert_eq!(message, format!("binary_cross_entropy_with_logits: weight does not fit: [3] {right}"));
    // One for each class, one for all and one for each sample are right.
    for shape in [&[4][..], &[1], &[2, 1], &[]] {
        drop(x.binary_cross_entropy_with_logits_with(&y, of(F32.ones(shape))));
    }
}

#[test]
fn rows_that_a_table_does_not_have_are_named() {
    let table = Embedding::new(7, 2, &mut Rng::new(0));
    let row = |row: i64, at: usize| {
        format!("embedding: row out of range: {row} at position {at}, of a table of 7 rows; rows are 0..7")
    };
    assert_eq!(refused(|| table.forward(&Tensor::from([[0i64, 6], [3, 7]]))), row(7, 3));
    assert_eq!(refused(|| table.forward(&Tensor::from([-1i64, 2]))), row(-1, 0));
    let message = refused(|| vmap(|x| table.forward(&x[0]), &[&Tensor::from([[1i64, 2], [9, 3]])]));
    assert_eq!(message, row(9, 2));
    assert!(refused(|| table.forward(&Tensor::from([1.0f32]))).starts_with("embedding: positions are f32"));
    assert_eq!(table.forward(&Tensor::from_vec(Vec::<i64>::new(), [0])).shape()[..], [0, 2]);
}

#[derive(Module)]
#[module(alias(head.weight = "body.wieght"))]
struct Misspelt {
    body: Linear,
}

#[test]
fn an_alias_for_no_slot_takes_no_entry() {
    let mut model = Misspelt { body: Linear::new(2, 2, &mut Rng::new(0)) };
    let mut state = model.state_dict();
    assert_eq!(state.len(), 2);
    model.load_state_dict(&state).unwrap();
    state.insert("head.weight".to_owned(), F32.zeros([2, 2]));
    let message = model.load_state_dict(&state).unwrap_err().to_string();
    let wrong = "`head.weight` is an alias of `body.wieght`, which the model does not have";
    assert_eq!(
        message,
        format!("load_state_dict: 1 of 3 entries do not fit: {wrong}; the model is unchanged")
    );
}

#[test]
fn misfits_are_counted_truly() {
    let mut model: Vec<Linear> = (0..2).map(|seed| Linear::new(2, 2, &mut Rng::new(seed))).collect();
    let renamed = |(name, value): (String, Tensor)| (format!("model.{name}"), value);
    let mut state: StateDict = model.state_dict().into_iter().map(renamed).collect();
    state.insert("model.extra".to_owned(), F32.zeros([1]));
    let message = model.load_state_dict(&state).unwrap_err().to_string();
    let want = "load_state_dict: 9 entries do not fit, of 4 of the model and 5 given: `0.weight` is missing";
    assert!(message.starts_with(want), "{message}");
}

#[test]
fn running_statistics_are_not_moved_by_examples_that_share_them() {
    let x = Tensor::randn([3, 4, 2], &mut Rng::new(0));
    let mut norm = BatchNorm1d::new(2);
    let before = norm.state_dict();
    let message = refused(|| vmap(|x| norm.forward(&x[0]), &[&x]));
    assert!(message.starts_with("BatchNorm1d: running statistics inside vmap"), "{message}");
    assert_eq!(norm.state_dict(), before);
    let rows = InstanceNorm1d::new(4).running();
    let y = x.unsqueeze(1);
    let message = refused(|| vmap(|x| rows.forward(&x[0]), &[&y]));
    assert!(message.starts_with("InstanceNorm1d: running statistics inside vmap"), "{message}");

    // Without them, or with one for each example, a loop gives the same.
    let plain = BatchNorm1d::new(2).without_running();
    let each = vmap(|x| plain.forward(&x[0]), &[&x]);
    let stats = |x: &[Tensor]| {
        let state = StateDict::from([
            ("running_mean".to_owned(), x[1].clone()),
            ("running_var".to_owned(), x[2].clone()),
        ]);
        functional_call(&norm, &state, |norm| norm.forward(&x[0]))
    };
    let own = vmap(stats, &[&x, &F32.zeros([3, 2]), &F32.ones([3, 2])]);
    for (k, x) in x.unbind(0).iter().enumerate() {
        let alone = plain.forward(x);
        for found in [&each, &own] {
            assert!((found.select(0, k as isize) - &alone).abs().amax(()).item() < 1e-5);
        }
    }
    norm.eval();
    drop(vmap(|x| norm.forward(&x[0]), &[&x]));
    // Batches that are the same for all examples move them as ever.
    norm.train();
    let w = F32.ones([3]);
    drop(vmap(|w| norm.forward(&x.select(0, 0)) * &w[0], &[&w]));
    assert_ne!(norm.state_dict(), before);
}

#[test]
fn a_slot_takes_no_value_for_each_example() {
    let (x, buffer, mut param) = (F32.ones([3, 2]), Buffer::new(F32.zeros([2])), Param::new(F32.zeros([2])));
    let inside = "inside vmap: the new value differs from example to example; a slot has one for all of them";
    let message = refused(|| vmap(|x| buffer.update(|old| old + &x[0]), &[&x]));
    assert_eq!(message, format!("Buffer::update: {inside}"));
    assert_eq!(refused(|| vmap(|x| param.replace(&x[0]), &[&x])), format!("Param::replace: {inside}"));
    assert_eq!(buffer.value(), F32.zeros([2]));
}

#[test]
fn a_loader_without_batches_is_an_error() {
    let data = |n: usize| TensorDataset::new(F32.ones([n, 2]), F32.ones([n, 1]));
    let fit = |mut loader: DataLoader<_, (Tensor, Tensor)>, mut checked: DataLoader<_, (Tensor, Tensor)>| {
        let mut model = Linear::new(2, 1, &mut Rng::new(0));
        let mut sgd = Sgd::new(&model, 0.1);
        let trainer = Trainer::new(&mut model, &mut sgd).epochs(1).validate(&mut checked);
        let loss = |model: &Linear, (x, y): &(Tensor, Tensor)| model.forward(x).mse_loss(y);
        trainer.fit(&mut loader, loss).map(|history| history.epochs.len()).map_err(|error| error.to_string())
    };
    let of = |n: usize| DataLoader::new(data(n)).batch_size(4);
    let none = "Trainer: no batches in epoch 1: the loader gives out none of 0 samples; it needs one or more";
    assert_eq!(fit(of(0), of(2)).unwrap_err(), none);
    let dropped = "Trainer: no batches in epoch 1: the loader drops 3 samples, less than a batch of 4";
    assert!(fit(of(3).drop_last(true), of(2)).unwrap_err().starts_with(dropped));
    assert!(fit(of(3), of(0)).unwrap_err().starts_with("Trainer: no batches to validate with"));
    assert_eq!(fit(of(3), of(2)), Ok(1));
}
