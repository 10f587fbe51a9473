//! What a training step leaves on the tape: the list, and a page with the graph to open in a browser.
//!
//! ```text
//! cargo run --release --example tape
//! ```

#![expect(clippy::print_stdout, reason = "a program that shows the tape")]

use retrograd::prelude::*;

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
    let mut block = || Block { fc1: Linear::new(8, 16, &mut rng), fc2: Linear::new(16, 8, &mut rng) };
    let (first, second) = (block(), block());
    let x = Tensor::randn([32, 8], &mut Rng::new(1));
    let labels = Tensor::randint(0, 8, [32], &mut Rng::new(2));
    let loss = second.forward(&first.forward(&x)).cross_entropy(&labels);

    let tape = Tape::of(&loss);
    print!("{tape}");
    let page = "target/tape.html";
    std::fs::write(page, tape.html("Two residual blocks"))?;
    println!("{} bytes are kept for the backward pass; the graph: {page}", tape.saved_bytes());
    Ok(())
}
