//! Threads change when a result is there, never what it is: the same bits with any limit of threads, for graphs
//! that several threads demand at once, and while the pool works for somebody else.
use retrograd::prelude::*;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Distinct numbers between -1 and 1, in no order.
fn numbers(shape: &[usize]) -> Tensor {
    let n: usize = shape.iter().product();
    let data: Vec<f32> = (0..n).map(|i| ((i * 7919 + 13) % 20011) as f32 / 1e4 - 1.0).collect();
    Tensor::from_slice(&data, shape)
}
/// Indices below `bound`, in no order.
fn indices(n: usize, bound: usize) -> Tensor {
    Tensor::from((0..n).map(|i| (i * 7919 % bound) as i64).collect::<Vec<_>>())
}
/// The elements, as bits.
fn bits(x: &Tensor) -> Vec<u64> {
    match x.dtype() {
        F32 => x.iter::<f32>().map(|v| u64::from(v.to_bits())).collect(),
        F64 => x.iter::<f64>().map(f64::to_bits).collect(),
        I64 => x.iter::<i64>().map(|v| v as u64).collect(),
        Bool => x.iter::<bool>().map(u64::from).collect(),
        dtype => panic!("no test here has results of type {dtype}"),
    }
}
fn all_bits(x: &[Tensor]) -> Vec<Vec<u64>> {
    x.iter().map(bits).collect()
}
/// The same bits with one, two and three threads, and eagerly.
#[track_caller]
fn check(name: &str, f: impl Fn() -> Vec<Tensor>) {
    let want = with_threads(1, || all_bits(&f()));
    for n in [2, 3] {
        let got = with_threads(n, || all_bits(&f()));
        assert!(got == want, "{name}: other bits with {n} threads than with one");
    }
    let got = with_threads(3, || eager(|| all_bits(&f())));
    assert!(got == want, "{name}: other bits eagerly with three threads than lazily with one");
}

#[test]
fn elementwise_work() {
    for n in [1, 511, 512, 513, 70_000, 262_147] {
        let (x, y) = (numbers(&[n]), numbers(&[n]) * 0.7 + 0.1);
        y.force();
        check(&format!("a chain over {n} elements"), || {
            let a = (&x * &y + 0.5).tanh();
            let b = (&a - &x).exp() / (y.square() + 1.0);
            let c = a.gt(&b).where_(&a, &b);
            vec![a.clone(), c.maximum(&x).sqrt(), b.cast(F64).sin(), x.lt(&y), (&x * 100.0).cast(I64)]
        });
    }
    let (x, row, column) = (numbers(&[300, 257]), numbers(&[257]), numbers(&[300, 1]));
    check("broadcasting", || vec![&x * &row + &column, (&row - &column).sigmoid()]);
    check("strided operands", || vec![x.t() + row.unsqueeze(1), x.flip(0).slice(1, 0, 257, 3) * 2.0]);
    check("closures", || vec![x.zip_map(&row, |x, w| (x * w).tanh() + x)]);
}

/// Shapes around the borders of chunks (512 along rows, 64 down columns), of rows that a block holds (8,192), and
/// of what is worth a second thread.
const SHAPES: &[&[usize]] = &[
    &[513],
    &[8191],
    &[8193],
    &[200_001],
    &[511, 65],
    &[65, 513],
    &[64, 1024],
    &[129, 512],
    &[3, 8192],
    &[9, 8193],
    &[2, 40_000],
    &[40_000, 3],
    &[8193, 9],
    &[1, 70_000, 1],
    &[3, 64, 513],
    &[5, 129, 63],
    &[300, 1, 257],
    &[2, 3, 5, 2000],
    &[65, 2, 64, 9],
];
/// Every set of axes.
fn subsets(rank: usize) -> impl Iterator<Item = Vec<isize>> {
    (1..1 << rank).map(move |set: usize| (0..rank as isize).filter(|i| set >> i & 1 == 1).collect())
}
#[test]
fn reductions_over_every_set_of_axes() {
    for shape in SHAPES {
        let x = numbers(shape);
        let around_one = (&x * 0.01 + 1.0).force().clone();
        for axes in subsets(shape.len()) {
            check(&format!("reductions of {shape:?} over {axes:?}"), || {
                let axes = &axes[..];
                let pending = &x * 1.5;
                vec![
                    x.sum(axes),
                    pending.sum(axes),
                    pending.mean_keepdim(axes),
                    x.amax(axes),
                    (&x + 0.25).amin(axes),
                    around_one.prod(axes),
                    x.gt(0.5).cast(I64).sum(axes),
                    x.cast(F64).sum(axes),
                ]
            });
            check(&format!("composed reductions of {shape:?} over {axes:?}"), || {
                let axes = &axes[..];
                vec![x.logsumexp(axes), x.var(axes, 1), &x - x.mean_keepdim(axes), x.gt(1.0).any(axes)]
            });
        }
    }
}
#[test]
fn a_reduction_is_one_tree_for_every_layout() {
    for shape in SHAPES.iter().filter(|s| s.len() > 1) {
        let x = numbers(shape);
        let order: Vec<isize> = (0..shape.len() as isize).rev().collect();
        let turned = (x.permute(&order[..]) + 0.0).force().permute(&order[..]);
        for axes in subsets(shape.len()) {
            let axes = &axes[..];
            let want = bits(&x.sum(axes));
            let what = format!("sum of {shape:?} over {axes:?}");
            assert!(bits(&turned.sum(axes)) == want, "{what}: other bits from a transposed layout");
            assert!(bits(&(&turned + 0.0).sum(axes)) == want, "{what}: other bits in a longer program");
            with_threads(3, || {
                assert!(bits(&turned.sum(axes)) == want, "{what}: other bits on three threads");
            });
        }
    }
}

