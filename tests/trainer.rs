//! The example `trainer`: it stops by itself, keeps its best network, and draws its curves.

#[path = "../examples/trainer.rs"]
mod example;

use std::error::Error;
use std::path::Path;

#[test]
fn the_run_stops_and_keeps_its_best_network() -> Result<(), Box<dyn Error>> {
    let _: fn() -> Result<(), Box<dyn Error>> = example::main;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (best, out) = (folder.join("trainer.checkpoint"), folder.join("trainer.svg"));
    let options = example::Options { epochs: 100, patience: 5, best, out: out.clone() };
    let (history, right) = example::run(&options)?;
    let epochs = history.epochs.len();
    assert!(epochs > 10 && epochs < 100, "{epochs}");
    // The last epochs, as many as the patience, were no better than the one before them.
    let losses: Vec<f64> = history.curve("val_loss").into_iter().map(|(_, loss)| loss).collect();
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(losses[epochs - 1 - 5], least);
    assert!(history.epochs[epochs - 1].lr < history.epochs[0].lr);
    assert!(right > 0.95, "{right}");
    let drawn = std::fs::read_to_string(out)?;
    assert!(drawn.contains("<svg") && drawn.contains("Accuracy") && drawn.contains("validation"));
    Ok(())
}
