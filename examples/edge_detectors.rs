//! Filters that learn a sparse code of photographs become edges and bars in one place, of one orientation, as Hubel and
//! Wiesel saw cells of the cat's visual cortex prefer. Principal components do not, nor filters of scrambled phases.
//!
//! ```text
//! cargo run --release --example edge_detectors
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it learned")]

use clap::Parser;
use retrograd::{FftNorm, PadMode, prelude::*};
use std::{error::Error, path::PathBuf};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data");
/// Pixels along a patch; principal components that are kept, and filters; steps of Adam.
const SIDE: usize = 12;
const FILTERS: usize = 64;
const STEPS: u64 = 3000;

/// Learns filters from patches of photographs.
#[derive(Parser)]
pub(crate) struct Options {
    /// Runs with patches, initial filters and batches of their own; the first is drawn.
    #[arg(short, long, default_value_t = 3)]
    pub(crate) seeds: u64,
    /// Where the picture goes.
    #[arg(short, long, default_value = "target/edge_detectors.svg")]
    pub(crate) out: PathBuf,
}

/// 20,000 patches of three photographs, `[patches, SIDE * SIDE]`, each around 0, without those that are nearly flat.
fn patches(rng: &mut Rng) -> Tensor {
    let windows = ["camera", "grass", "chelsea"].map(|name| {
        let image = data::read_png(format!("{DATA}/{name}.png")).expect("the photograph lies there");
        let windows = (image.cast(F32).mean(0) / 255.0).unfold(0, SIDE, 4).unfold(1, SIDE, 4);
        windows.flatten(2, -1).flatten(0, 1)
    });
    let all = cat(&windows, 0);
    let all = &all - all.mean_keepdim(1);
    let contrasted = all.std(1, 0).gt(0.02).nonzero().flatten(0, -1);
    let order = Tensor::randperm(contrasted.numel(), rng).narrow(0, 0, 20_000);
    all.index_select(0, &contrasted.index_select(0, &order))
}

/// Patches of the same spectra, with phases of noise.
fn scrambled(patches: &Tensor, rng: &mut Rng) -> Tensor {
    let [image, noise] = [patches, &patches.randn_like(rng)]
        .map(|x| x.reshape([x.size(0), SIDE, SIDE]).rfft2(None, FftNorm::Backward));
    let size = |z: &Tensor| z.square().sum_keepdim(-1).sqrt();
    let mixed = size(&image) * &noise / size(&noise);
    mixed.irfft2(Some([SIDE, SIDE]), FftNorm::Backward).flatten(1, -1)
}

/// The filters of reconstruction ICA on whitened patches, as patches themselves, and the principal components.
fn learn(patches: &Tensor, rng: &mut Rng) -> [Tensor; 2] {
    let (values, vectors) = (patches.t().matmul(patches).cast(F64) / patches.size(0) as f64).eigh();
    let kept = |of: Tensor| of.flip(-1).narrow(-1, 0, FILTERS).cast(F32);
    let (sd, vectors) = (kept(values).sqrt(), kept(vectors));
    let white = patches.matmul(&vectors) / &sd;
    let mut filters = Param::new(init::orthogonal([FILTERS, FILTERS], 1.0, rng));
    let mut adam = Adam::new(&filters, 5e-3);
    let mut schedule = Scheduler::new(schedule::LinearLr::new(1.0, 0.0, STEPS), &mut adam);
    for _ in 0..STEPS {
        let z = white.index_select(0, &Tensor::randint(0, white.size(0) as i64, [512], rng));
        let code = z.matmul(filters.t());
        let loss = (code.cosh().log().sum(1) + (code.matmul(&*filters) - z).square().sum(1)).mean(());
        adam.step(&mut filters, &loss.backward()).expect("filters have a gradient");
        schedule.step(&mut adam);
    }
    [(filters.detach() * sd).matmul(vectors.t()), vectors.t()]
}

