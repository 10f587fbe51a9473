//! A fixed change of basis, however rich, must cover the whole space of its inputs; learned features look only where it
//! matters. In the plane both tell two spirals apart; add a few inputs that say nothing, and fixed bases are lost.
//!
//! ```text
//! cargo run --release --example basis_vs_learned
//! cargo run --release --example basis_vs_learned -- --seeds 5
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it learned")]

use clap::Parser;
use retrograd::prelude::*;
use std::f64::consts::{PI, TAU};
use std::path::PathBuf;

/// Reads two spirals in features that are fixed or learned.
#[derive(Parser)]
pub(crate) struct Options {
    /// How many models of each kind learn, each from other points.
    #[arg(short, long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Passes over the points, for learned features.
    #[arg(short, long, default_value_t = 300)]
    epochs: usize,
    /// Where the picture goes.
    #[arg(short, long, default_value = "target/basis_vs_learned.svg")]
    out: PathBuf,
}

/// What makes features of inputs; the last two are learned.
pub(crate) const KINDS: [&str; 5] = ["polynomial", "radial", "random ReLU", "learned ReLU", "two layers"];

/// For 2, 3, 4 and 5 inputs: the degree of polynomials, the number of other fixed features, the width of radial ones (the
/// best of 5 by test error, which favours them), the learned features of one and of each of two layers.
const SIZES: [(usize, usize, f64, usize, usize); 4] =
    [(14, 128, 0.14, 32, 9), (8, 200, 0.42, 40, 11), (6, 240, 0.42, 40, 12), (5, 280, 1.7, 40, 13)];
const GRID: usize = 61;

/// Points `[n, d]` on two spirals of one and a half turns, in the first two of d inputs, and which of both.
fn spirals(n: usize, d: usize, rng: &mut Rng) -> TensorDataset {
    let class = Tensor::bernoulli([n], 0.5, rng).cast(F32);
    let t = Tensor::rand([n], rng).sqrt();
    let angle = &t * (1.5 * TAU) + &class * PI;
    let plane = stack(&[&t * angle.cos(), &t * angle.sin()], 1) + Tensor::randn([n, 2], rng) * 0.02;
    TensorDataset::new(cat(&[plane, Tensor::randn([n, d - 2], rng) * 0.4], 1), class.unsqueeze(1))
}

/// All products of inputs up to a degree.
fn monomials(x: &Tensor, degree: usize) -> Tensor {
    let mut terms = vec![(Tensor::ones([x.size(0)]), 0)];
    for input in x.unbind(1) {
        let with = |(term, used): &(Tensor, usize)| -> Vec<_> {
            (0..=degree - used).map(|power| (term * input.pow(power as f64), used + power)).collect()
        };
        terms = terms.iter().flat_map(with).collect();
    }
    stack(&terms.iter().map(|(term, _)| term).collect::<Vec<_>>(), 1)
}

/// Says of points how much they speak for the second spiral.
type Reader = Box<dyn Fn(&Tensor) -> Tensor + Send>;

/// A logistic regression on fixed features, scaled to unit variance.
fn regress(data: &TensorDataset, basis: Reader) -> Result<Reader, Error> {
    let features = basis(&data.x).detach().cast(F64);
    let (mean, scale) = (features.mean(0), features.std(0, 0).clamp_min(1e-6));
    let (features, classes) = ((features - &mean) / &scale, data.y.cast(F64));
    let mut model = Linear::new(features.size(1), 1, &mut Rng::new(0));
    model.convert(F64);
    let mut lbfgs = Lbfgs::new(&model, 1.0).strong_wolfe(true).history_size(20).max_iter(500);
    drop(lbfgs.step(&mut model, |model| {
        let loss = model.forward(&features).binary_cross_entropy_with_logits(&classes);
        loss + model.weight.square().sum(()) * (0.5e-3 / data.len() as f64)
    })?);
    Ok(Box::new(move |x| model.forward(&((basis(x).cast(F64) - &mean) / &scale)).detach().cast(F32)))
}

