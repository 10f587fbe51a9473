//! A run that can be killed at any moment and ends with the same weights all the same: dropout, Adam, a schedule and
//! shuffled batches, with a checkpoint every few steps.
//!
//! ```text
//! cargo run --release --example resume         # press Ctrl-C, or kill it harder: kill -9
//! cargo run --release --example resume         # goes on where it was; repeat as often as you like
//! cargo run --release --example resume -- --fresh      # from the beginning: the same figure in the end
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it learned")]

use clap::Parser;
use retrograd::prelude::*;
use retrograd::schedule::CosineAnnealingLr;
use std::error::Error;
use std::path::PathBuf;

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/digits.csv.gz");

/// Trains a network on handwritten digits, with checkpoints.
#[derive(Parser)]
struct Options {
    /// Where the checkpoint is.
    #[arg(short, long, default_value = "target/resume.checkpoint")]
    checkpoint: PathBuf,
    /// Steps between two checkpoints.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
    /// Where the curve goes.
    #[arg(short, long, default_value = "target/resume.svg")]
    out: PathBuf,
    /// Passes over the training set.
    #[arg(short, long, default_value_t = 40)]
    epochs: u64,
    /// Samples in a batch.
    #[arg(short, long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Begin anew, whatever the checkpoint says.
    #[arg(long)]
    fresh: bool,
}

#[derive(Module)]
struct Net {
    hidden: Linear,
    dropout: Dropout,
    output: Linear,
}

impl Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.output.forward(&self.dropout.forward(&self.hidden.forward(x).relu()))
    }
}

/// Everything that changes while the run goes on.
struct Run {
    net: Net,
    adam: Adam,
    schedule: Scheduler<CosineAnnealingLr>,
    /// The stream that the order of samples is drawn from, as it was at the start of the epoch.
    order: Rng,
    epoch: u64,
    /// Batches of this epoch that are behind.
    batch: u64,
    /// Test accuracy after each epoch.
    curve: Vec<f64>,
}

impl Run {
    fn new(options: &Options, samples: usize) -> Self {
        let rng = &mut Rng::new(0);
        let net = Net {
            hidden: Linear::new(64, 128, rng),
            dropout: Dropout::new(0.3, rng),
            output: Linear::new(128, 10, rng),
        };
        let mut adam = Adam::new(&net, 3e-3);
        let steps = options.epochs * (samples as u64).div_ceil(options.batch.into());
        let schedule = Scheduler::new(CosineAnnealingLr::new(steps), &mut adam);
        Self { net, adam, schedule, order: rng.split(), epoch: 0, batch: 0, curve: vec![] }
    }

    /// What a checkpoint holds: told once, for saving and for loading.
    fn parts(&mut self, parts: &mut Parts) {
        parts.module("net", &mut self.net);
        parts.optimizer("adam", &mut self.adam);
        parts.scheduler("schedule", &mut self.schedule, &mut self.adam);
        parts.rng("order", &mut self.order);
        parts.count("epoch", &mut self.epoch);
        parts.count("batch", &mut self.batch);
        let save = |curve: &mut Vec<f64>| {
            StateDict::from([("test".to_owned(), Tensor::from_slice(curve, [curve.len()]))])
        };
        parts.part("curve", &mut self.curve, save, |curve, state| {
            let test = state.get("test").cloned().unwrap_or_else(|| F64.zeros([0]));
            *curve = attempt(|| test.to_vec::<f64>())?;
            Ok(())
        });
    }

    /// Learns from a batch; gives loss and accuracy.
    fn step(&mut self, x: &Tensor, labels: &Tensor) -> Result<(f64, f64), Box<dyn Error>> {
        let outputs = self.net.forward(x);
        let loss = outputs.cross_entropy(labels);
        let grads = loss.backward();
        self.adam.step(&mut self.net, &grads)?;
        self.schedule.step(&mut self.adam);
        self.batch += 1;
        Ok((loss.item(), accuracy(&outputs.argmax(-1), labels)))
    }

    /// The accuracy on samples that were not learned from.
    fn tested(&mut self, test: &TensorDataset) -> f64 {
        self.net.eval();
        let predicted = self.net.forward(&test.x).argmax(-1);
        self.net.train();
        accuracy(&predicted, &test.y)
    }

    /// The end of an epoch, whose order was drawn from the stream until `order`.
    fn next_epoch(&mut self, order: Rng, test: &TensorDataset) {
        let tested = self.tested(test);
        self.curve.push(tested);
        (self.order, self.epoch, self.batch) = (order, self.epoch + 1, 0);
    }
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let Split { train, test } = data::digits(DIGITS)?;
    let mut run = Run::new(&options, train.len());
    if options.checkpoint.exists() && !options.fresh {
        Checkpoint::load(&options.checkpoint)?.restore(|parts| run.parts(parts))?;
        println!("continues at epoch {}, batch {}", run.epoch, run.batch);
    } else {
        println!("begins; kill me, and start me again (process {})", std::process::id());
    }

    let mut progress = Progress::new(options.epochs.saturating_sub(run.epoch) as usize, train.len());
    while run.epoch < options.epochs {
        let mut order = run.order.clone();
        for (x, labels) in train.batches(options.batch as usize, &mut order).skip(run.batch as usize) {
            let (loss, accuracy) = run.step(&x, &labels)?;
            progress.batch(x.size(0), loss, accuracy);
            if run.schedule.steps().is_multiple_of(options.every) {
                Checkpoint::of(|parts| run.parts(parts)).save(&options.checkpoint)?;
            }
        }
        run.next_epoch(order, &test);
        progress.epoch();
    }
    Checkpoint::of(|parts| run.parts(parts)).save(&options.checkpoint)?;

    let curve = run.curve.iter().enumerate().map(|(epoch, &accuracy)| (epoch as f64 + 1.0, accuracy));
    let title = "A run that may be killed: digits of the test set read right";
    save_svg(&options.out, &[Chart::new(title, "epoch", "accuracy").line("test", curve)])?;
    println!("everything is in {}, the curve in {}", options.checkpoint.display(), options.out.display());
    println!("test accuracy: {:.4}", run.tested(&test));
    Ok(())
}
