//! Horizontal connections within a layer fill in what is occluded: hidden pixels settle at what the visible ones make
//! likely, and a network that has only seen whole digits reads them again.
//!
//! With x the image and m = 1 where it is visible: h ← m x + (1 - m) sigmoid(L h + b), again and again. L learns
//! without labels, through the loop. At the end the gradient through every step is compared with that of the fixed
//! point by the implicit function theorem (Almeida, 1987; Pineda, 1987), which needs no step of the loop.
//!
//! ```text
//! cargo run --release --example lateral_connections
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it learned")]

use clap::Parser;
use retrograd::prelude::*;
use retrograd::with_vjp;
use std::path::PathBuf;

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/digits.csv.gz");
const KINDS: [&str; 3] = ["without", "one step", "settled (10 steps)"];
const STEPS: [usize; 3] = [0, 1, 10];

/// Learns to fill in digits.
#[derive(Parser)]
pub(crate) struct Options {
    /// Passes over the training set.
    #[arg(short, long, default_value_t = 40)]
    epochs: usize,
    /// Runs from different initial weights.
    #[arg(short, long, default_value_t = 3)]
    seeds: u64,
    /// Where the picture goes.
    #[arg(short, long, default_value = "target/lateral_connections.svg")]
    out: PathBuf,
}

/// 0 in a square block at a random place, as wide as `sizes` says for each image, 1 elsewhere.
fn visible(sizes: &Tensor, rng: &mut Rng) -> Tensor {
    let sizes = sizes.unsqueeze(1).cast(F32);
    let mut side = || {
        let start = (sizes.rand_like(rng) * (9.0 - &sizes)).floor();
        let pixel = F32.arange(0, 8, 1) - start;
        pixel.ge(0.0).logical_and(pixel.lt(&sizes)).cast(F32)
    };
    1.0 - (side().unsqueeze(2) * side().unsqueeze(1)).flatten(1, 2)
}

/// The image after `steps`, with `p` the weights, the bias, the image and what of it is visible.
fn settle(p: &[Tensor], steps: usize) -> Tensor {
    let [w, b, x, m] = [0, 1, 2, 3].map(|i| &p[i]);
    (0..steps).fold(x * m, |h, _| m * x + (1.0 - m) * h.linear(w, Some(b)).sigmoid())
}

/// The same of many steps, and the gradient as that of a fixed point: with u the cotangent of L h + b and s the slope
/// there, u = s (g + u L) is another one.
fn implicit(p: &[Tensor]) -> Tensor {
    let rule = |p: &[Tensor], h: &Tensor, g: &Tensor| {
        let slope = (1.0 - &p[3]) * h * (1.0 - h);
        let u = (0..200).fold(g.zeros_like(), |u, _| &slope * (g + u.matmul(&p[0])));
        vec![u.t().matmul(h), u.sum(0), g.zeros_like(), g.zeros_like()]
    };
    with_vjp(&[&p[0], &p[1], &p[2], &p[3]], |p| settle(p, 200), rule)
}

fn operands(lateral: &[Param], x: &Tensor, m: &Tensor) -> Vec<Tensor> {
    [lateral[0].value(), lateral[1].value(), x, m].map(Tensor::clone).to_vec()
}

