//! The barrier between two networks nearly vanishes once their units are matched.

use super::loss_surface::{Options, run};
use clap::Parser;

const OUT: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/loss_surface.svg");

#[test]
fn matched_units_leave_little_of_the_barrier() {
    let options = Options::parse_from(["", "--pairs", "3", "--epochs", "15", "--out", OUT]);
    let barriers = run(&options).expect("the digits are there").mean(0).to_vec::<f64>();
    // Over five pairs 0.151 ± 0.047, and 0.016 ± 0.005, a third of it less 0.034 ± 0.015; means of three spread by 0.027
    // and 0.009.
    assert!(barriers[0] > 0.06, "{barriers:?}");
    assert!(barriers[1] < barriers[0] / 3.0, "{barriers:?}");
}
