//! Networks with far more weights than digits to learn from do not overfit, though nothing tells them not to: gradient
//! descent from a small start finds, of all weights without training error, good ones. From a bad start it finds bad ones.
//!
//! ```text
//! cargo run --release --example implicit_regularization
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it found")]

use clap::Parser;
use retrograd::prelude::*;
use std::error::Error;
use std::path::PathBuf;

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/digits.csv.gz");
/// Digits with noisy labels.
const NOISY: usize = 400;

/// Trains networks of many widths, from good and bad starts, and fits noisy labels.
#[derive(Parser)]
pub(crate) struct Options {
    /// Networks of each kind.
    #[arg(short, long, default_value_t = 5)]
    pub(crate) seeds: u64,
    /// Hidden units of the networks.
    #[arg(short, long, value_delimiter = ',', default_value = "1,2,4,8,16,32,64,128,256,512,1024,2048")]
    pub(crate) units: Vec<usize>,
    /// Random features for noisy labels.
    #[arg(short, long, value_delimiter = ',', default_value = "50,100,200,300,400,450,600,1000,2048")]
    pub(crate) features: Vec<usize>,
    /// Steps of gradient descent on all digits at once.
    #[arg(long, default_value_t = 2000)]
    pub(crate) steps: usize,
    /// Where the picture goes.
    #[arg(short, long, default_value = "target/implicit_regularization.svg")]
    pub(crate) out: PathBuf,
}

/// Passes over the digits, samples in a batch, rate, momentum and weight decay of SGD.
type Way = (usize, usize, f64, f64, f64);

fn train(model: &mut Sequential, x: &Tensor, labels: &Tensor, way: Way, rng: &mut Rng) {
    let mut sgd = Sgd::new(&*model, way.2).momentum(way.3).weight_decay(way.4);
    let (epochs, batch, digits) = (way.0, way.1, TensorDataset::new(x.clone(), labels.clone()));
    for (x, labels) in (0..epochs).flat_map(|_| digits.batches(batch, rng).collect::<Vec<_>>()) {
        let loss = model.forward(&x).cross_entropy(&labels);
        sgd.step(model, &loss.backward()).expect("every weight has a gradient");
    }
}

fn network(units: usize, rng: &mut Rng) -> Sequential {
    Sequential::new().then(Linear::new(64, units, rng)).then(Relu).then(Linear::new(units, 10, rng))
}

/// Errors in percent on training and test digits.
fn errors(digits: &Split, outputs: impl Fn(&Tensor) -> Tensor) -> [f64; 2] {
    [&digits.train, &digits.test].map(|digits| 100.0 - 100.0 * accuracy(&outputs(&digits.x), &digits.y))
}

/// Errors in percent, on training and test digits in the last axis.
pub(crate) struct Figures {
    /// `[units, seed, 2]`.
    pub(crate) widths: Tensor,
    /// `[start, way, seed, 2]`: starts random and bad; gradient descent, SGD, SGD with weight decay.
    pub(crate) starts: Tensor,
    /// `[features, seed, cut-off, 2]`: singular values below 0 and 1 % of the greatest cut off.
    pub(crate) noisy: Tensor,
}

pub(crate) fn run(options: &Options) -> Result<Figures, Box<dyn Error>> {
    let digits = data::digits(DIGITS)?;
    let Split { train: TensorDataset { x, y }, .. } = &digits;
    let (n, seeds) = (y.numel(), options.seeds as usize);
    let each =
        |count: usize| (0..count).flat_map(|i| (0..options.seeds).map(move |seed| (i, Rng::new(seed))));
    let ways = [(options.steps, n, 0.1, 0.0, 0.0), (60, 32, 0.1, 0.9, 0.0), (60, 32, 0.1, 0.9, 1e-3)];

    let widths = par_map(each(options.units.len()), |(i, mut rng)| {
        let mut model = network(options.units[i], &mut rng);
        train(&mut model, x, y, ways[1], &mut rng);
        errors(&digits, |x| model.forward(x))
    });
    let starts = par_map(each(6), |(i, mut rng)| {
        let mut model = network(256, &mut rng);
        if i >= 3 {
            let labels = Tensor::randint(0, 10, [n], &mut rng);
            train(&mut model, x, &labels, (200, 32, 0.05, 0.9, 0.0), &mut rng);
        }
        train(&mut model, x, y, ways[i % 3], &mut rng);
        errors(&digits, |x| model.forward(x))
    });
    // Least squares of least norm on random features.
    let noisy = par_map(each(options.features.len()), |(i, mut rng)| {
        let TensorDataset { x, y } = digits.train.select(&Tensor::randperm(n, &mut rng).narrow(0, 0, NOISY));
        let wrong = Tensor::bernoulli([NOISY], 0.2, &mut rng).cast(I64);
        let y = (y + wrong * Tensor::randint(1, 10, [NOISY], &mut rng)) % 10;
        let weight = Tensor::randn([64, options.features[i]], &mut rng).cast(F64);
        let map = |x: &Tensor| x.cast(F64).matmul(&weight).relu();
        let readouts = [1e-10, 1e-2].map(|cut| map(&x).pinv(Some(cut)).matmul(y.one_hot(10).cast(F64)));
        let digits = Split { train: TensorDataset::new(x, y), test: digits.test.clone() };
        readouts.map(|readout| errors(&digits, |x| map(x).matmul(&readout))).concat()
    });
    let figures = Figures {
        widths: Tensor::from_vec(widths.concat(), [options.units.len(), seeds, 2]),
        starts: Tensor::from_vec(starts.concat(), [2, 3, seeds, 2]),
        noisy: Tensor::from_vec(noisy.concat(), [options.features.len(), seeds, 2, 2]),
    };
    let Figures { widths, starts, noisy } = &figures;

    // Test errors, and training errors dashed: means and deviations over seeds.
    let draw = |chart: Chart, name: &str, counts: &[usize], errors: Tensor| {
        let [mean, sd] = [errors.mean(1), errors.std(1, usize::from(seeds > 1))].map(|of| of.to_vec::<f64>());
        let at = |i: usize, set: usize| (counts[i] as f64, mean[2 * i + set], sd[2 * i + set]);
        for (i, k) in counts.iter().enumerate() {
            let ((_, train, _), (_, test, sd)) = (at(i, 0), at(i, 1));
            println!("{name} {k}: training error {train:.2} %, test error {test:.2} ± {sd:.2} %");
        }
        let [train, test] = [0, 1].map(|set| (0..counts.len()).map(move |i| at(i, set)));
        chart.band(name, test).dashed_band(name, train)
    };
    let chart = |title, x| Chart::new(title, x, "error in % (dashed: training)");
    let first = draw(chart("Networks", "hidden units").log_x(), "SGD", &options.units, widths.clone());
    println!("from two starts: 0 gradient descent, 1 SGD, 2 SGD with weight decay");
    let ways = ["descent", "SGD", "SGD, L2"];
    let second = chart("256 units, two starts", "").categories(ways);
    let second = draw(second, "random start", &[0, 1, 2], starts.select(0, 0));
    let second = draw(second, "random labels learned first", &[0, 1, 2], starts.select(0, 1));
    let third =
        chart("Random features, 20 % wrong labels", "features").log_x().marker(NOISY as f64, "digits: 400");
    let third = draw(third, "least norm", &options.features, noisy.select(2, 0));
    let third = draw(third, "cut off at 1 %", &options.features, noisy.select(2, 1));
    save_svg(&options.out, &[first, second, third])?;
    Ok(figures)
}

fn main() -> Result<(), Box<dyn Error>> {
    run(&Options::parse()).map(drop)
}