/// A network of one or two hidden layers, which learns its features.
fn network(data: &TensorDataset, units: &[usize], epochs: usize, rng: &mut Rng) -> Result<Reader, Error> {
    let mut first = Linear::new(data.x.size(1), units[0], rng);
    // The turns of the spirals are narrow: features begin steeper.
    drop(first.weight.replace(&(&*first.weight * 3.0)));
    let mut net = Sequential::new().then(first).then(Relu);
    for &more in &units[1..] {
        net = net.then(Linear::new(units[0], more, rng)).then(Relu);
    }
    net = net.then(Linear::new(units[0], 1, rng));
    let mut adam = Adam::new(&net, 0.02);
    for _ in 0..epochs {
        for (x, classes) in data.batches(64, rng) {
            let loss = net.forward(&x).binary_cross_entropy_with_logits(&classes);
            adam.step(&mut net, &loss.backward())?;
        }
    }
    Ok(Box::new(move |x| net.forward(x).detach()))
}

/// A reader of `d` inputs, and its test error in percent.
fn learn(kind: &str, d: usize, epochs: usize, seed: u64) -> Result<(f64, Reader), Error> {
    let mut rng = Rng::new(seed);
    let [train, test] = [600, 2000].map(|n| spirals(n, d, &mut rng));
    let (degree, fixed, width, one, two) = SIZES[d - 2];
    let (centres, layer) = (train.x.narrow(0, 0, fixed), Linear::new(d, fixed, &mut rng));
    let reader = match kind {
        "polynomial" => regress(&train, Box::new(move |x| monomials(x, degree))),
        "radial" => regress(&train, Box::new(move |x| (x.cdist(&centres, 2.0) / width).square().neg().exp())),
        "random ReLU" => regress(&train, Box::new(move |x| layer.forward(x).relu())),
        "learned ReLU" => network(&train, &[one], epochs, &mut rng),
        _ => network(&train, &[two, two], epochs, &mut rng),
    }?;
    let wrong = reader(&test.x).gt(0.0).ne(test.y.gt(0.5)).cast(F32).mean(()).item();
    Ok((100.0 * wrong, reader))
}

/// What a reader says of the plane of the two inputs that matter, the two others being 0.
fn plane(kind: &str, reader: &Reader) -> Chart {
    let side = Tensor::linspace(-1.2, 1.2, GRID);
    let (x, y) = (side.repeat([GRID]), side.flip(0).repeat_interleave(GRID, 0));
    let says = reader(&stack(&[&x, &y, &x.zeros_like(), &x.zeros_like()], 1)).sigmoid().reshape([GRID, GRID]);
    let map = Chart::heat(format!("{kind}, others at 0"), "first input, -1.2 to 1.2", "second input", &says);
    map.rows([""; GRID]).columns([""; GRID])
}

/// For each kind, mean and standard deviation of the test error in percent with 0 to 3 inputs that say nothing.
pub(crate) fn run(options: &Options) -> Result<Vec<[(f64, f64); 4]>, Error> {
    println!("test error in % with    0            1            2            3 irrelevant inputs");
    let (mut errors, mut planes) = (Vec::new(), Vec::new());
    let mut curves = Chart::new("which of two spirals", "irrelevant inputs", "test error in %");
    for kind in KINDS {
        let mut row = [(0.0, 0.0); 4];
        for (irrelevant, cell) in row.iter_mut().enumerate() {
            let readers = par_map(0..options.seeds, |seed| learn(kind, 2 + irrelevant, options.epochs, seed));
            let readers = readers.into_iter().collect::<Result<Vec<_>, _>>()?;
            let values = Tensor::from(readers.iter().map(|(error, _)| *error).collect::<Vec<_>>());
            *cell = (values.mean(()).item(), values.std((), usize::from(options.seeds > 1)).item());
            planes.extend((irrelevant == 2).then(|| plane(kind, &readers[0].1)));
        }
        println!("{kind:<20} {}", row.map(|(mean, sd)| format!("{mean:>5.1} ± {sd:<4.1}")).join(" "));
        curves = curves.band(kind, row.iter().zip(0..).map(|(&(mean, sd), x)| (f64::from(x), mean, sd)));
        errors.push(row);
    }
    save_svg(&options.out, &[vec![curves], planes].concat())?;
    println!("picture: {}", options.out.display());
    Ok(errors)
}

fn main() -> Result<(), Error> {
    run(&Options::parse()).map(drop)
}
