//! A dry run finds the very peak of the real one and touches nothing. One test, alone in its file: the counters are
//! those of the process.

use memory::{DryRun, dry_run, stats};
use retrograd::prelude::*;
use retrograd::{Adam, BatchNorm1d, Dropout, Optimizer, remat};

/// What memory a dry run may take: numbers that the step gives.
const NUMBERS: usize = 16 << 10;

fn dry<R>(name: &str, f: impl FnOnce() -> R) -> DryRun {
    memory::reset_peak();
    let before = stats();
    let planned = dry_run(f);
    let after = stats();
    assert_eq!((after.programs, after.outputs), (before.programs, before.outputs), "{name}: computes");
    assert!(after.peak <= before.live + NUMBERS, "{name}: takes {}", after.peak - before.live);
    planned
}
fn real<R>(f: impl FnOnce() -> R) -> (usize, usize) {
    memory::reset_peak();
    let before = stats();
    drop(f());
    let after = stats();
    (after.peak - before.live, after.programs - before.programs)
}
fn made(t: Tensor) -> Tensor {
    t.force();
    t
}
fn compare(name: &str, planned: DryRun, (peak, programs): (usize, usize)) {
    assert_eq!((planned.peak, planned.programs), (peak, programs), "{name}");
    assert!(peak > 0, "{name}: nothing is demanded");
}
/// A step that leaves everything as it was.
fn exact<R>(name: &str, step: impl Fn() -> R) {
    let first = dry(name, &step);
    let second = dry(name, &step);
    assert_eq!(first, second, "{name}: two dry runs");
    let measured = real(&step);
    compare(name, first, measured);
    compare(name, dry(name, &step), real(&step));
}

#[derive(Module)]
struct Mlp {
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
    dropout: Dropout,
}
fn mlp() -> (Mlp, Adam) {
    let mut rng = Rng::new(0);
    let model = Mlp {
        fc1: Linear::new(64, 256, &mut rng),
        fc2: Linear::new(256, 256, &mut rng),
        fc3: Linear::new(256, 10, &mut rng),
        dropout: Dropout::new(0.1, &mut rng),
    };
    let adam = Adam::new(&model, 1e-3);
    (model, adam)
}
fn batch() -> (Tensor, Tensor) {
    let x = Tensor::randn([128, 64], &mut Rng::new(1));
    let labels = Tensor::randint(0, 10, [128], &mut Rng::new(2)).cast(I32);
    force_all(&[&x, &labels]);
    (x, labels)
}
fn train((model, adam): &mut (Mlp, Adam), (x, labels): &(Tensor, Tensor)) {
    let h = model.fc1.forward(x).relu();
    let h = model.dropout.forward(&model.fc2.forward(&h).gelu().layer_norm([256], None, None, 1e-5));
    let loss = model.fc3.forward(&h).cross_entropy(labels);
    adam.step(model, &loss.backward()).unwrap();
}

fn a_training_step_has_its_exact_peak() {
    let data = batch();
    let after = |steps: usize| {
        let mut state = mlp();
        state.0.parameters().iter().for_each(|p| _ = p.force());
        (0..steps).for_each(|_| train(&mut state, &data));
        state
    };
    for steps in [0, 1, 3, 3] {
        let (mut planned, mut measured) = (after(steps), after(steps));
        memory::reset_peak();
        let before = stats();
        let found = dry_run(|| train(&mut planned, &data));
        // The stream of the dropout goes on in earnest, a few bytes at a time.
        assert!(stats().peak - before.live <= NUMBERS && stats().programs <= before.programs + 3);
        let (peak, programs) = real(|| train(&mut measured, &data));
        assert_eq!(found.peak, peak, "after {steps} steps");
        assert!(found.programs + 3 >= programs && found.programs <= programs);
    }
}

fn a_model_made_inside_counts_with_its_steps() {
    let data = batch();
    let all = || {
        let mut state = mlp();
        (0..3).for_each(|_| train(&mut state, &data));
    };
    let planned = dry_run(all);
    assert_eq!(planned.peak, real(all).0);
    assert!(planned.peak > 3 * 4 * (64 * 256 + 256 * 256), "parameters and moments");
}

/// The weight of a batch among all is a number that the layer counts, so it is there in a dry run too.
fn statistics_of_all_batches_are_planned() {
    let x = Tensor::randn([64, 32, 6], &mut Rng::new(4));
    x.force();
    let step = || {
        let norm = BatchNorm1d::new(32).momentum(None);
        let y = norm.forward(&norm.forward(&x).relu()).square().sum(());
        drop((y.backward(), norm.state_dict()));
    };
    let planned = dry_run(step);
    assert_eq!(planned.peak, real(step).0);
}