/// For each filter the best Gabor function: share of the filter's energy in it; x, y, angle and frequency of its wave.
fn gabors(filters: &Tensor) -> Tensor {
    let energy = filters.square() / filters.square().sum_keepdim(1);
    let spectrum = filters.reshape([FILTERS, SIDE, SIDE]).rfft2(Some([48, 48]), FftNorm::Backward);
    let peak = spectrum.square().sum(-1).flatten(1, -1).argmax(1).cast(F32);
    let (row, column) = ((&peak / 25.0).floor(), &peak % 25.0);
    let (row, column) = ((&row - row.gt(24.0).cast(F32) * 48.0) / 48.0, column / 48.0);
    let pixel = Tensor::arange(0, SIDE as i64, 1).cast(F32);
    let [x, y] = [pixel.repeat([SIDE]), pixel.repeat_interleave(SIDE, 0)];
    let wave = [energy.matmul(&x), energy.matmul(&y), row.atan2(&column), row.hypot(&column)];
    let wave = stack(&wave, 0).pad(&[(0, 3), (0, 0)], PadMode::Zeros);
    let starts = [(0.0, 0.4), (0.0, 1.1), (1.57f32, 0.4), (1.57, 1.1)]
        .map(|(phase, size)| &wave + Tensor::from([[0.0], [0.0], [0.0], [0.0], [phase], [size], [size]]));
    let mut fit = Param::new(cat(&starts, 1).unsqueeze(-1));
    let filters = filters.repeat([4, 1]);
    let explained = |fit: &Tensor| {
        let [cx, cy, angle, rate, phase, along, across] = [0, 1, 2, 3, 4, 5, 6].map(|i| fit.select(0, i));
        let (x, y) = (&x - cx, &y - cy);
        let (u, v) = (&x * angle.cos() + &y * angle.sin(), y * angle.cos() - x * angle.sin());
        let envelope = ((&u / along.exp()).square() + (v / across.exp()).square()) * -0.5;
        let gabor = envelope.exp() * (u * rate * std::f64::consts::TAU + phase).cos();
        (&gabor * &filters).sum(1).square() / (gabor.square().sum(1) * filters.square().sum(1))
    };
    let mut adam = Adam::new(&fit, 0.03);
    for _ in 0..400 {
        let loss = -explained(&fit).sum(());
        adam.step(&mut fit, &loss.backward()).expect("Gabor functions have a gradient");
    }
    let shares = explained(&fit.detach());
    let best = shares.reshape([4, FILTERS]).argmax(0) * FILTERS as i64 + I64.arange(0, FILTERS as i64, 1);
    cat(&[shares.unsqueeze(0), fit.detach().squeeze(-1)], 0).index_select(1, &best).cast(F64)
}

/// Of natural filters, those of scrambled patches, principal components the median share of a filter's energy in a Gabor
/// function, the share of filters with more than 0.7, the median share of the patch covered: `[seed, 3, 3]`.
pub(crate) fn run(options: &Options) -> Result<Tensor, Box<dyn Error>> {
    let runs = par_map((0..options.seeds).map(Rng::new), |mut rng| {
        let natural = patches(&mut rng);
        let [filters, components] = learn(&natural, &mut rng);
        let [control, _] = learn(&scrambled(&natural, &mut rng), &mut rng);
        [filters, control, components].map(|filters| (gabors(&filters), filters))
    });
    let figures = runs.iter().flatten().map(|(fit, filters)| {
        let (share, squares) = (fit.select(0, 0), filters.square());
        let covered = squares.sum(1).square() / squares.square().sum(1) / (SIDE * SIDE) as f64;
        stack(&[share.median(0).0, share.gt(0.7).cast(F64).mean(()), covered.median(0).0.cast(F64)], 0)
    });
    let figures = stack(&figures.collect::<Vec<_>>(), 0).reshape([runs.len(), 3, 3]);
    let [mean, sd] =
        [figures.mean(0), figures.std(0, usize::from(options.seeds > 1))].map(|of| of.to_vec::<f64>());
    let mut waves = Chart::new("Fitted waves", "cycles per pixel, across", "cycles per pixel, up");
    let mut sorted = Chart::new("Energy in a Gabor function", "filter, from the best", "share of its energy");
    let (names, mut charts) = (["natural images", "scrambled phases", "principal components"], Vec::new());
    for ((name, i), (fit, filters)) in names.into_iter().zip(0..).zip(&runs[0]) {
        let [a, b, c] = [0, 1, 2].map(|j| format!("{:.2} ± {:.2}", mean[3 * i + j], sd[3 * i + j]));
        println!("{name}: energy in a Gabor function {a}, filters above 0.7 {b}, patch covered {c}");
        let [share, x, y, angle, rate] = [0, 1, 2, 3, 4].map(|i| fit.select(0, i).to_vec::<f64>());
        let fitted = (0..FILTERS).filter(|k| share[*k] > 0.7);
        let stroke = |k: usize| {
            let (x, y, dx, dy) = (x[k] + 0.5, y[k] + 0.5, -3.5 * angle[k].sin(), 3.5 * angle[k].cos());
            (k, x - dx, y - dy, x + dx, y + dy)
        };
        let rows = if i == 0 { 8 } else { 4 };
        let images = (filters / filters.abs().amax_keepdim(1)).reshape([FILTERS, SIDE, SIDE]);
        let drawn = Chart::tiles(name, &images.narrow(0, 0, rows * rows), rows);
        charts.push(drawn.strokes(fitted.clone().filter(|k| *k < rows * rows).map(stroke)));
        waves = waves.scatter(name, fitted.map(|k| (angle[k].cos() * rate[k], -angle[k].sin() * rate[k])));
        sorted = sorted.line(name, (1..).map(f64::from).zip(fit.select(0, 0).sort(0, true).0.iter::<f64>()));
    }
    charts.extend([waves, sorted]);
    save_svg(&options.out, &charts)?;
    Ok(figures)
}

fn main() -> Result<(), Box<dyn Error>> {
    run(&Options::parse()).map(drop)
}
