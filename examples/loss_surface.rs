//! Two starts lead to two different minima, with a barrier between them on the straight line. Most of the barrier is in the
//! order of the hidden units: once those of the second network are put in the order of the first one's, nearly none
//! is left.
//!
//! ```text
//! cargo run --release --example loss_surface
//! cargo run --release --example loss_surface -- --width 16
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it learned")]

use clap::Parser;
use retrograd::prelude::*;
use std::path::PathBuf;

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/digits.csv.gz");

/// Points on a line between two networks, both ends included, and along each side of the map of a plane.
const POINTS: usize = 25;
const GRID: usize = 41;
const NAMES: [&str; 2] = ["as they are", "units matched"];

/// Looks at the loss between networks that learned from different starts.
#[derive(Parser)]
pub(crate) struct Options {
    /// How many pairs of networks learn.
    #[arg(short, long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    pairs: u64,
    /// Hidden units.
    #[arg(short, long, default_value_t = 64)]
    width: usize,
    /// Passes over the training set.
    #[arg(short, long, default_value_t = 30)]
    epochs: usize,
    /// Where the picture goes.
    #[arg(short, long, default_value = "target/loss_surface.svg")]
    out: PathBuf,
}

/// One hidden layer; without offsets of the answers, a network is nothing but its units.
#[derive(Module)]
struct Net {
    hidden: Linear,
    readout: Linear,
}

/// A network that learned, as a row of weights for each unit: to the pixels, its offset, to the classes.
fn train(data: &TensorDataset, width: usize, epochs: usize, seed: u64) -> Result<Tensor, Error> {
    let mut rng = Rng::new(seed);
    let hidden = Linear::new(64, width, &mut rng);
    let mut net = Net { hidden, readout: Linear::without_bias(width, 10, &mut rng) };
    let mut sgd = Sgd::new(&net, 0.1).momentum(0.9);
    for _ in 0..epochs {
        for (x, labels) in data.batches(32, &mut rng) {
            let loss = net.readout.forward(&net.hidden.forward(&x).relu()).cross_entropy(&labels);
            sgd.step(&mut net, &loss.backward())?;
        }
    }
    let [w1, b1, w2] = net.parameters()[..] else { unreachable!("a layer with an offset, and one without") };
    Ok(cat(&[&w1.detach(), &b1.detach().unsqueeze(1), &w2.detach().t()], 1))
}

/// The mean loss of such a network, and the percentage of digits that it reads wrong.
fn loss(units: &Tensor, data: &TensorDataset) -> (f64, f64) {
    let hidden = data.x.linear(units.narrow(1, 0, 64), Some(&units.select(1, 64))).relu();
    let logits = hidden.matmul(units.narrow(1, 65, 10));
    (logits.cross_entropy(&data.y).item(), 100.0 - 100.0 * accuracy(&logits, &data.y))
}

/// The units of `b` in the order of those of `a` that they resemble most: the same function as `b`.
fn matched(a: &Tensor, b: &Tensor) -> Tensor {
    let width = a.size(0);
    let (mut order, mut taken) = (vec![None; width], vec![false; width]);
    // Greedily: always the pair most alike of those left.
    for pair in a.matmul(b.t()).flatten(0, -1).argsort(0, true).iter::<i64>() {
        let (of_a, of_b) = (pair as usize / width, pair as usize % width);
        if order[of_a].is_none() && !taken[of_b] {
            (order[of_a], taken[of_b]) = (Some(of_b as i64), true);
        }
    }
    b.index_select(0, &Tensor::from(order.into_iter().flatten().collect::<Vec<_>>()))
}

/// The loss and the test error along a line: `[POINTS, 2]`.
fn line(a: &Tensor, b: &Tensor, digits: &Split) -> Tensor {
    let points = (0..POINTS).map(|i| a + (b - a) * (i as f64 / (POINTS - 1) as f64));
    let figures = points.flat_map(|point| [loss(&point, &digits.train).0, loss(&point, &digits.test).1]);
    Tensor::from(figures.collect::<Vec<_>>()).reshape([POINTS, 2])
}

