//! What a big network answers tells more than the right answer: "a 5 that looks like a 9". A small network that learns
//! from these soft answers needs far fewer images than one that learns from labels; where it sees all images, nothing
//! is left to gain.
//!
//! ```text
//! cargo run --release --example distillation
//! cargo run --release --example distillation -- --temperature 2
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it learned")]

use clap::Parser;
use retrograd::prelude::*;
use std::path::PathBuf;

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/digits.csv.gz");

/// How many images students see, and their hidden units.
pub(crate) const IMAGES: [usize; 5] = [50, 100, 200, 400, 1437];
pub(crate) const UNITS: [usize; 4] = [4, 8, 16, 32];

/// Teaches small networks what a big one knows.
#[derive(Parser)]
pub(crate) struct Options {
    /// How many students of each kind learn, each from other images.
    #[arg(short, long, default_value_t = 5)]
    seeds: u64,
    /// Steps of a student.
    #[arg(long, default_value_t = 600)]
    steps: usize,
    /// What answers are divided by before they become probabilities.
    #[arg(short, long, default_value_t = 4.0)]
    temperature: f64,
    /// Where the picture goes.
    #[arg(short, long, default_value = "target/distillation.svg")]
    out: PathBuf,
}

/// One hidden layer; only teachers drop units.
#[derive(Module)]
struct Net {
    hidden: Linear,
    dropout: Dropout,
    readout: Linear,
}

impl Net {
    fn new(units: usize, p: f64, rng: &mut Rng) -> Self {
        Self {
            hidden: Linear::new(64, units, rng),
            dropout: Dropout::new(p, rng),
            readout: Linear::new(units, 10, rng),
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        self.readout.forward(&self.dropout.forward(&self.hidden.forward(x).relu()))
    }

    /// Learns targets, labels or probabilities, at temperature `t`; the factor t² keeps gradients as large as at 1.
    fn learn(
        mut self,
        lesson: &TensorDataset,
        t: f64,
        (lr, batch, steps): (f64, usize, usize),
        rng: &mut Rng,
    ) -> Result<Self, Error> {
        let mut adam = Adam::new(&self, lr);
        for (x, targets) in std::iter::repeat_with(|| lesson.batches(batch, rng)).flatten().take(steps) {
            let loss = (self.forward(&x) / t).cross_entropy(&targets) * (t * t);
            adam.step(&mut self, &loss.backward())?;
        }
        self.eval();
        Ok(self)
    }
}

/// The mean answers of three networks of 512 units that know all training images, to these and to the test images.
fn teacher(Split { train, test }: &Split) -> Result<[Tensor; 2], Error> {
    let nets = par_map(0..3, |seed| {
        let mut rng = Rng::new(100 + seed);
        Net::new(512, 0.3, &mut rng).learn(train, 1.0, (1e-3, 32, 40 * train.len().div_ceil(32)), &mut rng)
    });
    let nets = nets.into_iter().collect::<Result<Vec<_>, _>>()?;
    let answers = |x| stack(&nets.iter().map(|net| net.forward(x)).collect::<Vec<_>>(), 0).mean(0).detach();
    Ok([answers(&train.x), answers(&test.x)])
}

/// The accuracy of students that learned from labels, from probabilities as they are, and from soft ones, and what the
/// last have over the first: means and standard deviations. In `run`, rows with the fewest images come first.
pub(crate) type Row = [(f64, f64); 4];

pub(crate) fn run(options: &Options) -> Result<Vec<Row>, Error> {
    let digits = data::digits(DIGITS)?;
    let (Split { train, test }, t) = (&digits, options.temperature);
    let [answers, on_test] = teacher(&digits)?;
    let read = [accuracy(&answers, &train.y), accuracy(&on_test, &test.y)];
    println!("the teacher reads {:.3} of the training and {:.3} of the test digits right", read[0], read[1]);
    let soft = |t: f64| (&answers / t).softmax(1);
    let targets = [(train.y.clone(), 1.0), (soft(1.0), 1.0), (soft(t), t)];
    println!("images  units   labels           t = 1            t = {t:<12} gain over labels");
    let mut rows = Vec::new();
    for (images, units) in IMAGES.into_iter().flat_map(|images| UNITS.map(|units| (images, units))) {
        let students = par_map(0..options.seeds, |seed| -> Result<Vec<f64>, Error> {
            let chosen = Tensor::randperm(train.len(), &mut Rng::new(1000 + seed)).narrow(0, 0, images);
            let read = targets.iter().map(|(targets, t)| {
                let lesson = TensorDataset::new(train.x.clone(), targets.clone()).select(&chosen);
                let (mut rng, plan) = (Rng::new(seed), (5e-3, 64, options.steps));
                let net = Net::new(units, 0.0, &mut rng).learn(&lesson, *t, plan, &mut rng)?;
                Ok(accuracy(&net.forward(&test.x), &test.y))
            });
            read.collect()
        });
        let read = students.into_iter().collect::<Result<Vec<_>, _>>()?;
        let read = Tensor::from(read.concat()).reshape([-1, 3]);
        let read = cat(&[&read, &(read.narrow(1, 2, 1) - read.narrow(1, 0, 1))], 1);
        let (mean, sd) = (read.mean(0), read.std(0, usize::from(options.seeds > 1)));
        let row: Row = [0, 1, 2, 3].map(|kind| (mean.select(0, kind).item(), sd.select(0, kind).item()));
        let text = row.map(|(mean, sd)| format!("{mean:.3} ± {sd:.3}"));
        println!("{images:>6}  {units:>5}   {}", text.join("    "));
        rows.push(row);
    }

    let mut by_units = Chart::new("students that saw 50 images", "hidden units", "test accuracy").log_x();
    let mut by_images = Chart::new("students of 32 units", "images", "test accuracy").log_x();
    for (kind, name) in ["labels", "answers, t = 1", "soft answers"].into_iter().enumerate() {
        let point = |(&x, row): (&usize, &Row)| (x as f64, row[kind].0, row[kind].1);
        by_units = by_units.band(name, UNITS.iter().zip(&rows).map(point));
        by_images = by_images.band(name, IMAGES.iter().zip(rows.iter().skip(3).step_by(4)).map(point));
    }
    // Of the training digits that the teacher reads right, those with the likeliest second answer.
    let (likely, named) = soft(1.0).topk(2, 1, true);
    let right = named.select(1, 0).eq(&train.y).cast(F32);
    let (_, doubtful) = (likely.select(1, 1) * right).topk(8, 0, true);
    let words = |at: i64| {
        let answers = named.select(0, at).iter::<i64>().zip(likely.select(0, at).iter::<f32>());
        answers.map(|(digit, p)| format!("{digit}: {:.0} %", 100.0 * p)).collect::<Vec<_>>().join(", ")
    };
    let digits = train.x.index_select(0, &doubtful).reshape([-1, 8, 8]);
    let digits =
        Chart::tiles("where the teacher is in doubt", &digits, 4).captions(doubtful.iter().map(words));
    save_svg(&options.out, &[by_units, by_images, digits.grey()])?;
    println!("picture: {}", options.out.display());
    Ok(rows)
}

fn main() -> Result<(), Error> {
    run(&Options::parse()).map(drop)
}
