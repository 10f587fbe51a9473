//! Wide networks stand the loss of most of their units, narrow ones do not; dropout helps those between.

use super::fault_tolerance::{Options, run};
use clap::Parser;

const OUT: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/fault_tolerance.svg");

#[test]
fn wide_networks_stand_wounds() {
    let options = Options::parse_from(["", "--seeds", "1", "--epochs", "10", "--wounds", "10", "--out", OUT]);
    let curves = run(&options).expect("the digits are there");
    let at = |kind: usize, tenths: usize| curves[kind][tenths].0;
    // With 70 % destroyed, means of ten wounds, over five seeds: 0.26 ± 0.04 with 16 units, 0.36 ± 0.06 more with 64, and
    // 0.35 ± 0.04 more with 1,024.
    let [narrow, middling, wide] = [0, 1, 3].map(|kind| at(kind, 7));
    assert!(wide > middling + 0.15 && middling > narrow + 0.2, "{narrow} {middling} {wide}");
    // By degrees: over five seeds, the greatest loss by one more tenth of the units is 0.23 ± 0.04.
    for curve in &curves {
        assert!(curve.windows(2).all(|pair| pair[0].0 - pair[1].0 < 0.3), "{curve:?}");
    }
    // 64 units have 0.19 ± 0.02 more with dropout, over five seeds.
    assert!(at(4, 7) > at(1, 7) + 0.05, "{} {}", at(1, 7), at(4, 7));
}
