//! Factors first and a linear model after them, against both learned at once: principal components know nothing of what
//! they are for, so a few of them tell digits apart far worse than as few learned together with the readout.
//!
//! ```text
//! cargo run --release --example latent_then_linear
//! cargo run --release --example latent_then_linear -- --seeds 3
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it learned")]

use clap::Parser;
use retrograd::prelude::*;
use std::path::PathBuf;

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/digits.csv.gz");

/// The numbers of factors; those of networks with `DRAWN` are drawn.
pub(crate) const FACTORS: [usize; 11] = [1, 2, 3, 4, 6, 8, 10, 16, 24, 32, 64];
const DRAWN: usize = 4;

/// Reads digits through a few factors, found before the readout or with it.
#[derive(Parser)]
pub(crate) struct Options {
    /// How many networks learn for each number of factors; those with few end in minima of quite different error.
    #[arg(short, long, default_value_t = 20)]
    seeds: u64,
    /// Passes over the training set.
    #[arg(short, long, default_value_t = 40)]
    epochs: usize,
    /// Where the picture goes.
    #[arg(short, long, default_value = "target/latent_then_linear.svg")]
    out: PathBuf,
}

/// Pixels to factors, and these to classes.
#[derive(Module)]
struct Net {
    factors: Linear,
    readout: Linear,
    tanh: bool,
}

impl Net {
    fn new(pixels: usize, factors: usize, tanh: bool, rng: &mut Rng) -> Self {
        Self { factors: Linear::new(pixels, factors, rng), readout: Linear::new(factors, 10, rng), tanh }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let factors = self.factors.forward(x);
        self.readout.forward(&if self.tanh { factors.tanh() } else { factors })
    }

    fn error(&self, test: &TensorDataset) -> f64 {
        100.0 * (1.0 - accuracy(&self.forward(&test.x), &test.y))
    }
}

/// Both layers at once.
fn joint(train: &TensorDataset, factors: usize, tanh: bool, epochs: usize, seed: u64) -> Result<Net, Error> {
    let mut rng = Rng::new(seed);
    let mut net = Net::new(train.x.size(1), factors, tanh, &mut rng);
    let mut adam = Adam::new(&net, 5e-3);
    for _ in 0..epochs {
        for (x, labels) in train.batches(32, &mut rng) {
            let loss = net.forward(&x).cross_entropy(&labels);
            adam.step(&mut net, &loss.backward())?;
        }
    }
    Ok(net)
}

/// Principal components first, as factors of unit variance; then a logistic regression on them.
fn components_first(train: &TensorDataset, factors: usize) -> Result<Net, Error> {
    let mean = train.x.mean(0);
    let (_, s, components) = (&train.x - &mean).svd();
    let scale = (s / (train.len() as f64).sqrt()).clamp_min(1e-6).unsqueeze(1);
    let components = (components / scale).narrow(0, 0, factors);
    let mut net = Net::new(train.x.size(1), factors, false, &mut Rng::new(0));
    drop(net.factors.weight.replace(&components));
    net.factors.bias = Some(Param::new(-components.mv(mean)));
    net.factors.freeze();
    let mut lbfgs = Lbfgs::new(&net, 1.0).strong_wolfe(true).max_iter(300);
    drop(lbfgs.step(&mut net, |net| {
        net.forward(&train.x).cross_entropy(&train.y) + net.readout.weight.square().sum(()) * 1e-4
    })?);
    Ok(net)
}

/// The weights of learned factors as images `[factors, pixels]`. Any mixture of the factors serves the readout as
/// well; these are the ones that move its answers the most, in order.
fn in_order(net: &Net, x: &Tensor) -> Tensor {
    let map = net.readout.weight.matmul(&net.factors.weight).detach();
    let map = &map - map.mean_keepdim(0);
    let answers = (x - x.mean(0)).matmul(map.t());
    answers.svd().2.narrow(0, 0, net.readout.weight.size(1)).matmul(map)
}

/// The mean and the standard deviation over networks.
fn spread(values: &[f64]) -> (f64, f64) {
    let values = Tensor::from(values);
    (values.mean(()).item(), values.std((), usize::from(values.numel() > 1)).item())
}

/// The test error in percent by number of factors, with the standard deviation over networks: of components, of a
/// linear network, and of one with tanh.
pub(crate) fn run(options: &Options) -> Result<Vec<[(f64, f64); 3]>, Error> {
    let Split { train, test } = &data::digits(DIGITS)?;
    println!("test error in %: factors   principal components   learned at once   with tanh");
    let (mut rows, mut images) = (Vec::new(), Vec::new());
    for factors in FACTORS {
        let first = components_first(train, factors)?;
        let learned = |tanh| {
            let nets = par_map(0..options.seeds, |seed| joint(train, factors, tanh, options.epochs, seed));
            nets.into_iter().collect::<Result<Vec<_>, _>>()
        };
        let (linear, tanh) = (learned(false)?, learned(true)?);
        if factors == DRAWN {
            images = vec![first.factors.weight.detach(), in_order(&linear[0], &train.x)];
        }
        let error = |nets: &[Net]| spread(&nets.iter().map(|net| net.error(test)).collect::<Vec<_>>());
        let row = [(first.error(test), 0.0), error(&linear), error(&tanh)];
        let [first, linear, tanh] = row.map(|(mean, sd)| format!("{mean:.1} ± {sd:.1}"));
        println!("{factors:>24}   {first:>20}   {linear:>15}   {tanh:>9}");
        rows.push(row);
    }

    let points =
        |kind: usize| FACTORS.iter().zip(&rows).map(move |(&k, row)| (k as f64, row[kind].0, row[kind].1));
    let curves = Chart::new("error by number of factors", "factors", "test error in %")
        .band("components first", points(0))
        .band("learned at once", points(1))
        .dashed_band("learned at once, tanh", points(2))
        .log()
        .log_x();
    // What a pixel does to a factor when it moves by its standard deviation.
    let images = (cat(&images, 0) * train.x.std(0, 0)).normalize(2.0, 1, 1e-9).reshape([-1, 8, 8]);
    let names =
        ["component", "learned"].into_iter().flat_map(|name| (1..=DRAWN).map(move |i| format!("{name} {i}")));
    let images = Chart::tiles("the first factors", &images, DRAWN).captions(names);
    save_svg(&options.out, &[curves, images])?;
    println!("picture: {}", options.out.display());
    Ok(rows)
}

fn main() -> Result<(), Error> {
    run(&Options::parse()).map(drop)
}
