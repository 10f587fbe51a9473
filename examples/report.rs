//! Looking at a run: a small network learns clothes, and a page shows how it went; TensorBoard can follow meanwhile.
//!
//! ```text
//! cargo run --release --example report
//! tensorboard --logdir target/runs
//! ```
//!
//! The page is `target/report.html`; it needs no network and no server.

#![expect(clippy::print_stdout, reason = "a program that tells where its page is")]

use clap::Parser;
use retrograd::nn::data::FASHION_CLASSES;
use retrograd::prelude::*;
use std::error::Error;
use std::path::PathBuf;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data");

/// Trains a small network and shows how it went.
#[derive(Parser)]
struct Options {
    /// Greatest learning rate, reached after a tenth of the run.
    #[arg(short, long, default_value_t = 5e-3)]
    lr: f64,
    /// Passes over the training set.
    #[arg(short, long, default_value_t = 4)]
    epochs: u64,
    /// Where the page goes.
    #[arg(short, long, default_value = "target/report.html")]
    out: PathBuf,
    /// The folder of event files.
    #[arg(long, default_value = "target/runs/report")]
    events: PathBuf,
}

#[derive(Module)]
struct Net {
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    fc2: Linear,
}

impl Net {
    /// `[batch, 1, 28, 28]` to `[batch, 10]`; `look` sees what each layer gives.
    fn forward(&self, x: &Tensor, look: &mut dyn FnMut(&str, &Tensor)) -> Tensor {
        let x = self.conv1.forward(x).relu();
        look("conv1", &x);
        let x = self.conv2.forward(&x.max_pool([2, 2])).relu();
        look("conv2", &x);
        let x = self.fc1.forward(&x.max_pool([2, 2]).flatten(1, -1)).relu();
        look("fc1", &x);
        self.fc2.forward(&x)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let Split { train, test } = data::fashion(DATA)?;
    let mut loader = DataLoader::new(train).batch_size(50).shuffle(true).seed(0);
    let rng = &mut Rng::new(0);
    let mut model = Net {
        conv1: Conv2d::new(1, 8, 5, rng),
        conv2: Conv2d::new(8, 16, 3, rng),
        fc1: Linear::new(16 * 5 * 5, 64, rng),
        fc2: Linear::new(64, 10, rng),
    };
    let mut adam = Adam::new(&model, options.lr);
    let batches = loader.len() as u64;
    let mut scheduler =
        Scheduler::new(schedule::OneCycleLr::new(options.lr, options.epochs * batches), &mut adam);

    let mut report = Report::new("Clothes in a small network")
        .fact("parameters", model.num_parameters().to_string())
        .fact("optimizer", format!("Adam, one cycle up to {}", options.lr))
        .classes(FASHION_CLASSES)
        .with_events(EventWriter::create(&options.events)?);
    let mut step = 0;
    for epoch in 0..options.epochs {
        for batch in loader.batches() {
            let (x, labels) = batch?;
            let outputs = model.forward(&x, &mut |_, _| ());
            let loss = outputs.cross_entropy(&labels);
            let grads = loss.backward();
            let (before, lr) = (model.state_dict(), *adam.lr_mut());
            adam.step(&mut model, &grads)?;
            scheduler.step(&mut adam);
            report.scalar(step, "loss/training", loss.item());
            report.scalar(step, "accuracy/training", accuracy(&outputs, &labels));
            report.learning_rate(step, lr);
            report.gradients(step, &model, &grads);
            report.update(step, &before, &model);
            step += 1;
        }
        let outputs = no_grad(|| model.forward(&test.x, &mut |name, h| report.activation(step, name, h)));
        report.scalar(step, "loss/test", outputs.cross_entropy(&test.y).item());
        report.scalar(step, "accuracy/test", accuracy(&outputs, &test.y));
        report.weights(step, &model);
        report.filters(step, "conv1", model.conv1.weight.value());
        report.filters(step, "conv2", model.conv2.weight.value());
        report.confusion(&ConfusionMatrix::of(10, &outputs, &test.y));
        report.save(&options.out)?;
        println!("epoch {}: test accuracy {:.4}", epoch + 1, accuracy(&outputs, &test.y));
    }
    println!("page: {}", options.out.display());
    Ok(())
}
