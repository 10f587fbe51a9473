//! Newton's method on a small network, beside gradient descent: the exact Hessian of all weights, by one call.
//!
//! ```text
//! cargo run --release --example hessian
//! cargo run --release --example hessian -- --hidden 8 --steps 100
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it found")]

use clap::Parser;
use retrograd::prelude::*;

/// Fits a sine with a network of one hidden layer, by Newton's method and by gradient descent.
#[derive(Parser)]
struct Options {
    /// Hidden units.
    #[arg(long, default_value_t = 4)]
    hidden: usize,
    /// Steps, at most.
    #[arg(short, long, default_value_t = 60)]
    steps: usize,
    /// Learning rate of gradient descent.
    #[arg(short, long, default_value_t = 0.1)]
    lr: f64,
    /// Seed of the initial weights.
    #[arg(short, long, default_value_t = 3)]
    seed: u64,
}

/// The network 1 -> h -> 1 at points `x`; all its 3 h + 1 weights are one vector.
fn network(weights: &Tensor, x: &Tensor) -> Tensor {
    let h = weights.size(0) as isize / 3;
    let part = |k: isize| weights.at(s![k * h..(k + 1) * h]);
    let hidden = (x.unsqueeze(1) * part(0) + part(1)).tanh();
    hidden.matmul(part(2)) + weights.at(s![3 * h])
}

fn main() {
    let options = Options::parse();
    let size = 3 * options.hidden + 1;
    let x = F64.linspace(-2.0, 2.0, 40);
    let y = (&x * 1.5).sin();
    let loss = |w: &Tensor| network(w, &x).mse_loss(&y) + w.square().sum(()) * 1e-4;
    let slope = |w: &Tensor| {
        let (value, mut g) = value_and_grad(|w| loss(&w[0]), &[w]);
        (value.item(), g.remove(0))
    };

    let mut newton = F64.randn([size], &mut Rng::new(options.seed));
    let (mut descent, mut damping) = (newton.clone(), 1.0);
    println!("{size} weights\nstep   Newton         gradient   damping   descent");
    for step in 0..=options.steps {
        let (now, g) = slope(&newton);
        let (by_descent, downhill) = slope(&descent);
        let size_of_g = g.vector_norm(2.0, ()).item();
        let done = size_of_g < 1e-10 || step == options.steps;
        if step % 5 == 0 || done {
            println!("{step:4}   {now:.9}   {size_of_g:8.1e}   {damping:7.0e}   {by_descent:.9}");
        }
        if done {
            break;
        }
        descent = (&descent - options.lr * downhill).force().clone();
        let curvature = hessian(loss, &newton);
        // Levenberg's damping: towards gradient descent while steps fail, towards Newton's method while they help.
        // A step too short to change the weights cannot fail, so this ends.
        loop {
            let next = &newton - (&curvature + F64.eye(size) * damping).solve(&g);
            if loss(&next).item() <= now {
                (newton, damping) = (next, damping * 0.3);
                break;
            }
            damping *= 4.0;
        }
    }

    let spectrum = hessian(loss, &newton).eigvalsh();
    println!("curvatures at the end:\n{spectrum:.4}");
    println!("smallest curvature: {:.2e}", spectrum.amin(()).item());
    println!("largest error of the fit: {:.4}", (network(&newton, &x) - &y).abs().amax(()).item());
}
