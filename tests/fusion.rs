//! What the engine promises of memory and passes, read off `memory::stats()`: programs run, values written, values
//! written in the memory of an operand, live and peak bytes.
//!
//! The counters belong to the process, so the tests of this file take turns.
use retrograd::prelude::*;
use std::sync::{Mutex, MutexGuard, PoisonError};

static TURN: Mutex<()> = Mutex::new(());
fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
const MIB: usize = 1 << 20;

/// Distinct, harmless numbers.
fn numbers(shape: &[usize]) -> Tensor {
    let n: usize = shape.iter().product();
    let data: Vec<f32> = (0..n).map(|i| ((i * 7919) % 1999) as f32 * 1e-3 - 1.0).collect();
    Tensor::from_slice(&data, shape)
}
/// What `f` did to the counters; its result is kept until they are read.
fn counted<T>(f: impl FnOnce() -> T) -> (T, memory::Stats) {
    memory::reset_peak();
    let before = memory::stats();
    let kept = f();
    let after = memory::stats();
    let counts = memory::Stats {
        programs: after.programs - before.programs,
        outputs: after.outputs - before.outputs,
        in_place: after.in_place - before.in_place,
        live: after.live.saturating_sub(before.live),
        peak: after.peak - before.live,
        cached: after.cached,
        fresh: after.fresh - before.fresh,
    };
    (kept, counts)
}

#[test]
fn formula_forward_and_backward_are_one_program() {
    let _turn = turn();
    let [x, a, b, c] = [0; 4].map(|_| numbers(&[1 << 16]).tracked());
    let ((loss, grads), s) = counted(|| {
        let y = (&x * &a + &b).tanh() * &c + &x;
        let loss = y.sum(());
        drop(y);
        let grads = loss.backward();
        loss.item();
        (loss, grads)
    });
    assert_eq!((s.programs, s.outputs), (1, 5), "four gradients and the loss in one pass");
    assert!(s.peak < 5 * (1 << 18), "nothing else is ever in memory: {} bytes", s.peak);
    assert!(loss.item().is_finite() && grads[&x].sum(()).item().is_finite());
}

#[test]
fn a_mean_ends_in_the_pass_of_its_gradients() {
    let _turn = turn();
    let [x, a] = [0; 2].map(|_| numbers(&[1 << 16]).tracked());
    let ((loss, grads), s) = counted(|| {
        let y = (&x * &a).tanh();
        let loss = y.mean(());
        drop(y);
        let grads = loss.backward();
        loss.item();
        (loss, grads)
    });
    // One number before (the cotangent over n) and one after (the sum over n) are programs of their own.
    assert_eq!((s.programs, s.outputs), (3, 5), "two gradients and the sum in one pass");
    assert!(s.peak < 3 * (1 << 18), "neither product nor tanh is in memory: {} bytes", s.peak);
    assert!(loss.item().is_finite() && grads[&x].sum(()).item().is_finite());
}

#[test]
fn softmax_is_one_program_with_one_output() {
    let _turn = turn();
    let x = numbers(&[64, 1000]);
    for f in [(|x: &Tensor| x.softmax(-1)) as fn(&Tensor) -> Tensor, |x| x.log_softmax(-1)] {
        let (_, s) = counted(|| {
            let y = f(&x);
            y.force();
            y
        });
        assert_eq!((s.programs, s.outputs), (1, 1));
    }
}

/// A function of `[rows, width]`, forward forced, then backward: at most two programs each way, and nothing of the
/// input's size but input, output and input gradient.
#[track_caller]
fn two_and_two(name: &str, f: &dyn Fn(&Tensor) -> Tensor) {
    let (rows, width) = (256, 1000);
    let size = rows * width * 4;
    let x = numbers(&[rows, width]).tracked();
    let seed = f(&x).detach().ones_like() * 0.5;
    seed.force();
    let (y, s) = counted(|| {
        let y = f(&x);
        y.force();
        y
    });
    let output = y.numel() * 4;
    assert!(s.programs <= 2, "{name}: forward in {} programs", s.programs);
    assert!(s.live < output + size / 2, "{name}: {} bytes live after forward, output {output}", s.live);
    let (_grads, s) = counted(|| y.backward_with(&seed));
    assert!(s.programs <= 2, "{name}: backward in {} programs", s.programs);
    assert!(s.peak < size + size / 2, "{name}: backward needed {} bytes beside a gradient of {size}", s.peak);
}
#[test]
fn normalisations_are_single_passes() {
    let _turn = turn();
    let (w, b) = (numbers(&[1000]).tracked(), numbers(&[1000]).tracked());
    let labels = Tensor::from((0..256).map(|i| i * 31 % 1000).collect::<Vec<i64>>());
    two_and_two("softmax", &|x| x.softmax(-1));
    two_and_two("log_softmax", &|x| x.log_softmax(-1));
    two_and_two("layer norm", &|x| {
        let d = x - x.mean_keepdim(-1);
        let scale = ((&d * &d).mean_keepdim(-1) + 1e-5).sqrt();
        d / scale * &w + &b
    });
    two_and_two("RMS norm", &|x| x / ((x * x).mean_keepdim(-1) + 1e-6).sqrt() * &w);
    two_and_two("cross-entropy", &|x| x.cross_entropy(&labels));
}