/// The accuracies of each kind with blocks of 0 to 6 pixels, and the connections that settle.
fn learn(digits: &Split, epochs: usize, seed: u64) -> Result<(Tensor, Vec<Param>), Error> {
    let mut rng = Rng::new(seed);
    let mut reader = Sequential::new().then(Linear::new(64, 64, &mut rng)).then(Relu);
    reader = reader.then(Linear::new(64, 10, &mut rng));
    let mut adam = Adam::new(&reader, 3e-3);
    for (x, labels) in (0..epochs).flat_map(|_| digits.train.batches(64, &mut rng)) {
        let grads = reader.forward(&x).cross_entropy(&labels).backward();
        adam.step(&mut reader, &grads)?;
    }
    let (mut kinds, mut lateral) = (Vec::new(), Vec::new());
    for steps in STEPS {
        let Linear { weight, bias } = Linear::new(64, 64, &mut rng);
        lateral = vec![weight, bias.expect("a bias")];
        let (mut adam, mut draws) = (Adam::new(&lateral, 1e-2).unused(Unused::Skip), rng.split());
        for (x, _) in (0..epochs * steps.min(1)).flat_map(|_| digits.train.batches(64, &mut rng)) {
            let m = visible(&Tensor::randint(1, 6, [x.size(0)], &mut draws), &mut draws);
            let loss = settle(&operands(&lateral, &x, &m), steps).mse_loss(&x);
            adam.step(&mut lateral, &loss.backward())?;
        }
        let (x, y) = (digits.test.x.tile([5, 1]), digits.test.y.tile([5]));
        let read = |size| {
            let m = visible(&y.full_like(size), &mut draws);
            accuracy(&reader.forward(&settle(&operands(&lateral, &x, &m), steps)), &y)
        };
        kinds.push(Tensor::from((0..=6).map(read).collect::<Vec<_>>()));
    }
    Ok((stack(&kinds, 0), lateral))
}

/// The accuracies, `[seeds, kinds, block sizes]`, and for numbers of steps how far the gradient through them is from the
/// implicit one, relative to it.
pub(crate) fn run(options: &Options) -> Result<(Tensor, Vec<(f64, f64)>), Error> {
    let digits = data::digits(DIGITS)?;
    let runs = par_map(0..options.seeds, |seed| learn(&digits, options.epochs, seed));
    let mut runs = runs.into_iter().collect::<Result<Vec<_>, _>>()?;
    let kinds = stack(&runs.iter().map(|run| &run.0).collect::<Vec<_>>(), 0);
    let mut chart = Chart::new("occluded test digits read right", "width of the block in pixels", "share");
    for (name, x) in KINDS.iter().zip(kinds.unbind(1)) {
        let spread = x.mean(0).iter().zip(x.std(0, usize::from(options.seeds > 1)).iter()).enumerate();
        let points: Vec<(f64, f64, f64)> = spread.map(|(n, (mean, sd))| (n as f64, mean, sd)).collect();
        println!("{name:<20} {points:.3?}");
        chart = chart.band(*name, points);
    }

    let (lateral, x) = (&mut runs[0].1, digits.test.x.narrow(0, 0, 4));
    let m = visible(&Tensor::full([4], 4), &mut Rng::new(1));
    let p = operands(lateral, &x, &m);
    let states = [0, 1, 2, 5, 10].map(|steps| settle(&p, steps));
    let images = stack(&[&[x.clone()][..], &states].concat(), 1).reshape([24, 8, 8]);
    let captions = ["whole", "0 steps", "1", "2", "5", "10"].repeat(4);
    let tiles = Chart::tiles("hidden pixels settle", &images, 6).grey().captions(captions);

    lateral.convert(F64);
    let p = operands(lateral, &x.cast(F64), &m.cast(F64));
    let gradient = |h: Tensor| grad(&h.mse_loss(&p[2]), &[&p[0]]).swap_remove(0);
    let by_rule = gradient(implicit(&p));
    let apart = |steps: usize| {
        let error = (gradient(settle(&p, steps)) - &by_rule).abs().amax(()) / by_rule.abs().amax(());
        (steps as f64, error.item())
    };
    let apart: Vec<_> = [1, 2, 5, 10, 20, 30, 50, 70, 100].map(apart).to_vec();
    for (steps, apart) in &apart {
        println!("the gradient through {steps} steps is {apart:.0e} away from the implicit one");
    }
    let gradients =
        Chart::new("gradient through the steps", "steps", "relative distance to the implicit one");
    save_svg(&options.out, &[tiles, chart, gradients.line("", apart.clone()).log()])?;
    Ok((kinds, apart))
}

fn main() -> Result<(), Error> {
    run(&Options::parse()).map(drop)
}
