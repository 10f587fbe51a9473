//! Learning without transported weights: four rules that send no error back through the network's own weights, in
//! layers so narrow that random units, which never learn, fail.
//!
//! ```text
//! cargo run --release --example without_backprop
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it learned")]

use clap::Parser;
use retrograd::Leaf;
use retrograd::prelude::*;
use std::{f64::consts::PI, path::PathBuf};

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/digits.csv.gz");
const WIDTH: usize = 16;
const RULES: [&str; 6] = ["backprop", "alignment", "Hebbian", "forward-forward", "SPSA", "random units"];

/// Learns to read digits without backpropagation.
#[derive(Parser)]
pub(crate) struct Options {
    /// Passes over the training set with feedback alignment; the other rules make more or fewer in proportion.
    #[arg(short, long, default_value_t = 40)]
    epochs: usize,
    /// Runs from different initial weights.
    #[arg(short, long, default_value_t = 3)]
    seeds: u64,
    /// Where the picture goes.
    #[arg(short, long, default_value = "target/without_backprop.svg")]
    out: PathBuf,
}

/// A network of tanh units. With `feedback`, errors go back through these matrices, not through the weights.
fn forward(p: &[impl Leaf], feedback: Option<&[Tensor]>, x: &Tensor) -> Tensor {
    p.iter().enumerate().fold(x.clone(), |x, (depth, p)| {
        let (x, w) = (if depth == 0 { x } else { x.tanh() }, p.tensor().t());
        // What is added is 0, and the way back.
        let with = |b: &[Tensor]| x.detach().matmul(&w) + (&x - x.detach()).matmul(b[depth].t());
        feedback.map_or_else(|| x.matmul(&w), with)
    })
}

/// Gradient descent, by backpropagation or by feedback alignment (Lillicrap and others, 2016): the accuracy, and the
/// angle in degrees between the first layer's update and its gradient, a mean for each epoch.
fn descend(align: bool, digits: &Split, epochs: usize, rng: &mut Rng) -> Result<(f64, Tensor), Error> {
    let sizes = [64, WIDTH, WIDTH, 10];
    let feedback = [0, 1, 2].map(|i| Tensor::uniform([sizes[i + 1], sizes[i]], -0.5, 0.5, rng));
    let mut net = [0, 1, 2].map(|i| Linear::without_bias(sizes[i], sizes[i + 1], rng).weight);
    let (mut sgd, mut cosines) = (Sgd::new(&net, 0.1), Vec::new());
    for (x, labels) in (0..epochs).flat_map(|_| digits.train.batches(32, rng)) {
        let grads = |feedback| forward(&net, feedback, &x).cross_entropy(&labels).backward();
        let (update, truth) = (grads(align.then_some(&feedback[..])), grads(None));
        let [a, b] = [&update, &truth].map(|grads| grads[&net[0]].flatten(0, -1));
        cosines.push(a.cosine_similarity(&b, 0, 1e-30));
        sgd.step(&mut net, &update)?;
    }
    let angles = stack(&cosines, 0).acos().reshape([epochs as isize, -1]).mean(1) * (180.0 / PI);
    Ok((accuracy(&forward(&net, None, &digits.test.x), &digits.test.y), angles))
}

/// Units compete for each image and the winner moves towards it (Rumelhart and Zipser, 1985), but who wins too often is
/// held back (DeSieno, 1988). The accuracy of a readout of them, which learns by the delta rule.
fn hebbian(digits: &Split, epochs: usize, rng: &mut Rng) -> Result<f64, Error> {
    let mean = digits.train.x.mean(0);
    let unit = |x: &Tensor| (x - &mean).normalize(2.0, 1, 1e-9);
    let mut w = Tensor::randn([WIDTH, 64], rng).normalize(2.0, 1, 1e-9);
    let mut wins = Tensor::ones([WIDTH]);
    let batches: Vec<_> = (0..epochs).flat_map(|_| digits.train.batches(8, rng)).collect();
    for (step, (x, _)) in batches.iter().enumerate() {
        let (x, rate) = (unit(x), 0.1 * (1.0 - step as f64 / batches.len() as f64));
        let won = (x.matmul(w.t()) - &wins * 0.5).argmax(1).one_hot(WIDTH).cast(F32);
        w = &w + (won.t().matmul(&x) - won.sum(0).unsqueeze(1) * &w) * rate;
        wins = wins * 0.99 + won.mean(0) * (0.01 * WIDTH as f64);
    }
    let features = |x: &Tensor| unit(x).matmul(w.t()).relu();
    let mut readout = Linear::new(WIDTH, 10, rng);
    let mut adam = Adam::new(&readout, 0.05);
    for (x, labels) in (0..30).flat_map(|_| digits.train.batches(32, rng)) {
        let grads = readout.forward(&features(&x)).cross_entropy(&labels).backward();
        adam.step(&mut readout, &grads)?;
    }
    Ok(accuracy(&readout.forward(&features(&digits.test.x)), &digits.test.y))
}

