//! Digits leave sooner the longer the network has learned, and no less of them are read right.

use super::reaction_time::{Options, run};
use clap::Parser;

const OUT: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/reaction_time.svg");

#[test]
fn digits_leave_sooner() {
    let options = Options::parse_from(["", "--seeds", "1", "--epochs", "12", "--out", OUT]);
    let [blocks, early, last, _] = run(&options).expect("the digits are there");
    // Over five seeds: 8.00 ± 0.00 in the first epoch, 2.03 ± 0.06 in the twelfth.
    assert!(blocks[0].1 > 7.5 && blocks[11].1 < 3.0, "{blocks:?}");
    // Over five seeds: 0.963 ± 0.007; less that at the last exit: 0.000 ± 0.000.
    assert!(early[11].1 > 0.9 && (early[11].1 - last[11].1).abs() < 0.02, "{early:?} {last:?}");
}
