//! Control flow of the host language under differentiation: loops that end when the data say so, recursion over
//! tensors, and a fixed point with the rule of the implicit function theorem.

use retrograd::prelude::*;
use retrograd::{gradcheck, gradgradcheck, with_vjp};

fn normal<const N: usize>(shape: [usize; N], seed: u64) -> Tensor {
    F64.randn(shape, &mut Rng::new(seed))
}
#[track_caller]
fn checked(f: impl Fn(&[Tensor]) -> Tensor, xs: &[&Tensor]) {
    gradcheck(&f, xs).unwrap();
    gradgradcheck(&f, xs).unwrap();
}
#[track_caller]
fn near(got: &Tensor, want: &Tensor, bar: f64) {
    let apart = (got - want).abs().amax(()).item();
    assert!(apart <= bar, "they differ by {apart:e}");
}

/// Grows `x` until it is long, by another law on either side of zero; also tells after how many rounds.
fn grown(x: &Tensor) -> (Tensor, usize) {
    let (mut x, mut rounds) = (x.clone(), 0);
    while x.vector_norm(2.0, ()).item() < 20.0 {
        x = if x.sum(()).item() > 0.0 { &x * 1.5 + x.sin() } else { x.square() * 0.5 - &x + 0.1 };
        rounds += 1;
    }
    (x, rounds)
}

#[test]
fn a_loop_may_end_when_the_data_say_so() {
    let points = [[0.3, -0.2, 0.9], [-0.4, -1.1, 0.2], [8.0, 9.0, -2.0]].map(Tensor::from);
    let rounds = points.each_ref().map(|x| grown(x).1);
    assert!(rounds[0] != rounds[1] && rounds[1] != rounds[2] && rounds[0] != rounds[2], "{rounds:?}");
    for x in &points {
        checked(|x| grown(&x[0]).0, &[x]);
    }
}

#[test]
fn newtons_method_for_a_vector_is_differentiated_through() {
    // y of y³ + y = x; its derivative is 1 / (3 y² + 1).
    let root = |x: &Tensor| {
        let mut y = x.clone();
        loop {
            let residual = y.square() * &y + &y - x;
            if residual.abs().amax(()).item() < 1e-12 {
                return y;
            }
            y = &y - residual / (3.0 * y.square() + 1.0);
        }
    };
    let x = Tensor::from([0.5f64, -2.0, 7.0]);
    checked(|x| root(&x[0]), &[&x]);
    let t = x.tracked();
    let y = root(&t);
    let g = grad(&y.sum(()), &[&t]).remove(0);
    near(&g, &(1.0 / (3.0 * y.detach().square() + 1.0)), 1e-10);
}

enum Tree {
    Word(isize),
    Pair(Box<Tree>, Box<Tree>),
}
fn word(k: isize) -> Box<Tree> {
    Box::new(Tree::Word(k))
}
fn pair(left: Box<Tree>, right: Box<Tree>) -> Box<Tree> {
    Box::new(Tree::Pair(left, right))
}
/// A recursive network: a pair is tanh(W [left, right] + b).
fn meaning(tree: &Tree, words: &Tensor, w: &Tensor, b: &Tensor) -> Tensor {
    match tree {
        Tree::Word(k) => words.at(s![*k]),
        Tree::Pair(left, right) => {
            let both = cat(&[meaning(left, words, w, b), meaning(right, words, w, b)], 0);
            (w.matmul(both) + b).tanh()
        }
    }
}

#[test]
fn a_network_may_follow_a_tree() {
    let (words, w, b) = (normal([4, 3], 1), normal([3, 6], 2) * 0.5, normal([3], 3));
    // The word 1 twice, the word 3 never.
    let deep = pair(pair(word(0), pair(word(1), word(2))), pair(word(1), word(0)));
    for tree in [&deep, &pair(word(1), word(1)), &word(2)] {
        checked(|x| meaning(tree, &x[0], &x[1], &x[2]) * (&x[1].sum(()) + x[2].sum(())), &[&words, &w, &b]);
    }
    let t = words.tracked();
    let g = grad(&meaning(&deep, &t, &w, &b).sum(()), &[&t]).remove(0).abs().sum(1).to_vec::<f64>();
    assert!(g[..3].iter().all(|&g| g > 1e-3) && g[3] == 0.0, "{g:?}");
}

/// Halves a list until a part is small; the depth depends on the values, the halves join by a product.
fn split(x: &Tensor) -> Tensor {
    let n = x.size(0) as isize;
    if n == 1 || x.vector_norm(2.0, ()).item() < 1.0 {
        return x.sin().sum(());
    }
    split(&x.at(s![..n / 2])) * (1.0 + split(&x.at(s![n / 2..])).square())
}

#[test]
fn a_recursion_may_end_when_the_data_say_so() {
    for (seed, scale) in [(4, 1.0), (5, 0.4), (6, 0.1)] {
        checked(|x| split(&x[0]), &[&(normal([9], seed) * scale)]);
    }
}

/// Applies `f` to `z` until nothing moves any more.
fn settle(mut z: Tensor, f: impl Fn(&Tensor) -> Tensor) -> Tensor {
    for _ in 0..1000 {
        let next = f(&z);
        let moved = (&next - &z).abs().amax(()).item();
        z = next;
        if moved < 1e-14 {
            return z;
        }
    }
    panic!("no fixed point in 1000 rounds");
}
fn unrolled(w: &Tensor, x: &Tensor) -> Tensor {
    settle(x.zeros_like(), |z| (w.matmul(z) + x).tanh())
}
/// The same fixed point; u, the gradient by W z + x, is one itself: u = (1 - z²) (g + Wᵀ u).
fn implicit(w: &Tensor, x: &Tensor) -> Tensor {
    let rule = |p: &[Tensor], z: &Tensor, g: &Tensor| {
        let slope = 1.0 - z.square();
        let u = settle(g.zeros_like(), |u| &slope * (g + p[0].t().matmul(u)));
        vec![u.outer(z), u]
    };
    with_vjp(&[w, x], |p| unrolled(&p[0], &p[1]), rule)
}

#[test]
fn a_fixed_point_has_the_gradient_of_the_implicit_function_theorem() {
    for (n, seed) in [(1, 7), (3, 8), (12, 9)] {
        let w = (normal([n, n], seed) * (0.3 / (n as f64).sqrt())).tracked();
        let (x, seed) = (normal([n], seed + 10).tracked(), normal([n], seed + 20));
        let gradients = |z: Tensor| grad_recorded(&(z * &seed).sum(()), &[&w, &x]);
        let (through, by_rule) = (gradients(unrolled(&w, &x)), gradients(implicit(&w, &x)));
        let second = |g: &[Tensor]| grad(&(g[0].square().sum(()) + g[1].square().sum(())), &[&w, &x]);
        for (got, want) in by_rule.iter().zip(&through).chain(second(&by_rule).iter().zip(&second(&through)))
        {
            near(&got.detach(), &want.detach(), 1e-8);
        }
    }
    checked(|p| implicit(&p[0], &p[1]), &[&(normal([3, 3], 8) * 0.2), &normal([3], 18)]);
}

#[test]
fn the_iteration_of_a_fixed_point_is_not_on_the_tape() {
    let (w, x) = ((normal([5, 5], 1) * 0.1).tracked(), normal([5], 2).tracked());
    let (long, short) =
        (Tape::of(&unrolled(&w, &x)).lines().len(), Tape::of(&implicit(&w, &x)).lines().len());
    assert!(short <= 3 && long > 10 * short, "{short} lines by the rule, {long} unrolled");
}
