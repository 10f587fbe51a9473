//! The perfect teacher is not in the real world. Of wrong labels a network first learns what is true and then what it was
//! told, unless it moves them towards its own answers (Reed and others, 2014). Few labels go further with many views of
//! their images, its own sure answers for others (Lee, 2013), or views told apart beforehand (Chen and others, 2020).
//!
//! ```text
//! cargo run --release --example noisy_teacher
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it learned")]

use clap::Parser;
use retrograd::prelude::*;
use std::path::PathBuf;

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/digits.csv.gz");
const LABELS: [i64; 4] = [10, 20, 50, 100];

/// Learns from wrong labels, and from few.
#[derive(Parser)]
pub(crate) struct Options {
    /// Passes over the training set with wrong labels; and 25 steps each of learning without labels.
    #[arg(short, long, default_value_t = 60)]
    epochs: usize,
    /// Runs from different initial weights and labels.
    #[arg(short, long, default_value_t = 3)]
    seeds: u64,
    /// Where the picture goes.
    #[arg(short, long, default_value = "target/noisy_teacher.svg")]
    out: PathBuf,
}

fn network([a, b, c]: [usize; 3], rng: &mut Rng) -> Sequential {
    Sequential::new().then(Linear::new(a, b, rng)).then(Relu).then(Linear::new(b, c, rng))
}

/// For each epoch the accuracy; after the third, labels move by `own` towards the network's answers each time.
fn noisy(digits: &Split, given: &Tensor, own: f64, epochs: usize, rng: &mut Rng) -> Result<Tensor, Error> {
    let mut net = network([64, 256, 10], rng);
    let (mut sgd, mut accuracies) = (Sgd::new(&net, 0.1).momentum(0.9), Vec::new());
    let mut data = TensorDataset::new(digits.train.x.clone(), given.one_hot(10).cast(F32));
    for epoch in 1..=epochs {
        for (x, y) in data.batches(32, rng) {
            let grads = net.forward(&x).cross_entropy(&y).backward();
            sgd.step(&mut net, &grads)?;
        }
        let own = if epoch > 3 { own } else { 0.0 };
        data.y = &data.y * (1.0 - own) + net.forward(&data.x).detach().softmax(1) * own;
        accuracies.push(accuracy(&net.forward(&digits.test.x), &digits.test.y));
    }
    Ok(Tensor::from(accuracies))
}

/// Images turned, sheared, scaled and moved a little, each in its own way, with pixels interpolated linearly.
fn view(x: &Tensor, rng: &mut Rng) -> Tensor {
    let n = x.size(0);
    let mut within = |most: f64| Tensor::uniform([n, 1], -most, most, rng);
    let (turn, shear, pixel) = (within(0.25), within(0.2), F32.arange(0, 8, 1));
    let (row, column) = ((&pixel - 3.5).repeat_interleave(8, 0), (&pixel - 3.5).tile([8]));
    let rows = (turn.cos() * &row + turn.sin() * &column) * (1.0 + within(0.15)) + within(1.2);
    let columns = (turn.cos() * &column + (shear - turn.sin()) * &row) * (1.0 + within(0.15)) + within(1.2);
    let near = |at: Tensor| (1.0 - (at.unsqueeze(2) + 3.5 - &pixel).abs()).relu();
    (near(rows).matmul(x.reshape([n, 8, 8])) * near(columns)).sum(2) + Tensor::randn([n, 64], rng) * 0.05
}

/// An encoder that gives two views of an image codes near each other, and away from those of other images.
fn contrastive(x: &Tensor, steps: usize, rng: &mut Rng) -> Result<Sequential, Error> {
    let mut net = (network([64, 256, 256], rng).then(Relu), network([256, 128, 64], rng));
    let mut adam = Adam::new(&net, 1e-3);
    for _ in 0..steps {
        let x = x.index_select(0, &Tensor::randperm(x.size(0), rng).narrow(0, 0, 256));
        let [a, b] = [(); 2].map(|()| net.1.forward(&net.0.forward(&view(&x, rng))));
        adam.step(&mut net, &a.nt_xent_loss(&b, 0.2).backward())?;
    }
    Ok(net.0)
}

/// The network after three passes over these images, of 1,000 steps at least.
fn fitted(mut net: Sequential, lr: f64, data: &TensorDataset, rng: &mut Rng) -> Result<Sequential, Error> {
    let mut adam = Adam::new(&net, lr);
    for (x, y) in (0..).flat_map(|_| data.batches(32, rng)).take(1000.max(data.len() * 3 / 32)) {
        let grads = net.forward(&x).cross_entropy(&y).backward();
        adam.step(&mut net, &grads)?;
    }
    Ok(net)
}