#[test]
fn composed_functions() {
    for shape in [[129, 1000], [70, 8192], [9, 8193], [3, 50_000], [3000, 17]] {
        let (x, w) = (numbers(&shape), numbers(&[shape[1]]));
        check(&format!("softmax and norms of {shape:?}"), || {
            let d = &x - x.mean_keepdim(-1);
            let norm = &d / ((&d * &d).mean_keepdim(-1) + 1e-5).sqrt() * &w;
            vec![x.softmax(-1), x.log_softmax(-1), x.softmax(0), norm, x.cumsum(0), x.cumsum(1)]
        });
        check(&format!("their gradients for {shape:?}"), || {
            let (x, w) = (x.tracked(), w.tracked());
            let d = &x - x.mean_keepdim(-1);
            let norm = &d / ((&d * &d).mean_keepdim(-1) + 1e-5).sqrt() * &w;
            let loss = (norm.softmax(-1) * &x).sum(()) + x.logsumexp(-1).square().mean(());
            let grads = loss.backward();
            vec![loss, grads[&x].clone(), grads[&w].clone()]
        });
    }
}
#[test]
fn products() {
    for [m, k, n] in [[1, 700, 900], [3, 65, 7], [130, 257, 129], [300, 300, 300], [900, 3, 70]] {
        let (a, b) = (numbers(&[m, k]), numbers(&[k, n]));
        let (at, bt) = ((a.t() + 0.0).force().t(), (b.t() + 0.0).force().t());
        check(&format!("products of {m} x {k} x {n}"), || {
            vec![
                a.matmul(&b),
                at.matmul(&b),
                a.matmul(&bt),
                (&a * 0.5).matmul(&b).tanh(),
                a.cast(F64).matmul(b.cast(F64)),
            ]
        });
        check(&format!("gradients of a product of {m} x {k} x {n}"), || {
            let (a, b) = (a.tracked(), b.tracked());
            let grads = a.matmul(&b).tanh().sum(()).backward();
            vec![grads[&a].clone(), grads[&b].clone()]
        });
    }
    let (a, b) = (numbers(&[7, 65, 33]), numbers(&[7, 33, 40]));
    check("batches of products", || vec![a.matmul(&b), a.matmul(b.select(0, 0))]);
}
#[test]
fn indexed_work() {
    let (x, at) = (numbers(&[5000, 33]), indices(20_000, 5000));
    let source = numbers(&[20_000, 33]);
    check("gather and scatter", || {
        let column = at.unsqueeze(1).expand([20_000, 33]);
        vec![
            x.index_select(0, &at),
            x.index_add(0, &at, &source),
            x.scatter_add(0, &column, &source),
            x.gather(0, &column),
        ]
    });
    check("their gradients", || {
        let (x, source) = (x.tracked(), source.tracked());
        let y = x.index_add(0, &at, &source).square().sum(()) + x.index_select(0, &at).exp().mean(());
        let grads = y.backward();
        vec![grads[&x].clone(), grads[&source].clone()]
    });
}
#[test]
fn random_draws() {
    check("draws", || {
        let mut rng = Rng::new(7);
        vec![
            Tensor::rand([100_003], &mut rng),
            Tensor::randn([100_003], &mut rng),
            Tensor::uniform([70_000], -2.0, 3.0, &mut rng),
            Tensor::randint(0, 1000, [70_000], &mut rng),
            Tensor::randperm(50_000, &mut rng),
        ]
    });
}

#[derive(Module)]
struct Net {
    fc1: Linear,
    fc2: Linear,
}
#[test]
fn training() {
    let (x, labels) = (numbers(&[200, 65]), indices(200, 10));
    check("three steps of Adam", || {
        let mut rng = Rng::new(3);
        let mut net = Net { fc1: Linear::new(65, 300, &mut rng), fc2: Linear::new(300, 10, &mut rng) };
        let mut adam = Adam::new(&net, 1e-2);
        let mut out = vec![];
        for _ in 0..3 {
            let loss = net.fc2.forward(&net.fc1.forward(&x).relu()).cross_entropy(&labels);
            let grads = loss.backward();
            adam.step(&mut net, &grads).expect("every parameter has a gradient");
            out.push(loss);
        }
        out.extend(net.parameters().into_iter().map(|p| p.detach()));
        out
    });
}

