//! What the hidden units of a classifier look for, seen as yes or no: the weights of each sigmoid unit as an image, how
//! often it is on and for which digits, and what is lost when every unit is rounded to 0 or 1.
//!
//! ```text
//! cargo run --release --example hidden_units
//! cargo run --release --example hidden_units -- --seeds 5 --epochs 100
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it learned")]

use clap::Parser;
use retrograd::prelude::*;
use std::path::PathBuf;

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/digits.csv.gz");

/// The numbers of hidden units that are compared; a network with the second of them is drawn.
const WIDTHS: [usize; 4] = [8, 16, 32, 64];

/// A factor of the first layer's weights at the start, and weight decay. The second way leaves weights of pixels that
/// say nothing near 0, so that the others can be seen.
const WAYS: [(&str, f64, f64); 2] = [("usual start", 1.0, 0.0), ("small start, decay", 0.1, 1e-3)];

/// Reads digits through a few sigmoid units, and rounds these units.
#[derive(Parser)]
pub(crate) struct Options {
    /// How many networks of each kind learn.
    #[arg(short, long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Passes over the training set.
    #[arg(short, long, default_value_t = 60)]
    epochs: usize,
    /// Where the picture goes.
    #[arg(short, long, default_value = "target/hidden_units.svg")]
    out: PathBuf,
}

/// Pixels to units that are more or less on, and these to classes.
#[derive(Module)]
struct Net {
    hidden: Linear,
    readout: Linear,
}

impl Net {
    fn units(&self, x: &Tensor) -> Tensor {
        self.hidden.forward(x).sigmoid()
    }
}

/// A network, and what its units do on the test digits.
pub(crate) struct Look {
    net: Net,
    pub(crate) accuracy: f64,
    /// With each unit at 0 or 1; the readout is as it was.
    pub(crate) rounded: f64,
    /// The share of activations below 0.1 or above 0.9.
    pub(crate) saturated: f64,
    /// How many different rows of zeros and ones.
    codes: f64,
    /// For each class and unit, how often the unit is on.
    on: Tensor,
}

fn train(digits: &Split, width: usize, way: usize, epochs: usize, seed: u64) -> Result<Look, Error> {
    let Split { train, test } = digits;
    let (_, start, decay) = WAYS[way];
    let mut rng = Rng::new(seed);
    let hidden = Linear::new(train.x.size(1), width, &mut rng);
    let mut net = Net { hidden, readout: Linear::new(width, 10, &mut rng) };
    drop(net.hidden.weight.replace(&(&*net.hidden.weight * start)));
    let mut adam = Adam::new(&net, 1e-2).weight_decay(decay);
    for _ in 0..epochs {
        for (x, labels) in train.batches(32, &mut rng) {
            let loss = net.readout.forward(&net.units(&x)).cross_entropy(&labels);
            adam.step(&mut net, &loss.backward())?;
        }
    }

    let units = net.units(&test.x).detach();
    let bits = units.gt(0.5).cast(F32);
    let class = test.y.one_hot(10).cast(F32);
    Ok(Look {
        accuracy: accuracy(&net.readout.forward(&units), &test.y),
        rounded: accuracy(&net.readout.forward(&bits), &test.y),
        saturated: (&units - 0.5).abs().gt(0.4).cast(F32).mean(()).item(),
        codes: bits.unique_along(0).values.size(0) as f64,
        on: class.t().matmul(&bits) / class.sum(0).unsqueeze(1),
        net,
    })
}

/// The weights of each unit as an image, how often it is on, and the digits that nearly always switch it on.
fn images(look: &Look) -> Chart {
    let often = look.on.mean(0).iter::<f32>().map(|on| format!("{:.0} %:", 100.0 * on));
    let digits = look.on.t().gt(0.9).unbind(0).into_iter().map(|unit| unit.nonzero().iter::<i64>());
    let captions =
        often.zip(digits).map(|(often, digits)| digits.fold(often, |text, d| format!("{text} {d}")));
    Chart::tiles(
        "weights; how often on; the digits it is on for",
        &look.net.hidden.weight.reshape([-1, 8, 8]),
        6,
    )
    .captions(captions)
}

/// For each way, by number of units, the networks that learned.
pub(crate) fn run(options: &Options) -> Result<Vec<Vec<Vec<Look>>>, Error> {
    let digits = data::digits(DIGITS)?;
    println!("                    units  accuracy       rounded        < .1 or > .9   different codes");
    let mut all = Vec::new();
    let mut curves =
        Chart::new("units as they are; dashed: rounded", "hidden units", "test accuracy").log_x();
    for (way, (name, ..)) in WAYS.into_iter().enumerate() {
        let (mut smooth, mut rounded, mut of_way) = (Vec::new(), Vec::new(), Vec::new());
        for width in WIDTHS {
            let looks = par_map(0..options.seeds, |seed| train(&digits, width, way, options.epochs, seed));
            let looks = looks.into_iter().collect::<Result<Vec<_>, _>>()?;
            let figures = looks.iter().map(|l| Tensor::from([l.accuracy, l.rounded, l.saturated, l.codes]));
            let figures = stack(&figures.collect::<Vec<_>>(), 0);
            let [mean, sd] = [figures.mean(0), figures.std(0, usize::from(options.seeds > 1))]
                .map(|of| of.to_vec::<f64>());
            let text = [0, 1, 2, 3].map(|of: usize| format!("{:.3} ± {:.3}", mean[of], sd[of]));
            println!("{name:<20}{width:>5}  {}", text.join("  "));
            smooth.push((width as f64, mean[0], sd[0]));
            rounded.push((width as f64, mean[1], sd[1]));
            of_way.push(looks);
        }
        curves = curves.band(name, smooth).dashed_band(name, rounded);
        all.push(of_way);
    }

    let look = &all[1][1][0];
    let names = (1..=WIDTHS[1]).map(|unit| unit.to_string());
    let on = Chart::heat("how often each unit is on", "unit", "digit", &look.on).columns(names);
    save_svg(&options.out, &[images(look), on, curves])?;
    let decided = (&look.on - 0.5).abs().gt(0.3).cast(F32).mean(()).item();
    println!("on or off for 8 in 10 images of a digit: {decided:.2} of the units and digits of the picture");
    println!("picture: {}", options.out.display());
    Ok(all)
}

fn main() -> Result<(), Error> {
    run(&Options::parse()).map(drop)
}
