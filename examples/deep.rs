//! A deep residual network learns to read handwritten digits, and the same network without its skip connections
//! does not.
//!
//! ```text
//! cargo run --release --example deep
//! cargo run --release --example deep -- --depth 32 --width 32 --activation tanh
//! cargo run --release --example deep -- --no-skip
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it learned")]

use clap::{Parser, ValueEnum};
use retrograd::prelude::*;
use std::error::Error;
use std::path::PathBuf;

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/digits.csv.gz");

/// Trains a deep network on handwritten digits, with and without skip connections.
#[derive(Parser)]
struct Options {
    /// Number of blocks of two layers.
    #[arg(short, long, default_value_t = 16)]
    depth: usize,
    /// Units in a layer.
    #[arg(short, long, default_value_t = 64)]
    width: usize,
    /// What units do with their input.
    #[arg(short, long, value_enum, default_value_t = Activation::Relu)]
    activation: Activation,
    /// Leave out the skip connections, and train only that network.
    #[arg(long)]
    no_skip: bool,
    /// Learning rate of Adam.
    #[arg(short, long, default_value_t = 1e-3)]
    lr: f64,
    /// Passes over the training set.
    #[arg(short, long, default_value_t = 30)]
    epochs: usize,
    /// Samples in a batch.
    #[arg(short, long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Seed of the initial weights and of the order of samples.
    #[arg(short, long, default_value_t = 0)]
    seed: u64,
    /// Where the curves go.
    #[arg(short, long, default_value = "target/deep.svg")]
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum, Module)]
enum Activation {
    Relu,
    Sigmoid,
    Tanh,
    Gelu,
}

impl Activation {
    fn apply(self, x: &Tensor) -> Tensor {
        match self {
            Self::Relu => x.relu(),
            Self::Sigmoid => x.sigmoid(),
            Self::Tanh => x.tanh(),
            Self::Gelu => x.gelu(),
        }
    }
}

#[derive(Module)]
struct Block {
    fc1: Linear,
    fc2: Linear,
}

/// A stem to the width of the network, blocks, and a head to the classes.
#[derive(Module)]
struct Deep {
    stem: Linear,
    blocks: Vec<Block>,
    head: Linear,
    activation: Activation,
    skip: bool,
}

impl Deep {
    fn new(pixels: usize, classes: usize, skip: bool, options: &Options, rng: &mut Rng) -> Self {
        let width = options.width;
        Self {
            stem: Linear::new(pixels, width, rng),
            blocks: (0..options.depth)
                .map(|_| Block { fc1: Linear::new(width, width, rng), fc2: Linear::new(width, width, rng) })
                .collect(),
            head: Linear::new(width, classes, rng),
            activation: options.activation,
            skip,
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let mut x = self.stem.forward(x);
        for Block { fc1, fc2 } in &self.blocks {
            let inner = fc2.forward(&self.activation.apply(&fc1.forward(&x)));
            x = if self.skip { x + inner } else { self.activation.apply(&inner) };
        }
        self.head.forward(&x)
    }
}

/// One trained network, and how it got there.
struct Run {
    name: &'static str,
    losses: Vec<(f64, f64)>,
    accuracies: Vec<(f64, f64)>,
    matrix: ConfusionMatrix,
}

impl Run {
    fn train(digits: &Split, skip: bool, options: &Options) -> Result<Self, Box<dyn Error>> {
        let Split { train, test } = digits;
        let name = if skip { "with skips" } else { "without skips" };
        let mut rng = Rng::new(options.seed);
        let mut model = Deep::new(train.x.size(1), 10, skip, options, &mut rng);
        let layers = 2 + 2 * options.depth;
        println!("{name}: {layers} layers, {} parameters, {} samples", model.num_parameters(), train.len());

        let mut adam = Adam::new(&model, options.lr);
        let mut progress = Progress::new(options.epochs, train.len());
        let (mut losses, mut accuracies) = (Vec::new(), Vec::new());
        for epoch in 1..=options.epochs {
            for (x, labels) in train.batches(options.batch as usize, &mut rng) {
                let logits = model.forward(&x);
                let loss = logits.cross_entropy(&labels);
                let grads = loss.backward();
                adam.step(&mut model, &grads)?;
                progress.batch(x.size(0), loss.item(), accuracy(&logits, &labels));
            }
            losses.push((epoch as f64, progress.epoch().loss));
            accuracies.push((epoch as f64, accuracy(&model.forward(&test.x), &test.y)));
        }
        let matrix = ConfusionMatrix::of(10, &model.forward(&test.x), &test.y);
        Ok(Self { name, losses, accuracies, matrix })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let digits = data::digits(DIGITS)?;
    // The network that was asked for comes last.
    let skips: &[bool] = if options.no_skip { &[false] } else { &[false, true] };
    let runs =
        skips.iter().map(|&skip| Run::train(&digits, skip, &options)).collect::<Result<Vec<_>, _>>()?;

    let mut loss = Chart::new("training loss", "epoch", "loss").log();
    let mut test = Chart::new("test accuracy", "epoch", "accuracy");
    for run in &runs {
        loss = loss.line(run.name, run.losses.iter().copied());
        test = test.line(run.name, run.accuracies.iter().copied());
    }
    save_svg(&options.out, &[loss, test])?;

    let Some(asked) = runs.last() else { return Ok(()) };
    println!("\n{}curves: {}", asked.matrix, options.out.display());
    for run in &runs {
        println!("{}: {:.4} of test digits read right; chance is 0.10", run.name, run.matrix.accuracy());
    }
    println!("test accuracy: {:.4}", asked.matrix.accuracy());
    Ok(())
}
