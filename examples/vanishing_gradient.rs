//! What is left of a gradient on its way down: deep networks of sigmoids get nothing, exactly nothing, in their first
//! layers, and stop learning long before that, when an update is below the last bit of the weights.
//!
//! ```text
//! cargo run --release --example vanishing_gradient
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it found")]

use clap::Parser;
use retrograd::prelude::*;
use std::error::Error;
use std::path::PathBuf;

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/digits.csv.gz");
const WIDTH: usize = 64;
const DEEP: usize = 100;
const DEPTHS: [usize; 3] = [5, 20, 50];

/// Measures the gradient of each layer of deep networks, and which of them learn.
#[derive(Parser)]
pub(crate) struct Options {
    /// Networks of each kind.
    #[arg(short, long, default_value_t = 3)]
    pub(crate) seeds: u64,
    /// Passes over the digits, for the networks that are trained.
    #[arg(short, long, default_value_t = 10)]
    pub(crate) epochs: usize,
    /// Where the picture goes.
    #[arg(short, long, default_value = "target/vanishing_gradient.svg")]
    pub(crate) out: PathBuf,
}

/// Name, gain of the initial weights if they are not PyTorch's, and what a layer makes of its input at a depth.
type Kind = (&'static str, Option<f64>, fn(&Linear, &Tensor, f64) -> Tensor);

const KAIMING: Option<f64> = Some(std::f64::consts::SQRT_2);
const KINDS: [Kind; 13] = [
    ("sigmoid", None, |fc, x, _| fc.forward(x).sigmoid()),
    ("tanh", None, |fc, x, _| fc.forward(x).tanh()),
    ("tanh, Xavier", Some(5.0 / 3.0), |fc, x, _| fc.forward(x).tanh()),
    ("ReLU", None, |fc, x, _| fc.forward(x).relu()),
    ("ReLU, Kaiming", KAIMING, |fc, x, _| fc.forward(x).relu()),
    ("sigmoid + skip", None, |fc, x, _| x + fc.forward(x).sigmoid()),
    ("ReLU, K. + skip", KAIMING, |fc, x, _| x + fc.forward(x).relu()),
    ("ReLU, K. / √d + skip", KAIMING, |fc, x, d| x + fc.forward(x).relu() / d.sqrt()),
    ("batch norm, sigmoid", None, |fc, x, _| fc.forward(x).standardize(0, 1e-5).sigmoid()),
    ("batch norm, ReLU", None, |fc, x, _| fc.forward(x).standardize(0, 1e-5).relu()),
    ("layer norm, sigmoid", None, |fc, x, _| fc.forward(x).standardize(1, 1e-5).sigmoid()),
    ("layer norm, ReLU", None, |fc, x, _| fc.forward(x).standardize(1, 1e-5).relu()),
    ("l. norm / √d + skip", None, |fc, x, d| x + fc.forward(&x.standardize(1, 1e-5)).relu() / d.sqrt()),
];

/// A network of a kind, told by its depth and seed.
#[derive(Clone, Copy)]
struct Net(Kind, usize, u64);

impl Net {
    fn start(self) -> Vec<Linear> {
        let Self((_, gain, _), depth, seed) = self;
        let rng = &mut Rng::new(seed);
        let mut layers: Vec<_> = (1..depth).map(|_| Linear::new(WIDTH, WIDTH, rng)).collect();
        for (layer, gain) in layers.iter_mut().zip(gain.iter().cycle()) {
            layer.weight = init::xavier_normal([WIDTH, WIDTH], *gain, rng).into();
        }
        layers.push(Linear::new(WIDTH, 10, rng));
        layers
    }

    fn forward(self, layers: &[Linear], x: &Tensor) -> Tensor {
        let (head, hidden) = layers.split_last().expect("a network has a head");
        head.forward(&hidden.iter().fold(x.clone(), |x, layer| self.0.2(layer, &x, self.1 as f64)))
    }

    /// The gradient of each layer's weight before training, from 256 digits.
    fn gradients(self, digits: &TensorDataset) -> Vec<Tensor> {
        let (layers, [x, y]) = (self.start(), [&digits.x, &digits.y].map(|of| of.narrow(0, 0, 256)));
        let grads = self.forward(&layers, &x).cross_entropy(&y).backward();
        layers.iter().map(|layer| grads.grad_or_zeros(&layer.weight)).collect()
    }

    fn train(self, digits: &TensorDataset, epochs: usize, lr: f64, momentum: f64) -> Vec<Linear> {
        let (mut layers, mut rng) = (self.start(), Rng::new(self.2));
        let mut sgd = Sgd::new(&layers, lr).momentum(momentum);
        for (x, labels) in (0..epochs).flat_map(|_| digits.batches(64, &mut rng).collect::<Vec<_>>()) {
            let grads = self.forward(&layers, &x).cross_entropy(&labels).backward();
            sgd.step(&mut layers, &grads).expect("every layer has a gradient");
        }
        layers
    }
}

pub(crate) struct Figures {
    /// Depth; share of a sigmoid network's first weights without gradient; share that an epoch of SGD changes.
    pub(crate) bits: Vec<[f64; 3]>,
    /// Test accuracies `[kind, depth, seed]`.
    pub(crate) accuracy: Tensor,
}

pub(crate) fn run(options: &Options) -> Result<Figures, Box<dyn Error>> {
    let Split { train: digits, test } = data::digits(DIGITS)?;
    let (seeds, names) = (options.seeds, KINDS.map(|kind| kind.0));
    // Geometric means over seeds: one without any gradient makes it 0.
    let logs = par_map((0..seeds).flat_map(|seed| KINDS.map(|kind| Net(kind, DEEP, seed))), |net| {
        net.gradients(&digits).iter().map(|g| g.abs().amax(()).item().ln()).collect::<Vec<_>>()
    });
    let largest = Tensor::from_vec(logs.concat(), [seeds as usize, KINDS.len(), DEEP]).mean(0).exp();
    let share = |marks: Tensor| marks.cast(F64).mean(()).item() / seeds as f64;
    let bits = par_map((2..=56).step_by(2), |depth| {
        let nets = || (0..seeds).map(|seed| Net(KINDS[0], depth, seed));
        let lost = nets().map(|net| share(net.gradients(&digits)[0].eq(0.0))).sum();
        let first = |layers: Vec<Linear>| layers[0].weight.detach();
        let changed = |net: Net| share(first(net.train(&digits, 1, 0.1, 0.0)).ne(first(net.start())));
        [depth as f64, lost, nets().map(changed).sum()]
    });
    let of = |kind| DEPTHS.into_iter().flat_map(move |d| (0..seeds).map(move |seed| Net(kind, d, seed)));
    let accuracy = par_map(KINDS.into_iter().flat_map(of), |net| {
        let layers = net.train(&digits, options.epochs, 0.05, 0.9);
        accuracy(&net.forward(&layers, &test.x), &test.y)
    });
    let shape = [KINDS.len(), DEPTHS.len(), seeds as usize];
    let figures = Figures { bits, accuracy: Tensor::from_vec(accuracy, shape) };
    let Figures { bits, accuracy } = &figures;
    println!("largest gradient of layers 1, 50 and 100 of 100; test accuracy of depths {DEPTHS:?}");
    for (i, name) in names.iter().enumerate() {
        let (g, accuracy) = (largest.select(0, i).to_vec::<f64>(), accuracy.select(0, i));
        let [mean, sd] =
            [accuracy.mean(-1), accuracy.std(-1, usize::from(seeds > 1))].map(|of| of.to_vec::<f64>());
        let [first, middle, last] = [0, 49, 99].map(|layer| g[layer]);
        println!("  {name:<20} {first:7.0e} {middle:7.0e} {last:7.0e}   {mean:.3?} ± {sd:.3?}");
    }
    println!("sigmoid, layer 1: share of weights with gradient 0, and changed by an epoch of SGD");
    bits.iter().for_each(|[depth, lost, changed]| println!("  depth {depth:2}: {lost:.4} {changed:.4}"));
    let heat = Chart::heat("Largest gradient of each layer", "layer", "", &largest).rows(names).log();
    let lost = Chart::new("First layer of a sigmoid network", "depth", "share of its weights")
        .line("gradient exactly 0", bits.iter().map(|row| (row[0], row[1])))
        .line("changed by an epoch", bits.iter().map(|row| (row[0], row[2])));
    let learned = (0..DEPTHS.len()).fold(Chart::new("What they learn", "", "test accuracy"), |chart, j| {
        chart.bars(format!("depth {}", DEPTHS[j]), accuracy.select(1, j).mean(-1).to_vec::<f64>())
    });
    let heat = heat.columns((1..=DEEP).map(|i| i.to_string()));
    save_svg(&options.out, &[heat, lost, learned.categories(names)])?;
    Ok(figures)
}

fn main() -> Result<(), Box<dyn Error>> {
    run(&Options::parse()).map(drop)
}
