//! What a training step leaves on the tape and what it costs: the list, and a page with the graph to open in a browser.
//!
//! ```text
//! cargo run --release --example tape
//! ```

#![expect(clippy::print_stdout, reason = "a program that shows the tape")]

use retrograd::prelude::*;
use retrograd::profile;

#[derive(Module)]
struct Block {
    fc1: Linear,
    fc2: Linear,
}
impl Block {
    fn forward(&self, x: &Tensor) -> Tensor {
        x + self.fc2.forward(&self.fc1.forward(x).relu())
    }
}

fn main() -> std::io::Result<()> {
    let mut rng = Rng::new(0);
    let mut block = || Block { fc1: Linear::new(64, 256, &mut rng), fc2: Linear::new(256, 64, &mut rng) };
    let (first, second) = (block(), block());
    let x = Tensor::randn([256, 64], &mut Rng::new(1));
    let labels = Tensor::randint(0, 64, [256], &mut Rng::new(2));
    let step = || {
        let loss = second.forward(&first.forward(&x)).cross_entropy(&labels);
        let tape = Tape::of(&loss);
        loss.backward();
        tape
    };
    step(); // what the first step does once, such as planning programs, is not what a step costs
    let (tape, profile) = profile(step);
    let tape = tape.profiled(&profile);
    print!("{tape}\n{profile}");
    let page = "target/tape.html";
    std::fs::write(page, tape.html("Two residual blocks"))?;
    println!("{} bytes are kept for the backward pass; the graph: {page}", tape.saved_bytes());
    Ok(())
}