/// The accuracies in each of the ways with `n` labels, as many of each digit.
fn few(Split { train, test }: &Split, encoder: &Sequential, n: i64, rng: &mut Rng) -> Result<Tensor, Error> {
    let mixed = train.select(&Tensor::randperm(train.len(), rng));
    let class = mixed.y.one_hot(10);
    let few = mixed.select(&(class.cumsum(0) * class).sum(1).le(n / 10).nonzero().squeeze(1));
    let copies = |x: &Tensor| x.repeat_interleave(32_000 / n as usize, 0);
    let views = TensorDataset::new(view(&copies(&few.x), rng), copies(&few.y));
    let mut fit = |data: &_| fitted(network([64, 256, 10], rng), 1e-3, data, rng);
    let (alone, varied) = (fit(&few)?, fit(&views)?);
    let mut own = alone.clone();
    for share in [0.4, 0.6, 0.8, 1.0] {
        let (sure, answers) = own.forward(&train.x).detach().softmax(1).max_along(1);
        let surest = sure.topk((share * train.len() as f64) as usize, 0, true).1;
        let x = cat(&[&few.x, &train.x.index_select(0, &surest)], 0);
        let y = cat(&[&few.y, &answers.index_select(0, &surest)], 0);
        own = fit(&TensorDataset::new(x, y))?;
    }
    let codes = TensorDataset::new(encoder.forward(&few.x).detach(), few.y);
    let readout = fitted(Sequential::new().then(Linear::new(256, 10, rng)), 1e-2, &codes, rng)?;
    let contrastive = encoder.clone().then(readout);
    Ok(Tensor::from([alone, varied, own, contrastive].map(|net| accuracy(&net.forward(&test.x), &test.y))))
}

/// The accuracies as told and self-correcting, `[seeds, 2, epochs]`, and with few labels, `[seeds, numbers, ways]`.
pub(crate) fn run(&Options { epochs, seeds, ref out }: &Options) -> Result<[Tensor; 2], Error> {
    let digits = data::digits(DIGITS)?;
    let y = &digits.train.y;
    let runs = par_map(0..seeds, |seed| {
        let rng = &mut Rng::new(seed);
        let wrong = Tensor::rand([y.numel()], rng).lt(0.4).cast(I64);
        let given = (y + Tensor::randint(1, 10, [y.numel()], rng) * wrong) % 10;
        let curves = [noisy(&digits, &given, 0.0, epochs, rng)?, noisy(&digits, &given, 0.2, epochs, rng)?];
        let encoder = contrastive(&digits.train.x, 25 * epochs, rng)?;
        let ways: Result<Vec<_>, _> = LABELS.iter().map(|&n| few(&digits, &encoder, n, rng)).collect();
        Ok([stack(&curves, 0), stack(&ways?, 0)])
    });
    let runs = runs.into_iter().collect::<Result<Vec<_>, Error>>()?;
    let [curves, ways] =
        [0, 1].map(|of: usize| stack(&runs.iter().map(|run| &run[of]).collect::<Vec<_>>(), 0));
    let spread = |x: &Tensor| x.mean(0).iter::<f64>().zip(x.std(0, usize::from(seeds > 1)).iter::<f64>());
    let mut chart = Chart::new("40 % of the labels are wrong", "epoch", "share of test digits read right");
    for (name, x) in ["as told", "self-correcting"].into_iter().zip(curves.unbind(1)) {
        let points: Vec<_> = (1..).zip(spread(&x)).map(|(n, (mean, sd))| (f64::from(n), mean, sd)).collect();
        let best = x.amax(1).mean(()).item();
        let (_, mean, sd) = points[epochs - 1];
        println!("{name:<18} at best {best:.3}, in the end {mean:.3} ± {sd:.3}");
        chart = chart.band(name, points);
    }
    let mut bars = Chart::new("few labels, and images without", "labels", "share of test digits read right");
    for (name, x) in ["labels only", "labels, many views", "self-training", "contrastive first"]
        .into_iter()
        .zip(ways.unbind(2))
    {
        println!("{name:<18} {:.3?}", spread(&x).collect::<Vec<_>>());
        bars = bars.bars(name, x.mean(0).iter());
    }
    save_svg(out, &[chart, bars.categories(LABELS.map(|n| n.to_string()))])?;
    Ok([curves, ways])
}

fn main() -> Result<(), Error> {
    run(&Options::parse()).map(drop)
}