/// The loss over the plane through three points, and the lines from the first to the others; the plane reaches a third
/// beyond them.
fn plane([a, b, c]: &[Tensor; 3], data: &TensorDataset) -> Chart {
    let (across, to_c) = (b - a, c - a);
    let share = ((&across * &to_c).sum(()) / across.square().sum(())).item();
    let up = to_c - &across * share;
    let last = (GRID - 1) as f64;
    let at = |i: usize| (5.0 * i as f64 / last - 1.0) / 3.0;
    let cell = |at: f64| last * (3.0 * at + 1.0) / 5.0;
    let rows = par_map(0..GRID, |row| {
        let left = a + &up * at(GRID - 1 - row);
        (0..GRID).map(|i| loss(&(&left + &across * at(i)), data).0).collect::<Vec<_>>()
    });
    let map = Tensor::from(rows.concat()).reshape([GRID, GRID]);
    let chart = Chart::heat("on the plane of three networks", "", "", &map).log();
    let line = |x: f64, y: f64| [(cell(0.0), last - cell(0.0)), (cell(x), last - cell(y))];
    let chart = chart.line(NAMES[0], line(1.0, 0.0)).line(NAMES[1], line(share, 1.0));
    chart.rows([""; GRID]).columns([""; GRID])
}

/// The barrier of each pair, as the networks are and with units matched: how far the loss rises above the straight line
/// between its ends.
pub(crate) fn run(options: &Options) -> Result<Tensor, Error> {
    let digits = data::digits(DIGITS)?;
    let pairs = par_map(0..options.pairs, |pair| -> Result<_, Error> {
        let a = train(&digits.train, options.width, options.epochs, 2 * pair)?;
        let b = train(&digits.train, options.width, options.epochs, 2 * pair + 1)?;
        let c = matched(&a, &b);
        let lines = stack(&[&b, &c].map(|end| line(&a, end, &digits)), 0);
        Ok((lines, [a, b, c]))
    });
    let pairs = pairs.into_iter().collect::<Result<Vec<_>, _>>()?;
    let lines = stack(&pairs.iter().map(|(lines, _)| lines).collect::<Vec<_>>(), 0);
    let (losses, errors) = (lines.select(-1, 0), lines.select(-1, 1));
    let way = Tensor::linspace(0.0, 1.0, POINTS).cast(F64);
    let straight = losses.narrow(-1, 0, 1) * (1.0 - &way) + losses.narrow(-1, POINTS - 1, 1) * &way;
    let (barriers, worst) = ((&losses - straight).amax(-1), errors.amax(-1));

    let mut chart =
        Chart::new("on the line between two networks", "way from first to second", "training loss");
    let spread = |x: &Tensor| (x.mean(0), x.std(0, usize::from(options.pairs > 1)));
    println!("                 barrier of the loss   worst test error in %");
    for (kind, name) in NAMES.into_iter().enumerate() {
        let of = |figures: &Tensor| spread(&figures.select(1, kind));
        let (barrier, worst, (mean, sd)) = (of(&barriers), of(&worst), of(&losses));
        let text = [(barrier, 3), (worst, 1)]
            .map(|((mean, sd), n)| format!("{:.n$} ± {:.n$}", mean.item(), sd.item()));
        println!("{name:<15}  {:<20}  {}", text[0], text[1]);
        let points = way.iter().zip(mean.iter()).zip(sd.iter()).map(|((way, mean), sd)| (way, mean, sd));
        chart = chart.band(name, points);
    }
    save_svg(&options.out, &[chart.log(), plane(&pairs[0].1, &digits.train)])?;
    println!("picture: {}", options.out.display());
    Ok(barriers)
}

fn main() -> Result<(), Error> {
    run(&Options::parse()).map(drop)
}