/// Values that share most of their graph, over elements of a fresh leaf.
fn shared_graph(round: usize) -> Vec<Tensor> {
    let n = [100, 3000, 40_000][round % 3];
    let x = numbers(&[n]) * (1.0 + round as f64 * 0.01);
    let a = (&x + 1.0).sigmoid();
    let b = &a * &x - 0.5;
    let rows = b.reshape([-1, 10]);
    let centred = &rows - rows.mean_keepdim(-1);
    let total = (&centred * &centred).sum(());
    vec![b.exp(), centred, &a + &b, total, x, a.reshape([-1, 10]).softmax(-1)]
}
#[test]
fn overlapping_demands_of_one_graph() {
    const THREADS: usize = 4;
    for round in 0..300 {
        let want = with_threads(1, || all_bits(&shared_graph(round)));
        let values = shared_graph(round);
        let start = Barrier::new(THREADS);
        std::thread::scope(|s| {
            for t in 0..THREADS {
                // Own handles, which end in different orders; the last thread reads through references.
                let mine: Vec<Option<Tensor>> =
                    values.iter().map(|v| (t + 1 < THREADS).then(|| v.clone())).collect();
                let (values, want, start) = (&values, &want, &start);
                s.spawn(move || {
                    start.wait();
                    for (k, own) in mine.into_iter().enumerate() {
                        let at = (k * (2 * t + 1) + t) % values.len();
                        drop(own.filter(|_| t == 1));
                        let got = with_threads(1 + t % 3, || bits(&values[at]));
                        assert!(got == want[at], "round {round}: thread {t} read other bits of value {at}");
                    }
                });
            }
        });
    }
}
#[test]
fn handles_that_end_while_others_compute() {
    for round in 0..300 {
        let n = [64, 5000, 40_000][round % 3];
        let x = numbers(&[n]) + round as f64;
        let doubled = with_threads(1, || bits(&(&x * 2.0)));
        let shifted = with_threads(1, || bits(&(&x - 1.0)));
        let plain = bits(&x);
        // `x` may be overwritten by whoever is last to hold it, and by nobody before.
        let start = Barrier::new(3);
        std::thread::scope(|s| {
            let (first, second, third) = (x.clone(), x.clone(), x);
            let (start, doubled, shifted, plain) = (&start, &doubled, &shifted, &plain);
            s.spawn(move || {
                start.wait();
                assert!(bits(&(first * 2.0)) == *doubled, "round {round}: a product in the operand's memory");
            });
            s.spawn(move || {
                start.wait();
                let copy = second.clone();
                drop(second);
                assert!(bits(&copy) == *plain, "round {round}: the operand itself");
            });
            s.spawn(move || {
                let y = third - 1.0;
                start.wait();
                assert!(bits(&y) == *shifted, "round {round}: a difference in the operand's memory");
            });
        });
    }
}
#[test]
fn backward_passes_of_one_leaf_at_once() {
    let x = numbers(&[300, 64]).tracked();
    let loss = |k: usize| ((&x * (k + 1) as f64).tanh().softmax(-1) * &x).sum(());
    let want: Vec<Vec<u64>> = (0..4).map(|k| bits(&loss(k).backward()[&x])).collect();
    let kept = loss(1);
    for _ in 0..50 {
        std::thread::scope(|s| {
            for k in 0..4 {
                let (want, loss, x, kept) = (&want, &loss, &x, &kept);
                s.spawn(move || {
                    assert!(bits(&loss(k).backward()[x]) == want[k], "a graph of the thread's own");
                    assert!(bits(&kept.backward_keep()[x]) == want[1], "a graph that all threads walk");
                });
            }
        });
    }
}
#[test]
fn user_threads_while_the_pool_is_busy() {
    let (big, small) = (numbers(&[400, 1000]), numbers(&[60, 700]));
    let work = |x: &Tensor| vec![(x * 2.0).softmax(-1), x.tanh().sum(0), x.matmul(x.t()), x.logsumexp(())];
    let (want_big, want_small) = with_threads(1, || (all_bits(&work(&big)), all_bits(&work(&small))));
    let done = AtomicBool::new(false);
    std::thread::scope(|s| {
        s.spawn(|| {
            while !done.load(Relaxed) {
                assert!(with_threads(3, || all_bits(&work(&big))) == want_big, "the pool's owner");
            }
        });
        let users: Vec<_> = (0..3)
            .map(|t| {
                let (work, small, want_small) = (&work, &small, &want_small);
                s.spawn(move || {
                    for _ in 0..40 {
                        assert!(
                            with_threads(t + 1, || all_bits(&work(small))) == *want_small,
                            "user thread {t}"
                        );
                    }
                })
            })
            .collect();
        let failed = users.into_iter().filter_map(|user| user.join().err()).next();
        done.store(true, Relaxed);
        if let Some(payload) = failed {
            std::panic::resume_unwind(payload);
        }
    });
}