/// Each layer for itself makes its squares large with the right label and small with another (Hinton, 2022); 256 units.
fn forward_forward(digits: &Split, epochs: usize, rng: &mut Rng) -> Result<f64, Error> {
    let mut net = [Linear::new(74, 256, rng), Linear::new(256, 256, rng)];
    let goodness = |net: &[Linear; 2], x: &Tensor, labels: &Tensor| {
        let first = net[0].forward(&cat(&[x, &labels.one_hot(10).cast(F32)], 1)).relu();
        let second = net[1].forward(&(first.detach().normalize(2.0, 1, 1e-6) * 16.0)).relu();
        stack(&[first, second], 0).square().mean(2)
    };
    let (mut adam, mut draws) = (Adam::new(&net, 3e-3), rng.split());
    for (x, labels) in (0..epochs).flat_map(|_| digits.train.batches(32, rng)) {
        let other = (&labels + Tensor::randint(1, 10, labels.shape().clone(), &mut draws)) % 10;
        let margins = cat(&[goodness(&net, &x, &labels) - 1.5, 1.5 - goodness(&net, &x, &other)], 1);
        adam.step(&mut net, &(-margins).softplus().mean(()).backward())?;
    }
    let all = |label: i64| goodness(&net, &digits.test.x, &digits.test.y.full_like(label)).sum(0);
    Ok(accuracy(&stack(&(0..10).map(all).collect::<Vec<_>>(), 1), &digits.test.y))
}

/// All weights are shaken at once, to both sides, and move to the better one by as much as it is better (Spall, 1992).
fn spsa(digits: &Split, epochs: usize, rng: &mut Rng) -> Result<f64, Error> {
    let mut net = [(64, WIDTH), (WIDTH, 10)].map(|(from, to)| Linear::without_bias(from, to, rng).weight);
    let (mut adam, mut draws) = (Adam::new(&net, 3e-3), rng.split());
    for (x, labels) in (0..epochs).flat_map(|_| digits.train.batches(64, rng)) {
        let shake: Vec<_> = net.iter().map(|p| (p.rand_like(&mut draws) - 0.5).sign() * 0.01).collect();
        let loss = |side: f64| {
            let p: Vec<_> = net.iter().zip(&shake).map(|(p, s)| p.detach() + s * side).collect();
            forward(&p, None, &x).cross_entropy(&labels)
        };
        let slope = (loss(1.0) - loss(-1.0)) / 2e-4;
        let along = net.iter().zip(&shake).map(|(p, s)| (p * s).sum(())).reduce(|a, b| a + b);
        adam.step(&mut net, &(along.unwrap() * slope).backward())?;
    }
    Ok(accuracy(&forward(&net, None, &digits.test.x), &digits.test.y))
}

/// The accuracy by each rule, `[seeds, rules]`, and the angles of feedback alignment, `[seeds, epochs]`.
pub(crate) fn run(&Options { epochs, seeds, ref out }: &Options) -> Result<[Tensor; 2], Error> {
    let digits = &data::digits(DIGITS)?;
    let runs = par_map(0..seeds, |seed| {
        let rng = &mut Rng::new(seed);
        let (aligned, angles) = descend(true, digits, epochs, rng)?;
        let (backprop, _) = descend(false, digits, epochs, rng)?;
        let units = [hebbian(digits, epochs / 2, rng)?, hebbian(digits, 0, rng)?];
        let others = [forward_forward(digits, epochs * 3 / 2, rng)?, spsa(digits, epochs * 22, rng)?];
        Ok([Tensor::from([backprop, aligned, units[0], others[0], others[1], units[1]]), angles.cast(F64)])
    });
    let runs = runs.into_iter().collect::<Result<Vec<_>, Error>>()?;
    let [right, angles] =
        [0, 1].map(|of: usize| stack(&runs.iter().map(|run| &run[of]).collect::<Vec<_>>(), 0));
    let spread = |x: &Tensor| x.mean(0).iter::<f64>().zip(x.std(0, usize::from(seeds > 1)).iter::<f64>());
    for (rule, (mean, sd)) in RULES.iter().zip(spread(&right)) {
        println!("{rule:<20} {mean:.3} ± {sd:.3} of the test digits right");
    }
    let points: Vec<_> = (1..).zip(spread(&angles)).map(|(x, (mean, sd))| (f64::from(x), mean, sd)).collect();
    println!("angle: {:.1} degrees in the first epoch, {:.1} in the last", points[0].1, points[epochs - 1].1);
    let chart = Chart::new("feedback alignment", "epoch", "degrees between update and gradient");
    let bars = Chart::new("test digits read right", "", "share").categories(RULES);
    save_svg(out, &[chart.band("first layer", points), bars.bars("", right.mean(0).iter())])?;
    Ok([right, angles])
}

fn main() -> Result<(), Error> {
    run(&Options::parse()).map(drop)
}
