//! A physics-informed network: it learns a solution of Burgers' equation, u_t + u u_x = ν u_xx, from nothing but the
//! equation, the beginning and the two ends. The derivatives in the equation are those of the network.
//!
//! ```text
//! cargo run --release --example pinn
//! cargo run --release --example pinn -- --viscosity 0.05 --adam 1000
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it learned")]

use clap::Parser;
use retrograd::prelude::*;
use std::error::Error;
use std::path::PathBuf;

/// Learns a wave of Burgers' equation over -1 < x < 1, 0 < t < 1.
#[derive(Parser)]
struct Options {
    /// Units in each of the two hidden layers.
    #[arg(short, long, default_value_t = 24)]
    width: usize,
    /// ν: the smaller, the steeper the wave.
    #[arg(short, long, default_value_t = 0.1)]
    viscosity: f64,
    /// Steps of Adam, which find the shape.
    #[arg(short, long, default_value_t = 500)]
    adam: usize,
    /// Iterations of L-BFGS after them, which find the digits.
    #[arg(short, long, default_value_t = 400)]
    lbfgs: usize,
    /// Seed of the initial weights.
    #[arg(short, long, default_value_t = 0)]
    seed: u64,
    /// Where the curves go.
    #[arg(short, long, default_value = "target/pinn.svg")]
    out: PathBuf,
}

/// u(x, t) at points `[n, 2]`.
#[derive(Module)]
struct Network {
    first: Linear,
    second: Linear,
    last: Linear,
}

impl Network {
    fn forward(&self, points: &Tensor) -> Tensor {
        let hidden = self.second.forward(&self.first.forward(points).tanh()).tanh();
        self.last.forward(&hidden).squeeze(-1)
    }
}

/// A wave that travels right at speed 1/2 and keeps its form: an exact solution.
fn exact(points: &Tensor, viscosity: f64) -> Tensor {
    let (x, t) = (points.select(1, 0), points.select(1, 1));
    0.5 - 0.5 * ((x - 0.5 * t) / (4.0 * viscosity)).tanh()
}

/// All points (x, t) of two lists.
fn grid(x: &Tensor, t: &Tensor) -> Tensor {
    let shape = [t.numel(), x.numel()];
    stack(&[x.unsqueeze(0).expand(shape), t.unsqueeze(1).expand(shape)], -1).reshape([-1, 2])
}

/// What the learned u leaves of u_t + u u_x - ν u_xx at tracked points.
fn residual(network: &Network, points: &Tensor, viscosity: f64) -> Tensor {
    let u = network.forward(points);
    // A sum over points: each u depends on its own point only, so this is the derivative at every one of them.
    let first = grad_recorded(&u.sum(()), &[points]).remove(0);
    let (u_x, u_t) = (first.select(1, 0), first.select(1, 1));
    let u_xx = grad_recorded(&u_x.sum(()), &[points]).remove(0).select(1, 0);
    u_t + u * u_x - viscosity * u_xx
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let (width, viscosity) = (options.width, options.viscosity);
    let mut rng = Rng::new(options.seed);
    let mut network = Network {
        first: Linear::new(2, width, &mut rng),
        second: Linear::new(width, width, &mut rng),
        last: Linear::new(width, 1, &mut rng),
    };
    network.convert(F64);

    let (line, times) = (F64.linspace(-1.0, 1.0, 32), F64.linspace(0.0, 1.0, 16));
    let inside = grid(&line, &times).tracked();
    let given = cat(&[grid(&line, &F64.zeros(1)), grid(&Tensor::from([-1.0f64, 1.0]), &times)], 0);
    let values = exact(&given, viscosity);
    let loss = |network: &Network| {
        residual(network, &inside, viscosity).square().mean(()) + network.forward(&given).mse_loss(&values)
    };

    let mut losses = Vec::new();
    let mut adam = Adam::new(&network, 5e-3);
    for step in 1..=options.adam {
        let loss = loss(&network);
        adam.step(&mut network, &loss.backward())?;
        losses.push((step as f64, loss.item()));
        if step % 100 == 0 {
            println!("Adam   {step:5}: loss {:.3e}", loss.item());
        }
    }
    let mut lbfgs = Lbfgs::new(&network, 1.0).strong_wolfe(true).max_iter(20).tolerance_change(0.0);
    for step in (20..=options.lbfgs).step_by(20) {
        let _ = lbfgs.step(&mut network, loss)?;
        let loss = loss(&network).item();
        losses.push(((options.adam + step) as f64, loss));
        if step % 100 == 0 {
            println!("L-BFGS {step:5}: loss {loss:.3e}");
        }
    }

    let mut chart = Chart::new("solution", "x", "u");
    let fine = F64.linspace(-1.0, 1.0, 201);
    for t in [0.0, 1.0] {
        let points = grid(&fine, &F64.full(1, t));
        let curve = |u: Tensor| fine.to_vec::<f64>().into_iter().zip(u.to_vec::<f64>()).collect::<Vec<_>>();
        chart = chart.line(format!("exact, t = {t}"), curve(exact(&points, viscosity)));
        chart = chart.line(format!("learned, t = {t}"), curve(network.forward(&points).detach()));
    }
    save_svg(&options.out, &[chart, Chart::new("loss", "step", "loss").line("training", losses).log()])?;

    let all = grid(&fine, &F64.linspace(0.0, 1.0, 101));
    let wanted = exact(&all, viscosity);
    let error = (network.forward(&all) - &wanted).vector_norm(2.0, ()) / wanted.vector_norm(2.0, ());
    println!("curves: {}", options.out.display());
    println!("relative error: {:.2e}", error.item());
    Ok(())
}
