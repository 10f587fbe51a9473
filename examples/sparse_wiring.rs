//! Not fully connected: a network keeps its accuracy with under 1 % of its wires if they are the right ones and start
//! from the weights that they had at first, the "winning tickets" of Frankle and Carbin (2019). With new weights on the
//! same wires it loses some, with random wires more. Beside it, units that see a small field of the image.
//!
//! ```text
//! cargo run --release --example sparse_wiring
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it learned")]

use clap::Parser;
use retrograd::prelude::*;
use std::path::PathBuf;

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/digits.csv.gz");
const KINDS: [&str; 4] =
    ["winning ticket", "same wires, new weights", "random wires", "pruned, not trained on"];

/// Takes wires away from a network that reads digits.
#[derive(Parser)]
pub(crate) struct Options {
    /// How often half of the wires are taken away.
    #[arg(short, long, default_value_t = 7)]
    rounds: usize,
    /// Passes over the training set after each time.
    #[arg(short, long, default_value_t = 15)]
    epochs: usize,
    /// Runs from different initial weights.
    #[arg(short, long, default_value_t = 3)]
    seeds: u64,
    /// Where the picture goes.
    #[arg(short, long, default_value = "target/sparse_wiring.svg")]
    out: PathBuf,
}

/// Layers of which only some wires are there, where `masks` are 1, and a readout that has all.
#[derive(Clone, Module)]
struct Network {
    layers: Vec<Linear>,
    readout: Linear,
    #[module(skip)]
    masks: Vec<Tensor>,
}

impl Network {
    fn new(masks: Vec<Tensor>, rng: &mut Rng) -> Self {
        let layers: Vec<_> = masks.iter().map(|mask| Linear::new(mask.size(1), mask.size(0), rng)).collect();
        Self { readout: Linear::new(masks[masks.len() - 1].size(0), 10, rng), layers, masks }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        self.readout.forward(
            &self.layers.iter().zip(&self.masks).fold(x.clone(), |x, (layer, mask)| {
                x.linear(&layer.weight * mask, layer.bias.as_deref()).relu()
            }),
        )
    }

    /// The network after so many passes over the training set, and its accuracy.
    fn trained(mut self, digits: &Split, epochs: usize, rng: &mut Rng) -> Result<(Self, f64), Error> {
        let mut adam = Adam::new(&self, 3e-3);
        for (x, labels) in (0..epochs).flat_map(|_| digits.train.batches(32, rng)) {
            let grads = self.forward(&x).cross_entropy(&labels).backward();
            adam.step(&mut self, &grads)?;
        }
        let right = accuracy(&self.forward(&digits.test.x), &digits.test.y);
        Ok((self, right))
    }

    /// The wires without the half of the smaller weights.
    fn pruned(&self) -> Vec<Tensor> {
        let half = |(layer, mask): (&Linear, &Tensor)| {
            let (size, left) = (layer.weight.detach().abs() * mask, mask.sum(()).item() as usize / 2);
            size.ge(size.flatten(0, -1).topk(left, 0, true).0.amin(())).cast(F32)
        };
        self.layers.iter().zip(&self.masks).map(half).collect()
    }
}

/// As many wires, somewhere else.
fn shuffled(mask: &Tensor, rng: &mut Rng) -> Tensor {
    mask.take(&Tensor::randperm(mask.numel(), rng)).reshape([mask.size(0) as isize, -1])
}

/// Wires of 256 units to a field of `n` by `n` pixels each, the stronger the fewer.
fn fields(n: usize, rng: &mut Rng) -> Tensor {
    let mut side = || {
        let pixel = Tensor::arange(0, 8, 1) - Tensor::randint(0, 9 - n as i64, [256, 1], rng);
        pixel.ge(0).logical_and(pixel.lt(n as i64)).cast(F32)
    };
    (side().unsqueeze(2) * side().unsqueeze(1)).flatten(1, 2) * (8.0 / n as f64)
}

/// The accuracies of each kind with fewer and fewer wires, `[kinds, rounds]`; with fields of 3 by 3 and 5 by 5 pixels
/// and as many random wires, `[kinds, fields]`; and how many wires the last ticket has from each pixel.
fn compare(digits: &Split, options: &Options, seed: u64) -> Result<[Tensor; 3], Error> {
    let (mut rng, epochs) = (Rng::new(seed), options.epochs);
    // Masks drawn from the stream of the weights would depend on them.
    let mut draws = rng.split();
    let first = Network::new(vec![Tensor::ones([128, 64]), Tensor::ones([128, 128])], &mut rng);
    let mut train = |net: Network, epochs| net.trained(digits, epochs, &mut rng);
    let (mut ticket, mut right) = train(first.clone(), epochs)?;
    let mut rounds = vec![Tensor::from([right; 4])];
    for _ in 0..options.rounds {
        let masks = ticket.pruned();
        let (_, pruned) = train(Network { masks: masks.clone(), ..ticket }, 0)?;
        (ticket, right) = train(Network { masks: masks.clone(), ..first.clone() }, epochs)?;
        let (_, new) = train(Network::new(masks.clone(), &mut draws), epochs)?;
        let random = masks.iter().map(|mask| shuffled(mask, &mut draws)).collect();
        let (_, random) = train(Network::new(random, &mut draws), epochs)?;
        rounds.push(Tensor::from([right, new, random, pruned]));
    }
    let mut local = Vec::new();
    for mask in [3, 5].map(|n| fields(n, &mut draws)) {
        for mask in [shuffled(&mask, &mut draws), mask] {
            local.push(train(Network::new(vec![mask], &mut draws), epochs)?.1);
        }
    }
    Ok([stack(&rounds, 1), Tensor::from(local).reshape([2, 2]).t(), ticket.masks[0].sum(0)])
}

/// The accuracies of each kind with fewer and fewer wires, `[seeds, kinds, rounds]`.
pub(crate) fn run(options: &Options) -> Result<Tensor, Error> {
    let digits = data::digits(DIGITS)?;
    let runs = par_map(0..options.seeds, |seed| compare(&digits, options, seed));
    let runs = runs.into_iter().collect::<Result<Vec<_>, _>>()?;
    let all = |of: usize| stack(&runs.iter().map(|run| &run[of]).collect::<Vec<_>>(), 0);
    let mut chart = Chart::new("test digits read right", "wires left", "share").log_x();
    for (name, x) in KINDS.iter().zip(all(0).unbind(1)) {
        let spread = x.mean(0).iter().zip(x.std(0, usize::from(options.seeds > 1)).iter()).enumerate();
        let points: Vec<_> = spread.map(|(i, (mean, sd))| (f64::from(24576 >> i), mean, sd)).collect();
        for (wires, mean, sd) in &points {
            println!("{name:<25} {wires:>6} wires {mean:.3} ± {sd:.3}");
        }
        chart = chart.band(*name, points);
    }
    let mut bars = Chart::new("few pixels for each unit", "", "share").categories(["3 by 3", "5 by 5"]);
    for (name, x) in ["random pixels", "a field"].into_iter().zip(all(1).unbind(1)) {
        println!("{name:<13} {:.3?}", x.mean(0).to_vec::<f64>());
        bars = bars.bars(name, x.mean(0).iter());
    }
    let image = all(2).mean(0).reshape([1, 8, 8]);
    save_svg(&options.out, &[chart, bars, Chart::tiles("pixels of the last ticket", &image, 1).grey()])?;
    Ok(all(0))
}

fn main() -> Result<(), Error> {
    run(&Options::parse()).map(drop)
}
