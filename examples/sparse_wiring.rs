//! Not fully connected: a network keeps its accuracy with under 1 % of its wires if they are the right ones and start
//! from the weights that they had at first, the "winning tickets" of Frankle and Carbin (2019). With new weights on the
//! same wires it loses some, with random wires more. Beside it, units with wires to a small field around a pixel: little
//! better than with as many random wires, and the smallest only.
//!
//! ```text
//! cargo run --release --example sparse_wiring
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it learned")]

use clap::Parser;
use retrograd::prelude::*;
use std::path::PathBuf;

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/digits.csv.gz");
const Y: &str = "share of test digits read right";
/// How often half of the wires are taken away, and the sides of fields in pixels.
const ROUNDS: usize = 7;
const FIELDS: [i64; 3] = [3, 5, 7];

/// Takes wires away from a network that reads digits.
#[derive(Parser)]
pub(crate) struct Options {
    /// Passes over the training set after each time that wires are taken away; ten more with few pixels for each unit.
    #[arg(short, long, default_value_t = 15)]
    epochs: usize,
    /// Runs from different initial weights.
    #[arg(short, long, default_value_t = 10)]
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
        let mut x = x.clone();
        for (layer, mask) in self.layers.iter().zip(&self.masks) {
            x = x.linear(&layer.weight * mask, layer.bias.as_deref()).relu();
        }
        self.readout.forward(&x)
    }

    /// The accuracy after so many passes over the training set, and the network then.
    fn trained(mut self, digits: &Split, epochs: usize, rng: &mut Rng) -> Result<(f64, Self), Error> {
        let mut adam = Adam::new(&self, 3e-3);
        for (x, labels) in (0..epochs).flat_map(|_| digits.train.batches(32, rng)) {
            let grads = self.forward(&x).cross_entropy(&labels).backward();
            adam.step(&mut self, &grads)?;
        }
        Ok((accuracy(&self.forward(&digits.test.x), &digits.test.y), self))
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

/// Wires of 256 units to the field of `n` by `n` pixels around a pixel, four units for each.
fn around(n: i64) -> Tensor {
    let pixel = Tensor::arange(0, 8, 1);
    let near = |at: Tensor| (at.unsqueeze(1) - at).abs().le(n / 2).cast(F32);
    (near(pixel.repeat_interleave(8, 0)) * near(pixel.tile([8]))).repeat_interleave(4, 0)
}

/// The accuracies of each kind with fewer and fewer wires, `[kinds, rounds]`; with as many random wires as in fields and
/// with these, `[kinds, fields]`; and how many wires the last ticket has from each pixel.
fn compare(digits: &Split, epochs: usize, seed: u64) -> Result<[Tensor; 3], Error> {
    let mut rng = Rng::new(seed);
    // Masks drawn from the stream of the weights would depend on them.
    let mut draws = rng.split();
    let first = Network::new(vec![Tensor::ones([128, 64]), Tensor::ones([128, 128])], &mut rng);
    let mut train = |net: Network, epochs| net.trained(digits, epochs, &mut rng);
    let (mut right, mut ticket) = train(first.clone(), epochs)?;
    let mut rounds = vec![Tensor::from([right; 4])];
    for _ in 0..ROUNDS {
        let masks = ticket.pruned();
        let (pruned, _) = train(Network { masks: masks.clone(), ..ticket }, 0)?;
        (right, ticket) = train(Network { masks: masks.clone(), ..first.clone() }, epochs)?;
        let (new, _) = train(Network::new(masks.clone(), &mut draws), epochs)?;
        let random = masks.iter().map(|mask| shuffled(mask, &mut draws)).collect();
        let (random, _) = train(Network::new(random, &mut draws), epochs)?;
        rounds.push(Tensor::from([right, new, random, pruned]));
    }
    let mut local = Vec::new();
    for field in FIELDS.map(around) {
        for mask in [shuffled(&field, &mut draws), field] {
            let mut net = Network::new(vec![mask], &mut draws);
            // The fewer wires the stronger.
            net.layers[0].weight = Param::new(net.layers[0].weight.detach() / net.masks[0].mean(()).sqrt());
            local.push(train(net, epochs + 10)?.0);
        }
    }
    Ok([stack(&rounds, 1), Tensor::from(local).reshape([-1, 2]).t(), ticket.masks[0].sum(0)])
}

/// Prints and draws accuracies `[runs, kinds, sizes]`.
fn show(chart: Chart, runs: &Tensor, kinds: &[&str], sizes: &[f64]) -> Chart {
    kinds.iter().zip(runs.unbind(1)).fold(chart, |chart, (kind, x)| {
        let (mean, sd) = (x.mean(0).to_vec(), x.std(0, usize::from(x.size(0) > 1)).to_vec());
        println!("{kind:<25}{mean:.4?}\n{:>25}{sd:.4?}", "±");
        chart.band(*kind, (0..sizes.len()).map(|i| (sizes[i], mean[i], sd[i])))
    })
}

/// The accuracies of each kind with fewer and fewer wires, `[seeds, kinds, rounds]`.
pub(crate) fn run(&Options { epochs, seeds, ref out }: &Options) -> Result<Tensor, Error> {
    let digits = data::digits(DIGITS)?;
    let runs = par_map(0..seeds, |seed| compare(&digits, epochs, seed));
    let runs = runs.into_iter().collect::<Result<Vec<_>, _>>()?;
    let all = |of: usize| stack(&runs.iter().map(|run| &run[of]).collect::<Vec<_>>(), 0);
    let names = ["winning ticket", "same wires, new weights", "random wires", "pruned, not trained on"];
    let wires: Vec<_> = (0..=ROUNDS).map(|i| f64::from(24576 >> i)).collect();
    let few = show(Chart::new("fewer wires", "wires left", Y).log_x(), &all(0), &names, &wires);
    let near = Chart::new("few pixels for each unit", "side of the field in pixels", Y);
    let near = show(near, &all(1), &["random pixels", "a field"], &FIELDS.map(|n| n as f64));
    let image = Chart::tiles("pixels of the last ticket", &all(2).mean(0).reshape([1, 8, 8]), 1).grey();
    save_svg(out, &[few, near, image])?;
    Ok(all(0))
}

fn main() -> Result<(), Error> {
    run(&Options::parse()).map(drop)
}
