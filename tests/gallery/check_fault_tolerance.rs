//! Wide networks stand the loss of most of their units, narrow ones do not; dropout helps those between.

use super::fault_tolerance::{Options, run};
use clap::Parser;

const OUT: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/fault_tolerance.svg");

#[test]
fn wide_networks_stand_wounds() {
    let options = Options::parse_from(["", "--seeds", "1", "--epochs", "10", "--wounds", "10", "--out", OUT]);
    let curves = run(&options).expect("the digits are there");
    let at = |kind: usize, tenths: usize| curves[kind][tenths].0;
    // Over five seeds and ten wounds with 70 % destroyed: 0.26 ± 0.10, 0.62 ± 0.12 and 0.96 ± 0.01 with 16, 64 and 1,024
    // units; 64 units with dropout 0.80 ± 0.07.
    let [narrow, middling, wide] = [0, 1, 3].map(|kind| at(kind, 7));
    assert!(wide > middling + 0.15 && middling > narrow + 0.2, "{narrow} {middling} {wide}");
    // By degrees: the greatest loss by one tenth of the units was 0.2.
    for curve in &curves {
        assert!(curve.windows(2).all(|pair| pair[0].0 - pair[1].0 < 0.3), "{curve:?}");
    }
    // 64 units, without and with dropout.
    assert!(at(4, 7) > at(1, 7) + 0.05, "{} {}", at(1, 7), at(4, 7));
}
