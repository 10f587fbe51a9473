//! An autoencoder squeezes handwritten digits of 64 pixels through two numbers and back; where the digits lie in the
//! plane of these numbers shows what it found. Beside it, the best that linear maps can do: principal components.
//!
//! ```text
//! cargo run --release --example autoencoder
//! cargo run --release --example autoencoder -- --width 256 --epochs 300
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it learned")]

use clap::Parser;
use retrograd::prelude::*;
use std::error::Error;
use std::path::PathBuf;

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/digits.csv.gz");

/// Learns to write digits as two numbers.
#[derive(Parser)]
struct Options {
    /// Units in the first layer; the second has half of them.
    #[arg(short, long, default_value_t = 128)]
    width: usize,
    /// Learning rate of Adam at the start; it falls to 0 along half a cosine.
    #[arg(short, long, default_value_t = 3e-3)]
    lr: f64,
    /// Passes over the training set.
    #[arg(short, long, default_value_t = 150)]
    epochs: usize,
    /// Seed of the initial weights and of the order of samples.
    #[arg(short, long, default_value_t = 0)]
    seed: u64,
    /// Where the picture of the plane goes.
    #[arg(short, long, default_value = "target/autoencoder.svg")]
    out: PathBuf,
}

/// Pixels to two numbers, and two numbers to pixels.
#[derive(Module)]
struct Autoencoder {
    encoder: Sequential,
    decoder: Sequential,
}

impl Autoencoder {
    fn new(pixels: usize, width: usize, rng: &mut Rng) -> Self {
        let encoder = Sequential::new()
            .then(Linear::new(pixels, width, rng))
            .then(Tanh)
            .then(Linear::new(width, width / 2, rng))
            .then(Tanh)
            .then(Linear::new(width / 2, 2, rng));
        let decoder = Sequential::new()
            .then(Linear::new(2, width / 2, rng))
            .then(Tanh)
            .then(Linear::new(width / 2, width, rng))
            .then(Tanh)
            .then(Linear::new(width, pixels, rng))
            .then(Sigmoid);
        Self { encoder, decoder }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        self.decoder.forward(&self.encoder.forward(x))
    }
}

/// The codes of `x` by the two principal components of `train`, and `x` made of them again.
fn principal_components(train: &Tensor, x: &Tensor) -> (Tensor, Tensor) {
    let mean = train.mean_keepdim(0);
    let (_, _, components) = (train - &mean).svd();
    let two = components.narrow(0, 0, 2);
    let codes = (x - &mean).matmul(two.t());
    let again = codes.matmul(&two) + mean;
    (codes, again)
}

/// The share of points whose nearest neighbour among the others is of the same class.
fn agreement(codes: &Tensor, labels: &Tensor) -> f64 {
    let distances = (codes.unsqueeze(0) - codes.unsqueeze(1)).square().sum(-1);
    let others = distances + Tensor::eye(codes.size(0)) * 1e9;
    accuracy(&labels.index_select(0, &others.argmin(1)), labels)
}

/// A dot for each code, in the colour of its class.
fn plane(title: &str, codes: &Tensor, labels: &Tensor) -> Chart {
    let (points, labels) = (codes.cast(F64).to_vec::<f64>(), labels.to_vec::<i64>());
    let of_class = |class: i64| {
        let mine = points.chunks(2).zip(&labels).filter(move |(_, label)| **label == class);
        mine.map(|(point, _)| (point[0], point[1])).collect::<Vec<_>>()
    };
    (0..10).fold(Chart::new(title, "first number", "second number"), |chart, class| {
        chart.scatter(class.to_string(), of_class(class))
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let Split { train, test } = data::digits(DIGITS)?;
    let mut rng = Rng::new(options.seed);
    let mut model = Autoencoder::new(train.x.size(1), options.width, &mut rng);
    let mut adam = Adam::new(&model, options.lr);
    let mut schedule = Scheduler::new(schedule::CosineAnnealingLr::new(options.epochs as u64), &mut adam);
    println!("{} parameters, {} digits to learn from", model.num_parameters(), train.len());

    for _ in 0..options.epochs {
        for (x, _) in train.batches(32, &mut rng) {
            let loss = model.forward(&x).binary_cross_entropy(&x);
            adam.step(&mut model, &loss.backward())?;
        }
        schedule.step(&mut adam);
    }

    let codes = model.encoder.forward(&test.x).detach();
    let again = model.forward(&test.x).detach();
    let (linear_codes, linear_again) = principal_components(&train.x, &test.x);
    println!("on {} test digits:         error per pixel   nearest code of the same digit", test.len());
    for (name, codes, again) in
        [("autoencoder", &codes, &again), ("principal components", &linear_codes, &linear_again)]
    {
        let error = (again - &test.x).square().mean(()).item();
        println!("  {name:<20}      {error:.4}            {:.3}", agreement(codes, &test.y));
    }
    let charts =
        [plane("autoencoder", &codes, &test.y), plane("principal components", &linear_codes, &test.y)];
    save_svg(&options.out, &charts)?;
    println!("plane: {}", options.out.display());
    Ok(())
}
