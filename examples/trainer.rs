//! A run by `Trainer`: handwritten digits, with validation, a learning rate that falls, early stopping, a checkpoint of the
//! best epoch, and a figure for each epoch.
//!
//! ```text
//! cargo run --release --example trainer
//! ```
//!
//! The curves are in `target/trainer.svg`.

#![expect(clippy::print_stdout, reason = "a program that tells what it learned")]

use clap::Parser;
use retrograd::prelude::*;
use retrograd::schedule::{Better, ReduceLrOnPlateau};
use retrograd::train::History;
use std::error::Error;
use std::path::PathBuf;

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/digits.csv.gz");

/// Trains a network on handwritten digits until it stops getting better.
#[derive(Parser)]
pub(crate) struct Options {
    /// Passes over the training set at most.
    #[arg(short, long, default_value_t = 100)]
    pub(crate) epochs: u64,
    /// Epochs without a better one before the run ends.
    #[arg(short, long, default_value_t = 10)]
    pub(crate) patience: u64,
    /// Where the best network goes.
    #[arg(short, long, default_value = "target/trainer.checkpoint")]
    pub(crate) best: PathBuf,
    /// Where the curves go.
    #[arg(short, long, default_value = "target/trainer.svg")]
    pub(crate) out: PathBuf,
}

#[derive(Module)]
struct Net {
    hidden: Linear,
    dropout: Dropout,
    output: Linear,
}

impl Net {
    fn new(rng: &mut Rng) -> Self {
        let (hidden, dropout) = (Linear::new(64, 64, rng), Dropout::new(0.2, rng));
        Self { hidden, dropout, output: Linear::new(64, 10, rng) }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        self.output.forward(&self.dropout.forward(&self.hidden.forward(x).relu()))
    }
}

/// The run: its history, and the accuracy of its best network on the test set.
pub(crate) fn run(options: &Options) -> Result<(History, f64), Box<dyn Error>> {
    let Split { train, test } = data::digits(DIGITS)?;
    let Split { train, test: held_out } = train.split(|sample| sample % 5 == 0);
    let mut loader = DataLoader::new(train).batch_size(32).shuffle(true).seed(0);
    let mut validation = DataLoader::new(held_out).batch_size(100);
    let mut net = Net::new(&mut Rng::new(0));
    let mut adam = Adam::new(&net, 3e-3);
    let history = Trainer::new(&mut net, &mut adam)
        .epochs(options.epochs)
        .metric("accuracy", metrics::Accuracy::new())
        .validate(&mut validation)
        .reduce_on_plateau(ReduceLrOnPlateau::new().patience(3), "val_loss")
        .early_stopping(EarlyStopping::new("val_loss").patience(options.patience).restore_best(true))
        .best_checkpoint(&options.best, "val_loss", Better::Min)
        .on_epoch(|at| {
            let (epoch, figures) = (at.record.epoch, &at.record.metrics);
            println!("epoch {epoch}: loss {:.4}, validation {:.4}", at.record.loss, figures["val_loss"]);
            Ok(())
        })
        .fit(&mut loader, |net, (x, labels)| {
            let outputs = net.forward(x);
            Output::new(outputs.cross_entropy(labels)).scored(&outputs, labels)
        })?;

    // The network has the weights of its best epoch, and so has the file.
    let mut best = Net::new(&mut Rng::new(1));
    best.load_state_dict(Checkpoint::load(&options.best)?.part("model").ok_or("no model")?)?;
    best.eval();
    let right = no_grad(|| accuracy(&best.forward(&test.x), &test.y));
    let panel = |title: &str, name: &str| {
        let chart = Chart::new(title, "epoch", name).line("training", history.curve(name));
        chart.line("validation", history.curve(&format!("val_{name}")))
    };
    save_svg(&options.out, &[panel("Loss", "loss").log(), panel("Accuracy", "accuracy")])?;
    Ok((history, right))
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let (history, right) = run(&Options::parse())?;
    println!("{} epochs; test accuracy of the best: {right:.4}", history.epochs.len());
    Ok(())
}
