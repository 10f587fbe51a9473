//! Brains answer faster as they learn; a plain network always takes as long. Here each of eight residual blocks has an
//! exit, and a digit leaves at the first one that is sure enough of its answer (Teerapittayanon, McDanel and Kung,
//! 2016). Beside it the same network with its last exit alone.
//!
//! ```text
//! cargo run --release --example reaction_time
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it learned")]

use clap::Parser;
use retrograd::prelude::*;
use std::path::PathBuf;

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/digits.csv.gz");
const BLOCKS: usize = 8;
const WIDTH: usize = 32;

/// Learns to read digits, and to read them sooner.
#[derive(Parser)]
pub(crate) struct Options {
    /// A digit leaves at the first exit that gives its answer more than this probability.
    #[arg(long, default_value_t = 0.9)]
    sure: f64,
    /// Passes over the training set.
    #[arg(short, long, default_value_t = 30)]
    epochs: usize,
    /// Runs from different initial weights.
    #[arg(short, long, default_value_t = 3)]
    seeds: u64,
    /// Where the picture goes.
    #[arg(short, long, default_value = "target/reaction_time.svg")]
    out: PathBuf,
}

#[derive(Module)]
struct Block {
    norm: LayerNorm,
    fc: Linear,
    exit: Linear,
}

#[derive(Module)]
struct Network {
    stem: Linear,
    blocks: Vec<Block>,
}

impl Network {
    fn new(rng: &mut Rng) -> Self {
        let stem = Linear::new(64, WIDTH, rng);
        let block = |_| Block {
            norm: LayerNorm::new([WIDTH]),
            fc: Linear::new(WIDTH, WIDTH, rng),
            exit: Linear::new(WIDTH, 10, rng),
        };
        Self { stem, blocks: (0..BLOCKS).map(block).collect() }
    }

    /// The logits at each exit.
    fn forward(&self, x: &Tensor) -> Vec<Tensor> {
        let mut h = self.stem.forward(x);
        let mut exits = Vec::new();
        for Block { norm, fc, exit } in &self.blocks {
            h = &h + fc.forward(&norm.forward(&h)).relu();
            exits.push(exit.forward(&h));
        }
        exits
    }

    /// For each example the exit that it takes, from 0, and its answer there.
    fn react(&self, x: &Tensor, sure: f64) -> (Tensor, Tensor) {
        let exits = no_grad(|| stack(&self.forward(x), 0));
        let unsure = exits.softmax(-1).amax(-1).le(sure).narrow(0, 0, BLOCKS - 1);
        let passed = unsure.cast(I64).cumprod(0).sum(0);
        let answers = exits.argmax(-1).take_along(0, &passed.unsqueeze(0)).squeeze(0);
        (passed, answers)
    }
}

/// For each epoch the blocks used, the accuracy with early exits, of the last exit, and of the plain network,
/// `[epochs, 4]`; and the exit that each digit of the test set takes in the end.
fn train(digits: &Split, options: &Options, seed: u64) -> Result<[Tensor; 2], Error> {
    let (Split { train, test }, mut rng) = (digits, Rng::new(seed));
    let mut branchy = Network::new(&mut rng);
    let mut plain = Network::new(&mut Rng::new(seed));
    let mut adams = [Adam::new(&branchy, 1e-3), Adam::new(&plain, 1e-3).unused(Unused::Skip)];
    let mut epochs = Vec::new();
    for _ in 0..options.epochs {
        for (x, labels) in train.batches(32, &mut rng) {
            let losses: Vec<_> = branchy.forward(&x).iter().map(|exit| exit.cross_entropy(&labels)).collect();
            adams[0].step(&mut branchy, &stack(&losses, 0).mean(()).backward())?;
            let loss = plain.forward(&x)[BLOCKS - 1].cross_entropy(&labels);
            adams[1].step(&mut plain, &loss.backward())?;
        }
        let (passed, answers) = branchy.react(&test.x, options.sure);
        let last = [&branchy, &plain].map(|net| accuracy(&net.react(&test.x, 1.0).1, &test.y));
        let blocks = passed.cast(F64).mean(()).item() + 1.0;
        epochs.push(Tensor::from([blocks, accuracy(&answers, &test.y), last[0], last[1]]));
    }
    Ok([stack(&epochs, 0), branchy.react(&test.x, options.sure).0])
}

/// The digits that left first and last, as images.
fn extremes(test: &TensorDataset, passed: &Tensor) -> Chart {
    let order = passed.argsort(0, false);
    let few = cat(&[order.narrow(0, 0, 6), order.narrow(0, order.numel() - 6, 6)], 0);
    let captions = passed.take(&few).iter::<i64>().map(|passed| format!("{}", passed + 1));
    let images = test.x.index_select(0, &few).reshape([12, 8, 8]);
    Chart::tiles("read after how many blocks", &images, 6).grey().captions(captions)
}

/// Of a figure for each epoch: the epoch, mean and standard deviation over seeds.
type Curve = Vec<(f64, f64, f64)>;

pub(crate) fn run(options: &Options) -> Result<[Curve; 4], Error> {
    let digits = data::digits(DIGITS)?;
    let runs = par_map(0..options.seeds, |seed| train(&digits, options, seed));
    let runs = runs.into_iter().collect::<Result<Vec<_>, _>>()?;
    let epochs = stack(&runs.iter().map(|run| &run[0]).collect::<Vec<_>>(), 0);
    let (mean, sd) = (epochs.mean(0), epochs.std(0, usize::from(options.seeds > 1)));
    let figures = [0, 1, 2, 3].map(|of: usize| {
        let spread = mean.select(1, of).iter().zip(sd.select(1, of).iter());
        (1..).zip(spread).map(|(epoch, (mean, sd))| (f64::from(epoch), mean, sd)).collect::<Curve>()
    });
    println!("epoch   blocks used    accuracy, leaving early   of the last exit   of the plain network");
    for (i, blocks) in figures[0].iter().enumerate() {
        let [early, last, plain] = [1, 2, 3].map(|of: usize| figures[of][i]);
        print!("{:>5}   {:.2} ± {:.2}    {:.3} ± {:.3}", blocks.0, blocks.1, blocks.2, early.1, early.2);
        println!("             {:.3}              {:.3} ± {:.3}", last.1, plain.1, plain.2);
    }
    let [blocks, early, _, plain] = figures.clone();
    let steps = Chart::new("time to answer", "epoch", "blocks per digit").band("early exits", blocks);
    let right = Chart::new("test digits read right", "epoch", "share").band("early exits", early);
    let charts = [
        steps.dashed("plain network", [1.0, options.epochs as f64].map(|epoch| (epoch, BLOCKS as f64))),
        right.dashed_band("plain network", plain),
        extremes(&digits.test, &runs[0][1]),
    ];
    save_svg(&options.out, &charts)?;
    Ok(figures)
}

fn main() -> Result<(), Error> {
    run(&Options::parse()).map(drop)
}
