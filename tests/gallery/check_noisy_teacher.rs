//! Wrong labels are memorised, unless the network corrects them; with few labels, images without any help.

use super::noisy_teacher::{Options, run};
use clap::Parser;

const OUT: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/noisy_teacher.svg");

#[test]
fn teachers_may_be_noisy() {
    let options = Options::parse_from(["", "--seeds", "1", "--epochs", "20", "--out", OUT]);
    let [curves, ways] = run(&options).expect("the digits are there");
    // With three times the epochs, three seeds: 0.757 ± 0.033 as told, 0.935 ± 0.006 self-correcting.
    let late = curves.narrow(2, 15, 5).mean([0, 2]).to_vec::<f64>();
    assert!(late[1] > late[0] + 0.02, "{late:?}");
    // There also, over all numbers of labels: 0.766 with labels alone, 0.811 self-training, 0.839 contrastive first.
    let ways = ways.mean([0, 1]).to_vec::<f64>();
    assert!(ways[1] > ways[0] && ways[2] > ways[0] + 0.01, "{ways:?}");
}
