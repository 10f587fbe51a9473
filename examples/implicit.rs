//! Implicit differentiation: the gradient of a fixed point z = tanh(W z + x) without the iteration that finds it.
//!
//! The iteration is not recorded. The rule put on it solves for the cotangent instead: with u the gradient by
//! W z + x and d = 1 - z², u = d (g + Wᵀ u), another fixed point.
//!
//! ```text
//! cargo run --release --example implicit
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it compared")]

use clap::Parser;
use retrograd::prelude::*;
use retrograd::with_vjp;

/// Compares the implicit gradient of a fixed point with the one through every iteration.
#[derive(Parser)]
struct Options {
    /// Size of the state z.
    #[arg(short = 'n', long, default_value_t = 50)]
    size: usize,
    /// Seed of W and x.
    #[arg(short, long, default_value_t = 0)]
    seed: u64,
}

/// Applies `f` to `z` until nothing moves any more.
fn settle(mut z: Tensor, f: impl Fn(&Tensor) -> Tensor) -> Tensor {
    loop {
        let next = f(&z);
        let moved = (&next - &z).abs().amax(()).item();
        z = next;
        if moved < 1e-14 {
            return z;
        }
    }
}

fn unrolled(w: &Tensor, x: &Tensor) -> Tensor {
    settle(x.zeros_like(), |z| (w.matmul(z) + x).tanh())
}

fn implicit(w: &Tensor, x: &Tensor) -> Tensor {
    with_vjp(
        &[w, x],
        |p| unrolled(&p[0], &p[1]),
        |p, z, g| {
            let d = 1.0 - z.square();
            let u = settle(g.zeros_like(), |u| &d * (g + p[0].t().matmul(u)));
            vec![u.outer(z), u]
        },
    )
}

fn main() {
    let options = Options::parse();
    let (n, mut rng) = (options.size, Rng::new(options.seed));
    // The largest singular value is about 0.7: a contraction.
    let w = (F64.randn([n, n], &mut rng) * (0.35 / (n as f64).sqrt())).tracked();
    let x = F64.randn([n], &mut rng).tracked();
    let gradients = |z: Tensor| {
        let lines = Tape::of(&z).lines().len();
        (lines, grad(&z.square().sum(()), &[&w, &x]))
    };
    let (long, through) = gradients(unrolled(&w, &x));
    let (short, by_rule) = gradients(implicit(&w, &x));
    println!("lines on the tape: {long} unrolled, {short} by the rule");
    let apart = |k: usize| (&through[k] - &by_rule[k]).abs().amax(()).item();
    println!("largest difference of the gradients: {:.1e}", apart(0).max(apart(1)));
}