fn networks_and_chains_have_their_exact_peaks() {
    let rng = &mut Rng::new(3);
    let images = Tensor::randn([8, 3, 24, 24], rng);
    let (w1, w2) =
        (Tensor::randn([16, 3, 3, 3], rng).tracked(), Tensor::randn([16, 16, 3, 3], rng).tracked());
    let x = Tensor::randn([200, 300], rng).tracked();
    let w = Tensor::randn([300, 200], rng).tracked();
    let index = Tensor::randint(0, 200, [500], rng);
    let turned = Tensor::randn([300, 200], rng);
    force_all(&[&images, &w1, &w2, &x, &w, &index, &turned]);
    exact("conv net", || {
        let h = images.conv2d(&w1, None, Conv::new().padding(1)).relu().max_pool([2, 2]);
        let h = h.conv2d(&w2, None, Conv::new().stride(2)).batch_norm(None, None, 1e-5).0.tanh();
        h.square().mean(()).backward()
    });
    exact("softmax", || (x.softmax(1) * x.log_softmax(-1)).sum(()).backward());
    exact("layer norm", || {
        x.layer_norm([300], None, None, 1e-5)
            .gelu()
            .layer_norm([300], None, None, 1e-5)
            .sum(0)
            .square()
            .sum(())
            .backward()
    });
    exact("product", || x.matmul(&w).softmax(-1).matmul(&x).square().mean(()).backward());
    exact("gather", || x.index_select(0, &index).tanh().sum(1).square().sum(()).backward());
    exact("columns", || made((&x.detach() * 2.0).tanh().sum(0).exp() + x.detach().var(0, 1)));
    exact("turned", || made((turned.t() + x.detach()).exp()));
    exact("a long sum", || made(x.detach().reshape([60_000]).exp().sum(()) + x.detach().square().mean(())));
    let by = w.clone();
    exact("remat", || {
        let w = by.clone();
        remat(move |x| x[0].tanh().matmul(&w).exp(), &[&x]).sum(()).backward()
    });
    exact("second order", || hvp(|x| (x[0].square() * &x[0]).matmul(&w).sum(()), &[&x], &[&x.detach()]));
    exact("unread", || hvp(|w| x.matmul(&w[0]).tanh().square().sum(()), &[&w], &[&w.detach()]).1);
    exact("read late", || {
        let late = grad_recorded(&x.matmul(&w).tanh().square().sum(()), &[&w, &x]);
        (made(late[0].clone()), late)
    });
    exact("vmap", || made(vmap(|row| (&row[0] * &row[0]).softmax(0), &[&x.detach()])));
    exact("eager", || eager(|| (x.tanh() * 2.0).sum(1).square().sum(()).backward()));
    exact("sort", || x.sort(1, true).0.square().sum(()).backward());
    let square = Tensor::randn([20, 60, 60], rng);
    square.force();
    exact("inverse", || made(square.inv().matmul(&square).exp()));
}

/// Products so small that a weight's gradient is made by another thread while the walk goes on.
fn a_deep_network_has_one_peak_at_any_number_of_threads() {
    let rng = &mut Rng::new(6);
    let layers: Vec<Linear> = (0..12).map(|_| Linear::new(64, 64, rng)).collect();
    let x = Tensor::randn([64, 64], rng);
    layers.iter().flat_map(Module::parameters).for_each(|p| _ = p.force());
    x.force();
    let step = || {
        let y = layers.iter().fold(x.clone(), |h, layer| layer.forward(&h).sigmoid());
        y.square().mean(()).backward()
    };
    let peaks = [1, 2, 3, 2].map(|threads| {
        with_threads(threads, || exact("deep", step));
        dry_run(step).peak
    });
    assert!(peaks.iter().all(|&peak| peak == peaks[0]), "{peaks:?}");
}

#[test]
fn peaks_are_exact() {
    let mut number = Tensor::from(1.0f32);
    number += 1.0; // a thread's first assignment keeps a spare number
    a_training_step_has_its_exact_peak();
    a_model_made_inside_counts_with_its_steps();
    statistics_of_all_batches_are_planned();
    networks_and_chains_have_their_exact_peaks();
    a_deep_network_has_one_peak_at_any_number_of_threads();
}
