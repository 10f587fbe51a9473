//! An LSTM forecasts the sunspots of next year from those of the years before, beside two forecasts that cost little:
//! next year is as this year, and a linear combination of nine years, which it comes near or passes, by the seed.
//!
//! ```text
//! cargo run --release --example lstm_sunspots
//! cargo run --release --example lstm_sunspots -- --hidden 16 --window 24
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it learned")]

use clap::Parser;
use retrograd::prelude::*;
use std::error::Error;
use std::path::PathBuf;

const SUNSPOTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/sunspots.csv");

/// The first year that is not learned from.
const TEST: i64 = 1921;

/// Forecasts sunspots one year ahead.
#[derive(Parser)]
struct Options {
    /// Numbers in the state of the LSTM; with many more it learns the noise of 189 years by heart.
    #[arg(short = 'n', long, default_value_t = 4)]
    hidden: usize,
    /// Years that a forecast may look back.
    #[arg(short, long, default_value_t = 32)]
    window: usize,
    /// Learning rate of Adam at the start; it falls to 0 along half a cosine.
    #[arg(short, long, default_value_t = 1e-2)]
    lr: f64,
    /// Passes over the training set.
    #[arg(short, long, default_value_t = 60)]
    epochs: usize,
    /// Seed of the initial weights and of the order of samples.
    #[arg(short, long, default_value_t = 0)]
    seed: u64,
    /// Where the forecasts go.
    #[arg(short, long, default_value = "target/lstm_sunspots.svg")]
    out: PathBuf,
}

/// From the numbers so far to the change of the next year.
#[derive(Module)]
struct Forecast {
    lstm: Lstm,
    head: Linear,
}

impl Forecast {
    /// Windows `[batch, years]` to the number after each of their years, `[batch, years]`.
    fn forward(&self, x: &Tensor) -> Tensor {
        let (states, _) = self.lstm.forward(&x.unsqueeze(-1));
        x + self.head.forward(&states).squeeze(-1)
    }
}

/// A window ends before each forecast year: `[forecasts, size]` of what was known, and what came, `[forecasts, size]`
/// too: the number after each year of the window.
fn windows(series: &Tensor, size: usize) -> TensorDataset {
    let all = series.unfold(0, size + 1, 1);
    TensorDataset::new(all.narrow(1, 0, size), all.narrow(1, 1, size))
}

fn rmse(forecast: &Tensor, truth: &Tensor) -> f64 {
    (forecast - truth).square().mean(()).item().sqrt()
}

/// The least-squares forecast from the last `order` years of each window, with a constant.
fn autoregression(train: &TensorDataset, test: &TensorDataset, order: usize) -> Tensor {
    let rows = |data: &TensorDataset| {
        let recent = data.x.slice(1, -(order as isize), isize::MAX, 1);
        Tensor::cat(&[recent, Tensor::ones([data.len(), 1])], 1).cast(F64)
    };
    let weights = rows(train).lstsq(&train.y.select(1, -1).cast(F64), None);
    rows(test).matmul(&weights).cast(F32)
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let TensorDataset { x: years, y: numbers } = data::sunspots(SUNSPOTS)?;
    // Square roots vary alike in quiet and in busy years.
    let series = numbers.sqrt() / 4.0 - 1.5;
    let back = |values: &Tensor| ((values + 1.5) * 4.0).relu().square();

    let first_forecast = years.to_vec::<i64>()[0] + options.window as i64;
    let Split { train, test } =
        windows(&series, options.window).split(|at| first_forecast + at as i64 >= TEST);

    let mut rng = Rng::new(options.seed);
    let batch_first = Recurrent { batch_first: true, ..Recurrent::default() };
    let mut model = Forecast {
        lstm: Lstm::with(1, options.hidden, batch_first, &mut rng),
        head: Linear::new(options.hidden, 1, &mut rng),
    };
    let mut adam = AdamW::new(&model, options.lr);
    let mut schedule = Scheduler::new(schedule::CosineAnnealingLr::new(options.epochs as u64), &mut adam);
    println!("{} parameters, {} years to learn, {} to test", model.num_parameters(), train.len(), test.len());

    let mut loader = DataLoader::new(train.clone()).batch_size(16).shuffle(true).seed(options.seed);
    for _ in 0..options.epochs {
        for batch in loader.batches() {
            let (x, y) = batch?;
            // The first years of a window have too little to go by.
            let known = options.window / 2;
            let late = |values: &Tensor| values.narrow(1, known, options.window - known);
            let loss = late(&model.forward(&x)).mse_loss(&late(&y));
            adam.step(&mut model, &loss.backward())?;
        }
        schedule.step(&mut adam);
    }

    let last = |values: &Tensor| back(&values.select(1, -1).detach());
    let (truth, lstm) = (last(&test.y), last(&model.forward(&test.x)));
    let linear = back(&autoregression(&train, &test, 9));
    println!(
        "root mean squared error in training: {:.2}",
        rmse(&last(&model.forward(&train.x)), &last(&train.y))
    );
    println!("root mean squared error from {TEST} on:");
    println!("  as this year     {:6.2}", rmse(&last(&test.x), &truth));
    println!("  linear, 9 years  {:6.2}", rmse(&linear, &truth));
    println!("  LSTM             {:6.2}", rmse(&lstm, &truth));

    let curve = |values: &Tensor| (TEST..).map(|year| year as f64).zip(values.cast(F64).to_vec::<f64>());
    let chart = |title: &str| Chart::new(title, "year", "sunspots").line("observed", curve(&truth));
    let charts = [
        chart("LSTM, one year ahead").line("LSTM", curve(&lstm)),
        chart("linear, one year ahead").line("linear", curve(&linear)),
    ];
    save_svg(&options.out, &charts)?;
    println!("forecasts: {}", options.out.display());
    Ok(())
}