#[test]
fn composed_gelu_saves_only_its_input() {
    let _turn = turn();
    let (x, w1, w2) =
        (numbers(&[256, 64]).tracked(), numbers(&[64, 256]).tracked(), numbers(&[256, 64]).tracked());
    let hidden = 256 * 256 * 4;
    let (y, s) = counted(|| {
        let h = x.matmul(&w1);
        let a = &h * 0.5 * ((&h * std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0);
        drop(h);
        let y = a.matmul(&w2);
        drop(a);
        y.force();
        y
    });
    // The second product saves its operand, the activation; the activation's own rule has the input.
    let output = 256 * 64 * 4;
    assert!(s.live <= 2 * hidden + output + hidden / 2, "{} bytes live between two products", s.live);
    let g = y.sum(()).backward();
    assert!(g[&x].sum(()).item().is_finite());
}

#[test]
fn bias_and_upstream_gradient_share_a_program() {
    let _turn = turn();
    let (x, w, b) = (numbers(&[128, 64]).tracked(), numbers(&[64, 32]).tracked(), numbers(&[32]).tracked());
    let y = (x.matmul(&w) + &b).tanh();
    y.force();
    let seed = numbers(&[128, 32]);
    let (_g, s) = counted(|| y.backward_with(&seed));
    assert_eq!((s.programs, s.outputs), (1, 2), "the gradient of the sum, and of the bias, in one pass");
}

#[derive(Module)]
struct Many {
    layers: Vec<Linear>,
}
/// What the updates of 200 small parameters do, from the third step on.
fn updates<O: Optimizer>(optimizer: impl FnOnce(&Many) -> O) -> Vec<memory::Stats> {
    let mut rng = Rng::new(1);
    let mut model = Many { layers: (0..100).map(|_| Linear::new(32, 32, &mut rng)).collect() };
    let mut optimizer = optimizer(&model);
    let x = numbers(&[16, 32]);
    let mut step = || {
        let mut h = x.clone();
        for l in &model.layers {
            h = &h + l.forward(&h).tanh() * 0.1;
        }
        let loss = (&h * &h).mean(());
        drop(h);
        let grads = loss.backward();
        counted(|| optimizer.step(&mut model, &grads).expect("every gradient is there")).1
    };
    (0..5).map(|_| step()).skip(2).collect()
}
#[test]
fn optimizers_work_in_place() {
    let _turn = turn();
    for s in updates(|model| Adam::new(model, 1e-3)) {
        assert_eq!((s.outputs, s.in_place), (600, 600), "200 parameters and their two moments");
        assert!(s.programs < 50, "parameter and moments in one pass, and several parameters: {}", s.programs);
        assert_eq!(s.fresh, 0, "no fresh memory from the third step on");
    }
    for s in updates(|model| Sgd::new(model, 1e-3)) {
        assert_eq!((s.programs, s.outputs, s.in_place), (200, 200, 200), "each by itself");
        assert_eq!(s.fresh, 0, "no fresh memory from the third step on");
    }
}

#[test]
fn unread_work_is_bounded() {
    let _turn = turn();
    let n = MIB; // 4 MiB of f32
    let fresh = || Tensor::from_vec(vec![1.0f32; n], [n]);
    let (acc, s) = counted(|| {
        let mut acc = fresh();
        for _ in 0..1000 {
            acc += fresh();
        }
        acc
    });
    assert!(s.peak < 100 * MIB, "an unread sum of 1,000 tensors kept {} MiB", s.peak / MIB);
    assert_eq!(acc.narrow(0, 0, 1).item(), 1001.0);

    let (losses, s) = counted(|| (0..1000).map(|_| (fresh() * 0.5).sum(())).collect::<Vec<_>>());
    assert!(s.peak < 100 * MIB, "1,000 unread losses kept {} MiB", s.peak / MIB);
    assert_eq!(losses[999].item(), n as f64 / 2.0);
}

#[test]
fn a_running_sum_of_tracked_losses_is_flat() {
    let _turn = turn();
    let n = MIB;
    let w = Tensor::from_vec(vec![0.5f32; n], [n]).tracked();
    let mut total = Tensor::from(0.0f32);
    let mut peaks = vec![];
    for _ in 0..60 {
        let ((), s) = counted(|| {
            let x = Tensor::from_vec(vec![1.0f32; n], [n]);
            let loss = (&w * &x).sum(());
            loss.backward();
            total += &loss;
        });
        peaks.push(s.peak);
    }
    let live = memory::stats().live;
    assert!(peaks[59] <= peaks[10] + MIB, "step 60 needs {} bytes, step 11 {}", peaks[59], peaks[10]);
    assert!(live < 100 * MIB, "{} MiB live after 60 steps", live / MIB);
    assert_eq!(total.item(), 60.0 * n as f64 / 2.0);
}

#[test]
fn dropout_keeps_no_mask() {
    let _turn = turn();
    let layer = Dropout::new(0.25, &mut Rng::new(1));
    let x = numbers(&[MIB]).tracked();
    let (y, s) = counted(|| {
        let y = layer.forward(&x);
        y.force();
        y
    });
    let size = 4 * MIB;
    assert!((size..size + MIB / 2).contains(&s.live), "the result and its record hold {} bytes", s.live);
    assert!(s.peak < size + MIB, "nor was there a mask in between: {} bytes", s.peak);
    let (loss, kept) = (y.square().sum(()), y.ne(0.0));
    let (g, s) = counted(|| grad(&loss, &[&x]).remove(0));
    assert!(s.live < size + MIB, "a gradient is all that the backward pass leaves: {} bytes", s.live);
    // Twice the output where it was kept, scaled once more: the mask is the same one.
    let want = kept.where_(&y * (2.0 / 0.75), 0.0);
    assert!((g - want).abs().amax(()).item() < 1e-5);
}
