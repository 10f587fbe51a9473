//! Units destroyed at random: what a network knows is spread over its units, so it fails by degrees and not at once. The
//! wider it is, the more it stands; dropout teaches networks of middling width the same.
//!
//! ```text
//! cargo run --release --example fault_tolerance
//! cargo run --release --example fault_tolerance -- --seeds 5 --wounds 50
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it learned")]

use clap::Parser;
use retrograd::prelude::*;
use std::path::PathBuf;

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/digits.csv.gz");

/// Hidden units, and the share of them that dropout leaves out while the network learns.
const KINDS: [(usize, f64); 7] =
    [(16, 0.0), (64, 0.0), (256, 0.0), (1024, 0.0), (64, 0.5), (256, 0.5), (1024, 0.5)];

/// Destroys hidden units of networks that read digits.
#[derive(Parser)]
pub(crate) struct Options {
    /// How many networks of each kind learn.
    #[arg(short, long, default_value_t = 3)]
    seeds: u64,
    /// Passes over the training set.
    #[arg(short, long, default_value_t = 40)]
    epochs: usize,
    /// How many times each network is wounded in another place.
    #[arg(short, long, default_value_t = 20)]
    wounds: usize,
    /// Where the picture goes.
    #[arg(short, long, default_value = "target/fault_tolerance.svg")]
    out: PathBuf,
}

#[derive(Module)]
struct Net {
    hidden: Linear,
    dropout: Dropout,
    readout: Linear,
}

fn train(data: &TensorDataset, width: usize, p: f64, epochs: usize, seed: u64) -> Result<Net, Error> {
    let mut rng = Rng::new(seed);
    let mut net = Net {
        hidden: Linear::new(data.x.size(1), width, &mut rng),
        dropout: Dropout::new(p, &mut rng),
        readout: Linear::new(width, 10, &mut rng),
    };
    let mut adam = Adam::new(&net, 3e-3);
    for _ in 0..epochs {
        for (x, labels) in data.batches(32, &mut rng) {
            let units = net.dropout.forward(&net.hidden.forward(&x).relu());
            let loss = net.readout.forward(&units).cross_entropy(&labels);
            adam.step(&mut net, &loss.backward())?;
        }
    }
    net.eval();
    Ok(net)
}

impl Net {
    /// The accuracy with 0 to 9 tenths of the units at 0, each for several random choices of them: `[10, wounds]`.
    fn wounded(&self, test: &TensorDataset, wounds: usize, rng: &mut Rng) -> Tensor {
        let units = self.hidden.forward(&test.x).relu().detach();
        let width = units.size(1);
        let accuracies = (0..10 * wounds).map(|i| {
            let dead = width * (i / wounds) / 10;
            let alive = Tensor::randperm(width, rng).ge(dead as i64).cast(F32);
            accuracy(&self.readout.forward(&(&units * alive)), &test.y)
        });
        Tensor::from_vec(accuracies.collect(), [10, wounds])
    }
}

/// For each kind of network, the accuracy by tenths of the units destroyed: mean and standard deviation over networks
/// and wounds.
pub(crate) fn run(options: &Options) -> Result<Vec<Vec<(f64, f64)>>, Error> {
    let digits = data::digits(DIGITS)?;
    println!("units  dropout   accuracy with 0, 10, .. 90 % of the units destroyed");
    let mut curves = Vec::new();
    let mut chart =
        Chart::new("what is left; dashed: learned with dropout", "units destroyed in %", "test accuracy");
    for (width, p) in KINDS {
        let wound = |seed| {
            let net = train(&digits.train, width, p, options.epochs, seed)?;
            Ok(net.wounded(&digits.test, options.wounds, &mut Rng::new(1000 + seed)))
        };
        let nets = par_map(0..options.seeds, wound).into_iter().collect::<Result<Vec<_>, Error>>()?;
        let nets = stack(&nets, 0);
        let curve: Vec<(f64, f64)> = nets.mean([0, 2]).iter().zip(nets.std([0, 2], 1).iter()).collect();
        let text: Vec<_> = curve.iter().map(|(mean, sd)| format!("{mean:.2}±{sd:.2}")).collect();
        println!("{width:>5}  {p:>7}   {}", text.join("  "));
        let points = curve.iter().enumerate().map(|(tenths, &(mean, sd))| (10.0 * tenths as f64, mean, sd));
        let name = format!("{width} units");
        chart = if p == 0.0 { chart.band(name, points) } else { chart.dashed_band(name, points) };
        curves.push(curve);
    }
    save_svg(&options.out, &[chart])?;
    println!("picture: {}", options.out.display());
    Ok(curves)
}

fn main() -> Result<(), Error> {
    run(&Options::parse()).map(drop)
}
