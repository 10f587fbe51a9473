//! A shallow network learns to read handwritten digits: 64 pixels, `k` hidden units, ten classes.
//!
//! ```text
//! cargo run --release --example shallow
//! cargo run --release --example shallow -- --k 16 --activation tanh
//! cargo run --release --example shallow -- --binary 3        # is it a three? one sigmoid output
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it learned")]

use clap::{Parser, ValueEnum};
use retrograd::prelude::*;
use std::error::Error;
use std::path::PathBuf;

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/digits.csv.gz");

/// Trains a network with one hidden layer on handwritten digits.
#[derive(Parser)]
struct Options {
    /// Number of hidden units.
    #[arg(short, long, default_value_t = 64)]
    k: usize,
    /// What hidden units do with their input.
    #[arg(short, long, value_enum, default_value_t = Activation::Sigmoid)]
    activation: Activation,
    /// Learning rate of stochastic gradient descent.
    #[arg(short, long, default_value_t = 1.0)]
    lr: f64,
    /// Passes over the training set.
    #[arg(short, long, default_value_t = 100)]
    epochs: usize,
    /// Samples in a batch.
    #[arg(short, long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Seed of the initial weights and of the order of samples.
    #[arg(short, long, default_value_t = 0)]
    seed: u64,
    /// Tell this digit from all others, instead of all from each other.
    #[arg(long, value_name = "DIGIT", value_parser = clap::value_parser!(u8).range(0..10))]
    binary: Option<u8>,
    /// Where the curves go.
    #[arg(short, long, default_value = "target/shallow.svg")]
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum, Module)]
enum Activation {
    Sigmoid,
    Tanh,
    Relu,
}

impl Activation {
    fn apply(self, x: &Tensor) -> Tensor {
        match self {
            Self::Sigmoid => x.sigmoid(),
            Self::Tanh => x.tanh(),
            Self::Relu => x.relu(),
        }
    }
}

/// V activation(W x): W is `[k, pixels]`, V `[outputs, k]`, each with a bias.
#[derive(Module)]
struct Shallow {
    w: Linear,
    v: Linear,
    activation: Activation,
}

impl Shallow {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.v.forward(&self.activation.apply(&self.w.forward(x)))
    }
}

/// What is asked of the outputs: which of ten digits, or whether it is one of them.
#[derive(Clone, Copy)]
enum Task {
    Ten,
    Binary,
}

impl Task {
    fn loss(self, outputs: &Tensor, labels: &Tensor) -> Tensor {
        match self {
            Self::Ten => outputs.cross_entropy(labels),
            Self::Binary => outputs.squeeze(-1).binary_cross_entropy_with_logits(labels),
        }
    }

    /// The predicted class of each sample.
    fn predict(self, outputs: &Tensor) -> Tensor {
        match self {
            Self::Ten => outputs.argmax(-1),
            Self::Binary => outputs.squeeze(-1).gt(0.0),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let Split { mut train, mut test } = data::digits(DIGITS)?;
    let (task, outputs) = match options.binary {
        None => (Task::Ten, 10),
        Some(digit) => {
            for part in [&mut train, &mut test] {
                part.y = part.y.eq(digit).cast(F32);
            }
            (Task::Binary, 1)
        }
    };

    let mut rng = Rng::new(options.seed);
    let mut model = Shallow {
        w: Linear::new(train.x.size(1), options.k, &mut rng),
        v: Linear::new(options.k, outputs, &mut rng),
        activation: options.activation,
    };
    let mut sgd = Sgd::new(&model, options.lr);
    println!(
        "{} parameters, {} samples to learn from, {} to test",
        model.num_parameters(),
        train.len(),
        test.len()
    );

    let mut progress = Progress::new(options.epochs, train.len());
    let (mut losses, mut accuracies) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for epoch in 1..=options.epochs {
        for (x, labels) in train.batches(options.batch as usize, &mut rng) {
            let outputs = model.forward(&x);
            let loss = task.loss(&outputs, &labels);
            let grads = loss.backward();
            sgd.step(&mut model, &grads)?;
            progress.batch(x.size(0), loss.item(), accuracy(&task.predict(&outputs), &labels));
        }
        let learned = progress.epoch();
        let outputs = model.forward(&test.x);
        let tested = (task.loss(&outputs, &test.y).item(), accuracy(&task.predict(&outputs), &test.y));
        for (part, (loss, accuracy)) in [(learned.loss, learned.accuracy), tested].into_iter().enumerate() {
            losses[part].push((epoch as f64, loss));
            accuracies[part].push((epoch as f64, accuracy));
        }
    }

    let chart = |title: &str, [train, test]: [Vec<(f64, f64)>; 2]| {
        Chart::new(title, "epoch", title).line("training", train).line("test", test)
    };
    save_svg(&options.out, &[chart("loss", losses).log(), chart("accuracy", accuracies)])?;

    let predicted = task.predict(&model.forward(&test.x));
    let matrix = ConfusionMatrix::of(outputs.max(2), &predicted, &test.y);
    println!("{matrix}curves: {}", options.out.display());
    println!("test accuracy: {:.4}", matrix.accuracy());
    Ok(())
}
