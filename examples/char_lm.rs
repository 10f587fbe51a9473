//! A small transformer learns to write like a novel, character by character.
//!
//! ```text
//! cargo run --release --example char_lm
//! cargo run --release --example char_lm -- --steps 6000 --write 1000
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it learned")]

use clap::Parser;
use retrograd::data::{Vocabulary, Windows};
use retrograd::prelude::*;
use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

const NOVEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/northanger-abbey.txt.gz");
const WIDTH: usize = 128;
const HEADS: usize = 4;
const CONTEXT: usize = 128;

/// Trains a transformer on a novel.
#[derive(Parser)]
struct Options {
    /// Steps of training.
    #[arg(long, default_value_t = 2200)]
    steps: u64,
    /// Windows in a batch.
    #[arg(short, long, default_value_t = 8)]
    batch: usize,
    /// Highest learning rate.
    #[arg(short, long, default_value_t = 4e-3)]
    lr: f64,
    /// The share of the past in the average of the weights.
    #[arg(long, default_value_t = 0.99)]
    decay: f64,
    /// Characters to write at the end.
    #[arg(short, long, default_value_t = 500)]
    write: usize,
    /// Seed of the initial weights, the windows and the text.
    #[arg(short, long, default_value_t = 0)]
    seed: u64,
    /// Where the curves go.
    #[arg(short, long, default_value = "target/char_lm.svg")]
    out: PathBuf,
}

/// Attention and a network of two layers, each added to what it reads (Vaswani et al., 2017), which is normalised first.
#[derive(Module)]
struct Block {
    norm1: LayerNorm,
    qkv: Linear,
    out: Linear,
    norm2: LayerNorm,
    up: Linear,
    down: Linear,
}

/// Four blocks of width 128 with four heads. Positions turn queries and keys (Su et al., 2021).
#[derive(Module)]
struct CharLm {
    token: Embedding,
    positions: RotaryPositions,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

impl CharLm {
    fn new(characters: usize, rng: &mut Rng) -> Self {
        let block = |rng: &mut Rng| Block {
            norm1: LayerNorm::new(WIDTH),
            qkv: Linear::new(WIDTH, 3 * WIDTH, rng),
            out: Linear::new(WIDTH, WIDTH, rng),
            norm2: LayerNorm::new(WIDTH),
            up: Linear::new(WIDTH, 4 * WIDTH, rng),
            down: Linear::new(4 * WIDTH, WIDTH, rng),
        };
        Self {
            token: Embedding::new(characters, WIDTH, rng),
            positions: RotaryPositions::new(WIDTH / HEADS),
            blocks: (0..4).map(|_| block(rng)).collect(),
            norm: LayerNorm::new(WIDTH),
            head: Linear::new(WIDTH, characters, rng),
        }
    }

    /// `[batch, n]` ids to `[batch * n, characters]` scores of what comes next.
    fn forward(&self, ids: &Tensor) -> Tensor {
        let (batch, n) = (ids.size(0), ids.size(1));
        let mut x = self.token.forward(ids);
        for block in &self.blocks {
            let qkv = block.qkv.forward(&block.norm1.forward(&x));
            let qkv = qkv.reshape([batch, n, 3, HEADS, WIDTH / HEADS]).permute([2, 0, 3, 1, 4]);
            let [q, k] = [0, 1].map(|i| self.positions.forward(&qkv.select(0, i)));
            let causal = Attention { causal: true, ..Attention::default() };
            let read = q.scaled_dot_product_attention(&k, &qkv.select(0, 2), &causal);
            x += block.out.forward(&read.transpose(1, 2).reshape([batch, n, WIDTH]));
            x = &x + block.down.forward(&block.up.forward(&block.norm2.forward(&x)).gelu());
        }
        self.head.forward(&self.norm.forward(&x)).flatten(0, 1)
    }

    /// Nats per character of a text, read in windows side by side.
    fn loss_of(&self, ids: &Tensor) -> f64 {
        let rows = (ids.numel() - 1) / CONTEXT;
        let windows = |from: usize| ids.narrow(0, from, rows * CONTEXT).reshape([rows, CONTEXT]);
        let parts =
            windows(0).chunk(rows.div_ceil(32), 0).into_iter().zip(windows(1).chunk(rows.div_ceil(32), 0));
        let losses = parts.map(|(x, y)| {
            let loss = no_grad(|| self.forward(&x).cross_entropy(&y.flatten(0, -1)));
            loss.item() * x.size(0) as f64
        });
        losses.sum::<f64>() / rows as f64
    }

    /// Goes on from `ids`, `[n]`, by drawing one character after the other.
    fn write(&self, ids: &Tensor, count: usize, rng: &mut Rng) -> Tensor {
        let mut ids = ids.clone();
        for _ in 0..count {
            let seen = ids.numel().min(CONTEXT);
            let seen = ids.narrow(0, ids.numel() - seen, seen);
            let scores = no_grad(|| self.forward(&seen.unsqueeze(0))).select(0, -1) / 0.8;
            // The largest after Gumbel noise is a draw from the softmax.
            let noise = -(-Tensor::rand(scores.shape(), rng).log()).log();
            ids = Tensor::cat(&[ids, (scores + noise).argmax(0).unsqueeze(0)], 0);
        }
        ids
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let text = data::read_text(NOVEL)?;
    let vocabulary = Vocabulary::of(&text);
    let ids = vocabulary.encode(&text)?;
    let learned = ids.numel() * 9 / 10;
    let (train, test) = (ids.narrow(0, 0, learned), ids.narrow(0, learned, ids.numel() - learned));
    let windows = Windows::new(train, CONTEXT);

    let mut rng = Rng::new(options.seed);
    let mut model = CharLm::new(vocabulary.len(), &mut rng);
    let mut adamw = AdamW::new(&model, options.lr).betas(0.9, 0.98).weight_decay(0.1);
    let schedule = schedule::OneCycleLr::new(options.lr, options.steps).cycle_momentum(None).pct_start(0.05);
    let mut scheduler = Scheduler::new(schedule, &mut adamw);
    let mut average = WeightAverage::ema(&model, options.decay);
    println!("{} parameters, {} characters", model.num_parameters(), text.len());

    let start = Instant::now();
    let (mut losses, mut tested) = (Vec::new(), Vec::new());
    for step in 1..=options.steps {
        let (x, y) = windows.random_batch(options.batch, &mut rng);
        let loss = model.forward(&x).cross_entropy(&y.flatten(0, -1));
        let mut grads = loss.backward();
        let _ = clip_grad_norm(&model, &mut grads, 1.0)?;
        adamw.step(&mut model, &grads)?;
        scheduler.step(&mut adamw);
        average.update(&model)?;
        if step % 20 == 0 {
            losses.push((step as f64, loss.item()));
        }
        if step % (options.steps / 8).max(1) == 0 {
            average.swap(&mut model)?;
            let nats = model.loss_of(&test);
            average.swap(&mut model)?;
            tested.push((step as f64, nats));
            println!("step {step}, {:.0} s: {nats:.4} nats per character", start.elapsed().as_secs_f64());
        }
    }

    average.swap(&mut model)?;
    let written = model.write(&test.narrow(0, 0, CONTEXT), options.write, &mut rng);
    println!("\n{}\n", vocabulary.decode(&written));
    let chart = Chart::new("A novel, character by character", "step", "nats");
    save_svg(&options.out, &[chart.line("training", losses).line("last tenth", tested)])?;
    println!("curves: {}", options.out.display());
    println!("nats per character of the last tenth: {:.4}", model.loss_of(&test));
    Ok(())
}
