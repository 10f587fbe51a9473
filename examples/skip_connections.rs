//! With skip connections a network of 200 layers learns to read digits; without them it fails from about 50 layers on, on
//! the digits that it is trained on as much as on others: it cannot be trained, it does not overfit.
//!
//! ```text
//! cargo run --release --example skip_connections
//! cargo run --release --example skip_connections -- --depths 10,100 --seeds 1
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it learned")]

use clap::Parser;
use retrograd::prelude::*;
use std::error::Error;
use std::path::PathBuf;

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/digits.csv.gz");

/// Trains networks of many depths with and without skip connections.
#[derive(Parser)]
pub(crate) struct Options {
    /// Layers with weights; the more the slower.
    #[arg(short, long, value_delimiter = ',', default_value = "4,10,20,50,100,200")]
    pub(crate) depths: Vec<usize>,
    /// Networks of each depth.
    #[arg(short, long, default_value_t = 3)]
    pub(crate) seeds: u64,
    /// Units in a layer.
    #[arg(short, long, default_value_t = 32)]
    pub(crate) width: usize,
    /// Learning rate of Adam.
    #[arg(short, long, default_value_t = 3e-3)]
    pub(crate) lr: f64,
    /// Passes over the training set.
    #[arg(short, long, default_value_t = 15)]
    pub(crate) epochs: usize,
    /// Where the picture goes.
    #[arg(short, long, default_value = "target/skip_connections.svg")]
    pub(crate) out: PathBuf,
}

/// Rectified layers between a stem and a head, by He's initialisation. With skips each adds its share, one of as many as
/// there are layers, to what it got.
#[derive(Module)]
struct Deep {
    stem: Linear,
    layers: Vec<Linear>,
    head: Linear,
    skip: bool,
}

impl Deep {
    fn new(depth: usize, width: usize, skip: bool, rng: &mut Rng) -> Self {
        let linear = |inputs: usize, rng: &mut Rng| {
            let mut linear = Linear::new(inputs, width, rng);
            linear.weight = init::kaiming_normal([width, inputs], Fan::In, Nonlinearity::Relu, rng).into();
            linear
        };
        let stem = linear(64, rng);
        let layers = (2..depth).map(|_| linear(width, rng)).collect();
        Self { stem, layers, head: Linear::new(width, 10, rng), skip }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let mut x = self.stem.forward(x).relu();
        for layer in &self.layers {
            let branch = layer.forward(&x).relu();
            x = if self.skip { x + branch / (self.layers.len() + 2) as f64 } else { branch };
        }
        self.head.forward(&x)
    }
}

/// What the example found, of all networks with skips or all without them.
pub(crate) struct Figures {
    /// Accuracies on test and training digits, `[depth, seed]`.
    pub(crate) test: Tensor,
    pub(crate) train: Tensor,
}

/// Networks without skips, and with them.
pub(crate) fn run(options: &Options) -> Result<[Figures; 2], Box<dyn Error>> {
    let Split { train, test } = data::digits(DIGITS)?;
    let each = options.depths.iter().flat_map(|depth| (0..options.seeds).map(move |seed| (*depth, seed)));
    let runs: Vec<_> = each.flat_map(|(depth, seed)| [(depth, seed, false), (depth, seed, true)]).collect();
    let accuracies = par_map(runs, |(depth, seed, skip)| {
        let mut rng = Rng::new(seed);
        let mut model = Deep::new(depth, options.width, skip, &mut rng);
        let mut adam = Adam::new(&model, options.lr);
        for _ in 0..options.epochs {
            for (x, labels) in train.batches(64, &mut rng) {
                let loss = model.forward(&x).cross_entropy(&labels);
                adam.step(&mut model, &loss.backward()).expect("every layer has a gradient");
            }
        }
        [&test, &train].map(|digits| accuracy(&model.forward(&digits.x), &digits.y))
    });
    let shape = [options.depths.len(), options.seeds as usize, 2, 2];
    let accuracies = Tensor::from_vec(accuracies.concat(), shape);
    let figures = [0, 1].map(|skip| {
        let [test, train] = [0, 1].map(|set| accuracies.select(2, skip).select(2, set));
        Figures { test, train }
    });

    let mut chart = Chart::new("Accuracy (dotted: on training digits)", "layers", "accuracy").log_x();
    for (name, Figures { test, train }) in ["without skips", "with skips"].into_iter().zip(&figures) {
        let [mean, sd] =
            [test.mean(-1), test.std(-1, usize::from(options.seeds > 1))].map(|of| of.to_vec::<f64>());
        let learned = train.mean(-1).to_vec::<f64>();
        println!("{name}: test accuracy, and on training digits");
        for (i, depth) in options.depths.iter().enumerate() {
            println!("  {depth:3} layers: {:.3} ± {:.3}, {:.3}", mean[i], sd[i], learned[i]);
        }
        let depths = || options.depths.iter().map(|depth| *depth as f64);
        chart = chart.band(name, depths().enumerate().map(|(i, depth)| (depth, mean[i], sd[i])));
        chart = chart.dotted(name, depths().zip(learned));
    }
    save_svg(&options.out, &[chart])?;
    Ok(figures)
}

fn main() -> Result<(), Box<dyn Error>> {
    run(&Options::parse()).map(drop)
}
