//! Statistics of draws, and their bits over threads, chunks and states.
use super::Rng;
use crate::dtype::{BF16, F16, F32, F64, I32, U8};
use crate::{Tensor, attempt, with_threads};
use rand::{Rng as _, RngExt};
use rand_distr::{Exp1, StandardNormal};
use std::collections::HashSet;

fn values(t: &Tensor) -> Vec<f64> {
    crate::call::by_dtype!(t.dtype(), T => t.to_vec::<T>().into_iter().map(crate::Element::to_f64).collect())
}
/// Mean, variance, and the correlation of elements `lag` apart.
fn moments(x: &[f64], lag: usize) -> [f64; 3] {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let var = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    let cov = x.iter().zip(&x[lag..]).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / (n - lag as f64);
    [mean, var, cov / var]
}
const N: usize = 1 << 18;
/// Five standard errors of a mean of N numbers with variance 1.
const BAR: f64 = 5.0 / 512.0;

#[test]
fn uniform_numbers_are_uniform() {
    for dtype in [F32, F64, F16, BF16] {
        let x = values(&dtype.rand([N], &mut Rng::new(3)));
        assert!(x.iter().all(|v| (0.0..1.0).contains(v)), "{dtype}");
        let step = match dtype {
            F16 => 1.0 / 2048.0,
            BF16 => 1.0 / 256.0,
            _ => 0.0,
        };
        for lag in [1, 2, 256, 512, 1024] {
            let [mean, var, cor] = moments(&x, lag);
            assert!(
                (mean + step / 2.0 - 0.5).abs() < BAR * 0.3 && (var * 12.0 - 1.0).abs() < BAR,
                "{dtype} {mean} {var}"
            );
            assert!(cor.abs() < BAR, "{dtype} {lag}: {cor}");
        }
        let mut cells = [0_usize; 16];
        x.iter().for_each(|v| cells[(v * 16.0) as usize] += 1);
        let chi: f64 = cells.iter().map(|&c| (c as f64 - N as f64 / 16.0).powi(2) / (N as f64 / 16.0)).sum();
        assert!(chi < 45.0, "{dtype}: chi squared {chi} at 15 degrees of freedom");
    }
}
#[test]
fn normal_numbers_are_normal() {
    for dtype in [F32, F64, F16, BF16] {
        let x = values(&dtype.randn([N], &mut Rng::new(4)));
        for lag in [1, 256, 512, 1024] {
            let [mean, var, cor] = moments(&x, lag);
            assert!(
                mean.abs() < BAR && (var - 1.0).abs() < 2.0 * BAR && cor.abs() < BAR,
                "{dtype} {mean} {var} {cor}"
            );
        }
        let kurtosis = x.iter().map(|v| v.powi(4)).sum::<f64>() / N as f64;
        assert!((kurtosis - 3.0).abs() < 10.0 * BAR, "{dtype} {kurtosis}");
        let beyond = |s: f64| x.iter().filter(|v| v.abs() > s).count() as f64 / N as f64;
        assert!((beyond(1.0) - 0.317_31).abs() < 0.006 && (beyond(3.0) - 0.0027).abs() < 0.0006, "{dtype}");
        assert!(x.iter().all(|v| v.abs() < 7.0 || dtype == F64 && v.abs() < 9.0));
    }
    let x = values(&F64.normal([N], 3.0, 0.5, &mut Rng::new(4)));
    let [mean, var, _] = moments(&x, 1);
    assert!((mean - 3.0).abs() < BAR && (var - 0.25).abs() < BAR);
}
#[test]
fn doubles_and_bits_do_not_repeat() {
    let x = F64.rand([N], &mut Rng::new(5)).to_vec::<f64>();
    assert_eq!(x.iter().map(|v| v.to_bits()).collect::<HashSet<_>>().len(), N);
    let mut rng = Rng::new(5);
    let words: HashSet<u64> = (0..10_000).map(|_| rng.next_u64()).collect();
    assert_eq!(words.len(), 10_000);
    let keys: HashSet<u64> = (0..10_000).map(|_| rng.split().key()).collect();
    assert_eq!(keys.len(), 10_000);
}
#[test]
fn integers_and_truth_values_have_their_frequencies() {
    let x = Tensor::randint(-2, 4, [60_000], &mut Rng::new(6)).to_vec::<i64>();
    for v in -2..4 {
        let n = x.iter().filter(|&&w| w == v).count();
        assert!((9_500..10_500).contains(&n), "{v}: {n}");
    }
    let wide = Tensor::randint(i64::MIN, i64::MAX, [1000], &mut Rng::new(6)).to_vec::<i64>();
    assert!(wide.iter().any(|&v| v < 0) && wide.iter().any(|&v| v > 0));
    assert!(values(&U8.randint(0, 256, [5000], &mut Rng::new(6))).contains(&255.0));
    assert!(values(&I32.randint(-5, -4, [10], &mut Rng::new(6))).iter().all(|&v| v == -5.0));
    let hits = Tensor::bernoulli([100_000], 0.3, &mut Rng::new(7)).iter::<bool>().filter(|&v| v).count();
    assert!((29_300..30_700).contains(&hits), "{hits}");
    let none = Tensor::bernoulli([1000], 0.0, &mut Rng::new(7));
    assert!(none.iter::<bool>().all(|v| !v));
}
#[test]
fn permutations_are_fair() {
    let mut rng = Rng::new(8);
    let mut first = [0; 5];
    for _ in 0..5_000 {
        let order = Tensor::randperm(5, &mut rng).to_vec::<i64>();
        first[order[0] as usize] += 1;
        assert_eq!(order.iter().sum::<i64>(), 10);
    }
    assert!(first.iter().all(|n| (850..1150).contains(n)), "{first:?}");
    assert_eq!(Tensor::randperm(0, &mut rng).numel(), 0);
    assert_eq!(Tensor::randperm(1, &mut rng).to_vec::<i64>(), [0]);
}
#[test]
fn distributions_of_the_ecosystem_fill_tensors() {
    let x = values(&Tensor::sample::<f64>(Exp1, [N], &mut Rng::new(9)));
    let [mean, var, cor] = moments(&x, 1);
    assert!((mean - 1.0).abs() < BAR && (var - 1.0).abs() < 4.0 * BAR && cor.abs() < BAR);
    let x = values(&Tensor::sample::<f32>(&StandardNormal, [64, 64], &mut Rng::new(9)));
    assert!(moments(&x, 1)[0].abs() < 0.1);
    let mut rng = Rng::new(10);
    assert!((0..100).all(|_| (3..9).contains(&rng.random_range(3..9))));
}
#[test]
fn bits_do_not_depend_on_threads() {
    let all = || {
        let mut rng = Rng::new(11);
        [
            Tensor::rand([100_003], &mut rng),
            F64.randn([70_001], &mut rng),
            F16.randn([70_001], &mut rng),
            Tensor::randint(0, 1000, [70_001], &mut rng),
            Tensor::bernoulli([70_001], 0.5, &mut rng),
            Tensor::sample::<f64>(StandardNormal, [10_001], &mut rng),
            Tensor::ones([70_001]).dropout(0.5, rng.state()),
        ]
        .map(|t| values(&t))
    };
    let one = with_threads(1, all);
    assert_eq!(one, with_threads(2, all));
    assert_eq!(one, with_threads(3, all));
}
#[test]
fn a_draw_takes_its_counters_and_no_more() {
    let mut rng = Rng::new(12);
    for n in [1, 2, 7, 255, 256, 257, 1000, 1025] {
        let before = rng.clone();
        let x = Tensor::rand([n], &mut rng);
        assert_eq!(rng.state(), (12, before.state().1 + n as u64));
        assert_eq!(x, Tensor::rand_at([n], before.state()));
    }
    // Short draws one after the other read disjoint bits, like one long one's.
    let mut rng = Rng::new(13);
    let pieces: Vec<u64> =
        (0..500).flat_map(|_| F64.rand([10], &mut rng).to_vec::<f64>()).map(f64::to_bits).collect();
    assert_eq!(pieces.iter().collect::<HashSet<_>>().len(), pieces.len());
}
#[test]
fn dropout_drops_and_scales() {
    let x = Tensor::ones([10, 1000]);
    let y = x.dropout(0.25, (1, 0));
    let kept = y.iter::<f32>().filter(|&v| v != 0.0).count();
    assert!((7_300..7_700).contains(&kept), "{kept}");
    assert!(y.iter::<f32>().all(|v| v == 0.0 || v == 1.0 / 0.75));
    assert_eq!(y, x.dropout(0.25, (1, 0)));
    assert_ne!(y, x.dropout(0.25, (2, 0)));
    assert_eq!(x.dropout(1.0, (1, 0)), x.zeros_like());
    assert_eq!(x.dropout(0.0, (1, 0)), x);
    assert_eq!(x.permute([1, 0]).dropout(0.25, (1, 0)), Tensor::ones([1000, 10]).dropout(0.25, (1, 0)));
}
/// How often each position is drawn, in a share of all.
fn shares(draws: &Tensor, positions: usize) -> Vec<f64> {
    let mut counts = vec![0.0; positions];
    draws.iter::<i64>().for_each(|at| counts[at as usize] += 1.0);
    counts.iter().map(|count| count / draws.numel() as f64).collect()
}
#[test]
fn positions_are_drawn_by_their_weights() {
    let near = |got: &[f64], want: &[f64]| got.iter().zip(want).all(|(a, b)| (a - b).abs() < 0.01);
    let rows = Tensor::from([[0.0f32, 6.0, 3.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]]);
    let draws = rows.multinomial(40_000, true, &mut Rng::new(20));
    assert_eq!((&draws.shape()[..], draws.dtype()), (&[2, 40_000][..], crate::I64));
    let first = shares(&draws.select(0, 0), 6);
    assert!(
        near(&first, &[0.0, 0.6, 0.3, 0.0, 0.1, 0.0]) && first[0] + first[3] + first[5] == 0.0,
        "{first:?}"
    );
    assert_eq!(shares(&draws.select(0, 1), 6)[0], 1.0);

    // Without replacement: of each pair of draws the first by its weight, the second by those that are left.
    let weights = F64.full([20_000, 1], 1.0) * Tensor::from([0.0, 6.0, 3.0, 1.0]);
    let draws = weights.multinomial(2, false, &mut Rng::new(21));
    let (one, two) = (draws.select(1, 0), draws.select(1, 1));
    assert!(!one.eq(&two).any(()).to_vec::<bool>()[0]);
    assert!(near(&shares(&one, 4), &[0.0, 0.6, 0.3, 0.1]));
    // 0.3 · 6/7 + 0.1 · 6/9 and so on.
    let second = shares(&two, 4);
    assert!(near(&second, &[0.0, 0.3238, 0.4833, 0.1929]) && second[0] == 0.0, "{second:?}");
    let whole = rows.select(0, 0).multinomial(3, false, &mut Rng::new(22));
    assert_eq!(shares(&whole, 6), [0.0, 1.0 / 3.0, 1.0 / 3.0, 0.0, 1.0 / 3.0, 0.0]);
}
#[test]
fn positions_of_extreme_weights() {
    // Sums and quotients beyond the range of the type.
    let large = Tensor::from([f64::MAX, 0.0, f64::MAX]);
    let share = shares(&large.multinomial(10_000, true, &mut Rng::new(23)), 3);
    assert!(share[1] == 0.0 && (share[0] - 0.5).abs() < 0.02, "{share:?}");
    let small = F64.full([4000, 1], 1.0) * Tensor::from([5e-324, 0.0, 5e-324]);
    let draws = small.multinomial(2, false, &mut Rng::new(24));
    assert_eq!(shares(&draws, 3), [0.5, 0.0, 0.5]);
    assert!((shares(&draws.select(1, 0), 3)[0] - 0.5).abs() < 0.03);
    assert_eq!(Tensor::zeros([0, 3]).multinomial(2, true, &mut Rng::new(25)).shape()[..], [0, 2]);
    assert_eq!(
        Tensor::from([0.0f32, 1.0]).cast(F16).multinomial(2, true, &mut Rng::new(25)).to_vec::<i64>(),
        [1, 1]
    );
    // The same bits at any number of threads, and other ones at the next call.
    let weights = Tensor::rand([300, 70], &mut Rng::new(26)) + 0.1;
    let all = || {
        let mut rng = Rng::new(27);
        [true, false, true].map(|again| weights.multinomial(5, again, &mut rng).to_vec::<i64>())
    };
    let one = with_threads(1, all);
    assert_eq!(one, with_threads(3, all));
    assert_ne!(one[0], one[2]);
}
#[test]
fn weights_that_cannot_be_drawn_by_are_refused() {
    let said = |weights: Tensor, n: usize, again: bool| {
        attempt(|| weights.multinomial(n, again, &mut Rng::new(0))).unwrap_err().to_string()
    };
    assert_eq!(
        said(Tensor::from([[1.0f32, 2.0], [-1.0, 2.0]]), 1, true),
        "multinomial: no weight: -1 at position 0 of row 1; weights are finite and not negative"
    );
    for bad in [f32::NAN, f32::INFINITY] {
        assert!(said(Tensor::from([1.0, bad]), 1, false).contains("at position 1; weights are finite"));
    }
    assert_eq!(
        said(Tensor::from([[1.0f32, 2.0], [0.0, 0.0]]), 1, true),
        "multinomial: all weights of row 1 are 0; one at least is positive"
    );
    assert_eq!(
        said(Tensor::from([1.0f32, 0.0, 2.0]), 3, false),
        "multinomial: too many draws: 3 of 2 positions with a weight; draw fewer, or with replacement"
    );
    assert!(said(Tensor::zeros([0]), 1, true).contains("all weights are 0"));
    assert!(said(Tensor::ones([2]), 0, true).contains("n is 0"));
    assert!(said(Tensor::ones([2, 2, 2]), 1, true).contains("[2, 2, 2]; they are a vector, or a matrix"));
    assert!(said(Tensor::from([1i64, 2]), 1, true).contains("i64"));
}
#[test]
fn what_cannot_be_drawn_is_refused() {
    let message = |f: fn()| attempt(f).unwrap_err().to_string();
    let said = message(|| drop(Tensor::bernoulli([2], 1.5, &mut Rng::new(0))));
    assert_eq!(said, "bernoulli: no probability: 1.5; it lies in 0..=1");
    let said = message(|| drop(U8.randint(0, 257, [2], &mut Rng::new(0))));
    assert_eq!(
        said,
        "randint: no such integers: from 0 to below 257 as u8; low is below high, and all lie in 0..=255"
    );
    let said = message(|| drop(U8.rand([2], &mut Rng::new(0))));
    assert_eq!(said, "rand: not a float type: u8; draw floats, or integers by randint");
}
