//! LeNet, a small convolutional network, learns to tell ten kinds of clothes apart: 5,000 images of Fashion-MNIST, or
//! all 60,000 from a folder of your own.
//!
//! ```text
//! cargo run --release --example lenet
//! cargo run --release --example lenet -- --augment --epochs 20
//! cargo run --release --example lenet -- --full path/to/fashion-mnist
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it learned")]

use clap::Parser;
use retrograd::data::{FASHION_CLASSES, RandomCrop, RandomHorizontalFlip, Transform};
use retrograd::prelude::*;
use std::error::Error;
use std::path::PathBuf;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data");

/// Trains LeNet on images of clothes.
#[derive(Parser)]
struct Options {
    /// Learning rate of Adam.
    #[arg(short, long, default_value_t = 2e-3)]
    lr: f64,
    /// Passes over the training set.
    #[arg(short, long, default_value_t = 10)]
    epochs: usize,
    /// Images in a batch.
    #[arg(short, long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Mirror and move the images at random.
    #[arg(short, long)]
    augment: bool,
    /// Threads that prepare batches ahead.
    #[arg(short, long, default_value_t = 1)]
    workers: usize,
    /// A folder with the four files of the whole set, gzipped or not.
    #[arg(long, value_name = "FOLDER")]
    full: Option<PathBuf>,
    /// Seed of the initial weights, the order and the augmentation.
    #[arg(short, long, default_value_t = 0)]
    seed: u64,
    /// Where the curves go.
    #[arg(short, long, default_value = "target/lenet.svg")]
    out: PathBuf,
}

/// Two convolutions, each followed by pooling, and three linear layers, as of LeCun et al., 1998, with `relu`.
#[derive(Module)]
struct LeNet {
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
}

impl LeNet {
    fn new(rng: &mut Rng) -> Self {
        Self {
            conv1: Conv2d::new(1, 6, 5, rng).padding(2),
            conv2: Conv2d::new(6, 16, 5, rng),
            fc1: Linear::new(400, 120, rng),
            fc2: Linear::new(120, 84, rng),
            fc3: Linear::new(84, 10, rng),
        }
    }

    /// `[batch, 1, 28, 28]` to `[batch, 10]`.
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.conv1.forward(x).relu().max_pool([2, 2]);
        let x = self.conv2.forward(&x).relu().max_pool([2, 2]).flatten(1, -1);
        self.fc3.forward(&self.fc2.forward(&self.fc1.forward(&x).relu()).relu())
    }
}

/// The predicted class of each sample, at most a thousand at a time.
fn predict(model: &LeNet, x: &Tensor) -> Tensor {
    no_grad(|| {
        let parts = x.chunk(x.size(0).div_ceil(1000), 0);
        Tensor::cat(&parts.iter().map(|x| model.forward(x).argmax(-1)).collect::<Vec<_>>(), 0)
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let Split { train, test } = match &options.full {
        Some(folder) => data::fashion_mnist(folder)?,
        None => data::fashion(DATA)?,
    };
    let (samples, augmented) = (train.len(), options.augment);
    let augment = RandomHorizontalFlip::new(0.5).then(RandomCrop::new([28, 28]).padding(2));
    let mut loader =
        DataLoader::new(train).batch_size(options.batch as usize).shuffle(true).seed(options.seed);
    if augmented {
        loader = loader.map(move |(x, label), rng| (augment.apply(&x, rng), label));
    }
    let mut loader = loader.workers(options.workers);

    let mut model = LeNet::new(&mut Rng::new(options.seed));
    let mut adam = Adam::new(&model, options.lr);
    println!("{} parameters, {samples} images to learn from, {} to test", model.num_parameters(), test.len());

    let mut progress = Progress::new(options.epochs, samples);
    let (mut learned, mut tested) = (Vec::new(), Vec::new());
    for epoch in 1..=options.epochs {
        for batch in loader.batches() {
            let (x, labels) = batch?;
            let outputs = model.forward(&x);
            let loss = outputs.cross_entropy(&labels);
            let grads = loss.backward();
            adam.step(&mut model, &grads)?;
            progress.batch(x.size(0), loss.item(), accuracy(&outputs, &labels));
        }
        learned.push((epoch as f64, progress.epoch().accuracy));
        tested.push((epoch as f64, accuracy(&predict(&model, &test.x), &test.y)));
        println!("epoch {epoch}: test accuracy {:.4}", tested[epoch - 1].1);
    }

    let chart = Chart::new("LeNet on Fashion-MNIST", "epoch", "accuracy");
    save_svg(&options.out, &[chart.line("training", learned).line("test", tested)])?;
    let matrix = ConfusionMatrix::of(10, &predict(&model, &test.x), &test.y);
    for (class, name) in FASHION_CLASSES.iter().enumerate() {
        println!("{name:>9}: {:.3} found", matrix.recall(class));
    }
    println!("curves: {}", options.out.display());
    println!("test accuracy: {:.4}", matrix.accuracy());
    Ok(())
}
