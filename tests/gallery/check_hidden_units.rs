//! Hidden units end up on or off, and may be rounded.

use super::hidden_units::{Options, run};
use clap::Parser;

const OUT: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/hidden_units.svg");

#[test]
fn units_may_be_rounded() {
    let options = Options::parse_from(["", "--seeds", "1", "--epochs", "20", "--out", OUT]);
    let look = &run(&options).expect("the digits are there")[0][1][0];
    // Over five seeds: 0.964 ± 0.005, rounded 0.012 ± 0.008 less, saturated 0.62 ± 0.01 (none before it learned).
    assert!(look.accuracy > 0.9, "{}", look.accuracy);
    assert!(look.rounded > look.accuracy - 0.06, "{} of {}", look.rounded, look.accuracy);
    assert!(look.saturated > 0.3, "{}", look.saturated);
}
